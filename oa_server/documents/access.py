"""The only door for reading official documents: every query is already narrowed to what the actor may see.

A department's system sees what its unit drafts and what is given to its unit to handle.

An outgoing document is seen by its drafter, by whoever has had a task on it, and by the clerks, seal keepers and
reviewers of its organ; an incoming one by the receiving organ's clerks and by whoever it was put before; what is classified
by those among them who are cleared for it. Everybody else gets the same 404 as for a document that does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from oa_server.core import clock
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.documents.models import (
    Consignment,
    DocumentVersion,
    IncomingDocument,
    NumberLedger,
    Opinion,
    OutgoingDocument,
    Recipient,
    Rendition,
)
from oa_server.documents.states import Classification, IncomingState, OutgoingState, RecipientRole, RenditionKind
from oa_server.files import access as files
from oa_server.storage.fields import Q, QuerySet
from oa_server.workflow import access as workflow

# Roles that see everything their organ issues; unit heads and leaders see what was put before them.
_OFFICE_ROLES = (Role.CLERK, Role.OFFICE_REVIEWER, Role.SEAL_KEEPER)

OUTGOING, INCOMING = "outgoing", "incoming"

# What lists show of an outgoing document: not its body, which may be long.
LISTED = ("id", "state", "kind", "title", "doc_no", "urgency", "drafter_id", "created_at", "updated_at")

# What the sender's board shows of an incoming one.
ANSWERED = ("state", "arrived_at", "signed_for_at", "signed_for_by", "refusal_code", "refusal_text", "receive_no")

Row = TypeVar("Row")
Document = TypeVar("Document", OutgoingDocument, IncomingDocument)


def outgoing(actor: Actor, only: UUID | None = None) -> QuerySet[OutgoingDocument]:
    """The outgoing documents that `actor` may see; with `only`, quicker, for who asks for that one alone."""
    if actor.is_system:
        return OutgoingDocument.all()
    if actor.client_id is not None:
        drafts_of_others = Q(state=OutgoingState.DRAFTING) & ~Q(drafter_id=actor.official_id)
        return OutgoingDocument.filter(_cleared(actor), Q(unit_id=actor.unit_id) & ~drafts_of_others)
    seen = Q(drafter_id=actor.official_id) | Q(id__in=workflow.subjects_of(actor, OUTGOING, only))
    if any(actor.has(role) for role in _OFFICE_ROLES):
        seen |= Q(organ_id=actor.organ_id) & ~Q(state=OutgoingState.DRAFTING)
    return OutgoingDocument.filter(_cleared(actor), seen)


def _cleared(actor: Actor) -> Q:
    """What the actor is cleared to see."""
    return Q(classification__in=[one for one in Classification if actor.is_cleared(one.clearance)])


async def outgoing_document(actor: Actor, document_id: UUID) -> OutgoingDocument:
    """One outgoing document. Raises NotFound when there is none that `actor` may see."""
    return _found(await outgoing(actor, document_id).get_or_none(id=document_id))


def incoming(actor: Actor, only: UUID | None = None) -> QuerySet[IncomingDocument]:
    """The incoming documents that `actor` may see; `only` as above."""
    if actor.is_system:
        return IncomingDocument.all()
    if actor.client_id is not None:
        return IncomingDocument.filter(_cleared(actor), unit_id=actor.unit_id)
    seen = Q(leader_id=actor.official_id) | Q(id__in=workflow.subjects_of(actor, INCOMING, only))
    if actor.has(Role.CLERK):
        seen |= Q(organ_id=actor.organ_id)
    return IncomingDocument.filter(_cleared(actor), seen)


async def incoming_document(actor: Actor, document_id: UUID) -> IncomingDocument:
    """One incoming document. Raises NotFound when there is none that `actor` may see."""
    return _found(await incoming(actor, document_id).get_or_none(id=document_id))


async def incoming_pages(actor: Actor, document_id: UUID) -> IncomingDocument:
    """An incoming document whose pages `actor` may read. Raises NotFound, also when it was refused."""
    document = await incoming_document(actor, document_id)
    return _found(None if document.state == IncomingState.REFUSED else document)


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound(NOT_FOUND)
    return row


@dataclass(frozen=True, slots=True)
class ListFilter:
    """How a list of documents is narrowed and ordered.

    `words` are looked for in titles, numbers and, of what came in, the sender's name. `since` and `until` are days of the
    office, both included: of drafting for what goes out, of arrival for what comes in. `after` is the last row of the page
    before; identifiers grow with time, so they order a list by age.
    """

    state: str | None = None
    kind: str | None = None
    urgency: str | None = None
    words: str = ""
    since: date | None = None
    until: date | None = None
    mine: bool = False
    oldest_first: bool = False
    after: UUID | None = None
    limit: int = 50


async def outgoing_list(actor: Actor, wanted: ListFilter) -> list[OutgoingDocument]:
    """A page of the outgoing documents that `actor` may see."""
    rows = outgoing(actor).filter(drafter_id=actor.official_id) if wanted.mine else outgoing(actor)
    return await _narrowed(rows, wanted, searched=("title", "doc_no"), moment="created_at").only(*LISTED)


async def incoming_list(actor: Actor, wanted: ListFilter) -> list[IncomingDocument]:
    """A page of the incoming documents that `actor` may see."""
    searched = ("title", "doc_no", "source_organ", "receive_no")
    return await _narrowed(incoming(actor), wanted, searched=searched, moment="arrived_at")


def _narrowed(
    rows: QuerySet[Document], wanted: ListFilter, *, searched: Sequence[str], moment: str
) -> QuerySet[Document]:
    exactly = {"state": wanted.state, "kind": wanted.kind, "urgency": wanted.urgency}
    rows = rows.filter(**{name: value for name, value in exactly.items() if value})
    if wanted.words:
        rows = rows.filter(Q(*(Q(**{f"{name}__contains": wanted.words}) for name in searched), join_type=Q.OR))
    if wanted.since:
        rows = rows.filter(**{f"{moment}__gte": clock.midnight(wanted.since)})
    if wanted.until and wanted.until < date.max:
        rows = rows.filter(**{f"{moment}__lt": clock.midnight(wanted.until + timedelta(days=1))})
    if wanted.after:
        rows = rows.filter(**{"id__gt" if wanted.oldest_first else "id__lt": wanted.after})
    return rows.order_by("id" if wanted.oldest_first else "-id").limit(wanted.limit)


class Concerned(NamedTuple):
    """A unit that an act concerns, and the document by which it knows of it."""

    unit_id: UUID
    subject_type: str
    subject_id: UUID


async def units_concerned(subject_type: str, subject_id: UUID, *, is_answer: bool) -> list[Concerned]:
    """Whom an act on a document concerns: the unit that drafted it; of one that came in, the unit that it was given to. Only an
    answer to the sender, a receipt or a refusal, also concerns the unit that had sent it: what another organ does with a
    document in its own house is not the sender's business. What is classified concerns no unit's system."""
    if subject_type == OUTGOING:
        document = await OutgoingDocument.get(id=subject_id).only("id", "unit_id", "classification")
        return [] if _is_classified(document) else [Concerned(document.unit_id, OUTGOING, subject_id)]
    incoming = await IncomingDocument.get(id=subject_id).prefetch_related("consignment__document")
    found: list[Concerned] = []
    if _is_classified(incoming):
        return found
    if is_answer:
        sent = incoming.consignment.document
        found.append(Concerned(sent.unit_id, OUTGOING, sent.id))
    if incoming.unit_id is not None:
        found.append(Concerned(incoming.unit_id, INCOMING, subject_id))
    return found


def _is_classified(document: OutgoingDocument | IncomingDocument) -> bool:
    return Classification(document.classification).clearance is not None


async def waiting_arrivals(actor: Actor) -> int:
    """How many documents wait to be signed for by the actor's organ; 0 for those who do not sign for."""
    if not actor.has(Role.CLERK):
        return 0
    return await incoming(actor).filter(organ_id=actor.organ_id, state=IncomingState.ARRIVED).count()


class Addressee(NamedTuple):
    """An organ that a document goes to, and as what."""

    organ_id: UUID
    role: str


async def recipients(document_id: UUID) -> list[Addressee]:
    """The distribution list of a document in its order."""
    rows = Recipient.filter(document_id=document_id).order_by("role", "position")
    return [Addressee(*row) for row in await rows.values_list("organ_id", "role")]


def organs_as(recipients: Sequence[Addressee], role: RecipientRole) -> list[UUID]:
    """The organs among `recipients` in this role, in their order."""
    return [row.organ_id for row in recipients if row.role == role]


def addressed(recipients: Sequence[Addressee]) -> list[dict[str, Any]]:
    """The recipients as a dispatch signs them."""
    return [{"organ": str(row.organ_id), "role": row.role} for row in recipients]


async def opinions(subject_type: str, subject_id: UUID) -> list[Opinion]:
    """All opinions on a document, oldest first; their visibility never depends on the state of any task."""
    return await Opinion.filter(subject_type=subject_type, subject_id=subject_id).order_by("id")


async def version(document_id: UUID, no: int) -> DocumentVersion:
    """One version of a document. Raises NotFound."""
    return _found(await DocumentVersion.get_or_none(document_id=document_id, no=no))


async def rendition(document_id: UUID, kind: RenditionKind, sha256: str) -> Rendition:
    """One rendition of a document. Raises NotFound."""
    return _found(await Rendition.get_or_none(document_id=document_id, kind=kind, sha256=sha256))


async def known_rendition(document_id: UUID, sha256: str) -> Rendition | None:
    """The rendition of a document with this digest, if it was ever rendered so."""
    return await Rendition.get_or_none(document_id=document_id, sha256=sha256)


def current_pages(document: OutgoingDocument) -> tuple[RenditionKind, str] | None:
    """Which rendition shows the document as it stands: sealed, frozen or for review; None before the first one."""
    for kind, sha256 in (
        (RenditionKind.SEALED, document.sealed_sha256),
        (RenditionKind.FROZEN, document.frozen_sha256),
        (RenditionKind.REVIEW, document.pages_sha256),
    ):
        if sha256:
            return kind, sha256
    return None


async def consignments(document_id: UUID) -> list[dict[str, Any]]:
    """The sender's board: every recipient with what it has done, in the order of the distribution list."""
    sent = await Consignment.filter(document_id=document_id).order_by("id").values("id", "organ_id", "role", "sent_at")
    received = await IncomingDocument.filter(consignment__document_id=document_id)
    by_id = {row.consignment_id: {name: getattr(row, name) for name in ANSWERED} for row in received}
    return [row | by_id[row["id"]] for row in sent]


async def consignment(actor: Actor, consignment_id: UUID) -> IncomingDocument:
    """What became of one consignment of a document that `actor` may see. Raises NotFound."""
    sent = _found(await Consignment.get_or_none(id=consignment_id))
    await outgoing_document(actor, sent.document_id)
    return await IncomingDocument.get(consignment_id=sent.id)


async def is_settled(document_id: UUID) -> bool:
    """Whether every recipient has signed for the document or refused it."""
    open_rows = IncomingDocument.filter(consignment__document_id=document_id, state=IncomingState.ARRIVED)
    return not await open_rows.exists()


async def document_of_pages(sha256: str) -> OutgoingDocument | None:
    """The document that some frozen or sealed pages belong to, looked up by digest (for the verify page)."""
    found = await Rendition.filter(sha256=sha256, kind__in=[RenditionKind.FROZEN, RenditionKind.SEALED]).first()
    return await OutgoingDocument.get(id=found.document_id) if found else None


async def sealed_document(actor: Actor, document_id: UUID) -> OutgoingDocument:
    """A sealed document that another domain shows to `actor` on grounds of its own; whether they are cleared for it is judged
    here. Raises NotFound."""
    return _found(
        await OutgoingDocument.filter(_cleared(actor)).get_or_none(id=document_id, sealed_sha256__not_isnull=True)
    )


async def open_documents(document_ids: Collection[UUID]) -> dict[UUID, OutgoingDocument]:
    """Of these documents, the sealed ones that carry no classification: what may be shown to everybody."""
    rows = OutgoingDocument.filter(id__in=list(document_ids), sealed_sha256__not_isnull=True)
    found = await rows.filter(classification=Classification.NONE).only("id", "doc_no", "title", "sealed_sha256")
    return {row.id: row for row in found}


async def sender_of(document_id: UUID) -> UUID:
    """The organ that sent a document."""
    organ_id: UUID = (await OutgoingDocument.get(id=document_id)).organ_id
    return organ_id


async def document_of(incoming: IncomingDocument) -> UUID:
    """The outgoing document behind an incoming one."""
    document_id: UUID = (await Consignment.get(id=incoming.consignment_id)).document_id
    return document_id


async def attachments(document_id: UUID) -> list[dict[str, Any]]:
    """What opinions, dispatches and receipts sign of a document's attachments, in their order."""
    rows = await files.files_of(OUTGOING, [document_id])
    return [{"name": r.name, "sha256": r.sha256, "size": r.size} for r in rows if r.is_ready]


async def receives(actor: Actor, document_id: UUID) -> bool:
    """Whether a document that `actor` may see has come to their organ from this outgoing one."""
    seen = incoming(actor).filter(consignment__document_id=document_id)
    return await seen.exclude(state=IncomingState.REFUSED).exists()


async def ledger() -> list[NumberLedger]:
    """Every number ever given, series by series in its order."""
    return await NumberLedger.all().order_by("series_id", "year", "seq")


async def numbers_of(document_ids: Collection[UUID]) -> dict[UUID, str]:
    """The numbers of documents that another domain knows of and shows."""
    rows = OutgoingDocument.filter(id__in=list(document_ids))
    return dict(await rows.values_list("id", "doc_no"))
