"""Sheets that come in are read as values: what is hidden in a workbook is refused or told."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest

from oa_server.core.errors import Invalid
from oa_server.web.workbooks import sheets_in


def workbook(*merged: str) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["案由", "主办单位"])
    sheet.append(["关于停车的建议", "市财政局"])
    for area in merged:
        sheet.merge_cells(area)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_merged_cells_are_told() -> None:
    """Of merged cells only the first has a value, so the reader says which were merged."""
    (sheet,) = sheets_in("案件.xlsx", workbook("B2:B5", "A6:B6"))
    assert sorted(sheet.merged) == ["A6:B6", "B2:B5"]
    assert next(iter(sheets_in("案件.xlsx", workbook()))).merged == []


def test_macros_are_refused() -> None:
    """A workbook with macros is not read, whatever its name says."""
    data = io.BytesIO(workbook())
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")
    with pytest.raises(Invalid) as caught:
        list(sheets_in("案件.xlsx", data.getvalue()))
    assert caught.value.code == "web.sheet_macros"
