"""The PIN page: the agent's own origin on its own port, opened by the web client as a popup.

Its url is unguessable and good once. The web client knows the url but can neither read the page (another origin,
no CORS, no framing) nor answer in the person's stead (the form carries a second secret, and a post must come from
our own origin). The answer to a post waits for what becomes of the PIN: entered again, done, or locked.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import re
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
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
    "*{box-sizing:border-box}body{font:16px/1.6 system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;"
    "margin:0;color:#1c2530;background:#eef1f5}main{max-width:36rem;margin:0 auto;padding:1rem}"
    "h1{font-size:1.25rem;margin:0 0 .5rem}h2{font-size:1rem;margin:0}"
    "aside{padding:.2rem 1rem;color:#6b4300;background:#fff3d6;border-bottom:1px solid #e7cd8f;font-size:.875rem}"
    "ul{list-style:none;margin:.25rem 0;padding:0}li{white-space:pre-wrap;overflow-wrap:anywhere}"
    "section{background:#fff;border:1px solid #d5dbe3;border-radius:6px;padding:.5rem 1rem;margin:.75rem 0}"
    "label{display:block;margin:.75rem 0}input{font:inherit;width:100%;padding:.4rem .6rem;border:1px solid #767676;"
    "border-radius:4px;background:#fff}:focus-visible{outline:2.5px solid #d97a00;outline-offset:1px}"
    "button{font:inherit;min-height:44px;padding:.3rem 1.5rem;margin-right:.5rem;color:#1f4e8c;background:#fff;"
    "border:1px solid #8fadd3;border-radius:4px}button[value=enter]{color:#fff;background:#1f4e8c;border-color:#1f4e8c}"
    "[role=alert]{padding:.4rem .75rem;color:#a31621;background:#fdeced;border:1px solid #f0bcc0;border-radius:6px}"
    "[role=status]{font-size:1.125rem}"
)
_CLOSE = "window.close()"
_REQUEST_LINE = re.compile(r"(GET|POST) (/[!-~]{0,200}) HTTP/1\.1")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(|[!-~](?:[\t -~]*[!-~])?)[ \t]*")

_FETCH = ("mode", "dest", "site")

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
    """What a page says, or the way to one."""

    status: HTTPStatus
    words: str = ""
    location: str | None = None

    def encode(self, notice: str) -> bytes:
        body = _document(self.words, notice).encode()
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

    def __init__(self, port: int, seconds: float, notice: str = "") -> None:
        self.port = port
        self._seconds = seconds
        self._notice = notice
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
        end = Reply(HTTPStatus.OK, _last_word("操作已取消"))
        try:
            yield talk
            end = Reply(HTTPStatus.OK, _last_word("已完成，本窗口可以关闭", close=True))
        except Refused as refusal:
            end = Reply(HTTPStatus.OK, _last_word(refusal.reason.zh))
            raise
        finally:
            self._sheet = None
            talk.answer(end)

    def lay_out(self, prompt: Prompt) -> _Sheet:
        """Put a fresh sheet in the place of the last."""
        self._sheet = _Sheet(prompt, asyncio.get_running_loop().create_future())
        return self._sheet

    async def entered(self, sheet: _Sheet) -> _Entered:
        """What is posted on a sheet. Raises Refused when nothing is, or the person cancels."""
        try:
            async with asyncio.timeout(self._seconds):
                return await sheet.answer
        except TimeoutError as error:
            raise Refused(PIN_TIMEOUT) from error

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            check_peer(writer.get_extra_info("peername"), writer.get_extra_info("sockname"))
            async with asyncio.timeout(READ_SECONDS):
                request = await _read(reader)
            writer.write((await self._reply(request)).encode(self._notice))
            await writer.drain()
        except _NoRequest:
            writer.write(_refusal(HTTPStatus.BAD_REQUEST).encode(self._notice))
        except (Refused, OSError, EOFError, TimeoutError) as error:
            # Another user's process, or a browser that opened a connection and thought better of it.
            _log.info("a connection to the PIN page was dropped: %s", type(error).__name__)
            writer.transport.abort()
        finally:
            writer.close()

    async def _reply(self, request: Request) -> Reply:
        try:
            check_host([request.headers.get("host", "")], port=self.port)
        except Refused:
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST)
        if not self._comes_from_where_it_should(request):
            return _refusal(HTTPStatus.FORBIDDEN)
        sheet = self._sheet
        if sheet is None or not hmac.compare_digest(request.path, sheet.path):
            return _refusal(HTTPStatus.NOT_FOUND)
        return self._open(sheet) if request.method == "GET" else await self._post(sheet, request)

    def _comes_from_where_it_should(self, request: Request) -> bool:
        """A form is opened by navigating a window to it, and posted by itself; nothing else happens to it."""
        fetched = {
            name: request.headers[f"sec-fetch-{name}"] for name in _FETCH if f"sec-fetch-{name}" in request.headers
        }
        if request.method == "GET":
            wanted = {"mode": "navigate", "dest": "document"}
        else:
            wanted = {"mode": "navigate", "dest": "document", "site": "same-origin"}
            if request.headers.get("origin") != self.origin:
                return False
        return all(fetched.get(name, value) == value for name, value in wanted.items())

    @staticmethod
    def _open(sheet: _Sheet) -> Reply:
        if sheet.opened:
            return _refusal(HTTPStatus.GONE)
        sheet.opened = True
        return Reply(HTTPStatus.OK, _form(sheet))

    @staticmethod
    async def _post(sheet: _Sheet, request: Request) -> Reply:
        members = _form_members(request)
        if not sheet.opened or not hmac.compare_digest(members.get("secret", "").encode(), sheet.form_secret.encode()):
            return _refusal(HTTPStatus.FORBIDDEN)
        if sheet.answer.done():
            return _refusal(HTTPStatus.GONE)
        if members.get("act") == "cancel":
            sheet.answer.set_exception(Refused(PIN_CANCELLED))
            return Reply(HTTPStatus.OK, _last_word(PIN_CANCELLED.zh, close=True))
        pin = members.get("pin", "")
        if not 0 < len(pin) <= PIN_LIMIT:
            raise _NoRequest
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        sheet.answer.set_result(_Entered(pin, members.get("repeated", ""), reply))
        return await reply


class _PageDialogue:
    """One operation's conversation: the first sheet is announced to the page, the next follow in the same popup."""

    def __init__(self, page: PinPage, push: Push) -> None:
        self._page = page
        self._push = push
        self._waiting: asyncio.Future[Reply] | None = None

    async def ask(self, prompt: Prompt) -> str:
        sheet = self._page.lay_out(prompt)
        if self._waiting is None:
            await self._push(PinNeeded(self._page.origin + sheet.path))
        else:
            self.answer(Reply(HTTPStatus.SEE_OTHER, location=sheet.path))
        entered = await self._page.entered(sheet)
        self._waiting = entered.reply
        if prompt.new and entered.pin != entered.repeated:
            return await self.ask(replace(prompt, problem=NOT_REPEATED))
        return entered.pin

    def answer(self, reply: Reply) -> None:
        """Answer the post that waits, if there is one."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(reply)


async def _read(reader: asyncio.StreamReader) -> Request:
    """One request of the two shapes that browsers send here. Raises _NoRequest for any other, EOFError for none."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    except (asyncio.LimitOverrunError, UnicodeDecodeError) as error:
        raise _NoRequest from error
    first, *rest = head[:-4].split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    headers = [_HEADER.fullmatch(text) for text in rest]
    if line is None or None in headers:
        raise _NoRequest
    found = {header[1].lower(): header[2] for header in headers if header is not None}
    if len(found) != len(headers) or "transfer-encoding" in found:
        raise _NoRequest
    length = found.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,4}", length) or int(length) > BODY_LIMIT:
        raise _NoRequest
    return Request(line[1], line[2], found, await reader.readexactly(int(length)))


def _form_members(request: Request) -> dict[str, str]:
    if request.headers.get("content-type") != "application/x-www-form-urlencoded":
        raise _NoRequest
    try:
        members = parse_qs(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError as error:
        raise _NoRequest from error
    return {name: values[0] for name, values in members.items()}


def _document(words: str, notice: str) -> str:
    banner = f"<aside>{escape(notice)}</aside>" if notice else ""
    return (
        "<!doctype html><html lang=zh-CN><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>证书 PIN 码</title><style>{_STYLE}</style>{banner}<main>{words}</main></html>"
    )


def _form(sheet: _Sheet) -> str:
    prompt = sheet.prompt
    sections = "".join(f"<section><h2>{escape(item.title)}</h2>{_list(item.lines)}</section>" for item in prompt.items)
    problem = f"<p role=alert>{escape(prompt.problem)}</p>" if prompt.problem else ""
    repeated = _field("再次输入", "repeated") if prompt.new else ""
    return (
        f"<h1>{escape(prompt.heading)}</h1>{_list(prompt.lines())}{sections}{problem}"
        f"<form method=post action='{sheet.path}'><input type=hidden name=secret value='{sheet.form_secret}'>"
        f"{_field('PIN 码', 'pin autofocus')}{repeated}<button name=act value=enter>确定</button>"
        "<button name=act value=cancel formnovalidate>取消</button></form>"
    )


def _field(label: str, name: str) -> str:
    limits = f"type=password autocomplete=off required maxlength={PIN_LIMIT}"
    return f"<label>{label}<input {limits} name={name}></label>"


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _last_word(text: str, *, close: bool = False) -> str:
    """A last word; the popup closes itself where the browser lets it."""
    return f"<p role=status>{escape(text)}</p>" + (f"<script>{_CLOSE}</script>" if close else "")


def _refusal(status: HTTPStatus) -> Reply:
    return Reply(status, _last_word("此页面不可用或已失效，请回到原页面重试"))
