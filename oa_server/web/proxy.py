"""Behind a proxy: who really asks.

On a unix socket the peer has no address, and nobody but the proxy in front of us may open it (its folder is closed to
others). So there, and nowhere else, the proxy is believed. What it says itself stands last: whoever asks from outside can
write such a header too, but only before it.
"""

from __future__ import annotations

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

FORWARDED_FOR = "x-forwarded-for"


class ProxyMiddleware:
    """Puts the client's address, as the proxy names it, in the place of the peer's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            address = _named_last(Headers(scope=scope))
            scope["client"] = (address, 0) if address else None
        await self.app(scope, receive, send)


def _named_last(headers: Headers) -> str | None:
    """The last address in the header; None when there is none, or something else stands there."""
    lines = headers.getlist(FORWARDED_FOR)
    try:
        return str(ip_address(lines[-1].rpartition(",")[2].strip())) if lines else None
    except ValueError:
        return None
