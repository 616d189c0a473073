"""The PIN window: a program of its own that needs the standard library only.

It reads the prompt as JSON from its standard input and writes `{"pin", "repeated"}`, or `null` when cancelled, to its
standard output. Exit status 1: there is no display.
"""

from __future__ import annotations

import ctypes
import json
import sys
import tkinter as tk
from tkinter import ttk
from typing import Any

WRAP = 520
_PR_SET_DUMPABLE = 4  # linux/prctl.h


class PinWindow:
    """The window; `answer` is None until a PIN was entered."""

    def __init__(self, root: tk.Tk, prompt: dict[str, Any]) -> None:
        self.root = root
        self.answer: dict[str, str] | None = None
        root.title("证书 PIN")
        root.resizable(width=False, height=False)
        root.attributes("-topmost", True)
        root.bind("<Return>", lambda _event: self.enter())
        root.bind("<Escape>", lambda _event: root.destroy())
        frame = ttk.Frame(root, padding=16)
        frame.grid()
        self._show(frame, prompt)
        self.fields = [self._field(frame, label) for label in (("PIN", "再次输入") if prompt["new"] else ("PIN",))]
        ttk.Button(frame, text="确定", command=self.enter).grid(sticky="e")
        ttk.Button(frame, text="取消", command=root.destroy).grid(sticky="e")
        self.fields[0].focus_set()

    def _show(self, frame: ttk.Frame, prompt: dict[str, Any]) -> None:
        lines = [*filter(None, [prompt["notice"]]), prompt["heading"], *prompt["facts"]]
        for item in prompt["items"]:
            lines += ["", item["title"], *(f"    {line}".replace("\n", "\n        ") for line in item["lines"])]
        ttk.Label(frame, text="\n".join(lines), wraplength=WRAP, justify="left").grid(sticky="w")
        ttk.Label(frame, text=prompt["problem"] or "", foreground="#b00020").grid(sticky="w")

    def _field(self, frame: ttk.Frame, label: str) -> ttk.Entry:
        ttk.Label(frame, text=label).grid(sticky="w")
        field = ttk.Entry(frame, show="●", width=32)
        field.grid(sticky="ew")
        return field

    def enter(self) -> None:
        """Take the PIN and close."""
        pins = [field.get() for field in self.fields]
        if pins[0]:
            self.answer = {"pin": pins[0], "repeated": pins[-1]}
            self.root.destroy()


def main() -> int:
    """Show one prompt."""
    # As `oa_agent.memory`, which this program cannot import; that no core is written it has from the agent.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    prompt = json.loads(sys.stdin.buffer.read())
    try:
        root = tk.Tk()
    except tk.TclError:
        return 1
    window = PinWindow(root, prompt)
    root.mainloop()
    json.dump(window.answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
