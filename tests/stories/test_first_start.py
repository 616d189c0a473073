"""The first start by clicking: the console founds the installation, three people enrol with their tokens and sign in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from oa_agent.tokens import TokenDriver
from oa_server.settings import Settings, save
from tests import servers
from tests.city import PIN
from tests.conftest import embedded
from tests.desk import SOFTHSM, Desk, processes
from tests.installation.test_founding import THREE, sheet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PEOPLE = {"何平": "系统管理员", "吕安": "安全保密管理员", "施正": "安全审计员"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty installation with its settings."""
    port = servers.free_port()
    found = embedded(tmp_path / "var", port=port, origin=f"http://127.0.0.1:{port}", agent_port=port + 40)
    save(found, tmp_path / "settings.toml")
    return found


def console(folder: Path, *arguments: str) -> str:
    """What a command at the server's console prints."""
    command = [sys.executable, "-m", "oa_server", *arguments]
    environment = {**os.environ, "OA_SETTINGS": str(folder / "settings.toml")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


async def test_three_administrators_enrol(settings: Settings, tokens: Path, browser: Browser, tmp_path: Path) -> None:
    """Each enters their code, makes two keys in their own token, gets the certificates on it, and is in with their role."""
    console(tmp_path, "migrate")
    told = console(tmp_path, "found", sheet(tmp_path, THREE))
    codes = dict(re.findall(r"(\S+)　((?:[2-9A-Z]{4}-){4}[2-9A-Z]{4})", told))
    assert set(codes) == set(PEOPLE)
    driver = TokenDriver(SOFTHSM)
    with processes(settings):
        for person, role in PEOPLE.items():
            for other in tokens.iterdir():
                other.rename(tmp_path / f"unplugged-{other.name}")
            await driver.init_token(f"UK-{person}", "13579135", PIN)
            desk = await Desk.at(browser, settings)
            await enrol(desk, codes[person], person, role)
            await desk.one("enrol-sign-in").click()
            await desk.one("certificate").first.click()
            await desk.with_pin(desk.one("sign-in").click())
            await expect(desk.one("account")).to_contain_text(person)
            assert desk.faults == []
            await desk.context.close()


async def enrol(desk: Desk, code: str, person: str, role: str) -> None:
    """From the code to the certificates on the token; a wrong code is told so, and a page loaded again goes on."""
    await desk.page.goto(f"{desk.origin}/enrol")
    await desk.one("enrol-code").fill("ABCD-EFGH")
    await desk.one("enrol-look").click()
    await expect(desk.one("enrol-problem")).to_contain_text("登记码无效")
    await desk.one("enrol-code").fill(code.lower())
    await desk.one("enrol-look").click()
    await expect(desk.one("enrol-person")).to_contain_text(person)
    await expect(desk.one("enrol-person")).to_contain_text(role)
    await choose_token(desk, person)
    await expect(desk.one("enrol-next")).to_have_text("生成登录密钥")
    await desk.accessible()
    await desk.with_pin(desk.one("enrol-next").click())
    await expect(desk.one("enrol-next")).to_have_text("生成签名密钥")
    await desk.page.reload()
    await desk.one("enrol-code").fill(code)
    await desk.one("enrol-look").click()
    await choose_token(desk, person)
    await expect(desk.one("enrol-next")).to_have_text("生成签名密钥")
    await desk.with_pin(desk.one("enrol-next").click())
    for use in ("登录", "签名"):
        await expect(desk.one("enrol-next")).to_have_text(f"写入{use}证书")
        await desk.with_pin(desk.one("enrol-next").click())
    await expect(desk.one("enrol-done")).to_be_visible()
    await desk.accessible()


async def choose_token(desk: Desk, person: str) -> None:
    """The administrator's own token among what the agent sees, key files among it."""
    await desk.one("token").click()
    await desk.page.get_by_role("option", name=f"UK-{person}").click()
