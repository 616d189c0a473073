"""One document taken all the way by the officials of two organs, who do not let a dying server stop them.

A step that is not answered is looked up: found done, or done again. So in the end every step was done, and the ledger says
which of them the server had acknowledged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote
from uuid import uuid4

import httpx

from oa_server.files.rules import PART_SIZE
from tests.city import Browser
from tests.faults.house import DistantCity, until_answered
from tests.faults.ledger import Ledger

STEPS = (
    "draft", "upload", "part", "submit", "withdraw", "return", "approve", "review", "sign", "number", "seal", "dispatch",
    "sign_for", "register", "propose", "instruct", "assign", "finish", "close_incoming", "copy_signed_for", "refuse", "close",
)  # fmt: skip
UNDER_WAY_SECONDS = 15.0
SMALL, TWO_PARTS = 50_000, PART_SIZE + 1000

State = dict[str, Any]
Facts = Callable[[State], State | None]


@dataclass
class Desks:
    """The officials of one errand, each signed in."""

    wang: Browser
    li: Browser
    zhao: Browser
    chen: Browser
    sun: Browser
    qian: Browser
    zhou: Browser
    feng: Browser
    wu: Browser
    zheng: Browser

    @classmethod
    async def of(cls, city: DistantCity) -> Desks:
        return cls(**{person: await city.signed_in(person) for person in cls.__annotations__})


class Fate(Protocol):
    """Whoever decides when the server dies."""

    def entering(self, step: str) -> None:
        """A step is tried."""

    def answered(self, step: str) -> bool:
        """The answer is there; False when it is to be taken for lost on its way."""


class Peace(Fate):
    """Nobody dies."""

    def entering(self, step: str) -> None:
        """A step is tried."""

    def answered(self, step: str) -> bool:
        return True


class Errand:
    """Takes one notice from its draft to its receipts.

    When the server dies, what it was doing ends. `behind_a_proxy` that dies it goes on: then a step that is tried again may be
    refused because the first try of it is just being done.
    """

    def __init__(
        self, city: DistantCity, desks: Desks, ledger: Ledger, fate: Fate, *, behind_a_proxy: bool = False
    ) -> None:
        self._behind_a_proxy = behind_a_proxy
        self._city = city
        self._desks = desks
        self._ledger = ledger
        self._fate = fate
        self.name = uuid4().hex[:8]

    async def run(self) -> None:
        """All steps, each surely done."""
        desks, path = self._desks, f"/api/documents/{await self._draft()}"
        await self._attach(path, SMALL)
        await self._attach(path, TWO_PARTS)
        await self._submit(path)
        reviewers = {"approve": (desks.li, "approve"), "review": (desks.zhao, "approve"), "sign": (desks.chen, "sign")}
        for step, (desk, verb) in reviewers.items():
            words = f"{self.name} {step}"
            await self._move(step, desk, path, signing(desk, path, verb, opinion=words), with_opinion(words))
        await self._number(path)
        await self._move("seal", desks.qian, path, signing(desks.qian, path, "seal", usage="seal"), once_sealed)
        await self._move("dispatch", desks.sun, path, signing(desks.sun, path, "dispatch"), once("dispatched"))
        await self._receive(path)
        await self._move("close", desks.sun, path, lambda: desks.sun.act(path, "close"), once("closed"))

    async def _submit(self, path: str) -> None:
        """Submitted and withdrawn again before anybody has read it, then sent back by the first reviewer, then submitted for good."""
        wang, li, words = self._desks.wang, self._desks.li, f"{self.name} return"
        submit = lambda: wang.act(path, "submit")  # noqa: E731
        await self._move("submit", wang, path, submit, after_submission)
        await self._move("withdraw", wang, path, lambda: wang.act(path, "withdraw"), once("drafting"))
        await self._move("submit", wang, path, submit, after_submission)
        await self._move("return", wang, path, signing(li, path, "return", reason=words), with_opinion(words))
        await self._move("submit", wang, path, submit, after_submission)

    async def _surely(
        self,
        step: str,
        subject: str,
        attempt: Callable[[], Awaitable[httpx.Response]],
        look: Callable[[], Awaitable[State | None]],
        facts: Facts,
    ) -> State:
        """Do a step until it is acknowledged or found done. What is refused otherwise than by an outage is a failure."""
        asked: list[float] = []
        while True:
            asked.append(time.monotonic())
            self._fate.entering(step)
            answer = await unless_lost(attempt())
            if answer is not None and answer.is_success and self._fate.answered(step):
                told = answer.json()
                self._ledger.write(step, subject or told["id"], asked, told=True, **(facts(told) or {}))
                return dict(told)
            assert answer is None or answer.is_success or self._may_be_refused(answer, asked), (step, answer.text)
            found = await look()
            if found is not None and (known := facts(found)) is not None:
                self._ledger.write(step, subject or found["id"], asked, told=False, **known)
                return found

    def _may_be_refused(self, answer: httpx.Response, asked: list[float]) -> bool:
        """Whether a refusal is an outage's, or may be owed to a try of the same step that is still under way."""
        is_again = self._behind_a_proxy and len(asked) > 1 and asked[-1] - asked[0] < UNDER_WAY_SECONDS
        return answer.status_code == 503 or is_again

    async def _move(
        self, step: str, desk: Browser, path: str, attempt: Callable[[], Awaitable[httpx.Response]], facts: Facts
    ) -> State:
        """A step that moves a document on: whether it happened, the document shows."""
        return await self._surely(step, path.rpartition("/")[2], attempt, lambda: until_answered(desk, path), facts)

    async def _begin(self, step: str, attempt: Callable[[], Awaitable[httpx.Response]], **facts: Any) -> str:
        """A step that creates something has a key, so that it can simply be sent again. Returns what it made."""

        async def again() -> None:
            await until_answered(self._desks.wang, "/api/tasks")

        return str((await self._surely(step, "", attempt, again, lambda _told: facts))["id"])

    async def _draft(self) -> str:
        key = uuid4().hex
        attempt = lambda: self._city.draft(self._desks.wang, key=key, note=self.name)  # noqa: E731
        return await self._begin("draft", attempt, note=self.name)

    async def _attach(self, path: str, size: int) -> None:
        """An attachment in parts: how far it came, the server says."""
        wang, data, headers = self._desks.wang, os.urandom(size), {"Idempotency-Key": uuid4().hex}
        body = {"name": "附件.bin", "size": size, "subject_type": "outgoing", "subject_id": path.rpartition("/")[2]}
        attempt = lambda: wang.send("POST", "/api/files", json=body, headers=headers)  # noqa: E731
        file = await self._begin("upload", attempt, size=size)
        for offset in range(0, size, PART_SIZE):
            end = min(offset + PART_SIZE, size)
            put = partial(wang.put_part, file, offset, data[offset:end])
            digest = sha256(data).hexdigest() if end == size else None
            await self._move("part", wang, f"/api/files/{file}", put, arrived(end, digest))

    async def _number(self, path: str) -> None:
        """The number is given and the pages are frozen in two transactions; between them the second is asked for alone."""
        sun = self._desks.sun

        async def attempt() -> httpx.Response:
            state = (await until_answered(sun, path))["state"]
            return await sun.act(path, "freeze" if state == "numbered" else "number")

        await self._move("number", sun, path, attempt, once_frozen)

    async def _receive(self, path: str) -> None:
        """One organ signs for it and takes it all the way; the other signs for its copy, or every second time refuses it."""
        zhou, feng = self._desks.zhou, self._desks.feng
        doc_no = (await until_answered(self._desks.sun, path))["doc_no"]
        original, copy = [await incoming(desk, doc_no) for desk in (zhou, feng)]
        await self._move("sign_for", zhou, original, signing(zhou, original, "sign_for"), once_receipted)
        if int(self.name, 16) % 2:
            await self._move("copy_signed_for", feng, copy, signing(feng, copy, "sign_for"), once_receipted)
        else:
            reason = {"reason": "不属于本机关职责范围", "parameters": {"code": "not_addressee"}}
            await self._move("refuse", feng, copy, signing(feng, copy, "refuse", **reason), once_refused)
        await self._handle(original)

    async def _handle(self, path: str) -> None:
        """From the register to the closing at the receiving organ. Its clerk sees all of it."""
        zhou, wu, zheng = self._desks.zhou, self._desks.wu, self._desks.zheng
        units = (await until_answered(zhou, f"/api/organs/{self._city.organs['JC002']}"))["units"]
        leader = {"opinion": "拟请阅示", "parameters": {"leader_id": self._city.people["wu"]}}
        unit = {"parameters": {"unit_id": next(unit["id"] for unit in units if unit["name"] == "预算科")}}
        instruct, finish = f"{self.name} instruct", f"{self.name} finish"
        steps: tuple[tuple[str, Callable[[], Awaitable[httpx.Response]], Facts], ...] = (
            ("register", lambda: zhou.act(path, "register"), once_registered),
            ("propose", lambda: zhou.act(path, "propose", **leader), once("proposed")),
            ("instruct", signing(wu, path, "instruct", opinion=instruct), with_opinion(instruct)),
            ("assign", lambda: zhou.act(path, "assign", **unit), once("handling")),
            ("finish", signing(zheng, path, "finish", opinion=finish), with_opinion(finish)),
            ("close_incoming", lambda: zhou.act(path, "close", opinion="已办结"), once("closed")),
        )
        for step, attempt, facts in steps:
            await self._move(step, zhou, path, attempt, facts)


async def incoming(desk: Browser, doc_no: str) -> str:
    """Where the document with this number lies at an organ that it was sent to."""
    (row,) = (await until_answered(desk, f"/api/incoming?q={quote(doc_no)}"))["items"]
    return f"/api/incoming/{row['id']}"


async def unless_lost(attempt: Awaitable[httpx.Response]) -> httpx.Response | None:
    """The answer, or None when the server went away meanwhile. A server that hangs is not lost: that is a failure."""
    try:
        return await attempt
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        return None


def signing(desk: Browser, path: str, verb: str, **fields: Any) -> Callable[[], Awaitable[httpx.Response]]:
    return lambda: desk.sign(path, verb, **fields)


# --- what a document that has come so far shows; None when it has not -----------------------------------------------------


def after_submission(document: State) -> State | None:
    return None if document["state"] == "drafting" else {"pages_sha256": document["pages_sha256"]}


def with_opinion(words: str) -> Facts:
    return lambda document: {"words": words} if words in [o["text"] for o in document["opinions"]] else None


def once_frozen(document: State) -> State | None:
    frozen = document["frozen_sha256"]
    return {"doc_no": document["doc_no"], "frozen_sha256": frozen} if frozen else None


def once_sealed(document: State) -> State | None:
    return {"sealed_sha256": document["sealed_sha256"]} if document["sealed_sha256"] else None


def once(state: str) -> Facts:
    return lambda document: {"state": state} if document["state"] == state else None


def once_receipted(document: State) -> State | None:
    return {"sha256": document["receipt"]["sha256"]} if document["receipt"] else None


def once_refused(document: State) -> State | None:
    return {"sha256": document["sha256"]} if document["refusal"] else None


def once_registered(document: State) -> State | None:
    return {"receive_no": document["receive_no"]} if document["receive_no"] else None


def arrived(received: int, digest: str | None) -> Facts:
    return lambda file: {"received": received, "sha256": digest} if file["offset"] >= received else None
