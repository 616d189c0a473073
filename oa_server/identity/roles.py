"""Giving and taking roles: one administrator proposes, another confirms; taking one away needs one, and is at once.

GB/T 22239-2019, 8.1.5.3: who keeps security gives the roles, and nobody alone. An import proposes what its sheet names, in
the name of the system administrator, so there the security administrator is the second.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Conflict, Invalid
from oa_server.core.ids import new_id
from oa_server.identity import access, rules
from oa_server.identity.events import RolesGiven, RoleTaken
from oa_server.identity.keeping import change, hold_directory
from oa_server.identity.models import Responsibility, RoleChange, RoleChangeState
from oa_server.storage.unit_of_work import Work, unit_of_work

_DECIDED = {
    "confirm": RoleChangeState.CONFIRMED,
    "refuse": RoleChangeState.REFUSED,
    "withdraw": RoleChangeState.WITHDRAWN,
}


async def propose_role(actor: Actor, official_id: UUID, unit_id: UUID, role: Role, reason: str) -> RoleChange:
    """Propose that an official gets a role in the organ of one of their units.

    Raises Denied, also for roles that may not be held together; NotFound; Invalid when they hold no post in the unit;
    Conflict when they hold the role already, or it is proposed.
    """
    rules.check(actor, "propose_role")
    assert actor.official_id is not None
    async with unit_of_work(actor) as work:
        await hold_directory()
        official, unit = await access.official(official_id), await access.unit(unit_id)
        if not await access.holds_post(official.id, unit.id):
            raise Invalid(rules.NOT_THERE)
        await _check_together(actor, official.id, role)
        await _check_not_held(official.id, unit.organ_id, unit.id, role)
        waiting = RoleChange.filter(official_id=official.id, organ_id=unit.organ_id, role=role)
        if await waiting.filter(state=RoleChangeState.PENDING).exists():
            raise Conflict(rules.ROLE_HELD)
        row = await RoleChange.create(
            id=new_id(),
            official_id=official.id,
            organ_id=unit.organ_id,
            unit_id=unit.id,
            role=role,
            reason=reason,
            state=RoleChangeState.PENDING,
            proposed_by=actor.official_id,
            proposed_as=Role.SECURITY_ADMIN,
            proposed_at=work.now,
        )
        work.audit(Verb.ROLE_PROPOSED, "official", official.id, made=[row], organ=unit.organ_id, role=role)
    return row


async def _check_together(actor: Actor, official_id: UUID, role: Role) -> None:
    rules.check_grant(actor, {role})
    rules.check_roles({Role(row.role) for row in await access.roles_held(official_id)} | {role})


async def _check_not_held(official_id: UUID, organ_id: UUID, unit_id: UUID, role: Role) -> None:
    held = await Responsibility.get_or_none(official_id=official_id, organ_id=organ_id, role=role)
    if held is not None and (role not in rules.UNIT_ROLES or held.unit_id == unit_id):
        raise Conflict(rules.ROLE_HELD)


async def decide_roles(actor: Actor, ids: Collection[UUID], verb: str) -> list[RoleChange]:
    """Confirm, refuse or withdraw proposals, all or none; what is confirmed is in force with the next click.

    Raises NotFound, Denied for each's own reason, Conflict when one was dealt with or its official has left.
    """
    async with unit_of_work(actor) as work:
        await hold_directory()
        rows = await access.role_changes_named(actor, ids)
        for row in rows:
            ability = next(one for one in rules.change_abilities(actor, row) if one.verb == verb)
            if ability.denied is rules.ROLE_DECIDED:
                raise Conflict(rules.ROLE_DECIDED)
            ability.check()
            await _decide(work, row, verb)
        if verb == "confirm":
            await work.announce(RolesGiven(frozenset(row.organ_id for row in rows)))
    return rows


async def _decide(work: Work, row: RoleChange, verb: str) -> None:
    given = [await _give(work, row)] if verb == "confirm" else []
    await change(row, {"state": _DECIDED[verb], "decided_by": work.actor.official_id, "decided_at": work.now})
    work.audit(
        Verb.ROLE_DECIDED,
        "official",
        row.official_id,
        rows=[row, *given],
        did=verb,
        organ=row.organ_id,
        role=row.role,
        proposed_by=row.proposed_by,
    )


async def _give(work: Work, row: RoleChange) -> Responsibility:
    """The role as it is held from now on; one that belongs to a unit moves there. Raises Denied, Conflict."""
    if not await access.holds_post(row.official_id, row.unit_id):
        raise Conflict(rules.NOT_THERE)
    await _check_together(work.actor, row.official_id, Role(row.role))
    held = await Responsibility.get_or_none(official_id=row.official_id, organ_id=row.organ_id, role=row.role)
    if held is not None:
        if row.role in rules.UNIT_ROLES:
            await change(held, {"unit_id": row.unit_id})
        return held
    return await Responsibility.create(
        id=new_id(), official_id=row.official_id, organ_id=row.organ_id, unit_id=row.unit_id, role=row.role
    )


async def take_role(actor: Actor, responsibility_id: UUID, reason: str) -> None:
    """Take a role away, at once. Raises Denied, NotFound, and Conflict naming the tasks that nobody would be left with."""
    rules.check(actor, "take_role")
    async with unit_of_work(actor) as work:
        await hold_directory()
        held = await access.responsibility(responsibility_id)
        rules.check_ordinary(actor, {Role(held.role)})
        await Responsibility.filter(id=held.id).delete()
        await work.announce(RoleTaken(held.official_id, held.organ_id, Role(held.role)))
        work.audit(
            Verb.ROLE_TAKEN,
            "official",
            held.official_id,
            removed=[held],
            organ=held.organ_id,
            role=held.role,
            reason=reason,
        )
