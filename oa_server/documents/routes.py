"""Official documents over HTTP."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from starlette.responses import Response

from oa_server.audit import access as audit
from oa_server.core import clock
from oa_server.core.errors import NOT_FOUND, Invalid, NotFound
from oa_server.core.ids import new_id
from oa_server.documents import access, actions, docx, pages, receiving, rules
from oa_server.documents.actions import Act
from oa_server.documents.models import IncomingDocument, OutgoingDocument
from oa_server.documents.office import Office
from oa_server.documents.schemas import (
    ActIn,
    AskIn,
    AskOut,
    AttachmentOut,
    ConsignmentList,
    ConsignmentOut,
    DocumentList,
    DocumentOut,
    DocumentRow,
    DraftIn,
    DraftPatch,
    Elements,
    HistoryOut,
    ImportedOut,
    IncomingList,
    IncomingOut,
    IncomingRow,
    ListQuery,
    Named,
    NoteOut,
    OpinionOut,
    PreviewIn,
    ReceiptOut,
    RefusalOut,
    SignatureIn,
    StepOut,
    VocabularyOut,
    WordOut,
    ability_out,
)
from oa_server.documents.states import (
    Classification,
    DocKind,
    IncomingState,
    OutgoingState,
    Publicity,
    RecipientRole,
    RefusalCode,
    Urgency,
    Word,
)
from oa_server.files import access as files
from oa_server.identity import access as identity
from oa_server.identity.spreadsheet import write_csv
from oa_server.signing.actions import KeyChoice
from oa_server.web.endpoint import INVALID, Binary, Call, endpoint, resource
from oa_server.workflow import access as workflow
from oa_server.workflow import actions as workflow_actions

PDF = Binary("application/pdf")
DOCX = Binary("application/vnd.openxmlformats-officedocument.wordprocessingml.document")


def _office(call: Call[Any]) -> Office:
    found: Office = call.request.app.state.office
    return found


# --- outgoing ---------------------------------------------------------------------------------------------------------


@endpoint(summary="公文用语：文种、紧急程度、密级、状态", returns=VocabularyOut)
async def vocabulary(call: Call[None]) -> VocabularyOut:
    ceiling = _office(call).ceiling.rank
    return VocabularyOut(
        kinds=_words(DocKind),
        urgencies=_words(Urgency),
        classifications=_words(c for c in Classification if c.rank <= ceiling),
        publicities=_words(Publicity),
        refusal_codes=_words(RefusalCode),
        outgoing_states=_words(OutgoingState),
        incoming_states=_words(IncomingState),
    )


def _words(words: Iterable[Word]) -> list[WordOut]:
    return [WordOut(word.value, word.title_zh) for word in words]


@endpoint(summary="发文清单", query=ListQuery, returns=DocumentList)
async def list_documents(call: Call[None]) -> DocumentList:
    query: ListQuery = call.query
    rows = await _page(call, await access.outgoing(call.actor), query, ("title__contains", "doc_no__contains"))
    names = await identity.names_of([row.drafter_id for row in rows])
    items = [_document_row(row, names) for row in rows]
    return DocumentList(items, _next(call, query, [row.id for row in rows]))


def _document_row(row: OutgoingDocument, names: dict[UUID, str]) -> DocumentRow:
    return DocumentRow(
        row.id,
        row.state,
        OutgoingState(row.state).title_zh,
        row.kind,
        row.title,
        row.doc_no,
        row.urgency,
        names.get(row.drafter_id, ""),
        row.created_at,
        row.updated_at,
    )


async def _page(call: Call[Any], rows: Any, query: ListQuery, searched: Sequence[str]) -> list[Any]:
    if query.state:
        rows = rows.filter(state=query.state)
    if query.q.strip():
        rows = rows.filter(access.any_of(searched, query.q.strip()))
    if query.cursor:
        (last,) = call.request.app.state.cursors.decode(query.cursor)
        rows = rows.filter(id__lt=UUID(last))
    found: list[Any] = await rows.order_by("-id").limit(query.limit)
    return found


def _next(call: Call[Any], query: ListQuery, ids: Sequence[UUID]) -> str | None:
    if len(ids) < query.limit:
        return None
    cursor: str = call.request.app.state.cursors.encode([ids[-1]])
    return cursor


@endpoint(summary="起草公文", body=DraftIn, returns=DocumentOut, status=201, once=True)
async def create_draft(call: Call[DraftIn]) -> DocumentOut:
    document = await actions.draft(_office(call), call.actor, call.body.elements, call.body.body)
    return await _document_out(call, document)


@endpoint(summary="公文及其全部经过", returns=DocumentOut)
async def show_document(call: Call[None]) -> DocumentOut:
    document = await access.outgoing_document(call.actor, call.id())
    await workflow_actions.mark_read(call.actor, document.id)
    return await _document_out(call, document)


@endpoint(summary="修改草稿", body=DraftPatch, returns=DocumentOut)
async def change_draft(call: Call[DraftPatch]) -> DocumentOut:
    etag = call.request.headers.get("if-match", "").strip('"')
    elements = call.body.elements if call.body.elements is not msgspec.UNSET else None
    body = call.body.body if call.body.body is not msgspec.UNSET else None
    document = await actions.revise(_office(call), call.actor, call.id(), etag, elements, body)
    return await _document_out(call, document)


async def _document_out(call: Call[Any], document: OutgoingDocument) -> DocumentOut:
    recipients = await access.recipients(document.id)
    main = access.organs_as(recipients, RecipientRole.MAIN)
    copies = access.organs_as(recipients, RecipientRole.COPY)
    organs = await identity.organs_by_id([document.organ_id, *main, *copies])
    people = await identity.names_of([i for i in (document.drafter_id, document.signer_id) if i])
    unit = await identity.unit(document.unit_id)
    at = await actions.standing(call.actor, document)
    return DocumentOut(
        id=document.id,
        state=document.state,
        state_title=OutgoingState(document.state).title_zh,
        elements=_elements(document, main, copies),
        body=document.body,
        doc_no=document.doc_no,
        doc_date=document.doc_date,
        issuer=Named(document.organ_id, organs[document.organ_id].full_name),
        unit=Named(unit.id, unit.name),
        drafter=Named(document.drafter_id, people[document.drafter_id]),
        signer=Named(document.signer_id, people[document.signer_id]) if document.signer_id in people else None,
        main_recipients=[Named(i, organs[i].full_name) for i in main if i in organs],
        copies_to=[Named(i, organs[i].full_name) for i in copies if i in organs],
        version_no=document.version_no,
        pages_sha256=document.pages_sha256,
        frozen_sha256=document.frozen_sha256,
        sealed_sha256=document.sealed_sha256,
        sealed=document.sealed_sha256 is not None,
        attachments=await _attachments(document.id),
        opinions=await _opinions(access.OUTGOING, document.id),
        route=await _route(document.id),
        history=await _history(document.id),
        abilities=[ability_out(a, call.language) for a in rules.abilities(call.actor, document, at)],
        open_step=at.open_step,
        created_at=document.created_at,
        etag=actions.etag_of(document),
    )


def _elements(document: OutgoingDocument, main: list[UUID], copies: list[UUID]) -> Elements:
    return Elements(
        kind=DocKind(document.kind),
        title=document.title,
        urgency=Urgency(document.urgency),
        classification=Classification(document.classification),
        classify_years=document.classify_years,
        main_recipients=main,
        copies_to=copies,
        signer_id=document.signer_id,
        note=document.note,
        publicity=Publicity(document.publicity),
        printing_organ=document.printing_organ,
    )


async def _attachments(document_id: UUID) -> list[AttachmentOut]:
    rows = await files.files_of(access.OUTGOING, [document_id])
    return [AttachmentOut(r.id, r.name, r.size, r.received, r.state, r.sha256) for r in rows]


async def _opinions(kind: str, subject_id: UUID) -> list[OpinionOut]:
    return [
        OpinionOut(o.id, o.step_title, o.actor_name, o.organ_name, o.decision, o.text, o.at)
        for o in await access.opinions(kind, subject_id)
    ]


async def _route(subject_id: UUID) -> list[StepOut]:
    """The route as people read it: each round of a step once, with everybody it was open to."""
    rounds: dict[tuple[str, int], StepOut] = {}
    for row in await workflow.history(subject_id):
        found = rounds.setdefault(
            (row["step"], row["iteration"]), StepOut(row["step"], row["step_title"], "cancelled", [], None, None)
        )
        found.officials.append(row["official__name"])
        if row["state"] in {"done", "returned"}:
            found.state, found.acted_by, found.acted_at = row["state"], row["official__name"], row["done_at"]
        elif row["state"] == "open":
            found.state = "open"
    return list(rounds.values())


async def _history(subject_id: UUID) -> list[HistoryOut]:
    return [HistoryOut(r.at, r.actor_name, r.verb, audit.title_of(r.verb)) for r in await audit.of_subject(subject_id)]


@endpoint(summary="按当前内容生成版面预览", body=PreviewIn, returns=PDF)
async def preview(call: Call[PreviewIn]) -> Response:
    wanted = call.body
    assert call.actor.organ_id is not None
    rules.check_ceiling(Classification(wanted.elements.classification), _office(call).ceiling)
    document = OutgoingDocument(
        id=wanted.document_id or new_id(),
        organ_id=call.actor.organ_id,
        unit_id=call.actor.unit_id,
        drafter_id=call.actor.official_id,
        body=msgspec.to_builtins(wanted.body),
        doc_no="",
        **actions.columns(wanted.elements),
    )
    if wanted.document_id is not None:
        await access.outgoing_document(call.actor, wanted.document_id)
    composed = await pages.compose_from(
        document, main=wanted.elements.main_recipients, copies=wanted.elements.copies_to
    )
    rendered = await pages.lay_out(_office(call), composed, clock.now())
    return Response(rendered.pdf, media_type="application/pdf")


@endpoint(summary="导入 Word 文件为正文", body=DOCX, returns=ImportedOut)
async def import_docx(call: Call[None]) -> ImportedOut:
    imported = await docx.read_docx(await call.raw(docx.SIZE_LIMIT))
    notes = [NoteOut(note.reason.code, note.reason.title(call.language)) for note in imported.notes]
    return ImportedOut(imported.body, imported.title, notes)


@endpoint(summary="公文的当前版面", returns=PDF)
async def read_pages(call: Call[None]) -> Response:
    document = await access.outgoing_document(call.actor, call.id())
    current = access.current_pages(document)
    if current is None:
        raise NotFound(NOT_FOUND)
    return await _pdf(call, current[1], document.doc_no or document.title)


async def _pdf(call: Call[Any], sha256: str, name: str) -> Response:
    from urllib.parse import quote

    data = await _office(call).store.get(pages.pages_key(sha256))
    headers = {"Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}.pdf", "ETag": f'"{sha256}"'}
    return Response(data, headers=headers, media_type="application/pdf")


def _key(body: AskIn) -> KeyChoice:
    try:
        chain = tuple(base64.b64decode(item, validate=True) for item in body.chain)
        return KeyChoice(base64.b64decode(body.certificate, validate=True), chain)
    except binascii.Error as error:
        raise Invalid(INVALID, str(error)) from None


@endpoint(summary="请求对一项操作签名", body=AskIn, returns=AskOut, status=201)
async def ask_outgoing(call: Call[AskIn]) -> AskOut:
    body = call.body
    wanted = Act(body.verb, body.opinion, body.reason, body.parameters)
    asked = await actions.ask(_office(call), call.actor, call.id(), wanted, _key(body))
    return AskOut(asked.request_id, asked.request, asked.expires_at)


async def _act(call: Call[ActIn], subject_id: UUID) -> Act:
    body = call.body
    signed = await _assembled(call, subject_id, body.signature) if body.signature else None
    return Act(body.verb, body.opinion, body.reason, body.parameters, signed)


async def _assembled(call: Call[ActIn], subject_id: UUID, signature: SignatureIn) -> Any:
    try:
        value = base64.b64decode(signature.value, validate=True)
    except binascii.Error as error:
        raise Invalid(INVALID, str(error)) from None
    return await _office(call).signing.assemble(
        call.actor, signature.request_id, value, verb=call.body.verb, subject_id=subject_id
    )


@endpoint(summary="对公文进行一项操作", body=ActIn, returns=DocumentOut)
async def act_outgoing(call: Call[ActIn]) -> DocumentOut:
    await access.outgoing_document(call.actor, call.id())
    document = await actions.act(_office(call), call.actor, call.id(), await _act(call, call.id()))
    return await _document_out(call, document)


@endpoint(summary="收文机关的签收情况", returns=ConsignmentList)
async def list_consignments(call: Call[None]) -> ConsignmentList:
    items = await _board(call)
    counts: dict[str, int] = {"total": len(items)}
    for item in items:
        counts[item.state] = counts.get(item.state, 0) + 1
    return ConsignmentList(items, counts)


async def _board(call: Call[Any]) -> list[ConsignmentOut]:
    document = await access.outgoing_document(call.actor, call.id())
    rows = await access.consignments(document.id)
    organs = await identity.organs_by_id([row["organ_id"] for row in rows])
    rows.sort(key=lambda row: (row["role"] != RecipientRole.MAIN, organs[row["organ_id"]].code))
    return [_consignment(row, Named(row["organ_id"], organs[row["organ_id"]].full_name)) for row in rows]


def _consignment(row: dict[str, Any], organ: Named) -> ConsignmentOut:
    return ConsignmentOut(
        row["id"],
        organ,
        row["role"],
        row["state"],
        IncomingState(row["state"]).title_zh,
        row["arrived_at"],
        row["signed_for_at"],
        row["signed_for_by"],
        _refusal(row["refusal_code"], row["refusal_text"]),
        row["receive_no"],
    )


def _refusal(code: str | None, text: str | None) -> RefusalOut | None:
    return RefusalOut(code, RefusalCode(code).title_zh, text or "") if code else None


@endpoint(summary="导出签收情况", returns=Binary("text/csv"))
async def export_consignments(call: Call[None]) -> Response:
    header = ("机关", "主送/抄送", "状态", "到达时间", "签收时间", "签收人", "拒收原因", "收文号")
    cells = [
        (
            c.organ.name,
            RecipientRole(c.role).title_zh,
            c.state_title,
            c.arrived_at,
            c.signed_for_at,
            c.signed_for_by,
            c.refusal.title if c.refusal else "",
            c.receive_no,
        )
        for c in await _board(call)
    ]
    headers = {"Content-Disposition": "attachment; filename=receipts.csv"}
    return Response(write_csv(header, cells), headers=headers, media_type="text/csv; charset=utf-8")


# --- incoming ---------------------------------------------------------------------------------------------------------


@endpoint(summary="收文清单", query=ListQuery, returns=IncomingList)
async def list_incoming(call: Call[None]) -> IncomingList:
    query: ListQuery = call.query
    searched = ("title__contains", "doc_no__contains", "source_organ__contains")
    rows = await _page(call, await access.incoming(call.actor), query, searched)
    return IncomingList([IncomingRow(**_incoming_row(row)) for row in rows], _next(call, query, [r.id for r in rows]))


def _incoming_row(row: IncomingDocument) -> dict[str, Any]:
    names = ("id", "state", "title", "doc_no", "kind", "urgency", "source_organ", "role", "receive_no", "arrived_at")
    return {name: getattr(row, name) for name in names} | {"state_title": IncomingState(row.state).title_zh}


@endpoint(summary="收文及其全部经过", returns=IncomingOut)
async def show_incoming(call: Call[None]) -> IncomingOut:
    document = await access.incoming_document(call.actor, call.id())
    await workflow_actions.mark_read(call.actor, document.id)
    return await _incoming_out(call, document)


async def _incoming_out(call: Call[Any], document: IncomingDocument) -> IncomingOut:
    at = await receiving.standing(call.actor, document)
    leader = await identity.names_of([document.leader_id]) if document.leader_id else {}
    unit = await identity.unit(document.unit_id) if document.unit_id else None
    receipt = None
    if document.state not in {IncomingState.ARRIVED, IncomingState.REFUSED}:
        receipt = ReceiptOut(document.signed_for_at, document.signed_for_by, document.sha256)
    return IncomingOut(
        **_incoming_row(document),
        classification=document.classification,
        sha256=document.sha256,
        proposal=document.proposal,
        leader=Named(document.leader_id, leader[document.leader_id]) if leader else None,
        unit=Named(unit.id, unit.name) if unit else None,
        result=document.result,
        receipt=receipt,
        refusal=_refusal(document.refusal_code, document.refusal_text),
        attachments=await _attachments(await access.document_of(document)),
        opinions=await _opinions(access.INCOMING, document.id),
        route=await _route(document.id),
        history=await _history(document.id),
        abilities=[ability_out(a, call.language) for a in rules.incoming_abilities(call.actor, document, at)],
        open_step=at.open_step,
        etag=receiving.etag_of(document),
    )


@endpoint(summary="收文的正本", returns=PDF)
async def read_incoming_pages(call: Call[None]) -> Response:
    document = await access.incoming_document(call.actor, call.id())
    return await _pdf(call, document.sha256, document.doc_no)


@endpoint(summary="请求对收文的一项操作签名", body=AskIn, returns=AskOut, status=201)
async def ask_incoming(call: Call[AskIn]) -> AskOut:
    body = call.body
    wanted = Act(body.verb, body.opinion, body.reason, body.parameters)
    asked = await receiving.ask(_office(call), call.actor, call.id(), wanted, _key(body))
    return AskOut(asked.request_id, asked.request, asked.expires_at)


@endpoint(summary="对收文进行一项操作", body=ActIn, returns=IncomingOut)
async def act_incoming(call: Call[ActIn]) -> IncomingOut:
    await access.incoming_document(call.actor, call.id())
    document = await receiving.act(call.actor, call.id(), await _act(call, call.id()))
    return await _incoming_out(call, document)


routes = [
    resource("/api/vocabulary", GET=vocabulary),
    resource("/api/documents", GET=list_documents, POST=create_draft),
    resource("/api/documents/preview", POST=preview),
    resource("/api/documents/import", POST=import_docx),
    resource("/api/documents/{id}", GET=show_document, PATCH=change_draft),
    resource("/api/documents/{id}/pages.pdf", GET=read_pages),
    resource("/api/documents/{id}/signatures", POST=ask_outgoing),
    resource("/api/documents/{id}/acts", POST=act_outgoing),
    resource("/api/documents/{id}/consignments", GET=list_consignments),
    resource("/api/documents/{id}/consignments.csv", GET=export_consignments),
    resource("/api/incoming", GET=list_incoming),
    resource("/api/incoming/{id}", GET=show_incoming),
    resource("/api/incoming/{id}/pages.pdf", GET=read_incoming_pages),
    resource("/api/incoming/{id}/signatures", POST=ask_incoming),
    resource("/api/incoming/{id}/acts", POST=act_incoming),
]
