"""Keeping the directory in place: organs, units, officials and their posts are entered, changed, retired and restored.

Nobody is deleted: who leaves is retired at a moment, and their row stays behind all that they signed. Whoever changes the
directory holds it alone, an import too, so that what was judged is still so when it is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import STALE, Conflict, Denied, Invalid, PreconditionFailed
from oa_server.core.ids import new_id
from oa_server.core.ports import ports
from oa_server.identity import access, actions, rules
from oa_server.identity.events import OfficialRetiring, OrganRegistered
from oa_server.identity.models import (
    ApiClient,
    ClientState,
    Duty,
    Official,
    Organ,
    Post,
    Responsibility,
    RoleChange,
    RoleChangeState,
    Unit,
)
from oa_server.identity.spreadsheet import in_circles
from oa_server.storage.database import Lock, alone
from oa_server.storage.fields import Model
from oa_server.storage.unit_of_work import Work, conflict_on, unit_of_work
from oa_server.web.workbooks import is_plain

Changed = dict[str, list[Any]]


async def hold_directory() -> None:
    """Wait until nobody else changes the directory, and keep them from it until the unit of work ends."""
    await alone(Lock.DIRECTORY)


@asynccontextmanager
async def _kept(actor: Actor) -> AsyncIterator[Work]:
    """One act on the directory, which is held meanwhile. Raises Denied for who does not keep it."""
    rules.check(actor, "keep_directory")
    async with unit_of_work(actor) as work:
        await hold_directory()
        yield work


def check_read(row: Model, etag: str) -> None:
    """Raises PreconditionFailed when a row is not as the caller read it."""
    if access.etag_of(row) != etag:
        raise PreconditionFailed(STALE)


async def change(row: Model, values: dict[str, Any]) -> Changed:
    """Write what differs. Returns old and new by column; nothing where nothing does."""
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    changed = {name: [getattr(row, name), value] for name, value in differing.items()}
    if differing:
        await row.update_from_dict(differing).save(update_fields=list(differing))
    return changed


def _check_words(values: dict[str, Any]) -> None:
    """Raises Invalid for texts that a reader cannot see all of, or that a sheet would take for a formula."""
    wrong = sorted(name for name, value in values.items() if isinstance(value, str) and not is_plain(value))
    if wrong:
        raise Invalid(rules.BAD_WORDS, columns=wrong)


# --- organs -----------------------------------------------------------------------------------------------------------


async def enter_organ(actor: Actor, values: dict[str, Any]) -> Organ:
    """Enter an organ. Raises Denied, Invalid, NotFound for its superior, Conflict when its code is taken."""
    async with _kept(actor) as work:
        _check_words(values)
        if values.get("superior_id"):
            _check_in_use(await access.organ(values["superior_id"]))
        async with conflict_on(rules.CODE_TAKEN, code=values["code"]):
            organ = await Organ.create(id=new_id(), **values)
        if organ.issuing_word:
            await work.announce(OrganRegistered(organ.id, organ.issuing_word))
        work.audit(Verb.ORGAN_KEPT, "organ", organ.id, rows=[organ], did="entered", code=organ.code)
    return await access.organ(organ.id)


async def change_organ(actor: Actor, organ_id: UUID, etag: str, values: dict[str, Any]) -> Organ:
    """Change an organ. Raises Denied, NotFound, PreconditionFailed, Invalid for a circle of superiors or bad texts,
    Conflict when its code is taken or it is retired."""
    async with _kept(actor) as work:
        _check_words(values)
        organ = await access.organ(organ_id)
        check_read(organ, etag)
        _check_in_use(organ)
        await _check_superior(organ, values)
        async with conflict_on(rules.CODE_TAKEN):
            changed = await change(organ, values)
        if "issuing_word" in changed and organ.issuing_word:
            await work.announce(OrganRegistered(organ.id, organ.issuing_word))
        work.audit(Verb.ORGAN_KEPT, "organ", organ.id, rows=[organ], did="changed", code=organ.code, changed=changed)
    return await access.organ(organ_id)


async def _check_superior(organ: Organ, values: dict[str, Any]) -> None:
    above = values.get("superior_id")
    if above is None or above == organ.superior_id:
        return
    superior = await access.organ(above)
    _check_in_use(superior)
    if organ.code in in_circles({**await access.superiors(), organ.code: superior.code}):
        raise Invalid(rules.CIRCLE)


def _check_in_use(row: Organ | Unit | Official) -> None:
    if row.retired_at is not None:
        raise Conflict(rules.RETIRED)


async def retire_organ(actor: Actor, organ_id: UUID) -> Organ:
    """Retire an organ in which nobody is any more; its seals can no longer be used. Raises Denied, NotFound, Conflict."""
    async with _kept(actor) as work:
        organ = await access.organ(organ_id)
        await retire_held_organ(work, organ)
    return await access.organ(organ_id)


async def retire_held_organ(work: Work, organ: Organ) -> None:
    """Retire an organ of the directory that is held. Raises Conflict naming what still belongs to it."""
    _check_in_use(organ)
    below: Any = await Organ.filter(superior_id=organ.id, retired_at=None).values_list("short_name", flat=True)
    people: Any = await Post.filter(organ_id=organ.id, official__active=True).values_list("official__name", flat=True)
    _check_unused(organs=below, people=people, systems=await _systems(organ_id=organ.id))
    units = await Unit.filter(organ_id=organ.id, retired_at=None)
    await Unit.filter(organ_id=organ.id, retired_at=None).update(retired_at=work.now)
    await change(organ, {"retired_at": work.now})
    await _withdraw(work, organ_id=organ.id)
    work.audit(Verb.ORGAN_KEPT, "organ", organ.id, rows=[organ, *units], did="retired", code=organ.code)


async def _withdraw(work: Work, **whose: UUID) -> None:
    """Suspend the certificates of who is no longer there; the lists follow with their next round, within a minute."""
    assert ports.certificates is not None, "app.py plugs the certificate register in"
    await ports.certificates.suspend_all(work, **whose)


async def _systems(**where: UUID) -> list[str]:
    names: Any = await ApiClient.filter(**where).exclude(state=ClientState.SUSPENDED).values_list("name", flat=True)
    return list(names)


def _check_unused(**found: list[str]) -> None:
    used = {name: sorted(set(rows))[:20] for name, rows in found.items() if rows}
    if used:
        raise Conflict(rules.IN_USE, **used)


async def restore_organ(actor: Actor, organ_id: UUID) -> Organ:
    """Bring a retired organ back, with none of its units. Raises Denied, NotFound, Conflict."""
    async with _kept(actor) as work:
        organ = await access.organ(organ_id)
        await restore_held(organ)
        work.audit(Verb.ORGAN_KEPT, "organ", organ.id, rows=[organ], did="restored", code=organ.code)
    return await access.organ(organ_id)


async def restore_held(row: Organ | Unit | Official) -> None:
    """Take back that a row was retired. Raises Conflict when it was not."""
    if row.retired_at is None:
        raise Conflict(rules.NOT_RETIRED)
    await change(row, {"retired_at": None})


# --- units ------------------------------------------------------------------------------------------------------------


async def enter_unit(actor: Actor, organ_id: UUID, values: dict[str, Any]) -> Unit:
    """Enter a unit of an organ. Raises Denied, Invalid, NotFound, Conflict when the organ has one of this name."""
    async with _kept(actor) as work:
        _check_words(values)
        organ = await access.organ(organ_id)
        _check_in_use(organ)
        async with conflict_on(rules.CODE_TAKEN, name=values["name"]):
            unit = await Unit.create(id=new_id(), organ_id=organ.id, **values)
        work.audit(Verb.UNIT_KEPT, "unit", unit.id, rows=[unit], did="entered", organ=organ.code, name=unit.name)
    return await access.unit(unit.id)


async def change_unit(actor: Actor, unit_id: UUID, etag: str, values: dict[str, Any]) -> Unit:
    """Change a unit. Raises Denied, NotFound, PreconditionFailed, Invalid, Conflict."""
    async with _kept(actor) as work:
        _check_words(values)
        unit = await access.unit(unit_id)
        check_read(unit, etag)
        _check_in_use(unit)
        async with conflict_on(rules.CODE_TAKEN):
            changed = await change(unit, values)
        work.audit(Verb.UNIT_KEPT, "unit", unit.id, rows=[unit], did="changed", name=unit.name, changed=changed)
    return await access.unit(unit_id)


async def retire_unit(actor: Actor, unit_id: UUID) -> Unit:
    """Retire a unit in which nobody is any more. Raises Denied, NotFound, Conflict naming who is."""
    async with _kept(actor) as work:
        await retire_held_unit(work, await access.unit(unit_id))
    return await access.unit(unit_id)


async def retire_held_unit(work: Work, unit: Unit) -> None:
    """Retire a unit of the directory that is held. Raises Conflict naming who is in it."""
    _check_in_use(unit)
    people: Any = await Post.filter(unit_id=unit.id, official__active=True).values_list("official__name", flat=True)
    _check_unused(people=people, systems=await _systems(unit_id=unit.id))
    await change(unit, {"retired_at": work.now})
    work.audit(Verb.UNIT_KEPT, "unit", unit.id, rows=[unit], did="retired", name=unit.name)


async def restore_unit(actor: Actor, unit_id: UUID) -> Unit:
    """Bring a retired unit back into its organ. Raises Denied, NotFound, Conflict."""
    async with _kept(actor) as work:
        unit = await access.unit(unit_id)
        _check_in_use(await access.organ(unit.organ_id))
        await restore_held(unit)
        work.audit(Verb.UNIT_KEPT, "unit", unit.id, rows=[unit], did="restored", name=unit.name)
    return await access.unit(unit_id)


# --- officials and their posts ----------------------------------------------------------------------------------------


async def enter_official(actor: Actor, unit_id: UUID, person: dict[str, Any], post: dict[str, Any]) -> Official:
    """Enter an official in their first post. Raises Denied, Invalid, NotFound, Conflict when the number is taken."""
    async with _kept(actor) as work:
        _check_words(person | post)
        async with conflict_on(rules.CODE_TAKEN, code=person["code"]):
            official = await Official.create(id=new_id(), **person)
        row = await _enter_post(official, unit_id, post)
        work.audit(Verb.OFFICIAL_KEPT, "official", official.id, rows=[official, row], did="entered", code=official.code)
    return await access.official(official.id)


async def change_official(actor: Actor, official_id: UUID, etag: str, values: dict[str, Any]) -> Official:
    """Change an official's name or number. Raises Denied, NotFound, PreconditionFailed, Invalid, Conflict."""
    async with _kept(actor) as work:
        _check_words(values)
        official = await access.official(official_id)
        check_read(official, etag)
        _check_in_use(official)
        async with conflict_on(rules.CODE_TAKEN):
            changed = await change(official, values)
        facts: dict[str, Any] = {"did": "changed", "code": official.code, "changed": changed}
        work.audit(Verb.OFFICIAL_KEPT, "official", official.id, rows=[official], **facts)
    return await access.official(official_id)


async def retire_official(actor: Actor, official_id: UUID, successor_id: UUID | None) -> Official:
    """Retire an official: sessions end and certificates are suspended at once, roles and coming duties are gone.

    What is open to them by name goes to the successor. Raises Denied, NotFound, Invalid for a successor who cannot take it
    over, and Conflict naming the tasks that nobody would be left with.
    """
    async with _kept(actor) as work:
        if official_id == actor.official_id:
            raise Denied(rules.OWN_RETIREMENT)
        official = await access.official(official_id)
        await retire_held_official(work, official, successor_id)
    return await access.official(official_id)


async def retire_held_official(work: Work, official: Official, successor_id: UUID | None = None) -> None:
    """Retire an official of the directory that is held. Raises Denied, Invalid, Conflict."""
    _check_in_use(official)
    held = await access.roles_held(official.id)
    rules.check_ordinary(work.actor, {Role(row.role) for row in held})
    if successor_id is not None:
        await _check_successor(official.id, successor_id)
    await work.announce(OfficialRetiring(official.id, successor_id))
    await actions.end_sessions_of_official(work, official.id)
    await _withdraw(work, official_id=official.id)
    coming = await Duty.filter(official_id=official.id, starts_at__gt=work.now)
    await Duty.filter(id__in=[row.id for row in coming]).delete()
    await Responsibility.filter(official_id=official.id).delete()
    proposed = await RoleChange.filter(official_id=official.id, state=RoleChangeState.PENDING)
    for row in proposed:
        decided = {"decided_by": work.actor.official_id, "decided_at": work.now}
        await change(row, {"state": RoleChangeState.WITHDRAWN, **decided})
    await change(official, {"active": False, "retired_at": work.now})
    work.audit(
        Verb.OFFICIAL_KEPT,
        "official",
        official.id,
        rows=[official, *proposed],
        removed=[*held, *coming],
        did="retired",
        code=official.code,
        successor=successor_id,
        roles=sorted(row.role for row in held),
    )


async def _check_successor(official_id: UUID, successor_id: UUID) -> None:
    if successor_id == official_id or await access.post_of(successor_id) is None:
        raise Invalid(rules.BAD_SUCCESSOR)


async def restore_official(actor: Actor, official_id: UUID) -> Official:
    """Bring a retired official back into their posts, with no roles; certificates stay suspended until they are resumed.

    Raises Denied, NotFound, Conflict when they are not retired or their unit is.
    """
    async with _kept(actor) as work:
        official = await access.official(official_id)
        await restore_held_official(official)
        work.audit(Verb.OFFICIAL_KEPT, "official", official.id, rows=[official], did="restored", code=official.code)
    return await access.official(official_id)


async def restore_held_official(official: Official) -> None:
    """Bring an official of the directory that is held back. Raises Conflict."""
    for post in await access.posts_held(official.id):
        _check_in_use(await access.unit(post.unit_id))
    await restore_held(official)
    await change(official, {"active": True})


async def enter_post(actor: Actor, official_id: UUID, unit_id: UUID, values: dict[str, Any]) -> Post:
    """Give an official a further post; they go on acting in the first. Raises Denied, Invalid, NotFound, Conflict."""
    async with _kept(actor) as work:
        _check_words(values)
        official = await access.official(official_id)
        _check_in_use(official)
        post = await _enter_post(official, unit_id, values)
        facts: dict[str, Any] = {"did": "entered", "official": official.code, "unit": unit_id}
        work.audit(Verb.POST_KEPT, "official", official.id, rows=[post], **facts)
    return await access.post(post.id)


async def _enter_post(official: Official, unit_id: UUID, values: dict[str, Any]) -> Post:
    unit = await access.unit(unit_id)
    _check_in_use(unit)
    last = await Post.all().order_by("-position").first()
    async with conflict_on(rules.CODE_TAKEN):
        return await Post.create(
            id=new_id(),
            official_id=official.id,
            unit_id=unit.id,
            organ_id=unit.organ_id,
            position=last.position + 1 if last else 0,
            **values,
        )


async def change_post(actor: Actor, post_id: UUID, etag: str, values: dict[str, Any]) -> Post:
    """Change a post's title and whether it is in charge. Raises Denied, NotFound, PreconditionFailed, Invalid."""
    async with _kept(actor) as work:
        _check_words(values)
        post = await access.post(post_id)
        check_read(post, etag)
        official = await access.official(post.official_id)
        changed = await change(post, values)
        facts: dict[str, Any] = {"did": "changed", "official": official.code, "changed": changed}
        work.audit(Verb.POST_KEPT, "official", official.id, rows=[post], **facts)
    return await access.post(post_id)


async def end_post(actor: Actor, post_id: UUID) -> None:
    """Take a post from an official who has another and holds no role there. Raises Denied, NotFound, Conflict."""
    async with _kept(actor) as work:
        post = await access.post(post_id)
        official = await access.official(post.official_id)
        held = await access.roles_held(official.id)
        rules.check_ordinary(actor, {Role(row.role) for row in held})
        others = [row for row in await access.posts_held(official.id) if row.id != post.id]
        if not others:
            raise Conflict(rules.LAST_POST)
        is_last_there = all(row.organ_id != post.organ_id for row in others)
        there = [
            row for row in held if row.unit_id == post.unit_id or (is_last_there and row.organ_id == post.organ_id)
        ]
        if there:
            raise Conflict(rules.ROLES_THERE, roles=sorted(row.role for row in there))
        await Post.filter(id=post.id).delete()
        facts: dict[str, Any] = {"did": "ended", "official": official.code, "unit": post.unit_id}
        work.audit(Verb.POST_KEPT, "official", official.id, removed=[post], **facts)
