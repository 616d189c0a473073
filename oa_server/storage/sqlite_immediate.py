"""The SQLite back end: one writer that begins IMMEDIATE, and one reader beside it.

The stock back end begins deferred, so a transaction that reads and then writes fails with "database is locked" as soon
as another process has written in between (29 % of them, measured). It also keeps one connection for everything, so that
any open transaction stops every reader. Here transactions have a connection of their own, and reading goes on beside
them as write-ahead logging allows.

The word "sqlite" in this module's name is needed: the migration executor picks its dialect by it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import aiosqlite
from tortoise.backends.base.client import ConnectionWrapper, NestedTransactionContext, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections

from oa_server.storage import writes
from oa_server.storage.refusals import telling


class _Statement(ConnectionWrapper[Any]):
    """One statement, whose errors are told as the refusals that they mean."""

    __slots__ = ()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await super().__aexit__(kind, error, trace)
        if error is not None:
            with telling():
                raise error


class ImmediateClient(SqliteClient):
    """Reads on one connection; hands every transaction the other."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self._writer: aiosqlite.Connection | None = None
        self._write_lock = asyncio.Lock()

    async def create_connection(self, with_db: bool) -> None:
        await super().create_connection(with_db)
        if self._writer is None and self.filename != ":memory:":
            self._writer = await aiosqlite.connect(self.filename, isolation_level=None)
            self._writer._conn.row_factory = sqlite3.Row
            for pragma, value in self.pragmas.items():
                await self._writer.execute(f"PRAGMA {pragma}={value}")

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
            self._writer = None
        await super().close()

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return _Statement(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        if self._writer is None:  # An in-memory database exists on one connection only.
            return _Context(_Transaction(self, self._connection), self._lock)
        return _Context(_Transaction(self, self._writer), self._write_lock)


class _Transaction(SqliteTransactionWrapper):
    """A transaction that holds the write lock from its first moment, and counts what it writes."""

    def __init__(self, parent: SqliteClient, connection: aiosqlite.Connection | None) -> None:
        super().__init__(parent)
        if connection is not None:
            self._connection = connection

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self, self._connection))

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return _Statement(self._lock, self)

    async def begin(self) -> None:
        try:
            with telling():
                await self._connection.execute("BEGIN IMMEDIATE")
        except asyncio.CancelledError:
            await self._connection.rollback()  # The connection's thread begins all the same; this comes after it.
            raise

    async def commit(self) -> None:
        with telling():  # A commit that finds no room has rolled the transaction back.
            await _to_its_end(super().commit())

    async def rollback(self) -> None:
        with telling():
            await super().rollback()

    async def savepoint_rollback(self) -> None:
        # A full disk may have rolled everything back by itself, savepoints too.
        with suppress(sqlite3.OperationalError):
            await super().savepoint_rollback()

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        writes.count(query)
        result: int = await super().execute_insert(query, values)
        return result

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        writes.count(query)
        await super().execute_many(query, values)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> Any:
        writes.count(query)
        return await super().execute_query(query, values)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        writes.count(query)
        result: list[dict[str, Any]] = await super().execute_query_dict(query, values)
        return result


async def _to_its_end(step: Coroutine[Any, Any, None]) -> None:
    """Take a step that the connection's thread takes in any case, and end after it, also when cancelled meanwhile.

    A unit that was cancelled and is over must not change anything any more: whoever looks then sees what came of it.
    """
    taken = asyncio.ensure_future(step)
    try:
        await asyncio.shield(taken)
    except asyncio.CancelledError:
        await asyncio.gather(taken, return_exceptions=True)
        raise


class _Context(SqliteTransactionContext):
    """As the stock one, but the lock is released when beginning fails, and the connection is the transaction's own."""

    __slots__ = ()

    async def __aenter__(self) -> Any:
        await self._trxlock.acquire()
        try:
            self.token = get_connections().set(self.connection_name, self.connection)
            try:
                await self.connection.begin()
            except BaseException:
                get_connections().reset(self.token)
                raise
        except BaseException:
            self._trxlock.release()
            raise
        return self.connection


client_class = ImmediateClient
