"""A large attachment up and down over HTTP, encrypted and digested, and how much memory the server takes for it."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import urllib3

from oa_server.settings import Settings
from oa_server.storage.objects import S3Store, open_store
from tests.bench.report import at_desk, figure, peak_memory, reset_peak_memory, serving
from tests.city import BODY, Browser, City

BYTES = int(os.environ.get("OA_BENCH_BYTES", str(1 << 30)))
PART = 8 << 20


async def up_and_down(settings: Settings, city: City, column: str) -> None:
    """One attachment through a server process, beside a plain copy with SHA-256, or beside the S3 client alone."""
    data = os.urandom(PART)
    with serving(settings) as pid:
        browser = await at_desk(settings, city, "wang")
        file = await _opened(browser, city)
        idle = reset_peak_memory(pid)
        up = await _seconds(lambda: _upload(browser, file, data))
        digest = sha256()
        down = await _seconds(lambda: _download(browser, file, digest))
        memory = peak_memory(pid) - idle
        whole = (await browser.get(f"/api/files/{file['id']}")).json()["sha256"] == digest.hexdigest()
    store = open_store(settings.object_store)
    limit = _s3(store, data) if isinstance(store, S3Store) else _copy(data)
    figure(
        "attachment", column, bytes=BYTES, up_mb_s=BYTES / up / 1e6, down_mb_s=BYTES / down / 1e6, whole=whole,
        limit="minio client" if isinstance(store, S3Store) else "plain copy with sha256",
        up_ratio=up / limit[0], down_ratio=down / limit[1], aim_ratio=1.3 if isinstance(store, S3Store) else 2.0,
        memory_above_idle_mib=memory, aim_memory_mib=100,
    )  # fmt: skip


async def _opened(browser: Browser, city: City) -> dict[str, Any]:
    draft = await browser.send("POST", "/api/documents", json={"elements": city.elements(), "body": BODY})
    body = {"name": "大附件.bin", "size": BYTES, "subject_type": "outgoing", "subject_id": draft.json()["id"]}
    return dict((await browser.send("POST", "/api/files", json=body)).json())


async def _upload(browser: Browser, file: dict[str, Any], data: bytes) -> None:
    for offset in range(0, BYTES, file["chunk"]):
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        length = min(file["chunk"], BYTES - offset)
        sent = _pieces(data, length)
        headers["Content-Length"] = str(length)
        (await browser.send("PATCH", f"/api/files/{file['id']}", content=sent, headers=headers)).raise_for_status()


async def _pieces(data: bytes, length: int) -> AsyncIterator[bytes]:
    """`length` bytes, the same part again and again."""
    for offset in range(0, length, PART):
        yield data[: min(PART, length - offset)]


async def _download(browser: Browser, file: dict[str, Any], digest: Any) -> None:
    """Through the HTTP client that the S3 client reads with, so that both ways are read alike."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    url = f"{browser.origin}/api/files/{file['id']}/content"
    _digest(urllib3.PoolManager().request("GET", url, headers={"Cookie": cookies}, preload_content=False), digest)


def _digest(response: urllib3.BaseHTTPResponse, digest: Any) -> None:
    while piece := response.read(1 << 20):
        digest.update(piece)
    response.release_conn()


async def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


def _copy(data: bytes) -> tuple[float, float]:
    """Seconds to copy the same bytes from file to file with SHA-256 and fsync, the measure for both ways."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        with source.open("wb") as file:
            for _ in range(0, BYTES, PART):
                file.write(data)
        digest, start = sha256(), time.perf_counter()
        with source.open("rb") as reading, (Path(folder) / "target").open("wb") as writing:
            while piece := reading.read(1 << 20):
                digest.update(piece)
                writing.write(piece)
            writing.flush()
            os.fsync(writing.fileno())
        seconds = time.perf_counter() - start
    return seconds, seconds


def _s3(store: S3Store, data: bytes) -> tuple[float, float]:
    """Seconds that the S3 client takes for the same bytes as one object in parts of the same size, up and down."""
    client, bucket = store._client, store._bucket
    start = time.perf_counter()
    client.put_object(bucket, "bench/large", _Repeated(data), BYTES, part_size=PART, num_parallel_uploads=1)
    up = time.perf_counter() - start
    start = time.perf_counter()
    response = client.get_object(bucket, "bench/large")
    _digest(response, sha256())
    return up, time.perf_counter() - start


class _Repeated(io.RawIOBase):
    """`BYTES` bytes, the same part again and again."""

    def __init__(self, data: bytes) -> None:
        self._data, self._left, self._at = data, BYTES, 0

    def read(self, size: int = -1) -> bytes:
        piece = self._data[self._at : self._at + min(size, self._left)]
        self._at = (self._at + len(piece)) % len(self._data)
        self._left -= len(piece)
        return piece
