"""The production column as a site runs it: Debian's nginx with our site file in front of two servers and a worker.

What systemd would do here, the `Supervisor` does: a process that has ended is started again after a second.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from crypto.authority import Authority, Order, name
from crypto.keys import open_key_file
from crypto.profiles import Profile
from crypto.suite import INTL
from oa_server.app import open_house
from oa_server.core import clock
from oa_server.pki.signer import create_authority
from oa_server.settings import Settings
from oa_server.storage.secrets import SecretStore
from tests import servers
from tests.city import City
from tests.conftest import embedded
from tests.faults.house import DistantCity

DEPLOY = Path(__file__).parents[2] / "deploy"
RESTART_SECONDS = 1.0
SERVERS = ("1", "2")
WORKER = "worker"


class OaProcess(servers.OaServer):
    """`oa serve` or `oa worker` on a unix socket, as the units start it."""

    def __init__(self, settings: Settings, socket_path: Path, command: str = "serve") -> None:
        super().__init__(settings)
        socket_path.parent.mkdir(parents=True, exist_ok=True)
        self.socket = socket_path
        self.log = settings.data_dir / f"{socket_path.parent.name}.log"
        self._words = command

    def _command(self) -> Sequence[str | Path]:
        return [*super()._command()[:-1], self._words]

    def _options(self) -> dict[str, object]:
        environment = super()._options()["env"]
        return {"env": {**environment, "OA_SOCKET": str(self.socket)}}

    def answers(self) -> bool:
        return asked(self.socket, self.url, "/api/health") == 200

    def alive(self) -> list[str]:
        """The command that asks this process whether it is alive."""
        return [*map(str, self._command()[:-1]), "alive"]


def asked(path: Path, origin: str, target: str) -> int | None:
    """The status of the answer to a GET over a unix socket; None when nobody answers."""
    with closing(HTTPConnection("unix")) as connection, suppress(OSError, HTTPException):
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(5)
        connection.sock.connect(str(path))
        connection.request("GET", target, headers={"Host": origin.partition("://")[2]})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    return None


@dataclass(frozen=True)
class Ports:
    """Where the site listens, on loopback."""

    http: int
    https: int
    systems: int
    metrics: int

    @classmethod
    def free(cls) -> Ports:
        first = servers.free_port()
        while not all(map(servers._is_free, range(first, first + 4))):
            first += 4
        return cls(*range(first, first + 4))

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.https}"


class Nginx(servers.Server):
    """Debian's nginx with the site file as it is shipped, but for names, ports and folders."""

    def __init__(self, folder: Path, ports: Ports, sockets: Path) -> None:
        self._folder = folder
        self._ports = ports
        self.log = folder / "nginx.log"
        self.url = ports.origin
        (folder / "snippets").mkdir(parents=True)
        (folder / "nginx.conf").write_text(_main(folder), "utf-8")
        for source in (DEPLOY / "nginx").rglob("*.conf"):
            target = folder / source.relative_to(DEPLOY / "nginx")
            target.write_text(_moved(source.read_text("utf-8"), folder, ports, sockets), "utf-8")

    def _command(self) -> Sequence[str | Path]:
        return ["/usr/sbin/nginx", "-p", self._folder, "-c", self._folder / "nginx.conf"]

    def answers(self) -> bool:
        return _listens(self._ports.https)


class HAProxy(servers.Server):
    """Debian's HAProxy with the file as it is shipped, but for names, ports and folders."""

    def __init__(self, folder: Path, ports: Ports, sockets: Path) -> None:
        self.config = folder / "haproxy.cfg"
        self._ports = ports
        self.log = folder / "haproxy.log"
        self.url = ports.origin
        folder.mkdir(parents=True)
        for source in (DEPLOY / "haproxy").iterdir():
            text = source.read_text("utf-8") if source.suffix == ".cfg" else ""
            (folder / source.name).write_bytes(
                _moved(text, folder, ports, sockets).encode() if text else source.read_bytes()
            )

    def start(self) -> None:
        tls = self.config.parent / "tls"
        (tls / "haproxy.pem").write_bytes((tls / "server.pem").read_bytes() + (tls / "server.key").read_bytes())
        super().start()

    def _command(self) -> Sequence[str | Path]:
        return ["/usr/sbin/haproxy", "-W", "-db", "-f", self.config]

    def answers(self) -> bool:
        return _listens(self._ports.https)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _main(folder: Path) -> str:
    """What stands around a site file, as in Debian's /etc/nginx/nginx.conf."""
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"  {place}_temp_path {folder / place};\n" for place in places)
    user = "user root;\n" if os.geteuid() == 0 else ""  # The folders of the tests are closed to others.
    return (
        f"daemon off;\n{user}worker_processes 2;\npid {folder / 'nginx.pid'};\nerror_log {folder / 'error.log'};\n"
        f"events {{ worker_connections 512; }}\nhttp {{\n  default_type application/octet-stream;\n{temporary}"
        f"  include {folder / 'oa.conf'};\n}}\n"
    )


def _moved(text: str, folder: Path, ports: Ports, sockets: Path) -> str:
    """A file of the site for this machine."""
    name = "oa.example.gov.cn"
    changes: Mapping[str, str] = {
        f"{name}:8443": f"localhost:{ports.systems}",
        "listen 80 ": f"listen 127.0.0.1:{ports.http} ",
        "listen 443 ": f"listen 127.0.0.1:{ports.https} ",
        "listen 8443 ": f"listen 127.0.0.1:{ports.systems} ",
        "bind :80\n": f"bind 127.0.0.1:{ports.http}\n",
        "bind :443 ": f"bind 127.0.0.1:{ports.https} ",
        "bind :8443 ": f"bind 127.0.0.1:{ports.systems} ",
        "127.0.0.1:9180": f"127.0.0.1:{ports.metrics}",
        f"server_name {name}": "server_name localhost",
        f"req.hdr(host) -i {name}": "req.hdr(host) -i localhost",
        f"https://{name}": ports.origin,
        f"Host {name}": f"Host localhost:{ports.https}",
        "/run/oa/": f"{sockets}/",
        "/etc/oa/tls/": f"{folder}/tls/",
        "/etc/haproxy/": f"{folder}/",
        "/var/log/nginx/": f"{folder}/",
    }
    for old, new in changes.items():
        text = text.replace(old, new)
    left = re.findall(rf"^[^#]*(?:{re.escape(name)}|/etc/|/run/oa|/var/log)", text, re.MULTILINE)
    assert not left, left
    return text


def certify_alone(base: Path, folder: Path) -> tuple[Settings, Path]:
    """Certify a site in `folder` by an authority that is made for it in `base`: its settings and its root."""
    settings = embedded(base / "var")
    passphrase = SecretStore(settings.secrets_dir).get("authority-passphrase").hex()
    create_authority(settings.data_dir / "authority", passphrase, organ="江城市", at=clock.now())
    return settings, certify_site(settings, folder)


def certify_site(settings: Settings, folder: Path) -> Path:
    """Certify the site by the installation's own authority. Returns the root, which every machine of the office trusts."""
    passphrase = SecretStore(settings.secrets_dir).get("authority-passphrase").hex()
    opened = open_key_file((settings.data_dir / "authority" / "issuing.key").read_bytes(), passphrase)
    authority = Authority(opened.private_key, opened.certificate, opened.chain)
    key, now = INTL.generate_key(), clock.now()
    order = Order(
        Profile.SERVER,
        key.public_key(),
        name(common="localhost", organ="江城市"),
        now - timedelta(minutes=5),
        now + timedelta(days=30),
        dns_names=("localhost",),
    )
    certificate = authority.certify(order)
    (folder / "tls").mkdir()
    chain = [certificate, *authority.chain]
    pem = [link.public_bytes(Encoding.PEM) for link in chain]
    (folder / "tls" / "server.pem").write_bytes(b"".join(pem[:-1]))
    (folder / "tls" / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "tls" / "systems.pem").write_bytes(b"".join(pem[1:]))
    root = folder / "tls" / "root.pem"
    root.write_bytes(pem[-1])
    return root


class Supervisor:
    """Starts what has ended again, each process on its own, until told to stop."""

    def __init__(self, watched: Sequence[servers.Server]) -> None:
        self._stopping = threading.Event()
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._watch, args=(server,)) for server in watched]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        assert not self._failed, self._failed

    def _watch(self, server: servers.Server) -> None:
        try:
            while not self._stopping.wait(0.1):
                if not servers.runs(server.pid) and not self._stopping.wait(RESTART_SECONDS):
                    server.start()
        except RuntimeError as error:
            self._failed.append(error)


@dataclass(frozen=True)
class Site:
    """The running deployment."""

    settings: Settings
    ports: Ports
    nginx: Nginx
    processes: Mapping[str, OaProcess]
    root: Path
    city: DistantCity

    @property
    def parts(self) -> dict[str, servers.Server]:
        """Everything that can die, by name."""
        return {**self.processes, "nginx": self.nginx}


@contextmanager
def running_site(settings: Settings, folder: Path, numbers: Sequence[str] = SERVERS) -> Iterator[Site]:
    """The deployment over the data of a founded city; of the servers, those with these numbers."""
    ports, sockets = Ports.free(), folder / "run"
    site = msgspec.structs.replace(settings, origin=ports.origin, jobs="worker")
    nginx = Nginx(folder / "nginx", ports, sockets)
    root = certify_site(site, folder / "nginx")
    processes = {number: OaProcess(site, sockets / number / "http.sock") for number in numbers}
    processes[WORKER] = OaProcess(site, sockets / WORKER / "http.sock", "worker")
    near = asyncio.run(_seen(site))
    with ExitStack() as stack:
        for part in (*processes.values(), nginx):
            stack.enter_context(part)
        stack.enter_context(Supervisor([*processes.values(), nginx]))
        city = DistantCity(None, site, near.organs, near.people, processes["1"])
        yield Site(site, ports, nginx, processes, root, city)


async def _seen(settings: Settings) -> City:
    async with open_house(settings):
        return await City.open(None, settings)  # type: ignore[arg-type]  # whose application is elsewhere
