"""The verbs of an outgoing document, from its draft to its closing.

Each verb: door → rule → change → audit entry → workflow. What takes long — laying out, object store, timestamps — is done
before the transaction opens; inside it the document's row is held and judged again, so of two who act at once one wins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import STALE, Conflict, Denied, Invalid, Unavailable
from oa_server.core.ids import new_id
from oa_server.documents import access, numbering, opinions, pages, rules
from oa_server.documents.layout.model import DocumentLayout, plain, text_digest
from oa_server.documents.models import Consignment, DocumentVersion, IncomingDocument, OutgoingDocument
from oa_server.documents.office import Office
from oa_server.documents.opinions import Matter
from oa_server.documents.states import (
    UPWARD_KINDS,
    Classification,
    IncomingState,
    OutgoingState,
    RecipientRole,
    RenditionKind,
)
from oa_server.files import access as files
from oa_server.identity import access as identity
from oa_server.signing import actions as signing
from oa_server.signing.actions import Assembled
from oa_server.storage.fields import F
from oa_server.storage.unit_of_work import Work, lock_row, transition, unit_of_work
from oa_server.workflow import access as workflow_access
from oa_server.workflow import actions as workflow
from oa_server.workflow.engine import Resume


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody wants to do, in their own words.

    `signed` is the checked signature of a verb that needs one; `read_sha256` names the pages that lay before them when
    they asked to sign.
    """

    verb: str
    opinion: str = ""
    reason: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    signed: Assembled | None = None
    read_sha256: str | None = None


async def standing(actor: Actor, document: OutgoingDocument) -> rules.Standing:
    """How the actor stands to the document now."""
    return rules.Standing(
        open_step=await workflow_access.open_step(actor, document.id),
        handed_over_unread=await workflow_access.nobody_has_read(document.id),
        settled=document.state == OutgoingState.DISPATCHED and await access.is_settled(document.id),
    )


async def act(office: Office, actor: Actor, document_id: UUID, wanted: Act) -> OutgoingDocument:
    """Do one verb. Raises NotFound, Denied with the verb's reason, Conflict, Invalid."""
    document = await access.outgoing_document(actor, document_id)
    rules.check(actor, document, await standing(actor, document), wanted.verb)
    if wanted.verb not in _ACTS:
        raise Invalid(rules.UNKNOWN_VERB, verb=wanted.verb)
    await _ACTS[wanted.verb](office, actor, document, wanted)
    return await access.outgoing_document(actor, document_id)


async def hold(actor: Actor, document_id: UUID, verb: str) -> OutgoingDocument:
    """The document's row, held until the unit ends, after judging the verb once more on what it says now."""
    await lock_row(OutgoingDocument, document_id)
    document = await OutgoingDocument.get(id=document_id)
    rules.check(actor, document, await standing(actor, document), verb)
    return document


async def move(document: OutgoingDocument, before: OutgoingState, after: OutgoingState, **change: Any) -> None:
    """Move the document's row on. Raises Conflict when it is not in the state `before` any more."""
    await transition(
        OutgoingDocument,
        document.id,
        reason=rules.WRONG_STATE,
        expect={"state": before},
        change={"state": after, "row_version": F("row_version") + 1, **change},
    )


async def matter_of(document: OutgoingDocument) -> Matter:
    """What opinions on the document are about: the version that was submitted, not what its rows may hold by now."""
    version = await access.version(document.id, document.version_no)
    signed_along = {"text_sha256": version.text_sha256, "elements": version.elements}
    return Matter(access.OUTGOING, document.id, version.elements["title"], version.pages_sha256, signed_along)


async def _submit(office: Office, actor: Actor, document: OutgoingDocument, _wanted: Act) -> None:
    attached = await _attached(document.id)
    await _check_draft(office, document, attached)
    rendered = await pages.lay_out(office, await pages.compose(document), clock.now())
    rendition = await pages.keep(office, document.id, RenditionKind.REVIEW, rendered)
    elements = await pages.elements(document)
    async with unit_of_work(actor) as work:
        held = await hold(actor, document.id, "submit")
        if held.row_version != document.row_version or await _attached(document.id) != attached:
            raise Conflict(STALE)
        version = await DocumentVersion.create(
            id=new_id(),
            document_id=document.id,
            no=document.version_no,
            elements=elements,
            body=document.body,
            text_sha256=rendered.text_sha256,
            pages_sha256=rendered.sha256,
            author_id=actor.official_id,
            at=work.now,
        )
        await move(
            document,
            OutgoingState.DRAFTING,
            OutgoingState.UNDER_REVIEW,
            pages_sha256=rendered.sha256,
            text_sha256=rendered.text_sha256,
            updated_at=work.now,
        )
        # What is withdrawn and submitted again within a second has the very same pages, which are known by then.
        if await access.known_rendition(document.id, rendition.sha256) is None:
            await rendition.save()
            work.protect(rendition)
        await workflow.complete(work, document.id, "draft", signer=str(document.signer_id))
        work.audit(Verb.SUBMITTED, access.OUTGOING, document.id, rows=[document, version], version=version.no)


async def _check_draft(office: Office, document: OutgoingDocument, attached: Mapping[UUID, str]) -> None:
    """Refuse what the regulation does not let go to review. Raises Invalid, Denied, Conflict."""
    organ = await identity.organ(document.organ_id)
    if not organ.issuing_word:
        raise Denied(rules.NOT_AN_ISSUER)
    recipients = await access.recipients(document.id)
    leads = bool(document.signer_id) and Role.LEADER in await identity.roles_of(document.signer_id, document.organ_id)
    findings = rules.examine(
        document,
        main=access.organs_as(recipients, RecipientRole.MAIN),
        copies=access.organs_as(recipients, RecipientRole.COPY),
        superior_of=await identity.superior_ids() if document.kind in UPWARD_KINDS else {},
        has_text=any(plain(text) for text in _texts(document.body)),
        signer_leads=leads,
    )
    rules.check_complete(findings)
    rules.check_ceiling(Classification(document.classification), office.ceiling)
    await _check_signer_cleared(document)
    await _cleared_clerks(document, recipients)
    rules.check_arrived(attached.values())


async def _check_signer_cleared(document: OutgoingDocument) -> None:
    """Raises Conflict where the signer could not read what is put before them."""
    needed = Classification(document.classification).clearance
    if needed and document.signer_id not in await identity.cleared([document.signer_id], document.organ_id, needed):
        raise Conflict(rules.SIGNER_NOT_CLEARED)


async def _cleared_clerks(document: OutgoingDocument, recipients: Sequence[access.Addressee]) -> dict[UUID, list[UUID]]:
    """Who may know in each recipient that something classified is coming; nobody in particular of what is not.

    Raises Conflict naming the organs where nobody is cleared to sign for it.
    """
    needed = Classification(document.classification).clearance
    if needed is None:
        return {}
    clerks = await identity.cleared_holders(Role.CLERK, [row.organ_id for row in recipients], needed)
    if without := [organ_id for organ_id, cleared in clerks.items() if not cleared]:
        names = await identity.organ_names(without)
        raise Conflict(rules.NOBODY_RECEIVES, organs=[names[organ_id].short_name for organ_id in without])
    return clerks


async def _attached(document_id: UUID) -> dict[UUID, str]:
    """The attachments as the pages name them, and how far each has come."""
    return {file.id: file.state for file in await files.files_of(access.OUTGOING, [document_id])}


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    """Every text of a draft's body."""
    for block in body["content"]:
        if "text" in block:
            yield block["text"]
        yield from (cell for row in block.get("rows", ()) for cell in row)


async def _withdraw(_office: Office, actor: Actor, document: OutgoingDocument, _wanted: Act) -> None:
    async with unit_of_work(actor) as work:
        held = await hold(actor, document.id, "withdraw")
        (source, *_rest) = await workflow_access.open_tasks(document.id)
        await _back_to_draft(work, held, source.step, Resume.REPLAY)
        work.audit(Verb.WITHDRAWN, access.OUTGOING, document.id, rows=[document])


async def _back_to_draft(work: Work, document: OutgoingDocument, source: str, resume: Resume) -> None:
    """A next version begins. A number that was taken stays the document's own; its date comes with the next signing."""
    await workflow.return_to(work, document.id, source, "draft", resume)
    await move(
        document,
        OutgoingState(document.state),
        OutgoingState.DRAFTING,
        version_no=document.version_no + 1,
        doc_date=None,
        updated_at=work.now,
    )


async def _abandon(_office: Office, actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    async with unit_of_work(actor) as work:
        await hold(actor, document.id, "abandon")
        await move(document, OutgoingState.DRAFTING, OutgoingState.ABANDONED, updated_at=work.now)
        await workflow.terminate(work, document.id)
        void = await numbering.give_up(document.id, wanted.reason)
        work.audit(Verb.ABANDONED, access.OUTGOING, document.id, rows=[document, *void], reason=wanted.reason)


async def _agree(_office: Office, actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    """Approve in review, or sign (签发): the opinion is kept with its signature, and the route goes on."""
    async with unit_of_work(actor) as work:
        held = await hold(actor, document.id, wanted.verb)
        opinion = await opinions.keep(work, await matter_of(held), opinions.needed(wanted.signed))
        change: dict[str, Any] = {"updated_at": work.now}
        if wanted.verb == "sign":
            # 成文日期 is the date on which the leader signed (article 9(10)).
            change |= {"doc_date": work.today}
        after = OutgoingState.SIGNED if wanted.verb == "sign" else OutgoingState.UNDER_REVIEW
        await move(document, OutgoingState.UNDER_REVIEW, after, **change)
        await workflow.complete(work, document.id, opinion.step)
        verb = Verb.SIGNED if wanted.verb == "sign" else Verb.APPROVED
        work.audit(
            verb,
            access.OUTGOING,
            document.id,
            rows=[document, opinion],
            step=opinion.step,
            opinion=opinion.id,
            pages_sha256=held.pages_sha256,
        )


async def _return(_office: Office, actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    """Send back to the drafter with a signed reason; the drafter's next version comes the whole way, or straight back."""
    async with unit_of_work(actor) as work:
        held = await hold(actor, document.id, "return")
        # What the leader had signed comes before the leader again, whatever was asked for (article 25(1)).
        may_skip = held.state == OutgoingState.UNDER_REVIEW and wanted.parameters.get("resume") == "direct"
        resume = Resume.DIRECT if may_skip else Resume.REPLAY
        opinion = await opinions.keep(work, await matter_of(held), opinions.needed(wanted.signed))
        await _back_to_draft(work, held, opinion.step, resume)
        work.audit(
            Verb.RETURNED,
            access.OUTGOING,
            document.id,
            rows=[document, opinion],
            step=opinion.step,
            reason=opinion.text,
        )


async def _number(office: Office, actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    """Give the document its number, and freeze it. What is not as it was signed takes no number."""
    await _as_signed(document)
    async with unit_of_work(actor) as work:
        held = await hold(actor, document.id, "number")
        doc_no, entry = await numbering.number_of(work, held.organ_id, held.id)
        await move(document, OutgoingState.SIGNED, OutgoingState.NUMBERED, doc_no=doc_no, updated_at=work.now)
        await workflow.rename(work, document.id, doc_no=doc_no)
        work.audit(Verb.NUMBERED, access.OUTGOING, document.id, rows=[document, entry], doc_no=doc_no)
    # The number is taken now whatever comes; where the store is away, the clerk freezes when it is back.
    with suppress(Unavailable):
        await _freeze(office, actor, await access.outgoing_document(actor, document.id), wanted)


async def _as_signed(document: OutgoingDocument) -> tuple[DocumentLayout, dict[str, Any]]:
    """Layout and elements of a document, which must be what the leader signed (article 25(1)). Raises Conflict."""
    signed = await opinions.issued(document.id)
    elements = await pages.elements(document)
    rules.check_elements(signed["elements"], elements)
    composed = await pages.compose(document)
    rules.check_text(signed["text_sha256"], text_digest(composed))
    return composed, elements


async def _freeze(office: Office, actor: Actor, document: OutgoingDocument, _wanted: Act) -> None:
    """Render the numbered pages once; elements and signed opinions travel inside."""
    composed, elements = await _as_signed(document)
    embedded = [pages.description(document, elements), *await pages.signed_opinions(document)]
    rendered = await pages.lay_out(office, composed, document.updated_at, final=True, embedded=embedded)
    rendition = await pages.keep(office, document.id, RenditionKind.FROZEN, rendered)
    async with unit_of_work(actor) as work:
        await hold(actor, document.id, "freeze")
        await rendition.save()
        await move(
            document, OutgoingState.NUMBERED, OutgoingState.FROZEN, frozen_sha256=rendered.sha256, updated_at=work.now
        )
        await workflow.complete(work, document.id, "numbering")
        work.audit(Verb.FROZEN, access.OUTGOING, document.id, rows=[document, rendition], sha256=rendered.sha256)


async def _seal(office: Office, actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    signed = opinions.needed(wanted.signed)
    frozen = await access.rendition(document.id, RenditionKind.FROZEN, document.frozen_sha256 or "")
    rendition = await pages.keep_sealed(office, frozen, signed.pdf)
    async with unit_of_work(actor) as work:
        await hold(actor, document.id, "seal")
        signature = await signing.keep(work, signed)
        await rendition.save()
        await move(
            document, OutgoingState.FROZEN, OutgoingState.SEALED, sealed_sha256=rendition.sha256, updated_at=work.now
        )
        await workflow.complete(work, document.id, "sealing")
        work.audit(
            Verb.SEALED,
            access.OUTGOING,
            document.id,
            rows=[document, rendition],
            sha256=rendition.sha256,
            signature=signature.id,
        )


async def _dispatch(_office: Office, actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    """Put the sealed document on its way: one consignment and one arrival per recipient, in a few statements."""
    signed = opinions.needed(wanted.signed)
    organ = await identity.organ(document.organ_id)
    async with unit_of_work(actor) as work:
        held = await hold(actor, document.id, "dispatch")
        recipients = await access.recipients(held.id)
        rules.check_recipients(opinions.signed_content(signed)["recipients"], access.addressed(recipients))
        cleared = await _cleared_clerks(held, recipients)
        await signing.keep(work, signed)
        sent = [
            Consignment(
                id=new_id(),
                document_id=held.id,
                organ_id=r.organ_id,
                role=r.role,
                sha256=held.sealed_sha256,
                sent_at=work.now,
            )
            for r in recipients
        ]
        arrived = [_arrival(held, consignment, organ.full_name, work) for consignment in sent]
        await Consignment.bulk_create(sent)
        await IncomingDocument.bulk_create(arrived)
        await move(document, OutgoingState.SEALED, OutgoingState.DISPATCHED, updated_at=work.now)
        await workflow.complete(work, document.id, "dispatching")
        for row in arrived:
            payload = {"id": str(row.id), "title": row.title, "from": organ.full_name, "urgency": row.urgency}
            # Only those who sign for documents may know yet that there is one.
            topics = (
                [f"official:{official}" for official in cleared[row.organ_id]]
                if cleared
                else [f"clerks:{row.organ_id}"]
            )
            for topic in topics:
                work.push(topic, "incoming.arrived", payload)
        work.audit(
            Verb.DISPATCHED,
            access.OUTGOING,
            document.id,
            rows=[document],
            made=[*sent, *arrived],
            recipients=len(sent),
        )


def _arrival(document: OutgoingDocument, consignment: Consignment, source: str, work: Work) -> IncomingDocument:
    return IncomingDocument(
        id=new_id(),
        consignment_id=consignment.id,
        organ_id=consignment.organ_id,
        state=IncomingState.ARRIVED,
        title=document.title,
        doc_no=document.doc_no,
        source_organ=source,
        kind=document.kind,
        urgency=document.urgency,
        classification=document.classification,
        role=consignment.role,
        sha256=document.sealed_sha256,
        arrived_at=work.now,
    )


async def _close(_office: Office, actor: Actor, document: OutgoingDocument, _wanted: Act) -> None:
    async with unit_of_work(actor) as work:
        await hold(actor, document.id, "close")
        await move(document, OutgoingState.DISPATCHED, OutgoingState.CLOSED, updated_at=work.now)
        work.audit(Verb.CLOSED, access.OUTGOING, document.id, rows=[document])


_ACTS: Mapping[str, Callable[[Office, Actor, OutgoingDocument, Act], Awaitable[None]]] = {
    "submit": _submit,
    "withdraw": _withdraw,
    "abandon": _abandon,
    "approve": _agree,
    "sign": _agree,
    "return": _return,
    "number": _number,
    "freeze": _freeze,
    "seal": _seal,
    "dispatch": _dispatch,
    "close": _close,
}
