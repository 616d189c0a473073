"""Drafting: an outgoing document begun and changed by its drafter, until it is submitted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import STALE, Denied, Invalid, PreconditionFailed, PreconditionRequired, Reason
from oa_server.core.ids import new_id
from oa_server.documents import access, rules
from oa_server.documents.actions import hold, move, standing
from oa_server.documents.models import OutgoingDocument, Recipient
from oa_server.documents.office import Office
from oa_server.documents.schemas import Body, Elements
from oa_server.documents.states import OutgoingState, RecipientRole
from oa_server.identity import access as identity
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.workflow import actions as workflow

ETAG_NEEDED = Reason(
    "documents.etag_needed",
    "请求未说明修改的是哪一稿（If-Match），未作任何修改",
    "If-Match must tell which draft is changed; nothing was written.",
)
UNKNOWN_ORGAN = Reason(
    "documents.unknown_organ", "所选收文机关不存在，请重新选择", "One of the recipients does not exist."
)
UNKNOWN_SIGNER = Reason("documents.unknown_signer", "所选签发人不存在，请重新选择", "The signer does not exist.")


async def draft(office: Office, actor: Actor, elements: Elements, body: Body) -> OutgoingDocument:
    """Begin an outgoing document. Raises Invalid above the ceiling, Denied for who has no unit or no clearance for it."""
    await _check_elements(office, actor, elements)
    if actor.organ_id is None or actor.unit_id is None:
        raise Denied(rules.NOT_IN_UNIT)
    organ = await identity.organ(actor.organ_id)
    async with unit_of_work(actor) as work:
        document = await OutgoingDocument.create(
            id=new_id(),
            organ_id=organ.id,
            unit_id=actor.unit_id,
            drafter_id=actor.official_id,
            state=OutgoingState.DRAFTING,
            body=msgspec.to_builtins(body),
            created_at=work.now,
            updated_at=work.now,
            **columns(elements),
        )
        recipients, _before = await _set_recipients(document.id, elements)
        subject = workflow.Subject(
            access.OUTGOING,
            document.id,
            organ.id,
            document.title,
            actor.name,
            document.urgency,
            clearance=elements.classification.clearance,
        )
        facts = {"drafter": str(actor.official_id), "unit": str(actor.unit_id)}
        await workflow.start(work, "outgoing", subject, facts)
        work.audit(
            Verb.DRAFTED,
            access.OUTGOING,
            document.id,
            rows=[document],
            made=recipients,
            kind=document.kind,
            # Auditors read the log and are cleared for no secret.
            title=document.title if elements.classification.clearance is None else "",
        )
    return document


async def revise(
    office: Office, actor: Actor, document_id: UUID, etag: str | None, elements: Elements | None, body: Body | None
) -> OutgoingDocument:
    """Change a draft. `etag` tells which one was read: without it, or when the draft has changed since, nothing is written
    and nothing is lost. Raises PreconditionRequired, PreconditionFailed."""
    document = await access.outgoing_document(actor, document_id)
    rules.check(actor, document, await standing(actor, document), "edit")
    check_read(document, etag)
    if elements is not None:
        await _check_elements(office, actor, elements)
    async with unit_of_work(actor) as work:
        document = await hold(actor, document.id, "edit")
        check_read(document, etag)
        change: dict[str, Any] = columns(elements) if elements is not None else {}
        if body is not None:
            change["body"] = msgspec.to_builtins(body)
        await move(document, OutgoingState.DRAFTING, OutgoingState.DRAFTING, updated_at=work.now, **change)
        fresh, gone = await _set_recipients(document.id, elements) if elements is not None else ([], [])
        if elements is not None:
            needed = elements.classification.clearance or ""
            words = {"title": elements.title, "urgency": elements.urgency, "clearance": needed}
            await workflow.rename(work, document.id, **words)
        work.audit(
            Verb.REVISED,
            access.OUTGOING,
            document.id,
            rows=[document],
            made=fresh,
            removed=gone,
            version=document.version_no,
        )
    return await access.outgoing_document(actor, document_id)


def check_read(document: OutgoingDocument, etag: str | None) -> None:
    """Whoever changes a document says which state of it they read, and it still is that.

    Raises PreconditionRequired, PreconditionFailed.
    """
    if etag is None:
        raise PreconditionRequired(ETAG_NEEDED)
    if etag != etag_of(document):
        raise PreconditionFailed(STALE)


def etag_of(document: OutgoingDocument) -> str:
    """What a reader shows to change exactly what they read."""
    return f"{document.row_version}"


def columns(elements: Elements) -> dict[str, Any]:
    """The columns of a document's row that its drafter's elements fill."""
    return {
        "kind": elements.kind,
        "urgency": elements.urgency,
        "classification": elements.classification,
        "classify_years": elements.classify_years,
        "copy_no": elements.copy_no.strip(),
        "title": elements.title.strip(),
        "signer_id": elements.signer_id,
        "note": elements.note,
        "publicity": elements.publicity,
        "printing_organ": elements.printing_organ,
        "main_recipients_as": elements.main_recipients_as.strip(),
        "copies_to_as": elements.copies_to_as.strip(),
    }


async def _check_elements(office: Office, actor: Actor, elements: Elements) -> None:
    """Refuse what may not even be drafted: content above the ceiling or the drafter's own clearance, and people and organs
    that there are not."""
    rules.check_ceiling(elements.classification, office.ceiling)
    rules.check_cleared(actor, elements.classification)
    named = {*elements.main_recipients, *elements.copies_to}
    unknown = named - await identity.organs_in_use(named)
    if unknown:
        raise Invalid(UNKNOWN_ORGAN, organs=sorted(str(organ_id) for organ_id in unknown))
    if elements.signer_id is not None and not await identity.names_of([elements.signer_id]):
        raise Invalid(UNKNOWN_SIGNER)


async def _set_recipients(document_id: UUID, elements: Elements) -> tuple[list[Recipient], list[Recipient]]:
    """Make the distribution list what the elements say; an organ named twice stays where it was named first.

    Returns the rows that are new and those that are gone: both empty when the list is as it was.
    """
    wanted = dict.fromkeys(elements.main_recipients, RecipientRole.MAIN)
    for organ_id in elements.copies_to:
        wanted.setdefault(organ_id, RecipientRole.COPY)
    before = await Recipient.filter(document_id=document_id).order_by("position")
    if [(row.organ_id, row.role) for row in before] == list(wanted.items()):
        return [], []
    await Recipient.filter(document_id=document_id).delete()
    rows = [
        Recipient(id=new_id(), document_id=document_id, organ_id=organ_id, role=role, position=position)
        for position, (organ_id, role) in enumerate(wanted.items())
    ]
    await Recipient.bulk_create(rows)
    return rows, before
