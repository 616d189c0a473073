"""Asking for a signature on an outgoing document: the bytes are prepared here, the key agent signs, `actions.act` keeps.

Whoever could not do the verb is not asked to sign for it; what is asked is shown in the agent's own window.
"""

from __future__ import annotations

from uuid import UUID

from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import Invalid
from oa_server.documents import access, opinions, pages, rules
from oa_server.documents.actions import Act, matter_of, standing
from oa_server.documents.models import OutgoingDocument
from oa_server.documents.office import Office
from oa_server.documents.states import RenditionKind
from oa_server.identity import access as identity
from oa_server.signing.actions import Asked, KeyChoice, Purpose

ORGANS_SHOWN = 8


async def ask(office: Office, actor: Actor, document_id: UUID, wanted: Act, key: KeyChoice) -> Asked:
    """Prepare what `wanted` needs signed, after judging it. Raises as `actions.act` would, and for a bad certificate."""
    document = await access.outgoing_document(actor, document_id)
    at = await standing(actor, document)
    rules.check(actor, document, at, wanted.verb)
    match wanted.verb:
        case "seal":
            return await _ask_seal(office, actor, document, key)
        case "dispatch":
            return await _ask_dispatch(office, actor, document, key)
        case "approve" | "sign" | "return":
            return await _ask_opinion(office, actor, document, wanted, at.open_step or "", key)
    raise Invalid(rules.NOTHING_TO_SIGN)


async def _ask_opinion(
    office: Office, actor: Actor, document: OutgoingDocument, wanted: Act, step: str, key: KeyChoice
) -> Asked:
    matter = await matter_of(document)
    rules.check_read(wanted.read_sha256, matter.pages_sha256)
    if wanted.verb != "return":
        rules.check_elements(matter.also["elements"], await pages.elements(document))
    text = wanted.reason if wanted.verb == "return" else wanted.opinion
    content = await opinions.content_of(actor, matter, verb=wanted.verb, step=step, text=text)
    lines = (document.title, f"意见：{text}", f"环节：{opinions.STEP_TITLES[step]}")
    title = opinions.REQUEST_TITLES[wanted.verb]
    purpose = Purpose(wanted.verb, access.OUTGOING, document.id, title, lines)
    return await office.signing.request_signature(actor, purpose, content, key)


async def _ask_seal(office: Office, actor: Actor, document: OutgoingDocument, key: KeyChoice) -> Asked:
    frozen = await access.rendition(document.id, RenditionKind.FROZEN, document.frozen_sha256 or "")
    pdf = await office.store.get(pages.pages_key(frozen.sha256))
    organ = await identity.organ(document.organ_id)
    lines = (document.title, f"发文字号：{document.doc_no}", f"印章：{organ.full_name}")
    purpose = Purpose("seal", access.OUTGOING, document.id, "用印", lines)
    box = [edge / 100 for edge in frozen.seal_box]
    return await office.signing.request_seal(actor, purpose, pdf, document.organ_id, key, box, frozen.seal_page)


async def _ask_dispatch(office: Office, actor: Actor, document: OutgoingDocument, key: KeyChoice) -> Asked:
    signed, elements = await opinions.issued(document.id), await pages.elements(document)
    rules.check_attachments(signed["elements"]["attachments"], elements["attachments"])
    rules.check_elements(signed["elements"], elements)
    recipients = await access.recipients(document.id)
    organs = await identity.organ_names([r.organ_id for r in recipients])
    content = {
        "type": "oa/dispatch/1",
        "document": str(document.id),
        "doc_no": document.doc_no,
        "title": document.title,
        "sha256": document.sealed_sha256,
        "attachments": elements["attachments"],
        "recipients": access.addressed(recipients),
        "actor": await opinions.actor_content(actor),
        "at": clock.now().isoformat(timespec="seconds"),
    }
    names = "、".join(organs[r.organ_id].short_name for r in recipients[:ORGANS_SHOWN] if r.organ_id in organs)
    more = f"等{len(recipients)}个机关" if len(recipients) > ORGANS_SHOWN else ""
    lines = (document.title, f"发文字号：{document.doc_no}", f"发往：{names}{more}")
    purpose = Purpose("dispatch", access.OUTGOING, document.id, "分发", lines)
    return await office.signing.request_signature(actor, purpose, content, key)
