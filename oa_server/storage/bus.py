"""Wake-ups between server processes: in this process alone, over PostgreSQL's LISTEN/NOTIFY, or over Redis.

A wake-up says only "look at the outbox"; whoever misses one looks anyway a moment later. So the bus may be lost, and
nothing with it: publishing to a bus that is away is noted and forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import structlog

log = structlog.get_logger("oa.bus")

CHANNEL = "oa_wake"
RECONNECT_SECONDS = 2.0
CONNECT_SECONDS = 5

Wake = Callable[[str, int], Awaitable[None]]


class Bus(Protocol):
    async def notify(self, topic: str, last_id: int) -> None:
        """Wake the others (`core.ports.LivePush`). Never raises."""

    async def listen(self, wake: Wake) -> None:
        """Call `wake` for every wake-up until cancelled; reconnects by itself."""

    async def close(self) -> None:
        """Let go of connections."""


@asynccontextmanager
async def open_bus(url: str, database_url: str) -> AsyncIterator[Bus]:
    """The bus of `local:`, `postgres:` (over `database_url`) or `redis://host:port/0`."""
    bus: Bus
    if url.startswith("redis:"):
        bus = RedisBus(url)
    elif url.startswith("postgres:"):
        bus = PostgresBus(database_url)
    else:
        bus = LocalBus()
    try:
        yield bus
    finally:
        await bus.close()


class LocalBus:
    """One process: whoever publishes wakes the listeners directly."""

    def __init__(self) -> None:
        self._listeners: list[Wake] = []

    async def notify(self, topic: str, last_id: int) -> None:
        for wake in self._listeners:
            await wake(topic, last_id)

    async def listen(self, wake: Wake) -> None:
        self._listeners.append(wake)
        try:
            await asyncio.Event().wait()
        finally:
            self._listeners.remove(wake)

    async def close(self) -> None:
        self._listeners.clear()


class PostgresBus:
    """LISTEN/NOTIFY on connections of its own, because pooled ones are handed around."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._sender: Any = None

    async def notify(self, topic: str, last_id: int) -> None:
        import asyncpg

        try:
            if self._sender is None or self._sender.is_closed():
                self._sender = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS)
            await self._sender.execute("SELECT pg_notify($1, $2)", CHANNEL, topic)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            log.warning("bus.lost_wake_up", error=type(error).__name__)

    async def listen(self, wake: Wake) -> None:
        import asyncpg

        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await self._listen_once(wake)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self, wake: Wake) -> None:
        import asyncpg

        connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS)
        woken, lost = asyncio.Event(), asyncio.Event()

        def ended(_connection: object) -> None:
            lost.set()
            woken.set()

        connection.add_termination_listener(ended)
        try:
            await connection.add_listener(CHANNEL, lambda *_arguments: woken.set())
            while not lost.is_set():
                await woken.wait()
                woken.clear()
                await wake("", 0)
        finally:
            await connection.close(timeout=1)

    async def close(self) -> None:
        if self._sender is not None and not self._sender.is_closed():
            await self._sender.close(timeout=1)


class RedisBus:
    """Redis publish/subscribe, for many nodes."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._redis = Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS)

    async def notify(self, topic: str, last_id: int) -> None:
        from redis.exceptions import RedisError

        try:
            await self._redis.publish(CHANNEL, topic)
        except (RedisError, OSError) as error:
            log.warning("bus.lost_wake_up", error=type(error).__name__)

    async def listen(self, wake: Wake) -> None:
        from redis.exceptions import RedisError

        while True:
            with suppress(RedisError, OSError):
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    while True:
                        if await channel.get_message(ignore_subscribe_messages=True, timeout=None):
                            await wake("", 0)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def close(self) -> None:
        await self._redis.aclose()
