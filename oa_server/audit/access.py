"""Reading the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from oa_server.audit.models import AuditHead, AuditLeaf, AuditRecord
from oa_server.audit.verbs import TITLES, Verb
from oa_server.storage.database import comparable, select

HISTORY_LIMIT = 500
RECENT = timedelta(minutes=2)
STRETCH = 1000
_LEAST, _GREATEST = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records whose identifiers are `first` or greater, and less than `end`."""

    first: UUID
    end: UUID

    @property
    def is_oldest(self) -> bool:
        """Whether no record comes before it."""
        return self.first == _LEAST


async def stretch_before(later: Stretch | None) -> Stretch:
    """The stretch of records before a later one; the newest when there is none later, or nothing before it."""
    end = _GREATEST if later is None or later.is_oldest else later.first
    edge = "SELECT id FROM audit_record WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?"
    rows = await select(edge, [end, STRETCH - 1])
    return Stretch(UUID(str(rows[0]["id"])) if rows else _LEAST, end)


async def unsequenced_in(stretch: Stretch) -> list[dict[str, Any]]:
    """Identifier and digest of the records of a stretch that have no leaf yet."""
    return await select(
        "SELECT r.id, r.digest FROM audit_record r LEFT JOIN audit_leaf l ON l.record_id = r.id"
        " WHERE l.seq IS NULL AND r.id >= ? AND r.id < ? ORDER BY r.id",
        [stretch.first, stretch.end],
    )


async def unsequenced_around(now: datetime, limit: int) -> list[dict[str, Any]]:
    """Identifier and digest of the records about this old that have no leaf yet: nearly all that there ever are."""
    return await select(
        "SELECT r.id, r.digest FROM audit_record r LEFT JOIN audit_leaf l ON l.record_id = r.id"
        " WHERE l.seq IS NULL AND r.at BETWEEN ? AND ? ORDER BY r.id LIMIT ?",
        [comparable(now - RECENT), comparable(now + RECENT), limit],
    )


async def last_id() -> UUID | None:
    """The greatest identifier of a record, as far as this transaction sees."""
    rows = await select("SELECT id FROM audit_record ORDER BY id DESC LIMIT 1")
    return UUID(str(rows[0]["id"])) if rows else None


async def orphans() -> int:
    """How many records have no leaf at all."""
    rows = await select(
        "SELECT COUNT(*) AS n FROM audit_record r LEFT JOIN audit_leaf l ON l.record_id = r.id WHERE l.seq IS NULL"
    )
    return int(rows[0]["n"])


async def leaf_count() -> int:
    """How many records are in the log."""
    last = await AuditLeaf.all().order_by("-seq").first()
    return last.seq + 1 if last else 0


async def leaves_from(first: int, limit: int) -> list[AuditLeaf]:
    """So many leaves of the log from a place on, in its order."""
    return await AuditLeaf.filter(seq__gte=first).order_by("seq").limit(limit)


async def last_head() -> AuditHead | None:
    """The head over the most leaves; None before the first was signed."""
    return await AuditHead.all().order_by("-size").first()


async def is_quiet_since(head: AuditHead, size: int) -> bool:
    """Whether the log, now of `size`, has grown since a head by no more than the record that tells of it."""
    size_then: int = head.size
    if size != size_then + 1:
        return size == size_then
    leaf = await AuditLeaf.get(seq=size_then).prefetch_related("record")
    told_of: str = leaf.record.subject_id
    return told_of == str(head.id)


async def of_subject(subject_id: UUID) -> list[AuditRecord]:
    """What happened to one subject, oldest first, without the entries that only machines care for."""
    shown = [verb.value for verb in TITLES]
    rows = AuditRecord.filter(subject_id=str(subject_id), verb__in=shown)
    return await rows.order_by("id").limit(HISTORY_LIMIT)


def title_of(verb: str) -> str:
    """An act in the words of a document's history."""
    return TITLES[Verb(verb)]
