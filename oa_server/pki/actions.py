"""The verbs of the certificate register: found the authority, request, approve and issue, revoke, renew the lists."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.chain import verify_chain
from crypto.cms import verify_cms
from crypto.errors import CryptoError
from crypto.keys import read_certificates, serial_text
from crypto.profiles import UNREADABLE, Profile
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Denied, Invalid, Unavailable
from oa_server.core.ids import new_id
from oa_server.core.ports import Holder, ShownCertificate
from oa_server.identity import access as identity
from oa_server.identity import actions as identity_actions
from oa_server.pki import access, rules
from oa_server.pki.models import (
    Certificate,
    CertificateRequest,
    CertificateState,
    Crl,
    DeviceKind,
    KeyDevice,
    RequestState,
    TrustAnchor,
)
from oa_server.pki.signer import (
    ISSUING,
    ROOT,
    BuildCrl,
    Certify,
    RevocationItem,
    Signer,
    SignHead,
    StampDigest,
    create_authority,
)
from oa_server.storage.unit_of_work import conflict_on, transition, unit_of_work

LIST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose a certificate will be: an official, or an organ's seal. Exactly one of them."""

    official_id: UUID | None = None
    organ_id: UUID | None = None


class CertificateRegister:
    """The register with its signer (`core.ports.CertificateRegister`, `core.ports.HeadSigner`)."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer

    # --- judging -------------------------------------------------------------------------------------------------

    def read(self, certificate: bytes) -> ShownCertificate:
        """What stands in a certificate. Raises Denied when it cannot be read, or its key is of a kind nobody knows."""
        found = _load(certificate)
        try:
            return ShownCertificate(serial_text(found), found.public_key(), found.not_valid_after_utc)
        except UNREADABLE as error:
            raise Denied(rules.CHAIN_REASONS["chain.weak_key"]) from error

    async def examine(self, certificate: bytes, chain: Sequence[bytes], usage: str) -> Holder:
        """The holder of a certificate that is good for `usage` now. Raises Denied saying why it is not."""
        leaf, *others = [_load(der) for der in (certificate, *chain)]
        trust = await access.trust()
        report = verify_chain(
            leaf,
            intermediates=[*trust.intermediates, *others],
            roots=trust.roots,
            crls=trust.crls,
            at=clock.now(),
            usage=Profile(usage),
        )
        rules.check_findings(report.findings)
        known = await access.by_fingerprint(sha256(certificate).hexdigest())
        if known is None:
            raise Denied(rules.UNKNOWN)
        rules.check_not_revoked(known)
        return Holder(known.serial, known.official_id, known.organ_id)

    async def hold(self, serial: str) -> None:
        """Keep a certificate from being revoked until the unit of work ends. Raises Denied when it was revoked before."""
        await access.held(serial)

    async def stamp(self, digest: bytes) -> bytes:
        """A timestamp token of our own over a SHA-256 digest."""
        return await self.signer.ask(StampDigest(digest, clock.now()))

    async def sign_head(self, head: bytes, at: datetime) -> bytes:
        """The log's head signed by the key that is for it."""
        return await self.signer.ask(SignHead(head, at))

    async def verify_head(self, head: bytes, signature: bytes, at: datetime) -> bool:
        """Whether a head was signed by us, at the moment it says."""
        # Never at this moment: its certificate may have run out since, and no list be in force in a backup of long ago.
        trust = await access.trust()
        return verify_cms(signature, head, at=at, usage=Profile.SIGNING, **trust.arguments()).ok

    # --- changing ------------------------------------------------------------------------------------------------

    async def found(self, actor: Actor, directory: Path, passphrase: str, organ: str) -> None:
        """Make the authority of a new installation and trust it."""
        create_authority(directory, passphrase, organ=organ, at=clock.now())
        issuing, root = read_certificates((directory / f"{ISSUING}.key").read_bytes())
        async with unit_of_work(actor) as work:
            anchors = [await _trust(root, is_root=True), await _trust(issuing, is_root=False)]
            fingerprints: dict[str, Any] = {"root": _fingerprint(root), "issuing": _fingerprint(issuing)}
            work.audit(Verb.AUTHORITY_CREATED, "trust_anchor", anchors[0].id, rows=anchors, **fingerprints)
        await self.renew_lists(actor)

    async def register_device(self, actor: Actor, kind: DeviceKind, label: str, subject: Subject) -> KeyDevice:
        """Enter a key device into the inventory."""
        rules.check(actor, "request")
        async with unit_of_work(actor) as work:
            device = await KeyDevice.create(
                id=new_id(),
                kind=kind,
                label=label,
                official_id=subject.official_id,
                organ_id=subject.organ_id,
                registered_at=work.now,
            )
            work.audit(Verb.DEVICE_REGISTERED, "key_device", device.id, rows=[device], kind=kind, label=label)
        return device

    async def request(
        self, actor: Actor, profile: Profile, csr: bytes, subject: Subject, device: KeyDevice | None = None
    ) -> CertificateRequest:
        """Ask for a certificate over a key; the request's own signature shows that its holder has the key.

        Raises Denied, and Invalid for a profile that is not for this subject.
        """
        rules.check(actor, "request")
        rules.check_subject(profile, official_id=subject.official_id, organ_id=subject.organ_id)
        async with unit_of_work(actor) as work:
            row = await CertificateRequest.create(
                id=new_id(),
                profile=profile.value,
                official_id=subject.official_id,
                organ_id=subject.organ_id,
                device_id=device.id if device else None,
                csr=csr,
                state=RequestState.PENDING,
                requested_by=actor.official_id,
                at=work.now,
            )
            work.audit(
                Verb.CERTIFICATE_REQUESTED,
                "certificate_request",
                row.id,
                rows=[row],
                profile=profile,
                holder=subject.official_id or subject.organ_id,
            )
        return row

    async def approve(self, actor: Actor, request: CertificateRequest) -> Certificate:
        """Approve a pending request and have it issued. Raises Denied, Conflict; Invalid when lint finds anything."""
        rules.check(actor, "approve")
        rules.check_approval(request.requested_by, actor)
        if request.state != RequestState.PENDING:
            raise Conflict(rules.REQUEST_REFUSED)
        order = await self._order(request)
        try:
            der = await self.signer.ask(order)
        except CryptoError as error:
            raise Invalid(rules.REQUEST_REFUSED, error.message, code=error.code) from error
        certificate = x509.load_der_x509_certificate(der)
        async with unit_of_work(actor) as work:
            row = await _store(certificate, request)
            await transition(
                CertificateRequest,
                request.id,
                expect={"state": RequestState.PENDING},
                change={"state": RequestState.ISSUED, "approved_by": actor.official_id, "certificate_id": row.id},
            )
            work.audit(
                Verb.CERTIFICATE_ISSUED,
                "certificate",
                row.id,
                rows=[row, request],
                serial=row.serial,
                profile=row.profile,
                holder=row.official_id or row.organ_id,
            )
        return row

    async def _order(self, request: CertificateRequest) -> Certify:
        now = clock.now()
        names = {"common": "", "organ": "", "unit": "", "number": ""}
        if request.official_id:
            official = await identity.official(request.official_id)
            post = await identity.post_of(official.id)
            names |= {"common": official.name, "number": official.code}
            if post is not None:
                names["organ"] = (await identity.organ(post.organ_id)).full_name
                names["unit"] = (await identity.unit(post.unit_id)).name
        else:
            organ = await identity.organ(request.organ_id)
            names |= {"common": organ.full_name, "organ": organ.full_name}
        not_before = now - timedelta(minutes=5)
        not_after = not_before + rules.lasting(Profile(request.profile))
        return Certify(request.profile, bytes(request.csr), not_before=not_before, not_after=not_after, **names)

    async def revoke(self, actor: Actor, serial: str, reason: str) -> None:
        """Revoke a certificate at once: sessions end, pending signatures fail, and a new list goes out.

        Raises NotFound, Denied, Conflict, and Invalid for an unknown reason.
        """
        certificate = await access.certificate(serial)
        rules.check(actor, "revoke", certificate)
        rules.check_revocation(reason)
        async with unit_of_work(actor) as work:
            await transition(
                Certificate,
                certificate.id,
                expect={"state": CertificateState.GOOD},
                reason=rules.ALREADY_REVOKED,
                change={"state": CertificateState.REVOKED, "revoked_at": work.now, "revocation_reason": reason},
            )
            await identity_actions.end_sessions_of(work, serial)
            work.audit(
                Verb.CERTIFICATE_REVOKED,
                "certificate",
                certificate.id,
                rows=[certificate],
                serial=serial,
                reason=reason,
            )
        # The certificate is revoked by now. If no list can be made this moment, the next round makes the one that is missing.
        with suppress(Unavailable):
            await self.renew_lists(actor)

    async def renew_lists(self, actor: Actor) -> None:
        """Issue the next list of each of our authorities."""
        issuing, root = read_certificates((self.signer.directory / f"{ISSUING}.key").read_bytes())
        await self._renew(actor, ISSUING, issuing)
        await self._renew(actor, ROOT, root)

    async def _renew(self, actor: Actor, which: str, issuer: x509.Certificate) -> None:
        """The next list of one authority. Of two who make it at once, one is second and begins anew."""
        for _attempt in range(LIST_ATTEMPTS):
            with suppress(Conflict):
                return await self._next_list(actor, which, _fingerprint(issuer))
        raise Unavailable(rules.LISTS_BUSY)

    async def _next_list(self, actor: Actor, which: str, issuer: str) -> None:
        # First the number, then what is revoked: so a list never holds less than the one before it.
        newest = await access.newest_crl(issuer)
        number = newest.number + 1 if newest else 1
        entries = await self._entries() if which == ISSUING else []
        now = clock.now()
        next_update = now + rules.CRL_LIFE
        der = await self.signer.ask(BuildCrl(which, entries, number, now, next_update))
        async with unit_of_work(actor) as work:
            async with conflict_on(rules.LISTS_BUSY):
                row = await Crl.create(
                    id=new_id(), issuer=issuer, number=number, der=der, this_update=now, next_update=next_update
                )
            work.audit(Verb.CRL_ISSUED, "crl", row.id, rows=[row], number=number, entries=len(entries))

    @staticmethod
    async def _entries() -> list[RevocationItem]:
        return [
            RevocationItem(row.serial, row.revoked_at, row.revocation_reason or "unspecified")
            for row in await access.revoked()
        ]


def _load(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise Denied(rules.UNREADABLE) from error


async def _trust(certificate: x509.Certificate, *, is_root: bool) -> TrustAnchor:
    return await TrustAnchor.create(
        id=new_id(),
        der=certificate.public_bytes(Encoding.DER),
        fingerprint=_fingerprint(certificate),
        is_root=is_root,
        name=certificate.subject.rfc4514_string(),
    )


async def _store(certificate: x509.Certificate, request: CertificateRequest) -> Certificate:
    return await Certificate.create(
        id=new_id(),
        serial=serial_text(certificate),
        profile=request.profile,
        official_id=request.official_id,
        organ_id=request.organ_id,
        device_id=request.device_id,
        subject=certificate.subject.rfc4514_string(),
        der=certificate.public_bytes(Encoding.DER),
        fingerprint=_fingerprint(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        state=CertificateState.GOOD,
    )


def _fingerprint(certificate: x509.Certificate) -> str:
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
