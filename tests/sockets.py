"""A browser's live connection, spoken to the application itself (ASGI), without a network between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.city import Browser, City

PATIENCE = 10.0


@dataclass
class Socket:
    """What the application and the browser have to say to each other."""

    to_app: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    from_app: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    async def say(self, message: dict[str, Any]) -> None:
        await self.to_app.put({"type": "websocket.receive", "text": json.dumps(message)})

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.from_app.get()

    async def hears(self) -> dict[str, Any]:
        """The next message, whether it comes as text or as bytes."""
        message = await self._next()
        assert message["type"] == "websocket.send", message
        return dict(json.loads(message.get("text") or message["bytes"]))

    async def is_closed(self) -> int:
        """The code with which the server closes."""
        message = await self._next()
        assert message["type"] == "websocket.close", message
        return int(message["code"])


@asynccontextmanager
async def live(city: City, browser: Browser, **headers: str) -> AsyncIterator[Socket]:
    """An accepted connection to `/api/live` with this browser's cookies; from now on it hears its events."""
    async with connected(city, browser, "/api/live", **headers) as socket:
        await socket.say({"after": None})
        yield socket


@asynccontextmanager
async def connected(city: City, browser: Browser, path: str, **headers: str) -> AsyncIterator[Socket]:
    """An accepted connection with this browser's cookies."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies.jar)
    sent = {"host": "127.0.0.1:8080", "origin": browser.origin, "cookie": cookies, **headers}
    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "subprotocols": [],
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 40001), "server": ("127.0.0.1", 8080),
    }  # fmt: skip
    socket = Socket()
    await socket.to_app.put({"type": "websocket.connect"})
    serving = asyncio.create_task(city.app(scope, socket.to_app.get, socket.from_app.put))
    try:
        assert (await socket._next())["type"] == "websocket.accept"
        yield socket
    finally:
        await socket.to_app.put({"type": "websocket.disconnect", "code": 1001})
        await serving
