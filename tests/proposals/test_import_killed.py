"""The server killed in the middle of an import leaves all of it or nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from oa_server.app import open_house
from tests.city import Browser
from tests.conftest import Founded
from tests.faults.house import DistantCity, at_free_port, distant, faults, until_answered
from tests.proposals.assembly import Sittings
from tests.proposals.generate import archive, cases

ROWS = 300
MOMENTS = ("first", "middle", "last")


@pytest.fixture
async def city(sittings: Sittings, founded: Founded, tmp_path: Path) -> AsyncIterator[DistantCity]:
    settings = await asyncio.to_thread((await sittings.reached(founded)).copy, tmp_path / "var")
    async with distant(at_free_port(settings)) as found:
        yield found
    await asyncio.to_thread(founded.drop, settings)


async def lines(browser: Browser, path: str, data: bytes) -> AsyncIterator[dict[str, int]]:
    """What the server tells of an import while it goes on."""
    headers = {"X-OA-CSRF": browser.csrf, "Content-Type": "application/octet-stream"}
    async with browser.http.stream("POST", path, content=data, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            yield json.loads(line)


def strikes(moment: str, line: dict[str, int]) -> bool:
    share = line["done"] / line["total"]
    return {"first": True, "middle": share > 0.5, "last": share == 1}[moment]


@pytest.mark.timeout(300)
async def test_killed_in_the_middle(city: DistantCity) -> None:
    """Killed after the first rows, half-way and with all rows written but not committed, the server comes back with none of them,
    or with every one; then the same file goes in, once, and everything verifies."""
    data = archive(cases(21, ROWS, organs=["市财政局", "市教育局", "市交通局"]))
    desk = await city.signed_in("lin")
    sitting = (await desk.get("/api/sittings")).json()["items"][0]["id"]
    path, name = f"/api/sittings/{sitting}/imports", quote("建议.zip")

    async def shown() -> dict[str, object]:
        headers = {"Content-Type": "application/octet-stream"}
        answer = await desk.send("POST", f"{path}/difference?name={name}", content=data, headers=headers, timeout=60)
        return dict(answer.raise_for_status().json())

    for moment in MOMENTS:
        report = await shown()
        with suppress(httpx.TransportError):
            async for line in lines(desk, f"{path}?name={name}&shown={report['digest']}", data):
                if "done" in line and strikes(moment, line):
                    city.server.kill()
                    break
        await asyncio.to_thread(city.server.start)
        await until_answered(desk, "/api/sittings")
        counts = (await shown())["counts"]
        assert counts in ({**counts, "new": ROWS}, {**counts, "unchanged": ROWS}), (moment, counts)
    report = await shown()
    if report["counts"]["new"]:
        found = [line async for line in lines(desk, f"{path}?name={name}&shown={report['digest']}", data)]
        assert found[-1]["outcome"]["added"] == ROWS
    assert (await shown())["counts"]["unchanged"] == ROWS
    city.server.stop()
    async with open_house(city.settings) as house:
        assert await faults(house) == []
