"""A sheet of cases by clicking: judged, an unknown name settled, brought in while the page tells how far it has come."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
from playwright.async_api import Browser, expect

from oa_server.settings import Settings
from tests.conftest import Founded
from tests.desk import Desk, office, processes
from tests.proposals.assembly import Sittings
from tests.proposals.generate import archive, cases

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ORGANS = ["市财政局", "市教育局", "市交通局"]
COUNT = 120
NAME = "江城市第十六届人民代表大会第五次会议"


@pytest.fixture
async def settings(founded_embedded: Founded, tmp_path: Path) -> Settings:
    """The city with its congress, of this test's own."""
    return office(await Sittings(tmp_path / "congress").reached(founded_embedded), tmp_path / "var")


async def renamed(browser: Browser, settings: Settings, address: str) -> None:
    """The system administrator corrects the name of the sitting."""
    desk = await Desk.open(browser, settings, "何平")
    await desk.page.goto(address)
    await desk.one("change-sitting").click()
    await desk.one("field-title").fill(NAME)
    await desk.one("fields-save").click()
    await expect(desk.page.get_by_role("heading", level=1)).to_have_text(NAME)
    await desk.context.close()


async def test_a_sheet_by_clicking(settings: Settings, browser: Browser) -> None:
    """The clerk of the secretariat takes somebody off the list, drops an archive, sees what is wrong with which cell,
    downloads it marked, says which organ a name means, and brings everything in; the same archive once more changes nothing."""
    made = cases(5, COUNT, organs=ORGANS)
    for case in made[10:13]:
        case.values |= {"filed": "是", "lead_organ": "江城财政局", "cohandlers": "", "dispatched_on": "2025-10-20"}
        case.values.pop("rejection", None)
    file = {"name": "建议.zip", "mimeType": "application/zip", "buffer": archive(made)}
    with processes(settings):
        desk = await Desk.open(browser, settings, "林芳")
        await desk.one("nav-proposals").click()
        await desk.one("open-sitting").click()
        await expect(desk.one("remove-member")).to_have_count(3)
        await renamed(browser, settings, desk.page.url)
        await desk.page.reload()
        await expect(desk.page.get_by_role("heading", level=1)).to_have_text(NAME)
        await desk.one("remove-member").last.click()
        await desk.page.get_by_role("dialog").get_by_role("button", name="确定").click()
        await expect(desk.one("remove-member")).to_have_count(2)
        await desk.accessible()
        await desk.one("import-cases").click()
        await desk.one("cases-input").set_input_files(file)
        await expect(desk.one("outcome-refused")).to_contain_text("有错误 3")
        await expect(desk.one("confirm-import")).to_be_disabled()
        await expect(desk.one("import-report")).to_contain_text("“江城财政局”不是机构名称")
        async with desk.page.expect_download() as downloading:
            await desk.one("import-download").click()
        data = Path(await (await downloading.value).path()).read_bytes()
        assert "核对结果" in openpyxl.load_workbook(io.BytesIO(data)).sheetnames
        await expect(desk.one("unknown-units")).to_contain_text("市财政局")
        await desk.one("settle-units").click()
        await expect(desk.one("outcome-new")).to_contain_text(f"新增 {COUNT}")
        await desk.one("confirm-import").click()
        await expect(desk.one("import-done")).to_contain_text(f"新增{COUNT}件", timeout=60_000)
        await desk.one("cases-input").set_input_files(file)
        await expect(desk.one("outcome-unchanged")).to_contain_text(f"无变化 {COUNT}")
        await expect(desk.one("unit-alias")).to_contain_text("江城财政局指市财政局")
        await desk.accessible()
        await desk.one("alias-remove").click()
        await expect(desk.one("unit-aliases")).to_have_count(0)
        await desk.page.set_viewport_size({"width": 390, "height": 844})
        assert await desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert desk.faults == []
