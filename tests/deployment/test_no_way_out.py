"""A machine that reaches nothing and that nothing reaches but its proxy: the program needs no more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from oa_server.app import open_house
from tests.city import Browser, City
from tests.conftest import Founded
from tests.deployment.site import OaProcess
from tests.faults.errand import Desks, Errand, Peace
from tests.faults.house import ANSWER_SECONDS, DistantCity, faults
from tests.faults.invariants import broken
from tests.faults.ledger import Ledger


class Secluded(OaProcess):
    """A server in a network of its own that has no interface which is up, not even loopback."""

    def _command(self) -> Sequence[str | Path]:
        return ["unshare", "--map-root-user", "--net", *super()._command()]


class SecludedCity(DistantCity):
    """Its officials come through the server's socket, as a proxy does."""

    def browser(self, person: str) -> Browser:
        assert isinstance(self.server, Secluded)
        transport = httpx.AsyncHTTPTransport(uds=str(self.server.socket))
        http = httpx.AsyncClient(base_url=self.settings.origin, transport=transport, timeout=ANSWER_SECONDS)
        self.clients.append(http)
        return Browser(http, self.settings.origin, self.keys(person))


@pytest.mark.norm("A-13.2.4/13.3.1")
async def test_the_main_story(founded_embedded: Founded, tmp_path: Path) -> None:
    """Without any network a document goes all the way, and everything verifies."""
    settings = await asyncio.to_thread(founded_embedded.copy, tmp_path / "var")
    async with open_house(settings):
        near = await City.open(None, settings)  # type: ignore[arg-type]  # whose application is elsewhere
    with Secluded(settings, tmp_path / "run" / "http.sock") as server, closing(Ledger(tmp_path / "ledger")) as ledger:
        city = SecludedCity(None, settings, near.organs, near.people, server)
        await Errand(city, await Desks.of(city), ledger, Peace()).run()
        for client in city.clients:
            await client.aclose()
    async with open_house(settings) as house:
        assert await broken(house, ledger) == []
        assert await faults(house) == []
