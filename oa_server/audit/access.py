"""Reading the audit log."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from oa_server.audit import rules
from oa_server.audit.models import AuditHead, AuditLeaf, AuditRecord, AuditSubtree
from oa_server.audit.verbs import OF_A_DOCUMENT, OF_A_PROPOSAL, TITLES, TURNED_DOWN, Verb
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.storage.database import select
from oa_server.storage.fields import Q, QuerySet

HISTORY_LIMIT = 500
RECENT = timedelta(minutes=2)
STRETCH = 1000
# What a copy of the database is asked of its log: how many records and which is the last; size and root of the newest head.
LOG = "SELECT COUNT(*) AS records, (SELECT id FROM audit_record ORDER BY id DESC LIMIT 1) AS last FROM audit_record"
NEWEST_HEAD = "SELECT size, root FROM audit_head ORDER BY size DESC LIMIT 1"
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
        [now - RECENT, now + RECENT, limit],
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


async def of_subject(*subject_ids: UUID) -> list[AuditRecord]:
    """What happened to a document, or to a proposal and what was given out of it, oldest first, without the entries that only
    machines care for."""
    shown = [verb.value for verb in OF_A_DOCUMENT | OF_A_PROPOSAL]
    rows = AuditRecord.filter(subject_id__in=[str(one) for one in subject_ids], verb__in=shown)
    return await rows.order_by("id").limit(HISTORY_LIMIT)


async def newest_of_proposals(since: datetime, limit: int) -> list[AuditRecord]:
    """What was done last with proposals and what was given out of them, the newest first."""
    shown = [verb.value for verb in OF_A_PROPOSAL]
    return await AuditRecord.filter(at__gte=since, verb__in=shown).order_by("-id").limit(limit)


def title_of(verb: str) -> str:
    """An act in the words of a document's history."""
    return TITLES[Verb(verb)]


# --- the auditor's questions ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records an auditor asks for, and how many after which."""

    words: str = ""
    area: str = ""
    verb: str = ""
    organ_id: UUID | None = None
    result: str = ""
    since: date | None = None
    until: date | None = None
    hour: int | None = None
    oldest_first: bool = False
    after: UUID | None = None
    limit: int = 50


async def records(actor: Actor, wanted: Wanted) -> list[AuditRecord]:
    """A page of the records that fit. Raises Denied."""
    rules.check_reads(actor)
    rows = AuditRecord.all()
    if wanted.words:
        exactly = ("subject_id", "certificate_serial", "address")
        named = Q(*(Q(**{name: wanted.words}) for name in exactly), join_type=Q.OR)
        rows = rows.filter(Q(named, Q(actor_name__contains=wanted.words), join_type=Q.OR))
    if wanted.area:
        rows = rows.filter(verb__startswith=f"{wanted.area}.")
    if wanted.verb:
        rows = rows.filter(verb=wanted.verb)
    if wanted.organ_id:
        rows = rows.filter(organ_id=wanted.organ_id)
    if wanted.result:
        turned_down = Q(verb__in=sorted(TURNED_DOWN))
        rows = rows.filter(turned_down if wanted.result == "refused" else ~turned_down)
    rows = _when(rows, wanted)
    if wanted.after:
        rows = rows.filter(**{"id__gt" if wanted.oldest_first else "id__lt": wanted.after})
    return await rows.order_by("id" if wanted.oldest_first else "-id").limit(wanted.limit)


def _when(rows: QuerySet[AuditRecord], wanted: Wanted) -> QuerySet[AuditRecord]:
    """Between two days of the office, or in one hour of the first."""
    if wanted.since and wanted.hour is not None:
        begin = clock.midnight(wanted.since) + timedelta(hours=wanted.hour)
        return rows.filter(at__gte=begin, at__lt=begin + timedelta(hours=1))
    if wanted.since:
        rows = rows.filter(at__gte=clock.midnight(wanted.since))
    if wanted.until and wanted.until < date.max:
        rows = rows.filter(at__lt=clock.midnight(wanted.until + timedelta(days=1)))
    return rows


async def record(actor: Actor, record_id: UUID) -> AuditRecord:
    """One record. Raises Denied, NotFound."""
    rules.check_reads(actor)
    found = await AuditRecord.get_or_none(id=record_id)
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


async def hours(actor: Actor, day: date) -> list[dict[str, int]]:
    """How many acts of each verb there were in each hour of a day of the office. Raises Denied."""
    rules.check_reads(actor)
    start = clock.midnight(day)
    count = "SELECT verb, COUNT(*) AS n FROM audit_record WHERE at >= ? AND at < ? GROUP BY verb"
    found = []
    for hour in range(24):
        begin = start + timedelta(hours=hour)
        rows = await select(count, [begin, begin + timedelta(hours=1)])
        found.append({row["verb"]: row["n"] for row in rows})
    return found


async def newest_of(subject_id: UUID | str, verb: Verb) -> AuditRecord | None:
    """The last time that something was done to a subject, for whoever keeps the subject and has its rules."""
    return await AuditRecord.filter(subject_id=str(subject_id), verb=verb).order_by("-id").first()


async def of_certificate(serial: str, verbs: Collection[Verb], after: UUID | None, limit: int) -> list[AuditRecord]:
    """What of these acts was done with a certificate, the newest first, for whoever has the rules of certificates."""
    rows = AuditRecord.filter(certificate_serial=serial, verb__in=sorted(verbs))
    return await (rows.filter(id__lt=after) if after else rows).order_by("-id").limit(limit)


async def leaf_of(record_id: UUID) -> AuditLeaf | None:
    """A record's place in the log, once it has one."""
    return await AuditLeaf.get_or_none(record_id=record_id)


async def leaf_digests(first: int, end: int) -> list[bytes]:
    """The digests of the leaves from `first` to before `end`."""
    rows: Any = await AuditLeaf.filter(seq__gte=first, seq__lt=end).order_by("seq").values_list("digest", flat=True)
    return [bytes.fromhex(digest) for digest in rows]


async def subtree_roots(end: int) -> list[bytes]:
    """The roots of the first `end` subtrees, as far as they are kept."""
    rows: Any = await AuditSubtree.filter(number__lt=end).order_by("number").values_list("root", flat=True)
    return [bytes.fromhex(root) for root in rows]


async def subtree_count() -> int:
    """How many subtrees are kept."""
    last = await AuditSubtree.all().order_by("-number").first()
    return last.number + 1 if last else 0


async def heads_after(size: int, limit: int) -> list[AuditHead]:
    """Signed heads over more leaves than `size`, the smallest first."""
    return await AuditHead.filter(size__gt=size).order_by("size").limit(limit)


async def count_heads_after(size: int) -> int:
    """How many heads were signed over more leaves than `size`."""
    return await AuditHead.filter(size__gt=size).count()


async def head_at(size: int) -> AuditHead | None:
    """The head that was signed over so many leaves."""
    return await AuditHead.get_or_none(size=size)
