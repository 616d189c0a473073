"""The verbs of cases and assignments by their names: each is judged on what the row says while it is held, and then done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.core.errors import Invalid
from oa_server.documents.actions import Act
from oa_server.proposals import access, answering, assigning, cases, drafting, reviewing, rules
from oa_server.proposals.models import Assignment, Proposal
from oa_server.storage.database import Lock, alone
from oa_server.storage.unit_of_work import Work, unit_of_work

_CASE: Mapping[str, Callable[[Work, rules.Standing, rules.CaseMove, Act], Awaitable[None]]] = {
    "invite": drafting.invite,
    "consent": drafting.consent,
    "decline": drafting.decline,
    "record_paper": drafting.record_paper,
    "submit": drafting.submit,
    "discard": drafting.discard,
    "withdraw": drafting.withdraw,
    "register": reviewing.register,
    "review": reviewing.review,
    "return": reviewing.send_back,
    "file": reviewing.file,
    "reject": reviewing.reject,
    "convert": reviewing.convert,
    "merge": reviewing.merge,
    "unmerge": reviewing.unmerge,
    "dispatch": assigning.dispatch,
    "mark_key": assigning.mark_key,
    "suspend": assigning.suspend,
    "resume": assigning.resume,
}

_ASSIGNMENT: Mapping[str, Callable[[Work, rules.Given, rules.AssignmentMove, Act], Awaitable[None]]] = {
    "accept": assigning.accept,
    "return": assigning.send_back,
    "reassign": assigning.reassign,
    "refuse_return": assigning.refuse_return,
    "arbitrate": assigning.arbitrate,
    "succeed": assigning.succeed,
    "ask_extension": assigning.ask_extension,
    "grant_extension": assigning.grant_extension,
    "refuse_extension": assigning.refuse_extension,
    "give_opinion": answering.give_opinion,
    "record_contact": answering.record_contact,
    "set_points": answering.set_points,
    "reply": answering.reply,
    "pass": answering.pass_reply,
    "send_back": answering.send_back,
    "review_point": answering.review_point,
}


# Whoever merges holds two cases; two who hold one each would wait for each other.
_OF_TWO_CASES = frozenset({"merge", "unmerge"})


async def act(actor: Actor, proposal_id: UUID, wanted: Act) -> Proposal:
    """Do one verb on a case. Raises NotFound, Denied with the verb's reason, Conflict, Invalid."""
    async with unit_of_work(actor) as work:
        if wanted.verb in _OF_TWO_CASES:
            await alone(Lock.MERGING)
        at, move = await cases.hold(actor, proposal_id, wanted.verb)
        if wanted.verb not in _CASE:
            raise Invalid(rules.UNKNOWN_VERB, verb=wanted.verb)
        await _CASE[wanted.verb](work, at, move, wanted)
    return await Proposal.get(id=proposal_id)


async def act_on_assignment(actor: Actor, assignment_id: UUID, wanted: Act) -> Assignment:
    """Do one verb on an assignment. Raises NotFound, Denied with the verb's reason, Conflict, Invalid."""
    async with unit_of_work(actor) as work:
        at, move = await assigning.hold(actor, assignment_id, wanted.verb)
        await _ASSIGNMENT[wanted.verb](work, at, move, wanted)
    return await access.assignment(actor, assignment_id)
