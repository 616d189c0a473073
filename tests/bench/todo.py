"""The to-do list among a million tasks: through the door and raw, over HTTP and beside a bare endpoint."""

from __future__ import annotations

import os
import statistics
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.core.ids import new_id
from oa_server.settings import Settings
from oa_server.storage.database import connection, is_postgres, select
from oa_server.workflow import access as workflow
from tests import servers
from tests.bench.peers import LIST
from tests.bench.report import Load, at_desk, figure, load, p99, process, serving, spread, timed
from tests.city import City

OFFICIALS, TASKS, SHOWN = 100_000, 1_000_000, 20


async def through_the_door(city: City, column: str) -> None:
    """The newest 20 of one official, through `access.py` and as the same statement sent raw, in turns."""
    await _fill(city.settings.database, UUID(city.people["wang"]))
    actor = Actor("王建国", official_id=UUID(city.people["wang"]))
    wanted = workflow.TaskFilter(limit=SHOWN)
    through, raw = [], []
    for _ in range(20):
        through += await timed(20, lambda: workflow.tasks(actor, wanted))
        raw += await timed(20, lambda: select(LIST.format("?"), [actor.official_id]))
    figure(
        "to_do_list", column, tasks=TASKS, ratio_p50_to_raw_sql=statistics.median(through) / statistics.median(raw),
        ratio_p99_to_raw_sql=p99(through) / p99(raw), aim_ratio=2.0, **spread(through),
    )  # fmt: skip


async def over_http(settings: Settings, city: City, column: str) -> None:
    """The same list over HTTP, signed in, beside a bare endpoint with the same answer."""
    with serving(settings):
        browser = await at_desk(settings, city, "wang")
        (await browser.get(f"/api/tasks?limit={SHOWN}")).raise_for_status()
        cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
        ours = load(f"{settings.origin}/api/tasks?limit={SHOWN}", {"Cookie": cookies})
    bare = _bare(settings, city.people["wang"])
    figure(
        "to_do_list_http", column, tasks=TASKS, per_second=ours.per_second, p50_ms=ours.p50_ms, p99_ms=ours.p99_ms,
        errors=ours.errors, bare_per_second=bare.per_second, bare_p50_ms=bare.p50_ms, bare_p99_ms=bare.p99_ms,
        bare_errors=bare.errors,
        ratio_p50=ours.p50_ms / bare.p50_ms, ratio_p99=ours.p99_ms / bare.p99_ms, aim_ratio=2.0,
    )  # fmt: skip


def _bare(settings: Settings, official: str) -> Load:
    port = servers.free_port()
    environment = os.environ | {"OA_PEER_DATABASE": settings.database, "OA_PEER_OFFICIAL": official}
    command = [sys.executable, "-m", "uvicorn", "tests.bench.peers:tasks", "--port", str(port), "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
    url = f"http://127.0.0.1:{port}/tasks"
    with process(command, url, environment):
        return load(url, {})


async def _fill(database: str, official: UUID) -> None:
    """Ten tasks for each of a hundred thousand officials, and those of one more, written by the database itself: only
    their number matters here."""
    dialect = _Postgres if is_postgres() else _Sqlite
    now = datetime.now(UTC)
    (template,) = await select("SELECT id FROM route_template WHERE code = 'outgoing'")
    (organ,) = await select("SELECT id FROM organ WHERE code = 'JC001'")
    route = str(new_id())
    officials = (
        f"INSERT INTO official (id, code, name, active) SELECT {dialect.make_id}, 'bench-' || n, '测试', {dialect.true}"
        f" FROM ({dialect.numbers(OFFICIALS)}) AS x"
    )
    routes = (
        "INSERT INTO route (id, template_id, subject_type, subject_id, organ_id, title, doc_no, from_name, urgency,"
        f" facts, done, state, started_at) VALUES ('{route}', '{template['id']}', 'outgoing', '{new_id()}',"
        f" '{organ['id']}', '关于测试的通知', '', '测试', 'normal', '{{}}', '[]', 'running', {dialect.moment})"
    )
    tasks = (
        "INSERT INTO task (id, route_id, step, step_title, iteration, official_id, state, opened_at)"
        f" SELECT {dialect.make_id}, '{route}', 'unit_review', '部门审核', 1, o.id, 'open', {dialect.moment}"
        f" FROM official o, ({dialect.numbers(2 * SHOWN)}) AS x"
        f" WHERE (o.code LIKE 'bench-%' AND n <= {TASKS // OFFICIALS}) OR o.id = '{official}'"
    )
    await dialect.run(database, [(officials, []), (routes, [now]), (tasks, [now])])
    await connection().execute_query("ANALYZE")


Statements = list[tuple[str, list[Any]]]


class _Postgres:
    make_id, true, moment = "gen_random_uuid()", "true", "$1"

    @staticmethod
    def numbers(count: int) -> str:
        return f"SELECT n FROM generate_series(1, {count}) AS s(n)"

    @staticmethod
    async def run(database: str, statements: Statements) -> None:
        import asyncpg

        # A connection of its own: the pool's would give up after ten seconds.
        own = await asyncpg.connect(database)
        for statement, values in statements:
            await own.execute(statement, *values)
        await own.close()


class _Sqlite:
    make_id = (
        "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-'"
        " || hex(randomblob(2)) || '-' || hex(randomblob(6)))"
    )
    true, moment = "1", "?"

    @staticmethod
    def numbers(count: int) -> str:
        return f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s"

    @staticmethod
    async def run(_database: str, statements: Statements) -> None:
        client: Any = connection()
        for statement, values in statements:
            await client._writer.execute(statement, [str(value) for value in values])
