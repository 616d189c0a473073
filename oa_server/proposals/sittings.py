"""What is set up for a sitting: the sitting itself, its limits, its members, and the codes with which some of them judge."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import STALE, Conflict, Denied, Invalid, PreconditionFailed
from oa_server.core.ids import new_id
from oa_server.identity import access as identity
from oa_server.proposals import access, cases, rules
from oa_server.proposals.limits import Limit, LimitUnit
from oa_server.proposals.models import Member, Sitting, SittingLimit
from oa_server.storage.fields import F
from oa_server.storage.unit_of_work import conflict_on, transition, unit_of_work


async def open_sitting(actor: Actor, **columns: Any) -> Sitting:
    """Open a sitting and name the organs that see to it. Raises Denied, Invalid, NotFound, Conflict."""
    rules.opening_abilities(actor)[0].check()
    if columns["closes_on"] < columns["opens_on"]:
        raise Invalid(rules.BAD_DAYS)
    for organ_id in {columns["secretariat_id"], columns["dispatching_id"], columns["oversight_id"]}:
        await identity.organ(organ_id)
    async with unit_of_work(actor) as work:
        async with conflict_on(rules.SITTING_KNOWN):
            row = await Sitting.create(id=new_id(), created_at=work.now, **columns)
        work.audit(Verb.SITTING_OPENED, access.SITTING, row.id, made=[row], title=row.title)
    return row


async def change_sitting(actor: Actor, sitting_id: UUID, seen: str, wanted: Mapping[str, Any]) -> Sitting:
    """Change the title, the days or the organs of a sitting. `seen` is the state that the caller read.

    Raises Denied, Invalid, NotFound, PreconditionFailed.
    """
    before = await access.sitting(sitting_id)
    rules.opening_abilities(actor)[0].check()
    if seen != cases.etag_of(before):
        raise PreconditionFailed(STALE)
    if wanted["closes_on"] < wanted["opens_on"]:
        raise Invalid(rules.BAD_DAYS)
    organs = {getattr(before, name) for name in wanted if name.endswith("_id")}
    standing = await identity.organs_in_use(organs | {value for name, value in wanted.items() if name.endswith("_id")})
    rules.check_organs(before, wanted, standing, is_at_work=await access.is_at_work(sitting_id))
    former = {name: str(getattr(before, name)) for name, value in wanted.items() if getattr(before, name) != value}
    if not former:
        return before
    async with unit_of_work(actor) as work:
        change = {**wanted, "row_version": F("row_version") + 1}
        await transition(Sitting, sitting_id, expect={"row_version": before.row_version}, change=change)
        work.audit(
            Verb.SITTING_CHANGED, access.SITTING, sitting_id, rows=[before], changed=sorted(former), before=former
        )
    return await access.sitting(sitting_id)


def check_keeper(actor: Actor, sitting: Sitting) -> None:
    """Raises Denied for who does not keep a sitting's list and limits."""
    if not actor.is_system and not rules.in_secretariat(actor, sitting, Role.CLERK):
        raise Denied(rules.NOT_SECRETARIAT)


async def set_limit(
    actor: Actor, sitting_id: UUID, limit: Limit, *, unit: LimitUnit, quantity: int, source: str
) -> None:
    """Set one limit of a sitting; what was begun under the former one keeps it. Raises Denied, Invalid, NotFound."""
    sitting = await access.sitting(sitting_id)
    check_keeper(actor, sitting)
    before = (await access.limits(sitting_id))[limit]
    rules.check_limit(before, unit, quantity)
    rules.check_reason(source)
    async with unit_of_work(actor) as work:
        row = await SittingLimit.create(
            id=new_id(),
            sitting_id=sitting_id,
            limit=limit,
            unit=unit,
            quantity=quantity,
            source=source,
            entered_by=actor.official_id,
            at=work.now,
        )
        work.audit(
            Verb.SITTING_LIMIT_SET,
            access.SITTING,
            sitting_id,
            made=[row],
            limit=limit,
            before=f"{before.quantity} {before.unit}",
            after=f"{quantity} {unit}",
        )


async def keep_members(actor: Actor, sitting_id: UUID, rows: Collection[dict[str, Any]]) -> list[Member]:
    """Enter members, or change those whose number is known: what is left empty of them stays as it was.

    Raises Denied, Invalid, NotFound.
    """
    sitting = await access.sitting(sitting_id)
    check_keeper(actor, sitting)
    _check_officials(rows)
    async with unit_of_work(actor) as work:
        known = {row.code: row for row in await Member.filter(sitting_id=sitting_id)}
        fresh = [Member(id=new_id(), sitting_id=sitting_id, **row) for row in rows if row["code"] not in known]
        changed = [known[row["code"]].update_from_dict(_said(row)) for row in rows if row["code"] in known]
        async with conflict_on(rules.OFFICIAL_IS_MEMBER):
            await Member.bulk_create(fresh)
            for member in changed:
                await member.save()
        work.audit(
            Verb.MEMBERS_KEPT,
            access.SITTING,
            sitting_id,
            rows=changed,
            made=fresh,
            entered=len(fresh),
            changed=len(changed),
        )
    return [*fresh, *changed]


async def remove_member(actor: Actor, sitting_id: UUID, member_id: UUID) -> None:
    """Take somebody off the list who was entered by mistake. Raises Denied, NotFound, Conflict."""
    check_keeper(actor, await access.sitting(sitting_id))
    async with unit_of_work(actor) as work:
        row = await access.member(sitting_id, member_id)
        if await access.is_named(member_id):
            raise Conflict(rules.MEMBER_NAMED)
        async with conflict_on(rules.MEMBER_NAMED):  # Somebody may name them in a draft at this moment.
            await row.delete()
        work.audit(Verb.MEMBER_REMOVED, access.SITTING, sitting_id, removed=[row], code=row.code)


def _said(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value}


def _check_officials(rows: Collection[dict[str, Any]]) -> None:
    """Nobody is two members of one sitting. Raises Invalid."""
    officials = [row["official_id"] for row in rows if row.get("official_id")]
    codes = [row["code"] for row in rows]
    if len(set(officials)) != len(officials):
        raise Invalid(rules.OFFICIAL_IS_MEMBER)
    if len(set(codes)) != len(codes):
        raise Invalid(rules.MEMBER_KNOWN)
