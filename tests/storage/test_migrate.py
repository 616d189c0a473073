"""Migrations that keep every row and every index, one process at a time."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from oa_server.storage import migrate
from tests.city import PEOPLE
from tests.conftest import Founded, _create_database

COMMAND = "import asyncio, sys; from oa_server.storage.migrate import upgrade; asyncio.run(upgrade(sys.argv[1]))"


def counts(file: Path) -> dict[str, int]:
    connection = sqlite3.connect(file)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: connection.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0] for table in tables}
    connection.close()
    return found


async def test_a_migrated_database_is_a_fresh_one(tmp_path: Path) -> None:
    """After all migrations the indexes are exactly those of a database made from the models."""
    file = tmp_path / "a.sqlite3"
    await migrate.upgrade(f"sqlite:///{file}")
    connection = sqlite3.connect(file)
    assert migrate._indexed_columns(connection) == set(await migrate.fresh_schema())
    connection.close()


async def test_upgrading_keeps_every_row(founded_embedded: Founded, tmp_path: Path) -> None:
    """An upgrade of a filled database leaves the number of rows in every table as it was."""
    settings = founded_embedded.copy(tmp_path / "var")
    file = tmp_path / "var" / "oa.sqlite3"
    before = counts(file)
    await migrate.upgrade(settings.database)
    assert counts(file) == before
    assert before["official"] == len(PEOPLE)


async def test_lost_indexes_are_made_again(founded_embedded: Founded, tmp_path: Path) -> None:
    """An index that a remade table has lost is back after the upgrade, and named."""
    settings = founded_embedded.copy(tmp_path / "var")
    connection = sqlite3.connect(tmp_path / "var" / "oa.sqlite3")
    (name,) = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'task' AND sql LIKE '%opened_at%'"
    ).fetchone()
    connection.execute(f'DROP INDEX "{name}"')
    connection.commit()
    connection.close()
    assert "重建索引 task(official_id, state, opened_at, id)" in await migrate.upgrade(settings.database)


async def test_a_failed_upgrade_puts_the_file_back(
    founded_embedded: Founded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When references are broken afterwards, the database is byte for byte the copy that was taken."""
    settings = founded_embedded.copy(tmp_path / "var")
    file = tmp_path / "var" / "oa.sqlite3"
    connection = sqlite3.connect(file)
    connection.execute("DELETE FROM official WHERE code = 'wang'")
    connection.commit()
    connection.close()
    before = counts(file)
    with pytest.raises(migrate.MigrationFailed, match="引用了不存在的行"):
        await migrate.upgrade(settings.database)
    assert counts(file) == before


@pytest.mark.parametrize("column", ["sqlite", "postgres"])
def test_four_at_once(column: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Four processes that migrate an empty database at the same time all succeed."""
    url = f"sqlite:///{tmp_path / 'a.sqlite3'}"
    if column == "postgres":
        founded: Founded = request.getfixturevalue("founded_production")
        asyncio.run(_create_database(founded.cluster, "four"))
        url = founded.cluster.replace("/postgres", "/four")
    started = [subprocess.Popen([sys.executable, "-c", COMMAND, url]) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
