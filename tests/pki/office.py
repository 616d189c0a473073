"""Two administrators at their desks: one asks for keys and hands them out, the other approves and takes back."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.authority import name
from crypto.keys import make_csr
from oa_server.pki.actions import CertificateRegister
from tests.city import Browser, City


def csr(key: Any = None, **names: str) -> str:
    """A request in PEM, as the key agent gives it to the page."""
    der = make_csr(key or ec.generate_private_key(ec.SECP256R1()), name(common=names.pop("common", "王建国"), **names))
    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()


class Office:
    """The system administrator at their desk, and the security administrator at theirs."""

    def __init__(self, city: City, system: Browser, security: Browser) -> None:
        self.city, self.system, self.security = city, system, security

    @property
    def register(self) -> CertificateRegister:
        found: CertificateRegister = self.city.app.state.register
        return found

    async def device(self, person: str, label: str = "K-1") -> str:
        body = {"kind": "token", "label": label, "official_id": self.city.people[person]}
        answer = await self.system.send("POST", "/api/pki/devices", json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def ask(self, person: str = "wang", pem: str | None = None, **fields: Any) -> Any:
        body = {"profile": "signing", "csr": pem or csr(), "official_id": self.city.people[person], **fields}
        return await self.system.send("POST", "/api/pki/requests", json=body)

    async def asked(self, person: str = "wang", pem: str | None = None, **fields: Any) -> str:
        answer = await self.ask(person, pem, **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def decide(self, request: str, verb: str, **fields: Any) -> Any:
        who = self.system if verb == "install" else self.security
        return await who.send("POST", f"/api/pki/requests/{request}/acts", json={"verb": verb, **fields})

    async def issued(self, person: str = "wang", pem: str | None = None, **fields: Any) -> dict[str, Any]:
        answer = await self.decide(await self.asked(person, pem, **fields), "approve")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def certificate(self, serial: str) -> dict[str, Any]:
        return dict((await self.security.get(f"/api/pki/certificates/{serial}")).json())

    async def act(self, serial: str, verb: str, **fields: Any) -> Any:
        path = f"/api/pki/certificates/{serial}/acts"
        return await self.security.send("POST", path, json={"verb": verb, **fields})
