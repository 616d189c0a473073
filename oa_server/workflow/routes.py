"""The to-do list over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from starlette.responses import Response

from oa_server.identity.spreadsheet import write_csv
from oa_server.web.endpoint import Binary, Call, endpoint, resource
from oa_server.workflow import access
from oa_server.workflow.schemas import TaskList, TaskOut, TaskQuery

EXPORT_LIMIT = 200


def _filter(call: Call[Any]) -> access.TaskFilter:
    query: TaskQuery = call.query
    before = None
    if query.cursor:
        at, task_id = call.request.app.state.cursors.decode(query.cursor)
        before = (datetime.fromisoformat(at), UUID(task_id))
    return access.TaskFilter(query.tab == "done", query.kind, query.q.strip(), before, query.limit)


def _out(row: dict[str, Any]) -> TaskOut:
    return msgspec.convert(row | {"organ_name": row["from_name"]}, TaskOut, strict=False)


@endpoint(summary="我的待办和已办", query=TaskQuery, returns=TaskList)
async def list_tasks(call: Call[None]) -> TaskList:
    wanted = _filter(call)
    items = [_out(row) for row in await access.tasks(call.actor, wanted)]
    following = None
    if len(items) == wanted.limit:
        last = items[-1]
        moment = last.done_at if wanted.done else last.opened_at
        following = call.request.app.state.cursors.encode([moment, last.id])
    return TaskList(items, following)


@endpoint(summary="导出待办清单", query=TaskQuery, returns=Binary("text/csv"))
async def export_tasks(call: Call[None]) -> Response:
    rows = await access.tasks(call.actor, _filter(call))
    header = ("环节", "标题", "发文字号", "来自", "紧急程度", "到达时间", "办理时限", "办结时间")
    items = [_out(row) for row in rows]
    cells = [
        (i.step_title, i.title, i.doc_no, i.organ_name, i.urgency, i.opened_at, i.due_at, i.done_at) for i in items
    ]
    headers = {"Content-Disposition": "attachment; filename=tasks.csv"}
    return Response(write_csv(header, cells), headers=headers, media_type="text/csv; charset=utf-8")


routes = [
    resource("/api/tasks", GET=list_tasks),
    resource("/api/tasks.csv", GET=export_tasks),
]
