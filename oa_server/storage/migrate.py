"""Our migrate command around the library's migrations, safe on both databases.

One process migrates at a time. On SQLite the library remakes whole tables, with two traps (both measured): dropping the old
table cascades into its children while foreign keys are on, and its indexes are lost. So the file is copied first, foreign
keys are off meanwhile, missing indexes are made again after comparing with a fresh schema, references are checked, and
whatever fails puts the copy back.
"""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.migrations.api import migrate as apply_migrations

from oa_server.storage.database import APP, config

CONFIG = config("sqlite:///:memory:")  # for `tortoise -c oa_server.storage.migrate.CONFIG makemigrations`
_LOCK = 0x0A_0B0D


class MigrationFailed(RuntimeError):
    """The database was put back as it was; the message says what went wrong."""


async def upgrade(url: str) -> list[str]:
    """Bring the database to the newest schema. Returns what was done, in words."""
    if urlsplit(url).scheme == "sqlite":
        return await _upgrade_sqlite(Path(unquote(urlsplit(url).path)), url)
    async with _postgres_lock(url):
        await _apply(config(url))
    return ["数据库已是最新"]


async def _apply(settings: dict[str, object]) -> None:
    try:
        await apply_migrations(config=settings, app_labels=[APP])
    finally:
        await Tortoise.close_connections()


@asynccontextmanager
async def _postgres_lock(url: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        yield
    finally:
        await connection.close()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.migrating").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


async def _upgrade_sqlite(path: Path, url: str) -> list[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _file_lock(path):
        copy = _copy_aside(path)
        try:
            await _apply(config(url, foreign_keys="OFF"))
            restored = await _restore_indexes(path)
            _check_references(path)
        except BaseException as error:
            _put_back(path, copy)
            if isinstance(error, Exception):
                raise MigrationFailed(f"数据库未改动：{error}") from error
            raise
        if copy is not None:
            copy.unlink()
    return ["数据库已是最新", *(f"重建索引 {name}" for name in restored)]


def _copy_aside(path: Path) -> Path | None:
    if not path.exists():
        return None
    copy = path.with_name(f"{path.name}.before-migration")
    copy.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    return copy


def _put_back(path: Path, copy: Path | None) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if copy is not None:
        shutil.move(copy, path)


async def _restore_indexes(path: Path) -> list[str]:
    """Make the indexes that a fresh schema has and this file lacks."""
    wanted = await fresh_schema()
    restored = []
    connection = sqlite3.connect(path)
    try:
        present = _indexed_columns(connection)
        for columns, statement in wanted.items():
            if columns not in present:
                connection.execute(statement)
                restored.append(f"{columns[0]}({', '.join(columns[1])})")
        connection.commit()
    finally:
        connection.close()
    return restored


IndexKey = tuple[str, tuple[str, ...], bool]


async def fresh_schema() -> dict[IndexKey, str]:
    """The indexes of a database made from the models, with a statement that makes each."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fresh.sqlite3"
        await Tortoise.init(config=config(f"sqlite://{file}"))
        try:
            await Tortoise.generate_schemas()
        finally:
            await Tortoise.close_connections()
        connection = sqlite3.connect(file)
        try:
            return {key: _statement(key) for key in _indexed_columns(connection)}
        finally:
            connection.close()


def _statement(key: IndexKey) -> str:
    table, columns, unique = key
    name = f"{'uid' if unique else 'idx'}_{table}_{'_'.join(columns)}"
    listed = ", ".join(f'"{column}"' for column in columns)
    return f'CREATE {"UNIQUE " if unique else ""}INDEX IF NOT EXISTS "{name}" ON "{table}" ({listed})'


def _indexed_columns(connection: sqlite3.Connection) -> set[IndexKey]:
    """What is indexed, whatever the indexes are called: table, columns, uniqueness."""
    found: set[IndexKey] = set()
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for _seq, name, unique, *_rest in connection.execute(f'PRAGMA index_list("{table}")').fetchall():
            columns = tuple(row[2] for row in connection.execute(f'PRAGMA index_info("{name}")'))
            if not table.startswith(("sqlite_", "tortoise_")):
                found.add((table, columns, bool(unique)))
    return found


def _check_references(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        connection.close()
    if broken:
        raise MigrationFailed(f"{len(broken)} 行引用了不存在的行，例如 {broken[0]}")
