"""What messaging says over the wire: over HTTP, and inside the frames of OIM/1."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, field

from oa_server.messaging.rules import EVENTS_AT_ONCE, FILES_LIMIT, GROUP_LIMIT, MENTIONS_LIMIT, TEXT_LIMIT
from oa_server.web.shapes import AbilityOut

Cid = Annotated[str, Meta(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
Words = Annotated[str, Meta(max_length=TEXT_LIMIT)]
Seq = Annotated[int, Meta(ge=1, le=2**53)]
Cursor = Annotated[int, Meta(ge=0, le=2**53)]
Title = Annotated[str, Meta(min_length=1, max_length=60)]
RecallReason = Annotated[str, Meta(max_length=200)]
People = Annotated[list[UUID], Meta(max_length=GROUP_LIMIT)]


class MessageIn(Struct, forbid_unknown_fields=True, frozen=True):
    """What is said. `cid` is the client's own name for it: sent again under it, it is said once."""

    cid: Cid
    text: Words = ""
    mentions: Annotated[list[UUID], Meta(max_length=MENTIONS_LIMIT)] = field(default_factory=list)
    reply_to: Seq | None = None
    files: Annotated[list[UUID], Meta(max_length=FILES_LIMIT)] = field(default_factory=list)


class ReadIn(Struct, forbid_unknown_fields=True):
    """Up to which message somebody has read."""

    seq: Seq


class RecallIn(Struct, forbid_unknown_fields=True):
    reason: RecallReason = ""


class DirectIn(Struct, forbid_unknown_fields=True):
    """With whom to talk."""

    official_id: UUID


class GroupIn(Struct, forbid_unknown_fields=True):
    """A group to begin: its name, and who is in it besides who begins it."""

    title: Title
    members: People


class ConversationIn(Struct, forbid_unknown_fields=True):
    """What a member changes of a conversation: its name (the owner), and how they have it in their own list."""

    title: Title | None = None
    is_muted: bool | None = None
    is_pinned: bool | None = None


class ParticipantsIn(Struct, forbid_unknown_fields=True):
    members: People


class OwnerIn(Struct, forbid_unknown_fields=True):
    official_id: UUID


class FileShown(Struct):
    """A file of a message; its bytes are at `/api/files/{id}`."""

    id: UUID
    name: str
    size: int
    media_type: str


class RecalledOut(Struct):
    """That a message was taken back: by whom, when, and why."""

    at: datetime
    by: str
    reason: str


class MessageOut(Struct):
    """A message as its readers see it. Of a recalled one only its place is left."""

    conversation_id: UUID
    seq: int
    cid: str
    sender_id: UUID
    sender: str
    at: datetime
    kind: str
    text: str
    mentions: list[UUID]
    reply_to: int | None
    files: list[FileShown]
    recalled: RecalledOut | None


class MessageList(Struct):
    """Messages of one conversation, oldest first; `more` says whether there are others before the first."""

    items: list[MessageOut]
    more: bool


class MessagesQuery(Struct, forbid_unknown_fields=True):
    """Messages before one, or after one; the newest when neither is given."""

    before: Seq | None = None
    after: Cursor | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class SentOut(Struct):
    """That a message is kept: its place in the conversation, and on the sender's cursor (0 where the conversation is one)."""

    cid: str
    conversation_id: UUID
    seq: int
    useq: int
    at: datetime
    dup: bool


class CursorEvent(Struct, omit_defaults=True):
    """One event on an official's cursor. What is about a message names it by `conversation_id` and `seq`; `message` is the
    message itself. In an `event` frame its number stands beside it."""

    kind: str
    at: datetime
    useq: int = 0
    conversation_id: UUID | None = None
    seq: int = 0
    by: UUID | None = None
    message: MessageOut | None = None


class CursorEvents(Struct):
    """Events from `first` to `last`; `more` says that the cursor goes on behind them."""

    events: list[CursorEvent]
    head: int
    more: bool


class EventsQuery(Struct, forbid_unknown_fields=True):
    after: Cursor = 0
    limit: Annotated[int, Meta(ge=1, le=EVENTS_AT_ONCE)] = EVENTS_AT_ONCE


class ConversationOut(Struct):
    """A conversation in somebody's list. `title` of a direct one is the other's name, whose identifier is `partner_id`."""

    id: UUID
    kind: str
    title: str
    partner_id: UUID | None
    member_count: int
    last_seq: int
    read_seq: int
    join_seq: int
    left: bool
    last_at: datetime
    last_message: MessageOut | None
    unread: int
    is_shared: bool
    is_muted: bool
    is_pinned: bool
    abilities: list[AbilityOut]


class Snapshot(Struct):
    """All conversations of an official, and the cursor to which they hold: both read in one moment."""

    cursor: int
    server_time: datetime
    conversations: list[ConversationOut]


class ParticipantOut(Struct):
    """A member of a conversation, and up to which message they have read."""

    official_id: UUID
    name: str
    organ: str
    unit: str
    is_owner: bool
    read_seq: int
    is_online: bool


class ParticipantList(Struct):
    items: list[ParticipantOut]


class ReadersOut(Struct):
    """Who has read a message, and who has not yet; the sender is in neither list."""

    read: list[ParticipantOut]
    unread: list[ParticipantOut]


class ColleagueOut(Struct):
    """An official one may talk to."""

    official_id: UUID
    name: str
    organ: str
    unit: str
    title: str
    is_online: bool


class ColleagueList(Struct):
    items: list[ColleagueOut]


class ColleaguesQuery(Struct, forbid_unknown_fields=True):
    """Whose name or number holds the words, or their initials in pinyin; or who is in a unit."""

    query: Annotated[str, Meta(max_length=60)] = ""
    unit_id: UUID | None = None


class SearchQuery(Struct, forbid_unknown_fields=True):
    """Words that a message holds, in one conversation or in all."""

    query: Annotated[str, Meta(min_length=1, max_length=60)]
    conversation_id: UUID | None = None


class FoundOut(Struct):
    """A message that was found, and the conversation that it stands in."""

    conversation_title: str
    message: MessageOut


class FoundList(Struct):
    items: list[FoundOut]
