"""The register of certificates: whom it believes, what it takes back, and what it publishes of that."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
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
from crypto.revocation import Refusal, read_ocsp_request, refuse_ocsp
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Denied, Unavailable
from oa_server.core.ids import new_id
from oa_server.core.ports import Holder, ShownCertificate
from oa_server.identity import actions as identity_actions
from oa_server.pki import access, rules
from oa_server.pki.models import Certificate, CertificateState, Crl, TrustAnchor
from oa_server.pki.signer import (
    ISSUING,
    ROOT,
    AnswerOcsp,
    AnswerTimestamp,
    BuildCrl,
    RevocationItem,
    Signer,
    SignHead,
    StampDigest,
    create_authority,
)
from oa_server.storage.unit_of_work import Work, conflict_on, transition, unit_of_work

LIST_ATTEMPTS = 5
ANSWERS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose a certificate will be: an official, or an organ's seal. Exactly one of them."""

    official_id: UUID | None = None
    organ_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An OCSP answer that was signed: what it says of the certificate, and until when it is given to whoever asks the same."""

    standing: tuple[bool, RevocationItem | None]
    until: datetime
    der: bytes


class CertificateRegister:
    """The register with its signer (`core.ports.CertificateRegister`, `core.ports.HeadSigner`)."""

    def __init__(self, signer: Signer, origin: str) -> None:
        self.signer = signer
        self._origin = origin
        self._answers: dict[bytes, _Answer] = {}

    # --- judging -------------------------------------------------------------------------------------------------

    def read(self, certificate: bytes) -> ShownCertificate:
        """What stands in a certificate. Raises Denied when it cannot be read, or its key is of a kind nobody knows."""
        found = _load(certificate)
        try:
            return ShownCertificate(
                serial_text(found),
                found.subject.rfc4514_string(),
                found.issuer.rfc4514_string(),
                found.public_key(),
                access.key_words(found),
                found.not_valid_before_utc,
                found.not_valid_after_utc,
            )
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

    async def check_not_withdrawn(self, fingerprint: str) -> None:
        """Raises Denied when a certificate is one of ours and is suspended or revoked."""
        known = await access.by_fingerprint(fingerprint)
        if known is not None:
            rules.check_not_revoked(known)

    async def stamp(self, digest: bytes) -> bytes:
        """A timestamp token of our own over a SHA-256 digest. Raises Unavailable, also while the clock is wrong."""
        clock.check_right()
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
        """Make the authority of a new installation and trust it; keys that are there are those of an attempt that failed."""
        if not self.signer.exists:
            create_authority(directory, passphrase, organ=organ, at=clock.now())
        issuing, root = read_certificates((directory / f"{ISSUING}.key").read_bytes())
        async with unit_of_work(actor) as work:
            anchors = [await _trust(root, is_root=True), await _trust(issuing, is_root=False)]
            fingerprints: dict[str, Any] = {"root": access.fingerprint(root), "issuing": access.fingerprint(issuing)}
            work.audit(Verb.AUTHORITY_CREATED, "trust_anchor", anchors[0].id, rows=anchors, **fingerprints)
        await self.renew_lists(actor)

    async def revoke(self, actor: Actor, serial: str, reason: str) -> None:
        """Revoke a certificate at once: sessions end, pending signatures fail, and a new list goes out.

        Raises NotFound, Denied, Conflict, and Invalid for an unknown reason.
        """
        certificate = await access.certificate(serial)
        rules.check(actor, "revoke", certificate)
        rules.check_revocation(reason)
        async with unit_of_work(actor) as work:
            await self._revoke(work, certificate, reason)
        await self._publish(actor)

    async def supersede(self, work: Work, certificate_id: UUID) -> None:
        """Revoke what a new certificate has replaced, unless that was done before."""
        certificate = await Certificate.get(id=certificate_id)
        if certificate.state != CertificateState.REVOKED:
            await self._revoke(work, certificate, "superseded")

    async def _revoke(self, work: Work, certificate: Certificate, reason: str) -> None:
        await transition(
            Certificate,
            certificate.id,
            expect={"state__in": [CertificateState.GOOD, CertificateState.SUSPENDED]},
            reason=rules.ALREADY_REVOKED,
            change={"state": CertificateState.REVOKED, "revoked_at": work.now, "revocation_reason": reason},
        )
        await identity_actions.end_sessions_of(work, certificate.serial)
        work.audit(
            Verb.CERTIFICATE_REVOKED,
            "certificate",
            certificate.id,
            rows=[certificate],
            serial=certificate.serial,
            reason=reason,
        )

    async def suspend(self, actor: Actor, serial: str) -> None:
        """Suspend a certificate at once, until it is resumed or revoked. Raises NotFound, Denied, Conflict."""
        certificate = await access.certificate(serial)
        rules.check(actor, "suspend", certificate)
        async with unit_of_work(actor) as work:
            await self._suspend(work, certificate)
        await self._publish(actor)

    async def suspend_all(self, work: Work, **whose: UUID) -> list[Certificate]:
        """Suspend every good certificate of a device, an official or an organ (`device_id` …). Returns them."""
        rows = await Certificate.filter(state=CertificateState.GOOD, **whose)
        for certificate in rows:
            await self._suspend(work, certificate)
        return rows

    async def _suspend(self, work: Work, certificate: Certificate) -> None:
        await transition(
            Certificate,
            certificate.id,
            expect={"state": CertificateState.GOOD},
            reason=rules.NOT_GOOD,
            change={
                "state": CertificateState.SUSPENDED,
                "revoked_at": work.now,
                "revocation_reason": rules.SUSPENDED,
            },
        )
        await identity_actions.end_sessions_of(work, certificate.serial)
        work.audit(
            Verb.CERTIFICATE_SUSPENDED, "certificate", certificate.id, rows=[certificate], serial=certificate.serial
        )

    async def resume(self, actor: Actor, serial: str) -> None:
        """Let a suspended certificate be used again. Raises NotFound, Denied, Conflict."""
        certificate = await access.certificate(serial)
        rules.check(actor, "resume", certificate)
        async with unit_of_work(actor) as work:
            await transition(
                Certificate,
                certificate.id,
                expect={"state": CertificateState.SUSPENDED},
                reason=rules.NOT_SUSPENDED,
                change={"state": CertificateState.GOOD, "revoked_at": None, "revocation_reason": None},
            )
            work.audit(Verb.CERTIFICATE_RESUMED, "certificate", certificate.id, rows=[certificate], serial=serial)
        await self._publish(actor)

    async def _publish(self, actor: Actor) -> None:
        """Put a new state on a new list. It is in force already; if no list can be made this moment, the next round
        makes the one that is missing."""
        with suppress(Unavailable):
            await self.renew_lists(actor)

    # --- published -----------------------------------------------------------------------------------------------

    async def answer_ocsp(self, request: bytes) -> bytes:
        """The answer (DER) to a question of RFC 6960, signed unless it cannot be answered. Raises Unavailable."""
        try:
            asked = read_ocsp_request(request)
        except CryptoError:
            return refuse_ocsp(Refusal.MALFORMED)
        known = await access.by_serial(format(asked.serial, "x"))
        now = clock.now()
        revocation = _listed(known) if known is not None and known.state != CertificateState.GOOD else None
        kept = self._answers.get(request)
        if kept is not None and kept.standing == (known is not None, revocation) and kept.until > now:
            return kept.der
        order = AnswerOcsp(request, known is not None, revocation, now, now + rules.OCSP_LIFE)
        der = await self.signer.ask(order)
        # A nonce is never asked twice; who asks without one takes an answer of some minutes ago, if it is still true.
        if asked.nonce is None:
            if len(self._answers) >= ANSWERS_KEPT:
                self._answers.clear()
            self._answers[request] = _Answer((known is not None, revocation), now + rules.OCSP_KEPT, der)
        return der

    async def answer_timestamp(self, request: bytes) -> bytes:
        """The response (DER) to a timestamp request of RFC 3161. Raises Unavailable, also while the clock is wrong."""
        clock.check_right()
        return await self.signer.ask(AnswerTimestamp(request, clock.now()))

    # --- lists ---------------------------------------------------------------------------------------------------

    async def renew_lists(self, actor: Actor) -> None:
        """Issue the next list of each of our authorities."""
        issuing, root = self._authorities()
        await self._renew(actor, ISSUING, issuing)
        await self._renew(actor, ROOT, root)

    async def _renew(self, actor: Actor, which: str, issuer: x509.Certificate) -> None:
        """The next list of one authority. Of two who make it at once, one is second and begins anew."""
        for _attempt in range(LIST_ATTEMPTS):
            with suppress(Conflict):
                return await self._next_list(actor, which, access.fingerprint(issuer))
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
        return [_listed(row) for row in await access.listed()]

    # --- addresses -----------------------------------------------------------------------------------------------

    def _authorities(self) -> list[x509.Certificate]:
        """The certificates of the issuing authority and of the root."""
        return read_certificates((self.signer.directory / f"{ISSUING}.key").read_bytes())

    @property
    def crl_url(self) -> str:
        """Where others fetch the issuing authority's list."""
        return f"{self._origin}/api/pki/crl/{access.fingerprint(self._authorities()[0])}"

    @property
    def ocsp_url(self) -> str:
        """Where others ask about one certificate."""
        return f"{self._origin}/api/pki/ocsp"


def _load(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise Denied(rules.UNREADABLE) from error


async def _trust(certificate: x509.Certificate, *, is_root: bool) -> TrustAnchor:
    return await TrustAnchor.create(
        id=new_id(),
        der=certificate.public_bytes(Encoding.DER),
        fingerprint=access.fingerprint(certificate),
        is_root=is_root,
        name=certificate.subject.rfc4514_string(),
    )


def _listed(row: Certificate) -> RevocationItem:
    return RevocationItem(row.serial, row.revoked_at, row.revocation_reason or "unspecified")
