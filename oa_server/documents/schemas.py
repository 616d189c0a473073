"""What official documents say over the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from oa_server.documents.states import Classification, DocKind, IncomingState, OutgoingState, Publicity, Urgency
from oa_server.signing.schemas import Base64, SignatureIn
from oa_server.web.pagination import Cursor, PageLimit
from oa_server.web.shapes import AbilityOut, Named

ShortText = Annotated[str, Meta(max_length=200)]
LongText = Annotated[str, Meta(max_length=2000)]
Organs = Annotated[list[UUID], Meta(max_length=5000)]


class Heading(Struct, tag_field="type", tag="heading", forbid_unknown_fields=True):
    level: Annotated[int, Meta(ge=1, le=4)]
    text: Annotated[str, Meta(max_length=2000)]


class Paragraph(Struct, tag_field="type", tag="paragraph", forbid_unknown_fields=True):
    text: Annotated[str, Meta(max_length=20_000)]


class Table(Struct, tag_field="type", tag="table", forbid_unknown_fields=True):
    rows: Annotated[
        list[Annotated[list[Annotated[str, Meta(max_length=2000)]], Meta(max_length=20)]], Meta(max_length=500)
    ]
    header: bool = False
    # Whether it lies turned on pages of its own; unsaid of drafts from before there were such tables, and kept so.
    landscape: bool | UnsetType = UNSET


class Body(Struct, forbid_unknown_fields=True):
    """正文: a sequence of headings, paragraphs and tables."""

    type: Literal["doc"]
    content: Annotated[list[Heading | Paragraph | Table], Meta(max_length=2000)]


class Elements(Struct, forbid_unknown_fields=True):
    """公文要素, article 9, as far as the drafter decides them.

    `…_as` is the collective name (统称) under which recipients are printed that are too many to be named one by one.
    """

    kind: DocKind
    title: Annotated[str, Meta(max_length=300)]
    urgency: Urgency = Urgency.NORMAL
    classification: Classification = Classification.NONE
    classify_years: Annotated[int, Meta(ge=1, le=30)] | None = None
    copy_no: Annotated[str, Meta(max_length=6)] = ""
    main_recipients: Organs = []
    copies_to: Organs = []
    signer_id: UUID | None = None
    note: ShortText = ""
    publicity: Publicity = Publicity.ON_REQUEST
    printing_organ: Annotated[str, Meta(max_length=120)] = ""
    main_recipients_as: ShortText = ""
    copies_to_as: ShortText = ""


class DraftIn(Struct, forbid_unknown_fields=True):
    elements: Elements
    body: Body


class DraftPatch(Struct, forbid_unknown_fields=True):
    elements: Elements | UnsetType = UNSET
    body: Body | UnsetType = UNSET


class ActIn(Struct, forbid_unknown_fields=True):
    """One verb on a document, with what it needs."""

    verb: Annotated[str, Meta(max_length=32)]
    opinion: LongText = ""
    reason: LongText = ""
    parameters: dict[str, Any] = {}
    signature: SignatureIn | None = None


class AskIn(Struct, forbid_unknown_fields=True):
    """Ask for what is to be signed for a verb, with the certificate that will sign (base64 DER).

    An opinion names the pages that were read: `pages_sha256` of the document as it was shown.
    """

    verb: Annotated[str, Meta(max_length=32)]
    certificate: Base64
    chain: Annotated[list[Base64], Meta(max_length=5)] = []
    opinion: LongText = ""
    reason: LongText = ""
    parameters: dict[str, Any] = {}
    pages_sha256: Annotated[str, Meta(max_length=64)] | None = None


class AskOut(Struct):
    request_id: UUID
    request: str
    expires_at: datetime


class OpinionOut(Struct):
    id: UUID
    step_title: str
    actor_name: str
    organ_name: str
    decision: str
    text: str
    at: datetime


class StepOut(Struct):
    """A task of the route: done, open, returned or cancelled."""

    step: str
    title: str
    state: str
    officials: list[str]
    acted_by: str | None
    acted_at: datetime | None


class HistoryOut(Struct):
    at: datetime
    actor_name: str
    verb: str
    title: str


class AttachmentOut(Struct):
    id: UUID
    name: str
    size: int
    offset: int
    state: str
    sha256: str | None
    malware: str


class DocumentRow(Struct):
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


class DocumentList(Struct):
    items: list[DocumentRow]
    next: str | None


class DocumentOut(Struct):
    id: UUID
    state: str
    state_title: str
    elements: Elements
    body: Any
    doc_no: str
    doc_date: date | None
    issuer: Named
    unit: Named
    drafter: Named
    signer: Named | None
    main_recipients: list[Named]
    copies_to: list[Named]
    version_no: int
    pages_sha256: str | None
    frozen_sha256: str | None
    sealed_sha256: str | None
    sealed: bool
    attachments: list[AttachmentOut]
    opinions: list[OpinionOut]
    route: list[StepOut]
    history: list[HistoryOut]
    abilities: list[AbilityOut]
    open_step: str | None
    created_at: datetime
    etag: str


class RefusalOut(Struct):
    code: str
    title: str
    text: str


class ConsignmentOut(Struct):
    id: UUID
    organ: Named
    role: str
    state: str
    state_title: str
    arrived_at: datetime
    signed_for_at: datetime | None
    signed_for_by: str | None
    refusal: RefusalOut | None
    receive_no: str | None


class ReceiptFile(Struct):
    """A signed receipt or refusal, as anybody can check it: the canonical JSON that was signed, and its CMS in base64."""

    content: str
    cms: str


class ConsignmentList(Struct):
    items: list[ConsignmentOut]
    counts: dict[str, int]


class IncomingRow(Struct):
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


class IncomingList(Struct):
    items: list[IncomingRow]
    next: str | None


class ReceiptOut(Struct):
    at: datetime
    by: str
    sha256: str


class IncomingOut(IncomingRow):
    classification: str
    sha256: str
    proposal: str
    leader: Named | None
    unit: Named | None
    result: str
    receipt: ReceiptOut | None
    refusal: RefusalOut | None
    attachments: list[AttachmentOut]
    opinions: list[OpinionOut]
    route: list[StepOut]
    history: list[HistoryOut]
    abilities: list[AbilityOut]
    open_step: str | None
    etag: str


class WordOut(Struct):
    code: str
    title: str


class VocabularyOut(Struct):
    kinds: list[WordOut]
    urgencies: list[WordOut]
    classifications: list[WordOut]
    publicities: list[WordOut]
    refusal_codes: list[WordOut]
    outgoing_states: list[WordOut]
    incoming_states: list[WordOut]


class PreviewIn(DraftIn):
    document_id: UUID | None = None


class NoteOut(Struct):
    code: str
    title: str


class ImportedOut(Struct):
    """A Word file as our own body, with the title it seems to have and notes on what did not come along."""

    body: Any
    title: str
    notes: list[NoteOut]


class FilterQuery(Struct):
    """How a list of documents is narrowed and ordered; `since` and `until` are days, both included."""

    q: Annotated[str, Meta(max_length=60)] = ""
    kind: DocKind | None = None
    urgency: Urgency | None = None
    since: date | None = None
    until: date | None = None
    sort: Literal["newest", "oldest"] = "newest"


class OutgoingFilter(FilterQuery, forbid_unknown_fields=True):
    state: OutgoingState | None = None
    mine: bool = False


class OutgoingQuery(OutgoingFilter, forbid_unknown_fields=True):
    cursor: Cursor = ""
    limit: PageLimit = 50


class IncomingFilter(FilterQuery, forbid_unknown_fields=True):
    state: IncomingState | None = None


class IncomingQuery(IncomingFilter, forbid_unknown_fields=True):
    cursor: Cursor = ""
    limit: PageLimit = 50
