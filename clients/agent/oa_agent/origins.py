"""Who may speak to the agent: pages of the allowed origins, to our own host name, from processes of our own user.

The three checks answer three attacks: a foreign page that opens a socket to the loopback interface, a name that an
attacker's DNS makes point to it (rebinding), and another user of the same machine.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Collection, Sequence
from pathlib import Path

from oa_agent.errors import OTHER_HOST, OTHER_ORIGIN, OTHER_USER, Refused

LOOPBACK = "127.0.0.1"
_HOST_PART = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_SECURE_ORIGIN = re.compile(rf"https://{_HOST_PART}(?::[1-9][0-9]{{0,4}})?")
# Plain http is for trials on one machine; anywhere else the network could write the page.
_LOOPBACK_ORIGIN = re.compile(r"http://(?:127\.0\.0\.1|localhost)(?::[1-9][0-9]{0,4})?")
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def is_origin(text: str) -> bool:
    """Whether `text` is an origin as browsers write it, and one that may be allowed."""
    return bool(_SECURE_ORIGIN.fullmatch(text) or _LOOPBACK_ORIGIN.fullmatch(text))


def check_host(shown: Sequence[str], *, port: int) -> None:
    """Refuse a request whose Host header is not exactly one name of ours with our port."""
    if len(shown) != 1 or shown[0] not in {f"{LOOPBACK}:{port}", f"localhost:{port}"}:
        raise Refused(OTHER_HOST)


def check_origin(shown: Sequence[str], *, allowed: Collection[str]) -> str:
    """The page's origin, from the one Origin header, which scripts cannot set. Raises Refused unless it is allowed."""
    if len(shown) != 1 or shown[0] not in allowed:
        raise Refused(OTHER_ORIGIN)
    return shown[0]


def check_peer(
    peer: tuple[str, int], own: tuple[str, int], *, user: int | None = None, tables: Sequence[Path] = _TABLES
) -> None:
    """Refuse a connection from `peer` to `own` whose socket belongs to another user.

    Where the system has no such table (Windows, macOS) there is nothing to judge by, and the desktop is one person's.
    """
    readable = [table for table in tables if table.exists()]
    if not readable:
        return
    if _owner(peer, own, readable) != (os.getuid() if user is None else user):
        raise Refused(OTHER_USER)


def _owner(peer: tuple[str, int], own: tuple[str, int], tables: Sequence[Path]) -> int | None:
    """The uid of the peer's end of the connection, as the kernel's table of sockets has it (proc(5), net/tcp)."""
    wanted = {(mapped(*peer), mapped(*own)) for mapped in (_table_address, _mapped_address)}
    for table in tables:
        for row in table.read_text().splitlines()[1:]:
            columns = row.split()
            if (columns[1], columns[2]) in wanted:
                return int(columns[7])
    return None


def _table_address(host: str, port: int) -> str:
    """An IPv4 address as the table writes it: the number in the machine's own byte order, in hex."""
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return f"{number:08X}:{port:04X}"


def _mapped_address(host: str, port: int) -> str:
    """The same address where a client reached it through an IPv6 socket (::ffff:127.0.0.1)."""
    (prefix,) = struct.unpack("=I", b"\0\0\xff\xff")
    return f"{'0' * 16}{prefix:08X}{_table_address(host, port)}"
