"""What is signed in a proposal's life: its submission, consents, withdrawals, co-handlers' opinions and judgements.

Each is canonical JSON that can be judged by itself: it names the case, the digest of the text that was read, and the words of who
signs.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import Invalid
from oa_server.documents import opinions
from oa_server.documents.actions import Act
from oa_server.proposals import access, assigning, cases, judging, rules
from oa_server.proposals.models import Proposal
from oa_server.proposals.schemas import JudgementIn
from oa_server.proposals.states import Satisfaction
from oa_server.signing.actions import Asked, KeyChoice, Purpose, SigningDesk

TITLES = {"submit": "提交", "consent": "附议", "withdraw": "撤案"}
JUDGE = "judge"


async def ask(desk: SigningDesk, actor: Actor, proposal_id: UUID, wanted: Act, key: KeyChoice) -> Asked:
    """Prepare what a proposer is to sign. Raises NotFound, Denied, Conflict, Invalid."""
    proposal = await access.proposal(actor, proposal_id)
    if wanted.verb == JUDGE:
        return await _ask_judgement(desk, actor, proposal, wanted, key)
    at = await cases.standing(actor, proposal)
    rules.check_case(actor, at, wanted.verb)
    if wanted.verb not in TITLES:
        raise Invalid(rules.NOTHING_TO_SIGN)
    content = await _content(actor, proposal, wanted.verb)
    names = "、".join(row.member.name for row in at.proposers)
    purpose = Purpose(
        wanted.verb, access.PROPOSAL, proposal.id, TITLES[wanted.verb], (proposal.title, f"提案人：{names}")
    )
    return await desk.request_signature(actor, purpose, content, key)


async def _content(actor: Actor, proposal: Proposal, verb: str) -> dict[str, Any]:
    return {
        "type": f"oa/proposal-{verb}/1",
        "proposal": str(proposal.id),
        "case_no": proposal.case_no,
        "title": proposal.title,
        "text_sha256": proposal.text_sha256,
        "actor": await opinions.actor_content(actor),
        "at": clock.now().isoformat(timespec="seconds"),
    }


async def _ask_judgement(desk: SigningDesk, actor: Actor, proposal: Proposal, wanted: Act, key: KeyChoice) -> Asked:
    said = cases.asked_for(wanted, JudgementIn)
    rules.check_judgement(said.result, said.attitude, said.text)
    row = await judging.own_feedback(actor, proposal)
    axes: dict[str, Satisfaction] = {"contact": said.contact, "attitude": said.attitude, "result": said.result}
    content = await _content(actor, proposal, JUDGE)
    content |= {"round": row.round, "text": said.text, **{name: word.value for name, word in axes.items()}}
    lines = (proposal.title, f"办理结果：{said.result.title_zh}", f"办理态度：{said.attitude.title_zh}")
    return await desk.request_signature(
        actor, Purpose(JUDGE, access.PROPOSAL, proposal.id, "评价", lines), content, key
    )


async def ask_on_assignment(desk: SigningDesk, actor: Actor, assignment_id: UUID, wanted: Act, key: KeyChoice) -> Asked:
    """Prepare a co-handler's opinion. Raises NotFound, Denied, Invalid."""
    assignment = await access.assignment(actor, assignment_id)
    at = await assigning.given(actor, assignment)
    rules.check_assignment(actor, at, wanted.verb)
    if wanted.verb != "give_opinion":
        raise Invalid(rules.NOTHING_TO_SIGN)
    rules.check_reason(wanted.opinion)
    content = await _content(actor, at.proposal, "cohandling") | {"text": wanted.opinion}
    purpose = Purpose(
        wanted.verb, access.ASSIGNMENT, assignment_id, "协办意见", (at.proposal.title, f"意见：{wanted.opinion}")
    )
    return await desk.request_signature(actor, purpose, content, key)
