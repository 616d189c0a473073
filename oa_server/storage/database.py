"""Opening the database, in either column, and the few places where the two differ."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.exceptions import DBConnectionError, OperationalError

from oa_server.core.errors import OaError, Reason, Unavailable

APP = "oa"
MODELS = (
    "oa_server.storage.outbox",
    "oa_server.storage.idempotency",
    "oa_server.audit.models",
    "oa_server.identity.models",
    "oa_server.pki.models",
    "oa_server.signing.models",
    "oa_server.files.models",
    "oa_server.workflow.models",
    "oa_server.documents.models",
)

DATABASE_AWAY = Reason(
    "storage.database_away", "数据库暂时无法访问，操作未生效，请稍后重试", "The database is away; nothing was changed."
)
DISK_FULL = Reason(
    "storage.disk_full", "服务器存储空间已满，操作未生效，请联系系统管理员", "The disk is full; nothing was changed."
)

POOL_SIZE = 16
COMMAND_SECONDS = 10
_PLACEHOLDER = re.compile(r"\?")


def config(url: str, **options: Any) -> dict[str, Any]:
    """The Tortoise configuration of `sqlite:///PATH` or `postgres://user:password@host:port/name`."""
    return {
        "connections": {"default": _connection(url, options)},
        "apps": {APP: {"models": list(MODELS), "default_connection": "default", "migrations": "migrations"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def _connection(url: str, options: dict[str, Any]) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = unquote(parts.path)
        credentials = {"file_path": path, "synchronous": "FULL", "busy_timeout": 10_000} | options
        return {"engine": "oa_server.storage.sqlite_immediate", "credentials": credentials}
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ValueError(f"database_url: {parts.scheme} is not sqlite or postgres")
    return {
        "engine": "oa_server.storage.postgres_counted",
        "credentials": {
            "host": parts.hostname,
            "port": parts.port or 5432,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "database": parts.path.lstrip("/"),
            "minsize": 1,
            "maxsize": POOL_SIZE,
            "command_timeout": COMMAND_SECONDS,
            "timeout": COMMAND_SECONDS,
        },
    }


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[None]:
    """Open the database for this process.

    The connections are the process-wide fallback of the library's context, so requests, jobs and WebSockets find them
    in whatever task they run; one process holds one database open at a time.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        Path(unquote(parts.path)).parent.mkdir(parents=True, exist_ok=True)
    # The library keeps prepared statements by connection name, also when the name now means another kind of database.
    EXECUTOR_CACHE.clear()
    context = await Tortoise.init(config=config(url), _enable_global_fallback=True)
    try:
        # Connect now, so that a database that is away is told at start and not by the first official.
        await connection().execute_query("SELECT 1")
        yield
    finally:
        await context.close_connections()


async def create_schema() -> None:
    """Make all tables of an empty database, as the migrations would leave them."""
    await Tortoise.generate_schemas(safe=True)


def connection() -> BaseDBAsyncClient:
    """The connection of the open transaction, or of the pool outside one."""
    return get_connection("default")


def is_postgres() -> bool:
    return connection().capabilities.dialect == "postgres"


async def select(sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Rows of a hand-written statement with `?` placeholders, on either database."""
    if is_postgres():
        numbers = iter(range(1, len(values) + 1))
        sql = _PLACEHOLDER.sub(lambda _match: f"${next(numbers)}", sql)
        return list(await connection().execute_query_dict(sql, list(values)))
    plain = [str(value) if hasattr(value, "hex") and hasattr(value, "version") else value for value in values]
    return list(await connection().execute_query_dict(sql, plain))


def comparable(at: datetime) -> Any:
    """A moment as hand-written statements compare it: SQLite keeps moments as text."""
    return at if is_postgres() else at.isoformat(sep=" ")


_AWAY = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    DBConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)


def as_refusal(error: BaseException) -> OaError | None:
    """The refusal that a database error means, or None when it is a fault of ours."""
    if isinstance(error, asyncpg.DiskFullError) or _says(error, "disk is full", "disk I/O error"):
        return Unavailable(DISK_FULL)
    if isinstance(error, _AWAY) or _says(error, "database is locked", "unable to open database"):
        return Unavailable(DATABASE_AWAY)
    return None


def _says(error: BaseException, *words: str) -> bool:
    if not isinstance(error, (sqlite3.Error, OperationalError)):
        return False
    return any(word in str(error) for word in words)
