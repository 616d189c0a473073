"""The command line: `oa-agent serve` for the browser, and the same commands, with the same JSON, for people and
scripts.

A command prints one answer as the socket would send it and ends with status 0 when it is ok, else 1. A PIN is
asked for in the window or at the terminal; there is no way to pass one as an argument, where other processes could
read it.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.profiles import Profile
from oa_agent import VERSION
from oa_agent.agent import Caller
from oa_agent.config import Config, PinEntryKind, load_config
from oa_agent.durable import remove_drafts
from oa_agent.errors import UNKNOWN_SERVER, Refused
from oa_agent.memory import keep_to_this_process, overwrite_what_is_freed
from oa_agent.origins import check_origin
from oa_agent.pin import has_display
from oa_agent.protocol import (
    AgentCommand,
    Authenticate,
    Certificates,
    Event,
    Failure,
    Generate,
    Hello,
    Result,
    Sign,
    Subject,
    Success,
    TokenEntry,
    Tokens,
    Unlock,
    WriteCertificate,
    b64,
    failure,
    write,
)
from oa_agent.server import SERVERS_FILE, build_agent, pin_entry, serving
from oa_agent.software import KeyFolder
from oa_agent.tokens import TokenDriver
from oa_agent.trust import RequestKeys

LOCAL = "本机命令行"
LOG_BYTES = 1 << 20

_usage = click.Choice(["sign-in", "signing", "seal"])
_origin = click.option("--origin", required=True, help="来源，如 https://oa.example.gov.cn")
_certificate = click.option("--certificate", "certificate_id", required=True, help="证书编号，见 certificates")


@click.group(help="密钥代理：列出证书、登录、签名")
@click.version_option(VERSION)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="OA_AGENT_CONFIG",
    default=Path("~/.oa-agent/agent.toml"),
    show_default=True,
    help="配置文件",
)
@click.pass_context
def main(context: click.Context, path: Path) -> None:
    try:
        context.obj = load_config(path.expanduser())
    except (OSError, ValueError) as error:
        raise click.ClickException(f"配置文件无法使用：{error}") from error


@main.command(help="为浏览器服务，直到被停止")
@click.pass_obj
def serve(config: Config) -> None:
    overwrite_what_is_freed()
    keep_to_this_process()
    _log_to(config.state / "agent.log")
    for folder in (config.state, config.keys):
        remove_drafts(folder)
    asyncio.run(_serve(config))


@main.command(help="显示密钥代理的版本、协议和输入 PIN 的方式")
@click.pass_obj
def hello(config: Config) -> None:
    _perform(config, Hello())


@main.command(help="列出证书介质")
@click.pass_obj
def tokens(config: Config) -> None:
    _perform(config, Tokens())


@main.command(help="列出证书")
@click.option("--usage", type=_usage, required=True, help="用途")
@click.pass_obj
def certificates(config: Config, usage: str) -> None:
    _perform(config, Certificates(usage=Profile(usage)))


@main.command(help="回答登录挑战")
@_origin
@_certificate
@click.option("--nonce", required=True, help="服务器给出的随机数")
@click.pass_obj
def authenticate(config: Config, origin: str, certificate_id: str, nonce: str) -> None:
    _perform(config, Authenticate(certificate_id=certificate_id, nonce=nonce), origin)


@main.command(help="对服务器的签名请求签名；给出多个请求时只输入一次 PIN")
@_origin
@_certificate
@click.option("--request-key", help="首次使用时服务器签名请求公钥")
@click.option("--from", "file", type=click.File("r"), help="从文件读取签名请求，每行一个（请求很长时使用）")
@click.argument("requests", nargs=-1)
@click.pass_obj
def sign(
    config: Config,
    origin: str,
    certificate_id: str,
    request_key: str | None,
    file: IO[str] | None,
    requests: tuple[str, ...],
) -> None:
    # A system may take no argument longer than 128 KiB; sending to a thousand organs is a longer request.
    if file is not None:
        requests = (*requests, *file.read().split())
    if not requests:
        raise click.UsageError("没有签名请求")
    one = requests[0] if len(requests) == 1 else None
    many = requests if one is None else None
    command = Sign(certificate_id=certificate_id, request=one, requests=many, request_key=request_key)
    _perform(config, command, origin)


@main.command(help="在证书介质内生成密钥，并给出证书申请")
@click.option("--token", required=True, help="证书介质编号，见 tokens")
@click.option("--usage", type=_usage, required=True, help="用途")
@click.option("--label", required=True, help="密钥名称")
@click.option("--name", "common", required=True, help="申请人姓名或机关名称")
@click.option("--organ", help="机关")
@click.option("--unit", help="部门")
@click.option("--number", help="工号")
@click.pass_obj
def generate(config: Config, /, token: str, usage: str, label: str, **names: str | None) -> None:
    subject = msgspec.convert(names, Subject)
    _perform(config, Generate(token=token, usage=Profile(usage), label=label, subject=subject))


@main.command("write-certificate", help="把签发的证书（PEM 文件，可带证书链）写到密钥旁")
@click.option("--token", required=True, help="证书介质编号，见 tokens")
@click.argument("file", type=click.File("rb"))
@click.pass_obj
def write_certificate(config: Config, token: str, file: Any) -> None:
    try:
        loaded = x509.load_pem_x509_certificates(file.read())
    except ValueError as error:
        raise click.ClickException("文件中没有证书") from error
    first, *rest = (b64(certificate.public_bytes(Encoding.DER)) for certificate in loaded)
    _perform(config, WriteCertificate(token=token, certificate=first, chain=tuple(rest)))


@main.command("import", help="把密钥文件放入密钥文件夹")
@click.option("--label", help="密钥名称，默认为文件名")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def import_key(config: Config, label: str | None, file: Path) -> None:
    _local(lambda: KeyFolder(config.keys).add(label or file.stem, file.read_bytes()))


@main.command("init-token", help="初始化一个空白证书介质，设置管理员 PIN 和用户 PIN")
@click.option("--module", "path", required=True, help="PKCS #11 驱动文件")
@click.option("--label", required=True, help="证书介质名称")
@click.pass_obj
def init_token(config: Config, path: str, label: str) -> None:
    keep_to_this_process()
    so_pin, pin = _new_pin("管理员 PIN"), _new_pin("用户 PIN")

    _local(lambda: asyncio.run(_init_token(config, path, label, so_pin, pin)))


@main.command(help="用管理员 PIN 重设用户 PIN，并解除锁定")
@click.option("--token", required=True, help="证书介质编号，见 tokens")
@click.pass_obj
def unlock(config: Config, token: str) -> None:
    _perform(config, Unlock(token=token))


@main.command("forget-server", help="忘记首次使用时记下的服务器公钥（管理员核实更换后）")
@_origin
@click.pass_obj
def forget_server(config: Config, origin: str) -> None:
    _local(lambda: _forget(config, origin))


async def _serve(config: Config) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers; there a keyboard interrupt ends the loop.
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with serving(config) as port:
        click.echo(f"密钥代理已启动：ws://127.0.0.1:{port}", err=True)
        await stopped.wait()


def _perform(config: Config, command: AgentCommand, origin: str = LOCAL) -> None:
    """Do what the socket would do, print what it would send, and exit."""
    keep_to_this_process()
    _finish(asyncio.run(_answer(config, command, origin)))


async def _answer(config: Config, command: AgentCommand, origin: str) -> Success | Failure:
    kind = (
        PinEntryKind.WINDOW if config.pin_entry is not PinEntryKind.CONSOLE and has_display() else PinEntryKind.CONSOLE
    )
    try:
        if origin != LOCAL:
            check_origin([origin], allowed=config.origins)
        async with pin_entry(msgspec.structs.replace(config, pin_entry=kind)) as entry:
            return Success(None, await build_agent(config, entry).perform(command, Caller(origin, _no_page)))
    except Refused as refusal:
        return failure(None, refusal.reason)


def _local(work: Callable[[], Result | None]) -> None:
    """Do what only the command line can, and print it in the same form."""
    try:
        answer: Success | Failure = Success(None, work())
    except Refused as refusal:
        answer = failure(None, refusal.reason)
    _finish(answer)


def _finish(answer: Success | Failure) -> None:
    click.echo(write(answer))
    sys.exit(0 if answer.ok else 1)


async def _init_token(config: Config, path: str, label: str, so_pin: str, pin: str) -> Result:
    device = await TokenDriver(path, seconds=config.token_seconds).init_token(label, so_pin, pin)
    return (TokenEntry(device.id, device.label, device.kind),)


def _forget(config: Config, origin: str) -> None:
    if not RequestKeys(config.servers, config.state / SERVERS_FILE).forget(origin):
        raise Refused(UNKNOWN_SERVER)


def _new_pin(label: str) -> str:
    return str(click.prompt(label, hide_input=True, confirmation_prompt=True, err=True))


async def _no_page(_event: Event) -> None:
    """On the command line there is no page to tell."""


def _log_to(path: Path) -> None:
    """What was done for whom, on this machine only; PINs, keys and contents are never logged."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=3, encoding="utf-8")
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # Its own account of every bad handshake would let any local program fill the log with tracebacks.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
