"""Pure decisions about the calendar (who keeps it, what a notice may say, what it changes) and about clocks (what may befall one,
how it stands after that, how near its end is)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crypto.canonical import canonical_json
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Conflict, Invalid, Reason
from oa_server.deadlines.engine import (
    ONE_DAY,
    SATURDAY,
    Calendar,
    DayKind,
    Named,
    Pause,
    Term,
    TermUnit,
    due_day,
    months_after,
)
from oa_server.deadlines.hours import Season, Span
from oa_server.deadlines.states import ClockState, EventKind, LightColour, PauseGround

if TYPE_CHECKING:
    from oa_server.deadlines.models import Clock, ClockEvent

NOT_SYSTEM_ADMIN = Reason(
    "deadlines.not_system_admin", "工作日历由系统管理员维护", "The system administrator keeps the calendar."
)
OTHER_YEAR = Reason(
    "deadlines.other_year",
    "日期不属于该年度（可以包括上一年12月）",
    "A day is of another year; of the year before, only December may be named.",
)
TWICE = Reason("deadlines.twice", "同一天出现了两次", "The same day is named twice.")
AS_IT_IS = Reason(
    "deadlines.as_it_is",
    "周六、周日本来就休息，其他日子本来就上班，只写与此不同的日子和节日",
    "A working weekday needs no entry; name holidays and the weekends that are worked.",
)
TOO_FEW = Reason("deadlines.too_few", "年度安排里至少要有元旦等法定节日", "A year's notice names its holidays.")
TOO_FAR = Reason(
    "deadlines.too_far",
    "起算日应在2004年至2100年之间，期限不超过60个月",
    "Count from a day between 2004 and 2100, and not over 60 months.",
)
BAD_SEASONS = Reason(
    "deadlines.bad_seasons",
    "作息时间不正确：每季写明起始日（不用2月29日），各段上班时间先后相接、互不重叠，全天不超过12小时",
    "Each season begins on a day of its own (not 29 February); its spans follow one another, twelve hours at most in all.",
)
NO_TERM = Reason(
    "deadlines.no_term",
    "期限应为1至500天（按月计的为1至60个月），延长后也一样",
    "A term is of 1 to 500 days or 1 to 60 months, extended as well.",
)
NO_GROUND = Reason(
    "deadlines.no_ground", "没有这种暂停计时的事由", "There is no such ground for which a clock is paused."
)
NO_REASON = Reason("deadlines.no_reason", "请写明理由（不超过500字）", "Give the reason, in 500 characters at most.")
NO_APPROVER = Reason("deadlines.no_approver", "延长期限须写明批准人", "Say who approved that the term is extended.")
CLOCK_STOPPED = Reason(
    "deadlines.clock_stopped", "已停止计时，时限不能再变动", "The clock has stopped; nothing of it changes any more."
)
CLOCK_PAUSED = Reason("deadlines.clock_paused", "已经暂停计时", "The clock is paused already.")
CLOCK_RUNNING = Reason("deadlines.clock_running", "正在计时，没有暂停", "The clock runs; it is not paused.")
RAN_OUT = Reason(
    "deadlines.ran_out",
    "期限今日届满或已经届满，没有剩余的日子可以暂停",
    "The term ends that day or has ended; no day is left of it to be kept.",
)
BEFORE_LAST = Reason(
    "deadlines.before_last",
    "日期早于这一时限上一次变动的日期",
    "The day lies before the one on which something last befell this clock.",
)
IN_FUTURE = Reason("deadlines.in_future", "日期还没有到", "The day has not come yet.")
HOURS_MOST = timedelta(hours=12)
LEAP_YEAR, LEAP_DAY = 2024, (2, 29)
DAYS_LEAST = 7  # The law has had more since 1999 (全国年节及纪念日放假办法).
YEARS = range(2004, 2101)
MONTHS_MOST = 60
DAYS_MOST = 500
REASON_LENGTH = 500
# When a light changes: 湖南 and others let their supervision remind a working day before the end; half of the term and three days
# are house practice.
REMINDS_AT, WARNS_AT = 3, 1


def check(actor: Actor) -> None:
    """Raises Denied for who does not keep the calendar."""
    abilities(actor)[0].check()


def abilities(actor: Actor) -> list[Ability]:
    """What `actor` may do with the calendar."""
    return [Ability("keep", None if actor.is_system or actor.has(Role.SYSTEM_ADMIN) else NOT_SYSTEM_ADMIN)]


def check_notice(year: int, days: Mapping[date, Named]) -> None:
    """Raises Invalid naming the day that no notice of this year can name."""
    for day, named in days.items():
        if day.year != year and (day.year, day.month) != (year - 1, 12):
            raise Invalid(OTHER_YEAR, day=day.isoformat())
        if not named.off and day.weekday() < SATURDAY:
            raise Invalid(AS_IT_IS, day=day.isoformat())
    if sum(named.off for named in days.values()) < DAYS_LEAST:
        raise Invalid(TOO_FEW, least=DAYS_LEAST)


def check_term(term: Term, start: date) -> None:
    """Raises Invalid for a term that begins or ends where no calendar reaches."""
    check_start(start)
    if term.unit is TermUnit.MONTH and term.quantity > MONTHS_MOST:
        raise Invalid(TOO_FAR)


def check_start(start: date) -> None:
    """Raises Invalid for a day that no calendar reaches."""
    if start.year not in YEARS:
        raise Invalid(TOO_FAR)


def check_seasons(seasons: Sequence[Season]) -> None:
    """Raises Invalid for office hours that no office could keep."""
    begins = [(season.month, season.day) for season in seasons]
    right = len(set(begins)) == len(begins) and all(map(_is_day_of_every_year, begins))
    if not right or not all(_follow(season.spans) for season in seasons):
        raise Invalid(BAD_SEASONS)


def _is_day_of_every_year(begins: tuple[int, int]) -> bool:
    try:
        date(LEAP_YEAR, *begins)
    except ValueError:
        return False
    return begins != LEAP_DAY


def _follow(spans: Sequence[Span]) -> bool:
    edges = [edge for span in spans for edge in (span.start, span.end)]
    return edges == sorted(set(edges)) and sum((span.length for span in spans), timedelta()) <= HOURS_MOST


def digest_of(days: Mapping[str, Any]) -> str:
    """The SHA-256 of what a notice says of its days."""
    return sha256(canonical_json(days)).hexdigest()


def difference(old: Mapping[date, Named], new: Mapping[date, Named]) -> dict[date, tuple[Named | None, Named | None]]:
    """Every day that a new notice says something else of, with what was and what will be said."""
    days = sorted(old.keys() | new.keys())
    return {day: (old.get(day), new.get(day)) for day in days if old.get(day) != new.get(day)}


# --- clocks -----------------------------------------------------------------------------------------------------------

_REFUSED = {
    (EventKind.PAUSED, ClockState.PAUSED): CLOCK_PAUSED,
    (EventKind.RESUMED, ClockState.RUNNING): CLOCK_RUNNING,
}


def check_clock_term(unit: TermUnit, quantity: int) -> None:
    """Raises Invalid for a term of no days, or of more than any limit has."""
    if not 1 <= quantity <= (MONTHS_MOST if unit is TermUnit.MONTH else DAYS_MOST):
        raise Invalid(NO_TERM)


def check_pause(ground: str, reason: str) -> None:
    """Raises Invalid for what is no ground to pause a clock, or too long a reason; a ground may say enough."""
    if ground not in set(PauseGround):
        raise Invalid(NO_GROUND)
    if len(reason) > REASON_LENGTH:
        raise Invalid(NO_REASON)


def check_extension(more: int, approved_by: UUID | None, reason: str) -> None:
    """Raises Invalid for an extension by nothing, by nobody's leave, or for no reason."""
    if more < 1:
        raise Invalid(NO_TERM)
    if approved_by is None:
        raise Invalid(NO_APPROVER)
    if not reason.strip() or len(reason) > REASON_LENGTH:
        raise Invalid(NO_REASON)


def check_day(on: date, today: date) -> None:
    """Raises Invalid for a day that has not come: nothing befalls a clock then."""
    if on > today:
        raise Invalid(IN_FUTURE)


def check_event(clock: Clock, events: Sequence[ClockEvent], kind: EventKind, on: date) -> None:
    """Raises Conflict where a clock, as it is and after what befell it, cannot be paused, resumed, extended or stopped on a
    day."""
    refused = CLOCK_STOPPED if clock.state == ClockState.STOPPED else _REFUSED.get((kind, ClockState(clock.state)))
    if refused is None and on < max(event.on for event in events if event.kind != EventKind.RECOMPUTED):
        refused = BEFORE_LAST
    if refused is None and kind is EventKind.PAUSED and clock.due_on is not None and on >= clock.due_on:
        refused = RAN_OUT
    if refused is not None:
        raise Conflict(refused, clock=str(clock.id), title=clock.title)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a clock stands: all of its row that changes, by the names of its columns."""

    state: ClockState
    quantity: int
    due_on: date | None
    calendar_digest: str
    provisional: bool
    ground: str
    ended_on: date | None


def state_of(unit: TermUnit, events: Sequence[ClockEvent], calendar: Calendar) -> Standing:
    """How a clock stands after what befell it, which is given in its order. While paused nothing is due; stopped, it stays as it
    was, whatever the calendar says later."""
    start, last = events[0].on, events[-1]
    quantity = sum(event.quantity for event in events if event.quantity)
    if last.kind == EventKind.STOPPED:
        return Standing(ClockState.STOPPED, quantity, last.due_after, last.calendar_digest, False, "", last.on)
    pauses = pauses_of(events)
    if pauses and pauses[-1].until is None:
        return Standing(ClockState.PAUSED, quantity, None, "", False, pauses[-1].ground, None)
    due = due_day(Term(unit, quantity), start, calendar, pauses)
    assert due is not None  # No pause of it is open.
    digest, provisional = version_of(calendar, start, due), calendar.is_provisional(start, due)
    return Standing(ClockState.RUNNING, quantity, due, digest, provisional, "", None)


def pauses_of(events: Sequence[ClockEvent]) -> list[Pause]:
    """When a clock was paused, in the order of its events; the last may still go on. One that is stopped then has ended."""
    pauses: list[Pause] = []
    for event in events:
        if event.kind == EventKind.PAUSED:
            pauses.append(Pause(event.on, None, event.ground))
        elif pauses and pauses[-1].until is None and event.kind in {EventKind.RESUMED, EventKind.STOPPED}:
            pauses[-1] = Pause(pauses[-1].since, event.on, pauses[-1].ground)
    return pauses


@lru_cache(maxsize=256)
def version_of(calendar: Calendar, first: date, last: date) -> str:
    """What names the calendar between two days: the digest of the days that are something else than their weekday says."""
    days = (calendar.of(first + n * ONE_DAY) for n in range((last - first).days + 1))
    return digest_of({str(d.on): [d.kind, d.name] for d in days if d.kind not in {DayKind.WORKED, DayKind.WEEKEND}})


@dataclass(frozen=True, slots=True)
class Light:
    """How near a clock is to its end: how many working days are left, or, below zero, how many days ago it ended. None while it
    does not run."""

    colour: LightColour
    left: int | None


def light(clock: Clock, today: date, calendar: Calendar) -> Light:
    """The light of a clock on a day, by the calendar of its organ."""
    if clock.state != ClockState.RUNNING or clock.due_on is None:
        return Light(LightColour.GREY, None)
    if today > clock.due_on:
        return Light(LightColour.RED, -(today - clock.due_on).days)
    left = calendar.worked_between(today, clock.due_on)
    if left <= WARNS_AT:
        return Light(LightColour.YELLOW, left)
    if left <= REMINDS_AT or _is_half_used(clock, today, clock.due_on, left):
        return Light(LightColour.BLUE, left)
    return Light(LightColour.GREEN, left)


def _is_half_used(clock: Clock, today: date, due: date, left: int) -> bool:
    """Whether no more than half of a term is left, counted in what the term counts."""
    whole: int = clock.quantity
    if clock.unit == TermUnit.WORKING_DAY:
        return left * 2 <= whole
    if clock.unit == TermUnit.MONTH:
        whole = (months_after(clock.started_on, clock.quantity) - clock.started_on).days
    return (due - today).days * 2 <= whole
