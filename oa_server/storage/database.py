"""Opening the database, in either column, and the few places where the two differ."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from enum import IntEnum, unique
from functools import cache
from itertools import count
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection

from oa_server.storage import claims

APP = "oa"
MODELS = (
    "oa_server.storage.outbox",
    "oa_server.storage.idempotency",
    "oa_server.storage.data_keys",
    "oa_server.audit.models",
    "oa_server.identity.models",
    "oa_server.installation.models",
    "oa_server.pki.models",
    "oa_server.signing.models",
    "oa_server.files.models",
    "oa_server.deadlines.models",
    "oa_server.messaging.models",
    "oa_server.workflow.models",
    "oa_server.documents.models",
    "oa_server.proposals.models",
    "oa_server.departments.models",
)

POOL_SIZE = 16
# A statement and the waits around it (`postgres_counted`) together stay below the ten seconds within which every request
# answers. A command that looks at everything has nobody waiting before a page.
STATEMENT_SECONDS = 4.0
PATIENT_SECONDS = 600.0
CONNECT_SECONDS = 3.0
BUSY_MILLISECONDS = 8_000
_PLACEHOLDER = re.compile(r"\?")


def config(url: str, *, statement_seconds: float = STATEMENT_SECONDS, **pragmas: Any) -> dict[str, Any]:
    """The Tortoise configuration of `sqlite:///PATH` or `postgres://user:password@host:port/name`.

    PostgreSQL gives each statement `statement_seconds`; SQLite takes further `pragmas`.
    """
    return {
        "connections": {"default": _connection(url, statement_seconds, pragmas)},
        "apps": {APP: {"models": list(MODELS), "default_connection": "default", "migrations": "migrations"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def address_of(url: str) -> tuple[str, str | None]:
    """A PostgreSQL URL without its password, as it may be shown, and the password. What else stands in it is libpq's to read
    (PostgreSQL 15, 34.1.2): `sslmode`, `sslrootcert`, several hosts."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    return parts._replace(netloc=f"{name}@{place}" if name else place).geturl(), unquote(password) or None


def _connection(url: str, statement_seconds: float, pragmas: dict[str, Any]) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = unquote(parts.path)
        credentials = {"file_path": path, "synchronous": "FULL", "busy_timeout": BUSY_MILLISECONDS} | pragmas
        return {"engine": "oa_server.storage.sqlite_immediate", "credentials": credentials}
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ValueError(f"database_url: {parts.scheme} is not sqlite or postgres")
    address, password = address_of(url)
    return {
        "engine": "oa_server.storage.postgres_counted",
        "credentials": {
            "dsn": address,
            "password": password,
            "minsize": 0,
            "maxsize": POOL_SIZE,
            "command_timeout": statement_seconds,
            "timeout": CONNECT_SECONDS,
        },
    }


@asynccontextmanager
async def open_database(url: str, *, statement_seconds: float = STATEMENT_SECONDS) -> AsyncIterator[None]:
    """Open the database for this process. Raises Unavailable while it is being upgraded.

    The connections are the process-wide fallback of the library's context, so requests, jobs and WebSockets find them
    in whatever task they run; one process holds one database open at a time.
    """
    # The library keeps prepared statements by connection name, also when the name now means another kind of database.
    EXECUTOR_CACHE.clear()
    settings = config(url, statement_seconds=statement_seconds)
    with claims.using(url):
        context = await Tortoise.init(config=settings, _enable_global_fallback=True)
        try:
            # Connect now, so that a database that is away is told at start and not by the first official.
            await connection().execute_query("SELECT 1")
            yield
        finally:
            await context.close_connections()


def connection() -> BaseDBAsyncClient:
    """The connection of the open transaction, or of the pool outside one."""
    return get_connection("default")


def is_postgres() -> bool:
    return connection().capabilities.dialect == "postgres"


@unique
class Lock(IntEnum):
    """What one transaction at a time may hold in the whole installation: their numbers stand in one place, so that no two are
    the same one. Others are derived from a row's identifier, which is far greater."""

    OUTBOX_ORDER = 1
    MIGRATION = 2
    LOG_SEQUENCE = 3
    SEALS = 4
    CLEANING = 5
    DIRECTORY = 6
    SETTINGS = 7
    MASTER_KEY = 8
    CALENDAR = 9
    MERGING = 10
    PROPOSAL_IMPORT = 11


async def alone(lock: int) -> None:
    """Wait until no other transaction holds `lock`, and hold it until this one ends. On SQLite every writer is alone."""
    if is_postgres():
        await connection().execute_query("SELECT pg_advisory_xact_lock($1)", [lock])


async def beside(lock: int) -> None:
    """Wait while a transaction holds `lock` `alone`, and keep the next one waiting until this transaction ends."""
    if is_postgres():
        await connection().execute_query("SELECT pg_advisory_xact_lock_shared($1)", [lock])


async def select(sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Rows of a hand-written statement with `?` placeholders, on either database: moments and identifiers are compared as each
    keeps them."""
    client = connection()
    if client.capabilities.dialect == "postgres":
        _count, rows = await client.execute_query(_numbered(sql), list(values))
    else:
        _count, rows = await client.execute_query(sql, [_plain(value) for value in values])
    names = tuple(rows[0].keys()) if rows else ()
    return [dict(zip(names, row, strict=True)) for row in rows]  # `dict(row)` would look up each column by its name.


async def execute_many(sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """A hand-written statement with `?` placeholders, once for each row of values, inside the transaction that is open."""
    client = connection()
    if client.capabilities.dialect == "postgres":
        await client.execute_many(_numbered(sql), [list(row) for row in rows])
    else:
        await client.execute_many(sql, [[_plain(value) for value in row] for row in rows])


def among(column: str) -> str:
    """The condition that a column holds one of the values that `listed` gives: one text, however many they are."""
    return f"{column} = ANY(?)" if is_postgres() else f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608


def listed(values: Iterable[Any]) -> Any:
    """Values for `among`."""
    return list(values) if is_postgres() else msgspec.json.encode(list(values)).decode()


def held(sql: str) -> str:
    """A statement whose rows stay as they are until the transaction ends. On SQLite every writer is alone."""
    return f"{sql} FOR UPDATE" if is_postgres() else sql


def _plain(value: Any) -> Any:
    """A value as SQLite keeps it."""
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value


async def as_kept(query: Any) -> list[tuple[Any, ...]]:
    """The rows of a list of values as the database keeps them: on SQLite identifiers and days are text. Where thousands are
    counted, to make objects of them takes longer than all else."""
    query._choose_db_if_not_chosen()
    query._make_query()
    _count, rows = await query._db.execute_query(*query.query.get_parameterized_sql())
    return [tuple(row) for row in rows]


def day_kept(value: date | str) -> date:
    """A day that `as_kept` has read."""
    return date.fromisoformat(value) if isinstance(value, str) else value


@cache
def _numbered(sql: str) -> str:
    """A statement of ours, of which there are few, with the placeholders of PostgreSQL."""
    numbers = count(1)
    return _PLACEHOLDER.sub(lambda _match: f"${next(numbers)}", sql)
