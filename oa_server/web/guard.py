"""The one guard at the gate: host, origin, session and cross-site token of every request, and the headers of every answer."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oa_server.core.actor import Actor
from oa_server.core.errors import Denied, NotSignedIn, Reason
from oa_server.core.ports import Visit, ports
from oa_server.web.errors import language_of, problem_response

NO_SESSION = Reason("web.no_session", "您尚未登录或登录已结束，请插入证书重新登录", "You are not signed in.")
NO_MONITOR = Reason("web.no_monitor", "监控程序未出示正确的令牌", "A monitor's token is missing or wrong.")
NO_TOKEN = Reason(
    "web.no_token", "请求未带访问令牌，请先向 /api/v1/token 取得", "Show an access token, which /api/v1/token gives."
)
NO_SCOPE = Reason("web.no_scope", "访问令牌没有此项权限", "The access token is not for this scope.")
WRONG_HOST = Reason("web.wrong_host", "请求的主机名不是本系统的地址", "The host name is not ours.")
WRONG_ORIGIN = Reason("web.wrong_origin", "请求来自其他网站，已拒绝", "The request came from another site.")
WRONG_CSRF = Reason("web.wrong_csrf", "页面已过期，请刷新后重试", "The page is out of date; reload it.")

# Where the proxy in front of us leaves the SHA-256 of the certificate that a connection was made with (RFC 8705).
CLIENT_CERTIFICATE = "oa.client_certificate"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Styles of the component library are written into the page at run time, hence 'unsafe-inline' for styles alone.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' {agent}; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin-allow-popups",  # The agent's PIN page is a popup.
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return Headers(headers).raw


def cookie_name(name: str, *, secure: bool) -> str:
    """A cookie's full name: `__Host-` binds it to this host over TLS; browsers refuse that prefix over plain loopback http."""
    return f"__Host-{name}" if secure else name


def session_cookie(*, secure: bool) -> str:
    """The name of the cookie that holds the session's token."""
    return cookie_name("oa-session", secure=secure)


def csrf_token(session_token: str) -> str:
    """The cross-site token of a session: derived, so nothing is stored and nothing of the session leaks."""
    return hmac.new(session_token.encode(), b"oa-csrf-v1", sha256).hexdigest()


class GuardMiddleware:
    """Refuses foreign hosts, and sets the security headers on every answer."""

    def __init__(self, app: ASGIApp, *, origin: str, agent_port: int) -> None:
        self.app = app
        self.host = urlsplit(origin).netloc
        self.secure = origin.startswith("https://")
        policy = CONTENT_SECURITY_POLICY.format(agent=f"ws://127.0.0.1:{agent_port}")
        self.unless_given = _raw({"Content-Security-Policy": policy, "Cache-Control": "no-store"})
        self.always = _raw(ALWAYS | (OVER_TLS if self.secure else {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        scope["oa.secure"] = self.secure
        scope["oa.origin"] = f"{'https' if self.secure else 'http'}://{self.host}"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._set_headers(message)
            await send(message)

        headers = Headers(scope=scope)
        if scope["type"] == "http" and headers.get("host") != self.host:
            refusal = problem_response(WRONG_HOST, status=421, language=language_of(headers))
            await refusal(scope, receive, with_headers)
            return
        await self.app(scope, receive, with_headers)

    def _set_headers(self, message: Message) -> None:
        headers = message["headers"] = [*message.get("headers", ()), *self.always]
        given = {name for name, _value in headers}
        headers += [(name, value) for name, value in self.unless_given if name not in given]


def check_origin(connection: HTTPConnection) -> None:
    """A browser names the page's origin on every unsafe request and on every WebSocket; only ours may."""
    origin = connection.headers.get("origin")
    if origin is not None and origin != connection.scope["oa.origin"]:
        raise Denied(WRONG_ORIGIN)


def check_csrf(connection: HTTPConnection, token: str) -> None:
    """The page must show that it could read our answers: a foreign page cannot."""
    shown = connection.headers.get("x-oa-csrf", "")
    if not hmac.compare_digest(shown.encode(), csrf_token(token).encode()):
        raise Denied(WRONG_CSRF)


def check_monitor(connection: HTTPConnection) -> None:
    """A monitor shows the token that lies in the secret store (RFC 6750, 2.1). Raises NotSignedIn."""
    scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(shown.encode(), connection.app.state.monitor_token):
        raise NotSignedIn(NO_MONITOR)


def bearer_token(connection: HTTPConnection) -> str:
    """The access token of a department's system (RFC 6750, 2.1). Raises NotSignedIn."""
    scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not shown:
        raise NotSignedIn(NO_TOKEN)
    return shown.strip()


async def visit_of(connection: HTTPConnection, scope: str) -> Visit:
    """Which department's system is asking. Raises NotSignedIn; Denied when its token is not for `scope`."""
    assert ports.clients is not None, "app.py plugs the lookup of systems in"
    address = connection.client.host if connection.client else None
    shown = connection.scope.get(CLIENT_CERTIFICATE)
    visit = await ports.clients.find(bearer_token(connection), shown, address)
    if scope not in visit.scopes:
        raise Denied(NO_SCOPE, scope=scope)
    return visit


def session_token(connection: HTTPConnection) -> str:
    """The session token the browser sent. Raises NotSignedIn."""
    token = connection.cookies.get(session_cookie(secure=connection.scope["oa.secure"]))
    if not token:
        raise NotSignedIn(NO_SESSION)
    return token


async def actor_of(connection: HTTPConnection, *, quietly: bool = False) -> Actor:
    """Who is asking, or who is there at all when asked `quietly`, which keeps no session from going idle.

    Raises NotSignedIn, or Denied when an unsafe request lacks its cross-site token.
    """
    assert ports.sessions is not None, "app.py plugs the session lookup in"
    token = session_token(connection)
    address = connection.client.host if connection.client else None
    actor = await ports.sessions.find(token, address, quietly=quietly)
    if connection.scope["type"] == "http" and connection.scope["method"] not in SAFE_METHODS:
        check_origin(connection)
        check_csrf(connection, token)
    return actor
