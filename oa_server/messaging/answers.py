"""Messaging's rows in the words of the wire."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import msgspec

from oa_server.identity import access as identity
from oa_server.messaging import rules
from oa_server.messaging.access import Event, Listed, Said
from oa_server.messaging.ledger import Posted
from oa_server.messaging.models import Membership
from oa_server.messaging.schemas import (
    ConversationOut,
    CursorEvent,
    FileShown,
    MessageOut,
    ParticipantOut,
    RecalledOut,
    SentOut,
)
from oa_server.messaging.states import EventKind
from oa_server.web.shapes import ability_out


def message_out(said: Said) -> MessageOut:
    """A message as its readers see it."""
    recalled = RecalledOut(said.recalled_at, said.recalled_by, said.recall_reason) if said.recalled_at else None
    return MessageOut(
        conversation_id=said.conversation_id,
        seq=said.seq,
        cid=said.cid,
        sender_id=said.sender_id,
        sender=said.sender,
        at=said.at,
        kind=said.kind,
        text=said.content.text,
        mentions=list(said.content.mentions),
        reply_to=said.content.reply_to,
        files=[msgspec.convert(one, FileShown) for one in said.content.files],
        recalled=recalled,
    )


def told(one: Posted) -> CursorEvent:
    """The event that tells of a message that was kept this moment, with no number: each who is told has their own."""
    entry = one.entry
    shown = Said(
        one.id, entry.conversation_id, one.seq, entry.cid, entry.sender_id, entry.sender, one.at, entry.kind, entry.content, None, "", ""
    )  # fmt: skip
    return CursorEvent(EventKind.MESSAGE, one.at, 0, entry.conversation_id, one.seq, message=message_out(shown))


def sent_out(one: Posted) -> SentOut:
    """To the sender: where their message is."""
    entry = one.entry
    useq = one.useqs.get(entry.sender_id, 0)
    return SentOut(entry.cid, entry.conversation_id, one.seq, useq, one.at, one.dup)


def event_out(event: Event) -> CursorEvent:
    """An event of a cursor, as it is pulled."""
    return CursorEvent(
        useq=event.useq,
        kind=event.kind,
        at=event.at,
        conversation_id=event.conversation_id,
        seq=event.seq,
        by=event.by_id,
        message=message_out(event.message) if event.message else None,
    )


def conversation_out(listed: Listed, language: str) -> ConversationOut:
    """A conversation in somebody's list."""
    conversation, mine = listed.conversation, listed.membership
    return ConversationOut(
        id=conversation.id,
        kind=conversation.kind,
        title=listed.title,
        partner_id=listed.partner_id,
        member_count=listed.member_count,
        last_seq=mine.leave_seq if mine.leave_seq is not None else conversation.last_seq,
        read_seq=mine.read_seq,
        join_seq=mine.join_seq,
        left=mine.leave_seq is not None,
        last_at=listed.last.at if listed.last else conversation.last_at,
        last_message=message_out(listed.last) if listed.last else None,
        unread=listed.unread,
        is_shared=conversation.is_shared,
        is_muted=mine.is_muted,
        is_pinned=mine.is_pinned,
        abilities=[ability_out(one, language) for one in rules.abilities(conversation, mine)],
    )


async def members_out(rows: Sequence[Membership], online: Collection[UUID]) -> list[ParticipantOut]:
    """Members with where they act."""
    people = await identity.people([row.official_id for row in rows])
    return [
        ParticipantOut(
            official_id=row.official_id,
            name=person.name,
            organ=person.organ,
            unit=person.unit,
            is_owner=row.is_owner,
            read_seq=row.read_seq,
            is_online=row.official_id in online,
        )
        for row in rows
        if (person := people.get(row.official_id))
    ]
