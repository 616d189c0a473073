"""The PIN window, on a real (virtual) display."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tkinter as tk
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from oa_agent import pin_window
from oa_agent.config import Config, PinEntryKind
from oa_agent.errors import Refused
from oa_agent.pin import ConsolePin, Prompt, WindowPin, has_display
from oa_agent.pin_page import PinPage
from oa_agent.requests import Shown
from oa_agent.server import pin_entry
from tests.agent.conftest import HOLDER, ORIGIN, PIN

PROMPT = Prompt("签名", ORIGIN, "软件密钥", HOLDER, (Shown("审核同意", ("意见：同意\n第二行",)),), 4, "PIN 不正确")
SHOWN: dict[str, Any] = {**asdict(PROMPT), "facts": PROMPT.lines()}


async def _silent(_event: object) -> None:
    raise AssertionError("a window tells the page nothing")


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A display of our own."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as said:
        name = f":{said.readline().strip()}"
    monkeypatch.setenv("DISPLAY", name)
    yield name
    server.terminate()
    server.wait()


def test_entering_a_pin(display: str) -> None:
    """The window shows who asks and what is signed, hides the PIN, and closes when it is entered."""
    root = tk.Tk()
    window = pin_window.PinWindow(root, SHOWN)
    texts = _texts(root)
    for words in (ORIGIN, HOLDER, "审核同意", "意见：同意\n        第二行", "剩余尝试次数：4", "PIN 不正确"):
        assert any(words in text for text in texts), words
    (field,) = window.fields
    assert str(field.cget("show")) == "●"
    window.enter()
    assert window.answer is None, "an empty PIN is not taken"
    field.insert(0, PIN)
    root.update()
    window.enter()
    root.mainloop()
    assert window.answer == {"pin": PIN, "repeated": PIN}


def test_a_new_pin(display: str) -> None:
    """A new PIN is entered twice."""
    root = tk.Tk()
    window = pin_window.PinWindow(root, SHOWN | {"new": True})
    for field, text in zip(window.fields, (PIN, "654321"), strict=True):
        field.insert(0, text)
    window.enter()
    assert window.answer == {"pin": PIN, "repeated": "654321"}


def _texts(widget: tk.Misc) -> list[str]:
    own = [str(widget.cget("text"))] if "text" in (widget.keys() or ()) else []
    return own + [text for child in widget.winfo_children() for text in _texts(child)]


_DRIVER = """
import sys, tkinter
sys.path.insert(0, sys.argv[1])
import pin_window
def drive(root, prompt, make=pin_window.PinWindow):
    window = make(root, prompt)
    {act}
    return window
pin_window.PinWindow = drive
sys.exit(pin_window.main())
"""


@pytest.mark.parametrize(
    ("act", "printed"),
    [
        ("[f.insert(0, '246810') for f in window.fields]; root.after(50, window.enter)", '{"pin": "246810", "repeated": "246810"}'),
        ("root.after(50, root.destroy)", "null"),
    ],
    ids=["entered", "cancelled"],
)
def test_the_program(display: str, act: str, printed: str) -> None:
    """The window's program reads the prompt and writes what was entered."""
    import json
    from pathlib import Path

    folder = str(Path(pin_window.__file__).parent)
    command = [sys.executable, "-I", "-c", _DRIVER.format(act=act), folder]
    done = subprocess.run(command, input=json.dumps(SHOWN), capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == printed


async def test_time_runs_out(display: str) -> None:
    """A window that nobody answers is closed."""
    async with WindowPin(1.0).dialogue(_silent) as dialogue:
        with pytest.raises(Refused, match=r"pin\.timeout"):
            await dialogue.ask(PROMPT)


async def test_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no window can be shown, the operation is refused, not hung."""
    monkeypatch.setenv("DISPLAY", ":4711")
    async with WindowPin(20).dialogue(_silent) as dialogue:
        with pytest.raises(Refused, match=r"pin\.no_entry"):
            await dialogue.ask(PROMPT)


async def test_what_the_window_answers(display: str) -> None:
    """A cancelled window refuses; two new PINs that differ are asked for again."""
    window = WindowPin(0.5)
    assert await window._answer(0, b'{"pin": "1", "repeated": "1"}', PROMPT) == "1"
    with pytest.raises(Refused, match=r"pin\.cancelled"):
        await window._answer(0, b"null", PROMPT)
    new = Prompt("生成密钥", ORIGIN, "软件密钥", HOLDER, new=True)
    with pytest.raises(Refused, match=r"pin\.timeout"):
        await window._answer(0, b'{"pin": "1", "repeated": "2"}', new)


async def test_which_entry(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window where there is a display, else the page; or what the configuration says."""
    import msgspec

    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for kind, display, expected in (
        (PinEntryKind.AUTO, ":0", WindowPin),
        (PinEntryKind.AUTO, "", PinPage),
        (PinEntryKind.PAGE, ":0", PinPage),
        (PinEntryKind.WINDOW, "", WindowPin),
        (PinEntryKind.CONSOLE, ":0", ConsolePin),
    ):
        monkeypatch.setenv("DISPLAY", display)
        assert has_display() == bool(display)
        async with pin_entry(msgspec.structs.replace(config, pin_entry=kind)) as entry:
            assert type(entry) is expected
