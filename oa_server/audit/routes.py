"""The audit log over HTTP, for the audit administrator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from starlette.responses import Response

from oa_server.audit import access, copies, proofs, rules
from oa_server.audit.models import AuditRecord
from oa_server.audit.schemas import (
    DayOut,
    DayQuery,
    HeadsOut,
    HourOut,
    ProofOut,
    RecordDetail,
    RecordFilter,
    RecordList,
    RecordOut,
    RecordQuery,
    Vocabulary,
)
from oa_server.audit.verbs import AREAS, TITLES, TURNED_DOWN, Verb
from oa_server.core import clock
from oa_server.core.errors import Conflict, Denied
from oa_server.core.ports import ports
from oa_server.web.endpoint import Call, endpoint, resource
from oa_server.web.sheets import CSV, EXPORT_LIMIT, leave_as_csv, whole


def _wanted(query: RecordFilter, **more: object) -> access.Wanted:
    return access.Wanted(
        words=query.q.strip(),
        area=query.area,
        verb=query.verb,
        organ_id=query.organ,
        result=query.result,
        hour=query.hour,
        since=query.since,
        until=query.until,
        oldest_first=query.sort == "oldest",
        **more,  # type: ignore[arg-type]
    )


@endpoint(summary="审计日志的用语", returns=Vocabulary, refuses=[Denied])
async def vocabulary(call: Call[None]) -> Vocabulary:
    rules.check_reads(call.actor)
    return Vocabulary(AREAS, {verb.value: title for verb, title in TITLES.items()})


@endpoint(summary="查询审计日志", query=RecordQuery, returns=RecordList, refuses=[Denied])
async def list_records(call: Call[None]) -> RecordList:
    query: RecordQuery = call.query
    rows = await access.records(call.actor, _wanted(query, after=call.after("audit"), limit=query.limit))
    return RecordList(await _shown(rows), call.further("audit", rows))


async def _shown(rows: Sequence[AuditRecord]) -> list[RecordOut]:
    organs = await _organs(rows)
    return [RecordOut(**_fields(row, organs)) for row in rows]


async def _organs(rows: Sequence[AuditRecord]) -> dict[UUID, str]:
    assert ports.organ_names is not None, "app.py plugs the directory in"
    return await ports.organ_names({row.organ_id for row in rows if row.organ_id})


def _fields(row: AuditRecord, organs: Mapping[UUID, str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at,
        "verb": row.verb,
        "title": access.title_of(row.verb),
        "actor": row.actor_name,
        "organ": organs.get(row.organ_id, ""),
        "address": row.address,
        "certificate": row.certificate_serial,
        "subject_type": row.subject_type,
        "subject": row.subject_id,
        "refused": row.verb in TURNED_DOWN,
        "facts": row.facts,
    }


@endpoint(summary="一条审计记录", returns=RecordDetail, refuses=[Denied])
async def show_record(call: Call[None]) -> RecordDetail:
    row = await access.record(call.actor, call.id())
    leaf = await access.leaf_of(row.id)
    return RecordDetail(**_fields(row, await _organs([row])), digest=row.digest, leaf=leaf.seq if leaf else None)


@endpoint(summary="导出审计日志", query=RecordFilter, returns=CSV, refuses=[Denied])
async def export_records(call: Call[None]) -> Response:
    rows = whole(await access.records(call.actor, _wanted(call.query, limit=EXPORT_LIMIT + 1)))
    header = ("时间", "操作", "人员", "机关", "地址", "证书", "对象类型", "对象", "详情", "摘要")
    digests = {row.id: row.digest for row in rows}
    cells = [
        (
            row.at,
            row.title,
            row.actor,
            row.organ,
            row.address,
            row.certificate,
            row.subject_type,
            row.subject,
            msgspec.json.encode(row.facts).decode(),
            digests[row.id],
        )
        for row in await _shown(rows)
    ]
    return await leave_as_csv(call, "审计日志.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="audit")


@endpoint(summary="一天的审计概况", query=DayQuery, returns=DayOut, refuses=[Denied])
async def show_day(call: Call[None]) -> DayOut:
    day = call.query.day or clock.today()
    found = await access.hours(call.actor, day)
    head = await access.last_head()
    return DayOut(
        day=day,
        hours=[HourOut(hour, _by_area(counts)) for hour, counts in enumerate(found)],
        refused=sum(counts.get(Verb.SIGN_IN_REFUSED, 0) for counts in found),
        size=await access.leaf_count(),
        head_at=head.at if head else None,
        head_size=head.size if head else None,
    )


def _by_area(counts: Mapping[str, int]) -> dict[str, int]:
    areas: Counter[str] = Counter()
    for verb, count in counts.items():
        areas[verb.partition(".")[0]] += count
    return dict(areas)


@endpoint(summary="签署的树头及其库外副本", returns=HeadsOut, refuses=[Denied])
async def show_heads(call: Call[None]) -> HeadsOut:
    rules.check_reads(call.actor)
    return await copies.heads(call.request.app.state.house.head_copies, call.language)


@endpoint(summary="一条审计记录在日志中的证明", returns=ProofOut, refuses=[Denied, Conflict])
async def read_proof(call: Call[None]) -> ProofOut:
    return await proofs.proof_of(call.actor, call.id())


routes = [
    resource("/api/audit/vocabulary", GET=vocabulary),
    resource("/api/audit/records", GET=list_records),
    resource("/api/audit/records.csv", GET=export_records),
    resource("/api/audit/day", GET=show_day),
    resource("/api/audit/heads", GET=show_heads),
    resource("/api/audit/records/{id}", GET=show_record),
    resource("/api/audit/records/{id}/proof", GET=read_proof),
]
