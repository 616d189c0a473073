"""Writes through the API, each under its key, beside a bare endpoint that keeps the same body and nothing else."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any
from uuid import uuid4

import httpx

from oa_server.settings import Settings
from tests import servers
from tests.bench.report import CONNECTIONS, SECONDS, at_desk, figure, process, serving, spread
from tests.city import BODY, City


async def drafts(settings: Settings, city: City, column: str) -> None:
    """Documents drafted over HTTP, eight at a time, each recorded, protected, and its answer kept under its key."""
    body = {"elements": city.elements(), "body": BODY}
    with serving(settings):
        browser = await at_desk(settings, city, "wang")
        ours = await _written(browser.http, "/api/documents", {"X-OA-CSRF": browser.csrf}, body)
    port = servers.free_port()
    environment = os.environ | {"OA_PEER_DATABASE": settings.database}
    command = [sys.executable, "-m", "uvicorn", "tests.bench.peers:writes", "--port", str(port), "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
    with process(command, f"http://127.0.0.1:{port}/writes", environment):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            bare = await _written(client, "/writes", {}, body)
    figure(
        "api_writes", column, per_second=len(ours) / SECONDS, **spread(ours), bare_per_second=len(bare) / SECONDS,
        ratio_to_bare=len(ours) / len(bare),
    )  # fmt: skip


async def _written(client: httpx.AsyncClient, path: str, headers: dict[str, str], body: Any) -> list[float]:
    """Milliseconds of each write that was answered while the load lasted."""
    until, found = time.perf_counter() + SECONDS, []

    async def lane() -> None:
        while (start := time.perf_counter()) < until:
            answer = await client.post(path, headers={**headers, "Idempotency-Key": uuid4().hex}, json=body)
            answer.raise_for_status()
            found.append((time.perf_counter() - start) * 1000)

    await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))
    return found
