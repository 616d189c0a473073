"""The verbs of identity: the directory from a spreadsheet, and ending sessions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import Invalid, Reason
from oa_server.core.ids import new_id
from oa_server.identity import access, rules
from oa_server.identity.events import OrganRegistered
from oa_server.identity.models import Official, Organ, Post, Responsibility, Session, Unit
from oa_server.identity.spreadsheet import Directory, OfficialRow, OrganRow, read_directory
from oa_server.storage.fields import Model
from oa_server.storage.unit_of_work import Work, lock_row, unit_of_work

SHEET_REFUSED = Reason(
    "identity.sheet_refused",
    "表格有错误，未导入任何内容；请按报告修改后重新导入",
    "The sheet has errors; nothing was imported. Mend the cells in the report and import it again.",
)
PROBLEMS_SHOWN = 200


@dataclass(slots=True)
class Imported:
    """What an import did: rows that are new or changed, by table."""

    organs: int = 0
    units: int = 0
    officials: int = 0
    rows: list[Model] = field(default_factory=list)


async def import_directory(actor: Actor, name: str, data: bytes) -> Imported:
    """Bring organs, units and officials in from a sheet, all or nothing; what is there already is brought up to date.

    Raises Denied, and Invalid with every problem of the sheet.
    """
    next(a for a in rules.abilities(actor) if a.verb == "import_directory").check()
    known = {row["code"]: row["id"] for row in await access.organs()}
    directory, report = await asyncio.to_thread(read_directory, name, data, known)
    if report.problems:
        raise Invalid(SHEET_REFUSED, problems=[problem.as_facts() for problem in report.problems[:PROBLEMS_SHOWN]])
    async with unit_of_work(actor) as work:
        done = await _Importer(work).run(directory)
        digest = sha256(data).hexdigest()
        work.audit(
            Verb.DIRECTORY_IMPORTED,
            "directory",
            digest[:32],
            rows=done.rows,
            file_sha256=digest,
            organs=done.organs,
            units=done.units,
            officials=done.officials,
        )
    return done


class _Importer:
    """One import inside one unit of work. What is already there is read once, not once per row."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._done = Imported()
        self._organs: dict[str, Organ] = {}
        self._units: dict[tuple[UUID, str], Unit] = {}
        self._officials: dict[str, Official] = {}

    async def run(self, directory: Directory) -> Imported:
        self._organs = {organ.code: organ for organ in await Organ.all()}
        for organ_row in _superiors_first(directory.organs):
            await self._organ(organ_row)
        self._units = {(unit.organ_id, unit.name): unit for unit in await Unit.all()}
        self._officials = {official.code: official for official in await Official.all()}
        posts = {(post.official_id, post.unit_id): post for post in await Post.all()}
        held = {(r.official_id, r.organ_id, r.role): r for r in await Responsibility.all()}
        for number, row in enumerate(directory.officials):
            await self._official(row, number, posts, held)
        return self._done

    async def _organ(self, row: OrganRow) -> None:
        superior = self._organs[row.superior].id if row.superior else None
        values: dict[str, Any] = {
            "full_name": row.full_name,
            "short_name": row.short_name,
            "level": row.level,
            "superior_id": superior,
            "issuing_word": row.issuing_word,
            "issuer_mark": row.issuer_mark,
        }
        organ = self._organs.get(row.code)
        if organ is None:
            organ = await Organ.create(id=new_id(), code=row.code, **values)
            await self._work.announce(OrganRegistered(organ.id, organ.issuing_word))
        elif any(getattr(organ, name) != value for name, value in values.items()):
            await organ.update_from_dict(values).save(update_fields=list(values))
        else:
            return
        self._organs[row.code] = organ
        self._done.organs += 1
        self._done.rows.append(organ)

    async def _official(
        self,
        row: OfficialRow,
        number: int,
        posts: dict[tuple[UUID, UUID], Post],
        held: dict[tuple[UUID, UUID, str], Responsibility],
    ) -> None:
        rules.check_roles(frozenset(row.roles))
        organ = self._organs[row.organ]
        unit = await self._unit(organ.id, row.unit)
        official = self._officials.get(row.code)
        if official is None:
            official = await Official.create(id=new_id(), code=row.code, name=row.name)
            self._officials[row.code] = official
            self._done.officials += 1
            self._done.rows.append(official)
        if (official.id, unit.id) not in posts:
            post = await Post.create(
                id=new_id(),
                official_id=official.id,
                unit_id=unit.id,
                organ_id=organ.id,
                title=row.title,
                is_principal=row.principal,
                position=number,
            )
            self._done.rows.append(post)
        for role in row.roles:
            if (official.id, organ.id, role.value) not in held:
                granted = await Responsibility.create(
                    id=new_id(), official_id=official.id, organ_id=organ.id, unit_id=unit.id, role=role.value
                )
                self._done.rows.append(granted)

    async def _unit(self, organ_id: UUID, name: str) -> Unit:
        unit = self._units.get((organ_id, name))
        if unit is None:
            unit = await Unit.create(id=new_id(), organ_id=organ_id, name=name, position=len(self._units))
            self._units[organ_id, name] = unit
            self._done.units += 1
            self._done.rows.append(unit)
        return unit


def _superiors_first(rows: list[OrganRow]) -> list[OrganRow]:
    """Organs in an order in which every superior of the same sheet comes before its subordinates."""
    waiting = {row.code: row for row in rows}
    ordered: list[OrganRow] = []
    while waiting:
        ready = [row for row in waiting.values() if row.superior not in waiting]
        ordered += ready
        for row in ready:
            del waiting[row.code]
    return ordered


async def end_session(actor: Actor, session_id: UUID, *, reason: str) -> None:
    """End one session; ending it twice is the same as once."""
    async with unit_of_work(actor) as work:
        await _end(work, session_id, reason if reason in rules.PAGE_REASONS else rules.SESSION_ENDED.code)


async def end_sessions_of(work: Work, serial: str) -> None:
    """End every session that was opened with a certificate, inside the unit of work that revokes it."""
    for session in await Session.filter(certificate_serial=serial, ended_at=None):
        await _end(work, session.id, rules.SESSION_REVOKED.code)


async def _end(work: Work, session_id: UUID, code: str) -> None:
    """End a session and tell its pages; of two ends the first stays, and is the one that is recorded."""
    await lock_row(Session, session_id)
    if not await Session.filter(id=session_id, ended_at=None).exists():
        return
    await Session.filter(id=session_id).update(ended_at=work.now, end_reason=code)
    work.push(f"session:{session_id}", "session.ended", {"code": code, "title": rules.END_REASONS[code].zh})
    work.audit(Verb.SESSION_ENDED, "session", session_id, reason=code)
