"""`oa pki`: what an administrator does with certificates at the server's own console."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oa_server.settings import Settings, save


@pytest.fixture
def console(settings: Settings, tmp_path: Path) -> Path:
    """The settings file of a founded city."""
    save(settings, tmp_path / "settings.toml")
    return tmp_path / "settings.toml"


def oa(console: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oa_server", "pki", *arguments]
    environment = {**os.environ, "OA_SETTINGS": str(console)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def found(console: Path, *arguments: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in oa(console, "list", "--json", *arguments).stdout.splitlines()]


def test_certificates_at_the_console(console: Path) -> None:
    """Certificates are listed and narrowed, suspended, resumed and revoked, and what cannot be done is said in a sentence."""
    assert len(found(console)) == 34
    (row,) = [row for row in found(console, "--find", "王建国") if row["profile"] == "signing"]
    assert "王建国" in oa(console, "list", "--find", row["serial"]).stdout
    assert oa(console, "suspend", row["serial"]).returncode == 0
    assert [one["serial"] for one in found(console, "--state", "suspended")] == [row["serial"]]
    assert oa(console, "resume", row["serial"]).returncode == 0
    refused = oa(console, "revoke", row["serial"], "--reason", "whatever")
    assert (refused.returncode, "pki.unknown_revocation_reason" in refused.stderr) == (1, True)
    assert oa(console, "revoke", row["serial"], "--reason", "superseded").returncode == 0
    assert [one["reason"] for one in found(console, "--state", "revoked")] == ["superseded"]
    assert oa(console, "lists").returncode == 0
    assert found(console, "--days", "1") == []
