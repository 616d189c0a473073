"""What identity says over the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.core.actor import Role
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
    """An organ with what it answers for, its units and people."""

    remits: list[str]
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


# --- keeping the directory --------------------------------------------------------------------------------------------

# As wide as the columns, without spaces at the ends, and never empty.
_TRIMMED = r"^\S(.*\S)?$"
Code = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$")]
ShortName = Annotated[str, Meta(min_length=1, max_length=60, pattern=_TRIMMED)]
Why = Annotated[str, Meta(min_length=1, max_length=200, pattern=_TRIMMED)]


class OrganIn(Struct, forbid_unknown_fields=True):
    """An organ as it is entered and changed. Without word and mark it does not issue."""

    code: Code
    full_name: Annotated[str, Meta(min_length=1, max_length=120, pattern=_TRIMMED)]
    short_name: ShortName
    level: Literal["province", "city", "county", "township", "department"]
    superior_id: UUID | None = None
    issuing_word: Annotated[str, Meta(max_length=20)] = ""
    issuer_mark: Annotated[str, Meta(max_length=60)] = ""


class RemitsIn(Struct, forbid_unknown_fields=True):
    """What an organ answers for, all of it in its order: what is left out is struck out."""

    items: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100, pattern=_TRIMMED)]], Meta(max_length=100)]


class UnitIn(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=_TRIMMED)]
    position: Annotated[int, Meta(ge=0, le=100_000)] = 0


class PostFields(Struct, forbid_unknown_fields=True):
    """A post without the person: its title, and whether it is in charge."""

    title: ShortName
    is_principal: bool = False


class PostIn(PostFields, forbid_unknown_fields=True, kw_only=True):
    unit_id: UUID


class PersonIn(Struct, forbid_unknown_fields=True):
    code: Code
    name: ShortName


class OfficialIn(PersonIn, forbid_unknown_fields=True, kw_only=True):
    """An official with their first post."""

    post: PostIn


class KeepIn(Struct, forbid_unknown_fields=True):
    verb: Literal["retire", "restore"]


class OfficialKeepIn(KeepIn, forbid_unknown_fields=True, kw_only=True):
    """Retiring an official, and to whom goes what is open to them by name."""

    successor_id: UUID | None = None


class KeptPost(Struct):
    """A post as administrators see it; `seen` names the state that was read (If-Match)."""

    id: UUID
    official: Named
    code: str
    organ: Named
    unit: Named
    title: str
    is_principal: bool
    retired_at: datetime | None
    roles: list[str]
    seen: str


class KeptUnit(Struct):
    id: UUID
    name: str
    position: int
    retired_at: datetime | None
    posts: list[KeptPost]
    seen: str


class KeptRemits(Struct):
    items: list[str]
    seen: str


class KeptOrgan(OrganIn, kw_only=True):
    """An organ as administrators see it, with what it answers for and everybody who is or was in it."""

    id: UUID
    retired_at: datetime | None
    remits: KeptRemits
    units: list[KeptUnit]
    abilities: list[AbilityOut]
    seen: str


class HeldRole(Struct):
    id: UUID
    role: str
    organ: Named
    unit: str


class RoleChangeOut(Struct):
    """A role that somebody is to get: who proposed it and why, and what became of it."""

    id: UUID
    official: Named
    code: str
    organ: str
    unit: str
    role: str
    reason: str
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str
    decided_at: datetime | None
    abilities: list[AbilityOut]


class KeptOfficial(Struct):
    """An official as administrators see them: posts, the one they act in first, and roles."""

    id: UUID
    code: str
    name: str
    retired_at: datetime | None
    posts: list[KeptPost]
    roles: list[HeldRole]
    proposed: list[RoleChangeOut]
    abilities: list[AbilityOut]
    seen: str


class PersonRow(Struct):
    id: UUID
    code: str
    name: str
    organ: str
    unit: str


class PersonList(Struct):
    items: list[PersonRow]


class PersonQuery(Struct):
    q: Annotated[str, Meta(max_length=60)] = ""


class DirectoryOut(Struct):
    """What an administrator may do in the directory, the organs that are no more, and how many roles wait."""

    retired: list[OrganRow]
    waiting: int
    abilities: list[AbilityOut]


class RoleIn(Struct, forbid_unknown_fields=True):
    unit_id: UUID
    role: Role
    reason: Why


class RoleTakeIn(Struct, forbid_unknown_fields=True):
    reason: Why


class RoleDecisionIn(Struct, forbid_unknown_fields=True):
    """A decision about some proposals, all or none."""

    ids: Annotated[list[UUID], Meta(min_length=1, max_length=1000)]
    verb: Literal["confirm", "refuse", "withdraw"]


class RoleQuery(Struct):
    state: Literal["pending", "confirmed", "refused", "withdrawn"] | None = None
    sort: Literal["newest"] = "newest"
    cursor: Cursor = ""
    limit: PageLimit = 50


class RoleChangeList(Struct):
    items: list[RoleChangeOut]
    next: str | None


class CellOut(Struct):
    column: str
    old: str
    new: str


class LineOut(Struct):
    """What one row of a sheet changes."""

    sheet: str
    row: int
    subject: str
    effect: str
    code: str
    name: str
    cells: list[CellOut]


class SheetDifference(Struct):
    """What an import changes. `digest` names it; beyond some thousand lines the rest is counted only."""

    digest: str
    counts: dict[str, int]
    unchanged: int
    lines: list[LineOut]
    left_off: int


class SheetQuery(Struct):
    """The name of the file, which tells its format; and when it is confirmed, the digest of the difference that was shown."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    shown: Annotated[str, Meta(max_length=64)] = ""


# --- rosters ----------------------------------------------------------------------------------------------------------


class DutyIn(Struct, forbid_unknown_fields=True):
    """A duty; `overlapping` says that it is meant although they are on duty then already."""

    official_id: UUID
    starts_at: Annotated[datetime, Meta(tz=True)]
    ends_at: Annotated[datetime, Meta(tz=True)]
    unit_id: UUID | None = None
    telephone: Annotated[str, Meta(max_length=40)] = ""
    remark: Annotated[str, Meta(max_length=200)] = ""
    overlapping: bool = False


class NewDutyIn(DutyIn, forbid_unknown_fields=True, kw_only=True):
    organ_id: UUID


class DutyOut(Struct):
    id: UUID
    organ: Named
    unit: Named | None
    official: Named
    code: str
    starts_at: datetime
    ends_at: datetime
    telephone: str
    remark: str
    seen: str


class DutyQuery(Struct):
    """The days that are asked for, as the office counts them, both included; of one organ, or of all."""

    since: date
    until: date
    organ_id: UUID | None = None


class DutyList(Struct):
    items: list[DutyOut]
    abilities: list[AbilityOut]
