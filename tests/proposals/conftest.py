from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Founded
from tests.proposals.assembly import Assembly, Sittings


@pytest.fixture(scope="session")
def sittings(tmp_path_factory: pytest.TempPathFactory) -> Sittings:
    """The city with its congress."""
    return Sittings(tmp_path_factory.mktemp("sittings"))


@pytest.fixture
async def assembly(sittings: Sittings, founded: Founded, tmp_path: Path) -> AsyncIterator[Assembly]:
    """A sitting of the test's own."""
    async with sittings.begun(founded, tmp_path / "var") as found:
        yield found
