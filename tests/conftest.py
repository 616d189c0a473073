"""A small city on a real server: real database, real signer process, real keys. Nothing of ours is imitated."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oa_server.app import configure_logging, create_app, open_house
from oa_server.settings import Settings, load
from oa_server.storage.migrate import upgrade
from tests.city import City, found_city

FONTS = Path(__file__).parent.parent / "var" / "fonts"


def embedded(folder: Path) -> Settings:
    """The embedded column with its data in `folder`."""
    return load(environ={}, data_dir=folder, font_dirs=[str(FONTS)], origin="http://127.0.0.1:8080")


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of the small city, founded once by the acts of an administrator; tests work on copies."""
    folder = tmp_path_factory.mktemp("founded") / "var"
    asyncio.run(_found(embedded(folder)))
    return folder


async def _found(settings: Settings) -> None:
    await upgrade(settings.database)
    async with open_house(settings) as house:
        await found_city(house)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[City]:
    """A server over the data of a founded city."""
    app = create_app(settings)
    configure_logging(logging.ERROR)
    async with app.router.lifespan_context(app):
        yield await City.open(app, settings)


@pytest.fixture
def settings(founded: Path, tmp_path: Path) -> Settings:
    """The settings of a city of the test's own."""
    folder = tmp_path / "var"
    shutil.copytree(founded, folder)
    return embedded(folder)


@pytest.fixture
async def city(settings: Settings) -> AsyncIterator[City]:
    async with running(settings) as found:
        yield found
