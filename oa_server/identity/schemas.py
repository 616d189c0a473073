"""What identity says over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.identity.models import ClientState
from oa_server.web.pagination import Cursor, PageLimit
from oa_server.web.shapes import AbilityOut, Named

Base64 = Annotated[str, Meta(max_length=64 * 1024, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]


class ChallengeOut(Struct):
    """A nonce (base64url) to be signed within its minute, and the cross-site token for the answer."""

    nonce: str
    csrf: str
    expires_at: datetime


class AnswerIn(Struct, forbid_unknown_fields=True):
    """The answer to a challenge: certificate and chain in base64 DER, the raw signature in base64."""

    certificate: Base64
    chain: Annotated[list[Base64], Meta(max_length=5)]
    nonce: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$", max_length=43)]
    signature: Base64


class OrganRef(Struct):
    id: UUID
    code: str
    name: str


class SessionOut(Struct):
    """Who is signed in, where, until when."""

    official: Named
    organ: OrganRef
    unit: Named
    post: str
    roles: list[str]
    csrf: str
    idle_minutes: int
    expires_at: datetime
    certificate_serial: str
    counts: dict[str, int]


class OrganRow(Struct):
    id: UUID
    code: str
    name: str
    short_name: str
    level: str
    superior_id: UUID | None


class OrganList(Struct):
    items: list[OrganRow]


class OfficialOut(Struct):
    id: UUID
    code: str
    name: str
    post: str
    is_principal: bool
    roles: list[str]


class UnitOut(Struct):
    id: UUID
    name: str
    officials: list[OfficialOut]


class OrganOut(OrganRow):
    units: list[UnitOut]


class EndSession(Struct, forbid_unknown_fields=True):
    """Why the page ends its session: signing out, or the key was pulled."""

    reason: Annotated[str, Meta(max_length=64)] = "identity.session_ended"


class OrganQuery(Struct):
    q: Annotated[str, Meta(max_length=60)] = ""


class SessionRow(Struct):
    """Somebody who is signed in: since when, last heard of when, from where, and with which certificate."""

    id: UUID
    official: Named
    code: str
    organ: str
    unit: str
    address: str | None
    certificate: str
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    own: bool


class SessionFilter(Struct):
    """`q` is looked for in names and numbers of officials and their organ's, and is the whole of an address or certificate."""

    q: Annotated[str, Meta(max_length=64)] = ""
    sort: Literal["newest", "oldest"] = "newest"


class SessionQuery(SessionFilter):
    cursor: Cursor = ""
    limit: PageLimit = 50


class CutSession(Struct, forbid_unknown_fields=True):
    """Why somebody else's session is ended; it is kept in the log."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class SessionList(Struct):
    items: list[SessionRow]
    next: str | None
    abilities: list[AbilityOut]


class ClientIn(Struct, forbid_unknown_fields=True):
    """A department's system: its certificate in PEM, what it is let in for, and how often a minute at most."""

    code: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{1,31}$", max_length=32)]
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    unit_id: UUID
    official_id: UUID
    certificate: Annotated[str, Meta(max_length=16 * 1024)]
    scopes: Annotated[list[str], Meta(min_length=1, max_length=20)]
    purpose: Annotated[str, Meta(min_length=1, max_length=200)]
    per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 600


class ClientActIn(Struct, forbid_unknown_fields=True):
    """Refusing and suspending say why; it is kept in the log."""

    verb: Literal["approve", "refuse", "suspend", "resume"]
    reason: Annotated[str, Meta(max_length=200)] = ""


class CertificateIn(Struct, forbid_unknown_fields=True):
    """A certificate in PEM that is to be registered, for a look at it before."""

    certificate: Annotated[str, Meta(max_length=16 * 1024)]


class ShownCertificateOut(Struct):
    """What stands in a system's certificate, and its SHA-256."""

    subject: str
    issuer: str
    serial: str
    key: str
    not_before: datetime
    not_after: datetime
    sha256: str


class ClientFilter(Struct):
    """`q` is looked for in code and name, and in the names of organ, unit and official."""

    q: Annotated[str, Meta(max_length=60)] = ""
    state: ClientState | None = None
    sort: Literal["newest", "oldest"] = "newest"


class ClientQuery(ClientFilter):
    cursor: Cursor = ""
    limit: PageLimit = 50


class ClientOut(Struct):
    """A department's system as administrators see it."""

    id: UUID
    code: str
    name: str
    organ: str
    unit: str
    official: Named
    certificate_sha256: str
    certificate_until: datetime
    scopes: list[str]
    purpose: str
    per_minute: int
    state: str
    registered_by: str
    approved_by: str
    registered_at: datetime
    abilities: list[AbilityOut]


class ChangeOut(Struct):
    """One thing about a system that is otherwise than when it was let in last."""

    name: str
    before: str
    after: str


class CameOut(Struct):
    """When a system was last let in, or turned away and with which reason."""

    at: datetime
    address: str | None
    reason: str | None


class QuotaOut(Struct):
    """What is left this moment of the requests of a minute, in the process that was asked."""

    limit: int
    remaining: int


class ClientDetail(ClientOut, kw_only=True):
    """A system with what stands in its certificate, what was changed since it was let in, and when it last came."""

    unit_id: UUID
    organ_id: UUID
    certificate: ShownCertificateOut
    changes: list[ChangeOut]
    decided: str
    admitted: CameOut | None
    refused: CameOut | None
    quota: QuotaOut
    scope_names: dict[str, str]


class ClientList(Struct):
    items: list[ClientOut]
    next: str | None
    counts: dict[str, int]
    scopes: dict[str, str]
    abilities: list[AbilityOut]


class TokenOut(Struct):
    """An access token (RFC 6749, 5.1)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str
