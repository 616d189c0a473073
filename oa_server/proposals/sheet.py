"""导入表: the columns of a sheet of cases with the names that offices give them, and each cell as the value it stands for.

Pure: bytes come in, rows and problems go out, each problem named by its cell. What is written differently and means the same (digits
of full width, five notations of a date, spaces inside a name) is read as the same; what could mean two things is a problem. A
column that has no place in a case is told as left out, never dropped unsaid.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, Literal

import msgspec

from crypto.canonical import canonical_json
from oa_server.core.errors import Invalid, OaError, Reason, TooLarge
from oa_server.proposals.bodies import Bodies, BodyText, has_controls, visible
from oa_server.proposals.states import AssignmentRole, Occasion, ProposalForm, ProposalKind, RejectionCode
from oa_server.web.workbooks import ERROR_VALUES, Cells, Problem, ReadSheet, sheets_in

ROW_LIMIT = 8000  # more than any congress of the country has had at one sitting (6,511 in 2006)
PEOPLE_ROWS = 5 * ROW_LIMIT  # so many stand behind each case, in a sheet of their own
COLUMN_LIMIT = 64
HEADER_ROWS = 10  # a title and a line of explanation may stand above the headers
PART_LIMIT = 20_000
HANDLERS_MOST = 50
PEOPLE_MOST = 500

NO_CASES = Reason(
    "proposals.sheet_without_cases",
    "没有找到提案表：前十行中应有一行列名，至少含案由、类别、领衔人姓名",
    "No sheet of cases was found: one of the first ten rows must name its columns.",
)
TOO_MANY_CASES = Reason(
    "proposals.sheet_too_long",
    f"表格超过 {ROW_LIMIT} 行，请分批导入",
    f"The sheet has more than {ROW_LIMIT} rows; import it in parts.",
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its names, the first the one that we write, how long its texts may be, and whether a case has a place for it."""

    names: tuple[str, ...]
    width: int = 200
    required: bool = False
    kept_out: bool = False


COLUMNS: Mapping[str, Column] = {
    "term": Column(("届次", "届"), 20, required=True),
    "session": Column(("会议次数", "次数", "会次", "次"), 20, required=True),
    "occasion": Column(("会议期间/平时", "会议期间或平时", "提出时段", "期间", "大会/平时"), 20, required=True),
    "case_no": Column(("案号", "提案号", "建议号", "议案号", "编号", "提案编号", "建议编号"), 40),
    "kind": Column(("类别", "案别", "类型", "种类"), 20, required=True),
    "title": Column(("案由", "题目", "标题", "提案名称", "建议名称", "提案题目"), required=True),
    "form": Column(("提案形式", "形式", "提出形式", "提出方式"), 20, required=True),
    "lead_code": Column(("领衔人编号", "委员编号", "代表编号", "领衔代表编号", "领衔委员编号", "第一提案人编号"), 32),
    "lead": Column(
        ("领衔人姓名", "领衔人", "领衔代表", "领衔委员", "第一提案人", "提案人", "提案者", "代表姓名", "委员姓名"),
        60,
        True,
    ),
    "delegation": Column(("代表团/界别", "代表团", "界别", "代表团或界别", "所属代表团"), 60, required=True),
    "party": Column(("党派", "政治面貌"), 40),
    "employer": Column(("工作单位", "单位"), 120),
    "duty": Column(("职务", "工作单位职务"), 60),
    "phone": Column(("联系电话", "电话", "手机", "手机号码", "联系方式"), 40, required=True),
    "address": Column(("通讯地址", "地址", "通信地址", "联系地址"), 200),
    "cosigners": Column(("附议人", "联名人", "附议代表", "附议委员", "联名代表", "联名委员"), 20_000),
    "category": Column(("内容大类", "大类", "内容分类", "分类"), 60),
    "subcategory": Column(("内容小类", "小类", "子类"), 60),
    "body": Column(("正文", "内容", "提案内容", "建议内容", "议案内容"), PART_LIMIT),
    "body_file": Column(("正文文件名", "正文文件", "文件名"), 200),
    "attachments": Column(("附件", "附件名称"), kept_out=True),
    "submitted_on": Column(("提交日期", "提出日期", "收到日期", "提交时间", "提出时间", "收案日期"), 40, required=True),
    "opinion": Column(("审查意见", "初审意见"), 1000),
    "filed": Column(("立案", "是否立案", "立案情况"), 20),
    "rejection": Column(("不立案理由", "不予立案理由", "不予立案原因", "不立案原因"), 1000),
    "merged_into": Column(("并入案号", "并案", "并案号", "合并到"), 40),
    "lead_organ": Column(("主办单位", "主办", "承办单位", "牵头单位"), 2000),
    "cohandlers": Column(("协办单位", "协办", "会办单位", "会办", "配合单位"), 5000),
    "separate": Column(("分别办理单位", "分办单位", "分办", "分别办理"), 5000),
    "dispatched_on": Column(("交办日期", "交办时间"), 40),
    "lead_due": Column(("主办时限", "办理时限", "答复时限"), kept_out=True),
    "cohandler_due": Column(("协办时限", "会办时限"), kept_out=True),
    "is_key": Column(("是否重点", "重点", "重点提案", "重点建议", "是否重点督办"), 20),
    "key_leader": Column(("督办领导", "领衔督办领导", "领办领导", "督办人"), 60),
    "is_public": Column(("是否公开", "公开", "是否同意公开"), 20),
    "reply_no": Column(("答复文号", "复函文号"), kept_out=True),
    "replied_on": Column(("答复日期", "答复时间", "复文日期"), kept_out=True),
    "result": Column(("办理类别", "办理结果", "答复类别", "办理结果类别"), kept_out=True),
    "contact_on": Column(("面商日期", "面商时间", "沟通日期"), kept_out=True),
    "satisfaction": Column(("满意度", "满意程度", "评价"), kept_out=True),
    "remark": Column(("备注", "说明"), kept_out=True),
}
TITLES = {key: column.names[0] for key, column in COLUMNS.items()}
_BY_NAME = {name: key for key, column in reversed(list(COLUMNS.items())) for name in column.names}

# The two sheets that may stand beside the cases: who stands behind them, and who is given them.
PEOPLE_COLUMNS = {
    "case_no": ("案号", "提案号", "建议号", "议案号"),
    "kind": ("类别", "案别"),
    "code": ("附议人编号", "编号", "委员编号", "代表编号"),
    "name": ("附议人姓名", "姓名", "附议人"),
    "delegation": ("代表团/界别", "代表团", "界别"),
    "party": ("党派", "政治面貌"),
    "employer": ("工作单位", "单位"),
    "duty": ("职务",),
    "phone": ("联系电话", "电话", "手机"),
    "address": ("通讯地址", "地址"),
}
HANDLER_COLUMNS = {
    "case_no": ("案号", "提案号", "建议号", "议案号"),
    "kind": ("类别", "案别"),
    "organ": ("承办单位", "单位名称", "单位"),
    "role": ("承办角色", "角色", "办理方式", "承办方式"),
}

_KINDS = {
    "议案": ProposalKind.BILL,
    "建议": ProposalKind.SUGGESTION,
    "建议批评和意见": ProposalKind.SUGGESTION,
    "代表建议": ProposalKind.SUGGESTION,
    "提案": ProposalKind.PROPOSAL,
    "政协提案": ProposalKind.PROPOSAL,
    "委员提案": ProposalKind.PROPOSAL,
}
_FORMS = {
    **dict.fromkeys(("个人", "个人提案", "个人建议", "单独"), ProposalForm.INDIVIDUAL),
    **dict.fromkeys(("联名", "联名提案", "联名建议", "联名议案", "联合"), ProposalForm.JOINT),
    **dict.fromkeys(
        ("集体", "集体提案", "党派", "党派团体", "团体", "界别", "专委会", "专门委员会", "小组", "委员小组"),
        ProposalForm.COLLECTIVE,
    ),
    **dict.fromkeys(("代表团", "代表团提出"), ProposalForm.DELEGATION),
}
_OCCASIONS = {
    **dict.fromkeys(("会议期间", "大会", "大会期间", "会中", "会议", "大会提案"), Occasion.SESSION),
    **dict.fromkeys(("平时", "闭会期间", "闭会", "会后", "平时提案"), Occasion.ORDINARY),
}
_ROLES = {
    **dict.fromkeys(("主办", "主办单位", "牵头"), AssignmentRole.LEAD),
    **dict.fromkeys(("协办", "会办", "协办单位", "配合"), AssignmentRole.COHANDLER),
    **dict.fromkeys(("分别办理", "分办"), AssignmentRole.SEPARATE),
    **dict.fromkeys(("参阅", "抄送"), AssignmentRole.REFERENCE),
}
_YES = {"是", "√", "1", "y", "yes", "true", "立案", "予以立案", "同意立案", "重点", "公开", "全文公开", "同意公开"}
_NO = {"否", "×", "0", "n", "no", "false", "不立案", "不予立案", "非重点", "不公开", "不同意公开"}
# Words by which offices name the grounds on which a case is not filed.
_GROUNDS = {
    "秘密": RejectionCode.SECRET,
    "明令禁止": RejectionCode.FORBIDDEN,
    "中共党员": RejectionCode.PARTY_INTERNAL,
    "党内": RejectionCode.PARTY_INTERNAL,
    "民主党派": RejectionCode.OWN_PARTY,
    "诉讼": RejectionCode.LITIGATION,
    "仲裁": RejectionCode.LITIGATION,
    "学术": RejectionCode.ACADEMIC,
    "个人问题": RejectionCode.PRIVATE,
    "亲属": RejectionCode.PRIVATE,
    "产品": RejectionCode.PROMOTION,
    "作品": RejectionCode.PROMOTION,
    "举报": RejectionCode.ACCUSATION,
    "空泛": RejectionCode.EMPTY,
    "没有具体": RejectionCode.EMPTY,
}

PROBLEMS = {
    "wrong_header": "缺少必需的列：{0}",
    "same_column": "与“{0}”列的含义相同，请只保留一列",
    "missing": "此项不能为空",
    "merged": "单元格 {0} 是合并单元格，请取消合并并逐行填写",
    "formula": "单元格是公式，请改为数值或文字",
    "error": "单元格是错误值 {0}，请改正",
    "too_long": "内容超过 {0} 个字符",
    "control": "含有不可见的控制字符，请重新输入",
    "unknown_word": "“{0}”不在允许范围内，请填：{1}",
    "no_day": "“{0}”不是日期，请填成 2025-03-01",
    "future": "日期 {0} 在今天之后",
    "other_sitting": "“{0}”与所选的届次不符，应为 {1}",
    "no_number": "“{0}”不是案号，请填序号或 {1} 这样的案号",
    "duplicate": "与第 {0} 行重复",
    "body_twice": "正文和正文文件名只填一项",
    "no_body": "请填写正文，或者填写正文文件名",
    "no_file": "压缩包中没有“{0}”",
    "no_archive": "填写了正文文件名，请把表格和正文文件放在一个 .zip 压缩包中上传",
    "bad_file": "“{0}”：{1}",
    "no_ground": "请写明不予立案的情形，例如：{0}",
    "not_rejected": "只有“立案”填“否”的才填不立案理由",
    "not_filed": "未立案的不能{0}",
    "unknown_member": "“{0}”不在本届次名册中，请填写编号，或者先登记名册",
    "many_members": "名册中有 {0} 位“{1}”，请填写编号",
    "other_name": "编号 {0} 在名册中是“{1}”",
    "unknown_unit": "“{0}”不是机构名称，也没有对应的别名",
    "retired_unit": "“{0}”已经撤销或合并，请另选承接单位",
    "too_many": "超过 {0} 个",
    "no_case": "没有案号为“{0}”的案件",
    "many_cases": "有 {0} 件案号为“{1}”，请填写完整案号或类别",
    "no_leader": "交办机关没有名为“{0}”的领导",
    "key_undispatched": "列为重点的须已交办，并填写督办领导",
    "reason": "{0}",
}


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column of the sheet, and what becomes of it: `imported`, `kept_out` (a case has no place for it yet) or `unknown`."""

    column: str
    title: str
    means: str
    outcome: Literal["imported", "kept_out", "unknown"]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that whoever imports should know of, and that keeps nothing from being imported. Row 0 is the whole file."""

    row: int
    words: str


@dataclass(frozen=True, slots=True)
class Person:
    """A proposer as the sheet names them; what is empty it does not say."""

    name: str
    code: str = ""
    delegation: str = ""
    party: str = ""
    employer: str = ""
    duty: str = ""
    phone: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class NamedUnit:
    """An organ as the sheet names it, in a role."""

    name: str
    role: AssignmentRole
    column: str


@dataclass(slots=True)
class CaseRow:
    """A row of the sheet as it is understood; what is empty or None it does not say."""

    row: int
    term: int | None = None
    session: int | None = None
    kind: ProposalKind | None = None
    number: str = ""
    title: str = ""
    form: ProposalForm | None = None
    occasion: Occasion | None = None
    lead: Person = field(default_factory=lambda: Person(""))
    cosigners: list[Person] = field(default_factory=list)
    category: str = ""
    subcategory: str = ""
    situation: str = ""
    analysis: str = ""
    request: str = ""
    submitted_on: date | None = None
    is_filed: bool | None = None
    ground: RejectionCode | None = None
    reason: str = ""
    merged_into: str = ""
    handlers: list[NamedUnit] = field(default_factory=list)
    dispatched_on: date | None = None
    is_key: bool | None = None
    key_leader: str = ""
    is_public: bool | None = None

    sha256: str = ""

    def seal(self) -> None:
        """Give the row, now that all is known of it, what names its values, wherever it stands in its sheet."""
        names = (one.name for one in fields(self) if one.name not in {"row", "sha256"})
        self.sha256 = sha256(msgspec.json.encode([getattr(self, name) for name in names])).hexdigest()

    @property
    def natural_sha256(self) -> str:
        """What names the case of a row that has no number: its kind, its matter and who leads it."""
        return sha256(canonical_json([self.kind or "", self.title, self.lead.name])).hexdigest()


@dataclass(slots=True)
class Loaded:
    """A file as it was read: how its columns are understood, its rows, what is wrong with which cell, and the cells themselves for
    the report."""

    title: str = ""
    header_row: int = 0
    header: Sequence[str] = ()
    columns: list[MappedColumn] = field(default_factory=list)
    rows: list[CaseRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    cells: list[tuple[int, Sequence[str]]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def add(self, row: int, key: str, code: str, *details: object, sheet: str = "") -> None:
        """Note what is wrong with a cell of the sheet of cases, or of the `sheet` that is named."""
        column = self.header[self.places[key]] if not sheet and key in self.places else TITLES.get(key, key)
        words = PROBLEMS[code].format(*details)
        self.problems.append(Problem(sheet or self.title, row, column, f"proposals.cell_{code}", words))


# --- words, numbers and days ------------------------------------------------------------------------------------------

_WIDE = {ord("０") + n: ord("0") + n for n in range(10)}
_WIDE |= {ord("Ａ") + n: ord("A") + n for n in range(26)} | {ord("ａ") + n: ord("a") + n for n in range(26)}
_LISTED = re.compile(r"[;；、,，\n]+")
_DAY = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
)
_COMPACT_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
_SERIAL = re.compile(r"([2-7]\d{4})(?:\.\d+)?")
_SERIAL_BEGINS = date(1899, 12, 30)  # ECMA-376, part 1, 18.17.4.1, with the leap year that never was
_YEARS = range(1950, 2101)
_ORDINAL = re.compile(r"第?([0-9]{1,2}|[零一二三四五六七八九十]{1,3})(?:届|次)?(?:会议|全会|大会)?")
_NUMERALS = {word: n for n, word in enumerate("零一二三四五六七八九")}
_PLAIN_NUMBER = re.compile(r"第?(?:议案|建议|提案|议|建|提)?(\d{1,6})(?:号|件)?")
_CODED = re.compile(r"(.+?)[（(]([^（）()]+)[)）]")


def half_width(text: str) -> str:
    """The same with digits and Latin letters of half width; Chinese punctuation stays as it is."""
    return text.translate(_WIDE)


def compact(text: str) -> str:
    """What is compared of a name or a word: no spaces, and signs of one width."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def person_name(text: str) -> str:
    """A person's name: the spaces that pad Chinese names of two characters are no part of them."""
    text = unicodedata.normalize("NFKC", text).strip()
    is_latin = all(ord(char) < 0x250 for char in text)  # noqa: PLR2004  the Latin letters of Unicode
    return re.sub(r"\s+", " " if is_latin else "", text)


def day_of(text: str) -> date | None:
    """A day in one of the notations of offices (2025-03-01, 2025/3/1, 2025.3.1, 2025年3月1日, 20250301), or as the number that
    workbooks keep; None for what is none."""
    text = unicodedata.normalize("NFKC", text).strip()
    if match := _DAY.fullmatch(text) or _COMPACT_DAY.fullmatch(text):
        with suppress(ValueError):
            found = date(*map(int, match.groups()))
            return found if found.year in _YEARS else None
    if match := _SERIAL.fullmatch(text):
        return _SERIAL_BEGINS + timedelta(days=int(match[1]))
    return None


def ordinal_of(text: str) -> int | None:
    """15 of "15", "第十五届" or "十五"; None for what is none."""
    match = _ORDINAL.fullmatch(compact(text))
    if match is None:
        return None
    word = match[1]
    if word.isdigit():
        return int(word)
    if "十" not in word:
        return _NUMERALS[word] if len(word) == 1 else None
    tens, ones = word.split("十", 1)
    return (_NUMERALS.get(tens, 0) if tens else 1) * 10 + (_NUMERALS.get(ones, 0) if ones else 0)


def plain_number(text: str) -> int | None:
    """12 of "12", "0012" or "第12号"; None for what is no plain number."""
    match = _PLAIN_NUMBER.fullmatch(text)
    return int(match[1]) or None if match else None


# --- columns ----------------------------------------------------------------------------------------------------------

_EXPLAINED = re.compile(r"[（(][^（）()]*[)）]|[*＊]")


def _heading(cell: str | None) -> str:
    return _EXPLAINED.sub("", compact(cell or ""))


def _header_of(rows: Iterator[Cells]) -> tuple[int, list[str], list[str]] | None:
    """The number of the row that names columns, its cells as they stand, and as they are compared; None when there is none."""
    best: tuple[int, int, list[str]] = (0, 0, [])
    for number, cells in zip(range(1, HEADER_ROWS + 1), rows, strict=False):
        shown = [(cell or "").strip() for cell in cells]
        known = len({_BY_NAME[name] for name in map(_heading, shown) if name in _BY_NAME})
        if known > best[0]:
            best = (known, number, shown)
        if {"title", "kind", "lead"} <= {_BY_NAME.get(_heading(cell)) for cell in shown}:
            return number, shown, [_heading(cell) for cell in shown]
    known, number, shown = best
    return (number, shown, [_heading(cell) for cell in shown]) if known > 1 else None


def _map_columns(loaded: Loaded, headings: Sequence[str]) -> None:
    for at, (shown, name) in enumerate(zip(loaded.header, headings, strict=True)):
        if not name:
            continue
        key = _BY_NAME.get(name)
        if key is None:
            loaded.columns.append(MappedColumn(letter(at), shown, "", "unknown"))
            continue
        if key in loaded.places:
            first = loaded.header[loaded.places[key]]
            words = PROBLEMS["same_column"].format(first)
            loaded.problems.append(Problem(loaded.title, loaded.header_row, shown, "proposals.cell_same_column", words))
            continue
        loaded.places[key] = at
        outcome: Literal["imported", "kept_out"] = "kept_out" if COLUMNS[key].kept_out else "imported"
        loaded.columns.append(MappedColumn(letter(at), shown, TITLES[key], outcome))
    absent = [TITLES[key] for key, column in COLUMNS.items() if column.required and key not in loaded.places]
    if not loaded.places.keys() & {"body", "body_file"}:
        absent.append(f"{TITLES['body']}（或{TITLES['body_file']}）")
    if absent:
        loaded.add(loaded.header_row, "", "wrong_header", "、".join(absent))


def letter(at: int) -> str:
    """The letters of a column, counted from 0."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


# --- reading ----------------------------------------------------------------------------------------------------------


def load(name: str, data: bytes) -> Loaded:
    """Read a sheet of cases (.xlsx or .csv), or an archive (.zip) of one with the files of its bodies.

    Raises Invalid when there is no such sheet, TooLarge beyond the limits; every other fault is in the problems.
    """
    bodies = Bodies.of(name, data)
    loaded: Loaded | None = None
    beside: list[tuple[ReadSheet, list[Cells]]] = []
    file = sheets_in(bodies.sheet_name, bodies.sheet, columns=COLUMN_LIMIT, rows=PEOPLE_ROWS, too_long=TOO_MANY_CASES)
    for sheet in file:
        rows = iter(sheet.rows)
        first = [cells for _n, cells in zip(range(HEADER_ROWS), rows, strict=False)]
        found = _header_of(iter(first))
        if loaded is None and found and {"title", "kind", "lead"} & {_BY_NAME.get(name) for name in found[2]}:
            loaded = _load_cases(sheet, _again(first, rows), found, bodies)
        elif any(any(cells) for cells in first):
            beside.append((sheet, _within(first, rows)))
    if loaded is None:
        raise Invalid(NO_CASES)
    for sheet, cells in beside:
        _load_beside(loaded, sheet, cells)
    _tell_unused(loaded, bodies)
    for row in loaded.rows:
        row.seal()
    return loaded


def _again(first: list[Cells], rest: Iterator[Cells]) -> Iterator[Cells]:
    yield from first
    yield from rest


def _within(first: list[Cells], rest: Iterator[Cells]) -> list[Cells]:
    """All rows of a sheet beside the cases. Raises TooLarge."""
    found = list(first)
    for cells in rest:
        found.append(cells)
        if len(found) > PEOPLE_ROWS:
            raise TooLarge(TOO_MANY_CASES, rows=PEOPLE_ROWS)
    return found


def _load_cases(
    sheet: ReadSheet, rows: Iterator[Cells], header: tuple[int, list[str], list[str]], bodies: Bodies
) -> Loaded:
    number, shown, headings = header
    loaded = Loaded(title=sheet.title, header_row=number, header=shown)
    _map_columns(loaded, headings)
    _tell_merged(loaded, sheet)
    for at, cells in enumerate(rows, start=1):
        if at <= number or not any(cell and cell.strip() for cell in cells):
            continue
        if len(loaded.cells) >= ROW_LIMIT:
            raise TooLarge(TOO_MANY_CASES, rows=ROW_LIMIT)
        loaded.cells.append((at, [cell or "" for cell in cells]))
        loaded.rows.append(_Reader(loaded, at, cells, bodies).read())
    return loaded


_AREA = re.compile(r"([A-Z]{1,3})(\d+):([A-Z]{1,3})(\d+)")


def _tell_merged(loaded: Loaded, sheet: ReadSheet) -> None:
    """Merged cells below the headers: only the first of them has a value, and whose it is cannot be known."""
    by_letter = {letter(at): name for at, name in enumerate(loaded.header)}
    for area in sheet.merged:
        match = _AREA.fullmatch(area)
        if match is None or int(match[4]) <= loaded.header_row:
            continue
        words = PROBLEMS["merged"].format(area)
        row = max(int(match[2]), loaded.header_row)
        loaded.problems.append(
            Problem(loaded.title, row, by_letter.get(match[1], match[1]), "proposals.cell_merged", words)
        )


def _tell_unused(loaded: Loaded, bodies: Bodies) -> None:
    if unused := bodies.unused():
        shown = "、".join(unused[:10]) + ("等" if len(unused) > 10 else "")  # noqa: PLR2004  as many as a line holds
        loaded.remarks.append(Remark(0, f"压缩包中有 {len(unused)} 个文件没有被任何一行用到：{shown}"))


@dataclass(slots=True)
class _Reader:
    """One row, cell by cell."""

    loaded: Loaded
    number: int
    cells: Cells
    bodies: Bodies

    def read(self) -> CaseRow:
        texts = {key: self._text(key) for key in COLUMNS}
        row = CaseRow(
            row=self.number,
            term=self._ordinal("term", texts),
            session=self._ordinal("session", texts),
            kind=self._word("kind", texts, _KINDS),
            number=compact(texts["case_no"]),
            title=re.sub(r"\s+", " ", half_width(texts["title"])),
            form=self._word("form", texts, _FORMS),
            occasion=self._word("occasion", texts, _OCCASIONS),
            category=compact(texts["category"]),
            subcategory=compact(texts["subcategory"]),
            submitted_on=self._day("submitted_on", texts),
            dispatched_on=self._day("dispatched_on", texts),
            is_filed=self._flag("filed", texts),
            is_key=self._flag("is_key", texts),
            is_public=self._flag("is_public", texts),
            merged_into=compact(texts["merged_into"]),
            key_leader=person_name(texts["key_leader"]),
        )
        row.lead = Person(
            name=person_name(texts["lead"]),
            code=compact(texts["lead_code"]),
            phone=compact(texts["phone"]),
            **{key: half_width(texts[key]) for key in ("delegation", "party", "employer", "duty", "address")},
        )
        row.cosigners = self._people(texts["cosigners"])
        row.handlers = [
            NamedUnit(compact(name), role, key)
            for key, role in _UNIT_COLUMNS.items()
            for name in self._listed(key, texts[key], HANDLERS_MOST)
        ]
        self._ground(row, texts)
        self._body(row, texts)
        return row

    def _ordinal(self, key: str, texts: Mapping[str, str]) -> int | None:
        found = ordinal_of(texts[key])
        if texts[key] and found is None:
            self._add(key, "unknown_word", texts[key], "数字")
        return found

    def _add(self, key: str, code: str, *details: object) -> None:
        self.loaded.add(self.number, key, code, *details)

    def _text(self, key: str) -> str:
        """The text of a cell without what nobody sees, with what is wrong with it noted."""
        at, column = self.loaded.places.get(key, -1), COLUMNS[key]
        raw = (self.cells[at] if 0 <= at < len(self.cells) else None) or ""
        text = visible(raw).strip()
        if column.kept_out:
            return ""
        if text.startswith("="):
            self._add(key, "formula")
        elif text in ERROR_VALUES:
            self._add(key, "error", text)
        elif len(text) > column.width:
            self._add(key, "too_long", column.width)
        elif has_controls(text):
            self._add(key, "control")
        elif not text and column.required and at >= 0:
            self._add(key, "missing")
        else:
            return text
        return ""

    def _word(self, key: str, texts: Mapping[str, str], known: Mapping[str, Any]) -> Any:
        text = compact(texts[key]).replace("、", "")
        if text and text not in known:
            self._add(key, "unknown_word", texts[key], "、".join(dict.fromkeys(v.title_zh for v in known.values())))
        return known.get(text)

    def _flag(self, key: str, texts: Mapping[str, str]) -> bool | None:
        text = compact(texts[key]).lower()
        if text and text not in _YES | _NO:
            self._add(key, "unknown_word", texts[key], "是、否")
        return True if text in _YES else False if text in _NO else None

    def _day(self, key: str, texts: Mapping[str, str]) -> date | None:
        found = day_of(texts[key])
        if texts[key] and found is None:
            self._add(key, "no_day", texts[key])
        return found

    def _listed(self, key: str, text: str, most: int) -> list[str]:
        found = [part.strip() for part in _LISTED.split(text) if part.strip()]
        if len(found) > most:
            self._add(key, "too_many", most)
        return found[:most]

    def _people(self, text: str) -> list[Person]:
        found = []
        for part in self._listed("cosigners", text, PEOPLE_MOST):
            match = _CODED.fullmatch(part)
            name, code = (match[1], match[2]) if match else (part, "")
            if len(name) > COLUMNS["lead"].width or len(code) > COLUMNS["lead_code"].width:
                self._add("cosigners", "too_long", COLUMNS["lead"].width)
                continue
            found.append(Person(person_name(name), compact(code)))
        return found

    def _ground(self, row: CaseRow, texts: Mapping[str, str]) -> None:
        """Why a case is not filed: the ground by its code, and the words for its proposers."""
        said = texts["rejection"]
        if row.is_filed is not False:
            if said:
                self._add("rejection", "not_rejected")
            return
        grounds = {code for code in RejectionCode if said and (code.title_zh in said or said == code.value)}
        grounds = grounds or {code for word, code in _GROUNDS.items() if word in said}
        if len(grounds) != 1:
            self._add("rejection", "no_ground", "、".join(code.title_zh for code in RejectionCode))
            return
        (row.ground,) = grounds
        row.reason = texts["opinion"] or said

    def _body(self, row: CaseRow, texts: Mapping[str, str]) -> None:
        has_columns = self.loaded.places.keys() & {"body", "body_file"}
        if texts["body"] and texts["body_file"]:
            self._add("body_file", "body_twice")
        elif texts["body_file"]:
            self._body_from_file(row, texts)
        elif texts["body"]:
            self._divide(row, texts, texts["body"])
        elif has_columns:
            self._add("body" if "body" in self.loaded.places else "body_file", "no_body")

    def _body_from_file(self, row: CaseRow, texts: Mapping[str, str]) -> None:
        name = texts["body_file"]
        if not self.bodies.are_there:
            self._add("body_file", "no_archive")
            return
        try:
            found: BodyText | None = self.bodies.text(name)
        except OaError as error:
            self._add("body_file", "bad_file", name, error.reason.zh)
            return
        if found is None:
            self._add("body_file", "no_file", name)
            return
        for words in found.left_out:
            self.loaded.remarks.append(Remark(self.number, f"“{name}”：{words}"))
        self._divide(row, texts, found.text)

    def _divide(self, row: CaseRow, texts: Mapping[str, str], text: str) -> None:
        text = half_width(text)
        if row.title and compact(text.partition("\n")[0]) == compact(row.title):
            text = text.partition("\n")[2].strip()  # A file begins with the title, which the sheet has already.
        key = "body_file" if texts["body_file"] else "body"
        if len(text) > len(_PARTS) * PART_LIMIT:
            self._add(key, "too_long", PART_LIMIT)
            return
        parts = three_parts(text)
        if parts is None:
            parts = (text, "", "")
            self.loaded.remarks.append(Remark(self.number, "正文没有分为情况、分析、建议三部分，全文作为情况导入"))
        row.situation, row.analysis, row.request = parts
        if not any(parts):
            self._add(key, "no_body")
        elif any(len(part) > PART_LIMIT for part in parts):
            self._add(key, "too_long", PART_LIMIT)


_UNIT_COLUMNS = {
    "lead_organ": AssignmentRole.LEAD,
    "cohandlers": AssignmentRole.COHANDLER,
    "separate": AssignmentRole.SEPARATE,
}


# --- the three parts --------------------------------------------------------------------------------------------------

_ORDER = r"(?:[一二三四五六七八九十]+[、.．]|[（(][一二三四五六七八九十\d]+[)）]|\d+[、.．])?[ \t]*[【\[]?"
_CLOSE = r"[】\]]?[ \t]*"
_PARTS = tuple(
    re.compile(rf"^[ \t]*{_ORDER}(?:{words}){_CLOSE}(?:[:：][ \t]*(?P<rest>.*)|)$", re.MULTILINE)
    for words in (
        r"(?:基本|主要|有关)?(?:情况|现状)(?:说明|简述|介绍)?|案由|背景(?:情况)?|问题的提出",
        r"(?:存在的?(?:主要|突出)?问题(?:[及与和、](?:原因)?(?:分析)?)?|(?:原因|问题|情况)?分析|主要问题|理由)",
        r"(?:具体|对策|意见|有关|工作|几点)?(?:[和与及]?建议)(?:措施)?|对策(?:措施)?|办法",
    )
)


def three_parts(text: str) -> tuple[str, str, str] | None:
    """情况、分析、建议 as their headings divide a text; None when it does not have all three, in this order. What stands before the
    first heading belongs to it."""
    starts, at = [], 0
    for pattern in _PARTS:
        match = pattern.search(text, at)
        if match is None:
            return None
        starts.append((match.start(), match.start("rest") if match["rest"] is not None else match.end()))
        at = match.end()
    ends = [start for start, _after in starts[1:]] + [len(text)]
    parts = [text[after:end].strip() for (_start, after), end in zip(starts, ends, strict=True)]
    parts[0] = "\n".join(filter(None, (text[: starts[0][0]].strip(), parts[0])))
    return (parts[0], parts[1], parts[2]) if all(parts) else None


# --- the sheets beside ------------------------------------------------------------------------------------------------


def _load_beside(loaded: Loaded, sheet: ReadSheet, rows: list[Cells]) -> None:
    """附议人 and 承办, each told by its headers; any other sheet is told as not taken in."""
    headings = [_heading(cell) for cell in rows[0]]
    has = {key: _places(names, headings) for key, names in (("p", PEOPLE_COLUMNS), ("h", HANDLER_COLUMNS))}
    if {"case_no", "organ", "role"} <= has["h"].keys():
        _each(loaded, sheet, rows, has["h"], _take_handler)
    elif {"case_no", "name"} <= has["p"].keys():
        _each(loaded, sheet, rows, has["p"], _take_person)
    else:
        loaded.remarks.append(Remark(0, f"工作表“{sheet.title}”不是附议人或承办表，没有导入"))


def _places(names: Mapping[str, Sequence[str]], headings: Sequence[str]) -> dict[str, int]:
    found = {key: next((headings.index(n) for n in known if n in headings), -1) for key, known in names.items()}
    return {key: at for key, at in found.items() if at >= 0}


Take = Callable[[Loaded, str, int, CaseRow, dict[str, str]], None]


def _each(loaded: Loaded, sheet: ReadSheet, rows: list[Cells], places: Mapping[str, int], take: Take) -> None:
    by_number: dict[int, list[CaseRow]] = {}
    for row in loaded.rows:
        if (number := _sequence(row.number)) is not None:
            by_number.setdefault(number, []).append(row)
    for at, cells in enumerate(rows[1:], start=2):
        texts = {
            key: half_width(visible((cells[place] or "") if place < len(cells) else "").strip())
            for key, place in places.items()
        }
        if not any(texts.values()):
            continue
        if wrong := [key for key, text in texts.items() if text.startswith("=") or len(text) > 200]:  # noqa: PLR2004
            loaded.add(
                at, wrong[0], "formula" if texts[wrong[0]].startswith("=") else "too_long", 200, sheet=sheet.title
            )
            continue
        named = compact(texts["case_no"])
        kind = _KINDS.get(compact(texts.get("kind", "")))
        number = _sequence(named)
        fits = [row for row in by_number.get(number or 0, ()) if _fits(row, named, kind)]
        if len(fits) != 1:
            code, details = ("many_cases", (len(fits), named)) if fits else ("no_case", (named,))
            loaded.add(at, "case_no", code, *details, sheet=sheet.title)
            continue
        take(loaded, sheet.title, at, fits[0], texts)


def _sequence(number: str) -> int | None:
    """The running number of a case number, plain or whole."""
    return plain_number(number.rpartition("-")[2])


def _fits(row: CaseRow, named: str, kind: ProposalKind | None) -> bool:
    word = named.split("-")[-2] if named.count("-") > 1 else ""
    return kind in {None, row.kind} and (not word or (row.kind is not None and row.kind.number_word == word))


def _take_person(loaded: Loaded, sheet: str, at: int, row: CaseRow, texts: dict[str, str]) -> None:
    values = {key: texts.get(key, "") for key in ("delegation", "party", "employer", "duty", "phone", "address")}
    name = person_name(texts["name"])
    if not name:
        loaded.add(at, "姓名", "missing", sheet=sheet)
        return
    widths = {key: COLUMNS[key].width for key in values}
    if wrong := [key for key, value in values.items() if len(value) > widths[key]]:
        loaded.add(at, wrong[0], "too_long", widths[wrong[0]], sheet=sheet)
        return
    code = compact(texts.get("code", ""))
    if len(name) > COLUMNS["lead"].width or len(code) > COLUMNS["lead_code"].width:
        loaded.add(at, "姓名", "too_long", COLUMNS["lead"].width, sheet=sheet)
        return
    row.cosigners.append(Person(name, code, **values))


def _take_handler(loaded: Loaded, sheet: str, at: int, row: CaseRow, texts: dict[str, str]) -> None:
    role = _ROLES.get(compact(texts["role"]))
    if role is None:
        words = "、".join(word.title_zh for word in AssignmentRole)
        loaded.add(at, "承办角色", "unknown_word", texts["role"], words, sheet=sheet)
    elif not texts["organ"]:
        loaded.add(at, "承办单位", "missing", sheet=sheet)
    else:
        key = next((key for key, known in _UNIT_COLUMNS.items() if known is role), "cohandlers")
        row.handlers.append(NamedUnit(compact(texts["organ"]), role, key))
