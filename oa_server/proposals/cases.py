"""How a case is held and moved on while somebody acts on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from oa_server.core.actor import Actor
from oa_server.core.errors import Invalid
from oa_server.deadlines import access as deadlines
from oa_server.deadlines import clocks
from oa_server.deadlines.clocks import ClockStart
from oa_server.documents.actions import Act
from oa_server.identity import access as identity
from oa_server.proposals import access, rules
from oa_server.proposals.limits import Allowed
from oa_server.proposals.models import Assignment, Proposal, Proposer, Sitting
from oa_server.proposals.states import ProposalState
from oa_server.storage.fields import F
from oa_server.storage.unit_of_work import Work, lock_row, transition

P = TypeVar("P", bound=msgspec.Struct)


def asked_for(wanted: Act, kind: type[P]) -> P:
    """What the act names besides its verb. Raises Invalid."""
    try:
        return msgspec.convert(wanted.parameters, kind)
    except msgspec.ValidationError as error:
        raise Invalid(rules.NO_CHOICE, str(error)) from None


def etag_of(row: Proposal | Assignment | Sitting) -> str:
    """What names the state in which somebody read a row."""
    return f"{row.row_version}"


async def standing(actor: Actor, proposal: Proposal) -> rules.Standing:
    """How the actor stands to a proposal now."""
    proposers = await access.proposers([proposal.id])
    target_state = (await Proposal.get(id=proposal.merged_into_id)).state if proposal.merged_into_id else None
    return rules.Standing(
        proposal=proposal,
        sitting=await access.sitting(proposal.sitting_id),
        proposers=proposers,
        own=_own(actor, proposers),
        lead_official=proposers[0].member.official_id if proposers else None,
        reviewers=await access.reviewers(proposal),
        merged_here=bool(await access.merged_into(proposal.id)),
        target_answered=target_state in {ProposalState.REPLIED, ProposalState.TRACKING, ProposalState.CLOSED},
    )


def _own(actor: Actor, proposers: Sequence[Proposer]) -> Proposer | None:
    if actor.official_id is None:
        return None
    return next((row for row in proposers if row.member.official_id == actor.official_id), None)


async def hold(actor: Actor, proposal_id: UUID, verb: str) -> tuple[rules.Standing, rules.CaseMove]:
    """A proposal's row, held until the unit ends, with the verb judged on what it says now. Raises NotFound, Denied, Invalid."""
    await access.proposal(actor, proposal_id)
    await lock_row(Proposal, proposal_id)
    at = await standing(actor, await Proposal.get(id=proposal_id))
    return at, rules.check_case(actor, at, verb)


async def move(work: Work, proposal: Proposal, after: ProposalState | None, **change: Any) -> None:
    """Move a proposal on, or change it where it stands; whoever has to do with it is told. Raises Conflict."""
    state = after or ProposalState(proposal.state)
    await transition(
        Proposal,
        proposal.id,
        reason=rules.WRONG_STATE,
        expect={"state": proposal.state, "row_version": proposal.row_version},
        change={"state": state, "row_version": F("row_version") + 1, "updated_at": work.now, **change},
    )
    await tell(work, proposal.id, state)


async def tell(work: Work, proposal_id: UUID, state: str) -> None:
    """The pages of proposers and of the organs that see to the sitting or have been given the case move on."""
    organs = set() if state in rules.WRITING else await _organs_concerned(proposal_id)
    people = {row.member.official_id for row in await access.proposers([proposal_id])} - {None}
    payload = {"id": str(proposal_id), "state": state}
    for topic in (*(f"organ:{organ_id}" for organ_id in organs), *(f"official:{one}" for one in people)):
        work.push(topic, "proposal.changed", payload)


async def _organs_concerned(proposal_id: UUID) -> set[UUID]:
    sitting = await access.sitting((await Proposal.get(id=proposal_id).only("id", "sitting_id")).sitting_id)
    given = {row.organ_id for row in await access.assignments_of([proposal_id])}
    return {sitting.secretariat_id, sitting.dispatching_id, sitting.oversight_id} | given


async def proposers_to_answer(proposal_id: UUID) -> list[Proposer]:
    """Everybody who is answered when a proposal is: its own proposers, and those of what was merged into it."""
    return await access.proposers(await access.answered_with(proposal_id))


async def start_clocks(work: Work, proposal_ids: Collection[UUID], organ_id: UUID, allowed: Allowed) -> None:
    """Start a clock of each of these cases as a whole, against one of the organs that see to the sitting."""
    today = work.today
    starts = [
        ClockStart(access.PROPOSAL, proposal_id, allowed.limit, allowed.title, organ_id, allowed.term, today)
        for proposal_id in proposal_ids
    ]
    await clocks.start_clocks(work.actor, starts)


async def stop_clocks(work: Work, proposal_ids: Collection[UUID]) -> None:
    """Stop the clocks of these cases as a whole: what they measured is done."""
    found = await deadlines.clocks_of(access.PROPOSAL, proposal_ids)
    running = [one.id for of in found.values() for one in of if one.ended_on is None]
    await clocks.stop_clocks(work.actor, running, on=work.today)


async def standing_organ(organ_id: UUID) -> Any:
    """An organ that still exists. Raises NotFound, Invalid."""
    organ = await identity.organ(organ_id)
    if organ.retired_at is not None:
        raise Invalid(rules.RETIRED_ORGAN, organ=organ.short_name)
    return organ
