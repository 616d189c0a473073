"""An official before their screen: real Chromium, a real server process, the real key agent, keys in files or in a token."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, JSHandle, Locator, Page, async_playwright, expect

from oa_server.demo.run import agent_config
from oa_server.settings import Settings
from tests import servers
from tests.city import PIN
from tests.conftest import Founded, embedded

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
AXE = Path(__file__).parent.parent / "clients" / "web" / "node_modules" / "axe-core" / "axe.min.js"
ACCESSIBLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
PATIENCE = 30_000

_DROPPED = """({name, type, data}) => {
  const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0))
  const transfer = new DataTransfer()
  transfer.items.add(new File([bytes], name, {type}))
  return transfer
}"""
# What fades in or out has not its own colours, and a message may begin to leave while the page is judged.
_STILL = """() => {
  const still = new CSSStyleSheet()
  still.replaceSync('*, ::before, ::after { transition: none !important; }')
  document.adoptedStyleSheets = [still]
}"""
_AT_REST = """() => Promise.allSettled(document.getAnimations()
  .filter((one) => one.effect.getComputedTiming().iterations !== Infinity).map((one) => one.finished))"""
_VIOLATIONS = """(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}}).then(({violations}) =>
  violations.flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`)))"""


def office(found: Founded, folder: Path, **more: Any) -> Settings:
    """A copy of the founded city, on a free port."""
    port = servers.free_port()
    data = found.copy(folder).data_dir
    return embedded(data, port=port, origin=f"http://127.0.0.1:{port}", agent_port=port + 40, **more)


@contextmanager
def processes(settings: Settings) -> Iterator[servers.OaServer]:
    """The server and the key agent, each a process of its own."""
    config = settings.data_dir / "agent.toml"
    # By its page, wherever the tests run: nobody could type into a window.
    config.write_text(f'{agent_config(settings)}pin_entry = "page"\n[[modules]]\npath = "{SOFTHSM}"\n', "utf-8")
    with servers.OaServer(settings) as server, agent_process(config):
        yield server


@contextmanager
def agent_process(config: Path) -> Iterator[None]:
    """The key agent alone."""
    agent = subprocess.Popen([sys.executable, "-m", "oa_agent", "--config", str(config), "serve"], env=os.environ)
    try:
        yield
    finally:
        agent.terminate()
        agent.wait(20)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One browser for everybody; each desk has a profile of its own in it."""
    expect.set_options(timeout=PATIENCE)
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
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    @classmethod
    async def at(cls, browser: Browser, settings: Settings) -> Desk:
        """A screen that shows the sign-in page."""
        context = await browser.new_context(locale="zh-CN", viewport={"width": 1440, "height": 900})
        desk = cls(await context.new_page(), settings.origin)
        await desk.page.goto(settings.origin)
        return desk

    @classmethod
    async def open(cls, browser: Browser, settings: Settings, person: str) -> Desk:
        """Sign in by choosing the certificate with this name and entering the PIN in the agent's own window."""
        desk = await cls.at(browser, settings)
        await desk.one("certificate-search").fill(person)
        await desk.one("certificate").first.click()
        await desk.with_pin(desk.one("sign-in").click())
        await expect(desk.one("account")).to_contain_text(person)
        return desk

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def one(self, test: str) -> Locator:
        """The part of the page with this mark for tests."""
        return self.page.get_by_test_id(test)

    async def pin_page(self, click: Awaitable[None]) -> Page:
        """Do what makes the agent ask; the page itself has no field for the PIN."""
        async with self.page.expect_popup() as opening:
            await click
        popup = await opening.value
        assert not popup.url.startswith(self.origin)
        assert await self.page.locator("input[type=password]").count() == 0
        return popup

    async def with_pin(self, click: Awaitable[None]) -> None:
        """Do what makes the agent ask, and enter the PIN there."""
        popup = await self.pin_page(click)
        await popup.get_by_label("PIN").fill(PIN)
        await popup.get_by_role("button", name="确定").click()

    async def open_task(self, title: str = "") -> None:
        """Open the task with this title from the to-do list, or the first one."""
        await self.one("nav-tasks").click()
        await self.one("open-task").filter(has_text=title).first.click()

    async def act(self, verb: str, text: str = "", **choices: str) -> None:
        """A verb without a signature, from the bar at the foot of the document."""
        await self._fill(verb, text, choices)
        await self.one("act-confirm").click()

    async def act_signed(self, verb: str, text: str = "", **choices: str) -> None:
        """A verb with a signed opinion."""
        await self._fill(verb, text, choices)
        await self.with_pin(self.one("act-confirm").click())

    async def _fill(self, verb: str, text: str, choices: dict[str, str]) -> None:
        await self.one(f"act-{verb}").click()
        for name, option in choices.items():
            await self.one(f"act-{name}").click()
            await self.page.get_by_role("option", name=option).click()
        if text:
            await self.one("act-text").fill(text)

    async def confirm_signed(self, verb: str, text: str = "") -> None:
        """A final act, from its confirmation page."""
        await self.one(f"act-{verb}").click()
        if text:
            await self.one("act-text").fill(text)
        await self.with_pin(self.one("confirm").click())

    async def state(self, words: str) -> None:
        """The document has come to this state."""
        await expect(self.one("state")).to_have_text(words)

    async def drop(self, place: str, name: str, data: bytes, media_type: str = "") -> None:
        """Drag a file over a place and let it go."""
        dropped = {"name": name, "type": media_type, "data": base64.b64encode(data).decode()}
        transfer: JSHandle = await self.page.evaluate_handle(_DROPPED, dropped)
        for event in ("dragenter", "dragover", "drop"):
            await self.one(place).dispatch_event(event, {"dataTransfer": transfer})

    async def accessible(self) -> None:
        """The page breaks none of the rules of WCAG 2.1 A and AA that a program can judge."""
        await self.page.evaluate(_STILL)
        await self.page.evaluate(_AT_REST)
        await self.page.evaluate(AXE.read_text("utf-8"))
        violations = await self.page.evaluate(_VIOLATIONS, ACCESSIBLE)
        await self.page.evaluate("() => { document.adoptedStyleSheets = [] }")
        assert not violations, "\n".join(violations)
