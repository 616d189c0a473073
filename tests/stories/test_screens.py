"""The same pages in English and on a phone: nothing of the frame stays Chinese, and nothing runs over the edge; and what
stands on every page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import expect

from oa_server.settings import Settings
from tests.conftest import Founded
from tests.desk import Desk, chromium, office, processes
from tests.journey import Stages

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]

ROUTER = Path(__file__).parents[2] / "clients" / "web" / "src" / "router.ts"
DONE = "tasks?tab=done"
PHONE = {"width": 390, "height": 844}
# What stands on the page or is read out, but for the button that names the other language in that language.
SPOKEN = """() => [...document.querySelectorAll('title, body *')].filter((one) =>
  !one.closest('script, style, [data-test=toggle-language]')).flatMap((one) => [
  ...[...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data),
  ...['aria-label', 'title', 'placeholder', 'alt'].map((name) => one.getAttribute(name) ?? '')]).join('\\n')"""
# The page scrolls inside its frame, and a record inside the page, so all are measured; what sticks out is named.
STICKING_OUT = """() => [document.documentElement, ...document.querySelectorAll('#main, .record-body')]
  .filter((one) => one.scrollWidth > one.clientWidth)
  .flatMap((one) => [one, ...one.querySelectorAll('*')])
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => `${one.tagName}.${one.className}`)"""


@dataclass(frozen=True)
class Seat:
    """A clerk's desk, and the document that the clerk has sent to other organs."""

    desk: Desk
    document: str
    settings: Settings

    async def other(self, person: str) -> Desk:
        """Somebody else's desk."""
        browser = self.desk.context.browser
        assert browser is not None
        return await Desk.open(browser, self.settings, person)


@pytest.fixture
async def seat(founded_embedded: Founded, stages: Stages, tmp_path: Path) -> AsyncIterator[Seat]:
    """The clerk, signed in at a demonstration."""
    reached, path = await stages.reached(founded_embedded, "sent")
    settings = office(reached, tmp_path / "var", demo=True)
    with processes(settings):
        async with chromium() as browser:
            desk = await Desk.open(browser, settings, "孙丽")
            yield Seat(desk, path.rpartition("/")[2], settings)
            assert desk.faults == []


async def known(desk: Desk, *paths: str) -> str:
    """What the server has said under these paths."""
    return "".join([await (await desk.context.request.get(f"{desk.origin}{path}")).text() for path in paths])


async def test_in_english(seat: Seat) -> None:
    """A demonstration says so; in English what is left in Chinese are names and titles that the server holds."""
    desk = seat.desk
    await expect(desk.one("demo-banner")).to_contain_text("演示数据")
    await desk.one("account").click()
    await desk.one("toggle-language").click()
    await expect(desk.one("nav-tasks")).to_contain_text("To do")
    await expect(desk.one("demo-banner")).not_to_contain_text("演示")
    await desk.page.goto(f"{desk.origin}/{DONE}")
    await desk.one("open-task").first.wait_for()
    # Steps of the standard routes have words of ours, so the server's are none of the data.
    data = re.sub(r'"step_title":"[^"]*"', "", await known(desk, "/api/session", "/api/about", f"/api/{DONE}"))
    spoken = await desk.page.evaluate(SPOKEN)
    assert "孙丽" in spoken
    assert "Number" in spoken
    assert [words for words in re.findall(r"[\u3400-\u9fff]+", spoken) if words not in data] == []


async def first_of(desk: Desk, register: str, name: str) -> str:
    """The address of the first row of a list of the certificate register."""
    answer = await desk.context.request.get(f"{desk.origin}/api/pki/{register}")
    return f"/admin/{register}/{(await answer.json())['items'][0][name]}"


async def records(desk: Desk) -> list[str]:
    """The addresses of the pages that show one record of the register."""
    names = (("devices", "id"), ("requests", "id"), ("certificates", "serial"))
    return [await first_of(desk, register, name) for register, name in names]


LISTS = ("/admin/overview", "/admin/devices", "/admin/requests", "/admin/certificates", "/admin/requests/new")

# Lists of administrators beside the register, by what they read.
WATCHED = {
    "/seals": "/api/seals",
    "/admin/systems": "/api/clients",
    "/admin/sessions": "/api/sessions",
    "/sittings": "/api/sittings",
}
NOTHING = "00000000-0000-7000-8000-000000000000"


async def test_administration_in_english(seat: Seat) -> None:
    """In English what is left in Chinese on an administrator's pages are names that the server holds."""
    desk = await seat.other("何平")
    await desk.one("account").click()
    await desk.one("toggle-language").click()
    await expect(desk.one("nav-overview")).to_contain_text("Overview")
    for path in (*LISTS, *WATCHED, *await records(desk)):
        api = "/api/organs" if path.endswith("/new") else WATCHED.get(path) or path.replace("/admin/", "/api/pki/")
        data = await known(desk, "/api/session", "/api/about", "/api/pki/overview", api)
        await desk.page.goto(f"{desk.origin}{path}")
        await desk.page.wait_for_load_state("networkidle")
        spoken = await desk.page.evaluate(SPOKEN)
        assert "何平" in spoken
        assert [words for words in re.findall(r"[\u3400-\u9fff]+", spoken) if words not in data] == [], path
    assert desk.faults == []


async def test_administration_on_a_phone(seat: Seat) -> None:
    """On a phone no page of an administrator is wider than the screen."""
    desk = await seat.other("何平")
    await desk.page.set_viewport_size(PHONE)
    for path in (*LISTS, *WATCHED, *await records(desk)):
        await desk.page.goto(f"{desk.origin}{path}")
        await desk.page.wait_for_load_state("networkidle")
        await expect(desk.page.locator("main h1")).to_be_visible()
        assert await desk.page.evaluate(STICKING_OUT) == [], path
    assert desk.faults == []


async def test_on_a_phone(seat: Seat) -> None:
    """On a phone no page is wider than the screen: tasks, a document, its receipts, verifying."""
    desk = seat.desk
    await desk.page.set_viewport_size(PHONE)
    for path, mark in (
        (DONE, "open-task"),
        (f"outgoing/{seat.document}", "state"),
        (f"outgoing/{seat.document}/receipts", "receipt-tile"),
        ("verify", "verify-drop"),
        ("messages", "talk"),
        ("proposals", "state-empty"),
        ("proposals/figures", "state-empty"),
        ("proposals/board", "leave-wall"),
        ("published", "state-empty"),
        ("assignments", "state-empty"),
    ):
        await desk.page.goto(f"{desk.origin}/{path}")
        await desk.one(mark).first.wait_for()
        assert await desk.page.evaluate(STICKING_OUT) == [], path


async def test_what_stands_on_every_page(seat: Seat) -> None:
    """Every page there is says 演示数据 and names the stand-in fonts at its head, from the sign-in page to one not found."""
    browser = seat.desk.context.browser
    assert browser is not None
    zhou, admin = await seat.other("周敏"), await seat.other("何平")
    device, request, certificate = await records(admin)
    auditor = await seat.other("施正")
    entry = (await (await auditor.context.request.get(f"{zhou.origin}/api/audit/records")).json())["items"][0]["id"]
    seal = (await (await admin.context.request.get(f"{zhou.origin}/api/seals")).json())["items"][0]["id"]
    arrived = (await (await zhou.context.request.get(f"{zhou.origin}/api/incoming")).json())["items"][0]["id"]
    sun, document = seat.desk, f"/outgoing/{seat.document}"
    visits = {
        "/sign-in": (await Desk.at(browser, seat.settings), "/sign-in"),
        "/enrol": (await Desk.at(browser, seat.settings), "/enrol"),
        "/": (sun, "/"),
        "/tasks": (sun, "/tasks"),
        "/outgoing": (sun, "/outgoing"),
        "/outgoing/:id/edit": (sun, "/outgoing/new/edit"),
        "/outgoing/:id": (sun, document),
        "/outgoing/:id/confirm/:verb(sign|seal|dispatch)": (sun, f"{document}/confirm/dispatch"),
        "/outgoing/:id/receipts": (sun, f"{document}/receipts"),
        "/incoming": (zhou, "/incoming"),
        "/incoming/:id": (zhou, f"/incoming/{arrived}"),
        **{path: (admin, path) for path in (*LISTS, *WATCHED)},
        "/admin/rolls": (admin, "/admin/rolls"),
        "/admin/settings": (admin, "/admin/settings"),
        "/admin/settings/import": (admin, "/admin/settings/import"),
        "/admin/roles": (admin, "/admin/roles"),
        "/admin/import": (admin, "/admin/import"),
        "/duties": (admin, "/duties"),
        "/admin/audit": (auditor, "/admin/audit"),
        "/admin/audit/:id": (auditor, f"/admin/audit/{entry}"),
        "/admin/systems/:id": (admin, f"/admin/systems/{NOTHING}"),
        "/seals/:id": (admin, f"/seals/{seal}"),
        "/certificates/:id/uses": (auditor, f"/certificates/{certificate.rpartition('/')[2]}/uses"),
        "/admin/devices/:id": (admin, device),
        "/admin/requests/:id": (admin, request),
        "/admin/certificates/:id": (admin, certificate),
        "/judge": (await Desk.at(browser, seat.settings), "/judge"),
        "/proposals": (sun, "/proposals"),
        "/proposals/new": (sun, "/proposals/new"),
        "/proposals/dispatch": (sun, "/proposals/dispatch"),
        "/proposals/figures": (sun, "/proposals/figures"),
        "/proposals/board": (sun, "/proposals/board"),
        "/proposals/:id": (sun, f"/proposals/{NOTHING}"),
        "/proposals/:id/edit": (sun, f"/proposals/{NOTHING}/edit"),
        "/published": (sun, "/published"),
        "/published/:id": (sun, f"/published/{NOTHING}"),
        "/assignments": (sun, "/assignments"),
        "/sittings/:id": (admin, f"/sittings/{NOTHING}"),
        "/sittings/:id/import": (admin, f"/sittings/{NOTHING}/import"),
        "/organs/:id?": (sun, "/organs"),
        "/calendar": (sun, "/calendar"),
        "/messages/:id?": (sun, "/messages"),
        "/verify": (sun, "/verify"),
        "/:rest(.*)*": (sun, "/nowhere"),
    }
    assert set(visits) == set(re.findall(r"path: '([^']+)'", ROUTER.read_text("utf-8")))
    for desk, path in visits.values():
        await desk.page.goto(f"{desk.origin}{path}")
        await desk.page.wait_for_load_state("networkidle")
        for banner, words in (("demo-banner", "演示数据"), ("fonts-banner", "小标宋")):
            await expect(desk.one(banner)).to_contain_text(words)
            await expect(desk.one(banner)).to_be_in_viewport(ratio=1)
        assert path == "/" or desk.page.url.removeprefix(desk.origin) == path
        assert desk.faults == []
