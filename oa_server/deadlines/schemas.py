"""What the calendar says over the wire. Days are dates of Beijing time."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.web.shapes import AbilityOut

YearNumber = Annotated[int, Meta(ge=2004, le=2100)]
Notice = Annotated[str, Meta(min_length=1, max_length=200)]
ClockTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
DayName = Annotated[str, Meta(min_length=1, max_length=40)]


class YearOut(Struct):
    """A year: how many of its days are worked, off by a holiday, and made up for; and by which notice."""

    year: int
    worked: int
    holidays: int
    make_up: int
    notice: str
    is_published: bool


class YearList(Struct):
    """Every year that a notice was entered for, and the next one, which may have none yet."""

    items: list[YearOut]
    abilities: list[AbilityOut]


class CalendarDayOut(Struct):
    on: date
    kind: str
    name: str


class VersionOut(Struct):
    """One notice of a year: when and by whom it was entered, and the digest of what it says."""

    id: UUID
    notice: str
    sha256: str
    entered_by: str
    at: datetime


class CalendarOut(Struct):
    """A year day by day, with its notices, the newest first."""

    year: int
    is_published: bool
    seen: str
    days: list[CalendarDayOut]
    versions: list[VersionOut]


class NamedDayIn(Struct):
    """A day that a notice names: off, or worked after all."""

    date: date
    name: DayName
    is_off_day: bool


class NoticeIn(Struct, forbid_unknown_fields=True):
    """A year's notice. With `dry_run` it is judged and compared, and nothing is entered."""

    notice: Notice
    days: Annotated[list[NamedDayIn], Meta(min_length=1, max_length=120)]
    dry_run: bool = False


class ChangedDayOut(Struct):
    """What a day was by the notice before (empty: not named), and what it is by the new one."""

    on: date
    before: str
    after: str
    before_name: str
    after_name: str


class NoticeOut(Struct):
    """What a notice changes: the days that are something else than before, and how many are worked then."""

    year: int
    entered: bool
    seen: str
    worked_before: int
    worked: int
    changed: list[ChangedDayOut]


class LocalHolidayOut(Struct):
    on: date
    name: str
    notice: str


class LocalHolidayList(Struct):
    items: list[LocalHolidayOut]


class LocalHolidayIn(Struct, forbid_unknown_fields=True):
    """Days off of one organ's own, or, with `is_off` false, such days taken back."""

    days: Annotated[list[date], Meta(min_length=1, max_length=31)]
    name: DayName
    notice: Notice
    is_off: bool = True


class CalendarQuery(Struct):
    organ_id: UUID | None = None


class DueQuery(Struct):
    """A term: the day it is counted from, and so many working days, days, months or office hours; for an organ with its own
    holidays. Office hours are counted from the minute `at`."""

    start: date
    unit: Literal["working_day", "day", "month", "working_hour"]
    quantity: Annotated[int, Meta(ge=0, le=500)]
    organ_id: UUID | None = None
    at: ClockTime = "00:00"


class SeasonOut(Struct):
    """Office hours from one day of every year on: `begins` is MM-DD, each span two times HH:MM."""

    begins: str
    spans: list[tuple[str, str]]


class ScheduleOut(Struct):
    """One schedule of office hours: who entered it, when and by which order; the usual hours have none of these."""

    seasons: list[SeasonOut]
    notice: str
    entered_by: str
    at: datetime | None


class ScheduleList(Struct):
    """Every schedule, that in force first; `seen` names it for who changes it."""

    items: list[ScheduleOut]
    seen: str
    abilities: list[AbilityOut]


class SeasonIn(Struct, forbid_unknown_fields=True):
    begins: Annotated[str, Meta(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
    spans: Annotated[list[tuple[ClockTime, ClockTime]], Meta(min_length=1, max_length=4)]


class ScheduleIn(Struct, forbid_unknown_fields=True):
    """The office hours of a year's seasons, and by which order they are kept."""

    seasons: Annotated[list[SeasonIn], Meta(min_length=1, max_length=4)]
    notice: Notice


class CountedOut(Struct):
    """A day of a term: its number if it counts, and why it does or does not; of a term of hours, how many minutes count."""

    on: date
    kind: str
    name: str
    number: int | None
    why: str
    minutes: int | None = None


class DueOut(Struct):
    """When a term ends, and every day of it; `is_provisional` while a year in it has no notice. A term of hours ends at a
    minute of its last day."""

    start: date
    unit: str
    quantity: int
    due: date
    due_at: str
    is_provisional: bool
    days: list[CountedOut]


class ClockOut(Struct):
    """办理时限 as its subject's readers see it. `left` is how many working days are left, or, below zero, how many days ago it
    ended; nothing is left, due or provisional of one that is paused, and `ground` says why it is."""

    id: UUID
    title: str
    due: date | None
    light: str
    left: int | None
    state: str
    provisional: bool
    ground: str


class ClockPauseOut(Struct):
    """When a clock was paused and on what ground; `until` is empty while it still is."""

    since: date
    until: date | None
    ground: str


class ClockExplanationOut(Struct):
    """A clock's term day by day: until it is due, or, while nothing is due, until today."""

    title: str
    start: date
    unit: str
    quantity: int
    due: date | None
    provisional: bool
    days: list[CountedOut]
    pauses: list[ClockPauseOut]
