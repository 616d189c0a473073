"""A client of OIM/1 by the book, over a line that drops, doubles and reorders, and that crashes at any point.

What it must not lose lies on its disk: what it still has to say, what it has heard, and how far its cursor is. A message
and the cursor behind it are written down together. Everything else is gone with a crash.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

VERSION = 1
ANSWER_SECONDS, HEARTBEAT_SECONDS, RESEND_SECONDS = 3.0, 0.5, 1.5
AWAY = (OSError, TimeoutError, WebSocketException, EOFError)


@dataclass
class Disk:
    """What survives a crash."""

    outbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)
    heard: list[dict[str, Any]] = field(default_factory=list)
    cursor: int = 0


@dataclass
class Weather:
    """How bad the line is: the chance of each misfortune for each frame. Calm when the storm is over."""

    random: random.Random
    drop: float = 0.05
    double: float = 0.05
    reorder: float = 0.10
    cut: float = 0.01
    crash: float = 0.005

    def calm(self) -> None:
        self.drop = self.double = self.reorder = self.cut = self.crash = 0.0

    def befalls(self, chance: float) -> bool:
        return self.random.random() < chance

    def passed_on(self, frame: str, held: list[str]) -> list[str]:
        """The frames that arrive when this one is sent: it may be lost, come twice, or behind the next one."""
        if self.befalls(self.drop):
            return []
        frames = [frame] * (2 if self.befalls(self.double) else 1)
        if self.befalls(self.reorder) and not held:
            held.extend(frames)
            return []
        arriving = [*frames, *held]
        held.clear()
        return arriving


class Crashed(Exception):
    """The client's process is gone; its disk is not."""


class Client:
    """One official's client. `addresses` are those of the server processes, of which it takes any."""

    def __init__(
        self, addresses: Sequence[str], headers: dict[str, str], origin: str, weather: Weather, cursor: int
    ) -> None:
        self.disk = Disk(cursor=cursor)
        self.refused: list[dict[str, Any]] = []
        self.weather = weather
        self._addresses, self._headers, self._origin = addresses, headers, origin
        self._unsent = asyncio.Event()

    def say(self, conversation: str, text: str) -> str:
        """Write down what is to be said; it is said when the line allows."""
        cid = f"{self.weather.random.getrandbits(96):024x}"
        self.disk.outbox[cid] = {"t": "send", "conv": conversation, "message": {"cid": cid, "text": text}}
        self._unsent.set()
        return cid

    async def run(self) -> None:
        """Be connected, again and again, until cancelled."""
        while True:
            with suppress(Crashed, *AWAY):
                await self._one_life()
            await asyncio.sleep(self.weather.random.uniform(0.01, 0.2))

    async def _one_life(self) -> None:
        async with self._line() as line:
            life = _Life(self.disk, line, self.weather, self.refused)
            await life.greet()
            async with _together(life.listen(), life.beat(), life.speak(self._unsent)):
                pass

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[ClientConnection]:
        address = self.weather.random.choice(self._addresses)
        origin: Any = self._origin
        async with connect(
            address, origin=origin, additional_headers=self._headers, open_timeout=ANSWER_SECONDS, proxy=None
        ) as line:
            yield line


@asynccontextmanager
async def _together(*steps: Any) -> AsyncIterator[None]:
    """Take steps beside each other until one of them ends, which ends the others; its error is told."""
    tasks = [asyncio.create_task(step) for step in steps]
    try:
        done, _rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
    yield


class _Life:
    """From one greeting to the end of that line: what is remembered here a crash forgets."""

    def __init__(self, disk: Disk, line: ClientConnection, weather: Weather, refused: list[dict[str, Any]]) -> None:
        self.disk, self.line, self.weather, self.refused = disk, line, weather, refused
        self._early: dict[int, dict[str, Any]] = {}
        self._held_in: list[str] = []
        self._held_out: list[str] = []

    async def greet(self) -> None:
        # The greeting is what a line begins with: no client sends anything before it, so nothing can overtake it.
        hello = {"t": "hello", "v": VERSION, "device": "conformance", "cursor": self.disk.cursor}
        await self.line.send(json.dumps(hello))

    async def _send(self, frame: dict[str, Any]) -> None:
        self._misfortune()
        for passed in self.weather.passed_on(json.dumps(frame), self._held_out):
            await self.line.send(passed)

    def _misfortune(self) -> None:
        if self.weather.befalls(self.weather.crash):
            raise Crashed
        if self.weather.befalls(self.weather.cut):
            self.line.transport.abort()
            raise EOFError

    async def listen(self) -> None:
        while True:
            frame = str(await self.line.recv())
            for passed in self.weather.passed_on(frame, self._held_in):
                self._misfortune()
                await self._hear(json.loads(passed))

    async def _hear(self, frame: dict[str, Any]) -> None:
        match frame["t"]:
            case "welcome" | "pong":
                await self._reach(frame["head"])
            case "sent":
                if frame["cid"] in self.disk.outbox:
                    self.disk.acknowledged[frame["cid"]] = (frame["conv"], frame["seq"])
                    del self.disk.outbox[frame["cid"]]
            case "event":
                self._early[frame["useq"]] = frame["event"]
                self._apply()
                await self._reach(frame["useq"])
            case "batch":
                self._early |= {event["useq"]: event for event in frame["events"]}
                self._apply()
                await self._reach(frame["head"])
            case "err" if not frame["retry_after"]:
                self.refused.append(frame)

    def _apply(self) -> None:
        """Take the next event, and the next, as far as they are there; what was taken before is left."""
        while (event := self._early.pop(self.disk.cursor + 1, None)) is not None:
            self.disk.cursor += 1
            self.disk.heard.append(event | {"useq": self.disk.cursor})
        self._early = {n: event for n, event in self._early.items() if n > self.disk.cursor}

    async def _reach(self, head: int) -> None:
        if head > self.disk.cursor:
            await self._send({"t": "pull", "after": self.disk.cursor, "limit": 50})

    async def beat(self) -> None:
        while True:
            await self._send({"t": "ping", "cursor": self.disk.cursor})
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def speak(self, unsent: asyncio.Event) -> None:
        """Send what is to be said, and send it again until it is acknowledged."""
        while True:
            unsent.clear()
            for frame in list(self.disk.outbox.values()):
                await self._send(frame)
            with suppress(TimeoutError):
                async with asyncio.timeout(RESEND_SECONDS):
                    await unsent.wait()
