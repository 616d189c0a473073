"""病毒检查: what a real clamd finds, holds up and lets pass, and what becomes of an attachment while nobody can ask it."""

from __future__ import annotations

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oa_server.app import House
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core.errors import Conflict, Unavailable
from oa_server.files import access, rules, scanning
from oa_server.files.rules import PART_SIZE
from oa_server.files.scanning import Scanning
from oa_server.settings import Settings
from oa_server.storage.outbox import Event
from tests import servers
from tests.city import Browser, City, told
from tests.conftest import running
from tests.faults.house import faults

EICAR = b"".join(servers.EICAR)
NAME = "Eicar-Test-Signature.UNOFFICIAL"


def packed(data: bytes) -> bytes:
    """An archive with one file in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("附件/说明.com", data)
    return buffer.getvalue()


@pytest.fixture
def scanner(tmp_path: Path) -> Iterator[servers.Clamd]:
    with servers.Clamd(tmp_path) as started:
        yield started


@pytest.fixture
async def city(settings: Settings, scanner: servers.Clamd) -> AsyncIterator[City]:
    """The city with a scanner; its job comes round when a test says so."""
    async with running(msgspec.structs.replace(settings, scanner_url=scanner.url, jobs="worker")) as found:
        yield found


def round_of(city: City) -> Scanning:
    found: Scanning = city.app.state.files.scanning
    return found


async def drafted(city: City, browser: Browser) -> str:
    return str((await city.draft(browser)).json()["id"])


async def sent(browser: Browser, document: str, data: bytes, name: str = "附件.bin") -> Any:
    """The answer to the last part of an attachment."""
    file = (await browser.begin_upload(document, name=name, size=len(data))).json()["id"]
    return await browser.put_part(file, 0, data)


async def shown(browser: Browser, document: str) -> list[tuple[str, str]]:
    """The attachments as their draft shows them: state, and what was found."""
    found = (await browser.get(f"/api/documents/{document}")).json()["attachments"]
    return [(file["state"], file["malware"]) for file in found]


async def verdicts() -> list[str]:
    """What the log says of attachments that were scanned."""
    found = AuditRecord.filter(verb__in=[Verb.FILE_PASSED, Verb.FILE_QUARANTINED]).order_by("id")
    return [str(verb) for verb in await found.values_list("verb", flat=True)]


async def test_what_is_clean_passes(city: City) -> None:
    """An attachment of several parts in which nothing is found is there as soon as it has arrived, and that is on record."""
    wang = await city.signed_in("wang")
    document, data = await drafted(city, wang), os.urandom(PART_SIZE + 77)
    answer = await sent(wang, document, data)
    assert answer.json()["state"] == "ready"
    assert (await wang.get(f"/api/files/{answer.json()['id']}/content")).content == data
    assert await verdicts() == [Verb.FILE_PASSED]
    assert (await wang.act(f"/api/documents/{document}", "submit")).status_code == 200


@pytest.mark.norm("D-8.1.4.5")
@pytest.mark.parametrize("data", [EICAR, packed(EICAR)], ids=["plain", "packed"])
async def test_malware_is_quarantined(city: City, data: bytes) -> None:
    """The test file is kept from everybody, plain or in an archive: the sender reads what to do, the log names it, the draft
    waits until it was removed."""
    wang = await city.signed_in("wang")
    document = await drafted(city, wang)
    refused = await sent(wang, document, data)
    assert told(refused) == (422, "files.infected")
    assert refused.json()["facts"]["malware"] == NAME
    assert "用杀毒软件检查本机" in refused.json()["title"]
    assert await shown(wang, document) == [("quarantined", NAME)]
    (record,) = await AuditRecord.filter(verb=Verb.FILE_QUARANTINED)
    assert (record.facts["malware"], record.facts["name"], record.actor_name) == (NAME, "附件.bin", "system")
    file = record.subject_id
    assert told(await wang.get(f"/api/files/{file}/content")) == (409, "files.infected")
    assert told(await wang.put_part(file, len(data), b"x")) == (422, "files.infected")
    path = f"/api/documents/{document}"
    assert told(await wang.act(path, "submit")) == (409, "documents.files_infected")
    assert (await wang.send("DELETE", f"/api/files/{file}")).status_code == 204
    assert (await wang.act(path, "submit")).status_code == 200


@pytest.mark.norm("D-8.1.4.5")
async def test_held_while_the_scanner_is_away(city: City, scanner: servers.Clamd) -> None:
    """While nobody can scan it an attachment is kept, neither read nor sent on; when the scanner is back the clean one passes
    byte for byte, the other is quarantined, and the sender is told of both."""
    wang = await city.signed_in("wang")
    scanner.kill()
    document, data = await drafted(city, wang), os.urandom(5000)
    clean, infected = await sent(wang, document, data), await sent(wang, document, EICAR)
    assert [answer.json()["state"] for answer in (clean, infected)] == ["held", "held"]
    content = f"/api/files/{clean.json()['id']}/content"
    with pytest.raises(Unavailable, match=rules.SCANNER_AWAY.code):
        await round_of(city).scan_waiting()
    assert told(await wang.get(content)) == (409, "files.held")
    assert told(await wang.act(f"/api/documents/{document}", "submit")) == (409, "documents.files_held")
    assert await verdicts() == []
    scanner.start()
    await round_of(city).scan_waiting()
    assert await shown(wang, document) == [("ready", ""), ("quarantined", NAME)]
    assert (await wang.get(content)).content == data
    events = await Event.filter(kind__startswith="file.").order_by("id")
    assert [event.kind for event in events] == ["file.ready", "file.quarantined"]
    assert {event.topic for event in events} == {f"official:{city.people['wang']}"}
    assert [fault async for fault in _faults(city)] == []


async def _faults(city: City) -> AsyncIterator[str]:
    house: House = city.app.state.house
    for fault in await faults(house):
        yield f"{fault.where}: {fault.what}"


async def test_a_scanner_that_hangs(city: City, scanner: servers.Clamd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender waits a moment for a scanner that does not answer, and is told that the attachment is held."""
    monkeypatch.setattr(scanning, "SENDER_SECONDS", 0.3)
    wang = await city.signed_in("wang")
    scanner.freeze()
    assert (await sent(wang, await drafted(city, wang), b"clean")).json()["state"] == "held"
    scanner.thaw()
    await round_of(city).scan_waiting()
    assert await verdicts() == [Verb.FILE_PASSED]


@pytest.mark.parametrize("limit", ["StreamMaxLength", "MaxFileSize"])
async def test_what_is_too_large_for_the_scanner(city: City, scanner: servers.Clamd, limit: str) -> None:
    """What the scanner does not take, or does not look through, is held; it keeps no other attachment from its verdict, and
    passes when the limit was raised."""
    scanner.kill()
    wang = await city.signed_in("wang")
    document = await drafted(city, wang)
    for data in (os.urandom(3 << 20), b"small"):
        await sent(wang, document, data)
    scanner.configure(**{limit: "1M"})
    scanner.start()
    await round_of(city).scan_waiting()
    assert await shown(wang, document) == [("held", ""), ("ready", "")]
    assert (await sent(wang, document, os.urandom(3 << 20))).json()["state"] == "held"
    scanner.kill()
    scanner.configure()
    scanner.start()
    await round_of(city).scan_waiting()
    assert {state for state, _found in await shown(wang, document)} == {"ready"}


async def test_a_scanner_without_signatures(city: City, scanner: servers.Clamd) -> None:
    """A scanner that finds nothing in anything is not believed: it has to know the test file first."""
    scanner.kill()
    scanner.learn(b"something else")
    scanner.start()
    wang = await city.signed_in("wang")
    assert (await sent(wang, await drafted(city, wang), b"clean")).json()["state"] == "held"
    with pytest.raises(Unavailable, match=rules.SCANNER_BLIND.code):
        await round_of(city).scan_waiting()


async def test_scanned_by_two_at_once(city: City) -> None:
    """Of two processes that scan the same attachment one decides, and the log says so once."""
    wang, scans = await city.signed_in("wang"), round_of(city)
    city.app.state.files.scanning, document = None, await drafted(city, wang)
    arrived = (await sent(wang, document, b"clean")).json()
    await access.StoredFile.filter(id=arrived["id"]).update(state="held")
    file = await access.file(arrived["id"])
    done = await asyncio.gather(scans._scan(file, 5), scans._scan(file, 5), return_exceptions=True)
    assert sorted(type(one) for one in done if one) == [Conflict]
    assert await verdicts() == [Verb.FILE_PASSED]


async def test_removed_while_it_is_held(city: City, scanner: servers.Clamd) -> None:
    """Who removes an attachment that is held never hears of it again."""
    scanner.kill()
    wang = await city.signed_in("wang")
    document = await drafted(city, wang)
    file = (await sent(wang, document, EICAR)).json()["id"]
    assert (await wang.send("DELETE", f"/api/files/{file}")).status_code == 204
    scanner.start()
    await round_of(city).scan_waiting()
    assert (await verdicts(), await shown(wang, document)) == ([], [])


async def test_bytes_that_were_changed_meanwhile(city: City, scanner: servers.Clamd) -> None:
    """An attachment whose bytes are no longer those that arrived gets no verdict, and the others do."""
    scanner.kill()
    wang = await city.signed_in("wang")
    document = await drafted(city, wang)
    file = (await sent(wang, document, b"first")).json()["id"]
    await sent(wang, document, b"second")
    await city.app.state.office.store.delete((await access.part_keys(file, 0, 0))[0])
    scanner.start()
    await round_of(city).scan_waiting()
    assert await shown(wang, document) == [("held", ""), ("ready", "")]
    assert any("被改动" in fault for fault in [fault async for fault in _faults(city)])


async def test_what_administrators_are_told(city: City, scanner: servers.Clamd) -> None:
    """The page of the three tells whether the scanner is there and how many attachments wait for it, and so do the figures."""
    sys, wang = await city.signed_in("sys"), await city.signed_in("wang")
    await sent(wang, await drafted(city, wang), EICAR)
    well = (await sys.get("/api/condition")).json()
    assert (well["scanner"]["name"], well["scanner"]["ready"], well["files_held"]) == ("scanner", True, 0)
    scanner.kill()
    await asyncio.sleep(1.1)
    await sent(wang, await drafted(city, wang), b"clean")
    bad = (await sys.get("/api/condition")).json()
    assert (bad["scanner"]["ready"], bad["files_held"]) == (False, 1)
    assert bad["scanner"]["problem"] == rules.SCANNER_AWAY.zh
    assert (await sys.get("/api/ready")).status_code == 200
    figures = (await city.app.state.metrics.text(city.app.state.probes)).decode()
    assert 'oa_scans_total{verdict="infected"} 1.0' in figures
    assert 'oa_scans_total{verdict="postponed"} 1.0' in figures


async def test_without_a_scanner(settings: Settings, tmp_path: Path) -> None:
    """Where none is set attachments are there at once, the page says that there is none, and what an earlier one left held
    stays held and is counted."""
    async with running(msgspec.structs.replace(settings, scanner_url=f"clamd://{tmp_path}/none")) as city:
        wang = await city.signed_in("wang")
        document = await drafted(city, wang)
        assert (await sent(wang, document, b"first")).json()["state"] == "held"
    async with running(settings) as city:
        wang, sys = await city.signed_in("wang"), await city.signed_in("sys")
        assert (await sent(wang, document, b"second")).json()["state"] == "ready"
        assert await shown(wang, document) == [("held", ""), ("ready", "")]
        condition = (await sys.get("/api/condition")).json()
        assert (condition["scanner"], condition["files_held"]) == (None, 1)
