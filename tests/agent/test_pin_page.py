"""The PIN page: what it shows, and who can neither read nor answer it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from crypto.challenge import new_nonce
from crypto.profiles import Profile
from oa_agent.config import Config
from oa_agent.sources import certificate_id
from tests.agent.conftest import HOLDER, ORIGIN, PIN, Office, Page, Person, Pki, Visit, b64url

SECRET = re.compile(r"name=secret value='([^']+)'")


class Open:
    """An operation that waits for its PIN, and a browser that looks at its page."""

    def __init__(self, page: Page, url: str, browser: httpx.AsyncClient) -> None:
        self.page = page
        self.url = url
        self.browser = browser
        self.origin = url.partition("/pin/")[0]

    async def form(self) -> dict[str, str]:
        """Open the form as a person's browser does, and fill it in."""
        answer = await self.browser.get(self.url)
        (secret,) = SECRET.findall(answer.text)
        return {"secret": secret, "pin": PIN, "act": "enter"}

    async def post(self, form: dict[str, str], **headers: str) -> httpx.Response:
        return await self.browser.post(self.url, data=form, headers={"Origin": self.origin} | headers)

    async def answer(self) -> dict[str, Any]:
        """What the operation came to."""
        return await asyncio.wait_for(self.page.strays.get(), 10)


@pytest.fixture
def waiting(visit: Visit, pki: Pki, config: Config) -> Any:
    """Begin to sign in, and wait at the PIN page."""
    key_id = certificate_id(pki.key_file(Profile.SIGN_IN, config.keys, "登录").certificate)

    @asynccontextmanager
    async def started(**changes: Any) -> AsyncIterator[Open]:
        async with visit(**changes) as page, httpx.AsyncClient(timeout=30) as browser:
            command = {"id": "x", "command": "authenticate", "certificate_id": key_id, "nonce": b64url(new_nonce())}
            await page.socket.send(json.dumps(command))
            yield Open(page, (await page.event())["url"], browser)

    return started


async def test_the_headers(waiting: Any) -> None:
    """The page can be framed, read, cached and scripted by nobody."""
    async with waiting() as at:
        headers = (await at.browser.get(at.url)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for directive in ("form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert directive in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


async def test_the_url_is_good_once(waiting: Any) -> None:
    """Whoever comes second sees that somebody was there before."""
    async with waiting() as at:
        assert len(at.url.rpartition("/")[2]) >= 43
        assert (await at.browser.get(at.url)).status_code == 200
        assert (await at.browser.get(at.url)).status_code == 410


async def test_the_notice(waiting: Any) -> None:
    """What the configuration has to say, such as that the data are for demonstration, stands on every page."""
    async with waiting(notice="演示数据 <仅供试用>") as at:
        pages = [await at.browser.get(at.url), await at.browser.get(at.origin + "/")]
    assert all("<aside>演示数据 &lt;仅供试用&gt;</aside>" in page.text for page in pages)


async def test_guessed_urls(waiting: Any) -> None:
    """Any other url is not found."""
    async with waiting() as at:
        for path in ("/", "/pin/", "/pin/" + "A" * 43, "/favicon.ico"):
            assert (await at.browser.get(at.origin + path)).status_code == 404


async def test_signing_in_by_the_form(waiting: Any) -> None:
    """The person's own post is answered once the key has done its work, and can be made once."""
    async with waiting() as at:
        form = await at.form()
        done = await at.post(form)
        assert done.status_code == 200
        assert "已完成" in done.text
        assert (await at.answer())["ok"]
        assert (await at.post(form)).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ORIGIN},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Dest": "iframe"},
    ],
    ids=str,
)
async def test_posts_from_elsewhere(waiting: Any, headers: dict[str, str]) -> None:
    """A post that does not come from the form itself is refused, even with its secret; the person may still answer."""
    async with waiting() as at:
        form = await at.form()
        assert (await at.post(form, **headers)).status_code == 403
        assert "已完成" in (await at.post(form)).text


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Mode": "cors"}]
)
async def test_loads_by_other_pages(waiting: Any, headers: dict[str, str]) -> None:
    """A page that fetches or frames the form is refused, and does not use it up."""
    async with waiting() as at:
        assert (await at.browser.get(at.url, headers=headers)).status_code == 403
        assert (await at.browser.get(at.url)).status_code == 200


async def test_posts_without_an_origin(waiting: Any) -> None:
    """Browsers name the origin of every post; what does not is no browser."""
    async with waiting() as at:
        form = await at.form()
        assert (await at.browser.post(at.url, data=form)).status_code == 403


async def test_posts_without_the_secret(waiting: Any) -> None:
    """Knowing the url, as the web client does, is not enough to answer."""
    async with waiting() as at:
        assert (await at.post({"secret": "A" * 43, "pin": PIN})).status_code == 403
        form = await at.form()
        for secret in ("", "A" * 43, "密"):
            assert (await at.post(form | {"secret": secret})).status_code == 403


async def test_other_hosts(waiting: Any) -> None:
    """A name that was rebound to the loopback address is refused."""
    async with waiting() as at:
        for host in ("evil.example", "127.0.0.1", "127.0.0.1:1"):
            assert (await at.browser.get(at.url, headers={"Host": host})).status_code == 421


async def test_cancelling(waiting: Any) -> None:
    """The person can say no."""
    async with waiting() as at:
        form = await at.form()
        said = await at.post(form | {"act": "cancel", "pin": ""})
        assert "已取消" in said.text
        assert (await at.answer())["error"]["code"] == "pin.cancelled"


async def test_a_late_pin(waiting: Any) -> None:
    """After its time the form is gone, and the operation with it."""
    async with waiting(pin_seconds=0.2) as at:
        form = await at.form()
        assert (await at.answer())["error"]["code"] == "pin.timeout"
        assert (await at.post(form)).status_code == 404


async def test_a_second_try_stays_in_the_popup(waiting: Any) -> None:
    """After a wrong PIN the same window is led to a fresh form with a url of its own, and nothing is pushed."""
    async with waiting() as at:
        form = await at.form()
        answer = await at.post(form | {"pin": "000000"})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/pin/")
        assert at.url.rpartition("/")[2] not in answer.headers["location"]
        assert at.page.events.empty()
        at.url = at.origin + answer.headers["location"]
        assert "已完成" in (await at.post(await at.form())).text


@pytest.mark.parametrize("pin", ["", "0" * 65])
async def test_pins_of_no_length(waiting: Any, pin: str) -> None:
    """No PIN, or one beyond any token's, is not tried."""
    async with waiting() as at:
        form = await at.form()
        assert (await at.post(form | {"pin": pin})).status_code == 400
        assert "已完成" in (await at.post(form)).text


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ],
)
async def test_what_is_no_request(waiting: Any, raw: bytes) -> None:
    """Requests that two readers could read in two ways are refused."""
    async with waiting() as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(at.origin.rpartition(":")[2]))
        writer.write(raw)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()


async def test_forms_in_other_encodings(waiting: Any) -> None:
    """Only the form's own encoding is read."""
    async with waiting() as at:
        form = await at.form()
        headers = {"Origin": at.origin}
        assert (await at.browser.post(at.url, json=form, headers=headers)).status_code == 400
        broken = headers | {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await at.browser.post(at.url, content=b"a&b", headers=broken)).status_code == 400


async def test_connections_that_say_nothing(waiting: Any) -> None:
    """A browser that opens a connection ahead of need and drops it does no harm."""
    async with waiting() as at:
        _reader, writer = await asyncio.open_connection("127.0.0.1", int(at.origin.rpartition(":")[2]))
        writer.write(b"GET /")
        writer.close()
        await writer.wait_closed()
        assert "已完成" in (await at.post(await at.form())).text


@pytest.mark.norm("A-1.3.1/1.5.1")
async def test_what_the_form_shows_is_text(visit: Visit, pki: Pki, config: Config, office: Office) -> None:
    """Markup in an opinion is shown, not obeyed."""
    key = pki.key_file(Profile.SIGNING, config.keys, "签名")
    evil = "</li><script>alert(1)</script><form action='//evil.example'>"
    request = office.request(office.claims(key.certificate, text=evil))
    async with visit() as page, httpx.AsyncClient() as browser:
        command = {"id": "x", "command": "sign", "certificate_id": certificate_id(key.certificate), "request": request}
        await page.socket.send(json.dumps(command))
        form = (await browser.get((await page.event())["url"])).text
    assert "<script" not in form
    assert form.count("<form") == 1
    assert "&lt;script&gt;" in form


async def test_a_new_pin_is_entered_twice(visit: Visit, config: Config) -> None:
    """Where a PIN is set, two entries that differ are asked for again."""
    members = {"token": "software", "usage": "signing", "label": "新密钥", "subject": {"common": HOLDER}}
    async with visit() as page, httpx.AsyncClient(follow_redirects=True, timeout=30) as browser:
        await page.socket.send(json.dumps({"id": "x", "command": "generate", **members}))
        answer = await browser.get((await page.event())["url"])
        origin = {"Origin": f"http://{answer.url.netloc.decode()}"}
        assert "再次输入" in answer.text
        for repeated in ("654321", PIN):
            form = {"secret": SECRET.findall(answer.text)[0], "pin": PIN, "repeated": repeated, "act": "enter"}
            answer = await browser.post(answer.url, data=form, headers=origin)
            assert ("不一致" in answer.text) == (repeated != PIN)
        made = await asyncio.wait_for(page.strays.get(), 10)
    assert made["result"]["csr"].startswith("-----BEGIN CERTIFICATE REQUEST-----")


@pytest.mark.norm("A-16.3–16.5")
async def test_no_secret_is_logged(visit: Visit, pki: Pki, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """The log tells what was done for whom, and never a PIN."""
    key_id = certificate_id(pki.key_file(Profile.SIGN_IN, config.keys, "登录").certificate)
    with caplog.at_level("DEBUG", logger="oa_agent"):
        async with visit() as page:
            page.person = Person(["918273", PIN])
            await page.get("authenticate", certificate_id=key_id, nonce=b64url(new_nonce()))
            await page.person_done()
    assert ORIGIN in caplog.text
    assert "wrong PIN" in caplog.text
    for secret in ("918273", PIN, "/pin/"):
        assert secret not in caplog.text
