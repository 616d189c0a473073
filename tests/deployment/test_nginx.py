"""What the site file of nginx lets in, what it passes on, and what it answers itself: raw probes from outside."""

from __future__ import annotations

import json
import socket
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
from tests.deployment.site import Nginx


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with standing(tmp_path_factory.mktemp("gate"), Nginx) as ready:
        yield ready


@pytest.fixture
def gate(door: Gate) -> Iterator[Gate]:
    with listening(door) as ready:
        yield ready


# --- in the clear -----------------------------------------------------------------------------------------------------


@pytest.mark.norm("D-8.1.4.1c")
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


@pytest.mark.parametrize("options", GOOD)
def test_good_tls(door: Gate, options: str) -> None:
    """TLS 1.2 and 1.3 with the good ciphers and curves are spoken, to officials and to department systems."""
    for port in (door.ports.https, door.ports.systems):
        assert shake_hands(door, options, port).returncode == 0


@pytest.mark.norm("D-8.1.4.1c")
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


@pytest.mark.norm("A-4.2.1")
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
    assert status_of(gate.ask(FORGED, port=gate.ports.systems, key=key_files(tmp_path, foreign_client()))) == 400
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


def _forget() -> None:
    """Wait until nginx has forgotten what an earlier test did to the servers: more than the one second of `fail_timeout`,
    of which it counts whole seconds alone."""
    time.sleep(2.2)


@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("HEAD", 2), ("POST", 1), ("PATCH", 1)])
def test_only_harmless_requests_are_repeated(gate: Gate, method: str, tries: int) -> None:
    """A server that died over a request may have done it: only what changes nothing is asked of the other one."""
    _forget()
    for listener in gate.listeners:
        listener.answer = b""
    path = "/api/files/1" if method == "PATCH" else "/api/documents"
    answer = gate.ask(f"{method} {path} HTTP/1.1|Host: localhost|Connection: close|Content-Length: 0")
    assert status_of(answer) == 503
    assert len(gate.reached) == tries


def test_what_never_arrived_goes_to_the_other(gate: Gate) -> None:
    """While one server is away, everything, also what changes something, is done by the other."""
    _forget()
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
