"""What leads to a reply, and the reply itself: talks with the proposers, points, co-handlers' opinions, the sealed document, its
check by oversight."""

from __future__ import annotations

from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.errors import Conflict, Invalid
from oa_server.core.ids import new_id
from oa_server.deadlines import access as deadlines
from oa_server.documents import access as documents
from oa_server.documents import opinions
from oa_server.documents.actions import Act
from oa_server.proposals import access, assigning, cases, judging, rules
from oa_server.proposals.limits import Limit
from oa_server.proposals.models import Assignment, Contact, Point, PointReview, Reply
from oa_server.proposals.schemas import ContactMade, PointReviewed, PointsListed, Replied
from oa_server.proposals.states import (
    AssignmentRole,
    AssignmentState,
    ReplyPublicity,
    ReplyState,
    ResultClass,
)
from oa_server.signing import actions as signing
from oa_server.storage.unit_of_work import Work, conflict_on


async def give_opinion(work: Work, at: rules.Given, move: rules.AssignmentMove, wanted: Act) -> None:
    """协办意见, signed by a leader of the co-handling organ; the lead has it before it replies."""
    content = opinions.signed_content(opinions.needed(wanted.signed))
    await signing.keep(work, opinions.needed(wanted.signed))
    await assigning.move(work, at, move.next, opinion=content["text"], opinion_at=work.now)
    await assigning.stop(work, at.assignment, Limit.COHANDLER)
    for row in await access.standing_assignments(at.proposal.id):
        if row.role == AssignmentRole.LEAD:
            work.push(f"clerks:{row.organ_id}", "assignment.opinion", {"id": str(row.id)})
    work.audit(Verb.COHANDLER_OPINED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment])


async def record_contact(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """面商: who spoke with which proposer, when, how, and what was said."""
    said = cases.asked_for(wanted, ContactMade)
    proposers = {row.id for row in await cases.proposers_to_answer(at.proposal.id)}
    if said.proposer_id not in proposers or said.on > work.today:
        raise Invalid(rules.NO_CHOICE)
    rules.check_reason(said.summary)
    row = await Contact.create(
        id=new_id(),
        assignment_id=at.assignment.id,
        proposer_id=said.proposer_id,
        round=at.proposal.round,
        on=said.on,
        form=said.form,
        people=said.people,
        summary=said.summary,
        entered_by_id=work.actor.official_id,
        at=work.now,
    )
    await assigning.move(work, at, None)
    work.audit(
        Verb.CONTACT_RECORDED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment], made=[row], form=row.form
    )


async def set_points(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """建议点: what is asked for, one by one, and as far as it is known what becomes of each."""
    said = cases.asked_for(wanted, PointsListed).points
    if not said:
        raise Invalid(rules.NO_POINTS)
    gone = await access.points([at.assignment.id])
    await Point.filter(id__in=[row.id for row in gone]).delete()
    rows = [
        Point(
            id=new_id(),
            proposal_id=at.proposal.id,
            assignment_id=at.assignment.id,
            position=position,
            text=one.text,
            result=one.result,
            measure=one.measure,
            owner=one.owner,
            planned_on=one.planned_on,
        )
        for position, one in enumerate(said, 1)
    ]
    await Point.bulk_create(rows)
    await assigning.move(work, at, None)
    work.audit(
        Verb.POINTS_SET,
        access.ASSIGNMENT,
        at.assignment.id,
        rows=[at.assignment],
        made=rows,
        removed=gone,
        points=len(rows),
    )


async def reply(work: Work, at: rules.Given, move: rules.AssignmentMove, wanted: Act) -> None:
    """答复: the organ's sealed document, with its class and publicity, is put before oversight."""
    said = cases.asked_for(wanted, Replied)
    await _check_ready(work, at, said.result)
    if said.publicity is not ReplyPublicity.FULL and not said.publicity_ground.strip():
        raise Invalid(rules.GROUND_NEEDED)
    await _check_document(work, at, said.document_id)
    async with conflict_on(rules.REPLY_USED):
        row = await Reply.create(
            id=new_id(),
            assignment_id=at.assignment.id,
            document_id=said.document_id,
            round=at.proposal.round,
            result=said.result,
            publicity=said.publicity,
            publicity_ground=said.publicity_ground,
            state=ReplyState.CHECKING,
            at=work.now,
        )
    await assigning.move(work, at, move.next)
    work.audit(
        Verb.REPLY_PRESENTED,
        access.ASSIGNMENT,
        at.assignment.id,
        rows=[at.assignment],
        made=[row],
        document=said.document_id,
        result=said.result,
    )


async def _check_ready(work: Work, at: rules.Given, result: ResultClass) -> None:
    """Everybody was spoken with, every point has its answer, every co-handler spoke or let the time pass. Raises Conflict."""
    proposers = {row.id for row in await cases.proposers_to_answer(at.proposal.id)}
    made = await access.contacts([at.assignment.id])
    rules.check_contacts(proposers, {row.proposer_id for row in made if row.round == at.proposal.round})
    points = await access.points([at.assignment.id])
    rules.check_points(points)
    rules.check_class(result, points)
    if at.assignment.role == AssignmentRole.LEAD:
        rules.check_cohandlers(len(await _still_heard(at)))


async def _still_heard(at: rules.Given) -> list[Assignment]:
    """The co-handlers whose opinion is not in and whose time has not passed."""
    rows = [
        row
        for row in await access.standing_assignments(at.proposal.id)
        if row.role == AssignmentRole.COHANDLER
        and row.state not in {AssignmentState.OPINION_GIVEN, AssignmentState.DONE}
    ]
    running = await deadlines.clocks_of(access.ASSIGNMENT, [row.id for row in rows])
    overdue = {
        key for key, of in running.items() if any(c.policy == Limit.COHANDLER and assigning.is_overdue(c) for c in of)
    }
    return [row for row in rows if row.id not in overdue]


async def _check_document(work: Work, at: rules.Given, document_id: UUID) -> None:
    """The document is the organ's own, sealed, and goes to the secretariat. Raises NotFound, Conflict."""
    document = await documents.outgoing_document(work.actor, document_id)
    recipients = {row.organ_id for row in await documents.recipients(document_id)}
    is_own = document.organ_id == at.assignment.organ_id and document.sealed_sha256 is not None
    if not is_own or not recipients & {at.sitting.secretariat_id}:
        raise Conflict(rules.NOT_A_REPLY)


async def pass_reply(work: Work, at: rules.Given, move: rules.AssignmentMove, _wanted: Act) -> None:
    """审核通过: the reply reaches the proposers; once every organ has answered, they are asked for their judgement."""
    row = await _checked(work, at, ReplyState.PASSED, "")
    await assigning.move(work, at, move.next)
    await assigning.stop(work, at.assignment, Limit.REPLY)
    await assigning.stop(work, at.assignment, Limit.REHANDLING)
    work.audit(Verb.REPLY_PASSED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment, row])
    standing = await access.standing_assignments(at.proposal.id)
    answering = [one for one in standing if AssignmentRole(one.role).answers]
    if all(one.state == AssignmentState.REPLIED for one in answering):
        for one in standing:
            await assigning.stop(work, one, Limit.COHANDLER)  # What is answered waits for no opinion any more.
        await judging.ask_everybody(work, at.proposal, at.sitting)


async def _checked(work: Work, at: rules.Given, state: ReplyState, reason: str) -> Reply:
    row = await Reply.get(assignment_id=at.assignment.id, state=ReplyState.CHECKING)
    row.state, row.check_reason, row.checked_at = state, reason, work.now
    row.checked_by_id = work.actor.official_id
    await row.save(update_fields=["state", "check_reason", "checked_at", "checked_by_id"])
    return row


async def send_back(work: Work, at: rules.Given, move: rules.AssignmentMove, wanted: Act) -> None:
    """退回重办: the reply misses the points, or nobody spoke with the proposers."""
    rules.check_reason(wanted.reason)
    row = await _checked(work, at, ReplyState.SENT_BACK, wanted.reason)
    await assigning.move(work, at, move.next)
    work.push(f"clerks:{at.assignment.organ_id}", "assignment.sent_back", {"id": str(at.assignment.id)})
    work.audit(Verb.REPLY_SENT_BACK, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment, row])


async def review_point(work: Work, at: rules.Given, _move: rules.AssignmentMove, wanted: Act) -> None:
    """跟踪落实: what was promised is done now, or it is said why not; when nothing is left the case is closed."""
    said = cases.asked_for(wanted, PointReviewed)
    points = await access.points([at.assignment.id])
    found = next((row for row in points if row.id == said.point_id), None)
    point = rules.check_review(found, said.result, said.planned_on)
    rules.check_reason(wanted.reason)
    row = await PointReview.create(
        id=new_id(),
        point_id=point.id,
        before=point.result,
        after=said.result,
        explanation=wanted.reason,
        entered_by_id=work.actor.official_id,
        at=work.now,
    )
    point.result, point.planned_on = said.result, said.planned_on
    await point.save(update_fields=["result", "planned_on"])
    await assigning.move(work, at, None)
    told = {"before": row.before, "after": row.after}
    work.audit(
        Verb.POINT_REVIEWED, access.ASSIGNMENT, at.assignment.id, rows=[at.assignment, point], made=[row], **told
    )
    await judging.close_when_done(work, at.proposal)
