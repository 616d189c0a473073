"""The verbs of routes and tasks. The subject's domain calls them inside its own unit of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import CLEARANCES, Actor, Role
from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import Conflict, Invalid
from oa_server.core.ids import new_id
from oa_server.deadlines import access as deadlines
from oa_server.identity import access as identity
from oa_server.storage.unit_of_work import Work, lock_row, marking, unit_of_work
from oa_server.workflow import access, engine, rules
from oa_server.workflow.models import Route, RouteState, RouteTemplate, Task, TaskState

FindHolders = Callable[..., Awaitable[list[UUID]]]  # as `identity.access.holders`


@dataclass(frozen=True, slots=True)
class Subject:
    """What a route is about, in the words that lists show."""

    kind: str
    id: UUID
    organ_id: UUID
    title: str
    from_name: str
    urgency: str
    doc_no: str = ""
    clearance: Role | None = None


async def publish_template(actor: Actor, code: str, title: str, tree: dict[str, Any]) -> RouteTemplate:
    """Publish the next version of a template. Raises Denied for whoever may not, and Invalid when it cannot be walked."""
    rules.check(actor, "publish_template")
    try:
        engine.read_template(tree)
    except engine.BadTemplate as error:
        raise Invalid(rules.BAD_TEMPLATE, str(error)) from error
    newest = await access.newest_template(code)
    async with unit_of_work(actor) as work:
        template = await RouteTemplate.create(
            id=new_id(),
            code=code,
            version=newest.version + 1 if newest else 1,
            title=title,
            tree=tree,
            published_at=work.now,
        )
        work.audit(
            Verb.TEMPLATE_PUBLISHED, "route_template", template.id, rows=[template], code=code, version=template.version
        )
    return template


async def start(work: Work, code: str, subject: Subject, facts: dict[str, Any]) -> Route:
    """Open a route of the newest template `code` for a subject, and its first tasks. Raises Conflict when there is none, or
    nobody to do the first step."""
    template = await access.newest_template(code)
    if template is None:
        raise Conflict(rules.BAD_TEMPLATE, template=code)
    block = engine.read_template(template.tree)
    route = await Route.create(
        id=new_id(),
        template_id=template.id,
        subject_type=subject.kind,
        subject_id=subject.id,
        organ_id=subject.organ_id,
        title=subject.title,
        doc_no=subject.doc_no,
        from_name=subject.from_name,
        urgency=subject.urgency,
        clearance=subject.clearance or "",
        facts=facts,
        done=[],
        state=RouteState.RUNNING,
        started_at=work.now,
    )
    await _open(work, route, engine.start(block, facts).opened)
    work.audit(Verb.ROUTE_STARTED, subject.kind, subject.id, rows=[route], template=code, version=template.version)
    return route


async def complete(work: Work, subject_id: UUID, step: str, **facts: Any) -> None:
    """The actor has done the open step of a subject; new facts (who is chosen) join the route's. Raises Conflict."""
    route, block = await _locked(subject_id)
    before = dict(route.facts)
    route.facts = {**before, **facts}
    done = frozenset(route.done)
    await _finish_own(work, route, step, TaskState.DONE)
    if not await _is_through(block, route, step):
        await route.save(update_fields=["facts"])
        work.audit(Verb.TASK_DONE, route.subject_type, subject_id, rows=[route], step=step, decision="one of all")
        return
    try:
        change = engine.complete(block, done, step, route.facts, before=before)
    except LookupError:
        raise Conflict(rules.NOT_OPEN) from None
    await _close(work, route, (step, *(s.code for s in change.closed)))
    await _apply(work, route, change)
    work.audit(Verb.TASK_DONE, route.subject_type, subject_id, rows=[route], step=step, decision="done")


async def return_to(
    work: Work, subject_id: UUID, source: str, target: str, resume: engine.Resume = engine.Resume.REPLAY
) -> None:
    """Send a subject back from an open step to an earlier one. Raises Conflict."""
    route, block = await _locked(subject_id)
    try:
        change = engine.return_to(block, frozenset(route.done), source, target, route.facts, resume)
    except LookupError:
        raise Conflict(rules.NOT_OPEN) from None
    await _finish_own(work, route, source, TaskState.RETURNED, required=False)
    await _close(work, route, [s.code for s in change.closed])
    await _apply(work, route, change)
    work.audit(Verb.TASK_DONE, route.subject_type, subject_id, rows=[route], step=source, decision="returned")


async def terminate(work: Work, subject_id: UUID) -> None:
    """End a subject's route: every open task goes."""
    route, block = await _locked(subject_id)
    await _close(work, route, [step.code for step in engine.steps_of(block)])
    route.state = RouteState.TERMINATED
    await route.save(update_fields=["state"])
    work.audit(Verb.ROUTE_ENDED, route.subject_type, subject_id, rows=[route])


async def rename(
    work: Work,
    subject_id: UUID,
    *,
    title: str | None = None,
    doc_no: str | None = None,
    urgency: str | None = None,
    clearance: str | None = None,
) -> None:
    """Carry a subject's changed words into the lists, and what whoever comes to its route must be cleared for from now on."""
    route = await access.route(subject_id)
    given = {"title": title, "doc_no": doc_no, "urgency": urgency, "clearance": clearance}
    changed = {name: value for name, value in given.items() if value is not None}
    await route.update_from_dict(changed).save(update_fields=list(changed))
    # Auditors read the log and are cleared for no secret.
    told = {name: value for name, value in changed.items() if name != "title" or not route.clearance}
    work.audit(Verb.ROUTE_RENAMED, route.subject_type, subject_id, rows=[route], words=told)


async def mark_read(actor: Actor, subject_id: UUID) -> None:
    """The actor has looked at a subject on which a task is open to them; a department's system looks for nobody."""
    if actor.client_id is not None:
        return
    task = await Task.filter(
        route__subject_id=subject_id, official_id=actor.official_id, state=TaskState.OPEN, read_at=None
    ).first()
    if task is not None:
        async with marking() as work:
            await Task.filter(id=task.id, read_at=None).update(read_at=work.now)


async def _locked(subject_id: UUID) -> tuple[Route, engine.Block]:
    """A running route, held until the unit ends, with its own version of the template."""
    route = await access.route(subject_id)
    await lock_row(Route, route.id)
    await route.refresh_from_db()
    if route.state != RouteState.RUNNING:
        raise Conflict(rules.NOT_OPEN)
    template = await access.template(route.template_id)
    return route, engine.read_template(template.tree)


async def _is_through(block: engine.Block, route: Route, code: str) -> bool:
    """Whether a step has all the people it needs."""
    step = engine.step_of(block, code)
    if step.how_many is engine.HowMany.ANY:
        return True
    return not await Task.filter(route_id=route.id, step=code, state=TaskState.OPEN).exists()


async def _finish_own(work: Work, route: Route, step: str, state: TaskState, *, required: bool = True) -> None:
    own = Task.filter(route_id=route.id, step=step, official_id=work.actor.official_id, state=TaskState.OPEN)
    finished = await own.update(state=state, done_at=work.now)
    if required and not finished:
        raise Conflict(rules.NOT_OPEN)
    work.push(f"official:{work.actor.official_id}", "task.closed", {"subject_id": str(route.subject_id)})


async def _close(work: Work, route: Route, codes: Sequence[str]) -> None:
    """Take the tasks of these steps away from everybody who still has them open."""
    rows = Task.filter(route_id=route.id, step__in=list(codes), state=TaskState.OPEN)
    for official_id in await rows.values_list("official_id", flat=True):
        work.push(f"official:{official_id}", "task.closed", {"subject_id": str(route.subject_id)})
    await rows.update(state=TaskState.CANCELLED, done_at=work.now)


async def _apply(work: Work, route: Route, change: engine.Change) -> None:
    route.done = sorted(change.done)
    route.state = RouteState.FINISHED if change.finished else RouteState.RUNNING
    await route.save(update_fields=["done", "state", "facts"])
    await _open(work, route, change.opened)


async def _open(work: Work, route: Route, steps: Sequence[engine.Step]) -> None:
    for step in steps:
        officials = await _people(step, route)
        if not officials:
            raise Conflict(rules.NOBODY_CLEARED if route.clearance else rules.NOBODY, step=step.title)
        before = await Task.filter(route_id=route.id, step=step.code).count()
        due = await _due(work, route, step)
        await _hand_to(work, route, officials, step=step.code, step_title=step.title, iteration=before + 1, due_at=due)


async def _due(work: Work, route: Route, step: engine.Step) -> datetime | None:
    """When a step that opens now is due, reckoned in the office time of the route's organ; None where nothing limits it."""
    days = rules.WORKING_DAYS.get(route.urgency)
    if not step.hours and days is None:
        return None
    office = await deadlines.office_time(route.organ_id)
    now = work.now.astimezone(OFFICE_ZONE).replace(second=0, microsecond=0, tzinfo=None)
    due = office.after_hours(now, step.hours) if step.hours else office.after_days(now, days or 0)
    return due.replace(tzinfo=OFFICE_ZONE)


async def join_holders(work: Work, organ_ids: Collection[UUID]) -> None:
    """Who has come to a role finds on their desk what is open there to those who hold it already."""
    running = {"organ_id__in": list(organ_ids), "state": RouteState.RUNNING}
    routes = {route.id: route for route in await Route.filter(**running).select_related("template")}
    trees = {route.template_id: route.template.tree for route in routes.values()}
    blocks = {template_id: engine.read_template(tree) for template_id, tree in trees.items()}
    open_steps: dict[tuple[UUID, str], list[Task]] = {}
    for task in await Task.filter(state=TaskState.OPEN, **{f"route__{name}": value for name, value in running.items()}):
        open_steps.setdefault((task.route_id, task.step), []).append(task)
    holders = _Remembered()
    for (route_id, code), known in sorted(open_steps.items()):
        route = routes[route_id]
        step = engine.step_of(blocks[route.template_id], code)
        fresh = set(await _people(step, route, holders.of)) - {task.official_id for task in known}
        like = {name: getattr(known[0], name) for name in ("step", "step_title", "iteration", "due_at")}
        await _hand_to(work, route, sorted(fresh), **like)


async def leave(work: Work, official_id: UUID, successor_id: UUID | None) -> None:
    """An official leaves. What others have on their desks too is theirs; what waits for this one by name, now or when it
    comes back, goes to the successor. Raises Conflict naming what would be left to nobody.
    """
    stuck = await _release(work, official_id)
    successor = await identity.post_of(successor_id) if successor_id else None
    organs = {post.organ_id for post in await identity.posts_held(official_id)}
    for route in await Route.filter(state=RouteState.RUNNING, organ_id__in=list(organs)).only("id", "facts"):
        if str(official_id) in route.facts.values():
            named = await Route.get(id=route.id).select_related("template")
            is_there = successor is not None and successor.organ_id == named.organ_id
            if successor is not None and is_there and await _cleared([successor.official_id], named):
                await _put_in_place(work, named, official_id, successor.official_id)
            else:
                stuck.append({"step": named.template.title, **_told(named)})
    _check_nothing_stuck(stuck)


async def lose_role(work: Work, official_id: UUID, organ_id: UUID, role: Role) -> None:
    """An official has lost a role: what is open to them by it is left to the others who hold it. Raises Conflict naming what
    would be left to nobody."""
    _check_nothing_stuck(await _release(work, official_id, role=role, organ_id=organ_id))


def _told(route: Route) -> dict[str, str]:
    """A route in words for administrators, who see no titles."""
    return {"subject": route.subject_type, "doc_no": route.doc_no, "since": route.started_at.date().isoformat()}


def _check_nothing_stuck(stuck: Sequence[dict[str, str]]) -> None:
    if stuck:
        raise Conflict(rules.TASKS_OPEN, count=len(stuck), tasks=list(stuck[: rules.NAMED]))


async def _release(
    work: Work, official_id: UUID, *, role: Role | None = None, organ_id: UUID | None = None
) -> list[dict[str, str]]:
    """Take from a desk the open tasks of a role, or of all roles, that somebody else has too. Returns those that nobody has."""
    stuck: list[dict[str, str]] = []
    own = Task.filter(official_id=official_id, state=TaskState.OPEN, route__state=RouteState.RUNNING)
    for task in await own.select_related("route__template").order_by("id"):
        route: Route = task.route
        step = engine.step_of(engine.read_template(route.template.tree), task.step)
        if role in CLEARANCES:
            is_meant = route.organ_id == organ_id and not await _cleared([official_id], route)
        else:
            is_meant = bool(step.who.role) and (role is None or (step.who.role == role and route.organ_id == organ_id))
        if not is_meant:
            continue
        same = Task.filter(route_id=route.id, step=task.step, state=TaskState.OPEN).exclude(official_id=official_id)
        if not await same.exists():
            stuck.append({"step": task.step_title, **_told(route)})
            continue
        await Task.filter(id=task.id).update(state=TaskState.CANCELLED, done_at=work.now)
        work.push(f"official:{official_id}", "task.closed", {"subject_id": str(route.subject_id)})
    return stuck


async def _put_in_place(work: Work, route: Route, official_id: UUID, successor_id: UUID) -> None:
    """Put the successor where a route names somebody who leaves, with the tasks that are open to them by name."""
    named = {name for name, value in route.facts.items() if value == str(official_id)}
    route.facts = {**route.facts, **dict.fromkeys(named, str(successor_id))}
    await route.save(update_fields=["facts"])
    work.protect(route)
    block = engine.read_template(route.template.tree)
    for task in await Task.filter(route_id=route.id, official_id=official_id, state=TaskState.OPEN):
        if engine.step_of(block, task.step).who.fact in named:
            await Task.filter(id=task.id).update(state=TaskState.CANCELLED, done_at=work.now)
            like = {name: getattr(task, name) for name in ("step", "step_title", "iteration", "due_at")}
            await _hand_to(work, route, [successor_id], **like)


class _Remembered:
    """Holders of roles, each asked for once: thousands of routes of an organ wait for the same few people."""

    def __init__(self) -> None:
        self._found: dict[tuple[Role, UUID, UUID | None], list[UUID]] = {}

    async def of(self, role: Role, *, organ_id: UUID, unit_id: UUID | None) -> list[UUID]:
        asked = (role, organ_id, unit_id)
        if asked not in self._found:
            self._found[asked] = await identity.holders(role, organ_id=organ_id, unit_id=unit_id)
        return self._found[asked]


async def _hand_to(work: Work, route: Route, officials: Sequence[UUID], **step: Any) -> None:
    """Put one open step on the desks of these officials."""
    tasks = [
        Task(id=new_id(), route_id=route.id, official_id=official, state=TaskState.OPEN, opened_at=work.now, **step)
        for official in officials
    ]
    if tasks:
        await Task.bulk_create(tasks)
        # A task gives the right to read and to act, so the log knows whose it is: verification holds both against this.
        given = {str(task.id): task.official_id for task in tasks}
        subject, code = (route.subject_type, route.subject_id), step["step"]
        work.audit(Verb.TASK_OPENED, *subject, route=route.id, step=code, tasks=given)
    for official in officials:
        payload = {
            "subject_type": route.subject_type,
            "subject_id": str(route.subject_id),
            "step": step["step_title"],
            "title": route.title,
        }
        work.push(f"official:{official}", "task.opened", payload)


async def _people(step: engine.Step, route: Route, holders: FindHolders = identity.holders) -> list[UUID]:
    if step.who.fact:
        chosen = route.facts.get(step.who.fact)
        return await _cleared([UUID(str(chosen))] if chosen else [], route)
    unit = route.facts.get(step.who.unit_fact) if step.who.unit_fact else None
    found = await holders(Role(step.who.role), organ_id=route.organ_id, unit_id=UUID(unit) if unit else None)
    return await _cleared(found, route)


async def _cleared(officials: list[UUID], route: Route) -> list[UUID]:
    """Those among some officials who may come to a route."""
    return await identity.cleared(officials, route.organ_id, Role(route.clearance)) if route.clearance else officials
