"""The directory as a spreadsheet: organs and officials, one row each, in .xlsx or .csv, with every fault named by its cell.

A workbook holds the sheets 机关 and 人员; a .csv file is one of the two, told by its headers. Headers have the names that
offices use for them. Nothing is guessed: a formula, an unknown organ, a duplicate code or an invisible character is a
problem with sheet, row and column, and the caller imports all or nothing.
"""

from __future__ import annotations

import csv
import io
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from oa_server.core.actor import Role
from oa_server.core.errors import Invalid, Reason, TooLarge

SIZE_LIMIT = 20 << 20
UNPACKED_LIMIT = 200 << 20
ROW_LIMIT = 50_000
CELL_LIMIT = 500

UNREADABLE = Reason(
    "identity.sheet_unreadable", "文件不是可以读取的 .xlsx 或 .csv 表格", "The file is no .xlsx or .csv sheet."
)
TOO_LARGE = Reason("identity.sheet_too_large", "表格过大", "The sheet is too large.")

_PROBLEMS = {
    "wrong_header": "缺少必需的列：{0}",
    "missing": "此项不能为空",
    "duplicate": "与第 {0} 行重复",
    "formula": "单元格是公式，请改为数值或文字",
    "too_long": "内容超过 {0} 个字符",
    "control": "含有不可见字符，请重新输入",
    "unknown_organ": "机关代码“{0}”不存在",
    "unknown_level": "级别“{0}”不在允许范围内",
    "unknown_role": "职责“{0}”不在允许范围内",
    "cycle": "上级机关形成循环",
}

_ORGAN_HEADERS = {
    "code": ("机关代码", "单位代码", "代码"),
    "full_name": ("机关全称", "单位名称", "全称"),
    "short_name": ("机关简称", "规范化简称", "简称"),
    "level": ("级别", "机关级别"),
    "superior": ("上级机关代码", "上级代码"),
    "issuing_word": ("机关代字", "发文代字"),
    "issuer_mark": ("发文机关标志",),
}
_OFFICIAL_HEADERS = {
    "organ": ("机关代码", "单位代码"),
    "unit": ("部门", "处室", "内设机构"),
    "code": ("人员编号", "工号"),
    "name": ("姓名",),
    "title": ("职务", "岗位"),
    "principal": ("主要负责人", "是否主要负责人"),
    "roles": ("职责", "系统职责"),
}
_REQUIRED = {
    "organs": ("code", "full_name", "short_name", "level"),
    "officials": ("organ", "unit", "code", "name", "title"),
}

LEVELS = {"省级": "province", "市级": "city", "县级": "county", "乡级": "township", "部门": "department"}
ROLES = {
    "机要文书": Role.CLERK,
    "核稿": Role.OFFICE_REVIEWER,
    "领导": Role.LEADER,
    "部门负责人": Role.UNIT_HEAD,
    "印章管理员": Role.SEAL_KEEPER,
    "系统管理员": Role.SYSTEM_ADMIN,
    "安全管理员": Role.SECURITY_ADMIN,
    "审计员": Role.AUDIT_ADMIN,
}


@dataclass(frozen=True, slots=True)
class OrganRow:
    row: int
    code: str
    full_name: str
    short_name: str
    level: str
    superior: str
    issuing_word: str
    issuer_mark: str


@dataclass(frozen=True, slots=True)
class OfficialRow:
    row: int
    organ: str
    unit: str
    code: str
    name: str
    title: str
    principal: bool
    roles: tuple[Role, ...]


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


@dataclass(slots=True)
class Directory:
    organs: list[OrganRow] = field(default_factory=list)
    officials: list[OfficialRow] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    problems: list[Problem] = field(default_factory=list)

    def add(self, sheet: str, row: int, column: str, code: str, *details: object) -> None:
        message = _PROBLEMS[code].format(*details)
        self.problems.append(Problem(sheet, row, column, f"identity.sheet_{code}", message))


Cells = Sequence[str | None]


def read_directory(name: str, data: bytes, known_organs: Iterable[str] = ()) -> tuple[Directory, Report]:
    """Read a file called `name`. `known_organs` are codes already in the directory.

    Raises Invalid when the bytes are no sheet at all, TooLarge beyond the limits; every other fault is in the report.
    """
    if len(data) > SIZE_LIMIT:
        raise TooLarge(TOO_LARGE, limit=SIZE_LIMIT)
    directory, report = Directory(), Report()
    for title, rows in _sheets(name, data):
        _read_sheet(title, rows, directory, report)
    _check_organs(directory, report, frozenset(known_organs))
    return directory, report


def _sheets(name: str, data: bytes) -> Iterator[tuple[str, Iterator[Cells]]]:
    if name.lower().endswith(".csv"):
        yield name, iter(csv.reader(io.StringIO(_decode(data))))
        return
    _check_archive(data)
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False)
    except Exception as error:
        raise Invalid(UNREADABLE) from error
    try:
        for sheet in book.worksheets:
            yield sheet.title, (tuple(_text(value) for value in row) for row in sheet.iter_rows(values_only=True))
    finally:
        book.close()


def _decode(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid(UNREADABLE)


def _check_archive(data: bytes) -> None:
    """Refuse what is no zip, and zips that would unpack to more than a sheet ever holds."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > UNPACKED_LIMIT:
                raise TooLarge(TOO_LARGE, limit=UNPACKED_LIMIT)
            for item in archive.infolist():
                if item.filename.endswith((".xml", ".rels")) and b"<!DOCTYPE" in archive.read(item)[:4096]:
                    raise Invalid(UNREADABLE, "the workbook holds a document type")
    except zipfile.BadZipFile as error:
        raise Invalid(UNREADABLE) from error


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _read_sheet(title: str, rows: Iterator[Cells], directory: Directory, report: Report) -> None:
    header = [unicodedata.normalize("NFKC", (cell or "")).strip() for cell in next(rows, ())]
    if not any(header):
        return
    kind, names = ("officials", _OFFICIAL_HEADERS) if "姓名" in header else ("organs", _ORGAN_HEADERS)
    columns = {key: next((header.index(n) for n in known if n in header), -1) for key, known in names.items()}
    absent = [names[key][0] for key in _REQUIRED[kind] if columns[key] < 0]
    if absent:
        report.add(title, 1, "", "wrong_header", "、".join(absent))
        return
    reader = _Reader(title, {key: names[key][0] for key in names}, columns, _REQUIRED[kind], report)
    take: Callable[[int, dict[str, str]], None] = {
        "organs": lambda number, cells: _take_organ(directory, reader, number, cells),
        "officials": lambda number, cells: _take_official(directory, reader, number, cells),
    }[kind]
    for number, row in enumerate(rows, start=2):
        if number > ROW_LIMIT:
            raise TooLarge(TOO_LARGE, rows=ROW_LIMIT)
        if any(cell and cell.strip() for cell in row):
            take(number, reader.cells(number, row))


@dataclass(slots=True)
class _Reader:
    """Reads one row of a sheet into named cells, noting what is wrong with each."""

    sheet: str
    titles: dict[str, str]
    columns: dict[str, int]
    required: tuple[str, ...]
    report: Report
    seen: dict[str, int] = field(default_factory=dict)

    def cells(self, number: int, row: Cells) -> dict[str, str]:
        return {
            key: self._cell(number, key, row[at] if 0 <= at < len(row) else None) for key, at in self.columns.items()
        }

    def _cell(self, number: int, key: str, raw: str | None) -> str:
        text = unicodedata.normalize("NFC", raw or "").strip()
        if text.startswith("="):
            self.add(number, key, "formula")
        elif len(text) > CELL_LIMIT:
            self.add(number, key, "too_long", CELL_LIMIT)
        elif any(unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"} for c in text):
            self.add(number, key, "control")
        elif not text and key in self.required:
            self.add(number, key, "missing")
        return text

    def add(self, number: int, key: str, code: str, *details: object) -> None:
        self.report.add(self.sheet, number, self.titles[key], code, *details)

    def unique(self, number: int, key: str, value: str) -> None:
        first = self.seen.setdefault(value, number)
        if value and first != number:
            self.add(number, key, "duplicate", first)


def _take_organ(directory: Directory, reader: _Reader, number: int, cells: dict[str, str]) -> None:
    reader.unique(number, "code", cells["code"])
    if cells["level"] and cells["level"] not in LEVELS:
        reader.add(number, "level", "unknown_level", cells["level"])
    cells["level"] = LEVELS.get(cells["level"], "")
    directory.organs.append(OrganRow(row=number, **cells))


def _take_official(directory: Directory, reader: _Reader, number: int, cells: dict[str, str]) -> None:
    reader.unique(number, "code", cells["code"])
    words = [word for word in cells.pop("roles").replace("；", ";").replace("、", ";").split(";") if word.strip()]
    roles = []
    for word in words:
        if (role := ROLES.get(word.strip())) is None:
            reader.add(number, "roles", "unknown_role", word.strip())
        else:
            roles.append(role)
    principal = cells.pop("principal") in {"是", "1", "true", "True", "√"}
    directory.officials.append(OfficialRow(row=number, principal=principal, roles=tuple(roles), **cells))


def _check_organs(directory: Directory, report: Report, known: frozenset[str]) -> None:
    """Superiors and posts name organs that exist, and nobody is their own superior."""
    superiors = {organ.code: organ.superior for organ in directory.organs}
    codes = known | set(superiors)
    for organ in directory.organs:
        if organ.superior and organ.superior not in codes:
            report.add("机关", organ.row, "上级机关代码", "unknown_organ", organ.superior)
        elif _in_cycle(organ.code, superiors):
            report.add("机关", organ.row, "上级机关代码", "cycle")
    for official in directory.officials:
        if official.organ and official.organ not in codes:
            report.add("人员", official.row, "机关代码", "unknown_organ", official.organ)


def _in_cycle(code: str, superiors: dict[str, str]) -> bool:
    seen, at = {code}, superiors.get(code, "")
    while at:
        if at in seen:
            return at == code
        seen.add(at)
        at = superiors.get(at, "")
    return False


def protect_cell(text: str) -> str:
    """A cell that no spreadsheet program takes for a formula (leading = + - @ tab, carriage return)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A list as .csv with the byte-order mark that office programs expect, safe against formulas."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if cell is None else protect_cell(str(cell)) for cell in row])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()
