"""The one place that reads the time. Everything else asks here, so tests can move the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from oa_server.core.errors import Reason, Unavailable

CLOCK_OFF = Reason(
    "core.clock_off",
    "服务器时钟与标准时间相差超过2秒，暂停签名；请系统管理员校准时钟",
    "The server's clock is more than two seconds off; nothing is signed until it is set right.",
)
OFFSET_LIMIT = timedelta(seconds=2)

OFFICE_ZONE = ZoneInfo("Asia/Shanghai")  # Official dates are those of Beijing time, wherever the server stands.

_offset = timedelta(0)
_error: timedelta | None = None


def now() -> datetime:
    """This moment, aware, UTC."""
    return machine() + _offset


def machine() -> datetime:
    """This moment by the machine's own clock, which is what can be wrong; a rehearsal that moves time does not touch it."""
    return datetime.now(UTC)


def today() -> date:
    """The date on an official's desk calendar."""
    return now().astimezone(OFFICE_ZONE).date()


def midnight(day: date) -> datetime:
    """When a day of the office begins, in UTC."""
    try:
        return datetime.combine(day, time.min, OFFICE_ZONE).astimezone(UTC)
    except OverflowError:  # The first day that dates know begins before the first moment that they know.
        return datetime.min.replace(tzinfo=UTC)


def report_error(found: timedelta | None) -> None:
    """By how much our clock is ahead of the time that others keep; None while nobody has been asked."""
    global _error  # noqa: PLW0603  the clock of a process is one
    _error = found


def error() -> timedelta | None:
    """What was reported last."""
    return _error


def check_right() -> None:
    """Nothing is signed by a clock that is known to be wrong (GB/T 22239-2019, 8.1.5.4). Raises Unavailable."""
    if _error is not None and abs(_error) > OFFSET_LIMIT:
        raise Unavailable(CLOCK_OFF, seconds=round(_error.total_seconds(), 3))


@contextmanager
def shifted(offset: timedelta) -> Iterator[None]:
    """Move the clock of this process by `offset` inside the block (tests, rehearsals, and the past of the sample city)."""
    global _offset  # noqa: PLW0603  the clock of a process is one
    before = _offset
    _offset = before + offset
    try:
        yield
    finally:
        _offset = before
