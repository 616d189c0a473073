"""Rosters: who is on duty for an organ or one of its units, from when until when, and how they are reached."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Invalid
from oa_server.core.ids import new_id
from oa_server.identity import access, rules
from oa_server.identity.keeping import change, check_read, hold_directory
from oa_server.identity.models import Duty, Post
from oa_server.storage.unit_of_work import Work, conflict_on, unit_of_work


async def enter_duty(actor: Actor, organ_id: UUID, values: dict[str, Any], *, overlapping: bool = False) -> Duty:
    """Enter a duty. Raises Denied, NotFound, Invalid, and Conflict when they are on duty then, unless that is meant."""
    rules.check_in_organ(actor, "keep_duties", organ_id)
    async with unit_of_work(actor) as work:
        await hold_directory()
        await access.organ(organ_id)
        row = await enter_held(work, organ_id, values, overlapping=overlapping)
    return await access.duty(row.id)


async def enter_held(work: Work, organ_id: UUID, values: dict[str, Any], *, overlapping: bool) -> Duty:
    """Enter a duty while the directory is held. Raises Invalid, Conflict."""
    await _check(organ_id, values, overlapping=overlapping)
    async with conflict_on(rules.DUTY_OVERLAP):
        row = await Duty.create(id=new_id(), organ_id=organ_id, **values)
    work.audit(Verb.DUTY_KEPT, "duty", row.id, rows=[row], did="entered", **_facts(row))
    return row


async def change_duty(
    actor: Actor, duty_id: UUID, etag: str, values: dict[str, Any], *, overlapping: bool = False
) -> Duty:
    """Change a duty. Raises Denied, NotFound, PreconditionFailed, Invalid, Conflict as `enter_duty`."""
    async with unit_of_work(actor) as work:
        await hold_directory()
        row = await access.duty(duty_id)
        rules.check_in_organ(actor, "keep_duties", row.organ_id)
        check_read(row, etag)
        await change_held(work, row, values, overlapping=overlapping)
    return await access.duty(duty_id)


async def change_held(work: Work, row: Duty, values: dict[str, Any], *, overlapping: bool) -> None:
    """Change a duty while the directory is held. Raises Invalid, Conflict."""
    await _check(row.organ_id, values, overlapping=overlapping, but=row.id)
    async with conflict_on(rules.DUTY_OVERLAP):
        changed = await change(row, values)
    work.audit(Verb.DUTY_KEPT, "duty", row.id, rows=[row], did="changed", changed=changed, **_facts(row))


async def cancel_duty(actor: Actor, duty_id: UUID) -> None:
    """Take a duty from the roster; the log keeps what it was. Raises Denied, NotFound."""
    async with unit_of_work(actor) as work:
        await hold_directory()
        row = await access.duty(duty_id)
        rules.check_in_organ(actor, "keep_duties", row.organ_id)
        await cancel_held(work, row)


async def cancel_held(work: Work, row: Duty) -> None:
    """Take a duty from the roster while the directory is held."""
    await Duty.filter(id=row.id).delete()
    work.audit(Verb.DUTY_KEPT, "duty", row.id, removed=[row], did="cancelled", **_facts(row))


async def _check(organ_id: UUID, values: dict[str, Any], *, overlapping: bool, but: UUID | None = None) -> None:
    starts_at, ends_at, official_id = values["starts_at"], values["ends_at"], values["official_id"]
    rules.check_duty(starts_at, ends_at)
    places = Post.filter(official_id=official_id, organ_id=organ_id, official__active=True)
    if not await places.exists():
        raise Invalid(rules.DUTY_ELSEWHERE)
    if values.get("unit_id") and (await access.unit(values["unit_id"])).organ_id != organ_id:
        raise Invalid(rules.DUTY_ELSEWHERE)
    others = [row for row in await access.duties_of(official_id, starts_at, ends_at) if row.id != but]
    if others and not overlapping:
        raise Conflict(rules.DUTY_OVERLAP, starts_at=_told(others[0].starts_at), ends_at=_told(others[0].ends_at))


def _told(at: datetime) -> str:
    return at.isoformat()


def _facts(row: Duty) -> dict[str, Any]:
    return {"organ": row.organ_id, "official": row.official_id, "starts_at": row.starts_at, "ends_at": row.ends_at}
