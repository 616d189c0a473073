"""The server killed between any two steps, while officials work: what they were told is there, once, and nothing else is.

A short run takes its turn of the day: some pairs of step and moment each day, until all had theirs. `OA_FAULT_SEED` names
another day, or repeats one; `OA_CAMPAIGN_FAULTS` is the number of kills of the campaign.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import cycle, islice, product
from pathlib import Path

import pytest

from oa_server.app import open_house
from oa_server.settings import Settings
from tests import servers
from tests.conftest import Founded
from tests.faults.errand import STEPS, Desks, Errand
from tests.faults.house import DistantCity, at_free_port, distant
from tests.faults.invariants import broken
from tests.faults.ledger import Ledger

OFFICES = 3  # As many documents are under way at once.
SIGNER_EVERY = 4
SHORT = 4
CAMPAIGN = int(os.environ.get("OA_CAMPAIGN_FAULTS", "60"))
CAMPAIGN_SECONDS = 60 + 30 * CAMPAIGN


class Moment(Enum):
    """When the server dies: at any moment of a step, or with the answer just sent, which then arrives or is lost."""

    DURING = auto()
    ANSWERED = auto()
    LOST = auto()


class Reaper:
    """Kills the server around chosen steps, and starts it again."""

    def __init__(self, server: servers.OaServer, ledger: Ledger, seed: int) -> None:
        self._server = server
        self._ledger = ledger
        self._seed = seed
        self._chance = random.Random(seed)
        self._step, self._moment = "", Moment.DURING
        self._begun = asyncio.Event()
        self._signers: list[int] = []
        self.done = False

    def entering(self, step: str) -> None:
        """An official begins a step; if its turn has come, the server's days are counted."""
        if step == self._step and self._moment is Moment.DURING:
            self._begun.set()

    def answered(self, step: str) -> bool:
        """The server has answered; whether the official hears it."""
        if step != self._step or self._moment is Moment.DURING or self._begun.is_set():
            return True
        self._strike()
        self._begun.set()
        return self._moment is Moment.ANSWERED

    async def run(self, kills: int) -> None:
        """Kill so many times: every step at every kind of moment has its turn, and each run goes on where that of the day
        before ended."""
        plan = list(product(STEPS, Moment))
        random.Random(0).shuffle(plan)  # So that a run has steps from everywhere.
        first = self._seed * kills % len(plan)
        for self._step, self._moment in islice(cycle(plan), first, first + kills):
            self._begun.clear()
            await self._begun.wait()
            if self._moment is Moment.DURING:
                await asyncio.sleep(self._chance.uniform(0, 1.2 * self._ledger.duration(self._step)))
                self._strike()
            await asyncio.to_thread(self._revive)
        self._step, self.done = "", True

    def _strike(self) -> None:
        """Kill the server, or now and then only its signer."""
        self._signers = servers.children_of(self._server.pid)
        if self._signers and self._moment is Moment.DURING and self._chance.randrange(SIGNER_EVERY) == 0:
            os.kill(self._signers[0], signal.SIGKILL)
        else:
            self._server.kill()

    def _revive(self) -> None:
        servers._wait("the signer's own end", lambda: not any(map(servers.runs, self._signers)))
        if not servers.runs(self._server.pid):
            self._server.start()


@pytest.fixture
async def city(settings: Settings) -> AsyncIterator[DistantCity]:
    async with distant(at_free_port(settings)) as found:
        yield found


@pytest.fixture
def seed(founded: Founded) -> int:
    """The day, unless told. The two columns are half a round apart."""
    apart = len(STEPS) * len(Moment) // SHORT // 2 if founded.cluster else 0
    chosen = int(os.environ.get("OA_FAULT_SEED") or datetime.now(UTC).date().toordinal() + apart)
    sys.stdout.write(f"OA_FAULT_SEED={chosen}\n")  # Shown when the test fails.
    return chosen


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(SHORT, marks=pytest.mark.timeout(240)),
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
    await Errand(city, desks[0], ledger, reaper).run()

    async def office(own: Desks) -> None:
        while not reaper.done:
            await Errand(city, own, ledger, reaper).run()

    async with asyncio.TaskGroup() as everybody:
        for own in desks:
            everybody.create_task(office(own))
        everybody.create_task(reaper.run(kills))
