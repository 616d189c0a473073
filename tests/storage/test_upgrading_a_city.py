"""The newest migration over what a running server has left: officials, keys, a document on its way, its pages and its records."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oa_server.app import open_house
from oa_server.settings import Settings
from oa_server.storage import claims
from tests.audit.test_command_line import oa
from tests.conftest import Founded, running
from tests.faults.house import faults
from tests.journey import Journey, Stages
from tests.storage.filled import NAMES, Database, PostgresDatabase, SqliteFile, lost


def database_of(settings: Settings) -> Database:
    file = claims.file_of(settings.database)
    return SqliteFile(file, settings.secrets_dir) if file else PostgresDatabase(settings.database, settings.secrets_dir)


@pytest.mark.timeout(240)  # The document's way is walked in here.
async def test_a_city_at_work_is_upgraded(stages: Stages, founded: Founded, tmp_path: Path) -> None:
    """A city with a sealed document, as it stood at the migration before, is upgraded by `oa migrate`: every row is as it was,
    the document is dispatched and signed for, and everything verifies."""
    reached, path = await stages.reached(founded, "sealed")
    settings = await asyncio.to_thread(reached.copy, tmp_path / "var")
    database = database_of(settings)
    newest, indexed = await database.shape(), await database.indexes()
    await database.at(NAMES[-2])
    before, earlier = await database.rows(), await database.shape()
    assert len(before["audit_record"]) > len(NAMES)
    assert (earlier, await database.indexes()) != (newest, indexed)
    upgraded = await asyncio.to_thread(oa, settings, "migrate")
    assert upgraded.returncode == 0, upgraded.stderr
    assert lost(before, await database.rows()) == set()
    assert (await database.shape(), await database.indexes()) == (newest, indexed)
    async with running(settings) as city:
        story = Journey(city, path)
        for stage in ("sent", "received"):
            await story.reaches(stage)
    # What the migration added had gone on the way back, and is no loss of the upgrade's.
    added = {table for table in newest if newest[table] != earlier.get(table)}
    async with open_house(settings) as house:
        assert [fault for fault in await faults(house) if fault.where.partition(":")[0] not in added] == []
