"""Counting office hours: in which hours of its days a term of hours runs, and at which minute it has run out. Pure, as the engine.

Moments are local to the office, without a zone: China has one and keeps it all year. A term begins with the minute that it is
counted from, or, outside office hours, with the next minute that is worked (民法典 第二百零一条第二款).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from oa_server.deadlines.engine import ONE_DAY, Calendar, Day


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of office hours within one day: `end` itself is worked no more."""

    start: time
    end: time

    @property
    def length(self) -> timedelta:
        return datetime.combine(date.min, self.end) - datetime.combine(date.min, self.start)


@dataclass(frozen=True, slots=True)
class Season:
    """作息时间 from one day of every year on, until the next season begins."""

    month: int
    day: int
    spans: tuple[Span, ...]


# What most offices keep where nothing else is entered.
USUAL = (Season(1, 1, (Span(time(8, 30), time(12)), Span(time(14), time(17, 30)))),)


@dataclass(frozen=True, slots=True)
class CountedHours:
    """One day of a term of hours: how much of it counted, and how much has counted by its end."""

    day: Day
    counted: timedelta
    total: timedelta


def spans_of(on: date, seasons: Sequence[Season]) -> tuple[Span, ...]:
    """The office hours of a day, were it worked: those of the season that began last, in this year or in the one before."""
    begun = [season for season in seasons if (season.month, season.day) <= (on.month, on.day)]
    return max(begun or seasons, key=lambda season: (season.month, season.day)).spans


def counted(hours: int, start: datetime, calendar: Calendar, seasons: Sequence[Season]) -> Iterator[CountedHours]:
    """Every day of a term of so many office hours, from the day of its start to the day on which the last of them counts."""
    whole, total, on = timedelta(hours=hours), timedelta(), start.date()
    while True:
        today = min(_left(on, start, calendar, seasons), whole - total)
        total += today
        yield CountedHours(calendar.of(on), today, total)
        if total == whole:
            return
        on += ONE_DAY


def _left(on: date, start: datetime, calendar: Calendar, seasons: Sequence[Season]) -> timedelta:
    """How much of a day's office hours lie after the start."""
    if not calendar.of(on).is_worked:
        return timedelta()
    return sum((end - begin for begin, end in _stretches(on, start, seasons)), timedelta())


def _stretches(on: date, start: datetime, seasons: Sequence[Season]) -> Iterator[tuple[datetime, datetime]]:
    for span in spans_of(on, seasons):
        begin, end = max(datetime.combine(on, span.start), start), datetime.combine(on, span.end)
        if begin < end:
            yield begin, end


@dataclass(frozen=True, slots=True)
class OfficeTime:
    """工作时间 of an organ: the days that it works, and the hours of each."""

    calendar: Calendar
    seasons: tuple[Season, ...]

    def after_hours(self, start: datetime, hours: int) -> datetime:
        """The minute at which so many office hours have run out."""
        (*_before, last) = counted(hours, start, self.calendar, self.seasons)
        return due_moment(last, start, self.seasons)

    def after_days(self, start: datetime, days: int) -> datetime:
        """When the office closes on the last of so many working days; the day of the start does not count."""
        last = self.calendar.worked_after(start.date(), days)
        return datetime.combine(last, spans_of(last, self.seasons)[-1].end)


def due_moment(last: CountedHours, start: datetime, seasons: Sequence[Season]) -> datetime:
    """The minute at which a term has run out, on the last of its days."""
    left = last.counted
    for begin, end in _stretches(last.day.on, start, seasons):
        if left <= end - begin:
            return begin + left
        left -= end - begin
    return start  # Of a term of no hours none counts.
