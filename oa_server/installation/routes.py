"""Settings over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from oa_server.audit.verbs import Verb
from oa_server.core.errors import Conflict, Denied, Invalid, PreconditionFailed, PreconditionRequired
from oa_server.identity import access as identity
from oa_server.identity.importing import Difference
from oa_server.identity.schemas import SheetDifference, SheetQuery
from oa_server.installation import access, actions, importing, rules
from oa_server.installation.access import SettingsInForce
from oa_server.installation.exporting import settings_sheets
from oa_server.installation.models import Setting
from oa_server.installation.schemas import (
    FixedOut,
    SettingChangeOut,
    SettingDecisionIn,
    SettingHistory,
    SettingIn,
    SettingList,
    SettingOut,
)
from oa_server.web.endpoint import Call, endpoint, resource
from oa_server.web.shapes import ability_out
from oa_server.web.sheets import SHEET, XLSX, leave_as_book


def _settings(call: Call[Any]) -> SettingsInForce:
    found: SettingsInForce = call.request.app.state.settings
    return found


@endpoint(summary="系统设置", returns=SettingList, refuses=[Denied])
async def list_settings(call: Call[None]) -> SettingList:
    rules.check_reads(call.actor)
    _settings(call).forget()  # Whoever has just changed one by another process looks here at what became of it.
    now, waiting = await _settings(call).now(), await access.waiting()
    newest = await access.newest()
    told = {row.id: row for row in await _changes(call, [*newest.values(), *waiting.values()])}
    items = [
        SettingOut(
            name=name,
            value=rules.text_of(getattr(now, name)),
            in_file=rules.text_of(getattr(_settings(call).file, name)),
            takes_two=rules.takes_two(name),
            owner=owner,
            seen=actions.etag_of(row),
            changed_by=told[row.id].decided_by if row else "",
            changed_at=row.decided_at if row else None,
            waiting=told[waiting[name].id] if name in waiting else None,
            abilities=[ability_out(a, call.language) for a in rules.abilities(call.actor, name, waits=name in waiting)],
        )
        for name, owner in rules.CHANGEABLE.items()
        for row in [newest.get(name)]
    ]
    fixed = [FixedOut(name, value) for name, value in rules.fixed(_settings(call).file).items()]
    return SettingList(items, fixed)


async def _changes(call: Call[Any], rows: Sequence[Setting]) -> list[SettingChangeOut]:
    names = await identity.names_of({key for r in rows for key in (r.proposed_by, r.decided_by) if key})
    return [
        SettingChangeOut(
            id=row.id,
            name=row.name,
            value=row.value,
            reason=row.reason,
            state=row.state,
            proposed_by=names.get(row.proposed_by, ""),
            proposed_at=row.proposed_at,
            decided_by=names.get(row.decided_by, ""),
            decided_at=row.decided_at,
            abilities=[ability_out(a, call.language) for a in rules.change_abilities(call.actor, row)],
        )
        for row in rows
    ]


@endpoint(
    summary="变更设置（安全类须另一名管理员复核）",
    body=SettingIn,
    returns=SettingList,
    needs=["If-Match"],
    refuses=(Conflict, PreconditionFailed, PreconditionRequired),
)
async def change_setting(call: Call[SettingIn]) -> SettingList:
    name = call.request.path_params["name"]
    wanted = call.body
    await actions.change_setting(
        call.actor, _settings(call), name, wanted.value, seen=call.if_match, reason=wanted.reason
    )
    return await list_settings.handler(call)  # type: ignore[no-any-return]


@endpoint(summary="一项设置的变更历史", returns=SettingHistory, refuses=[Denied])
async def show_history(call: Call[None]) -> SettingHistory:
    rows = await access.history(call.actor, call.request.path_params["name"])
    return SettingHistory(await _changes(call, rows))


@endpoint(summary="复核、驳回或撤回设置变更", body=SettingDecisionIn, returns=SettingChangeOut, refuses=[Conflict])
async def decide_setting(call: Call[SettingDecisionIn]) -> SettingChangeOut:
    row = await actions.decide_setting(call.actor, _settings(call), call.id(), call.body.verb)
    return (await _changes(call, [row]))[0]


# --- sheets -----------------------------------------------------------------------------------------------------------


@endpoint(summary="导出系统设置", returns=XLSX, refuses=[Denied])
async def export_settings(call: Call[None]) -> Response:
    sheets = await settings_sheets(call.actor, _settings(call))
    return await leave_as_book(call, "系统设置.xlsx", sheets, verb=Verb.LIST_EXPORTED, subject="settings")


@endpoint(
    summary="试导入设置：显示差异，不作任何改动",
    body=SHEET,
    query=SheetQuery,
    returns=SheetDifference,
    refuses=(Denied, Invalid, Conflict),
)
async def rehearse_settings(call: Call[None]) -> SheetDifference:
    data = await call.raw(importing.SIZE_LIMIT)
    return _difference(await importing.rehearse(call.actor, _settings(call), call.query.name, data))


@endpoint(
    summary="按显示过的差异导入设置（安全类须另一名管理员复核）",
    body=SHEET,
    query=SheetQuery,
    returns=SheetDifference,
    refuses=(Denied, Invalid, Conflict),
)
async def import_settings(call: Call[None]) -> SheetDifference:
    data, query = await call.raw(importing.SIZE_LIMIT), call.query
    done = await importing.import_settings(call.actor, _settings(call), query.name, data, shown=query.shown)
    return _difference(done)


def _difference(found: Difference) -> SheetDifference:
    return msgspec.convert(found.as_facts(), SheetDifference)


routes = [
    resource("/api/settings", GET=list_settings),
    resource("/api/settings.xlsx", GET=export_settings),
    resource("/api/settings/difference", POST=rehearse_settings),
    resource("/api/settings/imports", POST=import_settings),
    resource("/api/settings/{name}", PATCH=change_setting),
    resource("/api/settings/{name}/history", GET=show_history),
    resource("/api/setting-changes/{id}/acts", POST=decide_setting),
]
