"""Counting days, without a server: against an independent calendar, against the published examples, and day by day."""

from __future__ import annotations

from datetime import date, timedelta

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oa_server.deadlines.engine import (
    ONE_DAY,
    Calendar,
    DayKind,
    Pause,
    Term,
    TermUnit,
    Why,
    due_day,
    explained,
    months_after,
)
from oa_server.deadlines.seed import seed_years

YEARS = seed_years()
CALENDAR = Calendar({day: named for days in YEARS.values() for day, named in days.items()}, YEARS, {})
WD, DAY, MONTH = TermUnit.WORKING_DAY, TermUnit.DAY, TermUnit.MONTH

days = st.dates(date(2007, 1, 1), date(2026, 6, 30))
terms = st.builds(Term, st.sampled_from(TermUnit), st.integers(1, 60)).filter(
    lambda t: t.unit is not MONTH or t.quantity < 7
)


def day(text: str) -> date:
    return date.fromisoformat(text)


def test_every_day_of_twenty_years() -> None:
    """What is worked agrees with another's calendar on every day from 2007 to 2026."""
    other = holidays.country_holidays("CN", years=range(2007, 2027))
    every = (date(2007, 1, 1) + n * ONE_DAY for n in range((date(2027, 1, 1) - date(2007, 1, 1)).days))
    assert [on for on in every if CALENDAR.of(on).is_worked != other.is_working_day(on)] == []


@pytest.mark.parametrize(("year", "worked", "make_up"), [(2024, 251, 8), (2025, 248, 5), (2026, 248, 6)])
def test_a_year_in_numbers(year: int, worked: int, make_up: int) -> None:
    first, last = date(year, 1, 1), date(year, 12, 31)
    assert CALENDAR.worked_between(first - ONE_DAY, last) == worked
    kinds = [CALENDAR.of(first + n * ONE_DAY).kind for n in range((last - first).days + 1)]
    assert kinds.count(DayKind.MAKE_UP) == make_up


@pytest.mark.parametrize(
    ("start", "quantity", "due"),
    [
        ("2025-09-28", 20, "2025-10-31"),
        ("2026-02-10", 20, "2026-03-16"),
        ("2026-09-24", 20, "2026-10-29"),
        ("2026-04-30", 7, "2026-05-13"),
    ],
)
def test_the_given_examples(start: str, quantity: int, due: str) -> None:
    assert due_day(Term(WD, quantity), day(start), CALENDAR) == day(due)


@pytest.mark.parametrize(
    ("unit", "start", "quantity", "due"),
    [
        (MONTH, "2025-11-30", 3, "2026-02-28"),  # clamped, and a Saturday that is worked
        (MONTH, "2023-11-30", 3, "2024-02-29"),
        (MONTH, "2026-01-31", 1, "2026-02-28"),
        (MONTH, "2025-07-01", 3, "2025-10-09"),  # the National Day's holiday lies at its end
        (DAY, "2026-04-20", 15, "2026-05-06"),
        (DAY, "2026-04-30", 9, "2026-05-09"),  # a make-up Saturday is a working day
        (WD, "2026-04-30", 0, "2026-04-30"),
    ],
)
def test_days_and_months(unit: TermUnit, start: str, quantity: int, due: str) -> None:
    """Days and months count all days and end on one that is worked."""
    assert due_day(Term(unit, quantity), day(start), CALENDAR) == day(due)


def test_a_year_without_notice_is_provisional() -> None:
    """Of an unpublished year only the weekends are known, and it says so."""
    assert CALENDAR.is_provisional(day("2026-12-30"), day("2027-01-15"))
    assert not CALENDAR.is_provisional(day("2025-12-30"), day("2026-01-15"))
    assert due_day(Term(WD, 5), day("2026-12-31"), CALENDAR) == day("2027-01-07")


def test_a_local_holiday() -> None:
    """A day that one organ is off besides does not count there; on a make-up day it is off all the same."""
    local = Calendar(CALENDAR._named, YEARS, {day("2026-05-27"): "古尔邦节", day("2026-05-09"): "地方节日"})
    assert local.of(day("2026-05-27")).kind is DayKind.LOCAL
    assert due_day(Term(WD, 3), day("2026-05-25"), local) == day("2026-05-29")
    assert not local.of(day("2026-05-09")).is_worked


def test_a_pause() -> None:
    """A paused term counts until the day of the pause and goes on the day after it ends; while it is paused it has no end."""
    pause = Pause(day("2026-03-04"), day("2026-03-11"), "补正")
    assert due_day(Term(WD, 5), day("2026-03-02"), CALENDAR, [pause]) == day("2026-03-16")
    assert due_day(Term(DAY, 10), day("2026-03-02"), CALENDAR, [pause]) == day("2026-03-19")
    assert due_day(Term(MONTH, 1), day("2026-03-02"), CALENDAR, [pause]) == day("2026-04-09")
    assert due_day(Term(WD, 5), day("2026-03-02"), CALENDAR, [Pause(day("2026-03-04"), None)]) is None
    late = Pause(day("2026-03-09"), None)
    assert due_day(Term(WD, 5), day("2026-03-02"), CALENDAR, [late]) == day("2026-03-09")
    told = list(explained(Term(WD, 5), day("2026-03-02"), day("2026-03-16"), CALENDAR, [pause]))
    assert [(c.number, c.why) for c in told[:4]] == [
        (None, Why.START),
        (1, Why.COUNTS),
        (2, Why.COUNTS),
        (None, Why.PAUSED),
    ]
    assert [c.ground for c in told if c.why is Why.PAUSED] == ["补正"] * 7


@given(days, terms)
def test_the_explanation_counts_what_the_term_says(start: date, term: Term) -> None:
    """Counted one by one, the days of a term are as many as it has, the last of them or a later one is worked, and none that
    is off lies between the end of what counts and the due day."""
    due = due_day(term, start, CALENDAR)
    assert due is not None
    told = list(explained(term, start, due, CALENDAR))
    assert [c.day.on for c in told] == [start + n * ONE_DAY for n in range((due - start).days + 1)]
    expected = (months_after(start, term.quantity) - start).days if term.unit is MONTH else term.quantity
    assert max(c.number or 0 for c in told) == expected
    assert CALENDAR.of(due).is_worked
    moved = [c.day for c in told if c.why is Why.MOVED]
    assert not any(day.is_worked for day in moved[:-1])


@given(days, st.integers(1, 300))
def test_worked_days_forth_and_back(start: date, count: int) -> None:
    """The n-th worked day after another has n worked days behind it, and one day less has one less."""
    due = CALENDAR.worked_after(start, count)
    assert CALENDAR.worked_between(start, due) == count
    assert CALENDAR.worked_between(start, due - timedelta(1)) == count - 1
