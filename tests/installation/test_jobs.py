"""What runs beside the requests ends with the server."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from oa_server.app import _every
from oa_server.core.errors import INTERNAL, Unavailable
from oa_server.web import health
from oa_server.web.health import Rounds
from oa_server.web.metrics import Metrics


async def test_a_job_that_overhears_the_end() -> None:
    """A client that swallows the cancellation, as `asyncio.wait_for` may, does not keep the server from stopping."""
    begun = asyncio.Event()

    async def deaf() -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    running = asyncio.create_task(_every(Metrics(), 3600, "deaf", deaf))
    await begun.wait()
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=10)
    assert running in done


async def test_jobs_that_fail_are_counted() -> None:
    """A job that is postponed or breaks is counted, done again, and shows when it last came through."""
    metrics, failures = Metrics(), iter([Unavailable(INTERNAL), ValueError("broken")])
    done = asyncio.Event()

    async def job() -> None:
        if error := next(failures, None):
            raise error
        done.set()

    running = asyncio.create_task(_every(metrics, 0, "sometimes", job))
    await asyncio.wait_for(done.wait(), 10)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    told = metrics.registry.get_sample_value
    assert told("oa_job_failures_total", {"name": "sometimes"}) == 2
    assert told("oa_job_done_timestamp_seconds", {"name": "sometimes"})


async def test_a_job_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While every job comes round, also one that fails, the supervisor is told so; when one hangs, it is told no more."""
    monkeypatch.setattr(health, "JOB_SECONDS", 0.2)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.setblocking(False)
        rounds, released = Rounds(), asyncio.Event()

        async def fails() -> None:
            raise Unavailable(INTERNAL)

        failing, hanging = rounds.watched("fails", 0, fails), rounds.watched("hangs", 0, released.wait)
        await rounds.tell_supervisor()
        for _ in range(5):
            await asyncio.sleep(0.1)
            with pytest.raises(Unavailable):
                await failing()
        assert supervisor.recv(100) == b"WATCHDOG=1"
        with pytest.raises(Unavailable) as told:
            await rounds.tell_supervisor()
        assert (told.value.code, told.value.detail) == ("web.job_hangs", "hangs")
        with pytest.raises(BlockingIOError):
            supervisor.recv(100)
        released.set()
        await hanging()
        await rounds.tell_supervisor()
        assert supervisor.recv(100) == b"WATCHDOG=1"


def test_a_worker_where_servers_run_the_jobs(tmp_path: Path) -> None:
    """A worker does not start where the servers are set to run the jobs themselves, and says what to set."""
    left_out = {name: value for name, value in os.environ.items() if not name.startswith("OA_")}
    done = subprocess.run(
        [sys.executable, "-m", "oa_server", "worker"],
        env={**left_out, "OA_DATA_DIR": str(tmp_path), "OA_SETTINGS": os.devnull},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'jobs = "worker"' in done.stderr
    assert "Traceback" not in done.stderr
