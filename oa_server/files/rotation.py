"""Changing the master key while officials work: a new one takes over, what the old one wraps (the files' keys and the data key) is
wrapped anew, the old one is destroyed.

Every step is an act of its own that may be done again, so whoever is killed over it goes on where it was. From the first act on
nothing is wrapped under the old key, on whatever process: who wraps holds a lock beside others until it is committed, and asks
the log whether its key has been succeeded. Reading never waits, for both keys are there until nothing needs the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from crypto.errors import EnvelopeRefused
from oa_server.audit import access as audit
from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict
from oa_server.files import access, rules
from oa_server.files.models import StoredFile
from oa_server.storage import data_keys
from oa_server.storage.database import Lock, alone
from oa_server.storage.master_keys import MasterKeys
from oa_server.storage.unit_of_work import unit_of_work

AT_ONCE = 200
SUBJECT = "master_key"

Tell = Callable[[int], None]


async def rotate(actor: Actor, keys: MasterKeys, tell: Tell) -> int:
    """Change the master key, or finish a change that was begun. `tell` hears how many files are done so far.

    Returns how many files' keys were wrapped anew. Raises Conflict where some cannot be: then no key is destroyed.
    """
    if len(keys.ids()) == 1:
        keys.add()
    *old, newest = keys.ids()
    for key_id in old:
        await _succeed(actor, key_id, newest)
    done = await _rewrap_all(actor, keys, newest, tell)
    await _rewrap_data_keys(actor, keys, newest)
    for key_id in old:
        async with unit_of_work(actor) as work:
            work.audit(Verb.MASTER_KEY_DESTROYED, SUBJECT, key_id.hex())
        keys.destroy(key_id)
    return done


async def _succeed(actor: Actor, old: bytes, newest: bytes) -> None:
    """Have it on record that nothing more is wrapped under a key; who was about to has committed before this has."""
    if await audit.newest_of(old.hex(), Verb.MASTER_KEY_SUCCEEDED):
        return
    async with unit_of_work(actor) as work:
        await alone(Lock.MASTER_KEY)
        work.audit(Verb.MASTER_KEY_SUCCEEDED, SUBJECT, old.hex(), by=newest.hex())


async def _rewrap_all(actor: Actor, keys: MasterKeys, newest: bytes, tell: Tell) -> int:
    done, last, stuck = 0, UUID(int=0), list[str]()
    while files := await access.files_under_others(newest, last, AT_ONCE):
        fresh = {}
        for file in files:
            try:
                fresh[file] = _rewrapped(keys, file)
            except EnvelopeRefused:
                stuck.append(str(file.id))
        if fresh:
            await _keep(actor, newest, fresh)
        done, last = done + len(fresh), files[-1].id
        tell(done)
    if stuck:
        raise Conflict(rules.STUCK_KEYS, files=stuck)
    return done


async def _rewrap_data_keys(actor: Actor, keys: MasterKeys, newest: bytes) -> None:
    async with unit_of_work(actor) as work:
        done, stuck = await data_keys.rewrap(keys, newest)
        if stuck:
            raise Conflict(rules.STUCK_KEYS, files=stuck)
        if done:
            work.audit(Verb.DATA_KEYS_REWRAPPED, SUBJECT, newest.hex(), data_keys=len(done))


def _rewrapped(keys: MasterKeys, file: StoredFile) -> bytes:
    context = access.context_of(file.id, access.KEY_NUMBER)
    return keys.wrap(keys.unwrap(bytes(file.wrapped_key), context), context)


async def _keep(actor: Actor, newest: bytes, fresh: dict[StoredFile, bytes]) -> None:
    """Leave some files' keys as they are wrapped now, each if nobody else did."""
    async with unit_of_work(actor) as work:
        for file, wrapped in fresh.items():
            await StoredFile.filter(id=file.id, wrapped_key=file.wrapped_key).update(wrapped_key=wrapped)
        work.audit(Verb.FILE_KEYS_REWRAPPED, SUBJECT, newest.hex(), rows=fresh, files=len(fresh))
