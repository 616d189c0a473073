"""The malware scanner: what clamd, the daemon of ClamAV, says of a stream of bytes (`INSTREAM` and `PING` of clamd(8)).

Only `stream: OK` after the last byte was taken passes anything. A scanner that has lost its signatures says the same of
everything, so before it is believed, and once an hour after that, it has to know the test file of EICAR.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from oa_server.core.errors import Unavailable
from oa_server.files import rules

CONNECT_SECONDS = 3
# clamd gives a file up after two minutes by itself (`MaxScanTime`); the rest is for the way there.
SCAN_SECONDS = 180
PROOF_SECONDS = 3600
ANSWER_LIMIT = 1024
LENGTH_BYTES = 4

# The test file is put together when it is asked for: neither this source nor what Python compiles of it is to be found.
_EICAR = (rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
# With `ExtendedDetectionInfo`, as Debian sets it, digest and size stand behind the name.
_FOUND = re.compile(r"stream: ([!-~]{1,200}?)(\([0-9a-f]{32,64}:\d+\))? FOUND")
_CLEAN = "stream: OK"
# What `AlertExceedsMax` finds: it was not looked through to its end.
_EXCEEDED = "Heuristics.Limits.Exceeded"


class Clamd:
    """The scanner at `clamd:///PATH` of its socket or `clamd://host:port`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname, parts.port, unquote(parts.path)
        self._proved_until = 0.0

    async def check(self) -> None:
        """Ask whether it is there, and when it was last shown to know malware was long ago, show it some.

        Raises Unavailable.
        """
        if time.monotonic() >= self._proved_until:
            await self._prove()
        elif (answer := await self._ask(b"zPING\0")) != "PONG":
            raise Unavailable(rules.SCANNER_REFUSED, answer)

    async def scan(self, pieces: AsyncIterator[bytes]) -> str:
        """The name of the malware that it finds in these bytes, taken as they come; empty when it finds none.

        Raises Unavailable when it comes to no verdict, and whatever `pieces` raises.
        """
        if time.monotonic() >= self._proved_until:
            await self._prove()
        return _verdict(await self._ask(b"zINSTREAM\0", pieces))

    async def _prove(self) -> None:
        if not _verdict(await self._ask(b"zINSTREAM\0", _test_file())):
            raise Unavailable(rules.SCANNER_BLIND)
        self._proved_until = time.monotonic() + PROOF_SECONDS

    async def _ask(self, command: bytes, pieces: AsyncIterator[bytes] | None = None) -> str:
        """Its answer to a command. Whatever keeps it from answering, it has to prove itself anew before it is believed."""
        proved_until, self._proved_until = self._proved_until, 0.0
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await self._connect()
        except OSError as error:  # A wait that has run out is one, too.
            raise Unavailable(rules.SCANNER_AWAY) from error
        try:
            async with asyncio.timeout(SCAN_SECONDS):
                answer = await _exchange(reader, writer, command, pieces)
        except TimeoutError as error:
            raise Unavailable(rules.SCANNER_AWAY) from error
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
        self._proved_until = proved_until
        return answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host:
            return await asyncio.open_connection(self._host, self._port, limit=ANSWER_LIMIT)
        return await asyncio.open_unix_connection(self._path, limit=ANSWER_LIMIT)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: bytes, pieces: AsyncIterator[bytes] | None
) -> str:
    """Say a command and read the answer. One that comes before all was said tells why it hears no more.

    Raises Unavailable when the connection broke, or the answer is none.
    """
    answering = asyncio.create_task(reader.readuntil(b"\0"))
    try:
        is_said = await _say(writer, command, pieces, answering)
        answer = (await answering)[:-1].decode("ascii", "replace")
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Unavailable(rules.SCANNER_REFUSED, type(error).__name__) from error
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
    if not is_said:
        raise Unavailable(rules.SCANNER_REFUSED, answer)
    return answer


async def _say(
    writer: asyncio.StreamWriter, command: bytes, pieces: AsyncIterator[bytes] | None, answering: asyncio.Task[bytes]
) -> bool:
    """Whether all was said: a command, and behind it the bytes that it is about, each piece with its length before it."""
    writer.write(command)
    try:
        if pieces is not None:
            async for piece in pieces:
                if answering.done():
                    return False
                writer.write(len(piece).to_bytes(LENGTH_BYTES, "big"))
                writer.write(piece)
                await writer.drain()
            writer.write(bytes(LENGTH_BYTES))
        await writer.drain()
    except ConnectionError:
        return False
    return True


async def _test_file() -> AsyncIterator[bytes]:
    yield b"".join(_EICAR)


def _verdict(answer: str) -> str:
    """The name of the malware that an answer tells of, empty for none. Raises Unavailable for an answer that is no verdict."""
    if answer == _CLEAN:
        return ""
    found = _FOUND.fullmatch(answer)
    if found is None or found[1].startswith(_EXCEEDED):
        raise Unavailable(rules.SCANNER_REFUSED, answer)
    return found[1]
