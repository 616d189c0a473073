"""An upgrade is no tampering: what a later version adds to a table leaves the digests of older rows as they are."""

from __future__ import annotations

from oa_server.app import open_house, upgrade_house
from oa_server.settings import Settings
from oa_server.storage.database import connection
from oa_server.verification import all_faults


async def test_a_new_column_changes_no_digest(finished: Settings) -> None:
    """A database from before documents had copy numbers is whole before the upgrade, by its own version, and after it."""
    async with open_house(finished):
        await connection().execute_script('ALTER TABLE "outgoing_document" DROP COLUMN "copy_no"')
        await connection().execute_script("DELETE FROM tortoise_migrations WHERE name = '0004_copy_number'")
    await upgrade_house(finished)
    async with open_house(finished) as house:
        assert [fault async for fault in all_faults(house)] == []
