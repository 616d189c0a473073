"""Rows of clocks in the words of the wire, for the routes of the domains above: whoever may see a subject may see its clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from oa_server.core import clock as time
from oa_server.deadlines import access, rules
from oa_server.deadlines.engine import Calendar, Counted, Term, TermUnit, explained
from oa_server.deadlines.models import Clock, ClockEvent
from oa_server.deadlines.schemas import ClockExplanationOut, ClockOut, ClockPauseOut, CountedOut
from oa_server.deadlines.states import ClockState


async def clocks_out(found: Mapping[UUID, Sequence[Clock]]) -> dict[UUID, list[ClockOut]]:
    """The clocks of many subjects, as `access.clocks_of` finds them, with their lights of today."""
    calendars = await access.calendars({clock.organ_id for clocks in found.values() for clock in clocks})
    today = time.today()
    return {
        subject: [_clock_out(clock, rules.light(clock, today, calendars[clock.organ_id])) for clock in clocks]
        for subject, clocks in found.items()
    }


def _clock_out(clock: Clock, light: rules.Light) -> ClockOut:
    return ClockOut(
        id=clock.id,
        title=clock.title,
        due=clock.due_on,
        light=light.colour,
        left=light.left,
        state=clock.state,
        provisional=clock.provisional,
        ground=clock.ground,
    )


async def explanation_out(clock: Clock) -> ClockExplanationOut:
    """Why a clock is due when it is. One that has stopped is explained by the calendar that it was stopped under."""
    events = await access.events_of(clock.id)
    pauses = rules.pauses_of(events)
    term = Term(TermUnit(clock.unit), clock.quantity)
    days = explained(term, clock.started_on, _last_day(clock, events), await _calendar(clock, events), pauses)
    return ClockExplanationOut(
        title=clock.title,
        start=clock.started_on,
        unit=clock.unit,
        quantity=clock.quantity,
        due=clock.due_on,
        provisional=clock.provisional,
        days=[counted_out(one) for one in days],
        pauses=[ClockPauseOut(pause.since, pause.until, pause.ground) for pause in pauses],
    )


def _last_day(clock: Clock, events: Sequence[ClockEvent]) -> date:
    """Until when the days of a clock are told."""
    told: date | None = clock.due_on or clock.ended_on
    return told or max(time.today(), events[-1].on)


async def _calendar(clock: Clock, events: Sequence[ClockEvent]) -> Calendar:
    if clock.state == ClockState.STOPPED:
        return await access.calendar_of(clock.organ_id, events[-1].at)
    return await access.calendar(clock.organ_id)


def counted_out(one: Counted) -> CountedOut:
    """A day of a term of days."""
    return CountedOut(one.day.on, one.day.kind, one.day.name, one.number, one.why)
