"""A sheet of cases is judged cell by cell, shown as the difference that it makes, and brought in whole or not at all."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import date, datetime
from typing import Any

import httpx
import openpyxl
import pytest

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.proposals.models import ImportedRow, Proposal, ProposalTerm, Proposer
from oa_server.proposals.sheet import TITLES
from tests.city import told
from tests.faults.house import faults as faults_in
from tests.proposals.assembly import Assembly
from tests.proposals.generate import archive, cases, deputies, docx, packed, rows_of, workbook

ORGANS = ["市财政局", "市教育局", "市交通局"]
BODY = "一、情况\n停车难。\n二、原因分析\n车位少。\n三、建议\n建停车楼。"
ROW = {
    "term": "15",
    "session": "第四次",
    "occasion": "会议期间",
    "case_no": "1",
    "kind": "建议",
    "title": "关于增加停车位的建议",
    "form": "个人",
    "lead_code": "D003",
    "lead": "何平安",
    "delegation": "城东代表团",
    "phone": "13900000000",
    "body": BODY,
    "submitted_on": "2026-01-13",
    "filed": "是",
    "lead_organ": "市财政局",
    "cohandlers": "市教育局",
    "dispatched_on": "2026-02-01",
}


def sheet_of(*rows: dict[str, Any], without: tuple[str, ...] = ()) -> bytes:
    """A workbook of rows, by the keys of columns."""
    keys = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in without]
    return workbook([[TITLES[key] for key in keys], *([row.get(key) for key in keys] for row in rows)])


class Desk:
    """Somebody who brings in sheets for the sitting."""

    def __init__(self, assembly: Assembly, person: str = "lin") -> None:
        self.assembly = assembly
        self.person = person
        self.path = f"/api/sittings/{assembly.sitting}/imports"

    async def sends(self, path: str, data: bytes, **query: str) -> httpx.Response:
        desk = await self.assembly.desk(self.person)
        headers = {"Content-Type": "application/octet-stream"}
        return await desk.send("POST", f"{self.path}{path}", content=data, headers=headers, params=query)

    async def shown(self, data: bytes, name: str = "建议.xlsx") -> dict[str, Any]:
        """The report of a file."""
        answer = await self.sends("/difference", data, name=name)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def commits(self, data: bytes, digest: str, name: str = "建议.xlsx") -> httpx.Response:
        return await self.sends("", data, name=name, shown=digest)

    async def brings(self, data: bytes, name: str = "建议.xlsx") -> dict[str, Any]:
        """A file shown, and brought in as it was shown. Returns the outcome."""
        report = await self.shown(data, name)
        assert report["is_whole"], report["problems"]
        answer = await self.commits(data, report["digest"], name)
        assert answer.status_code == 200, answer.text
        return dict(json.loads(answer.text.splitlines()[-1])["outcome"])

    async def wrong(self, *rows: dict[str, Any], without: tuple[str, ...] = ()) -> list[tuple[int, str, str]]:
        """What is wrong with which cells of a sheet."""
        return faults(await self.shown(sheet_of(*rows, without=without)))


def faults(report: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(p["row"], p["column"], p["code"].removeprefix("proposals.cell_")) for p in report["problems"]]


@pytest.fixture
def lin(assembly: Assembly) -> Desk:
    return Desk(assembly)


async def test_a_sheet_of_many(assembly: Assembly, lin: Desk) -> None:
    """Cases come in where their rows say that they stand, with members, versions, organs, clocks and a history; the members are the
    authors and the clerk is not; and everything verifies."""
    made = cases(3, 40, organs=ORGANS)
    made[3].values["body_file"] = "0004.docx"
    data = archive(made)
    report = await lin.shown(data, "建议.zip")
    assert report["is_whole"], report["problems"]
    assert report["counts"] == {"new": 40, "changed": 0, "unchanged": 0, "kept": 0, "refused": 0}
    answer = await lin.commits(data, report["digest"], "建议.zip")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[0]["done"] > 0
    assert lines[-2]["done"] == lines[-2]["total"]
    assert lines[-1]["outcome"]["added"] == 40
    rows = await Proposal.filter(case_seq__not_isnull=True).order_by("id")
    assert [row.case_no for row in rows] == [f"2026-15-4-建-{number:04d}" for number in range(1, 41)]
    assert [row.title for row in rows] == [case.title for case in made]
    assert (rows[3].situation, rows[3].request) == (made[3].situation, made[3].request)
    dispatched = next(row for row in rows if row.state == "dispatched")
    case = await assembly.shown("lin", f"/api/proposals/{dispatched.id}")
    values = made[dispatched.case_seq - 1].values
    assert case["proposers"][0]["member"]["name"] == values["lead"]
    assert {one["consent"] for one in case["proposers"]} == {"paper"}
    assert case["entered_by"] == "林芳"
    assert case["history"][0]["title"] == "由表格导入"
    assert case["assignments"][0]["dispatched_on"] == values["dispatched_on"]
    assert {clock["title"] for clock in case["assignments"][0]["clocks"]} == {"退办", "答复"}
    filed = next(row for row in rows if row.state == "filed")
    waiting = await assembly.shown("lin", f"/api/proposals/{filed.id}")
    assert [clock["title"] for clock in waiting["clocks"]] == ["交办"]
    assert await ProposalTerm.filter(proposal_id=filed.id).exists()
    rejected = next(row for row in rows if row.state == "rejected")
    assert rejected.rejection_code == "empty"
    assert await faults_in(assembly.city.app.state.house) == []


async def test_again_changes_nothing(assembly: Assembly, lin: Desk) -> None:
    """The same file once more is unchanged in every row, confirmed twice it is one batch, and without numbers its rows are known
    again."""
    made = cases(5, 12, organs=ORGANS, numbered=False)
    data = archive(made)
    report = await lin.shown(data, "建议.zip")
    first = await lin.commits(data, report["digest"], "建议.zip")
    again = await lin.commits(data, report["digest"], "建议.zip")
    assert json.loads(first.text.splitlines()[-1]) == json.loads(again.text.splitlines()[-1])
    report = await lin.shown(data, "建议.zip")
    assert report["counts"]["unchanged"] == 12
    assert told(await lin.commits(data, report["digest"], "建议.zip")) == (422, "proposals.import_nothing")
    assert await Proposal.filter(case_seq__not_isnull=True).count() == 12
    assert sorted(await Proposal.all().values_list("case_seq", flat=True)) == list(range(1, 13))
    drafted = await assembly.filed()
    assert (await assembly.shown("lin", drafted))["case_no"] == "2026-15-4-建-0013"


async def test_a_changed_row(assembly: Assembly, lin: Desk) -> None:
    """What a row says otherwise is shown, and brought up to date while the case was not given out; after that it is shown and kept."""
    row = {**ROW, "lead_organ": None, "cohandlers": None, "dispatched_on": None}
    await lin.brings(sheet_of(row))
    changed = {
        **row,
        "title": "关于增加公共停车位的建议",
        "category": "城建",
        "form": "联名",
        "cosigners": "戴维；邱红",
    }
    report = await lin.shown(sheet_of(changed))
    assert report["counts"]["changed"] == 1
    changes = {one["column"]: (one["old"], one["new"]) for one in report["rows"][0]["changes"]}
    assert changes == {
        "案由": ("关于增加停车位的建议", "关于增加公共停车位的建议"),
        "提案形式": ("个人", "联名"),
        "内容大类": ("", "城建"),
        "附议人": ("无", "戴维、邱红"),
    }
    await lin.brings(sheet_of(changed))
    (case,) = await Proposal.filter(case_seq=1)
    assert (case.title, case.category, case.version_no, case.state) == (changed["title"], "城建", 2, "filed")
    stands = await Proposer.filter(proposal_id=case.id)
    assert {row.consented_sha256 for row in stands} == {case.text_sha256}
    assert len(stands) == 3
    given = {**changed, "lead_organ": "市财政局", "cohandlers": "市教育局", "dispatched_on": "2026-02-01"}
    await lin.brings(sheet_of(given))
    await case.refresh_from_db()
    assert (case.state, str(case.dispatched_on), case.version_no) == ("dispatched", "2026-02-01", 2)
    shown = await assembly.shown("lin", f"/api/proposals/{case.id}")
    assert shown["clocks"] == []
    assert [one["title"] for one in shown["history"]].count("由表格更新") == 2
    report = await lin.shown(sheet_of({**given, "title": "另一件事"}))
    assert (report["counts"]["kept"], report["rows"][0]["reason"]) == (1, "本件已交办，不再由表格更新")
    assert await faults_in(assembly.city.app.state.house) == []


async def test_what_was_registered_by_hand_is_kept(assembly: Assembly, lin: Desk) -> None:
    """A case that did not come by a sheet is not changed by one."""
    await assembly.filed()
    report = await lin.shown(sheet_of({**ROW, "lead_organ": None, "cohandlers": None, "dispatched_on": None}))
    assert report["counts"]["kept"] == 1
    assert report["rows"][0]["reason"] == "本件由系统登记，不由表格更新"


DAYS = [
    "2025-03-01",
    "2025年3月1日",
    "2025/3/1",
    "2025.3.1",
    45717,
    date(2025, 3, 1),
    datetime(2025, 3, 1, 9, 30),  # noqa: DTZ001  a workbook knows no zones
    "２０２５－０３－０１",
]


async def test_days_in_every_notation(lin: Desk) -> None:
    """A day is the same day in each of the notations of offices, as a cell of days and as the number that workbooks keep."""
    row = {**ROW, "dispatched_on": "2026-02-01"}
    rows = [
        {**row, "case_no": str(number), "title": f"第{number}件事", "submitted_on": day}
        for number, day in enumerate(DAYS, start=1)
    ]
    await lin.brings(sheet_of(*rows))
    assert {str(day) for day in await Proposal.all().values_list("submitted_on", flat=True)} == {"2025-03-01"}


async def test_wide_signs_and_padded_names(lin: Desk) -> None:
    """Digits of full width, padded names and other names of columns mean the same as the plain ones."""
    row = {
        **ROW,
        "term": "１５",
        "case_no": "第０００７号",
        "lead": "何　平　安",
        "lead_code": "Ｄ００３",
        "phone": "１３９００００００００",
        "cohandlers": "市教育局 ；",
        "title": "关于ＡＢ路\u200b停车的建议",
    }
    await lin.brings(sheet_of(row))
    (case,) = await Proposal.all()
    assert (case.case_no, case.title) == ("2026-15-4-建-0007", "关于AB路停车的建议")


WRONG: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "no day": ({"submitted_on": "2025-02-30"}, [("提交日期", "no_day")]),
    "a day to come": ({"submitted_on": "2099-01-01"}, [("提交日期", "future")]),
    "another sitting": ({"term": "14"}, [("届次", "other_sitting")]),
    "a kind of the other body": ({"kind": "提案"}, [("类别", "reason")]),
    "a word of nobody": ({"form": "口头"}, [("提案形式", "unknown_word")]),
    "nothing where something must be": ({"phone": " "}, [("联系电话", "missing")]),
    "a formula": ({"title": "=A1&B1"}, [("案由", "formula")]),
    "an error of the workbook": ({"title": "#REF!"}, [("案由", "error")]),
    "too long": ({"title": "长" * 201}, [("案由", "too_long")]),
    "an unknown organ": ({"lead_organ": "市财证局"}, [("主办单位", "unknown_unit")]),
    "lead and co-handler at once": ({"cohandlers": "市财政局"}, [("协办单位(分号)", "reason")]),
    "co-handlers of nobody": ({"lead_organ": None}, [("主办单位", "reason")]),
    "a lead beside separate ones": (
        {"separate": "市教育局；市交通局", "cohandlers": None},
        [("分别办理单位", "reason")],
    ),
    "given out unfiled": ({"filed": None}, [("主办单位", "not_filed")]),
    "not filed and no ground": (
        {"filed": "否", "lead_organ": None, "cohandlers": None, "dispatched_on": None},
        [("不立案理由", "no_ground")],
    ),
    "a member of nobody": ({"lead_code": None, "lead": "查无此人"}, [("领衔人姓名", "unknown_member")]),
    "a number of somebody else": ({"lead_code": "D001"}, [("领衔人编号", "other_name")]),
    "too many for one": ({"cosigners": "戴维"}, [("提案形式", "reason")]),
    "a number of another sitting": ({"case_no": "2025-15-3-建-0001"}, [("案号", "no_number")]),
    "a bodiless one": ({"body": None}, [("正文", "no_body")]),
    "a body in no archive": ({"body": None, "body_file": "1.txt"}, [("正文文件名", "no_archive")]),
    "merged into nothing": (
        {"merged_into": "99", "lead_organ": None, "cohandlers": None, "dispatched_on": None},
        [("并入案号", "no_case")],
    ),
    "key without a leader": ({"is_key": "是"}, [("是否重点", "key_undispatched")]),
    "key with nobody": ({"is_key": "是", "key_leader": "赵无名"}, [("督办领导", "no_leader")]),
}


async def test_every_bad_cell_is_named(lin: Desk) -> None:
    """Each fault is told by its cell, its row is refused, and nothing is brought in."""
    found = {}
    for name, (values, _expected) in WRONG.items():
        row = {key: value for key, value in {**ROW, **values}.items() if key not in {"is_key", "key_leader"} or value}
        found[name] = [(column, code) for _row, column, code in await lin.wrong(row)]
    assert found == {
        name: [(column.removesuffix("(分号)"), code) for column, code in expected]
        for name, (_values, expected) in WRONG.items()
    }
    data = sheet_of({**ROW, "term": "14"})
    report = await lin.shown(data)
    assert (report["is_whole"], report["rows"][0]["outcome"]) == (False, "refused")
    assert told(await lin.commits(data, report["digest"])) == (422, "proposals.import_refused")
    assert await Proposal.all().count() == 0


async def test_duplicates(lin: Desk) -> None:
    """A number stands once in a sheet, and so does a matter of one lead where there are no numbers."""
    assert await lin.wrong(ROW, {**ROW, "title": "另一件"}) == [(3, "案号", "duplicate")]
    unnumbered = {key: value for key, value in ROW.items() if key != "case_no"}
    assert await lin.wrong(unnumbered, unnumbered) == [(3, "案由", "duplicate")]


async def test_headers(lin: Desk) -> None:
    """Columns are known by the names that offices give them; what is missing, unknown or has no place yet is told."""
    keys = list(ROW)
    names = {"title": "题目", "lead": "领衔代表", "lead_organ": "主办", "kind": "类别（议案/建议/提案）*"}
    header = [names.get(key, TITLES[key]) for key in keys] + ["满意度", "答复文号", "心情"]
    rows = [["江城市人大建议汇总表"], header, [*ROW.values(), "满意", "江财函〔2026〕1号", "好"]]
    report = await lin.shown(workbook(rows))
    assert report["is_whole"], report["problems"]
    outcomes = {one["title"]: (one["means"], one["outcome"]) for one in report["columns"]}
    assert outcomes["题目"] == ("案由", "imported")
    assert outcomes["满意度"] == ("满意度", "kept_out")
    assert outcomes["心情"] == ("", "unknown")
    assert faults(await lin.shown(sheet_of(ROW, without=("phone", "term")))) == [(1, "", "wrong_header")]
    assert await lin.wrong({**ROW, "cosigners": None, "title": None}) == [(2, "案由", "missing")]
    assert told(await lin.sends("/difference", workbook([["什么", "都没有"]]), name="x.xlsx")) == (
        422,
        "proposals.sheet_without_cases",
    )


async def test_merged_cells(lin: Desk) -> None:
    """Merged cells among the rows are told by their area; a merged title above the headers is none of our business."""
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    page.append(["江城市人大建议汇总表"])
    page.append([TITLES[key] for key in ROW])
    for number in (1, 2, 3):
        page.append(list({**ROW, "case_no": str(number), "title": f"第{number}件"}.values()))
    page.merge_cells("A1:F1")
    buffer = io.BytesIO()
    book.save(buffer)
    assert faults(await lin.shown(buffer.getvalue())) == []
    page.merge_cells("A3:A5")
    buffer = io.BytesIO()
    book.save(buffer)
    assert (3, "届次", "merged") in faults(await lin.shown(buffer.getvalue()))


async def test_files_that_are_refused(lin: Desk) -> None:
    """Macros, endless sheets, locked or climbing archives and files of another kind are refused at once, with the reason."""
    good = sheet_of(ROW)
    many = workbook([[TITLES[key] for key in ROW], *([ROW["title"], str(n), "建议"] for n in range(100_000))])
    refused = {
        "建议.xlsm": (good, (422, "web.sheet_macros")),
        "十万行.xlsx": (many, (413, "proposals.sheet_too_long")),
        "建议.pdf": (b"%PDF-1.7", (422, "identity.sheet_unreadable")),
        "没有表.zip": (packed({"1.txt": "一"}), (422, "proposals.archive_without_sheet")),
        "两个表.zip": (packed({"1.xlsx": good, "2.xlsx": good}), (422, "proposals.archive_without_sheet")),
        "越界.zip": (packed({"1.xlsx": good, "../1.txt": "一"}), (422, "proposals.archive_hostile")),
        "炸弹.zip": (packed({"1.xlsx": good, "1.txt": "零" * (20 << 20)}), (413, "identity.sheet_too_large")),
        "破损.zip": (b"PK\x03\x04broken", (422, "proposals.archive_unreadable")),
    }
    for name, (data, expected) in refused.items():
        begun = asyncio.get_running_loop().time()
        assert told(await lin.sends("/difference", data, name=name)) == expected, name
        assert asyncio.get_running_loop().time() - begun < 8, name


async def test_bodies_in_files(lin: Desk) -> None:
    """Bodies come as .txt in either encoding and as .docx; what is missing, twice, empty or of another kind is told by its cell, and
    what no row names is told too."""
    names = ["一.txt", "二.txt", "三.docx", "四.txt", "五.pdf", "六.txt", "七.txt"]
    rows = [
        {**ROW, "body": None, "case_no": str(n), "title": f"第{n}件", "body_file": name}
        for n, name in enumerate(names, 1)
    ]
    files = {
        "表.xlsx": sheet_of(*rows),
        "正文/一.txt": BODY,
        "正文/二.txt": BODY.encode("gb18030"),
        "正文/三.docx": docx("第3件", BODY),
        "正文/五.pdf": b"%PDF",
        "六.txt": "\ufeff \n",
        "甲/七.txt": BODY,
        "乙/七.txt": BODY,
        "多余.txt": "没有一行用到",
        "__MACOSX/._表.xlsx": b"x",
    }
    report = await lin.shown(packed(files), "建议.zip")
    assert faults(report) == [
        (5, "正文文件名", "no_file"),
        (6, "正文文件名", "bad_file"),
        (7, "正文文件名", "bad_file"),
        (8, "正文文件名", "bad_file"),
    ]
    assert any("多余.txt" in remark["words"] for remark in report["remarks"])


async def test_csv_in_both_encodings(lin: Desk) -> None:
    """A sheet as .csv, in UTF-8 or as Chinese office programs write it, is the same sheet."""
    values = {**ROW, "body": "停车难，建停车楼。"}
    text = ",".join(TITLES[key] for key in values) + "\n" + ",".join(values.values()) + "\n"
    for encoding in ("utf-8-sig", "gb18030"):
        report = await lin.shown(text.encode(encoding), "建议.csv")
        assert report["is_whole"], report["problems"]
    assert report["remarks"][0]["words"] == "正文没有分为情况、分析、建议三部分，全文作为情况导入"


async def test_sheets_beside(lin: Desk) -> None:
    """Who stands behind cases and who is given them may stand in sheets of their own, by the numbers of the cases."""
    row = {**ROW, "form": "联名", "lead_organ": None, "cohandlers": None, "dispatched_on": None}
    keys = list(row)
    data = workbook(
        [[TITLES[key] for key in keys], list(row.values())],
        附议人=[
            ["案号", "编号", "姓名", "代表团/界别", "联系电话"],
            ["1", "G900", "新代表", "城南代表团", "138"],
            ["9", "", "某", "", ""],
        ],
        承办=[
            ["案号", "承办单位", "承办角色"],
            ["建1", "市财政局", "主办"],
            ["1", "市交通局", "会办"],
            ["1", "市教育局", "旁听"],
        ],
        说明=[["填表说明"]],
    )
    report = await lin.shown(data)
    assert faults(report) == [(3, "案号", "no_case"), (4, "承办角色", "unknown_word")]
    assert report["new_members"] == ["新代表（G900）"]
    assert [remark["words"] for remark in report["remarks"]] == ["工作表“说明”不是附议人或承办表，没有导入"]


async def test_unknown_units_are_settled(assembly: Assembly, lin: Desk) -> None:
    """An unknown name comes with the organs whose names are like it; whoever imports decides, and the name is known from then on, until it
    is corrected or taken back."""
    row = {**ROW, "lead_organ": "江城财政局", "cohandlers": "市教委"}
    report = await lin.shown(sheet_of(row))
    assert not report["is_whole"]
    unknown = {one["name"]: [unit["name"] for unit in one["suggestions"]] for one in report["unknown_units"]}
    assert unknown["江城财政局"][0] == "市财政局"
    desk = await assembly.desk("lin")
    path = f"/api/sittings/{assembly.sitting}/unit-aliases"
    decided = [
        {"name": "江城财政局", "organ_id": assembly.organs["JC002"]},
        {"name": "市教委", "organ_id": assembly.organs["JC003"]},
    ]
    kept = await desk.send("PUT", path, json={"aliases": decided})
    assert kept.status_code == 200, kept.text
    assert [one["organ"]["name"] for one in kept.json()["items"]] == ["市教育局", "市财政局"]
    assert (await desk.get(path)).json() == kept.json()
    await lin.brings(sheet_of(row))
    taken = await desk.send("PUT", path, json={"aliases": [{"name": "市财政局", "organ_id": assembly.organs["JC003"]}]})
    assert told(taken) == (422, "proposals.alias_is_name")
    corrected = [{"name": "江城财政局", "organ_id": assembly.organs["JC003"]}, {"name": "市教委", "organ_id": None}]
    left = (await desk.send("PUT", path, json={"aliases": corrected})).json()["items"]
    assert [(one["name"], one["organ"]["name"]) for one in left] == [("江城财政局", "市教育局")]
    other = {**row, "case_no": "2", "title": "关于增加学位的建议"}
    assert [one["name"] for one in (await lin.shown(sheet_of(other)))["unknown_units"]] == ["市教委"]
    record = await AuditRecord.filter(verb=Verb.UNIT_ALIASES_SET).order_by("-id").first()
    assert record.facts["aliases"] == [["江城财政局", assembly.organs["JC003"]], ["市教委", None]]
    assert await faults_in(assembly.city.app.state.house) == []


async def test_merged_and_key_cases(assembly: Assembly, lin: Desk) -> None:
    """A row may say that its case was merged with another of the sheet, and that a leader sees to one in person."""
    rows = [
        {**ROW, "is_key": "是", "key_leader": "陈志远", "merged_into": None},
        {**ROW, "case_no": "2", "title": "关于停车的另一件", "lead_organ": None, "cohandlers": None, "dispatched_on": None,
         "merged_into": "2026-15-4-建-0001"},
    ]  # fmt: skip
    await lin.brings(sheet_of(*rows))
    first, second = await Proposal.all().order_by("case_seq")
    assert (second.state, second.merged_into_id) == ("merged", first.id)
    assert str(first.key_leader_id) == assembly.city.people["chen"]
    assert (await lin.shown(sheet_of(*rows)))["counts"]["unchanged"] == 2


async def test_the_report_is_marked(lin: Desk) -> None:
    """The report is the sheet as it came, each row with its outcome, the bad cells filled and commented."""
    data = sheet_of({**ROW, "lead_organ": "市财证局"}, {**ROW, "case_no": "2", "title": "第二件"})
    answer = await lin.sends("/report", data, name="建议.xlsx")
    assert answer.status_code == 200, answer.text
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    page = book["核对结果"]
    at = [cell.value for cell in page[1]].index("主办单位") + 1
    cell = page.cell(2, at)
    assert (cell.value, cell.fill.fgColor.rgb) == ("市财证局", "FFFFC7CE")
    assert "不是机构名称" in cell.comment.text
    assert (page.cell(2, 1).value, page.cell(3, 1).value) == ("有错误", "新增")
    assert page.cell(3, at).comment is None
    assert book["问题"].cell(2, 3).value == "主办单位"


async def test_only_the_secretariat_imports(assembly: Assembly, lin: Desk) -> None:
    """Nobody but a clerk of the sitting's secretariat imports, asks what would be, or decides what names mean."""
    desk = await assembly.desk("sun")
    sun = Desk(assembly, "sun")
    aliases = f"/api/sittings/{assembly.sitting}/unit-aliases"
    body = {"aliases": [{"name": "财政", "organ_id": assembly.organs["JC002"]}]}
    refused = [
        await sun.sends("/difference", sheet_of(ROW), name="x.xlsx"),
        await sun.sends("/report", sheet_of(ROW), name="x.xlsx"),
        await sun.commits(sheet_of(ROW), "0" * 64),
        await desk.get(sun.path),
        await desk.get(aliases),
        await desk.send("PUT", aliases, json=body),
    ]
    assert {told(answer) for answer in refused} == {(403, "proposals.not_secretariat")}
    await lin.brings(sheet_of(ROW))
    (batch,) = (await (await assembly.desk("tang")).get(lin.path)).json()["items"]
    assert (batch["file_name"], batch["added"], batch["entered_by"]) == ("建议.xlsx", 1, "林芳")


async def test_what_was_shown_is_what_comes(assembly: Assembly, lin: Desk) -> None:
    """When file or cases have changed since the difference was shown, nothing is done."""
    data = sheet_of(ROW)
    digest = (await lin.shown(data))["digest"]
    assert told(await lin.commits(sheet_of({**ROW, "title": "另一件"}), digest)) == (409, "proposals.import_changed")
    await lin.brings(sheet_of({**ROW, "title": "抢先的一件"}))
    assert told(await lin.commits(data, digest)) == (409, "proposals.import_changed")


async def test_two_imports_at_once(assembly: Assembly) -> None:
    """Of two clerks who bring in the same numbers at once one succeeds, and the other is told that it is not as shown any more."""
    desks = [Desk(assembly, person) for person in ("lin", "tang")]
    sheets = [archive(cases(seed, 20, organs=ORGANS, people=deputies(9, 60))) for seed in (11, 12)]
    shown = [await desk.shown(data, "建议.zip") for desk, data in zip(desks, sheets, strict=True)]
    answers = await asyncio.gather(
        *(desk.commits(data, one["digest"], "建议.zip") for desk, data, one in zip(desks, sheets, shown, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await Proposal.filter(case_seq__not_isnull=True).count() == 20
    assert await ImportedRow.all().count() == 20


def test_generated_cases_differ() -> None:
    """The generator makes what members write: the same for one seed, no two titles alike, bodies of some hundred characters."""
    made = cases(1, 200, organs=ORGANS)
    assert rows_of(made) == rows_of(cases(1, 200, organs=ORGANS))
    assert len({case.title for case in made}) == 200
    assert all(300 <= len(case.body) <= 1300 for case in made)
