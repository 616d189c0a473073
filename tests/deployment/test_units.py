"""The units of systemd: systemd itself finds nothing wrong with them, and what they start and where it listens is so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from oa_server.cli import main
from oa_server.settings import Settings
from tests.deployment.site import DEPLOY, SERVERS, WORKER

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TIMERS = sorted((DEPLOY / "systemd").glob("*.timer"))
STAYING = [unit for unit in UNITS if unit.name != "oa-backup.service"]  # those that run all day
INSTANCES = {
    "oa-backup.service": ["oa-backup.service"],
    "oa-server@.service": [f"oa-server@{number}.service" for number in SERVERS],
    "oa-worker.service": ["oa-worker.service"],
}
EXPOSURE = 20  # Of 100: what systemd calls OK and leaves open is the network, which the server is there for.


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a machine on which the installer has followed the manual, as far as systemd looks at it."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    units, program = tmp_path / "etc/systemd/system", tmp_path / "opt/oa/.venv/bin/oa"
    units.mkdir(parents=True)
    for unit in (*UNITS, *TIMERS):
        shutil.copy(unit, units)
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def analyzed(machine: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", f"--root={machine}", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def value_of(unit: Path, key: str) -> str:
    (value,) = re.findall(rf"^{re.escape(key)}=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
    return str(value)


def test_every_unit_is_known_here() -> None:
    """No unit is shipped that these tests do not look at."""
    assert [unit.name for unit in UNITS] == sorted(INSTANCES)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts(machine: Path, unit: Path) -> None:
    """systemd reads each unit without a word of complaint."""
    done = analyzed(machine, "verify", *INSTANCES[unit.name])
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_would_complain(machine: Path) -> None:
    """A key that systemd does not know would be told."""
    unit = machine / "etc/systemd/system/oa-worker.service"
    unit.write_text(unit.read_text("utf-8").replace("ProtectHome=", "ProtectedHome="), "utf-8")
    assert "ProtectedHome" in analyzed(machine, "verify", "oa-worker.service").stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_little_is_exposed(machine: Path, unit: Path) -> None:
    """By systemd's own measure a process of ours can do little beyond its task."""
    done = analyzed(
        machine, "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", INSTANCES[unit.name][0]
    )
    assert done.returncode == 0, done.stdout[-200:]


@pytest.mark.parametrize("unit", STAYING, ids=lambda unit: unit.name)
def test_what_is_started(unit: Path) -> None:
    """Each unit starts a command that there is, with settings that there are, always anew, and is watched over."""
    program, command = value_of(unit, "ExecStart").split()
    assert (program, command in main.commands) == ("/opt/oa/.venv/bin/oa", True)
    told = re.findall(r"^Environment=OA_(\w+)=", unit.read_text("utf-8"), re.MULTILINE)
    assert {name.lower() for name in told} <= {"settings", *Settings.__struct_fields__}
    assert (value_of(unit, "Restart"), value_of(unit, "StartLimitIntervalSec")) == ("always", "0")
    assert int(value_of(unit, "WatchdogSec")) > 0
    assert int(value_of(unit, "RestartPreventExitStatus")) == os.EX_CONFIG  # A program that is not as it was released.


def test_the_daily_backup(machine: Path) -> None:
    """The timer starts the unit of its name every night, also one that was slept through; what it runs is a command that there
    is, into a folder that the unit may write to and that has to be mounted."""
    (timer,) = TIMERS
    done = analyzed(machine, "verify", timer.name)
    assert (timer.stem, done.returncode, done.stderr) == ("oa-backup", 0, "")
    at = subprocess.run(
        ["systemd-analyze", "calendar", value_of(timer, "OnCalendar")], capture_output=True, check=False
    )
    assert (at.returncode, value_of(timer, "Persistent")) == (0, "true")
    unit = timer.with_suffix(".service")
    program, *words = value_of(unit, "ExecStart").split()
    context = main.commands[words[0]].make_context(words[0], words[1:])
    assert (program, context.params["keep"]) == ("/opt/oa/.venv/bin/oa", 30)
    place = value_of(unit, "ReadWritePaths")
    assert str(context.params["directory"]).startswith(f"{place}/")
    assert value_of(unit, "RequiresMountsFor") == place


def test_nginx_finds_the_sockets() -> None:
    """Where nginx looks for servers and figures is where the units have them listen, in folders that their group alone opens."""
    listening = set()
    for unit in STAYING:
        assert value_of(unit, "RuntimeDirectoryMode") == "0750"
        for name in INSTANCES[unit.name]:
            (place,) = re.findall(r"^Environment=OA_SOCKET=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
            instance = name.partition("@")[2].removesuffix(".service")
            folder = value_of(unit, "RuntimeDirectory").replace("%i", instance)
            assert place.replace("%i", instance) == f"/run/{folder}/http.sock"
            listening.add(f"/run/{folder}/http.sock")
    assert listening == {f"/run/oa/{name}/http.sock" for name in (*SERVERS, WORKER)}
    site = (DEPLOY / "nginx" / "oa.conf").read_text("utf-8")
    assert set(re.findall(r"server unix:(\S+)", site)) == {f"/run/oa/{number}/http.sock" for number in SERVERS}
    assert f"^/({'|'.join((*SERVERS, WORKER))})$" in site
