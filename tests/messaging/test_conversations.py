"""Conversations as officials have them: with one another, in groups, and in the rooms of their units."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tortoise.transactions import in_transaction

from oa_server.demo.enrolment import actor_named
from oa_server.identity import access as identity
from oa_server.identity import keeping
from oa_server.messaging.jobs import anchor
from oa_server.messaging.models import Conversation, Message
from oa_server.storage import sealing
from oa_server.storage.database import execute_many, select
from oa_server.verification.messages import message_faults
from tests.city import City, told
from tests.messaging.conftest import direct, events, group, listed, new_cid, said, say, snapshot, texts


async def test_two_talk(city: City) -> None:
    """Two officials have one conversation, whoever begins it, and both see what was said, in order, each message once."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    conversation = await direct(city, wang, "zhou")
    assert await direct(city, zhou, "wang") == conversation
    first = await say(wang, conversation, "周敏你好，通知收到了吗？")
    assert first.status_code == 201
    assert (first.json()["seq"], first.json()["dup"]) == (1, False)
    await say(zhou, conversation, "收到。", reply_to=1)
    assert await texts(wang, conversation) == await texts(zhou, conversation) == ["周敏你好，通知收到了吗？", "收到。"]
    assert (await said(zhou, conversation))[1]["reply_to"] == 1
    mine = await listed(zhou, conversation)
    assert (mine["title"], mine["unread"], mine["partner_id"]) == ("王建国", 1, city.people["wang"])


async def test_said_twice_is_said_once(city: City) -> None:
    """A message that is sent again under its name is not said again; another one under that name is refused."""
    wang = await city.signed_in("wang")
    conversation, cid = await direct(city, wang, "zhou"), new_cid()
    first = await say(wang, conversation, "第一稿已改好", cid=cid)
    again = await say(wang, conversation, "第一稿已改好", cid=cid)
    assert again.json() == first.json() | {"dup": True, "useq": 0}
    other = await say(wang, conversation, "第二稿已改好", cid=cid)
    assert told(other) == (409, "messaging.cid_conflict")
    elsewhere = await say(wang, await direct(city, wang, "feng"), "第一稿已改好", cid=cid)
    assert told(elsewhere) == (409, "messaging.cid_conflict")
    assert await texts(wang, conversation) == ["第一稿已改好"]


async def test_cursors_have_no_gap(city: City) -> None:
    """Whatever happens, each official's events are numbered 1, 2, 3 …, and each message of a conversation as well."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    conversation, both = await group(city, wang, "zhou", "li"), await direct(city, wang, "zhou")
    for number in range(3):
        await say(wang, conversation, f"群里第{number}条")
        await say(zhou, both, f"单聊第{number}条")
    await zhou.send("POST", f"/api/im/conversations/{conversation}/read", json={"seq": 4})
    for browser in (wang, zhou):
        told_events = await events(browser)
        assert [one["useq"] for one in told_events] == list(range(1, len(told_events) + 1))
        assert (await snapshot(browser))["cursor"] == len(told_events)
    assert [one["seq"] for one in await said(wang, conversation)] == [1, 2, 3, 4]
    behind = await events(wang, after=len(await events(wang)) - 1)
    assert [(one["kind"], one["seq"], one["by"]) for one in behind] == [("read", 4, city.people["zhou"])]


async def test_a_group_and_its_owner(city: City) -> None:
    """The owner names the group and decides who is in it; whoever comes sees what is said from then on, whoever goes no more."""
    wang, zhou, feng = [await city.signed_in(one) for one in ("wang", "zhou", "feng")]
    conversation = await group(city, wang, "zhou")
    path = f"/api/im/conversations/{conversation}"
    await say(wang, conversation, "冯静来之前")
    assert told(await zhou.send("PATCH", path, json={"title": "改名"})) == (403, "messaging.not_owner")
    assert (await feng.get(path)).status_code == 404
    assert (await wang.send("POST", f"{path}/members", json={"members": [city.people["feng"]]})).status_code == 204
    await say(wang, conversation, "冯静来之后")
    assert [(one["kind"], one["text"]) for one in await said(feng, conversation)] == [
        ("joined", "冯静"), ("text", "冯静来之后"),
    ]  # fmt: skip
    assert (await wang.send("DELETE", f"{path}/members/{city.people['feng']}")).status_code == 204
    await say(wang, conversation, "冯静走之后")
    assert [one["kind"] for one in await said(feng, conversation)] == ["joined", "text", "left"]
    assert (await listed(feng, conversation))["left"] is True
    assert told(await say(feng, conversation, "我还在吗")) == (403, "messaging.not_a_member")
    assert told(await wang.send("DELETE", f"{path}/members/{city.people['wang']}")) == (403, "messaging.owner_stays")
    await wang.send("POST", f"{path}/owner", json={"official_id": city.people["zhou"]})
    renamed = await zhou.send("PATCH", path, json={"title": "年终迎检"})
    assert renamed.json()["title"] == "年终迎检"
    assert (await wang.send("DELETE", f"{path}/members/{city.people['wang']}")).status_code == 204
    await wang.send("POST", f"{path}/members", json={"members": [city.people["feng"]]})
    back = await zhou.send("POST", f"{path}/members", json={"members": [city.people["feng"]]})
    assert back.status_code == 204
    assert [one["kind"] for one in await said(feng, conversation)] == ["joined", "text", "left", "joined"]
    assert "冯静走之后" not in await texts(feng, conversation)


async def test_rooms_follow_the_directory(city: City) -> None:
    """A unit and an organ have a room each, of whoever is in office there; who moves on sees no more of it at once."""
    wang, li = await city.signed_in("wang"), await city.signed_in("li")
    rooms = {one["title"]: one for one in (await snapshot(wang))["conversations"]}
    assert set(rooms) == {"综合科", "市政府办公室"}
    unit = rooms["综合科"]
    assert (unit["kind"], unit["member_count"]) == ("unit", 3)
    denied = {one["verb"]: one["reason"]["code"] for one in unit["abilities"] if not one["allowed"]}
    assert denied["leave"] == denied["add_members"] == "messaging.follows_directory"
    await say(li, unit["id"], "下午三点开会")
    await move(city, "wang", "秘书科")
    assert [one["kind"] for one in await said(wang, unit["id"])] == ["text", "left"]
    await say(li, unit["id"], "王建国调走了")
    assert "王建国调走了" not in await texts(wang, unit["id"])
    assert {one["title"] for one in (await snapshot(wang))["conversations"] if not one["left"]} == {
        "秘书科",
        "市政府办公室",
    }


async def move(city: City, person: str, unit: str) -> None:
    """The system administrator gives an official a post in another unit of their organ, and ends the one they had."""
    sys, official = await actor_named("sys"), UUID(city.people[person])
    (former,) = await identity.posts_held(official)
    (new,) = [row for row in await identity.units_of(former.organ_id) if row.name == unit]
    await keeping.enter_post(sys, official, new.id, {"title": "科员", "is_principal": False})
    await keeping.end_post(sys, former.id)


async def test_recall(city: City) -> None:
    """Within two minutes one takes back one's own message: its words are gone for everybody, and that it was there stays."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    conversation = await direct(city, wang, "zhou")
    await say(wang, conversation, "发错了")
    path = f"/api/im/conversations/{conversation}/messages/1/recall"
    assert told(await zhou.send("POST", path, json={})) == (403, "messaging.not_yours")
    assert (await wang.send("POST", path, json={"reason": "发错群"})).status_code == 204
    first, note = await said(zhou, conversation)
    assert (first["text"], first["recalled"]["by"], first["recalled"]["reason"]) == ("", "王建国", "发错群")
    assert (note["kind"], note["reply_to"]) == ("recall", 1)
    assert told(await wang.send("POST", path, json={})) == (403, "messaging.recalled_already")
    assert (await listed(zhou, conversation))["unread"] == 0


async def test_who_has_read(city: City) -> None:
    """The sender sees who has read a message and who has not; nobody can have read what was not said yet."""
    wang, zhou, feng = [await city.signed_in(one) for one in ("wang", "zhou", "feng")]
    conversation = await group(city, wang, "zhou", "feng")
    seq = (await say(wang, conversation, "请各位阅知")).json()["seq"]
    path = f"/api/im/conversations/{conversation}"
    assert (await zhou.send("POST", f"{path}/read", json={"seq": seq})).status_code == 204
    assert told(await feng.send("POST", f"{path}/read", json={"seq": 99})) == (422, "messaging.unseen_part")
    readers = (await wang.get(f"{path}/messages/{seq}/readers")).json()
    assert [one["name"] for one in readers["read"]] == ["周敏"]
    assert [one["name"] for one in readers["unread"]] == ["冯静"]
    assert (await listed(zhou, conversation))["unread"] == 0
    assert (await listed(feng, conversation))["unread"] == 1


async def test_files_of_a_conversation(city: City) -> None:
    """A file is brought into a conversation, sent with a message, and read by whoever is in it and nobody else."""
    wang, zhou, feng = [await city.signed_in(one) for one in ("wang", "zhou", "feng")]
    conversation = await direct(city, wang, "zhou")
    body = {"name": "方案.txt", "size": 6, "subject_type": "conversation", "subject_id": conversation}
    assert (await feng.send("POST", "/api/files", json=body)).status_code == 404
    file = (await wang.send("POST", "/api/files", json=body)).json()["id"]
    assert told(await say(wang, conversation, "", files=[file])) == (422, "messaging.no_such_file")
    await wang.put_part(file, 0, "方案".encode())
    assert (await say(wang, conversation, "", files=[file])).status_code == 201
    (shown,) = await said(zhou, conversation)
    assert (shown["kind"], shown["files"][0]["name"], shown["files"][0]["size"]) == ("file", "方案.txt", 6)
    assert (await zhou.get(f"/api/files/{file}/content")).text == "方案"
    assert (await feng.get(f"/api/files/{file}/content")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "  \n"}, "messaging.empty"),
        ({"text": "请看\u202e文件"}, "messaging.invisible_characters"),
        ({"text": "请看\u200b文件"}, "messaging.invisible_characters"),
        ({"text": "字" * 5001}, "web.invalid"),
        ({"reply_to": 7}, "messaging.no_such_message"),
        ({"mentions": ["feng"]}, "messaging.mention_outside"),
        ({"mentions": ["zhou"] * 101}, "web.invalid"),
        ({"cid": "短"}, "web.invalid"),
    ],
)
async def test_what_cannot_be_said(city: City, changes: dict[str, object], code: str) -> None:
    """Words that say nothing, hide something or name what is not there are refused, and nothing is kept of them."""
    wang = await city.signed_in("wang")
    conversation = await direct(city, wang, "zhou")
    if "mentions" in changes:
        changes = {"mentions": [city.people[str(one)] for one in changes["mentions"]]}  # type: ignore[attr-defined]
    assert told(await say(wang, conversation, **{"text": "好", **changes})) == (422, code)
    assert await said(wang, conversation) == []


async def test_whom_one_may_talk_to(city: City) -> None:
    """Colleagues are found by name, number or the sound of their name; nobody talks to themselves or to who is not there."""
    wang = await city.signed_in("wang")
    for words in ("周敏", "zhou", "zhoum", "ZhouMin"):
        found = (await wang.get("/api/im/contacts", params={"query": words})).json()["items"]
        assert [(one["name"], one["organ"]) for one in found] == [("周敏", "市财政局")]
    by_initials = (await wang.get("/api/im/contacts", params={"query": "zm"})).json()["items"]
    assert {one["name"] for one in by_initials} == {"赵明", "周敏"}
    mine = {"official_id": city.people["wang"]}
    assert told(await wang.send("POST", "/api/im/direct", json=mine)) == (422, "messaging.with_yourself")
    nobody = {"official_id": city.organs["JC001"]}
    assert told(await wang.send("POST", "/api/im/direct", json=nobody)) == (422, "messaging.not_in_office")
    empty = {"title": "空群", "members": [city.people["wang"]]}
    assert told(await wang.send("POST", "/api/im/conversations", json=empty)) == (422, "messaging.nobody_else")


async def test_of_others_nothing_is_seen(city: City) -> None:
    """To who was never in a conversation there is none, whatever they try."""
    wang, feng = await city.signed_in("wang"), await city.signed_in("feng")
    conversation = await direct(city, wang, "zhou")
    await say(wang, conversation, "内部事项")
    path = f"/api/im/conversations/{conversation}"
    for answer in (
        await feng.get(path),
        await feng.get(f"{path}/messages"),
        await feng.get(f"{path}/members"),
        await feng.get(f"{path}/messages/1/readers"),
        await say(feng, conversation, "我也来"),
        await feng.send("POST", f"{path}/read", json={"seq": 1}),
        await feng.send("POST", f"{path}/messages/1/recall", json={}),
        await feng.send("POST", f"{path}/members", json={"members": [city.people["feng"]]}),
    ):
        assert told(answer) == (404, "core.not_found")
    assert await events(feng) == []


async def test_nothing_said_is_quietly_changed(city: City) -> None:
    """Each message holds the digest of the one before it, and the audit log where a conversation ended: a message that was
    changed, put in, taken away or renumbered in the database is named, also when the last ones are simply gone."""
    wang = await city.signed_in("wang")
    conversation = await direct(city, wang, "zhou")
    for number in range(1, 5):
        await say(wang, conversation, f"第{number}条")
    await wang.send("POST", f"/api/im/conversations/{conversation}/messages/2/recall", json={"reason": "有误"})
    await anchor()
    assert [fault async for fault in message_faults()] == []
    rows = await Message.filter(conversation_id=conversation).order_by("seq")
    for spoilt in (
        {"content_sha256": "0" * 64},
        {"at": rows[1].at + timedelta(minutes=1)},
        {"sender_id": UUID(city.people["zhou"])},
        {"content": sealing.sealed("message", "content", rows[1].id, b'{"text":"x"}')},
    ):
        before = {name: (await raw(rows[1].id))[name] for name in spoilt}
        await change(rows[1].id, spoilt)
        assert f"message:{rows[1].id}" in {fault.where async for fault in message_faults()}, spoilt
        await change(rows[1].id, before)
    assert [fault async for fault in message_faults()] == []
    await Message.filter(conversation_id=conversation, seq=5).delete()
    last = rows[3]
    await Conversation.filter(id=conversation).update(last_seq=4, last_chain=last.chain)
    assert {fault.where async for fault in message_faults()} == {f"conversation:{conversation}"}


async def raw(message_id: UUID) -> dict[str, Any]:
    return (await select("SELECT * FROM message WHERE id = ?", [message_id]))[0]


async def change(message_id: UUID, columns: dict[str, Any]) -> None:
    """Change a message behind the program's back."""
    names = ", ".join(f"{name} = ?" for name in columns)
    async with in_transaction("default"):
        await execute_many(f"UPDATE message SET {names} WHERE id = ?", [[*columns.values(), message_id]])
