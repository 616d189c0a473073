"""The verbs of messaging. What changes a conversation is a message in it, so that everybody learns of it in its place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, STALE, Conflict, NotFound
from oa_server.core.ids import new_id
from oa_server.files import access as files
from oa_server.identity import access as identity
from oa_server.messaging import access, ledger, rules
from oa_server.messaging.ledger import Content, Entry, Place, uuid
from oa_server.messaging.models import Conversation, Membership, Message
from oa_server.messaging.posting import Poster
from oa_server.messaging.schemas import MessageIn
from oa_server.messaging.states import ConversationKind, EventKind, MessageKind
from oa_server.storage.fields import sealed_for
from oa_server.storage.unit_of_work import chained, conflict_on, transition

CONVERSATION = "conversation"


def _me(actor: Actor) -> tuple[UUID, str]:
    assert actor.official_id is not None
    return actor.official_id, actor.name


async def say(poster: Poster, actor: Actor, conversation_id: UUID, said: MessageIn) -> ledger.Posted:
    """Say something in a conversation. Raises NotFound, Denied, Invalid, Conflict, Unavailable."""
    return await poster.put(await entry_of(actor, conversation_id, said))


async def entry_of(actor: Actor, conversation_id: UUID, said: MessageIn) -> Entry:
    """What somebody says, as it may be kept. Words alone need no database, so what comes in keeps its order. Raises Invalid."""
    rules.check_content(said.text, said.files)
    content = Content(
        text=said.text.rstrip(),
        mentions=tuple(said.mentions),
        reply_to=said.reply_to,
        files=tuple(await _files(conversation_id, said.files)),
    )
    kind = MessageKind.FILE if said.files else MessageKind.TEXT
    return Entry.of(conversation_id, _me(actor), said.cid, kind, content)


async def _files(conversation_id: UUID, ids: Sequence[UUID]) -> list[dict[str, object]]:
    """The files of a message, as it will name them for good. Raises Invalid."""
    if not ids:
        return []
    known = {row.id: row for row in await files.files_of(CONVERSATION, [conversation_id])}
    rules.check_files(ids, {key for key, row in known.items() if row.is_ready})
    rows = [known[key] for key in ids]
    return [
        {"id": str(row.id), "name": row.name, "size": row.size, "media_type": row.media_type, "sha256": row.sha256}
        for row in rows
    ]


async def recall(actor: Actor, conversation_id: UUID, seq: int, reason: str) -> None:
    """Take back one's own message; it stays on record. Raises NotFound, Denied, Invalid, Conflict."""
    rules.check_text(reason)
    async with chained() as work:
        place = await _held(conversation_id)
        message = await access.message(actor, conversation_id, seq)
        rules.recall_ability(actor, message, work.now).check()
        content = Content(text=reason, reply_to=seq)
        entry = Entry.of(conversation_id, _me(actor), f"recall-{message.id}", MessageKind.RECALL, content)
        await ledger.append({place.id: place}, [entry], work.now)
        change = {"recalled_at": work.now, "recalled_by_id": actor.official_id, "recall_reason": reason or None}
        await transition(Message, message.id, expect={"recalled_at": None}, change=change)


async def read(actor: Actor, conversation_id: UUID, seq: int) -> None:
    """Everything up to a message has been read: told to one's other devices, and to those who said it.

    Raises NotFound, Denied, Invalid.
    """
    conversation, mine = await access.present(actor, conversation_id)
    rules.check_read(conversation, seq)
    async with chained() as work:
        if not await Membership.filter(id=mine.id, read_seq__lt=seq).update(read_seq=seq):
            return
        whom = {mine.official_id}
        if not conversation.is_shared:
            whom |= await access.senders(conversation_id, mine.read_seq, seq)
        await ledger.tell(whom, EventKind.READ, conversation_id, seq, mine.official_id, work.now)


async def begin_direct(actor: Actor, partner_id: UUID) -> UUID:
    """The conversation of two officials, which there is once. Raises Invalid."""
    me, _name = _me(actor)
    rules.check_partner(actor, partner_id, await _in_office([partner_id]))
    key = rules.key_of_two(me, partner_id)
    if found := await access.by_key(key):
        return uuid(found.id)
    try:
        async with chained() as work:
            async with conflict_on(STALE):
                row = await _new(ConversationKind.DIRECT, actor, work.now, key=key)
            await _join(row.id, [me, partner_id], 0, work.now)
    except Conflict:  # The other one began it in this moment.
        found = await access.by_key(key)
        if found is None:
            raise
        return uuid(found.id)
    return uuid(row.id)


async def begin_group(actor: Actor, title: str, members: Collection[UUID]) -> UUID:
    """A group of chosen officials, its owner among them. Raises Invalid."""
    me, _name = _me(actor)
    others = set(members) - {me}
    rules.check_text(title)
    rules.check_members(others, await _in_office(others), others=1)
    async with chained() as work:
        row = await _new(ConversationKind.GROUP, actor, work.now, title=title)
        await _join(row.id, [me], 0, work.now, is_owner=True)
        place = await _held(row.id)
        await join(place, others, work.now)
        await _note(actor, place, MessageKind.JOINED, await _named(others), work.now)
    return uuid(row.id)


async def _new(kind: ConversationKind, actor: Actor, now: datetime, **columns: Any) -> Conversation:
    given: dict[str, Any] = {"id": new_id(), "title": "", "created_by_id": actor.official_id} | columns
    return await Conversation.create(**given, kind=kind, last_chain=ledger.FIRST_CHAIN, last_at=now, created_at=now)


async def _join(
    conversation_id: UUID, people: Collection[UUID], seq: int, now: datetime, *, is_owner: bool = False
) -> None:
    """Begin the time of people in a conversation, behind a message."""
    await Membership.bulk_create(
        Membership(
            conversation_id=conversation_id, official_id=one, join_seq=seq, read_seq=seq, is_owner=is_owner, joined_at=now
        )
        for one in people
    )  # fmt: skip


async def _held(conversation_id: UUID) -> Place:
    """A conversation, held until the transaction ends. Raises NotFound."""
    places = await ledger.hold([conversation_id])
    if conversation_id not in places:
        raise NotFound(NOT_FOUND)
    return places[conversation_id]


async def _named(people: Collection[UUID]) -> Content:
    """What a message about these people says."""
    names = await identity.names_of(people)
    return Content(text="、".join(names.values()), mentions=tuple(sorted(people)))


async def _note(
    actor: Actor, place: Place, kind: MessageKind, content: Content, now: datetime, also: tuple[UUID, ...] = ()
) -> None:
    """Write into a conversation what was done with it."""
    entry = Entry.of(place.id, _me(actor), f"{kind}-{new_id()}", kind, content, also=also)
    await ledger.append({place.id: place}, [entry], now)


async def _in_office(people: Collection[UUID]) -> set[UUID]:
    return {one.id for one in await identity.officials(people) if one.active}


async def rename(actor: Actor, conversation_id: UUID, title: str) -> None:
    """Give a group another name. Raises NotFound, Denied, Invalid."""
    rules.check_text(title)
    async with chained() as work:
        place = await _kept_by(actor, conversation_id, "rename")
        await Conversation.filter(id=place.id).update(**sealed_for(Conversation, place.id, {"title": title}))
        await _note(actor, place, MessageKind.RENAMED, Content(text=title), work.now)


async def _kept_by(actor: Actor, conversation_id: UUID, verb: str) -> Place:
    """A conversation that is held, with which the actor may do this. Raises NotFound, Denied."""
    place = await _held(conversation_id)
    conversation, mine = await access.present(actor, conversation_id)
    rules.check(conversation, mine, verb)
    return place


async def add_members(actor: Actor, conversation_id: UUID, people: Collection[UUID]) -> None:
    """Take officials into a group; who is in it already stays as they are. Raises NotFound, Denied, Invalid."""
    async with chained() as work:
        place = await _kept_by(actor, conversation_id, "add_members")
        new = set(people) - place.members
        rules.check_members(new, await _in_office(new), others=len(place.members))
        await join(place, new, work.now)
        await _note(actor, place, MessageKind.JOINED, await _named(new), work.now)


async def join(place: Place, people: Collection[UUID], now: datetime) -> None:
    """Put people into a conversation that is held: they see what is said from now on."""
    await _join(place.id, sorted(people), place.last_seq, now)
    await _change_members(place, place.members.union(people), now)


async def _change_members(place: Place, members: Collection[UUID], now: datetime) -> None:
    """Say that a conversation that is held has these members now; one that has grown large becomes a cursor of its own.

    Of a shared conversation nothing is on anybody's own cursor but this: that it has become one, or is theirs no more.
    """
    before, place.members, place.version = place.members, frozenset(members), place.version + 1
    was_shared, place.is_shared = place.is_shared, place.is_shared or len(place.members) > rules.SHARED_FROM
    if place.is_shared:
        told = before ^ place.members if was_shared else before | place.members
        await ledger.tell(told, EventKind.LIST, place.id, 0, None, now)
    await Conversation.filter(id=place.id).update(members_version=place.version, is_shared=place.is_shared)


async def remove_member(actor: Actor, conversation_id: UUID, official_id: UUID) -> None:
    """Take an official off a group, or leave it. Raises NotFound, Denied."""
    verb = "leave" if official_id == actor.official_id else "remove_members"
    async with chained() as work:
        place = await _kept_by(actor, conversation_id, verb)
        if official_id not in place.members:
            raise NotFound(NOT_FOUND)
        await leave(place, [official_id], work.now)
        await _note(actor, place, MessageKind.LEFT, await _named([official_id]), work.now, also=(official_id,))


async def leave(place: Place, people: Collection[UUID], now: datetime) -> None:
    """End the time of people in a conversation that is held: the message that says so is the last they see."""
    rows = Membership.filter(conversation_id=place.id, official_id__in=list(people), leave_seq=None)
    await rows.update(leave_seq=place.last_seq + 1)
    await _change_members(place, place.members - set(people), now)


async def hand_over(actor: Actor, conversation_id: UUID, official_id: UUID) -> None:
    """Make another member the owner of a group. Raises NotFound, Denied."""
    async with chained() as work:
        place = await _kept_by(actor, conversation_id, "hand_over")
        if official_id not in place.members:
            raise NotFound(NOT_FOUND)
        rows = Membership.filter(conversation_id=place.id, leave_seq=None)
        await rows.update(is_owner=False)
        await rows.filter(official_id=official_id).update(is_owner=True)
        await _note(actor, place, MessageKind.OWNER, await _named([official_id]), work.now)


async def arrange(actor: Actor, conversation_id: UUID, change: dict[str, bool]) -> None:
    """How the actor has a conversation in their own list, on all devices. Raises NotFound, Denied."""
    _conversation, mine = await access.present(actor, conversation_id)
    async with chained() as work:
        await Membership.filter(id=mine.id).update(**change)
        await ledger.tell([mine.official_id], EventKind.LIST, conversation_id, 0, mine.official_id, work.now)
