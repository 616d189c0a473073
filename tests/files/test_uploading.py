"""Attachments under way: removed, crowded, and continued by a process that has forgotten them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import httpx
import pytest

from oa_server.core.errors import Denied
from oa_server.demo.enrolment import actor_named
from oa_server.documents import pages
from oa_server.documents.layout.model import text_digest
from oa_server.documents.models import OutgoingDocument
from oa_server.files import access, actions
from oa_server.files.models import FileState
from oa_server.files.rules import NOT_UPLOADER, PART_SIZE
from oa_server.storage.objects import S3Store, open_store
from tests.city import Browser, City


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def begun(city: City, browser: Browser, size: int) -> str:
    document = (await city.draft(browser)).json()["id"]
    return str((await browser.begin_upload(document, size=size)).json()["id"])


async def nothing() -> AsyncIterator[bytes]:
    for part in ():
        yield part


async def test_not_complete_is_not_given_out(city: City) -> None:
    """A file of which a part is missing has no content yet, and says so."""
    wang = await city.signed_in("wang")
    file = await begun(city, wang, PART_SIZE + 5)
    await wang.put_part(file, 0, bytes(PART_SIZE))
    assert code_of(await wang.get(f"/api/files/{file}/content")) == (404, "files.not_ready")


async def test_removed_while_under_way(city: City) -> None:
    """A removed file is gone for everybody, its next part too; of two who remove it at once one finds it gone."""
    wang = await city.signed_in("wang")
    file = await begun(city, wang, PART_SIZE + 5)
    await wang.put_part(file, 0, bytes(PART_SIZE))
    removals = await asyncio.gather(*(wang.send("DELETE", f"/api/files/{file}") for _ in range(2)))
    first, second = sorted(answer.status_code for answer in removals)
    assert first == 204
    assert second in {404, 409}
    assert (await wang.put_part(file, PART_SIZE, bytes(5))).status_code == 404
    assert (await wang.get(f"/api/files/{file}")).status_code == 404


async def test_only_the_uploader(city: City) -> None:
    """Whoever did not begin an upload neither continues nor removes it, whatever else they may do."""
    wang = await city.signed_in("wang")
    file = await access.file(await begun(city, wang, 10))
    keeper, li = city.app.state.files, await actor_named("li")
    for attempt in (keeper.write_parts(li, file, 0, nothing()), keeper.remove(li, file)):
        with pytest.raises(Denied) as refused:
            await attempt
        assert refused.value.reason is NOT_UPLOADER


def objects_of(city: City, file: str) -> int:
    """How many objects there are of a file in the object store."""
    store = open_store(city.settings.object_store)
    if isinstance(store, S3Store):
        return len(list(store._client.list_objects(store._bucket, f"files/{file}/")))
    return len(list((city.settings.data_dir / "objects" / "files" / file).iterdir()))


async def test_sent_twice_at_once(city: City) -> None:
    """Of two tabs that send the same parts one is told where the other has come to; each part counts once and lies there
    once, and it ends whole."""
    wang = await city.signed_in("wang")
    data = os.urandom(3 * PART_SIZE + 7)
    file = await begun(city, wang, len(data))
    answers = await asyncio.gather(*(wang.put_part(file, 0, data) for _ in range(2)))
    refused = [code_of(answer) for answer in answers if answer.status_code != 200]
    assert refused in ([(409, "files.wrong_offset")], [(409, "files.wrong_offset")] * 2)
    told = (await wang.get(f"/api/files/{file}")).json()
    if told["state"] == "uploading":
        told = (await wang.put_part(file, told["offset"], data[told["offset"] :])).json()
    assert (told["state"], told["sha256"]) == ("ready", sha256(data).hexdigest())
    assert objects_of(city, file) == 4
    assert (await wang.get(f"/api/files/{file}/content")).content == data


@pytest.mark.parametrize("offset", ["", "-1", "1e3", "１"])
async def test_offsets_that_are_none(city: City, offset: str) -> None:
    """An offset is a plain number of bytes."""
    wang = await city.signed_in("wang")
    file = await begun(city, wang, 10)
    headers = {"Upload-Offset": offset.encode("utf-8"), "Content-Type": "application/offset+octet-stream"}
    answer = await wang.send("PATCH", f"/api/files/{file}", content=bytes(10), headers=headers)
    assert code_of(answer) == (422, "web.invalid")


async def test_crowded(city: City) -> None:
    """When as many parts as there are places for are being worked on, the next is told to come again, and then succeeds."""
    wang = await city.signed_in("wang")
    file = await begun(city, wang, 10)
    places: asyncio.Semaphore = city.app.state.files._places
    for _ in range(actions.PARTS_AT_ONCE):
        await places.acquire()
    assert code_of(await wang.put_part(file, 0, bytes(10))) == (503, "files.busy")
    for _ in range(actions.PARTS_AT_ONCE):
        places.release()
    assert (await wang.put_part(file, 0, bytes(10))).json()["state"] == "ready"


async def test_more_uploads_than_digests_are_kept(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads that take turns end with the right digest, also when the server remembers only the last one's."""
    monkeypatch.setattr(actions, "HASHERS_KEPT", 1)
    wang = await city.signed_in("wang")
    sent = {await begun(city, wang, PART_SIZE + 7): os.urandom(PART_SIZE + 7) for _ in range(3)}
    done: dict[str, Any] = {}
    for offset in (0, PART_SIZE):
        for file, data in sent.items():
            done[file] = (await wang.put_part(file, offset, data[offset : offset + PART_SIZE])).json()
    assert {file: answer["sha256"] for file, answer in done.items()} == {
        f: sha256(d).hexdigest() for f, d in sent.items()
    }


async def test_attachments_while_their_document_is_submitted(city: City) -> None:
    """An attachment that is removed or begun while its draft is sent to review is on the reviewers' pages as it is, or waits."""
    wang = await city.signed_in("wang")
    for attempt in range(8):
        document = (await city.draft(wang)).json()["id"]
        file = (await wang.begin_upload(document, size=10)).json()["id"]
        await wang.put_part(file, 0, bytes(10))
        submitting = asyncio.create_task(wang.act(f"/api/documents/{document}", "submit"))
        await asyncio.sleep(attempt / 50)
        await wang.send("DELETE", f"/api/files/{file}")
        await wang.begin_upload(document, size=10)
        submitted = await submitting
        assert submitted.status_code in {200, 409}, submitted.text
        if submitted.status_code == 200:
            row = await OutgoingDocument.get(id=document)
            assert text_digest(await pages.compose(row)) == row.text_sha256
            assert {f.state for f in await access.files_of("outgoing", [row.id])} <= {FileState.READY}
