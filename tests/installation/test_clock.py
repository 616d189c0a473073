"""A clock that is wrong: found out by time servers that are really asked, told to whoever watches, and nothing is signed."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import oa_server.app
from oa_server.core import clock
from oa_server.core.errors import Unavailable
from oa_server.settings import Settings
from oa_server.storage import timekeeping
from tests.city import told
from tests.conftest import running

SECOND = timedelta(seconds=1)


class TimeServer(asyncio.DatagramProtocol):
    """A time server on loopback that answers as RFC 5905 has it, by a clock of its own."""

    def __init__(self, ahead: timedelta, *, head: int = 0x24, stratum: int = 2, repeats: bool = True) -> None:
        self.ahead, self.head, self.stratum, self.repeats = ahead, head, stratum, repeats

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: object) -> None:
        now = (datetime.now(UTC) + self.ahead - datetime(1900, 1, 1, tzinfo=UTC)) / SECOND
        moment = (int(now) & 0xFFFFFFFF, int(now % 1 * 2**32))
        asked = struct.unpack(">2I", data[40:48]) if self.repeats else (1, 2)
        words = (0, 0, 0, 0, 0, *asked, *moment, *moment)
        self.transport.sendto(struct.pack(">BBbb11I", self.head, self.stratum, 0, 0, *words), address)  # type: ignore[attr-defined]


@asynccontextmanager
async def time_server(ahead: timedelta = timedelta(0), **wrong: int) -> AsyncIterator[str]:
    async with serving(TimeServer(ahead, **wrong)) as address:  # type: ignore[arg-type]
        yield address


@asynccontextmanager
async def serving(server: TimeServer) -> AsyncIterator[str]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


@pytest.fixture(autouse=True)
def unasked() -> AsyncIterator[None]:
    """What one test found out about the clock is not the next one's."""
    clock.report_error(None)
    yield  # type: ignore[misc]
    clock.report_error(None)


async def error_by(*servers: str) -> float:
    await timekeeping.compare(servers)
    found = clock.error()
    assert found is not None
    return found.total_seconds()


async def test_time_servers_are_believed_by_their_median() -> None:
    """Our clock is held against what most of them say; one that is far off, or silent, does not count against two."""
    async with time_server() as right, time_server(-0.5 * SECOND) as slow, time_server(3600 * SECOND) as wild:
        assert abs(await error_by(right)) < 0.2
        assert abs(await error_by(slow) - 0.5) < 0.2
        assert abs(await error_by(right, wild, slow)) < 0.2
        assert abs(await error_by(right, "127.0.0.1:9")) < 0.2


@pytest.mark.parametrize("wrong", [{"head": 0xE4}, {"head": 0x23}, {"stratum": 0}, {"stratum": 16}, {"repeats": False}])
async def test_answers_that_tell_nothing(wrong: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not in time itself, and an answer to somebody else's question, tell nothing; nor does silence."""
    monkeypatch.setattr(timekeeping, "ANSWER_SECONDS", 0.3)
    async with time_server(**wrong) as server:
        with pytest.raises(Unavailable) as refused:
            await timekeeping.compare([server])
    assert refused.value.code == "storage.no_time"
    assert clock.error() is None


@pytest.mark.norm("D-8.1.5.4")
async def test_nothing_is_signed_by_a_wrong_clock(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that is three seconds off documents are read and drafted, and signing waits; whoever watches the
    figures sees it. As soon as the clock is right again, it goes on."""
    monkeypatch.setattr(oa_server.app, "CLOCK_SECONDS", 0.2)
    keeper = TimeServer(-3 * SECOND)
    async with (
        serving(keeper) as server,
        running(msgspec.structs.replace(settings, time_servers=(server,))) as city,
    ):
        wang, li = await city.signed_in("wang"), await city.signed_in("li")
        path = await city.submitted(wang)
        await _until(lambda: clock.error() is not None)
        refused = await li.sign(path, "approve", opinion="同意")
        assert told(refused) == (503, "core.clock_off")
        assert round(refused.json()["facts"]["seconds"]) == 3
        token = city.app.state.monitor_token.decode()
        figures = (await li.get("/api/metrics", headers={"Authorization": f"Bearer {token}"})).text
        assert "oa_clock_error_seconds 3.0" in figures or "oa_clock_error_seconds 2.9" in figures
        keeper.ahead = timedelta(0)
        await _until(lambda: abs(clock.error() or 3 * SECOND) < SECOND)
        assert (await li.sign(path, "approve", opinion="同意")).status_code == 200


async def _until(comes: object) -> None:
    async with asyncio.timeout(10):
        while not comes():  # type: ignore[operator]
            await asyncio.sleep(0.05)
