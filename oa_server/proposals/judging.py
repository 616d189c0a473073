"""评价: what proposers say of the replies, and what follows: another round, following up, or the end.

A judgement is a proposer's own: signed with their certificate, given with the single-use code that the secretariat handed to
them, or entered from paper by two clerks of the secretariat. A handling organ never enters one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM, Actor, Role
from oa_server.core.errors import NOT_FOUND, Conflict, Denied, NotFound
from oa_server.core.ids import new_id
from oa_server.deadlines import access as deadlines
from oa_server.deadlines import clocks
from oa_server.deadlines.clocks import ClockStart
from oa_server.documents import opinions
from oa_server.proposals import access, cases, rules
from oa_server.proposals.limits import Limit
from oa_server.proposals.models import Assignment, Feedback, Proposal, Sitting
from oa_server.proposals.states import AssignmentRole, AssignmentState, FeedbackState, ProposalState, Satisfaction
from oa_server.signing import actions as signing
from oa_server.signing.actions import Assembled
from oa_server.storage.unit_of_work import Work, lock_row, transition, unit_of_work

CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that is read for something else on paper
CODE_LENGTH = 12


async def ask_everybody(work: Work, proposal: Proposal, sitting: Sitting) -> None:
    """Every organ has answered: every proposer is asked what they say of it, those of merged cases too."""
    proposers = await cases.proposers_to_answer(proposal.id)
    rows = [
        Feedback(
            id=new_id(),
            proposal_id=proposal.id,
            proposer_id=row.id,
            round=proposal.round,
            state=FeedbackState.REQUESTED,
        )
        for row in proposers
    ]
    await Feedback.bulk_create(rows)
    await cases.move(work, await Proposal.get(id=proposal.id), ProposalState.REPLIED)
    allowed = (await access.limits(sitting.id))[Limit.FEEDBACK]
    await cases.start_clocks(work, [proposal.id], sitting.secretariat_id, allowed)
    for row in proposers:
        if row.member.official_id:
            work.push(f"official:{row.member.official_id}", "feedback.asked", {"id": str(row.proposal_id)})
    work.audit(Verb.FEEDBACK_ASKED, access.PROPOSAL, proposal.id, rows=[proposal], made=rows, proposers=len(rows))


async def hand_over_code(actor: Actor, feedback_id: UUID) -> str:
    """A fresh code for a proposer who has no certificate: shown this once, kept as a digest, and good for one judgement.

    Raises NotFound, Denied, Conflict.
    """
    async with unit_of_work(actor) as work:
        row, _proposal = await _held(actor, feedback_id)
        code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
        await transition(
            Feedback,
            row.id,
            reason=rules.NOT_JUDGED_YET,
            expect={"state": FeedbackState.REQUESTED},
            change={"code_sha256": digest_of_code(code)},
        )
        work.audit(Verb.CODE_HANDED_OVER, access.PROPOSAL, row.proposal_id, rows=[row], proposer=row.proposer_id)
    return code


def digest_of_code(code: str) -> str:
    """What is kept of a code, however it was typed."""
    return sha256(code.strip().upper().replace("-", "").replace(" ", "").encode()).hexdigest()


async def _held(actor: Actor, feedback_id: UUID) -> tuple[Feedback, Proposal]:
    """A judgement that is asked for, held with its case, for a clerk of the secretariat. Raises NotFound, Denied."""
    row = await Feedback.get_or_none(id=feedback_id)
    if row is None:
        raise NotFound(NOT_FOUND)
    proposal = await access.proposal(actor, row.proposal_id)
    if not rules.in_secretariat(actor, await access.sitting(proposal.sitting_id), Role.CLERK):
        raise Denied(rules.UNIT_CANNOT_JUDGE)
    await lock_row(Proposal, proposal.id)
    return row, await Proposal.get(id=proposal.id)


Judgement = Mapping[str, Any]


async def judge_signed(actor: Actor, proposal_id: UUID, signed: Assembled) -> None:
    """A proposer's judgement with their own certificate; what is kept is what they signed. Raises NotFound, Conflict, Invalid."""
    proposal = await access.proposal(actor, proposal_id)
    said = opinions.signed_content(signed)
    async with unit_of_work(actor) as work:
        await lock_row(Proposal, proposal.merged_into_id or proposal.id)
        row = await own_feedback(actor, proposal)
        if said["round"] != row.round:
            raise Conflict(rules.NOT_JUDGED_YET)
        signature = await signing.keep(work, signed)
        await _give(work, row, FeedbackState.SIGNED, said, signature_id=signature.id)


async def own_feedback(actor: Actor, proposal: Proposal) -> Feedback:
    """What is asked of the actor as a proposer of a case; of a merged one, about what it was merged into. Raises Conflict when
    nothing is."""
    found = (
        await Feedback.filter(proposer__member__official_id=actor.official_id, state=FeedbackState.REQUESTED)
        .filter(proposer__proposal_id=proposal.id)
        .first()
    )
    if actor.official_id is None or found is None:
        raise Conflict(rules.NOT_JUDGED_YET)
    return found


async def judge_by_code(code: str, said: Judgement) -> None:
    """A judgement with a code. Whoever guesses learns no more than that this one is none. Raises NotFound, Invalid."""
    row = await by_code(code)
    async with unit_of_work(SYSTEM) as work:
        await lock_row(Proposal, row.proposal_id)
        await _give(work, row, FeedbackState.CODED, said, code_sha256=None)


async def by_code(code: str) -> Feedback:
    """What a code is good for. Raises NotFound."""
    row = await Feedback.get_or_none(code_sha256=digest_of_code(code), state=FeedbackState.REQUESTED)
    if row is None:
        raise NotFound(rules.BAD_CODE)
    return row


async def enter_paper(actor: Actor, feedback_id: UUID, said: Judgement) -> None:
    """Enter a judgement that came on paper. It counts once another clerk has confirmed it. Raises NotFound, Denied, Invalid."""
    _check(said)
    async with unit_of_work(actor) as work:
        row, proposal = await _held(actor, feedback_id)
        change = {**_columns(said), "entered_by_id": actor.official_id, "at": work.now}
        await transition(
            Feedback,
            row.id,
            reason=rules.NOT_JUDGED_YET,
            expect={"state": FeedbackState.REQUESTED},
            change=change,
        )
        await cases.tell(work, proposal.id, proposal.state)
        work.audit(Verb.PAPER_JUDGEMENT_ENTERED, access.PROPOSAL, row.proposal_id, rows=[row])


async def confirm_paper(actor: Actor, feedback_id: UUID) -> None:
    """Confirm what another clerk entered from paper. Raises NotFound, Denied, Conflict."""
    async with unit_of_work(actor) as work:
        row, _proposal = await _held(actor, feedback_id)
        if row.entered_by_id is None or row.entered_by_id == actor.official_id:
            raise Denied(rules.OTHER_CONFIRMS)
        said = {name: getattr(row, name) for name in ("contact", "attitude", "result", "text")}
        await _give(work, row, FeedbackState.PAPER, said, confirmed_by_id=actor.official_id)


def _check(said: Judgement) -> None:
    rules.check_judgement(Satisfaction(said["result"]), Satisfaction(said["attitude"]), said["text"])


def _columns(said: Judgement) -> dict[str, Any]:
    return {name: said[name] for name in ("contact", "attitude", "result", "text")}


async def _give(work: Work, row: Feedback, state: FeedbackState, said: Judgement, **more: Any) -> None:
    """Keep a judgement; the last one decides what becomes of the case."""
    _check(said)
    await transition(
        Feedback,
        row.id,
        reason=rules.NOT_JUDGED_YET,
        expect={"state": FeedbackState.REQUESTED},
        change={"state": state, "at": work.now, **_columns(said), **more},
    )
    work.audit(
        Verb.JUDGED,
        access.PROPOSAL,
        row.proposal_id,
        rows=[row],
        how=state,
        **{name: said[name] for name in ("contact", "attitude", "result")},
    )
    proposal = await Proposal.get(id=row.proposal_id)
    await cases.tell(work, proposal.id, proposal.state)
    await _conclude(work, proposal)


async def _conclude(work: Work, proposal: Proposal) -> None:
    """When everybody has judged: another round where they are not satisfied, else the end, or the following up."""
    given = await access.feedback([proposal.id], proposal.round)
    if proposal.state != ProposalState.REPLIED or not rules.is_settled(given):
        return
    await cases.stop_clocks(work, [proposal.id])
    limits = await access.limits(proposal.sitting_id)
    lead = (await access.proposers([proposal.id]))[0]
    is_again = rules.wants_another_round(given, lead.id, limits[Limit.UNSATISFIED].quantity)
    if is_again and proposal.round < limits[Limit.ROUNDS].quantity:
        await _begin_round(work, proposal)
    else:
        await _end(work, proposal)


async def _begin_round(work: Work, proposal: Proposal) -> None:
    """二次办理: every organ that answered has a month to answer again."""
    allowed = (await access.limits(proposal.sitting_id))[Limit.REHANDLING]
    today = work.today
    rows = [row for row in await access.standing_assignments(proposal.id) if AssignmentRole(row.role).answers]
    starts = [
        ClockStart(access.ASSIGNMENT, row.id, Limit.REHANDLING, allowed.title, row.organ_id, allowed.term, today)
        for row in rows
    ]
    await Assignment.filter(id__in=[row.id for row in rows]).update(state=AssignmentState.HANDLING)
    await clocks.start_clocks(work.actor, starts)
    await cases.move(work, proposal, ProposalState.REHANDLING, round=proposal.round + 1)
    sitting = await access.sitting(proposal.sitting_id)
    for organ_id in {sitting.dispatching_id, sitting.oversight_id, *(row.organ_id for row in rows)}:
        work.push(f"clerks:{organ_id}", "proposal.again", {"id": str(proposal.id)})
    work.audit(Verb.ROUND_BEGUN, access.PROPOSAL, proposal.id, rows=[proposal, *rows], round=proposal.round + 1)


async def _end(work: Work, proposal: Proposal) -> None:
    rows = [row for row in await access.standing_assignments(proposal.id) if AssignmentRole(row.role).answers]
    await Assignment.filter(id__in=[row.id for row in rows]).update(state=AssignmentState.DONE)
    after = rules.after_judgement(await access.points([row.id for row in rows]))
    closed = {"closed_on": work.today} if after is ProposalState.CLOSED else {}
    await cases.move(work, proposal, after, **closed)
    work.audit(Verb.PROPOSAL_CONCLUDED, access.PROPOSAL, proposal.id, rows=[proposal, *rows], after=after)


async def close_when_done(work: Work, proposal: Proposal) -> None:
    """A case that is followed up is closed when nothing of it is promised any more."""
    given = [row.id for row in await access.standing_assignments(proposal.id)]
    held = await Proposal.get(id=proposal.id)
    after = rules.after_judgement(await access.points(given))
    if held.state == ProposalState.TRACKING and after is ProposalState.CLOSED:
        await cases.move(work, held, after, closed_on=work.today)
        work.audit(Verb.PROPOSAL_CONCLUDED, access.PROPOSAL, proposal.id, rows=[held], after=after)


async def expire() -> int:
    """Close what nobody has judged in time. Returns how many cases that concluded. A job runs it; any number may."""
    due = await deadlines.overdue(access.PROPOSAL, Limit.FEEDBACK, clock.today())
    for proposal_id in due:
        async with unit_of_work(SYSTEM) as work:
            await lock_row(Proposal, proposal_id)
            proposal = await Proposal.get(id=proposal_id)
            rows = [
                row
                for row in await access.feedback([proposal_id], proposal.round)
                if row.state == FeedbackState.REQUESTED
            ]
            expired = Feedback.filter(id__in=[row.id for row in rows], state=FeedbackState.REQUESTED)
            await expired.update(state=FeedbackState.EXPIRED, code_sha256=None, at=work.now)
            work.audit(Verb.FEEDBACK_EXPIRED, access.PROPOSAL, proposal_id, rows=rows, expired=len(rows))
            await _conclude(work, proposal)
    return len(due)
