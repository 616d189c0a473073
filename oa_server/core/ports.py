"""What lower layers need of higher ones, as protocols; `app.py` plugs the domains in.

The unit of work writes audit entries without knowing the audit domain, the guard finds sessions without knowing identity,
and signing in examines certificates without knowing the certificate register: each asks a port that was filled at start.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from oa_server.core.actor import Actor


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act to be recorded: the verb (a constant of the audit catalogue), its subject, and its facts (JSON values)."""

    verb: str
    subject_type: str
    subject_id: str
    facts: dict[str, Any] = field(default_factory=dict)


class AuditSink(Protocol):
    async def record(self, actor: Actor, entries: Sequence[AuditEntry]) -> None:
        """Insert the entries inside the transaction that is open."""


class LivePush(Protocol):
    def notify(self) -> None:
        """Wake whoever reads the outbox: something new is in it. Neither raises nor waits; losing a call loses nothing."""


class SessionLookup(Protocol):
    async def find(self, token: str, address: str | None, *, quietly: bool = False) -> Actor:
        """The actor behind a session token. Raises NotSignedIn with the reason.

        Being asked for keeps a session from going idle, unless it is done `quietly`.
        """

    async def live(self, ids: Collection[UUID]) -> set[UUID]:
        """Which of these sessions are not over yet. Being asked about keeps none from going idle."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a certificate is: an official's, or an organ's seal."""

    serial: str
    official_id: UUID | None
    organ_id: UUID | None


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """What a certificate says of itself; nothing of it is believed yet."""

    serial: str
    subject: str
    issuer: str
    public_key: Any
    key: str
    not_before: datetime
    not_after: datetime


class CertificateRegister(Protocol):
    def read(self, certificate: bytes) -> ShownCertificate:
        """What stands in a certificate (DER). Raises Denied when it cannot be read."""

    async def examine(self, certificate: bytes, chain: Sequence[bytes], usage: str) -> Holder:
        """The holder of a certificate (DER) that is good for `usage` now. Raises Denied saying why it is not."""

    async def hold(self, serial: str) -> None:
        """Keep a certificate from being revoked until the unit of work ends. Raises Denied when it was revoked before."""

    async def suspend_all(self, work: Any, **whose: UUID) -> Sequence[object]:
        """Suspend every good certificate of an official or an organ (`official_id`, `organ_id`) inside this unit of work."""

    async def check_not_withdrawn(self, fingerprint: str) -> None:
        """Raise Denied when a certificate is one of ours and is suspended or revoked; of others we know nothing."""


class SubjectGate(Protocol):
    """What a domain says about one of its subjects when lower domains keep things for it (attachments)."""

    async def check_readable(self, actor: Actor, subject_id: UUID) -> None:
        """Raise NotFound unless the actor may see the subject."""

    async def check_attachable(self, actor: Actor, subject_id: UUID) -> None:
        """Raise NotFound or Denied unless the actor may add to the subject and take from it now.

        Inside a unit of work this stays true until it ends.
        """


@dataclass(frozen=True, slots=True)
class KnownPages:
    """A document of ours that some pages belong to."""

    doc_no: str
    title: str
    organ: str


class PagesFinder(Protocol):
    async def find(self, sha256: str) -> KnownPages | None:
        """The document whose frozen or sealed pages have this digest."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A department's system at the door: who acts, what for, and how often it may come in a minute."""

    actor: Actor
    scopes: frozenset[str]
    per_minute: int


class ClientLookup(Protocol):
    async def find(self, token: str, certificate_sha256: str | None, address: str | None) -> Visit:
        """The system behind an access token. Raises NotSignedIn with the reason.

        A token that is bound to a certificate (RFC 8705) is good on connections made with that one only.
        """


class OrganNames(Protocol):
    async def __call__(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """The short names of organs by id, for who stands below the directory; unknown ids are missing."""


class HeadSigner(Protocol):
    async def sign_head(self, head: bytes, at: datetime) -> bytes:
        """A detached, timestamped CMS signature over the canonical bytes of an audit tree head that is made at `at`."""

    async def verify_head(self, head: bytes, signature: bytes, at: datetime) -> bool:
        """Whether the signature is ours over these bytes, and was good when the head was made."""


@dataclass(slots=True)
class Ports:
    """The plugs, filled once by `app.py` before anything runs."""

    audit: AuditSink | None = None
    live: LivePush | None = None
    sessions: SessionLookup | None = None
    certificates: CertificateRegister | None = None
    head_signer: HeadSigner | None = None
    organ_names: OrganNames | None = None
    clients: ClientLookup | None = None
    pages: PagesFinder | None = None
    subjects: dict[str, SubjectGate] = field(default_factory=dict)


ports = Ports()
