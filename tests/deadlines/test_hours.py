"""Counting office hours: against a count minute by minute, by the seasons of a year, and as officials and administrators meet it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.deadlines.engine import Calendar
from oa_server.deadlines.hours import USUAL, Season, Span, counted, due_moment, spans_of
from oa_server.deadlines.seed import seed_years
from tests.city import Browser, City, told

YEARS = seed_years()
CALENDAR = Calendar({day: named for days in YEARS.values() for day, named in days.items()}, YEARS, {})
MINUTE = timedelta(minutes=1)
SEASONS = (
    Season(5, 1, (Span(time(8, 30), time(12)), Span(time(14, 30), time(18)))),
    Season(10, 1, (Span(time(8, 30), time(12)), Span(time(14), time(17, 30)))),
)
SUMMER = {"begins": "05-01", "spans": [["08:30", "12:00"], ["14:30", "18:00"]]}
WINTER = {"begins": "10-01", "spans": [["08:30", "12:00"], ["14:00", "17:30"]]}


def due(hours: int, start: datetime, seasons: tuple[Season, ...]) -> datetime:
    return due_moment(list(counted(hours, start, CALENDAR, seasons))[-1], start, seasons)


def minute_by_minute(hours: int, start: datetime, seasons: tuple[Season, ...]) -> datetime:
    """The same, told off on the fingers."""
    at, left = start, hours * 60
    while left:
        spans = spans_of(at.date(), seasons) if CALENDAR.of(at.date()).is_worked else ()
        left -= any(span.start <= at.time() < span.end for span in spans)
        at += MINUTE
    return at


@given(
    st.integers(1, 40),
    st.builds(datetime.combine, st.dates(date(2024, 1, 1), date(2026, 11, 30)), st.times()).map(
        lambda at: at.replace(second=0, microsecond=0)
    ),
    st.sampled_from([USUAL, SEASONS]),
)
def test_as_by_hand(hours: int, start: datetime, seasons: tuple[Season, ...]) -> None:
    """A term of hours ends at the minute at which who counts minute by minute says that it does."""
    assert due(hours, start, seasons) == minute_by_minute(hours, start, seasons)


@pytest.mark.parametrize(
    ("start", "hours", "ends"),
    [
        ("2026-11-27T09:00", 2, "2026-11-27T11:00"),
        ("2026-11-27T11:00", 2, "2026-11-27T15:00"),  # the midday break does not count
        ("2026-11-27T17:00", 1, "2026-11-30T09:00"),  # nor do evening and weekend
        ("2026-11-27T20:00", 7, "2026-11-30T17:30"),  # a whole day ends with it
        ("2026-09-30T17:00", 2, "2026-10-08T09:30"),  # the holidays of 国庆节, which begin the winter too
        ("2026-09-30T09:00", 0, "2026-09-30T09:00"),
    ],
)
def test_terms_of_hours(start: str, hours: int, ends: str) -> None:
    assert due(hours, datetime.fromisoformat(start), SEASONS) == datetime.fromisoformat(ends)


@pytest.mark.parametrize(
    ("on", "afternoon"), [("2026-04-30", 14), ("2026-05-01", 14.5), ("2026-09-30", 14.5), ("2026-12-31", 14)]
)
def test_the_seasons_of_a_year(on: str, afternoon: float) -> None:
    """The winter goes on over New Year until the summer begins."""
    start = spans_of(date.fromisoformat(on), SEASONS)[1].start
    assert start.hour + start.minute / 60 == afternoon


# --- over HTTP --------------------------------------------------------------------------------------------------------


async def entered(browser: Browser, seasons: list[dict[str, Any]], seen: str = "usual") -> Any:
    body = {"notice": "江政办〔2026〕8号", "seasons": seasons}
    return await browser.send("POST", "/api/calendar/schedules", json=body, headers={"If-Match": f'"{seen}"'})


async def test_a_term_explains_itself(city: City) -> None:
    """Each day of a term of hours is told with the minutes that count, and the last with the minute of its end."""
    wang = await city.signed_in("wang")
    asked = {"start": "2026-11-27", "at": "16:00", "unit": "working_hour", "quantity": 3}
    found = (await wang.get("/api/calendar/due", params=asked)).raise_for_status().json()
    assert (found["due"], found["due_at"]) == ("2026-11-30", "10:00")
    assert [(day["on"], day["minutes"], day["why"]) for day in found["days"]] == [
        ("2026-11-27", 90, "counts"),
        ("2026-11-28", 0, "off"),
        ("2026-11-29", 0, "off"),
        ("2026-11-30", 90, "counts"),
    ]


async def test_the_summer_is_entered(city: City) -> None:
    """Hours that the system administrator enters count from then on, for everybody; what was kept before stays to be read."""
    sys, wang = await city.signed_in("sys"), await city.signed_in("wang")
    asked = {"start": "2026-07-01", "at": "13:00", "unit": "working_hour", "quantity": 1}
    assert (await wang.get("/api/calendar/due", params=asked)).json()["due_at"] == "15:00"
    listed = (await entered(sys, [SUMMER, WINTER])).raise_for_status().json()
    assert (await wang.get("/api/calendar/due", params=asked)).json()["due_at"] == "15:30"
    assert (listed["items"][0]["seasons"], listed["items"][0]["entered_by"]) == ([SUMMER, WINTER], "何平")
    assert told(await entered(sys, [SUMMER])) == (412, "core.stale")
    assert (await entered(sys, [WINTER], listed["seen"])).status_code == 200
    shown = (await wang.get("/api/calendar/schedules")).json()
    assert [len(one["seasons"]) for one in shown["items"]] == [1, 2]
    assert await AuditRecord.filter(verb=Verb.OFFICE_HOURS_KEPT, actor_name="何平").count() == 2


@pytest.mark.parametrize(
    ("seasons", "refusal"),
    [
        ([SUMMER, SUMMER], (422, "deadlines.bad_seasons")),
        ([{**SUMMER, "begins": "02-29"}], (422, "deadlines.bad_seasons")),
        ([{**SUMMER, "begins": "04-31"}], (422, "deadlines.bad_seasons")),
        ([{**SUMMER, "spans": [["12:00", "08:30"]]}], (422, "deadlines.bad_seasons")),
        ([{**SUMMER, "spans": [["08:30", "12:00"], ["11:00", "17:00"]]}], (422, "deadlines.bad_seasons")),
        ([{**SUMMER, "spans": [["06:00", "23:00"]]}], (422, "deadlines.bad_seasons")),
        ([{**SUMMER, "spans": [["8:30", "12:00"]]}], (422, "web.invalid")),
        ([{**SUMMER, "begins": "13-01"}], (422, "web.invalid")),
        ([], (422, "web.invalid")),
    ],
)
async def test_hours_that_are_none(city: City, seasons: list[dict[str, Any]], refusal: tuple[int, str]) -> None:
    """Seasons that overlap, days that no year has and spans that run backwards are refused, and nothing is kept."""
    sys = await city.signed_in("sys")
    assert told(await entered(sys, seasons)) == refusal
    assert (await sys.get("/api/calendar/schedules")).json()["seen"] == "usual"


async def test_who_enters_none(city: City) -> None:
    """Hours are the system administrator's to enter, who says what they saw."""
    wang, sys = await city.signed_in("wang"), await city.signed_in("sys")
    assert told(await entered(wang, [SUMMER])) == (403, "deadlines.not_system_admin")
    body = {"notice": "x", "seasons": [SUMMER]}
    assert told(await sys.send("POST", "/api/calendar/schedules", json=body))[0] == 428
