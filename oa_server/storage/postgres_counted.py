"""The PostgreSQL back end: the stock one over asyncpg, that waits for nobody too long and counts what it writes.

A database that is gone answers with an error; one that hangs, or whose network swallows everything, does not answer at
all. So waiting for a connection and for a statement both end in time, and a connection that did not answer is cut: rolling
back over it would only wait once more, and the server rolls back what is cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    ConnectionWrapper,
    NestedTransactionContext,
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections

from oa_server.core.errors import Unavailable
from oa_server.storage import writes
from oa_server.storage.postgres_hosts import connect
from oa_server.storage.refusals import DATABASE_AWAY, OUTCOME_UNKNOWN, telling

ACQUIRE_SECONDS, RELEASE_SECONDS = 3, 1

# After these a connection is of no more use: the server says nothing, or began to and broke off.
_UNANSWERED = (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError)
_GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class _Kept(asyncpg.Connection):  # type: ignore[misc]  # untyped in the library
    """A connection that goes back to the pool as it is, without the statement that would reset its session.

    That statement is a second round trip for each one that an official waits for, and there is nothing to reset: no
    statement of ours changes its session, advisory locks end with their transaction, and listening has connections of
    its own. A transaction that was left open is rolled back all the same.
    """

    def get_reset_query(self) -> str:
        return ""


class CountedClient(AsyncpgDBClient):
    async def create_pool(self, **options: Any) -> Any:
        del options["port"]  # The address says it, and much that the library has no name for.
        return await asyncpg.create_pool(**options | {"connect": connect, "connection_class": _Kept})

    def acquire_connection(self) -> Any:
        return _Lent(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _Context(_Transaction(self), self._pool_init_lock)


class _Lent(PoolConnectionWrapper[Any]):
    """A connection for one statement outside any transaction."""

    __slots__ = ()

    async def __aenter__(self) -> Any:
        with telling():
            await self.ensure_connection()
            self.connection = await self.client._pool.acquire(timeout=ACQUIRE_SECONDS)
        return self.connection

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await _give_back(self.client._pool, self.connection, error)
        if error is not None:
            with telling():
                raise error


class _Held(ConnectionWrapper[Any]):
    """The transaction's connection for one of its statements."""

    __slots__ = ()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await super().__aexit__(kind, error, trace)
        if error is not None:
            with _answering(self.connection):
                raise error


@contextmanager
def _answering(connection: Any) -> Iterator[None]:
    """Have what the connection says inside the block told as the refusal that it means, and cut it if it says nothing."""
    with telling():
        try:
            yield
        except _UNANSWERED:
            _cut(connection)
            raise


async def _give_back(pool: Any, connection: Any, error: BaseException | None) -> None:
    """Return a connection to the pool. The pool resets it, and cuts by itself one that cannot be reset."""
    if isinstance(error, _UNANSWERED):
        _cut(connection)
    with suppress(*_GONE):
        await pool.release(connection, timeout=RELEASE_SECONDS)


def _cut(connection: Any) -> None:
    with suppress(asyncpg.InterfaceError):  # It has been cut already.
        connection.terminate()


class _Context(TransactionContextPooled):
    """As the stock one, but the connection always finds back to the pool, whatever fails and however slowly."""

    __slots__ = ()

    async def __aenter__(self) -> TransactionalDBClient:
        with telling():
            await self.ensure_connection()
            self.client._connection = await self.client._parent._pool.acquire(timeout=ACQUIRE_SECONDS)
        try:
            await self.client.begin()
        except BaseException as error:
            await self._give_back(error)
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        get_connections().reset(self.token)
        ending: BaseException | None = error
        try:
            if error is None:
                await self._commit()
            elif not isinstance(error, _UNANSWERED):
                await self._roll_back()
        except BaseException as failed:
            ending = failed
            raise
        finally:
            await self._give_back(ending)

    async def _commit(self) -> None:
        """Commit. When the connection is lost meanwhile, nobody can say here whether it was done."""
        try:
            await self.client.commit()
        except Unavailable as error:
            if error.reason is DATABASE_AWAY:
                raise Unavailable(OUTCOME_UNKNOWN) from error
            raise

    async def _roll_back(self) -> None:
        try:
            await self.client.rollback()
        except Exception:  # noqa: BLE001  whatever it says: the server rolls back what is cut
            _cut(self.client._connection)

    async def _give_back(self, error: BaseException | None) -> None:
        await _give_back(self.client._parent._pool, self.client._connection, error)


class _Transaction(TransactionWrapper):
    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return _Held(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self))

    async def begin(self) -> None:
        with _answering(self._connection):
            await super().begin()

    async def commit(self) -> None:
        with _answering(self._connection):
            await super().commit()

    async def rollback(self) -> None:
        with _answering(self._connection):
            await super().rollback()

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        writes.count(query)
        return await super().execute_insert(query, values)

    async def execute_many(self, query: str, values: list[Any]) -> None:
        writes.count(query)
        await super().execute_many(query, values)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> Any:
        writes.count(query)
        return await super().execute_query(query, values)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> Any:
        writes.count(query)
        return await super().execute_query_dict(query, values)


client_class = CountedClient
