"""Reading conversations and messages: each official sees what was said while they were there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, Gone, NotFound
from oa_server.messaging import rules
from oa_server.messaging.ledger import Content, moment, uuid
from oa_server.messaging.models import Conversation, Inbox, Membership, Message
from oa_server.messaging.states import EventKind, MessageKind
from oa_server.storage import sealing
from oa_server.storage.database import among, listed, select
from oa_server.storage.fields import F

SAID = f"('{MessageKind.TEXT}', '{MessageKind.FILE}')"


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it stands in the database, opened."""

    id: UUID
    conversation_id: UUID
    seq: int
    cid: str
    sender_id: UUID
    sender: str
    at: datetime
    kind: MessageKind
    content: Content
    recalled_at: datetime | None
    recalled_by: str
    recall_reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event on a cursor, with the message that it is about."""

    useq: int
    kind: EventKind
    conversation_id: UUID
    seq: int
    by_id: UUID | None
    at: datetime
    message: Said | None


async def membership(actor: Actor, conversation_id: UUID) -> tuple[Conversation, list[Membership]]:
    """A conversation, and when the actor was in it, the latest time last. Raises NotFound to who never was."""
    rows = await Membership.filter(conversation_id=conversation_id, official_id=actor.official_id).order_by("joined_at")
    if not rows:
        raise NotFound(NOT_FOUND)
    return await Conversation.get(id=conversation_id), rows


async def present(actor: Actor, conversation_id: UUID) -> tuple[Conversation, Membership]:
    """A conversation that the actor is in now. Raises NotFound; Denied to who has left."""
    conversation, rows = await membership(actor, conversation_id)
    rules.check_said(rows[-1] if rows[-1].leave_seq is None else None)
    return conversation, rows[-1]


_MESSAGE = """
SELECT m.id, m.conversation_id, m.seq, m.cid, m.sender_id, s.name AS sender, m.at, m.kind, m.content,
       m.recalled_at, r.name AS recalled_by, m.recall_reason
FROM message m JOIN official s ON s.id = m.sender_id LEFT JOIN official r ON r.id = m.recalled_by_id
"""


def _said(row: dict[str, Any]) -> Said:
    """A row of `_MESSAGE`. The words of a recalled message leave the database no more."""
    key = uuid(row["id"])
    recalled_at = moment(row["recalled_at"]) if row["recalled_at"] else None
    if recalled_at is None:
        content = msgspec.json.decode(sealing.opened("message", "content", key, row["content"]), type=Content)
    else:
        content = Content()
    reason = row["recall_reason"]
    return Said(
        id=key,
        conversation_id=uuid(row["conversation_id"]),
        seq=row["seq"],
        cid=row["cid"],
        sender_id=uuid(row["sender_id"]),
        sender=row["sender"],
        at=moment(row["at"]),
        kind=MessageKind(row["kind"]),
        content=content,
        recalled_at=recalled_at,
        recalled_by=row["recalled_by"] or "",
        recall_reason=sealing.opened("message", "recall_reason", key, reason).decode() if reason else "",
    )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which messages of a conversation are read: before one, after one, or the newest."""

    before: int | None = None
    after: int | None = None
    limit: int = 50


async def messages(actor: Actor, conversation_id: UUID, wanted: Stretch) -> list[Said]:
    """Messages of a conversation that the actor may see, oldest first. Raises NotFound."""
    _conversation, times = await membership(actor, conversation_id)
    clauses = ["m.conversation_id = ?", f"({' OR '.join([_THERE] * len(times))})"]
    values: list[Any] = [conversation_id]
    for one in times:
        values += [one.join_seq, one.leave_seq if one.leave_seq is not None else 2**53]
    if wanted.before is not None:
        clauses.append("m.seq < ?")
        values.append(wanted.before)
    if wanted.after is not None:
        clauses.append("m.seq > ?")
        values.append(wanted.after)
    order = "ASC" if wanted.after is not None else "DESC"
    rows = await select(
        f"{_MESSAGE} WHERE {' AND '.join(clauses)} ORDER BY m.seq {order} LIMIT ?", [*values, wanted.limit]
    )
    found = [_said(row) for row in rows]
    return found if order == "ASC" else found[::-1]


_THERE = "(m.seq > ? AND m.seq <= ?)"


async def message(actor: Actor, conversation_id: UUID, seq: int) -> Message:
    """One message that the actor may see. Raises NotFound."""
    _conversation, times = await membership(actor, conversation_id)
    found = await Message.get_or_none(conversation_id=conversation_id, seq=seq) if rules.sees(times, seq) else None
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


async def inbox(official_id: UUID) -> Inbox:
    """An official's cursor; one that begins at 0 where nothing was told yet."""
    return await Inbox.get_or_none(id=official_id) or Inbox(id=official_id)


async def heads(officials: Iterable[UUID]) -> dict[UUID, int]:
    """Where the cursors of these officials end."""
    rows = await select(f"SELECT id, head FROM inbox WHERE {among('id')}", [listed(officials)])  # noqa: S608
    return {uuid(row["id"]): row["head"] for row in rows}


async def last_seqs(conversations: Iterable[UUID]) -> dict[UUID, int]:
    """The numbers of the newest messages of these conversations."""
    rows = await select(f"SELECT id, last_seq FROM conversation WHERE {among('id')}", [listed(conversations)])  # noqa: S608
    return {uuid(row["id"]): row["last_seq"] for row in rows}


_EVENTS = """
SELECT useq, kind, conversation_id, seq, by_id, at FROM inbox_event WHERE official_id = ? AND useq > ? ORDER BY useq LIMIT ?
"""


async def events(official_id: UUID, after: int, limit: int) -> list[Event]:
    """What is on an official's cursor after an event, in its order."""
    rows = await select(_EVENTS, [official_id, after, limit])
    told = [row for row in rows if row["kind"] == EventKind.MESSAGE]
    found = await _named((uuid(row["conversation_id"]), row["seq"]) for row in told)
    return [
        Event(
            useq=row["useq"],
            kind=EventKind(row["kind"]),
            conversation_id=(conversation_id := uuid(row["conversation_id"])),
            seq=row["seq"],
            by_id=uuid(row["by_id"]) if row["by_id"] else None,
            at=moment(row["at"]),
            message=found.get((conversation_id, row["seq"])) if row["kind"] == EventKind.MESSAGE else None,
        )
        for row in rows
    ]


async def _named(places: Iterable[tuple[UUID, int]]) -> dict[tuple[UUID, int], Said]:
    """Messages by conversation and number."""
    by_conversation: dict[UUID, list[int]] = {}
    for conversation_id, seq in places:
        by_conversation.setdefault(conversation_id, []).append(seq)
    found: dict[tuple[UUID, int], Said] = {}
    for conversation_id, seqs in by_conversation.items():
        sql = f"{_MESSAGE} WHERE m.conversation_id = ? AND {among('m.seq')}"
        for row in await select(sql, [conversation_id, listed(seqs)]):
            found[conversation_id, row["seq"]] = _said(row)
    return found


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in an official's list."""

    conversation: Conversation
    membership: Membership
    title: str
    partner_id: UUID | None
    member_count: int
    unread: int
    last: Said | None


async def conversations(actor: Actor, only: UUID | None = None) -> list[Listed]:
    """The conversations that the actor is or was in, the newest message first."""
    mine = Membership.filter(official_id=actor.official_id)
    rows = await (mine if only is None else mine.filter(conversation_id=only)).order_by("joined_at")
    latest = {row.conversation_id: row for row in rows}
    found = await Conversation.filter(id__in=list(latest)).order_by("-last_at", "-id")
    partners = await _partners(actor, [one.id for one in found if one.kind == "direct"])
    counts = await _counts(latest)
    newest = await _named((row.conversation_id, _end(one, row)) for one in found if (row := latest[one.id]))
    unread = await _unread(actor, latest.values())
    return [
        Listed(
            conversation=one,
            membership=latest[one.id],
            title=partners[one.id][1] if one.id in partners else one.title,
            partner_id=partners[one.id][0] if one.id in partners else None,
            member_count=counts.get(one.id, 0),
            unread=unread.get(one.id, 0),
            last=newest.get((one.id, _end(one, latest[one.id]))),
        )
        for one in found
    ]


async def conversation(actor: Actor, conversation_id: UUID) -> Listed:
    """One conversation of the actor's list. Raises NotFound."""
    found = await conversations(actor, conversation_id)
    if not found:
        raise NotFound(NOT_FOUND)
    return found[0]


async def snapshot(actor: Actor) -> tuple[int, list[Listed]]:
    """The actor's cursor, and their list as it is at least then: what comes behind the cursor may be in it already, and to
    apply it again changes nothing."""
    assert actor.official_id is not None
    cursor = (await inbox(actor.official_id)).head
    return cursor, await conversations(actor)


def check_cursor(row: Inbox, cursor: int) -> None:
    """A cursor that can be gone on from. Raises Gone where what is behind it is kept no more, or was never there."""
    if not row.floor <= cursor <= row.head:
        raise Gone(rules.RESET, min=row.floor, head=row.head)


def _end(conversation: Conversation, row: Membership) -> int:
    """The last message of a conversation that a member may see."""
    return int(row.leave_seq if row.leave_seq is not None else conversation.last_seq)


async def _partners(actor: Actor, ids: Collection[UUID]) -> dict[UUID, tuple[UUID, str]]:
    """With whom the actor talks in these conversations of two."""
    rows = (
        await Membership.filter(conversation_id__in=list(ids))
        .exclude(official_id=actor.official_id)
        .values("conversation_id", "official_id", "official__name")
    )
    return {row["conversation_id"]: (row["official_id"], row["official__name"]) for row in rows}


async def _counts(ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many are in these conversations now."""
    sql = (
        f"SELECT conversation_id, COUNT(*) AS n FROM membership WHERE {among('conversation_id')}"  # noqa: S608
        " AND leave_seq IS NULL GROUP BY conversation_id"
    )
    return {uuid(row["conversation_id"]): row["n"] for row in await select(sql, [listed(ids)])}


_UNREAD = """
SELECT m.conversation_id, COUNT(*) AS n FROM message m JOIN membership w ON w.conversation_id = m.conversation_id
WHERE {among} AND m.seq > w.read_seq AND (w.leave_seq IS NULL OR m.seq <= w.leave_seq)
AND m.sender_id <> ? AND m.kind IN {said} AND m.recalled_at IS NULL GROUP BY m.conversation_id
"""


async def _unread(actor: Actor, rows: Iterable[Membership]) -> dict[UUID, int]:
    """How many messages of others, not taken back, are behind what the actor has read in each conversation."""
    sql = _UNREAD.format(among=among("w.id"), said=SAID)
    found = await select(sql, [listed(row.id for row in rows), actor.official_id])
    return {uuid(row["conversation_id"]): row["n"] for row in found}


async def members(actor: Actor, conversation_id: UUID) -> list[Membership]:
    """Who is in a conversation that the actor is in. Raises NotFound, Denied."""
    await present(actor, conversation_id)
    return await Membership.filter(conversation_id=conversation_id, leave_seq=None).order_by("joined_at", "id")


async def is_member(official_id: UUID | None, conversation_id: UUID) -> bool:
    """Whether somebody is in a conversation now."""
    return await Membership.filter(conversation_id=conversation_id, official_id=official_id, leave_seq=None).exists()


async def was_member(official_id: UUID | None, conversation_id: UUID) -> bool:
    """Whether somebody is in a conversation, or ever was."""
    return await Membership.filter(conversation_id=conversation_id, official_id=official_id).exists()


async def shared_of(official_id: UUID) -> dict[UUID, int]:
    """The shared conversations that an official is in, and the number of the newest message of each."""
    rows = await select(_SHARED, [official_id])
    return {uuid(row["id"]): row["last_seq"] for row in rows}


_SHARED = """
SELECT c.id, c.last_seq FROM conversation c JOIN membership m ON m.conversation_id = c.id
WHERE m.official_id = ? AND m.leave_seq IS NULL AND c.is_shared
"""


async def grown(limit: int) -> list[Conversation]:
    """Conversations whose newest messages the audit log does not know yet."""
    return await Conversation.filter(last_seq__gt=F("anchored_seq")).order_by("id").limit(limit)


async def by_key(key: str) -> Conversation | None:
    """The one conversation of its kind."""
    return await Conversation.get_or_none(key=key)


async def keys_known(keys: Collection[str]) -> set[str]:
    """Which of these conversations there are."""
    found: Any = await Conversation.filter(key__in=list(keys)).values_list("key", flat=True)
    return set(found)


async def senders(conversation_id: UUID, after: int, to: int) -> set[UUID]:
    """Who said something behind one message and up to another."""
    rows = Message.filter(conversation_id=conversation_id, seq__gt=after, seq__lte=to)
    found: Any = await rows.distinct().values_list("sender_id", flat=True)
    return set(found)


async def rooms_present() -> dict[UUID, set[UUID]]:
    """Who is in each room there is."""
    found: dict[UUID, set[UUID]] = {}
    rows = Membership.filter(leave_seq=None, conversation__kind__in=["unit", "organ"])
    for row in await rows.values("conversation_id", "official_id"):
        found.setdefault(row["conversation_id"], set()).add(row["official_id"])
    return found


async def rooms_wanted(only: Sequence[str] | None = None) -> dict[UUID, set[UUID]]:
    """Who belongs into each room there is, as the directory says now; only those with these keys, when given."""
    clause, values = ("", []) if only is None else (f"WHERE {among('c.key')}", [listed(only)])
    found: dict[UUID, set[UUID]] = {}
    for row in await select(_WANTED.format(clause=clause), values):
        found.setdefault(uuid(row["id"]), set())
        if row["official_id"] is not None:
            found[uuid(row["id"])].add(uuid(row["official_id"]))
    return found


_WANTED = """
SELECT c.id, o.id AS official_id FROM conversation c
LEFT JOIN post p ON (c.kind = 'unit' AND p.unit_id = c.unit_id) OR (c.kind = 'organ' AND p.organ_id = c.organ_id)
LEFT JOIN official o ON o.id = p.official_id AND o.active
{clause}
"""
