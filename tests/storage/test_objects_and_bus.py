"""The object store and the bus, each of their kinds, with real servers behind."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from oa_server.core.errors import NotFound, Unavailable
from oa_server.storage.bus import RECONNECT_SECONDS, open_bus
from oa_server.storage.objects import LocalFolderStore, ObjectStore, open_store
from tests import servers
from tests.audit.test_command_line import oa
from tests.conftest import Founded, embedded


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(f"file://{tmp_path / 'objects'}")
    founded: Founded = request.getfixturevalue("founded_production")
    return open_store(founded.objects)


async def test_put_get_delete(store: ObjectStore) -> None:
    """What was put is read back byte for byte; what was deleted is not found, and deleting it again is no error."""
    data = os.urandom(300_000)
    await store.put("files/a/000001", data)
    assert await store.get("files/a/000001") == data
    await store.put("files/a/000001", b"second")
    assert await store.get("files/a/000001") == b"second"
    await store.delete("files/a/000001")
    await store.delete("files/a/000001")
    with pytest.raises(NotFound):
        await store.get("files/a/000001")


async def test_put_piece_by_piece(store: ObjectStore) -> None:
    """An object may be stored as it is made; when the making fails nothing of it is there, and what was there before stays."""
    pieces = [os.urandom(size) for size in (1 << 20, 0, 70_001, 1)]
    await store.put("files/b/000001", iter(pieces))
    assert await store.get("files/b/000001") == b"".join(pieces)

    def broken() -> Iterator[bytes]:
        yield pieces[0]
        raise RuntimeError("no more")

    for key in ("files/b/000001", "files/b/000002"):
        with pytest.raises(RuntimeError, match="no more"):
            await store.put(key, broken())
    assert await store.get("files/b/000001") == b"".join(pieces)
    with pytest.raises(NotFound):
        await store.get("files/b/000002")


async def test_read_piece_by_piece(store: ObjectStore) -> None:
    """An object is made use of as it comes, never held whole; what the use refuses comes through, and the next one is served."""
    data = os.urandom((2 << 20) + 70_001)
    await store.put("files/c/000001", data)
    pieces = await store.read("files/c/000001", list)
    assert b"".join(pieces) == data
    assert len(pieces) > 2

    def refuse(given: Iterator[bytes]) -> None:
        raise RuntimeError(len(next(given)))

    for _ in range(20):
        with pytest.raises(RuntimeError):
            await store.read("files/c/000001", refuse)
    assert await store.read("files/c/000001", lambda given: sum(map(len, given))) == len(data)
    with pytest.raises(NotFound):
        await store.read("files/c/000002", list)


async def test_the_folders_above_are_durable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When an object is stored, so are the names of all folders on the way to it, also in a process that found them there."""
    synced: set[str] = set()
    sync = os.fsync

    def note(handle: int) -> None:
        synced.add(str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    for _process in range(2):
        store = open_store(f"file://{tmp_path / 'var' / 'objects'}")
        synced.clear()
        await store.put("files/a/000001", b"x")
        folders = [tmp_path / "var", tmp_path / "var/objects", tmp_path / "var/objects/files"]
        assert synced >= {str(folder) for folder in (*folders, folders[-1] / "a")}
    shutil.rmtree(tmp_path / "var" / "objects" / "files")
    await store.put("files/a/000002", b"y")
    assert await store.get("files/a/000002") == b"y"


async def test_a_store_is_made_ready(tmp_path: Path, founded_production: Founded) -> None:
    """`oa migrate` makes the folder or the bucket, finds it made the next time, and says in a sentence that it cannot."""
    bucket = founded_production.objects.replace("/oa-objects", "/oa-fresh")
    for url in (f"file://{tmp_path / 'fresh' / 'objects'}", bucket):
        for _time in range(2):
            await open_store(url).prepare()
        store = open_store(url)
        await store.put("files/a/000001", b"x")
        assert await store.get("files/a/000001") == b"x"
    settings = embedded(
        tmp_path / "var", object_store_url=f"s3://a:b@127.0.0.1:{servers.free_port()}/oa-objects?secure=0"
    )
    refused = oa(settings, "migrate")
    assert (refused.returncode, "附件存储暂时无法访问" in refused.stderr) == (1, True), refused.stderr


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a//b", "a/../b", "", "A", "a\0b", "名"])
async def test_keys_stay_inside(store: ObjectStore, key: str) -> None:
    """A key that is not one of ours is a fault of the program, whatever the store."""
    with pytest.raises(ValueError, match="no object key"):
        await store.put(key, b"x")


async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """When a file cannot grow the refusal says so, and no half object is left."""
    import resource
    import signal

    store = LocalFolderStore(tmp_path / "objects")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(Unavailable) as refused:
            await store.put("files/big", os.urandom(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert refused.value.code == "storage.store_full"
    assert not [p for p in (tmp_path / "objects").rglob("*") if p.is_file()]


async def test_a_store_that_is_away() -> None:
    """A store nobody answers for is refused within seconds, by name."""
    store = open_store(f"s3://a:b@127.0.0.1:{servers.free_port()}/oa-objects?secure=0")
    with pytest.raises(Unavailable) as refused:
        await store.get("files/a")
    assert refused.value.code == "storage.store_away"


@pytest.mark.parametrize("kind", ["local", "postgres", "redis"])
async def test_a_wake_up_arrives(kind: str, request: pytest.FixtureRequest) -> None:
    """Whoever listens is woken, in this process and over both servers."""
    founded: Founded = request.getfixturevalue("founded_production")
    url = {"local": "local:", "postgres": "postgres:", "redis": founded.bus}[kind]
    woken = asyncio.Event()
    async with open_bus(url, founded.cluster) as bus:
        running = asyncio.create_task(bus.run(woken.set))
        async with asyncio.timeout(10):
            while not woken.is_set():
                bus.notify()
                await asyncio.sleep(0.05)
        running.cancel()


@pytest.mark.parametrize("kind", ["postgres", "redis"])
async def test_a_bus_that_comes_later(kind: str, tmp_path: Path) -> None:
    """A bus that is away when it is first asked for is asked again and again, and carries wake-ups once it is there."""
    server = servers.Redis(tmp_path) if kind == "redis" else servers.Postgres()
    url, woken = server.url if kind == "redis" else "postgres:", asyncio.Event()
    async with open_bus(url, server.url) as bus:
        running = asyncio.create_task(bus.run(woken.set))
        bus.notify()
        await asyncio.sleep(0.5)
        assert not woken.is_set()
        with server:
            while not woken.is_set():
                bus.notify()
                await asyncio.sleep(0.05)
            running.cancel()


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_it_ends_when_told(founded_production: Founded, kind: str) -> None:
    """Told to end at any moment, also while it passes a wake-up on, the bus ends, and at once."""
    url = {"postgres": "postgres:", "redis": founded_production.bus}[kind]

    async def begin_and_end(delay: float) -> None:
        async with open_bus(url, founded_production.cluster) as bus:
            running = asyncio.create_task(bus.run(lambda: None))
            bus.notify()
            await asyncio.sleep(delay)
            running.cancel()
            done, _ = await asyncio.wait([running], timeout=RECONNECT_SECONDS * 0.75)
            assert done

    for step in range(120):
        asyncio.run(begin_and_end(step / 20_000))
