"""The main job by clicking: real Chromium, a real server process, the real key agent, keys in files and in a SoftHSM token."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from playwright.async_api import Browser, Page, async_playwright, expect

from crypto.authority import name
from crypto.profiles import Profile
from oa_agent.tokens import TokenDriver
from oa_server.app import open_house
from oa_server.demo.enrolment import actor_named
from oa_server.identity import access as identity
from oa_server.pki import access as pki
from oa_server.pki.actions import Subject
from oa_server.pki.models import DeviceKind
from oa_server.settings import Settings, save
from tests import servers
from tests.city import PIN
from tests.conftest import Founded, embedded

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
TITLE = "江城市人民政府办公室关于开展公文处理培训的通知"


@pytest.fixture
def settings(founded_embedded: Founded, tmp_path: Path) -> Settings:
    """A city of this test's own, on a free port."""
    found = founded_embedded.copy(tmp_path / "var")
    port = servers.free_port()
    return embedded(found.data_dir, port=port, origin=f"http://127.0.0.1:{port}", agent_port=port + 40)


async def give_token(settings: Settings, code: str) -> None:
    """Replace an official's key files by a token: keys generated in it, certificates requested, approved and written."""
    for usage in ("sign-in", "signing"):
        (settings.data_dir / "keys" / f"{code}.{usage}.oakey").unlink()
    driver = TokenDriver(SOFTHSM)
    device = await driver.init_token(code, "13579135", PIN)
    async with open_house(settings) as house:
        requester, approver = await actor_named("sys"), await actor_named("sec")
        official = await identity.official_by_code(code)
        subject = Subject(official_id=official.id)
        row = await house.register.register_device(requester, DeviceKind.TOKEN, f"softhsm-{code}", subject)
        trust = await pki.trust()
        for profile in (Profile.SIGN_IN, Profile.SIGNING):
            csr = await driver.generate(device, PIN, profile.value, name(common=official.name))
            request = await house.register.request(requester, profile, csr, subject, row)
            issued = await house.register.approve(approver, request)
            certificate = x509.load_der_x509_certificate(bytes(issued.der))
            await driver.write_certificate(device, PIN, certificate, (*trust.intermediates, *trust.roots))


@contextmanager
def processes(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """The server and the key agent, each a process of its own."""
    from oa_server.demo.run import agent_config

    save(settings, settings.data_dir / "settings.toml")
    config = tmp_path / "agent.toml"
    config.write_text(agent_config(settings) + f'[[modules]]\npath = "{SOFTHSM}"\n', "utf-8")
    environment = os.environ | {"OA_SETTINGS": str(settings.data_dir / "settings.toml")}
    started = [
        subprocess.Popen([sys.executable, "-m", "oa_server", "serve"], env=environment),
        subprocess.Popen([sys.executable, "-m", "oa_agent", "--config", str(config), "serve"]),
    ]
    try:
        servers._wait("the server", lambda: servers._answers(f"{settings.origin}/api/about"))
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@pytest.fixture
def softhsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-test")
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


class Desk:
    """One official before their screen."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin

    @classmethod
    async def open(cls, browser: Browser, settings: Settings, person: str) -> Desk:
        """Sign in by choosing the certificate with this name and entering the PIN in the agent's own window."""
        context = await browser.new_context(locale="zh-CN", viewport={"width": 1440, "height": 900})
        desk = cls(await context.new_page(), settings.origin)
        desk.page.set_default_timeout(20_000)
        await desk.page.goto(settings.origin)
        await desk.page.get_by_test_id("certificate-search").fill(person)
        await desk.page.get_by_test_id("certificate").first.click()
        await desk.with_pin(desk.page.get_by_test_id("sign-in").click())
        await expect(desk.page.get_by_test_id("account")).to_contain_text(person)
        return desk

    async def with_pin(self, click: Awaitable[None]) -> None:
        """Do what makes the agent ask, and enter the PIN there; the page itself has no field for it."""
        async with self.page.expect_popup() as opening:
            await click
        popup = await opening.value
        assert not popup.url.startswith(self.origin)
        assert await self.page.locator("input[type=password]").count() == 0
        await popup.get_by_label("PIN").fill(PIN)
        await popup.get_by_role("button", name="确定").click()

    async def open_task(self) -> None:
        await self.page.get_by_test_id("nav-tasks").click()
        await self.page.get_by_test_id("open-task").first.click()

    async def act_signed(self, verb: str, opinion: str) -> None:
        """A verb with a signed opinion, from the bar at the foot of the document."""
        await self.page.get_by_test_id(f"act-{verb}").click()
        await self.page.get_by_test_id("act-text").fill(opinion)
        await self.with_pin(self.page.get_by_test_id("act-confirm").click())

    async def confirm_signed(self, verb: str) -> None:
        """A final act, from its confirmation page."""
        await self.page.get_by_test_id(f"act-{verb}").click()
        await self.with_pin(self.page.get_by_test_id("confirm").click())

    async def state(self, words: str) -> None:
        await expect(self.page.get_by_test_id("state")).to_have_text(words)


@pytest.mark.usefixtures("softhsm")
async def test_main_job_by_clicking(settings: Settings, tmp_path: Path, chromium: Browser) -> None:
    """Draft, review, sign with a token, number, seal, send, sign for, and verify what arrived – by clicking."""
    await give_token(settings, "chen")
    with processes(settings, tmp_path):
        wang = await Desk.open(chromium, settings, "王建国")
        await draft_by_hand(wang)
        for person, verb, opinion in (("李红", "approve", "同意，请核稿。"), ("赵明", "approve", "已核。")):
            desk = await Desk.open(chromium, settings, person)
            await desk.open_task()
            await desk.act_signed(verb, opinion)
            await desk.page.get_by_test_id("opinion").filter(has_text=opinion).wait_for()

        chen = await Desk.open(chromium, settings, "陈志远")
        await chen.open_task()
        await chen.page.get_by_test_id("act-sign").click()
        await chen.page.get_by_test_id("act-text").fill("同意签发。")
        await chen.with_pin(chen.page.get_by_test_id("confirm").click())
        await chen.state("已签发")

        sun = await Desk.open(chromium, settings, "孙丽")
        await sun.open_task()
        await sun.page.get_by_test_id("act-number").click()
        await sun.page.get_by_test_id("act-confirm").click()
        await expect(sun.page.get_by_test_id("doc-no")).to_contain_text("江政办发〔2026〕1号")
        qian = await Desk.open(chromium, settings, "钱伟")
        await qian.open_task()
        await qian.confirm_signed("seal")
        await qian.state("已用印")

        zhou = await Desk.open(chromium, settings, "周敏")
        await zhou.page.get_by_test_id("nav-incoming").click()
        await zhou.page.get_by_test_id("state-empty").wait_for()
        await sun.open_task()
        await sun.confirm_signed("dispatch")
        await sun.state("已分发")
        # It arrives at the other organ without reloading.
        await expect(zhou.page.get_by_text("江政办发〔2026〕1号")).to_be_visible()
        await zhou.page.get_by_test_id("open-incoming").first.click()
        await zhou.page.get_by_test_id("act-sign_for").click()
        await zhou.with_pin(zhou.page.get_by_test_id("act-confirm").click())
        await zhou.state("已签收")

        await sun.page.get_by_test_id("open-receipts").click()
        await expect(sun.page.get_by_test_id("receipt-tile").filter(has_text="江城市财政局")).to_contain_text("已签收")

        sealed = tmp_path / "sealed.pdf"
        sealed.write_bytes(await download(zhou))
        await zhou.page.get_by_test_id("nav-verify").click()
        await zhou.page.locator("input[type=file]").set_input_files(sealed)
        await expect(zhou.page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "valid")
        sealed.write_bytes(sealed.read_bytes().replace(b"%PDF-1.7", b"%PDF-1.6", 1))
        await zhou.page.locator("input[type=file]").set_input_files(sealed)
        await expect(zhou.page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "invalid")


async def draft_by_hand(desk: Desk) -> None:
    page = desk.page
    await page.get_by_test_id("nav-outgoing").click()
    await page.get_by_test_id("new-draft").first.click()
    await page.get_by_test_id("element-title").fill(TITLE)
    await page.get_by_test_id("element-signer").click()
    await page.get_by_role("option", name="陈志远").click()
    await page.get_by_test_id("main-recipients-choose").click()
    await page.get_by_test_id("picker-search").fill("财政局")
    await page.get_by_role("checkbox", name="市财政局").check()
    await page.get_by_test_id("picker-done").click()
    await page.get_by_test_id("editor").click()
    await page.keyboard.type("为提高公文处理水平，定于近期开展培训，请准时参加。")
    await expect(page.get_by_test_id("draft-status")).to_have_attribute("data-status", "saved")
    await page.get_by_test_id("paper").first.wait_for()
    await page.get_by_test_id("act-submit").click()
    await page.get_by_test_id("act-confirm").click()
    await desk.state("审核")


async def download(desk: Desk) -> bytes:
    """What the official would save to disk."""
    identifier = desk.page.url.rsplit("/", 1)[1].partition("?")[0]
    response = await desk.page.context.request.get(f"{desk.origin}/api/incoming/{identifier}/pages.pdf")
    return bytes(await response.body())
