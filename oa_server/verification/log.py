"""The first circle of proof: the audit log is a Merkle tree whose heads are signed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from crypto import merkle
from crypto.errors import CryptoError
from oa_server.audit import access as audit_access
from oa_server.audit import actions as audit
from oa_server.audit.models import AuditHead, AuditLeaf, AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core.ports import ports
from oa_server.storage.protection import page_of, pages_of, rows_of
from oa_server.verification.faults import Fault


async def log_faults() -> AsyncIterator[Fault]:
    """Each record hashes to its leaf, leaves are gapless, heads are signed, fit the tree, and are all on record."""
    heads = {head.size: head async for head in rows_of(AuditHead)}
    tree = merkle.Frontier()
    announced: dict[str, Any] = {}
    async for leaf, record in _leaves():
        if leaf.seq != tree.size:
            yield Fault(f"审计日志第 {tree.size} 条", "缺失")
            return
        if what := _leaf_fault(leaf, record):
            yield Fault(f"审计日志第 {leaf.seq} 条", what)
        if record is not None and record.verb == Verb.HEAD_SIGNED:
            announced[record.subject_id] = (record.facts.get("size"), record.facts.get("root"))
        tree.append(_digest(leaf))
        if tree.size in heads:
            async for fault in _head_faults(heads[tree.size], tree):
                yield fault
    for size in (size for size in heads if size > tree.size):
        yield Fault(f"审计日志第 {tree.size} 条之后", f"末尾被删除：曾签署过 {size} 条的日志")
    for fault in _unannounced({str(head.id): head for head in heads.values()}, announced):
        yield fault
    if await audit_access.orphans():
        yield Fault("审计记录", "有记录没有进入日志")


async def _leaves() -> AsyncIterator[tuple[AuditLeaf, AuditRecord | None]]:
    """The leaves in their order, each with its record, or None where that is gone or cannot be read."""
    async for page in pages_of(AuditLeaf):
        records = {r.id: r for r in (await page_of(AuditRecord, [leaf.record_id for leaf in page.rows])).rows}
        for leaf in page.rows:
            yield leaf, records.get(leaf.record_id)


def _leaf_fault(leaf: AuditLeaf, record: AuditRecord | None) -> str | None:
    if record is None:
        return "记录已被删除或无法读取"
    try:
        digest = merkle.leaf_hash(audit.record_bytes(record)).hex()
    except (CryptoError, AttributeError):
        return "内容被改动"
    return None if leaf.digest == record.digest == digest else "内容被改动"


def _digest(leaf: AuditLeaf) -> bytes:
    """The leaf's digest; what is none by now still takes its place, so that the leaves after it can be judged."""
    try:
        return bytes.fromhex(leaf.digest)
    except ValueError:
        return merkle.EMPTY_ROOT


async def _head_faults(head: AuditHead, frontier: merkle.Frontier) -> AsyncIterator[Fault]:
    assert ports.head_signer is not None
    where = f"审计树头（{head.size} 条）"
    if head.root != frontier.root().hex() or head.frontier != [root.hex() for root in frontier.roots]:
        yield Fault(where, "与日志不一致")
    content = audit.head_bytes(head.size, head.root, head.at)
    if not await ports.head_signer.verify_head(content, bytes(head.signature), head.at):
        yield Fault(where, "签名无效")


def _unannounced(heads: dict[str, AuditHead], announced: dict[str, Any]) -> Iterator[Fault]:
    """Signing a head is itself on record: a head that was taken away, or whose key was changed, is missed there."""
    for head_id, head in heads.items():
        if announced.get(head_id) != (head.size, head.root):
            yield Fault(f"审计树头（{head.size} 条）", "与签署记录不一致")
    for size, _root in (announced[head_id] for head_id in announced.keys() - heads.keys()):
        yield Fault(f"审计树头（{size} 条）", "已被删除或无法读取")
