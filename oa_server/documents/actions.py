"""The verbs of an outgoing document, from its draft to its closing.

Each verb: door → rule → change → audit entry → workflow. What takes long — laying out, object store, timestamps — is done
before the transaction opens; inside it the document's row is held and judged again, so of two who act at once one wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from crypto.canonical import canonical_json, parse_canonical
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import STALE, Conflict, Denied, Invalid, PreconditionFailed
from oa_server.core.ids import new_id
from oa_server.documents import access, numbering, pages, rules
from oa_server.documents.events import DocumentDispatched
from oa_server.documents.layout.model import text_digest
from oa_server.documents.models import (
    Consignment,
    DocumentVersion,
    IncomingDocument,
    Opinion,
    OutgoingDocument,
    Recipient,
)
from oa_server.documents.office import Office
from oa_server.documents.schemas import Body, Elements
from oa_server.documents.states import (
    Classification,
    IncomingState,
    OutgoingState,
    RecipientRole,
    RenditionKind,
)
from oa_server.files import access as files
from oa_server.files.models import FileState
from oa_server.identity import access as identity
from oa_server.signing import access as signing_access
from oa_server.signing import actions as signing
from oa_server.signing.actions import Asked, Assembled, KeyChoice, Purpose
from oa_server.storage.fields import F
from oa_server.storage.unit_of_work import Work, lock_row, transition, unit_of_work
from oa_server.workflow import access as workflow_access
from oa_server.workflow import actions as workflow
from oa_server.workflow.engine import Resume

STEP_TITLES = {"unit_review": "部门审核", "office_review": "办公室核稿", "signing": "签发"}
DECISIONS = {"approve": "agree", "return": "return", "sign": "issue"}
ORGANS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody wants to do, in their own words; `signed` is the checked signature of a verb that needs one."""

    verb: str
    opinion: str = ""
    reason: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    signed: Assembled | None = None


async def standing(actor: Actor, document: OutgoingDocument) -> rules.Standing:
    """How the actor stands to the document now."""
    return rules.Standing(
        open_step=await workflow_access.open_step(actor, document.id),
        handed_over_unread=await workflow_access.nobody_has_read(document.id),
        settled=document.state == OutgoingState.DISPATCHED and await access.is_settled(document.id),
    )


# --- drafting -------------------------------------------------------------------------------------------------------


async def draft(office: Office, actor: Actor, elements: Elements, body: Body) -> OutgoingDocument:
    """Begin an outgoing document. Raises Invalid above the ceiling, Denied for who has no unit."""
    rules.check_ceiling(Classification(elements.classification), office.ceiling)
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
            access.OUTGOING, document.id, organ.id, document.title or "（无标题）", actor.name, document.urgency
        )
        facts = {"drafter": str(actor.official_id), "unit": str(actor.unit_id)}
        await workflow.start(work, "outgoing", subject, facts)
        work.audit(
            Verb.DRAFTED,
            access.OUTGOING,
            document.id,
            rows=[document, *recipients],
            kind=document.kind,
            title=document.title,
        )
    return document


async def revise(
    office: Office, actor: Actor, document_id: UUID, etag: str, elements: Elements | None, body: Body | None
) -> OutgoingDocument:
    """Change a draft. Raises PreconditionFailed when it has changed since `etag` was read; nothing is lost then."""
    document = await access.outgoing_document(actor, document_id)
    if elements is not None:
        rules.check_ceiling(Classification(elements.classification), office.ceiling)
    async with unit_of_work(actor) as work:
        document = await _held(actor, document.id, "edit")
        if etag != etag_of(document):
            raise PreconditionFailed(STALE)
        change: dict[str, Any] = columns(elements) if elements is not None else {}
        if body is not None:
            change["body"] = msgspec.to_builtins(body)
        await _move(document, OutgoingState.DRAFTING, OutgoingState.DRAFTING, updated_at=work.now, **change)
        fresh, gone = await _set_recipients(document.id, elements) if elements is not None else ([], [])
        if elements is not None:
            await workflow.rename(work, document.id, title=elements.title or "（无标题）", urgency=elements.urgency)
        work.audit(
            Verb.REVISED,
            access.OUTGOING,
            document.id,
            rows=[document, *fresh],
            removed=gone,
            version=document.version_no,
        )
    return await access.outgoing_document(actor, document_id)


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
        "title": elements.title.strip(),
        "signer_id": elements.signer_id,
        "note": elements.note,
        "publicity": elements.publicity,
        "printing_organ": elements.printing_organ,
    }


async def _set_recipients(document_id: UUID, elements: Elements) -> tuple[list[Recipient], list[Recipient]]:
    """Make the distribution list what the elements say; an organ named twice stays where it was named first.

    Returns the rows that are new and those that are gone: both empty when the list is as it was.
    """
    wanted = dict.fromkeys(elements.main_recipients, RecipientRole.MAIN)
    for organ_id in elements.copies_to:
        wanted.setdefault(organ_id, RecipientRole.COPY)
    known = await identity.organs_by_id(list(wanted))
    listed = [(organ_id, role) for organ_id, role in wanted.items() if organ_id in known]
    before = await Recipient.filter(document_id=document_id).order_by("position")
    if [(row.organ_id, row.role) for row in before] == listed:
        return [], []
    await Recipient.filter(document_id=document_id).delete()
    rows = [
        Recipient(id=new_id(), document_id=document_id, organ_id=organ_id, role=role, position=position)
        for position, (organ_id, role) in enumerate(listed)
    ]
    await Recipient.bulk_create(rows)
    return rows, before


# --- acts -----------------------------------------------------------------------------------------------------------


async def act(office: Office, actor: Actor, document_id: UUID, wanted: Act) -> OutgoingDocument:  # noqa: C901
    """Do one verb: a table of verbs in the form of a match. Raises NotFound, Denied with the verb's reason, Conflict, Invalid."""
    document = await access.outgoing_document(actor, document_id)
    rules.check(actor, document, await standing(actor, document), wanted.verb)
    match wanted.verb:
        case "submit":
            await _submit(office, actor, document)
        case "withdraw":
            await _withdraw(actor, document)
        case "abandon":
            await _abandon(actor, document)
        case "approve" | "sign":
            await _agree(actor, document, wanted)
        case "return":
            await _return(actor, document, wanted)
        case "number":
            await _number(actor, document)
            await _freeze(office, actor, await access.outgoing_document(actor, document_id))
        case "freeze":
            await _freeze(office, actor, document)
        case "seal":
            await _seal(office, actor, document, wanted)
        case "dispatch":
            await _dispatch(actor, document, wanted)
        case "close":
            await _close(actor, document)
        case _:
            raise Denied(rules.WRONG_STATE)
    return await access.outgoing_document(actor, document_id)


async def _held(actor: Actor, document_id: UUID, verb: str) -> OutgoingDocument:
    """The document's row, held until the unit ends, after judging the verb once more on what it says now."""
    await lock_row(OutgoingDocument, document_id)
    document = await OutgoingDocument.get(id=document_id)
    rules.check(actor, document, await standing(actor, document), verb)
    return document


async def _move(document: OutgoingDocument, before: OutgoingState, after: OutgoingState, **change: Any) -> None:
    await transition(
        OutgoingDocument,
        document.id,
        reason=rules.WRONG_STATE,
        expect={"state": before},
        change={"state": after, "row_version": F("row_version") + 1, **change},
    )


async def _submit(office: Office, actor: Actor, document: OutgoingDocument) -> None:
    recipients = await access.recipients(document.id)
    main = access.organs_as(recipients, RecipientRole.MAIN)
    copies = access.organs_as(recipients, RecipientRole.COPY)
    await _check_draft(document, main, copies)
    composed = await pages.compose(document)
    rendered = await pages.lay_out(office, composed, clock.now())
    rendition = await pages.keep(office, document.id, RenditionKind.REVIEW, rendered)
    elements = pages.elements_of(document, main=main, copies=copies)
    async with unit_of_work(actor) as work:
        held = await _held(actor, document.id, "submit")
        if held.row_version != document.row_version:
            raise Conflict(STALE)
        await rendition.save()
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
        await _move(
            document,
            OutgoingState.DRAFTING,
            OutgoingState.UNDER_REVIEW,
            pages_sha256=rendered.sha256,
            text_sha256=rendered.text_sha256,
            updated_at=work.now,
        )
        await workflow.complete(work, document.id, "draft", signer=str(document.signer_id))
        work.audit(
            Verb.SUBMITTED, access.OUTGOING, document.id, rows=[document, rendition, version], version=version.no
        )


async def _check_draft(document: OutgoingDocument, main: Sequence[UUID], copies: Sequence[UUID]) -> None:
    has_text = any(block.get("text", "").strip() or block.get("rows") for block in document.body["content"])
    rules.check_complete(rules.examine(document, main=main, copies=copies, has_text=has_text))
    organ = await identity.organ(document.organ_id)
    if not organ.issuing_word:
        raise Denied(rules.NOT_AN_ISSUER)
    attached = await files.files_of("outgoing", [document.id])
    if any(file.state == FileState.UPLOADING for file in attached):
        raise Conflict(rules.FILES_UPLOADING)


async def _withdraw(actor: Actor, document: OutgoingDocument) -> None:
    async with unit_of_work(actor) as work:
        await _held(actor, document.id, "withdraw")
        (source, *_rest) = await workflow_access.open_tasks(document.id)
        await _back_to_draft(work, document, source.step, Resume.REPLAY)
        work.audit(Verb.WITHDRAWN, access.OUTGOING, document.id, rows=[document])


async def _back_to_draft(work: Work, document: OutgoingDocument, source: str, resume: Resume) -> None:
    await workflow.return_to(work, document.id, source, "draft", resume)
    await _move(
        document,
        OutgoingState.UNDER_REVIEW,
        OutgoingState.DRAFTING,
        version_no=document.version_no + 1,
        updated_at=work.now,
    )


async def _abandon(actor: Actor, document: OutgoingDocument) -> None:
    async with unit_of_work(actor) as work:
        await _held(actor, document.id, "abandon")
        await _move(document, OutgoingState.DRAFTING, OutgoingState.ABANDONED, updated_at=work.now)
        await workflow.terminate(work, document.id)
        work.audit(Verb.ABANDONED, access.OUTGOING, document.id, rows=[document])


async def _agree(actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    """Approve in review, or sign (签发): the opinion is kept with its signature, and the route goes on."""
    async with unit_of_work(actor) as work:
        held = await _held(actor, document.id, wanted.verb)
        opinion = await keep_opinion(work, held, wanted)
        change: dict[str, Any] = {"updated_at": work.now}
        if wanted.verb == "sign":
            # 成文日期 is the date on which the leader signed (article 9(10)).
            change |= {"doc_date": work.now.astimezone(OFFICE_ZONE).date()}
        after = OutgoingState.SIGNED if wanted.verb == "sign" else OutgoingState.UNDER_REVIEW
        await _move(document, OutgoingState.UNDER_REVIEW, after, **change)
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


async def _return(actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    """Send back to the drafter with a signed reason; the drafter's next version comes the whole way, or straight back."""
    resume = Resume.DIRECT if wanted.parameters.get("resume") == "direct" else Resume.REPLAY
    async with unit_of_work(actor) as work:
        held = await _held(actor, document.id, "return")
        opinion = await keep_opinion(work, held, wanted)
        await _back_to_draft(work, document, opinion.step, resume)
        work.audit(
            Verb.RETURNED,
            access.OUTGOING,
            document.id,
            rows=[document, opinion],
            step=opinion.step,
            reason=wanted.reason,
        )


async def keep_opinion(work: Work, document: OutgoingDocument, wanted: Act) -> Opinion:
    """Store the signed opinion, if what it signs is still what stands: these pages, after that last opinion."""
    signed = signature_of(wanted)
    content = parse_canonical(bytes(signed.request.content))
    previous = await last_opinion_sha256(access.OUTGOING, document.id)
    if content["pages_sha256"] != document.pages_sha256 or content["previous"] != previous:
        raise Conflict(rules.PAGES_CHANGED)
    signature = await signing.keep(work, signed)
    return await Opinion.create(
        id=new_id(),
        subject_type=access.OUTGOING,
        subject_id=document.id,
        step=content["step"],
        step_title=STEP_TITLES[content["step"]],
        official_id=work.actor.official_id,
        actor_name=work.actor.name,
        organ_name=content["actor"]["organ"],
        decision=content["decision"],
        text=content["text"],
        at=work.now,
        signature_id=signature.id,
    )


async def last_opinion_sha256(subject_type: str, subject_id: UUID) -> str | None:
    """The digest of the last opinion's signed content: the link that the next opinion signs."""
    opinions = await access.opinions(subject_type, subject_id)
    if not opinions:
        return None
    last = opinions[-1].signature_id
    digest: str = (await signing_access.signatures([last]))[last].content_sha256
    return digest


def signature_of(wanted: Act) -> Assembled:
    """The checked signature that a verb must come with. Raises Invalid."""
    if wanted.signed is None:
        raise Invalid(rules.SIGNATURE_NEEDED)
    return wanted.signed


async def _number(actor: Actor, document: OutgoingDocument) -> None:
    async with unit_of_work(actor) as work:
        held = await _held(actor, document.id, "number")
        doc_no, entry = await numbering.next_number(work, held.organ_id, held.id)
        await _move(document, OutgoingState.SIGNED, OutgoingState.NUMBERED, doc_no=doc_no, updated_at=work.now)
        await workflow.rename(work, document.id, doc_no=doc_no)
        work.audit(Verb.NUMBERED, access.OUTGOING, document.id, rows=[document, entry], doc_no=doc_no)


async def _freeze(office: Office, actor: Actor, document: OutgoingDocument) -> None:
    """Render the numbered pages once. The text must be what the leader signed; the opinions travel inside."""
    recipients = await access.recipients(document.id)
    main = access.organs_as(recipients, RecipientRole.MAIN)
    copies = access.organs_as(recipients, RecipientRole.COPY)
    composed = await pages.compose(document)
    rules.check_text(document.text_sha256, text_digest(composed))
    described = pages.description(document, pages.elements_of(document, main=main, copies=copies))
    embedded = [described, *await pages.signed_opinions(document)]
    rendered = await pages.lay_out(office, composed, document.updated_at, final=True, embedded=embedded)
    rendition = await pages.keep(office, document.id, RenditionKind.FROZEN, rendered)
    async with unit_of_work(actor) as work:
        await _held(actor, document.id, "freeze")
        await rendition.save()
        await _move(
            document, OutgoingState.NUMBERED, OutgoingState.FROZEN, frozen_sha256=rendered.sha256, updated_at=work.now
        )
        await workflow.complete(work, document.id, "numbering")
        work.audit(Verb.FROZEN, access.OUTGOING, document.id, rows=[document, rendition], sha256=rendered.sha256)


async def _seal(office: Office, actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    signed = signature_of(wanted)
    frozen = await access.rendition(document.id, RenditionKind.FROZEN, document.frozen_sha256 or "")
    rendition = await pages.keep_sealed(office, frozen, signed.pdf)
    async with unit_of_work(actor) as work:
        await _held(actor, document.id, "seal")
        signature = await signing.keep(work, signed)
        await rendition.save()
        await _move(
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


async def _dispatch(actor: Actor, document: OutgoingDocument, wanted: Act) -> None:
    """Put the sealed document on its way: one consignment and one arrival per recipient, in a few statements."""
    signed = signature_of(wanted)
    recipients = await access.recipients(document.id)
    organ = await identity.organ(document.organ_id)
    async with unit_of_work(actor) as work:
        held = await _held(actor, document.id, "dispatch")
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
        await _move(document, OutgoingState.SEALED, OutgoingState.DISPATCHED, updated_at=work.now)
        await workflow.complete(work, document.id, "dispatching")
        for row in arrived:
            payload = {"id": str(row.id), "title": row.title, "from": organ.full_name, "urgency": row.urgency}
            work.push(f"organ:{row.organ_id}", "incoming.arrived", payload)
        await work.announce(DocumentDispatched(document.id, len(sent)))
        work.audit(
            Verb.DISPATCHED, access.OUTGOING, document.id, rows=[document, *sent, *arrived], recipients=len(sent)
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


async def _close(actor: Actor, document: OutgoingDocument) -> None:
    async with unit_of_work(actor) as work:
        await _held(actor, document.id, "close")
        await _move(document, OutgoingState.DISPATCHED, OutgoingState.CLOSED, updated_at=work.now)
        work.audit(Verb.CLOSED, access.OUTGOING, document.id, rows=[document])


# --- asking for a signature -------------------------------------------------------------------------------------------


async def ask(office: Office, actor: Actor, document_id: UUID, wanted: Act, key: KeyChoice) -> Asked:
    """Prepare what `wanted` needs signed, after judging it: nobody signs what would then be refused."""
    document = await access.outgoing_document(actor, document_id)
    at = await standing(actor, document)
    rules.check(actor, document, at, wanted.verb)
    if wanted.verb == "seal":
        return await _ask_seal(office, actor, document, key)
    if wanted.verb == "dispatch":
        return await _ask_dispatch(office, actor, document, key)
    if wanted.verb not in DECISIONS:
        raise Denied(rules.WRONG_STATE)
    text = wanted.reason if wanted.verb == "return" else wanted.opinion
    if not text.strip():
        raise Invalid(rules.REASON_NEEDED if wanted.verb == "return" else rules.OPINION_NEEDED)
    content = await _opinion_content(actor, document, at.open_step or "", wanted.verb, text)
    title = {"approve": "审核同意", "return": "退回", "sign": "签发"}[wanted.verb]
    lines = (document.title, f"意见：{text}", f"环节：{STEP_TITLES[at.open_step or 'signing']}")
    purpose = Purpose(wanted.verb, access.OUTGOING, document.id, title, lines)
    return await office.signing.request_signature(actor, purpose, content, key)


async def _opinion_content(actor: Actor, document: OutgoingDocument, step: str, verb: str, text: str) -> dict[str, Any]:
    recipients = await access.recipients(document.id)
    elements = pages.elements_of(
        document,
        main=access.organs_as(recipients, RecipientRole.MAIN),
        copies=access.organs_as(recipients, RecipientRole.COPY),
    )
    return {
        "type": "oa/opinion/1",
        "document": str(document.id),
        "title": document.title,
        "step": step,
        "decision": DECISIONS[verb],
        "text": text,
        "pages_sha256": document.pages_sha256,
        "text_sha256": document.text_sha256,
        "elements_sha256": sha256(canonical_json(elements)).hexdigest(),
        "previous": await last_opinion_sha256(access.OUTGOING, document.id),
        "actor": await actor_content(actor),
        "at": clock.now().isoformat(timespec="seconds"),
    }


async def actor_content(actor: Actor) -> dict[str, Any]:
    """Who signs, as the signed content names them."""
    assert actor.organ_id is not None
    organ = await identity.organ(actor.organ_id)
    return {"id": str(actor.official_id), "name": actor.name, "organ": organ.full_name}


async def _ask_seal(office: Office, actor: Actor, document: OutgoingDocument, key: KeyChoice) -> Asked:
    frozen = await access.rendition(document.id, RenditionKind.FROZEN, document.frozen_sha256 or "")
    pdf = await office.store.get(pages.pages_key(frozen.sha256))
    organ = await identity.organ(document.organ_id)
    lines = (document.title, f"发文字号：{document.doc_no}", f"印章：{organ.full_name}")
    purpose = Purpose("seal", access.OUTGOING, document.id, "用印", lines)
    box = [edge / 100 for edge in frozen.seal_box]
    return await office.signing.request_seal(actor, purpose, pdf, document.organ_id, key, box, frozen.seal_page)


async def _ask_dispatch(office: Office, actor: Actor, document: OutgoingDocument, key: KeyChoice) -> Asked:
    recipients = await access.recipients(document.id)
    organs = await identity.organs_by_id([r.organ_id for r in recipients])
    content = {
        "type": "oa/dispatch/1",
        "document": str(document.id),
        "doc_no": document.doc_no,
        "title": document.title,
        "sha256": document.sealed_sha256,
        "recipients": [{"organ": str(r.organ_id), "role": r.role} for r in recipients],
        "actor": await actor_content(actor),
        "at": clock.now().isoformat(timespec="seconds"),
    }
    names = "、".join(organs[r.organ_id].short_name for r in recipients[:ORGANS_SHOWN] if r.organ_id in organs)
    more = f"等{len(recipients)}个机关" if len(recipients) > ORGANS_SHOWN else ""
    lines = (document.title, f"发文字号：{document.doc_no}", f"发往：{names}{more}")
    purpose = Purpose("dispatch", access.OUTGOING, document.id, "分发", lines)
    return await office.signing.request_signature(actor, purpose, content, key)
