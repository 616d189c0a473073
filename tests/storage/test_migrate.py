"""Migrations that keep every row and every index, one process at a time."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from oa_server.files.access import part_keys
from oa_server.files.rules import PART_SIZE
from oa_server.settings import Settings
from oa_server.storage import migrate
from oa_server.storage.master_keys import MasterKeys
from oa_server.storage.secrets import SecretStore
from tests import servers
from tests.audit.test_command_line import oa
from tests.conftest import Founded, at_cluster, running
from tests.storage.filled import NAMES, SqliteFile, lost

COMMAND = (
    "import asyncio, sys; from pathlib import Path; from oa_server.storage.migrate import upgrade\n"
    "from oa_server.storage.master_keys import MasterKeys; from oa_server.storage.secrets import SecretStore\n"
    "asyncio.run(upgrade(sys.argv[1], MasterKeys(SecretStore(Path(sys.argv[2])))))"
)


def reachable(settings: Settings) -> Settings:
    """The same settings with an address of the test's own to serve at."""
    port = servers.free_port()
    return msgspec.structs.replace(settings, port=port, origin=f"http://127.0.0.1:{port}")


def masters_of(settings: Settings) -> MasterKeys:
    return MasterKeys(SecretStore(settings.secrets_dir))


def counts(file: Path) -> dict[str, int]:
    connection = sqlite3.connect(file)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: connection.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0] for table in tables}
    connection.close()
    return found


async def test_a_migrated_database_is_a_fresh_one(tmp_path: Path) -> None:
    """After all migrations the indexes are exactly those of a database made from the models."""
    file = tmp_path / "a.sqlite3"
    await migrate.upgrade(f"sqlite:///{file}", SqliteFile(file).masters)
    connection = sqlite3.connect(file)
    assert migrate._indexed_columns(connection) == set(await migrate.fresh_schema())
    connection.close()


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
    assert "重建索引 task(official_id, state, opened_at, id)" in await migrate.upgrade(
        settings.database, masters_of(settings)
    )


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
        await migrate.upgrade(settings.database, masters_of(settings))
    assert counts(file) == before


@pytest.mark.parametrize("column", ["sqlite", "postgres"])
def test_four_at_once(column: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Four processes that migrate an empty database at the same time all succeed."""
    url = f"sqlite:///{tmp_path / 'a.sqlite3'}"
    if column == "postgres":
        founded: Founded = request.getfixturevalue("founded_production")
        asyncio.run(at_cluster(founded.cluster, "CREATE DATABASE four"))
        url = founded.cluster.replace("/postgres", "/four")
    started = [subprocess.Popen([sys.executable, "-c", COMMAND, url, str(tmp_path / "secrets")]) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]


async def test_parts_from_before_they_had_rows(founded_embedded: Founded, tmp_path: Path) -> None:
    """An attachment that was stored before its parts were named one by one is read as before after the upgrade."""
    settings, data = founded_embedded.copy(tmp_path / "var"), os.urandom(PART_SIZE + 10)
    async with running(settings) as city:
        wang = await city.signed_in("wang")
        document = (await city.draft(wang)).json()["id"]
        file = (await wang.begin_upload(document, size=len(data))).json()["id"]
        for offset in (0, PART_SIZE):
            (await wang.put_part(file, offset, data[offset : offset + PART_SIZE])).raise_for_status()
        keys = await part_keys(file, 0, 1)
    for number, key in keys.items():
        stored = tmp_path / "var" / "objects" / key
        stored.rename(stored.with_name(f"{number:06d}"))
    with closing(sqlite3.connect(tmp_path / "var" / "oa.sqlite3")) as connection, connection:
        connection.execute("DROP TABLE file_part")
        connection.execute("DELETE FROM tortoise_migrations WHERE name = '0002_file_part'")
    await migrate.upgrade(settings.database, masters_of(settings))
    async with running(settings) as city:
        wang = await city.signed_in("wang")
        assert (await wang.get(f"/api/files/{file}/content")).content == data


def test_a_running_server_is_not_upgraded_under(founded_embedded: Founded, tmp_path: Path) -> None:
    """While a server has the database open the upgrade says so and changes nothing; once it has ended it is done."""
    settings = reachable(founded_embedded.copy(tmp_path / "var"))
    with servers.OaServer(settings):
        refused = oa(settings, "migrate")
        assert (refused.returncode, "请先停止服务" in refused.stderr) == (1, True), refused.stderr
        assert servers._answers(f"{settings.origin}/api/about")
    assert oa(settings, "migrate").returncode == 0


def test_nobody_begins_to_use_what_is_upgraded(founded_embedded: Founded, tmp_path: Path) -> None:
    """Between the copy and its taking the file's place no server and no command begins: what they wrote would be gone."""
    settings = reachable(founded_embedded.copy(tmp_path / "var"))
    copied, may_end = tmp_path / "copied", tmp_path / "may-end"
    slow = (
        "import pathlib, time; from oa_server.storage import migrate; check = migrate._check_references\n"
        "def wait(path):\n"
        f"    pathlib.Path({str(copied)!r}).touch()\n"
        f"    while not pathlib.Path({str(may_end)!r}).exists(): time.sleep(0.02)\n"
        "    check(path)\n"
        "migrate._check_references = wait\n"
    )
    upgrading = subprocess.Popen([sys.executable, "-c", slow + COMMAND, settings.database, str(settings.secrets_dir)])
    servers._wait("the upgrade", copied.exists)
    for command in (["serve"], ["audit", "verify"]):
        refused = oa(settings, *command)
        assert (refused.returncode, "数据库正在升级" in refused.stderr) == (1, True), refused.stderr
    may_end.touch()
    assert upgrading.wait(60) == 0
    with servers.OaServer(settings):
        assert servers._answers(f"{settings.origin}/api/about")


async def test_a_database_that_others_have_open_is_not_upgraded(founded_embedded: Founded, tmp_path: Path) -> None:
    """A program that is not ours and has the database open is found too."""
    settings = founded_embedded.copy(tmp_path / "var")
    with closing(sqlite3.connect(tmp_path / "var" / "oa.sqlite3")) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("SELECT COUNT(*) FROM official").fetchone()
        with pytest.raises(migrate.MigrationFailed, match="locked"):
            await migrate.upgrade(settings.database, masters_of(settings))


@pytest.mark.timeout(300)
def test_an_upgrade_that_was_killed_left_nothing(tmp_path: Path) -> None:
    """Killed at any moment, an upgrade leaves every row as it was, and the next one finds its way."""
    old = SqliteFile(tmp_path / "old.sqlite3")
    asyncio.run(old.at(NAMES[0]))
    asyncio.run(old.fill())
    before, database = asyncio.run(old.rows()), SqliteFile(tmp_path / "a.sqlite3")
    command = [sys.executable, "-c", COMMAND, database.url, str(database.secrets)]
    shutil.copy(old.file, database.file)
    started = time.monotonic()
    subprocess.run(command, check=True)
    whole = time.monotonic() - started
    for share in (0.6, 0.8, 0.95):
        shutil.copy(old.file, database.file)
        upgrading = subprocess.Popen(command)
        time.sleep(share * whole)
        upgrading.kill()
        upgrading.wait()
        assert lost(before, asyncio.run(database.rows())) == set()
    subprocess.run(command, check=True)
    assert lost(before, asyncio.run(database.rows())) == set()
    assert not list(tmp_path.glob("*.upgrading*"))
