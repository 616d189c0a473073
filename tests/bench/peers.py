"""The bare programs that figures are set beside: no sign-in, no access rules, no audit, only the same answer.

OA_PEER_DATABASE=… OA_PEER_OFFICIAL=… uvicorn tests.bench.peers:tasks
OA_PEER_DATABASE=… uvicorn tests.bench.peers:writes
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosqlite
import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

LIST = (
    "SELECT t.id, t.step, t.step_title, t.opened_at, t.due_at, t.done_at, r.subject_type, r.subject_id, r.title,"
    " r.doc_no, r.from_name AS organ_name, r.urgency FROM task t JOIN route r ON r.id = t.route_id"
    " WHERE t.official_id = {} AND t.state = 'open' ORDER BY t.opened_at DESC, t.id DESC LIMIT 20"
)


async def _from_postgres(request: Request) -> Response:
    rows = await request.app.state.database.fetch(LIST.format("$1"), UUID(os.environ["OA_PEER_OFFICIAL"]))
    return _answer([dict(row) for row in rows])


async def _from_sqlite(request: Request) -> Response:
    cursor = await request.app.state.database.execute(LIST.format("?"), [os.environ["OA_PEER_OFFICIAL"]])
    names = [column[0] for column in cursor.description]
    return _answer([dict(zip(names, row, strict=True)) for row in await cursor.fetchall()])


def _answer(rows: list[dict[str, Any]]) -> Response:
    # The driver has an own kind of UUID, hence `default`.
    return Response(orjson.dumps({"items": rows, "next": None}, default=str), media_type="application/json")


def _is_sqlite() -> bool:
    return os.environ["OA_PEER_DATABASE"].startswith("sqlite:")


@asynccontextmanager
async def _open(app: Starlette) -> AsyncIterator[None]:
    url = os.environ["OA_PEER_DATABASE"]
    if _is_sqlite():
        async with aiosqlite.connect(unquote(urlsplit(url).path)) as app.state.database:
            yield
    else:
        async with asyncpg.create_pool(url) as app.state.database:
            yield


async def _keep(request: Request) -> Response:
    """Keep a body under its key, durably, and nothing else."""
    values = [request.headers["Idempotency-Key"], (await request.body()).decode()]
    database = request.app.state.database
    if _is_sqlite():
        await database.execute("INSERT INTO bench_write (key, body) VALUES (?, ?)", values)
        await database.commit()
    else:
        await database.execute("INSERT INTO bench_write (key, body) VALUES ($1, $2)", *values)
    return Response(status_code=201)


@asynccontextmanager
async def _open_to_write(app: Starlette) -> AsyncIterator[None]:
    async with _open(app):
        await app.state.database.execute("CREATE TABLE IF NOT EXISTS bench_write (key TEXT PRIMARY KEY, body TEXT)")
        yield


async def _list(request: Request) -> Response:
    return await (_from_sqlite(request) if _is_sqlite() else _from_postgres(request))


writes = Starlette(routes=[Route("/writes", _keep, methods=["POST"])], lifespan=_open_to_write)
tasks = Starlette(routes=[Route("/tasks", _list)], lifespan=_open)
