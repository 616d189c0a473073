"""What the agent leaves behind: in its memory, in a core, on the disk."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509

from crypto.keys import seal_key_file
from crypto.profiles import Profile
from oa_agent.config import Config
from oa_agent.durable import DRAFT, write_durably
from oa_agent.sources import certificate_id
from tests import servers
from tests.agent.conftest import ORIGIN, SO_PIN, Office, Person, Pki, Token, agent_environment, as_toml, opened

PIN = "Zq7wLk93-residue"
A_WRONG_ONE = "Zq7wLk94-residue"

# As this user: start a program, wait until it says something, open its memory, have it crash.
READER = """
import os, resource, signal, subprocess, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
child = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE)
child.stderr.readline()
try:
    open(f"/proc/{child.pid}/mem", "rb").close()
    print("readable")
except PermissionError:
    print("closed")
child.send_signal(signal.SIGSEGV)
print("core" if os.WCOREDUMP(os.waitpid(child.pid, 0)[1]) else "no core")
"""
# Root may read everything, unless it gives up what lets it.
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
ORDINARY = "import sys, time; print('here', file=sys.stderr, flush=True); time.sleep(60)"


@contextmanager
def running(config: Config, folder: Path) -> Iterator[tuple[int, int]]:
    """The agent as a program of its own; yields its port and its process."""
    config = msgspec.structs.replace(config, port=servers.free_port())
    file = folder / "agent.toml"
    file.write_text(as_toml(config))
    command = [sys.executable, "-m", "oa_agent", "--config", str(file), "serve"]
    with subprocess.Popen(command, env=agent_environment(), stderr=subprocess.PIPE) as agent:
        try:
            assert agent.stderr is not None
            assert "密钥代理已启动" in agent.stderr.readline().decode()
            yield config.port, agent.pid
        finally:
            agent.kill()


def memory_of(pid: int, folder: Path) -> bytes:
    """All memory of a process, as root's debugger writes it down."""
    subprocess.run(["gcore", "-a", "-o", str(folder / "core"), str(pid)], check=True, capture_output=True)
    return (folder / f"core.{pid}").read_bytes()


Key = tuple[x509.Certificate, list[bytes]]


@pytest.fixture(params=["software", "token"])
async def key(request: pytest.FixtureRequest, config: Config, pki: Pki, token: Token, enrol: Callable[..., Any]) -> Key:
    """A key under the PIN, and what nobody may find of it."""
    if request.param == "token":
        certificate = await enrol(token, Profile.SIGNING)
        (device,) = await token.driver.devices()
        await token.driver.reset_pin(device, SO_PIN, PIN)
        return certificate, []
    made = pki.key(Profile.SIGNING)
    config.keys.mkdir(parents=True)
    sealed = seal_key_file(made.private_key, PIN, [made.certificate, *made.chain])
    (config.keys / "签名.oakey").write_bytes(sealed)
    number = made.private_key.private_numbers().private_value
    return made.certificate, [number.to_bytes(32), number.to_bytes(32, "little")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read what the agent keeps closed")
@pytest.mark.norm("D-8.1.4.10")
async def test_nothing_of_the_pin_stays(key: Key, config: Config, office: Office, tmp_path: Path) -> None:
    """After an act, even after a PIN was entered wrongly, all the agent's memory holds neither PIN nor private key."""
    certificate, secrets = key
    with running(config, tmp_path) as (port, pid):
        async with opened(port) as page:
            page.person = Person([A_WRONG_ONE, PIN])
            asked = office.request(office.claims(certificate))
            await page.get("sign", certificate_id=certificate_id(certificate), request=asked)
            await page.person_done()
        found = await asyncio.to_thread(memory_of, pid, tmp_path)
    assert ORIGIN.encode() in found
    words = [pin.encode(how) for pin in (PIN, A_WRONG_ONE) for how in ("utf-8", "utf-16-le", "utf-32-le")]
    assert [word for word in (*words, *secrets) if word in found] == []


@pytest.mark.skipif(sys.platform != "linux", reason="no other system has it")
@pytest.mark.norm("D-8.1.4.10")
def test_no_other_process_of_the_user_reads_it(config: Config, tmp_path: Path) -> None:
    """Another program of the same user, even the one that started it, cannot open its memory, and its crash leaves no core;
    of an ordinary program it can."""
    closed = msgspec.structs.replace(config, port=servers.free_port(), modules=())
    (tmp_path / "agent.toml").write_text(as_toml(closed))
    agent = [sys.executable, "-m", "oa_agent", "--config", f"{tmp_path}/agent.toml", "serve"]

    def said(*command: str) -> list[str]:
        reader = [*UNPRIVILEGED, sys.executable, "-c", READER, *command]
        ran = subprocess.run(
            reader, env=agent_environment(), cwd=tmp_path, text=True, stdout=subprocess.PIPE, check=True
        )
        return ran.stdout.splitlines()

    may_leave_cores = resource.getrlimit(resource.RLIMIT_CORE)[1] != 0
    assert said(sys.executable, "-c", ORDINARY) == ["readable", "core" if may_leave_cores else "no core"]
    assert said(*agent) == ["closed", "no core"]


@pytest.mark.norm("D-8.1.4.10")
def test_drafts_of_a_killed_agent(config: Config, tmp_path: Path) -> None:
    """What a killed agent was just writing is removed by the next one, unless another may still be writing it."""
    config.keys.mkdir(parents=True)
    file = config.keys / "签名.oakey"
    write_durably(file, b"old")
    writing = f"from oa_agent.durable import *\nwhile True: write_durably(Path({str(file)!r}), bytes(1 << 24))"
    while not list(config.keys.glob(f"{DRAFT}*")):
        child = subprocess.Popen([sys.executable, "-c", writing], env=agent_environment())
        time.sleep(0.4)
        child.send_signal(signal.SIGKILL)
        child.wait()
    (draft,) = config.keys.glob(f"{DRAFT}*")
    with running(config, tmp_path):
        assert draft.exists()
    os.utime(draft, times=(time.time() - 3600,) * 2)
    with running(config, tmp_path):
        assert not draft.exists()
        assert file.exists()
