"""People who talk: what they say over HTTP, and what their line tells them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.city import Browser, City
from tests.sockets import Socket, connected

VERSION = 1


def new_cid() -> str:
    return secrets.token_hex(8)


async def direct(city: City, browser: Browser, partner: str) -> str:
    """The conversation with somebody."""
    answer = await browser.send("POST", "/api/im/direct", json={"official_id": city.people[partner]})
    answer.raise_for_status()
    return str(answer.json()["id"])


async def group(city: City, owner: Browser, *people: str, title: str = "迎检工作群") -> str:
    """A group that `owner` begins with these people."""
    body = {"title": title, "members": [city.people[one] for one in people]}
    answer = await owner.send("POST", "/api/im/conversations", json=body)
    answer.raise_for_status()
    return str(answer.json()["id"])


async def say(browser: Browser, conversation: str, text: str, **others: Any) -> httpx.Response:
    body = {"cid": new_cid(), "text": text, **others}
    return await browser.send("POST", f"/api/im/conversations/{conversation}/messages", json=body)


async def said(browser: Browser, conversation: str, **query: Any) -> list[dict[str, Any]]:
    """The messages of a conversation as somebody sees them."""
    answer = await browser.get(f"/api/im/conversations/{conversation}/messages", params=query)
    answer.raise_for_status()
    return list(answer.json()["items"])


async def texts(browser: Browser, conversation: str) -> list[str]:
    return [one["text"] for one in await said(browser, conversation)]


async def snapshot(browser: Browser) -> dict[str, Any]:
    answer = await browser.get("/api/im/snapshot")
    answer.raise_for_status()
    return dict(answer.json())


async def listed(browser: Browser, conversation: str) -> dict[str, Any]:
    """A conversation as it stands in somebody's list."""
    return next(one for one in (await snapshot(browser))["conversations"] if one["id"] == conversation)


async def events(browser: Browser, after: int = 0) -> list[dict[str, Any]]:
    answer = await browser.get("/api/im/events", params={"after": after})
    answer.raise_for_status()
    return list(answer.json()["events"])


@asynccontextmanager
async def line(city: City, browser: Browser, *, cursor: int | None = None) -> AsyncIterator[Socket]:
    """A line that has greeted, and has been welcomed; from the end of the cursor when none is given."""
    if cursor is None:
        cursor = (await snapshot(browser))["cursor"]
    async with connected(city, browser, "/api/im/line") as socket:
        await socket.say({"t": "hello", "v": VERSION, "device": "test", "cursor": cursor})
        assert (await socket.hears())["t"] == "welcome"
        yield socket


async def heard(socket: Socket, kind: str) -> dict[str, Any]:
    """The next frame of a kind."""
    while (frame := await socket.hears())["t"] != kind:
        pass
    return frame
