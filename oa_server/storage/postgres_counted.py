"""The PostgreSQL back end: the stock one over asyncpg, counting what a transaction writes."""

from __future__ import annotations

from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import NestedTransactionContext, TransactionContext, TransactionContextPooled

from oa_server.storage import writes


class CountedClient(AsyncpgDBClient):
    def _in_transaction(self) -> TransactionContext:
        return TransactionContextPooled(_Transaction(self), self._pool_init_lock)


class _Transaction(TransactionWrapper):
    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self))

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
