"""The door of the deployment, probed from outside: behind it stand, in place of our servers, sockets that write down what
reaches them.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from crypto.authority import Authority, Order, create_root, name
from crypto.keys import SoftKey, open_key_file
from crypto.profiles import SPECS, Profile
from crypto.suite import INTL
from oa_server.core import clock
from oa_server.settings import Settings
from oa_server.storage.secrets import SecretStore
from tests import servers
from tests.deployment.site import Ports, certify_alone

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Listener:
    """A socket where a server would listen: it writes down the head of each request, and answers or hangs up."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.heads: list[str] = []
        self.answer = ANSWER
        self.unheard = "-"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _peer = self._socket.accept()
                with connection, suppress(OSError):
                    self._hear(connection)

    def _hear(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := connection.recv(65536)):
                return
            data += piece
        head = data.partition(b"\r\n\r\n")[0].decode()
        if head.startswith(self.unheard):
            connection.sendall(ANSWER)
            return
        self.heads.append(head)
        connection.sendall(self.answer)


@dataclass
class Gate:
    """nginx with two listeners behind it."""

    ports: Ports
    folder: Path
    settings: Settings
    listeners: list[Listener] = field(default_factory=list)

    @property
    def reached(self) -> list[str]:
        """The heads of the requests that came through."""
        return [head for listener in self.listeners for head in listener.heads]

    def connect(
        self, *, port: int | None = None, server: str = "localhost", key: tuple[Path, Path] | None = None
    ) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.folder / "tls" / "root.pem"))
        if key is not None:
            context.load_cert_chain(*key)
        plain = socket.create_connection(("127.0.0.1", port or self.ports.https), 20)
        return context.wrap_socket(plain, server_hostname=server)

    def ask(self, head: str, *, port: int | None = None, key: tuple[Path, Path] | None = None) -> str:
        """Send a request as it is written, lines parted by `|`; what comes back until the connection is closed."""
        with self.connect(port=port, key=key) as connection:
            connection.sendall(head.replace("|", "\r\n").encode() + b"\r\n\r\n")
            return rest_of(connection)


def rest_of(connection: socket.socket) -> str:
    """One answer. Of a request that it refuses, nginx goes on to read the body for a while, so the end is not waited for."""
    data = b""
    with suppress(ConnectionResetError):
        while not _is_whole(data) and (piece := connection.recv(65536)):
            data += piece
    return data.decode()


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length: (\d+)", head, re.IGNORECASE | re.MULTILINE)
    return bool(end and length and len(body) >= int(length[1]))


def status_of(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


def headers_of(head: str) -> list[tuple[str, str]]:
    lines = head.partition("\r\n\r\n")[0].split("\r\n")[1:]
    return [(key.lower(), value) for key, _, value in (line.partition(": ") for line in lines)]


@contextmanager
def standing(base: Path, make: Callable[[Path, Ports, Path], servers.Server]) -> Iterator[Gate]:
    """A door with the certificate of an installation, and nobody behind it yet."""
    ports = Ports.free()
    door = make(base / "door", ports, base / "run")
    settings, _root = certify_alone(base, base / "door")
    with door:
        yield Gate(ports, base / "door", settings)


@contextmanager
def listening(door: Gate) -> Iterator[Gate]:
    """The door with fresh listeners behind it, both of which it has found."""
    paths = [door.folder.parent / "run" / number / "http.sock" for number in ("1", "2")]
    with ExitStack() as stack:
        listeners = [stack.enter_context(Listener(path)) for path in paths]
        ready = Gate(door.ports, door.folder, door.settings, listeners)
        while not all(listener.heads for listener in listeners):  # Whom it could not reach it leaves alone for a while.
            ready.ask("GET / HTTP/1.1|Host: localhost|Connection: close")
        for listener in listeners:
            listener.heads.clear()
        yield ready
    for path in paths:
        path.unlink()


# --- TLS --------------------------------------------------------------------------------------------------------------

GOOD = ["-tls1_3", "-tls1_2", "-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305",
        "-curves X25519", "-curves P-256", "-curves P-384"]  # fmt: skip
BAD = ["-tls1_1 -cipher DEFAULT@SECLEVEL=0", "-tls1 -cipher DEFAULT@SECLEVEL=0", "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256",
       "-tls1_2 -cipher ECDHE-ECDSA-AES256-SHA", "-tls1_2 -cipher AES256-GCM-SHA384", "-curves P-521",
       "-servername evil.example"]  # fmt: skip


def shake_hands(gate: Gate, options: str, port: int) -> subprocess.CompletedProcess[bytes]:
    name = [] if "-servername" in options else ["-servername", "localhost"]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *name, *options.split()]
    trusted = ["-CAfile", str(gate.folder / "tls" / "root.pem"), "-verify_return_error"]
    return subprocess.run([*command, *trusted], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)


# --- who is asking ----------------------------------------------------------------------------------------------------

FORGED = (
    "GET /api/about HTTP/1.1|Host: localhost|Connection: close|X-Forwarded-For: 10.9.8.7|X-Forwarded-Proto: http|"
    "X-Forwarded-Host: evil.example|Forwarded: for=10.9.8.7|X-Real-IP: 10.9.8.7|X-SSL-Client-Verify: SUCCESS|"
    "X-SSL-Client-Cert: forged|X-SSL-Client-Serial: 1|X-SSL-Client-DN: CN=forged|X_SSL_Client_Verify: SUCCESS|"
    "X-SSL-Client-Verify: SUCCESS|x-ssl-client-cert: again"
)
TOLD_BY_THE_GATE = ("x-forwarded", "forwarded", "x-real", "x-ssl", "x_ssl")


def passed_on(gate: Gate) -> dict[str, str]:
    """What the server was told of who is asking."""
    (head,) = gate.reached
    told = [(key, value) for key, value in headers_of(head) if key.startswith(TOLD_BY_THE_GATE)]
    assert len(dict(told)) == len(told)
    return dict(told)


def key_files(folder: Path, key: SoftKey) -> tuple[Path, Path]:
    """A client's certificate and key as TLS libraries read them."""
    certificate, private = folder / "client.pem", folder / "client.key"
    chain = (key.certificate, *key.chain[:-1])
    certificate.write_bytes(b"".join(link.public_bytes(Encoding.PEM) for link in chain))
    private.write_bytes(key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


def client_of(authority: Authority) -> SoftKey:
    key, now = INTL.generate_key(), clock.now()
    order = Order(
        Profile.SIGN_IN,
        key.public_key(),
        name(common="财政系统", organ="江城市财政局"),
        now,
        now + SPECS[Profile.SIGN_IN].life / 2,
    )
    return SoftKey(key, authority.certify(order), authority.chain)


def own_client(gate: Gate) -> SoftKey:
    """A client certified by the installation's authority."""
    passphrase = SecretStore(gate.settings.secrets_dir).get("authority-passphrase").hex()
    issuing = open_key_file((gate.settings.data_dir / "authority" / "issuing.key").read_bytes(), passphrase)
    return client_of(Authority(issuing.private_key, issuing.certificate, issuing.chain))


def foreign_client() -> SoftKey:
    """A client certified by somebody else's."""
    key, now = INTL.generate_key(), clock.now()
    root = create_root(key, name(common="别处", organ="别处"), now, now + SPECS[Profile.ROOT].life)
    issuing, life = INTL.generate_key(), SPECS[Profile.ISSUING].life / 2
    order = Order(Profile.ISSUING, issuing.public_key(), name(common="别处签发"), now, now + life)
    return client_of(Authority(issuing, root.certify(order), (root.certificate,)))
