"""The to-do list over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from starlette.responses import Response

from oa_server.audit.verbs import Verb
from oa_server.web.endpoint import Call, endpoint, resource
from oa_server.web.sheets import CSV, leave_as_csv, whole
from oa_server.workflow import access, rules
from oa_server.workflow.schemas import TaskFilter, TaskList, TaskOut, TaskQuery


def _filter(call: Call[Any], *, limit: int, before: tuple[datetime, UUID] | None = None) -> access.TaskFilter:
    query: TaskFilter = call.query
    return access.TaskFilter(query.tab == "done", query.kind, query.q.strip(), before, limit)


def _out(rows: Sequence[dict[str, Any]]) -> list[TaskOut]:
    return msgspec.convert(rows, list[TaskOut], strict=False)


@endpoint(summary="我的待办和已办", query=TaskQuery, returns=TaskList)
async def list_tasks(call: Call[None]) -> TaskList:
    query: TaskQuery = call.query
    before = None
    if query.cursor:
        at, task_id = call.cursors.decode(f"tasks.{query.tab}", query.cursor)
        before = (datetime.fromisoformat(at), UUID(task_id))
    wanted = _filter(call, limit=query.limit, before=before)
    items = _out(await access.tasks(call.actor, wanted))
    following = None
    if len(items) == wanted.limit:
        last = items[-1]
        moment = last.done_at if wanted.done else last.opened_at
        following = call.cursors.encode(f"tasks.{query.tab}", [moment, last.id])
    return TaskList(items, following)


@endpoint(summary="导出待办清单", query=TaskFilter, returns=CSV)
async def export_tasks(call: Call[None]) -> Response:
    found = await access.tasks(call.actor, _filter(call, limit=access.EXPORT_LIMIT + 1))
    rows = whole(found, rules.TOO_MANY_ROWS, access.EXPORT_LIMIT)
    header = ("环节", "标题", "发文字号", "来自", "紧急程度", "到达时间", "办理时限", "办结时间")
    cells = [
        (i.step_title, i.title, i.doc_no, i.organ_name, i.urgency, i.opened_at, i.due_at, i.done_at) for i in _out(rows)
    ]
    return await leave_as_csv(call, "待办清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="tasks")


routes = [
    resource("/api/tasks", GET=list_tasks),
    resource("/api/tasks.csv", GET=export_tasks),
]
