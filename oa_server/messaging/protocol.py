"""OIM/1, the server's side of one line: a frame comes in, and what is to be done about it is done in the order of coming."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from uuid import UUID

import msgspec

from oa_server.core import clock
from oa_server.core.errors import STALE, Invalid, OaError, Reason, TooLarge, TooMany, Unavailable
from oa_server.messaging import access, actions, frames, rules
from oa_server.messaging.answers import event_out, message_out, sent_out
from oa_server.messaging.hub import Hub, Line
from oa_server.messaging.ledger import Posted
from oa_server.messaging.posting import Poster
from oa_server.messaging.schemas import CursorEvent
from oa_server.messaging.states import EventKind
from oa_server.web.bodies import TOO_LARGE, decode

PER_SECOND, BURST = 500, 1000  # frames of one line
REFUSALS_LIMIT = 2000  # after so many in a row that came too fast the line is cut
RETRY_SECONDS = 1.0
ON_THE_WAY_LIMIT = 500  # messages of one line that are not kept yet

NOT_GREETED = Reason("messaging.not_greeted", "连接尚未握手，请先发送 hello", "Greet first, with `hello`.")
GREETED = Reason("messaging.greeted_already", "连接已经握手", "This line has been greeted already.")
WRONG_VERSION = Reason(
    "messaging.wrong_version",
    "客户端的协议版本不受支持，请升级客户端",
    "The server speaks another version; update the client.",
)
TOO_FAST = Reason("messaging.too_fast", "发送过快，请稍后重试", "Too many frames at once; wait a moment.")

LIMITS = {
    "frame_bytes": frames.FRAME_LIMIT,
    "text": rules.TEXT_LIMIT,
    "mentions": rules.MENTIONS_LIMIT,
    "files": rules.FILES_LIMIT,
    "recall_seconds": int(rules.RECALL_WITHIN.total_seconds()),
    "frames_per_second": PER_SECOND,
    "heartbeat_seconds": 25,
}


class Conversing:
    """One line, from its greeting on. `language` is that of the titles of refusals."""

    def __init__(self, line: Line, hub: Hub, poster: Poster, language: str) -> None:
        self._line, self._hub, self._poster, self._language = line, hub, poster, language
        self._greeted = False
        self._on_the_way = 0
        self._allowance, self._counted_at, self._refused = float(BURST), time.monotonic(), 0

    async def receive(self, data: str) -> bool:
        """Do what a frame asks; whatever is refused is answered with `err`, and the line goes on. Returns whether somebody
        does something with it, and the client does not merely say that it is there."""
        cid, frame = "", None
        try:
            self._count()
            if len(data.encode()) > frames.FRAME_LIMIT:
                raise TooLarge(TOO_LARGE, limit=frames.FRAME_LIMIT)
            frame = _read(data)
            cid = _cid_of(frame)
            await self._do(frame)
        except OaError as error:
            self._refuse(error, cid or _cid_in(data))
        return not isinstance(frame, frames.Ping)

    def _count(self) -> None:
        """Hold a line to so many frames in a second. Raises TooMany."""
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._counted_at) * PER_SECOND)
        self._counted_at = now
        if self._allowance < 1:
            self._refused += 1
            if self._refused > REFUSALS_LIMIT:
                self._line.ended.set()
            raise TooMany(TOO_FAST, retry_after=1)
        self._allowance -= 1
        self._refused = 0

    async def _do(self, frame: frames.Asked) -> None:
        if isinstance(frame, frames.Hello):
            await self._greet(frame)
            return
        if not self._greeted:
            raise Invalid(NOT_GREETED)
        match frame:
            case frames.Send():
                await self._send(frame)
            case frames.Read():
                await actions.read(self._line.actor, frame.conv, frame.seq)
            case frames.Recall():
                await actions.recall(self._line.actor, frame.conv, frame.seq, frame.reason)
            case frames.Pull():
                await self._pull(frame)
            case frames.Typing():
                await self._typing(frame.conv)
            case frames.Ping():
                self._line.say(frames.Pong(self._line.at or 0))

    async def _greet(self, hello: frames.Hello) -> None:
        """Listen first, then say how far the cursor goes, then send what was missed, if it is little."""
        if self._greeted:
            raise Invalid(GREETED)
        if hello.v != frames.VERSION:
            raise Invalid(WRONG_VERSION, version=frames.VERSION)
        line = self._line
        line.device = hello.device
        self._greeted = True
        head = await self._hub.greet(line)
        floor = (await access.inbox(line.official_id)).floor
        line.say(frames.Welcome(frames.VERSION, head, floor, clock.now(), LIMITS))
        if not floor <= hello.cursor <= head:
            line.say(frames.Reset(floor, head))
        elif hello.cursor < head:
            await self._pull(frames.Pull(hello.cursor))
        for key, after in hello.shared.items():
            if key in line.shared and after < line.shared[key]:
                await self._pull(frames.Pull(after, conv=key))

    async def _send(self, frame: frames.Send) -> None:
        if self._on_the_way >= ON_THE_WAY_LIMIT:
            raise TooMany(TOO_FAST, retry_after=1)
        entry = await actions.entry_of(self._line.actor, frame.conv, frame.message)
        self._on_the_way += 1
        self._poster.put(entry).add_done_callback(self._answering(frame.message.cid))

    def _answering(self, cid: str) -> Callable[[asyncio.Future[Posted]], None]:
        """What is done when a message is kept, or is not."""

        def answer(done: asyncio.Future[Posted]) -> None:
            self._on_the_way -= 1
            error = done.exception()
            if error is None:
                sent = sent_out(done.result())
                self._line.say(frames.Sent(sent.cid, sent.conversation_id, sent.seq, sent.useq, sent.at, sent.dup))
            else:
                self._refuse(error if isinstance(error, OaError) else Unavailable(rules.BUSY), cid)

        return answer

    async def _pull(self, frame: frames.Pull) -> None:
        if frame.conv is not None:
            await self._pull_shared(frame, frame.conv)
            return
        inbox = await access.inbox(self._line.official_id)
        if not inbox.floor <= frame.after <= inbox.head:
            self._line.say(frames.Reset(inbox.floor, inbox.head))
            return
        found = await access.events(self._line.official_id, frame.after, frame.limit)
        head = max(inbox.head, found[-1].useq if found else 0)
        more = bool(found) and found[-1].useq < head
        self._line.say(frames.Batch(frame.after, [event_out(one) for one in found], head, more))

    async def _pull_shared(self, frame: frames.Pull, conv: UUID) -> None:
        conversation, _times = await access.membership(self._line.actor, conv)
        wanted = access.Stretch(after=frame.after, limit=frame.limit)
        found = await access.messages(self._line.actor, conv, wanted)
        events = [
            CursorEvent(EventKind.MESSAGE, one.at, one.seq, conv, one.seq, message=message_out(one)) for one in found
        ]
        head = max(conversation.last_seq, found[-1].seq if found else 0)
        self._line.say(frames.Batch(frame.after, events, head, bool(found) and found[-1].seq < head, conv))

    async def _typing(self, conv: UUID) -> None:
        members = await access.members(self._line.actor, conv)
        others = {row.official_id for row in members} - {self._line.official_id}
        self._hub.tell_typing(others, frames.IsTyping(conv, self._line.official_id))

    def _refuse(self, error: OaError, cid: str) -> None:
        may_go_well = isinstance(error, Unavailable) or error.reason is STALE
        wait = float(error.facts.get("retry_after", 0)) or (RETRY_SECONDS if may_go_well else 0.0)
        facts = {name: value for name, value in error.facts.items() if name != "retry_after"}
        self._line.say(frames.Err(error.code, error.reason.title(self._language), cid, wait, facts))


def _read(data: str) -> frames.Asked:
    """A frame. Raises Malformed, Invalid."""
    found: frames.Asked = decode(data.encode(), frames.Asked)
    return found


def _cid_of(frame: frames.Asked) -> str:
    if isinstance(frame, frames.Send):
        return frame.message.cid
    return frame.cid if isinstance(frame, frames.Recall) else ""


class _Named(msgspec.Struct):
    """What little of a frame that is refused tells which one it was."""

    cid: str = ""
    message: dict[str, object] = msgspec.field(default_factory=dict)


def _cid_in(data: str) -> str:
    """The name of a message in a frame that could not be read, so that its sender knows which one was refused."""
    try:
        found = msgspec.json.decode(data, type=_Named)
    except (msgspec.DecodeError, RecursionError):
        return ""
    inner = found.message.get("cid", "")
    return (found.cid or (inner if isinstance(inner, str) else ""))[:64]
