"""Counting what a unit of work writes, so that a change without an audit entry is noticed however it was made."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

_WRITING = ("INSERT", "UPDATE", "DELETE", "REPLACE", "WITH")


@dataclass(slots=True)
class WriteCounter:
    statements: int = 0


current: ContextVar[WriteCounter | None] = ContextVar("oa_write_counter", default=None)


def count(query: str) -> None:
    """Called by both database clients for every statement inside a transaction."""
    counter = current.get()
    if counter is not None and query.lstrip()[:7].upper().startswith(_WRITING):
        counter.statements += 1
