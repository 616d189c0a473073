"""Whether our clock is right: held against time servers (NTP, RFC 5905) and, where there are none, against the database's clock.

A signature says when it was made, and so does every record; a clock that is off by more than two seconds must not go on unnoticed.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import cast

import structlog

from oa_server.core import clock
from oa_server.core.errors import Reason, Unavailable
from oa_server.storage.database import is_postgres, select

log = structlog.get_logger("oa.clock")

NO_TIME = Reason(
    "storage.no_time", "时间服务器没有应答，无法核对服务器时钟", "No time server answers; the clock cannot be checked."
)
NTP_PORT = 123
ANSWER_SECONDS = 2.0
_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_PACKET = struct.Struct(">BBbb11I")
_CLIENT = 0x23  # no leap warning, version 4, mode 3
_SERVER_MODE, _UNSYNCHRONISED, _STRATA = 4, 3, range(1, 16)


async def compare(servers: Sequence[str]) -> None:
    """Find out how wrong our clock is and report it to `core.clock`. Raises Unavailable when nobody tells the time."""
    found = await _against_servers(servers) if servers else await _against_database()
    if found is not None and abs(found) > clock.OFFSET_LIMIT:
        log.error("clock.off", seconds=round(found.total_seconds(), 3))
    clock.report_error(found)


async def _against_servers(servers: Sequence[str]) -> timedelta:
    answers = await asyncio.gather(*(_ask(server) for server in servers))
    known = [answer.total_seconds() for answer in answers if answer is not None]
    if not known:
        raise Unavailable(NO_TIME, servers=list(servers))
    return timedelta(seconds=median(known))  # One server that is wrong does not count against two that are right.


async def _against_database() -> timedelta | None:
    """By how much we are ahead of PostgreSQL, by the middle of the question; SQLite has our own clock."""
    if not is_postgres():
        return None
    before = clock.machine()
    (row,) = await select("SELECT clock_timestamp() AS at")
    after = clock.machine()
    at: datetime = row["at"]
    return before + (after - before) / 2 - at


class _Question(asyncio.DatagramProtocol):
    """One question to one server, and the first answer that belongs to it."""

    def __init__(self) -> None:
        self.cookie = secrets.randbits(64)  # Instead of our time, which is nobody's business (RFC 9109's spirit).
        self.answer: asyncio.Future[timedelta] = asyncio.get_running_loop().create_future()
        self._sent = clock.machine()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sent = clock.machine()
        cast("asyncio.DatagramTransport", transport).sendto(
            _PACKET.pack(_CLIENT, 0, 0, 0, *([0] * 9), self.cookie >> 32, self.cookie & 0xFFFFFFFF)
        )

    def datagram_received(self, data: bytes, _address: object) -> None:
        came = clock.machine()
        if len(data) < _PACKET.size or self.answer.done():
            return
        head, stratum, _poll, _precision, *words = _PACKET.unpack(data[: _PACKET.size])
        is_good = head & 7 == _SERVER_MODE and head >> 6 != _UNSYNCHRONISED and stratum in _STRATA
        if is_good and words[5] << 32 | words[6] == self.cookie:
            arrived, left = _moment(words[7], words[8]), _moment(words[9], words[10])
            self.answer.set_result(((self._sent - arrived) + (came - left)) / 2)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _moment(seconds: int, fraction: int) -> datetime:
    """An NTP timestamp of the era that began in 1900; from 2036 on it counts anew (RFC 5905, 6)."""
    if seconds < 1 << 31:
        seconds += 1 << 32
    return _EPOCH + timedelta(seconds=seconds + fraction / (1 << 32))


async def _ask(server: str) -> timedelta | None:
    """By how much we are ahead of one server; None when it does not answer in time."""
    host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "")
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            address = (host, int(port or NTP_PORT))
            transport, question = await asyncio.get_running_loop().create_datagram_endpoint(
                _Question, remote_addr=address
            )
            try:
                return await question.answer
            finally:
                transport.close()
    return None
