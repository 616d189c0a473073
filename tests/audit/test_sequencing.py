"""Every record gets its place in the log, whatever the clocks said when it was written."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from oa_server.app import House, open_house
from oa_server.audit import access
from oa_server.audit.actions import sequence, sequence_all
from oa_server.audit.models import AuditLeaf, AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock, ids
from oa_server.core.actor import SYSTEM
from oa_server.identity.models import Organ
from oa_server.settings import Settings
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.verification import log_faults
from oa_server.verification.rows import row_faults

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("house")


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    """A founded city whose log nobody sequences in the background."""
    async with open_house(settings) as found:
        yield found


async def recorded(subject: str, offset: timedelta = timedelta(0)) -> None:
    """An act that is recorded by a server whose clock is wrong by `offset`."""
    with clock.shifted(offset):
        async with unit_of_work(SYSTEM) as work:
            work.audit(Verb.DIRECTORY_IMPORTED, "test", subject)


async def whole() -> bool:
    return [fault async for fault in log_faults()] == []


async def test_a_clock_that_was_fast() -> None:
    """Records that follow one from a clock that was an hour fast get their leaves at once, not when the hour is over."""
    await sequence_all()
    await recorded("fast", HOUR)
    assert await sequence() == 1
    await recorded("corrected")
    assert await sequence() == 1
    assert await whole()


async def test_a_clock_that_is_slow() -> None:
    """A record from a server whose clock is hours behind the others' gets its leaf as well."""
    await sequence_all()
    await recorded("in time")
    assert await sequence() == 1
    await recorded("slow", -5 * HOUR)
    assert await sequence() == 1
    assert await whole()


async def test_after_a_quiet_spell() -> None:
    """Nothing is passed over when a server comes back days later, with records of before without their leaves."""
    await sequence_all()
    await recorded("before")
    with clock.shifted(72 * HOUR):
        await recorded("after")
        await sequence()
        assert await whole()


async def test_long_before_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record far from the end of the log is found within one walk through it, and the walk then begins anew."""
    monkeypatch.setattr(access, "STRETCH", 5)
    for _round in range(2):
        await sequence_all()
        early = await AuditRecord.all().order_by("id").first()
        assert early is not None
        await AuditRecord.bulk_create([_before(early)])
        steps = await AuditRecord.all().count() // 5 + 2
        assert sum([await sequence() for _step in range(steps)]) == 1
        assert await access.orphans() == 0


def _before(record: AuditRecord) -> AuditRecord:
    """A record as from a transaction that began before this one, and was committed only now."""
    columns = {name: getattr(record, name) for name in record._meta.fields_db_projection}
    return AuditRecord(**columns | {"id": UUID(int=record.id.int - (1 << 90)), "at": record.at - HOUR})


async def test_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command sequences is everything there is, from whatever time, in however many stretches."""
    monkeypatch.setattr(access, "STRETCH", 3)
    for days in range(-20, 20):
        await recorded(str(days), timedelta(days=days))
    await sequence_all()
    assert await access.orphans() == 0
    assert await AuditLeaf.all().count() == await AuditRecord.all().count()
    assert await whole()


async def test_acts_under_a_clock_that_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the log says last of a row is what was done last, though the clock was an hour fast before."""
    organ = await Organ.all().first()
    assert organ is not None
    times = iter([HOUR, timedelta(0), -HOUR])
    for name in ("一", "二", "三"):
        behind = next(times) // timedelta(microseconds=1) * 1000
        with monkeypatch.context() as patched:
            patched.setattr(ids.time, "time_ns", lambda off=behind, real=time.time_ns: real() + off)
            async with unit_of_work(SYSTEM) as work:
                await organ.update_from_dict({"short_name": name}).save(update_fields=["short_name"])
                work.audit(Verb.DIRECTORY_IMPORTED, "test", name)
                work.audit(Verb.DIRECTORY_IMPORTED, "test", name, rows=[organ])
        assert [fault async for fault in row_faults()] == []
    records = await AuditRecord.filter(subject_type="test").order_by("id")
    assert [record.subject_id for record in records] == ["一", "一", "二", "二", "三", "三"]
