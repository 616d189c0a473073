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
    `until` are days of the office, both included; `hour` narrows to that hour of the day `since`."""

    q: Words = ""
    area: Annotated[str, Meta(max_length=32)] = ""
    verb: Words = ""
    organ: UUID | None = None
    result: Literal["", "refused", "done"] = ""
    since: date | None = None
    until: date | None = None
    hour: Annotated[int, Meta(ge=0, le=23)] | None = None
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
    refused: bool
    facts: dict[str, Any]


class RecordList(Struct):
    items: list[RecordOut]
    next: str | None


class RecordDetail(RecordOut, kw_only=True):
    """One act with its place in the log: its digest, and the number of its leaf once it has one."""

    digest: str
    leaf: int | None


class CopyOut(Struct):
    """A place outside the database that signed heads are copied to: its newest head and how many heads it is behind.

    `problem` says, in the reader's language, why it could not be asked.
    """

    name: str
    size: int | None
    at: datetime | None
    behind: int
    problem: str | None


class HeadsOut(Struct):
    """The newest signed head, how many records the log has by now, and where heads are copied to."""

    leaves: int
    size: int | None
    root: str | None
    at: datetime | None
    copies: list[CopyOut]


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
