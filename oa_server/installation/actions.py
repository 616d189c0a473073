"""The verbs of settings: changing one, and deciding about a change that takes two."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, STALE, Conflict, NotFound, PreconditionFailed
from oa_server.core.ids import new_id
from oa_server.installation import access, rules
from oa_server.installation.models import Setting, SettingState
from oa_server.storage.database import Lock, alone
from oa_server.storage.unit_of_work import Work, unit_of_work

AS_IN_FILE = "file"
_DECIDED = {
    "confirm": SettingState.IN_FORCE,
    "refuse": SettingState.REFUSED,
    "withdraw": SettingState.WITHDRAWN,
}


async def change_setting(
    actor: Actor, settings: access.SettingsInForce, name: str, value: str, *, seen: str, reason: str
) -> None:
    """Change a setting, or propose to where it takes two; an empty value goes back to the file's. `seen` is the change that
    the caller saw in force.

    Raises NotFound, Denied, Invalid, PreconditionFailed, and Conflict while another change waits.
    """
    if name not in rules.CHANGEABLE:
        raise NotFound(NOT_FOUND)
    rules.check_changes(actor, name)
    if value:
        value = rules.text_of(rules.value_of(name, value))
    async with unit_of_work(actor) as work:
        await alone(Lock.SETTINGS)
        if seen != etag_of((await access.newest()).get(name)):
            raise PreconditionFailed(STALE)
        await change_held(work, name, value, reason=reason)
    settings.forget()


async def change_held(work: Work, name: str, value: str, *, reason: str) -> None:
    """The same inside a unit of work that holds the settings; the value is written as `text_of` writes it, or empty.

    Raises Denied, and Conflict while another change waits.
    """
    actor = work.actor
    rules.check_changes(actor, name)
    if name in await access.waiting():
        raise Conflict(rules.WAITING)
    newest = (await access.newest()).get(name)
    waits = rules.takes_two(name)
    assert actor.official_id is not None
    row = await Setting.create(
        id=new_id(),
        name=name,
        value=value,
        reason=reason,
        state=SettingState.PENDING if waits else SettingState.IN_FORCE,
        proposed_by=actor.official_id,
        proposed_at=work.now,
        decided_by=None if waits else actor.official_id,
        decided_at=None if waits else work.now,
    )
    facts: dict[str, Any] = {"old": newest.value if newest else "", "new": value, "waits": waits}
    work.audit(Verb.SETTING_CHANGED, "setting", name, made=[row], **facts)


def etag_of(row: Setting | None) -> str:
    """What names the state of a setting: the change that is in force, or that it is the file's."""
    return row.id.hex if row is not None else AS_IN_FILE


async def decide_setting(actor: Actor, settings: access.SettingsInForce, change_id: UUID, verb: str) -> Setting:
    """Confirm, refuse or withdraw a change. Raises Denied, NotFound, and Conflict when it was dealt with."""
    async with unit_of_work(actor) as work:
        await alone(Lock.SETTINGS)
        row = await access.setting_change(actor, change_id)
        ability = next(one for one in rules.change_abilities(actor, row) if one.verb == verb)
        if ability.denied is rules.DECIDED:
            raise Conflict(rules.DECIDED)
        ability.check()
        row.update_from_dict({"state": _DECIDED[verb], "decided_by": actor.official_id, "decided_at": work.now})
        await row.save(update_fields=["state", "decided_by", "decided_at"])
        work.audit(Verb.SETTING_DECIDED, "setting", row.name, rows=[row], did=verb, new=row.value)
    settings.forget()
    return row
