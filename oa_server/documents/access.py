"""The only door for reading official documents: every query is already narrowed to what the actor may see.

An outgoing document is seen by its drafter, by whoever has had a task on it, and by the clerks, seal keepers and
reviewers of its organ; an incoming one by the receiving organ's clerks and by whoever it was put before. Everybody else
gets the same 404 as for a document that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

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
from oa_server.documents.states import IncomingState, RecipientRole, RenditionKind
from oa_server.files import access as files
from oa_server.storage.fields import Q, QuerySet
from oa_server.workflow import access as workflow

# Roles that see everything their organ issues; unit heads and leaders see what was put before them.
_OFFICE_ROLES = (Role.CLERK, Role.OFFICE_REVIEWER, Role.SEAL_KEEPER)

OUTGOING, INCOMING = "outgoing", "incoming"

Row = TypeVar("Row")


async def outgoing(actor: Actor) -> QuerySet[OutgoingDocument]:
    """The outgoing documents that `actor` may see."""
    if actor.is_system:
        return OutgoingDocument.all()
    seen = Q(drafter_id=actor.official_id) | Q(signer_id=actor.official_id)
    seen |= Q(id__in=await workflow.subjects_of(actor, OUTGOING))
    if any(actor.has(role) for role in _OFFICE_ROLES):
        seen |= Q(organ_id=actor.organ_id) & ~Q(state="drafting")
    return OutgoingDocument.filter(seen)


async def outgoing_document(actor: Actor, document_id: UUID) -> OutgoingDocument:
    """One outgoing document. Raises NotFound when there is none that `actor` may see."""
    return _found(await (await outgoing(actor)).get_or_none(id=document_id))


async def incoming(actor: Actor) -> QuerySet[IncomingDocument]:
    """The incoming documents that `actor` may see."""
    if actor.is_system:
        return IncomingDocument.all()
    seen = Q(leader_id=actor.official_id) | Q(id__in=await workflow.subjects_of(actor, INCOMING))
    if actor.has(Role.CLERK):
        seen |= Q(organ_id=actor.organ_id)
    return IncomingDocument.filter(seen)


async def incoming_document(actor: Actor, document_id: UUID) -> IncomingDocument:
    """One incoming document. Raises NotFound when there is none that `actor` may see."""
    return _found(await (await incoming(actor)).get_or_none(id=document_id))


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound(NOT_FOUND)
    return row


async def waiting_arrivals(actor: Actor) -> int:
    """How many documents wait to be signed for by the actor's organ; 0 for those who do not sign for."""
    if not actor.has(Role.CLERK):
        return 0
    return await IncomingDocument.filter(organ_id=actor.organ_id, state=IncomingState.ARRIVED).count()


async def recipients(document_id: UUID) -> list[Recipient]:
    return await Recipient.filter(document_id=document_id).order_by("role", "position")


def organs_as(recipients: Sequence[Recipient], role: RecipientRole) -> list[UUID]:
    """The organs among `recipients` in this role, in their order."""
    return [row.organ_id for row in recipients if row.role == role]


async def opinions(subject_type: str, subject_id: UUID) -> list[Opinion]:
    """All opinions on a document, oldest first; their visibility never depends on the state of any task."""
    return await Opinion.filter(subject_type=subject_type, subject_id=subject_id).order_by("id")


async def rendition(document_id: UUID, kind: RenditionKind, sha256: str) -> Rendition:
    return _found(await Rendition.get_or_none(document_id=document_id, kind=kind, sha256=sha256))


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
    received = await IncomingDocument.filter(consignment_id__in=[row["id"] for row in sent]).values(
        "consignment_id",
        "state",
        "arrived_at",
        "signed_for_at",
        "signed_for_by",
        "refusal_code",
        "refusal_text",
        "receive_no",
    )
    by_id = {row["consignment_id"]: row for row in received}
    return [row | by_id[row["id"]] for row in sent]


async def is_settled(document_id: UUID) -> bool:
    """Whether every recipient has signed for the document or refused it."""
    open_rows = IncomingDocument.filter(consignment__document_id=document_id, state=IncomingState.ARRIVED)
    return not await open_rows.exists()


async def versions(document_id: UUID) -> list[DocumentVersion]:
    return await DocumentVersion.filter(document_id=document_id).order_by("no")


async def document_of_pages(sha256: str) -> OutgoingDocument | None:
    """The document that some frozen or sealed pages belong to, looked up by digest (for the verify page)."""
    found = await Rendition.filter(sha256=sha256, kind__in=[RenditionKind.FROZEN, RenditionKind.SEALED]).first()
    return await OutgoingDocument.get(id=found.document_id) if found else None


async def sender_of(document_id: UUID) -> UUID:
    """The organ that sent a document."""
    organ_id: UUID = (await OutgoingDocument.get(id=document_id)).organ_id
    return organ_id


async def document_of(incoming: IncomingDocument) -> UUID:
    """The outgoing document behind an incoming one."""
    document_id: UUID = (await Consignment.get(id=incoming.consignment_id)).document_id
    return document_id


async def attachment_digests(incoming: IncomingDocument) -> list[dict[str, str]]:
    """Names and digests of the attachments that came with a document."""
    rows = await files.files_of(OUTGOING, [await document_of(incoming)])
    return [{"name": row.name, "sha256": row.sha256 or ""} for row in rows]


async def receives(actor: Actor, document_id: UUID) -> bool:
    """Whether a document that `actor` may see has come to their organ from this outgoing one."""
    seen = (await incoming(actor)).filter(consignment__document_id=document_id)
    return await seen.exclude(state=IncomingState.REFUSED).exists()


def any_of(lookups: Sequence[str], words: str) -> Q:
    """A condition that any of these lookups fulfils."""
    found = Q()
    for lookup in lookups:
        found |= Q(**{lookup: words})
    return found


async def ledger() -> list[NumberLedger]:
    return await NumberLedger.all().order_by("series_id", "year", "seq")
