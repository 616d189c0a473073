"""Lists that leave the system as files for office programs."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import Invalid, Reason
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.web.endpoint import Binary, Call, attachment

TOO_MANY_ROWS = Reason(
    "web.too_many_rows", "清单过长，请缩小筛选范围后再导出", "The list is too long to export; narrow it first."
)
EXPORT_LIMIT = 20_000
CELL_MOST = 32_767  # ECMA-376 says nothing; office programs take no more

CSV = Binary("text/csv")
XLSX = Binary("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
SHEET = Binary("application/octet-stream")  # either of them, as it comes in: told by its bytes or its name

Row = TypeVar("Row")
Sheet = tuple[Sequence[str], Sequence[Sequence[Any]]]  # a header, and rows under it


def whole(rows: Sequence[Row], reason: Reason = TOO_MANY_ROWS, limit: int = EXPORT_LIMIT) -> Sequence[Row]:
    """Rows to be exported, of which one more than `limit` was asked for: all that the filter shows, or none.

    Raises Invalid rather than leave some out unsaid.
    """
    if len(rows) > limit:
        raise Invalid(reason, limit=limit)
    return rows


async def leave_as_csv(
    call: Call[Any], name: str, header: Sequence[str], rows: Sequence[Sequence[object]], *, verb: str, subject: str
) -> Response:
    """The answer that takes a list out of the system as .csv. Nothing leaves unless that is on record."""
    await _record(call, name, verb, subject, len(rows))
    return attachment(name, CSV.media_type, await asyncio.to_thread(write_csv, header, rows))


async def leave_as_book(
    call: Call[Any], name: str, sheets: Mapping[str, Sheet], *, verb: str, subject: str
) -> Response:
    """The same as a workbook (.xlsx) of these sheets."""
    await _record(call, name, verb, subject, sum(len(rows) for _header, rows in sheets.values()))
    return attachment(name, XLSX.media_type, await asyncio.to_thread(write_book, sheets))


async def leave_as_marked(
    call: Call[Any], name: str, sheets: Mapping[str, MarkedSheet], *, verb: str, subject: str
) -> Response:
    """The same as a workbook whose cells are marked."""
    await _record(call, name, verb, subject, sum(len(sheet.rows) for sheet in sheets.values()))
    return attachment(name, XLSX.media_type, await asyncio.to_thread(write_marked_book, sheets))


async def _record(call: Call[Any], name: str, verb: str, subject: str, count: int) -> None:
    """Record who took which list, narrowed how, and how many rows: what leaves holds people's data, and no rule of ours
    follows it."""
    wanted = msgspec.to_builtins(call.query) if call.query is not None else {}
    narrowed = {key: value for key, value in wanted.items() if value not in (None, "")}
    async with unit_of_work(call.actor) as work:
        work.audit(verb, "list", subject, file=name, filter=narrowed, count=count)


def protect_cell(text: str) -> str:
    """A cell that no spreadsheet program takes for a formula (leading = + - @ tab, carriage return)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(OFFICE_ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else protect_cell(str(value))


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A list as .csv with the byte-order mark that office programs expect, safe against formulas, in the office's time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


@dataclass(frozen=True, slots=True)
class MarkedSheet:
    """A sheet with some of its cells marked: by row (the header is 0) and column (from 0), each with what is said of it."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    marks: Mapping[tuple[int, int], str]


MARK = "FFFFC7CE"  # the red of office programs for what is bad
AUTHOR = "OA"


def write_marked_book(sheets: Mapping[str, MarkedSheet]) -> bytes:
    """A workbook (.xlsx) whose marked cells are filled and carry a comment. Every cell is text, as in `write_book`."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill

    fill = PatternFill("solid", fgColor=MARK)
    book = openpyxl.Workbook(write_only=True)
    for title, marked in sheets.items():
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        for number, row in enumerate((marked.header, *marked.rows)):
            cells = [WriteOnlyCell(sheet, value=_of_workbook(text)) for text in row]
            for at, cell in enumerate(cells):
                cell.data_type = "s"
                cell.number_format = "@"
                if words := marked.marks.get((number, at)):
                    cell.fill = fill
                    cell.comment = Comment(words, AUTHOR)
            sheet.append(cells)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _of_workbook(text: str) -> str:
    """A text without the characters that no workbook holds (XML 1.0, 2.2), and no longer than a cell is."""
    return "".join(char for char in text if char >= " " or char in "\t\n")[:CELL_MOST]


def write_book(sheets: Mapping[str, tuple[Sequence[str], Iterable[Sequence[str]]]]) -> bytes:
    """A workbook (.xlsx) of these sheets, each a header and rows. Every cell is text by its kind, which no program computes,
    so nothing is put before it that an import would take for a part of it."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    book = openpyxl.Workbook(write_only=True)
    for title, (header, rows) in sheets.items():
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        for row in (header, *rows):
            cells = [WriteOnlyCell(sheet, value=text) for text in row]
            for cell in cells:
                cell.data_type = "s"
                cell.number_format = "@"
            sheet.append(cells)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
