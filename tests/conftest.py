"""A small city on a real server, in both columns: embedded, and PostgreSQL with Redis and an S3 server.

Nothing of ours is imitated: real databases, a real signer process, real keys. The city is founded once per column by the
acts of an administrator; every test works on a copy of its own. `OA_TEST_COLUMNS` narrows the columns.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import hypothesis
import pytest
from coverage import Coverage

from oa_server.app import configure_logging, create_app, open_house, upgrade_house
from oa_server.settings import Settings, load
from tests import servers
from tests.city import City, found_city

if TYPE_CHECKING:
    from tests.journey import Begin, Journey, Stages

# Bytecode is kept, whatever the shell says: our programs are started a thousand times, and to compile them takes longer than
# what they then do.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says more of the machine than of us.
hypothesis.settings.register_profile("oa", deadline=None)
hypothesis.settings.load_profile("oa")

FONTS = Path(__file__).parent.parent / "var" / "fonts"
COLUMNS = os.environ.get("OA_TEST_COLUMNS", "embedded,production").split(",")


# What both columns run is measured in one of them, for measuring doubles the time of a test. Storage differs between them.
MEASURED_TWICE = Path(__file__).parent / "storage"
MEASURES_CHILDREN = "COVERAGE_PROCESS_CONFIG"


def pytest_collection_finish() -> None:
    """Leave out of every later search for garbage what stays to the end: of the API's description alone it is a gigabyte."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Leave out of the coverage what the same test does in the other column too."""
    parameters = (
        item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    )
    measuring = Coverage.current() if "embedded" in parameters and "production" in COLUMNS else None
    if measuring is None or MEASURED_TWICE in item.path.parents:
        return (yield)
    children = os.environ.pop(MEASURES_CHILDREN, None)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()
        if children is not None:
            os.environ[MEASURES_CHILDREN] = children


def embedded(folder: Path, **others: object) -> Settings:
    """The embedded column with its data in `folder`; `others` are further settings, as the URLs of the production column."""
    options = {"data_dir": folder, "font_dirs": [str(FONTS)], "origin": "http://127.0.0.1:8080"}
    return load(environ={}, **(options | others))


@dataclass(frozen=True)
class Servers:
    """What the production column stands on."""

    postgres: servers.Postgres
    redis: servers.Redis
    seaweedfs: servers.SeaweedFS


@dataclass(frozen=True)
class Founded:
    """A founded city to copy: its folder, and in the production column the template database and the other servers."""

    folder: Path
    cluster: str = ""
    bus: str = ""
    objects: str = ""
    database: str = "founded"

    def copy(self, folder: Path) -> Settings:
        """The settings of a copy in `folder`."""
        shutil.copytree(self.folder, folder)
        if not self.cluster:
            return embedded(folder)
        name = f"oa_{uuid.uuid4().hex[:12]}"
        asyncio.run(at_cluster(self.cluster, f'CREATE DATABASE "{name}" TEMPLATE "{self.database}"'))
        database = self.cluster.replace("/postgres", f"/{name}")
        return embedded(folder, database_url=database, bus_url=self.bus, object_store_url=self.objects)

    def drop(self, settings: Settings) -> None:
        """Take a copy's database away: a thousand of them would fill the disk, and take minutes to remove at the end."""
        if self.cluster:
            name = settings.database.rpartition("/")[2]
            asyncio.run(at_cluster(self.cluster, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def at(self, settings: Settings) -> Founded:
        """The city as the tests have brought it on in a copy, to be copied in its turn."""
        return replace(self, folder=settings.data_dir, database=settings.database.rpartition("/")[2])


async def at_cluster(cluster: str, statement: str) -> None:
    """Run one statement at a cluster."""
    connection = await asyncpg.connect(cluster)
    await connection.execute(statement)
    await connection.close()


async def _found(settings: Settings) -> None:
    await upgrade_house(settings)
    async with open_house(settings) as house:
        await found_city(house)


@pytest.fixture(scope="session")
def founded_embedded(tmp_path_factory: pytest.TempPathFactory) -> Founded:
    """The city on SQLite and a folder."""
    folder = tmp_path_factory.mktemp("embedded") / "var"
    asyncio.run(_found(embedded(folder)))
    return Founded(folder)


@pytest.fixture(scope="session")
def production_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Private PostgreSQL, Redis and SeaweedFS."""
    base = tmp_path_factory.mktemp("servers")
    with ExitStack() as stack:
        postgres = stack.enter_context(servers.Postgres(in_memory=True))
        redis = stack.enter_context(servers.Redis(base))
        yield Servers(postgres, redis, stack.enter_context(servers.SeaweedFS(base)))


@pytest.fixture(scope="session")
def founded_production(production_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Founded:
    """The city on PostgreSQL, Redis and SeaweedFS."""
    base = tmp_path_factory.mktemp("production")
    cluster, bus, objects = (
        s.url for s in (production_servers.postgres, production_servers.redis, production_servers.seaweedfs)
    )
    asyncio.run(at_cluster(cluster, "CREATE DATABASE founded"))
    database = cluster.replace("/postgres", "/founded")
    asyncio.run(_found(embedded(base / "var", database_url=database, bus_url=bus, object_store_url=objects)))
    return Founded(base / "var", cluster, bus, objects)


@pytest.fixture(params=COLUMNS)
def founded(request: pytest.FixtureRequest) -> Founded:
    """The founded city of one column."""
    found: Founded = request.getfixturevalue(f"founded_{request.param}")
    return found


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[City]:
    """A server over the data of a founded city."""
    app = create_app(settings)
    configure_logging(logging.ERROR)
    async with app.router.lifespan_context(app):
        yield await City.open(app, settings)


@pytest.fixture
def settings(founded: Founded, tmp_path: Path) -> Iterator[Settings]:
    """The settings of a city of the test's own."""
    copied = founded.copy(tmp_path / "var")
    yield copied
    founded.drop(copied)


@pytest.fixture
async def city(settings: Settings) -> AsyncIterator[City]:
    async with running(settings) as found:
        yield found


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """The city at every stage of a document's way that some test has asked for."""
    from tests.journey import Stages

    return Stages(tmp_path_factory.mktemp("stages"))


@pytest.fixture
def begin(stages: Stages, founded: Founded, tmp_path: Path) -> Begin:
    """`async with begin("sealed") as story:` a city of the test's own, with a document at this stage."""

    @asynccontextmanager
    async def begun(stage: str) -> AsyncIterator[Journey]:
        async with stages.at(founded, stage, tmp_path / "var") as story:
            yield story
        await asyncio.to_thread(founded.drop, story.city.settings)

    return begun


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", help="run the storms of the messenger with this seed alone")
