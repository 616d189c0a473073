"""The two drivers: what carries out requests, waits and reads files, once blocking and once for asyncio."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import httpx

from oa_sdk.errors import ConnectionLost
from oa_sdk.files import Source
from oa_sdk.wire import OK_BELOW, Answer, Listing, Request, Steps

log = logging.getLogger("oa_sdk")

T = TypeVar("T")


class Blocking:
    """Carries out conversations in the caller's thread."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def run(self, steps: Steps[T]) -> T:
        """The result of a conversation."""
        try:
            request = next(steps)
            while True:
                try:
                    answer = self._send(request)
                except Exception as error:  # noqa: BLE001  the conversation decides
                    request = steps.throw(_ours(error))
                else:
                    request = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def each(self, listing: Listing[T]) -> Iterator[T]:
        """The items of all pages."""
        place: str | None = listing.start
        while place is not None:
            page = self.run(listing.page(place))
            yield from page.items
            place = page.next

    def _send(self, request: Request) -> Answer:
        time.sleep(request.after)
        content = request.source.pieces() if request.source else request.body
        with self.http.stream(**_options(request), content=content) as response:
            _log(request, response)
            if request.sink is None or response.status_code >= OK_BELOW:
                return Answer(response.status_code, response.headers, response.read())
            for piece in response.iter_bytes():
                request.sink.write(piece)
            return Answer(response.status_code, response.headers)


class Asyncio:
    """Carries out conversations in the running event loop; files are read and written beside it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def run(self, steps: Steps[T]) -> T:
        """The result of a conversation."""
        try:
            request = next(steps)
            while True:
                try:
                    answer = await self._send(request)
                except Exception as error:  # noqa: BLE001  the conversation decides
                    request = steps.throw(_ours(error))
                else:
                    request = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            steps.close()  # Whoever was cancelled closes its files now.

    async def each(self, listing: Listing[T]) -> AsyncIterator[T]:
        """The items of all pages."""
        place: str | None = listing.start
        while place is not None:
            page = await self.run(listing.page(place))
            for item in page.items:
                yield item
            place = page.next

    async def _send(self, request: Request) -> Answer:
        await asyncio.sleep(request.after)
        content = _beside(request.source) if request.source else request.body
        async with self.http.stream(**_options(request), content=content) as response:
            _log(request, response)
            if request.sink is None or response.status_code >= OK_BELOW:
                return Answer(response.status_code, response.headers, await response.aread())
            async for piece in response.aiter_bytes():
                await asyncio.to_thread(request.sink.write, piece)
            return Answer(response.status_code, response.headers)


async def _beside(source: Source) -> AsyncIterator[bytes]:
    pieces = source.pieces()
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _options(request: Request) -> dict[str, Any]:
    headers = dict(request.headers)
    if request.source is not None:
        headers["Content-Length"] = str(request.source.last - request.source.first)
    return {"method": request.method, "url": request.url, "headers": headers, "params": dict(request.query) or None}


def _log(request: Request, response: httpx.Response) -> None:
    log.debug("%s %s: %d", request.method, request.url, response.status_code)


def _ours(error: Exception) -> Exception:
    """What the network did, in our words; anything else is its own."""
    if isinstance(error, httpx.HTTPError):
        lost = ConnectionLost(f"与服务器的连接中断：{type(error).__name__}")
        lost.__cause__ = error
        return lost
    return error
