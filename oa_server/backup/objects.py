"""Objects on their way into a folder of backups and out of it, a few at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from oa_server.backup.manifest import DATABASE, OBJECTS, Backup, Stored, sync
from oa_server.core.errors import NotFound, OaError, Unavailable
from oa_server.storage.objects import ObjectStore

AT_ONCE = 8
TRIES = 4

T = TypeVar("T")
Tell = Callable[[int, int], None]
"""Hears how many objects of how many are done."""


async def copy_out(
    store: ObjectStore, keys: set[str], folder: Path, known: dict[str, Stored], tell: Tell
) -> dict[str, Stored]:
    """Have each object in the folder, durable. Returns those that the store has; what it has lost is missing."""
    folder.mkdir(mode=0o700, exist_ok=True)
    done: dict[str, Stored] = {}
    count = 0

    async def copy(key: str) -> None:
        nonlocal count
        stored = known.get(key)
        if stored is None or not _lies(folder / key, stored.size):
            stored = await _fetched(store, key, folder)
        if stored is not None:
            done[key] = stored
        count += 1
        tell(count, len(keys))

    await side_by_side(sorted(keys), copy)
    for below in {folder, *(parent for key in keys for parent in (folder / key).parents if folder in parent.parents)}:
        if below.exists():
            sync(below)
    return done


def _lies(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


async def _fetched(store: ObjectStore, key: str, folder: Path) -> Stored | None:
    """Copy an object; None when the store does not have it. A store that is away for a moment is asked again."""
    for attempt in range(1, TRIES + 1):
        try:
            return await store.read(key, lambda pieces: _write(folder, key, pieces))
        except (NotFound, ValueError):  # ValueError: what no key of ours can be, in a row that was spoilt.
            return None
        except Unavailable:
            if attempt == TRIES:
                raise
            await asyncio.sleep(attempt)
    return None


def _write(folder: Path, key: str, pieces: Iterable[bytes]) -> Stored:
    path = folder
    for name in key.split("/"):
        path.mkdir(mode=0o700, exist_ok=True)  # One by one: `parents` would leave those in between open.
        path = path / name
    fresh, digest, size = path.with_name(f".{path.name}"), sha256(), 0
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    return Stored(digest.hexdigest(), size)


async def side_by_side(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do `work` on every item, a few at once; the first failure ends it."""
    waiting = iter(items)

    async def hand() -> None:
        for item in waiting:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(hand())
    except* OaError as failed:
        raise failed.exceptions[0] from None


def read_object(backup: Backup, key: str, stored: Stored) -> bytes | None:
    """An object's bytes, if they are those that were copied."""
    with suppress(OSError):
        data = (backup.objects / key).read_bytes()
        if len(data) == stored.size and sha256(data).hexdigest() == stored.sha256:
            return data
    return None


async def check(backup: Backup, tell: Tell) -> list[str]:
    """The files of a backup that are not what its manifest says; nothing is restored."""
    listed = backup.listed()
    spoilt = [] if await asyncio.to_thread(backup.has_its_database) else [DATABASE]

    async def look(item: tuple[int, str]) -> None:
        count, key = item
        if await asyncio.to_thread(read_object, backup, key, listed[key]) is None:
            spoilt.append(f"{OBJECTS}/{key}")
        tell(count, len(listed))

    await side_by_side(enumerate(sorted(listed), 1), look)
    return spoilt
