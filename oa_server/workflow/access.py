"""Reading tasks and routes: the to-do list, and how far a subject has come.

The to-do list is the page everybody opens all day, so it is one hand-written statement over one index.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from oa_server.core.actor import CLEARANCES, Actor
from oa_server.core.errors import NotFound
from oa_server.storage.database import select
from oa_server.storage.fields import Subquery
from oa_server.workflow import rules
from oa_server.workflow.models import Route, RouteTemplate, Task, TaskState

EXPORT_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """How a to-do list is narrowed: dealt with or open, kind of subject, words, and where the page begins."""

    done: bool = False
    subject_type: str = ""
    words: str = ""
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


async def tasks(actor: Actor, wanted: TaskFilter) -> list[dict[str, Any]]:
    """The actor's own tasks, newest first, as rows of the list."""
    moment = "done_at" if wanted.done else "opened_at"
    # What an official sent back is dealt with as well as what they passed on.
    state = f"IN ('{TaskState.DONE}', '{TaskState.RETURNED}')" if wanted.done else f"= '{TaskState.OPEN}'"
    cleared = ["", *(one for one in CLEARANCES if actor.is_cleared(one))]
    clauses = ["t.official_id = ?", f"t.state {state}", f"r.clearance IN ({', '.join('?' * len(cleared))})"]
    values: list[Any] = [actor.official_id, *cleared]
    if wanted.subject_type:
        clauses.append("r.subject_type = ?")
        values.append(wanted.subject_type)
    if wanted.words:
        clauses.append("(r.title LIKE ? ESCAPE '!' OR r.doc_no LIKE ? ESCAPE '!')")
        pattern = "%" + "".join(f"!{c}" if c in "!%_" else c for c in wanted.words) + "%"
        values += [pattern, pattern]
    if wanted.before:
        clauses.append(f"(t.{moment}, t.id) < (?, ?)")
        values += [wanted.before[0], wanted.before[1]]
    values.append(wanted.limit)
    # No word of the caller enters the text: columns and states are constants of this module, values are bound.
    return await select(
        f"SELECT t.id, t.step, t.step_title, t.opened_at, t.due_at, t.done_at, r.subject_type, r.subject_id, r.title,"  # noqa: S608
        f" r.doc_no, r.from_name AS organ_name, r.urgency FROM task t JOIN route r ON r.id = t.route_id"
        f" WHERE {' AND '.join(clauses)} ORDER BY t.{moment} DESC, t.id DESC LIMIT ?",
        values,
    )


async def count_open(actor: Actor) -> int:
    """How many tasks are open to the actor."""
    return await Task.filter(official_id=actor.official_id, state=TaskState.OPEN).count()


def subjects_of(actor: Actor, subject_type: str, only: UUID | None = None) -> Subquery:
    """The subjects on which the actor has or had a task: what was put before them stays visible to them.

    A subquery for `id__in`, so that a list stays one statement however many subjects an official has seen in their life;
    with `only`, the one subject that is asked for, so that opening it does not walk over all the others.
    """
    tasks, routes = Task.filter(official_id=actor.official_id), Route.filter(subject_type=subject_type)
    if only is not None:
        tasks, routes = tasks.filter(route__subject_id=only), routes.filter(subject_id=only)
    return Subquery(routes.filter(id__in=Subquery(tasks.values("route_id"))).values("subject_id"))


async def route(subject_id: UUID) -> Route:
    """The newest route of a subject. Raises NotFound."""
    found = await Route.filter(subject_id=subject_id).order_by("-started_at").first()
    if found is None:
        raise NotFound(rules.NOT_OPEN)
    return found


async def template(template_id: UUID) -> RouteTemplate:
    """One version of a template."""
    return await RouteTemplate.get(id=template_id)


async def newest_template(code: str) -> RouteTemplate | None:
    """The version of a template that new routes follow."""
    return await RouteTemplate.filter(code=code).order_by("-version").first()


async def open_tasks(subject_id: UUID) -> list[Task]:
    """The open tasks of a subject, everybody's."""
    return await Task.filter(route__subject_id=subject_id, state=TaskState.OPEN).order_by("id")


async def open_step(actor: Actor, subject_id: UUID) -> str | None:
    """The step of a subject that is open to the actor."""
    task = await Task.filter(route__subject_id=subject_id, official_id=actor.official_id, state=TaskState.OPEN).first()
    return task.step if task else None


async def has_open_step(official_id: UUID, step: str) -> bool:
    """Whether a step of any subject is open to an official."""
    return await Task.filter(official_id=official_id, step=step, state=TaskState.OPEN).exists()


async def nobody_has_read(subject_id: UUID) -> bool:
    """Whether none of the open tasks of a subject has been looked at."""
    return not await Task.filter(route__subject_id=subject_id, state=TaskState.OPEN).exclude(read_at=None).exists()


async def history(subject_id: UUID) -> list[dict[str, Any]]:
    """All tasks of a subject with the names of their officials, oldest first."""
    return (
        await Task.filter(route__subject_id=subject_id)
        .order_by("opened_at", "id")
        .values("step", "step_title", "iteration", "state", "opened_at", "done_at", "official_id", "official__name")
    )
