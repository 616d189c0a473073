"""The page on which people read what departments' systems may ask."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from oa_server.web.docs import FIELD_TITLES, page_of
from tests import servers
from tests.city import City
from tests.conftest import Founded
from tests.described import description
from tests.desk import Desk, chromium, office
from tests.web.contract import promised


def _text(page: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", page))


async def test_anybody_may_read_it(city: City) -> None:
    """The page answers who has not signed in, holds every operation with its scope, and asks for nothing from elsewhere."""
    transport = httpx.ASGITransport(city.app, client=("10.1.2.3", 40000))
    async with httpx.AsyncClient(transport=transport, base_url=city.settings.origin) as anybody:
        answer = await anybody.get("/api/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    told = _text(answer.text)
    for name, operation in promised()["operations"].items():
        method, path = name.split()
        assert f"{method}{path}\n权限范围：{operation['scope']}" in told or operation["scope"] is None, name
    assert not re.search(r"<script|\bsrc=|https?://", answer.text.partition("<main>")[0])


def test_every_link_leads_somewhere() -> None:
    """What the page points at is on it, once."""
    page = page_of(description())
    anchors = re.findall(r' id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)


def test_every_field_has_its_word() -> None:
    """Each field that a system sends or gets is named in Chinese."""
    fields = {
        re.split(r"[. ]", field)[-1]
        for operation in promised()["operations"].values()
        for field in (*operation["sends"], *operation["gets"])
        if not re.search(r"\d$|[])*]$|^body$", field)
    }
    assert fields <= FIELD_TITLES.keys()


@pytest.mark.browser
@pytest.mark.timeout(120)
async def test_in_the_browser(founded_embedded: Founded, tmp_path: Path) -> None:
    """The page obeys the policy of the site, follows its links by keyboard, and is accessible, wide and narrow."""
    settings = office(founded_embedded, tmp_path / "var")
    with servers.OaServer(settings):
        async with chromium() as browser:
            desk = Desk(await browser.new_page(locale="zh-CN"), settings.origin)
            complaints: list[str] = []
            desk.page.on("console", lambda message: complaints.append(message.text))
            await desk.page.goto(f"{settings.origin}/api/docs")
            await expect(desk.page.get_by_role("heading", level=1)).to_have_text("公文交换系统接口")
            await desk.page.get_by_role("link", name="起草公文").press("Enter")
            section = desk.page.get_by_role("region", name="起草公文")
            await expect(section).to_be_in_viewport()
            await section.get_by_text("请求示例").press("Enter")
            await expect(section.get_by_text("江城市人民政府办公室关于规范公文处理工作的通知").first).to_be_visible()
            await desk.accessible()
            await desk.page.set_viewport_size({"width": 390, "height": 844})
            await desk.accessible()
            wide = await desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert (wide, complaints) == (0, [])
