"""The one place that reads the time. Everything else asks here, so tests can move the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

OFFICE_ZONE = ZoneInfo("Asia/Shanghai")  # Official dates are those of Beijing time, wherever the server stands.

_offset = timedelta(0)


def now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.now(UTC) + _offset


def today() -> date:
    """The date on an official's desk calendar."""
    return now().astimezone(OFFICE_ZONE).date()


def midnight(day: date) -> datetime:
    """When a day of the office begins, in UTC."""
    try:
        return datetime.combine(day, time.min, OFFICE_ZONE).astimezone(UTC)
    except OverflowError:  # The first day that dates know begins before the first moment that they know.
        return datetime.min.replace(tzinfo=UTC)


@contextmanager
def shifted(offset: timedelta) -> Iterator[None]:
    """Move the clock of this process by `offset` inside the block (tests and rehearsals only)."""
    global _offset  # noqa: PLW0603  the clock of a process is one
    before = _offset
    _offset = before + offset
    try:
        yield
    finally:
        _offset = before
