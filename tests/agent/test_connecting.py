"""Who may connect: origins, hosts, users, and what a connection may send."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError

from oa_agent.config import Config
from oa_agent.errors import Refused
from oa_agent.origins import check_peer, is_origin
from oa_agent.protocol import MESSAGE_LIMIT
from oa_agent.server import serving
from tests.agent.conftest import ORIGIN, Visit


@pytest.mark.norm("A-6.3.3")
@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://evil.example",
        ORIGIN + ".evil.example",
        "http://oa.jiangcheng.gov.cn",
        ORIGIN + ":8443",
        ORIGIN.upper(),
        "http://127.0.0.1:8081",
    ],
)
async def test_foreign_origins(config: Config, origin: str | None) -> None:
    """A page of any origin that is not on the list, to the letter, is refused with 403."""
    async with serving(config) as port:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}", origin=origin, subprotocols=["oa-agent.1"])
    assert refused.value.response.status_code == 403


async def _status(port: int, *lines: str) -> str:
    """The status line of the answer to a hand-written handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = [
        "GET / HTTP/1.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        "Sec-WebSocket-Protocol: oa-agent.1",
        *lines,
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    status = (await reader.readline()).decode().strip()
    writer.close()
    await writer.wait_closed()
    return status


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.:{port}"]
)
async def test_foreign_hosts(config: Config, host: str) -> None:
    """A name that was rebound to the loopback address is refused with 421, before its origin is looked at."""
    async with serving(config) as port:
        status = await _status(port, f"Host: {host.format(port=port)}", f"Origin: {ORIGIN}")
    assert status.startswith("HTTP/1.1 421")


async def test_repeated_headers(config: Config) -> None:
    """Two origins or two hosts are refused, whichever of them is right."""
    async with serving(config) as port:
        ours = f"Host: 127.0.0.1:{port}"
        assert "403" in await _status(port, ours, f"Origin: {ORIGIN}", "Origin: https://evil.example")
        assert "421" in await _status(port, ours, "Host: evil.example", f"Origin: {ORIGIN}")
        assert "101" in await _status(port, ours, f"Origin: {ORIGIN}")


async def test_only_loopback_listens(config: Config) -> None:
    """The agent cannot be reached through any other address of the machine."""
    async with serving(config) as port:
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.2", port)


async def test_subprotocol_is_demanded(config: Config) -> None:
    """A client that does not speak this version of the protocol is told at the handshake."""
    async with serving(config) as port:
        with pytest.raises((InvalidStatus, NegotiationError)):
            await connect(f"ws://127.0.0.1:{port}", origin=ORIGIN, subprotocols=["oa-agent.99"])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_other_users_are_refused(config: Config) -> None:
    """A process of another user of this machine is refused, though it knows the right origin."""
    script = (
        "import socket,sys;s=socket.create_connection(('127.0.0.1',int(sys.argv[1])));"
        f"s.sendall(('GET / HTTP/1.1\\r\\nHost: 127.0.0.1:'+sys.argv[1]+'\\r\\nOrigin: {ORIGIN}\\r\\n\\r\\n').encode());"
        "print(s.recv(200).decode())"
    )
    async with serving(config) as port:
        command = ["/usr/bin/env", "python3", "-I", "-c", script, str(port)]
        answer = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=True, user=65534, cwd="/", timeout=20
        )
    assert answer.stdout.startswith("HTTP/1.1 403")
    assert "origin.other_user" in answer.stdout


def test_peer_table(tmp_path: Path) -> None:
    """The kernel's table decides by both ends of the connection; an absent row refuses, an absent table does not."""
    table = tmp_path / "tcp"
    table.write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 0100007F:D431 0100007F:4315 01 00000000:00000000 00:00000000 00000000  1000 0 1\n"
        "   1: 0100007F:D432 0100007F:4315 01 00000000:00000000 00:00000000 00000000  1001 0 1\n"
    )
    own = ("127.0.0.1", 17173)
    check_peer(("127.0.0.1", 0xD431), own, user=1000, tables=[table])
    for port in (0xD432, 0xD433):
        with pytest.raises(Refused, match=r"origin\.other_user"):
            check_peer(("127.0.0.1", port), own, user=1000, tables=[table])
    check_peer(("127.0.0.1", 0xD432), own, user=1000, tables=[tmp_path / "none"])


@pytest.mark.skipif(sys.byteorder != "little", reason="the sample is of a little-endian machine")
def test_peer_table_of_mapped_addresses(tmp_path: Path) -> None:
    """A client that reached the loopback address through an IPv6 socket is found too."""
    table = tmp_path / "tcp6"
    mapped = "0000000000000000FFFF00000100007F"
    table.write_text(f"head\n 0: {mapped}:D431 {mapped}:4315 01 0:0 00:0 0 1000 0 1\n")
    check_peer(("127.0.0.1", 0xD431), ("127.0.0.1", 17173), user=1000, tables=[table])


@pytest.mark.parametrize(
    "text",
    ["*", "null", "", "https://oa.example/", "https://oa.example/path", "http://oa.example", "ftp://oa", "https://a@b"],
)
def test_what_is_no_origin(text: str) -> None:
    """What a browser would never send, or what the network could forge, cannot be allowed."""
    assert not is_origin(text)


@pytest.mark.parametrize("text", ["https://oa.example", "https://oa.example:8443", "http://127.0.0.1:8080"])
def test_what_is_an_origin(text: str) -> None:
    """Secure origins can be allowed, and plain ones of this machine for trials."""
    assert is_origin(text)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "{",
        '{"command": "hello", "extra": 1}',
        '{"command": "erase"}',
        '{"id": [], "command": "hello"}',
        '{"command": "sign", "certificate_id": "a", "requests": []}',
        "[" * 5000,
    ],
)
async def test_malformed_messages(visit: Visit, message: str) -> None:
    """What is not a command is answered as malformed, and the connection lives on."""
    async with visit() as page:
        assert (await page.raw(message))["error"]["code"] == "message.malformed"
        assert (await page.get("hello"))["agent"] == "oa-agent"


async def test_bytes_that_are_no_text(visit: Visit) -> None:
    """A binary frame that is not UTF-8 is malformed, too."""
    async with visit() as page:
        assert (await page.raw(b"\xff\xfe{}"))["error"]["code"] == "message.malformed"


async def test_long_messages(visit: Visit) -> None:
    """A message beyond the limit ends the connection."""
    async with visit() as page:
        with pytest.raises(ConnectionClosed) as closed:
            long = json.dumps({"command": "hello", "id": "x" * MESSAGE_LIMIT})
            # In pieces, so that the end of the connection is heard between two of them.
            await page.socket.send(long[at : at + 65536] for at in range(0, len(long), 65536))
            await asyncio.wait_for(page.socket.wait_closed(), 5)
            await page.socket.send("{}")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_hello(visit: Visit) -> None:
    """The agent says who it is, which protocol it speaks, and how it will ask for the PIN."""
    async with visit() as page:
        about = await page.get("hello")
    assert about == {"agent": "oa-agent", "version": "0.1.0", "protocol": "oa-agent.1", "pin_entry": "page"}


async def test_a_command_id_is_used_once_at_a_time(visit: Visit) -> None:
    """A second command under the id of one that is under way is refused, so answers cannot be mistaken."""
    async with visit() as page:
        same = '{"id": "same", "command": "certificates", "usage": "sign-in"}'
        await page.socket.send(same)
        answers = [await page.raw(same), await asyncio.wait_for(page.strays.get(), 10)]
    assert sorted(answer["ok"] for answer in answers) == [False, True]
