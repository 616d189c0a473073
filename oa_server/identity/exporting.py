"""The directory and rosters as workbooks, in the form that is imported: what is exported and brought back changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from oa_server.core.actor import Actor, Role
from oa_server.core.clock import OFFICE_ZONE
from oa_server.identity import access, rules
from oa_server.identity.models import Duty, Official, Organ, Post, Unit
from oa_server.identity.spreadsheet import ENTRY_STATUSES, LEVEL_WORDS, MOMENT, ROLE_WORDS, SHEETS, STATUSES, TITLES
from oa_server.web.sheets import Sheet

_IN_USE, _RETIRED = STATUSES
_VALID, _CANCELLED = ENTRY_STATUSES

Rows = Sequence[Sequence[str]]


def _status(row: Organ | Unit | Official) -> str:
    return _RETIRED if row.retired_at else _IN_USE


async def directory_sheets(actor: Actor) -> dict[str, Sheet]:
    """All organs with what they answer for, units and people, with those that are retired. Raises Denied."""
    rules.check(actor, "see_roles")
    organs = {row.id: row for row in await access.every_organ()}
    units = {row.id: row for row in await access.every_unit()}
    people = {row.id: row for row in await access.every_official()}
    roles = await access.roles_by_unit()
    posts = [row for row in await access.every_post() if row.official_id in people]
    sheets: dict[str, Rows] = {
        "organs": list(_organ_rows(organs)),
        "remits": [(organs[one.organ_id].code, one.text, _VALID) for one in await access.every_remit()],
        "units": [(organs[u.organ_id].code, u.name, _status(u)) for u in units.values()],
        "officials": [_official_row(post, organs, units, people, roles) for post in posts],
    }
    return _named(sheets)


def _organ_rows(organs: dict[UUID, Organ]) -> Iterator[Sequence[str]]:
    for row in sorted(organs.values(), key=lambda row: row.code):
        above = organs[row.superior_id].code if row.superior_id else ""
        words = (row.code, row.full_name, row.short_name, LEVEL_WORDS[row.level], above)
        yield (*words, row.issuing_word, row.issuer_mark, _status(row))


def _official_row(
    post: Post,
    organs: dict[UUID, Organ],
    units: dict[UUID, Unit],
    people: dict[UUID, Official],
    roles: dict[tuple[UUID, UUID], set[Role]],
) -> Sequence[str]:
    person = people[post.official_id]
    held = "；".join(ROLE_WORDS[role] for role in sorted(roles.get((person.id, post.unit_id), ())))
    where = (organs[post.organ_id].code, units[post.unit_id].name)
    return (*where, person.code, person.name, post.title, "是" if post.is_principal else "", held, _status(person))


async def roster_sheets(actor: Actor, organ_id: UUID | None, rows: Sequence[Duty]) -> dict[str, Sheet]:
    """These duties. Raises Denied for who does not keep the organ's roster, or all of them."""
    if organ_id is not None:
        rules.check_in_organ(actor, "keep_duties", organ_id)
    else:
        rules.check(actor, "keep_directory")
    organs = {row.id: row.code for row in await access.every_organ()}
    units = await access.unit_names({row.unit_id for row in rows if row.unit_id})
    people = {row.id: row for row in await access.officials({row.official_id for row in rows})}
    return _named({"duties": [_duty_row(row, organs, units, people) for row in rows]})


def _duty_row(row: Duty, organs: dict[UUID, str], units: dict[UUID, str], people: dict[UUID, Any]) -> Sequence[str]:
    person = people[row.official_id]
    moments = [at.astimezone(OFFICE_ZONE).strftime(MOMENT) for at in (row.starts_at, row.ends_at)]
    unit = units[row.unit_id] if row.unit_id else ""
    return (organs[row.organ_id], unit, person.code, person.name, *moments, row.telephone, row.remark, _VALID)


def _named(sheets: dict[str, Rows]) -> dict[str, Sheet]:
    """The same under the titles that an import knows."""
    return {SHEETS[kind]: (list(TITLES[kind].values()), rows) for kind, rows in sheets.items()}
