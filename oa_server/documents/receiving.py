"""The verbs of an incoming document, from its arrival to its closing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Denied, Invalid, Reason
from oa_server.core.ids import new_id
from oa_server.documents import access, numbering, rules
from oa_server.documents.actions import Act, actor_content, last_opinion_sha256, signature_of
from oa_server.documents.events import DocumentRefused, DocumentSignedFor
from oa_server.documents.models import Consignment, IncomingDocument, Opinion
from oa_server.documents.office import Office
from oa_server.documents.states import IncomingState, RefusalCode
from oa_server.identity import access as identity
from oa_server.signing import actions as signing
from oa_server.signing.actions import Asked, Assembled, KeyChoice, Purpose
from oa_server.storage.unit_of_work import Work, lock_row, transition, unit_of_work
from oa_server.workflow import access as workflow_access
from oa_server.workflow import actions as workflow

STEPS = {"instruct": ("instruct", "批示", "instruct"), "finish": ("handle", "承办", "handled")}
NO_CHOICE = Reason("documents.no_choice", "请选择下一环节的人员或部门", "Choose who comes next.")
UNKNOWN_REFUSAL = Reason("documents.unknown_refusal", "请选择拒收原因", "Choose a reason for refusing.")


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
    consignment = await Consignment.get(id=document.consignment_id)
    source = await access.sender_of(consignment.document_id)
    payload = {"document_id": str(consignment.document_id), "organ_id": str(document.organ_id), "state": move.next}
    work.push(f"organ:{source}", "consignment.changed", payload)
    work.push(f"organ:{document.organ_id}", "incoming.changed", {"id": str(document.id), "state": move.next})


async def _sign_for(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    receipt = await signing.keep(work, signature_of(wanted))
    await _move(document, move, signed_for_at=work.now, signed_for_by=work.actor.name, receipt_id=receipt.id)
    subject = workflow.Subject(
        access.INCOMING,
        document.id,
        document.organ_id,
        document.title,
        document.source_organ,
        document.urgency,
        document.doc_no,
    )
    await workflow.start(work, "incoming", subject, {})
    consignment = await Consignment.get(id=document.consignment_id)
    await work.announce(DocumentSignedFor(consignment.document_id, document.organ_id))
    work.audit(Verb.SIGNED_FOR, access.INCOMING, document.id, rows=[document], sha256=document.sha256)


async def _refuse(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    receipt = await signing.keep(work, signature_of(wanted))
    code = refusal_code(wanted)
    await _move(
        document,
        move,
        signed_for_at=work.now,
        signed_for_by=work.actor.name,
        receipt_id=receipt.id,
        refusal_code=code,
        refusal_text=wanted.reason,
    )
    consignment = await Consignment.get(id=document.consignment_id)
    await work.announce(DocumentRefused(consignment.document_id, document.organ_id, code))
    work.audit(Verb.REFUSED, access.INCOMING, document.id, rows=[document], code=code)


def refusal_code(wanted: Act) -> RefusalCode:
    """The coded reason of a refusal. Raises Invalid."""
    try:
        return RefusalCode(wanted.parameters.get("code", ""))
    except ValueError:
        raise Invalid(UNKNOWN_REFUSAL) from None


async def _register(work: Work, document: IncomingDocument, move: rules.IncomingMove, _wanted: Act) -> None:
    receive_no = await numbering.next_receive_number(work, document.organ_id)
    await _move(document, move, receive_no=receive_no)
    await workflow.complete(work, document.id, "register")
    work.audit(Verb.REGISTERED, access.INCOMING, document.id, rows=[document], receive_no=receive_no)


async def _propose(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    leader = chosen(wanted, "leader_id")
    if Role.LEADER not in await identity.roles_of(leader, document.organ_id):
        raise Denied(rules.NOT_LEADER)
    await _move(document, move, leader_id=leader, proposal=wanted.opinion)
    await workflow.complete(work, document.id, "propose", leader=str(leader))
    work.audit(Verb.PROPOSED, access.INCOMING, document.id, rows=[document], leader=leader)


async def _instruct(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    opinion = await _keep_opinion(work, document, wanted)
    await _move(document, move)
    await workflow.complete(work, document.id, "instruct")
    work.audit(Verb.INSTRUCTED, access.INCOMING, document.id, rows=[document, opinion], opinion=opinion.id)


async def _assign(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    unit = await identity.unit(chosen(wanted, "unit_id"))
    if unit.organ_id != document.organ_id:
        raise Denied(rules.NOT_UNIT_HEAD)
    await _move(document, move, unit_id=unit.id)
    await workflow.complete(work, document.id, "assign", unit=str(unit.id))
    work.audit(Verb.ASSIGNED, access.INCOMING, document.id, rows=[document], unit=unit.name)


async def _finish(work: Work, document: IncomingDocument, move: rules.IncomingMove, wanted: Act) -> None:
    opinion = await _keep_opinion(work, document, wanted)
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
        raise Invalid(NO_CHOICE) from None


async def _keep_opinion(work: Work, document: IncomingDocument, wanted: Act) -> Opinion:
    signed: Assembled = signature_of(wanted)
    step, title, decision = STEPS[wanted.verb]
    signature = await signing.keep(work, signed)
    organ = await identity.organ(document.organ_id)
    return await Opinion.create(
        id=new_id(),
        subject_type=access.INCOMING,
        subject_id=document.id,
        step=step,
        step_title=title,
        official_id=work.actor.official_id,
        actor_name=work.actor.name,
        organ_name=organ.full_name,
        decision=decision,
        text=wanted.opinion,
        at=work.now,
        signature_id=signature.id,
    )


async def ask(office: Office, actor: Actor, document_id: UUID, wanted: Act, key: KeyChoice) -> Asked:
    """Prepare the receipt, refusal or opinion that the actor is to sign."""
    document = await access.incoming_document(actor, document_id)
    rules.check_incoming(actor, document, await standing(actor, document), wanted.verb)
    if wanted.verb in {"sign_for", "refuse"}:
        content, title, lines = await _receipt(actor, document, wanted)
    elif wanted.verb in STEPS:
        content, title, lines = await _opinion(actor, document, wanted)
    else:
        raise Denied(rules.WRONG_STATE)
    purpose = Purpose(wanted.verb, access.INCOMING, document.id, title, lines)
    return await office.signing.request_signature(actor, purpose, content, key)


Prepared = tuple[dict[str, Any], str, tuple[str, ...]]


async def _receipt(actor: Actor, document: IncomingDocument, wanted: Act) -> Prepared:
    """A receipt over the digests of everything that arrived; a refusal is a receipt too, with its coded reason."""
    content: dict[str, Any] = {
        "type": "oa/receipt/1",
        "consignment": str(document.consignment_id),
        "doc_no": document.doc_no,
        "title": document.title,
        "sha256": document.sha256,
        "attachments": await access.attachment_digests(document),
        "decision": "signed_for" if wanted.verb == "sign_for" else "refused",
        "actor": await actor_content(actor),
        "at": clock.now().isoformat(timespec="seconds"),
    }
    lines = [document.title, f"发文字号：{document.doc_no}", f"来文机关：{document.source_organ}"]
    if wanted.verb == "refuse":
        code = refusal_code(wanted)
        if not wanted.reason.strip():
            raise Invalid(rules.REASON_NEEDED)
        content |= {"code": code.value, "text": wanted.reason}
        lines.append(f"拒收原因：{code.title_zh}　{wanted.reason}")
    return content, "签收" if wanted.verb == "sign_for" else "拒收", tuple(lines)


async def _opinion(actor: Actor, document: IncomingDocument, wanted: Act) -> Prepared:
    if not wanted.opinion.strip():
        raise Invalid(rules.OPINION_NEEDED)
    step, title, decision = STEPS[wanted.verb]
    content = {
        "type": "oa/opinion/1",
        "document": str(document.id),
        "title": document.title,
        "step": step,
        "decision": decision,
        "text": wanted.opinion,
        "pages_sha256": document.sha256,
        "previous": await last_opinion_sha256(access.INCOMING, document.id),
        "actor": await actor_content(actor),
        "at": clock.now().isoformat(timespec="seconds"),
    }
    return content, title, (document.title, f"意见：{wanted.opinion}")
