"""The installer's manual: what it has people type is there, and what it has them write is accepted."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import pytest

from oa_agent.cli import main as agent
from oa_server.backup import making, restoring
from oa_server.cli import main
from oa_server.core.errors import all_reasons
from oa_server.settings import load
from tests.city import OFFICIALS, ORGANS
from tests.deployment.site import DEPLOY

MANUAL = (DEPLOY / "manual-install.zh.md").read_text("utf-8")
BACKUP = (DEPLOY / "manual-backup.zh.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
ROOT = DEPLOY.parent


def test_files_are_there() -> None:
    """Each file of ours that a command or a sentence names is shipped."""
    named = set(re.findall(r"/opt/oa/(deploy/[^\s`]+)", MANUAL))
    assert len(named) > 6
    for name in named:
        assert list(ROOT.glob(name)), name
    targets = re.findall(r"make -C /opt/oa ([a-z ]+)", MANUAL)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for words in targets for target in words.split())


def test_settings_are_accepted(tmp_path: Path) -> None:
    """The settings that it has people write are those of the production column, and nothing in them is refused."""
    (text,) = re.findall(r"^cat >/etc/oa/settings.toml <<END\n(.*?)^END$", MANUAL, re.MULTILINE | re.DOTALL)
    file = tmp_path / "settings.toml"
    file.write_text(text.replace("$HOST", "oa.example.gov.cn").replace("$PASSWORD", "0" * 48), "utf-8")
    settings = load(file, environ={})
    assert (settings.secure, settings.jobs, settings.database.partition(":")[0]) == (True, "worker", "postgres")


def test_every_name_is_replaced() -> None:
    """The line that puts the office's own name into the site's files finds it in all those that hold it, once a line."""
    (line,) = [line for block in BLOCKS for line in block.splitlines() if line.startswith("sed -i")]
    holding = [path for path in (DEPLOY / "nginx").rglob("*.conf") if "oa.example.gov.cn" in path.read_text("utf-8")]
    assert {"sites-available/oa" if path.name == "oa.conf" else f"snippets/{path.name}" for path in holding} == {
        place.removeprefix("/etc/nginx/") for place in line.split()[3:]
    }
    for path in holding:
        assert all(text.count("oa.example.gov.cn") < 2 for text in path.read_text("utf-8").splitlines())


def test_the_backup_manual_speaks_of_what_there_is() -> None:
    """Its commands are parsed as they stand, its files are shipped, its folders are the units', and its codes are refusals."""
    for line in re.findall(r"^oa (.+)$", BACKUP, re.MULTILINE):
        command, *words = line.split()
        words = [str(ROOT) if word.startswith("/srv") else word for word in words]
        main.commands[command].make_context(command, words)
    for name in re.findall(r"/opt/oa/(deploy/[^\s`]+)", BACKUP):
        assert (ROOT / name).exists(), name
    unit = (DEPLOY / "systemd" / "oa-backup.service").read_text("utf-8")
    assert "oa backup /srv/oa-backup/daily --keep 30" in unit
    told = set(re.findall(r"`((?:backup|storage|audit)\.[a-z_]+)`", BACKUP))
    assert told - {"audit.copies"} <= set(all_reasons())
    refused = {code for code in all_reasons() if code.startswith("backup.")}
    assert refused - told == {making.BUSY.code, "backup.none_here", "backup.other_kind"}
    assert restoring.NOT_EMPTY.code in told


@pytest.mark.parametrize("sheet", [ORGANS, OFFICIALS], ids=["organs", "officials"])
def test_tables_have_the_columns_of_an_import(sheet: str) -> None:
    """The sample tables have the heads that an import takes."""
    head = "| " + " | ".join(sheet.splitlines()[0].split(",")) + " |"
    assert head in MANUAL


def test_the_key_agent_starts_with_the_desktop() -> None:
    """The entry for the desktop starts the agent that the manual installs, with the settings that it puts in place."""
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment,method-assign]  # the names of the desktop's keys have capitals
    entry.read(DEPLOY / "agent" / "oa-agent.desktop", "utf-8")
    program, *words = shlex.split(entry["Desktop Entry"]["Exec"])
    assert program == "/opt/oa/.venv/bin/oa-agent"
    assert f"/root/oa-agent.toml {words[1]}\n" in MANUAL
    started = agent.make_context("oa-agent", [*words], resilient_parsing=True)
    assert (started.params["path"], words[2:]) == (Path(words[1]), ["serve"])
