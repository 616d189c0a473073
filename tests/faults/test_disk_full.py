"""The disk of the embedded column is full: writes are refused by name, reading goes on, and with room everything goes on."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from oa_server.core import clock
from oa_server.files.rules import PART_SIZE
from tests.conftest import COLUMNS, Founded, embedded, running
from tests.faults.house import at_free_port, code_of, distant, faults

pytestmark = pytest.mark.skipif("embedded" not in COLUMNS, reason="the production column keeps nothing on this disk")

ROOM = 24 << 20


class SmallDisk:
    """A small file system of its own; where mounting is not allowed, files that may not grow."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        folder.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        self.mounted = subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        if not self.mounted:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            return
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with suppress(OSError):
                    while file.write(b"x" * size):
                        pass

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    def remove(self) -> None:
        self.free()
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    disk = SmallDisk(folder, size)
    try:
        yield disk
    finally:
        disk.remove()


@pytest.fixture
def disk(founded_embedded: Founded, tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that has room for the founded city and a little more."""
    taken = sum(path.stat().st_size for path in founded_embedded.folder.rglob("*") if path.is_file())
    with small_disk(tmp_path / "disk", taken + ROOM) as found:
        shutil.copytree(founded_embedded.folder, found.folder / "var")
        yield found


async def test_full_and_freed(disk: SmallDisk) -> None:
    """A full disk refuses what would be written, by name and as often as tried; who reads notices nothing; with room all goes on."""
    async with running(embedded(disk.folder / "var")) as city:
        wang, li = await city.signed_in("wang"), await city.signed_in("li")
        path, data = await city.submitted(wang), os.urandom(2 * PART_SIZE)
        drafted, growing = [(await city.draft(wang)).json()["id"] for _ in range(2)]
        file = (await wang.begin_upload(growing, size=len(data))).json()["id"]
        assert (await wang.put_part(file, 0, data[:PART_SIZE])).status_code == 200
        disk.fill()
        for _attempt in range(3):
            assert code_of(await wang.put_part(file, PART_SIZE, data[PART_SIZE:])) == (503, "storage.store_full")
            assert code_of(await wang.act(f"/api/documents/{drafted}", "submit")) == (503, "storage.store_full")
            assert code_of(await city.draft(wang)) == (503, "storage.disk_full")
            assert code_of(await city.browser("zhou").http.post("/api/session/challenge")) == (503, "storage.disk_full")
            with clock.shifted(timedelta(minutes=5)):  # Long enough that reading would leave its mark on the session.
                for address in ("/api/tasks", path, f"{path}/pages.pdf"):
                    assert (await li.get(address)).status_code == 200, address
                assert (await wang.get(f"/api/files/{file}")).json()["offset"] == PART_SIZE
        disk.free()
        assert (await city.draft(wang)).status_code == 201
        assert (await wang.put_part(file, PART_SIZE, data[PART_SIZE:])).json()["state"] == "ready"
        assert (await wang.get(f"/api/files/{file}/content")).content == data
        assert (await wang.act(f"/api/documents/{drafted}", "submit")).status_code == 200
        assert len((await wang.get("/api/documents")).json()["items"]) == 4
        assert await faults(city.app.state.house) == []


async def test_the_log_is_on_the_full_disk(disk: SmallDisk) -> None:
    """A server whose log finds no room either answers all the same, and needs nobody's hands once there is room."""
    if not disk.mounted:
        pytest.skip("without a disk of its own the log cannot be told from the tests' own files")
    async with distant(at_free_port(embedded(disk.folder / "var"))) as city:
        wang = await city.signed_in("wang")
        disk.fill()
        for _attempt in range(200):  # More lines than any buffer holds.
            assert (await wang.get("/api/documents")).status_code == 200
        assert code_of(await city.draft(wang)) == (503, "storage.disk_full")
        disk.free()
        assert (await city.draft(wang)).status_code == 201
