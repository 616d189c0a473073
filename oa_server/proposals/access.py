"""The only door for reading proposals: every query is already narrowed to what the actor may see, or to what is public.

A draft is seen by its proposers, once they were asked, by who entered it, and by the secretariat while it waits for paper. What
was submitted is seen by the offices of the secretariat; what was filed, by those of the dispatching and the oversight organ;
what was given to an organ, by that organ's. Proposers see their own to the end. Everybody else gets the same 404 as for what
does not exist. What is public of a case, everybody reads under its own address.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

from oa_server.core.actor import Actor, Role
from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.deadlines import access as deadlines
from oa_server.proposals import waiting
from oa_server.proposals.figures import AssignmentFact, CaseFact, ClockFact, Facts, JudgementFact, Key, ReplyFact
from oa_server.proposals.limits import DEFAULTS, Allowed, Limit, LimitUnit
from oa_server.proposals.models import (
    Assignment,
    Contact,
    Feedback,
    Member,
    Point,
    PointReview,
    Proposal,
    ProposalTerm,
    Proposer,
    Reply,
    Review,
    Sitting,
    SittingLimit,
)
from oa_server.proposals.states import (
    AssignmentRole,
    AssignmentState,
    AssignmentWait,
    CaseWait,
    Consent,
    ProposalState,
    ReplyPublicity,
    ReplyState,
    ResultClass,
)
from oa_server.storage.database import as_kept, select
from oa_server.storage.fields import Count, Q, QuerySet, Subquery

PROPOSAL, ASSIGNMENT, SITTING = "proposal", "assignment", "sitting"

# Roles that see what their organ has to do with; everybody else sees what is their own.
_OFFICE_ROLES = (Role.CLERK, Role.OFFICE_REVIEWER, Role.LEADER, Role.UNIT_HEAD)
_UNSUBMITTED = (ProposalState.DRAFT, ProposalState.COSIGNING)
_UNFILED = (
    *_UNSUBMITTED,
    ProposalState.SUBMITTED,
    ProposalState.RETURNED,
    ProposalState.REGISTERED,
    ProposalState.UNDER_REVIEW,
    ProposalState.REJECTED,
    ProposalState.WITHDRAWN,
)

# What lists show of a proposal: not its text, which is long and sealed.
LISTED = (
    "id", "sitting_id", "kind", "form", "occasion", "state", "case_no", "title", "category", "subcategory", "submitted_on",
    "wished_organs", "dispatched_on", "closed_on", "is_suspended", "round", "key_leader_id", "merged_into_id", "row_version",
)  # fmt: skip

Row = TypeVar("Row")
Listed = TypeVar("Listed", Proposal, Assignment)


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound(NOT_FOUND)
    return row


# --- sittings ---------------------------------------------------------------------------------------------------------


async def sittings() -> list[Sitting]:
    """Every sitting, the newest first. They are no secret."""
    return await Sitting.all().order_by("-opens_on", "-id")


async def sitting(sitting_id: UUID) -> Sitting:
    """Raises NotFound."""
    return _found(await Sitting.get_or_none(id=sitting_id))


async def is_at_work(sitting_id: UUID) -> bool:
    """Whether something was handed in at a sitting."""
    return await Proposal.filter(sitting_id=sitting_id).exclude(state__in=_UNSUBMITTED).exists()


async def limits(sitting_id: UUID) -> dict[Limit, Allowed]:
    """What a sitting allows: the defaults, each replaced by the newest row that the sitting has for it."""
    allowed = {one.limit: one for one in DEFAULTS}
    for row in await SittingLimit.filter(sitting_id=sitting_id).order_by("id"):
        limit = Limit(row.limit)
        unit, source = LimitUnit(row.unit), row.source
        allowed[limit] = replace(allowed[limit], unit=unit, quantity=row.quantity, source=source)
    return allowed


async def members(sitting_id: UUID, words: str = "", limit: int = 1000) -> list[Member]:
    """Who may put something forward at a sitting, in the order of their numbers."""
    rows = Member.filter(sitting_id=sitting_id)
    if words:
        rows = rows.filter(Q(name__contains=words) | Q(code__contains=words) | Q(delegation__contains=words))
    return await rows.order_by("code").limit(limit)


async def member(sitting_id: UUID, member_id: UUID) -> Member:
    """Raises NotFound."""
    return _found(await Member.get_or_none(id=member_id, sitting_id=sitting_id))


async def is_named(member_id: UUID) -> bool:
    """Whether a member is, or was, asked to stand behind a proposal."""
    return await Proposer.filter(member_id=member_id).exists()


async def members_named(ids: Collection[UUID]) -> dict[UUID, Member]:
    """Members by their ids; nobody is missed."""
    return {row.id: row for row in await Member.filter(id__in=list(ids))}


async def membership(actor: Actor, sitting_id: UUID) -> Member | None:
    """The actor as a member of a sitting."""
    if actor.official_id is None:
        return None
    return await Member.get_or_none(sitting_id=sitting_id, official_id=actor.official_id)


async def memberships(actor: Actor) -> dict[UUID, Member]:
    """The actor as a member, by sitting."""
    if actor.official_id is None:
        return {}
    return {row.sitting_id: row for row in await Member.filter(official_id=actor.official_id)}


# --- proposals --------------------------------------------------------------------------------------------------------


def proposals(actor: Actor) -> QuerySet[Proposal]:
    """The proposals that `actor` may see."""
    return Proposal.filter(_seen(actor))


def _seen(actor: Actor, at: str = "") -> Q:
    """That a proposal, which rows of another table name by `at`, is one that `actor` may see."""

    def case(**conditions: Any) -> Q:
        return Q(**{f"{at}{name}": value for name, value in conditions.items()})

    if actor.is_system:
        return Q()
    if actor.client_id is not None:
        return case(id__in=[])
    seen = case(entered_by_id=actor.official_id) | case(id__in=_own(actor))
    if any(actor.has(role) for role in _OFFICE_ROLES):
        given = _given_to(actor)
        of_dispatching = case(sitting__dispatching_id=actor.organ_id) | case(sitting__oversight_id=actor.organ_id)
        of_secretariat = case(sitting__secretariat_id=actor.organ_id)
        seen |= of_secretariat & ~case(state__in=_UNSUBMITTED)
        seen |= of_secretariat & case(state=ProposalState.COSIGNING, id__in=_asked_on_paper())
        seen |= of_dispatching & ~case(state__in=_UNFILED)
        seen |= case(id__in=given) | case(merged_into_id__in=given)
    return seen


def _own(actor: Actor) -> Subquery:
    """What the actor leads, and what they were asked to stand behind."""
    asked = Proposer.filter(member__official_id=actor.official_id).exclude(consent=Consent.DECLINED)
    shown = asked.filter(Q(position=0) | ~Q(proposal__state=ProposalState.DRAFT))
    return Subquery(shown.values("proposal_id"))


def _asked_on_paper() -> Subquery:
    """Where somebody is asked who signs on paper, which the secretariat's clerk enters."""
    return Subquery(Proposer.filter(consent=Consent.ASKED, member__official_id=None).values("proposal_id"))


def _given_to(actor: Actor) -> Subquery:
    given = Assignment.filter(organ_id=actor.organ_id).exclude(state=AssignmentState.SUPERSEDED)
    return Subquery(given.values("proposal_id"))


async def proposal(actor: Actor, proposal_id: UUID) -> Proposal:
    """One proposal. Raises NotFound when there is none that `actor` may see."""
    return _found(await proposals(actor).get_or_none(id=proposal_id))


@dataclass(frozen=True, slots=True)
class ListFilter:
    """How a list of proposals is narrowed. `words` are looked for in titles and case numbers; `ids` are what stands behind a figure;
    `after` is the last row of the
    page before."""

    sitting_id: UUID | None = None
    states: tuple[str, ...] = ()
    kind: str | None = None
    category: str = ""
    organ_id: UUID | None = None
    words: str = ""
    mine: bool = False
    key: bool = False
    waiting: CaseWait | None = None
    ids: Collection[Key] | None = None
    oldest_first: bool = False
    after: UUID | None = None
    limit: int = 50


async def proposal_list(actor: Actor, wanted: ListFilter) -> list[Proposal]:
    """A page of the proposals that `actor` may see, the newest or the oldest first."""
    rows = _narrowed(proposals(actor), wanted)
    if wanted.states:
        rows = rows.filter(state__in=wanted.states)
    if wanted.words:
        rows = rows.filter(Q(title__contains=wanted.words) | Q(case_no__contains=wanted.words))
    if wanted.mine:
        rows = rows.filter(Q(entered_by_id=actor.official_id) | Q(id__in=_own(actor)))
    if wanted.ids is not None:
        rows = rows.filter(id__in=list(wanted.ids))
    if wanted.key:
        rows = rows.filter(key_leader_id__not_isnull=True)
    if wanted.waiting is not None:
        rows = rows.filter(waiting.CASES[wanted.waiting].rows(actor))
    return await _page(rows, wanted).only(*LISTED)


def _narrowed(rows: QuerySet[Proposal], wanted: ListFilter) -> QuerySet[Proposal]:
    """Those of a sitting, a kind, a category, an organ."""
    exactly = {"sitting_id": wanted.sitting_id, "kind": wanted.kind, "category": wanted.category or None}
    rows = rows.filter(**{name: value for name, value in exactly.items() if value is not None})
    if wanted.organ_id:
        given = Assignment.filter(organ_id=wanted.organ_id).exclude(state=AssignmentState.SUPERSEDED)
        rows = rows.filter(id__in=Subquery(given.values("proposal_id")))
    return rows


def _page(rows: QuerySet[Listed], wanted: ListFilter | AssignmentFilter) -> QuerySet[Listed]:
    """Identifiers grow with time, so they order a list by age."""
    if wanted.after:
        rows = rows.filter(**{"id__gt" if wanted.oldest_first else "id__lt": wanted.after})
    return rows.order_by("id" if wanted.oldest_first else "-id").limit(wanted.limit)


async def proposers(proposal_ids: Collection[UUID]) -> list[Proposer]:
    """Who stands behind these proposals, each one's lead first, with their members."""
    rows = Proposer.filter(proposal_id__in=list(proposal_ids)).exclude(consent=Consent.DECLINED)
    return await rows.order_by("proposal_id", "position").prefetch_related("member")


async def speaks_with_proposers(actor: Actor, proposal: Proposal, sitting: Sitting) -> bool:
    """Whether the actor is of an office that has to reach the proposers of a case by telephone or post: the secretariat's, the
    dispatching organ's, or one that handles it or what it was merged into. An organ that only reads it has no need to."""
    if not any(actor.has(role) for role in _OFFICE_ROLES):
        return False
    if actor.organ_id in {sitting.secretariat_id, sitting.dispatching_id}:
        return True
    handled = [one for one in (proposal.id, proposal.merged_into_id) if one]
    given = Assignment.filter(organ_id=actor.organ_id, proposal_id__in=handled).exclude(role=AssignmentRole.REFERENCE)
    return await given.exclude(state=AssignmentState.SUPERSEDED).exists()


async def reviews(proposal_id: UUID) -> list[Review]:
    """What each level of review said of each version, in its order."""
    return await Review.filter(proposal_id=proposal_id).order_by("version_no", "level")


async def reviewers(proposal: Proposal) -> list[UUID]:
    """Who has reviewed the version that stands."""
    rows = Review.filter(proposal_id=proposal.id, version_no=proposal.version_no)
    return await rows.values_list("official_id", flat=True)  # type: ignore[return-value]  # untyped in the library


async def merged_into(proposal_id: UUID) -> list[Proposal]:
    """What was merged into a proposal."""
    return await Proposal.filter(merged_into_id=proposal_id, state=ProposalState.MERGED).order_by("id")


async def answered_with(proposal_id: UUID) -> list[UUID]:
    """The proposals that one reply answers: this one, and what was merged into it."""
    return [proposal_id, *(row.id for row in await merged_into(proposal_id))]


# --- what is public ---------------------------------------------------------------------------------------------------


def _public() -> Q:
    """What everybody may read of: filed, and not kept from the public; what was merged, when it went into what was filed."""
    unfiled = Subquery(Proposal.filter(state__in=_UNFILED).values("id"))
    is_filed = ~Q(state__in=_UNFILED) & (Q(merged_into_id=None) | ~Q(merged_into_id__in=unfiled))
    return Q(is_public=True) & is_filed


async def published_list(wanted: ListFilter) -> list[Proposal]:
    """A page of what is public; `words` are looked for in the names of proposers, too."""
    rows = _narrowed(Proposal.filter(_public()), wanted)
    if wanted.words:
        named = Proposer.filter(member__name__contains=wanted.words).exclude(consent=Consent.DECLINED)
        by_name = Q(id__in=Subquery(named.values("proposal_id")))
        rows = rows.filter(Q(title__contains=wanted.words) | Q(case_no__contains=wanted.words) | by_name)
    return await _page(rows, wanted).only(*LISTED)


async def published(proposal_id: UUID) -> Proposal:
    """One proposal that is public. Raises NotFound."""
    return _found(await Proposal.filter(_public()).get_or_none(id=proposal_id))


async def published_targets(rows: Collection[Proposal]) -> dict[UUID, Proposal]:
    """What these were merged into, as far as that is public itself."""
    targets = [row.merged_into_id for row in rows if row.merged_into_id]
    return {row.id: row for row in await Proposal.filter(_public(), id__in=targets).only(*LISTED)}


async def published_replies(proposal_ids: Collection[UUID]) -> list[Reply]:
    """What may be told of the replies to these: they have passed, and are public in full or in summary. With assignments."""
    rows = Reply.filter(assignment__proposal_id__in=list(proposal_ids), state=ReplyState.PASSED)
    return await rows.exclude(publicity=ReplyPublicity.CLOSED).order_by("id").prefetch_related("assignment")


# --- alike --------------------------------------------------------------------------------------------------------------


async def known_terms(terms: Collection[int]) -> dict[int, int]:
    """How many proposals have each of these words."""
    if not terms:
        return {}
    counted = ProposalTerm.filter(term__in=list(terms)).annotate(count=Count("id")).group_by("term")
    return dict(await counted.values_list("term", "count"))


async def sharing(terms: Mapping[int, float], limit: int) -> list[UUID]:
    """The proposals that have most of these words, each counting what it weighs; one statement over one index."""
    if not terms:
        return []
    cases = " ".join("WHEN ? THEN CAST(? AS DOUBLE PRECISION)" for _ in terms)
    values: list[Any] = [value for pair in terms.items() for value in pair]
    places = ", ".join("?" * len(terms))
    # No word of the caller enters the text: words are bound by their numbers.
    rows = await select(
        f"SELECT proposal_id, SUM(CASE term {cases} END) AS score FROM proposal_term WHERE term IN ({places})"  # noqa: S608
        f" GROUP BY proposal_id ORDER BY score DESC, proposal_id LIMIT ?",
        [*values, *terms, limit],
    )
    return [row["proposal_id"] if isinstance(row["proposal_id"], UUID) else UUID(row["proposal_id"]) for row in rows]


async def shown_alike(actor: Actor, ids: Collection[UUID]) -> list[tuple[Proposal, bool]]:
    """Of these proposals, those that `actor` may see, and those of which everybody may know: filed, and not kept from the
    public; each with whether `actor` may open it."""
    own = set(await proposals(actor).filter(id__in=list(ids)).values_list("id", flat=True))
    rows = Proposal.filter(Q(id__in=list(own)) | _public(), id__in=list(ids))
    found = await rows.exclude(state__in=_UNSUBMITTED).prefetch_related("sitting")
    return [(row, row.id in own) for row in found]


# --- figures ------------------------------------------------------------------------------------------------------------


async def facts(actor: Actor, sitting_id: UUID) -> Facts:
    """What the figures of a sitting are made of, as far as `actor` may see its cases: a few statements, whatever its size."""
    own = proposals(actor).filter(sitting_id=sitting_id)
    seen = Subquery(own.values("id"))
    given = Assignment.filter(proposal_id__in=seen)
    given_ids = Subquery(given.values("id"))
    columns = ("id", "proposal_id", "organ_id", "role", "state", "previous_id", "extended_months")
    assignments = [
        AssignmentFact(one, case, organ, role, state, before is not None, extended)
        for one, case, organ, role, state, before, extended in await as_kept(given.values_list(*columns))
    ]
    replies = Reply.filter(assignment_id__in=given_ids, state=ReplyState.PASSED).order_by("id")
    passed = await as_kept(replies.values_list("assignment_id", "result", "publicity"))
    judgements = Feedback.filter(proposal_id__in=seen).values_list(*JudgementFact._fields)
    reviews = PointReview.filter(point__proposal_id__in=seen, before=ResultClass.B)
    reviewed = await as_kept(reviews.values_list("point_id", "point__proposal_id", "after"))
    points = Point.filter(proposal_id__in=seen, result=ResultClass.B)
    promised = await as_kept(points.values_list("id", "proposal_id"))
    runs = await deadlines.runs(ASSIGNMENT, Limit.REPLY, [one.id for one in assignments])
    contacts = Contact.filter(assignment_id__in=given_ids).values_list("assignment_id", "form")
    return Facts(
        cases=await _case_facts(own),
        assignments=assignments,
        clocks=[ClockFact(*run) for run in runs],
        replies=list({row[0]: ReplyFact(*row) for row in passed}.values()),
        judgements=[JudgementFact(*row) for row in await as_kept(judgements)],
        contacts=await as_kept(contacts),
        improved={row[0] for row in reviewed if row[2] == ResultClass.A},
        promised={row[0] for row in (*reviewed, *promised)},
        point_cases={row[0]: row[1] for row in (*reviewed, *promised)},
    )


async def _case_facts(own: QuerySet[Proposal]) -> list[CaseFact]:
    rows = await as_kept(own.values_list("id", "state", "kind", "category", "round", "key_leader_id"))
    leads = Proposer.filter(position=0, proposal_id__in=Subquery(own.values("id")))
    delegations = dict(await as_kept(leads.values_list("proposal_id", "member__delegation")))
    return [
        CaseFact(case_id, state, kind, category, delegations.get(case_id, ""), round_no, key is not None)
        for case_id, state, kind, category, round_no, key in rows
    ]


async def public_cases(actor: Actor, sitting_id: UUID, subjects: Collection[UUID]) -> dict[UUID, Proposal]:
    """Of these cases and assignments, those of a sitting that `actor` may see and that are fit for a screen on the wall: filed,
    and not kept from the public. Each with its case."""
    given = dict(await Assignment.filter(id__in=list(subjects)).values_list("id", "proposal_id"))
    wanted = {given.get(one, one) for one in subjects}
    rows = proposals(actor).filter(_public(), sitting_id=sitting_id, id__in=list(wanted))
    found = {row.id: row for row in await rows.only(*LISTED)}
    return {one: found[given.get(one, one)] for one in subjects if given.get(one, one) in found}


async def sessions(actor: Actor) -> dict[UUID, dict[str, int]]:
    """Of every sitting, how many cases were answered with which class: what one sitting is held against another by."""
    passed = Reply.filter(_seen(actor, "assignment__proposal__"), state=ReplyState.PASSED)
    rows = passed.annotate(count=Count("id")).group_by("assignment__proposal__sitting_id", "result")
    found: dict[UUID, dict[str, int]] = {}
    for sitting_id, result, count in await rows.values_list("assignment__proposal__sitting_id", "result", "count"):
        found.setdefault(sitting_id, {})[result] = count
    return found


# --- assignments ------------------------------------------------------------------------------------------------------


def assignments(actor: Actor) -> QuerySet[Assignment]:
    """The assignments that `actor` may see: those of their organ, and those of the sittings that it sees to."""
    if actor.is_system:
        return Assignment.all()
    if actor.client_id is not None or not any(actor.has(role) for role in _OFFICE_ROLES):
        return Assignment.filter(id__in=[])
    of_secretariat = Q(proposal__sitting__secretariat_id=actor.organ_id)
    of_dispatching = Q(proposal__sitting__dispatching_id=actor.organ_id)
    of_oversight = Q(proposal__sitting__oversight_id=actor.organ_id)
    return Assignment.filter(Q(organ_id=actor.organ_id) | of_secretariat | of_dispatching | of_oversight)


async def assignment(actor: Actor, assignment_id: UUID) -> Assignment:
    """One assignment. Raises NotFound when there is none that `actor` may see."""
    return _found(await assignments(actor).get_or_none(id=assignment_id))


@dataclass(frozen=True, slots=True)
class AssignmentFilter:
    """How a list of assignments is narrowed; `own` to those of the actor's organ."""

    sitting_id: UUID | None = None
    states: tuple[str, ...] = ()
    role: str | None = None
    organ_id: UUID | None = None
    own: bool = False
    waiting: AssignmentWait | None = None
    words: str = ""
    oldest_first: bool = False
    after: UUID | None = None
    limit: int = 50


async def assignment_list(actor: Actor, wanted: AssignmentFilter) -> list[Assignment]:
    """A page of assignments with their proposals; what was given on is left out unless asked for."""
    rows = assignments(actor)
    organ_id = actor.organ_id if wanted.own else wanted.organ_id
    exactly = {"proposal__sitting_id": wanted.sitting_id, "role": wanted.role, "organ_id": organ_id}
    rows = rows.filter(**{name: value for name, value in exactly.items() if value is not None})
    rows = rows.filter(state__in=wanted.states) if wanted.states else rows.exclude(state=AssignmentState.SUPERSEDED)
    if wanted.words:
        rows = rows.filter(Q(proposal__title__contains=wanted.words) | Q(proposal__case_no__contains=wanted.words))
    if wanted.waiting is not None:
        rows = rows.filter(waiting.ASSIGNMENTS[wanted.waiting].rows(actor))
    return await _page(rows, wanted).prefetch_related("proposal")


async def waiting_for(actor: Actor) -> dict[CaseWait | AssignmentWait, int]:
    """How much of each kind waits for the actor; what cannot wait for them is not named."""
    found: dict[CaseWait | AssignmentWait, int] = {}
    for what, lane in waiting.CASES.items():
        if lane.is_of(actor):
            found[what] = await proposals(actor).filter(lane.rows(actor)).count()
    for given, lane in waiting.ASSIGNMENTS.items():
        if lane.is_of(actor):
            found[given] = await assignments(actor).filter(lane.rows(actor)).count()
    return found


async def assignments_of(proposal_ids: Collection[UUID]) -> list[Assignment]:
    """Every assignment of these proposals, also those that were given on, in their order."""
    return await Assignment.filter(proposal_id__in=list(proposal_ids)).order_by("id")


async def standing_assignments(proposal_id: UUID) -> list[Assignment]:
    """The assignments of a proposal that were not given on."""
    rows = Assignment.filter(proposal_id=proposal_id).exclude(state=AssignmentState.SUPERSEDED)
    return await rows.order_by("id")


async def load_of(sitting_id: UUID) -> dict[UUID, int]:
    """How many cases of a sitting each organ has been given."""
    rows = Assignment.filter(proposal__sitting_id=sitting_id).exclude(state=AssignmentState.SUPERSEDED)
    counted = rows.annotate(count=Count("id")).group_by("organ_id")
    return dict(await counted.values_list("organ_id", "count"))


async def contacts(assignment_ids: Collection[UUID]) -> list[Contact]:
    """Who was spoken with, and when."""
    return await Contact.filter(assignment_id__in=list(assignment_ids)).order_by("id")


async def points(assignment_ids: Collection[UUID]) -> list[Point]:
    """What is asked for, point by point."""
    return await Point.filter(assignment_id__in=list(assignment_ids)).order_by("assignment_id", "position")


async def point_reviews(point_ids: Collection[UUID]) -> list[PointReview]:
    """How points stood when somebody looked at them again."""
    return await PointReview.filter(point_id__in=list(point_ids)).order_by("id")


async def replies(assignment_ids: Collection[UUID]) -> list[Reply]:
    """Every reply, also those that were sent back."""
    return await Reply.filter(assignment_id__in=list(assignment_ids)).order_by("id")


def _readable(actor: Actor) -> Q:
    """Which replies the actor may read of a case that they may see: what has passed; and what is still being checked, or was sent
    back, when they see what the organ was given, as who checks it does."""
    return Q(state=ReplyState.PASSED) | Q(assignment_id__in=Subquery(assignments(actor).values("id")))


async def readable(actor: Actor, replies: Collection[Reply]) -> set[UUID]:
    """Of the replies to cases that `actor` may see, those that they may read."""
    rows = Reply.filter(_readable(actor), id__in=[row.id for row in replies])
    return {row.id for row in await rows.only("id")}


async def reply(actor: Actor, proposal: Proposal, document_id: UUID) -> Reply:
    """The reply with this document to a case that `actor` may see, or to what it was merged into. Raises NotFound, also when they
    may not read it yet."""
    answered = [one for one in (proposal.id, proposal.merged_into_id) if one]
    rows = Reply.filter(_readable(actor), assignment__proposal_id__in=answered)
    return _found(await rows.get_or_none(document_id=document_id))


async def feedback(proposal_ids: Collection[UUID], round_no: int | None = None) -> list[Feedback]:
    """What proposers said of the replies; of one round, or of all."""
    rows = Feedback.filter(proposal_id__in=list(proposal_ids))
    return await (rows.filter(round=round_no) if round_no else rows).order_by("id")


async def feedback_on(proposal: Proposal) -> list[Feedback]:
    """What proposers said of the replies to a case; of a merged one, what its own proposers said of the replies that answer it."""
    if proposal.merged_into_id is None:
        return await feedback([proposal.id])
    return await Feedback.filter(proposal_id=proposal.merged_into_id, proposer__proposal_id=proposal.id).order_by("id")


async def to_dispatch(actor: Actor, ids: Collection[UUID]) -> list[Proposal]:
    """These proposals, each with its sitting. Raises NotFound unless `actor` may see every one."""
    rows = await proposals(actor).filter(id__in=list(ids)).prefetch_related("sitting").order_by("id")
    if len(rows) != len(ids):
        raise NotFound(NOT_FOUND)
    return rows


async def counts(actor: Actor) -> dict[UUID, dict[str, int]]:
    """Of the proposals that `actor` may see, how many of each sitting are in each state."""
    rows = proposals(actor).annotate(count=Count("id")).group_by("sitting_id", "state")
    found: dict[UUID, dict[str, int]] = {}
    for sitting_id, state, count in await rows.values_list("sitting_id", "state", "count"):
        found.setdefault(sitting_id, {})[state] = count
    return found
