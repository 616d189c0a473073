"""From request to certificate: what is checked, who decides, what a crash leaves, and how a key is renewed or replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from oa_server.core import clock
from oa_server.core.errors import Unavailable
from oa_server.demo.enrolment import actor_named
from oa_server.pki import issuing
from oa_server.pki.actions import CertificateRegister
from oa_server.pki.models import Certificate, CertificateRequest
from tests.city import told
from tests.faults.house import faults
from tests.pki.office import Office, csr


async def test_from_request_to_key(office: Office) -> None:
    """A key's request is seen with what differs from the directory, approved, issued for the device and installed."""
    device = await office.device("wang")
    request = await office.asked(pem=csr(common="王建民", number="wang"), device_id=device)
    shown = (await office.security.get(f"/api/pki/requests/{request}")).json()
    differing = {row["name"]: (row["asked"], row["given"]) for row in shown["differences"] if not row["same"]}
    assert differing == {"common": ("王建民", "王建国")}
    assert (shown["state"], shown["requested_by"], shown["holder"]["name"]) == ("pending", "何平", "王建国")
    issued = (await office.decide(request, "approve")).json()
    assert (issued["state"], issued["approved_by"], issued["device"]) == ("issued", "吕安", "K-1")
    page = await office.certificate(issued["serial"])
    assert (page["holder"]["name"], page["state"], page["device"]) == ("王建国", "good", "K-1")
    assert [link["subject"] for link in page["chain"]] == ["王建国", "江城市电子政务签发证书", "江城市电子政务根证书"]
    certificate = x509.load_der_x509_certificate(bytes((await Certificate.get(serial=issued["serial"])).der))
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    address = points[0].full_name[0].value  # type: ignore[index]
    assert (await office.security.get(address)).headers["content-type"] == "application/pkix-crl"
    assert (await office.decide(request, "install")).json()["state"] == "installed"
    assert told(await office.decide(request, "install")) == (409, "pki.not_issued")


async def test_one_holder_per_key(office: Office) -> None:
    """A key that was certified for one is not certified for another, nor for another use; only they renew it."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = (await office.issued(pem=csr(key)))["serial"]
    assert told(await office.ask("li", csr(key))) == (409, "pki.key_taken")
    assert told(await office.ask("wang", csr(key), profile="sign-in")) == (409, "pki.key_taken")
    again = await office.issued(pem=csr(key), kind="renewal", replaces=serial)
    assert again["serial"] != serial


async def test_renewing_without_a_new_request(office: Office) -> None:
    """A renewal presents the request of the certificate that it replaces again; nothing else goes without one."""
    old = (await office.issued())["serial"]
    renewal = {"kind": "renewal", "replaces": old, "csr": ""}
    renewed = (await office.decide(await office.asked(**renewal), "approve")).json()
    keys = [x509.load_der_x509_certificate(bytes((await Certificate.get(serial=serial)).der)).public_key()
            for serial in (old, renewed["serial"])]  # fmt: skip
    assert renewed["serial"] != old
    assert keys[0] == keys[1]
    assert told(await office.ask(**renewal | {"kind": "rekey"})) == (422, "pki.same_key")
    assert told(await office.ask(csr="")) == (422, "pki.request_refused")


async def test_one_key_for_two_at_once(office: Office) -> None:
    """Of two requests over one key for two people, that were asked for before either was approved, one is issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    requests = [await office.asked(person, csr(key)) for person in ("wang", "li")]
    answers = await asyncio.gather(*(office.decide(request, "approve") for request in requests))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await CertificateRequest.filter(state="pending").count() == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "rekey"}, "pki.nothing_to_replace"),
        ({"kind": "first", "replaces": "own"}, "pki.nothing_to_replace"),
        ({"kind": "rekey", "replaces": "other"}, "pki.nothing_to_replace"),
        ({"kind": "renewal", "replaces": "own"}, "pki.same_key"),
        ({"profile": "seal"}, "pki.wrong_subject"),
    ],
)
async def test_what_cannot_be_asked(office: Office, fields: dict[str, Any], code: str) -> None:
    """A request that replaces something names a certificate of this holder and use, and renewing keeps the key."""
    serials = {who: (await Certificate.get(official_id=office.city.people[who], profile="signing")).serial
               for who in ("wang", "li")}  # fmt: skip
    names = {"own": serials["wang"], "other": serials["li"]}
    wanted = {key: names.get(value, value) for key, value in fields.items()}
    assert told(await office.ask(**wanted)) == (422, code)
    assert await CertificateRequest.filter(state="pending").count() == 0


async def test_a_device_of_somebody_else(office: Office) -> None:
    """A key is requested for its holder's own device; a lost or retired one takes none."""
    device = await office.device("li")
    assert told(await office.ask("wang", device_id=device)) == (409, "pki.not_their_device")
    (await office.system.send("POST", f"/api/pki/devices/{device}/acts", json={"verb": "retired"})).raise_for_status()
    assert told(await office.ask("li", device_id=device)) == (409, "pki.not_their_device")


async def test_rekeying_revokes_the_old_one(office: Office) -> None:
    """The old certificate is good until the new one is on its key; then it is revoked as superseded."""
    old = (await office.issued())["serial"]
    new = await office.issued(kind="rekey", replaces=old)
    assert (await office.certificate(old))["state"] == "good"
    (await office.decide(new["id"], "install")).raise_for_status()
    page = await office.certificate(old)
    assert (page["state"], page["reason"]) == ("revoked", "superseded")
    assert (await office.certificate(new["serial"]))["state"] == "good"


async def test_refusing(office: Office) -> None:
    """A request is refused with its reason, and then it is over."""
    request = await office.asked()
    refused = (await office.decide(request, "refuse", reason="姓名与身份证件不符")).json()
    assert (refused["state"], refused["refusal"]) == ("refused", "姓名与身份证件不符")
    assert told(await office.decide(request, "approve")) == (409, "pki.not_pending")
    assert await faults(office.city.app.state.house) == []


@contextmanager
def signer_away(register: CertificateRegister) -> Iterator[None]:
    """The signer cannot open its keys."""
    passphrase, register.signer.passphrase = register.signer.passphrase, "wrong"
    try:
        yield
    finally:
        register.signer.passphrase = passphrase


async def test_a_signer_that_dies_over_it(office: Office) -> None:
    """What was approved while the signer was away is issued once it is back, without anybody asking again; never twice."""
    request = await office.asked()
    await office.register.signer.close()
    with signer_away(office.register):
        assert told(await office.decide(request, "approve")) == (503, "pki.signer_away")
    shown = (await office.system.get(f"/api/pki/requests/{request}")).json()
    assert (shown["state"], shown["certificate"]) == ("approved", None)
    await issuing.issue_waiting(office.register)  # Whoever approved it may still be having it issued.
    assert (await CertificateRequest.get(id=request)).state == "approved"
    with clock.shifted(timedelta(minutes=2)):
        await asyncio.gather(issuing.issue_waiting(office.register), issuing.issue_waiting(office.register))
    issued = (await office.system.get(f"/api/pki/requests/{request}")).json()
    assert (issued["state"], issued["serial"]) == ("issued", shown["serial"])
    assert await Certificate.filter(serial=shown["serial"]).count() == 1


async def test_a_server_that_dies_over_it(office: Office) -> None:
    """A certificate that the signer made and nobody kept is the one that is kept in the end, to the last octet."""
    request = await office.asked()
    actor = await actor_named("sec")
    made: list[bytes] = []
    ask = office.register.signer.ask

    async def made_and_lost(order: Any) -> bytes:
        made.append(await ask(order))
        raise Unavailable(issuing.SIGNER_AWAY)

    office.register.signer.ask = made_and_lost  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await issuing.approve(actor, UUID(request), office.register)
    office.register.signer.ask = ask  # type: ignore[method-assign]
    with clock.shifted(timedelta(minutes=2)):
        await issuing.issue_waiting(office.register)
    (kept,) = await Certificate.filter(serial=(await CertificateRequest.get(id=request)).serial)
    assert bytes(kept.der) == made[0]
