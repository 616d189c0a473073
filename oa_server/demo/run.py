"""Running the demo: build the sample city once, start the key agent beside the server, tell who is who."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click

from oa_server.identity import tokens
from oa_server.settings import Settings, save
from oa_server.storage.secrets import SecretStore

BUILT = "built.json"
NOTICE = "演示数据　本系统仅供演示，请勿录入真实公文。"


def run_demo(settings: Settings, *, serve: Callable[[Settings], None]) -> None:
    """Everything `make demo` does after set-up; returns when the server is stopped."""
    cast = asyncio.run(_ensure_built(settings))
    # The settings lie beside the data, so that the other commands find them.
    save(settings, settings.data_dir / "settings.toml")
    # The server hands the signal that ended it on; taken as an exit, it ends the agent too.
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(0))
    agent = _start_agent(settings)
    try:
        _tell(settings, cast)
        serve(settings)
    finally:
        agent.terminate()
        agent.wait(5)


async def _ensure_built(settings: Settings) -> list[dict[str, str]]:
    """The cast, after building the city when there is none yet. A build that broke off is begun anew."""
    from dataclasses import asdict

    from oa_server.app import open_house
    from oa_server.demo.build import DemoCity
    from oa_server.storage.migrate import upgrade

    done = settings.data_dir / BUILT
    if done.exists():
        await upgrade(settings.database)
        cast: list[dict[str, str]] = json.loads(done.read_text("utf-8"))
        return cast
    if settings.data_dir.exists():
        import shutil

        shutil.rmtree(settings.data_dir)
    click.echo("首次启动：正在建立示范城市“江城市”，约需一分钟。")
    await upgrade(settings.database)
    async with open_house(settings) as house:
        parts = [asdict(part) for part in await DemoCity(house, click.echo).build()]
    done.write_text(json.dumps(parts, ensure_ascii=False, indent=1), "utf-8")
    return parts


def _start_agent(settings: Settings) -> subprocess.Popen[bytes]:
    """The key agent with the demo's software keys, allowed for this origin only."""
    config = settings.data_dir / "agent.toml"
    config.write_text(agent_config(settings), "utf-8")
    return subprocess.Popen([sys.executable, "-m", "oa_agent", "--config", str(config), "serve"])


def agent_config(settings: Settings) -> str:
    keys = (settings.data_dir / "keys").absolute()
    state = (settings.data_dir / "agent").absolute()
    secrets = SecretStore(settings.secrets_dir)
    server = tokens.TokenKey.from_pem(secrets.get("token-key.pem", tokens.TokenKey.generate_pem))
    notice = NOTICE if settings.demo else ""
    return (
        f'origins = ["{settings.origin}"]\nport = {settings.agent_port}\n'
        f'key_folder = "{keys}"\nstate_folder = "{state}"\npin_entry = "page"\n'
        f'notice = "{notice}"\n'
        f"pin_page_port = {settings.agent_port + 1}\n"
        f'[[servers]]\norigin = "{settings.origin}"\nkid = "{server.kid}"\n'
        f'public_key = "{base64.b64encode(server.public_der).decode()}"\n'
    )


def _tell(settings: Settings, cast: list[dict[str, Any]]) -> None:
    from oa_server.demo.build import PIN

    click.echo(f"\n演示已就绪：{settings.origin}    （演示数据，仅限本机访问）\n")
    click.echo(f"证书 PIN 一律为 {PIN}。登录时在证书列表中选择：\n")
    for part in cast:
        click.echo(f"  {part['name']}\t{part['organ']}\t{part['post']}\t{part['does']}")
    click.echo("\n按 Ctrl+C 停止；make demo-reset 清除演示数据重新开始。")
