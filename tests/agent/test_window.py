"""The PIN window, on a real (virtual) display and in a process of its own, as the agent shows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oa_agent import pin
from oa_agent.config import Config, PinEntryKind
from oa_agent.errors import Refused
from oa_agent.pin import ConsolePin, Prompt, WindowPin, has_display
from oa_agent.pin_page import PinPage
from oa_agent.requests import Shown
from oa_agent.server import pin_entry
from tests import servers
from tests.agent.conftest import HOLDER, ORIGIN, PIN, ROOT

PROMPT = Prompt("签名", ORIGIN, "软件密钥", HOLDER, (Shown("审核同意", ("意见：同意\n第二行",)),), 4, "PIN 不正确")

# The window's own program, with somebody at the keyboard: `act` is done once the window stands.
_PROGRAM = """
import json, sys, tkinter
sys.path.insert(0, {folder!r})
import pin_window

def texts(widget):
    own = [str(widget.cget("text"))] if "text" in widget.keys() else []
    return own + [text for child in widget.winfo_children() for text in texts(child)]

class Manned(pin_window.PinWindow):
    def __init__(self, root, prompt):
        super().__init__(root, prompt)
        json.dump([texts(root), [str(field.cget("show")) for field in self.fields]], sys.stderr)
        root.update()
        {act}

pin_window.PinWindow = Manned
sys.exit(pin_window.main())
"""


async def _silent(_event: object) -> None:
    raise AssertionError("a window tells the page nothing")


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A display of our own."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb")
    with servers.virtual_display() as name:
        monkeypatch.setenv("DISPLAY", name)
        yield


@pytest.fixture
def manned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have somebody at the window who does this."""

    def man(act: str) -> Path:
        program = tmp_path / "window.py"
        folder = str(ROOT / "clients/agent/oa_agent")
        program.write_text(_PROGRAM.format(folder=folder, act=act))
        monkeypatch.setattr(pin, "_WINDOW", program)
        return program

    return man


def _type(*pins: str) -> str:
    return f"[field.insert(0, pin) for field, pin in zip(self.fields, {pins!r})]; root.after(50, self.enter)"


async def _ask(prompt: Prompt, seconds: float = 20) -> str:
    async with WindowPin(seconds).dialogue(_silent) as dialogue:
        return await dialogue.ask(prompt)


@pytest.mark.usefixtures("display")
async def test_entering_a_pin(manned: Any) -> None:
    """What is typed into the window reaches the agent."""
    manned(_type(PIN))
    assert await _ask(PROMPT) == PIN


@pytest.mark.usefixtures("display")
def test_what_is_shown(manned: Any) -> None:
    """The window shows the notice, who asks, what is signed and what was wrong, and hides the PIN."""
    program = manned("root.after(50, root.destroy)")
    shown = json.dumps({**asdict(PROMPT), "facts": PROMPT.lines(), "notice": "演示数据"})
    done = subprocess.run(
        [sys.executable, "-I", program], input=shown, capture_output=True, text=True, timeout=30, check=True
    )
    texts, masks = json.loads(done.stderr)
    for words in (
        "演示数据",
        ORIGIN,
        HOLDER,
        "审核同意",
        "意见：同意\n        第二行",
        "剩余尝试次数：4",
        "PIN 不正确",
    ):
        assert words in "\n".join(texts)
    assert masks == ["●"]


@pytest.mark.usefixtures("display")
async def test_closing_the_window(manned: Any) -> None:
    """Closing the window is a no."""
    manned("root.after(50, root.destroy)")
    with pytest.raises(Refused, match=r"pin\.cancelled"):
        await _ask(PROMPT)


@pytest.mark.usefixtures("display")
async def test_a_new_pin(manned: Any) -> None:
    """A new PIN is entered twice, and asked for again while the two differ."""
    manned(_type(PIN, PIN))
    assert await _ask(replace(PROMPT, new=True)) == PIN
    manned(f"{_type(PIN, '654321')} if not prompt['problem'] else root.destroy()")
    with pytest.raises(Refused, match=r"pin\.cancelled"):
        await _ask(replace(PROMPT, new=True, problem=None))


@pytest.mark.usefixtures("display")
async def test_an_empty_pin(manned: Any) -> None:
    """An empty PIN is not taken, and a window that nobody answers is closed when its time is over."""
    manned("self.enter()")
    with pytest.raises(Refused, match=r"pin\.timeout"):
        await _ask(PROMPT, seconds=1.5)


async def test_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no window can be shown, the operation is refused, not hung."""
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(Refused, match=r"pin\.no_entry"):
        await _ask(PROMPT)


@pytest.mark.usefixtures("display")
async def test_which_entry(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window where a display answers, else the page; or what the configuration says."""
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    real = os.environ["DISPLAY"]
    for kind, display, expected in (
        (PinEntryKind.AUTO, real, WindowPin),
        (PinEntryKind.AUTO, "", PinPage),
        (PinEntryKind.AUTO, ":4711", PinPage),
        (PinEntryKind.PAGE, real, PinPage),
        (PinEntryKind.WINDOW, "", WindowPin),
        (PinEntryKind.CONSOLE, real, ConsolePin),
    ):
        monkeypatch.setenv("DISPLAY", display)
        assert has_display() == (display == real)
        async with pin_entry(msgspec.structs.replace(config, pin_entry=kind)) as entry:
            assert type(entry) is expected
