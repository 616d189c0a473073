"""Clocks as the domains above run them: started, paused, resumed, extended, stopped, and counted anew by a new calendar."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.backends.base.client import BaseDBAsyncClient

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock as house_clock
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict, Invalid, NotFound, OaError
from oa_server.deadlines import access, actions, clocks, rules
from oa_server.deadlines.clocks import ClockStart
from oa_server.deadlines.engine import Named, Term, TermUnit
from oa_server.deadlines.models import Clock, ClockEvent
from oa_server.deadlines.states import ClockState, EventKind, PauseGround
from oa_server.demo.enrolment import actor_named
from oa_server.storage.database import connection
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.verification.rows import row_faults
from tests.city import City

TWENTY = Term(TermUnit.WORKING_DAY, 20)
LONG_AGO = date(2026, 9, 24)

# As much of a notice for 2027 as these tests need.
YEAR_2027 = {
    **{date(2027, 1, n): Named(True, "元旦") for n in (1, 2, 3)},
    **{date(2027, 2, n): Named(True, "春节") for n in range(5, 13)},
}


def day(text: str) -> date:
    return date.fromisoformat(text)


@contextmanager
def on_the(today: date) -> Iterator[None]:
    """The house's clock at noon of a day."""
    noon = datetime.combine(today, time(12), house_clock.OFFICE_ZONE)
    with house_clock.shifted(noon - house_clock.now()):
        yield


@pytest.fixture(autouse=True)
def in_november() -> Iterator[None]:
    """What these tests tell has happened by then, and 2027 has no notice yet."""
    with on_the(date(2026, 11, 27)):
        yield


def start(
    city: City, on: date = LONG_AGO, term: Term = TWENTY, *, subject: UUID | None = None, organ: str = "JC002"
) -> ClockStart:
    return ClockStart("case", subject or uuid4(), "reply", "答复", UUID(city.organs[organ]), term, on)


async def begun(city: City, on: date = LONG_AGO, term: Term = TWENTY, **others: Any) -> Clock:
    (clock,) = await clocks.start_clocks(SYSTEM, [start(city, on, term, **others)])
    return clock


async def enter_2027(days: dict[date, Named] | None = None) -> None:
    seen = actions.etag_of(await access.newest_of(2027))
    await actions.enter_notice(SYSTEM, 2027, "国办发明电〔2026〕9号", days or YEAR_2027, seen=seen)


async def assert_derived(clock_id: UUID) -> Clock:
    """The row of a clock, which says what follows from its events."""
    row = await access.clock(clock_id)
    events = await access.events_of(clock_id)
    calendar = (await access.calendars([row.organ_id]))[row.organ_id]
    derived = asdict(rules.state_of(TermUnit(row.unit), events, calendar))
    assert {name: getattr(row, name) for name in derived} == derived
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.due_before for event in events] == [None, *(event.due_after for event in events[:-1])]
    assert events[-1].due_after == row.due_on
    return row


@contextmanager
def counting_statements() -> Iterator[list[str]]:
    """What is asked of the database inside the block; many rows in one statement are one."""
    asked: list[str] = []
    kind = type(connection())
    one, many = kind.execute_query, kind.execute_many

    async def execute_query(self: BaseDBAsyncClient, query: str, *rest: Any, **others: Any) -> Any:
        asked.append(query)
        return await one(self, query, *rest, **others)

    async def execute_many(self: BaseDBAsyncClient, query: str, *rest: Any) -> Any:
        asked.append(query)
        return await many(self, query, *rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kind, "execute_query", execute_query)
        patched.setattr(kind, "execute_many", execute_many)
        yield asked


# --- due days ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "term", "due"),
    [
        ("2025-09-28", TWENTY, "2025-10-31"),
        ("2026-02-10", TWENTY, "2026-03-16"),
        ("2026-09-24", TWENTY, "2026-10-29"),
        ("2026-04-30", Term(TermUnit.WORKING_DAY, 7), "2026-05-13"),
        ("2026-07-01", Term(TermUnit.MONTH, 3), "2026-10-08"),  # 1 October moves on over the holiday
        ("2025-11-30", Term(TermUnit.MONTH, 3), "2026-02-28"),  # a make-up Saturday is worked
        ("2026-06-10", Term(TermUnit.DAY, 10), "2026-06-22"),
    ],
)
async def test_due_days(city: City, on: str, term: Term, due: str) -> None:
    """A clock is due on the day that the calendar says, and its first event tells of it."""
    clock = await begun(city, day(on), term)
    assert (clock.state, clock.due_on, clock.provisional) == (ClockState.RUNNING, day(due), False)
    (event,) = await access.events_of(clock.id)
    assert (event.kind, event.on, event.quantity, event.due_before, event.due_after) == (
        EventKind.STARTED,
        day(on),
        term.quantity,
        None,
        day(due),
    )
    await assert_derived(clock.id)


async def test_a_pause_counts_no_day(city: City) -> None:
    """While it is paused a clock is due on no day; afterwards it goes on with what was left."""
    clock = await begun(city)
    (paused,) = await clocks.pause_clocks(
        SYSTEM, [clock.id], ground=PauseGround.CORRECTION, reason="缺少附件", on=day("2026-10-08")
    )
    assert (paused.state, paused.due_on, paused.ground) == (ClockState.PAUSED, None, PauseGround.CORRECTION)
    await assert_derived(clock.id)
    (resumed,) = await clocks.resume_clocks(SYSTEM, [clock.id], on=day("2026-10-15"))
    assert (resumed.state, resumed.due_on, resumed.ground) == (ClockState.RUNNING, day("2026-11-06"), "")
    await assert_derived(clock.id)
    events = await access.events_of(clock.id)
    assert [event.kind for event in events] == [EventKind.STARTED, EventKind.PAUSED, EventKind.RESUMED]
    assert (events[1].ground, events[1].reason) == (PauseGround.CORRECTION, "缺少附件")


async def test_an_extension(city: City) -> None:
    """What is given more is approved by somebody for a reason, and so it stands in the events and in the log."""
    clock, chief = await begun(city), UUID(city.people["chen"])
    longer = await clocks.extend_clock(
        SYSTEM, clock.id, more=20, approved_by=chief, reason="情况复杂", on=day("2026-10-20")
    )
    assert (longer.quantity, longer.due_on) == (40, day("2026-11-26"))
    event = (await access.events_of(clock.id))[-1]
    assert (event.quantity, event.approved_by, event.reason) == (20, chief, "情况复杂")
    assert (event.due_before, event.due_after) == (day("2026-10-29"), day("2026-11-26"))
    record = await AuditRecord.get(verb=Verb.CLOCK_EXTENDED)
    assert (record.subject_type, record.subject_id) == ("case", str(clock.subject_id))
    assert record.facts["approved_by"] == str(chief)
    await assert_derived(clock.id)


async def test_a_paused_clock_is_extended(city: City) -> None:
    """The extension waits with the rest until it goes on."""
    clock = await begun(city)
    await clocks.pause_clocks(SYSTEM, [clock.id], ground=PauseGround.SITE_VISIT, on=day("2026-10-08"))
    longer = await clocks.extend_clock(
        SYSTEM, clock.id, more=5, approved_by=uuid4(), reason="情况复杂", on=day("2026-10-09")
    )
    assert (longer.state, longer.due_on, longer.quantity) == (ClockState.PAUSED, None, 25)
    (resumed,) = await clocks.resume_clocks(SYSTEM, [clock.id], on=day("2026-10-15"))
    assert resumed.due_on == day("2026-11-13")
    await assert_derived(clock.id)


@pytest.mark.parametrize(("ended", "is_met"), [("2026-10-28", True), ("2026-10-29", True), ("2026-10-30", False)])
async def test_met_or_breached(city: City, ended: str, is_met: bool) -> None:
    """A stopped clock keeps the day on which it was due, and says whether that was met."""
    clock = await begun(city)
    assert not clock.is_met
    assert not clock.is_breached
    (stopped,) = await clocks.stop_clocks(SYSTEM, [clock.id], on=day(ended))
    assert (stopped.state, stopped.due_on, stopped.ended_on) == (ClockState.STOPPED, day("2026-10-29"), day(ended))
    assert (stopped.is_met, stopped.is_breached) == (is_met, not is_met)
    await assert_derived(clock.id)


async def test_stopped_while_paused(city: City) -> None:
    """What is done during a pause is done in time."""
    clock = await begun(city)
    await clocks.pause_clocks(SYSTEM, [clock.id], ground=PauseGround.SUSPENDED, on=day("2026-10-08"))
    (stopped,) = await clocks.stop_clocks(SYSTEM, [clock.id], on=day("2026-11-20"))
    assert (stopped.state, stopped.due_on, stopped.is_met, stopped.ground) == (ClockState.STOPPED, None, True, "")
    await assert_derived(clock.id)


# --- many at once -----------------------------------------------------------------------------------------------------


async def test_clocks_of_subjects(city: City) -> None:
    """The clocks of many subjects are read together, each subject's in the order of their start."""
    one, two, none = uuid4(), uuid4(), uuid4()
    starts = [start(city, subject=one), start(city, subject=two), start(city, subject=one, organ="JC003")]
    made = await clocks.start_clocks(SYSTEM, starts)
    found = await access.clocks_of("case", [one, two, none])
    assert {subject: [row.id for row in rows] for subject, rows in found.items()} == {
        one: sorted([made[0].id, made[2].id]),
        two: [made[1].id],
    }
    assert await access.clocks_of("document", [one]) == {}
    assert await clocks.start_clocks(SYSTEM, []) == []
    assert await clocks.stop_clocks(SYSTEM, [], on=LONG_AGO) == []


async def test_all_or_none(city: City) -> None:
    """Where one of many cannot be paused none is, and what the caller had done in the same unit is undone."""
    first, second = await begun(city), await begun(city)
    await clocks.stop_clocks(SYSTEM, [second.id], on=day("2026-10-08"))
    third = start(city)
    with pytest.raises(Conflict) as refused:
        async with unit_of_work(SYSTEM):
            await clocks.start_clocks(SYSTEM, [third])
            await clocks.pause_clocks(
                SYSTEM, [first.id, second.id], ground=PauseGround.CORRECTION, on=day("2026-10-09")
            )
    assert (refused.value.code, refused.value.facts["clock"]) == ("deadlines.clock_stopped", str(second.id))
    assert (await assert_derived(first.id)).state == ClockState.RUNNING
    assert await access.clocks_of("case", [third.subject_id]) == {}


@pytest.mark.timeout(300)
async def test_a_session_dispatches_its_cases(city: City) -> None:
    """2,000 clocks are started, paused, resumed and counted anew in statements whose number follows from no clock."""
    term = Term(TermUnit.WORKING_DAY, 60)
    starts = [start(city, day("2026-11-02"), term, organ=("JC002", "JC003")[n % 2]) for n in range(2000)]
    with counting_statements() as asked:
        made = await clocks.start_clocks(SYSTEM, starts)
    assert len(asked) < 40
    ids = [clock.id for clock in made]
    for verb in (
        clocks.pause_clocks(SYSTEM, ids, ground=PauseGround.OTHER_AGENCY, on=day("2026-11-10")),
        clocks.resume_clocks(SYSTEM, ids, on=day("2026-11-12")),
        enter_2027(),
    ):
        with counting_statements() as asked:
            await verb
        assert len(asked) < 60
    assert await ClockEvent.filter(kind=EventKind.RECOMPUTED).count() == 2000
    for key in (ids[0], ids[1], ids[-1]):
        await assert_derived(key)
    record = await AuditRecord.get(verb=Verb.CLOCKS_RECOMPUTED)
    assert (record.subject_id, record.facts["clocks"]) == (clocks.MANY, 2000)
    assert [fault async for fault in row_faults()] == []


async def test_two_at_once(city: City) -> None:
    """Of two who pause the same clock one does, and the other is told that it is paused."""
    clock = await begun(city)

    async def pause() -> str:
        try:
            await clocks.pause_clocks(SYSTEM, [clock.id], ground=PauseGround.CORRECTION, on=day("2026-10-08"))
        except Conflict as refused:
            return refused.code
        return "paused"

    assert sorted(await asyncio.gather(pause(), pause())) == ["deadlines.clock_paused", "paused"]
    assert len(await access.events_of(clock.id)) == 2
    await assert_derived(clock.id)


# --- a new calendar ---------------------------------------------------------------------------------------------------


async def test_a_year_is_published(city: City) -> None:
    """A clock that ran into a year without notice is counted anew when there is one, with what was, what is, and by which
    notice; one that does not reach it stays, and so does one that stopped."""
    through = await begun(city, day("2026-11-20"), Term(TermUnit.WORKING_DAY, 60))
    within, stopped = await begun(city), await begun(city, day("2026-11-20"), Term(TermUnit.WORKING_DAY, 60))
    await clocks.stop_clocks(SYSTEM, [stopped.id], on=day("2026-11-25"))
    assert (through.provisional, through.due_on) == (True, day("2027-02-12"))
    await enter_2027()
    row = await assert_derived(through.id)
    assert (row.provisional, row.due_on) == (False, day("2027-02-23"))
    assert row.calendar_digest != through.calendar_digest
    event = (await access.events_of(through.id))[-1]
    assert (event.kind, event.on, event.notice) == (EventKind.RECOMPUTED, day("2026-11-27"), "国办发明电〔2026〕9号")
    assert (event.due_before, event.due_after) == (day("2027-02-12"), day("2027-02-23"))
    assert len(await access.events_of(within.id)) == 1
    assert (await assert_derived(stopped.id)).due_on == day("2027-02-12")
    record = await AuditRecord.get(verb=Verb.CLOCKS_RECOMPUTED)
    assert (record.facts["clocks"], record.facts["moved"]) == (1, 1)
    assert f"clock:{through.id}" in record.facts["rows"]
    assert [fault async for fault in row_faults()] == []


async def test_a_year_is_published_and_nothing_moves(city: City) -> None:
    """A due day that stays is provisional no longer, and who asks when that was finds it."""
    clock = await begun(city, day("2026-11-20"), Term(TermUnit.WORKING_DAY, 35))
    assert (clock.provisional, clock.due_on) == (True, day("2027-01-08"))
    await enter_2027({**YEAR_2027, date(2027, 1, 1): Named(True, "元旦"), date(2026, 12, 26): Named(False, "元旦")})
    row = await assert_derived(clock.id)
    assert (row.provisional, row.due_on) == (False, day("2027-01-08"))
    assert [event.kind for event in await access.events_of(clock.id)] == [EventKind.STARTED, EventKind.RECOMPUTED]


async def test_a_paused_clock_waits_for_the_new_calendar(city: City) -> None:
    """A notice does not touch what is paused: it counts by the new calendar when it goes on."""
    clock = await begun(city, day("2026-11-20"), Term(TermUnit.WORKING_DAY, 60))
    await clocks.pause_clocks(SYSTEM, [clock.id], ground=PauseGround.THIRD_PARTY, on=day("2026-11-24"))
    await enter_2027()
    assert len(await access.events_of(clock.id)) == 2
    (resumed,) = await clocks.resume_clocks(SYSTEM, [clock.id], on=day("2026-11-25"))
    assert (resumed.due_on, resumed.provisional) == (day("2027-02-24"), False)
    await assert_derived(clock.id)


async def test_a_notice_is_entered_meanwhile(city: City) -> None:
    """Clocks that start while a notice is being entered count by it, whichever of the two was first."""
    term = Term(TermUnit.WORKING_DAY, 60)
    starts = [clocks.start_clocks(SYSTEM, [start(city, day("2026-11-20"), term)]) for _ in range(8)]
    for one in await asyncio.gather(*starts[:4], enter_2027(), *starts[4:]):
        if one is not None:
            assert (await assert_derived(one[0].id)).due_on == day("2027-02-23")


async def test_a_local_holiday(city: City) -> None:
    """A day off of one organ moves the clocks against it, and no others; taken back, they are due as before."""
    there, elsewhere = await begun(city), await begun(city, organ="JC003")

    async def keep(*, is_off: bool) -> None:
        days = [day("2026-10-28")]
        organ = UUID(city.organs["JC002"])
        told: dict[str, Any] = {"name": "古尔邦节", "notice": "州政发〔2026〕3号", "is_off": is_off}
        await actions.keep_local_holiday(await actor_named("sys"), organ, days, **told)

    await keep(is_off=True)
    assert (await assert_derived(there.id)).due_on == day("2026-10-30")
    assert (await assert_derived(elsewhere.id)).due_on == day("2026-10-29")
    await keep(is_off=False)
    assert (await assert_derived(there.id)).due_on == day("2026-10-29")
    events = await access.events_of(there.id)
    assert [event.kind for event in events] == [EventKind.STARTED, EventKind.RECOMPUTED, EventKind.RECOMPUTED]
    assert len(await access.events_of(elsewhere.id)) == 1


EVENTS = st.tuples(
    st.sampled_from(["pause", "resume", "extend", "holiday", "workday", "stop"]),
    st.integers(-2, 40),
    st.integers(1, 30),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    on=st.dates(date(2025, 1, 1), date(2026, 10, 1)),
    term=st.builds(Term, st.sampled_from(TermUnit), st.integers(1, 24)),
    told=st.lists(EVENTS, max_size=8),
)
async def test_the_row_says_what_follows_from_the_events(
    city: City, on: date, term: Term, told: list[tuple[str, int, int]]
) -> None:
    """Whatever befalls a clock, and whichever days its organ is off meanwhile, its row is what follows from its events."""
    clock, organ, keeper = await begun(city, on, term), UUID(city.organs["JC002"]), await actor_named("sys")
    for verb, gap, number in told:
        on += timedelta(days=gap)
        with suppress(OaError):
            if verb in {"holiday", "workday"}:
                days, notice = [on + timedelta(days=number)], "州政发〔2026〕3号"
                await actions.keep_local_holiday(
                    keeper, organ, days, name="节", notice=notice, is_off=verb == "holiday"
                )
            else:
                await befall(clock.id, f"{verb} {on}", more=number)
        await assert_derived(clock.id)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "verb", "code"),
    [
        ([], "resume 2026-10-08", "deadlines.clock_running"),
        ([], "pause 2026-09-23", "deadlines.before_last"),
        ([], "pause 2026-10-29", "deadlines.ran_out"),
        ([], "pause 2026-11-28", "deadlines.in_future"),
        ([], "stop 2026-09-23", "deadlines.before_last"),
        ([], "stop 2026-11-28", "deadlines.in_future"),
        (["pause 2026-10-08"], "pause 2026-10-09", "deadlines.clock_paused"),
        (["pause 2026-10-08"], "resume 2026-10-07", "deadlines.before_last"),
        (["stop 2026-10-08"], "pause 2026-10-08", "deadlines.clock_stopped"),
        (["stop 2026-10-08"], "resume 2026-10-08", "deadlines.clock_stopped"),
        (["stop 2026-10-08"], "extend 2026-10-08", "deadlines.clock_stopped"),
        (["stop 2026-10-08"], "stop 2026-10-08", "deadlines.clock_stopped"),
    ],
)
async def test_what_cannot_befall_a_clock(city: City, before: list[str], verb: str, code: str) -> None:
    """What is impossible is refused with its reason, and the clock stays as it is."""
    clock = await begun(city)
    for earlier in before:
        await befall(clock.id, earlier)
    there = await access.clock(clock.id)
    with pytest.raises(OaError) as refused:
        await befall(clock.id, verb)
    assert refused.value.code == code
    assert (await assert_derived(clock.id)).state == there.state
    assert len(await access.events_of(clock.id)) == len(before) + 1


async def befall(clock_id: UUID, said: str, more: int = 5) -> None:
    """`verb day`, as the tests write it."""
    verb, on = said.split()
    if verb == "pause":
        await clocks.pause_clocks(SYSTEM, [clock_id], ground=PauseGround.CORRECTION, on=day(on))
    elif verb == "resume":
        await clocks.resume_clocks(SYSTEM, [clock_id], on=day(on))
    elif verb == "extend":
        await clocks.extend_clock(SYSTEM, clock_id, more=more, approved_by=UUID(int=1), reason="复杂", on=day(on))
    else:
        await clocks.stop_clocks(SYSTEM, [clock_id], on=day(on))


async def test_what_is_none(city: City) -> None:
    """Terms, grounds, reasons, approvers, clocks and organs that there are not."""
    clock = await begun(city)
    for on, term in (
        (LONG_AGO, Term(TermUnit.WORKING_DAY, 0)),
        (LONG_AGO, Term(TermUnit.DAY, 501)),
        (LONG_AGO, Term(TermUnit.MONTH, 61)),
        (date(1999, 1, 1), TWENTY),
    ):
        with pytest.raises(Invalid):
            await begun(city, on, term)
    with pytest.raises(NotFound):
        await clocks.start_clocks(SYSTEM, [ClockStart("case", uuid4(), "reply", "答复", uuid4(), TWENTY, LONG_AGO)])
    with pytest.raises(Invalid) as no_ground:
        await clocks.pause_clocks(SYSTEM, [clock.id], ground="holiday", on=LONG_AGO)  # type: ignore[arg-type]
    assert no_ground.value.code == "deadlines.no_ground"
    with pytest.raises(Invalid) as too_long:
        await clocks.pause_clocks(SYSTEM, [clock.id], ground=PauseGround.CORRECTION, reason="长" * 501, on=LONG_AGO)
    assert too_long.value.code == "deadlines.no_reason"
    right: dict[str, Any] = {"more": 5, "approved_by": uuid4(), "reason": "复杂", "on": LONG_AGO}
    for wrong, code in (
        ({"reason": " "}, "deadlines.no_reason"),
        ({"approved_by": None}, "deadlines.no_approver"),
        ({"more": 0}, "deadlines.no_term"),
        ({"more": -5}, "deadlines.no_term"),
        ({"more": 481}, "deadlines.no_term"),
    ):
        with pytest.raises(Invalid) as refused:
            await clocks.extend_clock(SYSTEM, clock.id, **(right | wrong))
        assert refused.value.code == code
    with pytest.raises(NotFound):
        await clocks.stop_clocks(SYSTEM, [clock.id, uuid4()], on=LONG_AGO)
    with pytest.raises(NotFound):
        await access.clock(uuid4())
    assert len(await access.events_of(clock.id)) == 1
