"""What the site file of nginx lets in, what it passes on, and what it answers itself: raw probes from outside.

Behind it stand, in place of our servers, sockets that write down what reaches them.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from crypto.authority import Authority, Order, create_root, name
from crypto.keys import SoftKey, open_key_file
from crypto.profiles import SPECS, Profile
from crypto.suite import INTL
from oa_server.core import clock
from oa_server.pki.signer import create_authority
from oa_server.settings import Settings
from oa_server.storage.secrets import SecretStore
from tests.conftest import embedded
from tests.deployment.site import Nginx, Ports, certify_site

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Listener:
    """A socket where a server would listen: it writes down the head of each request, and answers or hangs up."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.heads: list[str] = []
        self.answer = ANSWER
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
        self.heads.append(data.partition(b"\r\n\r\n")[0].decode())
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


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """nginx with the certificate of an installation, and nobody behind it yet."""
    base = tmp_path_factory.mktemp("gate")
    settings, ports = embedded(base / "var"), Ports.free()
    passphrase = SecretStore(settings.secrets_dir).get("authority-passphrase").hex()
    create_authority(settings.data_dir / "authority", passphrase, organ="江城市", at=clock.now())
    nginx = Nginx(base / "nginx", ports, base / "run")
    certify_site(settings, base / "nginx")
    with nginx:
        yield Gate(ports, base / "nginx", settings)


@pytest.fixture
def gate(door: Gate) -> Iterator[Gate]:
    """nginx with fresh listeners behind it, both of which it has found."""
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


# --- in the clear -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_plain_http_is_redirected(gate: Gate, host: str) -> None:
    """In the clear nothing is served; whatever host was asked for, the way leads to ours over TLS."""
    with socket.create_connection(("127.0.0.1", gate.ports.http), 20) as connection:
        connection.sendall(f"GET /tasks?a=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = rest_of(connection)
    assert status_of(answer) == 308
    assert ("location", f"{gate.ports.origin}/tasks?a=1") in headers_of(answer)
    assert gate.reached == []


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


@pytest.mark.parametrize("options", GOOD)
def test_good_tls(door: Gate, options: str) -> None:
    """TLS 1.2 and 1.3 with the good ciphers and curves are spoken, to officials and to department systems."""
    for port in (door.ports.https, door.ports.systems):
        assert shake_hands(door, options, port).returncode == 0


@pytest.mark.parametrize("options", BAD)
def test_bad_tls(door: Gate, options: str) -> None:
    """Older versions, CBC, ciphers without forward secrecy, other curves and other hosts are refused by an alert."""
    refused = shake_hands(door, options, door.ports.https)
    assert refused.returncode != 0
    assert b"alert" in refused.stderr, refused.stderr


# --- hostile requests -------------------------------------------------------------------------------------------------

REFUSED = {
    "GET / HTTP/1.1|Host: localhost|Host: localhost": 400,
    "GET / HTTP/1.1|Host: localhost|Host: evil.example": 400,
    "GET / HTTP/1.1": 400,
    "GET / HTTP/1.1|Host: evil.example|Connection: close": 421,
    "GET / HTTP/1.1|Host: localhost|" + "|".join(f"X-{n}: a" for n in range(10_000)): 400,
    "GET / HTTP/1.1|Host: localhost|X-Long: " + "a" * 200_000: 400,
    "POST /api/documents HTTP/1.1|Host: localhost|Content-Length: 1|Transfer-Encoding: chunked": 400,
    "POST /api/documents HTTP/1.1|Host: localhost|Content-Length: 1|Content-Length: 2": 400,
    "POST /api/documents HTTP/1.1|Host: localhost|Content-Length: -1": 400,
    f"POST /api/documents HTTP/1.1|Host: localhost|Content-Length: {100 << 20}": 413,
    f"PATCH /api/files/1 HTTP/1.1|Host: localhost|Content-Length: {200 << 20}": 413,
    "GET /api/metrics HTTP/1.1|Host: localhost|Connection: close": 404,
    "GET /api/metrics?a=1 HTTP/1.1|Host: localhost|Connection: close": 404,
    "GET /api//metrics HTTP/1.1|Host: localhost|Connection: close": 404,
    "GET /api/x/../metrics HTTP/1.1|Host: localhost|Connection: close": 404,
    "GET /%61pi/metrics HTTP/1.1|Host: localhost|Connection: close": 404,
}


@pytest.mark.parametrize("request_head", REFUSED, ids=lambda head: head[:60])
def test_refused_at_the_gate(gate: Gate, request_head: str) -> None:
    """Requests that may be read in two ways, are too large, or ask for what is not public never reach a server."""
    answer = gate.ask(request_head)
    assert status_of(answer) == REFUSED[request_head]
    assert gate.reached == []
    assert ("strict-transport-security", "max-age=31536000") in headers_of(answer)


def test_slow_headers_are_cut(gate: Gate) -> None:
    """Who sends the head of a request byte by byte is cut off after ten seconds."""
    begun = time.monotonic()
    with gate.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        connection.settimeout(0.5)
        with pytest.raises(OSError):
            while time.monotonic() - begun < 30:
                connection.sendall(b"a")
                with suppress(TimeoutError):
                    if not connection.recv(1):
                        raise ConnectionAbortedError
    assert time.monotonic() - begun < 15
    assert gate.reached == []


# --- what is passed on ------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("port", ["https", "systems"])
def test_forged_headers_are_overwritten(gate: Gate, port: str) -> None:
    """Who shows no certificate is passed on as somebody without one, from the address they really have."""
    assert status_of(gate.ask(FORGED, port=getattr(gate.ports, port))) == 200
    assert passed_on(gate) == {"x-forwarded-for": "127.0.0.1", "x-ssl-client-verify": "NONE"}


def test_client_certificate(gate: Gate, tmp_path: Path) -> None:
    """A department system that shows its certificate is passed on with it, whatever else it wrote."""
    passphrase = SecretStore(gate.settings.secrets_dir).get("authority-passphrase").hex()
    issuing = open_key_file((gate.settings.data_dir / "authority" / "issuing.key").read_bytes(), passphrase)
    client = client_of(Authority(issuing.private_key, issuing.certificate, issuing.chain))
    gate.ask(FORGED, port=gate.ports.systems, key=key_files(tmp_path, client))
    told = passed_on(gate)
    shown = x509.load_pem_x509_certificate(unquote(told.pop("x-ssl-client-cert")).encode())
    assert shown == client.certificate
    assert told == {"x-forwarded-for": "127.0.0.1", "x-ssl-client-verify": "SUCCESS"}


def test_foreign_client_certificate(gate: Gate, tmp_path: Path) -> None:
    """A certificate of another authority is refused before anything is passed on."""
    key, now = INTL.generate_key(), clock.now()
    root = create_root(key, name(common="别处", organ="别处"), now, now + SPECS[Profile.ROOT].life)
    issuing_key = INTL.generate_key()
    order = Order(
        Profile.ISSUING, issuing_key.public_key(), name(common="别处签发"), now, now + SPECS[Profile.ISSUING].life / 2
    )
    foreign = client_of(Authority(issuing_key, root.certify(order), (root.certificate,)))
    assert status_of(gate.ask(FORGED, port=gate.ports.systems, key=key_files(tmp_path, foreign))) == 400
    assert gate.reached == []


@pytest.mark.parametrize(("asked", "passed"), [("websocket", "websocket"), ("h2c", None), ("WebSocket", "websocket")])
def test_only_websockets_upgrade(gate: Gate, asked: str, passed: str | None) -> None:
    """A connection becomes a WebSocket or stays what it is: nobody tunnels another protocol past the gate."""
    gate.ask(
        f"GET /api/live HTTP/1.1|Host: localhost|Connection: Upgrade, close|Upgrade: {asked}|HTTP2-Settings: AAMAAABk"
    )
    told = dict(headers_of(gate.reached[0]))
    assert told.get("upgrade") == passed
    assert told.get("connection") == ("upgrade" if passed else None)


def test_uploads_are_passed_on_as_they_come(gate: Gate) -> None:
    """The server hears of an upload before its body is there; any other request is complete before it is passed on."""
    for method, path, early in (("PATCH", "/api/files/1", True), ("POST", "/api/documents", False)):
        with gate.connect() as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf".encode())
            deadline = time.monotonic() + (10 if early else 1)
            while not any(path in head for head in gate.reached) and time.monotonic() < deadline:
                time.sleep(0.02)
        assert any(path in head for head in gate.reached) == early


# --- when servers are away ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("HEAD", 2), ("POST", 1), ("PATCH", 1)])
def test_only_harmless_requests_are_repeated(gate: Gate, method: str, tries: int) -> None:
    """A server that died over a request may have done it: only what changes nothing is asked of the other one."""
    for listener in gate.listeners:
        listener.answer = b""
    path = "/api/files/1" if method == "PATCH" else "/api/documents"
    answer = gate.ask(f"{method} {path} HTTP/1.1|Host: localhost|Connection: close|Content-Length: 0")
    assert status_of(answer) == 503
    assert len(gate.reached) == tries


def test_what_never_arrived_goes_to_the_other(gate: Gate) -> None:
    """While one server is away, everything, also what changes something, is done by the other."""
    (gate.folder.parent / "run" / "1" / "http.sock").rename(gate.folder.parent / "run" / "1" / "gone")
    try:
        for _ in range(4):
            assert (
                status_of(gate.ask("POST /api/documents HTTP/1.1|Host: localhost|Connection: close|Content-Length: 0"))
                == 200
            )
    finally:
        (gate.folder.parent / "run" / "1" / "gone").rename(gate.folder.parent / "run" / "1" / "http.sock")
    assert [len(listener.heads) for listener in gate.listeners] == [0, 4]


def test_nobody_there(door: Gate) -> None:
    """Without any server an official reads in Chinese that it is so, as a problem that the web client shows."""
    head, _, body = door.ask("GET /api/tasks HTTP/1.1|Host: localhost|Connection: close").partition("\r\n\r\n")
    problem = json.loads(body)
    assert (status_of(head), problem["status"], problem["code"]) == (503, 503, "web.away")
    assert "服务暂时中断" in problem["title"]
    told = dict(headers_of(head))
    assert told["content-type"].startswith("application/problem+json")
    assert told["strict-transport-security"] == "max-age=31536000"
    assert (told["x-content-type-options"], told["x-frame-options"]) == ("nosniff", "DENY")
