"""The verbs of the calendar: entering a year's notice, and keeping an organ's local holidays. Clocks that run are counted anew by
what they change, in the same unit of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM, Actor
from oa_server.core.errors import STALE, PreconditionFailed
from oa_server.core.ids import new_id
from oa_server.deadlines import access, rules, seed
from oa_server.deadlines.clocks import recompute
from oa_server.deadlines.engine import Named
from oa_server.deadlines.models import CalendarYear, LocalHoliday, OfficeSchedule
from oa_server.identity import access as identity
from oa_server.storage.database import Lock, alone
from oa_server.storage.unit_of_work import unit_of_work

UNPUBLISHED = "unpublished"
USUAL_HOURS = "usual"


async def seed_calendar() -> None:
    """Enter the years that are known by themselves and of which nothing is entered yet."""
    known = await access.newest_of_years()
    if seed.seed_years().keys() <= known.keys():
        return
    async with unit_of_work(SYSTEM) as work:
        await alone(Lock.CALENDAR)
        known = await access.newest_of_years()
        rows = [_row(year, seed.SOURCE, days, None) for year, days in seed.seed_years().items() if year not in known]
        for row in rows:
            row.at = work.now
            await row.save(force_create=True)
        work.audit(Verb.CALENDAR_KEPT, "calendar_year", "seed", made=rows, notice=seed.SOURCE, years=len(rows))
        await recompute(work, seed.SOURCE)


def etag_of(row: CalendarYear | None) -> str:
    """What names the state of a year: its newest notice, or that there is none."""
    return row.id.hex if row is not None else UNPUBLISHED


async def enter_notice(actor: Actor, year: int, notice: str, days: Mapping[date, Named], *, seen: str) -> CalendarYear:
    """Enter a year's notice; what counted before stays and no longer counts. `seen` is the version that the caller saw.

    Raises Denied, Invalid, PreconditionFailed.
    """
    rules.check(actor)
    rules.check_notice(year, days)
    async with unit_of_work(actor) as work:
        await alone(Lock.CALENDAR)
        before = await access.newest_of(year)
        if seen != etag_of(before):
            raise PreconditionFailed(STALE)
        changed = rules.difference(access.named_days(before.days) if before else {}, days)
        row = _row(year, notice, days, actor.official_id)
        row.at = work.now
        await row.save(force_create=True)
        work.audit(
            Verb.CALENDAR_KEPT,
            "calendar_year",
            str(year),
            made=[row],
            notice=notice,
            sha256=row.sha256,
            changed=len(changed),
        )
        await recompute(work, notice)
    return row


def _row(year: int, notice: str, days: Mapping[date, Named], entered_by: UUID | None) -> CalendarYear:
    said: dict[str, Any] = {day.isoformat(): {"off": days[day].off, "name": days[day].name} for day in sorted(days)}
    return CalendarYear(
        id=new_id(), year=year, notice=notice, days=said, sha256=rules.digest_of(said), entered_by=entered_by
    )


async def keep_local_holiday(
    actor: Actor, organ_id: UUID, days: Sequence[date], *, name: str, notice: str, is_off: bool
) -> None:
    """Give an organ days off of its own, or take them back. Raises Denied, NotFound."""
    rules.check(actor)
    assert actor.official_id is not None
    organ = await identity.organ(organ_id)
    async with unit_of_work(actor) as work:
        await alone(Lock.CALENDAR)
        rows = [
            await LocalHoliday.create(
                id=new_id(),
                organ_id=organ_id,
                day=day,
                name=name,
                notice=notice,
                is_off=is_off,
                entered_by=actor.official_id,
                at=work.now,
            )
            for day in days
        ]
        told: dict[str, Any] = {"organ": organ.code, "name": name, "is_off": is_off, "days": [str(day) for day in days]}
        work.audit(Verb.LOCAL_HOLIDAY_KEPT, "organ", organ_id, made=rows, **told)
        await recompute(work, notice, organ_id)


def seen_of(rows: Sequence[OfficeSchedule]) -> str:
    """What names the schedule in force: the newest that was entered, or that it is the usual one."""
    return rows[0].id.hex if rows else USUAL_HOURS


async def enter_schedule(actor: Actor, notice: str, seasons: Sequence[Mapping[str, Any]], *, seen: str) -> None:
    """Enter the office hours of a year's seasons; what was kept before stays to be read. `seen` is what the caller saw in force.

    Raises Denied, Invalid, PreconditionFailed.
    """
    rules.check(actor)
    rules.check_seasons(access.read_seasons(seasons))
    assert actor.official_id is not None
    async with unit_of_work(actor) as work:
        await alone(Lock.CALENDAR)
        if seen != seen_of(await access.schedules()):
            raise PreconditionFailed(STALE)
        row = await OfficeSchedule.create(
            id=new_id(), seasons=list(seasons), notice=notice, entered_by=actor.official_id, at=work.now
        )
        work.audit(Verb.OFFICE_HOURS_KEPT, "office_schedule", row.id, made=[row], notice=notice, seasons=len(seasons))
