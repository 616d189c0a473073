"""What an official meets at the screen: keys only, a lost network, another tab, an idle hour, a refused certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Browser, expect

from crypto.keys import open_key_file, serial_text
from oa_server.app import open_house
from oa_server.demo.enrolment import actor_named
from oa_server.demo.run import agent_config
from oa_server.documents import actions, drafting
from oa_server.documents.actions import Act
from oa_server.documents.schemas import Body, Elements
from oa_server.documents.states import DocKind
from oa_server.identity import access as identity
from oa_server.settings import Settings
from tests import servers
from tests.city import BODY, PIN
from tests.conftest import Founded
from tests.desk import Desk, agent_process, chromium, office, processes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

TITLES = ("江城市人民政府办公室关于做好值班工作的通知", "江城市人民政府办公室关于报送工作总结的通知")


@pytest.fixture
def settings(founded_embedded: Founded, tmp_path: Path) -> Settings:
    return office(founded_embedded, tmp_path / "var")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as one:
        yield one


async def submitted(settings: Settings, *titles: str) -> None:
    """Documents that wait for their first review."""
    async with open_house(settings) as house:
        drafter = await actor_named("wang")
        signer = await identity.official_by_code("chen")
        organs = {row["code"]: row["id"] for row in await identity.organs()}
        for title in titles:
            elements = Elements(
                kind=DocKind.NOTICE, title=title, signer_id=signer.id, main_recipients=[organs["JC002"]]
            )
            document = await drafting.draft(house.office, drafter, elements, msgspec.convert(BODY, Body))
            await actions.act(house.office, drafter, document.id, Act("submit"))


async def test_by_keys_alone(settings: Settings, browser: Browser) -> None:
    """Sign in, walk the list, read, agree, sign and go on to the next, without a mouse."""
    await submitted(settings, *TITLES)
    with processes(settings):
        li = await Desk.at(browser, settings)
        keys = li.page.keyboard
        await expect(li.one("certificate-search")).to_be_focused()
        await li.accessible()
        await keys.type("李红")
        await keys.press("ArrowDown")
        popup = await li.pin_page(keys.press("Enter"))
        await expect(popup.get_by_label("PIN")).to_be_focused()
        await Desk(popup, li.origin).accessible()
        await popup.keyboard.type(PIN)
        await popup.keyboard.press("Enter")
        await expect(li.one("task-row")).to_have_count(2)
        await li.accessible()

        await keys.press("/")
        await expect(li.one("task-search")).to_be_focused()
        await keys.press("Escape")
        await keys.press("j")
        await keys.press("j")
        await keys.press("k")
        await expect(li.one("task-row").first).to_have_attribute("aria-current", "true")
        await keys.press("Enter")
        await li.state("审核")
        await keys.press("?")
        await expect(li.one("key-help")).to_be_visible()
        await li.accessible()
        await keys.press("Escape")
        await expect(li.one("key-help")).to_be_hidden()

        await keys.press("1")
        await expect(li.one("act-text")).to_be_focused()
        await li.accessible()
        await keys.type("同意。")
        await li.with_pin(keys.press("Control+Enter"))
        await li.one("opinion").filter(has_text="同意。").wait_for()
        await li.one("next-task").wait_for()
        await keys.press("n")
        await expect(li.page.get_by_role("heading", level=1)).to_have_text(TITLES[0])
        await keys.press("2")
        await expect(li.one("act-text")).to_be_focused()
        await keys.press("Escape")
        await keys.press("Escape")
        await expect(li.one("task-row")).to_have_count(1)
        assert li.faults == []


async def test_what_is_not_allowed(settings: Settings, browser: Browser) -> None:
    """A verb that the server does not allow is grey, can be reached by keys, and tells mouse, keys and screen reader why."""
    await submitted(settings, TITLES[0])
    with processes(settings):
        li = await Desk.open(browser, settings, "李红")
        await li.open_task(TITLES[0])
        seal = li.one("denied-seal")
        reason = "公文尚未定版"
        await expect(seal).to_have_attribute("aria-disabled", "true")
        await expect(seal).to_have_accessible_name(f"用印：{reason}")
        hint = li.page.get_by_role("tooltip").filter(has_text=reason)
        await seal.hover()
        await expect(hint).to_be_visible()
        await li.page.mouse.move(0, 0)
        await expect(hint).to_be_hidden()
        await li.one("denied-withdraw").focus()
        await li.page.keyboard.press("Shift+Tab")
        await expect(hint).to_have_count(0)
        await seal.focus()
        await expect(hint).to_be_visible()
        await li.one("why-not").press("Enter")
        await expect(li.one("why-not-list")).to_be_visible()
        await expect(li.one("why-not-list")).to_contain_text(reason)
        await li.page.keyboard.press("Escape")
        await expect(li.one("why-not-list")).to_be_hidden()
        await li.state("审核")


async def test_nothing_written_is_lost(settings: Settings, browser: Browser) -> None:
    """What was typed while the network was away comes back after a crash; two writers of one draft choose what stays."""
    title, here, there = TITLES[0], "本机补充的一段。", "另一处补充的一段。"
    with processes(settings):
        wang = await Desk.open(browser, settings, "王建国")
        await wang.one("nav-outgoing").click()
        await wang.one("new-draft").first.click()
        await wang.one("element-title").wait_for()
        await wang.context.set_offline(True)
        await wang.one("element-title").fill(title)
        await expect(wang.one("draft-status")).to_have_attribute("data-status", "failed")
        crashed, wang.page = wang.page, await wang.context.new_page()
        await crashed.close()
        await wang.context.set_offline(False)

        await wang.page.goto(f"{wang.origin}/outgoing/new/edit")
        await expect(wang.one("restored")).to_be_visible()
        await expect(wang.one("element-title")).to_have_value(title)
        await expect(wang.one("draft-status")).to_have_attribute("data-status", "saved")

        other = Desk(await wang.context.new_page(), wang.origin)
        await other.page.goto(wang.page.url)
        for desk, text in ((other, there), (wang, here)):
            await desk.one("editor").click()
            await desk.page.keyboard.type(text)
            await expect(desk.one("draft-status")).not_to_have_attribute("data-status", "dirty")
            await expect(desk.one("draft-status")).not_to_have_attribute("data-status", "saving")
        await expect(wang.one("conflict")).to_be_visible()
        await wang.accessible()
        async with wang.page.expect_download() as downloading:
            await wang.one("conflict-download").click()
        assert here in Path(await (await downloading.value).path()).read_text("utf-8")
        await wang.one("conflict-mine").click()
        await expect(wang.one("draft-status")).to_have_attribute("data-status", "saved")
        await other.page.reload()
        await expect(other.one("editor")).to_contain_text(here)
        assert [*wang.faults, *other.faults] == []


async def test_two_tabs_and_a_lost_server(settings: Settings, browser: Browser) -> None:
    """Both tabs follow what happens; a lost server is told and found again; signing out in one signs out in both."""
    with processes(settings) as server:
        li = await Desk.open(browser, settings, "李红")
        second = Desk(await li.context.new_page(), li.origin)
        await second.page.goto(f"{li.origin}/tasks")
        await second.one("state-empty").wait_for()
        server.stop()
        for desk in (li, second):
            await expect(desk.one("live-lost")).to_be_visible()
        await li.one("nav-outgoing").click()
        await expect(li.page.get_by_role("alert")).to_contain_text("无法连接服务器")
        await submitted(settings, TITLES[0])
        server.start()
        for desk in (li, second):
            await expect(desk.one("live-lost")).to_be_hidden()
            await expect(desk.one("open-task")).to_have_text(TITLES[0])
        await li.one("nav-organs").click()
        await expect(li.one("official").first).to_be_visible()
        await li.accessible()
        await li.one("account").click()
        await li.one("sign-out").click()
        for desk in (li, second):
            await expect(desk.one("certificates")).to_be_visible()
        assert [*li.faults, *second.faults] == []


async def test_idle(settings: Settings, browser: Browser) -> None:
    """Before an idle session ends the page asks; who answers stays, who does not is told why they are out."""
    with processes(settings):
        li = await Desk.at(browser, settings)
        await li.page.clock.install()
        await li.page.reload()
        await li.one("certificate-search").fill("李红")
        await li.one("certificate").first.click()
        await li.with_pin(li.one("sign-in").click())
        await li.one("account").wait_for()
        await li.page.clock.fast_forward("14:10")
        await expect(li.one("idle-dialog")).to_be_visible()
        await li.accessible()
        await li.one("idle-stay").click()
        await expect(li.one("idle-dialog")).to_be_hidden()
        await li.page.clock.fast_forward("15:10")
        await expect(li.one("end-reason")).to_contain_text("长时间未操作")


async def test_agent_comes_late(settings: Settings, browser: Browser) -> None:
    """Without the key agent the page says how to start it, and goes on by itself when it runs."""
    config = settings.data_dir / "agent.toml"
    config.write_text(agent_config(settings), "utf-8")
    with servers.OaServer(settings):
        li = await Desk.at(browser, settings)
        await expect(li.one("agent-absent")).to_contain_text("oa-agent serve")
        await li.accessible()
        with agent_process(config):
            await expect(li.one("certificate").filter(has_text="李红")).to_be_visible()
            assert li.faults == []


async def test_refused_certificate(settings: Settings, browser: Browser) -> None:
    """Whose certificate was revoked is told so, and nothing else."""
    key = open_key_file((settings.data_dir / "keys" / "li.sign-in.oakey").read_bytes(), PIN)
    async with open_house(settings) as house:
        await house.register.revoke(await actor_named("sec"), serial_text(key.certificate), "keyCompromise")
    with processes(settings):
        li = await Desk.at(browser, settings)
        await li.one("certificate-search").fill("李红")
        await li.one("certificate").first.click()
        await li.with_pin(li.one("sign-in").click())
        await expect(li.one("sign-in-problem")).to_contain_text("吊销")
        await li.accessible()
