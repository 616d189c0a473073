"""A sheet is rehearsed, its difference shown, and exactly that applied; what is exported can be brought back."""

from __future__ import annotations

import io
import time
from typing import Any
from urllib.parse import quote

import httpx
import openpyxl
import pytest

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.demo import city as sample
from oa_server.demo.enrolment import actor_named
from oa_server.identity.importing import import_directory, rehearse
from oa_server.identity.models import Duty, Official, Organ, Post, Remit, Responsibility, RoleChange, Unit
from tests.city import Browser, City, told
from tests.faults.house import faults

PEOPLE = "机关代码,部门,人员编号,姓名,职务,主要负责人,职责,状态"
ORGANS = "机关代码,机关全称,机关简称,级别,上级机关代码,机关代字,发文机关标志,状态"
ROSTER = "机关代码,部门,人员编号,姓名,开始时间,结束时间,值班电话,备注,状态"


def sheet(header: str, *rows: str) -> bytes:
    return "\n".join((header, *rows)).encode()


async def upload(browser: Browser, place: str, data: bytes, *, name: str = "表.csv", shown: str = "") -> httpx.Response:
    path = f"/api/directory/{place}?name={quote(name)}" + (f"&shown={shown}" if shown else "")
    return await browser.send("POST", path, content=data, headers={"Content-Type": "application/octet-stream"})


async def everything() -> list[list[dict[str, Any]]]:
    kinds = (Organ, Remit, Unit, Official, Post, Responsibility, RoleChange, Duty)
    return [await model.all().order_by("id").values() for model in kinds]


async def test_the_difference_is_shown_and_then_applied(city: City) -> None:
    """A rehearsal tells each change with its old and new value and changes nothing; confirming it does exactly that."""
    sys = await city.signed_in("sys")
    data = sheet(
        PEOPLE,
        "JC001,综合科,wang,王建国,主任科员,,,",
        "JC001,信访科,tang,唐宁,科员,,核稿,",
        "JC003,办公室,feng,冯静,机要员,,机要文书,停用",
        "JC002,办公室,xu,徐静,机要员,,机要文书,在用",
    )
    before, records = await everything(), await AuditRecord.all().count()
    found = (await upload(sys, "difference", data)).raise_for_status().json()
    assert await everything() == before
    assert await AuditRecord.all().count() == records
    lines = {line["code"]: (line["effect"], line["cells"]) for line in found["lines"]}
    assert lines["wang"] == ("changed", [{"column": "职务", "old": "科员", "new": "主任科员"}])
    assert lines["tang"][0] == "added"
    assert {cell["column"]: cell["new"] for cell in lines["tang"][1]}["职责"] == "核稿（待复核）"
    assert lines["feng"] == ("retired", [])
    assert (found["counts"], found["unchanged"]) == ({"changed": 1, "added": 1, "retired": 1}, 1)
    done = await upload(sys, "imports", data, shown=found["digest"])
    assert (done.status_code, done.json()) == (200, found)
    assert (await Official.get(code="feng")).retired_at
    again = (await upload(sys, "difference", data)).json()
    assert (again["lines"], again["unchanged"]) == ([], 4)
    assert await faults(city.app.state.house) == []


async def test_what_is_there_goes_under_what_is_new(city: City) -> None:
    """An organ may come to stand below one that the same sheet brings in, and a role move into a unit that it does."""
    organs = ("JC000,江城市人民政府,市政府,市级,,,,", "JC001,江城市人民政府办公室,市政府办公室,市级,JC000,江政办发,,")
    await import_directory(SYSTEM, "机关.csv", sheet(ORGANS, *organs))
    assert (await Organ.get(code="JC001")).superior_id == (await Organ.get(code="JC000")).id
    await import_directory(SYSTEM, "人员.csv", sheet(PEOPLE, "JC001,新科,li,李红,科长,,部门负责人,"))
    held = await Responsibility.get(official_id=city.people["li"])
    assert held.unit_id == (await Unit.get(name="新科")).id
    assert await faults(city.app.state.house) == []


async def test_another_directory_than_the_one_shown(city: City) -> None:
    """When the directory or the file changed since, nothing is imported, and the new difference comes with the refusal."""
    sys = await city.signed_in("sys")
    data = sheet(PEOPLE, "JC001,综合科,wang,王建国,主任科员,,,")
    shown = (await upload(sys, "difference", data)).json()["digest"]
    await import_directory(SYSTEM, "别人.csv", sheet(PEOPLE, "JC001,综合科,wang,王建国,副科长,,,"))
    before = await everything()
    refused = await upload(sys, "imports", data, shown=shown)
    assert told(refused) == (409, "identity.difference_changed")
    (line,) = refused.json()["facts"]["difference"]["lines"]
    assert line["cells"] == [{"column": "职务", "old": "副科长", "new": "主任科员"}]
    assert told(await upload(sys, "imports", data)) == (409, "identity.difference_changed")
    other = sheet(PEOPLE, "JC001,综合科,wang,王建国,科员,,,")
    assert told(await upload(sys, "imports", other, shown=shown)) == (409, "identity.difference_changed")
    assert await everything() == before
    new = refused.json()["facts"]["difference"]["digest"]
    assert (await upload(sys, "imports", data, shown=new)).status_code == 200


async def test_a_wrong_sheet(city: City) -> None:
    """Each fault is told by sheet, row and column in words, refusals of single rows among them, and nothing comes in."""
    sys, before = await city.signed_in("sys"), await everything()
    bad = sheet(
        PEOPLE,
        "JC001,综合科,wang,,主任科员,,,",
        "JC009,综合科,new,新人,科员,,,",
        "JC001,综合科,li,李红,科长,,,休假",
    )
    refused = await upload(sys, "difference", bad)
    assert told(refused) == (422, "identity.sheet_refused")
    problems = [(p["row"], p["column"], p["message"]) for p in refused.json()["facts"]["problems"]]
    assert problems == [
        (2, "姓名", "此项不能为空"),
        (4, "状态", "状态“休假”不在允许范围内，请填“在用”或“停用”"),
        (3, "机关代码", "机关代码“JC009”不存在"),
    ]
    full = sheet(ORGANS, "JC002,江城市财政局,市财政局,部门,JC001,江财发,江城市财政局文件,停用")
    for place in ("difference", "imports"):
        refused = await upload(sys, place, full)
        (problem,) = refused.json()["facts"]["problems"]
        assert (problem["row"], problem["column"], problem["code"]) == (2, "状态", "identity.in_use")
    assert await everything() == before


async def test_what_organs_answer_for(city: City) -> None:
    """A sheet adds to what organs answer for and strikes out, says so beforehand, and leaves alone what it does not name."""
    sys = await city.signed_in("sys")
    first = sheet("单位代码,主要职责", "JC002,财政预算与决算", "JC002,政府采购与付款", "JC003,中小学课后服务")
    assert (await import_directory(SYSTEM, "主要职责.csv", first)).counts == {"added": 3}
    second = sheet(
        "机关代码,主要职责,状态",
        "JC002,政府采购与付款,取消",
        "JC003,中小学课后服务,有效",
        "JC002,政府债务,",
        "JC003,学位,取消",
    )
    found = (await upload(sys, "difference", second)).json()
    lines = [(line["subject"], line["effect"], line["code"], line["name"]) for line in found["lines"]]
    assert lines == [("remits", "retired", "JC002", "政府采购与付款"), ("remits", "added", "JC002", "政府债务")]
    assert found["unchanged"] == 2
    (await upload(sys, "imports", second, shown=found["digest"])).raise_for_status()
    held = await Remit.all().order_by("organ__code", "position").values_list("organ__code", "text")
    assert list(held) == [("JC002", "财政预算与决算"), ("JC002", "政府债务"), ("JC003", "中小学课后服务")]
    twice = sheet("机关代码,主要职责,状态", "JC002,政府债务,", "JC002,政府债务,停用", "JC009,土地,")
    problems = (await upload(sys, "difference", twice)).json()["facts"]["problems"]
    assert [(one["row"], one["column"]) for one in problems] == [(3, "主要职责"), (3, "状态"), (4, "机关代码")]
    assert await faults(city.app.state.house) == []


async def test_what_is_exported_comes_back_unchanged(city: City) -> None:
    """The exported workbook, imported, changes nothing: with second posts, people and organs that are retired, a roster, and
    texts that look like formulas."""
    sys = await city.signed_in("sys")
    await import_directory(
        SYSTEM,
        "表.csv",
        sheet(
            PEOPLE,
            "JC002,预算科,wang,王建国,挂职副科长,,核稿,",
            "JC001,综合科,gao,高远,+1 副主任,,,",
            "JC003,办公室,feng,冯静,机要员,,,停用",
        ),
    )
    remits = sheet("机关代码,主要职责", "JC003,中小学课后服务", "JC002,+财政预算", "JC002,政府债务")
    await import_directory(SYSTEM, "主要职责.csv", remits)
    await import_directory(SYSTEM, "机关.csv", sheet(ORGANS, "JC003,江城市教育局,市教育局,部门,JC001,,,停用"))
    before = await everything()
    answer = (await sys.get("/api/directory.xlsx")).raise_for_status()
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["机关", "主要职责", "部门", "人员"]
    assert {cell.data_type for page in book for row in page.iter_rows() for cell in row} <= {"s", "inlineStr", "n"}
    found = await rehearse(await actor_named("sys"), "组织机构.xlsx", answer.content)
    assert (found.lines, found.unchanged) == ([], sum(page.max_row - 1 for page in book))
    assert await everything() == before
    record = await AuditRecord.filter(verb=Verb.DIRECTORY_EXPORTED).first()
    assert record.facts == {"file": "组织机构.xlsx", "filter": {}, "count": found.unchanged}


async def test_a_roster_comes_and_goes(city: City) -> None:
    """A roster is imported by the organ's own clerk, brought back as exported without a change, and taken back by its rows;
    somebody else's, and the directory, are not theirs."""
    sun = await city.signed_in("sun")
    rows = (
        "JC001,机要科,sun,孙丽,2026-12-01 08:00,2026-12-01 18:00,=电话,,",
        "JC001,,liu,刘洋,2026-12-02 08:00,2026/12/02 18:00,027-1,夜班,",
    )
    formula = await upload(sun, "difference", sheet(ROSTER, *rows))
    assert formula.json()["facts"]["problems"][0]["code"] == "identity.sheet_formula"
    data = sheet(ROSTER, rows[0].replace("=电话", "+86 27"), rows[1])
    found = (await upload(sun, "difference", data)).json()
    assert (await upload(sun, "imports", data, shown=found["digest"])).status_code == 200
    where = f"since=2026-12-01&until=2026-12-07&organ_id={city.organs['JC001']}"
    book = (await sun.get(f"/api/duties.xlsx?{where}")).raise_for_status().content
    again = (await upload(sun, "difference", book, name="值班表.xlsx")).json()
    assert (again["lines"], again["unchanged"]) == ([], 2)
    overlap = sheet(ROSTER, "JC001,,sun,孙丽,2026-12-01 17:00,2026-12-02 08:00,,,")
    problem = (await upload(sun, "difference", overlap)).json()["facts"]["problems"][0]
    assert (problem["row"], problem["code"]) == (2, "identity.duty_overlap")
    gone = sheet(ROSTER, f"{rows[1].rstrip(',')},取消")
    found = (await upload(sun, "difference", gone)).json()
    assert [line["effect"] for line in found["lines"]] == ["retired"]
    assert (await upload(sun, "imports", gone, shown=found["digest"])).status_code == 200
    assert len((await sun.get(f"/api/duties?{where}")).json()["items"]) == 1
    others = sheet(ROSTER, "JC002,,zhou,周敏,2026-12-01 08:00,2026-12-01 18:00,,,")
    assert told(await upload(sun, "difference", others)) == (403, "identity.not_duty_keeper")
    assert told(await upload(sun, "difference", sheet(PEOPLE))) == (403, "identity.not_system_admin")
    assert await faults(city.app.state.house) == []


@pytest.mark.norm("D-8.1.4.2d")
@pytest.mark.parametrize("person", ["sec", "aud", "wang"])
async def test_whose_business_it_is_not(city: City, person: str) -> None:
    """Nobody but the system administrator imports the directory, not even to see the difference."""
    browser = await city.signed_in(person)
    for place in ("difference", "imports"):
        refused = await upload(browser, place, sheet(PEOPLE, "JC001,综合科,wang,王建国,科员,,,"))
        assert told(refused) == (403, "identity.not_system_admin")


async def test_a_whole_city_takes_seconds(city: City) -> None:
    """The sheet of 70 organs and 514 people is rehearsed and imported in seconds each."""
    book = openpyxl.load_workbook(io.BytesIO(sample.workbook()))
    book["机关"].delete_cols(6)  # Some of its words are this city's own.
    buffer = io.BytesIO()
    book.save(buffer)
    data = buffer.getvalue()
    begun = time.perf_counter()
    # The three administrators of the sample are others than this city's, so the console imports it.
    found = await rehearse(SYSTEM, "组织机构.xlsx", data)
    assert found.officials == sample.OFFICIALS
    done = await import_directory(SYSTEM, "组织机构.xlsx", data, shown=found.digest)
    assert done.digest == found.digest
    again = await rehearse(await actor_named("sys"), "组织机构.xlsx", data)
    assert again.lines == []
    assert time.perf_counter() - begun < 20
