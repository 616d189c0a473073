"""One document on its way through the city, stopped at any stage, so that a test begins where its story does.

The stages are walked once per column, each from a copy of the one before; what a test gets is a copy of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.city import BODY, Browser, City
from tests.conftest import Founded, running

ATTACHMENT = "附表：\n一、办公室；二、财政局。\n".encode()

# Each stage with who does what to reach it from the one before.
STAGES = {
    "drafted": ("wang", ""),
    "submitted": ("wang", "submit"),
    "reviewed": ("li", "approve"),
    "cleared": ("zhao", "approve"),
    "signed": ("chen", "sign"),
    "frozen": ("sun", "number"),
    "sealed": ("qian", "seal"),
    "sent": ("sun", "dispatch"),
    "received": ("zhou", "sign_for"),
}
SIGNED_VERBS = {"approve", "sign", "return", "seal", "dispatch", "sign_for", "refuse", "instruct", "finish"}


@dataclass
class Journey:
    """A document with one attachment, sent from the government office to the finance and the education bureau."""

    city: City
    path: str = ""
    _desks: dict[str, Browser] = field(default_factory=dict)

    async def desk(self, person: str) -> Browser:
        """The browser of an official, signed in."""
        if person not in self._desks:
            self._desks[person] = await self.city.signed_in(person)
        return self._desks[person]

    async def does(self, person: str, verb: str, path: str = "", **fields: Any) -> httpx.Response:
        """One act of an official, signed where it must be, and the answer to it."""
        browser = await self.desk(person)
        if verb not in SIGNED_VERBS:
            return await browser.act(path or self.path, verb, **fields)
        usage = "seal" if verb == "seal" else "signing"
        if verb in {"approve", "sign"}:
            fields.setdefault("opinion", "同意")
        return await browser.sign(path or self.path, verb, usage=usage, **fields)

    async def drafts(self, person: str = "wang", **elements: Any) -> str:
        """The path of another draft."""
        body = {"elements": self.city.elements(**elements), "body": BODY}
        answer = await (await self.desk(person)).send("POST", "/api/documents", json=body)
        assert answer.status_code == 201, answer.text
        return f"/api/documents/{answer.json()['id']}"

    async def attaches(self, path: str, name: str, data: bytes, person: str = "wang") -> str:
        """Upload a small attachment. Returns its id."""
        browser = await self.desk(person)
        wanted = {"name": name, "size": len(data), "subject_type": "outgoing", "subject_id": path.rpartition("/")[2]}
        file = (await browser.send("POST", "/api/files", json=wanted)).json()
        headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        done = await browser.send("PATCH", f"/api/files/{file['id']}", content=data, headers=headers)
        assert done.json()["state"] == "ready", done.text
        return str(file["id"])

    async def arrived(self, person: str = "zhou") -> str:
        """The path of what has come in at an official's organ last."""
        rows = (await (await self.desk(person)).get("/api/incoming")).json()["items"]
        return f"/api/incoming/{rows[0]['id']}"

    async def reaches(self, stage: str) -> None:
        """One step of the way, from the stage before to this one."""
        person, verb = STAGES[stage]
        if stage == "drafted":
            self.path = await self.drafts()
            await self.attaches(self.path, "分工表.txt", ATTACHMENT)
            return
        path = await self.arrived() if stage == "received" else self.path
        done = await self.does(person, verb, path)
        assert done.status_code == 200, done.text


Begin = Callable[..., AbstractAsyncContextManager[Journey]]


class Stages:
    """The city at every stage that some test has asked for, by column."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[Path, str], tuple[Founded, str]] = {}

    @asynccontextmanager
    async def at(self, founded: Founded, stage: str, folder: Path) -> AsyncIterator[Journey]:
        """A running city of the caller's own in `folder`, its document at `stage`."""
        reached, path = await self.reached(founded, stage)
        settings = await asyncio.to_thread(reached.copy, folder)
        async with running(settings) as city:
            yield Journey(city, path)

    async def reached(self, founded: Founded, stage: str) -> tuple[Founded, str]:
        """The city with its document at this stage, to be copied, and the document's path."""
        known = self._known.get((founded.folder, stage))
        if known is None:
            known = self._known[founded.folder, stage] = await self._walk(founded, stage)
        return known

    async def _walk(self, founded: Founded, stage: str) -> tuple[Founded, str]:
        order = list(STAGES)
        before = order[order.index(stage) - 1] if order.index(stage) else None
        start, path = await self.reached(founded, before) if before else (founded, "")
        folder = self._folder / f"{len(self._known)}-{stage}" / "var"
        settings = await asyncio.to_thread(start.copy, folder)
        async with running(settings) as city:
            journey = Journey(city, path)
            await journey.reaches(stage)
        return founded.at(settings), journey.path
