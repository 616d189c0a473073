"""Attachments: up in parts, encrypted, whole, and for the right eyes only."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

import httpx
import pytest

from oa_server.files.access import part_keys
from oa_server.files.rules import PART_SIZE
from tests.city import Browser, City


async def drafted(city: City, browser: Browser) -> str:
    return str((await city.draft(browser)).json()["id"])


async def uploaded(browser: Browser, document: str, data: bytes, name: str = "附件.bin") -> dict[str, Any]:
    file = (await browser.begin_upload(document, name=name, size=len(data))).json()
    for offset in range(0, len(data), PART_SIZE):
        answer = await browser.put_part(file["id"], offset, data[offset : offset + PART_SIZE])
        assert answer.status_code == 200, answer.text
    return dict(answer.json())


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def test_up_and_down(city: City) -> None:
    """A file of several parts comes back byte for byte, whole or in a range, under its own name."""
    wang = await city.signed_in("wang")
    data = os.urandom(PART_SIZE + 1234)
    file = await uploaded(wang, await drafted(city, wang), data, "实施方案（附表）.xlsx")
    assert (file["state"], file["sha256"]) == ("ready", sha256(data).hexdigest())
    whole = await wang.get(f"/api/files/{file['id']}/content")
    assert whole.content == data
    assert "filename*=UTF-8''%E5%AE%9E" in whole.headers["content-disposition"]
    assert whole.headers["content-security-policy"].startswith("sandbox")
    ranged = await wang.get(
        f"/api/files/{file['id']}/content", headers={"Range": f"bytes={PART_SIZE - 5}-{PART_SIZE + 4}"}
    )
    assert (ranged.status_code, ranged.content) == (206, data[PART_SIZE - 5 : PART_SIZE + 5])
    tail = await wang.get(f"/api/files/{file['id']}/content", headers={"Range": "bytes=-7"})
    assert tail.content == data[-7:]
    beyond = await wang.get(f"/api/files/{file['id']}/content", headers={"Range": f"bytes={len(data)}-"})
    assert code_of(beyond) == (422, "files.bad_range")


async def test_cut_off_and_continued(city: City) -> None:
    """An upload that was cut off goes on from where the server says, also when the running digest is gone."""
    wang = await city.signed_in("wang")
    data = os.urandom(2 * PART_SIZE + 99)
    file = (await wang.begin_upload(await drafted(city, wang), size=len(data))).json()
    await wang.put_part(file["id"], 0, data[:PART_SIZE])
    city.app.state.files._hashers.clear()
    told = (await wang.get(f"/api/files/{file['id']}")).json()
    assert told["offset"] == PART_SIZE
    assert code_of(await wang.put_part(file["id"], 0, data[:PART_SIZE])) == (409, "files.wrong_offset")
    await wang.put_part(file["id"], PART_SIZE, data[PART_SIZE : 2 * PART_SIZE])
    done = await wang.put_part(file["id"], 2 * PART_SIZE, data[2 * PART_SIZE :])
    assert done.json()["sha256"] == sha256(data).hexdigest()


async def test_several_parts_in_one_request(city: City) -> None:
    """A request brings as many parts as the server says; those before a wrong one count, and it goes on after them."""
    wang = await city.signed_in("wang")
    data = os.urandom(3 * PART_SIZE + 99)
    file = (await wang.begin_upload(await drafted(city, wang), size=len(data))).json()
    assert file["chunk"] >= len(data)
    assert code_of(await wang.put_part(file["id"], 0, data[: 2 * PART_SIZE + 50])) == (422, "files.bad_part")
    assert (await wang.get(f"/api/files/{file['id']}")).json()["offset"] == 2 * PART_SIZE
    done = await wang.put_part(file["id"], 2 * PART_SIZE, data[2 * PART_SIZE :])
    assert (done.json()["state"], done.json()["sha256"]) == ("ready", sha256(data).hexdigest())
    assert (await wang.get(f"/api/files/{file['id']}/content")).content == data


async def test_parts_of_the_wrong_size(city: City) -> None:
    """A part that is cut or too long is refused, and nothing of it counts."""
    wang = await city.signed_in("wang")
    file = (await wang.begin_upload(await drafted(city, wang), size=100)).json()
    assert code_of(await wang.put_part(file["id"], 0, b"x" * 50)) == (422, "files.bad_part")
    assert code_of(await wang.put_part(file["id"], 0, b"x" * 101)) == (422, "files.bad_part")
    assert code_of(await wang.put_part(file["id"], 0, b"x" * (PART_SIZE + 1))) == (422, "files.bad_part")
    assert code_of(await wang.put_part(file["id"], 0, bytes(file["chunk"] + 1))) == (413, "web.too_large")
    assert (await wang.get(f"/api/files/{file['id']}")).json()["offset"] == 0


@pytest.mark.norm("A-5.2–5.4")
@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b", "a:b", "..", " . ", "甲\u202e乙.pdf", "x" * 201, "a\nb"])
async def test_names(city: City, name: str) -> None:
    """Names that climb folders, hide or mislead are refused."""
    wang = await city.signed_in("wang")
    assert code_of(await wang.begin_upload(await drafted(city, wang), name=name)) == (422, "files.bad_name")


async def test_sizes(city: City) -> None:
    """Empty files and files above the limit are refused before a byte is sent."""
    wang = await city.signed_in("wang")
    document = await drafted(city, wang)
    assert code_of(await wang.begin_upload(document, size=0)) == (422, "files.empty")
    assert code_of(await wang.begin_upload(document, size=(1 << 30) + 1)) == (413, "files.too_big")


async def test_submitting_waits_for_uploads(city: City) -> None:
    """A draft whose attachment is still on its way is not submitted; removed, it is."""
    wang = await city.signed_in("wang")
    document = await drafted(city, wang)
    file = (await wang.begin_upload(document)).json()
    refused = await wang.act(f"/api/documents/{document}", "submit")
    assert code_of(refused) == (409, "documents.files_uploading")
    assert (await wang.send("DELETE", f"/api/files/{file['id']}")).status_code == 204
    assert (await wang.act(f"/api/documents/{document}", "submit")).status_code == 200


@pytest.mark.norm("D-8.1.4.2e/f")
async def test_eyes(city: City) -> None:
    """Others get the same 404 as for a file that does not exist; the receiving organ reads it once it was sent."""
    wang, li, zhao, chen, sun, qian, zhou = [
        await city.signed_in(p) for p in ("wang", "li", "zhao", "chen", "sun", "qian", "zhou")
    ]
    document = await drafted(city, wang)
    path, file = f"/api/documents/{document}", await uploaded(wang, document, b"attachment")
    content = f"/api/files/{file['id']}/content"
    assert code_of(await zhou.get(content)) == (404, "core.not_found")
    assert (await zhou.begin_upload(document)).status_code == 404
    await wang.act(path, "submit")
    assert code_of(await wang.begin_upload(document)) == (403, "documents.not_drafting")
    for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
        await person.sign(path, verb, opinion="同意")
    await sun.act(path, "number")
    await qian.sign(path, "seal", usage="seal")
    await sun.sign(path, "dispatch")
    assert (await zhou.get(content)).content == b"attachment"
    arrived = (await zhou.get("/api/incoming")).json()["items"][0]
    shown = (await zhou.get(f"/api/incoming/{arrived['id']}")).json()
    assert [item["name"] for item in shown["attachments"]] == ["附件.bin"]


@pytest.mark.norm("D-8.1.4.7a/b", "M-8.4e")
async def test_a_changed_object_is_not_given_out(city: City) -> None:
    """A flipped byte in the store is a coded refusal, never the wrong bytes; nothing readable lies in the store."""
    wang = await city.signed_in("wang")
    secret = "绝密级测试文本".encode() * 100
    file = await uploaded(wang, await drafted(city, wang), secret)
    store, key = city.app.state.house.store, (await part_keys(file["id"], 0, 0))[0]
    stored = bytearray(await store.get(key))
    assert secret[:30] not in stored
    stored[-40] ^= 1
    await store.put(key, bytes(stored))
    assert code_of(await wang.get(f"/api/files/{file['id']}/content")) == (409, "files.changed")
    await store.delete(key)
    assert code_of(await wang.get(f"/api/files/{file['id']}/content")) == (409, "files.changed")
