"""What officials were told: one line per acknowledged step, on the disk before the official goes on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One step that was done: at whose document or file, when it was asked for and when it was answered, and what was told.

    `first_asked` is when it was tried first, `asked` when it was tried last; `answered` is None when no answer came and the
    step was found done afterwards.
    """

    step: str
    subject: str
    first_asked: float
    asked: float
    answered: float | None
    facts: dict[str, Any]


class Ledger:
    """The officials' own record, against which the server's is held in the end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self.entries: list[Entry] = []

    def write(self, step: str, subject: str, asked: list[float], *, told: bool, **facts: Any) -> None:
        """Note a step that was asked for at these times; the last of them was answered if it is `told`."""
        entry = Entry(step, subject, asked[0], asked[-1], time.monotonic() if told else None, facts)
        self._file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.entries.append(entry)

    def of(self, step: str) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.step == step)

    def duration(self, step: str) -> float:
        """How long a step took on average, in seconds, so far."""
        spans = [entry.answered - entry.asked for entry in self.of(step) if entry.answered]
        return sum(spans) / len(spans) if spans else 0.1

    def close(self) -> None:
        self._file.close()
