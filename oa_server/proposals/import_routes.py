"""Sheets of cases over HTTP."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from oa_server.audit.verbs import Verb
from oa_server.core.errors import Conflict, Denied, NotFound
from oa_server.proposals import access, import_answers, importing
from oa_server.proposals.bodies import ARCHIVE_LIMIT
from oa_server.proposals.matching import Plan
from oa_server.proposals.schemas import (
    ImportBatchList,
    ImportBatchOut,
    ImportConfirmed,
    ImportQuery,
    ImportReport,
    UnitAliasesIn,
    UnitAliasList,
)
from oa_server.web.endpoint import Call, endpoint, resource
from oa_server.web.progress import LINES, as_lines
from oa_server.web.sheets import SHEET, XLSX, leave_as_marked


async def _plan(call: Call[Any]) -> Plan:
    importing.check_importer(call.actor, await access.sitting(call.id()))
    data = await call.raw(ARCHIVE_LIMIT)
    upload = await importing.read(call.actor, call.id(), call.query.name, data)
    return await importing.rehearse(call.actor, call.id(), upload)


@endpoint(summary="试导入建议提案：逐行核对，不作任何改动", body=SHEET, query=ImportQuery, returns=ImportReport)
async def rehearse_import(call: Call[None]) -> ImportReport:
    return import_answers.report_out(await _plan(call))


@endpoint(summary="下载逐行核对的结果（错误单元格有标记）", body=SHEET, query=ImportQuery, returns=XLSX)
async def download_report(call: Call[None]) -> Response:
    sheets = import_answers.marked(await _plan(call))
    return await leave_as_marked(call, "核对结果.xlsx", sheets, verb=Verb.LIST_EXPORTED, subject="proposal_import")


@endpoint(
    summary="按显示过的差异导入建议提案，全部导入或者全不导入（逐行告知进度）",
    body=SHEET,
    query=ImportConfirmed,
    returns=LINES,
    refuses=[Conflict],
)
async def import_proposals(call: Call[None]) -> Response:
    importing.check_importer(call.actor, await access.sitting(call.id()))
    data = await call.raw(ARCHIVE_LIMIT)
    upload = await importing.read(call.actor, call.id(), call.query.name, data)

    async def work(tell: importing.Tell) -> ImportBatchOut:
        batch = await importing.bring_in(call.actor, call.id(), upload, call.query.shown, tell)
        return (await import_answers.batches_out([batch]))[0]

    return await as_lines(call, work)


@endpoint(summary="已经导入的批次", returns=ImportBatchList, refuses=[Denied])
async def list_imports(call: Call[None]) -> ImportBatchList:
    importing.check_importer(call.actor, await access.sitting(call.id()))
    return ImportBatchList(await import_answers.batches_out(await importing.batches(call.id())))


@endpoint(summary="单位别名", returns=UnitAliasList, refuses=[Denied])
async def list_aliases(call: Call[None]) -> UnitAliasList:
    importing.check_importer(call.actor, await access.sitting(call.id()))
    return UnitAliasList(await import_answers.aliases_out(await importing.aliases()))


@endpoint(summary="确定单位别名", body=UnitAliasesIn, returns=UnitAliasList, refuses=[NotFound])
async def set_aliases(call: Call[UnitAliasesIn]) -> UnitAliasList:
    await importing.set_aliases(call.actor, call.id(), [(one.name, one.organ_id) for one in call.body.aliases])
    return UnitAliasList(await import_answers.aliases_out(await importing.aliases()))


routes = [
    resource("/api/sittings/{id}/imports", GET=list_imports, POST=import_proposals),
    resource("/api/sittings/{id}/imports/difference", POST=rehearse_import),
    resource("/api/sittings/{id}/imports/report", POST=download_report),
    resource("/api/sittings/{id}/unit-aliases", GET=list_aliases, PUT=set_aliases),
]
