"""公开: what everybody who signs in may read of proposals, whatever their organ: texts, and the replies that organs make public.

Nothing here tells how to reach a proposer, what they think of a reply, or what offices wrote to each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.documents import access as documents
from oa_server.identity import access as identity
from oa_server.proposals import access
from oa_server.proposals.models import Assignment, Proposal, Proposer, Reply
from oa_server.proposals.schemas import (
    PublishedCase,
    PublishedHandler,
    PublishedProposer,
    PublishedReply,
    PublishedRow,
)
from oa_server.proposals.states import (
    AssignmentRole,
    AssignmentState,
    ProposalKind,
    ProposalState,
    ReplyPublicity,
    ResultClass,
)
from oa_server.web.shapes import Named

# That a second round is under way tells what proposers think of the first; for the public it has been answered.
_ANSWERED = frozenset({ProposalState.REPLIED, ProposalState.REHANDLING, ProposalState.TRACKING, ProposalState.CLOSED})


async def rows_out(rows: Sequence[Proposal]) -> list[PublishedRow]:
    """Rows of the list of what is public."""
    targets = await access.published_targets(rows)
    handled = {row.id: targets.get(row.merged_into_id, row) for row in rows}
    ids = {one.id for one in handled.values()}
    sittings = {one.id: one.title for one in await access.sittings()}
    proposers = _by_proposal(await access.proposers([row.id for row in rows]))
    handlers, replies = await _handlers(ids), await _replies(ids)
    return [
        PublishedRow(
            id=row.id,
            sitting=sittings[row.sitting_id],
            kind=ProposalKind(row.kind),
            kind_title=ProposalKind(row.kind).title_zh,
            case_no=row.case_no or "",
            title=row.title,
            category=row.category,
            lead=proposers[row.id][0].member.name,
            proposers=len(proposers[row.id]),
            handlers=[one.organ for one in handlers[handled[row.id].id]],
            submitted_on=row.submitted_on,
            is_answered=handled[row.id].state in _ANSWERED,
            replies=[one.doc_no for one in replies[handled[row.id].id]],
        )
        for row in rows
    ]


async def case_out(row: Proposal) -> PublishedCase:
    """One case that is public, to be read."""
    target = (await access.published_targets([row])).get(row.merged_into_id)
    handled = target or row
    sitting = await access.sitting(row.sitting_id)
    proposers = await access.proposers([row.id])
    return PublishedCase(
        id=row.id,
        sitting=sitting.title,
        kind=ProposalKind(row.kind),
        kind_title=ProposalKind(row.kind).title_zh,
        case_no=row.case_no or "",
        title=row.title,
        category=row.category,
        subcategory=row.subcategory,
        submitted_on=row.submitted_on,
        proposers=[PublishedProposer(one.member.name, one.member.delegation) for one in proposers],
        situation=row.situation,
        analysis=row.analysis,
        request=row.request,
        handlers=(await _handlers([handled.id]))[handled.id],
        merged_into=Named(target.id, f"{target.case_no} {target.title}") if target else None,
        is_answered=handled.state in _ANSWERED,
        replies=(await _replies([handled.id]))[handled.id],
    )


async def full_reply(row: Proposal, document_id: UUID) -> UUID:
    """The document of a reply to a case that is public, when the reply is public in full. Raises NotFound."""
    case = await case_out(row)
    found = {one.document_id for one in case.replies if one.publicity == ReplyPublicity.FULL}
    if document_id not in found:
        raise NotFound(NOT_FOUND)
    return document_id


def _by_proposal(rows: Sequence[Proposer]) -> Mapping[UUID, list[Proposer]]:
    found: dict[UUID, list[Proposer]] = defaultdict(list)
    for row in rows:
        found[row.proposal_id].append(row)
    return found


async def _handlers(proposal_ids: Collection[UUID]) -> Mapping[UUID, list[PublishedHandler]]:
    """The organs that handle each case, who answers first; not those that only read it."""
    rows = [
        row
        for row in await access.assignments_of(proposal_ids)
        if row.state != AssignmentState.SUPERSEDED and row.role != AssignmentRole.REFERENCE
    ]
    organs = await identity.organ_short_names({row.organ_id for row in rows})
    found: dict[UUID, list[PublishedHandler]] = defaultdict(list)
    for row in sorted(rows, key=_by_role):
        role = AssignmentRole(row.role)
        found[row.proposal_id].append(PublishedHandler(organs[row.organ_id], role, role.title_zh))
    return found


def _by_role(row: Assignment) -> int:
    return list(AssignmentRole).index(AssignmentRole(row.role))


async def _replies(proposal_ids: Collection[UUID]) -> Mapping[UUID, list[PublishedReply]]:
    """The replies to each case that are public, except in documents that carry a classification."""
    rows = await access.published_replies(proposal_ids)
    papers = await documents.open_documents([row.document_id for row in rows])
    organs = await identity.organ_names({row.assignment.organ_id for row in rows})
    found: dict[UUID, list[PublishedReply]] = defaultdict(list)
    for row in rows:
        if paper := papers.get(row.document_id):
            organ = organs[row.assignment.organ_id].full_name
            found[row.assignment.proposal_id].append(_reply_out(row, organ, paper.doc_no, paper.title))
    return found


def _reply_out(row: Reply, organ: str, doc_no: str, title: str) -> PublishedReply:
    return PublishedReply(
        document_id=row.document_id,
        organ=organ,
        doc_no=doc_no,
        title=title,
        result=row.result,
        result_title=ResultClass(row.result).title_zh,
        publicity=ReplyPublicity(row.publicity),
        publicity_title=ReplyPublicity(row.publicity).title_zh,
        round=row.round,
        replied_at=row.checked_at,
    )
