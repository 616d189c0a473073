"""Settings from a sheet: rehearsed to show the difference, then changed as it was shown, all or nothing.

A sheet changes what it names, each setting as by the form: what takes two is proposed and waits, an empty value goes back to
the file's. A rehearsal does everything and takes it back, so what it shows is what would happen, refusals included.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Denied, Invalid, Reason, TooLarge
from oa_server.identity.importing import PROBLEMS_SHOWN, SHEET_REFUSED, Cell, Difference, Line
from oa_server.identity.spreadsheet import Report
from oa_server.installation import access, actions, rules
from oa_server.storage.database import Lock, alone
from oa_server.storage.unit_of_work import Work, unit_of_work
from oa_server.web.workbooks import TOO_LARGE, is_plain, sheets_in

SIZE_LIMIT = 1 << 20
ROW_LIMIT = 500
SHEET = "系统设置"
TITLES = {"name": "设置项", "value": "值", "reason": "理由"}
_REQUIRED = ("name", "value")
_WIDTHS = {"name": 64, "value": 200, "reason": 200}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting as a row states it; an empty value is the file's."""

    sheet: str
    row: int
    name: str
    value: str
    reason: str


class _Rehearsed(Exception):
    """Ends a rehearsal, so that all of it is taken back."""


async def rehearse(actor: Actor, settings: access.SettingsInForce, name: str, data: bytes) -> Difference:
    """What importing a file called `name` would change; nothing is. Raises Denied, TooLarge, and Invalid with every problem of
    the sheet."""
    rows, report, done = await _read(actor, name, data)
    with suppress(_Rehearsed):
        async with unit_of_work(actor) as work:
            await _apply(work, settings, name, rows, report, done)
            raise _Rehearsed
    return done


async def import_settings(
    actor: Actor, settings: access.SettingsInForce, name: str, data: bytes, *, shown: str
) -> Difference:
    """Change, or propose to, what a file says otherwise, all or nothing.

    Raises Denied, TooLarge; Invalid with every problem of the sheet; Conflict with the new difference when it is not the one that
    was `shown`, named by its digest.
    """
    rows, report, done = await _read(actor, name, data)
    async with unit_of_work(actor) as work:
        await _apply(work, settings, name, rows, report, done)
        if shown != done.digest:
            raise Conflict(rules.DIFFERENCE_CHANGED, difference=done.as_facts())
        work.audit(
            Verb.SETTINGS_IMPORTED,
            "setting",
            done.file_sha256[:32],
            file_sha256=done.file_sha256,
            difference=done.digest,
            settings=len(done.lines),
        )
    settings.forget()
    return done


async def _read(actor: Actor, name: str, data: bytes) -> tuple[list[SettingRow], Report, Difference]:
    rules.check_reads(actor)
    rows, report = await asyncio.to_thread(read_settings, name, data)
    _check(report)
    return rows, report, Difference(sha256(data).hexdigest())


def _check(report: Report) -> None:
    if report.problems:
        raise Invalid(SHEET_REFUSED, problems=[problem.as_facts() for problem in report.problems[:PROBLEMS_SHOWN]])


def read_settings(name: str, data: bytes) -> tuple[list[SettingRow], Report]:
    """The rows of every sheet in a file. Raises Invalid when it is no sheet at all, TooLarge beyond the limits; every other
    fault is in the report."""
    if len(data) > SIZE_LIMIT:
        raise TooLarge(TOO_LARGE, limit=SIZE_LIMIT)
    found: list[SettingRow] = []
    report = Report()
    for sheet in sheets_in(name, data):
        title, rows = sheet.title, sheet.rows
        header = [unicodedata.normalize("NFKC", cell or "").strip() for cell in next(rows, ())]
        if not any(header):
            continue
        if absent := [TITLES[key] for key in _REQUIRED if TITLES[key] not in header]:
            report.add(title, 1, "", "wrong_header", "、".join(absent))
            continue
        places = {key: header.index(column) if column in header else -1 for key, column in TITLES.items()}
        for number, cells in enumerate(rows, start=2):
            if number > ROW_LIMIT:
                raise TooLarge(TOO_LARGE, rows=ROW_LIMIT)
            if any(cell and cell.strip() for cell in cells):
                texts = {key: _text(cells, at) for key, at in places.items()}
                found.append(SettingRow(sheet=title, row=number, **texts))
                _judge(found, report)
    return found, report


def _text(cells: Sequence[str | None], at: int) -> str:
    return unicodedata.normalize("NFC", (cells[at] or "") if 0 <= at < len(cells) else "").strip()


def _judge(found: list[SettingRow], report: Report) -> None:
    """Note what is wrong with the cells of the row that was read last."""
    row = found[-1]
    for key, column in TITLES.items():
        text = getattr(row, key)
        if text.startswith("="):
            report.add(row.sheet, row.row, column, "formula")
        elif len(text) > _WIDTHS[key]:
            report.add(row.sheet, row.row, column, "too_long", _WIDTHS[key])
        elif not is_plain(text):
            report.add(row.sheet, row.row, column, "control")
    if row.name not in rules.CHANGEABLE:
        _fault(report, row, "name", rules.UNKNOWN_SETTING if row.name else rules.NO_NAME)
    elif first := next((one for one in found[:-1] if one.name == row.name), None):
        report.add(row.sheet, row.row, TITLES["name"], "duplicate", first.sheet, first.row)


def _fault(report: Report, row: SettingRow, key: str, reason: Reason) -> None:
    report.tell(row.sheet, row.row, TITLES[key], reason.code, reason.zh)


async def _apply(
    work: Work, settings: access.SettingsInForce, name: str, rows: list[SettingRow], report: Report, done: Difference
) -> None:
    await alone(Lock.SETTINGS)
    settings.forget()
    now = await settings.now()
    for row in rows:
        before = rules.words_of(getattr(now, row.name))
        in_file = rules.words_of(getattr(settings.file, row.name))
        try:
            # A value is compared as the setting takes it: 28.90 is 28.9.
            value = rules.text_of(rules.value_of(row.name, rules.text_in(row.value))) if row.value else ""
            after = rules.words_of(rules.value_of(row.name, value)) if value else in_file
            if before == after:
                done.unchanged += 1
                continue
            await actions.change_held(work, row.name, value, reason=row.reason or f"表格导入：{name}"[:200])
        except (Denied, Invalid, Conflict) as error:
            _fault(report, row, "value", error.reason)
            continue
        effect = "proposed" if rules.takes_two(row.name) else "changed"
        cells = (Cell(TITLES["value"], before, after),)
        done.lines.append(Line(row.sheet, row.row, "settings", effect, row.name, rules.WORDS[row.name], cells))
    _check(report)
