"""Messaging over HTTP, and the line of OIM/1 over WebSocket. Whatever the one does, the other does too."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from oa_server.core import clock
from oa_server.core.errors import Conflict, Denied, Gone, Invalid, NotFound, NotSignedIn, OaError, Unavailable
from oa_server.core.tasks import is_ending
from oa_server.messaging import access, actions, frames, rooms
from oa_server.messaging.answers import conversation_out, event_out, members_out, message_out, sent_out
from oa_server.messaging.contacts import contacts
from oa_server.messaging.hub import Hub, Line
from oa_server.messaging.posting import Poster
from oa_server.messaging.protocol import Conversing
from oa_server.messaging.schemas import (
    ColleagueList,
    ColleagueOut,
    ColleaguesQuery,
    ConversationIn,
    ConversationOut,
    CursorEvents,
    DirectIn,
    EventsQuery,
    GroupIn,
    MessageIn,
    MessageList,
    MessagesQuery,
    OwnerIn,
    ParticipantList,
    ParticipantsIn,
    ReadersOut,
    ReadIn,
    RecallIn,
    SentOut,
    Snapshot,
)
from oa_server.web import guard
from oa_server.web.endpoint import Call, endpoint, resource
from oa_server.web.errors import language_of

CLOSE_POLICY, CLOSE_TRY_AGAIN = 1008, 1013
TOUCH_SECONDS = 60.0
SEQ_DIGITS = 15


def _hub(call: Call[Any]) -> Hub:
    found: Hub = call.request.app.state.messaging_hub
    return found


@endpoint(summary="会话列表和游标（同一时刻）", returns=Snapshot)
async def snapshot(call: Call[None]) -> Snapshot:
    await rooms.open_rooms(call.actor)
    cursor, listed = await access.snapshot(call.actor)
    return Snapshot(cursor, clock.now(), [conversation_out(one, call.language) for one in listed])


@endpoint(summary="游标之后的事件", query=EventsQuery, returns=CursorEvents, refuses=[Gone])
async def list_events(call: Call[None]) -> CursorEvents:
    assert call.actor.official_id is not None
    inbox = await access.inbox(call.actor.official_id)
    access.check_cursor(inbox, call.query.after)
    found = await access.events(call.actor.official_id, call.query.after, call.query.limit)
    head = max(inbox.head, found[-1].useq if found else 0)
    return CursorEvents([event_out(one) for one in found], head, bool(found) and found[-1].useq < head)


@endpoint(summary="会话", returns=ConversationOut)
async def show_conversation(call: Call[None]) -> ConversationOut:
    return await _shown(call, call.id())


async def _shown(call: Call[Any], conversation_id: UUID) -> ConversationOut:
    return conversation_out(await access.conversation(call.actor, conversation_id), call.language)


@endpoint(summary="与一人开始单聊（已有则返回）", body=DirectIn, returns=ConversationOut, refuses=[Invalid, NotFound])
async def begin_direct(call: Call[DirectIn]) -> ConversationOut:
    return await _shown(call, await actions.begin_direct(call.actor, call.body.official_id))


@endpoint(summary="建立群聊", body=GroupIn, returns=ConversationOut, status=201, once=True, refuses=[NotFound])
async def begin_group(call: Call[GroupIn]) -> ConversationOut:
    group = await actions.begin_group(call.actor, call.body.title, call.body.members)
    return await _shown(call, group)


@endpoint(summary="更名，或在自己的列表中置顶、免打扰", body=ConversationIn, returns=ConversationOut, refuses=[Denied])
async def change_conversation(call: Call[ConversationIn]) -> ConversationOut:
    wanted = call.body
    if wanted.title is not None:
        await actions.rename(call.actor, call.id(), wanted.title)
    own = {"is_muted": wanted.is_muted, "is_pinned": wanted.is_pinned}
    if change := {name: value for name, value in own.items() if value is not None}:
        await actions.arrange(call.actor, call.id(), change)
    return await _shown(call, call.id())


@endpoint(summary="会话的消息", query=MessagesQuery, returns=MessageList)
async def list_messages(call: Call[None]) -> MessageList:
    asked = call.query
    wanted = access.Stretch(asked.before, asked.after, asked.limit + 1)
    found = await access.messages(call.actor, call.id(), wanted)
    more = len(found) > asked.limit
    shown = found[: asked.limit] if asked.after is not None else found[-asked.limit :]
    return MessageList([message_out(one) for one in shown], more)


@endpoint(summary="发送消息", body=MessageIn, returns=SentOut, status=201, refuses=[Denied, Conflict])
async def say(call: Call[MessageIn]) -> SentOut:
    poster: Poster = call.request.app.state.messaging_poster
    return sent_out(await actions.say(poster, call.actor, call.id(), call.body))


@endpoint(summary="已读到一条消息", body=ReadIn, status=204, refuses=[Denied])
async def read(call: Call[ReadIn]) -> None:
    await actions.read(call.actor, call.id(), call.body.seq)


def _seq(call: Call[Any]) -> int:
    text = call.request.path_params["seq"]
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= SEQ_DIGITS else 0


@endpoint(summary="撤回自己的消息", body=RecallIn, status=204, refuses=[Denied, Conflict])
async def recall(call: Call[RecallIn]) -> None:
    await actions.recall(call.actor, call.id(), _seq(call), call.body.reason)


@endpoint(summary="一条消息的已读和未读人员", returns=ReadersOut, refuses=[Denied])
async def readers(call: Call[None]) -> ReadersOut:
    message = await access.message(call.actor, call.id(), _seq(call))
    rows = [row for row in await access.members(call.actor, call.id()) if row.official_id != message.sender_id]
    there = [row for row in rows if row.join_seq < message.seq]
    online = _hub(call).online(row.official_id for row in there)
    return ReadersOut(
        read=await members_out([row for row in there if row.read_seq >= message.seq], online),
        unread=await members_out([row for row in there if row.read_seq < message.seq], online),
    )


@endpoint(summary="会话的成员", returns=ParticipantList, refuses=[Denied])
async def list_members(call: Call[None]) -> ParticipantList:
    rows = await access.members(call.actor, call.id())
    return ParticipantList(await members_out(rows, _hub(call).online(row.official_id for row in rows)))


@endpoint(summary="增加群聊成员", body=ParticipantsIn, status=204, refuses=[Denied])
async def add_members(call: Call[ParticipantsIn]) -> None:
    await actions.add_members(call.actor, call.id(), call.body.members)


@endpoint(summary="移出群聊成员，或自己退出", status=204, refuses=[Denied])
async def remove_member(call: Call[None]) -> None:
    await actions.remove_member(call.actor, call.id(), call.id("official"))


@endpoint(summary="转让群主", body=OwnerIn, status=204, refuses=[Denied])
async def hand_over(call: Call[OwnerIn]) -> None:
    await actions.hand_over(call.actor, call.id(), call.body.official_id)


@endpoint(summary="联系人（姓名、工号或拼音）", query=ColleaguesQuery, returns=ColleagueList)
async def list_contacts(call: Call[None]) -> ColleagueList:
    found = await contacts(call.query.query, call.query.unit_id)
    online = _hub(call).online(one.official_id for one in found)
    return ColleagueList(
        [
            ColleagueOut(one.official_id, one.name, one.organ, one.unit, one.title, one.official_id in online)
            for one in found
            if one.official_id != call.actor.official_id
        ]
    )


# --- the line -----------------------------------------------------------------------------------------------------------


async def serve_line(socket: WebSocket) -> None:
    """One line of OIM/1, from its handshake to its end."""
    language = language_of(socket.headers)
    try:
        guard.check_origin(socket)
        actor = await guard.actor_of(socket)
    except Unavailable:
        await socket.close(CLOSE_TRY_AGAIN)
        return
    except (NotSignedIn, Denied) as error:
        await socket.accept()
        await _kick(socket, error, language)
        return
    await socket.accept()
    hub: Hub = socket.app.state.messaging_hub
    line = Line(actor, "")
    talk = Conversing(line, hub, socket.app.state.messaging_poster, language)
    steps = (_receive(socket, talk), _send(socket, line), line.ended.wait())
    tasks = [asyncio.create_task(step) for step in steps]
    try:
        done, _rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(line)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if line.ended.is_set():
        await _end(socket, line, language)
    for task in done:
        if (broken := task.exception()) and not isinstance(broken, WebSocketDisconnect | RuntimeError):
            raise broken


async def _receive(socket: WebSocket, talk: Conversing) -> None:
    """Take frames until the client is gone. What it does keeps its session from going idle; being connected does not."""
    touched = time.monotonic()
    while not is_ending():
        try:
            data = await socket.receive_text()
        except (WebSocketDisconnect, KeyError, RuntimeError):  # KeyError: a frame that is not text
            return
        if await talk.receive(data) and time.monotonic() - touched > TOUCH_SECONDS:
            touched = time.monotonic()
            with suppress(OaError):
                await guard.actor_of(socket)


async def _send(socket: WebSocket, line: Line) -> None:
    while True:
        frame = await line.queue.get()
        await socket.send_text(frame.decode())


async def _end(socket: WebSocket, line: Line, language: str) -> None:
    """Close a line that we end: because its client is too slow, or because its session is over, with the reason."""
    with suppress(RuntimeError, WebSocketDisconnect):  # The client may be gone already.
        if line.is_slow:
            await socket.close(CLOSE_TRY_AGAIN)
            return
        try:
            await guard.actor_of(socket, quietly=True)
        except (NotSignedIn, Denied) as error:
            await _kick(socket, error, language)
        except Unavailable:
            await socket.close(CLOSE_TRY_AGAIN)
        else:
            await socket.close(CLOSE_POLICY)


async def _kick(socket: WebSocket, error: OaError, language: str) -> None:
    frame = frames.Kick(error.code, error.reason.title(language))
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_text(frames.encode(frame).decode())
        await socket.close(CLOSE_POLICY)


routes = [
    resource("/api/im/snapshot", GET=snapshot),
    resource("/api/im/events", GET=list_events),
    resource("/api/im/contacts", GET=list_contacts),
    resource("/api/im/direct", POST=begin_direct),
    resource("/api/im/conversations", POST=begin_group),
    resource("/api/im/conversations/{id}", GET=show_conversation, PATCH=change_conversation),
    resource("/api/im/conversations/{id}/messages", GET=list_messages, POST=say),
    resource("/api/im/conversations/{id}/messages/{seq}/recall", POST=recall),
    resource("/api/im/conversations/{id}/messages/{seq}/readers", GET=readers),
    resource("/api/im/conversations/{id}/read", POST=read),
    resource("/api/im/conversations/{id}/members", GET=list_members, POST=add_members),
    resource("/api/im/conversations/{id}/members/{official}", DELETE=remove_member),
    resource("/api/im/conversations/{id}/owner", POST=hand_over),
]

line_route = WebSocketRoute("/api/im/line", serve_line)
