"""Settings by spreadsheet: exported, brought back with what is to be otherwise, shown as a difference, and changed as shown."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.installation import rules
from oa_server.installation.models import Setting
from oa_server.web.sheets import write_book
from tests.city import Browser, City, told
from tests.faults.house import faults

HEADER = ("设置项", "值", "理由")


def csv_of(*rows: Sequence[str], header: Sequence[str] = HEADER) -> bytes:
    return "\n".join(",".join(row) for row in (header, *rows)).encode()


async def upload(
    browser: Browser, place: str, data: bytes, *, name: str = "设置.csv", shown: str = ""
) -> httpx.Response:
    query = {"name": name, **({"shown": shown} if shown else {})}
    headers = {"Content-Type": "application/octet-stream"}
    return await browser.send("POST", f"/api/settings/{place}", params=query, content=data, headers=headers)


async def value_of(browser: Browser, name: str) -> dict[str, Any]:
    listed = (await browser.get("/api/settings")).raise_for_status().json()["items"]
    return dict(next(row for row in listed if row["name"] == name))


async def test_a_sheet_comes_back_and_changes_what_it_says(city: City) -> None:
    """The exported workbook changes nothing; with two cells changed it shows those two, and on confirmation changes them."""
    sys = await city.signed_in("sys")
    book = openpyxl.load_workbook(io.BytesIO((await sys.get("/api/settings.xlsx")).raise_for_status().content))
    rows = [[str(cell.value or "") for cell in row] for row in book["系统设置"].iter_rows()]
    assert [row[0] for row in rows[1:]] == [row["name"] for row in (await sys.get("/api/settings")).json()["items"]]

    def again() -> bytes:
        return write_book({"系统设置": (rows[0], rows[1:])})

    same = (await upload(sys, "difference", again(), name="系统设置.xlsx")).raise_for_status().json()
    assert (same["lines"], same["unchanged"]) == ([], len(rows) - 1)
    value, reason = rows[0].index("值"), rows[0].index("理由")
    for row in rows:
        if row[0] == "name":
            row[value], row[reason] = "江城公文", "市政府统一名称"
        if row[0] == "colophon_on_even_page":
            assert row[value] == "否"
            row[value] = "是"
    found = (await upload(sys, "difference", again(), name="系统设置.xlsx")).raise_for_status().json()
    assert found["counts"] == {"changed": 2}
    assert found["lines"][0]["cells"] == [{"column": "值", "old": "电子公文办理系统", "new": "江城公文"}]
    assert await Setting.all().count() == 0
    assert not await AuditRecord.filter(verb=Verb.SETTING_CHANGED).exists()
    done = await upload(sys, "imports", again(), name="系统设置.xlsx", shown=found["digest"])
    assert done.status_code == 200, done.text
    assert (await city.browser("wang").get("/api/about")).json()["name"] == "江城公文"
    assert (await value_of(sys, "colophon_on_even_page"))["value"] == "true"
    reasons = {row.name: row.reason for row in await Setting.all()}
    assert reasons == {"name": "市政府统一名称", "colophon_on_even_page": "表格导入：系统设置.xlsx"}
    record = await AuditRecord.get(verb=Verb.SETTINGS_IMPORTED)
    assert (record.facts["settings"], record.facts["difference"]) == (2, found["digest"])
    assert await faults(city.app.state.house) == []


@pytest.mark.norm("A-2.3.5")
async def test_what_takes_two_waits(city: City) -> None:
    """A row about what guards the system is a proposal: it is told so, and in force once another administrator has confirmed."""
    sec, sys = await city.signed_in("sec"), await city.signed_in("sys")
    data = csv_of(("idle_minutes", "5", "检查要求"), ("session_hours", "12", ""), ("name", "电子公文办理系统", ""))
    found = (await upload(sec, "difference", data)).raise_for_status().json()
    assert ([(line["effect"], line["code"]) for line in found["lines"]], found["unchanged"]) == (
        [("proposed", "idle_minutes")],
        2,
    )
    (await upload(sec, "imports", data, shown=found["digest"])).raise_for_status()
    waiting = (await value_of(sec, "idle_minutes"))["waiting"]
    assert ((await value_of(sec, "idle_minutes"))["value"], waiting["value"], waiting["reason"]) == (
        "15",
        "5",
        "检查要求",
    )
    told_so = (await upload(sec, "difference", data)).json()["facts"]["problems"]
    assert [(one["row"], one["column"], one["code"]) for one in told_so] == [(2, "值", "installation.waiting")]
    decided = await sys.send("POST", f"/api/setting-changes/{waiting['id']}/acts", json={"verb": "confirm"})
    assert decided.json()["state"] == "in_force"
    assert (await value_of(sys, "idle_minutes"))["value"] == "5"
    back = csv_of(("idle_minutes", "", ""))
    (line,) = (await upload(sec, "difference", back)).json()["lines"]
    assert line["cells"] == [{"column": "值", "old": "5", "new": "15"}]


async def test_every_fault_is_told_by_its_cell(city: City) -> None:
    """A row is refused by row and column with its reason, and with one row refused none is changed."""
    sys = await city.signed_in("sys")
    good = ("name", "江城公文", "")
    faulty = {
        ("origin", "https://a.example", ""): ("设置项", "installation.unknown_setting"),
        ("", "3", ""): ("设置项", "installation.no_name"),
        ("line_pitch", "=28", ""): ("值", "identity.sheet_formula"),
        ("line_pitch", "28\u200b.5", ""): ("值", "identity.sheet_control"),
        ("line_pitch", "28.5", "长" * 201): ("理由", "identity.sheet_too_long"),
        ("line_pitch", "30", ""): ("值", "installation.bad_value"),
        ("idle_minutes", "5", ""): ("值", "installation.not_security_admin"),
        good: ("设置项", "identity.sheet_duplicate"),
    }
    for row, (column, code) in faulty.items():
        for place, shown in (("difference", ""), ("imports", "0" * 64)):
            refused = await upload(sys, place, csv_of(good, row), shown=shown)
            assert told(refused) == (422, "identity.sheet_refused")
            (problem,) = refused.json()["facts"]["problems"]
            assert (problem["row"], problem["column"], problem["code"]) == (3, column, code)
    headless = await upload(sys, "difference", csv_of(good, header=("设置项", "数值", "理由")))
    assert headless.json()["facts"]["problems"][0]["code"] == "identity.sheet_wrong_header"
    assert told(await upload(sys, "difference", b"\x00\xff", name="a.xlsx")) == (422, "identity.sheet_unreadable")
    assert told(await upload(sys, "difference", csv_of(*[good] * 600)))[0] == 413
    assert await Setting.all().count() == 0


async def test_what_was_shown_is_what_is_changed(city: City) -> None:
    """When a setting was changed after the difference was shown, nothing is done, and the new difference is shown."""
    sys = await city.signed_in("sys")
    data = csv_of(("name", "江城公文", ""), ("line_pitch", "28.99", ""))
    found = (await upload(sys, "difference", data)).json()
    body = {"value": "江城公文", "reason": "先改"}
    seen = (await value_of(sys, "name"))["seen"]
    (await sys.send("PATCH", "/api/settings/name", json=body, headers={"If-Match": f'"{seen}"'})).raise_for_status()
    refused = await upload(sys, "imports", data, shown=found["digest"])
    assert told(refused) == (409, "installation.difference_changed")
    newer = refused.json()["facts"]["difference"]
    assert [line["code"] for line in newer["lines"]] == ["line_pitch"]
    assert (await upload(sys, "imports", data, shown=newer["digest"])).status_code == 200
    assert (await value_of(sys, "line_pitch"))["value"] == "28.99"


def test_a_setting_has_one_name() -> None:
    """Every setting that can change is called in the sheet what the page calls it."""
    page = (Path(__file__).parent.parent.parent / "clients" / "web" / "src" / "words" / "zh.ts").read_text("utf-8")
    assert rules.WORDS.keys() == rules.CHANGEABLE.keys()
    assert [name for name, word in rules.WORDS.items() if f"{name}: '{word}'," not in page] == []


@pytest.mark.parametrize("person", ["aud", "wang"])
async def test_sheets_are_for_those_who_see_the_settings(city: City, person: str) -> None:
    """Who does not see the settings neither exports nor imports them."""
    browser = await city.signed_in(person)
    answers = [await browser.get("/api/settings.xlsx")]
    answers += [
        await upload(browser, place, csv_of(("name", "甲", "")), shown="0") for place in ("difference", "imports")
    ]
    assert {told(answer) for answer in answers} == {(403, "installation.not_settings_admin")}
