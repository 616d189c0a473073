"""Reading the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from oa_server.audit.models import AuditHead, AuditLeaf, AuditRecord
from oa_server.audit.verbs import TITLES, Verb
from oa_server.storage.database import comparable, select

HISTORY_LIMIT = 500
SEQUENCE_WINDOW = timedelta(minutes=10)


async def unsequenced(limit: int) -> list[dict[str, Any]]:
    """Identifier and digest of records that have no leaf yet, in the order of identifiers, which grow with time.

    Nothing older than a few minutes before the last leaf is looked at, for no transaction lives that long; the full
    verification looks at everything.
    """
    last = await AuditLeaf.all().order_by("-seq").first().prefetch_related("record")
    since = last.record.at - SEQUENCE_WINDOW if last else datetime.min.replace(tzinfo=UTC)
    return await select(
        "SELECT r.id, r.digest FROM audit_record r LEFT JOIN audit_leaf l ON l.record_id = r.id"
        " WHERE l.seq IS NULL AND r.at >= ? ORDER BY r.id LIMIT ?",
        [comparable(since), limit],
    )


async def orphans() -> int:
    """How many records have no leaf at all."""
    rows = await select(
        "SELECT COUNT(*) AS n FROM audit_record r LEFT JOIN audit_leaf l ON l.record_id = r.id WHERE l.seq IS NULL"
    )
    return int(rows[0]["n"])


async def leaf_count() -> int:
    last = await AuditLeaf.all().order_by("-seq").first()
    return last.seq + 1 if last else 0


async def leaves_from(first: int, limit: int) -> list[AuditLeaf]:
    return await AuditLeaf.filter(seq__gte=first).order_by("seq").limit(limit)


async def last_head() -> AuditHead | None:
    return await AuditHead.all().order_by("-size").first()


async def heads() -> list[AuditHead]:
    return await AuditHead.all().order_by("size")


async def of_subject(subject_id: UUID) -> list[AuditRecord]:
    """What happened to one subject, oldest first, without the entries that only machines care for."""
    shown = [verb.value for verb in TITLES]
    rows = AuditRecord.filter(subject_id=str(subject_id), verb__in=shown)
    return await rows.order_by("id").limit(HISTORY_LIMIT)


def title_of(verb: str) -> str:
    """An act in the words of a document's history."""
    return TITLES[Verb(verb)]
