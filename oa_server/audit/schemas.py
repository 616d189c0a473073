"""What the audit log says over the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.web.pagination import Cursor, PageLimit

Words = Annotated[str, Meta(max_length=64)]


class RecordFilter(Struct):
    """`q` is looked for in the actor's name, and is the whole of a subject, a certificate or an address. `since` and
    `until` are days of the office, both included."""

    q: Words = ""
    area: Annotated[str, Meta(max_length=32)] = ""
    verb: Words = ""
    since: date | None = None
    until: date | None = None
    sort: Literal["newest", "oldest"] = "newest"


class RecordQuery(RecordFilter):
    cursor: Cursor = ""
    limit: PageLimit = 50


class RecordOut(Struct):
    """One act: who did what to what, when and from where, with its facts."""

    id: UUID
    at: datetime
    verb: str
    title: str
    actor: str
    organ: str
    address: str | None
    certificate: str | None
    subject_type: str
    subject: str
    facts: dict[str, Any]


class RecordList(Struct):
    items: list[RecordOut]
    next: str | None


class Vocabulary(Struct):
    """What can be chosen in the filters: areas, and the acts of each."""

    areas: dict[str, str]
    verbs: dict[str, str]


class DayQuery(Struct):
    day: date | None = None


class HourOut(Struct):
    """How many acts of each area one hour of the day had."""

    hour: int
    counts: dict[str, int]


class DayOut(Struct):
    """A day's picture: its hours, the acts that were refused, and the newest signed head."""

    day: date
    hours: list[HourOut]
    refused: int
    size: int
    head_at: datetime | None
    head_size: int | None


class ProofOut(Struct):
    """One record with all that shows that it stands in the log under a signed head (RFC 9162, 2.1.3).

    `leaf` hashes the canonical JSON of `record`; `path` leads from it, as leaf number `index`, to `root`, which with `size`
    and `at` is what `signature` (base64 CMS) covers.
    """

    type: Literal["oa/audit-proof/1"]
    record: dict[str, Any]
    leaf: str
    index: int
    size: int
    path: list[str]
    root: str
    at: str
    signature: str
