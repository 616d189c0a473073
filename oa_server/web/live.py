"""Live updates: the browser follows its topics, and starts over from its last event whenever it likes.

The truth is the `event` table. The hub of a process reads it once for all its connections, woken by the bus and, should
a wake-up be lost, by a slow tick; a connection that cannot keep up is told to reload instead of being waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Denied, NotSignedIn, OaError, Unavailable
from oa_server.core.tasks import is_ending
from oa_server.storage import outbox
from oa_server.web import guard
from oa_server.web.errors import language_of

TICK_SECONDS = 2.0
QUEUE_LIMIT = 256
CATCH_UP_LIMIT = 500
# How long a session that went idle, ran out or lost its official may still be told things; one that is ended is cut at once.
CHECK_SECONDS = 15.0
CLOSE_POLICY, CLOSE_TRY_AGAIN = 1008, 1013
SESSION_ENDED = "session.ended"


class Follow(msgspec.Struct, forbid_unknown_fields=True):
    """The one message a browser sends, and before which it hears nothing: go on after this event, or from now when null."""

    after: int | None = None


class Connection:
    """One browser tab: its topics, the last event it was told, and the messages waiting for it.

    What the hub reads while the tab is still catching up is held back, because a tab that has seen an event takes all
    earlier ones for seen too.
    """

    def __init__(self, actor: Actor, topics: Iterable[str]) -> None:
        self.actor = actor
        self.topics = frozenset(topics)
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LIMIT)
        self.overrun = False
        self.ended = False
        self._last = 0
        self._held: list[outbox.Event] | None = None

    def offer(self, event: outbox.Event) -> None:
        """An event that the hub has read: told in its turn, if this connection follows its topic."""
        if event.topic not in self.topics:
            return
        if self._held is not None:
            self._held.append(event)
        else:
            self._tell(event)

    def _tell(self, event: outbox.Event) -> None:
        if event.id > self._last:
            self._last = event.id
            self.ended |= event.kind == SESSION_ENDED
            self.put(encode(event))

    def put(self, message: bytes) -> None:
        """Queue a message, or mark the connection as overrun: it will be told to reload."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.overrun = True

    async def catch_up(self, after: int) -> None:
        """Tell what happened after an event, then what was held back meanwhile. Raises Unavailable."""
        self._last, self._held = after, []
        try:
            events = await outbox.read_after(self.topics, after, CATCH_UP_LIMIT)
            # So much has happened that reading the lists anew is quicker, or so long ago that it has been cleaned away.
            if len(events) == CATCH_UP_LIMIT or after + 1 < await outbox.first_id():
                self.put(RESET)
                self._last = events[-1].id if events else after
                events = []
            for event in (*events, *self._held):
                self._tell(event)
        finally:
            self._held = None


def topics_of(actor: Actor) -> list[str]:
    """What an actor may follow: themselves, their session, their organ, and as a clerk what arrives at it."""
    topics = [f"official:{actor.official_id}", f"organ:{actor.organ_id}", f"session:{actor.session_id}"]
    return [*topics, f"clerks:{actor.organ_id}"] if actor.has(Role.CLERK) else topics


class LiveHub:
    """The connections of this process, and the one reader of the outbox that feeds them."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._woken = asyncio.Event()
        self._last_id: int | None = None

    def count(self) -> int:
        """How many pages listen."""
        return len(self._connections)

    def wake(self) -> None:
        """Something new is in the outbox."""
        self._woken.set()

    async def run(self) -> None:
        """Read new events and hand them out until cancelled. Begun anew after a failure, it goes on where it was."""
        if self._last_id is None:
            self._last_id = await outbox.last_id()
        while not is_ending():
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            self._last_id = await self._hand_out(self._last_id)

    async def _hand_out(self, last_id: int) -> int:
        """Hand out what came after `last_id`. Returns the number of the last event."""
        while events := await outbox.read_all_after(last_id, CATCH_UP_LIMIT):
            for event in events:
                for connection in self._connections:
                    connection.offer(event)
            self._last_id = last_id = events[-1].id
        return last_id

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
        except Unavailable:
            await socket.close(CLOSE_TRY_AGAIN)
            return
        await socket.accept()
        connection = Connection(actor, topics_of(actor))
        try:
            await self._converse(socket, connection)
        except Unavailable:
            with suppress(RuntimeError, WebSocketDisconnect):  # The browser may be gone already.
                await socket.close(CLOSE_TRY_AGAIN)
        finally:
            self._connections.discard(connection)

    async def _converse(self, socket: WebSocket, connection: Connection) -> None:
        steps = (self._receive(socket, connection), self._send(socket, connection), self._watch(socket, connection))
        tasks = [asyncio.create_task(step) for step in steps]
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
        while not is_ending():
            try:
                follow = msgspec.json.decode(await socket.receive_text(), type=Follow)
            except (msgspec.DecodeError, RecursionError, KeyError):  # KeyError: a frame that is not text
                await socket.close(CLOSE_POLICY)
                return
            self._connections.add(connection)
            if follow.after is not None:
                await connection.catch_up(follow.after)

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
            if connection.ended and connection.queue.empty():
                await socket.close(CLOSE_POLICY)
                return

    @staticmethod
    async def _watch(socket: WebSocket, connection: Connection) -> None:
        """End with the session: whoever has left hears nothing more, and who has moved hears what is said elsewhere."""
        while not is_ending():
            await asyncio.sleep(CHECK_SECONDS)
            try:
                actor = await guard.actor_of(socket, quietly=True)
            except NotSignedIn as error:
                await socket.send_bytes(session_ended(error, language_of(socket.headers)))
                await socket.close(CLOSE_POLICY)
                return
            if connection.topics != frozenset(topics_of(actor)):
                await socket.close(CLOSE_TRY_AGAIN)
                return


RESET = b'{"reset":true}'


def encode(event: outbox.Event) -> bytes:
    """An event as the browser sees it. The number of the last one is where it goes on after a reconnect."""
    return msgspec.json.encode({"id": event.id, "topic": event.topic, "kind": event.kind, "payload": event.payload})


def session_ended(error: OaError, language: str) -> bytes:
    """The message that sends a page back to the sign-in page with the reason."""
    payload = {"code": error.code, "title": error.reason.title(language)}
    return msgspec.json.encode({"id": 0, "topic": "session", "kind": SESSION_ENDED, "payload": payload})
