"""Live updates: the browser follows its topics, and starts over from its last event whenever it likes.

The truth is the `event` table. The hub of a process reads it once for all its connections, woken by the bus and, should
a wake-up be lost, by a slow tick; a connection that cannot keep up is told to reload instead of being waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from oa_server.core.actor import Actor
from oa_server.core.errors import Denied, NotSignedIn, OaError
from oa_server.storage import outbox
from oa_server.web import guard
from oa_server.web.errors import language_of

log = structlog.get_logger("oa.live")

TICK_SECONDS = 2.0
QUEUE_LIMIT = 256
CATCH_UP_LIMIT = 500
CLOSE_POLICY = 1008


class Follow(msgspec.Struct, forbid_unknown_fields=True):
    """The one message a browser sends: go on after this event, or from now when null."""

    after: int | None = None


class Connection:
    """One browser tab: its topics and the events waiting for it."""

    def __init__(self, actor: Actor, topics: Iterable[str]) -> None:
        self.actor = actor
        self.topics = frozenset(topics)
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LIMIT)
        self.overrun = False

    def offer(self, message: bytes) -> None:
        """Queue a message, or mark the connection as overrun: it will be told to reload."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.overrun = True


def topics_of(actor: Actor) -> list[str]:
    """What an actor may follow: themselves, their organ, their session."""
    return [f"official:{actor.official_id}", f"organ:{actor.organ_id}", f"session:{actor.session_id}"]


class LiveHub:
    """The connections of this process, and the one reader of the outbox that feeds them."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._woken = asyncio.Event()
        self._last_id = 0

    async def notify(self, topic: str, last_id: int) -> None:
        """A wake-up from the bus (`core.ports.LivePush` on the receiving side)."""
        self._woken.set()

    async def run(self) -> None:
        """Read new events and hand them out until cancelled."""
        self._last_id = await outbox.last_id()
        while True:
            # Not `wait_for`: before Python 3.12 it can swallow the cancellation that ends this task.
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._hand_out()
            except OaError as error:
                log.warning("live.paused", code=error.code)  # The database is away; the next tick tries again.

    async def _hand_out(self) -> None:
        while events := await outbox.read_all_after(self._last_id, CATCH_UP_LIMIT):
            for event in events:
                message = encode(event)
                for connection in self._connections:
                    if event.topic in connection.topics:
                        connection.offer(message)
            self._last_id = events[-1].id

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from its handshake to its end."""
        try:
            guard.check_origin(socket)
            actor = await guard.actor_of(socket)
        except (NotSignedIn, Denied) as error:
            await socket.accept()
            await socket.send_bytes(session_ended(error, language_of(socket.headers)))
            await socket.close(CLOSE_POLICY)
            return
        await socket.accept()
        connection = Connection(actor, topics_of(actor))
        self._connections.add(connection)
        try:
            await self._converse(socket, connection)
        finally:
            self._connections.discard(connection)

    async def _converse(self, socket: WebSocket, connection: Connection) -> None:
        tasks = [
            asyncio.create_task(step) for step in (self._receive(socket, connection), self._send(socket, connection))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            if (error := task.exception()) and not isinstance(error, WebSocketDisconnect):
                raise error

    async def _receive(self, socket: WebSocket, connection: Connection) -> None:
        while True:
            text = await socket.receive_text()
            try:
                follow = msgspec.json.decode(text, type=Follow)
            except (msgspec.DecodeError, RecursionError):
                await socket.close(CLOSE_POLICY)
                return
            if follow.after is not None:
                await self._catch_up(connection, follow.after)

    @staticmethod
    async def _catch_up(connection: Connection, after: int) -> None:
        events = await outbox.read_after(connection.topics, after, CATCH_UP_LIMIT)
        if len(events) == CATCH_UP_LIMIT:
            connection.offer(RESET)  # So much has happened that reading the lists anew is quicker.
            return
        for event in events:
            connection.offer(encode(event))

    @staticmethod
    async def _send(socket: WebSocket, connection: Connection) -> None:
        while True:
            message = await connection.queue.get()
            if connection.overrun:
                connection.overrun = False
                while not connection.queue.empty():
                    connection.queue.get_nowait()
                message = RESET
            await socket.send_text(message.decode())


RESET = b'{"reset":true}'


def encode(event: outbox.Event) -> bytes:
    """An event as the browser sees it. Events may come twice after a reconnect; clients keep the highest id."""
    return msgspec.json.encode({"id": event.id, "topic": event.topic, "kind": event.kind, "payload": event.payload})


def session_ended(error: OaError, language: str) -> bytes:
    """The message that sends a page back to the sign-in page with the reason."""
    payload = {"code": error.code, "title": error.reason.title(language)}
    return msgspec.json.encode({"id": 0, "topic": "session", "kind": "session.ended", "payload": payload})
