"""The lines to clients, in this process: each is told what its official's cursor holds, in order, once.

What this process keeps is handed on at once; what others keep is found when the bus wakes us, or a slow tick does. Either
way a line takes only the event after the last one it was given, and whatever does not fit is read from the database.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.core.ports import ports
from oa_server.core.tasks import is_ending
from oa_server.messaging import access, frames
from oa_server.messaging.answers import event_out, message_out, told
from oa_server.messaging.ledger import Posted
from oa_server.messaging.rules import EVENTS_AT_ONCE
from oa_server.messaging.schemas import CursorEvent
from oa_server.messaging.states import EventKind

QUEUE_LIMIT = 1000
TICK_SECONDS = 2.0
WATCH_SECONDS = 4.0


class Line:
    """One connected client: what it was told last, and what waits to be sent to it.

    Until its cursor's end is known `at` is None, and what comes is only noted as missed.
    """

    def __init__(self, actor: Actor, device: str) -> None:
        self.actor = actor
        self.device = device
        assert actor.official_id is not None
        self.official_id: UUID = actor.official_id
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LIMIT)
        self.at: int | None = None
        self.shared: dict[UUID, int] = {}
        self.missed = False
        self.is_slow = False
        self.ended = asyncio.Event()

    def put(self, frame: bytes) -> None:
        """Queue a frame; a client that does not keep up is let go, and goes on from its cursor."""
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.is_slow = True
            self.ended.set()

    def say(self, frame: frames.Frame) -> None:
        """Queue a frame that is not encoded yet."""
        self.put(frames.encode(frame))

    def offer(self, useq: int, frame: bytes) -> bool:
        """An event of this cursor: taken if it is the next one. Returns whether the line has all up to it."""
        if self.at is None or useq > self.at + 1:
            self.missed = True
            return False
        if useq == self.at + 1:
            self.at = useq
            self.put(frame)
        return True

    def offer_shared(self, conversation_id: UUID, seq: int, frame: bytes) -> bool:
        """As `offer`, of a shared conversation."""
        at = self.shared.get(conversation_id)
        if at is None:
            return True
        if seq > at + 1:
            return False
        if seq == at + 1:
            self.shared[conversation_id] = seq
            self.put(frame)
        return True


class Hub:
    """All lines of this process, and the one reader that finds what they lack."""

    def __init__(self) -> None:
        self._lines: dict[UUID, set[Line]] = defaultdict(set)
        self._woken = asyncio.Event()

    def count(self) -> int:
        """How many clients are connected."""
        return sum(map(len, self._lines.values()))

    def online(self, officials: Iterable[UUID]) -> set[UUID]:
        """Who of these officials is connected here."""
        return {one for one in officials if one in self._lines}

    def wake(self) -> None:
        """Something new may be on a cursor."""
        self._woken.set()

    # --- coming and going ---------------------------------------------------------------------------------------------

    async def greet(self, line: Line) -> int:
        """Connect a line: from now on it is told what comes behind the number that is returned, its cursor's end.

        It listens before the end is read, so that nothing can fall between the two.
        """
        self._lines[line.official_id].add(line)
        line.shared = await access.shared_of(line.official_id)
        head = (await access.inbox(line.official_id)).head
        line.at = head
        if line.missed:
            self.wake()
        return int(head)

    def leave(self, line: Line) -> None:
        """Let go of a line."""
        mine = self._lines.get(line.official_id)
        if mine is not None:
            mine.discard(line)
            if not mine:
                del self._lines[line.official_id]

    # --- telling ------------------------------------------------------------------------------------------------------

    def tell(self, posted: Sequence[Posted]) -> None:
        """Hand on what this process has just kept."""
        for one in posted:
            if one.is_shared:
                self._tell_shared(one)
                continue
            event: bytes | None = None
            for official, useq in one.useqs.items():
                if official not in self._lines:
                    continue
                event = event or frames.encode(told(one))
                frame = frames.spliced(event, useq)
                for line in self._lines[official]:
                    if not line.offer(useq, frame):
                        self.wake()

    def _tell_shared(self, one: Posted) -> None:
        frame: bytes | None = None
        conversation_id = one.entry.conversation_id
        for line in self._every_line():
            if conversation_id in line.shared:
                frame = frame or _shared_frame(one.seq, told(one))
                if not line.offer_shared(conversation_id, one.seq, frame):
                    self.wake()

    def _every_line(self) -> list[Line]:
        return [line for lines in self._lines.values() for line in lines]

    def tell_typing(self, officials: Collection[UUID], frame: frames.IsTyping) -> None:
        """Tell who is there now that somebody writes. It is kept nowhere."""
        data = frames.encode(frame)
        for official in officials:
            for line in self._lines.get(official, ()):
                line.put(data)

    # --- looking for what is lacking ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for what lines lack, whenever woken, until cancelled."""
        while not is_ending():
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            await self.look()

    async def look(self) -> None:
        """Read what lines lack, and give it to them. Raises Unavailable."""
        heads = await access.heads(list(self._lines)) if self._lines else {}
        for line in self._every_line():
            if line.at is not None and line.at < heads.get(line.official_id, 0):
                await self._catch_up(line)
        wanted = {key for line in self._every_line() for key in line.shared}
        ends = await access.last_seqs(wanted) if wanted else {}
        for line in self._every_line():
            for key, at in list(line.shared.items()):
                if at < ends.get(key, 0):
                    await self._catch_up_shared(line, key, at)

    async def _catch_up(self, line: Line) -> None:
        line.missed = False
        while line.at is not None and not line.ended.is_set():
            events = await access.events(line.official_id, line.at, EVENTS_AT_ONCE)
            for event in events:
                line.offer(event.useq, frames.spliced(frames.encode(event_out(event)), event.useq))
                if event.kind is EventKind.LIST:
                    line.shared = await access.shared_of(line.official_id) | line.shared
            if len(events) < EVENTS_AT_ONCE:
                return

    async def _catch_up_shared(self, line: Line, conversation_id: UUID, after: int) -> None:
        if not await access.is_member(line.official_id, conversation_id):
            del line.shared[conversation_id]
            return
        wanted = access.Stretch(after=after, limit=EVENTS_AT_ONCE)
        for said in await access.messages(line.actor, conversation_id, wanted):
            event = CursorEvent(EventKind.MESSAGE, said.at, 0, conversation_id, said.seq, message=message_out(said))
            line.offer_shared(conversation_id, said.seq, _shared_frame(said.seq, event))

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """End the lines whose sessions are over, every few seconds and with one question for all, until cancelled."""
        while not is_ending():
            await asyncio.sleep(WATCH_SECONDS)
            await self.end_those_over()

    async def end_those_over(self) -> None:
        """End the lines whose sessions are over. Raises Unavailable."""
        assert ports.sessions is not None, "app.py plugs the session lookup in"
        lines = self._every_line()
        ids = {line.actor.session_id for line in lines if line.actor.session_id}
        live = await ports.sessions.live(ids) if ids else set()
        for line in lines:
            if line.actor.session_id and line.actor.session_id not in live:
                line.ended.set()


def _shared_frame(seq: int, event: CursorEvent) -> bytes:
    return frames.encode(frames.Happened(seq, seq - 1, event, event.conversation_id))
