"""No message lost, doubled or out of order: shown on the real server, over bad lines, with clients and servers that die.

pytest tests/stories/messaging --seed 17        one run again
make campaign                                    two hundred of them
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from oa_server.settings import Settings
from tests import servers
from tests.city import Browser
from tests.conftest import Founded, Servers
from tests.faults.house import DistantCity, at_free_port, distant
from tests.messaging.conftest import direct, group
from tests.stories.messaging.client import Client, Weather

CAST = ("wang", "zhou", "feng", "li", "gao", "xu")
MESSAGES = 150
STORM_SECONDS, CALM_SECONDS = 6.0, 40.0
PAGE = 200


@dataclass
class Office:
    """The city, the processes that serve it, and what they stand on."""

    city: DistantCity
    processes: list[servers.Server]
    below: list[servers.Server]
    addresses: list[str]


class SecondProcess(servers.OaServer):
    """Another server process over the same data, reached under an address of its own."""

    def __init__(self, settings: Settings, port: int) -> None:
        folder = settings.data_dir.parent / "second"
        shutil.copytree(settings.data_dir, folder)
        super().__init__(msgspec.structs.replace(settings, data_dir=folder, port=port))
        self.url = f"http://127.0.0.1:{port}"


@asynccontextmanager
async def office(founded: Founded, settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Office]:
    """One process on the embedded column, two on PostgreSQL and Redis."""
    served = at_free_port(settings)
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(distant(served))
        processes: list[servers.Server] = [city.server]
        addresses = [_address(served.port)]
        below: list[servers.Server] = []
        if founded.cluster:
            port = servers.free_port()
            processes.append(stack.enter_context(SecondProcess(served, port)))
            addresses.append(_address(port))
            standing: Servers = request.getfixturevalue("production_servers")
            below = [standing.postgres, standing.redis]
        yield Office(city, processes, below, addresses)


def _address(port: int) -> str:
    return f"ws://127.0.0.1:{port}/api/im/line"


async def run(house: Office, seed: int) -> None:
    """One run: people talk through a storm in which everything dies once, then it is calm, and then everything is there."""
    chance = random.Random(seed)
    browsers = {one: await house.city.signed_in(one) for one in CAST}
    begun = {one: await _head(browsers[one]) for one in CAST}
    rooms = await _conversations(house.city, browsers)
    clients = {one: _client(browsers[one], house, random.Random(chance.getrandbits(64)), begun[one]) for one in CAST}
    running = [asyncio.create_task(one.run()) for one in clients.values()]
    try:
        storm = asyncio.create_task(_storm(house, chance))
        said = await _talk(clients, rooms, chance)
        await storm
        for one in clients.values():
            one.weather.calm()
        await _settled(clients, browsers)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    await check(clients, {one: await _told(browsers[one], begun[one]) for one in CAST}, begun, rooms, said)


async def _head(browser: Browser) -> int:
    return int((await browser.get("/api/im/snapshot")).raise_for_status().json()["cursor"])


async def _conversations(city: DistantCity, browsers: dict[str, Browser]) -> dict[str, set[str]]:
    """A conversation of two, another, and two groups: who is in each."""
    wang, li = browsers["wang"], browsers["li"]
    return {
        await direct(city, wang, "zhou"): {"wang", "zhou"},
        await direct(city, li, "gao"): {"li", "gao"},
        await group(city, wang, "zhou", "feng", "li"): {"wang", "zhou", "feng", "li"},
        await group(city, li, *(one for one in CAST if one != "li")): set(CAST),
    }


def _client(browser: Browser, house: Office, chance: random.Random, cursor: int) -> Client:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    return Client(house.addresses, {"Cookie": cookies}, house.city.settings.origin, Weather(chance), cursor)


async def _talk(clients: dict[str, Client], rooms: dict[str, set[str]], chance: random.Random) -> dict[str, Said]:
    """Everybody says something now and then while the storm lasts: by its name, where it was said and by whom."""
    said: dict[str, Said] = {}
    for number in range(MESSAGES):
        room = chance.choice(list(rooms))
        person = chance.choice(sorted(rooms[room]))
        text = f"{person} 第{number}条"
        said[clients[person].say(room, text)] = Said(room, person, text)
        await asyncio.sleep(chance.expovariate(MESSAGES / STORM_SECONDS))
    return said


@dataclass(frozen=True)
class Said:
    """What somebody meant to say."""

    room: str
    person: str
    text: str


async def _storm(house: Office, chance: random.Random) -> None:
    """Kill a server process, and take away what it stands on, each for a moment."""
    for victim in chance.sample([*house.processes, *house.below], len(house.processes) + len(house.below)):
        await asyncio.sleep(chance.uniform(0.2, 1.0))
        await asyncio.to_thread(victim.kill if victim in house.processes else victim.stop)
        await asyncio.sleep(chance.uniform(0.1, 0.6))
        await asyncio.to_thread(victim.start)


async def _settled(clients: dict[str, Client], browsers: dict[str, Browser]) -> None:
    """Wait until everybody has said all, and heard all."""
    async with asyncio.timeout(CALM_SECONDS):
        while any(one.disk.outbox for one in clients.values()):
            await asyncio.sleep(0.1)
        for person, one in clients.items():
            while one.disk.cursor < await _head(browsers[person]):
                await asyncio.sleep(0.1)


async def _told(browser: Browser, after: int) -> list[dict[str, Any]]:
    """Every event of an official's cursor after one, as the server has it."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["useq"] if found else after
        page = (await browser.get("/api/im/events", params={"after": after, "limit": PAGE})).raise_for_status().json()
        found += page["events"]
        if not page["more"]:
            return found


async def check(
    clients: dict[str, Client],
    told: dict[str, list[dict[str, Any]]],
    begun: dict[str, int],
    rooms: dict[str, set[str]],
    said: dict[str, Said],
) -> None:
    """Each message is at each member once, in one order for all; every cursor is without a gap."""
    for person, one in clients.items():
        assert one.refused == [], person
        numbers = [event["useq"] for event in told[person]]
        assert numbers == list(range(begun[person] + 1, begun[person] + len(numbers) + 1)), f"{person}: a gap"
        assert [event["useq"] for event in one.disk.heard] == numbers, person
    acknowledged = {cid: place for one in clients.values() for cid, place in one.disk.acknowledged.items()}
    assert acknowledged.keys() == said.keys(), "what was said is acknowledged, all of it"
    for room, members in rooms.items():
        orders = {person: _heard(clients[person], room) for person in members}
        first = orders[min(members)]
        # A conversation of two may be older than this run: what it has lost would be missing in the middle or at the end.
        begin = first[0][0]
        assert [seq for seq, _cid, _text in first] == list(range(begin, begin + len(first))), f"{room}: one is missing"
        assert all(order == first for order in orders.values()), f"{room}: not all have heard the same"
        heard = {cid: (seq, text) for seq, cid, text in first if cid in said}
        assert len(heard) == sum(cid in said for _seq, cid, _text in first), f"{room}: a message came twice"
        meant = {cid: (acknowledged[cid][1], one.text) for cid, one in said.items() if one.room == room}
        assert heard == meant, f"{room}: what was acknowledged is not what was heard"


def _heard(client: Client, room: str) -> list[tuple[int, str, str]]:
    """What a client has heard in a conversation, in the order in which it heard it."""
    events = [one for one in client.disk.heard if one.get("conversation_id") == room and "message" in one]
    return [(one["seq"], one["message"]["cid"], one["message"]["text"]) for one in events]


@pytest.mark.timeout(480)
async def test_storms(founded: Founded, settings: Settings, request: pytest.FixtureRequest) -> None:
    """Whatever is lost, doubled, late or dead meanwhile: what was said is at everybody once, in order."""
    await _storms(founded, settings, request, range(5))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
async def test_two_hundred_storms(founded: Founded, settings: Settings, request: pytest.FixtureRequest) -> None:
    """A hundred storms in each column."""
    await _storms(founded, settings, request, range(100))


async def _storms(founded: Founded, settings: Settings, request: pytest.FixtureRequest, seeds: Sequence[int]) -> None:
    given = request.config.getoption("--seed")
    async with office(founded, settings, request) as house:
        for seed in [int(given)] if given is not None else seeds:
            try:
                await run(house, seed)
            except (AssertionError, TimeoutError) as error:
                error.add_note(f"run this storm again with --seed {seed}")
                raise
