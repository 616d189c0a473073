"""The agent beside real Chromium: the page's socket, the popup, and what other pages can do."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from playwright.async_api import Browser, Page, async_playwright

from crypto.challenge import new_nonce, verify_answer
from crypto.profiles import Profile
from oa_agent.config import Config
from oa_agent.server import serving
from oa_agent.sources import certificate_id
from tests.agent.conftest import PIN, Pki, b64url

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]

SIGN_IN = """
([port, certificate, nonce]) => new Promise((resolve, reject) => {
  const popup = window.open('about:blank', 'oa-pin', 'popup,width=560,height=640')
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, 'oa-agent.1')
  socket.onerror = () => reject(new Error('refused'))
  socket.onopen = () => socket.send(JSON.stringify({id: 1, command: 'authenticate', certificate_id: certificate, nonce}))
  socket.onmessage = ({data}) => {
    const message = JSON.parse(data)
    if (message.event === 'pin-needed') popup.location = message.url
    else resolve(message)
  }
})
"""


@asynccontextmanager
async def _site() -> AsyncIterator[str]:
    """An origin with an empty page."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<!doctype html><title>OA</title>"
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCross-Origin-Opener-Policy: same-origin-allow-popups\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


async def _enter(popup: Page, pin: str) -> None:
    await popup.get_by_label("PIN").fill(pin)
    await popup.get_by_role("button", name="确定").click()


async def test_signing_in_through_the_popup(config: Config, pki: Pki) -> None:
    """The page opens the popup, the person is wrong once and right then, and the popup goes away by itself."""
    key = pki.key_file(Profile.SIGN_IN, config.keys, "登录")
    nonce = new_nonce()
    async with (
        _site() as origin,
        serving(msgspec.structs.replace(config, origins=(origin,))) as port,
        _browser() as browser,
    ):
        page = await browser.new_page()
        await page.goto(origin)
        async with page.expect_popup() as opening:
            wanted = [port, certificate_id(key.certificate), b64url(nonce)]
            signing_in = asyncio.create_task(page.evaluate(SIGN_IN, wanted))
        popup = await opening.value
        await popup.wait_for_url("**/pin/*")
        assert origin in await popup.inner_text("main")
        await _enter(popup, "000000")
        await popup.get_by_role("alert").wait_for()
        assert await page.locator("input[type=password]").count() == 0
        await _enter(popup, PIN)
        answer = await asyncio.wait_for(signing_in, 20)
        async with asyncio.timeout(10):
            while not popup.is_closed():
                await asyncio.sleep(0.05)
    signature = base64.b64decode(answer["result"]["signature"])
    assert verify_answer(key.certificate.public_key(), origin, nonce, signature)


@pytest.mark.norm("A-6.3.3")
async def test_a_foreign_page_gets_nowhere(config: Config, pki: Pki) -> None:
    """A page of an origin that is not allowed cannot open the socket."""
    key = pki.key_file(Profile.SIGN_IN, config.keys, "登录")
    async with _site() as origin, serving(config) as port, _browser() as browser:
        page = await browser.new_page()
        await page.goto(origin)
        wanted = [port, certificate_id(key.certificate), b64url(new_nonce())]
        with pytest.raises(Exception, match="refused"):
            await page.evaluate(SIGN_IN, wanted)
