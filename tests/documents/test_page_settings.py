"""How an installation sets its pages, and what lies turned on them, as the server's own pages show it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.city import BODY, City
from tests.conftest import Founded, running
from tests.documents.layout.measured import MM, Page, read_pages
from tests.journey import Journey

LONG = {"type": "doc", "content": [{"type": "paragraph", "text": "各单位要高度重视，认真组织实施。" * 140}]}
PLAN: dict[str, Any] = {"type": "table", "rows": [["序号", "任务"], ["1", "改造"]], "header": True, "landscape": True}


def pitch_of(page: Page) -> float:
    """Points from line to line on a full page."""
    first, second = page.body[:2]
    return (second.top - first.top) * MM


async def shown(city: City, path: str) -> list[Page]:
    answer = await (await city.signed_in("wang")).get(f"{path}/pages.pdf")
    assert answer.status_code == 200, answer.text
    return read_pages(answer.content)


async def test_previews_and_review_pages_follow_the_settings(founded: Founded, tmp_path: Path) -> None:
    """Previews and review pages are set at the installation's line pitch, 版记 on the back of the last sheet."""
    settings = await asyncio.to_thread(founded.copy, tmp_path / "var")
    chosen = msgspec.structs.replace(settings, line_pitch=28.99, colophon_on_even_page=True)
    async with running(chosen) as city:
        draft = {"elements": city.elements(), "body": LONG}
        wang = await city.signed_in("wang")
        preview = await wang.send("POST", "/api/documents/preview", json=draft)
        made = (await wang.send("POST", "/api/documents", json=draft)).json()
        path = f"/api/documents/{made['id']}"
        assert (await wang.act(path, "submit")).status_code == 200
        for pages in (read_pages(preview.content), await shown(city, path)):
            assert pitch_of(pages[1]) == pytest.approx(28.99, abs=0.05)
            assert len(pages) % 2 == 0
            assert pages[-1].has("印发")


async def test_settings_changed_under_way(founded: Founded, tmp_path: Path) -> None:
    """A document that was signed before the settings changed is numbered and frozen as they are now; its text is the one
    that was signed."""
    settings = await asyncio.to_thread(founded.copy, tmp_path / "var")
    async with running(settings) as city:
        story = Journey(city)
        made = await (await story.desk("wang")).send(
            "POST", "/api/documents", json={"elements": city.elements(), "body": LONG}
        )
        story.path = f"/api/documents/{made.json()['id']}"
        for person, verb in (("wang", "submit"), ("li", "approve"), ("zhao", "approve"), ("chen", "sign")):
            assert (await story.does(person, verb)).status_code == 200
        review = await shown(city, story.path)
        assert pitch_of(review[1]) == pytest.approx(29.60, abs=0.05)
    async with running(msgspec.structs.replace(settings, line_pitch=28.99, colophon_on_even_page=True)) as city:
        numbered = await Journey(city, story.path).does("sun", "number")
        assert (numbered.status_code, numbered.json()["state"]) == (200, "frozen")
        frozen = await shown(city, story.path)
        assert pitch_of(frozen[1]) == pytest.approx(28.99, abs=0.05)
        assert frozen[-1].has("印发")
        assert len(frozen) % 2 == 0


async def test_turned_table_of_a_draft(city: City) -> None:
    """A table that the drafter has turned is kept so and lies turned on the pages; of one that is not, nothing is
    written."""
    wang = await city.signed_in("wang")
    upright = {key: value for key, value in PLAN.items() if key != "landscape"}
    body = {"type": "doc", "content": [*BODY["content"], PLAN, upright, {"type": "paragraph", "text": "特此通知。"}]}
    made = await wang.send("POST", "/api/documents", json={"elements": city.elements(), "body": body})
    assert made.status_code == 201, made.text
    path = f"/api/documents/{made.json()['id']}"
    assert (await wang.get(path)).json()["body"] == body
    assert (await wang.act(path, "submit")).status_code == 200
    pages = await shown(city, path)
    assert [page.turned_lines for page in pages if "改造" in "".join(page.turned_lines)] == [["序号任务", "1改造"]]
    assert sum(page.has("1改造") for page in pages) == 1
