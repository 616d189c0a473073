"""What a secretariat does with a proposal: registration, levels of review, and the decision on it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.ids import new_id
from oa_server.documents.actions import Act
from oa_server.proposals import access, cases, rules
from oa_server.proposals.limits import Limit
from oa_server.proposals.models import CaseCounter, Proposal, Review, Sitting
from oa_server.proposals.schemas import ChecklistConfirmed, MergeInto, Rejected
from oa_server.proposals.states import ProposalKind, ProposalState
from oa_server.storage.unit_of_work import Work, lock_row


async def register(work: Work, at: rules.Standing, move: rules.CaseMove, _wanted: Act) -> None:
    """Give the case its number. What came back and was submitted again keeps the one that it had."""
    if at.proposal.case_no:
        await cases.move(work, at.proposal, move.next)
        case_no = at.proposal.case_no
    else:
        kind = ProposalKind(at.proposal.kind)
        seq = await next_case_seq(at.sitting.id, kind)
        case_no = rules.case_number(at.sitting, kind, seq)
        await cases.move(work, at.proposal, move.next, case_no=case_no, case_seq=seq)
    work.audit(Verb.PROPOSAL_REGISTERED, access.PROPOSAL, at.proposal.id, rows=[at.proposal], case_no=case_no)


async def next_case_seq(sitting_id: UUID, kind: ProposalKind, count: int = 1) -> int:
    """The first of the next `count` numbers of a kind, taken now. The counter's row is the lock, so none is left out."""
    counter = await held_counter(sitting_id, kind)
    first: int = counter.last_given + 1
    counter.last_given += count
    await counter.save(update_fields=["last_given"])
    return first


async def held_counter(sitting_id: UUID, kind: ProposalKind) -> CaseCounter:
    """The numbers of a kind, which nobody else gives until the unit ends."""
    fresh = CaseCounter(id=new_id(), sitting_id=sitting_id, kind=kind)
    await CaseCounter.bulk_create([fresh], ignore_conflicts=True)  # Two clerks may register the first ones at once.
    counter = await CaseCounter.get(sitting_id=sitting_id, kind=kind)
    await lock_row(CaseCounter, counter.id)
    await counter.refresh_from_db(fields=["last_given"])
    return counter


async def review(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """One level's opinion."""
    rules.check_reason(wanted.opinion)
    row = await Review.create(
        id=new_id(),
        proposal_id=at.proposal.id,
        version_no=at.proposal.version_no,
        level=at.proposal.review_level + 1,
        official_id=work.actor.official_id,
        opinion=wanted.opinion,
        at=work.now,
    )
    await cases.move(work, at.proposal, move.next, review_level=row.level)
    work.audit(Verb.PROPOSAL_REVIEWED, access.PROPOSAL, at.proposal.id, rows=[at.proposal], made=[row], level=row.level)


async def send_back(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """Return it to its proposers to be changed; the next text is reviewed from the first level."""
    rules.check_reason(wanted.reason)
    await cases.move(work, at.proposal, move.next, reason=wanted.reason, review_level=0)
    work.audit(Verb.PROPOSAL_RETURNED, access.PROPOSAL, at.proposal.id, rows=[at.proposal])


async def file(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """立案."""
    rules.check_checklist(cases.asked_for(wanted, ChecklistConfirmed).checklist)
    await cases.move(work, at.proposal, move.next)
    await await_dispatch(work, at.sitting, [at.proposal.id])
    work.audit(Verb.PROPOSAL_FILED, access.PROPOSAL, at.proposal.id, rows=[at.proposal])


async def await_dispatch(work: Work, sitting: Sitting, proposal_ids: Collection[UUID]) -> None:
    """From their filing on cases wait to be given out, and not for ever."""
    allowed = (await access.limits(sitting.id))[Limit.DISPATCH]
    await cases.start_clocks(work, proposal_ids, sitting.dispatching_id, allowed)


async def reject(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """不予立案, with its coded ground, the words for the proposers, and where it goes instead."""
    said = cases.asked_for(wanted, Rejected)
    rules.check_reason(wanted.reason)
    await cases.move(
        work,
        at.proposal,
        move.next,
        rejection_code=said.code,
        forwarding=said.forwarding,
        reason=wanted.reason,
    )
    work.audit(
        Verb.PROPOSAL_REJECTED,
        access.PROPOSAL,
        at.proposal.id,
        rows=[at.proposal],
        code=said.code,
        forwarding=said.forwarding,
    )


async def convert(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """议案转为建议: it takes the next number of suggestions, and names the one that it had."""
    rules.check_reason(wanted.reason)
    seq = await next_case_seq(at.sitting.id, ProposalKind.SUGGESTION)
    case_no = rules.case_number(at.sitting, ProposalKind.SUGGESTION, seq)
    await cases.move(
        work,
        at.proposal,
        move.next,
        kind=ProposalKind.SUGGESTION,
        converted_from=at.proposal.case_no,
        case_no=case_no,
        case_seq=seq,
        reason=wanted.reason,
    )
    await await_dispatch(work, at.sitting, [at.proposal.id])
    work.audit(
        Verb.PROPOSAL_CONVERTED,
        access.PROPOSAL,
        at.proposal.id,
        rows=[at.proposal],
        was=at.proposal.case_no,
        case_no=case_no,
    )


async def merge(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """并案: it is handled with another, and its proposers are answered with those of that one."""
    into = cases.asked_for(wanted, MergeInto).into
    await lock_row(Proposal, into)
    target = await access.proposal(work.actor, into)
    rules.check_merge(at.proposal, target)
    await cases.move(work, at.proposal, move.next, merged_into_id=into, merged_from_state=at.proposal.state)
    await cases.stop_clocks(work, [at.proposal.id])
    work.audit(Verb.PROPOSAL_MERGED, access.PROPOSAL, at.proposal.id, rows=[at.proposal], into=target.case_no)


async def unmerge(work: Work, at: rules.Standing, _move: rules.CaseMove, wanted: Act) -> None:
    """撤销并案: it stands where it stood, and goes its own way from there."""
    rules.check_reason(wanted.reason)
    await cases.move(
        work,
        at.proposal,
        ProposalState(at.proposal.merged_from_state),
        merged_into_id=None,
        merged_from_state=None,
    )
    if at.proposal.merged_from_state == ProposalState.FILED:
        await await_dispatch(work, at.sitting, [at.proposal.id])
    work.audit(Verb.PROPOSAL_UNMERGED, access.PROPOSAL, at.proposal.id, rows=[at.proposal])
