"""交办: giving cases to organs, and what becomes of each until it is answered: signed for, returned, given on, arbitrated.

Many cases are given out at once after a sitting, so dispatching works on all of them with a few statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Conflict, Invalid
from oa_server.core.ids import new_id
from oa_server.deadlines import access as deadlines
from oa_server.deadlines import clocks
from oa_server.deadlines.clocks import ClockStart
from oa_server.deadlines.states import ClockState, PauseGround
from oa_server.documents.actions import Act
from oa_server.identity import access as identity
from oa_server.proposals import access, cases, rules
from oa_server.proposals.limits import Allowed, Limit
from oa_server.proposals.models import Assignment, Proposal
from oa_server.proposals.schemas import (
    Accepted,
    Arbitrated,
    ChosenLeader,
    ExtensionAsked,
    HandlersChosen,
    OrganChosen,
    Told,
)
from oa_server.proposals.states import AssignmentRole, AssignmentState, ProposalState
from oa_server.storage.fields import F
from oa_server.storage.unit_of_work import Work, lock_row, lock_rows, transition, unit_of_work

Handlers = Sequence[tuple[UUID, AssignmentRole]]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One case with the organs that it is given to."""

    proposal_id: UUID
    handlers: Handlers


# --- giving out -------------------------------------------------------------------------------------------------------


async def dispatch(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """Give one case to organs."""
    handlers = [(one.organ_id, one.role) for one in cases.asked_for(wanted, HandlersChosen).handlers]
    rules.check_handlers(handlers)
    for organ_id, _role in handlers:
        await cases.standing_organ(organ_id)
    today = work.today
    await cases.move(work, at.proposal, move.next, dispatched_on=today)
    await cases.stop_clocks(work, [at.proposal.id])
    rows = [assignment_to(at.proposal.id, organ_id, role, today) for organ_id, role in handlers]
    await give(work, rows, await access.limits(at.sitting.id))
    work.audit(
        Verb.PROPOSAL_DISPATCHED, access.PROPOSAL, at.proposal.id, rows=[at.proposal], made=rows, handlers=len(rows)
    )


async def dispatch_many(actor: Actor, given: Sequence[Dispatch]) -> int:
    """Give many cases of one sitting to organs, all or none. Returns how many assignments were made.

    Raises NotFound for a case that the actor may not see, Denied and Conflict for one that cannot be given out, Invalid for
    handlers that do not go together, naming the case.
    """
    for one in given:
        rules.check_handlers(one.handlers, case=str(one.proposal_id))
    handlers = {one.proposal_id: one.handlers for one in given}
    if len(handlers) != len(given):
        raise Invalid(rules.TWICE)
    for organ_id in {organ_id for one in given for organ_id, _role in one.handlers}:
        await cases.standing_organ(organ_id)
    async with unit_of_work(actor) as work:
        await lock_rows(Proposal, handlers)
        rows = await access.to_dispatch(actor, list(handlers))
        sittings = {row.sitting_id for row in rows}
        for row in rows:
            rules.check_case(actor, rules.Standing(row, row.sitting), "dispatch")
        change = {"state": ProposalState.DISPATCHED, "dispatched_on": work.today, "updated_at": work.now}
        moved = Proposal.filter(id__in=list(handlers), state=ProposalState.FILED)
        if await moved.update(row_version=F("row_version") + 1, **change) != len(rows):
            raise Conflict(rules.WRONG_STATE)
        await cases.stop_clocks(work, list(handlers))
        made = {
            row.id: [assignment_to(row.id, organ_id, role, work.today) for organ_id, role in handlers[row.id]]
            for row in rows
        }
        for sitting_id in sittings:
            of_sitting = [one for row in rows if row.sitting_id == sitting_id for one in made[row.id]]
            await give(work, of_sitting, await access.limits(sitting_id))
        for row in rows:
            own = made[row.id]
            work.audit(Verb.PROPOSAL_DISPATCHED, access.PROPOSAL, row.id, rows=[row], made=own, handlers=len(own))
    return sum(map(len, made.values()))


def assignment_to(proposal_id: UUID, organ_id: UUID, role: AssignmentRole, on: date) -> Assignment:
    """A case as it is given to an organ on a day, not stored yet."""
    return Assignment(
        id=new_id(),
        proposal_id=proposal_id,
        organ_id=organ_id,
        role=role,
        state=AssignmentState.PENDING,
        dispatched_on=on,
    )


async def give(work: Work, rows: Sequence[Assignment], limits: dict[Limit, Allowed]) -> None:
    """Store assignments, start their clocks, and let their organs' clerks know."""
    await Assignment.bulk_create(rows)
    await clocks.start_clocks(work.actor, [start for row in rows for start in _clocks_of(row, limits)])
    for organ_id, count in Counter(row.organ_id for row in rows).items():
        work.push(f"clerks:{organ_id}", "assignment.arrived", {"count": count})


_LIMITS_OF = {
    AssignmentRole.LEAD: (Limit.RETURN, Limit.REPLY),
    AssignmentRole.SEPARATE: (Limit.RETURN, Limit.REPLY),
    AssignmentRole.COHANDLER: (Limit.RETURN, Limit.COHANDLER),
    AssignmentRole.REFERENCE: (),
}


def _clocks_of(row: Assignment, limits: dict[Limit, Allowed]) -> list[ClockStart]:
    allowed = [limits[limit] for limit in _LIMITS_OF[AssignmentRole(row.role)]]
    return [
        ClockStart(access.ASSIGNMENT, row.id, one.limit, one.title, row.organ_id, one.term, row.dispatched_on)
        for one in allowed
        if not (row.is_final and one.limit is Limit.RETURN)
    ]


# --- one organ's case -------------------------------------------------------------------------------------------------


def is_overdue(one: Any) -> bool:
    """Whether a clock has run out, or had when it stopped."""
    return one.due_on is not None and one.due_on < (one.ended_on or clock.today())


async def given(actor: Actor, assignment: Assignment) -> rules.Given:
    """How the actor stands to an assignment now."""
    proposal = await Proposal.get(id=assignment.proposal_id)
    running = await deadlines.clocks_of(access.ASSIGNMENT, [assignment.id])
    return rules.Given(
        assignment,
        proposal,
        await access.sitting(proposal.sitting_id),
        is_return_late=is_return_late(running.get(assignment.id, ())),
        is_organ_retired=(await identity.organ(assignment.organ_id)).retired_at is not None,
    )


def is_return_late(running: Iterable[Any]) -> bool:
    """Whether the time for returning has passed, of the clocks of an assignment."""
    return any(one.policy == Limit.RETURN and is_overdue(one) for one in running)


async def hold(actor: Actor, assignment_id: UUID, verb: str) -> tuple[rules.Given, rules.AssignmentMove]:
    """An assignment's row and its case's, held until the unit ends, with the verb judged anew. Raises NotFound, Denied, Invalid."""
    seen = await access.assignment(actor, assignment_id)
    # The case first, as whoever acts on it does: so nobody waits for two who wait for each other.
    await lock_row(Proposal, seen.proposal_id)
    await lock_row(Assignment, assignment_id)
    at = await given(actor, await Assignment.get(id=assignment_id))
    return at, rules.check_assignment(actor, at, verb)


async def move(work: Work, at: rules.Given, after: AssignmentState | None, **change: object) -> None:
    """Move an assignment on, or change it where it stands. Raises Conflict."""
    row = at.assignment
    await transition(
        Assignment,
        row.id,
        reason=rules.WRONG_STATE,
        expect={"state": row.state, "row_version": row.row_version},
        change={"state": after or row.state, "row_version": F("row_version") + 1, **change},
    )
    await cases.tell(work, row.proposal_id, at.proposal.state)


async def accept(work: Work, at: rules.Given, move_: rules.AssignmentMove, wanted: Act) -> None:
    """签收: the organ handles it, and may suggest who should be given it besides."""
    said = cases.asked_for(wanted, Accepted)
    after = AssignmentState.DONE if at.assignment.role == AssignmentRole.REFERENCE else move_.next
    await move(
        work,
        at,
        after,
        received_at=work.now,
        received_by_id=work.actor.official_id,
        suggestion=said.suggestion,
        liaison=said.liaison,
        liaison_phone=said.liaison_phone,
    )
    await stop(work, at.assignment, Limit.RETURN)
    await _begin_handling(work, at)
    work.audit(Verb.ASSIGNMENT_ACCEPTED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment, at.proposal])


async def _begin_handling(work: Work, at: rules.Given) -> None:
    """Once every organ that answers has signed for it, the case is in hand."""
    standing = await access.standing_assignments(at.proposal.id)
    waiting = {AssignmentState.PENDING, AssignmentState.RETURN_REQUESTED, AssignmentState.ARBITRATION}
    is_taken = all(row.state not in waiting for row in standing if AssignmentRole(row.role).answers)
    if at.proposal.state == ProposalState.DISPATCHED and is_taken:
        await cases.move(work, at.proposal, ProposalState.HANDLING)


async def send_back(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """退办: ask that it be given to somebody else; after so many returns a leader decides."""
    suggested = cases.asked_for(wanted, OrganChosen).organ_id
    rules.check_reason(wanted.reason)
    rules.check_suggested(at.assignment, suggested)
    assert suggested is not None
    await cases.standing_organ(suggested)
    most = (await access.limits(at.sitting.id))[Limit.RETURNS].quantity
    after = rules.after_return(at.assignment, most)
    await move(work, at, after, return_reason=wanted.reason, suggested_organ_id=suggested)
    work.push(f"clerks:{at.sitting.dispatching_id}", "assignment.returned", {"id": str(at.assignment.id)})
    work.audit(Verb.RETURN_ASKED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment], after=after)


async def reassign(work: Work, at: rules.Given, move_: rules.AssignmentMove, wanted: Act) -> None:
    """改办: the return is granted, and another organ is given the case."""
    organ_id = cases.asked_for(wanted, OrganChosen).organ_id
    rules.check_suggested(at.assignment, organ_id)
    assert organ_id is not None
    await _give_on(work, at, organ_id, wanted.reason, is_final=False)
    work.audit(
        Verb.REASSIGNED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment], organ=organ_id, after=move_.next
    )


async def _give_on(work: Work, at: rules.Given, organ_id: UUID, reason: str, *, is_final: bool) -> None:
    """End an assignment, and give its case to another organ in the same role with clocks of its own."""
    await cases.standing_organ(organ_id)
    if any(row.organ_id == organ_id for row in await access.standing_assignments(at.proposal.id)):
        raise Invalid(rules.ALREADY_HAS)
    await move(work, at, AssignmentState.SUPERSEDED, decision=reason)
    await clocks.stop_clocks(work.actor, await _running(at.assignment), on=work.today)
    row = assignment_to(at.proposal.id, organ_id, AssignmentRole(at.assignment.role), work.today)
    row.update_from_dict({"previous_id": at.assignment.id, "returns": at.assignment.returns + 1, "is_final": is_final})
    await give(work, [row], await access.limits(at.sitting.id))
    work.protect(row)


async def _running(assignment: Assignment, limit: Limit | None = None) -> list[UUID]:
    """The clocks of an assignment that have not stopped; of one limit, or all."""
    rows = (await deadlines.clocks_of(access.ASSIGNMENT, [assignment.id])).get(assignment.id, [])
    return [row.id for row in rows if row.ended_on is None and limit in {None, row.policy}]


async def stop(work: Work, assignment: Assignment, limit: Limit) -> None:
    """Stop the clocks of one limit."""
    await clocks.stop_clocks(work.actor, await _running(assignment, limit), on=work.today)


async def refuse_return(work: Work, at: rules.Given, move_: rules.AssignmentMove, wanted: Act) -> None:
    """不予退办: the organ handles it, and cannot return it again."""
    rules.check_reason(wanted.reason)
    await _keep_with(work, at, move_.next, wanted.reason)
    work.audit(Verb.RETURN_REFUSED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment, at.proposal])


async def _keep_with(work: Work, at: rules.Given, after: AssignmentState | None, reason: str) -> None:
    await move(work, at, after, decision=reason, is_final=True, received_at=work.now)
    await stop(work, at.assignment, Limit.RETURN)
    await _begin_handling(work, at)


async def arbitrate(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """裁定: a leader says which organ handles it, and that stands."""
    organ_id = cases.asked_for(wanted, Arbitrated).organ_id
    rules.check_reason(wanted.reason)
    if organ_id == at.assignment.organ_id:
        await _keep_with(work, at, AssignmentState.HANDLING, wanted.reason)
    else:
        await _give_on(work, at, organ_id, wanted.reason, is_final=True)
    work.audit(Verb.ARBITRATED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment, at.proposal], organ=organ_id)


async def succeed(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """承接: another organ takes over the cases of one that is no more, as they stand and with the time that they have left."""
    organ_id = cases.asked_for(wanted, Arbitrated).organ_id
    await cases.standing_organ(organ_id)
    if any(row.organ_id == organ_id for row in await access.standing_assignments(at.proposal.id)):
        raise Invalid(rules.ALREADY_HAS)
    await move(work, at, None, organ_id=organ_id)
    work.push(f"clerks:{organ_id}", "assignment.arrived", {"count": 1})
    work.audit(
        Verb.SUCCEEDED,
        access.ASSIGNMENT,
        at.assignment.id,
        rows=[at.assignment],
        was=at.assignment.organ_id,
        organ=organ_id,
    )


# --- more time --------------------------------------------------------------------------------------------------------


async def ask_extension(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """申请延期, with the reason that the proposers will be told."""
    months = cases.asked_for(wanted, ExtensionAsked).months
    rules.check_reason(wanted.reason)
    limits = await access.limits(at.sitting.id)
    if limits[Limit.REPLY].quantity + at.assignment.extended_months + months > limits[Limit.EXTENSION].quantity:
        raise Invalid(rules.EXTENSION_TOO_LONG, most=limits[Limit.EXTENSION].quantity)
    await move(work, at, None, extension_months=months, extension_reason=wanted.reason)
    work.push(f"clerks:{at.sitting.dispatching_id}", "assignment.extension", {"id": str(at.assignment.id)})
    work.audit(Verb.EXTENSION_ASKED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment], months=months)


async def grant_extension(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """同意延期; how the proposers were told of it is part of the consent."""
    told = cases.asked_for(wanted, Told).told
    if not told.strip():
        raise Invalid(rules.PROPOSERS_UNTOLD)
    months = at.assignment.extension_months
    assert work.actor.official_id is not None
    for clock_id in await _running(at.assignment, Limit.REPLY):
        await clocks.extend_clock(
            work.actor, clock_id, more=months, approved_by=work.actor.official_id, reason=at.assignment.extension_reason,
            on=work.today,
        )  # fmt: skip
    extended = at.assignment.extended_months + months
    await move(work, at, None, extension_months=None, extended_months=extended, decision=told)
    work.audit(Verb.EXTENSION_GRANTED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment], months=months)


async def refuse_extension(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """不同意延期."""
    rules.check_reason(wanted.reason)
    await move(work, at, None, extension_months=None, decision=wanted.reason)
    work.audit(Verb.EXTENSION_REFUSED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment])


# --- what leaders and oversight do with a case in hand ------------------------------------------------------------------


async def mark_key(work: Work, at: rules.Standing, _move: rules.CaseMove, wanted: Act) -> None:
    """列为重点: a leader of the dispatching organ sees to it in person."""
    leader_id = cases.asked_for(wanted, ChosenLeader).leader_id
    if Role.LEADER not in await identity.roles_of(leader_id, at.sitting.dispatching_id):
        raise Invalid(rules.CHOSEN_NOT_LEADER)
    await cases.move(work, at.proposal, None, key_leader_id=leader_id)
    work.push(f"official:{leader_id}", "proposal.key", {"id": str(at.proposal.id)})
    work.audit(Verb.KEY_MARKED, access.PROPOSAL, at.proposal.id, rows=[at.proposal], leader=leader_id)


async def _clocks(proposal: Proposal, state: ClockState) -> list[UUID]:
    """The clocks of a case's organs in a state; one that has run out stays as it is, whatever comes."""
    given = [row.id for row in await access.standing_assignments(proposal.id)]
    found = await deadlines.clocks_of(access.ASSIGNMENT, given)
    return [one.id for of in found.values() for one in of if one.state == state and not is_overdue(one)]


async def suspend(work: Work, at: rules.Standing, _move: rules.CaseMove, wanted: Act) -> None:
    """中止办理: the clocks of all its organs stand still."""
    rules.check_reason(wanted.reason)
    await cases.move(work, at.proposal, None, is_suspended=True, reason=wanted.reason)
    running = await _clocks(at.proposal, ClockState.RUNNING)
    await clocks.pause_clocks(work.actor, running, ground=PauseGround.SUSPENDED, reason=wanted.reason, on=work.today)
    work.audit(Verb.PROPOSAL_SUSPENDED, access.PROPOSAL, at.proposal.id, rows=[at.proposal])


async def resume(work: Work, at: rules.Standing, _move: rules.CaseMove, _wanted: Act) -> None:
    """恢复办理."""
    await cases.move(work, at.proposal, None, is_suspended=False)
    paused = await _clocks(at.proposal, ClockState.PAUSED)
    await clocks.resume_clocks(work.actor, paused, on=work.today)
    work.audit(Verb.PROPOSAL_RESUMED, access.PROPOSAL, at.proposal.id, rows=[at.proposal])
