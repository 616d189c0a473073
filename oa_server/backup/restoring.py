"""Putting a backup back on an empty machine: objects first, then the database in one step, then what the log has to say of it.

Killed at any moment it can be run again: objects that are there already are the backup's own, and a database that holds the
backup's log to the last record, and no more, is the one that was put back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from oa_server.app import House, open_house, upgrade_house
from oa_server.audit import access as audit
from oa_server.audit import copies
from oa_server.audit.copies import HeadCopy
from oa_server.audit.verbs import Verb
from oa_server.backup.manifest import CHANGED, DATABASE, OBJECTS, Backup, Stored
from oa_server.backup.objects import Tell, read_object, side_by_side
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict, OaError, Reason
from oa_server.identity import actions as identity
from oa_server.settings import Settings
from oa_server.storage import snapshots
from oa_server.storage.database import open_database, select
from oa_server.storage.objects import ObjectStore, open_store
from oa_server.storage.unit_of_work import unit_of_work

NOT_EMPTY = Reason(
    "backup.not_empty",
    "数据库不是空的，未作改动：请新建空数据库（SQLite 为移走数据库文件）后再恢复",
    "The database is not empty and was not changed; make an empty one (with SQLite, move the file away) and restore again.",
)
STORE_NOT_EMPTY = Reason(
    "backup.store_not_empty",
    "对象存储中有不属于这份备份的对象，未作改动：请换用空的存储；存储完好、只丢失数据库的，加上 --reuse-objects",
    "The object store holds objects that are not of this backup; use an empty one, or --reuse-objects when only the database was lost.",
)


@dataclass(frozen=True, slots=True)
class Lack:
    """What somebody else still has of a log that is no longer: a head, over more records or over other ones than ours."""

    place: str
    size: int
    root: str
    at: datetime


async def restore(settings: Settings, backup: Backup, *, reuse_objects: bool, tell: Tell) -> list[Lack]:
    """Put everything back. Returns what the restored log lacks that copies of its heads speak of. Raises Conflict, Unavailable."""
    listed = backup.listed()
    if not await asyncio.to_thread(backup.has_its_database):
        raise Conflict(CHANGED, file=DATABASE)
    is_empty = await snapshots.is_empty(settings.database)
    if not (is_empty or await _is_put_back(settings, backup)):
        raise Conflict(NOT_EMPTY)
    store = open_store(settings.object_store)
    await store.prepare()
    await _put_objects(store, backup, listed, reuse_objects=reuse_objects, tell=tell)
    if is_empty:
        await snapshots.put_back(settings.database, backup.folder / DATABASE)
    await upgrade_house(settings)
    async with open_house(settings) as house:
        return await _record(house, backup)


async def _is_put_back(settings: Settings, backup: Backup) -> bool:
    """Whether the database is what this backup holds, and nothing has been done since."""
    try:
        async with open_database(settings.database):
            (log,) = await select(audit.LOG)
    except OaError:
        return False
    last = str(UUID(str(log["last"]))) if log["last"] else ""
    return (log["records"], last) == (backup.manifest.records, backup.manifest.last_record)


async def _put_objects(
    store: ObjectStore, backup: Backup, listed: dict[str, Stored], *, reuse_objects: bool, tell: Tell
) -> None:
    """Have every object in the store. What is there already is held against the list, and replaced where it differs."""
    there = {key for key in await store.keys() if not key.startswith(f"{copies.FOLDER}/")}
    if (others := there - listed.keys()) and not reuse_objects:
        raise Conflict(STORE_NOT_EMPTY, objects=len(others), example=min(others))
    count = 0

    async def put(key: str) -> None:
        nonlocal count
        stored = listed[key]
        if key not in there or await store.read(key, _digest) != stored.sha256:
            data = await asyncio.to_thread(read_object, backup, key, stored)
            if data is None:
                raise Conflict(CHANGED, file=f"{OBJECTS}/{key}")
            await store.put(key, data)
        count += 1
        tell(count, len(listed))

    await side_by_side(sorted(listed), put)


def _digest(pieces: Any) -> str:
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


async def _record(house: House, backup: Backup) -> list[Lack]:
    """Have it on record, with what is lacking, and let nobody go on with a session of that time. Copies of heads go on
    from what is there; the ones that speak of what is lacking stay beside them."""
    found = [(place, copy) for place in house.head_copies if (copy := await _ahead(place.store)) is not None]
    lacks = [Lack(place.name, copy.size, copy.root, copy.at) for place, copy in found]
    async with unit_of_work(SYSTEM) as work:
        await identity.end_all_sessions(work)
        work.audit(
            Verb.BACKUP_RESTORED,
            "backup",
            backup.folder.name,
            manifest=backup.digest,
            made_at=backup.manifest.made_at,
            records=backup.manifest.records,
            lacks={lack.place: {"size": lack.size, "root": lack.root, "at": lack.at} for lack in lacks},
        )
    for place, copy in found:
        await copies.set_aside(place.store, copy)
    return lacks


async def _ahead(store: ObjectStore) -> HeadCopy | None:
    """A place's newest head, if it is ours and the log as it was restored does not have it."""
    copy = await copies.newest_copy(store)
    if copy is None or not await copies.is_ours(copy) or await copies.root_at(copy.size) == copy.root:
        return None
    return copy
