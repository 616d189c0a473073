"""Who asks, when a proxy stands between: what it says last is believed, and only an address."""

from __future__ import annotations

from typing import Any

import pytest

from oa_server.web.proxy import ProxyMiddleware


async def seen(*lines: str, kind: str = "http") -> Any:
    """The client that the application sees when the proxy sends these header lines."""
    found: list[Any] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        found.append(scope.get("client"))

    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    scope = {"type": kind, "headers": headers, "client": None}
    await ProxyMiddleware(application)(scope, None, None)  # type: ignore[arg-type]
    return found[0]


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["10.1.2.3"], "10.1.2.3"),
        (["6.6.6.6, 10.1.2.3"], "10.1.2.3"),
        (["6.6.6.6", "10.1.2.3"], "10.1.2.3"),
        (["6.6.6.6", "7.7.7.7,10.1.2.3 "], "10.1.2.3"),
        (["2001:DB8::1"], "2001:db8::1"),
    ],
)
async def test_what_the_proxy_says_last(lines: list[str], address: str) -> None:
    """Whatever was written into the header before, its last address is the one that the proxy saw."""
    assert await seen(*lines) == (address, 0)
    assert await seen(*lines, kind="websocket") == (address, 0)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ["10.1.2.3,"],
        ["unix:"],
        ["localhost"],
        ["10.1.2.3; DROP TABLE"],
        ["6.6.6.6, \xd9\xa1.\xd9\xa2.3.4"],
    ],
)
async def test_what_is_no_address(lines: list[str]) -> None:
    """Something else there is nobody's address, and nothing before it is taken instead."""
    assert await seen(*lines) is None
