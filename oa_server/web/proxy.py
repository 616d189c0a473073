"""Behind a proxy: who really asks.

On a unix socket the peer has no address, and nobody but the proxy in front of us may open it (its folder is closed to
others). So there, and nowhere else, the proxy is believed. What it says itself stands last: whoever asks from outside can
write such a header too, but only before it.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from oa_server.web.guard import CLIENT_CERTIFICATE

FORWARDED_FOR = "x-forwarded-for"
VERIFIED, CERTIFICATE = "x-ssl-client-verify", "x-ssl-client-cert"
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class ProxyMiddleware:
    """Puts the client's address, as the proxy names it, in the place of the peer's, and beside it the certificate that the
    connection was made with."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            headers = Headers(scope=scope)
            address = _named_last(headers)
            scope["client"] = (address, 0) if address else None
            scope[CLIENT_CERTIFICATE] = _shown(headers)
        await self.app(scope, receive, send)


def _named_last(headers: Headers) -> str | None:
    """The last address in the header; None when there is none, or something else stands there."""
    lines = headers.getlist(FORWARDED_FOR)
    try:
        return str(ip_address(lines[-1].rpartition(",")[2].strip())) if lines else None
    except ValueError:
        return None


def _shown(headers: Headers) -> str | None:
    """The SHA-256 of the client's certificate, which the proxy has verified; None when there was none, or it was not good.

    The proxy writes both headers itself, whatever came from outside; two of one kind would be a proxy that adds to them.
    """
    if headers.getlist(VERIFIED) != ["SUCCESS"] or len(headers.getlist(CERTIFICATE)) != 1:
        return None
    text = unquote(headers[CERTIFICATE]).strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        return None
    try:
        body = "".join(text.removeprefix(_BEGIN).removesuffix(_END).split())
        return sha256(base64.b64decode(body, validate=True)).hexdigest()
    except binascii.Error:
        return None
