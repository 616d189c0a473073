"""The object store: bytes by key, written once, in a local folder or behind S3.

Objects are small pieces (attachments come in parts of 8 MiB), so they pass through memory whole; what is large is the
number of them. `put` returns only when the bytes are durable, and keys are ours alone: letters, digits, `-`, `.` and `/`.
"""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import anyio
import anyio.to_thread

from oa_server.core.errors import NOT_FOUND, NotFound, Reason, Unavailable

STORE_AWAY = Reason(
    "storage.store_away",
    "附件存储暂时无法访问，操作未生效，请稍后重试",
    "The object store is away; nothing was changed.",
)
STORE_FULL = Reason(
    "storage.store_full",
    "附件存储空间已满，操作未生效，请联系系统管理员",
    "The object store is full; nothing was changed.",
)

_KEY = re.compile(r"\A[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)*\Z")
FOLDERS_KNOWN = 10_000
DRAFTS = ".drafts"
S3_THREADS = 16
PIECE = 1 << 20
# A store that hangs is given up in time for the request that waits for it; eight MiB take well under a second.
CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 3, 6, 7
LISTING_SECONDS = 600

T = TypeVar("T")
Data = bytes | Iterator[bytes]


class ObjectStore(Protocol):
    async def prepare(self) -> None:
        """Make the place where objects go, when there is none yet. Raises Unavailable."""

    async def put(self, key: str, data: Data) -> None:
        """Store `data`, whole or piece by piece as it is made; durable when this returns. Raises Unavailable.

        Pieces are made in a thread of the store's, each when the one before has been taken.
        """

    async def read(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T:
        """What `take` makes of the bytes of an object, which come piece by piece, in a thread of the store's.

        Raises NotFound, Unavailable, and whatever `take` raises.
        """

    async def get(self, key: str) -> bytes:
        """The bytes of an object. Raises NotFound, Unavailable."""
        return await self.read(key, b"".join)

    async def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is the same as removing it."""

    async def keys(self) -> list[str]:
        """The keys of all objects there are. Raises Unavailable."""

    async def clear_drafts(self, before: datetime) -> None:
        """Remove what was begun before a moment and never became an object: its process was killed. Raises Unavailable."""


def open_store(url: str) -> ObjectStore:
    """The store of `file:///PATH` or `s3://ACCESS:SECRET@host:port/bucket?secure=0|1`."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalFolderStore(Path(unquote(parts.path)))
    if parts.scheme != "s3":
        raise ValueError(f"object_store_url: {parts.scheme} is not file or s3")
    return S3Store(
        endpoint=f"{parts.hostname}:{parts.port or 443}",
        access_key=unquote(parts.username or ""),
        secret_key=unquote(parts.password or ""),
        bucket=parts.path.strip("/"),
        secure=parse_qs(parts.query).get("secure", ["1"]) == ["1"],
    )


def _check_key(key: str) -> str:
    if not _KEY.match(key) or ".." in key:
        raise ValueError(f"{key!r} is no object key")
    return key


class LocalFolderStore(ObjectStore):
    """Objects as files below one folder: written among the drafts, synced, renamed into place, and the folder synced too."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._settled: set[Path] = set()

    async def prepare(self) -> None:
        try:
            await anyio.to_thread.run_sync(self._settle, self._root)
        except OSError as error:
            raise Unavailable(STORE_AWAY) from error

    async def put(self, key: str, data: Data) -> None:
        path = self._root / _check_key(key)
        try:
            await anyio.to_thread.run_sync(self._write, path, _pieces(data))
        except OSError as error:
            raise Unavailable(STORE_FULL if error.errno in {27, 28, 122} else STORE_AWAY) from error

    async def read(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(self._read, self._root / _check_key(key), take)
        except FileNotFoundError:
            raise NotFound(NOT_FOUND) from None
        except OSError as error:
            raise Unavailable(STORE_AWAY) from error

    @staticmethod
    def _read(path: Path, take: Callable[[Iterator[bytes]], T]) -> T:
        with path.open("rb", buffering=0) as file:
            return take(iter(lambda: file.read(PIECE), b""))

    async def delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            await anyio.to_thread.run_sync((self._root / _check_key(key)).unlink)

    async def keys(self) -> list[str]:
        return await anyio.to_thread.run_sync(self._keys)

    def _keys(self) -> list[str]:
        """What is still being written has a name that is no key."""
        files = (path for path in self._root.rglob("*") if path.is_file() and not path.name.startswith("."))
        return [path.relative_to(self._root).as_posix() for path in files]

    async def clear_drafts(self, before: datetime) -> None:
        try:
            await anyio.to_thread.run_sync(self._clear_drafts, before.timestamp())
        except OSError as error:
            raise Unavailable(STORE_AWAY) from error

    def _clear_drafts(self, before: float) -> None:
        for draft in (self._root / DRAFTS).glob(".*"):
            with suppress(FileNotFoundError):  # It has just taken its place.
                if draft.stat().st_mtime < before:
                    draft.unlink()

    def _write(self, path: Path, pieces: Iterable[bytes]) -> None:
        drafts = self._root / DRAFTS
        for folder in (path.parent, drafts):
            self._settle(folder)
        _write(path, drafts / f".{secrets.token_hex(16)}", pieces)

    def _settle(self, folder: Path) -> None:
        """Make a folder, and have its name and those above it durable too: once per process, whoever made them."""
        if folder in self._settled and folder.is_dir():
            return
        if self._root in folder.parents or not folder.parent.exists():
            self._settle(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)
        if len(self._settled) >= FOLDERS_KNOWN:
            self._settled.clear()
        self._settled.add(folder)


def _pieces(data: Data) -> Iterable[bytes]:
    return [data] if isinstance(data, bytes) else data


def _write(path: Path, fresh: Path, pieces: Iterable[bytes]) -> None:
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with io.FileIO(handle, "wb") as file:
            for piece in pieces:
                _append(file, piece)
            os.fsync(file.fileno())
        fresh.rename(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _append(file: io.FileIO, piece: bytes) -> None:
    """Write a piece and have the disk begin with it at once, so that it is busy while the next piece is made."""
    start, view = file.tell(), memoryview(piece)
    while view:
        view = view[file.write(view) :]
    os.posix_fadvise(file.fileno(), start, len(piece), os.POSIX_FADV_DONTNEED)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class S3Store(ObjectStore):
    """Objects in one bucket, through the minio client in threads of their own."""

    def __init__(self, *, endpoint: str, access_key: str, secret_key: str, bucket: str, secure: bool) -> None:
        import urllib3
        from minio import Minio

        # The client's own defaults wait five minutes and try five times, which no official would sit through.
        pool = urllib3.PoolManager(
            maxsize=S3_THREADS,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=urllib3.Retry(total=1, backoff_factor=0.2),
        )
        self._client = Minio(
            endpoint, access_key=access_key, secret_key=secret_key, secure=secure, region="us-east-1", http_client=pool
        )
        self._bucket = bucket
        self._limiter = anyio.CapacityLimiter(S3_THREADS)

    async def put(self, key: str, data: Data) -> None:
        _check_key(key)
        await self._run(lambda: self._put(key, b"".join(_pieces(data))))

    def _put(self, key: str, data: bytes) -> None:
        self._client.put_object(self._bucket, key, io.BytesIO(data), len(data))

    async def read(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T:
        return await self._run(lambda: self._read(_check_key(key), take))

    def _read(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T:
        response = self._client.get_object(self._bucket, key)
        try:
            return take(iter(lambda: response.read(PIECE, decode_content=False), b""))
        finally:
            response.close()
            response.release_conn()

    async def delete(self, key: str) -> None:
        await self._run(lambda: self._client.remove_object(self._bucket, _check_key(key)))

    async def keys(self) -> list[str]:
        """Asked a page at a time by the client, so a large bucket takes longer than the wait of a request."""
        return await self._run(
            lambda: [item.object_name for item in self._client.list_objects(self._bucket, recursive=True)],
            seconds=LISTING_SECONDS,
        )

    async def clear_drafts(self, before: datetime) -> None:
        """What is put here is there whole or not at all."""

    async def prepare(self) -> None:
        def ensure() -> None:
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket)

        await self._run(ensure)

    async def _run(self, call: Callable[[], T], *, seconds: float = ANSWER_SECONDS) -> T:
        import urllib3.exceptions
        from minio.error import MinioException, S3Error

        try:
            with anyio.fail_after(seconds):
                # A thread that still waits for the store is left to itself; whatever it puts, no row names.
                return await anyio.to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)
        except S3Error as error:
            if error.code in {"NoSuchKey", "NoSuchObject"}:
                raise NotFound(NOT_FOUND) from error
            raise Unavailable(STORE_AWAY) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(STORE_AWAY) from error
