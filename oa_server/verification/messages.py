"""Messages are their own record: each holds the digest of the one before it, and the log holds where each chain ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from uuid import UUID

import msgspec

from crypto.canonical import canonical_json
from crypto.errors import CryptoError
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.messaging.ledger import FIRST_CHAIN, Content, chain_of, uuid
from oa_server.messaging.models import Conversation, Message
from oa_server.storage import sealing
from oa_server.storage.database import select
from oa_server.storage.protection import rows_of
from oa_server.verification.faults import Fault

PAGE = 500


async def message_faults() -> AsyncIterator[Fault]:
    """Messages that were changed, taken away or put in, and conversations that do not end where the log says."""
    anchors = await _anchors()
    async for conversation in rows_of(Conversation):
        async for fault in _chain_faults(conversation, anchors.pop(conversation.id, {})):
            yield fault
    for gone in anchors:
        yield Fault(f"conversation:{gone}", "会话已被删除")


async def _anchors() -> dict[UUID, dict[int, str]]:
    """For each conversation the ends that the log has recorded."""
    found: dict[UUID, dict[int, str]] = {}
    for record in await AuditRecord.filter(verb=Verb.MESSAGES_ANCHORED).order_by("id"):
        for key, (seq, chain) in record.facts["heads"].items():
            found.setdefault(UUID(key), {})[seq] = chain
    return found


async def _chain_faults(conversation: Conversation, anchors: dict[int, str]) -> AsyncIterator[Fault]:
    seq, chain = 0, FIRST_CHAIN
    while (
        rows := await Message.filter(conversation_id=conversation.id, seq__gt=seq)
        .order_by("seq")
        .limit(PAGE)
        .only(*_COLUMNS)
    ):
        contents = await _contents_sha256(conversation.id, seq)
        for row in rows:
            where = f"message:{row.id}"
            if row.seq != seq + 1:
                yield Fault(f"conversation:{conversation.id}", f"第 {seq + 1} 条消息缺失")
            if contents.get(row.id) != row.content_sha256:
                yield Fault(where, "消息内容已被改动")
            chain = chain_of(
                chain, conversation.id, row.seq, row.sender_id, row.cid, row.kind, row.content_sha256, row.at
            )
            if chain != row.chain or anchors.pop(row.seq, chain) != chain:
                yield Fault(where, "消息与前后消息的摘要不一致")
                chain = row.chain
            seq = row.seq
    if (seq, chain) != (conversation.last_seq, conversation.last_chain) or anchors:
        yield Fault(f"conversation:{conversation.id}", "会话的结尾与记录不一致，最近的消息可能已被删除")


_COLUMNS = ("id", "conversation_id", "seq", "sender_id", "cid", "kind", "content_sha256", "chain", "at")


async def _contents_sha256(conversation_id: UUID, after: int) -> dict[UUID, str]:
    """The digests of what a page of messages holds; those that cannot be opened are missing."""
    sql = "SELECT id, content FROM message WHERE conversation_id = ? AND seq > ? ORDER BY seq LIMIT ?"
    found: dict[UUID, str] = {}
    for row in await select(sql, [conversation_id, after, PAGE]):
        key = uuid(row["id"])
        try:
            content = msgspec.json.decode(sealing.opened("message", "content", key, row["content"]), type=Content)
        except (CryptoError, msgspec.DecodeError):
            continue
        found[key] = sha256(canonical_json(msgspec.to_builtins(content))).hexdigest()
    return found
