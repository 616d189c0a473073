"""The server killed between any two steps, while officials work: what they were told is there, once, and nothing else is.

`OA_FAULT_SEED` repeats a run's choices; `OA_CAMPAIGN_FAULTS` is the number of kills of the campaign.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path

import pytest

from oa_server.app import open_house
from oa_server.settings import Settings
from tests import servers
from tests.faults.errand import STEPS, Desks, Errand
from tests.faults.house import DistantCity, at_free_port, distant
from tests.faults.invariants import broken
from tests.faults.ledger import Ledger

OFFICES = 3  # As many documents are under way at once.
SIGNER_EVERY = 4
CAMPAIGN = int(os.environ.get("OA_CAMPAIGN_FAULTS", "60"))
CAMPAIGN_SECONDS = 60 + 30 * CAMPAIGN


class Reaper:
    """Kills the server while a chosen step is under way, at any moment of that step, and starts it again."""

    def __init__(self, server: servers.OaServer, ledger: Ledger, seed: int) -> None:
        self._server = server
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._target = ""
        self._begun = asyncio.Event()
        self.done = False

    def entering(self, step: str) -> None:
        """An official begins a step; if its turn has come, so does the server's end."""
        if step == self._target:
            self._begun.set()

    async def run(self, kills: int) -> None:
        """Kill so many times: every step has its turn, in an order that chance decides."""
        for step in islice(cycle(self._chance.sample(STEPS, len(STEPS))), kills):
            self._target = step
            self._begun.clear()
            await self._begun.wait()
            await asyncio.sleep(self._chance.uniform(0, 1.2 * self._ledger.duration(step)))
            await asyncio.to_thread(self._kill)
        self.done = True

    def _kill(self) -> None:
        signers = servers.children_of(self._server.pid)
        if signers and self._chance.randrange(SIGNER_EVERY) == 0:
            os.kill(signers[0], signal.SIGKILL)
            return
        self._server.kill()
        servers._wait("the signer's own end", lambda: not any(map(servers.runs, signers)))
        self._server.start()


@pytest.fixture
async def city(settings: Settings) -> AsyncIterator[DistantCity]:
    async with distant(at_free_port(settings)) as found:
        yield found


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("OA_FAULT_SEED") or random.SystemRandom().randrange(10**6))
    sys.stdout.write(f"OA_FAULT_SEED={chosen}\n")  # Shown when the test fails.
    return chosen


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(4, marks=pytest.mark.timeout(240)),
        pytest.param(CAMPAIGN, marks=[pytest.mark.campaign, pytest.mark.timeout(CAMPAIGN_SECONDS)], id="campaign"),
    ],
)
async def test_killed_between_any_two_steps(
    kills: int, seed: int, city: DistantCity, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Officials carry on through every kill; in the end each acknowledged step is there once, and everything verifies."""
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        await work_through(city, Reaper(city.server, ledger, seed), ledger, kills)
    city.server.stop()
    async with open_house(city.settings) as house:
        assert await broken(house, ledger) == []
    told = sum(1 for entry in ledger.entries if entry.answered)
    with capsys.disabled():
        sys.stdout.write(f"\n{kills} faults, {told} acknowledged steps, 0 lost, 0 twice, everything verifies\n")


async def work_through(city: DistantCity, reaper: Reaper, ledger: Ledger, kills: int) -> None:
    """Officials take documents their way, first one in peace, then several at once while the server is killed."""
    desks = [await Desks.of(city) for _ in range(OFFICES)]
    await Errand(city, desks[0], ledger, reaper.entering).run()

    async def office(own: Desks) -> None:
        while not reaper.done:
            await Errand(city, own, ledger, reaper.entering).run()

    async with asyncio.TaskGroup() as everybody:
        for own in desks:
            everybody.create_task(office(own))
        everybody.create_task(reaper.run(kills))
