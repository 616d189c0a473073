"""Proving everything: `oa verify FILE`, `oa verify --all`, `oa audit verify`.

Three circles of proof: the audit log is a Merkle tree whose heads are signed; the log holds the digest of every protected
row as its last act left it; and what people signed carries their own signatures over its bytes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import click
import msgspec

from crypto import merkle
from oa_server.app import House, open_house
from oa_server.audit import access as audit_access
from oa_server.audit import actions as audit
from oa_server.audit.models import AuditRecord
from oa_server.core.errors import OaError
from oa_server.core.ports import ports
from oa_server.documents import models as documents
from oa_server.documents.access import ledger
from oa_server.documents.pages import pages_key
from oa_server.documents.states import OutgoingState, RenditionKind
from oa_server.files.models import FileState, StoredFile
from oa_server.identity import models as identity
from oa_server.pki import models as pki
from oa_server.settings import Settings
from oa_server.signing.models import Seal, Signature
from oa_server.signing.verification import Report, verify_file, verify_signature_row
from oa_server.storage.fields import Model
from oa_server.storage.protection import digest_of, every_row, name_of
from oa_server.workflow.models import Route, RouteTemplate

# Every table in which nothing may change without an act in the log. Tasks, sessions and requests pass; these stay.
PROTECTED: tuple[type[Model], ...] = (
    identity.Organ,
    identity.Unit,
    identity.Official,
    identity.Post,
    identity.Responsibility,
    pki.KeyDevice,
    pki.Certificate,
    pki.CertificateRequest,
    pki.TrustAnchor,
    pki.Crl,
    Seal,
    Signature,
    StoredFile,
    RouteTemplate,
    Route,
    documents.OutgoingDocument,
    documents.Recipient,
    documents.DocumentVersion,
    documents.Rendition,
    documents.Opinion,
    documents.NumberSeries,
    documents.NumberLedger,
    documents.Consignment,
    documents.IncomingDocument,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it should be: where, and what."""

    where: str
    what: str


async def verify_one(settings: Settings, file: Path, *, as_json: bool) -> int:
    """Print the report on one file. Returns the exit status."""
    data = file.read_bytes()
    async with open_house(settings):
        report = await verify_file(data)
    click.echo(msgspec.json.encode(report).decode() if as_json else describe(report))
    return 0 if report.verdict == "valid" else 1


def describe(report: Report) -> str:
    """The report as an official reads it."""
    lines = ["验证通过" if report.verdict == "valid" else "验证不通过", f"文件摘要（SHA-256）：{report.sha256}"]
    if report.known_document:
        known = report.known_document
        lines.append(f"本系统公文：{known.doc_no}　{known.title}（{known.organ}）")
    for item in report.signatures:
        moment = item.timestamp_at or item.signed_at
        good = "证书当时有效" if item.certificate_good else "证书当时无效"
        whole = "，覆盖整个文件" if item.covers_whole_file else ""
        lines.append(f"{'印章' if item.kind == 'seal' else '签名'}：{item.signer}　{moment}　{good}{whole}")
        lines += [f"　　{finding.title}（{finding.code}）" for finding in item.findings]
    for opinion in report.opinions:
        mark = "签名有效" if opinion.ok else "签名无效"
        lines.append(f"意见：{opinion.organ} {opinion.actor}：{opinion.text}　{opinion.signed_at}　{mark}")
    lines += [f"问题：{finding.title}（{finding.code}）" for finding in report.findings]
    return "\n".join(lines)


async def verify_all(settings: Settings, *, as_json: bool) -> int:
    """Check the log, every protected row, every signature and every object. Returns the exit status."""
    async with open_house(settings) as house:
        await _sequence_all()
        faults = [fault async for fault in all_faults(house)]
    return _tell(faults, as_json=as_json)


async def verify_audit(settings: Settings) -> int:
    """Check the log alone. Returns the exit status."""
    async with open_house(settings):
        await _sequence_all()
        faults = [fault async for fault in log_faults()]
    return _tell(faults, as_json=False)


async def _sequence_all() -> None:
    """Give the newest records their leaves, as a running server would have within a second."""
    while await audit.sequence():
        pass


def _tell(faults: list[Fault], *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults], ensure_ascii=False))
    else:
        for fault in faults:
            click.echo(f"{fault.where}：{fault.what}")
        click.echo(f"发现 {len(faults)} 个问题" if faults else "全部一致，没有发现问题")
    return 1 if faults else 0


async def all_faults(house: House) -> AsyncIterator[Fault]:
    """Everything that does not agree, in the order it is found."""
    for check in (log_faults(), row_faults(), signature_faults(), object_faults(house), number_faults()):
        async for fault in check:
            yield fault


async def log_faults() -> AsyncIterator[Fault]:
    """The Merkle log: each record hashes to its leaf, leaves are gapless, heads are signed and fit."""
    assert ports.head_signer is not None
    heads = {head.size: head for head in await audit_access.heads()}
    frontier = merkle.Frontier()
    while leaves := await audit_access.leaves_from(frontier.size, 500):
        records = {r.id: r for r in await AuditRecord.filter(id__in=[leaf.record_id for leaf in leaves])}
        for leaf in leaves:
            if leaf.seq != frontier.size:
                yield Fault(f"审计日志第 {frontier.size} 条", "缺失")
                return
            record = records.get(leaf.record_id)
            if record is None:
                yield Fault(f"审计日志第 {leaf.seq} 条", "记录已被删除")
            elif not leaf.digest == record.digest == merkle.leaf_hash(audit.record_bytes(record)).hex():
                yield Fault(f"审计日志第 {leaf.seq} 条", "内容被改动")
            frontier.append(bytes.fromhex(leaf.digest))
            if head := heads.pop(frontier.size, None):
                async for fault in _head_faults(head, frontier.root().hex()):
                    yield fault
    for size in heads:
        yield Fault(f"审计日志第 {frontier.size} 条之后", f"末尾被删除：曾签署过 {size} 条的日志")
    if orphans := await audit_access.orphans():
        yield Fault("审计记录", f"{orphans} 条没有进入日志")


async def _head_faults(head: object, root: str) -> AsyncIterator[Fault]:
    from oa_server.audit.models import AuditHead

    assert isinstance(head, AuditHead)
    assert ports.head_signer is not None
    if head.root != root:
        yield Fault(f"审计树头（{head.size} 条）", "与日志不一致")
    content = audit.head_bytes(head.size, head.root, head.at)
    if not await ports.head_signer.verify_head(content, bytes(head.signature)):
        yield Fault(f"审计树头（{head.size} 条）", "签名无效")


async def row_faults() -> AsyncIterator[Fault]:
    """Protected rows against the digests that the log holds of them."""
    recorded: dict[str, str] = {}
    gone: set[str] = set()
    async for row in every_row(AuditRecord):
        assert isinstance(row, AuditRecord)
        recorded.update(row.facts.get("rows", {}))
        gone.update(row.facts.get("removed", ()))
    for model in PROTECTED:
        async for row in every_row(model):
            expected = recorded.pop(name_of(row), None)
            if expected is None:
                yield Fault(name_of(row), "数据库中多出一行")
            elif expected != digest_of(row):
                yield Fault(name_of(row), "数据被改动")
    for name in recorded.keys() - gone:
        yield Fault(name, "数据被删除")


async def signature_faults() -> AsyncIterator[Fault]:
    """Every stored signature over its content."""
    async for row in every_row(Signature):
        assert isinstance(row, Signature)
        if row.cms:
            for finding in await verify_signature_row(bytes(row.content), bytes(row.cms), row.content_sha256):
                yield Fault(name_of(row), finding.zh)


async def object_faults(house: House) -> AsyncIterator[Fault]:
    """Every object by its digest, and every sealed file by its seal."""
    async for row in every_row(documents.Rendition):
        assert isinstance(row, documents.Rendition)
        try:
            data = await house.office.store.get(pages_key(row.sha256))
        except OaError as error:
            yield Fault(name_of(row), f"版式文件无法读取：{error.reason.zh}")
            continue
        if sha256(data).hexdigest() != row.sha256:
            yield Fault(name_of(row), "版式文件被改动")
        elif row.kind == RenditionKind.SEALED and (await verify_file(data)).verdict != "valid":
            yield Fault(name_of(row), "印章验证不通过")
    async for row in every_row(StoredFile):
        assert isinstance(row, StoredFile)
        if row.state == FileState.READY and not await _is_whole(house, row):
            yield Fault(name_of(row), f"附件“{row.name}”被改动")


async def _is_whole(house: House, file: StoredFile) -> bool:
    digest = sha256()
    try:
        async for piece in house.files.reader.stream(file):
            await asyncio.to_thread(digest.update, piece)
    except OaError:
        return False
    return bool(digest.hexdigest() == file.sha256)


async def number_faults() -> AsyncIterator[Fault]:
    """The ledger of numbers: gapless in each series and year, and the document it names carries it."""
    expected: dict[tuple[object, int], int] = {}
    for entry in await ledger():
        key = (entry.series_id, entry.year)
        if entry.seq != expected.get(key, 1):
            yield Fault(name_of(entry), f"编号不连续：应为 {expected.get(key, 1)}，实为 {entry.seq}")
        expected[key] = entry.seq + 1
        document = await documents.OutgoingDocument.get_or_none(id=entry.document_id)
        if document is None or f"〔{entry.year}〕{entry.seq}号" not in document.doc_no:
            yield Fault(name_of(entry), "编号与公文不一致")
    numbered = documents.OutgoingDocument.exclude(doc_no="").filter(state=OutgoingState.NUMBERED)
    async for document in numbered:
        if not await documents.NumberLedger.filter(document_id=document.id).exists():
            yield Fault(name_of(document), "公文编号不在台账中")
