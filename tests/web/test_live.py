"""Live updates over real sockets: in order, whole, or with the word to start over."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedError

from oa_server.app import open_house
from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.core.ports import ports
from oa_server.settings import Settings
from oa_server.storage import outbox
from oa_server.storage.bus import open_bus
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.web.live import CATCH_UP_LIMIT, CLOSE_POLICY, QUEUE_LIMIT, TICK_SECONDS
from tests.conftest import Founded
from tests.faults.house import DistantCity, at_free_port, distant, heard, live

RESET = {"reset": True}


@pytest.fixture
async def city(settings: Settings) -> AsyncIterator[DistantCity]:
    async with distant(at_free_port(settings)) as found, open_house(found.settings):
        yield found


async def happen(city: DistantCity, count: int, *, words: str = "") -> None:
    """Events that concern everybody in the office, by another process than the one that serves the pages."""
    async with unit_of_work(SYSTEM) as work:
        work.audit(Verb.DIRECTORY_IMPORTED, "test", "events")
        for number in range(count):
            work.push(f"organ:{city.organs['JC001']}", "test.happened", {"number": number, "words": words})


async def told(socket: ClientConnection, last: int) -> list[dict[str, Any]]:
    """Everything up to the event with the number `last`."""
    events = [json.loads(await socket.recv())]
    while events[-1].get("id", 0) < last:
        events.append(json.loads(await socket.recv()))
    return events


async def test_catching_up_while_things_happen(city: DistantCity) -> None:
    """A page that comes back hears of everything after its last event, each once and in order, also of what happens meanwhile."""
    wang = await city.signed_in("wang")
    await happen(city, 50)
    for _attempt in range(3):
        first = await outbox.last_id() - 40
        happening = asyncio.create_task(happen(city, 20))
        async with live(wang, after=first) as socket:
            await happening
            last = await outbox.last_id()
            assert [event["id"] for event in await told(socket, last)] == list(range(first + 1, last + 1))


async def test_longer_away_than_events_are_kept(city: DistantCity) -> None:
    """A page whose next event has been cleaned away is told to start over, and one that missed none of them is not."""
    wang = await city.signed_in("wang")
    await happen(city, 3)
    last = await outbox.last_id()
    await outbox.Event.filter(id__lt=last).delete()
    async with live(wang, after=last - 2) as socket:
        assert json.loads(await socket.recv()) == RESET
    async with live(wang, after=last - 1) as socket:
        assert json.loads(await socket.recv())["id"] == last


async def test_too_far_behind(city: DistantCity) -> None:
    """A page that has missed too much is told to start over instead."""
    wang = await city.signed_in("wang")
    first = await outbox.last_id()
    await happen(city, CATCH_UP_LIMIT + 1)
    async with live(wang, after=first) as socket:
        assert json.loads(await socket.recv()) == RESET


async def test_a_page_that_does_not_keep_up(city: DistantCity) -> None:
    """A page that reads too slowly is not waited for: it is told to start over, and others hear everything."""
    wang, li = await city.signed_in("wang"), await city.signed_in("li")
    async with live(wang) as slow, live(li) as quick:
        for _ in range(8):
            first = await outbox.last_id()
            await happen(city, QUEUE_LIMIT // 2, words=token_urlsafe(30_000))  # Nothing that could be compressed.
            last = await outbox.last_id()
            assert [event["id"] for event in await told(quick, last)] == list(range(first + 1, last + 1))
        while json.loads(await slow.recv()) != RESET:
            pass
        await happen(city, 1, words="后来")
        while json.loads(await slow.recv()).get("payload", {}).get("words") != "后来":
            pass


async def test_a_push_crosses_processes_over_the_database(founded_production: Founded, tmp_path: Path) -> None:
    """With `bus_url=postgres:` a page hears at once of what another process did, and not only at the hub's slow tick."""
    copied = await asyncio.to_thread(founded_production.copy, tmp_path / "var")
    settings = msgspec.structs.replace(at_free_port(copied), bus_url="postgres:")
    async with distant(settings) as city, open_house(settings), open_bus(settings.bus_url, settings.database) as bus:
        wang = await city.signed_in("wang")
        passing_on, waited = asyncio.create_task(bus.run(lambda: None)), []
        ports.live = bus
        async with live(wang) as socket:
            for _ in range(4):
                await happen(city, 1)
                begun = time.monotonic()
                await heard(socket, "test.happened")
                waited.append(time.monotonic() - begun)
        ports.live = None
        passing_on.cancel()
    # What is done right after a tick waits for the whole of the next one, unless somebody is woken.
    assert min(waited[1:]) < TICK_SECONDS / 2


@pytest.mark.parametrize("frame", [b"\x00", "{", '{"after": "x"}', '{"before": 1}', "[" * 10_000])
async def test_frames_that_are_none(frame: str | bytes, city: DistantCity) -> None:
    """Whoever sends something else than where to go on is hung up on, and the log stays quiet."""
    wang = await city.signed_in("wang")
    async with live(wang) as socket:
        await socket.send(frame)
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CLOSE_POLICY
    assert "Traceback" not in city.server.log.read_text("utf-8")


@pytest.mark.norm("A-4.4.1–4.4.3")
async def test_foreign_pages_and_strangers(city: DistantCity) -> None:
    """A page of another origin and a browser without a session are told why, and hear nothing else."""
    wang, stranger = await city.signed_in("wang"), city.browser("li")
    for browser, origin, code in (
        (wang, "http://elsewhere.example", "web.wrong_origin"),
        (stranger, "", "web.no_session"),
    ):
        async with live(browser, origin=origin or browser.origin) as socket:
            assert json.loads(await socket.recv())["payload"]["code"] == code
            with pytest.raises(ConnectionClosedError):
                await socket.recv()
