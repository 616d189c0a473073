"""From a request to a certificate on its key: one administrator asks, another approves, the signer issues, the first installs.

Approving gives a request its ticket, the serial number of its certificate, and is committed before the signer is asked. So
whatever dies in between, asking again makes the same certificate and no second one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.authority import new_serial
from crypto.errors import CryptoError, KeyRefused
from crypto.keys import key_digest, read_csr, serial_text
from crypto.profiles import Profile
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM, Actor
from oa_server.core.errors import Conflict, Invalid, OaError, Unavailable
from oa_server.core.ids import new_id
from oa_server.identity import access as identity
from oa_server.pki import access, devices, rules
from oa_server.pki.actions import CertificateRegister, Subject
from oa_server.pki.models import (
    Certificate,
    CertificateRequest,
    CertificateState,
    CertifiedKey,
    KeyDevice,
    RequestKind,
    RequestState,
)
from oa_server.pki.signer import NOT_WRITTEN, SIGNER_AWAY, Certify
from oa_server.storage.unit_of_work import conflict_on, lock_row, transition, unit_of_work

CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What one key is for, and its certificate request (DER)."""

    profile: Profile
    csr: bytes


async def request(
    actor: Actor,
    profile: Profile,
    csr: bytes,
    subject: Subject,
    *,
    device: KeyDevice | None = None,
    kind: RequestKind = RequestKind.FIRST,
    replaces: Certificate | None = None,
) -> CertificateRequest:
    """Ask for a certificate over a key; the request's own signature shows that its holder has the key.

    Raises Denied; Invalid for a profile that is not for this subject, a request that is none or has a weak key, and a
    certificate that it cannot replace; Conflict when the key is somebody else's, or the device.
    """
    rules.check(actor, "request")
    rules.check_subject(profile, official_id=subject.official_id, organ_id=subject.organ_id)
    try:
        key = read_csr(csr).public_key()
    except KeyRefused as error:
        raise Invalid(rules.REQUEST_REFUSED, error.message, code=error.code) from error
    row = CertificateRequest(
        id=new_id(),
        profile=profile.value,
        official_id=subject.official_id,
        organ_id=subject.organ_id,
        device_id=device.id if device else None,
        csr=csr,
        state=RequestState.PENDING,
        requested_by=actor.official_id,
        at=clock.now(),
        kind=kind,
        replaces_id=replaces.id if replaces else None,
    )
    is_same = replaces is not None and key_digest(key) == key_digest(access.parsed(replaces).public_key())
    rules.check_replacing(kind, replaces, row, same_key=is_same)
    async with unit_of_work(actor) as work:
        rules.check_key(await access.certified_key(key_digest(key)), row)
        if device is not None:
            devices.check_holder(device, subject)
        await row.save(force_create=True)
        work.audit(
            Verb.CERTIFICATE_REQUESTED,
            "certificate_request",
            row.id,
            rows=[row],
            profile=profile,
            holder=subject.official_id or subject.organ_id,
            kind=kind,
        )
    return row


async def approve(actor: Actor, request_id: UUID, register: CertificateRegister) -> Certificate:
    """Approve a pending request and have it issued.

    Raises NotFound, Denied; Conflict when it is not pending or its key is taken; Invalid when lint finds anything, and the
    request is refused then; Unavailable when the signer is away, and the certificate is issued as soon as it is back.
    """
    rules.check(actor, "approve")
    async with unit_of_work(actor) as work:
        await lock_row(CertificateRequest, request_id)
        row = await access.request(request_id)
        rules.check_approval(row.requested_by, actor)
        ticket = format(new_serial(), "x")
        await transition(
            CertificateRequest,
            row.id,
            reason=rules.NOT_PENDING,
            expect={"state": RequestState.PENDING},
            change={
                "state": RequestState.APPROVED,
                "approved_by": actor.official_id,
                "serial": ticket,
                "decided_at": work.now,
            },
        )
        key = await _claim_key(row)
        work.audit(Verb.CERTIFICATE_APPROVED, "certificate_request", row.id, rows=[row, key], serial=ticket)
    return await issue(actor, request_id, register)


async def _claim_key(row: CertificateRequest) -> CertifiedKey:
    """Write down whose the request's key is from now on. Raises Conflict when it is another's."""
    digest = key_digest(read_csr(bytes(row.csr)).public_key())
    known = await access.certified_key(digest)
    rules.check_key(known, row)
    if known is not None:
        return known
    async with conflict_on(rules.KEY_TAKEN):
        return await CertifiedKey.create(
            id=new_id(), key_sha256=digest, profile=row.profile, official_id=row.official_id, organ_id=row.organ_id
        )


async def issue(actor: Actor, request_id: UUID, register: CertificateRegister) -> Certificate:
    """Have the signer make an approved request's certificate, and keep it. Raises as `approve`."""
    row = await access.request(request_id)
    try:
        der = await register.signer.ask(await _order(row, register))
    except CryptoError as error:
        if error.code == NOT_WRITTEN:
            raise Unavailable(SIGNER_AWAY) from error
        await _end(actor, row.id, RequestState.APPROVED, error.message)
        raise Invalid(rules.REQUEST_REFUSED, error.message, code=error.code) from error
    certificate = x509.load_der_x509_certificate(der)
    async with unit_of_work(actor) as work:
        kept = await _keep(certificate, row)
        await transition(
            CertificateRequest,
            row.id,
            reason=rules.NOT_PENDING,
            expect={"state": RequestState.APPROVED},
            change={"state": RequestState.ISSUED, "certificate_id": kept.id},
        )
        work.audit(
            Verb.CERTIFICATE_ISSUED,
            "certificate",
            kept.id,
            rows=[kept, row],
            serial=kept.serial,
            profile=kept.profile,
            holder=kept.official_id or kept.organ_id,
        )
    return kept


async def issue_waiting(register: CertificateRegister) -> None:
    """Issue what was approved and never issued, because a process or the signer died over it."""
    for row in await access.requests_waiting(clock.now() - rules.ISSUING_PATIENCE):
        # Somebody else may be quicker, and what lint refuses is refused: the next ones have their turn all the same.
        with suppress(Conflict, Invalid):
            await issue(SYSTEM, row.id, register)


async def _order(row: CertificateRequest, register: CertificateRegister) -> Certify:
    not_before = clock.now() - CLOCK_TOLERANCE
    return Certify(
        row.profile,
        bytes(row.csr),
        not_before=not_before,
        not_after=not_before + rules.lasting(Profile(row.profile)),
        serial=row.serial,
        crl_url=register.crl_url,
        ocsp_url=register.ocsp_url,
        **await names_of(row),
    )


async def names_of(subject: Subject | CertificateRequest) -> dict[str, str]:
    """What will stand in the certificate: the directory's names of the holder at this moment, not the request's."""
    if subject.official_id is None:
        assert subject.organ_id is not None  # It is one of the two.
        organ = await identity.organ(subject.organ_id)
        return {"common": organ.full_name, "organ": organ.full_name, "unit": "", "number": ""}
    official = await identity.official(subject.official_id)
    names = {"common": official.name, "organ": "", "unit": "", "number": official.code}
    post = await identity.post_of(official.id)
    if post is not None:
        names["organ"] = (await identity.organ(post.organ_id)).full_name
        names["unit"] = (await identity.unit(post.unit_id)).name
    return names


async def _keep(certificate: x509.Certificate, row: CertificateRequest) -> Certificate:
    async with conflict_on(rules.NOT_PENDING):
        return await Certificate.create(
            id=new_id(),
            serial=serial_text(certificate),
            profile=row.profile,
            official_id=row.official_id,
            organ_id=row.organ_id,
            device_id=row.device_id,
            subject=certificate.subject.rfc4514_string(),
            der=certificate.public_bytes(Encoding.DER),
            fingerprint=access.fingerprint(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            state=CertificateState.GOOD,
        )


async def refuse(actor: Actor, request_id: UUID, reason: str) -> None:
    """Refuse a pending request, saying why. Raises NotFound, Denied, Conflict when it is not pending."""
    rules.check(actor, "refuse")
    await access.request(request_id)
    await _end(actor, request_id, RequestState.PENDING, reason)


async def _end(actor: Actor, request_id: UUID, state: RequestState, reason: str) -> None:
    async with unit_of_work(actor) as work:
        change = {"state": RequestState.REFUSED, "refusal": reason[:300], "decided_at": work.now}
        await transition(
            CertificateRequest, request_id, reason=rules.NOT_PENDING, expect={"state": state}, change=change
        )
        row = await access.request(request_id)
        work.audit(Verb.CERTIFICATE_REFUSED, "certificate_request", row.id, rows=[row], reason=reason)


async def install(actor: Actor, request_id: UUID, register: CertificateRegister) -> None:
    """Enter that the certificate was written to its key; what it replaces is revoked in the same act.

    Raises NotFound, Denied, Conflict when it is not issued or installed already.
    """
    rules.check(actor, "install")
    async with unit_of_work(actor) as work:
        row = await access.request(request_id)
        await transition(
            CertificateRequest,
            row.id,
            reason=rules.NOT_ISSUED,
            expect={"state": RequestState.ISSUED},
            change={"state": RequestState.INSTALLED},
        )
        if row.replaces_id is not None:
            await register.supersede(work, row.replaces_id)
        work.audit(Verb.CERTIFICATE_INSTALLED, "certificate_request", row.id, rows=[row], serial=row.serial)
    if row.replaces_id is not None:
        with suppress(OaError):
            await register.renew_lists(actor)
