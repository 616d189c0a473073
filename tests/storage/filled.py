"""Databases at any migration, with rows in every table that the database itself describes, so no table is forgotten."""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
import re
import sqlite3
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
from tortoise import Tortoise

import migrations
from crypto.errors import EnvelopeRefused
from oa_server.storage import fields, migrate, sealing
from oa_server.storage.database import MODELS, config
from oa_server.storage.master_keys import MasterKeys
from oa_server.storage.secrets import SecretStore
from tests.conftest import at_cluster

ROWS = 3
NAMES = sorted(found.name for found in pkgutil.iter_modules(migrations.__path__))
KEYS = "data_key"  # Filled by the migration that brought it: no others would open what is sealed.
BOOKS = "tortoise_migrations"  # The library's own, where it notes what was applied.
SPACE = uuid.UUID("5b0c1d4e-0000-4000-8000-000000000000")

Row = dict[str, Any]
Rows = dict[str, list[Row]]
# For each table its columns with their types, and for those that refer to another table which.
Shape = dict[str, dict[str, tuple[str, str | None]]]
Indexes = set[tuple[str, tuple[str, ...], bool]]


def lost(before: Rows, after: Rows) -> set[str]:
    """The tables that lack a row, or a value of one. New tables, rows and columns are nothing lost."""
    return {
        table
        for table, rows in before.items()
        for row in rows
        if row not in [{name: now.get(name) for name in row} for now in after.get(table, [])]
    }


class Database(ABC):
    """A database of one of the two kinds."""

    url: str
    secrets: Path

    @property
    def masters(self) -> MasterKeys:
        return MasterKeys(SecretStore(self.secrets))

    async def at(self, migration: str) -> None:
        """Bring the database to `migration` and no further: forward from an empty one, or back."""
        with migrate.encrypting(self.masters):
            await migrate.apply(self._config(), migration)

    def _config(self) -> dict[str, Any]:
        return config(self.url)

    async def fresh(self) -> None:
        """Make the tables from the models instead."""
        await Tortoise.init(config=config(self.url))
        await self._library(Tortoise.generate_schemas())

    @staticmethod
    async def _library(work: Any) -> None:
        try:
            await work
        finally:
            await Tortoise.close_connections()

    async def fill(self) -> None:
        """Leave some rows in every table, and no others; row n of one refers to row n of another."""
        shape = await self.shape()
        await self.put(
            {
                table: [{name: _value(shape, table, name, number) for name in columns} for number in range(ROWS)]
                for table, columns in shape.items()
                if table != KEYS
            }
        )

    @abstractmethod
    async def shape(self) -> Shape: ...

    @abstractmethod
    async def put(self, rows: Rows) -> None:
        """Have these tables hold these rows and no others."""

    async def rows(self) -> Rows:
        """All that the database holds, and what is sealed as it was before."""
        found = await self._raw()
        if KEYS not in found:
            return found
        for key in found[KEYS]:
            sealing.hold(self.masters, key["id"], key["wrapped_key"])
        return {table: [_opened(table, row) for row in rows] for table, rows in found.items()}

    @abstractmethod
    async def _raw(self) -> Rows: ...

    @abstractmethod
    async def indexes(self) -> Indexes: ...


def _value(shape: Shape, table: str, column: str, number: int) -> Any:
    """What stands in a column of row `number`: different in each row, so that unique keys hold."""
    kind, refers_to = shape[table][column]
    kind = kind.upper()
    if refers_to is not None:
        return _value(shape, refers_to, "id", number)
    if kind.startswith(("UUID", "CHAR(36)")):
        # Keys depend on the table alone, and other identifiers on their column too.
        return uuid.uuid5(SPACE, f"{table}.{column}.{number}")
    if "INT" in kind:
        return number + 1
    if kind.startswith(("VARCHAR", "CHARACTER", "TEXT")):
        text, width = f"值{column[:12]}-{number}", re.search(r"\((\d+)\)", kind)
        return text[-int(width[1]) :] if width else text  # The end tells the rows apart.
    return {
        "BOOL": bool(number % 2),
        "JSON": json.dumps({"n": number}),
        "TIME": datetime(2026, 1, 1 + number, 12, tzinfo=UTC),
        "DATE": date(2026, 1, 1 + number),
        "BYTE": bytes([number]),
        "BLOB": bytes([number]),
    }[kind[:4]]


def _sealed() -> dict[str, dict[str, Any]]:
    """The sealed columns of each table, as the models know them."""
    modules = [vars(importlib.import_module(name)).values() for name in MODELS]
    models = [m for found in modules for m in found if isinstance(m, type) and issubclass(m, fields.Model)]
    return {model._meta.db_table: model._sealed for model in models if model is not fields.Model}


def _opened(table: str, row: Row) -> Row:
    now = dict(row)
    for name, kind in _sealed().get(table, {}).items():
        with suppress(EnvelopeRefused):  # what was put there by `fill`, or had not been sealed yet
            data = sealing.opened(table, name, row[kind.by or "id"], row[name])
            now[name] = data if kind.field_type is bytes else data.decode()
    return now


class SqliteFile(Database):
    """A database in a file."""

    def __init__(self, file: Path, secrets: Path | None = None) -> None:
        self.file = file
        self.secrets = secrets or file.parent / "secrets"
        self.url = f"sqlite:///{file}"

    def _config(self) -> dict[str, Any]:
        return config(self.url, foreign_keys="OFF")  # as `oa migrate` does, which says why

    async def shape(self) -> Shape:
        with closing(sqlite3.connect(self.file)) as connection:
            return {table: self._columns(connection, table) for table in self._tables(connection)}

    @staticmethod
    def _tables(connection: sqlite3.Connection) -> list[str]:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [name for (name,) in tables if not name.startswith("sqlite_") and name != BOOKS]

    @staticmethod
    def _columns(connection: sqlite3.Connection, table: str) -> dict[str, tuple[str, str | None]]:
        refers = {row[3]: row[2] for row in connection.execute(f'PRAGMA foreign_key_list("{table}")')}
        return {row[1]: (row[2], refers.get(row[1])) for row in connection.execute(f'PRAGMA table_info("{table}")')}

    async def put(self, rows: Rows) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for table, found in rows.items():
                connection.execute(f'DELETE FROM "{table}"')
                columns, marks = ", ".join(f'"{name}"' for name in found[0]), ", ".join("?" * len(found[0]))
                values = [[one if isinstance(one, int | bytes) else str(one) for one in row.values()] for row in found]
                connection.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', values)

    async def _raw(self) -> Rows:
        with closing(sqlite3.connect(self.file)) as connection:
            connection.row_factory = sqlite3.Row
            return {
                table: [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')]
                for table in self._tables(connection)
            }

    async def indexes(self) -> Indexes:
        from oa_server.storage.migrate import _indexed_columns

        with closing(sqlite3.connect(self.file)) as connection:
            return _indexed_columns(connection)


class PostgresDatabase(Database):
    """A database in a cluster."""

    def __init__(self, url: str, secrets: Path) -> None:
        self.url = url
        self.secrets = secrets

    @classmethod
    def fresh_in(cls, cluster: str, secrets: Path) -> PostgresDatabase:
        """An empty one."""
        name = f"m_{uuid.uuid4().hex[:12]}"
        asyncio.run(at_cluster(cluster, f'CREATE DATABASE "{name}"'))
        return cls(cluster.replace("/postgres", f"/{name}"), secrets)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("SET session_replication_role = replica")  # Rows come in any order.
            yield connection
        finally:
            await connection.close()

    async def _ask(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        async with self._connected() as connection:
            return list(await connection.fetch(sql, *values))

    async def shape(self) -> Shape:
        columns = await self._ask("""
            SELECT c.relname AS tab, a.attname AS col, format_type(a.atttypid, a.atttypmod) AS kind,
                (SELECT confrelid::regclass::text FROM pg_constraint
                 WHERE contype = 'f' AND conrelid = c.oid AND conkey[1] = a.attnum LIMIT 1) AS refers
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY c.relname, a.attnum
        """)
        shape: Shape = {}
        for row in columns:
            if row["tab"] != BOOKS:
                refers = row["refers"].strip('"') if row["refers"] else None
                shape.setdefault(row["tab"], {})[row["col"]] = (row["kind"], refers)
        return shape

    async def put(self, rows: Rows) -> None:
        async with self._connected() as connection:
            for table, found in rows.items():
                await connection.execute(f'DELETE FROM "{table}"')
                columns = ", ".join(f'"{name}"' for name in found[0])
                marks = ", ".join(f"${number}" for number in range(1, len(found[0]) + 1))
                values = [list(row.values()) for row in found]
                await connection.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', values)

    async def _raw(self) -> Rows:
        tables = await self.shape()
        async with self._connected() as connection:
            return {t: [dict(row) for row in await connection.fetch(f'SELECT * FROM "{t}"')] for t in tables}

    async def indexes(self) -> Indexes:
        found = await self._ask("""
            SELECT t.relname AS tab, i.indisunique AS uniq,
                (SELECT string_agg(COALESCE(a.attname, '?'), ',' ORDER BY k.n)
                 FROM unnest(i.indkey::int[]) WITH ORDINALITY AS k(attnum, n)
                 LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) AS cols
            FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
            WHERE t.relnamespace = 'public'::regnamespace
        """)
        return {(row["tab"], tuple(row["cols"].split(",")), row["uniq"]) for row in found if row["tab"] != BOOKS}
