"""Wake-ups between server processes: in this process alone, over PostgreSQL's LISTEN/NOTIFY, or over Redis.

A wake-up says only "look at the outbox"; whoever misses one looks anyway a moment later. So the bus may be lost, and
nothing with it. Nobody waits for it either: `notify` only leaves word, and one relay per process passes it on, so a bus
that is away or hangs delays no official, and many acts in one moment are one wake-up.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import structlog

from oa_server.core.tasks import is_ending
from oa_server.storage.postgres_hosts import connect

log = structlog.get_logger("oa.bus")

CHANNEL = "oa_wake"
RECONNECT_SECONDS = 2.0
CONNECT_SECONDS = 5
IDLE_SECONDS = 30.0

Wake = Callable[[], None]


class Bus(Protocol):
    def notify(self) -> None:
        """Leave word that the others are to be woken (`core.ports.LivePush`). Neither raises nor waits."""

    async def run(self, wake: Wake) -> None:
        """Pass on what was left, and call `wake` for every wake-up, until cancelled; reconnects by itself."""

    async def close(self) -> None:
        """Let go of connections."""


@asynccontextmanager
async def open_bus(url: str, database_url: str) -> AsyncIterator[Bus]:
    """The bus of `local:`, `postgres:` (over `database_url`) or `redis://host:port/0`, over TLS `rediss://`."""
    bus: Bus
    if url.startswith(("redis:", "rediss:")):
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

    def notify(self) -> None:
        for wake in self._listeners:
            wake()

    async def run(self, wake: Wake) -> None:
        self._listeners.append(wake)
        try:
            await asyncio.Event().wait()
        finally:
            self._listeners.remove(wake)

    async def close(self) -> None:
        self._listeners.clear()


class _Relayed(ABC):
    """A bus over a server: a relay that publishes and a listener, each of which begins anew after a failure."""

    def __init__(self) -> None:
        self._due = asyncio.Event()

    def notify(self) -> None:
        self._due.set()

    async def run(self, wake: Wake) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again("bus.lost_wake_up", self._relay))
            group.create_task(self._again("bus.not_listening", lambda: self._listen(wake)))

    @staticmethod
    async def _again(event: str, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever the bus's client raises, it costs wake-ups only, so it is noted and tried again."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001
                log.warning(event, error=type(error).__name__)
            if is_ending():
                return
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _relay(self) -> None:
        while not is_ending():
            await self._due.wait()
            self._due.clear()
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._publish()

    @abstractmethod
    async def _publish(self) -> None:
        """Wake everybody, or raise."""

    @abstractmethod
    async def _listen(self, wake: Wake) -> None:
        """Listen until the connection is lost."""


class PostgresBus(_Relayed):
    """LISTEN/NOTIFY on connections of its own, because pooled ones are handed around."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self._url = database_url
        self._sender: Any = None

    async def _publish(self) -> None:
        if self._sender is None or self._sender.is_closed():
            self._sender = await connect(self._url, timeout=CONNECT_SECONDS)
        try:
            await self._sender.execute("SELECT pg_notify($1, '')", CHANNEL)
        except BaseException:
            self._drop_sender()
            raise

    async def _listen(self, wake: Wake) -> None:
        connection = await connect(self._url, timeout=CONNECT_SECONDS)
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
                wake()
        finally:
            connection.terminate()

    def _drop_sender(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.terminate()

    async def close(self) -> None:
        self._drop_sender()


class RedisBus(_Relayed):
    """Redis publish/subscribe, for many nodes."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        super().__init__()
        self._redis = Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS)

    async def _publish(self) -> None:
        await self._redis.publish(CHANNEL, "")

    async def _listen(self, wake: Wake) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            while not is_ending():
                # With a time of its own, or the socket's would end the subscription whenever nothing happens.
                if await channel.get_message(ignore_subscribe_messages=True, timeout=IDLE_SECONDS):
                    wake()

    async def close(self) -> None:
        await self._redis.aclose()
