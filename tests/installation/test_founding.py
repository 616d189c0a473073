"""The first start: nobody has an account, three people enrol with their keys, and it happens once."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import openpyxl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.keys import SoftKey
from oa_agent.config import load_config
from oa_server.identity.tokens import TokenKey
from oa_server.settings import Settings, save
from tests import servers
from tests.city import OFFICIALS, ORGANS, Browser
from tests.conftest import embedded
from tests.pki.office import csr

HEADER = OFFICIALS.splitlines()[0]
THREE = [line for line in OFFICIALS.splitlines() if line.split(",")[2] in {"sys", "sec", "aud"}]


@pytest.fixture
def fresh(tmp_path: Path) -> Settings:
    """A migrated database with nothing in it, and the settings of its server."""
    port = servers.free_port()
    settings = embedded(tmp_path / "var", port=port, origin=f"http://127.0.0.1:{port}")
    (tmp_path / "settings.toml").touch()
    save(settings, tmp_path / "settings.toml")
    assert oa(tmp_path, "migrate").returncode == 0
    return settings


def oa(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oa_server", *arguments]
    environment = {**os.environ, "OA_SETTINGS": str(folder / "settings.toml")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def sheet(folder: Path, officials: list[str]) -> str:
    """A workbook of one organ and these officials."""
    book = openpyxl.Workbook()
    for title, lines in (("机关", ORGANS.splitlines()[:2]), ("人员", [HEADER, *officials])):
        page = book.create_sheet(title)
        for line in lines:
            page.append(line.split(","))
    del book["Sheet"]
    book.save(folder / "首批.xlsx")
    return str(folder / "首批.xlsx")


async def _enrol(settings: Settings, code: str) -> str:
    """Enrol as one administrator does, and sign in: the role that the session has."""
    key = ec.generate_private_key(ec.SECP256R1())
    async with httpx.AsyncClient(base_url=settings.origin, headers={"Origin": settings.origin}) as http:
        body = {"code": code, "label": code, "keys": [{"profile": "sign-in", "csr": csr(key)}]}
        (issued,) = (await http.post("/api/pki/enrolment", json=body)).raise_for_status().json()["keys"]
        certificate = x509.load_der_x509_certificate(base64.b64decode(issued["certificate"]))
        (await http.post("/api/pki/enrolment/done", json={"code": code})).raise_for_status()
        browser = Browser(http, settings.origin, {"sign-in": SoftKey(key, certificate)})
        return str((await browser.sign_in())["roles"])


@pytest.mark.norm("D-8.1.4.2b")
def test_first_start(fresh: Settings, tmp_path: Path) -> None:
    """A fresh system has no account. Its console founds it and names three people, who enrol and sign in."""
    done = oa(tmp_path, "found", sheet(tmp_path, THREE))
    assert done.returncode == 0, done.stderr
    assert f"{fresh.origin}/enrol" in done.stdout
    codes = re.findall(r"(?:[2-9A-Z]{4}-){4}[2-9A-Z]{4}", done.stdout)
    assert len(codes) == 3
    with servers.OaServer(fresh):
        roles = {asyncio.run(_enrol(fresh, code)) for code in codes}
    assert roles == {"['system_admin']", "['security_admin']", "['audit_admin']"}
    again = oa(tmp_path, "found", sheet(tmp_path, THREE))
    assert (again.returncode, "founding.done" in again.stderr) == (1, True)
    assert oa(tmp_path, "verify", "--all").returncode == 0
    anew = oa(tmp_path, "enrol", "sys")
    assert anew.returncode == 0
    assert "何平" in anew.stdout


def test_a_sheet_that_does_not_name_the_three(fresh: Settings, tmp_path: Path) -> None:
    """Two administrators found nothing, and neither does a sheet with one too many; then the right sheet does."""
    for people in (THREE[:2], [*THREE, THREE[0].replace("sys", "sys2").replace("何平", "何安")]):
        refused = oa(tmp_path, "found", sheet(tmp_path, people))
        assert refused.returncode == 1
        assert "founding.not_three" in refused.stderr
    assert oa(tmp_path, "found", sheet(tmp_path, THREE)).returncode == 0


def test_agents_are_told_whom_to_believe(fresh: Settings, tmp_path: Path) -> None:
    """The settings for key agents are such as the agent takes, name our origin and our key alone, and take a driver at the end."""
    told = oa(tmp_path, "agent-config").stdout
    uncommented = "".join(line.removeprefix("# ") for line in told.splitlines(keepends=True)[-2:])
    (tmp_path / "agent.toml").write_text(told + uncommented, "utf-8")
    config = load_config(tmp_path / "agent.toml")
    assert (config.origins, config.port, len(config.modules)) == ((fresh.origin,), fresh.agent_port, 1)
    key = TokenKey.from_pem((fresh.secrets_dir / "token-key.pem").read_bytes())
    assert [(server.origin, server.kid) for server in config.servers] == [(fresh.origin, key.kid)]
