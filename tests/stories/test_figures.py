"""The figures of a sitting in real Chromium: every number opens the list behind it, and the wall follows what is done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from oa_server.settings import Settings
from tests.conftest import Founded, running
from tests.desk import Desk, chromium, office, processes
from tests.proposals.assembly import Sittings, gathered

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PARKING, LIGHTING, TREES = "关于加强停车管理的建议", "关于加强夜间照明的建议", "关于保护古树名木的建议"


@pytest.fixture
async def settings(founded_embedded: Founded, tmp_path: Path) -> Settings:
    """Three cases are filed, two of them given out: one to the finance bureau, one to the education bureau."""
    congress = await Sittings(tmp_path / "congress").reached(founded_embedded)
    found = office(congress, tmp_path / "var")
    async with running(found) as city:
        assembly = await gathered(city)
        await assembly.dispatched(await assembly.filed(title=PARKING, category="城乡建设"), JC002="lead")
        await assembly.dispatched(await assembly.filed(title=LIGHTING, category="城乡建设"), JC003="lead")
        await assembly.filed(title=TREES, category="生态环保")
    return found


@pytest.fixture
async def sun(settings: Settings) -> AsyncIterator[Desk]:
    """The clerk of the dispatching organ."""
    with processes(settings):
        async with chromium() as browser:
            desk = await Desk.open(browser, settings, "孙丽")
            yield desk
            assert desk.faults == []


async def lists(desk: Desk, *titles: str) -> None:
    """The list that a number has opened has these cases and no others."""
    await desk.one("behind").wait_for()
    await expect(desk.one("open-proposal")).to_have_count(len(titles))
    assert set(await desk.one("open-proposal").all_inner_texts()) == set(titles)


async def test_behind_every_number(sun: Desk) -> None:
    """From the list to the figures, and from a numerator, a denominator and a part's number to exactly its cases."""
    await sun.one("nav-proposals").click()
    await sun.one("open-figures").click()
    tiles = sun.one("headlines")
    await expect(tiles.get_by_test_id("figure-given_out")).to_have_text("66.7%")
    await tiles.get_by_test_id("figure-given_out").click()
    await lists(sun, PARKING, LIGHTING)
    await expect(sun.one("behind")).to_contain_text("交办率（分子）")
    await sun.page.go_back()
    await tiles.get_by_test_id("out-of-given_out").click()
    await lists(sun, PARKING, LIGHTING, TREES)
    await sun.page.go_back()
    await sun.one("work-市教育局").get_by_test_id("out-of-replied").click()
    await lists(sun, LIGHTING)
    await expect(sun.one("behind")).to_contain_text("市教育局")
    await sun.one("behind-clear").click()
    await expect(sun.one("open-proposal")).to_have_count(3)


async def test_pictures_and_tables(sun: Desk) -> None:
    """By category there are other parts; every group of figures has its table, sittings stand side by side, and the page is
    accessible."""
    await sun.page.goto(f"{sun.origin}/proposals/figures")
    await sun.one("by-category").click()
    await sun.one("work-城乡建设").wait_for()
    for group, code in (("filing", "filed"), ("dispatching", "first_time"), ("judgements", "judged")):
        await sun.one(f"group-{group}").click()
        await expect(sun.one(f"table-{group}").get_by_test_id(f"figure-{code}").first).to_be_visible()
    await expect(sun.one("sessions").get_by_test_id("figure-given_out")).to_have_text("66.7%")
    await sun.accessible()


async def test_the_wall_follows(sun: Desk, settings: Settings) -> None:
    """On the wall nobody is named; what an organ does elsewhere is there in a moment."""
    await sun.page.goto(f"{sun.origin}/proposals/board")
    await expect(sun.one("wall-given_out")).to_contain_text("66.7%")
    await expect(sun.one("wall-acts")).to_contain_text(TREES)
    assert "何平安" not in await sun.page.inner_text("body")
    await sun.accessible()
    browser = sun.context.browser
    assert browser is not None
    zhou = await Desk.open(browser, settings, "周敏")
    await zhou.one("nav-assignments").click()
    await zhou.one("open-assignment").filter(has_text=PARKING).click()
    await zhou.one("act-accept").click()
    await zhou.one("act-confirm").click()
    await expect(sun.one("wall-acts")).to_contain_text("签收承办")
    await sun.page.keyboard.press("Escape")
    await expect(sun.one("headlines")).to_be_visible()
