"""The working-day calendar over HTTP."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec

from oa_server.core import clock
from oa_server.core.errors import NOT_FOUND, Denied, Invalid, NotFound, PreconditionFailed, PreconditionRequired
from oa_server.deadlines import access, actions, rules
from oa_server.deadlines.answers import counted_out
from oa_server.deadlines.engine import Calendar, Day, DayKind, Named, Term, TermUnit, Why, due_day, explained
from oa_server.deadlines.hours import USUAL, CountedHours, Season, counted, due_moment
from oa_server.deadlines.models import CalendarYear
from oa_server.deadlines.schemas import (
    CalendarDayOut,
    CalendarOut,
    CalendarQuery,
    ChangedDayOut,
    CountedOut,
    DueOut,
    DueQuery,
    LocalHolidayIn,
    LocalHolidayList,
    LocalHolidayOut,
    NoticeIn,
    NoticeOut,
    ScheduleIn,
    ScheduleList,
    ScheduleOut,
    SeasonOut,
    VersionOut,
    YearList,
    YearOut,
)
from oa_server.identity import access as identity
from oa_server.web.endpoint import Call, endpoint, resource
from oa_server.web.shapes import ability_out

ONE_DAY = timedelta(days=1)
ONE_MINUTE = timedelta(minutes=1)
CLOCK_TIME = "%H:%M"


@endpoint(summary="工作日历各年度", returns=YearList)
async def list_years(call: Call[None]) -> YearList:
    calendar, years = await access.calendar(), await access.newest_of_years()
    shown = sorted(years.keys() | {clock.today().year, clock.today().year + 1})
    abilities = [ability_out(ability, call.language) for ability in rules.abilities(call.actor)]
    return YearList([_year(year, calendar, years.get(year)) for year in shown], abilities)


def _year(year: int, calendar: Calendar, row: CalendarYear | None) -> YearOut:
    kinds = [day.kind for day in _days_of(year, calendar)]
    return YearOut(
        year=year,
        worked=kinds.count(DayKind.WORKED) + kinds.count(DayKind.MAKE_UP),
        holidays=kinds.count(DayKind.HOLIDAY),
        make_up=kinds.count(DayKind.MAKE_UP),
        notice=row.notice if row else "",
        is_published=row is not None,
    )


def _days_of(year: int, calendar: Calendar) -> list[Day]:
    first = date(year, 1, 1)
    return [calendar.of(first + n * ONE_DAY) for n in range((date(year + 1, 1, 1) - first).days)]


def _asked_year(call: Call[Any]) -> int:
    """The year in the path. Raises NotFound for one that no calendar has."""
    text = call.request.path_params["year"]
    if not (text.isascii() and text.isdecimal() and int(text) in rules.YEARS):
        raise NotFound(NOT_FOUND)
    return int(text)


@endpoint(summary="一个年度的工作日历", query=CalendarQuery, returns=CalendarOut, refuses=[NotFound])
async def show_year(call: Call[None]) -> CalendarOut:
    year = _asked_year(call)
    calendar, rows = await access.calendar(call.query.organ_id), await access.versions_of(year)
    names = await identity.names_of({row.entered_by for row in rows if row.entered_by})
    return CalendarOut(
        year=year,
        is_published=bool(rows),
        seen=actions.etag_of(rows[0] if rows else None),
        days=[CalendarDayOut(day.on, day.kind, day.name) for day in _days_of(year, calendar)],
        versions=[VersionOut(row.id, row.notice, row.sha256, names.get(row.entered_by, ""), row.at) for row in rows],
    )


@endpoint(
    summary="录入年度放假安排（先试算，再录入）",
    body=NoticeIn,
    returns=NoticeOut,
    needs=["If-Match"],
    refuses=(Denied, Invalid, PreconditionFailed, PreconditionRequired),
)
async def enter_notice(call: Call[NoticeIn]) -> NoticeOut:
    year, wanted = _asked_year(call), call.body
    days = _named(wanted)
    rules.check(call.actor)
    rules.check_notice(year, days)
    before = await access.newest_of(year)
    old = access.named_days(before.days) if before else {}
    if not wanted.dry_run:
        before = await actions.enter_notice(call.actor, year, wanted.notice, days, seen=call.if_match)
    published = (await access.newest_of_years()).keys()
    return NoticeOut(
        year=year,
        entered=not wanted.dry_run,
        seen=actions.etag_of(before),
        worked_before=_worked(year, Calendar(old, published, {})),
        worked=_worked(year, Calendar(days, published, {})),
        changed=[
            ChangedDayOut(day, _word(was), _word(will), was.name if was else "", will.name if will else "")
            for day, (was, will) in rules.difference(old, days).items()
        ],
    )


def _named(wanted: NoticeIn) -> dict[date, Named]:
    """The days by their dates. Raises Invalid when one is named twice."""
    days: dict[date, Named] = {}
    for said in wanted.days:
        if said.date in days:
            raise Invalid(rules.TWICE, day=said.date.isoformat())
        days[said.date] = Named(said.is_off_day, said.name)
    return days


def _worked(year: int, calendar: Calendar) -> int:
    return calendar.worked_between(date(year, 1, 1) - ONE_DAY, date(year, 12, 31))


def _word(named: Named | None) -> str:
    return "" if named is None else "off" if named.off else "worked"


@endpoint(summary="一个机关的地方假日", returns=LocalHolidayList, refuses=[NotFound])
async def list_local_holidays(call: Call[None]) -> LocalHolidayList:
    return await _local_holidays(call.id())


async def _local_holidays(organ_id: UUID) -> LocalHolidayList:
    await identity.organ(organ_id)
    rows = await access.local_holidays(organ_id)
    return LocalHolidayList([LocalHolidayOut(row.day, row.name, row.notice) for row in rows if row.is_off])


@endpoint(summary="登记或取消地方假日", body=LocalHolidayIn, returns=LocalHolidayList, refuses=(Denied, NotFound))
async def keep_local_holidays(call: Call[LocalHolidayIn]) -> LocalHolidayList:
    wanted = call.body
    await actions.keep_local_holiday(
        call.actor, call.id(), wanted.days, name=wanted.name, notice=wanted.notice, is_off=wanted.is_off
    )
    return await _local_holidays(call.id())


@endpoint(summary="推算期限届满日并逐日说明", query=DueQuery, returns=DueOut, refuses=(Invalid, NotFound))
async def explain_due_day(call: Call[None]) -> DueOut:
    asked = call.query
    if asked.unit == "working_hour":
        return await _hours_explained(asked)
    term = Term(TermUnit(asked.unit), asked.quantity)
    rules.check_term(term, asked.start)
    calendar = await access.calendar(asked.organ_id)
    due = due_day(term, asked.start, calendar)
    assert due is not None  # Nothing pauses it.
    return DueOut(
        start=asked.start,
        unit=term.unit,
        quantity=term.quantity,
        due=due,
        due_at="",
        is_provisional=calendar.is_provisional(asked.start, due),
        days=[counted_out(one) for one in explained(term, asked.start, due, calendar)],
    )


async def _hours_explained(asked: DueQuery) -> DueOut:
    """A term of office hours, to the minute."""
    rules.check_start(asked.start)
    office = await access.office_time(asked.organ_id)
    start = datetime.combine(asked.start, time.fromisoformat(asked.at))
    days = list(counted(asked.quantity, start, office.calendar, office.seasons))
    due = due_moment(days[-1], start, office.seasons)
    return DueOut(
        start=asked.start,
        unit=asked.unit,
        quantity=asked.quantity,
        due=due.date(),
        due_at=due.strftime(CLOCK_TIME),
        is_provisional=office.calendar.is_provisional(asked.start, due.date()),
        days=[_hours_of_day(one) for one in days],
    )


def _hours_of_day(one: CountedHours) -> CountedOut:
    minutes, why = one.counted // ONE_MINUTE, Why.COUNTS if one.counted else Why.OFF
    return CountedOut(one.day.on, one.day.kind, one.day.name, None, why, minutes)


@endpoint(summary="作息时间", returns=ScheduleList)
async def list_schedules(call: Call[None]) -> ScheduleList:
    rows = await access.schedules()
    names = await identity.names_of({row.entered_by for row in rows})
    shown = [
        ScheduleOut(_seasons(access.read_seasons(row.seasons)), row.notice, names.get(row.entered_by, ""), row.at)
        for row in rows
    ]
    abilities = [ability_out(ability, call.language) for ability in rules.abilities(call.actor)]
    return ScheduleList(shown or [ScheduleOut(_seasons(USUAL), "", "", None)], actions.seen_of(rows), abilities)


def _seasons(seasons: tuple[Season, ...]) -> list[SeasonOut]:
    return [
        SeasonOut(
            f"{season.month:02}-{season.day:02}",
            [(span.start.strftime(CLOCK_TIME), span.end.strftime(CLOCK_TIME)) for span in season.spans],
        )
        for season in seasons
    ]


@endpoint(
    summary="录入作息时间",
    body=ScheduleIn,
    returns=ScheduleList,
    needs=["If-Match"],
    refuses=(Denied, Invalid, PreconditionFailed, PreconditionRequired),
)
async def enter_schedule(call: Call[ScheduleIn]) -> ScheduleList:
    seasons = msgspec.to_builtins(call.body.seasons)
    await actions.enter_schedule(call.actor, call.body.notice, seasons, seen=call.if_match)
    return await list_schedules.handler(call)  # type: ignore[no-any-return]


routes = [
    resource("/api/calendar/years", GET=list_years),
    resource("/api/calendar/years/{year}", GET=show_year),
    resource("/api/calendar/years/{year}/notices", POST=enter_notice),
    resource("/api/calendar/organs/{id}/holidays", GET=list_local_holidays, POST=keep_local_holidays),
    resource("/api/calendar/schedules", GET=list_schedules, POST=enter_schedule),
    resource("/api/calendar/due", GET=explain_due_day),
]
