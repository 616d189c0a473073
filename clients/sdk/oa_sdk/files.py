"""Bytes on their way from a file and into one: counted, digested and told of as they pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from oa_sdk.errors import Damaged

PIECE = 256 * 1024

Progress = Callable[[int, int], None]  # bytes that have passed, and all of them


class Readable(Protocol):
    """A file that can be read from any place."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Source:
    """A file that is sent, from any place in it. Every byte is digested once, however often it is sent."""

    def __init__(self, file: Readable, progress: Progress | None = None) -> None:
        self._file = file
        self._progress = progress
        self._hash, self._hashed = sha256(), 0
        self.size = file.seek(0, os.SEEK_END)
        self.first = self.last = 0  # what the next request sends: from one to before the other

    def pieces(self) -> Iterator[bytes]:
        """The bytes from `first` to `last`. Raises Damaged when the file has become shorter."""
        yield from self._read(self.first, self.last, self._tell)

    def digest(self) -> str:
        """The SHA-256 of the whole file, in hex."""
        self._catch_up(self.size)
        return self._hash.hexdigest()

    def _read(self, first: int, last: int, tell: Callable[[int], None]) -> Iterator[bytes]:
        self._catch_up(first)
        while first < last:
            self._file.seek(first)
            piece = self._file.read(min(PIECE, last - first))
            if not piece:
                raise Damaged("文件在上传过程中变短了")
            self._digest(first, piece)
            first += len(piece)
            yield piece
            tell(first)

    def _catch_up(self, offset: int) -> None:
        """Digest what lies before an offset from which is sent on, as after a restart."""
        for _piece in self._read(self._hashed, offset, lambda _passed: None) if self._hashed < offset else ():
            pass

    def _digest(self, first: int, piece: bytes) -> None:
        fresh = piece[max(0, self._hashed - first) :]
        self._hash.update(fresh)
        self._hashed += len(fresh)

    def _tell(self, passed: int) -> None:
        if self._progress is not None:
            self._progress(passed, self.size)


class Sink:
    """Where a file goes as it arrives. Raises whatever writing raises."""

    def __init__(self, file: Writable, size: int, progress: Progress | None = None) -> None:
        self._file, self._size, self._progress = file, size, progress
        self._hash, self.received = sha256(), 0

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._file.write(data)
        self._hash.update(data)
        self.received += len(data)
        if self._progress is not None:
            self._progress(self.received, self._size)

    def check(self, digest: str | None) -> None:
        """Raise Damaged unless this is what was to come (SHA-256 in hex)."""
        if self.received != self._size or self._hash.hexdigest() != digest:
            raise Damaged(f"收到 {self.received} 字节，应为 {self._size} 字节")


@contextmanager
def opened(source: Path | str | BinaryIO) -> Iterator[Readable]:
    """The file to be read; one that the caller opened stays open."""
    if isinstance(source, Path | str):
        with Path(source).open("rb") as file:
            yield file
    else:
        yield source


@contextmanager
def written(target: Path | str | BinaryIO) -> Iterator[Writable]:
    """The file to be written. Under a path it appears when it is whole: what breaks off leaves nothing."""
    if not isinstance(target, Path | str):
        yield target
        return
    path = Path(target)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def name_of(source: Path | str | BinaryIO, name: str | None) -> str:
    """What an attachment is called. Raises ValueError for a file object of which that is not known."""
    if name is not None:
        return name
    if isinstance(source, Path | str):
        return Path(source).name
    raise ValueError("say the `name` of an attachment that is read from a file object")
