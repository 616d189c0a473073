"""A proposal before it is registered: its text, and the members who stand behind it.

A consent is over the digest of the text. Whoever changes the text makes every consent one to a former text, which counts no
more; nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import STALE, Conflict, Denied, Invalid, PreconditionFailed
from oa_server.core.ids import new_id
from oa_server.documents import opinions
from oa_server.documents.actions import Act
from oa_server.proposals import access, cases, indexing, rules
from oa_server.proposals.limits import Limit
from oa_server.proposals.models import Member, Proposal, ProposalVersion, Proposer, Sitting
from oa_server.proposals.schemas import MembersNamed
from oa_server.proposals.states import Assembly, Consent, ProposalForm, ProposalKind, ProposalState
from oa_server.signing import actions as signing
from oa_server.storage.unit_of_work import Work, unit_of_work


async def draft(actor: Actor, sitting_id: UUID, elements: dict[str, Any], members: Sequence[UUID]) -> Proposal:
    """Begin a proposal. The first of `members` leads. Raises NotFound, Denied, Invalid."""
    sitting = await access.sitting(sitting_id)
    await _check_may_draft(actor, sitting, members)
    _check_elements(sitting, elements, members)
    await _members(sitting_id, members)
    async with unit_of_work(actor) as work:
        row = await Proposal.create(
            id=new_id(),
            sitting_id=sitting_id,
            state=ProposalState.DRAFT,
            text_sha256=_digest(elements),
            entered_by_id=actor.official_id,
            created_at=work.now,
            updated_at=work.now,
            **elements,
        )
        proposers = [_proposer(row.id, member_id, position) for position, member_id in enumerate(members)]
        await Proposer.bulk_create(proposers)
        work.audit(Verb.PROPOSAL_DRAFTED, access.PROPOSAL, row.id, made=[row, *proposers], title=row.title)
    return row


async def _check_may_draft(actor: Actor, sitting: Sitting, members: Sequence[UUID]) -> None:
    """A member begins what they lead themselves; a clerk of the secretariat enters what came on paper. Raises Denied."""
    if rules.in_secretariat(actor, sitting, Role.CLERK):
        return
    own = await access.membership(actor, sitting.id)
    if own is None or list(members[:1]) != [own.id]:
        raise Denied(rules.NOT_A_MEMBER)


def _check_elements(sitting: Sitting, elements: dict[str, Any], members: Sequence[UUID]) -> None:
    rules.check_draft(ProposalKind(elements["kind"]), Assembly(sitting.body), ProposalForm(elements["form"]), members)


async def _members(sitting_id: UUID, ids: Collection[UUID]) -> dict[UUID, Member]:
    """Members of this sitting. Raises Invalid for one who is none."""
    found = await access.members_named(ids)
    if any(member_id not in found or found[member_id].sitting_id != sitting_id for member_id in ids):
        raise Invalid(rules.UNKNOWN_MEMBER)
    return found


def _proposer(proposal_id: UUID, member_id: UUID, position: int) -> Proposer:
    return Proposer(id=new_id(), proposal_id=proposal_id, member_id=member_id, position=position, consent=Consent.ASKED)


def _digest(elements: dict[str, Any]) -> str:
    return rules.text_digest(*(elements[name] for name in ("title", "situation", "analysis", "request")))


async def revise(
    actor: Actor, proposal_id: UUID, seen: str, elements: dict[str, Any], members: Sequence[UUID]
) -> Proposal:
    """Change text and proposers of what is still being written. `seen` is the state that the caller read.

    Raises NotFound, Denied, Invalid, PreconditionFailed.
    """
    async with unit_of_work(actor) as work:
        at, _move = await cases.hold(actor, proposal_id, "edit")
        if seen != cases.etag_of(at.proposal):
            raise PreconditionFailed(STALE)
        _check_elements(at.sitting, elements, members)
        await _members(at.sitting.id, members)
        if list(members[:1]) != [at.proposers[0].member_id]:
            raise Invalid(rules.NO_LEAD)
        gone, fresh = await _set_proposers(at, members)
        await cases.move(work, at.proposal, None, text_sha256=_digest(elements), **elements)
        rows = [at.proposal, *(row for row in at.proposers if row not in gone)]
        work.audit(Verb.PROPOSAL_REVISED, access.PROPOSAL, proposal_id, rows=rows, made=fresh, removed=gone)
    return await access.proposal(actor, proposal_id)


async def _set_proposers(at: rules.Standing, members: Sequence[UUID]) -> tuple[list[Proposer], list[Proposer]]:
    """Bring the proposers into line with `members`. Returns those who are no more, and those who are new."""
    known = {row.member_id: row for row in await Proposer.filter(proposal_id=at.proposal.id)}
    gone = [row for member_id, row in known.items() if member_id not in members and row.consent != Consent.DECLINED]
    fresh = [_proposer(at.proposal.id, m, position) for position, m in enumerate(members) if m not in known]
    await Proposer.filter(id__in=[row.id for row in gone]).delete()
    await Proposer.bulk_create(fresh)
    for position, member_id in enumerate(members):
        if member_id in known and known[member_id].position != position:
            await Proposer.filter(id=known[member_id].id).update(position=position)
    return gone, fresh


async def invite(work: Work, at: rules.Standing, move: rules.CaseMove, _wanted: Act) -> None:
    """Ask the co-signers: now they see the text."""
    await cases.move(work, at.proposal, move.next)
    work.audit(Verb.COSIGNERS_ASKED, access.PROPOSAL, at.proposal.id, rows=[at.proposal], asked=len(at.proposers) - 1)


async def consent(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """Stand behind the text as it is, with one's own certificate."""
    assert at.own is not None
    signature = await _signed(work, at, wanted)
    await _stands_behind(work, at.own, at.proposal, Consent.SIGNED, signature)
    await cases.move(work, at.proposal, move.next)
    work.audit(Verb.CONSENTED, access.PROPOSAL, at.proposal.id, rows=[at.proposal, at.own])


async def _signed(work: Work, at: rules.Standing, wanted: Act) -> UUID:
    """The signature that the act came with, over the text as it stands. Raises Invalid, Conflict."""
    signed = opinions.needed(wanted.signed)
    if opinions.signed_content(signed)["text_sha256"] != at.proposal.text_sha256:
        raise Conflict(rules.TEXT_CHANGED)
    signature_id: UUID = (await signing.keep(work, signed)).id
    return signature_id


async def _stands_behind(
    work: Work, row: Proposer, proposal: Proposal, how: Consent, signature_id: UUID | None
) -> None:
    row.consent, row.consented_sha256, row.signature_id, row.at = how, proposal.text_sha256, signature_id, work.now
    await row.save(update_fields=["consent", "consented_sha256", "signature_id", "at"])


async def decline(work: Work, at: rules.Standing, move: rules.CaseMove, _wanted: Act) -> None:
    """Not stand behind it: the member is no proposer of it any more."""
    assert at.own is not None
    at.own.consent, at.own.at = Consent.DECLINED, work.now
    await at.own.save(update_fields=["consent", "at"])
    await cases.move(work, at.proposal, move.next)
    work.audit(Verb.CONSENT_DECLINED, access.PROPOSAL, at.proposal.id, rows=[at.proposal, at.own])


async def record_paper(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """Enter that members without an account have signed on paper. Raises Invalid, Denied."""
    rows = _named(at, cases.asked_for(wanted, MembersNamed).members)
    for row in rows:
        await _stands_behind(work, row, at.proposal, Consent.PAPER, None)
    await cases.move(work, at.proposal, move.next)
    work.audit(
        Verb.PAPER_CONSENT_RECORDED, access.PROPOSAL, at.proposal.id, rows=[at.proposal, *rows], members=len(rows)
    )


def _named(at: rules.Standing, members: Collection[UUID]) -> list[Proposer]:
    """The proposers that a clerk speaks for, who cannot sign themselves. Raises Invalid, Denied."""
    rows = [row for row in at.proposers if row.member_id in members]
    if not rows or len(rows) != len(members):
        raise Invalid(rules.UNKNOWN_MEMBER)
    if any(row.member.official_id is not None for row in rows):
        raise Denied(rules.OWN_SIGNATURE)
    return rows


async def submit(work: Work, at: rules.Standing, move: rules.CaseMove, wanted: Act) -> None:
    """Hand it in: the lead signs, or the clerk who has their paper enters that they did."""
    least = (await access.limits(at.sitting.id))[Limit.COSIGNERS].quantity
    rules.check_complete(at.proposal, at.proposers, least)
    lead = at.proposers[0]
    if lead.member.official_id is not None:
        await _stands_behind(work, lead, at.proposal, Consent.SIGNED, await _signed(work, at, wanted))
    else:
        await _stands_behind(work, lead, at.proposal, Consent.PAPER, None)
    no = await ProposalVersion.filter(proposal_id=at.proposal.id).count() + 1
    version = await ProposalVersion.create(
        id=new_id(),
        proposal_id=at.proposal.id,
        no=no,
        at=work.now,
        **{name: getattr(at.proposal, name) for name in ("title", "situation", "analysis", "request", "text_sha256")},
    )
    await indexing.index([at.proposal])
    day = work.today
    await cases.move(work, at.proposal, move.next, version_no=no, submitted_on=day, review_level=0)
    work.audit(
        Verb.PROPOSAL_SUBMITTED,
        access.PROPOSAL,
        at.proposal.id,
        rows=[at.proposal, lead],
        made=[version],
        version=no,
        text_sha256=version.text_sha256,
    )


async def discard(work: Work, at: rules.Standing, move: rules.CaseMove, _wanted: Act) -> None:
    """Give up what was never submitted, or came back."""
    await cases.move(work, at.proposal, move.next)
    work.audit(Verb.PROPOSAL_DISCARDED, access.PROPOSAL, at.proposal.id, rows=[at.proposal])


async def withdraw(work: Work, at: rules.Standing, _move: rules.CaseMove, wanted: Act) -> None:
    """撤案: once every proposer has asked for it, with their certificate or on paper, it is withdrawn."""
    if at.own is not None:
        rows, signature_id = [at.own], await _signed(work, at, wanted)
    else:
        rows, signature_id = _named(at, cases.asked_for(wanted, MembersNamed).members), None
    for row in rows:
        row.withdrew_at, row.withdrawal_id = work.now, signature_id
        await row.save(update_fields=["withdrew_at", "withdrawal_id"])
    waiting = [row for row in at.proposers if row.withdrew_at is None and row not in rows]
    await cases.move(work, at.proposal, None if waiting else ProposalState.WITHDRAWN)
    if not waiting:
        await cases.stop_clocks(work, [at.proposal.id])
    work.audit(
        Verb.PROPOSAL_WITHDRAWN,
        access.PROPOSAL,
        at.proposal.id,
        rows=[at.proposal, *rows],
        asked=len(rows),
        waiting=len(waiting),
    )
