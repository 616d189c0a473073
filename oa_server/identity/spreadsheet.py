"""The directory as a spreadsheet: organs, their remits, units, officials and duties, one row each, in .xlsx or .csv, with every
fault named by its cell.

A workbook holds the sheets 机关, 主要职责, 部门, 人员 and 值班表; a .csv file is one of them, told by its headers. Headers have the names
that offices use for them. Nothing is guessed: a formula, an unknown organ, a duplicate code or an invisible character is a
problem with sheet, row and column, and the caller imports all or nothing. What a sheet does not name stays as it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from oa_server.core.actor import Role
from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import TooLarge
from oa_server.web.workbooks import ERROR_VALUES, TOO_LARGE, Cells, Problem, is_plain, sheets_in

SIZE_LIMIT = 20 << 20
ROW_LIMIT = 50_000
CELL_LIMIT = 500

_PROBLEMS = {
    "wrong_header": "缺少必需的列：{0}",
    "missing": "此项不能为空",
    "duplicate": "与“{0}”第 {1} 行重复",
    "formula": "单元格是公式，请改为数值或文字",
    "error": "单元格是错误值 {0}，请改正",
    "too_long": "内容超过 {0} 个字符",
    "control": "含有不可见字符或特殊空格，请重新输入",
    "look_alike": "含有全角或变体字符，请改用半角字母和数字",
    "unknown_organ": "机关代码“{0}”不存在",
    "unknown_level": "级别“{0}”不在允许范围内",
    "unknown_role": "职责“{0}”不在允许范围内",
    "unknown_status": "状态“{0}”不在允许范围内，请填“{1}”或“{2}”",
    "other_name": "与“{0}”第 {1} 行的人员编号相同而姓名不同",
    "no_moment": "“{0}”不是时间，请填成 2026-01-31 08:00",
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
    "status": ("状态",),
}
_REMIT_HEADERS = {
    "organ": ("机关代码", "单位代码"),
    "text": ("主要职责", "职责事项"),
    "status": ("状态",),
}
_UNIT_HEADERS = {
    "organ": ("机关代码", "单位代码"),
    "unit": ("部门", "处室", "内设机构"),
    "status": ("状态",),
}
_OFFICIAL_HEADERS = {
    "organ": ("机关代码", "单位代码"),
    "unit": ("部门", "处室", "内设机构"),
    "code": ("人员编号", "工号"),
    "name": ("姓名",),
    "title": ("职务", "岗位"),
    "principal": ("主要负责人", "是否主要负责人"),
    "roles": ("职责", "系统职责"),
    "status": ("状态",),
}
_DUTY_HEADERS = {
    "organ": ("机关代码", "单位代码"),
    "unit": ("部门", "处室", "内设机构"),
    "code": ("人员编号", "工号"),
    "name": ("姓名",),
    "starts_at": ("开始时间", "开始"),
    "ends_at": ("结束时间", "结束"),
    "telephone": ("值班电话", "电话"),
    "remark": ("备注",),
    "status": ("状态",),
}
HEADERS = {
    "organs": _ORGAN_HEADERS,
    "remits": _REMIT_HEADERS,
    "units": _UNIT_HEADERS,
    "officials": _OFFICIAL_HEADERS,
    "duties": _DUTY_HEADERS,
}
TITLES = {kind: {key: known[0] for key, known in names.items()} for kind, names in HEADERS.items()}
SHEETS = {"organs": "机关", "remits": "主要职责", "units": "部门", "officials": "人员", "duties": "值班表"}
_REQUIRED = {
    "organs": ("code", "full_name", "short_name", "level"),
    "remits": ("organ", "text"),
    "units": ("organ", "unit"),
    "duties": ("organ", "code", "starts_at", "ends_at"),
    "officials": ("organ", "unit", "code", "name", "title"),
}

# As wide as the columns the cells end in.
WIDTHS = {
    "organs": {
        "code": 32,
        "full_name": 120,
        "short_name": 60,
        "superior": 32,
        "issuing_word": 20,
        "issuer_mark": 60,
    },
    "remits": {"organ": 32, "text": 100},
    "units": {"organ": 32, "unit": 100},
    "officials": {"organ": 32, "unit": 100, "code": 32, "name": 60, "title": 60},
    "duties": {"organ": 32, "unit": 100, "code": 32, "name": 60, "telephone": 40, "remark": 200},
}
_CODES = {"code", "organ", "superior"}
_YES = {"是", "1", "true", "True", "√"}
# What a row says of itself in the column 状态: whether it is there no more.
STATUSES = {"在用": False, "停用": True}
ENTRY_STATUSES = {"有效": False, "取消": True}  # of what is no longer there once it is struck out
_MOMENTS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S")
MOMENT = _MOMENTS[0]

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
    "一般涉密人员": Role.CLEARED_GENERAL,
    "重要涉密人员": Role.CLEARED_IMPORTANT,
    "核心涉密人员": Role.CLEARED_CORE,
}
LEVEL_WORDS = {code: word for word, code in LEVELS.items()}
ROLE_WORDS = {role: word for word, role in ROLES.items()}


@dataclass(frozen=True, slots=True)
class OrganRow:
    """An organ as a row states it; None where the sheet has no such column, which says nothing of it."""

    sheet: str
    row: int
    code: str
    full_name: str
    short_name: str
    level: str
    superior: str | None
    issuing_word: str | None
    issuer_mark: str | None
    retired: bool | None


@dataclass(frozen=True, slots=True)
class RemitRow:
    """What an organ answers for, as a row states it."""

    sheet: str
    row: int
    organ: str
    text: str
    cancelled: bool


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit as a row states it."""

    sheet: str
    row: int
    organ: str
    unit: str
    retired: bool | None


@dataclass(frozen=True, slots=True)
class OfficialRow:
    """An official in a post as a row states it; `principal` is None where the sheet has no such column."""

    sheet: str
    row: int
    organ: str
    unit: str
    code: str
    name: str
    title: str
    principal: bool | None
    roles: tuple[Role, ...]
    retired: bool | None


@dataclass(frozen=True, slots=True)
class DutyRow:
    """A duty as a row states it; `unit` is empty for a duty of the whole organ."""

    sheet: str
    row: int
    organ: str
    unit: str
    code: str
    starts_at: datetime
    ends_at: datetime
    telephone: str
    remark: str
    cancelled: bool


@dataclass(slots=True)
class Directory:
    organs: list[OrganRow] = field(default_factory=list)
    remits: list[RemitRow] = field(default_factory=list)
    units: list[UnitRow] = field(default_factory=list)
    officials: list[OfficialRow] = field(default_factory=list)
    duties: list[DutyRow] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    problems: list[Problem] = field(default_factory=list)

    def add(self, sheet: str, row: int, column: str, code: str, *details: object) -> None:
        self.tell(sheet, row, column, f"identity.sheet_{code}", _PROBLEMS[code].format(*details))

    def tell(self, sheet: str, row: int, column: str, code: str, message: str) -> None:
        """Note a problem that is known by its code and words."""
        self.problems.append(Problem(sheet, row, column, code, message))


Seen = dict[tuple[str, ...], tuple[str, int]]


def read_directory(
    name: str, data: bytes, known_organs: Mapping[str, str] = MappingProxyType({})
) -> tuple[Directory, Report]:
    """Read a file called `name`. `known_organs` are the codes already in the directory, with those of their superiors.

    Raises Invalid when the bytes are no sheet at all, TooLarge beyond the limits; every other fault is in the report.
    """
    if len(data) > SIZE_LIMIT:
        raise TooLarge(TOO_LARGE, limit=SIZE_LIMIT)
    directory, report = Directory(), Report()
    seen: Seen = {}
    people: dict[str, str] = {}
    for sheet in sheets_in(name, data):
        _read_sheet(sheet.title, sheet.rows, directory, report, seen, people)
    _check_organs(directory, report, known_organs)
    return directory, report


def _read_sheet(
    title: str, rows: Iterator[Cells], directory: Directory, report: Report, seen: Seen, people: dict[str, str]
) -> None:
    header = [unicodedata.normalize("NFKC", (cell or "")).strip() for cell in next(rows, ())]
    if not any(header):
        return
    kind = _kind_of(header)
    names = HEADERS[kind]
    columns = {key: next((header.index(n) for n in known if n in header), -1) for key, known in names.items()}
    absent = [names[key][0] for key in _REQUIRED[kind] if columns[key] < 0]
    if absent:
        report.add(title, 1, "", "wrong_header", "、".join(absent))
        return
    reader = _Reader(title, kind, TITLES[kind], columns, report, seen, people)
    take: Callable[[int, dict[str, Any]], None] = {
        "organs": lambda number, cells: _take_organ(directory, reader, number, cells),
        "remits": lambda number, cells: _take_remit(directory, reader, number, cells),
        "units": lambda number, cells: _take_unit(directory, reader, number, cells),
        "officials": lambda number, cells: _take_official(directory, reader, number, cells),
        "duties": lambda number, cells: _take_duty(directory, reader, number, cells),
    }[kind]
    filled = 0
    for number, row in enumerate(rows, start=2):
        if any(cell and cell.strip() for cell in row):
            filled += 1
            if filled > ROW_LIMIT:
                raise TooLarge(TOO_LARGE, rows=ROW_LIMIT)
            take(number, reader.cells(number, row))


def _kind_of(header: list[str]) -> str:
    """Which sheet of the directory this is."""
    if any(name in header for name in _DUTY_HEADERS["starts_at"]):
        return "duties"
    if "姓名" in header:
        return "officials"
    if any(name in header for name in _REMIT_HEADERS["text"]):
        return "remits"
    is_of_units = any(name in header for name in _UNIT_HEADERS["unit"])
    return "units" if is_of_units and not any(name in header for name in _ORGAN_HEADERS["full_name"]) else "organs"


@dataclass(slots=True)
class _Reader:
    """Reads one row of a sheet into named cells, noting what is wrong with each."""

    sheet: str
    kind: str
    titles: dict[str, str]
    columns: dict[str, int]
    report: Report
    seen: Seen
    people: dict[str, str]

    def cells(self, number: int, row: Cells) -> dict[str, Any]:
        """The cells of a row by name; None for a column that the sheet does not have."""
        return {
            key: None if at < 0 else self._cell(number, key, row[at] if at < len(row) else None)
            for key, at in self.columns.items()
        }

    def _cell(self, number: int, key: str, raw: str | None) -> str:
        text = unicodedata.normalize("NFC", raw or "").strip()
        width = WIDTHS[self.kind].get(key, CELL_LIMIT)
        if text.startswith("="):
            self.add(number, key, "formula")
        elif text in ERROR_VALUES:
            self.add(number, key, "error", text)
        elif len(text) > width:
            self.add(number, key, "too_long", width)
        elif not is_plain(text):
            self.add(number, key, "control")
        elif key in _CODES and unicodedata.normalize("NFKC", text) != text:
            self.add(number, key, "look_alike")
        elif not text and key in _REQUIRED[self.kind]:
            self.add(number, key, "missing")
        return text

    def add(self, number: int, key: str, code: str, *details: object) -> None:
        self.report.add(self.sheet, number, self.titles[key], code, *details)

    def unique(self, number: int, key: str, *values: str) -> None:
        here = (self.sheet, number)
        first = self.seen.setdefault((self.kind, *values), here)
        if values[0] and first != here:
            self.add(number, key, "duplicate", *first)

    def retired(self, number: int, cells: dict[str, Any], known: Mapping[str, bool] = STATUSES) -> bool | None:
        """What the column 状态 says; None where it says nothing."""
        stated = cells.pop("status")
        if stated and stated not in known:
            self.add(number, "status", "unknown_status", stated, *known)
        return known.get(stated)

    def moment(self, number: int, key: str, text: str) -> datetime:
        """A moment of the office's clock."""
        for form in _MOMENTS:
            with suppress(ValueError):
                return datetime.strptime(text, form).replace(tzinfo=OFFICE_ZONE).astimezone(UTC)
        if text:
            self.add(number, key, "no_moment", text)
        return datetime.min.replace(tzinfo=UTC)


def _take_organ(directory: Directory, reader: _Reader, number: int, cells: dict[str, Any]) -> None:
    reader.unique(number, "code", cells["code"])
    if cells["level"] and cells["level"] not in LEVELS:
        reader.add(number, "level", "unknown_level", cells["level"])
    cells["level"] = LEVELS.get(cells["level"], "")
    retired = reader.retired(number, cells)
    directory.organs.append(OrganRow(sheet=reader.sheet, row=number, retired=retired, **cells))


def _take_remit(directory: Directory, reader: _Reader, number: int, cells: dict[str, Any]) -> None:
    reader.unique(number, "text", cells["text"], cells["organ"])
    cancelled = reader.retired(number, cells, ENTRY_STATUSES) or False
    directory.remits.append(RemitRow(sheet=reader.sheet, row=number, cancelled=cancelled, **cells))


def _take_unit(directory: Directory, reader: _Reader, number: int, cells: dict[str, Any]) -> None:
    reader.unique(number, "unit", cells["unit"], cells["organ"])
    retired = reader.retired(number, cells)
    directory.units.append(UnitRow(sheet=reader.sheet, row=number, retired=retired, **cells))


def _take_official(directory: Directory, reader: _Reader, number: int, cells: dict[str, Any]) -> None:
    _check_person(directory, reader, number, cells)
    words = [
        word for word in (cells.pop("roles") or "").replace("；", ";").replace("、", ";").split(";") if word.strip()
    ]
    roles = []
    for word in words:
        if (role := ROLES.get(word.strip())) is None:
            reader.add(number, "roles", "unknown_role", word.strip())
        else:
            roles.append(role)
    stated = cells.pop("principal")
    principal = None if stated is None else stated in _YES
    retired = reader.retired(number, cells)
    directory.officials.append(
        OfficialRow(sheet=reader.sheet, row=number, principal=principal, roles=tuple(roles), retired=retired, **cells)
    )


def _check_person(directory: Directory, reader: _Reader, number: int, cells: dict[str, Any]) -> None:
    """A person may stand in several rows, one for each unit, under one name."""
    problems = len(reader.report.problems)
    reader.unique(number, "code", cells["code"], cells["organ"], cells["unit"])
    first = reader.seen.setdefault(("person", cells["code"]), (reader.sheet, number))
    if first == (reader.sheet, number):
        reader.people[cells["code"]] = cells["name"]
    elif len(reader.report.problems) == problems and reader.people[cells["code"]] != cells["name"]:
        reader.add(number, "name", "other_name", *first)


def _take_duty(directory: Directory, reader: _Reader, number: int, cells: dict[str, Any]) -> None:
    reader.unique(number, "starts_at", cells["code"], cells["organ"], cells["starts_at"])
    cells.pop("name")  # for who reads the sheet; the number says who it is
    cancelled = reader.retired(number, cells, ENTRY_STATUSES) or False
    stated: dict[str, Any] = {key: value or "" for key, value in cells.items()}
    for key in ("starts_at", "ends_at"):
        stated[key] = reader.moment(number, key, stated[key])
    directory.duties.append(DutyRow(sheet=reader.sheet, row=number, cancelled=cancelled, **stated))


def _check_organs(directory: Directory, report: Report, known: Mapping[str, str]) -> None:
    """Superiors and posts name organs that exist, and nobody is their own superior."""
    stated = {o.code: o.superior for o in directory.organs if o.code and o.superior is not None}
    superiors = {**{o.code: "" for o in directory.organs if o.code}, **known, **stated}
    circling = in_circles(superiors)
    for organ in directory.organs:
        if organ.superior and organ.superior not in superiors:
            report.add(organ.sheet, organ.row, "上级机关代码", "unknown_organ", organ.superior)
        elif organ.code in circling:
            report.add(organ.sheet, organ.row, "上级机关代码", "cycle")
    below: list[RemitRow | UnitRow | OfficialRow | DutyRow] = [*directory.remits, *directory.units]
    for row in [*below, *directory.officials, *directory.duties]:
        if row.organ and row.organ not in superiors:
            report.add(row.sheet, row.row, "机关代码", "unknown_organ", row.organ)


def in_circles(superiors: Mapping[str, str]) -> set[str]:
    """The codes that are above themselves. Each is walked over once: a sheet may be one long chain."""
    found: set[str] = set()
    settled: set[str] = set()
    for code in superiors:
        path: list[str] = []
        at = code
        while at in superiors and at not in settled:
            settled.add(at)
            path.append(at)
            at = superiors[at]
        if at in path:
            found.update(path[path.index(at) :])
    return found
