"""Sheets made to hurt: bombs, endless grids, entities and broken markup. Each is made from a well-meant workbook."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence

import openpyxl

from tests.hostile.docx import archive, displaced

MIB = 1 << 20
SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def workbook(sheets: Mapping[str, Iterable[Sequence[object]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


HEADER = ("机关代码", "机关全称", "机关简称", "级别", "上级机关代码")
GOOD = workbook({"机关": [HEADER, ("A", "甲市人民政府", "甲市政府", "市级", None)]})


def parts() -> dict[str, str | bytes]:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as file:
        return {name: file.read(name) for name in file.namelist()}


def changed(name: str, content: str | bytes) -> bytes:
    """The good workbook with another content of one part."""
    return archive({**parts(), name: content})


def sheet(rows: str, before: str = "") -> bytes:
    return changed(SHEET, f"<worksheet {MAIN}>{before}<sheetData>{rows}</sheetData></worksheet>")


def _typed(encoding: str) -> bytes:
    head = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    comment = "<!--" + "x" * 10_000 + "-->"
    return changed(SHEET, f"{head}{comment}<worksheet {MAIN}>&e;</worksheet>".encode(encoding))


def _late_type() -> bytes:
    return changed(SHEET, f"<!--{'x' * 10_000}--><!DOCTYPE d><worksheet {MAIN}/>")


# Name → how to make it, and the code of the refusal.
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "sheet_unreadable"),
    "text": ("不是表格".encode, "sheet_unreadable"),
    "old .xls": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096), "sheet_unreadable"),
    "cut off": (lambda: GOOD[:-40], "sheet_unreadable"),
    "members before the file": (lambda: displaced(GOOD), "sheet_unreadable"),
    "a zip of something else": (lambda: archive({"a.txt": "a"}), "sheet_unreadable"),
    "no XML in the sheet": (lambda: changed(SHEET, b"\x00\x01"), "sheet_unreadable"),
    "sheet cut off": (lambda: changed(SHEET, f"<worksheet {MAIN}><sheetData><row"), "sheet_unreadable"),
    "cell of no column": (lambda: sheet('<row><c r="!"><v>1</v></c></row>'), "sheet_unreadable"),
    "text that is not there": (lambda: sheet('<row><c t="s"><v>999</v></c></row>'), "sheet_unreadable"),
    "number of the row is none": (lambda: sheet('<row r="x"><c/></row>'), "sheet_unreadable"),
    "undeclared entity": (lambda: sheet("<row>&e;</row>"), "sheet_unreadable"),
    "password on a member": (
        lambda: archive(parts(), lambda file: setattr(file.getinfo(SHEET), "flag_bits", 1)),
        "sheet_unreadable",
    ),
    "unknown method": (
        lambda: archive(parts(), lambda file: setattr(file.getinfo(SHEET), "compress_type", 99)),
        "sheet_unreadable",
    ),
    "file by entity": (lambda: _typed("utf-8"), "sheet_unreadable"),
    "file by entity in UTF-16": (lambda: _typed("utf-16"), "sheet_unreadable"),
    "document type after a long comment": (_late_type, "sheet_unreadable"),
    "too many bytes": (lambda: GOOD + bytes(20 * MIB), "sheet_too_large"),
    "too many members": (lambda: archive({**parts(), **{f"{n}": b"" for n in range(500)}}), "sheet_too_large"),
    "bomb": (lambda: archive({**parts(), "xl/media/x": bytes(65 * MIB)}), "sheet_too_large"),
    "flood of texts": (lambda: changed(STRINGS, f"<sst {MAIN}>{'<si/>' * 2_000_001}</sst>"), "sheet_too_large"),
    "flood of rows": (lambda: sheet("<row/>" * 2_000_001), "sheet_too_large"),
    "row without end": (lambda: sheet(f"<row>{'<c/>' * 16_385}</row>"), "sheet_too_large"),
    "row without end in another prefix": (
        lambda: changed(SHEET, f"<x:worksheet {MAIN.replace('xmlns', 'xmlns:x')}>{'<x:c/>' * 16_385}</x:worksheet>"),
        "sheet_too_large",
    ),
}

# What is odd and still holds one organ.
_ORGAN = "".join(
    f'<row r="{n}">{"".join(f"<c t={chr(34)}inlineStr{chr(34)}><is><t>{cell}</t></is></c>" for cell in row)}</row>'
    for n, row in ((1, HEADER[:4]), (2, ("A", "甲市人民政府", "甲市政府", "市级")))
)
READ: dict[str, Callable[[], bytes]] = {
    "claims to be endless": lambda: sheet(_ORGAN, '<dimension ref="A1:XFD1048576"/>'),
    "claims to be one cell": lambda: sheet(_ORGAN, '<dimension ref="A1"/>'),
    "formatted to the last row": lambda: sheet(_ORGAN + '<row r="1048576"><c r="A1048576" s="0"/></row>'),
    "a row beyond the last": lambda: sheet(_ORGAN + '<row r="999999999"><c r="A999999999"><v>1</v></c></row>'),
    "a cell far to the right": lambda: sheet(_ORGAN.replace("</row>", '<c r="XFD1"><v>1</v></c></row>')),
}
