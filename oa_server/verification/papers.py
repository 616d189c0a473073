"""The third circle of proof: what people signed carries their signatures, and agrees with what the tables show of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from crypto.canonical import parse_canonical
from crypto.errors import CryptoError
from oa_server.app import House
from oa_server.core.errors import Conflict, OaError
from oa_server.documents import access, rules
from oa_server.documents.models import (
    Consignment,
    DocumentVersion,
    IncomingDocument,
    NumberSeries,
    Opinion,
    OutgoingDocument,
    Rendition,
)
from oa_server.documents.pages import pages_key
from oa_server.documents.states import RenditionKind
from oa_server.files import access as files
from oa_server.files.models import FileState, StoredFile
from oa_server.signing import access as signing
from oa_server.signing.models import Signature
from oa_server.signing.verification import verify_file, verify_signature_row
from oa_server.storage.protection import name_of, pages_of, rows_of
from oa_server.verification.faults import Fault

# Signatures over a document's attachments, by what their subject is.
_OVER_ATTACHMENTS = {
    **dict.fromkeys(("sign", "dispatch"), OutgoingDocument),
    **dict.fromkeys(("sign_for", "instruct", "finish"), IncomingDocument),
}


async def signature_faults() -> AsyncIterator[Fault]:
    """Every stored signature over its content."""
    async for row in rows_of(Signature):
        if row.cms:
            for finding in await verify_signature_row(bytes(row.content), bytes(row.cms), row.content_sha256):
                yield Fault(name_of(row), finding.zh)


async def opinion_faults() -> AsyncIterator[Fault]:
    """Every opinion as it is shown against what was signed: its words, its version, and the opinion before it."""
    last: dict[UUID, str] = {}
    async for page in pages_of(Opinion):
        signatures = await signing.signatures([row.signature_id for row in page.rows])
        versions = await _versions({row.subject_id for row in page.rows})
        for row in page.rows:
            signature = signatures.get(row.signature_id)
            content = _content(signature)
            if signature is None or not _shows(row, content):
                yield Fault(name_of(row), "意见与签名内容不一致")
                continue
            if content.get("previous") != last.get(row.subject_id):
                yield Fault(name_of(row), "与前一意见的签名链断开")
            last[row.subject_id] = signature.content_sha256
            if row.subject_type == access.OUTGOING and not _is_about(content, versions.get(row.subject_id, ())):
                yield Fault(name_of(row), "签署的稿本与留存的稿本不一致")


async def _versions(document_ids: set[UUID]) -> dict[UUID, list[DocumentVersion]]:
    found: dict[UUID, list[DocumentVersion]] = {}
    for version in await DocumentVersion.filter(document_id__in=list(document_ids)):
        found.setdefault(version.document_id, []).append(version)
    return found


def _content(signature: Signature | None) -> Mapping[str, Any]:
    """What was signed; nothing where that cannot be read any more."""
    try:
        content = parse_canonical(bytes(signature.content)) if signature is not None else None
    except CryptoError:
        content = None
    return content if isinstance(content, dict) else {}


def _shows(row: Opinion, content: Mapping[str, Any]) -> bool:
    signed = [content.get(name) for name in ("document", "step", "decision", "text", "actor")]
    who = {"id": str(row.official_id), "name": row.actor_name, "organ": row.organ_name}
    return signed == [str(row.subject_id), row.step, row.decision, row.text, who]


def _is_about(content: Mapping[str, Any], versions: Sequence[DocumentVersion]) -> bool:
    """Whether the signed elements, text and pages are those of one version."""
    signed = tuple(content.get(name) for name in ("elements", "text_sha256", "pages_sha256"))
    return signed in [(version.elements, version.text_sha256, version.pages_sha256) for version in versions]


async def attachment_faults() -> AsyncIterator[Fault]:
    """What leader, sender and receivers signed of the attachments against the attachments that are kept."""
    async for page in pages_of(Signature):
        over = [row for row in page.rows if row.purpose in _OVER_ATTACHMENTS]
        documents = await _documents_of(over)
        kept: dict[UUID, list[dict[str, Any]]] = {}
        for row in over:
            document_id = documents.get(row.subject_id)
            if document_id is None:
                yield Fault(name_of(row), "签名所指的公文不存在")
                continue
            if document_id not in kept:
                kept[document_id] = await access.attachments(document_id)
            content = _content(row)
            if content.get("elements", content).get("attachments") != kept[document_id]:
                yield Fault(name_of(row), "附件与签名时不一致")


async def _documents_of(signatures: Sequence[Signature]) -> dict[UUID, UUID]:
    """The outgoing document behind the subject of each signature."""
    subjects: dict[type, list[UUID]] = {OutgoingDocument: [], IncomingDocument: []}
    for row in signatures:
        subjects[_OVER_ATTACHMENTS[row.purpose]].append(row.subject_id)
    own = await OutgoingDocument.filter(id__in=subjects[OutgoingDocument]).values_list("id", flat=True)
    came = IncomingDocument.filter(id__in=subjects[IncomingDocument])
    sent = dict(await came.values_list("id", "consignment_id"))
    consigned = dict(await Consignment.filter(id__in=list(sent.values())).values_list("id", "document_id"))
    return {**{i: i for i in own}, **{i: consigned[c] for i, c in sent.items() if c in consigned}}


async def object_faults(house: House) -> AsyncIterator[Fault]:
    """Every object by its digest, and every sealed file by its seal."""
    async for row in rows_of(Rendition):
        if fault := await _rendition_fault(house, row):
            yield Fault(name_of(row), fault)
    async for row in rows_of(StoredFile):
        if row.state in {FileState.READY, FileState.HELD} and not await _is_whole(house.files.reader, row):
            yield Fault(name_of(row), f"附件“{row.name}”被改动")


async def _rendition_fault(house: House, row: Rendition) -> str | None:
    try:
        data = await house.office.store.get(pages_key(row.sha256))
    except Conflict:
        return "版式文件被改动"
    except OaError as error:
        return f"版式文件无法读取：{error.reason.zh}"
    except ValueError:
        return "版式文件的摘要被改动"
    if sha256(data).hexdigest() != row.sha256:
        return "版式文件被改动"
    if row.kind == RenditionKind.SEALED and (await verify_file(data)).verdict != "valid":
        return "印章验证不通过"
    return None


async def _is_whole(reader: files.FileReader, file: StoredFile) -> bool:
    digest = sha256()
    try:
        async for piece in reader.stream(file):
            await asyncio.to_thread(digest.update, piece)
    except OaError:
        return False
    return bool(digest.hexdigest() == file.sha256)


async def number_faults() -> AsyncIterator[Fault]:
    """The ledger of numbers: gapless in each series and year, and every number on the document that took it."""
    words = {series.id: series.word async for series in rows_of(NumberSeries)}
    numbered = dict(await OutgoingDocument.exclude(doc_no="").values_list("id", "doc_no"))
    expected: dict[tuple[UUID, int], int] = {}
    for entry in await access.ledger():
        key = (entry.series_id, entry.year)
        if entry.seq != expected.get(key, 1):
            yield Fault(name_of(entry), f"编号不连续：应为 {expected.get(key, 1)}，实为 {entry.seq}")
        expected[key] = entry.seq + 1
        number = rules.format_number(words.get(entry.series_id, ""), entry.year, entry.seq)
        if numbered.pop(entry.document_id, None) != number:
            yield Fault(name_of(entry), "编号与公文不一致")
    for document_id, doc_no in numbered.items():
        yield Fault(f"outgoing_document:{document_id}", f"编号 {doc_no} 不在台账中")
