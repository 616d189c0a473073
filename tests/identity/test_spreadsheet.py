"""The directory comes in as a spreadsheet, and every fault is named by its cell."""

from __future__ import annotations

import csv
import io
import unicodedata
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula
from tortoise import Model
from tortoise.fields import CharField

from oa_server.core.actor import Role
from oa_server.core.errors import Invalid, OaError, TooLarge, all_reasons
from oa_server.identity import spreadsheet
from oa_server.identity.models import Duty, Official, Organ, OrganLevel, Post, Remit, Unit
from oa_server.identity.spreadsheet import Directory, Report, read_directory
from oa_server.web.sheets import protect_cell, write_csv
from tests.city import OFFICIALS, ORGANS, PEOPLE
from tests.hostile.xlsx import GOOD, READ, REFUSED, workbook

ORGAN_HEADER = ("机关代码", "机关全称", "机关简称", "级别", "上级机关代码", "机关代字", "发文机关标志")
OFFICIAL_HEADER = ("机关代码", "部门", "人员编号", "姓名", "职务", "主要负责人", "职责")
ORGAN = {"机关代码": "A", "机关全称": "甲市人民政府", "机关简称": "甲市政府", "级别": "市级"}
OFFICIAL = {"机关代码": "A", "部门": "办公室", "人员编号": "wang", "姓名": "王建国", "职务": "科员"}


def organs(*rows: dict[str, Any]) -> list[list[Any]]:
    return [list(ORGAN_HEADER), *([{**ORGAN, **row}.get(name) for name in ORGAN_HEADER] for row in rows)]


def officials(*rows: dict[str, Any]) -> list[list[Any]]:
    return [list(OFFICIAL_HEADER), *([{**OFFICIAL, **row}.get(name) for name in OFFICIAL_HEADER] for row in rows)]


def read_book(**sheets: list[list[Any]]) -> tuple[Directory, Report]:
    return read_directory("directory.xlsx", workbook(sheets))


def as_csv(rows: list[list[Any]], encoding: str = "utf-8") -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode(encoding)


def faults(report: Report) -> list[tuple[str, int, str, str]]:
    return [(p.sheet, p.row, p.column, p.code.removeprefix("identity.sheet_")) for p in report.problems]


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_workbook_of_both_sheets() -> None:
    """A workbook of organs and officials is read into typed rows, with the sheet and row each stands in."""
    directory, report = read_book(
        机关=organs(
            {"机关代字": "甲政发"}, {"机关代码": "B", "机关全称": "甲市财政局", "级别": "部门", "上级机关代码": "A"}
        ),
        人员=officials(
            {"主要负责人": "是", "职责": "领导"}, {"人员编号": 7, "机关代码": "B", "职责": "机要文书；核稿、印章管理员"}
        ),
    )
    assert not report.problems
    assert [(o.sheet, o.row, o.code, o.level, o.superior) for o in directory.organs] == [
        ("机关", 2, "A", "city", ""),
        ("机关", 3, "B", "department", "A"),
    ]
    first, second = directory.officials
    assert (first.name, first.principal, first.roles) == ("王建国", True, (Role.LEADER,))
    assert (second.row, second.code, second.principal) == (3, "7", False)
    assert second.roles == (Role.CLERK, Role.OFFICE_REVIEWER, Role.SEAL_KEEPER)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_of_every_office_program(encoding: str, end: str) -> None:
    """A .csv is read in UTF-8 with and without mark and in GB 18030, whichever way its lines end."""
    directory, report = read_directory("机关.CSV", ORGANS.replace("\n", end).encode(encoding))
    assert not report.problems
    assert [o.short_name for o in directory.organs] == ["市政府办公室", "市财政局", "市教育局"]
    assert {o.sheet for o in directory.organs} == {"机关.CSV"}


def test_officials_of_organs_known_before() -> None:
    """Officials may belong to organs that an earlier sheet brought in."""
    directory, report = read_directory(
        "人员.csv", OFFICIALS.encode(), known_organs=dict.fromkeys(("JC001", "JC002", "JC003"), "")
    )
    assert not report.problems
    assert len(directory.officials) == len(PEOPLE)


@pytest.mark.parametrize(
    "header",
    [
        ("代码", "全称", "简称", "机关级别"),
        ("单位代码", "单位名称", "规范化简称", "级别"),
        (" 机关代码 ", "机关全称\u3000", "机关\u200a简称".replace("\u200a", ""), "级别"),
        ("级别", "备注", "简称", "全称", "代码"),
    ],
)
def test_headers_by_their_other_names(header: tuple[str, ...]) -> None:
    """Headers may have the other names that offices use, stand in any order, and have spaces around them."""
    values = {
        "代码": "A",
        "全称": "甲市人民政府",
        "名称": "甲市人民政府",
        "简称": "甲市政府",
        "级别": "市级",
        "备注": "无",
    }
    row = [next(v for k, v in values.items() if k in name) for name in header]
    directory, report = read_directory("机关.csv", as_csv([list(header), row]))
    assert not report.problems
    (organ,) = directory.organs
    assert (organ.code, organ.full_name, organ.short_name) == ("A", "甲市人民政府", "甲市政府")


def test_blank_rows_and_sheets() -> None:
    """Blank rows, blank sheets and columns nobody asked for are passed over; row numbers stay those of the sheet."""
    header, first, second = organs({}, {"机关代码": "B"})
    rows = [[*header, "备注"], [*first, "无"], [None, "  ", "\u3000"], second]
    directory, report = read_book(机关=rows, Sheet2=[], Sheet3=[[None, ""]])
    assert [(o.row, o.code) for o in directory.organs] == [(2, "A"), (4, "B")]
    assert not report.problems


def test_row_without_a_code() -> None:
    """A row that only lacks its code is reported for that, and for nothing that follows from it."""
    _, report = read_book(机关=organs({"机关代码": None}, {"机关代码": None}))
    assert faults(report) == [("机关", row, "机关代码", "missing") for row in (2, 3)]


@pytest.mark.parametrize("value", [3, 3.0, "3", " 3\u3000"])
def test_numbers_for_codes(value: object) -> None:
    """A code that a spreadsheet program turned into a number is read as it was typed."""
    directory, report = read_book(机关=organs({"机关代码": value}))
    assert (directory.organs[0].code, report.problems) == ("3", [])


def test_limits_are_those_of_the_tables() -> None:
    """No cell passes here that its column in the database would not hold."""
    columns: dict[tuple[str, str], tuple[type[Model], str]] = {
        **{("organs", key): (Organ, key) for key in spreadsheet.WIDTHS["organs"]},
        ("organs", "superior"): (Organ, "code"),
        ("officials", "organ"): (Organ, "code"),
        ("officials", "unit"): (Unit, "name"),
        ("officials", "code"): (Official, "code"),
        ("officials", "name"): (Official, "name"),
        ("officials", "title"): (Post, "title"),
        ("remits", "organ"): (Organ, "code"),
        ("remits", "text"): (Remit, "text"),
        ("units", "organ"): (Organ, "code"),
        ("units", "unit"): (Unit, "name"),
        ("duties", "organ"): (Organ, "code"),
        ("duties", "unit"): (Unit, "name"),
        ("duties", "code"): (Official, "code"),
        ("duties", "name"): (Official, "name"),
        ("duties", "telephone"): (Duty, "telephone"),
        ("duties", "remark"): (Duty, "remark"),
    }
    for kind, widths in spreadsheet.WIDTHS.items():
        for key, width in widths.items():
            model, column = columns[kind, key]
            field = model._meta.fields_map[column]
            assert isinstance(field, CharField)
            assert field.max_length == width, (kind, key)
    assert set(spreadsheet.LEVELS.values()) == set(OrganLevel)
    assert set(spreadsheet.ROLES.values()) == set(Role)


# --- what is wrong with it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ({"机关代码": None}, "missing"),
        ({"机关全称": " \u3000 "}, "missing"),
        ({"机关简称": "=A1"}, "formula"),
        ({"机关简称": "=cmd|'/c calc'!A0"}, "formula"),
        ({"机关全称": ArrayFormula("B2:B3", "=A1:A2")}, "formula"),
        ({"机关全称": DataTableFormula("B2:B3", t="dataTable", r1="A1")}, "formula"),
        ({"机关全称": "#REF!"}, "error"),
        ({"机关代码": "A" * 33}, "too_long"),
        ({"机关全称": "长" * 121}, "too_long"),
        ({"机关代字": "长" * 21}, "too_long"),
        ({"机关全称": "甲市\u202e人民政府"}, "control"),
        ({"机关全称": "甲市\u200b人民政府"}, "control"),
        ({"机关全称": "甲市\n人民政府"}, "control"),
        ({"机关全称": "甲市\u00a0人民政府"}, "control"),
        ({"机关全称": "甲市\u3000人民政府"}, "control"),
        ({"机关全称": "甲市\u2028人民政府"}, "control"),
        ({"机关代码": "Ａ"}, "look_alike"),
        ({"上级机关代码": "Ａ"}, "look_alike"),
        ({"级别": "局级"}, "unknown_level"),
        ({"上级机关代码": "X"}, "unknown_organ"),
        ({"上级机关代码": "A"}, "cycle"),
    ],
)
def test_faulty_cell(cell: dict[str, Any], code: str) -> None:
    """Each fault of a cell is reported with its sheet, row, column and kind, and a sentence."""
    _, report = read_book(单位=organs(cell))
    (column,) = cell
    assert ("单位", 2, column, code) in faults(report)
    assert all(problem.message and "{" not in problem.message for problem in report.problems)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ({"机关代码": "X"}, "unknown_organ"),
        ({"机关代码": None}, "missing"),
        ({"部门": None}, "missing"),
        ({"姓名": "名" * 61}, "too_long"),
        ({"职责": "领导;皇帝"}, "unknown_role"),
        ({"职责": "长" * 501}, "too_long"),
    ],
)
def test_faulty_cell_of_an_official(cell: dict[str, Any], code: str) -> None:
    """Each fault of an official's cell is reported the same way."""
    _, report = read_book(机关=organs({}), 名单=officials(cell))
    (column,) = cell
    assert ("名单", 2, column, code) in faults(report)


def test_plain_spaces_and_ordinary_texts_pass() -> None:
    """Plain spaces inside names, signs in codes, and texts as long as allowed are no faults."""
    _, report = read_book(机关=organs({"机关代码": "A-1_x.2", "机关全称": "长" * 120, "机关简称": "A B"}))
    assert not report.problems


def test_duplicate_codes() -> None:
    """A code that stands twice is reported where it stands again, with the place where it stood first."""
    _, report = read_book(机关=organs({}, {"机关代码": "B"}, {}), 机关二=organs({"机关代码": "B"}))
    assert faults(report) == [("机关", 4, "机关代码", "duplicate"), ("机关二", 2, "机关代码", "duplicate")]
    assert [p.message for p in report.problems] == ["与“机关”第 2 行重复", "与“机关”第 3 行重复"]


def test_an_organ_and_an_official_may_share_a_code() -> None:
    """Codes of organs and of officials are two kinds."""
    _, report = read_book(机关=organs({}), 人员=officials({"人员编号": "A"}))
    assert not report.problems


def test_circle_of_superiors() -> None:
    """Organs that are above themselves are reported; those that only stand below them are not."""
    chain = ({"机关代码": c, "上级机关代码": s} for c, s in (("A", "B"), ("B", "C"), ("C", "B"), ("D", "A"), ("E", "")))
    _, report = read_book(机关=organs(*chain))
    assert faults(report) == [("机关", row, "上级机关代码", "cycle") for row in (3, 4)]


@pytest.mark.timeout(20)
def test_long_chain_of_superiors() -> None:
    """A chain of many thousand superiors is checked in time that grows with its length, not its square."""
    rows = [["代码", "全称", "简称", "级别", "上级代码"]]
    rows += [[f"{n}", "甲", "甲", "市级", f"{n + 1}"] for n in range(40_000)]
    _, report = read_directory("机关.csv", as_csv(rows))
    assert [(p.row, p.code) for p in report.problems] == [(40_001, "identity.sheet_unknown_organ")]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (("机关代码", "机关简称"), "缺少必需的列：机关全称、级别"),
        (("姓名", "职务"), "缺少必需的列：机关代码、部门、人员编号"),
        (("说明",), "缺少必需的列：机关代码、机关全称、机关简称、级别"),
    ],
)
def test_wrong_header(header: tuple[str, ...], words: str) -> None:
    """A sheet without its columns is reported once, with the names of what is missing, and not read further."""
    directory, report = read_book(表=[list(header), ["A"] * len(header)])
    assert [(p.sheet, p.row, p.code, p.message) for p in report.problems] == [
        ("表", 1, "identity.sheet_wrong_header", words)
    ]
    assert not directory.organs
    assert not directory.officials


def test_problem_as_facts() -> None:
    """A problem goes over the wire with all that is needed to find the cell."""
    _, report = read_book(机关=organs({"级别": "局级"}))
    assert report.problems[0].as_facts() == {
        "sheet": "机关",
        "row": 2,
        "column": "级别",
        "code": "identity.sheet_unknown_level",
        "message": "级别“局级”不在允许范围内",
    }


# --- hostile files ----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """A file that is no workbook, or is made to hurt, is refused with the reason, soon."""
    make, code = REFUSED[name]
    with pytest.raises(Invalid if code == "sheet_unreadable" else TooLarge) as caught:
        read_directory("directory.xlsx", make())
    assert caught.value.code == f"identity.{code}"
    assert all_reasons()[caught.value.code].zh


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", READ)
def test_odd_but_read(name: str) -> None:
    """A sheet that lies about its size is read within its real one."""
    directory, report = read_directory("directory.xlsx", READ[name]())
    assert ([o.code for o in directory.organs], report.problems) == (["A"], [])


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\xff\xfe\x00", Invalid),
        ("代码,全称\n".encode("utf-16"), Invalid),
        (("代码,全称,简称,级别\n" + "长" * 200_000).encode(), Invalid),
        (b"\n" * (20 << 20) + b"a", TooLarge),
        (("代码,全称,简称,级别\n" + "A,甲,甲,市级\n" * 50_001).encode(), TooLarge),
    ],
    ids=["bytes", "UTF-16", "endless field", "too many bytes", "too many rows"],
)
def test_refused_csv(data: bytes, error: type[OaError]) -> None:
    """A .csv in no known encoding, with an endless field or beyond the limits is refused with the reason."""
    with pytest.raises(error) as caught:
        read_directory("a.csv", data)
    assert caught.value.code in {"identity.sheet_unreadable", "identity.sheet_too_large"}


@settings(max_examples=150)
@given(st.data())
def test_damaged_workbooks(data: st.DataObject) -> None:
    """A workbook with damaged bytes is read or refused; nothing else happens."""
    broken = bytearray(GOOD)
    for at in data.draw(st.lists(st.integers(0, len(GOOD) - 1), min_size=1, max_size=4)):
        broken[at] = data.draw(st.integers(0, 255))
    try:
        directory, _ = read_directory("directory.xlsx", bytes(broken))
    except OaError:
        return
    assert len(directory.organs) <= 1


_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff"), max_size=130
)
_CELLS = st.none() | st.integers() | st.floats() | st.booleans() | st.dates() | _TEXT
_CODES = st.sampled_from(("A", "B", "Ａ", "C\u200b", "", None, 3))
_LEVELS = st.sampled_from(("市级", "县级", "市级 ", "局级", None))
_ROWS = st.tuples(_CODES, _CELLS, st.sampled_from(("甲", "甲\u00a0")), _LEVELS, _CODES)


@settings(max_examples=150)
@given(st.lists(_ROWS, max_size=5))
def test_any_cells(rows: list[tuple[Any, ...]]) -> None:
    """Whatever stands in the cells, a row without a reported fault is one that the directory can hold."""
    directory, report = read_book(机关=[list(ORGAN_HEADER[:5]), *map(list, rows)])
    faulty = {p.row for p in report.problems}
    codes = {organ.code for organ in directory.organs}
    for organ in directory.organs:
        if organ.row not in faulty:
            assert organ.code
            assert organ.full_name
            assert organ.level in set(OrganLevel)
            assert not organ.superior or organ.superior in codes
            assert not {unicodedata.category(char) for char in organ.full_name} & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


# --- what goes out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_formulas_go_out_as_text(text: str) -> None:
    """A cell that a spreadsheet program would take for a formula goes out marked as text."""
    data = write_csv(["标题"], [[text]])
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows == [["标题"], [f"'{text}"]]


@pytest.mark.parametrize("text", ["", "关于=的通知", "2026-11-24", "a@b", "'x"])
def test_ordinary_cells_go_out_unchanged(text: str) -> None:
    """A cell that is no formula is left as it is."""
    assert protect_cell(text) == text


@pytest.mark.norm("A-1.2.10")
@given(st.lists(st.lists(st.none() | st.integers() | st.text(max_size=20), min_size=2, max_size=2), max_size=5))
def test_no_formula_leaves(rows: list[list[Any]]) -> None:
    """Whatever is exported, no cell begins as a formula does, and none is lost."""
    data = write_csv(["甲", "乙"], rows)
    read = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert len(read) == len(rows) + 1
    for written, back in zip(rows, read[1:], strict=True):
        for cell, text in zip(written, back, strict=True):
            assert text[:1] not in {"=", "+", "-", "@", "\t", "\r"}
            assert text.removeprefix("'") == ("" if cell is None else str(cell)).removeprefix("'")


def test_openpyxl_makes_what_the_tests_say() -> None:
    """The workbooks of these tests hold real formulas, not their words."""
    book = openpyxl.load_workbook(io.BytesIO(workbook({"机关": organs({"机关全称": ArrayFormula("B2", "=A1")})})))
    assert isinstance(book["机关"]["B2"].value, ArrayFormula)
