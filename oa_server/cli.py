"""`oa`: the command line of the server. What it does goes through the same actions as the web client."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

ROOT = Path(__file__).parent.parent
ALIVE_SECONDS = 5
CERTIFICATES_SHOWN = 100_000
COUNTED, LOST_SHOWN = 100, 10
AGENT_SETTINGS = """\
# 密钥代理的设置，所有工作人员的计算机相同。
origins = ["{origin}"]
port = {port}
pin_page_port = {pin_page_port}
servers = {servers}

# 证书介质的 PKCS #11 驱动，由介质厂商提供。每种介质一段，去掉两行前面的 # 号，换成驱动的位置：
# [[modules]]
# path = "/usr/lib/softhsm/libsofthsm2.so"
"""
DEMO_DIR = Path(os.environ.get("OA_DEMO_DIR") or ROOT / "var" / "demo")


T = TypeVar("T")


class Commands(click.Group):
    """Says what stands in a command's way without the library's English prefix."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError:
            raise
        except click.ClickException as error:
            click.echo(error.message, err=True)
            ctx.exit(error.exit_code)


@click.group(cls=Commands)
def main() -> None:
    """公文交换系统：服务、验证、审计和演示。"""


def _settings(**overrides: Any) -> Any:
    """The installation's settings: those named by OA_SETTINGS, else var/settings.toml, else the demo's."""
    from oa_server.settings import SettingsError, load

    known = next((path for path in (ROOT / "var" / "settings.toml", DEMO_DIR / "settings.toml") if path.exists()), None)
    path = None if overrides or os.environ.get("OA_SETTINGS") else known
    try:
        return load(path, **overrides)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _run(work: Coroutine[Any, Any, T]) -> T:
    with _said():
        return asyncio.run(work)


class NotReleased(click.ClickException):
    """The program is not as it was released. Starting it again would add nothing but records of the refusal, so it ends with a
    status after which the units have systemd leave it (`RestartPreventExitStatus=`)."""

    exit_code = os.EX_CONFIG


@contextmanager
def _said() -> Iterator[None]:
    """Have what stands in a command's way said in a sentence, not in a traceback."""
    from oa_server.core.errors import OaError
    from oa_server.storage.migrate import MigrationFailed

    try:
        yield
    except OaError as error:
        facts = "".join(f"\n  {name}: {value}" for name, value in error.facts.items())
        raise click.ClickException(f"{error.reason.zh}（{error.code}）{facts}") from error
    except MigrationFailed as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"无法连接数据库或读写文件：{error}") from error


@main.command()
def serve() -> None:
    """启动服务。"""
    _serve(_settings())


@main.command()
def worker() -> None:
    """为全部服务进程运行后台任务（须先设置 jobs = "worker"）。"""
    from oa_server.app import create_worker

    settings = _settings()
    if settings.jobs != "worker":
        raise click.ClickException('后台任务现由 oa serve 自己运行；要由 oa worker 运行，请先设置 jobs = "worker"')
    _listen(settings, create_worker)


def _serve(settings: Any) -> None:
    from oa_server.app import create_app

    _listen(settings, create_app)


def _listen(settings: Any, create: Callable[[Any], Any]) -> None:
    import uvicorn

    from oa_server.storage import claims

    _check_release(settings)
    where: dict[str, Any] = (
        {"uds": settings.socket} if settings.socket else {"host": settings.host, "port": settings.port}
    )
    with _said(), claims.using(settings.database):
        if settings.socket:
            _check_free(settings.socket)
        uvicorn.run(
            create(settings),
            **where,
            proxy_headers=False,  # It would believe whoever connects over loopback; `web.proxy` believes the socket.
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=64 * 1024,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=5,
        )


def _check_release(settings: Any) -> None:
    """Refuse to start a program that is not as it was released, and put that on record if the database can be had."""
    from oa_server.core.errors import OaError
    from oa_server.release import check_release, keep_refusal

    if not settings.release_certificate:
        return
    try:
        with _said():
            try:
                check_release(ROOT, Path(settings.release_certificate))
            except OaError as error:
                with suppress(Exception):  # Whatever keeps it from being recorded, the refusal is what has to be told.
                    asyncio.run(keep_refusal(settings, error))
                raise
    except click.ClickException as refused:
        raise NotReleased(refused.message) from refused


def _check_free(path: str) -> None:
    """Refuse a unix socket that somebody listens on: it would be taken from them without a word."""
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(path)
        raise click.ClickException(f"{path}：已有进程在这个套接字上监听")


@main.command()
def alive() -> None:
    """询问 oa serve 或 oa worker 的进程是否正常；不正常则说明原因，以非零状态退出。"""
    try:
        status, said = _ask(_settings(), "/api/health")
    except (OSError, HTTPException) as error:
        raise click.ClickException(f"进程没有应答：{error}") from error
    if status != HTTPStatus.OK:
        raise click.ClickException(said)
    click.echo("正常")


def _ask(settings: Any, path: str) -> tuple[int, str]:
    """What the process at the settings' socket or port answers: status and body."""
    connection = HTTPConnection(settings.host, settings.port, timeout=ALIVE_SECONDS)
    with closing(connection):
        if settings.socket:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(ALIVE_SECONDS)
            connection.sock.connect(settings.socket)
        connection.request("GET", path, headers={"Host": urlsplit(settings.origin).netloc})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@main.command()
def migrate() -> None:
    """建立或升级数据库，并准备好对象存储。"""
    from oa_server.app import upgrade_house

    for line in _run(upgrade_house(_settings())):
        click.echo(line)


@main.command()
@click.option("--port", default=8080, help="网页服务的端口")
@click.option("--agent-port", type=int, help="密钥代理的端口；不指定时自动选择")
def demo(port: int, agent_port: int | None) -> None:
    """启动演示：首次运行时建立示范城市。本单位的字体等设置写在 OA_SETTINGS 指定的文件中。"""
    from oa_server.demo.run import free_agent_port, run_demo, with_fonts

    settings = _settings(
        data_dir=DEMO_DIR,
        # The sample city never goes where the settings of a real installation point.
        database_url="",
        object_store_url="",
        bus_url="local:",
        jobs="serve",
        demo=True,
        host="127.0.0.1",
        socket="",
        port=port,
        origin=f"http://127.0.0.1:{port}",
        agent_port=agent_port or free_agent_port(),
    )
    run_demo(with_fonts(settings, ROOT / "var" / "fonts"), serve=_serve)


@main.command("demo-reset")
def demo_reset() -> None:
    """删除演示数据，下次启动时重新建立。"""
    from oa_server.demo.run import reset_demo

    reset_demo(DEMO_DIR)
    click.echo("演示数据已删除。")


@main.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--all", "everything", is_flag=True, help="验证数据库和对象存储中的全部内容")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON")
def verify(file: Path | None, *, everything: bool, as_json: bool) -> None:
    """验证一个 PDF 文件，或全部数据；有任何问题则以非零状态退出。"""
    from oa_server.verification import verify_all, verify_one

    if (file is None) != everything:
        raise click.UsageError("请给出文件，或使用 --all")
    settings = _settings()
    work = verify_all(settings, as_json=as_json) if file is None else verify_one(settings, file, as_json=as_json)
    sys.exit(_run(work))


@main.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--keep", type=click.IntRange(min=1), help="只保留最近几份备份")
@click.option("--check", is_flag=True, help="不备份，只核对最近一份备份（或给出的这一份）")
def backup(directory: Path, keep: int | None, *, check: bool) -> None:
    """备份到文件夹：数据库、对象和密钥的指纹（不含密钥本身）；不需要停止服务。"""
    if check:
        _run(_check_backup(_settings(), directory))
    else:
        _run(_backup(_settings(), directory, keep))


async def _backup(settings: Any, directory: Path, keep: int | None) -> None:
    from oa_server.app import open_house
    from oa_server.backup.making import make

    async with open_house(settings) as house:
        made = await make(house, directory, keep=keep, tell=_counted)
    manifest = made.manifest
    click.echo(f"备份完成：{made.folder}（数据库 {manifest.database_size} 字节，对象 {manifest.objects} 个）")
    click.echo("密钥不在备份中，请确认单独保管的介质上有：" + "、".join(manifest.keys))
    if manifest.missing:
        lost = "、".join(manifest.missing[:LOST_SHOWN])
        raise click.ClickException(f"对象存储中缺少 {len(manifest.missing)} 个对象，备份中也没有：{lost}")


async def _check_backup(settings: Any, directory: Path) -> None:
    from oa_server.backup.manifest import newest
    from oa_server.backup.objects import check
    from oa_server.storage.secrets import SecretStore

    found = newest(directory, SecretStore(settings.secrets_dir))
    spoilt = await check(found, _counted)
    for name in spoilt:
        click.echo(f"{name}：缺少或被改动")
    if spoilt:
        raise click.ClickException(f"备份 {found.folder.name} 有 {len(spoilt)} 个文件不能使用")
    click.echo(f"备份 {found.folder.name} 完整，由程序版本 {found.manifest.version} 制作")


def _counted(done: int, count: int) -> None:
    """Show on a terminal how many objects are done of how many; in a log that would only be noise."""
    if sys.stderr.isatty() and (done % COUNTED == 0 or done == count):
        click.echo(f"\r对象 {done}/{count}", nl=done == count, err=True)


@main.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reuse-objects", is_flag=True, help="对象存储仍完好：只补缺少的对象")
@click.option("--skip-verify", is_flag=True, help="恢复后不做全部验证")
def restore(directory: Path, *, reuse_objects: bool, skip_verify: bool) -> None:
    """由最近一份备份（或给出的这一份）恢复到空的数据库和对象存储；中断后可以重新执行。"""
    from oa_server.verification import verify_all

    settings = _settings()
    _run(_restore(settings, directory, reuse_objects=reuse_objects))
    if not skip_verify:
        sys.exit(_run(verify_all(settings, as_json=False)))


async def _restore(settings: Any, directory: Path, *, reuse_objects: bool) -> None:
    from oa_server.backup.manifest import check_fits, newest
    from oa_server.backup.restoring import restore
    from oa_server.storage.secrets import SecretStore
    from oa_server.storage.snapshots import kind_of

    found = newest(directory, SecretStore(settings.secrets_dir))
    different = check_fits(found.manifest, settings, kind_of(settings.database))
    lacks = await restore(settings, found, reuse_objects=reuse_objects, tell=_counted)
    click.echo(
        f"已恢复到 {found.manifest.made_at.astimezone():%Y-%m-%d %H:%M:%S}（{found.folder.name}），全部登录已结束。"
    )
    if different:
        click.echo("这些密钥与备份时不同：" + "、".join(different))
    for lack in lacks:
        at = f"{lack.at.astimezone():%Y-%m-%d %H:%M:%S}"
        click.echo(
            f"恢复后的审计日志有 {found.manifest.records} 条；{lack.place} 存有 {at} 在 {lack.size} 条时签署的树头："
            "备份之后到那时的操作已经丢失，须重新办理，其间吊销的证书须重新吊销。"
        )


@main.group()
def audit() -> None:
    """审计日志。"""


@audit.command("verify")
def audit_verify() -> None:
    """证明审计日志完整；有任何问题则以非零状态退出。"""
    from oa_server.verification import verify_audit

    sys.exit(_run(verify_audit(_settings())))


@audit.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def audit_check(file: Path) -> None:
    """核对一条审计记录的证明（审计员下载的 JSON 文件）；不成立则以非零状态退出。"""
    from oa_server.verification import verify_proof

    sys.exit(_run(verify_proof(_settings(), file.read_bytes())))


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def found(file: Path) -> None:
    """初始化：由表格导入首个机关和三类管理员，建立证书机构，给出三人的登记码。"""
    for line in _run(_found(_settings(), file.name, file.read_bytes())):
        click.echo(line)


async def _found(settings: Any, name: str, sheet: bytes) -> list[str]:
    from oa_server.app import open_house
    from oa_server.founding import found

    async with open_house(settings) as house:
        codes = await found(house, name, sheet)
    lines = [f"  {code.role}　{code.name}　{code.code}" for code in codes]
    return [
        f"初始化完成。请三位管理员各持证书介质，打开 {settings.origin}/enrol 输入登记码（{codes[0].hours} 小时内有效，请当面交给本人）：",
        *lines,
    ]


@main.command()
@click.argument("code")
def enrol(code: str) -> None:
    """给管理员重新生成登记码（工号），用于首次登记未完成或介质丢失。"""
    click.echo(_run(_enrol(_settings(), code)))


async def _enrol(settings: Any, code: str) -> str:
    from oa_server.app import open_house
    from oa_server.core.actor import SYSTEM
    from oa_server.identity import access as identity
    from oa_server.pki.enrolment import open_enrolment

    async with open_house(settings):
        official = await identity.official_by_code(code)
        return f"{official.name}　{await open_enrolment(SYSTEM, official.id)}"


@main.command()
def anchors() -> None:
    """输出本系统证书机构的根证书和签发证书（PEM）：根证书供计算机信任，两者供 nginx 核对部门系统的证书。"""
    for pem in _run(_anchors(_settings())):
        click.echo(pem, nl=False)


async def _anchors(settings: Any) -> list[str]:
    from oa_server.storage.database import open_database, select

    async with open_database(settings.database):
        rows = await select("SELECT der FROM trust_anchor ORDER BY is_root DESC")
    return [ssl.DER_cert_to_PEM_cert(bytes(row["der"])) for row in rows]


@main.command("agent-config")
def agent_config() -> None:
    """输出密钥代理的设置：工作人员的计算机只准本系统的网页使用证书介质，只信本系统的签名请求。"""
    from oa_server.identity.tokens import TokenKey
    from oa_server.storage.secrets import SecretStore

    settings = _settings()
    with _said():
        key = TokenKey.from_pem(SecretStore(settings.secrets_dir).get("token-key.pem", TokenKey.generate_pem))
    port, servers = settings.agent_port, key.for_agents(settings.origin)
    told = AGENT_SETTINGS.format(origin=settings.origin, port=port, pin_page_port=port + 1, servers=servers)
    click.echo(told, nl=False)


@main.group()
def pki() -> None:
    """证书。在服务器上执行的每一项都记入审计日志。"""


@pki.command("list")
@click.option("--state", type=click.Choice(["good", "suspended", "revoked"]), help="状态")
@click.option("--days", type=click.IntRange(0, 3650), help="几天之内到期")
@click.option("--find", "words", default="", help="持有人、编号、介质")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON")
def pki_list(state: str | None, days: int | None, words: str, *, as_json: bool) -> None:
    """列出证书。"""
    for line in _run(_certificates(_settings(), state, days, words, as_json=as_json)):
        click.echo(line)


async def _certificates(settings: Any, state: str | None, days: int | None, words: str, *, as_json: bool) -> list[str]:
    from datetime import timedelta

    import msgspec

    from oa_server.app import open_house
    from oa_server.core import clock
    from oa_server.core.actor import SYSTEM
    from oa_server.pki import access, answers

    until = None if days is None else clock.now() + timedelta(days=days)
    wanted = access.ListFilter(words=words, state=state, until=until, oldest_first=True, limit=CERTIFICATES_SHOWN)
    async with open_house(settings):
        rows = await answers.certificate_rows(await access.certificate_list(SYSTEM, wanted))
    if as_json:
        return [msgspec.json.encode(row).decode() for row in rows]
    return [
        f"{row.serial}　{row.profile}　{row.state}　{row.not_after:%Y-%m-%d}　{row.holder.name if row.holder else ''}"
        for row in rows
    ]


@pki.command("revoke")
@click.argument("serial")
@click.option("--reason", required=True, help="RFC 5280 的吊销原因，如 keyCompromise")
def pki_revoke(serial: str, reason: str) -> None:
    """吊销证书，并立即发布吊销列表。"""
    _run(_register(_settings(), lambda register, actor: register.revoke(actor, serial, reason)))


@pki.command("suspend")
@click.argument("serial")
def pki_suspend(serial: str) -> None:
    """暂停证书。"""
    _run(_register(_settings(), lambda register, actor: register.suspend(actor, serial)))


@pki.command("resume")
@click.argument("serial")
def pki_resume(serial: str) -> None:
    """恢复暂停的证书。"""
    _run(_register(_settings(), lambda register, actor: register.resume(actor, serial)))


@pki.command("lists")
def pki_lists() -> None:
    """立即发布新的吊销列表。"""
    _run(_register(_settings(), lambda register, actor: register.renew_lists(actor)))


async def _register(settings: Any, act: Callable[[Any, Any], Coroutine[Any, Any, None]]) -> None:
    from oa_server.app import open_house
    from oa_server.core.actor import SYSTEM

    async with open_house(settings) as house:
        await act(house.register, SYSTEM)


@main.group()
def keys() -> None:
    """主密钥：附件的密钥和数据密钥都由它加密。"""


@keys.command("list")
def keys_list() -> None:
    """列出主密钥，以及各自加密的附件数和数据密钥数。"""
    for line in _run(_keys(_settings())):
        click.echo(line)


async def _keys(settings: Any) -> list[str]:
    from oa_server.app import open_house
    from oa_server.files.access import count_by_master_key
    from oa_server.storage import data_keys

    async with open_house(settings) as house:
        files, data, here = await count_by_master_key(), await data_keys.count_by_master_key(), house.master_keys.ids()
    marks = {**dict.fromkeys([*sorted(files), *sorted(data)], "　本机没有这个主密钥"), **dict.fromkeys(here, "")}
    marks[here[-1]] = "　当前"
    named = [*here, *(key for key in marks if key not in here)]
    return [f"{k.hex()}　{files.get(k, 0)} 个附件　{data.get(k, 0)} 个数据密钥{marks[k]}" for k in named]


@keys.command("rotate")
def keys_rotate() -> None:
    """更换主密钥，不停止服务；中断后再次执行即继续。"""
    done = _run(_rotate(_settings()))
    click.echo(
        f"已更换主密钥，重新加密了数据密钥和 {done} 个附件的密钥；旧主密钥已销毁。请立即把新主密钥存入单独保管的介质。"
    )


async def _rotate(settings: Any) -> int:
    from oa_server.app import open_house
    from oa_server.core.actor import SYSTEM
    from oa_server.files.rotation import rotate

    async with open_house(settings) as house:
        return await rotate(SYSTEM, house.master_keys, lambda done: click.echo(f"已处理 {done} 个附件", err=True))


@main.command("import-directory")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="只显示差异，不作任何改动")
def import_directory(file: Path, *, dry_run: bool) -> None:
    """从 .xlsx 或 .csv 导入机关、部门、人员和值班表。"""
    sys.exit(_run(_import(_settings(), file, dry_run=dry_run)))


async def _import(settings: Any, file: Path, *, dry_run: bool) -> int:
    from oa_server.app import open_house
    from oa_server.core.actor import SYSTEM
    from oa_server.core.errors import OaError
    from oa_server.identity import importing

    async with open_house(settings):
        try:
            take = importing.rehearse if dry_run else importing.import_directory
            done = await take(SYSTEM, file.name, file.read_bytes())
        except OaError as error:
            click.echo(error.reason.zh, err=True)
            click.echo(json.dumps(error.facts, ensure_ascii=False, indent=1), err=True)
            return 1
    for line in done.lines if dry_run else ():
        cells = "；".join(f"{cell.column} {cell.old}→{cell.new}" for cell in line.cells)
        click.echo(f"{line.sheet} 第{line.row}行　{line.name}　{importing.EFFECT_WORDS[line.effect]}　{cells}".rstrip())
    click.echo(f"机关 {done.organs}，部门 {done.units}，人员 {done.officials}")
    return 0
