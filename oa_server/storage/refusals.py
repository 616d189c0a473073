"""What an error of the database means to the official who waits: a refusal that says so, or a fault of ours.

Both back ends pass every statement through here, so a database that is away is told by the same name wherever it is asked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from tortoise.exceptions import DBConnectionError, OperationalError

from oa_server.core.errors import STALE, Conflict, OaError, Reason, Unavailable

DATABASE_AWAY = Reason(
    "storage.database_away", "数据库暂时无法访问，操作未生效，请稍后重试", "The database is away; nothing was changed."
)
DISK_FULL = Reason(
    "storage.disk_full", "服务器存储空间已满，操作未生效，请联系系统管理员", "The disk is full; nothing was changed."
)
NO_SCHEMA = Reason(
    "storage.no_schema",
    "数据库尚未建立或尚未升级，请先运行 oa migrate",
    "The database has not been made or brought up to date; run `oa migrate` first.",
)
OUTCOME_UNKNOWN = Reason(
    "storage.outcome_unknown",
    "数据库在保存时失去联系，操作可能已经生效，请刷新后查看，不要急于重做",
    "The database was lost while saving; it may have been saved. Reload before you do it again.",
)

_AWAY = (
    OSError,
    DBConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # The server had begun to say goodbye on this connection; the statement was not sent.
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)


def as_refusal(error: BaseException) -> OaError | None:
    """The refusal that a database error means, or None when it is a fault of ours."""
    if isinstance(error, asyncpg.DiskFullError) or _says(error, "disk is full", "disk I/O error"):
        return Unavailable(DISK_FULL)
    if _has_no_table(error):
        return Unavailable(NO_SCHEMA)
    if isinstance(error, asyncpg.DeadlockDetectedError):
        return Conflict(STALE)  # Of two who waited for each other, this one was chosen to give way.
    if isinstance(error, _AWAY) or _says(error, "database is locked", "unable to open database"):
        return Unavailable(DATABASE_AWAY)
    return None


def _has_no_table(error: BaseException) -> bool:
    """Whether a table is missing, told by SQLite in words and by PostgreSQL through the library's own error."""
    told = error.args[0] if isinstance(error, OperationalError) and error.args else error
    return isinstance(told, asyncpg.UndefinedTableError) or _says(error, "no such table")


def _says(error: BaseException, *words: str) -> bool:
    if not isinstance(error, (sqlite3.Error, OperationalError)):
        return False
    return any(word in str(error) for word in words)


@contextmanager
def telling() -> Iterator[None]:
    """Have what the database says inside the block told as the refusal that it means."""
    try:
        yield
    except Exception as error:
        if refusal := as_refusal(error):
            raise refusal from error
        raise
