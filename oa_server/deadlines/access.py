"""Reading the calendar, which is everybody's, and clocks, which whoever may see their subject may see: the subject's domain
decides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.deadlines.engine import Calendar, Named
from oa_server.deadlines.hours import USUAL, OfficeTime, Season, Span
from oa_server.deadlines.models import CalendarYear, Clock, ClockEvent, LocalHoliday, OfficeSchedule
from oa_server.deadlines.states import ClockState
from oa_server.identity import access as identity
from oa_server.storage.database import as_kept, day_kept, select
from oa_server.storage.fields import Model, QuerySet

Row = TypeVar("Row", bound=Model)
Kept = TypeVar("Kept", UUID, UUID | str)  # an identifier, or as the database keeps it
AT_ONCE = 500
KEPT = 1024

# Office times by the newest row of each table and the organ: rows are only ever added, so whatever has the same newest rows is
# the same, in whichever process or copy of the database.
_kept: dict[tuple[object, object, object, UUID | None], OfficeTime] = {}


async def calendar(organ_id: UUID | None = None) -> Calendar:
    """The calendar as it is in force; with an organ, with its local holidays. Raises NotFound for an unknown organ."""
    return (await office_time(organ_id)).calendar


async def office_time(organ_id: UUID | None = None) -> OfficeTime:
    """Calendar and office hours as they are in force; with an organ, with its local holidays. Raises NotFound for an unknown
    organ."""
    return (await _office_times({organ_id}))[organ_id]


async def calendars(organ_ids: Collection[UUID]) -> dict[UUID, Calendar]:
    """The calendars of many organs as they are in force. Raises NotFound when one is unknown."""
    return {organ: office.calendar for organ, office in (await _office_times(organ_ids)).items() if organ is not None}


async def calendar_of(organ_id: UUID, until: datetime) -> Calendar:
    """The calendar of an organ as it was in force at a moment."""
    return (await _calendars([organ_id], await newest_of_years(until), until))[organ_id]


async def _office_times(organ_ids: Collection[UUID | None]) -> dict[UUID | None, OfficeTime]:
    (newest,) = await select(
        "SELECT (SELECT max(CAST(id AS text)) FROM calendar_year) AS years,"
        " (SELECT max(CAST(id AS text)) FROM local_holiday) AS days,"
        " (SELECT max(CAST(id AS text)) FROM office_schedule) AS hours"
    )
    version = (newest["years"], newest["days"], newest["hours"])
    found = {organ: _kept[*version, organ] for organ in organ_ids if (*version, organ) in _kept}
    if missing := set(organ_ids) - found.keys():
        seasons = await _seasons()
        made = {
            organ: OfficeTime(days, seasons)
            for organ, days in (await _calendars(missing, await newest_of_years())).items()
        }
        if len(_kept) + len(made) > KEPT:
            _kept.clear()
        _kept.update({(*version, organ): office for organ, office in made.items()})
        found |= made
    return found


async def _calendars(
    organ_ids: Collection[UUID | None], years: Mapping[int, CalendarYear], until: datetime | None = None
) -> dict[UUID | None, Calendar]:
    """The calendar of each organ; those without holidays of their own share one, and so does who asks for none."""
    wanted = {organ for organ in organ_ids if organ is not None}
    if wanted - (await identity.organ_names(wanted)).keys():
        raise NotFound(NOT_FOUND)
    named = {day: one for year in sorted(years) for day, one in named_days(years[year].days).items()}
    common = Calendar(named, years, {})
    local = await _local_days(wanted, until)
    return {organ: Calendar(named, years, local[organ]) if organ in local else common for organ in organ_ids}


async def _local_days(organ_ids: Collection[UUID], until: datetime | None) -> dict[UUID, dict[date, str]]:
    """The days that organs are off besides, of those that have any."""
    rows = LocalHoliday.filter(organ_id__in=list(organ_ids))
    newest = {(row.organ_id, row.day): row for row in await _known(rows, until)}
    local: dict[UUID, dict[date, str]] = {}
    for (organ, day), row in newest.items():
        if row.is_off:
            local.setdefault(organ, {})[day] = row.name
    return local


def _known(rows: QuerySet[Row], until: datetime | None) -> QuerySet[Row]:
    """Those of the rows that had been entered at a moment, in the order in which they were."""
    return (rows if until is None else rows.filter(at__lte=until)).order_by("id")


async def newest_of_years(until: datetime | None = None) -> dict[int, CalendarYear]:
    """The notice of each year that counts, or that counted at a moment."""
    return {row.year: row for row in await _known(CalendarYear.all(), until)}


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


async def clocks_of(subject_type: str, subject_ids: Collection[UUID]) -> dict[UUID, list[Clock]]:
    """The clocks of many subjects, those of each in the order in which they were started; a subject without any is missing."""
    found: dict[UUID, list[Clock]] = {}
    for some in _parts(subject_ids):
        for row in await Clock.filter(subject_type=subject_type, subject_id__in=some).order_by("id"):
            found.setdefault(row.subject_id, []).append(row)
    return found


async def clock(clock_id: UUID) -> Clock:
    """A clock. Raises NotFound."""
    row = await Clock.get_or_none(id=clock_id)
    if row is None:
        raise NotFound(NOT_FOUND)
    return row


async def events_of(clock_id: UUID) -> list[ClockEvent]:
    """What befell a clock, in its order."""
    return await ClockEvent.filter(clock_id=clock_id).order_by("number")


async def events_by_clock(clock_ids: Collection[UUID]) -> dict[UUID, list[ClockEvent]]:
    """What befell each of many clocks, in its order."""
    found: dict[UUID, list[ClockEvent]] = {key: [] for key in clock_ids}
    for some in _parts(clock_ids):
        for row in await ClockEvent.filter(clock_id__in=some).order_by("clock_id", "number"):
            found[row.clock_id].append(row)
    return found


async def held(clock_ids: Collection[UUID]) -> list[Clock]:
    """Clocks, held until the unit of work ends. Raises NotFound when one is unknown."""
    wanted = sorted(set(clock_ids))
    rows = [
        row for some in _parts(wanted) for row in await Clock.filter(id__in=some).order_by("id").select_for_update()
    ]
    if len(rows) < len(wanted):
        raise NotFound(NOT_FOUND)
    return rows


async def running_held(organ_id: UUID | None) -> list[Clock]:
    """Every clock that runs, or those against one organ, held until the unit of work ends."""
    rows = Clock.filter(state=ClockState.RUNNING).order_by("id").select_for_update()
    return await (rows if organ_id is None else rows.filter(organ_id=organ_id))


def _parts(ids: Collection[Kept]) -> Iterator[list[Kept]]:
    """Some at a time, as many as a statement takes."""
    rest = list(ids)
    for first in range(0, len(rest), AT_ONCE):
        yield rest[first : first + AT_ONCE]


class Run(NamedTuple):
    """How a clock ran: whose it is, its first day, when it was due and when it stopped."""

    subject_id: UUID | str
    started_on: date
    due_on: date | None
    ended_on: date | None


async def runs(subject_type: str, policy: str, subject_ids: Collection[UUID | str]) -> list[Run]:
    """How the clocks of a limit ran for these subjects, whose identifiers are as the database keeps them."""
    found: list[Run] = []
    for some in _parts(subject_ids):
        rows = Clock.filter(subject_type=subject_type, policy=policy, subject_id__in=some).order_by("id")
        for subject, started, due, ended in await as_kept(rows.values_list(*Run._fields)):
            found.append(Run(subject, day_kept(started), due and day_kept(due), ended and day_kept(ended)))
    return found


async def running_until(subject_type: str, day: date, limit: int) -> list[Clock]:
    """The clocks of subjects of a kind that run and are due on a day or before it, the first to run out first."""
    rows = Clock.filter(subject_type=subject_type, state=ClockState.RUNNING, due_on__lte=day)
    return await rows.order_by("due_on", "id").limit(limit)


async def overdue(subject_type: str, policy: str, today: date) -> list[UUID]:
    """The subjects whose clock of this limit still runs and had run out before today."""
    rows = Clock.filter(subject_type=subject_type, policy=policy, state=ClockState.RUNNING, due_on__lt=today)
    return await rows.distinct().values_list("subject_id", flat=True)  # type: ignore[return-value]  # untyped in the library
