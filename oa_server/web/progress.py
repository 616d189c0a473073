"""Answers to what takes long: lines of JSON that tell how far it has come, and then its outcome.

The answer begins with the first line of progress. What is refused before that is refused as everywhere, with its status; what
fails afterwards stands in the last line, as the same problem. The work does not end with its listener: who closes the page in the
middle finds it done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import structlog
from starlette.responses import Response, StreamingResponse

from oa_server.core.errors import INTERNAL, OaError
from oa_server.web.endpoint import Binary, Call
from oa_server.web.errors import problem_of

LINES = Binary("application/x-ndjson")

log = structlog.get_logger("oa.progress")

Tell = Callable[[int, int], None]

_under_way: set[asyncio.Task[Any]] = set()  # The loop itself keeps no task alive.


async def as_lines(call: Call[Any], work: Callable[[Tell], Awaitable[Any]]) -> Response:
    """The answer that tells of `work` while it goes on: `{"done": …, "total": …}` in between, `{"outcome": …}` or
    `{"problem": …}` in the end. Raises what the work raises before it has told anything."""
    told: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()

    async def run() -> Any:
        try:
            return await work(lambda done, total: told.put_nowait((done, total)))
        finally:
            told.put_nowait(None)

    task = asyncio.create_task(run())
    _under_way.add(task)
    task.add_done_callback(_ended)
    first = await told.get()
    if first is None:
        outcome = await task
        return _streamed(_once(outcome))
    return _streamed(_lines(call.language, first, told, task))


def _ended(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, OaError):
        log.error("work.failed", exc_info=error)


async def _once(outcome: Any) -> AsyncIterator[bytes]:
    yield _line({"outcome": outcome})


async def _lines(
    language: str, first: tuple[int, int], told: asyncio.Queue[tuple[int, int] | None], task: asyncio.Task[Any]
) -> AsyncIterator[bytes]:
    step: tuple[int, int] | None = first
    while step is not None:
        yield _line({"done": step[0], "total": step[1]})
        step = await told.get()
    await asyncio.wait([task])
    error = task.exception()
    if error is None:
        yield _line({"outcome": task.result()})
    elif isinstance(error, OaError):
        yield _line({"problem": problem_of(error.reason, error.status, language, error.detail, error.facts)})
    else:
        yield _line({"problem": problem_of(INTERNAL, 500, language)})


def _line(value: Any) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _streamed(lines: AsyncIterator[bytes]) -> Response:
    # nginx would keep the lines back until they fill a buffer.
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return StreamingResponse(lines, headers=headers, media_type=LINES.media_type)
