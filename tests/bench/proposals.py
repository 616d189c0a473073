"""A sitting's sheet brought in, with its bodies in files, beside the raw insert of the rows that it makes."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from oa_server.demo.enrolment import actor_named
from oa_server.proposals import importing
from oa_server.storage.database import connection, is_postgres, select
from tests.bench.report import figure
from tests.city import City
from tests.proposals.assembly import gathered
from tests.proposals.generate import archive, cases

CASES = 1612  # what a city of ten million had at one sitting
TABLES = (
    "proposal", "proposal_version", "proposer", "imported_row", "proposal_term", "assignment", "clock", "clock_event",
    "audit_record",
)  # fmt: skip
ORGANS = ["市财政局", "市教育局", "市交通局"]


async def imported(city: City, column: str) -> None:
    """Seconds to read the archive, to show what it would do, and to bring it in; and what of that the bare rows would cost."""
    assembly = await gathered(city)
    data = archive(cases(7, CASES, organs=ORGANS))
    actor, sitting_id = await actor_named("lin"), UUID(assembly.sitting)
    before = await _counts()
    upload, reading = await _timed(importing.read(actor, sitting_id, "建议.zip", data))
    plan, judging = await _timed(importing.rehearse(actor, sitting_id, upload))
    _batch, storing = await _timed(importing.bring_in(actor, sitting_id, upload, plan.digest))
    made = {table: await _rows(table, before[table]) for table in TABLES}
    raw = await _raw(made, city.settings.database)
    again, judging_again = await _timed(importing.rehearse(actor, sitting_id, upload))
    figure(
        "import", column, cases=CASES, rows=sum(map(len, made.values())), reading_seconds=reading,
        judging_seconds=judging, storing_seconds=storing, seconds=reading + storing, aim_seconds=30.0, raw_seconds=raw,
        ratio_to_raw=storing / raw, judging_again_seconds=judging_again, unchanged=len(again.rows),
    )  # fmt: skip


async def _timed(work: Any) -> tuple[Any, float]:
    begun = time.perf_counter()
    return await work, time.perf_counter() - begun


async def _counts() -> dict[str, int]:
    return {table: (await select(f"SELECT count(*) AS n FROM {table}"))[0]["n"] for table in TABLES}


async def _rows(table: str, before: int) -> list[tuple[Any, ...]]:
    """The rows that came, those with the greatest keys: identifiers grow."""
    found = await select(f"SELECT * FROM {table} ORDER BY id")
    return [tuple(row.values()) for row in found[before:]]


async def _raw(made: dict[str, list[tuple[Any, ...]]], database: str) -> float:
    """Seconds that the database itself needs for these rows, in tables without keys or indexes, in one transaction."""
    client: Any = connection()
    for table in made:
        await client.execute_script(f"CREATE TABLE bench_{table} AS SELECT * FROM {table} WHERE 1 = 0")
    begun = time.perf_counter()
    if is_postgres():
        import asyncpg

        own = await asyncpg.connect(database)
        async with own.transaction():
            for table, rows in made.items():
                marks = ", ".join(f"${number}" for number in range(1, len(rows[0]) + 1))
                await own.executemany(f"INSERT INTO bench_{table} VALUES ({marks})", rows)
        await own.close()
    else:
        await client._writer.execute("BEGIN IMMEDIATE")
        for table, rows in made.items():
            marks = ", ".join("?" * len(rows[0]))
            await client._writer.executemany(f"INSERT INTO bench_{table} VALUES ({marks})", rows)
        await client._writer.execute("COMMIT")
    return time.perf_counter() - begun
