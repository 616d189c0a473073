"""One changed byte or row is told, and nothing honest is."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from oa_server.app import open_house
from oa_server.audit import actions as audit
from oa_server.verification import all_faults, sequence_all
from tests.city import BODY
from tests.conftest import Founded, embedded, running


@pytest.fixture(scope="module")
def busy_folder(founded_embedded: Founded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The city's data after one document was returned, revised and sent, with the head of the log signed."""
    folder = tmp_path_factory.mktemp("busy") / "var"
    founded_embedded.copy(folder)
    asyncio.run(_be_busy(folder))
    return folder


async def _be_busy(folder: Path) -> None:
    async with running(embedded(folder)) as city:
        people = ("wang", "li", "zhao", "chen", "sun", "qian", "zhou")
        wang, li, zhao, chen, sun, qian, zhou = [await city.signed_in(p) for p in people]
        draft = {"elements": city.elements(), "body": BODY}
        path = f"/api/documents/{(await wang.send('POST', '/api/documents', json=draft)).json()['id']}"
        await wang.act(path, "submit")
        returned = await li.sign(path, "return", reason="请补充主送机关")
        assert returned.json()["state"] == "drafting", returned.text
        etag = (await wang.get(path)).json()["etag"]
        only = city.elements(copies_to=[])
        revised = await wang.send("PATCH", path, json={"elements": only}, headers={"If-Match": etag})
        assert revised.status_code == 200, revised.text
        await wang.act(path, "submit")
        for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
            assert (await person.sign(path, verb, opinion="同意")).status_code == 200
        await sun.act(path, "number")
        await qian.sign(path, "seal", usage="seal")
        assert (await sun.sign(path, "dispatch")).status_code == 200
        arrived = (await zhou.get("/api/incoming")).json()["items"][0]
        await zhou.sign(f"/api/incoming/{arrived['id']}", "sign_for")
        await sequence_all()
        await audit.sign_head()
        await sequence_all()


@pytest.fixture
def busy(busy_folder: Path, tmp_path: Path) -> Path:
    """A copy of the busy city's data, for one test to spoil."""
    folder = tmp_path / "var"
    shutil.copytree(busy_folder, folder)
    return folder


async def faults(folder: Path) -> list[str]:
    async with open_house(embedded(folder)) as house:
        return [f"{fault.where}：{fault.what}" async for fault in all_faults(house)]


def tamper(folder: Path, statement: str) -> None:
    """What somebody with the database file could do."""
    connection = sqlite3.connect(folder / "oa.sqlite3")
    connection.execute("PRAGMA foreign_keys = OFF")
    changed = connection.execute(statement).rowcount
    connection.commit()
    connection.close()
    assert changed > 0, statement


async def test_honest(busy: Path) -> None:
    """After a whole story, return and revision included, everything agrees."""
    assert await faults(busy) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE responsibility SET role = 'leader' WHERE role = 'clerk'",
        "UPDATE signature SET signed_at = '2020-01-01 00:00:00+00:00'",
        "DELETE FROM opinion",
        "DELETE FROM audit_leaf WHERE seq >= 30",
        "DELETE FROM audit_head",
        "UPDATE audit_leaf SET digest = (SELECT digest FROM audit_leaf WHERE seq = 1) WHERE seq = 2",
    ],
)
async def test_changed_rows(busy: Path, statement: str) -> None:
    """What is done to many rows at once is told as well: everybody promoted, opinions gone, the end of the log cut off."""
    tamper(busy, statement)
    assert await faults(busy)


async def test_changed_object(busy: Path) -> None:
    """One changed byte of stored pages is named, and so is a missing file."""
    pages: list[Path] = sorted((busy / "objects" / "pages").rglob("*.enc"))
    data = bytearray(pages[0].read_bytes())
    data[len(data) // 2] ^= 1
    pages[0].write_bytes(bytes(data))
    pages[1].unlink()
    assert len(await faults(busy)) == 2
