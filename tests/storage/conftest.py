"""A database of the test's own, in both columns, and the house's audit log plugged in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oa_server.app import open_house
from tests.conftest import Founded


@pytest.fixture
async def database(founded: Founded, tmp_path: Path) -> AsyncIterator[str]:
    """The open database of a founded city; yields its URL."""
    import asyncio

    settings = await asyncio.to_thread(founded.copy, tmp_path / "var")
    async with open_house(settings):
        yield settings.database
