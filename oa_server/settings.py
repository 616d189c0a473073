"""The settings of one installation: one object, read once at start, refused at start when wrong.

Sources, later ones win: the defaults below, the TOML file named by `OA_SETTINGS`, and `OA_<NAME>` in the environment.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# What S3 takes for the name of a bucket, as far as every server agrees.
_TIME_SERVER = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_BUCKET = re.compile("/[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class SettingsError(Exception):
    """A setting is wrong; the message, which administrators read at the start, names it and says what would be right."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every line is a setting; its comment is its documentation."""

    # What officials read at the head of every page.
    name: Annotated[str, Meta(min_length=1, max_length=40)] = "电子公文办理系统"
    # Where this installation keeps what it owns: database file, objects, secrets, fonts.
    data_dir: Path = Path("var")
    # `sqlite:///PATH` for one server process, `postgres://user:password@host/name` for many, on another machine with
    # `?sslmode=verify-full&sslrootcert=/PATH` behind it; a primary and its replica are named together, as
    # `@host1:5432,host2:5432/name?target_session_attrs=primary`. Empty: a file in data_dir.
    database_url: str = ""
    # `file:///PATH` or `s3://ACCESS:SECRET@host:port/bucket?secure=0|1`. Empty: a folder in data_dir.
    object_store_url: str = ""
    # Time servers (NTP, `host` or `host:port`) that our clock is held against; none: the clock of PostgreSQL. While it is off
    # by more than two seconds, nothing is signed.
    time_servers: tuple[str, ...] = ()
    # Where the signed heads of the audit log are copied to, outside the database: folders (`file:///PATH`, on another
    # machine's disk) and object stores (`s3://…`, with object lock where there is one).
    head_copies: tuple[str, ...] = ()
    # `local:`, `postgres:` (the same database) or `redis://host:port/0`, over TLS `rediss://host:port/0?ssl_ca_certs=/PATH`:
    # who carries wake-ups between processes.
    bus_url: str = "local:"
    # Who runs the background jobs: `serve`, each server process beside its requests, or `worker`, one `oa worker` for all
    # of them (PostgreSQL only).
    jobs: str = "serve"
    # The address the server listens on. Plain http is served on loopback or a unix socket only.
    host: str = "127.0.0.1"
    # The port there.
    port: Annotated[int, Meta(ge=1, le=65535)] = 8080
    # A unix socket to listen on instead, behind nginx.
    socket: str = ""
    # The origin officials see in their browser; it is bound into every sign-in signature.
    origin: str = "http://127.0.0.1:8080"
    # The port of the key agent beside the browser.
    agent_port: Annotated[int, Meta(ge=1, le=65535)] = 17173
    # The highest classification whose content may enter: none, internal, confidential (秘密), secret (机密) or
    # top_secret (绝密).
    classification_ceiling: str = "internal"
    # Font folders searched before our own.
    font_dirs: tuple[Path, ...] = ()
    # For each style (fangsong, kaiti, heiti, songti, xiaobiaosong) the site's official font family, put first.
    site_fonts: Mapping[str, str] = {}
    # The distance from line to line on the pages of documents, in points: a page holds 22 lines at each of these. At
    # 29.6 they fill the type area from edge to edge, at 28.99 it is as high as 22 distances.
    line_pitch: Annotated[float, Meta(ge=28.3, le=29.6)] = 29.6
    # Documents are printed on both sides and 版记 has to stand on the back of their last sheet, an even page.
    colophon_on_even_page: bool = False
    # A session ends after this many minutes without a request,
    idle_minutes: Annotated[int, Meta(ge=1, le=60)] = 15
    # and after this many hours in any case.
    session_hours: Annotated[int, Meta(ge=1, le=12)] = 12
    # The networks that administrators work from, as `10.1.2.0/24`; none: from anywhere.
    administrator_networks: tuple[str, ...] = ()
    # The largest attachment, in bytes.
    attachment_limit: Annotated[int, Meta(ge=1)] = 1 << 30
    # The malware scanner that every attachment passes, a clamd: `clamd:///PATH` of its socket, or `clamd://host:port`.
    # Empty: none.
    scanner_url: str = ""
    # The certificate (PEM) of whoever signs releases: a server or worker whose files are not as they were released does not
    # start. Empty: unchecked. It needs PYTHONDONTWRITEBYTECODE=1.
    release_certificate: str = ""
    # Demo data: every page says so, and the server refuses to listen anywhere but on loopback.
    demo: bool = False
    # Where the built web client lies. Empty: clients/web/dist of the checkout.
    web_dir: str = ""

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{(self.data_dir / 'oa.sqlite3').absolute()}"

    @property
    def object_store(self) -> str:
        return self.object_store_url or f"file://{(self.data_dir / 'objects').absolute()}"

    @property
    def secrets_dir(self) -> Path:
        return self.data_dir / "secrets"

    @property
    def authority_dir(self) -> Path:
        return self.data_dir / "authority"

    @property
    def secure(self) -> bool:
        """Whether officials reach us over TLS, so that cookies must be `Secure`."""
        return self.origin.startswith("https://")

    @property
    def web(self) -> Path:
        return Path(self.web_dir) if self.web_dir else Path(__file__).parent.parent / "clients" / "web" / "dist"


def load(path: Path | None = None, *, environ: Mapping[str, str] = os.environ, **overrides: Any) -> Settings:
    """Read and check the settings. Raises SettingsError naming the wrong one."""
    values: dict[str, Any] = {}
    source = path or (Path(environ["OA_SETTINGS"]) if environ.get("OA_SETTINGS") else None)
    if source:
        try:
            values = tomllib.loads(source.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{source}：{error}") from error
    for name in Settings.__struct_fields__:
        if (text := environ.get(f"OA_{name.upper()}")) is not None:
            values[name] = _from_environment(name, text)
    values.update(overrides)
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(f"设置不正确：{error}") from error
    _check(settings)
    return settings


def _from_environment(name: str, text: str) -> Any:
    """A setting's text in the environment; lists and tables stand there as in TOML."""
    if not isinstance(getattr(_DEFAULTS, name), (tuple, Mapping)):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"OA_{name.upper()}：{error}") from error


def save(settings: Settings, path: Path) -> None:
    """Leave the settings that are not the defaults in a TOML file of our own eyes only: its URLs may hold passwords."""
    chosen = {name: getattr(settings, name) for name in Settings.__struct_fields__}
    lines = [f"{name} = {_toml(value)}\n" for name, value in chosen.items() if value != getattr(_DEFAULTS, name)]
    path.touch(0o600)
    path.write_text("".join(lines), "utf-8")


def _toml(value: Any) -> str:
    """A value as TOML; its strings, numbers, flags and lists are written as JSON's are."""
    if isinstance(value, Path):
        return json.dumps(str(value.absolute()), ensure_ascii=False)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError


def _check(settings: Settings) -> None:
    """Refuse combinations that would be unsafe, saying what to change."""
    if settings.classification_ceiling not in {"none", "internal", "confidential", "secret", "top_secret"}:
        raise SettingsError("classification_ceiling：请用 none、internal、confidential、secret 或 top_secret")
    origin = urlsplit(settings.origin)
    if origin.scheme not in {"http", "https"} or not origin.hostname or origin.path:
        raise SettingsError("origin：请用 https://主机名[:端口]，不带路径")
    if origin.scheme == "http" and origin.hostname not in LOOPBACK:
        raise SettingsError("origin：http 只能用于本机；请在前面放置 nginx，改用 https")
    if not settings.socket and settings.host not in LOOPBACK:
        raise SettingsError("host：只在本机地址或 unix 套接字（socket）上监听，由前面的 nginx 对外服务")
    if settings.demo and origin.hostname not in LOOPBACK:
        raise SettingsError("demo：演示只能在本机使用")
    if urlsplit(settings.bus_url).scheme not in {"local", "postgres", "redis", "rediss"}:
        raise SettingsError("bus_url：请用 local:、postgres:、redis://主机:端口/0 或 rediss://主机:端口/0")
    if urlsplit(settings.database).scheme not in {"sqlite", "postgres", "postgresql"}:
        raise SettingsError("database_url：请用 sqlite:///路径 或 postgres://用户:口令@主机:端口/库名")
    _check_primary(settings.database)
    _check_jobs(settings)
    _check_store("object_store_url", settings.object_store)
    _check_addresses(settings)


def _check_primary(url: str) -> None:
    """Of several servers only one takes writes, and who does not ask for it gets the first that answers."""
    parts = urlsplit(url)
    if "," in parts.netloc and "target_session_attrs=primary" not in parts.query.split("&"):
        raise SettingsError("database_url：写了几台主机的，须加 ?target_session_attrs=primary")


def _check_addresses(settings: Settings) -> None:
    _check_scanner(settings.scanner_url)
    if wrong := [name for name in settings.time_servers if not _TIME_SERVER.fullmatch(name)]:
        raise SettingsError(f"time_servers：请用 主机 或 主机:端口，{wrong[0]!r} 不是")
    for url in settings.head_copies:
        _check_store("head_copies", url)
    for text in settings.administrator_networks:
        try:
            ip_network(text)
        except ValueError as error:
            raise SettingsError(f"administrator_networks：请用 10.1.2.0/24 这样的网段；{error}") from error


def _check_scanner(url: str) -> None:
    """Refuse an address of the malware scanner that is neither a socket nor a host with its port."""
    try:
        parts = urlsplit(url)
        is_socket = not parts.netloc and len(parts.path) > 1
        is_host = bool(parts.hostname and parts.port) and not parts.path and "@" not in parts.netloc
    except ValueError as error:
        raise SettingsError(f"scanner_url：{error}") from error
    if url and (parts.scheme != "clamd" or parts.query or is_socket == is_host):
        raise SettingsError("scanner_url：请用 clamd:///路径 或 clamd://主机:端口")


def _check_store(name: str, url: str) -> None:
    store = urlsplit(url)
    if store.scheme not in {"file", "s3"} or (store.scheme == "s3" and not _BUCKET.fullmatch(store.path)):
        raise SettingsError(f"{name}：请用 file:///路径 或 s3://用户:密钥@主机:端口/桶名")


def _check_jobs(settings: Settings) -> None:
    if settings.jobs not in {"serve", "worker"}:
        raise SettingsError("jobs：请用 serve 或 worker")
    if settings.jobs == "serve":
        return
    if urlsplit(settings.database).scheme == "sqlite":
        raise SettingsError("jobs：SQLite 只有一个服务进程，由它自己运行后台任务；请用 serve，或改用 PostgreSQL")
    if urlsplit(settings.bus_url).scheme == "local":
        raise SettingsError("bus_url：local: 只通一个进程；有 oa worker 的，请用 postgres: 或 redis://")


_DEFAULTS = Settings()
