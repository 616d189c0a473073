"""A department's system in the tests: its key and certificate, its assertions, and what it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwt

from oa_server.core import clock
from tests.city import City
from tests.described import hold_to_description

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALL_SCOPES = ["directory:read", "documents:read", "documents:write", "incoming:read"]


def self_signed(key: Any, *, days: int = 365) -> x509.Certificate:
    """The certificate that a system made for itself: what counts is that it was registered."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "财政业务系统")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    return builder.not_valid_after(now + timedelta(days=days)).sign(key, hashes.SHA256())


@dataclass
class System:
    """A system with its key. `http` speaks to the city's server; `shown` is the certificate of a TLS connection."""

    city: City
    code: str = "caizheng"
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    days: int = 365
    token: str = ""

    def __post_init__(self) -> None:
        self.certificate = self_signed(self.key, days=self.days)
        transport = httpx.ASGITransport(self.city.app, client=("10.1.2.3", 40000))
        hooks = {"response": [hold_to_description]}
        self.http = httpx.AsyncClient(transport=transport, base_url=self.city.settings.origin, event_hooks=hooks)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def entry(self, **changes: Any) -> dict[str, Any]:
        """What an administrator enters about it: a system of 综合科, for which 王建国 answers."""
        return {
            "code": self.code,
            "name": "财政业务系统",
            "unit_id": changes.pop("unit_id"),
            "official_id": self.city.people["wang"],
            "certificate": self.pem,
            "scopes": ALL_SCOPES,
            "purpose": "报送预算执行情况",
            **changes,
        }

    def assertion(self, *, headers: dict[str, Any] | None = None, algorithm: str = "ES256", **changes: Any) -> str:
        """An assertion as RFC 7523 has it, with whatever is to be wrong in it."""
        now = int(clock.now().timestamp())
        address = f"{self.city.settings.origin}/api/v1/token"
        claims = {"iss": self.code, "sub": self.code, "aud": address, "jti": uuid4().hex, "iat": now, "exp": now + 50}
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return str(jwt.encode(claims, pem, algorithm=algorithm, headers=headers))

    async def ask_token(self, assertion: str | None = None, **form: str) -> httpx.Response:
        body = {
            "grant_type": "client_credentials",
            "client_assertion_type": JWT_BEARER,
            "client_assertion": self.assertion() if assertion is None else assertion,
            **form,
        }
        return await self.http.post("/api/v1/token", data=body)

    async def sign_in(self, **form: str) -> None:
        self.token = (await self.ask_token(**form)).raise_for_status().json()["access_token"]

    async def send(self, method: str, path: str, *, key: str | None = "", **options: Any) -> httpx.Response:
        """A request with the token, and for a write with a fresh Idempotency-Key, a given one, or none."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        if key is not None and method != "GET":
            headers["Idempotency-Key"] = key or uuid4().hex
        return await self.http.request(method, f"/api/v1{path}", headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.send("GET", path, **options)


async def unit_of(city: City, person: str) -> str:
    """The unit that somebody sits in."""
    browser = await city.signed_in(person)
    return str((await browser.get("/api/session")).json()["unit"]["id"])


async def let_in(system: System, **changes: Any) -> str:
    """Register a system as the system administrator and let it in as the security administrator; its id."""
    city = system.city
    sys, sec = await city.signed_in("sys"), await city.signed_in("sec")
    entry = system.entry(**{"unit_id": await unit_of(city, "wang"), **changes})
    registered = (await sys.send("POST", "/api/clients", json=entry)).raise_for_status().json()
    (await sec.send("POST", f"/api/clients/{registered['id']}/acts", json={"verb": "approve"})).raise_for_status()
    return str(registered["id"])
