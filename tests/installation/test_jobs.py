"""What runs beside the requests ends with the server."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from oa_server.app import _every


async def test_a_job_that_overhears_the_end() -> None:
    """A client that swallows the cancellation, as `asyncio.wait_for` may, does not keep the server from stopping."""
    begun = asyncio.Event()

    async def deaf() -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    running = asyncio.create_task(_every(3600, "deaf", deaf))
    await begun.wait()
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=10)
    assert running in done
