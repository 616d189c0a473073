"""The frames of OIM/1, one JSON object each, told apart by `t` (deploy/protocol-oim.zh.md describes them byte by byte)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from oa_server.messaging.schemas import Cursor, CursorEvent, MessageIn, RecallReason, Seq

VERSION = 1
FRAME_LIMIT = 32 << 10


class Frame(Struct, tag_field="t", forbid_unknown_fields=True):
    """The base of all frames."""


# --- from the client --------------------------------------------------------------------------------------------------


class Hello(Frame, tag="hello"):
    """The first frame: which protocol, which device, and the last event it has applied, here and in shared conversations."""

    v: int
    device: Annotated[str, Meta(min_length=1, max_length=64)]
    cursor: Cursor
    shared: Annotated[dict[UUID, Cursor], Meta(max_length=500)] = field(default_factory=dict)


class Send(Frame, tag="send"):
    """Say something in a conversation; the answer is `sent`, or `err` with the same `cid`."""

    conv: UUID
    message: MessageIn


class Read(Frame, tag="read"):
    """Everything up to this message has been read."""

    conv: UUID
    seq: Seq


class Recall(Frame, tag="recall"):
    """Take a message back; the answer is the event, or `err` with this `cid`."""

    cid: str
    conv: UUID
    seq: Seq
    reason: RecallReason = ""


class Pull(Frame, tag="pull"):
    """Ask for the events after one; the answer is `batch`. With `conv` for messages of a shared conversation."""

    after: Cursor
    limit: Annotated[int, Meta(ge=1, le=500)] = 500
    conv: UUID | None = None


class Typing(Frame, tag="typing"):
    """I am writing in this conversation. Told to who is there now, and kept nowhere."""

    conv: UUID


class Ping(Frame, tag="ping"):
    """Are you there, and how far does my cursor go? The answer is `pong`."""

    cursor: Cursor = 0


Asked = Hello | Send | Read | Recall | Pull | Typing | Ping


# --- from the server --------------------------------------------------------------------------------------------------


class Welcome(Frame, tag="welcome"):
    """The answer to `hello`: where the cursor ends (`head`) and begins (`min`), and what the limits are."""

    v: int
    head: int
    min: int
    server_time: datetime
    limits: dict[str, int]


class Sent(Frame, tag="sent"):
    """The message is kept. With `dup` it had been kept before, at this place."""

    cid: str
    conv: UUID
    seq: int
    useq: int
    ts: datetime
    dup: bool = False


class Happened(Frame, tag="event", omit_defaults=True):
    """One event. Apply it when `prev` is the last one that was applied; leave it when `useq` was applied already; else pull.

    With `conv` the numbers are those of this shared conversation, which is a cursor of its own.
    """

    useq: int
    prev: int
    event: CursorEvent
    conv: UUID | None = None


class Batch(Frame, tag="batch"):
    """Events that were pulled, in their order."""

    after: int
    events: list[CursorEvent]
    head: int
    more: bool
    conv: UUID | None = None


class Pong(Frame, tag="pong"):
    head: int


class Reset(Frame, tag="reset"):
    """The cursor cannot be gone on from: read the snapshot, and go on from its cursor."""

    min: int
    head: int


class Err(Frame, tag="err"):
    """What was asked is refused: the code is stable, the title for people. `retry_after` seconds say when to try again."""

    code: str
    title: str
    cid: str = ""
    retry_after: float = 0
    facts: dict[str, Any] = field(default_factory=dict)


class Kick(Frame, tag="kick"):
    """The connection ends, and why."""

    code: str
    title: str


class IsTyping(Frame, tag="typing"):
    conv: UUID
    official: UUID


encode = msgspec.json.Encoder().encode


def spliced(event: bytes, useq: int) -> bytes:
    """A `Happened` frame around an event that is encoded once for all who are told of it, except its numbers."""
    return b'{"t":"event","useq":%d,"prev":%d,"event":%b}' % (useq, useq - 1, event)
