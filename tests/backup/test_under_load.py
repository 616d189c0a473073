"""Backed up while officials work, wiped, restored: what was acknowledged before the backup is there."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from oa_server.app import open_house
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.documents.models import IncomingDocument, Opinion, OutgoingDocument
from oa_server.files.models import StoredFile
from oa_server.settings import Settings
from oa_server.signing.models import Signature
from tests.audit.test_command_line import oa
from tests.backup.conftest import Empty
from tests.faults.errand import Desks, Errand, Peace
from tests.faults.house import DistantCity, at_free_port, distant
from tests.faults.ledger import Entry, Ledger

OFFICES = 2
UNDER_WAY = 12  # So many acknowledged steps, then the backup begins.


async def work_and_back_up(city: DistantCity, ledger: Ledger, directory: Path) -> float:
    """Officials take documents all the way, and in the middle of it somebody types `oa backup`. Returns when that was."""
    desks = [await Desks.of(city) for _ in range(OFFICES)]
    errands = [asyncio.create_task(Errand(city, own, ledger, Peace()).run()) for own in desks]
    while len(ledger.entries) < UNDER_WAY:
        await asyncio.sleep(0.02)
    mark = time.monotonic()
    done = await asyncio.to_thread(oa, city.settings, "backup", directory)
    assert done.returncode == 0, done.stderr
    took = time.monotonic() - mark
    assert sum(1 for entry in ledger.entries if entry.asked > mark) > 1, "nobody worked meanwhile"
    for errand in errands:
        errand.cancel()
    await asyncio.gather(*errands, return_exceptions=True)
    sys.stdout.write(f"\n{len(ledger.entries)} steps; backed up in {took:.1f} s beside {OFFICES} offices\n")
    return mark


async def lost(acknowledged: list[Entry]) -> list[str]:
    """What officials were told of and is not there, or is there with another digest."""
    documents = {str(row.id): row for row in await OutgoingDocument.all()}
    arrived = {str(row.id): row for row in await IncomingDocument.all()}
    files = {str(row.id): row for row in await StoredFile.all()}
    opinions = {row.text for row in await Opinion.all()}
    receipts = {str(subject) for subject in await Signature.all().values_list("subject_id", flat=True)}
    rows = {**documents, **arrived, **files}
    return [
        f"{entry.step} of {entry.subject}"
        for entry in acknowledged
        if entry.subject not in rows or not _shows(rows[entry.subject], entry, opinions, receipts)
    ]


def _shows(row: Any, entry: Entry, opinions: set[str], receipts: set[str]) -> bool:
    facts = entry.facts
    match entry.step:
        case "draft":
            return bool(row.note == facts["note"])
        case "part":
            return row.received >= facts["received"] and facts["sha256"] in {None, row.sha256}
        case "number" | "seal" | "register":
            return all(getattr(row, name) == value for name, value in facts.items())
        case "sign_for":
            return entry.subject in receipts and row.sha256 == facts["sha256"]
    return facts.get("words") in {None, *opinions}


def wiped(settings: Settings, empty: Empty) -> Settings:
    """The machine after the fire: its keys were brought back from their own medium, and nothing else is there."""
    fresh = empty(settings)
    shutil.rmtree(settings.data_dir)
    return fresh


@pytest.mark.norm("D-8.1.4.9a")
@pytest.mark.timeout(120)
async def test_backed_up_wiped_and_restored(settings: Settings, empty: Empty, tmp_path: Path) -> None:
    """Every step that was acknowledged before the backup began is in what was restored, with its digests; all of it verifies;
    and the restored server works."""
    directory = tmp_path / "backups"
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        async with distant(at_free_port(settings)) as city:
            mark = await work_and_back_up(city, ledger, directory)
        before = [entry for entry in ledger.entries if entry.answered and entry.answered < mark]
    fresh = await asyncio.to_thread(wiped, city.settings, empty)
    began = time.monotonic()
    restored = await asyncio.to_thread(oa, fresh, "restore", directory)
    assert (restored.returncode, restored.stdout.splitlines()[-1]) == (0, "全部一致，没有发现问题"), restored.stderr
    sys.stdout.write(f"restored and verified in {time.monotonic() - began:.1f} s\n")
    async with open_house(fresh):
        assert len(before) >= UNDER_WAY
        assert await lost(before) == []
        assert await AuditRecord.filter(verb=Verb.BACKUP_RESTORED).count() == 1
    async with distant(at_free_port(fresh)) as again:
        wang = await again.signed_in("wang")
        document = (await again.draft(wang)).json()["id"]
        file = (await wang.begin_upload(document, size=5)).json()["id"]
        assert (await wang.put_part(file, 0, b"after")).json()["state"] == "ready"
        assert (await wang.act(f"/api/documents/{document}", "submit")).status_code == 200
