"""How near a clock is to its end, and why it ends when it does, as the routes of the domains above answer it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from oa_server.core.actor import SYSTEM
from oa_server.deadlines import access, answers, clocks
from oa_server.deadlines.engine import Calendar, Term, TermUnit
from oa_server.deadlines.models import Clock
from oa_server.deadlines.rules import Light, light
from oa_server.deadlines.seed import seed_years
from oa_server.deadlines.states import ClockState, LightColour, PauseGround
from tests.city import City
from tests.deadlines.test_clocks import begun, day, enter_2027, on_the

SEEDED = seed_years()
CALENDAR = Calendar({on: one for year in SEEDED.values() for on, one in year.items()}, SEEDED.keys(), {})
GREEN, BLUE, YELLOW, RED, GREY = LightColour


def clock(
    unit: TermUnit, quantity: int, started: str, due: str | None, state: ClockState = ClockState.RUNNING
) -> Clock:
    return Clock(
        unit=unit, quantity=quantity, started_on=day(started), due_on=due and day(due), state=state, organ_id=uuid4()
    )


@pytest.mark.parametrize(
    ("today", "colour", "left"),
    [
        ("2026-09-24", GREEN, 20),
        ("2026-10-12", GREEN, 13),
        ("2026-10-14", GREEN, 11),
        ("2026-10-15", BLUE, 10),  # half of it is used
        ("2026-10-27", BLUE, 2),
        ("2026-10-28", YELLOW, 1),
        ("2026-10-29", YELLOW, 0),
        ("2026-10-30", RED, -1),
        ("2026-11-01", RED, -3),  # days are days once it is late
    ],
)
def test_lights_of_working_days(today: str, colour: LightColour, left: int) -> None:
    """A term of twenty working days from day to day."""
    assert light(clock(TermUnit.WORKING_DAY, 20, "2026-09-24", "2026-10-29"), day(today), CALENDAR) == Light(
        colour, left
    )


@pytest.mark.parametrize(
    ("unit", "quantity", "due", "today", "colour"),
    [
        (TermUnit.DAY, 60, "2026-05-06", "2026-04-05", GREEN),
        (TermUnit.DAY, 60, "2026-05-06", "2026-04-07", BLUE),
        (TermUnit.MONTH, 2, "2026-05-06", "2026-04-05", GREEN),
        (TermUnit.MONTH, 2, "2026-05-06", "2026-04-06", BLUE),
        (TermUnit.WORKING_DAY, 4, "2026-03-12", "2026-03-09", BLUE),  # three are left of four
    ],
)
def test_half_of_it(unit: TermUnit, quantity: int, due: str, today: str, colour: LightColour) -> None:
    """Half of a term is counted in what the term counts."""
    assert light(clock(unit, quantity, "2026-03-06", due), day(today), CALENDAR).colour is colour


@pytest.mark.parametrize(
    ("state", "due"), [(ClockState.PAUSED, None), (ClockState.STOPPED, "2026-10-29"), (ClockState.STOPPED, None)]
)
def test_what_does_not_run_is_grey(state: ClockState, due: str | None) -> None:
    """Nothing is left of what does not run, however late it is."""
    assert light(clock(TermUnit.WORKING_DAY, 20, "2026-09-24", due, state), day("2026-12-01"), CALENDAR) == Light(
        GREY, None
    )


async def test_answers(city: City) -> None:
    """A list shows the clocks of its subjects with their lights, each by the calendar of its own organ."""
    with on_the(day("2026-10-27")):
        one, other = await begun(city), await begun(city, organ="JC003")
        await clocks.pause_clocks(SYSTEM, [other.id], ground=PauseGround.THIRD_PARTY, on=day("2026-10-26"))
        found = await access.clocks_of("case", [one.subject_id, other.subject_id])
        shown = await answers.clocks_out(found)
    (running,), (paused,) = shown[one.subject_id], shown[other.subject_id]
    assert (running.id, running.title, running.due, running.light, running.left) == (
        one.id,
        "答复",
        day("2026-10-29"),
        BLUE,
        2,
    )
    assert (running.state, running.provisional, running.ground) == (ClockState.RUNNING, False, "")
    assert (paused.due, paused.light, paused.left, paused.ground) == (None, GREY, None, PauseGround.THIRD_PARTY)
    assert await answers.clocks_out({}) == {}


async def numbers_of(found: Clock) -> dict[str, tuple[int | None, str]]:
    explanation = await answers.explanation_out(await access.clock(found.id))
    return {str(one.on): (one.number, one.why) for one in explanation.days}


async def test_an_explanation(city: City) -> None:
    """Each day with its number or with what keeps it from counting, and every pause with its ground."""
    with on_the(day("2026-10-16")):
        found = await begun(city)
        await clocks.pause_clocks(SYSTEM, [found.id], ground=PauseGround.CORRECTION, on=day("2026-10-12"))
        days = await numbers_of(found)
        assert list(days)[-1] == "2026-10-16"  # Nothing is due, so it is told until today.
        assert (days["2026-10-12"], days["2026-10-13"]) == ((7, "counts"), (None, "paused"))
        await clocks.resume_clocks(SYSTEM, [found.id], on=day("2026-10-16"))
        explanation = await answers.explanation_out(await access.clock(found.id))
    (pause,) = explanation.pauses
    assert (pause.since, pause.until, pause.ground) == (day("2026-10-12"), day("2026-10-16"), PauseGround.CORRECTION)
    assert (explanation.start, explanation.unit, explanation.quantity) == (day("2026-09-24"), TermUnit.WORKING_DAY, 20)
    assert (explanation.days[-1].on, explanation.days[-1].number) == (explanation.due, 20)
    assert explanation.days[1].name == "中秋节"


@pytest.mark.parametrize("paused", [False, True])
async def test_a_stopped_clock_is_explained_as_it_was(city: City, paused: bool) -> None:
    """A calendar that is corrected later changes nothing of what was done under the one before."""
    with on_the(day("2026-11-27")):
        found = await begun(city, day("2026-11-20"), Term(TermUnit.WORKING_DAY, 60))
        if paused:
            await clocks.pause_clocks(SYSTEM, [found.id], ground=PauseGround.SUSPENDED, on=day("2026-11-24"))
        await clocks.stop_clocks(SYSTEM, [found.id], on=day("2026-11-26"))
        before = await numbers_of(found)
    with on_the(day("2026-11-28")):
        await enter_2027()
        assert await numbers_of(found) == before
    assert list(before)[-1] == ("2026-11-26" if paused else "2027-02-12")
