"""What proposals say over the wire, in and out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.deadlines.schemas import ClockOut
from oa_server.documents.schemas import HistoryOut, LongText, ShortText
from oa_server.proposals.limits import Limit, LimitUnit
from oa_server.proposals.states import (
    Assembly,
    AssignmentRole,
    AssignmentState,
    AssignmentWait,
    CaseWait,
    ContactForm,
    Forwarding,
    Occasion,
    ProposalForm,
    ProposalKind,
    ProposalState,
    RejectionCode,
    ReplyPublicity,
    ResultClass,
    Satisfaction,
)
from oa_server.signing.schemas import SignatureIn
from oa_server.web.pagination import Cursor, PageLimit
from oa_server.web.shapes import AbilityOut, Named

Title = Annotated[str, Meta(max_length=200)]
Name = Annotated[str, Meta(max_length=60)]
Part = Annotated[str, Meta(max_length=20_000)]
Phone = Annotated[str, Meta(max_length=40)]
Words = Annotated[str, Meta(max_length=100)]
SmallNumber = Annotated[int, Meta(ge=1, le=99)]

# --- what verbs name ----------------------------------------------------------------------------------------------------


class MembersNamed(Struct, forbid_unknown_fields=True):
    members: Annotated[list[UUID], Meta(max_length=500)] = []


class ChecklistConfirmed(Struct, forbid_unknown_fields=True):
    checklist: Annotated[list[str], Meta(max_length=10)] = []


class Rejected(Struct, forbid_unknown_fields=True):
    code: RejectionCode
    forwarding: Forwarding


class MergeInto(Struct, forbid_unknown_fields=True):
    into: UUID


class HandlerIn(Struct, forbid_unknown_fields=True):
    organ_id: UUID
    role: AssignmentRole


Handlers = Annotated[list[HandlerIn], Meta(max_length=50)]


class HandlersChosen(Struct, forbid_unknown_fields=True):
    handlers: Handlers


class ChosenLeader(Struct, forbid_unknown_fields=True):
    leader_id: UUID


class Accepted(Struct, forbid_unknown_fields=True):
    suggestion: Annotated[str, Meta(max_length=500)] = ""
    liaison: Name = ""
    liaison_phone: Phone = ""


class OrganChosen(Struct, forbid_unknown_fields=True):
    organ_id: UUID | None = None


class Arbitrated(Struct, forbid_unknown_fields=True):
    organ_id: UUID


class ExtensionAsked(Struct, forbid_unknown_fields=True):
    months: Annotated[int, Meta(ge=1, le=12)]


class Told(Struct, forbid_unknown_fields=True):
    told: Annotated[str, Meta(max_length=1000)] = ""


class ContactMade(Struct, forbid_unknown_fields=True):
    proposer_id: UUID
    on: date
    form: ContactForm
    people: ShortText
    summary: LongText


class PointIn(Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=1000)]
    result: ResultClass | None = None
    measure: LongText = ""
    owner: Name = ""
    planned_on: date | None = None


class PointsListed(Struct, forbid_unknown_fields=True):
    points: Annotated[list[PointIn], Meta(max_length=50)]


class Replied(Struct, forbid_unknown_fields=True):
    document_id: UUID
    result: ResultClass
    publicity: ReplyPublicity
    publicity_ground: ShortText = ""


class PointReviewed(Struct, forbid_unknown_fields=True):
    point_id: UUID
    result: ResultClass
    planned_on: date | None = None


class JudgementIn(Struct, forbid_unknown_fields=True):
    """What a proposer says of being spoken with, of the attitude, and of the result."""

    contact: Satisfaction
    attitude: Satisfaction
    result: Satisfaction
    text: LongText = ""


# --- sittings -----------------------------------------------------------------------------------------------------------


class SittingPatch(Struct, forbid_unknown_fields=True):
    """What of a sitting can be changed once it is open: its numbers are in the numbers of its cases."""

    title: Annotated[str, Meta(min_length=1, max_length=120)]
    opens_on: date
    closes_on: date
    secretariat_id: UUID
    dispatching_id: UUID
    oversight_id: UUID


class SittingIn(SittingPatch, forbid_unknown_fields=True, kw_only=True):
    body: Assembly
    term: SmallNumber
    session: SmallNumber
    review_levels: Annotated[int, Meta(ge=1, le=5)] = 1


class SittingOut(Struct):
    """`own` is the reader as a member of it."""

    id: UUID
    body: Assembly
    body_title: str
    title: str
    opens_on: date
    closes_on: date
    secretariat: Named
    dispatching: Named
    oversight: Named
    review_levels: int
    kinds: list[ProposalKind]
    counts: dict[str, int]
    own: MemberOut | None
    abilities: list[AbilityOut]
    etag: str


class SittingList(Struct):
    items: list[SittingOut]
    abilities: list[AbilityOut]


class LimitIn(Struct, forbid_unknown_fields=True):
    unit: LimitUnit
    quantity: Annotated[int, Meta(ge=1, le=400)]
    source: ShortText


class LimitOut(Struct):
    limit: Limit
    title: str
    unit: LimitUnit
    quantity: int
    source: str


class LimitList(Struct):
    items: list[LimitOut]


class MemberIn(Struct, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=1, max_length=32)]
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    delegation: Name = ""
    party: Annotated[str, Meta(max_length=40)] = ""
    employer: Annotated[str, Meta(max_length=120)] = ""
    duty: Name = ""
    phone: Phone = ""
    address: ShortText = ""
    official_id: UUID | None = None


class MembersIn(Struct, forbid_unknown_fields=True):
    members: Annotated[list[MemberIn], Meta(min_length=1, max_length=5000)]


class MemberOut(Struct):
    """A member as everybody who may begin or read a proposal sees them; `has_account` tells that they sign for themselves."""

    id: UUID
    code: str
    name: str
    delegation: str
    party: str
    employer: str
    duty: str
    has_account: bool


class MemberList(Struct):
    items: list[MemberOut]


class MemberQuery(Struct, forbid_unknown_fields=True):
    q: Words = ""


# --- cases --------------------------------------------------------------------------------------------------------------


class ProposalElements(Struct, forbid_unknown_fields=True):
    """What its proposers say: the matter, and its three parts (情况、分析、建议)."""

    kind: ProposalKind
    form: ProposalForm
    title: Title
    occasion: Occasion = Occasion.SESSION
    category: Name = ""
    subcategory: Name = ""
    situation: Part = ""
    analysis: Part = ""
    request: Part = ""
    is_public: bool = True
    wished_organs: ShortText = ""


class ProposalIn(Struct, forbid_unknown_fields=True):
    """The first of `members` leads."""

    sitting_id: UUID
    elements: ProposalElements
    members: Annotated[list[UUID], Meta(max_length=500)]


class ProposalPatch(Struct, forbid_unknown_fields=True):
    elements: ProposalElements
    members: Annotated[list[UUID], Meta(max_length=500)]


class ProposalActIn(Struct, forbid_unknown_fields=True):
    """One verb on a case or an assignment, with what it needs."""

    verb: Annotated[str, Meta(max_length=32)]
    opinion: LongText = ""
    reason: Annotated[str, Meta(max_length=1000)] = ""
    parameters: dict[str, Any] = {}
    signature: SignatureIn | None = None


class ProposerOut(Struct):
    """A proposer; `phone` and `address` are shown to those who have to speak with them, and to themselves."""

    id: UUID
    member: MemberOut
    phone: str
    address: str
    is_own: bool
    is_lead: bool
    consent: str
    consent_title: str
    stands_behind: bool
    has_withdrawn: bool


class ReviewOut(Struct):
    version_no: int
    level: int
    reviewer: str
    opinion: str
    at: datetime


class ProposalRow(Struct):
    id: UUID
    kind: ProposalKind
    kind_title: str
    state: ProposalState
    state_title: str
    case_no: str
    title: str
    category: str
    lead: str
    proposers: int
    handlers: list[str]
    is_key: bool
    is_suspended: bool
    submitted_on: date | None
    wished_organs: str
    clock: ClockOut | None


class ProposalList(Struct):
    items: list[ProposalRow]
    next: str | None


class ProposalFilter(Struct, forbid_unknown_fields=True):
    sitting_id: UUID | None = None
    state: Annotated[str, Meta(max_length=200)] = ""
    kind: ProposalKind | None = None
    category: Name = ""
    organ_id: UUID | None = None
    q: Words = ""
    mine: bool = False
    key: bool = False
    waiting: CaseWait | None = None
    # What stands behind a figure of the sitting: of what is counted, or out of what; of one organ, category or delegation.
    figure: Annotated[str, Meta(max_length=40)] = ""
    counted: bool = True
    by: Literal["organ", "category", "delegation"] = "organ"
    part: Name = ""
    sort: Literal["newest", "oldest"] = "newest"


class ProposalQuery(ProposalFilter, forbid_unknown_fields=True):
    cursor: Cursor = ""
    limit: PageLimit = 50


class ContactOut(Struct):
    proposer: str
    round: int
    on: date
    form: ContactForm
    form_title: str
    people: str
    summary: str


class PointReviewOut(Struct):
    before: str
    after: str
    explanation: str
    at: datetime


class PointOut(Struct):
    id: UUID
    text: str
    result: str | None
    measure: str
    owner: str
    planned_on: date | None
    reviews: list[PointReviewOut]


class ReplyOut(Struct):
    """An organ's reply; `may_read` tells whether its pages are shown to the reader by now."""

    document_id: UUID
    organ: str
    doc_no: str
    round: int
    result: str
    result_title: str
    publicity: ReplyPublicity
    publicity_title: str
    publicity_ground: str
    state: str
    state_title: str
    check_reason: str
    at: datetime
    may_read: bool


class AssignmentOut(Struct):
    id: UUID
    organ: Named
    role: AssignmentRole
    role_title: str
    state: AssignmentState
    state_title: str
    is_final: bool
    returns: int
    dispatched_on: date
    received_at: datetime | None
    suggestion: str
    return_reason: str
    suggested_organ: Named | None
    decision: str
    opinion: str
    opinion_at: datetime | None
    liaison: str
    liaison_phone: str
    extension_months: int | None
    extension_reason: str
    clocks: list[ClockOut]
    contacts: list[ContactOut]
    points: list[PointOut]
    replies: list[ReplyOut]
    abilities: list[AbilityOut]


class FeedbackOut(Struct):
    id: UUID
    proposer: str
    round: int
    state: str
    state_title: str
    contact: Satisfaction | None
    attitude: Satisfaction | None
    result: Satisfaction | None
    result_title: str
    text: str
    has_code: bool
    waits_for_confirmation: bool
    at: datetime | None


class ProposalOut(Struct):
    """A case; `merged_replies` are those to what it was merged into, which answer it too."""

    id: UUID
    sitting: Named
    elements: ProposalElements
    kind_title: str
    form_title: str
    state: ProposalState
    state_title: str
    case_no: str
    version_no: int
    text_sha256: str
    proposers: list[ProposerOut]
    entered_by: str
    submitted_on: date | None
    reviews: list[ReviewOut]
    review_levels: int
    rejection: str
    forwarding: str
    reason: str
    converted_from: str
    merged_into: Named | None
    merged_here: list[Named]
    merged_replies: list[ReplyOut]
    key_leader: Named | None
    is_suspended: bool
    round: int
    assignments: list[AssignmentOut]
    feedback: list[FeedbackOut]
    clocks: list[ClockOut]
    history: list[HistoryOut]
    abilities: list[AbilityOut]
    may_judge: bool
    may_hand_over_codes: bool
    etag: str


# --- what is public -----------------------------------------------------------------------------------------------------


class PublishedFilter(Struct, forbid_unknown_fields=True):
    sitting_id: UUID | None = None
    category: Name = ""
    organ_id: UUID | None = None
    q: Words = ""
    sort: Literal["newest", "oldest"] = "newest"


class PublishedQuery(PublishedFilter, forbid_unknown_fields=True):
    cursor: Cursor = ""
    limit: PageLimit = 50


class PublishedRow(Struct):
    """A case that is public; `replies` are the numbers of those that are."""

    id: UUID
    sitting: str
    kind: ProposalKind
    kind_title: str
    case_no: str
    title: str
    category: str
    lead: str
    proposers: int
    handlers: list[str]
    submitted_on: date | None
    is_answered: bool
    replies: list[str]


class PublishedList(Struct):
    items: list[PublishedRow]
    next: str | None


class PublishedProposer(Struct):
    """A proposer as the public knows them."""

    name: str
    delegation: str


class PublishedHandler(Struct):
    organ: str
    role: AssignmentRole
    role_title: str


class PublishedReply(Struct):
    """A reply whose publicity is not closed; its pages are there when it is full."""

    document_id: UUID
    organ: str
    doc_no: str
    title: str
    result: str
    result_title: str
    publicity: ReplyPublicity
    publicity_title: str
    round: int
    replied_at: datetime


class PublishedCase(Struct):
    """A case as everybody may read it."""

    id: UUID
    sitting: str
    kind: ProposalKind
    kind_title: str
    case_no: str
    title: str
    category: str
    subcategory: str
    submitted_on: date | None
    proposers: list[PublishedProposer]
    situation: str
    analysis: str
    request: str
    handlers: list[PublishedHandler]
    merged_into: Named | None
    is_answered: bool
    replies: list[PublishedReply]


# --- assignments --------------------------------------------------------------------------------------------------------


class AssignmentRow(Struct):
    id: UUID
    proposal_id: UUID
    case_no: str
    title: str
    lead: str
    organ: Named
    role: AssignmentRole
    role_title: str
    state: AssignmentState
    state_title: str
    dispatched_on: date
    is_key: bool
    is_suspended: bool
    clock: ClockOut | None


class AssignmentList(Struct):
    items: list[AssignmentRow]
    next: str | None


class AssignmentListFilter(Struct, forbid_unknown_fields=True):
    sitting_id: UUID | None = None
    state: Annotated[str, Meta(max_length=200)] = ""
    role: AssignmentRole | None = None
    organ_id: UUID | None = None
    own: bool = False
    waiting: AssignmentWait | None = None
    q: Words = ""
    sort: Literal["newest", "oldest"] = "newest"


class AssignmentQuery(AssignmentListFilter, forbid_unknown_fields=True):
    cursor: Cursor = ""
    limit: PageLimit = 50


class WaitingOut(Struct):
    """How much of one kind waits for the reader; `list` says which list shows it, narrowed by `waiting` to `code`."""

    code: str
    title: str
    list: Literal["proposals", "assignments"]
    count: int


class WaitingList(Struct):
    items: list[WaitingOut]


class GivenIn(Struct, forbid_unknown_fields=True):
    proposal_id: UUID
    handlers: Handlers


class DispatchIn(Struct, forbid_unknown_fields=True):
    cases: Annotated[list[GivenIn], Meta(min_length=1, max_length=5000)]


class DispatchOut(Struct):
    cases: int
    assignments: int


class LoadOut(Struct):
    organ: Named
    count: int


class LoadList(Struct):
    items: list[LoadOut]


# --- judgements ---------------------------------------------------------------------------------------------------------


class CodeOut(Struct):
    code: str


class CodeIn(Struct, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=1, max_length=40)]


class JudgedByCode(Struct, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=1, max_length=40)]
    judgement: JudgementIn


class AskedByCode(Struct):
    """What somebody with a code is asked to judge."""

    title: str
    case_no: str
    proposer: str
    round: int


# --- alike --------------------------------------------------------------------------------------------------------------


class AlikeIn(Struct, forbid_unknown_fields=True):
    """A text that is being entered; of a case that is known, `proposal_id`, which is then like itself no more. Its own text
    counts, unless another is given."""

    title: Title = ""
    situation: Part = ""
    analysis: Part = ""
    request: Part = ""
    proposal_id: UUID | None = None


class AlikeOut(Struct):
    """A proposal that is like it: `likeness` from 0 to 1, and the phrases that both have. Not everybody may open it."""

    id: UUID
    sitting: Named
    kind: ProposalKind
    case_no: str
    title: str
    state: ProposalState
    state_title: str
    likeness: float
    shared: list[str]
    organs: list[str]
    may_open: bool


class LedAlike(Struct):
    """How many cases of a sitting that are alike an organ led."""

    sitting: Named
    count: int


class RemitTouched(Struct):
    """What an organ answers for that a text is about, and the phrases that both have."""

    text: str
    shared: list[str]


class SuggestedOrgan(Struct):
    """An organ that led what is alike, or answers for what it is about: its share of the likeness, what it led, sitting by
    sitting, and its remits."""

    organ: Named
    share: float
    led: list[LedAlike]
    remits: list[RemitTouched]


class AlikeList(Struct):
    items: list[AlikeOut]
    suggested: list[SuggestedOrgan]


# --- figures ------------------------------------------------------------------------------------------------------------


class FigureOut(Struct):
    """A figure: `counted` of `out_of` (none where it is a mere count), of the unit `of` (件、件次、人次、条)."""

    code: str
    title: str
    of: str
    counted: int
    out_of: int | None
    explanation: str


class PartOut(Struct):
    """The figures of one organ, category or delegation."""

    key: str
    name: str
    figures: list[FigureOut]
    mean_days: float | None


class FiguresOut(Struct):
    sitting: Named
    figures: list[FigureOut]
    mean_days: float | None
    by: str
    parts: list[PartOut]


class FiguresQuery(Struct, forbid_unknown_fields=True):
    by: Literal["organ", "category", "delegation"] = "organ"


class ReportBegun(Struct):
    """The document that the report of a sitting was begun as."""

    document_id: UUID


class SessionOfFigures(Struct):
    """One sitting beside others: its cases by state, its replies by class."""

    sitting: Named
    states: dict[str, int]
    results: dict[str, int]


class SessionsCompared(Struct):
    items: list[SessionOfFigures]


# --- a screen on the wall -----------------------------------------------------------------------------------------------


class WallDue(Struct):
    """What an organ has to do within the week."""

    id: UUID
    case_no: str
    title: str
    organ: str
    limit: str
    due: date
    left: int


class WallAct(Struct):
    """What was done, by which organ; nobody is named."""

    id: UUID
    case_no: str
    title: str
    verb: str
    act: str
    organ: str
    at: datetime


class WallOut(Struct):
    """What runs out within a week, in how many cases a reply is overdue, and what was done last."""

    overdue: int
    due: list[WallDue]
    acts: list[WallAct]


# --- vocabulary ---------------------------------------------------------------------------------------------------------


class ProposalWords(Struct):
    """Every vocabulary, each a list of code and title."""

    words: dict[str, list[list[str]]]
    checklist: list[str]


# --- sheets -------------------------------------------------------------------------------------------------------------


class ImportQuery(Struct, forbid_unknown_fields=True):
    """The name of the file."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class ImportConfirmed(ImportQuery, forbid_unknown_fields=True):
    """`shown` is the digest of the difference that was shown."""

    shown: Annotated[str, Meta(min_length=64, max_length=64)]


class ImportColumnOut(Struct):
    """A column of the sheet, what it is understood as, and whether it is `imported`, `kept_out` or `unknown`."""

    column: str
    title: str
    means: str
    outcome: str


class ImportProblemOut(Struct):
    """What is wrong with a cell; row 0 and no column is the whole file."""

    sheet: str
    row: int
    column: str
    code: str
    message: str


class ImportChangeOut(Struct):
    column: str
    old: str
    new: str


class ImportRowOut(Struct):
    row: int
    outcome: str
    outcome_title: str
    number: str
    title: str
    lead: str
    state_title: str
    reason: str
    changes: list[ImportChangeOut]


class ImportRemarkOut(Struct):
    row: int
    words: str


class UnknownUnitOut(Struct):
    name: str
    rows: int
    suggestions: list[Named]


class ImportReport(Struct):
    """What bringing in a file would do. It can be confirmed by its `digest` when it `is_whole`: nothing is wrong with it."""

    digest: str
    is_whole: bool
    counts: dict[str, int]
    columns: list[ImportColumnOut]
    rows: list[ImportRowOut]
    rows_left_off: int
    problems: list[ImportProblemOut]
    problems_found: int
    remarks: list[ImportRemarkOut]
    unknown_units: list[UnknownUnitOut]
    new_members: list[str]


class ImportBatchOut(Struct):
    id: UUID
    file_name: str
    added: int
    changed: int
    unchanged: int
    kept: int
    entered_by: str
    at: datetime


class ImportBatchList(Struct):
    items: list[ImportBatchOut]


class UnitAliasIn(Struct, forbid_unknown_fields=True):
    """What a name means in sheets; without an organ it means none any more."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    organ_id: UUID | None


class UnitAliasesIn(Struct, forbid_unknown_fields=True):
    aliases: Annotated[list[UnitAliasIn], Meta(min_length=1, max_length=500)]


class UnitAliasOut(Struct):
    name: str
    organ: Named


class UnitAliasList(Struct):
    items: list[UnitAliasOut]
