"""What goes over the wire. Members that a newer server adds are passed over.

States, kinds and urgencies are codes; `…_title` beside them is their Chinese word. Moments are aware and in UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

Id = UUID | str


class Named(Struct, frozen=True):
    """Anything shown by its name."""

    id: UUID
    name: str


class Why(Struct, frozen=True):
    code: str
    title: str


class Ability(Struct, frozen=True):
    """Whether an act is possible now, and if not, why."""

    verb: str
    allowed: bool
    reason: Why | None


# --- the directory ----------------------------------------------------------------------------------------------------


class OrganRow(Struct, frozen=True):
    """机关."""

    id: UUID
    code: str
    name: str
    short_name: str
    level: str
    superior_id: UUID | None


class Official(Struct, frozen=True):
    id: UUID
    code: str
    name: str
    post: str
    is_principal: bool
    roles: list[str]


class Unit(Struct, frozen=True):
    id: UUID
    name: str
    officials: list[Official]


class Organ(OrganRow, frozen=True):
    """An organ with its units and officials."""

    units: list[Unit]


# --- drafts -----------------------------------------------------------------------------------------------------------


class Heading(Struct, tag_field="type", tag="heading"):
    """A heading of the text; `level` 1 (一、) to 4."""

    text: str
    level: int = 1


class Paragraph(Struct, tag_field="type", tag="paragraph"):
    text: str


class Table(Struct, tag_field="type", tag="table", omit_defaults=True):
    """A table; `landscape` where it lies turned on pages of its own."""

    rows: list[list[str]]
    header: bool = False
    landscape: bool = False


class Body(Struct):
    """正文: headings, paragraphs and tables in their order."""

    content: list[Heading | Paragraph | Table]
    type: Literal["doc"] = "doc"


class Elements(Struct, omit_defaults=True):
    """公文要素 as far as the drafter decides them. Recipients are ids of organs, the signer (签发人) is that of an official."""

    kind: str
    title: str
    urgency: str = "normal"
    classification: str = "none"
    classify_years: int | None = None
    copy_no: str = ""
    main_recipients: list[UUID] = []
    copies_to: list[UUID] = []
    signer_id: UUID | None = None
    note: str = ""
    publicity: str = "on_request"
    printing_organ: str = ""
    main_recipients_as: str = ""
    copies_to_as: str = ""


# --- documents --------------------------------------------------------------------------------------------------------


class DocumentRow(Struct, frozen=True):
    """A document in a list."""

    id: UUID
    state: str
    state_title: str
    kind: str
    title: str
    doc_no: str
    urgency: str
    drafter: str
    created_at: datetime
    updated_at: datetime


class Attachment(Struct, frozen=True):
    """An attachment of a document: `offset` bytes of `size` have arrived; its SHA-256 in hex once all have."""

    id: UUID
    name: str
    size: int
    offset: int
    state: str
    sha256: str | None


class File(Attachment, frozen=True):
    """An attachment by itself; the next request may bring `chunk` bytes."""

    chunk: int
    at: datetime


class Opinion(Struct, frozen=True):
    id: UUID
    step_title: str
    actor_name: str
    organ_name: str
    decision: str
    text: str
    at: datetime


class Step(Struct, frozen=True):
    step: str
    title: str
    state: str
    officials: list[str]
    acted_by: str | None
    acted_at: datetime | None


class Happened(Struct, frozen=True):
    at: datetime
    actor_name: str
    verb: str
    title: str


class Document(Struct, frozen=True):
    """An outgoing document with all that happened to it. `etag` names the state that was read; changes are asked with it."""

    id: UUID
    state: str
    state_title: str
    elements: Elements
    body: Body
    doc_no: str
    doc_date: date | None
    issuer: Named
    unit: Named
    drafter: Named
    signer: Named | None
    main_recipients: list[Named]
    copies_to: list[Named]
    version_no: int
    sealed: bool
    attachments: list[Attachment]
    opinions: list[Opinion]
    route: list[Step]
    history: list[Happened]
    abilities: list[Ability]
    created_at: datetime
    etag: str


class Refusal(Struct, frozen=True):
    code: str
    title: str
    text: str


class Consignment(Struct, frozen=True):
    """How it stands with a document at one recipient."""

    id: UUID
    organ: Named
    role: str
    state: str
    state_title: str
    arrived_at: datetime
    signed_for_at: datetime | None
    signed_for_by: str | None
    refusal: Refusal | None
    receive_no: str | None


class Consignments(Struct, frozen=True):
    """签收情况: every recipient, and how many there are in each state (`total` are all)."""

    items: list[Consignment]
    counts: dict[str, int]


class Receipt(Struct, frozen=True):
    """A signed receipt or refusal that anybody can check: the JSON that was signed, and its CMS signature in base64."""

    content: str
    cms: str


# --- incoming ---------------------------------------------------------------------------------------------------------


class IncomingRow(Struct, frozen=True):
    """An incoming document in a list."""

    id: UUID
    state: str
    state_title: str
    title: str
    doc_no: str
    kind: str
    urgency: str
    source_organ: str
    role: str
    receive_no: str | None
    arrived_at: datetime


class Incoming(IncomingRow, frozen=True):
    """An incoming document with all that happened to it; `sha256` is that of its pages."""

    classification: str
    sha256: str
    proposal: str
    leader: Named | None
    unit: Named | None
    result: str
    attachments: list[Attachment]
    opinions: list[Opinion]
    route: list[Step]
    history: list[Happened]
    abilities: list[Ability]
    etag: str


# --- events -----------------------------------------------------------------------------------------------------------


class Event(Struct, frozen=True):
    """A CloudEvent. `type` says what happened, `data` names what to (`id`, `href`) and holds no content."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    sequence: str
    data: dict[str, Any]

    @property
    def number(self) -> int:
        """Its number among this system's events, without a gap; keep that of the last one that you have dealt with."""
        return int(self.sequence)
