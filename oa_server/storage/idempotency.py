"""Answers to keep: a write sent twice with the same `Idempotency-Key` has its effect once and its answer twice.

The answer is stored in the transaction of the effect itself, so there is no moment in which one exists without the other.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from oa_server.core import clock
from oa_server.core.errors import Conflict, Reason
from oa_server.core.ids import new_id
from oa_server.storage import fields
from oa_server.storage.unit_of_work import Work, conflict_on

KEY_REUSED = Reason(
    "storage.key_reused", "同一幂等键已用于另一请求", "This Idempotency-Key was used for another request."
)
IN_PROGRESS = Reason("storage.in_progress", "同一请求正在处理，请稍候", "The same request is being worked on.")

RESERVED_FOR = timedelta(seconds=30)  # longer than any request is worked on
RETRY_SECONDS = 1
UNANSWERED = 0


class KeptAnswer(fields.Model):
    """One answer: who asked with which key (an official, or a department's system), what was asked (digest), and what we
    said. `status` is 0 while a request that is too long for one transaction is worked on."""

    id = fields.Key()
    official_id = fields.Id()
    key = fields.Text(128)
    request_sha256 = fields.Digest()
    status = fields.Number()
    body = fields.SealedBytes()
    at = fields.Moment(db_index=True)

    class Meta:
        app = "oa"
        table = "kept_answer"
        unique_together = (("official_id", "key"),)


async def find(official_id: UUID, key: str, request_sha256: str) -> KeptAnswer | None:
    """The answer already given. Raises Conflict when the key was used for something else, or is in use this moment."""
    kept = await KeptAnswer.get_or_none(official_id=official_id, key=key)
    if kept is not None and kept.request_sha256 != request_sha256:
        raise Conflict(KEY_REUSED)
    if kept is None or kept.status != UNANSWERED:
        return kept
    if kept.at > clock.now() - RESERVED_FOR:
        raise Conflict(IN_PROGRESS, retry_after=RETRY_SECONDS)
    return None


async def reserve(work: Work, *, official_id: UUID, key: str, request_sha256: str) -> None:
    """Have a key to oneself while its request is worked on; one whose owner died is free again after a while.

    Raises Conflict when somebody else has it.
    """
    stale = KeptAnswer.filter(official_id=official_id, key=key, status=UNANSWERED, at__lte=work.now - RESERVED_FOR)
    await stale.delete()
    await keep(work, official_id=official_id, key=key, request_sha256=request_sha256, status=UNANSWERED, body=b"")


async def fill(official_id: UUID, key: str, *, status: int, body: bytes) -> None:
    """Put the answer where its key was reserved."""
    reserved = KeptAnswer.filter(official_id=official_id, key=key, status=UNANSWERED)
    for row in await reserved:
        await reserved.filter(id=row.id).update(
            **fields.sealed_for(KeptAnswer, row.id, {"status": status, "body": body})
        )


async def release(official_id: UUID, key: str) -> None:
    """Give a reserved key back: its request was refused, and may be made again."""
    await KeptAnswer.filter(official_id=official_id, key=key, status=UNANSWERED).delete()


async def keep(work: Work, *, official_id: UUID, key: str, request_sha256: str, status: int, body: bytes) -> None:
    """Store an answer inside the unit of work that made it."""
    async with conflict_on(IN_PROGRESS, retry_after=RETRY_SECONDS):
        await KeptAnswer.create(
            id=new_id(),
            official_id=official_id,
            key=key,
            request_sha256=request_sha256,
            status=status,
            body=body,
            at=work.now,
        )
