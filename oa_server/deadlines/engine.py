"""Counting days: which are worked, when a term ends, and why, day by day. Asks neither a table nor the time.

The day that a term is counted from is its day 0, the next one its first (民法典 第二百零一条). A term of months ends on the day
of the same number, or on the month's last (第二百零二条). A last day that is off moves on to the next that is worked
(第二百零三条). While a term is paused no day counts: the day of the pause is the last that did, the day after resuming the next.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

ONE_DAY = timedelta(days=1)
SATURDAY = 5


class DayKind(StrEnum):
    """What a day is."""

    WORKED = "worked"
    MAKE_UP = "make_up"  # 班: a weekend that is worked
    WEEKEND = "weekend"
    HOLIDAY = "holiday"  # 休
    LOCAL = "local"  # 地方假日


WORKED = frozenset({DayKind.WORKED, DayKind.MAKE_UP})


@dataclass(frozen=True, slots=True)
class Named:
    """What a notice says of a day: that it is off, or that it is worked after all, and for which holiday."""

    off: bool
    name: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar; `name` is the holiday's, where it is one's."""

    on: date
    kind: DayKind
    name: str = ""

    @property
    def is_worked(self) -> bool:
        return self.kind in WORKED


class Calendar:
    """The days that notices name, with the years that they were published for, and the local holidays of one organ."""

    def __init__(self, named: Mapping[date, Named], published: Collection[int], local: Mapping[date, str]) -> None:
        self._named = named
        self._published = frozenset(published)
        self._local = local
        self._years: dict[int, list[int]] = {}

    def of(self, on: date) -> Day:
        """What a day is."""
        named = self._named.get(on)
        if named is not None and named.off:
            return Day(on, DayKind.HOLIDAY, named.name)
        if on in self._local:
            return Day(on, DayKind.LOCAL, self._local[on])
        if named is not None:
            return Day(on, DayKind.MAKE_UP, named.name)
        return Day(on, DayKind.WEEKEND if on.weekday() >= SATURDAY else DayKind.WORKED)

    def is_provisional(self, first: date, last: date) -> bool:
        """Whether some year between two days has no notice yet: then only its weekends are known to be off."""
        return any(year not in self._published for year in range(first.year, last.year + 1))

    def worked_after(self, day: date, count: int) -> date:
        """The `count`-th worked day after a day; the day itself for 0."""
        if count == 0:
            return day
        year, at = day.year, bisect_right(self._worked(day.year), day.toordinal())
        while count > (left := len(self._worked(year)) - at):
            count, year, at = count - left, year + 1, 0
        return date.fromordinal(self._worked(year)[at + count - 1])

    def worked_between(self, after: date, until: date) -> int:
        """How many days are worked after one day and until another, that one included."""
        years = range(after.year, until.year + 1)
        first, last = after.toordinal(), until.toordinal()
        return sum(bisect_right(self._worked(y), last) - bisect_right(self._worked(y), first) for y in years)

    def moved_on(self, day: date) -> date:
        """The day itself if it is worked, or the next that is."""
        return self.worked_after(day - ONE_DAY, 1)

    def _worked(self, year: int) -> list[int]:
        """The worked days of a year, as ordinals in their order."""
        if year not in self._years:
            days = range(date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal() + 1)
            self._years[year] = [n for n in days if self.of(date.fromordinal(n)).is_worked]
        return self._years[year]


class TermUnit(StrEnum):
    """What a term counts."""

    WORKING_DAY = "working_day"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Term:
    """期限: so many working days, days or months."""

    unit: TermUnit
    quantity: int


@dataclass(frozen=True, slots=True)
class Pause:
    """中止: on which day, until which (None: it has not ended), and on what ground."""

    since: date
    until: date | None
    ground: str = ""


def due_day(term: Term, start: date, calendar: Calendar, pauses: Sequence[Pause] = ()) -> date | None:
    """届满日: the last day of a term counted from `start`. None while it is paused.

    `pauses` are in their order and do not overlap; one that begins after the term has ended is none of its own.
    """
    at, left = start, term.quantity
    for pause in pauses:
        if pause.since >= _end(term.unit, at, left, start, calendar):
            break
        if pause.until is None:
            return None
        if term.unit is TermUnit.WORKING_DAY:
            left -= calendar.worked_between(at, pause.since)
            at = pause.until
        elif term.unit is TermUnit.DAY:
            left -= (pause.since - at).days
            at = pause.until
        else:
            at += pause.until - pause.since
    return _end(term.unit, at, left, start, calendar)


def _end(unit: TermUnit, at: date, left: int, start: date, calendar: Calendar) -> date:
    """When what is left of a term ends, nothing coming between. Of a term of months, `at` is as much later than its start as
    it was paused."""
    if unit is TermUnit.WORKING_DAY:
        return calendar.worked_after(at, left)
    if unit is TermUnit.DAY:
        return calendar.moved_on(at + left * ONE_DAY)
    return calendar.moved_on(months_after(start, left) + (at - start))


def months_after(day: date, count: int) -> date:
    """The day of the same number so many months later, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


class Why(StrEnum):
    """Why a day counts or does not."""

    START = "start"
    COUNTS = "counts"
    OFF = "off"
    PAUSED = "paused"
    MOVED = "moved"  # the term had ended, but on a day off


@dataclass(frozen=True, slots=True)
class Counted:
    """One day of a term: its number if it counts, and why it does or does not; `ground` is the pause's."""

    day: Day
    number: int | None
    why: Why
    ground: str = ""


def explained(
    term: Term, start: date, due: date, calendar: Calendar, pauses: Sequence[Pause] = ()
) -> Iterator[Counted]:
    """Every day from the first of a term's days to its last, each with its number or with what keeps it from counting."""
    yield Counted(calendar.of(start), None, Why.START)
    number, ends = 0, term.quantity
    if term.unit is TermUnit.MONTH:
        ends = (months_after(start, term.quantity) - start).days
    for ordinal in range(start.toordinal() + 1, due.toordinal() + 1):
        day = calendar.of(date.fromordinal(ordinal))
        pause = next((p for p in pauses if p.since < day.on and (p.until is None or day.on <= p.until)), None)
        if pause is not None:
            yield Counted(day, None, Why.PAUSED, pause.ground)
        elif number == ends:
            yield Counted(day, None, Why.MOVED)
        elif term.unit is TermUnit.WORKING_DAY and not day.is_worked:
            yield Counted(day, None, Why.OFF)
        else:
            number += 1
            yield Counted(day, number, Why.COUNTS)
