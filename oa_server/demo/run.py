"""Running the demo: build the sample city once, start the key agent beside the server, tell who is who."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from oa_server.demo.enrolment import PIN
from oa_server.identity import tokens
from oa_server.settings import Settings, save
from oa_server.storage.secrets import SecretStore

LOOPBACK = "127.0.0.1"
BUILT = "built.json"
NOTICE = "演示数据　本系统仅供演示，请勿录入真实公文。"
AGENT_PORT = 17173
COLUMNS = (10, 16, 14)
READY_WITHIN = 60

RUNNING = "演示正在运行（{0}）。请先在运行它的窗口按 Ctrl+C 停止，再重试。"
PORT_TAKEN = "端口 {0} 已被其他程序占用。请先停止该程序，或者换一个端口：make demo PORT=8081"
AGENT_ENDED = "密钥代理未能启动，请查看上面的提示。"
SPOILT_AGENT_FILE = "{0} 无法识别，请改正，或者删除该文件（下次启动时重新生成）：{1}"

# What the demo knows better than anybody at each start; everything else in the agent's configuration is a person's.
AGENT_TABLE = "servers"
AGENT_KEYS = frozenset({"origins", "port", "pin_page_port", "key_folder", "state_folder", "notice", AGENT_TABLE})
AGENT_HEAD = "# 密钥代理的设置。以下几行由 make demo 每次启动时重写，其余内容原样保留。\n"
AGENT_HINT = """\
# 使用真实的证书介质（USB Key）时，在此写上它的 PKCS #11 驱动，例如：
# [[modules]]
# path = "/usr/lib/softhsm/libsofthsm2.so"
"""


class DemoRefused(click.ClickException):
    """The demo cannot start, or its data cannot go; the words are for whoever typed the command."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True, file=file)


def run_demo(settings: Settings, *, serve: Callable[[Settings], None]) -> None:
    """Everything `make demo` does after set-up; returns when the server is stopped."""
    with claim(settings.data_dir, f"{settings.origin}，进程 {os.getpid()}"):
        check_port(settings.port)
        cast = asyncio.run(_ensure_built(settings))
        # The settings lie beside the data, so that the other commands find them.
        save(settings, settings.data_dir / "settings.toml")
        # The server hands the signal that ended it on; taken as an exit, it ends the agent too.
        signal.signal(signal.SIGTERM, _leave)
        with _agent(settings) as agent:
            threading.Thread(target=_tell_when_ready, args=(settings, cast, agent), daemon=True).start()
            serve(settings)


def with_fonts(settings: Settings, fetched: Path) -> Settings:
    """The same settings with the fonts that were fetched for everybody behind those of the site."""
    return msgspec.structs.replace(settings, font_dirs=(*settings.font_dirs, fetched))


def _leave(*_signal: object) -> None:
    sys.exit(0)


def reset_demo(data_dir: Path) -> None:
    """Delete the demo data. Raises DemoRefused while a demo runs on them."""
    with claim(data_dir, f"make demo-reset，进程 {os.getpid()}"):
        shutil.rmtree(data_dir, ignore_errors=True)


@contextmanager
def claim(data_dir: Path, who: str) -> Iterator[None]:
    """Have the demo data for oneself for as long as the block lasts; the lock ends with the process, however it ends.

    It lies beside the data, for they come and go. Raises DemoRefused that tells who has them.
    """
    lock = data_dir.with_name(f"{data_dir.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DemoRefused(RUNNING.format(file.read())) from None
        file.truncate(0)
        file.write(who)
        file.flush()
        yield


def check_port(port: int) -> None:
    """Raises DemoRefused when something listens there already."""
    if not _is_free(port):
        raise DemoRefused(PORT_TAKEN.format(port))


def free_agent_port() -> int:
    """The first port for the agent that is free together with the next one, where its PIN page goes."""
    return next(port for port in range(AGENT_PORT, 1 << 16, 2) if _is_free(port) and _is_free(port + 1))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


async def _ensure_built(settings: Settings) -> list[dict[str, str]]:
    """The cast, after building the city when there is none yet. A build that broke off is begun anew."""
    from oa_server.app import open_house, upgrade_house
    from oa_server.demo.build import DemoCity

    done = settings.data_dir / BUILT
    if done.exists():
        await upgrade_house(settings)
        cast: list[dict[str, str]] = json.loads(done.read_text("utf-8"))
        return cast
    shutil.rmtree(settings.data_dir, ignore_errors=True)
    click.echo("首次启动：正在建立示范城市“江城市”，约需一分钟。")
    await upgrade_house(settings)
    async with open_house(settings) as house:
        parts = [asdict(part) for part in await DemoCity(house, click.echo).build()]
    done.write_text(json.dumps(parts, ensure_ascii=False, indent=1), "utf-8")
    return parts


@contextmanager
def _agent(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The key agent with the demo's software keys, allowed for this origin only; it ends with the block."""
    config = settings.data_dir / "agent.toml"
    write_agent_config(config, settings)
    agent = subprocess.Popen([sys.executable, "-m", "oa_agent", "--config", str(config), "serve"])
    try:
        yield agent
    finally:
        agent.terminate()
        agent.wait(5)


def write_agent_config(path: Path, settings: Settings) -> None:
    """Bring the agent's configuration up to date, and leave what a person has added. Raises DemoRefused when it is
    spoilt."""
    added = _added(path.read_text("utf-8")) if path.exists() else ""
    text = agent_config(settings) + added
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DemoRefused(SPOILT_AGENT_FILE.format(path, error)) from error
    path.write_text(text, "utf-8")


def _added(text: str) -> str:
    """The lines that are a person's: neither a key or table of the demo's own, nor its comments."""
    kept, table, own = [], "", {AGENT_HEAD, *AGENT_HINT.splitlines(keepends=True)}
    for line in text.splitlines(keepends=True):
        if header := re.match(r"\s*\[+\s*([\w-]+)", line):
            table = header[1]
        is_key = table == AGENT_TABLE or (not table and line.partition("=")[0].strip() in AGENT_KEYS)
        if not is_key and line not in own:
            kept.append(line)
    return "".join(kept)


def agent_config(settings: Settings) -> str:
    """The agent's configuration for keys in files. How the PIN is asked for is left to the agent, which knows whether there
    is a display; the server stands in one line, so that further keys and tables may follow."""
    secrets = SecretStore(settings.secrets_dir)
    server = tokens.TokenKey.from_pem(secrets.get("token-key.pem", tokens.TokenKey.generate_pem))
    lines = {
        "origins": f'["{settings.origin}"]',
        "port": settings.agent_port,
        "pin_page_port": settings.agent_port + 1,
        "key_folder": _quoted(settings.data_dir / "keys"),
        "state_folder": _quoted(settings.data_dir / "agent"),
        "notice": f'"{NOTICE if settings.demo else ""}"',
        AGENT_TABLE: server.for_agents(settings.origin),
    }
    return "".join((AGENT_HEAD, *(f"{key} = {value}\n" for key, value in lines.items()), AGENT_HINT))


def _quoted(path: Path) -> str:
    """A path as TOML writes it, which quotes as JSON does."""
    return json.dumps(str(path.absolute()), ensure_ascii=False)


def _tell_when_ready(settings: Settings, cast: list[dict[str, Any]], agent: subprocess.Popen[bytes]) -> None:
    """Print the address once it can be opened; an address that does not answer yet only confuses."""
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and (_is_free(settings.port) or _is_free(settings.agent_port)):
        if agent.poll() is not None:
            click.echo(AGENT_ENDED, err=True)
            return
        time.sleep(0.1)
    for line in _words(settings, cast):
        click.echo(line)


def _words(settings: Settings, cast: list[dict[str, Any]]) -> Iterator[str]:
    yield f"\n演示已就绪：{settings.origin}　（演示数据，仅限本机访问）\n"
    yield f"证书 PIN 码一律为 {PIN}。登录时在证书列表中选择：\n"
    for part in cast:
        cells = (part["name"], part["organ"], part["post"])
        aligned = (_padded(cell, width) for cell, width in zip(cells, COLUMNS, strict=True))
        yield f"  {''.join(aligned)}{part['does']}"
    yield "\n按 Ctrl+C 停止；再次运行 make demo 保留全部数据；make demo-reset 清除演示数据、重新开始。"


def _padded(text: str, width: int) -> str:
    """Text filled up to so many columns of a terminal, where a Chinese character takes two."""
    taken = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
    return text + " " * max(1, width - taken)
