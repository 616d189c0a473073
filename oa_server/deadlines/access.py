"""Reading the calendar. It is everybody's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Any
from uuid import UUID

from oa_server.deadlines.engine import Calendar, Named
from oa_server.deadlines.hours import USUAL, OfficeTime, Season, Span
from oa_server.deadlines.models import CalendarYear, LocalHoliday, OfficeSchedule
from oa_server.identity import access as identity
from oa_server.storage.database import select

KEPT = 64

# Office times by the newest row of each table and the organ: rows are only ever added, so whatever has the same newest rows is
# the same, in whichever process or copy of the database.
_kept: dict[tuple[object, object, object, UUID | None], OfficeTime] = {}


async def calendar(organ_id: UUID | None = None) -> Calendar:
    """The calendar as it is in force; with an organ, with its local holidays. Raises NotFound for an unknown organ."""
    return (await office_time(organ_id)).calendar


async def office_time(organ_id: UUID | None = None) -> OfficeTime:
    """Calendar and office hours as they are in force; with an organ, with its local holidays. Raises NotFound for an unknown
    organ."""
    (newest,) = await select(
        "SELECT (SELECT max(CAST(id AS text)) FROM calendar_year) AS years,"
        " (SELECT max(CAST(id AS text)) FROM local_holiday) AS days,"
        " (SELECT max(CAST(id AS text)) FROM office_schedule) AS hours"
    )
    key = (newest["years"], newest["days"], newest["hours"], organ_id)
    if key not in _kept:
        if len(_kept) >= KEPT:
            _kept.clear()
        _kept[key] = OfficeTime(await _calendar(organ_id), await _seasons())
    return _kept[key]


async def _calendar(organ_id: UUID | None) -> Calendar:
    if organ_id is not None:
        await identity.organ(organ_id)
    years = await newest_of_years()
    named = {day: one for year in sorted(years) for day, one in named_days(years[year].days).items()}
    local = {row.day: row.name for row in await local_holidays(organ_id) if row.is_off} if organ_id else {}
    return Calendar(named, years, local)


async def newest_of_years() -> dict[int, CalendarYear]:
    """The notice of each year that counts."""
    return {row.year: row for row in await CalendarYear.all().order_by("id")}


async def versions_of(year: int) -> list[CalendarYear]:
    """Every notice that was entered for a year, the newest first; none while it is not published."""
    return await CalendarYear.filter(year=year).order_by("-id")


async def newest_of(year: int) -> CalendarYear | None:
    """The notice of a year that counts; None while it is not published."""
    return await CalendarYear.filter(year=year).order_by("-id").first()


async def local_holidays(organ_id: UUID) -> list[LocalHoliday]:
    """What counts for an organ and each day that was ever named for it, in the order of days."""
    newest = {row.day: row for row in await LocalHoliday.filter(organ_id=organ_id).order_by("id")}
    return [newest[day] for day in sorted(newest)]


def named_days(days: Mapping[str, Any]) -> dict[date, Named]:
    """What a row says of its days."""
    return {date.fromisoformat(day): Named(said["off"], said["name"]) for day, said in days.items()}


async def schedules() -> list[OfficeSchedule]:
    """Every schedule of office hours that was entered, the newest first; none where the usual hours are kept."""
    return await OfficeSchedule.all().order_by("-id")


async def _seasons() -> tuple[Season, ...]:
    newest = await OfficeSchedule.all().order_by("-id").first()
    return read_seasons(newest.seasons) if newest else USUAL


def read_seasons(said: Any) -> tuple[Season, ...]:
    """What a row says of its seasons."""
    return tuple(_season(one["begins"], one["spans"]) for one in said)


def _season(begins: str, spans: list[list[str]]) -> Season:
    month, day = begins.split("-")
    return Season(int(month), int(day), tuple(Span(*map(time.fromisoformat, span)) for span in spans))
