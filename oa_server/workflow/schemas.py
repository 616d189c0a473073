"""What to-do lists say over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct


class TaskQuery(Struct):
    tab: Literal["todo", "done"] = "todo"
    kind: Annotated[str, Meta(max_length=32)] = ""
    q: Annotated[str, Meta(max_length=60)] = ""
    cursor: Annotated[str, Meta(max_length=400)] = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class TaskOut(Struct):
    id: UUID
    subject_type: str
    subject_id: UUID
    step: str
    step_title: str
    title: str
    doc_no: str
    organ_name: str
    urgency: str
    opened_at: datetime
    due_at: datetime | None
    done_at: datetime | None


class TaskList(Struct):
    items: list[TaskOut]
    next: str | None
