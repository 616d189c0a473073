"""The city as officials see it: a server process of its own, reached over HTTP, whose parts may fail."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from oa_server.app import House, open_house
from oa_server.settings import Settings
from oa_server.verification import Fault, all_faults, sequence_all
from tests import servers
from tests.city import Browser, City

ANSWER_SECONDS = 10.0


@dataclass
class DistantCity(City):
    """The running city, with the server in another process. Nobody here waits for an answer longer than officials would."""

    server: servers.OaServer
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(self, person: str) -> Browser:
        http = httpx.AsyncClient(base_url=self.settings.origin, timeout=ANSWER_SECONDS)
        self.clients.append(http)
        return Browser(http, self.settings.origin, self.keys(person))


def at_free_port(settings: Settings) -> Settings:
    """The same installation, served on a port of its own."""
    port = servers.free_port()
    return msgspec.structs.replace(settings, port=port, origin=f"http://127.0.0.1:{port}")


@asynccontextmanager
async def distant(settings: Settings) -> AsyncIterator[DistantCity]:
    """A server process over the data of a founded city, and the browsers before it."""
    async with open_house(settings):
        near = await City.open(None, settings)  # type: ignore[arg-type]  # whose application is elsewhere
    with servers.OaServer(settings) as server:
        city = DistantCity(None, settings, near.organs, near.people, server)
        try:
            yield city
        finally:
            for client in city.clients:
                await client.aclose()


async def faults(house: House) -> list[Fault]:
    """What `oa verify --all` would find, and finds again: the city's own jobs keep records, too, and one that came between
    sequencing and looking is no fault."""
    return await _found(house) and await _found(house)


async def _found(house: House) -> list[Fault]:
    await sequence_all()
    return [fault async for fault in all_faults(house)]


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def until_answered(browser: Browser, path: str) -> Any:
    """Ask again and again until the server answers as it should; the test's own time limit ends it otherwise."""
    while True:
        with suppress(httpx.TransportError):
            answer = await browser.get(path)
            if answer.status_code == 200:
                return answer.json()


@asynccontextmanager
async def live(
    browser: Browser, *, after: int | None = None, origin: str | None = None
) -> AsyncIterator[ClientConnection]:
    """The browser's live updates after an event, or from now on."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    address = browser.origin.replace("http", "ws", 1) + "/api/live"
    chosen: Any = origin or browser.origin
    async with connect(address, origin=chosen, additional_headers={"Cookie": cookies}, proxy=None) as socket:
        with suppress(ConnectionClosed):  # Whom the server hangs up on need not say anything.
            await socket.send(json.dumps({"after": after}))
        yield socket


async def heard(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of a kind."""
    while (event := json.loads(await socket.recv())).get("kind") != kind:
        pass
    return dict(event)
