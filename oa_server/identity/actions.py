"""The verbs of identity: the directory from a spreadsheet, and ending sessions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Invalid, Reason
from oa_server.core.ids import new_id
from oa_server.identity import access, rules
from oa_server.identity.events import OrganRegistered, RolesGiven
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

Row = TypeVar("Row", bound=Model)


@dataclass(slots=True)
class Imported:
    """What an import did: how many organs, units and people are new or changed, and every row that is."""

    organs: int = 0
    units: int = 0
    people: set[UUID] = field(default_factory=set)
    rows: list[Model] = field(default_factory=list)

    @property
    def officials(self) -> int:
        """How many people are new or changed, each counted once."""
        return len(self.people)


async def import_directory(actor: Actor, name: str, data: bytes) -> Imported:
    """Bring organs, units and officials in from a sheet, all or nothing; what is there already is brought up to date.

    Raises Denied, and Invalid with every problem of the sheet.
    """
    rules.check(actor, "import_directory")
    directory, report = await asyncio.to_thread(read_directory, name, data, await access.superiors())
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
        self._posts: dict[tuple[UUID, UUID], Post] = {}
        self._roles: dict[UUID, dict[tuple[UUID, Role], Responsibility]] = {}
        self._staffed: set[UUID] = set()
        self._position = 0

    async def run(self, directory: Directory) -> Imported:
        self._organs = {organ.code: organ for organ in await Organ.all()}
        for organ_row in _superiors_first(directory.organs):
            await self._organ(organ_row)
        self._units = {(unit.organ_id, unit.name): unit for unit in await Unit.all()}
        self._officials = {official.code: official for official in await Official.all()}
        self._posts = {(post.official_id, post.unit_id): post for post in await Post.all()}
        # Who gets a second post goes on acting in the first, so new posts come after all that are there.
        self._position = max((post.position + 1 for post in self._posts.values()), default=0)
        for held in await Responsibility.all():
            self._roles.setdefault(held.official_id, {})[held.organ_id, Role(held.role)] = held
        for row in directory.officials:
            await self._official(row)
        if self._staffed:
            await self._work.announce(RolesGiven(frozenset(self._staffed)))
        return self._done

    async def _organ(self, row: OrganRow) -> None:
        values = _stated(
            full_name=row.full_name,
            short_name=row.short_name,
            level=row.level,
            issuing_word=row.issuing_word,
            issuer_mark=row.issuer_mark,
        )
        if row.superior is not None:
            values["superior_id"] = self._organs[row.superior].id if row.superior else None
        organ = self._organs.get(row.code)
        may_issue_anew = bool(row.issuing_word) and (organ is None or organ.issuing_word != row.issuing_word)
        if organ is None:
            organ = self._organs[row.code] = await self._create(Organ, code=row.code, **values)
        elif not await self._update(organ, **values):
            return
        if may_issue_anew:
            await self._work.announce(OrganRegistered(organ.id, organ.issuing_word))
        self._done.organs += 1

    async def _official(self, row: OfficialRow) -> None:
        organ = self._organs[row.organ]
        unit = await self._unit(organ.id, row.unit)
        official = self._officials.get(row.code)
        if official is None:
            official = self._officials[row.code] = await self._create(Official, code=row.code, name=row.name)
            is_changed = True
        else:
            is_changed = await self._update(official, name=row.name)
        is_changed |= await self._post(official, unit, row)
        is_changed |= await self._grant(official, unit, row)
        if is_changed:
            self._done.people.add(official.id)

    async def _post(self, official: Official, unit: Unit, row: OfficialRow) -> bool:
        values = _stated(title=row.title, is_principal=row.principal)
        if post := self._posts.get((official.id, unit.id)):
            return await self._update(post, **values)
        self._posts[official.id, unit.id] = await self._create(
            Post, official_id=official.id, unit_id=unit.id, organ_id=unit.organ_id, position=self._position, **values
        )
        self._position += 1
        return True

    async def _grant(self, official: Official, unit: Unit, row: OfficialRow) -> bool:
        """Give the roles of a row that the official does not hold there yet: a role is held in one unit of an organ, so
        who gets it in another unit moves. Raises Denied when roles may not be held together.
        """
        held = self._roles.setdefault(official.id, {})
        wanted = {role for role in row.roles if (unit.organ_id, role) not in held}
        if wanted:
            rules.check_grant(self._work.actor, wanted)
            rules.check_roles({role for _, role in held} | wanted, sheet=row.sheet, row=row.row, code=row.code)
        is_changed = False
        for role in sorted(row.roles):
            if has := held.get((unit.organ_id, role)):
                moves = role in rules.UNIT_ROLES and has.unit_id != unit.id
                is_changed |= moves and await self._update(has, unit_id=unit.id)
                continue
            held[unit.organ_id, role] = await self._create(
                Responsibility, official_id=official.id, organ_id=unit.organ_id, unit_id=unit.id, role=role.value
            )
            is_changed = True
        if is_changed:
            self._staffed.add(unit.organ_id)
        return is_changed

    async def _unit(self, organ_id: UUID, name: str) -> Unit:
        unit = self._units.get((organ_id, name))
        if unit is None:
            unit = await self._create(Unit, organ_id=organ_id, name=name, position=len(self._units))
            self._units[organ_id, name] = unit
            self._done.units += 1
        return unit

    async def _create(self, kind: type[Row], **values: Any) -> Row:
        row = await kind.create(id=new_id(), **values)
        self._done.rows.append(row)
        return row

    async def _update(self, row: Model, **values: Any) -> bool:
        """Bring a row up to date; False when it already was."""
        if all(getattr(row, name) == value for name, value in values.items()):
            return False
        await row.update_from_dict(values).save(update_fields=list(values))
        self._done.rows.append(row)
        return True


def _stated(**values: Any) -> dict[str, Any]:
    """The values that a row states."""
    return {name: value for name, value in values.items() if value is not None}


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


async def cut_session(actor: Actor, session_id: UUID, *, why: str) -> None:
    """End somebody else's session, saying why; its pages are told at once. Raises Denied, NotFound."""
    rules.check(actor, "cut_session")
    async with unit_of_work(actor) as work:
        await access.known_session(session_id)
        await _end(work, session_id, rules.SESSION_CUT.code, why=why)


async def end_sessions_of(work: Work, serial: str) -> None:
    """End every session that was opened with a certificate, inside the unit of work that revokes it."""
    for session in await Session.filter(certificate_serial=serial, ended_at=None):
        await _end(work, session.id, rules.SESSION_REVOKED.code)


async def _end(work: Work, session_id: UUID, code: str, **facts: Any) -> None:
    """End a session and tell its pages; of two ends the first stays, and is the one that is recorded."""
    await lock_row(Session, session_id)
    if not await Session.filter(id=session_id, ended_at=None).exists():
        return
    await Session.filter(id=session_id).update(ended_at=work.now, end_reason=code)
    work.push(f"session:{session_id}", "session.ended", {"code": code, "title": rules.END_REASONS[code].zh})
    work.audit(Verb.SESSION_ENDED, "session", session_id, reason=code, **facts)
