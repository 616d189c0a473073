"""The inventory of personal data (`deploy/personal-data.zh.md`) as the tests read it: its kinds, and what is of which kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

PAGE = Path(__file__).parent.parent / "deploy" / "personal-data.zh.md"
NOTHING = "无"


@dataclass(frozen=True)
class Kind:
    """A kind of personal data: why it is needed, who may see it, and how long it is kept."""

    purpose: str
    readers: frozenset[str]
    kept: str


@dataclass(frozen=True)
class Entry:
    """A table or an answer: its columns or fields by kind, and those that were found to be nobody's."""

    personal: dict[str, str]
    others: frozenset[str]

    @property
    def names(self) -> list[str]:
        return [*self.personal, *self.others]


@dataclass(frozen=True)
class Inventory:
    kinds: dict[str, Kind]
    tables: dict[str, Entry]
    answers: dict[str, Entry]

    def found_in(self, answer: Any) -> Iterator[tuple[str, str]]:
        """What an answer holds of anybody: each field with something in it, and its kind."""
        if isinstance(answer, msgspec.Struct):
            name = type(answer).__name__
            for field in answer.__struct_fields__:
                value = getattr(answer, field)
                if value and (kind := self.answers[name].personal.get(field)):
                    yield f"{name}.{field}", kind
                yield from self.found_in(value)
        elif isinstance(answer, list | dict):
            for value in answer.values() if isinstance(answer, dict) else answer:
                yield from self.found_in(value)


@cache
def inventory() -> Inventory:
    """The inventory as the page says it."""
    kinds, tables, answers = (list(_rows(part)) for part in PAGE.read_text("utf-8").split("\n## ")[1:])
    return Inventory(
        {name: Kind(purpose, frozenset(readers.split("、")), kept) for name, _what, purpose, readers, kept in kinds},
        dict(map(_entry, tables)),
        dict(map(_entry, answers)),
    )


def _rows(part: str) -> Iterator[list[str]]:
    """The rows of the table in a part of the page, without its head."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:])


def _entry(row: list[str]) -> tuple[str, Entry]:
    name, said, others = row
    groups = [] if said == NOTHING else [group.split("：") for group in said.split("；")]
    personal = {field: kind for kind, fields in groups for field in fields.split("、")}
    return name, Entry(personal, frozenset(re.findall(r"\w+", "" if others == NOTHING else others)))
