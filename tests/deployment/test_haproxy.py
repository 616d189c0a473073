"""The variant with HAProxy: the same door, which also cuts off who sends a body byte by byte."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography import x509

from tests.deployment.gate import (
    BAD,
    FORGED,
    GOOD,
    Gate,
    foreign_client,
    headers_of,
    key_files,
    listening,
    own_client,
    passed_on,
    rest_of,
    shake_hands,
    standing,
    status_of,
)
from tests.deployment.site import HAProxy

SLOW_SECONDS = 16  # HAProxy cuts after twelve.


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with standing(tmp_path_factory.mktemp("gate"), HAProxy) as ready:
        yield ready


@pytest.fixture
def gate(door: Gate) -> Iterator[Gate]:
    with listening(door) as ready:
        for listener in ready.listeners:
            listener.unheard = "GET /api/health"  # HAProxy asks every second whether they live.
            listener.heads.clear()
        yield ready


def test_haproxy_accepts(door: Gate) -> None:
    """HAProxy reads the file without a word of complaint."""
    command = ["/usr/sbin/haproxy", "-c", "-q", "-f", door.folder / "haproxy.cfg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_plain_http_is_redirected(gate: Gate) -> None:
    """In the clear nothing is served; whatever host was asked for, the way leads to ours over TLS."""
    with socket.create_connection(("127.0.0.1", gate.ports.http), 20) as connection:
        connection.sendall(b"GET /tasks?a=1 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        answer = rest_of(connection)
    assert status_of(answer) == 308
    assert ("location", f"{gate.ports.origin}/tasks?a=1") in headers_of(answer)
    assert gate.reached == []


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


REFUSED = {
    "GET / HTTP/1.1|Host: localhost|Host: evil.example": 400,
    "GET / HTTP/1.1": 421,
    "GET / HTTP/1.1|Host: evil.example": 421,
    "GET / HTTP/1.1|Host: localhost|" + "|".join(f"X-{n}: a" for n in range(200)): 400,
    "POST /api/documents HTTP/1.1|Host: localhost|Content-Length: 1|Content-Length: 2": 400,
    "POST /api/documents HTTP/1.1|Host: localhost|Content-Length: -1": 400,
    "GET /api/metrics HTTP/1.1|Host: localhost": 404,
    "GET /api/metrics?a=1 HTTP/1.1|Host: localhost": 404,
    "GET /%61pi/metrics HTTP/1.1|Host: localhost": 404,
}


@pytest.mark.parametrize("request_head", REFUSED, ids=lambda head: head[:60])
def test_refused_at_the_gate(gate: Gate, request_head: str) -> None:
    """Requests that may be read in two ways, are too large, or ask for what is not public never reach a server."""
    assert status_of(gate.ask(request_head)) == REFUSED[request_head]
    assert gate.reached == []


def test_ten_thousand_headers(gate: Gate) -> None:
    """Nobody reads ten thousand headers to their end."""
    answer = ""
    with suppress(OSError):
        answer = gate.ask("GET / HTTP/1.1|Host: localhost|" + "|".join(f"X-{n}: a" for n in range(10_000)))
    assert not answer or status_of(answer) == 400
    assert gate.reached == []


def test_too_much_is_not_begun(gate: Gate) -> None:
    """A body that says it is larger than any upload is refused with its first piece."""
    with gate.connect() as connection:
        head = f"PATCH /api/files/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {200 << 20}\r\n\r\n"
        connection.sendall(head.encode() + b"a" * 16_000)
        assert status_of(rest_of(connection)) == 413
    assert gate.reached == []


@pytest.mark.parametrize("port", ["https", "systems"])
def test_forged_headers_are_overwritten(gate: Gate, port: str) -> None:
    """Who shows no certificate is passed on as somebody without one, from the address they really have."""
    assert status_of(gate.ask(FORGED, port=getattr(gate.ports, port))) == 200
    assert passed_on(gate) == {"x-forwarded-for": "127.0.0.1", "x-ssl-client-verify": "NONE"}


def test_client_certificate(gate: Gate, tmp_path: Path) -> None:
    """A department system that shows its certificate is passed on with it, whatever else it wrote."""
    client = own_client(gate)
    gate.ask(FORGED, port=gate.ports.systems, key=key_files(tmp_path, client))
    told = passed_on(gate)
    shown = x509.load_pem_x509_certificate(unquote(told.pop("x-ssl-client-cert")).encode())
    assert shown == client.certificate
    assert told == {"x-forwarded-for": "127.0.0.1", "x-ssl-client-verify": "SUCCESS"}


def test_foreign_client_certificate(gate: Gate, tmp_path: Path) -> None:
    """A certificate of another authority is refused before anything is passed on."""
    with pytest.raises(OSError, match="(?i)alert"):
        gate.ask(FORGED, port=gate.ports.systems, key=key_files(tmp_path, foreign_client()))
    assert gate.reached == []


def seconds_until_cut(gate: Gate, begin: bytes) -> float:
    """How long somebody is listened to who begins so and then sends a byte twice a second."""
    begun = time.monotonic()
    with gate.connect() as connection, suppress(OSError):
        connection.sendall(begin)
        connection.settimeout(0.5)
        while time.monotonic() - begun < 2 * SLOW_SECONDS:
            connection.sendall(b"a")
            with suppress(TimeoutError):
                if status_of(connection.recv(65536).decode() or "- 408") == 408:
                    break
    return time.monotonic() - begun


def test_slow_clients_are_cut(gate: Gate) -> None:
    """Who sends the head of a request, or its body, byte by byte is cut off, and no server hears of it."""
    found: list[float] = []
    slow = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /api/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
    ]
    threads = [
        threading.Thread(target=lambda begin=begin: found.append(seconds_until_cut(gate, begin))) for begin in slow
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(slow)
    assert max(found) < SLOW_SECONDS
    assert gate.reached == []


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_nothing_is_repeated(gate: Gate, method: str) -> None:
    """A server that died over a request may have done it: it is not asked of the other one."""
    for listener in gate.listeners:
        listener.answer = b""
    answer = gate.ask(f"{method} /api/documents HTTP/1.1|Host: localhost|Connection: close|Content-Length: 0")
    assert status_of(answer) == 503
    assert len(gate.reached) == 1


def test_what_never_arrived_goes_to_the_other(gate: Gate) -> None:
    """While one server is away, everything, also what changes something, is done by the other."""
    place = gate.folder.parent / "run" / "1"
    (place / "http.sock").rename(place / "gone")
    try:
        for _ in range(4):
            answer = gate.ask("POST /api/documents HTTP/1.1|Host: localhost|Connection: close|Content-Length: 0")
            assert status_of(answer) == 200
    finally:
        (place / "gone").rename(place / "http.sock")
    assert [len(listener.heads) for listener in gate.listeners] == [0, 4]


def test_nobody_there(door: Gate) -> None:
    """Without any server an official reads in Chinese that it is so, as a problem that the web client shows."""
    head, _, body = door.ask("GET /api/tasks HTTP/1.1|Host: localhost|Connection: close").partition("\r\n\r\n")
    assert (status_of(head), json.loads(body)["code"]) == (503, "web.away")
    assert "服务暂时中断" in json.loads(body)["title"]
    told = dict(headers_of(head))
    assert told["content-type"].startswith("application/problem+json")
    assert told["strict-transport-security"] == "max-age=31536000"


def test_both_doors_say_the_same() -> None:
    """When no server is there, HAProxy says word for word what nginx says."""
    deploy = Path(__file__).parents[2] / "deploy"
    body = (deploy / "haproxy" / "oa-away.http").read_bytes().partition(b"\r\n\r\n")[2].decode()
    assert f"return 503 '{body}';" in (deploy / "nginx" / "snippets" / "oa-proxy.conf").read_text("utf-8")
