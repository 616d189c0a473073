"""Rows of proposals in the words of the wire: lists, the page of a case, sittings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from oa_server.audit import access as audit
from oa_server.core.actor import Actor, Role
from oa_server.core.words import Word
from oa_server.deadlines import access as deadlines
from oa_server.deadlines.answers import clocks_out
from oa_server.deadlines.schemas import ClockOut
from oa_server.deadlines.states import ClockState
from oa_server.documents import access as documents
from oa_server.documents.schemas import HistoryOut
from oa_server.identity import access as identity
from oa_server.proposals import access, assigning, cases, figures, rules
from oa_server.proposals.indexing import Alike
from oa_server.proposals.indexing import suggested as suggested_by
from oa_server.proposals.likeness import Text
from oa_server.proposals.models import Assignment, Feedback, Member, Point, Proposal, Proposer, Reply, Sitting
from oa_server.proposals.schemas import (
    AlikeList,
    AlikeOut,
    AskedByCode,
    AssignmentOut,
    AssignmentRow,
    ContactOut,
    FeedbackOut,
    FigureOut,
    FiguresOut,
    LedAlike,
    MemberOut,
    PartOut,
    PointOut,
    PointReviewOut,
    ProposalElements,
    ProposalOut,
    ProposalRow,
    ProposerOut,
    RemitTouched,
    ReplyOut,
    ReviewOut,
    SessionOfFigures,
    SittingOut,
    SuggestedOrgan,
)
from oa_server.proposals.states import (
    Assembly,
    AssignmentRole,
    AssignmentState,
    Consent,
    ContactForm,
    FeedbackState,
    Forwarding,
    Occasion,
    ProposalForm,
    ProposalKind,
    ProposalState,
    RejectionCode,
    ReplyPublicity,
    ReplyState,
    ResultClass,
    Satisfaction,
)
from oa_server.web.shapes import Named, ability_out
from oa_server.web.sheets import Sheet

W = TypeVar("W", bound=Word)


def _title(words: type[W], code: str | None) -> str:
    return words(code).title_zh if code else ""


def member_out(row: Member) -> MemberOut:
    """A member without telephone and address, which only those see who have to speak with them."""
    return MemberOut(
        row.id, row.code, row.name, row.delegation, row.party, row.employer, row.duty, row.official_id is not None
    )


async def sittings_out(actor: Actor, rows: Sequence[Sitting], language: str) -> list[SittingOut]:
    """Sittings, each with how many cases are in which state of those that the actor may see."""
    organs = await identity.organ_names(
        {one for row in rows for one in (row.secretariat_id, row.dispatching_id, row.oversight_id)}
    )
    counts = await access.counts(actor)
    own = await access.memberships(actor)

    def named(organ_id: UUID) -> Named:
        return Named(organ_id, organs[organ_id].full_name)

    return [
        SittingOut(
            id=row.id,
            body=Assembly(row.body),
            body_title=Assembly(row.body).title_zh,
            title=row.title,
            opens_on=row.opens_on,
            closes_on=row.closes_on,
            secretariat=named(row.secretariat_id),
            dispatching=named(row.dispatching_id),
            oversight=named(row.oversight_id),
            review_levels=row.review_levels,
            kinds=list(rules.KINDS[Assembly(row.body)]),
            counts=counts.get(row.id, {}),
            own=member_out(own[row.id]) if row.id in own else None,
            abilities=[
                ability_out(ability, language) for ability in rules.sitting_abilities(actor, row, row.id in own)
            ],
            etag=cases.etag_of(row),
        )
        for row in rows
    ]


# --- lists --------------------------------------------------------------------------------------------------------------


async def proposal_rows(rows: Sequence[Proposal]) -> list[ProposalRow]:
    """Rows of the list of cases, each with its lead, its organs and the clock that runs out first."""
    ids = [row.id for row in rows]
    leads, numbers = await _leads(ids)
    given: dict[UUID, list[Assignment]] = defaultdict(list)
    for one in await access.assignments_of(ids):
        if one.state != AssignmentState.SUPERSEDED:
            given[one.proposal_id].append(one)
    organs = await identity.organ_short_names({one.organ_id for of in given.values() for one in of})
    shown_at = {one.id: one.proposal_id for of in given.values() for one in of}
    of_assignments = await deadlines.clocks_of(access.ASSIGNMENT, list(shown_at))
    of_cases = await deadlines.clocks_of(access.PROPOSAL, ids)
    clocks = await _first_clocks(
        [
            *((shown_at[assignment_id], one) for assignment_id, of in of_assignments.items() for one in of),
            *((row_id, one) for row_id, of in of_cases.items() for one in of),
        ]
    )
    return [
        ProposalRow(
            id=row.id,
            kind=ProposalKind(row.kind),
            kind_title=ProposalKind(row.kind).title_zh,
            state=ProposalState(row.state),
            state_title=ProposalState(row.state).title_zh,
            case_no=row.case_no or "",
            title=row.title,
            category=row.category,
            lead=leads.get(row.id, ""),
            proposers=numbers[row.id],
            handlers=[organs[one.organ_id] for one in sorted(given[row.id], key=_by_role)],
            is_key=row.key_leader_id is not None,
            is_suspended=row.is_suspended,
            submitted_on=row.submitted_on,
            wished_organs=row.wished_organs,
            clock=clocks.get(row.id),
        )
        for row in rows
    ]


def _by_role(row: Assignment) -> int:
    """Who leads stands first."""
    return list(AssignmentRole).index(AssignmentRole(row.role))


async def _leads(proposal_ids: Collection[UUID]) -> tuple[dict[UUID, str], Counter[UUID]]:
    """The name of each proposal's lead, and how many stand behind it."""
    proposers = await access.proposers(proposal_ids)
    leads = {row.proposal_id: row.member.name for row in proposers if row.position == 0}
    return leads, Counter(row.proposal_id for row in proposers)


async def _first_clocks(running: Iterable[tuple[UUID, Any]]) -> dict[UUID, ClockOut]:
    """Of clocks, each with the row that shows it, those that have not stopped and for each row run out first."""
    first: dict[UUID, Any] = {}
    for row_id, one in running:
        if one.ended_on is None and (row_id not in first or _ends(one) < _ends(first[row_id])):
            first[row_id] = one
    shown = await clocks_out({row_id: [one] for row_id, one in first.items()})
    return {row_id: one for row_id, (one,) in shown.items()}


def _ends(one: Any) -> date:
    """When a clock runs out; one that stands still comes behind those that run."""
    return one.due_on or date.max


async def assignment_rows(rows: Sequence[Assignment]) -> list[AssignmentRow]:
    """Rows of the list of assignments."""
    leads, _numbers = await _leads({row.proposal_id for row in rows})
    organs = await identity.organ_short_names({row.organ_id for row in rows})
    running = await deadlines.clocks_of(access.ASSIGNMENT, [row.id for row in rows])
    clocks = await _first_clocks((row_id, one) for row_id, of in running.items() for one in of)
    return [
        AssignmentRow(
            id=row.id,
            proposal_id=row.proposal_id,
            case_no=row.proposal.case_no or "",
            title=row.proposal.title,
            lead=leads.get(row.proposal_id, ""),
            organ=Named(row.organ_id, organs[row.organ_id]),
            role=AssignmentRole(row.role),
            role_title=AssignmentRole(row.role).title_zh,
            state=AssignmentState(row.state),
            state_title=AssignmentState(row.state).title_zh,
            dispatched_on=row.dispatched_on,
            is_key=row.proposal.key_leader_id is not None,
            is_suspended=row.proposal.is_suspended,
            clock=clocks.get(row.id),
        )
        for row in rows
    ]


# --- one case -----------------------------------------------------------------------------------------------------------


async def proposal_out(actor: Actor, proposal: Proposal, language: str) -> ProposalOut:
    """The page of a case, as far as the actor has to do with it."""
    at = await cases.standing(actor, proposal)
    merged = await access.merged_into(proposal.id)
    target = await Proposal.get_or_none(id=proposal.merged_into_id) if proposal.merged_into_id else None
    reviews = await access.reviews(proposal.id) if _is_secretariat(actor, at.sitting) else []
    feedback = await access.feedback_on(proposal)
    people = await identity.names_of(
        {i for i in (proposal.entered_by_id, proposal.key_leader_id, *(r.official_id for r in reviews)) if i}
    )
    running = await deadlines.clocks_of(access.PROPOSAL, [proposal.id])
    speaks = await access.speaks_with_proposers(actor, proposal, at.sitting)
    return ProposalOut(
        id=proposal.id,
        sitting=Named(at.sitting.id, at.sitting.title),
        elements=_elements(proposal),
        kind_title=ProposalKind(proposal.kind).title_zh,
        form_title=ProposalForm(proposal.form).title_zh,
        state=ProposalState(proposal.state),
        state_title=ProposalState(proposal.state).title_zh,
        case_no=proposal.case_no or "",
        version_no=proposal.version_no,
        text_sha256=proposal.text_sha256,
        proposers=[_proposer_out(row, at, speaks) for row in at.proposers],
        entered_by=people.get(proposal.entered_by_id, ""),
        submitted_on=proposal.submitted_on,
        reviews=[ReviewOut(r.version_no, r.level, people.get(r.official_id, ""), r.opinion, r.at) for r in reviews],
        review_levels=at.sitting.review_levels,
        rejection=_title(RejectionCode, proposal.rejection_code),
        forwarding=_title(Forwarding, proposal.forwarding),
        reason=proposal.reason,
        converted_from=proposal.converted_from,
        merged_into=Named(target.id, f"{target.case_no} {target.title}") if target else None,
        merged_here=[Named(row.id, f"{row.case_no} {row.title}") for row in merged],
        merged_replies=await _merged_replies(actor, target) if target else [],
        key_leader=Named(proposal.key_leader_id, people.get(proposal.key_leader_id, ""))
        if proposal.key_leader_id
        else None,
        is_suspended=proposal.is_suspended,
        round=proposal.round,
        assignments=await _assignments_out(actor, proposal, at.sitting, language),
        feedback=await _feedback_out(actor, at, feedback),
        clocks=_unfinished(await clocks_out(running), proposal.id),
        history=await _history(proposal.id),
        abilities=[ability_out(a, language) for a in rules.case_abilities(actor, at)],
        may_judge=at.own is not None
        and any(row.proposer_id == at.own.id and row.state == FeedbackState.REQUESTED for row in feedback),
        may_hand_over_codes=rules.in_secretariat(actor, at.sitting, Role.CLERK),
        etag=cases.etag_of(proposal),
    )


async def _history(proposal_id: UUID) -> list[HistoryOut]:
    given = [row.id for row in await access.assignments_of([proposal_id])]
    shown = await audit.of_subject(proposal_id, *given)
    return [HistoryOut(row.at, row.actor_name, row.verb, audit.title_of(row.verb)) for row in shown]


def _is_secretariat(actor: Actor, sitting: Sitting) -> bool:
    """Who may read what reviewers wrote, and judgements that are not confirmed yet."""
    roles = (Role.CLERK, Role.OFFICE_REVIEWER, Role.LEADER)
    return actor.is_system or any(rules.in_secretariat(actor, sitting, role) for role in roles)


def _elements(row: Proposal) -> ProposalElements:
    return ProposalElements(
        kind=ProposalKind(row.kind),
        form=ProposalForm(row.form),
        title=row.title,
        occasion=Occasion(row.occasion),
        category=row.category,
        subcategory=row.subcategory,
        situation=row.situation,
        analysis=row.analysis,
        request=row.request,
        is_public=row.is_public,
        wished_organs=row.wished_organs,
    )


def _proposer_out(row: Proposer, at: rules.Standing, speaks: bool) -> ProposerOut:
    is_own = at.own is not None and row.id == at.own.id
    return ProposerOut(
        id=row.id,
        member=member_out(row.member),
        phone=row.member.phone if speaks or is_own else "",
        address=row.member.address if speaks or is_own else "",
        is_own=is_own,
        is_lead=row.position == 0,
        consent=row.consent,
        consent_title=Consent(row.consent).title_zh,
        stands_behind=rules.stands_behind(row, at.proposal.text_sha256),
        has_withdrawn=row.withdrew_at is not None,
    )


async def _assignments_out(actor: Actor, proposal: Proposal, sitting: Sitting, language: str) -> list[AssignmentOut]:
    rows = sorted(await access.assignments_of([proposal.id]), key=_by_role)
    ids = [row.id for row in rows]
    organs = await identity.organ_names({i for row in rows for i in (row.organ_id, row.suggested_organ_id) if i})
    clocks = await deadlines.clocks_of(access.ASSIGNMENT, ids)
    shown = await clocks_out(clocks)
    standing = await identity.organs_in_use({row.organ_id for row in rows})
    contacts = _by_assignment(await access.contacts(ids))
    points, point_reviews = await _points_and_reviews(ids)
    replies = await _replies_out(actor, {row.id: organs[row.organ_id].full_name for row in rows})
    names = {row.id: row.member.name for row in await cases.proposers_to_answer(proposal.id)} if rows else {}
    found = []
    for row in rows:
        late = assigning.is_return_late(clocks.get(row.id, []))
        given = rules.Given(row, proposal, sitting, late, row.organ_id not in standing)
        suggested = row.suggested_organ_id
        found.append(
            AssignmentOut(
                id=row.id,
                organ=Named(row.organ_id, organs[row.organ_id].full_name),
                role=AssignmentRole(row.role),
                role_title=AssignmentRole(row.role).title_zh,
                state=AssignmentState(row.state),
                state_title=AssignmentState(row.state).title_zh,
                is_final=row.is_final,
                returns=row.returns,
                dispatched_on=row.dispatched_on,
                received_at=row.received_at,
                suggestion=row.suggestion,
                return_reason=row.return_reason,
                suggested_organ=Named(suggested, organs[suggested].full_name) if suggested else None,
                decision=row.decision,
                opinion=row.opinion,
                opinion_at=row.opinion_at,
                liaison=row.liaison,
                liaison_phone=row.liaison_phone,
                extension_months=row.extension_months,
                extension_reason=row.extension_reason,
                clocks=_unfinished(shown, row.id),
                contacts=[
                    ContactOut(
                        names.get(one.proposer_id, ""),
                        one.round,
                        one.on,
                        ContactForm(one.form),
                        ContactForm(one.form).title_zh,
                        one.people,
                        one.summary,
                    )
                    for one in contacts[row.id]
                ],
                points=[_point_out(one, point_reviews[one.id]) for one in points[row.id]],
                replies=replies[row.id],
                abilities=[ability_out(a, language) for a in rules.assignment_abilities(actor, given)],
            )
        )
    return found


def _unfinished(clocks: Mapping[UUID, Sequence[ClockOut]], subject_id: UUID) -> list[ClockOut]:
    return [one for one in clocks.get(subject_id, ()) if one.state != ClockState.STOPPED]


def _by_assignment(rows: Iterable[Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.assignment_id].append(row)
    return found


async def _points_and_reviews(
    assignment_ids: Sequence[UUID],
) -> tuple[dict[UUID, list[Point]], dict[UUID, list[PointReviewOut]]]:
    """The points of assignments, and how each stood when it was looked at again."""
    rows = await access.points(assignment_ids)
    reviews: dict[UUID, list[PointReviewOut]] = defaultdict(list)
    for one in await access.point_reviews([row.id for row in rows]):
        reviews[one.point_id].append(PointReviewOut(one.before, one.after, one.explanation, one.at))
    return _by_assignment(rows), reviews


def _point_out(row: Point, reviews: list[PointReviewOut]) -> PointOut:
    return PointOut(row.id, row.text, row.result, row.measure, row.owner, row.planned_on, reviews)


async def _replies_out(actor: Actor, organs: Mapping[UUID, str]) -> dict[UUID, list[ReplyOut]]:
    """The replies of assignments, given with the names of their organs."""
    rows = await access.replies(organs)
    numbers = await documents.numbers_of([row.document_id for row in rows])
    readable = await access.readable(actor, rows)
    found: dict[UUID, list[ReplyOut]] = defaultdict(list)
    for row in rows:
        shown = _reply_out(row, numbers.get(row.document_id, ""), organs[row.assignment_id], row.id in readable)
        found[row.assignment_id].append(shown)
    return found


async def _merged_replies(actor: Actor, target: Proposal) -> list[ReplyOut]:
    """The replies to what a case was merged into, as far as the actor may read them."""
    rows = await access.assignments_of([target.id])
    organs = await identity.organ_names({row.organ_id for row in rows})
    replies = await _replies_out(actor, {row.id: organs[row.organ_id].full_name for row in rows})
    return [one for of in replies.values() for one in of if one.may_read]


def _reply_out(row: Reply, doc_no: str, organ: str, may_read: bool) -> ReplyOut:
    return ReplyOut(
        document_id=row.document_id,
        organ=organ,
        doc_no=doc_no,
        round=row.round,
        result=row.result,
        result_title=ResultClass(row.result).title_zh,
        publicity=ReplyPublicity(row.publicity),
        publicity_title=ReplyPublicity(row.publicity).title_zh,
        publicity_ground=row.publicity_ground,
        state=row.state,
        state_title=ReplyState(row.state).title_zh,
        check_reason=row.check_reason,
        at=row.at,
        may_read=may_read,
    )


async def _feedback_out(actor: Actor, at: rules.Standing, rows: Sequence[Feedback]) -> list[FeedbackOut]:
    """What proposers said. What somebody entered from paper is shown to the secretariat until another has confirmed it."""
    names = {row.id: row.member.name for row in await cases.proposers_to_answer(at.proposal.id)}
    is_secretariat = _is_secretariat(actor, at.sitting)
    found = []
    for row in rows:
        shown = row.state in rules.JUDGED or is_secretariat
        found.append(
            FeedbackOut(
                id=row.id,
                proposer=names.get(row.proposer_id, ""),
                round=row.round,
                state=row.state,
                state_title=FeedbackState(row.state).title_zh,
                contact=row.contact if shown else None,
                attitude=row.attitude if shown else None,
                result=row.result if shown else None,
                result_title=_title(Satisfaction, row.result) if shown else "",
                text=row.text if shown else "",
                has_code=row.code_sha256 is not None,
                waits_for_confirmation=row.state == FeedbackState.REQUESTED and row.entered_by_id is not None,
                at=row.at,
            )
        )
    return found


async def asked_by_code(row: Feedback) -> AskedByCode:
    """What somebody who has a code is asked to judge, and no more of the case than that."""
    proposal = await Proposal.get(id=row.proposal_id)
    names = {one.id: one.member.name for one in await cases.proposers_to_answer(proposal.id)}
    return AskedByCode(proposal.title, proposal.case_no or "", names[row.proposer_id], row.round)


# --- alike --------------------------------------------------------------------------------------------------------------


async def alike_out(text: Text, found: Sequence[Alike]) -> AlikeList:
    """What is like a text, why, and which organs led it or answer for it."""
    hints = await suggested_by(text, found)
    organ_ids = {organ_id for one in found for organ_id in one.leads} | {one.organ_id for one in hints}
    names = await identity.organ_short_names(organ_ids)
    items = [
        AlikeOut(
            id=one.proposal.id,
            sitting=Named(one.proposal.sitting_id, one.proposal.sitting.title),
            kind=ProposalKind(one.proposal.kind),
            case_no=one.proposal.case_no or "",
            title=one.proposal.title,
            state=ProposalState(one.proposal.state),
            state_title=ProposalState(one.proposal.state).title_zh,
            likeness=round(one.score, 3),
            shared=one.shared,
            organs=[names[organ_id] for organ_id in one.leads],
            may_open=one.may_open,
        )
        for one in found
    ]
    suggested = [
        SuggestedOrgan(
            Named(one.organ_id, names[one.organ_id]),
            round(one.share, 3),
            _led(one.led),
            [RemitTouched(remit.remit, remit.shared) for remit in one.remits],
        )
        for one in hints
    ]
    return AlikeList(items, suggested)


def _led(cases: Sequence[Proposal]) -> list[LedAlike]:
    """How many of these cases are of each sitting, the newest sitting first."""
    sittings = {row.sitting_id: row.sitting for row in cases}
    counts = Counter(row.sitting_id for row in cases)
    newest = sorted(sittings.values(), key=lambda one: (one.opens_on, one.id), reverse=True)
    return [LedAlike(Named(one.id, one.title), counts[one.id]) for one in newest]


# --- figures ------------------------------------------------------------------------------------------------------------

PARTS = {"organ": "单位", "category": "内容分类", "delegation": "代表团、界别"}


async def figures_out(actor: Actor, sitting: Sitting, by: str) -> FiguresOut:
    """The figures of a sitting, as far as the actor may see its cases, of the whole and of each part."""
    return await figures_by(await access.facts(actor, sitting.id), sitting, by)


async def figures_by(facts: figures.Facts, sitting: Sitting, by: str) -> FiguresOut:
    """These figures, of the whole and of each organ, category or delegation."""
    days = figures.working_days(facts, (await deadlines.calendar()).worked_between)
    parts = figures.parts(facts, by)
    names = await identity.organ_short_names([UUID(key) for key in parts]) if by == "organ" else {}
    shown = [
        PartOut(
            key,
            names[UUID(key)] if by == "organ" else key,
            _figures(figures.values(facts, part)),
            figures.mean_of(days, part),
        )
        for key, part in parts.items()
    ]
    return FiguresOut(
        sitting=Named(sitting.id, sitting.title),
        figures=_figures(figures.values(facts)),
        mean_days=figures.mean_of(days),
        by=by,
        parts=sorted(shown, key=lambda one: one.name),
    )


def _figures(values: Sequence[figures.Value]) -> list[FigureOut]:
    return [
        FigureOut(one.figure.code, one.figure.title, one.figure.of, one.counted, one.out_of, one.figure.explanation)
        for one in values
    ]


async def figure_sheets(actor: Actor, sitting: Sitting) -> dict[str, Sheet]:
    """The figures as sheets of a workbook: of the whole, and by organ, category and delegation."""
    header = ("指标", "数值", "分子", "分母", "单位", "口径")
    facts = await access.facts(actor, sitting.id)
    shown = {by: await figures_by(facts, sitting, by) for by in PARTS}
    sheets: dict[str, Sheet] = {"总表": (header, [_figure_cells(one) for one in shown["organ"].figures])}
    for by, title in PARTS.items():
        rows = [(part.name, *_figure_cells(one)) for part in shown[by].parts for one in part.figures]
        sheets[f"按{title}"] = ((title, *header), rows)
    return sheets


def _figure_cells(one: FigureOut) -> tuple[str, ...]:
    if one.out_of is None:
        return (one.title, str(one.counted), str(one.counted), "", one.of, one.explanation)
    return (
        one.title,
        figures.share(one.counted, one.out_of),
        str(one.counted),
        str(one.out_of),
        one.of,
        one.explanation,
    )


async def sessions_out(actor: Actor) -> list[SessionOfFigures]:
    """Sittings side by side, the newest first."""
    states, results = await access.counts(actor), await access.sessions(actor)
    return [
        SessionOfFigures(Named(row.id, row.title), states.get(row.id, {}), results.get(row.id, {}))
        for row in await access.sittings()
    ]
