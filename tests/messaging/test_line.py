"""The line of OIM/1: what a client hears, and what it is told when it does something wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oa_server.messaging import frames, rules
from oa_server.messaging.frames import FRAME_LIMIT
from oa_server.messaging.schemas import CursorEvent, MessageIn
from oa_server.web.live import CLOSE_POLICY
from tests.city import City
from tests.messaging.conftest import VERSION, direct, group, heard, line, new_cid, say, snapshot
from tests.sockets import connected


async def test_a_message_arrives(city: City) -> None:
    """What one official sends the other hears at once, with its number; the sender is told that it is kept."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    conversation, cid = await direct(city, wang, "zhou"), new_cid()
    async with line(city, wang) as mine, line(city, zhou) as theirs:
        await mine.say({"t": "send", "conv": conversation, "message": {"cid": cid, "text": "到了吗"}})
        sent = await heard(mine, "sent")
        assert (sent["cid"], sent["seq"], sent["dup"]) == (cid, 1, False)
        event = await heard(theirs, "event")
        assert (event["useq"], event["prev"], event["event"]["kind"]) == (1, 0, "message")
        assert (event["event"]["message"]["text"], event["event"]["message"]["sender"]) == ("到了吗", "王建国")
        await mine.say({"t": "send", "conv": conversation, "message": {"cid": cid, "text": "到了吗"}})
        again = await heard(mine, "sent")
        assert (again["seq"], again["dup"]) == (1, True)


async def test_what_was_missed(city: City) -> None:
    """A client that comes back is given what it missed, in order, and then what happens from then on."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    conversation = await direct(city, wang, "zhou")
    for number in range(1, 8):
        await say(wang, conversation, f"第{number}条")
    async with connected(city, zhou, "/api/im/line") as theirs:
        await theirs.say({"t": "hello", "v": VERSION, "device": "phone", "cursor": 3})
        welcome, batch = await theirs.hears(), await theirs.hears()
        assert (welcome["t"], welcome["head"], welcome["min"]) == ("welcome", 7, 0)
        assert (batch["t"], batch["after"], batch["more"]) == ("batch", 3, False)
        assert [(one["useq"], one["message"]["text"]) for one in batch["events"]] == [
            (n, f"第{n}条") for n in range(4, 8)
        ]
        await say(wang, conversation, "第8条")
        assert (await heard(theirs, "event"))["useq"] == 8
        await theirs.say({"t": "pull", "after": 0, "limit": 2})
        pulled = await heard(theirs, "batch")
        assert ([one["useq"] for one in pulled["events"]], pulled["more"]) == ([1, 2], True)
        await theirs.say({"t": "ping", "cursor": 8})
        assert (await heard(theirs, "pong"))["head"] == 8


async def test_a_cursor_of_the_future(city: City) -> None:
    """A cursor that the server never gave cannot be gone on from: the client is told to begin with a snapshot."""
    zhou = await city.signed_in("zhou")
    async with line(city, zhou, cursor=99) as theirs:
        assert await heard(theirs, "reset") == {"t": "reset", "min": 0, "head": 0}
    answer = await zhou.get("/api/im/events", params={"after": 99})
    assert (answer.status_code, answer.json()["code"]) == (410, "messaging.reset")


async def test_by_http_and_by_line(city: City) -> None:
    """Whatever is done over HTTP, a line hears: a group, who comes and goes, what is read, and what is taken back."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    async with line(city, wang) as mine, line(city, zhou) as theirs:
        conversation = await group(city, wang, "zhou")
        assert (await heard(theirs, "event"))["event"]["message"]["kind"] == "joined"
        await say(wang, conversation, "请阅")
        assert (await heard(theirs, "event"))["event"]["seq"] == 2
        await theirs.say({"t": "read", "conv": conversation, "seq": 2})
        while (event := (await heard(mine, "event"))["event"])["kind"] != "read":
            pass
        assert (event["seq"], event["by"]) == (2, city.people["zhou"])
        await mine.say({"t": "recall", "cid": new_cid(), "conv": conversation, "seq": 2, "reason": ""})
        while (event := (await heard(theirs, "event"))["event"])["kind"] != "message":
            pass
        assert (event["message"]["kind"], event["message"]["reply_to"]) == ("recall", 2)
        await mine.say({"t": "typing", "conv": conversation})
        assert (await heard(theirs, "typing"))["official"] == city.people["wang"]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"t": "dance"}, "web.invalid"),
        ({"t": "ping", "more": 1}, "web.invalid"),
        ({"t": "ping", "cursor": -1}, "web.invalid"),
        ({"t": "pull", "after": 0, "limit": 10_000}, "web.invalid"),
        ({"t": "hello", "v": 1, "device": "x", "cursor": 0}, "messaging.greeted_already"),
        ({"t": "ping", "more": "字" * 20_000}, "web.too_large"),
        ([1, 2, 3], "web.invalid"),
    ],
)
async def test_frames_that_are_none(city: City, frame: object, code: str) -> None:
    """A frame that means nothing is answered with the reason, and the line goes on."""
    zhou = await city.signed_in("zhou")
    async with line(city, zhou) as theirs:
        await theirs.say(frame)  # type: ignore[arg-type]
        assert (await heard(theirs, "err"))["code"] == code
        await theirs.say({"t": "ping"})
        assert (await heard(theirs, "pong"))["head"] == 0


async def test_whoever_does_not_greet(city: City) -> None:
    """Nothing is answered before the greeting, and another version is not spoken."""
    zhou = await city.signed_in("zhou")
    async with connected(city, zhou, "/api/im/line") as theirs:
        await theirs.say({"t": "ping"})
        assert (await heard(theirs, "err"))["code"] == "messaging.not_greeted"
        await theirs.say({"t": "hello", "v": 2, "device": "x", "cursor": 0})
        assert (await heard(theirs, "err"))["facts"] == {"version": VERSION}


async def test_other_peoples_conversations(city: City) -> None:
    """Nobody speaks, reads or listens where they are not, and the refusal names the message that was refused."""
    wang, feng = await city.signed_in("wang"), await city.signed_in("feng")
    conversation, cid = await direct(city, wang, "zhou"), new_cid()
    async with line(city, feng) as theirs:
        await theirs.say({"t": "send", "conv": conversation, "message": {"cid": cid, "text": "我是谁"}})
        refused = await heard(theirs, "err")
        assert (refused["code"], refused["cid"]) == ("core.not_found", cid)
        for frame in ({"t": "read", "seq": 1}, {"t": "typing"}, {"t": "pull", "after": 0}):
            await theirs.say({"conv": conversation, **frame})
            assert (await heard(theirs, "err"))["code"] == "core.not_found"
        bad = {"cid": cid, "text": "看\u200b不见"}
        await theirs.say({"t": "send", "conv": conversation, "message": bad})
        assert (await heard(theirs, "err"))["cid"] == cid
        await theirs.say({"t": "send", "conv": conversation, "message": {"cid": cid, "text": "x", "sender": "wang"}})
        assert (await heard(theirs, "err"))["code"] == "web.invalid"


async def test_too_many_frames(city: City) -> None:
    """Who floods the line is told to wait; nobody else is disturbed, and after the pause the line goes on."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    conversation = await direct(city, wang, "zhou")
    async with line(city, zhou) as flooding, line(city, wang) as other:
        waiting = asyncio.create_task(heard(flooding, "err"))
        while not waiting.done():
            await flooding.say({"t": "ping"})
            await asyncio.sleep(0)
        refused = waiting.result()
        assert (refused["code"], refused["retry_after"]) == ("messaging.too_fast", 1)
        await other.say({"t": "send", "conv": conversation, "message": {"cid": new_cid(), "text": "照常"}})
        assert (await heard(other, "sent"))["seq"] == 1
        assert (await heard(flooding, "event"))["useq"] == 1
    assert FRAME_LIMIT < 64 << 10, "what a line may send fits into what the server reads at once"


async def test_who_does_not_listen(city: City) -> None:
    """A client that takes nothing is let go, and finds everything when it comes back."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    conversation = await direct(city, wang, "zhou")
    hub = city.app.state.messaging_hub
    async with line(city, zhou, cursor=0):
        (slow,) = hub._lines[slow_id] if (slow_id := next(iter(hub._lines))) else ()
        for _frame in range(slow.queue.maxsize + 1):
            slow.put(b"{}")
        assert slow.is_slow
        await asyncio.wait_for(slow.ended.wait(), 5)
    await say(wang, conversation, "还在")
    assert (await snapshot(zhou))["cursor"] == 1


async def test_a_session_that_ends(city: City) -> None:
    """When a certificate is revoked, its holder's line is cut within five seconds, with the reason."""
    zhou = await city.signed_in("zhou")
    async with line(city, zhou) as theirs:
        await city.revoke("zhou")
        async with asyncio.timeout(5):
            kicked = await heard(theirs, "kick")
        assert kicked["code"].startswith("identity.")
        assert await theirs.is_closed() == CLOSE_POLICY


async def test_who_is_not_signed_in(city: City) -> None:
    """Without a session there is no line, and no other site opens one with somebody's session."""
    async with connected(city, city.browser("zhou"), "/api/im/line") as stranger:
        assert (await heard(stranger, "kick"))["code"] == "web.no_session"
        assert await stranger.is_closed() == CLOSE_POLICY
    zhou = await city.signed_in("zhou")
    async with connected(city, zhou, "/api/im/line", origin="https://evil.example") as foreign:
        assert (await heard(foreign, "kick"))["code"] == "web.wrong_origin"


def test_the_protocol_page_names_everything() -> None:
    """The page by which others write clients names every frame and every member of it."""
    page = (Path(__file__).parent.parent.parent / "deploy" / "protocol-oim.zh.md").read_text("utf-8")
    kinds = [one for one in vars(frames).values() if isinstance(one, type) and issubclass(one, frames.Frame)]
    assert len(kinds) > 14
    for kind in [one for one in kinds if one is not frames.Frame] + [MessageIn, CursorEvent]:
        tag = kind.__struct_config__.tag
        missing = [name for name in (*kind.__struct_fields__, *([tag] if tag else [])) if f"`{name}`" not in page]
        assert missing == [], kind.__name__


async def test_a_conversation_of_very_many(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation that has grown large is a cursor of its own: everybody is told that it is, a message is one row for all, and
    who comes back goes on from its number; who is taken off hears no more of it."""
    monkeypatch.setattr(rules, "SHARED_FROM", 2)
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    conversation = await group(city, wang, "zhou", "feng")
    begun = (await snapshot(zhou))["cursor"]
    told = (await zhou.get("/api/im/events")).json()["events"]
    assert [one["kind"] for one in told if one["conversation_id"] == conversation] == ["list"]
    async with line(city, zhou) as theirs:
        for number in (2, 3):
            await say(wang, conversation, f"第{number}条")
            frame = await heard(theirs, "event")
            assert (frame["conv"], frame["useq"], frame["prev"]) == (conversation, number, number - 1)
            assert frame["event"]["message"]["text"] == f"第{number}条"
    assert (await snapshot(zhou))["cursor"] == begun, "nothing of it is on their own cursor"
    await say(wang, conversation, "第4条")
    async with connected(city, zhou, "/api/im/line") as theirs:
        hello = {"t": "hello", "v": VERSION, "device": "pc", "cursor": begun, "shared": {conversation: 2}}
        await theirs.say(hello)
        batch = await heard(theirs, "batch")
        assert (batch["conv"], batch["head"]) == (conversation, 4)
        assert [one["seq"] for one in batch["events"]] == [3, 4]
        await wang.send("DELETE", f"/api/im/conversations/{conversation}/members/{city.people['zhou']}")
        assert (await heard(theirs, "event"))["event"]["kind"] == "list"
        await say(wang, conversation, "第6条")
        await theirs.say({"t": "pull", "after": 4, "conv": conversation})
        assert [one["message"]["kind"] for one in (await heard(theirs, "batch"))["events"]] == ["left"]
