"""What monitors and balancers are told: alive, ready, or what is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from oa_server.core.errors import Reason, Unavailable
from oa_server.settings import Settings
from oa_server.web import health
from tests import servers
from tests.city import City
from tests.conftest import running


def ready_in(answer: dict) -> dict[str, bool]:
    return {check["name"]: check["ready"] for check in answer["checks"]}


async def test_ready(city: City) -> None:
    """Without signing in, a monitor learns that the server lives and that all it stands on answers."""
    anybody = city.browser("wang")
    assert (await anybody.get("/api/health")).json()["version"]
    answer = await anybody.get("/api/ready")
    assert (answer.status_code, ready_in(answer.json())) == (200, {"database": True, "object_store": True})


async def test_object_store_away(settings: Settings, tmp_path: Path) -> None:
    """A server whose object store is away lives but is not ready, says what is away, and takes no password along."""
    nobody = f"s3://key:hidden@127.0.0.1:{servers.free_port()}/attachments?secure=0"
    lost = tmp_path / "no-folder"
    lost.write_text("a file where the folder was")
    for url in (nobody, f"file://{lost}"):
        async with running(msgspec.structs.replace(settings, object_store_url=url)) as city:
            anybody = city.browser("wang")
            assert (await anybody.get("/api/health")).status_code == 200
            answer = await anybody.get("/api/ready")
            told = answer.json()
            assert (answer.status_code, told["code"], told["detail"]) == (503, "web.not_ready", "object_store")
            assert ready_in(told["facts"]) == {"database": True, "object_store": False}
            assert "hidden" not in answer.text


async def test_many_askers_cost_what_one_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask at once, each thing is probed once; later it is probed anew, and a probe that hangs is given up."""
    asked: list[str] = []

    async def away() -> None:
        asked.append("away")
        raise Unavailable(Reason("tests.away", "不可用", "Away."))

    async def hangs() -> None:
        asked.append("hangs")
        await asyncio.Event().wait()

    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.2)
    probes = health.Probes({"one": away, "other": hangs})
    told = await asyncio.gather(*(probes.checks() for _ in range(20)))
    assert sorted(asked) == ["away", "hangs"]
    assert {tuple((c.name, c.ready, c.code) for c in checks) for checks in told} == {
        (("one", False, "tests.away"), ("other", False, health.NO_ANSWER))
    }
    await asyncio.sleep(0.3)
    await probes.checks()
    assert sorted(asked) == ["away", "away", "hangs", "hangs"]
