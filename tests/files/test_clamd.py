"""The scanner's protocol, spoken by a peer that is broken or hostile: nothing but a verdict passes a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import hypothesis.strategies as st
import pytest

from oa_server.core.errors import Unavailable
from oa_server.files import clamd, rules
from oa_server.files.clamd import Clamd
from tests.servers import EICAR

FOUND = b"stream: Eicar FOUND\0"
CLEAN = b"stream: OK\0"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def heard(reader: asyncio.StreamReader) -> bytes:
    """What a client sends after `INSTREAM`, to its end."""
    found = b""
    while length := int.from_bytes(await reader.readexactly(4), "big"):
        found += await reader.readexactly(length)
    return found


@asynccontextmanager
async def serving(serve: Serve, folder: str = "") -> AsyncIterator[Clamd]:
    """A client of what `serve` plays, at a socket in `folder` or at a port; every connection is closed in the end."""
    under_way: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    path = Path(folder) / "ctl"
    started = asyncio.start_unix_server(connected, path) if folder else asyncio.start_server(connected, "127.0.0.1", 0)
    async with await started as server:
        port = None if folder else server.sockets[0].getsockname()[1]
        yield Clamd(f"clamd://{path}" if folder else f"clamd://127.0.0.1:{port}")
        await asyncio.gather(*under_way)


@asynccontextmanager
async def peer(answer: bytes, *, early: bool = False) -> AsyncIterator[Clamd]:
    """A client of a scanner that knows the test file, and answers so about everything else: `early`, before it has heard it."""
    tests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        if early and tests:
            writer.write(answer)
        data = await heard(reader)
        if data == b"".join(EICAR):
            tests.append(data)
            writer.write(FOUND)
        elif not early:
            writer.write(answer)
        await writer.drain()

    with TemporaryDirectory() as folder:
        async with serving(serve, folder) as scanner:
            yield scanner


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (CLEAN, ""),
        (b"stream: Win.Test.EICAR_HDB-1 FOUND\0", "Win.Test.EICAR_HDB-1"),
        (b"stream: Eicar(44d88612fea8a8f36de82e1278abb02f:68) FOUND\0", "Eicar"),
        (b"stream: OK FOUND\0", "OK"),
    ],
)
async def test_verdicts(answer: bytes, name: str) -> None:
    """What clamd found is told by its name alone, without the digest that Debian's settings have it add."""
    async with peer(answer) as scanner:
        assert await scanner.scan(pieces(b"a", b"b")) == name


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK",
        b"stream: OK\n\0",
        b"stream: ok\0",
        b" stream: OK\0",
        b"OK\0",
        b"\0",
        b"stream:  FOUND\0",
        b"stream: OK\r\nX: FOUND\0",
        b"stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND\0",
        b"INSTREAM size limit exceeded. ERROR\0",
        b"stream: \xd0\xbeK\0",
        b"A" * 100_000,
        b"stream: " + b"A" * 300 + b" FOUND\0",
    ],
)
async def test_what_is_no_verdict(answer: bytes) -> None:
    """An answer that is cut, malformed, too long, or tells of an error passes nothing and condemns nothing."""
    async with peer(answer) as scanner:
        with pytest.raises(Unavailable) as refused:
            await scanner.scan(pieces(b"data"))
        assert refused.value.reason is rules.SCANNER_REFUSED


@hypothesis.given(st.one_of(st.binary(max_size=80), st.binary(max_size=12).map(lambda tail: CLEAN[:-1] + tail)))
@hypothesis.settings(max_examples=60)
def test_only_ok_passes(answer: bytes) -> None:
    """Whatever a peer says, a file passes by `stream: OK` alone."""

    async def asked() -> bool:
        async with peer(answer) as scanner:
            try:
                return not await scanner.scan(pieces(b"data"))
            except Unavailable:
                return False

    assert asyncio.run(asked()) == answer.startswith(CLEAN)


async def test_a_verdict_before_the_end() -> None:
    """A peer that calls clean what it has not heard to its end is not believed."""
    async with peer(CLEAN, early=True) as scanner:
        await scanner.check()

        async def slowly() -> AsyncIterator[bytes]:
            for _piece in range(5):
                yield bytes(1000)
                await asyncio.sleep(0.02)

        with pytest.raises(Unavailable, match=rules.SCANNER_REFUSED.code):
            await scanner.scan(slowly())


async def test_it_proves_itself_anew() -> None:
    """A scanner that did not answer is shown the test file again before it is believed."""
    async with peer(CLEAN) as scanner:
        await scanner.scan(pieces(b"data"))
        assert scanner._proved_until > 0
        await scanner.scan(pieces(b"data"))
    with pytest.raises(Unavailable, match=rules.SCANNER_AWAY.code):
        await scanner.scan(pieces(b"data"))
    assert scanner._proved_until == 0


async def test_at_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner on another machine is asked at its host and port; one that hears and never answers is given up."""

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    monkeypatch.setattr(clamd, "SCAN_SECONDS", 0.2)
    async with serving(serve) as scanner:
        with pytest.raises(Unavailable, match=rules.SCANNER_AWAY.code):
            await scanner.check()
