"""A small city on a real server: real database, real signer process, real keys. Nothing of ours is imitated."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oa_server.app import configure_logging, create_app
from oa_server.settings import Settings, load
from tests.city import City, found_city

FONTS = Path(__file__).parent.parent / "var" / "fonts"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The embedded column in a folder of the test's own."""
    return load(environ={}, data_dir=tmp_path / "var", font_dirs=[str(FONTS)], origin="http://127.0.0.1:8080")


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[City]:
    """A server on a fresh database with the small city in it."""
    app = create_app(settings)
    configure_logging(logging.ERROR)
    async with app.router.lifespan_context(app):
        from oa_server.storage.database import create_schema

        await create_schema()
        yield await found_city(app, settings)


@pytest.fixture
async def city(settings: Settings) -> AsyncIterator[City]:
    async with running(settings) as found:
        yield found
