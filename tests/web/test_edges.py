"""The edge of the house: faults of ours, answers cut short, the web client's files, and cursors that are not ours."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from oa_server.core.errors import NOT_FOUND, Invalid, Reason, Unavailable
from oa_server.settings import Settings
from oa_server.web.errors import ProblemMiddleware
from oa_server.web.guard import GuardMiddleware
from oa_server.web.pagination import Cursors
from oa_server.web.static import NOT_BUILT, web_routes
from tests.city import City

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def browser(app: ASGIApp, **options: object) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", **options)


def failing(error: Exception, *, begun: bool) -> App:
    """An application that fails before its answer has begun, or in the middle of it."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise error

    return app


@pytest.mark.norm("A-16.3–16.5")
async def test_a_fault_of_ours() -> None:
    """A fault of the program is told as one, in the reader's language, and nothing of its inside."""
    app = ProblemMiddleware(failing(RuntimeError("secret: /etc/shadow"), begun=False))
    for language, title in (("zh", "系统内部错误"), ("en", "Internal error")):
        answer = await browser(app).get("/", headers={"Accept-Language": language})
        assert (answer.status_code, answer.json()["code"]) == (500, "core.internal")
        assert answer.json()["title"].startswith(title)
        assert "secret" not in answer.text


async def test_a_refusal() -> None:
    """A refusal is a problem with its status, code, detail and facts."""
    reason = Reason("tests.too_late", "太晚了", "Too late.")
    answer = await browser(ProblemMiddleware(failing(Invalid(reason, "at noon", hour=12), begun=False))).get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json() == {
        "type": "urn:oa:problem:tests.too_late",
        "title": "太晚了",
        "status": 422,
        "code": "tests.too_late",
        "detail": "at noon",
        "facts": {"hour": 12},
    }


@pytest.mark.parametrize("error", [RuntimeError("late"), Unavailable(NOT_FOUND)])
async def test_an_answer_cut_short(error: Exception) -> None:
    """Where an answer has begun and cannot be finished, the connection breaks: half an answer never passes for a whole."""
    app = ProblemMiddleware(failing(error, begun=True))
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(type(error)):
        await app(scope, None, send)  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


@pytest.mark.norm("A-3.4.x")
async def test_headers_of_every_answer(city: City) -> None:
    """Every answer forbids to be framed, sniffed, kept or referred; over TLS, also to come back without it."""
    for path in ("/api/about", "/api/nowhere", "/openapi.json", "/"):
        headers = (await city.browser("wang").get(path)).headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
    secure = GuardMiddleware(Starlette(), origin="https://oa.example", agent_port=17173)
    answer = await browser(secure).get("https://oa.example/")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """A web client as the build leaves it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>公文交换</title>")
    (tmp_path / "assets" / "main-abc123.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("no")
    return tmp_path


async def test_the_web_client(client: Path) -> None:
    """Every address that is no file is a page of the client, asked for anew each time; hashed files are kept for ever."""
    pages = browser(Starlette(routes=web_routes(client)))
    for path in ("/", "/outgoing", "/incoming/1", "/secret.txt"):
        answer = await pages.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        assert "公文交换" in answer.text
    script = await pages.get("/assets/main-abc123.js")
    assert (script.text, script.headers["cache-control"]) == ("export {}", "public, max-age=31536000, immutable")
    for path in ("/assets/none.js", "/assets/../secret.txt", "/assets/%2e%2e/secret.txt", "/assets/..%2fsecret.txt"):
        answer = await pages.get(path)
        assert answer.status_code == 404 or "公文交换" in answer.text
        assert answer.text != "no"


async def test_a_client_that_is_not_built(tmp_path: Path) -> None:
    """Where there is no web client yet, the page says what to do."""
    answer = await browser(Starlette(routes=web_routes(tmp_path))).get("/")
    assert (answer.status_code, answer.text) == (503, NOT_BUILT)


def test_cursors() -> None:
    """A cursor holds what was put in, for its own list and its own installation, and no letter of it can be changed."""
    ours, theirs = Cursors(b"k" * 32), Cursors(b"x" * 32)
    cursor = ours.encode("tasks.todo", ["2026-01-01", 7])
    assert ours.decode("tasks.todo", cursor) == ["2026-01-01", 7]
    assert ours.decode("tasks.todo", "") == []
    forged = base64.urlsafe_b64encode(b"\0" * 12 + msgspec.json.encode(["x"])).decode()
    wrong = [cursor[:-2], cursor + "A", "A", "====", "中", forged, *(_with_another_letter(cursor))]
    for text in wrong:
        with pytest.raises(Invalid) as refused:
            ours.decode("tasks.todo", text)
        assert refused.value.code == "web.bad_cursor"
    for kind, cursors in (("tasks.done", ours), ("tasks.todo", theirs)):
        with pytest.raises(Invalid):
            cursors.decode(kind, cursor)


def _with_another_letter(cursor: str) -> list[str]:
    return [cursor[:i] + ("A" if cursor[i] != "A" else "B") + cursor[i + 1 :] for i in range(len(cursor) - 1)]


async def test_the_description_names_the_cookie(settings: Settings) -> None:
    """Over TLS the description names the cookie that is bound to the host."""
    from oa_server.app import _api_routes
    from oa_server.web.openapi import describe

    for secure, name in ((False, "oa-session"), (True, "__Host-oa-session")):
        schemes = describe(_api_routes(settings), version="0", secure=secure)["components"]["securitySchemes"]
        assert schemes["session"]["name"] == name
