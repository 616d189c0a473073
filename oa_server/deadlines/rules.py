"""Pure decisions about the calendar: who keeps it, what a notice may say, and what it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from crypto.canonical import canonical_json
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Invalid, Reason
from oa_server.deadlines.engine import SATURDAY, Named, Term, TermUnit
from oa_server.deadlines.hours import Season, Span

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
HOURS_MOST = timedelta(hours=12)
LEAP_YEAR, LEAP_DAY = 2024, (2, 29)
DAYS_LEAST = 7  # The law has had more since 1999 (全国年节及纪念日放假办法).
YEARS = range(2004, 2101)
MONTHS_MOST = 60


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
