"""The PIN page: the agent's own origin on its own port, opened by the web client as a popup.

Its url is unguessable and good once. The web client knows the url but can neither read the page (another origin, no CORS,
no framing) nor answer in the person's stead (the form carries a second secret, and a post must come from our own origin).
The answer to a post waits for what becomes of the PIN: entered again, done, or locked.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs

from oa_agent.errors import PIN_CANCELLED, PIN_TIMEOUT, Refused
from oa_agent.origins import LOOPBACK, check_host, check_peer
from oa_agent.pin import NOT_REPEATED, PIN_LIMIT, Dialogue, Prompt, Push
from oa_agent.protocol import PinNeeded

HEAD_LIMIT = 16 * 1024
BODY_LIMIT = 1024
READ_SECONDS = 10

_STYLE = (
    "body{font:16px/1.6 system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif;max-width:34rem;margin:1.5rem auto;"
    "padding:0 1rem;color:#1b1b1b;background:#fff}h1{font-size:1.25rem;margin:0 0 .5rem}ul{padding-left:1.25rem}"
    "li{white-space:pre-wrap;overflow-wrap:anywhere}section{border:1px solid #767676;border-radius:4px;padding:.5rem 1rem;"
    "margin:.75rem 0}h2{font-size:1rem;margin:0}input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}"
    "label{display:block;margin:.75rem 0}button{font:inherit;padding:.4rem 1.5rem;margin-right:.5rem}"
    "[role=alert]{color:#b00020;font-weight:600}"
)
_CLOSE = "window.close()"
_REQUEST_LINE = re.compile(r"(GET|POST) (/[!-~]{0,200}) HTTP/1\.1")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(|[!-~](?:[\t -~]*[!-~])?)[ \t]*")

_log = logging.getLogger(__name__)


def _source(text: str) -> str:
    """The one inline style or script that the policy lets through, by its hash."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_source(_STYLE)}; script-src {_source(_CLOSE)}; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: under it browsers send `Origin: null` with our own form, and we insist on our origin.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was read; header names are in lower case and occur once."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A page, or the way to one."""

    status: HTTPStatus
    page: str = ""
    location: str | None = None

    def encode(self) -> bytes:
        body = self.page.encode()
        headers = _HEADERS | {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))}
        if self.location is not None:
            headers["Location"] = self.location
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


class _NoRequest(Exception):
    """What came is no request that we answer."""


@dataclass(frozen=True, slots=True)
class _Entered:
    """What was posted; `reply` is what the browser waits for."""

    pin: str
    repeated: str
    reply: asyncio.Future[Reply]


@dataclass(slots=True)
class _Sheet:
    """One form: its url and its form secret are good once."""

    prompt: Prompt
    answer: asyncio.Future[_Entered]
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    form_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    opened: bool = False

    @property
    def path(self) -> str:
        return f"/pin/{self.secret}"


class PinPage:
    """The server of the page, and a way to ask (`pin.PinEntry`)."""

    name = "page"

    def __init__(self, port: int, seconds: float) -> None:
        self.port = port
        self._seconds = seconds
        self._sheet: _Sheet | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for as long as the block lasts."""
        server = await asyncio.start_server(self._accept, LOOPBACK, self.port, limit=HEAD_LIMIT)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    @asynccontextmanager
    async def dialogue(self, push: Push) -> AsyncIterator[Dialogue]:
        talk = _PageDialogue(self, push)
        end = Reply(HTTPStatus.OK, _notice("操作已取消"))
        try:
            yield talk
            end = Reply(HTTPStatus.OK, _notice("已完成，本窗口可以关闭", close=True))
        except Refused as refusal:
            end = Reply(HTTPStatus.OK, _notice(refusal.reason.zh))
            raise
        finally:
            self._sheet = None
            talk.answer(end)

    async def enter(self, prompt: Prompt, opened: asyncio.Future[str]) -> _Entered:
        """Show a fresh sheet, tell its path, and wait for what is posted. Raises Refused."""
        sheet = self._sheet = _Sheet(prompt, asyncio.get_running_loop().create_future())
        opened.set_result(sheet.path)
        try:
            async with asyncio.timeout(self._seconds):
                return await sheet.answer
        except TimeoutError as error:
            raise Refused(PIN_TIMEOUT) from error
