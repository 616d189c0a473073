"""What runs beside the requests ends with the server."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from oa_server.app import _every
from oa_server.core.errors import INTERNAL, Unavailable
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
    assert told("oa_job_failures_total", {"job": "sometimes"}) == 2
    assert told("oa_job_done_timestamp_seconds", {"job": "sometimes"})
