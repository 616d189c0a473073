"""Our migrate command around the library's migrations, safe on both databases.

One process migrates at a time, and an embedded database only while nobody uses it (`claims`). On SQLite the library remakes
whole tables, with two traps (both measured): dropping the old table cascades into its children while foreign keys are on, and
its indexes are lost. So a copy of the file is upgraded, with foreign keys off; missing indexes are made again after comparing
with a fresh schema, references are checked, and only then the copy takes the file's place. Whatever fails before, and whoever
is killed, leaves the file as it was.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps

from oa_server.storage import claims
from oa_server.storage.database import APP, PATIENT_SECONDS, Lock, config
from oa_server.storage.master_keys import MasterKeys
from oa_server.storage.postgres_hosts import connect

CONFIG = config("sqlite:///:memory:")  # for `tortoise -c oa_server.storage.migrate.CONFIG makemigrations`
_BESIDE = ("-wal", "-shm", "-journal")


class MigrationFailed(RuntimeError):
    """The database is as it was; the message says what went wrong."""


class _Upgrade:
    """What the migrations that run in this process may ask for."""

    masters: MasterKeys | None = None


_upgrade = _Upgrade()


def master_keys() -> MasterKeys:
    """The master keys of the installation that is being upgraded, for migrations that encrypt."""
    if _upgrade.masters is None:
        raise MigrationFailed("没有主密钥，无法加密")
    return _upgrade.masters


@contextmanager
def encrypting(masters: MasterKeys) -> Iterator[None]:
    """Let the migrations inside the block encrypt under these master keys."""
    _upgrade.masters = masters
    try:
        yield
    finally:
        _upgrade.masters = None


async def upgrade(url: str, masters: MasterKeys) -> list[str]:
    """Bring the database to the newest schema. Returns what was done, in words. Raises MigrationFailed, Unavailable."""
    with encrypting(masters):
        return await _upgraded(url)


async def _upgraded(url: str) -> list[str]:
    if path := claims.file_of(url):
        return await _upgrade_sqlite(path)
    async with _postgres_lock(url):
        await apply(config(url, statement_seconds=PATIENT_SECONDS))
    return ["数据库已是最新"]


async def apply(settings: dict[str, Any], target: str = "__latest__") -> None:
    """Run the migrations up to `target` and no further, on an empty database or another."""
    EXECUTOR_CACHE.clear()  # as in `open_database`: what is prepared there may be for another kind of database
    try:
        await Tortoise.init(config=settings, init_connections=False)
        await _Executor(get_connection("default"), settings["apps"]).migrate([MigrationTarget(APP, target)])
    finally:
        await Tortoise.close_connections()


class _Executor(MigrationExecutor):
    """The library's, which makes all models anew before every operation; here, only before one that looks at them as they
    were. Of a new database that is most of the time."""

    async def _project_state(self, applied: set[MigrationKey], *, upto: MigrationKey | None = None) -> State:
        state = await super()._project_state(applied, upto=upto)
        return _Standing(state.models, state.apps)


class _Standing(State):
    """The models as they stand, of which copies are cheap."""

    def clone(self) -> State:
        return _Former({key: model.clone() for key, model in self.models.items()}, self.apps)


class _Former(State):
    """The models as they stood before an operation: made when somebody asks for them."""

    def __init__(self, models: dict[tuple[str, str], ModelState], now: StateApps) -> None:
        self.models = models
        self._now = now

    @cached_property
    def apps(self) -> StateApps:  # type: ignore[override]
        """The models themselves."""
        return self._now.clone(model_states=self.models)


@asynccontextmanager
async def _postgres_lock(url: str) -> AsyncIterator[None]:
    connection = await connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", Lock.MIGRATION)
        yield
    finally:
        await connection.close()


async def _upgrade_sqlite(path: Path) -> list[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = path.with_name(f"{path.name}.upgrading")
    with claims.replacing(path):
        remove(copy)  # Left by an upgrade that was killed.
        try:
            _take_copy(path, copy)
            await apply(config(f"sqlite://{quote(str(copy.absolute()))}", foreign_keys="OFF"))
            restored = await _restore_indexes(copy)
            _leave_nothing_behind(copy)
            _check_references(copy)
        except BaseException as error:
            remove(copy)
            if isinstance(error, Exception):
                raise MigrationFailed(f"数据库未改动：{error}") from error
            raise
        take_place(copy, path)
    return ["数据库已是最新", *(f"重建索引 {name}" for name in restored)]


def remove(path: Path) -> None:
    """Remove a database's file and those that SQLite keeps beside it."""
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _take_copy(path: Path, copy: Path) -> None:
    """Copy the database, if there is one. It must be alone to leave write-ahead logging, so whoever has it open without
    a claim is found here."""
    if not path.exists():
        return
    with closing(sqlite3.connect(path, timeout=1)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM INTO ?", (str(copy),))


def take_place(copy: Path, path: Path) -> None:
    """Put another database in the place of the file, durable, in one step that happens or does not."""
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    _sync(copy)
    # A log without its file, as somebody leaves it who removes the file alone, would be replayed into the new one.
    for suffix in _BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    copy.rename(path)
    _sync(path.parent)


def _leave_nothing_behind(path: Path) -> None:
    """Write the database anew: what was there before the upgrade encrypted it would stay readable in free pages."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
