"""The directory and rosters from a sheet: rehearsed to show the difference, then applied as it was shown, all or nothing.

A rehearsal does everything and takes it back, so what it shows is what would happen, refusals included. Whoever confirms
names the digest of the difference that they saw; when file or directory have changed since, the digest is another and
nothing is done. A sheet changes what it names: nobody is retired by being left out, and no role is taken by an empty cell.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

from crypto.canonical import canonical_json
from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor, Role
from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import Conflict, Denied, Invalid, OaError, Reason
from oa_server.core.ids import new_id
from oa_server.identity import access, duties, keeping, remits, rules
from oa_server.identity.events import OrganRegistered, RolesGiven
from oa_server.identity.models import (
    Duty,
    Official,
    Organ,
    Post,
    Remit,
    Responsibility,
    RoleChange,
    RoleChangeState,
    Unit,
)
from oa_server.identity.spreadsheet import (
    LEVEL_WORDS,
    MOMENT,
    ROLE_WORDS,
    TITLES,
    Directory,
    DutyRow,
    OfficialRow,
    OrganRow,
    RemitRow,
    Report,
    UnitRow,
    read_directory,
)
from oa_server.storage.fields import Model
from oa_server.storage.unit_of_work import Work, unit_of_work

SHEET_REFUSED = Reason(
    "identity.sheet_refused",
    "表格有错误，未导入任何内容；请按报告修改后重新导入",
    "The sheet has errors; nothing was imported. Mend the cells in the report and import it again.",
)
PROBLEMS_SHOWN = 200
LINES_SHOWN = 2000
EFFECT_WORDS = {"added": "新增", "changed": "修改", "retired": "停用", "restored": "恢复"}
_IN_ORDER: tuple[type[Model], ...] = (Organ, Unit, Official, Post, Responsibility, RoleChange)

Row = TypeVar("Row", bound=Model)
_SUBJECTS = {
    OrganRow: "organs", RemitRow: "remits", UnitRow: "units", OfficialRow: "officials", DutyRow: "duties",
}  # fmt: skip
SheetRow = OrganRow | RemitRow | UnitRow | OfficialRow | DutyRow


@dataclass(frozen=True, slots=True)
class Cell:
    """One value that changes: the column as the sheet calls it, and both values as it would show them."""

    column: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Line:
    """What one row of a sheet changes. `effect`: added, changed, retired or restored."""

    sheet: str
    row: int
    subject: str
    effect: str
    code: str
    name: str
    cells: tuple[Cell, ...]


@dataclass(slots=True)
class Difference:
    """What an import changes, line by line, and how many rows it leaves as they are; `rows` are those that it wrote."""

    file_sha256: str
    lines: list[Line] = field(default_factory=list)
    unchanged: int = 0
    rows: list[Model] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """What names this difference of this file."""
        told = {"file": self.file_sha256, "lines": [_plain(line) for line in self.lines]}
        return sha256(canonical_json(told)).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """How many lines there are of each effect."""
        return dict(Counter(line.effect for line in self.lines))

    def _changed(self, subject: str) -> int:
        return len({line.code for line in self.lines if line.subject == subject})

    @property
    def organs(self) -> int:
        return self._changed("organs")

    @property
    def units(self) -> int:
        """How many units are new, named by a sheet of units or by the people in them."""
        return sum(isinstance(row, Unit) for row in self.rows)

    @property
    def officials(self) -> int:
        """How many people are new or changed, each counted once."""
        return self._changed("officials")

    def as_facts(self) -> dict[str, Any]:
        """As it is shown: beyond some thousand lines only their number."""
        return {
            "digest": self.digest,
            "counts": self.counts,
            "unchanged": self.unchanged,
            "lines": [_plain(line) for line in self.lines[:LINES_SHOWN]],
            "left_off": max(0, len(self.lines) - LINES_SHOWN),
        }


def _plain(line: Line) -> dict[str, Any]:
    return asdict(line) | {"cells": [asdict(cell) for cell in line.cells]}


class _Rehearsed(Exception):
    """Ends a rehearsal, so that all of it is taken back."""


async def rehearse(actor: Actor, name: str, data: bytes) -> Difference:
    """What importing a file would change; nothing is. Raises Denied, and Invalid with every problem of the sheet."""
    read = await _read(actor, name, data)
    with suppress(_Rehearsed):
        async with unit_of_work(actor) as work:
            await _apply(work, name, *read)
            raise _Rehearsed
    return read[-1]


async def import_directory(actor: Actor, name: str, data: bytes, *, shown: str | None = None) -> Difference:
    """Bring a sheet in, all or nothing; what is there already is brought up to date.

    Raises Denied; Invalid with every problem of the sheet; Conflict with the new difference when it is not the one that was
    `shown`, named by its digest.
    """
    read = await _read(actor, name, data)
    async with unit_of_work(actor) as work:
        done = await _apply(work, name, *read)
        if shown is not None and shown != done.digest:
            raise Conflict(rules.DIFFERENCE_CHANGED, difference=done.as_facts())
        work.audit(
            Verb.DIRECTORY_IMPORTED,
            "directory",
            done.file_sha256[:32],
            rows=done.rows,
            file_sha256=done.file_sha256,
            difference=done.digest,
            organs=done.organs,
            units=done.units,
            officials=done.officials,
        )
    return done


async def _read(actor: Actor, name: str, data: bytes) -> tuple[Directory, Report, Difference]:
    directory, report = await asyncio.to_thread(read_directory, name, data, await access.superiors())
    if not directory.duties or directory.organs or directory.remits or directory.units or directory.officials:
        rules.check(actor, "import_directory")
    _check(report)
    return directory, report, Difference(sha256(data).hexdigest())


def _check(report: Report) -> None:
    if report.problems:
        raise Invalid(SHEET_REFUSED, problems=[problem.as_facts() for problem in report.problems[:PROBLEMS_SHOWN]])


async def _apply(work: Work, name: str, directory: Directory, report: Report, done: Difference) -> Difference:
    await keeping.hold_directory()
    await _Importer(work, name, report, done).run(directory)
    _check(report)
    return done


class _Importer:
    """One import inside one unit of work. What is already there is read once, not once per row."""

    def __init__(self, work: Work, name: str, report: Report, done: Difference) -> None:
        self._work = work
        self._name = name
        self._report = report
        self._done = done
        self._made: dict[type[Model], list[Model]] = {kind: [] for kind in _IN_ORDER}
        self._new: set[UUID] = set()
        self._changed: list[tuple[Model, tuple[str, ...]]] = []
        self._issuing: list[tuple[OrganRow, Organ]] = []
        self._organs: dict[str, Organ] = {}
        self._known_organs: dict[UUID, Organ] = {}
        self._units: dict[tuple[UUID, str], Unit] = {}
        self._officials: dict[str, Official] = {}
        self._posts: dict[tuple[UUID, UUID], Post] = {}
        self._roles: dict[UUID, dict[tuple[UUID, Role], Responsibility]] = {}
        self._waiting: set[tuple[UUID, UUID, Role]] = set()
        self._restored: set[UUID] = set()
        self._staffed: set[UUID] = set()
        self._position = 0

    async def run(self, directory: Directory) -> None:
        await self._know()
        for organ_row in _superiors_first(directory.organs):
            await self._organ(organ_row)
        for unit_row in directory.units:
            await self._unit(unit_row)
        for official_row in directory.officials:
            await self._official(official_row)
        await self._write()
        await self._remits(directory.remits)
        await self._retire(directory)
        await self._duties(directory.duties)
        kinds: tuple[Sequence[SheetRow], ...] = (
            directory.organs,
            directory.remits,
            directory.units,
            directory.officials,
            directory.duties,
        )
        rows = sum(len(kind) for kind in kinds)
        self._done.unchanged = rows - len({(line.sheet, line.row) for line in self._done.lines})
        self._done.lines.sort(key=lambda line: (list(TITLES).index(line.subject), line.sheet, line.row))

    async def _know(self) -> None:
        self._organs = {organ.code: organ for organ in await Organ.all()}
        self._known_organs = {organ.id: organ for organ in self._organs.values()}
        self._units = {(unit.organ_id, unit.name): unit for unit in await Unit.all()}
        self._officials = {official.code: official for official in await Official.all()}
        self._posts = {(post.official_id, post.unit_id): post for post in await Post.all()}
        # Who gets a second post goes on acting in the first, so new posts come after all that are there.
        self._position = max((post.position + 1 for post in self._posts.values()), default=0)
        for held in await Responsibility.all():
            self._roles.setdefault(held.official_id, {})[held.organ_id, Role(held.role)] = held
        for change in await RoleChange.filter(state=RoleChangeState.PENDING):
            self._waiting.add((change.official_id, change.unit_id, Role(change.role)))

    async def _write(self) -> None:
        """Everything that is new, in the order in which it refers to each other, a table at a time; then what has changed."""
        for kind, rows in self._made.items():
            if rows:
                await kind.bulk_create(rows)
                self._done.rows += rows
        for changed, names in self._changed:
            await changed.save(update_fields=list(names))
            self._done.rows.append(changed)
        for row, organ in self._issuing:
            async with self._at(row, "issuing_word"):
                await self._work.announce(OrganRegistered(organ.id, organ.issuing_word))
        if self._staffed:
            await self._work.announce(RolesGiven(frozenset(self._staffed)))

    # --- organs and units --------------------------------------------------------------------------------------------

    async def _organ(self, row: OrganRow) -> None:
        values = _stated(
            full_name=row.full_name,
            short_name=row.short_name,
            level=row.level,
            issuing_word=row.issuing_word,
            issuer_mark=row.issuer_mark,
        )
        above = self._organs[row.superior] if row.superior else None
        if row.superior is not None:
            values["superior_id"] = above.id if above else None
        organ = self._organs.get(row.code)
        if organ is None:
            organ = self._organs[row.code] = self._make(Organ, code=row.code, **values)
            if row.issuing_word:
                self._issuing.append((row, organ))
            cells = _cells("organs", {}, _shown_organ(values, above))
            self._line(row, "organs", "added", row.code, row.full_name, cells)
            return
        restored = await self._restore(row, organ, keeping.restore_held)
        before = _shown_organ(
            {name: getattr(organ, name) for name in values}, self._known_organs.get(organ.superior_id)
        )
        word = organ.issuing_word
        self._update(organ, values)
        if organ.issuing_word not in {"", word}:
            self._issuing.append((row, organ))
        self._told(row, "organs", row.code, row.full_name, before, _shown_organ(values, above), restored=restored)

    async def _remits(self, rows: Sequence[RemitRow]) -> None:
        """Strike out and add what the rows say, after all else that an organ answers for."""
        lists: dict[UUID, list[str]] = {self._organs[row.organ].id: [] for row in rows}
        for known in await Remit.filter(organ_id__in=list(lists)).order_by("position", "id"):
            lists[known.organ_id].append(known.text)
        for row in rows:
            texts = lists[self._organs[row.organ].id]
            if row.cancelled and row.text in texts:
                texts.remove(row.text)
                self._line(row, "remits", "retired", row.organ, row.text, ())
            elif not row.cancelled and row.text not in texts:
                texts.append(row.text)
                self._line(row, "remits", "added", row.organ, row.text, ())
        for code in dict.fromkeys(row.organ for row in rows):
            organ = self._organs[code]
            await remits.keep_held(self._work, organ, lists[organ.id])

    async def _unit(self, row: UnitRow) -> None:
        organ = self._organs[row.organ]
        unit = self._units.get((organ.id, row.unit))
        if unit is None:
            self._new_unit(organ.id, row.unit)
            self._line(row, "units", "added", row.organ, row.unit, ())
            return
        restored = await self._restore(row, unit, keeping.restore_held)
        self._told(row, "units", row.organ, row.unit, {}, {}, restored=restored)

    def _new_unit(self, organ_id: UUID, name: str) -> Unit:
        unit = self._units[organ_id, name] = self._make(Unit, organ_id=organ_id, name=name, position=len(self._units))
        return unit

    # --- people -------------------------------------------------------------------------------------------------------

    async def _official(self, row: OfficialRow) -> None:
        organ = self._organs[row.organ]
        unit = self._units.get((organ.id, row.unit)) or self._new_unit(organ.id, row.unit)
        official = self._officials.get(row.code)
        is_new = official is None
        if official is None:
            official = self._officials[row.code] = self._make(Official, code=row.code, name=row.name)
        restored = await self._restore(row, official, keeping.restore_held_official)
        if self._is_retired(row, official, unit):
            return
        post = self._posts.get((official.id, unit.id))
        before = {"name": "" if is_new else official.name, **_shown_post(post, unit)}
        self._update(official, {"name": row.name})
        values = _stated(title=row.title, is_principal=row.principal)
        if post is None:
            post = self._posts[official.id, unit.id] = self._make(
                Post,
                official_id=official.id,
                unit_id=unit.id,
                organ_id=unit.organ_id,
                position=self._position,
                **values,
            )
            self._position += 1
        else:
            self._update(post, values)
        after = {"name": row.name, **_shown_post(post, unit), "roles": self._give(official, unit, row)}
        if is_new:
            self._line(row, "officials", "added", row.code, row.name, _cells("officials", {}, after))
        else:
            self._told(row, "officials", row.code, row.name, before, after, restored=restored)

    def _is_retired(self, row: OfficialRow, official: Official, unit: Unit) -> bool:
        """Whether a row is about who is there no more; it changes nothing of them, and says so or is at fault."""
        gone = official if official.retired_at else unit
        if not gone.retired_at or official.id in self._restored:
            return False
        if not (row.retired and official.retired_at):
            self._fault(row, "status", rules.RETIRED)
        return True

    def _give(self, official: Official, unit: Unit, row: OfficialRow) -> str:
        """Give the roles of a row that the official does not hold there yet, or propose them: only the console gives alone.

        A role is held in one unit of an organ, so who gets it in another unit moves. Raises Denied when roles may not be held
        together. Returns the new roles in words.
        """
        held = self._roles.setdefault(official.id, {})
        wanted = {role for role in row.roles if (unit.organ_id, role) not in held}
        if wanted:
            rules.check_grant(self._work.actor, wanted)
            rules.check_roles({role for _, role in held} | wanted, sheet=row.sheet, row=row.row, code=row.code)
        new = []
        for role in sorted(set(row.roles)):
            has = held.get((unit.organ_id, role))
            moves = has is not None and role in rules.UNIT_ROLES and has.unit_id != unit.id
            if has is not None and not moves:
                continue
            if not self._work.actor.is_system:
                if (official.id, unit.id, role) in self._waiting:
                    continue
                self._propose(official, unit, role)
                new.append(f"{ROLE_WORDS[role]}（待复核）")
                continue
            if has is not None:
                self._update(has, {"unit_id": unit.id})
            else:
                held[unit.organ_id, role] = self._make(
                    Responsibility,
                    official_id=official.id,
                    organ_id=unit.organ_id,
                    unit_id=unit.id,
                    role=role.value,
                )
            self._staffed.add(unit.organ_id)
            new.append(ROLE_WORDS[role])
        return "；".join(new)

    def _propose(self, official: Official, unit: Unit, role: Role) -> None:
        self._waiting.add((official.id, unit.id, role))
        self._make(
            RoleChange,
            official_id=official.id,
            organ_id=unit.organ_id,
            unit_id=unit.id,
            role=role.value,
            reason=f"表格导入：{self._name}"[:200],
            state=RoleChangeState.PENDING.value,
            proposed_by=self._work.actor.official_id,
            proposed_as=Role.SYSTEM_ADMIN.value,
            proposed_at=self._work.now,
        )

    # --- who is there no more -----------------------------------------------------------------------------------------

    async def _restore(self, row: OrganRow | UnitRow | OfficialRow, known: Any, restore: Callable[..., Any]) -> bool:
        """Bring back what a row says is in use again."""
        if row.retired is not False or known.retired_at is None:
            return False
        async with self._at(row, "status"):
            await restore(known)
            self._restored.add(known.id)
            self._done.rows.append(known)
        return known.retired_at is None

    async def _retire(self, directory: Directory) -> None:
        """Retire what the rows say: first people, then what they were in."""
        for person in directory.officials:
            official = self._officials[person.code]
            if person.retired and official.retired_at is None:
                async with self._at(person, "status"):
                    await keeping.retire_held_official(self._work, official)
                    self._line(person, "officials", "retired", person.code, person.name, ())
        for row in directory.units:
            unit = self._units[self._organs[row.organ].id, row.unit]
            if row.retired and unit.retired_at is None:
                async with self._at(row, "status"):
                    await keeping.retire_held_unit(self._work, unit)
                    self._line(row, "units", "retired", row.organ, row.unit, ())
        for organ_row in reversed(_superiors_first(directory.organs)):
            organ = self._organs[organ_row.code]
            if organ_row.retired and organ.retired_at is None:
                async with self._at(organ_row, "status"):
                    await keeping.retire_held_organ(self._work, organ)
                    self._line(organ_row, "organs", "retired", organ_row.code, organ_row.full_name, ())

    # --- rosters ------------------------------------------------------------------------------------------------------

    async def _duties(self, rows: Sequence[DutyRow]) -> None:
        moments = {row.starts_at for row in rows}
        known = {}
        if moments:
            for duty in await Duty.filter(starts_at__gte=min(moments), starts_at__lte=max(moments)):
                known[duty.organ_id, duty.official_id, duty.starts_at] = duty
        names = {unit.id: unit.name for unit in self._units.values()}
        for row in rows:
            rules.check_in_organ(self._work.actor, "keep_duties", self._organs[row.organ].id)
            async with self._at(row, "starts_at"):
                await self._duty(row, known, names)

    async def _duty(self, row: DutyRow, known: dict[tuple[UUID, UUID, datetime], Duty], names: dict[UUID, str]) -> None:
        organ, official = self._organs[row.organ], self._officials.get(row.code)
        unit = self._units.get((organ.id, row.unit))
        if official is None or (row.unit and unit is None):
            raise Invalid(rules.DUTY_ELSEWHERE)
        values = {
            "unit_id": unit.id if unit else None,
            "official_id": official.id,
            "starts_at": row.starts_at,
            "ends_at": row.ends_at,
            "telephone": row.telephone,
            "remark": row.remark,
        }
        after = _shown_duty(values, names)
        duty = known.get((organ.id, official.id, row.starts_at))
        if duty is None:
            if row.cancelled:
                return
            await duties.enter_held(self._work, organ.id, values, overlapping=False)
            self._line(row, "duties", "added", row.code, official.name, _cells("duties", {}, after))
        elif row.cancelled:
            await duties.cancel_held(self._work, duty)
            self._line(row, "duties", "retired", row.code, official.name, _cells("duties", after, {}))
        else:
            before = _shown_duty({name: getattr(duty, name) for name in values}, names)
            if before != after:
                await duties.change_held(self._work, duty, values, overlapping=False)
            self._told(row, "duties", row.code, official.name, before, after)

    # --- writing and telling ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _at(self, row: SheetRow, key: str) -> AsyncIterator[None]:
        """What is refused inside becomes a problem of this row; who may not do it at all is told so."""
        try:
            yield
        except Denied:
            raise
        except OaError as error:
            self._fault(row, key, error.reason)

    def _fault(self, row: SheetRow, key: str, reason: Reason) -> None:
        self._report.tell(row.sheet, row.row, TITLES[_SUBJECTS[type(row)]][key], reason.code, reason.zh)

    def _make(self, kind: type[Row], **values: Any) -> Row:
        row = kind(id=new_id(), **values)
        self._made[kind].append(row)
        self._new.add(row.pk)
        return row

    def _update(self, row: Model, values: dict[str, Any]) -> None:
        """Bring a row up to date. It is written after what is new, which it may refer to."""
        differing = {name: value for name, value in values.items() if getattr(row, name) != value}
        row.update_from_dict(differing)
        if differing and row.pk not in self._new:
            self._changed.append((row, tuple(differing)))

    def _told(
        self,
        row: SheetRow,
        subject: str,
        code: str,
        name: str,
        before: dict[str, str],
        after: dict[str, str],
        *,
        restored: bool = False,
    ) -> None:
        """A line for what differs, if anything does."""
        cells = _cells(subject, before, after)
        if cells or restored:
            self._line(row, subject, "restored" if restored else "changed", code, name, cells)

    def _line(self, row: SheetRow, subject: str, effect: str, code: str, name: str, cells: tuple[Cell, ...]) -> None:
        self._done.lines.append(Line(row.sheet, row.row, subject, effect, code, name, cells))


def _stated(**values: Any) -> dict[str, Any]:
    """The values that a row states."""
    return {name: value for name, value in values.items() if value is not None}


def _cells(subject: str, before: dict[str, str], after: dict[str, str]) -> tuple[Cell, ...]:
    """The columns that differ, as the sheet calls them."""
    names = [name for name in TITLES[subject] if before.get(name, "") != after.get(name, "")]
    return tuple(Cell(TITLES[subject][name], before.get(name, ""), after.get(name, "")) for name in names)


def _shown_organ(values: dict[str, Any], above: Organ | None) -> dict[str, str]:
    shown = {name: str(value or "") for name, value in values.items() if name != "superior_id"}
    shown["level"] = LEVEL_WORDS[values["level"]]
    return shown | ({"superior": above.code if above else ""} if "superior_id" in values else {})


def _shown_post(post: Post | None, unit: Unit) -> dict[str, str]:
    if post is None:
        return {}
    return {"unit": unit.name, "title": post.title, "principal": "是" if post.is_principal else ""}


def _shown_duty(values: dict[str, Any], units: dict[UUID, str]) -> dict[str, str]:
    moments = {name: values[name].astimezone(OFFICE_ZONE).strftime(MOMENT) for name in ("starts_at", "ends_at")}
    unit = units[values["unit_id"]] if values["unit_id"] else ""
    return {"unit": unit, **moments, "telephone": values["telephone"], "remark": values["remark"]}


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
