"""What Prometheus reads, and who may read it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from oa_server.settings import Settings
from tests.city import City, told
from tests.sockets import live


def shown(settings: Settings) -> dict[str, str]:
    """What a monitor that can read the secret store sends along."""
    token = (settings.secrets_dir / "monitor-token").read_text()
    return {"Authorization": f"Bearer {token}"}


async def figures(city: City) -> dict[tuple[str, ...], float]:
    """The figures of this moment by name and labels."""
    answer = await city.browser("wang").get("/api/metrics", headers=shown(city.settings))
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic d3Jvbmc6d3Jvbmc=", "Bearer é"]
)
async def test_only_monitors_read_figures(city: City, header: str | None) -> None:
    """Without the token nobody reads them, be they signed in or not."""
    wang = await city.signed_in("wang")
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    assert told(await wang.get("/api/metrics", headers=headers)) == (401, "web.no_monitor")


async def test_requests_are_counted_by_endpoint(city: City) -> None:
    """Requests are counted and timed under the path of their endpoint; what strangers make up stays under one name."""
    wang = await city.signed_in("wang")
    before = await figures(city)
    for _ in range(3):
        assert (await wang.get(f"/api/documents/{uuid4()}")).status_code == 404
    for path in ("/api/made-up", f"/{uuid4()}.php"):
        await wang.http.request("BREW", path)
    after = await figures(city)
    path = "/api/documents/{id}"
    assert (
        after["oa_requests_total", "GET", path, "404"] - before.get(("oa_requests_total", "GET", path, "404"), 0) == 3
    )
    assert after["oa_request_seconds_count", path] - before.get(("oa_request_seconds_count", path), 0) == 3
    assert not [name for name in after if "BREW" in name or any(".php" in word or "made-up" in word for word in name)]


async def test_state_of_the_house(city: City) -> None:
    """It is told what the server stands on, how many pages listen, and when each job last came through."""
    found = await figures(city)
    assert (found["oa_ready", "database"], found["oa_ready", "object_store"]) == (1, 1)
    assert found["oa_live_connections",] == 0
    async with asyncio.timeout(10):
        while not (await figures(city)).get(("oa_job_done_timestamp_seconds", "audit.sequence")):
            await asyncio.sleep(0.02)
    async with live(city, await city.signed_in("wang")):
        async with asyncio.timeout(10):
            while (await figures(city))["oa_live_connections",] != 1:
                await asyncio.sleep(0.02)
