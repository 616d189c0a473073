"""The certificate register: who asks, who approves, what is never issued, and what a revocation sets going."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.authority import name
from crypto.keys import make_csr, serial_text
from crypto.profiles import Profile, profile_of
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict, Invalid, NotFound, OaError
from oa_server.demo.enrolment import actor_named
from oa_server.pki import access, devices, issuing
from oa_server.pki.actions import CertificateRegister, Subject
from oa_server.pki.models import Certificate, CertificateRequest, Crl, DeviceKind, TrustAnchor
from tests.city import City, told


def register_of(city: City) -> CertificateRegister:
    register: CertificateRegister = city.app.state.house.register
    return register


def csr(key: Any = None, common: str = "随便") -> bytes:
    return make_csr(key or ec.generate_private_key(ec.SECP256R1()), name(common=common))


async def request(
    city: City, *, by: str = "sys", profile: Profile = Profile.SIGNING, data: bytes | None = None, **subject: Any
) -> CertificateRequest:
    holder = Subject(**(subject or {"official_id": UUID(city.people["wang"])}))
    return await issuing.request(await actor_named(by), profile, csr() if data is None else data, holder)


async def approve(city: City, row: CertificateRequest, *, by: str = "sec") -> x509.Certificate:
    issued = await issuing.approve(await actor_named(by), row.id, register_of(city))
    return x509.load_der_x509_certificate(bytes(issued.der))


async def code_of(awaitable: Any) -> str:
    with pytest.raises(OaError) as refused:
        await awaitable
    return refused.value.code


# --- asking and approving ---------------------------------------------------------------------------------------------


async def test_two_people_make_a_certificate(city: City) -> None:
    """One asks, another approves, and both are recorded; the names in it are the directory's, not the request's."""
    certificate = await approve(city, await request(city, data=csr(common="省长")))
    assert certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == "王建国"
    assert profile_of(certificate) is Profile.SIGNING
    verbs = (Verb.CERTIFICATE_REQUESTED, Verb.CERTIFICATE_ISSUED)
    records = [await AuditRecord.filter(verb=verb).order_by("-id").first() for verb in verbs]
    assert [record.actor_name for record in records] == ["何平", "吕安"]


@pytest.mark.parametrize("by", ["wang", "sec", "aud", "qian"])
async def test_who_may_not_ask(city: City, by: str) -> None:
    """Only the system administrator asks for certificates and enters key devices."""
    assert await code_of(request(city, by=by)) == "pki.not_system_admin"
    device = devices.register_device(await actor_named(by), DeviceKind.TOKEN, "K1", Subject())
    assert await code_of(device) == "pki.not_system_admin"


@pytest.mark.parametrize("by", ["wang", "sys", "aud", "qian"])
async def test_who_may_not_approve_or_revoke(city: City, by: str) -> None:
    """Only the security administrator approves and revokes."""
    assert await code_of(approve(city, await request(city), by=by)) == "pki.not_security_admin"
    serial = serial_text(city.keys("wang")["signing"].certificate)
    revoking = register_of(city).revoke(await actor_named(by), serial, "keyCompromise")
    assert await code_of(revoking) == "pki.not_security_admin"


async def test_nobody_approves_their_own(city: City) -> None:
    """Who asked for a certificate does not approve it, whatever else they may."""
    row = await request(city)
    await CertificateRequest.filter(id=row.id).update(requested_by=UUID(city.people["sec"]))
    assert await code_of(approve(city, row)) == "pki.same_person"


async def test_approved_once(city: City) -> None:
    """A request is approved once, also when two approve at the same moment."""
    row = await request(city)
    answers = await asyncio.gather(approve(city, row), approve(city, row), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Certificate", "Conflict"]
    with pytest.raises(Conflict):
        await approve(city, await CertificateRequest.get(id=row.id))
    assert await Certificate.filter(official_id=city.people["wang"], profile="signing").count() == 2


@pytest.mark.parametrize(
    ("profile", "person", "organ"),
    [
        (Profile.SEAL, True, False),
        (Profile.SIGN_IN, False, True),
        (Profile.SIGNING, True, True),
        (Profile.SIGNING, False, False),
        (Profile.TIMESTAMP, True, False),
        (Profile.OCSP, True, False),
        (Profile.SERVER, False, True),
        (Profile.ISSUING, True, False),
        (Profile.ROOT, False, True),
    ],
)
async def test_certificates_of_the_wrong_kind(city: City, profile: Profile, person: bool, organ: bool) -> None:
    """People get certificates to sign in and to sign, organs get seals, and nobody gets a service's or an authority's."""
    subject = Subject(
        official_id=UUID(city.people["wang"]) if person else None,
        organ_id=UUID(city.organs["JC001"]) if organ else None,
    )
    asking = issuing.request(await actor_named("sys"), profile, csr(), subject)
    assert await code_of(asking) == "pki.wrong_subject"


def _broken_csr() -> bytes:
    data = bytearray(csr())
    data[-1] ^= 1
    return bytes(data)


WEAK_RSA = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        _broken_csr(),
        csr(WEAK_RSA),
        csr(rsa.generate_private_key(3, 2048)),
    ],
    ids=["nothing", "garbage", "not signed by its key", "1024 bits", "exponent 3"],
)
async def test_requests_that_are_not_acceptable(city: City, data: bytes) -> None:
    """A request that is no request, does not show its key, or has a weak one is refused, and the next is served."""
    count = await Certificate.all().count()
    with pytest.raises(Invalid) as refused:
        await approve(city, await request(city, data=data))
    assert refused.value.code == "pki.request_refused"
    assert await Certificate.all().count() == count
    assert await approve(city, await request(city))


# --- revoking ---------------------------------------------------------------------------------------------------------


async def listed(city: City) -> set[str]:
    """The serial numbers on the issuing authority's list, as anybody can fetch it."""
    found: set[str] = set()
    for anchor in await TrustAnchor.all():
        answer = await city.browser("wang").get(f"/api/pki/crl/{anchor.fingerprint}")
        assert answer.headers["content-type"] == "application/pkix-crl"
        crl = x509.load_der_x509_crl(answer.content)
        found |= {format(entry.serial_number, "x") for entry in crl}
    return found


async def test_a_revocation_is_published(city: City) -> None:
    """A revoked certificate stands on the next list at once, and the act is recorded with its reason."""
    assert await listed(city) == set()
    serial = await city.revoke("wang", "signing")
    assert await listed(city) == {serial}
    record = await AuditRecord.get(verb=Verb.CERTIFICATE_REVOKED)
    assert (record.actor_name, record.facts["reason"]) == ("吕安", "keyCompromise")


async def test_revoking_twice(city: City) -> None:
    """A certificate is revoked once; a serial number that nobody has is told so."""
    serial = await city.revoke("wang", "signing")
    assert await code_of(city.revoke("wang", "signing")) == "pki.already_revoked"
    with pytest.raises(NotFound):
        await register_of(city).revoke(SYSTEM, "abc", "keyCompromise")
    assert (await Certificate.get(serial=serial)).revocation_reason == "keyCompromise"


@pytest.mark.parametrize("reason", ["", "whatever", "removeFromCRL", "certificateHold", "KeyCompromise"])
async def test_reasons_that_no_list_knows(city: City, reason: str) -> None:
    """A reason that no list can hold is refused before it can spoil every list after it."""
    serial = serial_text(city.keys("wang")["signing"].certificate)
    assert await code_of(register_of(city).revoke(SYSTEM, serial, reason)) == "pki.unknown_revocation_reason"
    assert (await Certificate.get(serial=serial)).state == "good"


async def test_many_at_once(city: City) -> None:
    """Certificates that are revoked at the same moment all stand on the newest list."""
    people = ("wang", "li", "zhao", "chen", "sun", "qian")
    serials = await asyncio.gather(*(city.revoke(person, "signing") for person in people))
    assert await listed(city) == set(serials)
    for issuer in await TrustAnchor.all():
        numbers = [crl.number for crl in await Crl.filter(issuer=issuer.fingerprint).order_by("number")]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_revoking_without_the_signer(city: City) -> None:
    """When no list can be made, the certificate is revoked all the same, and the list is known to be missing."""
    register, browser = register_of(city), city.browser("wang")
    passphrase, register.signer.passphrase = register.signer.passphrase, "wrong"
    await register.signer.close()
    serial = await city.revoke("wang")
    assert told(await browser.try_sign_in()) == (403, "pki.revoked")
    assert await listed(city) == set()
    now = clock.now()
    assert await access.crls_due(now)
    register.signer.passphrase = passphrase
    await register.renew_lists(SYSTEM)
    assert not await access.crls_due(now)
    assert await listed(city) == {serial}


async def test_lists_that_nobody_renewed(city: City) -> None:
    """Past their next update the lists say nothing: nobody gets in until there are new ones."""
    assert await access.crls_due(clock.now() + timedelta(days=8))
    assert not await access.crls_due(clock.now() + timedelta(days=6))
    with clock.shifted(timedelta(days=8)):
        assert told(await city.browser("wang").try_sign_in()) == (403, "pki.crl_stale")
        await register_of(city).renew_lists(SYSTEM)
        assert (await city.browser("wang").try_sign_in()).status_code == 201


async def test_no_lists_at_all(city: City) -> None:
    """Without a list nobody knows what is revoked, so nobody gets in."""
    await Crl.all().delete()
    assert await access.crls_due(clock.now())
    assert told(await city.browser("wang").try_sign_in()) == (403, "pki.crl_missing")


# --- published --------------------------------------------------------------------------------------------------------


async def test_what_anybody_may_fetch(city: City) -> None:
    """Trust anchors and lists are there for whoever checks a signature; what is not there is not found."""
    browser = city.browser("wang")
    for anchor in await TrustAnchor.all():
        answer = await browser.get(f"/api/pki/anchors/{anchor.fingerprint}")
        assert answer.headers["content-type"] == "application/pkix-cert"
        certificate = x509.load_der_x509_certificate(answer.content)
        assert certificate.public_bytes(Encoding.DER) == bytes(anchor.der)
    for path in ("/api/pki/crl/", "/api/pki/anchors/"):
        for key in ("0" * 64, "'", "..%2F..%2Fetc"):
            assert (await browser.get(path + key)).status_code == 404
