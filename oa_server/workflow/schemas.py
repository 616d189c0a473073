"""What to-do lists say over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.web.pagination import Cursor, PageLimit


class TaskFilter(Struct, forbid_unknown_fields=True):
    tab: Literal["todo", "done"] = "todo"
    kind: Annotated[str, Meta(max_length=32)] = ""
    q: Annotated[str, Meta(max_length=60)] = ""


class TaskQuery(TaskFilter, forbid_unknown_fields=True):
    cursor: Cursor = ""
    limit: PageLimit = 50


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
