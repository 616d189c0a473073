"""The directory by clicking: an organ is changed, a wrong sheet refused and a right one confirmed, a role given and taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.city import OFFICIALS
from tests.conftest import Founded
from tests.desk import Desk, office, processes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HEADER = OFFICIALS.splitlines()[0]
WRONG = f"{HEADER}\nJC001,综合科,wang,王建国,主任科员,,\nJC009,综合科,tang,,科员,,\n"
RIGHT = f"{HEADER}\nJC001,综合科,wang,王建国,主任科员,,\nJC001,综合科,tang,唐宁,科员,,核稿\n"


async def picture(desk: Desk, name: str) -> None:
    """Leave what is on the screen in the folder that `OA_PICTURES` names, for who wants to look at it."""
    if folder := os.environ.get("OA_PICTURES"):
        await desk.page.screenshot(path=Path(folder) / f"{name}.png")


async def test_an_administrators_day(founded_embedded: Founded, tmp_path: Path, browser: Browser) -> None:
    """An organ is edited; a wrong sheet tells its cells and changes nothing; the right one is shown and confirmed; a role is
    confirmed by the other administrator, and taken away again before its official's next click."""
    settings = office(founded_embedded, tmp_path / "var")
    with processes(settings):
        system = await Desk.open(browser, settings, "何平")
        await edit_an_organ(system)
        await import_sheets(system)
        await plan_a_duty(system)
        await enter_a_notice(system)
        await enter_the_summer(system)
        security = await Desk.open(browser, settings, "吕安")
        await confirm_the_role(security)
        await change_settings(system, security)
        sun = await Desk.open(browser, settings, "孙丽")
        await reckon_a_term(sun)
        await expect(sun.one("on-duty")).to_have_count(0)
        await take_a_role(security, sun)
        assert [fault for desk in (system, security, sun) for fault in desk.faults] == []


NOTICE = """一、元旦：1月1日（周五）至3日（周日）放假，共3天。
二、春节：2月5日（周五）至11日（周四）放假调休，共7天。1月31日（周日）、2月20日（周六）上班。
"""


async def enter_a_notice(system: Desk) -> None:
    """The words of a notice are pasted, read, compared with what is known of the year, and entered."""
    await system.one("nav-calendar").click()
    await expect(system.one("figures")).to_contain_text("工作日248天")
    await system.one("year-after").click()
    await expect(system.one("unpublished")).to_be_visible()
    await system.accessible()
    await system.one("enter-notice").click()
    await system.one("notice-no").fill("国办发明电〔2026〕9号")
    await system.one("notice-text").fill(NOTICE)
    await expect(system.one("notice-read")).to_contain_text("放假10天，调休上班2天")
    await system.one("notice-try").click()
    await expect(system.one("notice-difference")).to_contain_text("261天 → 257天")
    await system.accessible()
    await picture(system, "notice")
    await system.one("notice-enter").click()
    await expect(system.one("unpublished")).to_have_count(0)
    await expect(system.one("version")).to_contain_text("国办发明电〔2026〕9号")
    await expect(system.one("2027-01-31")).to_contain_text("班")


async def enter_the_summer(system: Desk) -> None:
    """Office hours are entered as people write them, and the term of hours that stands there is reckoned anew."""
    await system.one("due-unit").get_by_text("工作小时").click()
    await system.one("enter-hours").click()
    await system.page.get_by_text("夏季另有作息时间").click()
    await system.one("hours-summer").fill("8:30-12:00，下午")
    await expect(system.one("hours-enter")).to_be_disabled()
    await system.one("hours-summer").fill("8:30-12:00，14:30至18:00")
    await system.one("hours-notice").fill("江政办〔2026〕8号")
    await system.accessible()
    await picture(system, "office-hours")
    await system.one("hours-enter").click()
    await expect(system.one("office-hours")).to_contain_text("5月1日起 08:30–12:00，14:30–18:00")
    await system.accessible()


async def reckon_a_term(official: Desk) -> None:
    """An official sees the year that was entered, when a term ends, and why, but enters no notice."""
    await official.one("nav-calendar").click()
    await expect(official.one("due")).to_be_visible()
    await expect(official.one("enter-notice")).to_have_count(0)
    await official.one("due-explain").click()
    await expect(official.one("counted").first).to_contain_text("起算日")
    await expect(official.one("counted").last).to_contain_text("第20天")
    await official.accessible()
    await picture(official, "calendar")
    await official.one("due-unit").get_by_text("工作小时").click()
    await official.page.get_by_label("起算日").fill("2026年11月27日")
    await official.page.get_by_label("起算日").press("Enter")
    await official.page.get_by_label("期限", exact=True).fill("7")
    await official.page.get_by_label("期限", exact=True).press("Enter")
    await expect(official.one("due")).to_contain_text("17:30")
    await expect(official.one("counted")).to_have_count(1)
    await expect(official.one("counted")).to_contain_text("计7小时")
    await expect(official.one("office-hours")).to_contain_text("10月1日起 08:30–12:00，14:00–17:30")
    await expect(official.one("enter-hours")).to_have_count(0)
    await official.accessible()


async def save(desk: Desk) -> None:
    await desk.one("fields-save").click()
    await expect(desk.one("fields-dialog")).to_have_count(0)


async def edit_an_organ(system: Desk) -> None:
    """The name that is saved stands in the tree and at the head of the organ, with what it answers for, a line each; what may
    not be is told in the dialog."""
    await system.one("nav-organs").click()
    await system.one("organ").filter(has_text="江城市教育局").click()
    await expect(system.one("on-duty")).to_contain_text("没有安排")
    await system.accessible()
    await picture(system, "directory")
    await system.one("edit-organ").click()
    await system.one("field-full_name").fill("江城市教育体育局")
    await system.accessible()
    await picture(system, "edit-organ")
    await save(system)
    await expect(system.one("keeping")).to_contain_text("江城市教育体育局")
    await expect(system.one("organ").filter(has_text="江城市教育体育局")).to_be_visible()
    await system.one("edit-remits").click()
    await system.one("field-items").fill("中小学课后服务\n\n 义务教育学校布局与学位供给\n校园安全与学生心理健康\n")
    await picture(system, "edit-remits")
    await save(system)
    await expect(system.one("remits")).to_contain_text("主要职责（3）")
    await system.page.get_by_text("主要职责（3）").press("Enter")
    await expect(system.one("remits")).to_contain_text("义务教育学校布局与学位供给")
    await system.accessible()
    await picture(system, "remits")
    await system.one("retire-organ").click()
    await system.one("fields-save").click()
    await expect(system.one("fields-problem")).to_contain_text("冯静")
    await system.one("fields-cancel").click()
    await system.one("kept-official").filter(has_text="冯静").click()
    await expect(system.one("official-drawer")).to_contain_text("机要文书")
    await expect(system.one("denied-take_role").first).to_be_visible()
    await system.accessible()
    await picture(system, "official")
    await system.page.keyboard.press("Escape")


async def import_sheets(system: Desk) -> None:
    """Errors by their cells, then the difference, then the confirmation."""
    await system.one("open-import").click()
    await system.drop("sheet", "人员.csv", WRONG.encode(), "text/csv")
    await expect(system.one("sheet-problems-row")).to_have_count(2)
    await expect(system.one("sheet-problems")).to_contain_text("第3行")
    await expect(system.one("sheet-problems")).to_contain_text("机关代码“JC009”不存在")
    await expect(system.one("confirm-import")).to_have_count(0)
    await system.accessible()
    await picture(system, "wrong-sheet")
    await system.drop("sheet", "人员.csv", RIGHT.encode(), "text/csv")
    lines = system.one("difference-lines-row")
    await expect(lines).to_have_count(2)
    await expect(lines.first).to_contain_text("主任科员")
    await system.accessible()
    await picture(system, "difference")
    await system.one("confirm-import").click()
    await expect(system.one("imported")).to_be_visible()


async def plan_a_duty(system: Desk) -> None:
    """Who is on duty today stands in the roster's week and beside the organ in the directory."""
    await system.one("nav-organs").click()
    await system.one("open-roster").click()
    today = system.page.locator(".week-day.today")
    await today.get_by_test_id("add-on").click()
    await system.one("field-official_id").click()
    await system.page.get_by_role("option", name="孙丽").click()
    await system.one("field-telephone").fill("027-8888")
    await save(system)
    await expect(today.get_by_test_id("duty")).to_contain_text("孙丽")
    await system.accessible()
    await picture(system, "roster")
    await system.one("nav-organs").click()
    await expect(system.one("on-duty")).to_contain_text("027-8888")


async def confirm_the_role(security: Desk) -> None:
    """What the sheet said of a role waits for the security administrator."""
    await security.one("nav-organs").click()
    await expect(security.one("open-roles")).to_contain_text("1")
    await security.one("open-roles").click()
    await security.one("pick-all").click()
    await security.accessible()
    await picture(security, "roles")
    await security.one("roles-confirm").click()
    await expect(security.one("state-empty")).to_be_visible()


async def change_settings(system: Desk, security: Desk) -> None:
    """The name of the system is changed at once; what guards it waits for the other administrator."""
    await system.one("nav-settings").click()
    await system.one("setting-name").get_by_test_id("setting-change").click()
    await system.one("field-value").fill("江城市公文系统")
    await system.one("field-reason").fill("统一名称")
    await save(system)
    await expect(system.one("brand")).to_contain_text("江城市公文系统")
    await security.one("nav-settings").click()
    await security.one("setting-idle_minutes").get_by_test_id("setting-change").click()
    await security.one("field-value").fill("10")
    await security.one("field-reason").fill("安全要求")
    await save(security)
    await system.page.reload()
    waiting = system.one("setting-idle_minutes")
    await expect(waiting.get_by_test_id("setting-waits")).to_contain_text("10")
    await system.accessible()
    await picture(system, "settings")
    await waiting.get_by_test_id("setting-confirm").click()
    await expect(waiting.get_by_test_id("setting-value")).to_have_text("10")
    await import_settings(system, security)


SHEET_HEAD = "设置项,值,理由\n"
THEIRS, OURS = "session_hours,8,检查要求\n", "line_pitch,28.95,\n"


async def import_settings(system: Desk, security: Desk) -> None:
    """A sheet that touches another's setting is told by its cell; the right one is shown, and what takes two waits."""
    await expect(system.one("export-settings")).to_have_attribute("href", "/api/settings.xlsx")
    await system.one("open-import").click()
    await system.drop("sheet", "设置.csv", f"{SHEET_HEAD}{OURS}{THEIRS}".encode(), "text/csv")
    await expect(system.one("sheet-problems-row")).to_have_count(1)
    await expect(system.one("sheet-problems")).to_contain_text("第3行")
    await expect(system.one("sheet-problems")).to_contain_text("此项由安全保密管理员提出")
    await security.one("open-import").click()
    await security.drop("sheet", "设置.csv", f"{SHEET_HEAD}{THEIRS}".encode(), "text/csv")
    await expect(security.one("difference-lines-row")).to_contain_text("待复核")
    await security.accessible()
    await picture(security, "settings-sheet")
    await security.one("confirm-import").click()
    await expect(security.one("imported")).to_be_visible()
    await system.one("nav-settings").click()
    await expect(system.one("setting-session_hours").get_by_test_id("setting-waits")).to_contain_text("检查要求")


async def take_a_role(security: Desk, sun: Desk) -> None:
    """A clerk loses the role; their next click shows nothing of what comes in."""
    await sun.one("nav-incoming").click()
    assert (await sun.page.request.get(f"{sun.origin}/api/incoming")).status == 200
    await security.one("nav-organs").click()
    await security.one("kept-official").filter(has_text="孙丽").click()
    await security.one("take-role").click()
    await security.one("field-reason").fill("调离机要岗位")
    await save(security)
    await expect(security.one("held-role")).to_have_count(0)
    session = await (await sun.page.request.get(f"{sun.origin}/api/session")).json()
    assert session["roles"] == []
    await sun.page.goto(f"{sun.origin}/duties")
    await expect(sun.one("denied-keep_duties")).to_be_visible()
