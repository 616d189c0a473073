"""The verbs of an incoming document, from its arrival to its closing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Invalid
from oa_server.documents import access, numbering, opinions, rules
from oa_server.documents.actions import Act
from oa_server.documents.models import IncomingDocument
from oa_server.documents.office import Office
from oa_server.documents.opinions import Matter
from oa_server.documents.states import Classification, IncomingState, RefusalCode
from oa_server.identity import access as identity
from oa_server.signing import actions as signing
from oa_server.signing.actions import Asked, KeyChoice, Purpose
from oa_server.storage.unit_of_work import Work, lock_row, transition, unit_of_work
from oa_server.workflow import access as workflow_access
from oa_server.workflow import actions as workflow

STEPS = {"instruct": "instruct", "finish": "handle"}


async def standing(actor: Actor, document: IncomingDocument) -> rules.Standing:
    """How the actor stands to the document now."""
    return rules.Standing(open_step=await workflow_access.open_step(actor, document.id))


def etag_of(document: IncomingDocument) -> str:
    return f"{document.state}"


async def act(actor: Actor, document_id: UUID, wanted: Act) -> IncomingDocument:
    """Do one verb. Raises NotFound, Denied with the verb's reason, Conflict, Invalid."""
    document = await access.incoming_document(actor, document_id)
    rules.check_incoming(actor, document, await standing(actor, document), wanted.verb)
    async with unit_of_work(actor) as work:
        await lock_row(IncomingDocument, document_id)
        held = await IncomingDocument.get(id=document_id)
        move = rules.check_incoming(actor, held, await standing(actor, held), wanted.verb)
        await _VERBS[wanted.verb](work, held, move, wanted)
        await _tell_sender(work, held, move)
    return await access.incoming_document(actor, document_id)


async def _move(document: IncomingDocument, move: rules.IncomingMove, **change: Any) -> None:
    await transition(
        IncomingDocument,
        document.id,
        reason=rules.ALREADY_SIGNED_FOR,
        expect={"state": move.state},
        change={"state": move.next, **change},
    )


async def _tell_sender(work: Work, document: IncomingDocument, move: rules.IncomingMove) -> None:
    """The sender's board fills in, and the receiver's own list moves."""
    document_id = await access.document_of(document)
    source = await access.sender_of(document_id)
    payload = {"document_id": str(document_id), "organ_id": str(document.organ_id), "state": move.next}
    work.push(f"organ:{source}", "consignment.changed", payload)
    work.push(f"organ:{document.organ_id}", "incoming.changed", {"id": str(document.id), "state": move.next})


async def _sign_for(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    signed = opinions.needed(wanted.signed)
    document_id = await access.document_of(document)
    content = opinions.signed_content(signed)
    rules.check_attachments(content["attachments"], await access.attachments(document_id))
    receipt = await signing.keep(work, signed)
    await _move(document, move, signed_for_at=work.now, signed_for_by=work.actor.name, receipt_id=receipt.id)
    subject = workflow.Subject(
        access.INCOMING,
        document.id,
        document.organ_id,
        document.title,
        document.source_organ,
        document.urgency,
        document.doc_no,
        Classification(document.classification).clearance,
    )
    await workflow.start(work, "incoming", subject, {})
    work.audit(Verb.SIGNED_FOR, access.INCOMING, document.id, rows=[document], sha256=document.sha256)


async def _refuse(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    signed = opinions.needed(wanted.signed)
    content = opinions.signed_content(signed)
    receipt = await signing.keep(work, signed)
    await _move(
        document,
        move,
        signed_for_at=work.now,
        signed_for_by=work.actor.name,
        receipt_id=receipt.id,
        refusal_code=content["code"],
        refusal_text=content["text"],
    )
    work.audit(Verb.REFUSED, access.INCOMING, document.id, rows=[document], code=content["code"])


async def _register(work: Work, document: IncomingDocument, move: rules.IncomingMove, _wanted: Act) -> None:
    receive_no = await numbering.next_receive_number(work, document.organ_id)
    await _move(document, move, receive_no=receive_no)
    await workflow.complete(work, document.id, "register")
    work.audit(Verb.REGISTERED, access.INCOMING, document.id, rows=[document], receive_no=receive_no)


async def _propose(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    leader = chosen(wanted, "leader_id")
    if Role.LEADER not in await identity.roles_of(leader, document.organ_id):
        raise Invalid(rules.CHOSEN_NOT_LEADER)
    await _move(document, move, leader_id=leader, proposal=wanted.opinion)
    await workflow.complete(work, document.id, "propose", leader=str(leader))
    work.audit(Verb.PROPOSED, access.INCOMING, document.id, rows=[document], leader=leader)


async def _instruct(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    opinion = await opinions.keep(work, await _matter_of(document), opinions.needed(wanted.signed))
    await _move(document, move)
    await workflow.complete(work, document.id, "instruct")
    work.audit(Verb.INSTRUCTED, access.INCOMING, document.id, rows=[document, opinion], opinion=opinion.id)


async def _assign(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    unit = await identity.unit(chosen(wanted, "unit_id"))
    if unit.organ_id != document.organ_id:
        raise Invalid(rules.CHOSEN_FOREIGN_UNIT)
    await _move(document, move, unit_id=unit.id)
    await workflow.complete(work, document.id, "assign", unit=str(unit.id))
    work.audit(Verb.ASSIGNED, access.INCOMING, document.id, rows=[document], unit=unit.name)


async def _finish(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    opinion = await opinions.keep(work, await _matter_of(document), opinions.needed(wanted.signed))
    await _move(document, move)
    await workflow.complete(work, document.id, "handle")
    work.audit(Verb.HANDLED, access.INCOMING, document.id, rows=[document, opinion], opinion=opinion.id)


async def _close(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    await _move(document, move, result=wanted.opinion, closed_at=work.now)
    if document.state == IncomingState.HANDLED:
        await workflow.complete(work, document.id, "close")
    else:
        await workflow.terminate(work, document.id)
    work.audit(Verb.INCOMING_CLOSED, access.INCOMING, document.id, rows=[document], result=wanted.opinion)


_VERBS = {
    "sign_for": _sign_for,
    "refuse": _refuse,
    "register": _register,
    "propose": _propose,
    "instruct": _instruct,
    "assign": _assign,
    "finish": _finish,
    "close": _close,
}


def chosen(wanted: Act, name: str) -> UUID:
    """The official or unit that the act names. Raises Invalid."""
    try:
        return UUID(str(wanted.parameters.get(name, "")))
    except ValueError:
        raise Invalid(rules.NO_CHOICE) from None


async def _matter_of(document: IncomingDocument) -> Matter:
    """What opinions on the document are about: the sealed pages that came, and what was registered of them."""
    elements = {
        "kind": document.kind,
        "title": document.title,
        "urgency": document.urgency,
        "classification": document.classification,
        "doc_no": document.doc_no,
        "source_organ": document.source_organ,
        "role": document.role,
        "receive_no": document.receive_no,
        "proposal": document.proposal,
        "attachments": await access.attachments(await access.document_of(document)),
    }
    return Matter(access.INCOMING, document.id, document.title, document.sha256, {"elements": elements})


async def ask(office: Office, actor: Actor, document_id: UUID, wanted: Act, key: KeyChoice) -> Asked:
    """Prepare the receipt, refusal or opinion that the actor is to sign."""
    document = await access.incoming_document(actor, document_id)
    rules.check_incoming(actor, document, await standing(actor, document), wanted.verb)
    match wanted.verb:
        case "sign_for":
            content, title, lines = await _receipt(actor, document)
        case "refuse":
            content, title, lines = await _refusal(actor, document, wanted)
        case "instruct" | "finish":
            content, title, lines = await _opinion(actor, document, wanted)
        case _:
            raise Invalid(rules.NOTHING_TO_SIGN)
    purpose = Purpose(wanted.verb, access.INCOMING, document.id, title, lines)
    return await office.signing.request_signature(actor, purpose, content, key)


Prepared = tuple[dict[str, Any], str, tuple[str, ...]]


async def _receipt(actor: Actor, document: IncomingDocument) -> Prepared:
    """A receipt over the digests of everything that arrived, which must be what the leader of the sender signed."""
    document_id = await access.document_of(document)
    attachments = await access.attachments(document_id)
    issued = await opinions.issued(document_id)
    rules.check_attachments(issued["elements"]["attachments"], attachments)
    content = await _arrival(actor, document, attachments) | {"decision": "signed_for"}
    return content, "签收", _lines(document)


async def _refusal(actor: Actor, document: IncomingDocument, wanted: Act) -> Prepared:
    """A refusal is a receipt too, over what arrived as it arrived, with its coded reason."""
    code = refusal_code(wanted)
    rules.check_refusal(wanted.reason)
    attachments = await access.attachments(await access.document_of(document))
    content = await _arrival(actor, document, attachments)
    content |= {"decision": "refused", "code": code.value, "text": wanted.reason}
    return content, "拒收", (*_lines(document), f"拒收原因：{code.title_zh}　{wanted.reason}")


def refusal_code(wanted: Act) -> RefusalCode:
    """The coded reason of a refusal. Raises Invalid."""
    try:
        return RefusalCode(wanted.parameters.get("code", ""))
    except ValueError:
        raise Invalid(rules.UNKNOWN_REFUSAL) from None


async def _arrival(actor: Actor, document: IncomingDocument, attachments: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "oa/receipt/1",
        "consignment": str(document.consignment_id),
        "doc_no": document.doc_no,
        "title": document.title,
        "sha256": document.sha256,
        "attachments": attachments,
        "actor": await opinions.actor_content(actor),
        "at": clock.now().isoformat(timespec="seconds"),
    }


def _lines(document: IncomingDocument) -> tuple[str, ...]:
    return document.title, f"发文字号：{document.doc_no}", f"来文机关：{document.source_organ}"


async def _opinion(actor: Actor, document: IncomingDocument, wanted: Act) -> Prepared:
    content = await opinions.content_of(
        actor, await _matter_of(document), verb=wanted.verb, step=STEPS[wanted.verb], text=wanted.opinion
    )
    return content, opinions.REQUEST_TITLES[wanted.verb], (document.title, f"意见：{wanted.opinion}")
