"""Asking for the PIN: a window of our own where there is a display, else a page of our own origin, else the console.

Whichever it is, it shows who asks and what will be signed, and hands the PIN to the agent alone. A `Dialogue` lasts for
one operation: a wrong PIN is asked for again in it, and nothing of it is kept afterwards.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import click

from oa_agent.errors import NO_PIN_ENTRY, PIN_CANCELLED, PIN_TIMEOUT, Refused
from oa_agent.protocol import Event
from oa_agent.requests import Shown

PIN_LIMIT = 64
DISPLAY_SECONDS = 5
_WINDOW = Path(__file__).with_name("pin_window.py")

Push = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is shown. `problem` says what was wrong before; a `new` PIN is entered twice."""

    heading: str
    origin: str
    token: str
    holder: str
    items: tuple[Shown, ...] = ()
    attempts_left: int | None = None
    problem: str | None = None
    new: bool = False

    def lines(self) -> list[str]:
        """The facts around what is signed, in words."""
        facts = [f"来源：{self.origin}", f"证书介质：{self.token}", f"持有人：{self.holder}"]
        if self.attempts_left is not None:
            facts.append(f"剩余尝试次数：{self.attempts_left}")
        return facts


class Dialogue(Protocol):
    """One operation's conversation with the person at the key."""

    async def ask(self, prompt: Prompt) -> str:
        """The PIN that was entered. Raises Refused when it was cancelled or not entered in time."""


class PinEntry(Protocol):
    """A way to ask."""

    name: str

    def dialogue(self, push: Push) -> AbstractAsyncContextManager[Dialogue]:
        """A dialogue for one operation; `push` reaches the page that asked."""


class ConsolePin:
    """Asks at the terminal."""

    name = "console"

    def __init__(self, notice: str = "") -> None:
        self._notice = notice

    @asynccontextmanager
    async def dialogue(self, push: Push) -> AsyncIterator[Dialogue]:
        yield self

    async def ask(self, prompt: Prompt) -> str:
        for line in filter(None, [self._notice, *console_lines(prompt)]):
            click.echo(line, err=True)
        try:
            return await asyncio.to_thread(
                click.prompt, "PIN", hide_input=True, err=True, confirmation_prompt=prompt.new
            )
        except click.Abort as error:
            raise Refused(PIN_CANCELLED) from error


class WindowPin:
    """Asks in a window that a child process shows, so that a hung display cannot hang the agent."""

    name = "window"

    def __init__(self, seconds: float, notice: str = "") -> None:
        self._seconds = seconds
        self._notice = notice

    @asynccontextmanager
    async def dialogue(self, push: Push) -> AsyncIterator[Dialogue]:
        yield self

    async def ask(self, prompt: Prompt) -> str:
        shown = {**asdict(prompt), "facts": prompt.lines(), "notice": self._notice}
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(_WINDOW), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(self._seconds):
                out, _ = await child.communicate(json.dumps(shown).encode())
        except TimeoutError as error:
            raise Refused(PIN_TIMEOUT) from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return await self._answer(child.returncode, out, prompt)

    async def _answer(self, code: int | None, out: bytes, prompt: Prompt) -> str:
        if code != 0:
            raise Refused(NO_PIN_ENTRY)
        answer = json.loads(out)
        if answer is None:
            raise Refused(PIN_CANCELLED)
        if prompt.new and answer["pin"] != answer["repeated"]:
            return await self.ask(replace(prompt, problem=NOT_REPEATED))
        return str(answer["pin"])


NOT_REPEATED = "两次输入的 PIN 不一致"


def has_display() -> bool:
    """Whether a window can be shown here: a display that is only named, as in a terminal that outlived it, shows none."""
    if importlib.util.find_spec("tkinter") is None:
        return False
    if sys.platform in {"win32", "darwin"}:
        return True
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        opening = [sys.executable, "-I", "-c", "import tkinter; tkinter.Tk().destroy()"]
        return subprocess.run(opening, capture_output=True, check=False, timeout=DISPLAY_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def console_lines(prompt: Prompt) -> list[str]:
    """The prompt as text. A line break inside a line is indented, so that it cannot pass for a line of its own."""
    lines = [f"== {prompt.heading} ==", *prompt.lines()]
    for item in prompt.items:
        lines += [f"-- {item.title}", *(f"   {line}".replace("\n", "\n      ") for line in item.lines)]
    if prompt.problem:
        lines.append(f"! {prompt.problem}")
    return lines
