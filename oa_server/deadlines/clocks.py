"""The verbs of clocks, for the domains above: each is called inside the unit of work of what happens to the clock's subject, and
takes many clocks at once, in a number of statements that does not grow with theirs.

No due day is ever entered. Whatever befalls a clock is an event, and what its row says is derived from all of them
(`rules.state_of`). Each verb waits while a notice is being entered, so that none counts by a calendar that is just replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock as time
from oa_server.core.actor import Actor
from oa_server.core.ids import new_id
from oa_server.deadlines import access, rules
from oa_server.deadlines.engine import Calendar, Term, TermUnit
from oa_server.deadlines.models import Clock, ClockEvent
from oa_server.deadlines.states import EventKind, PauseGround
from oa_server.storage.database import Lock, beside
from oa_server.storage.unit_of_work import Work, unit_of_work

AT_ONCE = 250
MANY = "many"
_DERIVED = tuple(field.name for field in fields(rules.Standing))


@dataclass(frozen=True, slots=True)
class ClockStart:
    """A clock to be started: whose, by which limit and under what name, against which organ, and the term from which day."""

    subject_type: str
    subject_id: UUID
    policy: str
    title: str
    organ_id: UUID
    term: Term
    on: date


async def start_clocks(actor: Actor, starts: Sequence[ClockStart]) -> list[Clock]:
    """Start clocks, each on the day that it is counted from. Raises Invalid, NotFound."""
    for start in starts:
        rules.check_start(start.on)
        rules.check_clock_term(start.term.unit, start.term.quantity)
    if not starts:
        return []
    async with unit_of_work(actor) as work:
        await beside(Lock.CALENDAR)
        calendars = await access.calendars({start.organ_id for start in starts})
        made = [_started(work, start, calendars[start.organ_id]) for start in starts]
        clocks, events = [row for row, _event in made], [event for _row, event in made]
        await Clock.bulk_create(clocks, batch_size=AT_ONCE)
        await ClockEvent.bulk_create(events, batch_size=AT_ONCE)
        policies = sorted({start.policy for start in starts})
        work.audit(
            Verb.CLOCKS_STARTED, *_subject(clocks), made=[*clocks, *events], policies=policies, clocks=len(clocks)
        )
    return clocks


def _started(work: Work, start: ClockStart, calendar: Calendar) -> tuple[Clock, ClockEvent]:
    clock = Clock(
        id=new_id(),
        subject_type=start.subject_type,
        subject_id=start.subject_id,
        policy=start.policy,
        title=start.title,
        organ_id=start.organ_id,
        unit=start.term.unit,
        started_on=start.on,
    )
    event = _befalls(work, clock, [], calendar, EventKind.STARTED, start.on, quantity=start.term.quantity)
    return clock, event


async def pause_clocks(
    actor: Actor, clock_ids: Collection[UUID], *, ground: PauseGround, reason: str = "", on: date
) -> list[Clock]:
    """Have no day count after `on`, until the clocks are resumed. Raises Invalid, NotFound, Conflict."""
    rules.check_pause(ground, reason)
    return await _happens(actor, clock_ids, EventKind.PAUSED, on, ground=PauseGround(ground), reason=reason)


async def resume_clocks(actor: Actor, clock_ids: Collection[UUID], *, on: date) -> list[Clock]:
    """Have the days after `on` count again, by the calendar as it is now. Raises Invalid, NotFound, Conflict."""
    return await _happens(actor, clock_ids, EventKind.RESUMED, on)


async def extend_clock(actor: Actor, clock_id: UUID, *, more: int, approved_by: UUID, reason: str, on: date) -> Clock:
    """Give a clock so many more of what its term counts. Raises Invalid, NotFound, Conflict."""
    rules.check_extension(more, approved_by, reason)
    (clock,) = await _happens(
        actor, [clock_id], EventKind.EXTENDED, on, quantity=more, approved_by=approved_by, reason=reason
    )
    return clock


async def stop_clocks(actor: Actor, clock_ids: Collection[UUID], *, on: date) -> list[Clock]:
    """Stop clocks for good: what they measured was done on this day. Raises Invalid, NotFound, Conflict."""
    return await _happens(actor, clock_ids, EventKind.STOPPED, on)


async def recompute(work: Work, notice: str, organ_id: UUID | None = None) -> None:
    """Count every running clock anew, or those against one organ, by the calendar that a notice has just changed. The caller holds
    the calendar alone."""
    clocks = await access.running_held(organ_id)
    calendars = await access.calendars({clock.organ_id for clock in clocks})
    histories = await access.events_by_clock([clock.id for clock in clocks])
    today, before, events = time.today(), {}, []
    for clock in clocks:
        calendar, history = calendars[clock.organ_id], histories[clock.id]
        stood = _standing(clock)
        if _standing(rules.state_of(TermUnit(clock.unit), history, calendar)) != stood:
            events.append(_befalls(work, clock, history, calendar, EventKind.RECOMPUTED, today, notice=notice))
            before[clock] = stood
    if changed := list(before):
        await _write(before, events)
        moved = sum(event.due_before != event.due_after for event in events)
        work.audit(
            Verb.CLOCKS_RECOMPUTED,
            *_subject(changed),
            rows=changed,
            made=events,
            notice=notice,
            clocks=len(changed),
            moved=moved,
        )


async def _happens(actor: Actor, clock_ids: Collection[UUID], kind: EventKind, on: date, **told: Any) -> list[Clock]:
    """Have the same befall many clocks: all of them, or none."""
    rules.check_day(on, time.today())
    if not clock_ids:
        return []
    async with unit_of_work(actor) as work:
        await beside(Lock.CALENDAR)
        clocks = await access.held(clock_ids)
        calendars = await access.calendars({clock.organ_id for clock in clocks})
        histories = await access.events_by_clock([clock.id for clock in clocks])
        before, events = {clock: _standing(clock) for clock in clocks}, []
        for clock in clocks:
            history = histories[clock.id]
            rules.check_event(clock, history, kind, on)
            rules.check_clock_term(TermUnit(clock.unit), clock.quantity + told.get("quantity", 0))
            events.append(_befalls(work, clock, history, calendars[clock.organ_id], kind, on, **told))
        await _write(before, events)
        shown = {name: value for name, value in told.items() if value}
        work.audit(_VERBS[kind], *_subject(clocks), rows=clocks, made=events, on=on, clocks=len(clocks), **shown)
    return clocks


_VERBS: Mapping[EventKind, Verb] = {
    EventKind.PAUSED: Verb.CLOCKS_PAUSED,
    EventKind.RESUMED: Verb.CLOCKS_RESUMED,
    EventKind.EXTENDED: Verb.CLOCK_EXTENDED,
    EventKind.STOPPED: Verb.CLOCKS_STOPPED,
}


def _befalls(
    work: Work,
    clock: Clock,
    history: Sequence[ClockEvent],
    calendar: Calendar,
    kind: EventKind,
    on: date,
    **told: Any,
) -> ClockEvent:
    """The next event of a clock, whose row takes on what follows from it."""
    event = ClockEvent(
        id=new_id(),
        clock_id=clock.id,
        number=len(history) + 1,
        kind=kind,
        on=on,
        due_before=clock.due_on,
        due_after=clock.due_on,
        calendar_digest=clock.calendar_digest,
        at=work.now,
        by=work.actor.official_id,
        **told,
    )
    clock.update_from_dict(_standing(rules.state_of(TermUnit(clock.unit), [*history, event], calendar)))
    event.due_after, event.calendar_digest = clock.due_on, clock.calendar_digest
    return event


def _standing(of: Clock | rules.Standing) -> dict[str, Any]:
    return {name: getattr(of, name) for name in _DERIVED}


async def _write(before: Mapping[Clock, dict[str, Any]], events: Iterable[ClockEvent]) -> None:
    """Write the columns of clocks in which any of them now stands otherwise than before, and what befell them."""
    columns = [name for name in _DERIVED if any(getattr(clock, name) != stood[name] for clock, stood in before.items())]
    await Clock.bulk_update(before, fields=columns, batch_size=AT_ONCE)
    await ClockEvent.bulk_create(events, batch_size=AT_ONCE)


def _subject(clocks: Sequence[Clock]) -> tuple[str, UUID | str]:
    """Whose clocks they are, for the log; of many subjects it says that."""
    subjects = {(clock.subject_type, clock.subject_id) for clock in clocks}
    return subjects.pop() if len(subjects) == 1 else (clocks[0].subject_type, MANY)
