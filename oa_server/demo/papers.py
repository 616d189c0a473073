"""The documents of the sample city, as they stand in papers.toml."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from oa_server.documents.schemas import Body
from oa_server.documents.states import DocKind, Publicity, Urgency

# The steps of both sides in their order.
ISSUING = ("draft", "submit", "unit_review", "office_review", "signing", "number", "seal", "dispatch")
RECEIVING = ("sign_for", "register", "propose", "instruct", "assign", "finish", "close")


class Paper(Struct, forbid_unknown_fields=True):
    """One document: what it says, to whom, and how far each side has come with it."""

    organ: str
    kind: DocKind
    title: str
    main: list[str]
    until: str
    text: str
    copies: list[str] = []
    urgency: Urgency = Urgency.NORMAL
    publicity: Publicity = Publicity.ON_REQUEST
    note: str = ""
    attachment: str = ""
    returned: str = ""
    received: dict[str, str] = {}
    refused: dict[str, str] = {}

    @property
    def body(self) -> Body:
        return msgspec.convert({"type": "doc", "content": list(_blocks(self.text))}, Body)


class _Papers(Struct, forbid_unknown_fields=True):
    paper: list[Paper]


def papers(year: int) -> list[Paper]:
    """All of them, as if written in this year."""
    text = Path(__file__).with_name("papers.toml").read_text("utf-8").replace("{year}", str(year))
    return msgspec.toml.decode(text, type=_Papers).paper


def steps(all_steps: tuple[str, ...], last: str) -> tuple[str, ...]:
    """The steps up to and with the last one that was taken."""
    return all_steps[: all_steps.index(last) + 1]


def _blocks(text: str) -> Iterator[dict[str, Any]]:
    for is_table, lines in groupby(text.strip().splitlines(), key=lambda line: line.startswith("|")):
        if is_table:
            yield {"type": "table", "header": True, "rows": [_cells(line) for line in lines]}
        else:
            yield from (_block(line) for line in lines)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _block(line: str) -> dict[str, Any]:
    marks, _, words = line.partition(" ")
    if set(marks) == {"#"}:
        return {"type": "heading", "level": len(marks), "text": words}
    return {"type": "paragraph", "text": line}
