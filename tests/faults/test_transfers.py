"""Uploads and downloads that break in the middle, and the memory that large ones take, over real HTTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from oa_server.app import open_house
from oa_server.files.access import part_keys
from oa_server.files.rules import PART_SIZE
from oa_server.settings import Settings
from oa_server.storage.objects import open_store
from tests.city import Browser
from tests.faults.house import DistantCity, at_free_port, code_of, distant, faults

MIB = 1 << 20
SPARE_MIB = 100


@pytest.fixture
async def city(settings: Settings) -> AsyncIterator[DistantCity]:
    async with distant(at_free_port(settings)) as found:
        yield found


async def drafted(city: DistantCity, browser: Browser) -> str:
    return str((await city.draft(browser)).json()["id"])


async def upload(browser: Browser, document: str, data: bytes) -> str:
    file = str((await browser.begin_upload(document, size=len(data))).json()["id"])
    for offset in range(0, len(data), PART_SIZE):
        (await browser.put_part(file, offset, data[offset : offset + PART_SIZE])).raise_for_status()
    return file


async def test_upload_cut_off(city: DistantCity) -> None:
    """A connection that breaks in the middle of a part leaves the upload after the part before, and the server quiet; then
    it goes on."""
    wang = await city.signed_in("wang")
    data = os.urandom(2 * PART_SIZE)
    file = (await wang.begin_upload(await drafted(city, wang), size=len(data))).json()["id"]

    async def breaking() -> AsyncIterator[bytes]:
        yield data[: PART_SIZE + MIB]
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await wang.put_part(file, 0, breaking())
    async with asyncio.timeout(10):
        while (await wang.get(f"/api/files/{file}")).json()["offset"] != PART_SIZE:
            await asyncio.sleep(0.05)
    done = (await wang.put_part(file, PART_SIZE, data[PART_SIZE:])).json()
    assert (done["state"], done["sha256"]) == ("ready", sha256(data).hexdigest())
    assert "Traceback" not in city.server.log.read_text("utf-8")


async def test_two_tabs_send_the_same_part(city: DistantCity) -> None:
    """Of two tabs that send different bytes for one part at once one is told to go on elsewhere, and the other's bytes stay."""
    wang = await city.signed_in("wang")
    document = await drafted(city, wang)
    for _attempt in range(5):
        file = (await wang.begin_upload(document, size=PART_SIZE)).json()["id"]
        sent = [os.urandom(PART_SIZE) for _ in range(3)]
        answers = await asyncio.gather(*(wang.put_part(file, 0, data) for data in sent))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
        kept = next(data for data, answer in zip(sent, answers, strict=True) if answer.status_code == 200)
        assert (await wang.get(f"/api/files/{file}/content")).content == kept
    city.server.stop()
    async with open_house(city.settings) as house:
        assert await faults(house) == []


async def test_download_that_fails_in_the_middle(city: DistantCity) -> None:
    """When a later part has been changed the transfer breaks off; when the first has, a problem says so before any byte."""
    wang = await city.signed_in("wang")
    file = await upload(wang, await drafted(city, wang), os.urandom(2 * PART_SIZE))
    async with open_house(city.settings):
        keys = await part_keys(file, 0, 1)
    store = open_store(city.settings.object_store)
    for number in (1, 0):
        changed = bytearray(await store.get(keys[number]))
        changed[-40] ^= 1
        await store.put(keys[number], bytes(changed))
        if number == 1:
            with pytest.raises(httpx.RemoteProtocolError):
                await wang.get(f"/api/files/{file}/content")
    assert code_of(await wang.get(f"/api/files/{file}/content")) == (409, "files.changed")


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(256 * MIB, id="256MiB"),
        pytest.param(1024 * MIB, id="1GiB", marks=[pytest.mark.campaign, pytest.mark.timeout(600)]),
    ],
)
async def test_memory_stays_flat(size: int, city: DistantCity) -> None:
    """A large file goes up and comes down whole, and the server never takes more than 100 MiB beyond what it takes idle."""
    wang = await city.signed_in("wang")
    document = await drafted(city, wang)
    await upload(wang, document, b"warm")  # What is loaded on first use is not the file's.
    idle = peak_mib(city.server.pid)
    begun, sent = (await wang.begin_upload(document, size=size)).json(), sha256()
    for offset in range(0, size, begun["chunk"]):
        parts = os.urandom(begun["chunk"])
        sent.update(parts)
        (await wang.put_part(begun["id"], offset, parts)).raise_for_status()
    came = sha256()
    async with wang.http.stream("GET", f"/api/files/{begun['id']}/content") as answer:
        async for piece in answer.aiter_bytes():
            came.update(piece)
    assert came.hexdigest() == sent.hexdigest()
    assert peak_mib(city.server.pid) - idle <= SPARE_MIB


def peak_mib(pid: int) -> float:
    """The most memory that a process has held since it was last asked."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")
    return peak
