"""Official documents over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from starlette.responses import Response

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.errors import (
    NOT_FOUND,
    Conflict,
    Gone,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Reason,
)
from oa_server.core.ids import new_id
from oa_server.core.words import Word
from oa_server.documents import access, actions, answers, asking, docx, drafting, pages, receiving, rules
from oa_server.documents.access import ListFilter
from oa_server.documents.actions import Act
from oa_server.documents.models import OutgoingDocument
from oa_server.documents.office import Office
from oa_server.documents.schemas import (
    ActIn,
    AskIn,
    AskOut,
    ConsignmentList,
    DocumentList,
    DocumentOut,
    DraftIn,
    DraftPatch,
    ImportedOut,
    IncomingFilter,
    IncomingList,
    IncomingOut,
    IncomingQuery,
    NoteOut,
    OutgoingFilter,
    OutgoingQuery,
    PreviewIn,
    ReceiptFile,
    VocabularyOut,
    WordOut,
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
)
from oa_server.signing.answers import assembled, chosen_key
from oa_server.web.endpoint import PDF, Binary, Call, endpoint, inline, resource
from oa_server.web.sheets import CSV, EXPORT_LIMIT, leave_as_csv, whole
from oa_server.workflow import actions as workflow_actions

DOCX = Binary("application/vnd.openxmlformats-officedocument.wordprocessingml.document")

TOO_MANY_ROWS = Reason(
    "documents.too_many_rows", "清单过长，请缩小筛选范围后再导出", "The list is too long to export; narrow it first."
)

R = TypeVar("R")


def _office(call: Call[Any]) -> Office:
    found: Office = call.request.app.state.office
    return found


# --- outgoing ---------------------------------------------------------------------------------------------------------


@endpoint(summary="公文用语：文种、紧急程度、密级、状态", returns=VocabularyOut, scope="documents:read")
async def vocabulary(call: Call[None]) -> VocabularyOut:
    ceiling = _office(call).ceiling.rank
    allowed = [c for c in Classification if c.rank <= ceiling and call.actor.is_cleared(c.clearance)]
    return VocabularyOut(
        kinds=_words(DocKind),
        urgencies=_words(Urgency),
        classifications=_words(allowed),
        publicities=_words(Publicity),
        refusal_codes=_words(RefusalCode),
        outgoing_states=_words(OutgoingState),
        incoming_states=_words(IncomingState),
    )


def _words(words: Iterable[Word]) -> list[WordOut]:
    return [WordOut(word.value, word.title_zh) for word in words]


def _filter(call: Call[Any], **more: Any) -> ListFilter:
    query: OutgoingFilter | IncomingFilter = call.query
    return ListFilter(
        state=query.state,
        kind=query.kind,
        urgency=query.urgency,
        words=query.q.strip(),
        since=query.since,
        until=query.until,
        oldest_first=query.sort == "oldest",
        **more,
    )


def _page(call: Call[Any], kind: str, **more: Any) -> ListFilter:
    return _filter(call, after=call.after(kind), limit=call.query.limit, **more)


@endpoint(summary="发文清单", query=OutgoingQuery, returns=DocumentList, scope="documents:read")
async def list_documents(call: Call[None]) -> DocumentList:
    rows = await access.outgoing_list(call.actor, _page(call, "outgoing", mine=call.query.mine))
    return DocumentList(await answers.document_rows(rows), call.further("outgoing", rows))


@endpoint(summary="导出发文清单", query=OutgoingFilter, returns=CSV)
async def export_documents(call: Call[None]) -> Response:
    rows = await access.outgoing_list(call.actor, _filter(call, mine=call.query.mine, limit=EXPORT_LIMIT + 1))
    header = ("标题", "发文字号", "文种", "紧急程度", "状态", "拟稿人", "起草时间", "更新时间")
    cells = [
        (
            row.title,
            row.doc_no,
            DocKind(row.kind).title_zh,
            Urgency(row.urgency).title_zh,
            row.state_title,
            row.drafter,
            row.created_at,
            row.updated_at,
        )
        for row in await answers.document_rows(_all_of(rows))
    ]
    return await leave_as_csv(call, "发文清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="documents")


def _all_of(rows: Sequence[R]) -> Sequence[R]:
    return whole(rows, TOO_MANY_ROWS, EXPORT_LIMIT)


@endpoint(summary="起草公文", body=DraftIn, returns=DocumentOut, status=201, once=True, scope="documents:write")
async def create_draft(call: Call[DraftIn]) -> DocumentOut:
    document = await drafting.draft(_office(call), call.actor, call.body.elements, call.body.body)
    return await answers.document_out(call.actor, document, call.language)


@endpoint(summary="公文及其全部经过", returns=DocumentOut, scope="documents:read")
async def show_document(call: Call[None]) -> DocumentOut:
    document = await access.outgoing_document(call.actor, call.id())
    await workflow_actions.mark_read(call.actor, document.id)
    return await answers.document_out(call.actor, document, call.language)


def _etag(call: Call[Any]) -> str | None:
    """Which state of a document the caller read (RFC 9110, 13.1.1)."""
    given = call.request.headers.get("if-match")
    return given.strip('"') if given is not None else None


@endpoint(
    summary="修改草稿",
    body=DraftPatch,
    returns=DocumentOut,
    needs=["If-Match"],
    refuses=(Conflict, PreconditionFailed, PreconditionRequired),
    scope="documents:write",
)
async def change_draft(call: Call[DraftPatch]) -> DocumentOut:
    elements = call.body.elements if call.body.elements is not msgspec.UNSET else None
    body = call.body.body if call.body.body is not msgspec.UNSET else None
    document = await drafting.revise(_office(call), call.actor, call.id(), _etag(call), elements, body)
    return await answers.document_out(call.actor, document, call.language)


@endpoint(summary="按当前内容生成版面预览", body=PreviewIn, returns=PDF, refuses=[NotFound])
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
        **drafting.columns(wanted.elements),
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


@endpoint(summary="公文的当前版面", returns=PDF, scope="documents:read")
async def read_pages(call: Call[None]) -> Response:
    document = await access.outgoing_document(call.actor, call.id())
    current = access.current_pages(document)
    if current is None:
        raise NotFound(NOT_FOUND)
    return await _pdf(call, current[1], document.doc_no or document.title)


async def _pdf(call: Call[Any], sha256: str, name: str) -> Response:
    data = await _office(call).store.get(pages.pages_key(sha256))
    return inline(f"{name}.pdf", PDF.media_type, data, etag=sha256)


@endpoint(summary="请求对一项操作签名", body=AskIn, returns=AskOut, status=201, refuses=[Conflict])
async def ask_outgoing(call: Call[AskIn]) -> AskOut:
    body = call.body
    wanted = Act(body.verb, body.opinion, body.reason, body.parameters, read_sha256=body.pages_sha256)
    asked = await asking.ask(_office(call), call.actor, call.id(), wanted, chosen_key(body.certificate, body.chain))
    return AskOut(asked.request_id, asked.request, asked.expires_at)


async def _act(call: Call[ActIn], subject_id: UUID) -> Act:
    body = call.body
    signed = await assembled(_office(call).signing, call.actor, subject_id, body.verb, body.signature)
    return Act(body.verb, body.opinion, body.reason, body.parameters, signed)


@endpoint(
    summary="对公文进行一项操作",
    body=ActIn,
    returns=DocumentOut,
    refuses=(Conflict, Gone, PreconditionFailed, PreconditionRequired),
    scope="documents:write",
    systems_need=["If-Match"],
)
async def act_outgoing(call: Call[ActIn]) -> DocumentOut:
    document = await access.outgoing_document(call.actor, call.id())
    if call.actor.client_id is not None:
        drafting.check_read(document, _etag(call))  # A page shows what it acts on; a system has to say what it read.
    document = await actions.act(_office(call), call.actor, call.id(), await _act(call, call.id()))
    return await answers.document_out(call.actor, document, call.language)


@endpoint(summary="收文机关的签收情况", returns=ConsignmentList, scope="documents:read")
async def list_consignments(call: Call[None]) -> ConsignmentList:
    document = await access.outgoing_document(call.actor, call.id())
    items = await answers.board(document.id)
    return ConsignmentList(items, {"total": len(items), **Counter(item.state for item in items)})


@endpoint(summary="导出签收情况", returns=CSV)
async def export_consignments(call: Call[None]) -> Response:
    document = await access.outgoing_document(call.actor, call.id())
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
        for c in await answers.board(document.id)
    ]
    return await leave_as_csv(call, "签收情况.csv", header, cells, verb=Verb.LIST_EXPORTED, subject=str(document.id))


@endpoint(summary="收文机关签名的回执", returns=ReceiptFile, refuses=[NotFound], scope="documents:read")
async def read_receipt(call: Call[None]) -> ReceiptFile:
    return await answers.receipt_file(await access.consignment(call.actor, call.id()))


# --- incoming ---------------------------------------------------------------------------------------------------------


@endpoint(summary="收文清单", query=IncomingQuery, returns=IncomingList, scope="incoming:read")
async def list_incoming(call: Call[None]) -> IncomingList:
    rows = await access.incoming_list(call.actor, _page(call, "incoming"))
    return IncomingList(answers.incoming_rows(rows), call.further("incoming", rows))


@endpoint(summary="导出收文清单", query=IncomingFilter, returns=CSV)
async def export_incoming(call: Call[None]) -> Response:
    rows = await access.incoming_list(call.actor, _filter(call, limit=EXPORT_LIMIT + 1))
    header = ("标题", "发文字号", "来文机关", "主送/抄送", "文种", "紧急程度", "状态", "收文号", "到达时间")
    cells = [
        (
            row.title,
            row.doc_no,
            row.source_organ,
            RecipientRole(row.role).title_zh,
            DocKind(row.kind).title_zh,
            Urgency(row.urgency).title_zh,
            row.state_title,
            row.receive_no,
            row.arrived_at,
        )
        for row in answers.incoming_rows(_all_of(rows))
    ]
    return await leave_as_csv(call, "收文清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="incoming")


@endpoint(summary="收文及其全部经过", returns=IncomingOut, scope="incoming:read")
async def show_incoming(call: Call[None]) -> IncomingOut:
    document = await access.incoming_document(call.actor, call.id())
    await workflow_actions.mark_read(call.actor, document.id)
    return await answers.incoming_out(call.actor, document, call.language)


@endpoint(summary="收文的正本", returns=PDF, scope="incoming:read")
async def read_incoming_pages(call: Call[None]) -> Response:
    document = await access.incoming_pages(call.actor, call.id())
    return await _pdf(call, document.sha256, document.doc_no)


@endpoint(summary="请求对收文的一项操作签名", body=AskIn, returns=AskOut, status=201, refuses=[Conflict])
async def ask_incoming(call: Call[AskIn]) -> AskOut:
    body = call.body
    wanted = Act(body.verb, body.opinion, body.reason, body.parameters)
    asked = await receiving.ask(_office(call), call.actor, call.id(), wanted, chosen_key(body.certificate, body.chain))
    return AskOut(asked.request_id, asked.request, asked.expires_at)


@endpoint(summary="对收文进行一项操作", body=ActIn, returns=IncomingOut, refuses=(Conflict, Gone))
async def act_incoming(call: Call[ActIn]) -> IncomingOut:
    await access.incoming_document(call.actor, call.id())
    document = await receiving.act(call.actor, call.id(), await _act(call, call.id()))
    return await answers.incoming_out(call.actor, document, call.language)


routes = [
    resource("/api/vocabulary", GET=vocabulary),
    resource("/api/documents", GET=list_documents, POST=create_draft),
    resource("/api/documents.csv", GET=export_documents),
    resource("/api/documents/preview", POST=preview),
    resource("/api/documents/import", POST=import_docx),
    resource("/api/documents/{id}", GET=show_document, PATCH=change_draft),
    resource("/api/documents/{id}/pages.pdf", GET=read_pages),
    resource("/api/documents/{id}/signatures", POST=ask_outgoing),
    resource("/api/documents/{id}/acts", POST=act_outgoing),
    resource("/api/documents/{id}/consignments", GET=list_consignments),
    resource("/api/documents/{id}/consignments.csv", GET=export_consignments),
    resource("/api/consignments/{id}/receipt", GET=read_receipt),
    resource("/api/incoming", GET=list_incoming),
    resource("/api/incoming.csv", GET=export_incoming),
    resource("/api/incoming/{id}", GET=show_incoming),
    resource("/api/incoming/{id}/pages.pdf", GET=read_incoming_pages),
    resource("/api/incoming/{id}/signatures", POST=ask_incoming),
    resource("/api/incoming/{id}/acts", POST=act_incoming),
]
