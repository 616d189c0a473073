"""One unit of work: all or nothing, and never in silence."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import aiosqlite
import pytest

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import STALE, Conflict, Unavailable
from oa_server.core.ids import new_id
from oa_server.identity.models import Official
from oa_server.storage import outbox
from oa_server.storage.database import POOL_SIZE, is_postgres
from oa_server.storage.refusals import DATABASE_AWAY
from oa_server.storage.unit_of_work import (
    UnauditedChange,
    WorkIsOver,
    conflict_on,
    housekeeping,
    lock_row,
    react_to,
    transition,
    unit_of_work,
)

pytestmark = pytest.mark.usefixtures("database")


async def official(code: str) -> Official:
    return await Official.create(id=new_id(), code=code, name="测试")


async def test_commit_writes_everything_together() -> None:
    """Row, audit record and event are there once the block has ended."""
    async with unit_of_work(SYSTEM) as work:
        row = await official("n1")
        work.audit(Verb.DIRECTORY_IMPORTED, "official", row.id, rows=[row])
        work.push("organ:x", "test.happened", {"id": row.id})
    record = await AuditRecord.get(subject_id=str(row.id))
    assert list(record.facts["rows"]) == [f"official:{row.id}"]
    assert [event.payload["id"] for event in await outbox.read_after({"organ:x"}, 0, 10)] == [str(row.id)]


async def test_an_error_leaves_nothing() -> None:
    """Whatever goes wrong inside the block, nothing of it remains."""
    with pytest.raises(RuntimeError, match="power cut"):
        async with unit_of_work(SYSTEM) as work:
            row = await official("n2")
            work.audit(Verb.DIRECTORY_IMPORTED, "official", row.id)
            work.push("organ:x", "test.happened", {})
            raise RuntimeError("power cut")
    assert not await Official.filter(code="n2").exists()
    assert not await AuditRecord.filter(subject_id=str(row.id)).exists()


@pytest.mark.norm("D-8.1.4.3a")
async def test_a_change_without_a_word_is_undone() -> None:
    """A unit that writes and records no act is rolled back, also when it wrote by a bulk update."""
    with pytest.raises(UnauditedChange):
        async with unit_of_work(SYSTEM):
            await Official.filter(code="wang").update(name="改名")
    assert (await Official.get(code="wang")).name == "王建国"


async def test_reading_needs_no_word() -> None:
    """A unit that only reads commits without an entry."""
    async with unit_of_work(SYSTEM):
        assert await Official.filter(code="wang").exists()


async def test_units_join() -> None:
    """A unit inside another is the same unit: when the outer one fails, the inner one's work is gone too."""
    with pytest.raises(RuntimeError):
        async with unit_of_work(SYSTEM) as outer:
            async with unit_of_work(SYSTEM) as inner:
                assert inner is outer
                row = await official("n3")
                inner.audit(Verb.DIRECTORY_IMPORTED, "official", row.id)
            raise RuntimeError
    assert not await Official.filter(code="n3").exists()


async def test_over_is_over() -> None:
    """What was handed out by a unit cannot be used after its end."""
    async with unit_of_work(SYSTEM) as work:
        pass
    with pytest.raises(WorkIsOver):
        work.push("x", "y", {})


async def test_reactions_run_in_the_same_transaction() -> None:
    """A reaction's writes vanish with the unit that announced the event."""

    @dataclass(frozen=True)
    class Happened:
        code: str

    async def react(_work: object, event: Happened) -> None:
        await official(event.code)

    react_to(Happened, react)
    with pytest.raises(RuntimeError):
        async with unit_of_work(SYSTEM) as work:
            await work.announce(Happened("n4"))
            assert await Official.filter(code="n4").exists()
            raise RuntimeError
    assert not await Official.filter(code="n4").exists()


async def test_a_broken_key_is_a_conflict_and_the_unit_goes_on() -> None:
    """A violated unique key inside `conflict_on` undoes only the block."""
    async with unit_of_work(SYSTEM) as work:
        first = await official("n5")
        with pytest.raises(Conflict):
            async with conflict_on(STALE):
                await official("n5")
        work.audit(Verb.DIRECTORY_IMPORTED, "official", first.id, rows=[first])
    assert await Official.filter(code="n5").count() == 1


async def test_transition_hits_one_row_or_refuses() -> None:
    """A move from a state that is no longer there is a conflict."""
    row = await Official.get(code="wang")
    async with unit_of_work(SYSTEM) as work:
        await transition(Official, row.id, expect={"name": "王建国"}, change={"name": "王建国二"})
        work.audit(Verb.DIRECTORY_IMPORTED, "official", row.id, rows=[row])
    with pytest.raises(Conflict):
        async with unit_of_work(SYSTEM):
            await transition(Official, row.id, expect={"name": "王建国"}, change={"name": "王建国三"})


async def test_a_lock_makes_writers_queue() -> None:
    """Twenty units that read, wait and write one row lose none of each other's changes."""
    row = await Official.get(code="wang")

    async def append(letter: str) -> None:
        async with unit_of_work(SYSTEM) as work:
            await lock_row(Official, row.id)
            held = await Official.get(id=row.id)
            await asyncio.sleep(0.002)
            await Official.filter(id=row.id).update(name=held.name + letter)
            work.audit(Verb.DIRECTORY_IMPORTED, "official", row.id, rows=[row])

    await asyncio.gather(*(append(letter) for letter in "abcdefghijklmnopqrst"))
    assert sorted((await Official.get(id=row.id)).name.removeprefix("王建国")) == list("abcdefghijklmnopqrst")


async def test_reading_goes_on_beside_a_long_write() -> None:
    """A reader outside is not kept waiting by an open unit, and does not see its changes yet."""
    opened, may_end = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with housekeeping():
            await Official.filter(code="wang").update(name="未提交")
            opened.set()
            await may_end.wait()

    writing = asyncio.create_task(write())
    await opened.wait()
    async with asyncio.timeout(3):
        assert (await Official.get(code="wang")).name == "王建国"
    may_end.set()
    await writing
    assert (await Official.get(code="wang")).name == "未提交"


async def test_events_become_visible_in_their_order() -> None:
    """Among many units at once, no event with a smaller number appears after a larger one was seen."""

    async def push(number: int) -> None:
        async with unit_of_work(SYSTEM) as work:
            work.push("race", "n", {"number": number})

    seen: list[int] = []

    async def follow() -> None:
        while len(seen) < 40:
            events = await outbox.read_after({"race"}, seen[-1] if seen else 0, 100)
            seen.extend(event.id for event in events)

    async with asyncio.timeout(30):
        await asyncio.gather(follow(), *(push(n) for n in range(40)))
    assert len(set(seen)) == 40


async def test_a_unit_that_is_cancelled_is_whole_or_not_at_all() -> None:
    """Units cancelled at whatever moment leave their row with its record or neither, and find the way free for others."""

    async def slow(code: str) -> None:
        async with unit_of_work(SYSTEM) as work:
            row = await official(code)
            await asyncio.sleep(0.005)
            work.audit(Verb.DIRECTORY_IMPORTED, "official", code, rows=[row])

    for number in range(30):
        code, working = f"c{number}", asyncio.create_task(slow(f"c{number}"))
        await asyncio.sleep(number / 2000)
        working.cancel()
        await asyncio.wait([working])
        recorded = await AuditRecord.filter(subject_id=code).exists()
        assert await Official.filter(code=code).exists() == recorded
        assert recorded or working.cancelled()
    await slow("c-last")
    assert await Official.filter(code="c-last").exists()


async def test_a_unit_cancelled_while_it_commits_ends_after_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever saw the end of a unit that was cancelled while committing finds all that came of it at once."""
    if is_postgres():
        pytest.skip("PostgreSQL decides in a process of its own")
    committing, commit = asyncio.Event(), aiosqlite.Connection.commit

    async def slowly(connection: aiosqlite.Connection) -> None:
        connection._tx.put_nowait((None, lambda: time.sleep(0.1)))
        committing.set()
        await commit(connection)

    async def write() -> None:
        async with unit_of_work(SYSTEM) as work:
            row = await official("late")
            work.audit(Verb.DIRECTORY_IMPORTED, "official", "late", rows=[row])

    monkeypatch.setattr(aiosqlite.Connection, "commit", slowly)
    working = asyncio.create_task(write())
    await committing.wait()
    working.cancel()
    await asyncio.wait([working])
    assert working.cancelled()
    assert await AuditRecord.filter(subject_id="late").exists()
    assert await Official.filter(code="late").exists()


async def test_connections_all_taken(database: str) -> None:
    """Whoever finds every connection of the pool taken is refused in time, by name, and not kept for ever."""
    if not database.startswith("postgres"):
        pytest.skip("SQLite has no pool")
    taken, may_end = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> None:
        async with housekeeping():
            taken.release()
            await may_end.wait()

    holding = [asyncio.create_task(hold()) for _ in range(POOL_SIZE)]
    for _ in holding:
        await taken.acquire()
    with pytest.raises(Unavailable) as refused:
        await Official.all().count()
    assert refused.value.reason is DATABASE_AWAY
    may_end.set()
    await asyncio.gather(*holding)
    assert await Official.all().count()
