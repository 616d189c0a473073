"""The audit log under several processes, and what happens when it cannot be written."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from oa_server.app import open_house
from oa_server.audit.actions import HEAD_SIGNED, sequence, sign_head
from oa_server.audit.models import AuditHead, AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict
from oa_server.settings import Settings, save
from oa_server.storage.database import connection, is_postgres
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.verification import log_faults
from tests.city import City

RECORDS = 200
SEQUENCER = """
import asyncio, sys
from pathlib import Path
from oa_server.app import open_house
from oa_server.audit.actions import sequence
from oa_server.settings import load

async def main():
    async with open_house(load()):
        while await sequence() or not Path(sys.argv[1]).exists():
            pass

asyncio.run(main())
"""


async def test_two_processes_sequence_at_once(settings: Settings, tmp_path: Path) -> None:
    """While acts are recorded, two sequencers give each record its one place without ever standing in each other's way."""
    save(settings, tmp_path / "settings.toml")
    environment = os.environ | {"OA_SETTINGS": str(tmp_path / "settings.toml")}
    enough = tmp_path / "enough"
    command = [sys.executable, "-c", SEQUENCER, str(enough)]
    sequencers = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(2)]
    async with open_house(settings):
        for number in range(RECORDS):
            async with unit_of_work(SYSTEM) as work:
                work.audit(Verb.DIRECTORY_IMPORTED, "test", str(number))
        enough.touch()
        assert [await process.wait() for process in sequencers] == [0, 0]
        assert await AuditRecord.filter(subject_type="test").count() == RECORDS
        assert [fault async for fault in log_faults()] == []


@pytest.mark.usefixtures("database")
async def test_one_head_for_one_state() -> None:
    """Of two that sign the log as it stands at once, one does, and the other is told."""
    await sequence()
    before = await AuditHead.all().count()
    outcomes = await asyncio.gather(*(sign_head() for _ in range(2)), return_exceptions=True)
    assert await AuditHead.all().count() == before + 1
    (told,) = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert told.reason is HEAD_SIGNED
    await sequence()
    assert [fault async for fault in log_faults()] == []


async def forbid_records() -> None:
    """Have the database refuse every insertion into the audit log."""
    if is_postgres():
        body = "BEGIN RAISE EXCEPTION 'out of order'; END"
        await connection().execute_script(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
        action = "FOR EACH ROW EXECUTE FUNCTION refuse()"
    else:
        action = "BEGIN SELECT RAISE(ABORT, 'out of order'); END"
    await connection().execute_script(f"CREATE TRIGGER no_records BEFORE INSERT ON audit_record {action}")


async def allow_records() -> None:
    table = " ON audit_record" if is_postgres() else ""
    await connection().execute_script(f"DROP TRIGGER no_records{table}")


@pytest.mark.parametrize("kept", ["", "a key"])
async def test_what_cannot_be_recorded_does_not_happen(kept: str, city: City) -> None:
    """With the audit log unwritable acts are refused by name and leave nothing, reading goes on, and afterwards they succeed."""
    wang = await city.signed_in("wang")
    await forbid_records()
    refused = await city.draft(wang, key=kept)
    assert (refused.status_code, refused.json()["code"]) == (503, "storage.not_recorded")
    assert (await wang.get("/api/documents")).json()["items"] == []
    await allow_records()
    assert (await city.draft(wang, key=kept)).status_code == 201
    assert len((await wang.get("/api/documents")).json()["items"]) == 1
