"""What a record says, and that nothing is done without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from oa_server.app import open_house
from oa_server.audit.actions import record_content
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import TITLES
from oa_server.settings import Settings
from oa_server.storage.database import connection, is_postgres
from tests.city import City, told

# Acts that only somebody who is signed in can do.
SIGNED_IN = ("documents.", "files.", "signing.signature_", "workflow.task_", "identity.signed_in", "departments.")
# What a record may leave open when an installer or the system itself acts.
OF_A_VISIT = {"actor", "organ", "certificate", "address"}


@pytest.mark.norm("D-8.1.4.3b")
async def test_each_record_says_all(finished: Settings) -> None:
    """Every record of a city that has worked says when, who, what and on what; of who is signed in also for which organ, with
    which certificate and from where. Its act has a name that the auditor reads."""
    async with open_house(finished):
        records = await AuditRecord.all()
    for record in records:
        open_ones = {name for name, value in record_content(record).items() if value in (None, "")}
        assert open_ones <= (set() if record.verb.startswith(SIGNED_IN) else OF_A_VISIT), record.verb
        assert TITLES[record.verb]


@asynccontextmanager
async def closed_log() -> AsyncIterator[None]:
    """While the block lasts, the database takes no record."""
    if is_postgres():
        closing = """
            CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$;
            CREATE TRIGGER closed BEFORE INSERT ON audit_record EXECUTE FUNCTION closed();
        """
        opening = "DROP TRIGGER closed ON audit_record"
    else:
        closing = "CREATE TRIGGER closed BEFORE INSERT ON audit_record BEGIN SELECT RAISE(ABORT, 'closed'); END"
        opening = "DROP TRIGGER closed"
    await connection().execute_script(closing)
    yield
    await connection().execute_script(opening)


@pytest.mark.norm("D-8.1.4.3d")
async def test_no_record_no_act(city: City) -> None:
    """While nothing can be recorded nothing is done and nobody comes in, and whoever tries is told why; then it goes on."""
    wang = await city.signed_in("wang")
    async with closed_log():
        assert told(await city.draft(wang)) == (503, "storage.not_recorded")
        assert told(await city.browser("li").try_sign_in()) == (503, "storage.not_recorded")
        assert (await wang.get("/api/documents")).json()["items"] == []
    assert (await city.draft(wang)).status_code == 201
    await city.signed_in("li")
