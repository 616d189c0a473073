"""The machine of the database lost for good while officials work: its replica takes over, and what they were told is there.

The commands are those of the installer's manual, with the addresses of the test's own servers in them.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from oa_server.app import open_house
from oa_server.storage.snapshots import copied, put_back
from tests import servers
from tests.conftest import COLUMNS, Founded
from tests.deployment.site import DEPLOY
from tests.faults.errand import Desks, Errand, Peace
from tests.faults.house import DistantCity, at_free_port, distant
from tests.faults.invariants import broken
from tests.faults.ledger import Ledger

pytestmark = pytest.mark.skipif("production" not in COLUMNS, reason="the embedded column has one database")

SECTION = (DEPLOY / "manual-backup.zh.md").read_text("utf-8").partition("## 六、")[2]
SETTING_UP, PROMOTING, ALONE = "建立", "切换", "备库停了"
PASSWORD = "of-the-replica"
OFFICES = 3
STEPS_BETWEEN = 40


def lines(part: str, program: str) -> list[str]:
    """What follows a program of PostgreSQL in the commands of a part of the manual's section."""
    text = re.split(rf"^### {part}$", SECTION, flags=re.MULTILINE)[1].partition("\n### ")[0]
    found = re.findall(rf"runuser -u postgres -- (?:env \S+ )?{program} (.+)", text)
    assert found
    return [line.replace("$REPLICA", PASSWORD) for line in found]


class Machine(servers.Postgres):
    """A machine of the database, whose every commit goes to its disk; who replicates needs the password."""

    def __init__(self) -> None:
        super().__init__()
        self._allow()

    def _allow(self) -> None:
        """Write the manual's rules, for this machine without TLS; the officials' server comes without a password."""
        (rules,) = re.findall(r"pg_hba\.conf <<END\n(.+?)^END", SECTION, re.MULTILINE | re.DOTALL)
        here = re.sub(r"10\.0\.0\.\d+/\d+", "127.0.0.1/32", rules).replace("hostssl", "host")
        officials = here.replace("host oa oa 127.0.0.1/32 scram-sha-256", "host all oa 127.0.0.1/32 trust")
        assert officials != here
        (self._base / "data" / "pg_hba.conf").write_text(officials)

    def _command(self) -> list[str | Path]:
        return ["fsync=on" if word == "fsync=off" else word for word in super()._command()]

    def psql(self, line: str) -> str:
        """What a `psql` line of the manual says here."""
        found = re.fullmatch(r'(-\w+) "(.+)"', line)
        assert found is not None, line
        return self.run("psql", self.url, "-v", "ON_ERROR_STOP=1", *found.groups()).strip()

    def wait_for_replica(self) -> None:
        """Have every commit wait for the replica, which has to be there soon."""
        *demands, ask = lines(SETTING_UP, "psql")[-3:]
        for demand in demands:
            self.psql(demand)
        servers._wait("the replica", lambda: self.psql(ask) == "oa_replica|sync")

    def become_replica_of(self, primary: Machine) -> None:
        """Remove all data here and take the primary's."""
        self.stop()
        shutil.rmtree(self._base / "data")
        (line,) = lines(SETTING_UP, "pg_basebackup")
        where, folder, options = re.fullmatch(r'-d "(.+)" -D (\S+) (.+)', line).groups()  # type: ignore[union-attr]
        assert folder == "/var/lib/postgresql/15/main"
        here = where.replace("host=10.0.0.5", f"host=127.0.0.1 port={primary.port}")
        self.run("pg_basebackup", "-d", here, "-D", self._base / "data", *options.split(), PGPASSWORD=PASSWORD)
        forget, file = re.findall(rf"^sed -i '(.+)' {folder}/(\S+)$", SECTION, re.MULTILINE)[0]
        self.run("/bin/sed", "-i", forget, self._base / "data" / file)
        self._allow()
        self.start()


@dataclass
class Pair:
    """The machine that is the primary at first, and its replica."""

    primary: Machine
    replica: Machine

    @property
    def url(self) -> str:
        places = ",".join(f"127.0.0.1:{machine.port}" for machine in (self.primary, self.replica))
        return f"postgres://oa@{places}/postgres?target_session_attrs=primary"

    def promote(self) -> None:
        (promote,) = lines(PROMOTING, "psql")
        self.replica.psql(promote)

    def change_places(self) -> None:
        """Make the old primary a replica, and then, when it has everything, the primary again."""
        self.primary.become_replica_of(self.replica)
        self.replica.wait_for_replica()
        self.replica.kill()
        self.primary, self.replica = self.replica, self.primary
        self.promote()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        primary = stack.enter_context(Machine())
        replica = stack.enter_context(Machine())
        for line in lines(SETTING_UP, "psql")[:2]:  # The third would have it listen to other machines.
            primary.psql(line)
        replica.become_replica_of(primary)
        primary.wait_for_replica()
        yield Pair(primary, replica)


@pytest.fixture
async def city(pair: Pair, founded_production: Founded, tmp_path: Path) -> AsyncIterator[DistantCity]:
    """The city with its database in the pair, which carries the wake-ups, too."""
    settings = await asyncio.to_thread(founded_production.copy, tmp_path / "var")
    async with copied(settings.database, tmp_path / "copy"):
        pass
    await asyncio.to_thread(founded_production.drop, settings)
    await put_back(pair.url, tmp_path / "copy")
    moved = msgspec.structs.replace(settings, database_url=pair.url, bus_url="postgres:")
    async with distant(at_free_port(moved)) as found:
        yield found


@pytest.mark.norm("D-8.1.4.9b/c")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_the_replica_takes_over(
    how: str, pair: Pair, city: DistantCity, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Officials carry on while the primary is lost and its replica promoted, without a restart: each acknowledged step is there
    once. The old primary that comes back unasked is left alone, and made a replica it holds all of it again."""
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        away = await work_through(city, pair, how, ledger)
    assert "Traceback" not in city.server.log.read_text("utf-8")
    city.server.stop()
    async with open_house(city.settings) as house:
        assert await broken(house, ledger) == []
    await asyncio.to_thread(pair.change_places)
    async with open_house(city.settings) as house:
        assert await broken(house, ledger) == []
    told = sum(1 for entry in ledger.entries if entry.answered)
    with capsys.disabled():
        sys.stdout.write(f"\nprimary {how}: {told} acknowledged steps, 0 lost, {away:.1f} s without an answer\n")


async def work_through(city: DistantCity, pair: Pair, how: str, ledger: Ledger) -> float:
    """Officials take documents their way while the database moves. Returns for how long none of them was answered."""
    desks = [await Desks.of(city) for _ in range(OFFICES)]
    is_over = asyncio.Event()

    async def office(own: Desks) -> None:
        while not is_over.is_set():
            await Errand(city, own, ledger, Peace()).run()

    async def disaster() -> float:
        await so_many_more(ledger, STEPS_BETWEEN)
        (pair.primary.kill if how == "killed" else pair.primary.freeze)()
        begun = time.monotonic()
        await asyncio.to_thread(pair.promote)
        await so_many_more(ledger, 1)
        away = time.monotonic() - begun
        await so_many_more(ledger, STEPS_BETWEEN)
        if how == "killed":
            await asyncio.to_thread(pair.primary.start)
            city.server.kill()  # So that every connection is made anew, with two that say they are the primary.
            await asyncio.to_thread(city.server.start)
        await so_many_more(ledger, STEPS_BETWEEN)
        is_over.set()
        return away

    async with asyncio.TaskGroup() as everybody:
        for own in desks:
            everybody.create_task(office(own))
        ending = everybody.create_task(disaster())
    pair.primary.kill()
    return ending.result()


async def so_many_more(ledger: Ledger, count: int) -> None:
    """Wait until so many more steps were done."""
    wanted = len(ledger.entries) + count
    while len(ledger.entries) < wanted:
        await asyncio.sleep(0.02)


async def test_without_its_replica_the_primary_waits_until_told(city: DistantCity, pair: Pair) -> None:
    """While the replica is away nothing is acknowledged; told by the manual's two lines not to wait, the primary goes on."""
    wang = await city.signed_in("wang")
    pair.replica.kill()
    answer = await city.draft(wang, key="alone")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage.outcome_unknown")
    for line in lines(ALONE, "psql"):
        pair.primary.psql(line)
    assert (await city.draft(wang, key="alone")).status_code == 201


async def test_copies_are_of_the_one_promoted_last(pair: Pair, tmp_path: Path) -> None:
    """While two say that they are the primary, the tools of PostgreSQL go where the processes do: what is backed up comes from
    the one that was promoted last, and what is put back goes there."""
    pair.promote()
    pair.replica.psql('-qc "CREATE TABLE kept AS SELECT 1 AS one"')
    async with copied(pair.url, tmp_path / "copy") as ask:
        assert await ask("SELECT one FROM kept") == [(1,)]
    pair.replica.psql('-qc "DROP TABLE kept"')
    await put_back(pair.url, tmp_path / "copy")
    assert pair.replica.psql('-Atc "SELECT one FROM kept"') == "1"


@pytest.mark.timeout(120)
async def test_a_replica_made_while_commits_wait(pair: Pair) -> None:
    """A replica that was made anew while the primary waits for one does not, once promoted, wait for one itself."""
    pair.replica.become_replica_of(pair.primary)
    pair.primary.kill()
    pair.promote()
    pair.replica.psql('-qc "CREATE TABLE answered ()"')
