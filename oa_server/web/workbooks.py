"""Sheets that come in, .xlsx or .csv: read within limits, as texts, with every fault to be named by its cell.

What a workbook holds beside the values of cells is not taken in: a file with macros is refused, a formula comes as the text
that it is, and cells that were merged are told, because only the first of them has a value.
"""

from __future__ import annotations

import csv
import io
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from oa_server.core.errors import Invalid, Reason, TooLarge

UNPACKED_LIMIT = 64 << 20
MEMBER_LIMIT = 500
ELEMENT_LIMIT = 2_000_000  # 50,000 rows of nine cells, each with a text of its own, and room to spare
COLUMN_LIMIT = 32
SHEET_LENGTH = 1_048_576  # as long and as wide as a sheet of the format can be;
SHEET_WIDTH = 16_384  # the reader would make up rows beyond the one, and hold a row in memory beyond the other

# Their codes are older than this home of theirs.
UNREADABLE = Reason(
    "identity.sheet_unreadable", "文件不是可以读取的 .xlsx 或 .csv 表格", "The file is no .xlsx or .csv sheet."
)
TOO_LARGE = Reason("identity.sheet_too_large", "表格过大", "The sheet is too large.")
HAS_MACROS = Reason(
    "web.sheet_macros",
    "文件含有宏，未读取；请另存为不含宏的 .xlsx 后重试",
    "The workbook holds macros and was not read; save it as .xlsx without them.",
)

_MACROS = ("vbaproject.bin", "vbadata.xml")
_VALUES = {"v", "is"}  # what a cell that holds something holds (ECMA-376, part 1, 18.3.1.96 and 18.3.1.53)
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
ERROR_VALUES = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA"}

Cells = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: sheet, row (counted as the sheet shows it, headers are row 1), column title, code and sentence."""

    sheet: str
    row: int
    column: str
    code: str
    message: str

    def as_facts(self) -> dict[str, Any]:
        return {"sheet": self.sheet, "row": self.row, "column": self.column, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class ReadSheet:
    """A sheet of a file: its title, its rows of texts, and the areas in which cells were merged (`B3:B7`)."""

    title: str
    rows: Iterator[Cells]
    merged: Sequence[str] = field(default=())


def sheets_in(
    name: str, data: bytes, *, columns: int = COLUMN_LIMIT, rows: int = SHEET_LENGTH, too_long: Reason = TOO_LARGE
) -> Iterator[ReadSheet]:
    """The sheets of a file, their first `columns` columns. Raises Invalid when it is none, TooLarge beyond the limits, `too_long`
    for one of more than so many filled rows: that is seen before the workbook is opened, which takes long then."""
    if name.lower().endswith(".csv"):
        yield ReadSheet(name, _csv_rows(data))
        return
    merged = _check_archive(data, rows, too_long)
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
    except Exception as error:
        raise Invalid(UNREADABLE) from error
    try:
        for sheet in book.worksheets:
            part = getattr(sheet, "_worksheet_path", "").lstrip("/")  # which only its streaming sheets have
            yield ReadSheet(sheet.title, _sheet_rows(sheet, columns), merged.get(part, ()))
    finally:
        book.close()


def _csv_rows(data: bytes) -> Iterator[Cells]:
    try:
        yield from csv.reader(io.StringIO(decoded(data), newline=""))
    except csv.Error as error:
        raise Invalid(UNREADABLE) from error


def _sheet_rows(sheet: Any, columns: int) -> Iterator[Cells]:
    """The rows of a sheet, within its own bounds and not those it claims; hostile markup fails in every way there is."""
    try:
        for row in sheet.iter_rows(max_row=SHEET_LENGTH, max_col=columns, values_only=True):
            yield tuple(map(_text, row)) if row.count(None) < len(row) else ()
    except Exception as error:
        raise Invalid(UNREADABLE) from error


def decoded(data: bytes) -> str:
    """A text file of an office program. Raises Invalid."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid(UNREADABLE)


def _check_archive(data: bytes, rows: int, too_long: Reason) -> dict[str, list[str]]:
    """The areas of merged cells by part. Refuses what is no zip, holds macros or a document type, or would unpack to more than
    a sheet of ours ever holds."""
    merged: dict[str, list[str]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MEMBER_LIMIT or sum(member.file_size for member in members) > UNPACKED_LIMIT:
                raise TooLarge(TOO_LARGE, limit=UNPACKED_LIMIT)
            if any(member.filename.lower().endswith(_MACROS) for member in members):
                raise Invalid(HAS_MACROS)
            room = ELEMENT_LIMIT
            for member in members:
                elements, merged[member.filename] = _measured(archive.read(member), room, rows, too_long)
                room -= elements
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise Invalid(UNREADABLE) from error
    return merged


def _measured(part: bytes, room: int, rows: int, too_long: Reason) -> tuple[int, list[str]]:
    """How many elements a part holds, 0 if it is no XML, and its areas of merged cells. Raises Invalid for document types,
    TooLarge beyond `room`."""
    parser = ParserCreate()
    elements = cells = filled = 0
    is_filled = False
    merged: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal elements, cells, filled, is_filled
        elements += 1
        local = name.rpartition(":")[2]
        cells = 0 if local == "row" else cells + (local == "c")
        if local == "mergeCell":
            merged.append(attributes.get("ref", ""))
        elif local == "row":
            is_filled = False
        elif local in _VALUES and not is_filled:
            is_filled, filled = True, filled + 1
            if filled > rows:
                raise TooLarge(too_long, rows=rows)
        if elements > room or cells > SHEET_WIDTH:
            raise TooLarge(TOO_LARGE, limit=ELEMENT_LIMIT)

    def doctype(*_: object) -> None:
        raise Invalid(UNREADABLE, "the workbook holds a document type")

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = doctype
    with suppress(ExpatError):
        parser.Parse(part, True)
    return elements, merged


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # A formula over an area comes as an object of its own; its words would pass for text.
    return "=" if type(value).__name__ in {"ArrayFormula", "DataTableFormula"} else str(value)


def is_plain(text: str) -> bool:
    """Whether a reader sees all of a text, and no sheet takes it for a formula."""
    return not text.startswith("=") and not any(_is_invisible(char) for char in text)


def _is_invisible(char: str) -> bool:
    """Whether a reader cannot see it, or takes it for the plain space which it is not."""
    category = unicodedata.category(char)
    return category in _INVISIBLE or (category == "Zs" and char != " ")
