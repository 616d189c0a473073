"""Writing the audit log: records in the business transaction, leaves and heads behind it."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from crypto import merkle
from crypto.canonical import canonical_json
from oa_server.audit import access
from oa_server.audit.models import AuditHead, AuditLeaf, AuditRecord, AuditSubtree
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM, Actor
from oa_server.core.errors import Reason
from oa_server.core.ids import new_id
from oa_server.core.ports import AuditEntry, ports
from oa_server.storage.database import Lock, alone
from oa_server.storage.unit_of_work import conflict_on, housekeeping, unit_of_work

SEQUENCE_BATCH = 1000
SUBTREE = 1024
SUBTREES_AT_ONCE = 8  # of a log that has none yet; the lock is not held for the others
HEAD_SIGNED = Reason("audit.head_signed_already", "树头已由另一进程签署", "Another process has signed this head.")


class AuditLog:
    """The sink that the unit of work writes to (`core.ports.AuditSink`)."""

    async def record(self, actor: Actor, entries: Sequence[AuditEntry]) -> None:
        """Insert one record per entry, inside the transaction that is open."""
        at, last, records = clock.now(), await access.last_id(), []
        for entry in entries:
            # Of two acts on one row the second waited for the first, so it finds its record here. What the log says of
            # the row is what the greatest identifier says, and no clock that was set back or is behind may change that.
            last = new_id(after=last)
            records.append(_record(last, actor, entry, at))
        await AuditRecord.bulk_create(records)


def _record(key: UUID, actor: Actor, entry: AuditEntry, at: datetime) -> AuditRecord:
    record = AuditRecord(
        id=key,
        at=at,
        verb=str(Verb(entry.verb)),
        actor_id=actor.official_id,
        actor_name=actor.name,
        organ_id=actor.organ_id,
        certificate_serial=actor.certificate_serial,
        address=actor.address,
        subject_type=entry.subject_type,
        subject_id=entry.subject_id,
        facts=entry.facts,
        salt=secrets.token_hex(8),
        digest="",
    )
    record.digest = merkle.leaf_hash(record_bytes(record)).hex()
    return record


def record_bytes(record: AuditRecord) -> bytes:
    """The canonical JSON of a record: what its leaf hashes. The salt keeps names from being guessed from digests."""
    return canonical_json(record_content(record))


def record_content(record: AuditRecord) -> dict[str, Any]:
    """A record as JSON values."""
    return {
        "id": str(record.id),
        "at": record.at.isoformat(timespec="microseconds"),
        "verb": record.verb,
        "actor": str(record.actor_id) if record.actor_id else None,
        "actor_name": record.actor_name,
        "organ": str(record.organ_id) if record.organ_id else None,
        "certificate": record.certificate_serial,
        "address": record.address,
        "subject_type": record.subject_type,
        "subject_id": record.subject_id,
        "facts": record.facts,
        "salt": record.salt,
    }


class _Walk:
    """Where this process is on its walk through the log: which stretch it looked at last."""

    at: access.Stretch | None = None


_walk = _Walk()


async def sequence() -> int:
    """Give records that have none their leaf. Returns how many leaves were added.

    Writers never wait for the log's order: only this one place decides it, and one process at a time is in it. The newest
    records are found by their moment. That passes over those that were written while a clock was wrong, or committed
    long after the others; so each time another stretch of the log is looked at too, from the newest to the oldest and
    then anew, and no record stays without its leaf.
    """
    added = await _sequence(_recent)
    stretch = await access.stretch_before(_walk.at)
    added += await _sequence(partial(access.unsequenced_in, stretch))
    _walk.at = stretch
    return added


async def sequence_all() -> None:
    """Give every record there is its leaf, as a running server does sooner or later."""
    while await _sequence(_recent):
        pass
    stretch = None
    while stretch is None or not stretch.is_oldest:
        stretch = await access.stretch_before(stretch)
        await _sequence(partial(access.unsequenced_in, stretch))


async def _recent() -> list[dict[str, Any]]:
    return await access.unsequenced_around(clock.now(), SEQUENCE_BATCH)


async def _sequence(find: Callable[[], Awaitable[list[dict[str, Any]]]]) -> int:
    """Append a leaf for each record that `find` finds, in the order of identifiers, which grow with time."""
    if not await find():
        return 0  # Most of the time; nobody is kept waiting for a lock then.
    async with housekeeping():
        await alone(Lock.LOG_SEQUENCE)
        records = await find()
        first = await access.leaf_count()
        leaves = [
            AuditLeaf(seq=first + offset, record_id=record["id"], digest=record["digest"])
            for offset, record in enumerate(records)
        ]
        if leaves:
            await AuditLeaf.bulk_create(leaves)
            await _keep_subtrees(first + len(leaves))
    return len(leaves)


async def _keep_subtrees(size: int) -> None:
    """Keep the roots of the subtrees that are complete by now."""
    for number in range(await access.subtree_count(), size // SUBTREE)[:SUBTREES_AT_ONCE]:
        leaves = await access.leaf_digests(number * SUBTREE, (number + 1) * SUBTREE)
        await AuditSubtree.create(number=number, root=merkle.root_of_hashes(leaves).hex())


async def sign_head() -> AuditHead | None:
    """Sign the log as it stands, unless nothing has happened since the last head but that head itself.

    Raises Conflict when another was quicker.
    """
    assert ports.head_signer is not None, "app.py plugs the head signer in"
    last = await access.last_head()
    frontier = (
        merkle.Frontier(last.size, [bytes.fromhex(root) for root in last.frontier]) if last else merkle.Frontier()
    )
    while leaves := await access.leaves_from(frontier.size, SEQUENCE_BATCH):
        for leaf in leaves:
            frontier.append(bytes.fromhex(leaf.digest))
    if not frontier.size or (last and await access.is_quiet_since(last, frontier.size)):
        return None
    root, at = frontier.root().hex(), clock.now()
    signature = await ports.head_signer.sign_head(head_bytes(frontier.size, root, at), at)
    async with unit_of_work(SYSTEM) as work:
        async with conflict_on(HEAD_SIGNED):
            head = await AuditHead.create(
                id=new_id(),
                size=frontier.size,
                root=root,
                frontier=[r.hex() for r in frontier.roots or ()],
                at=at,
                signature=signature,
            )
        work.audit(Verb.HEAD_SIGNED, "audit_head", head.id, size=head.size, root=root)
    return head


def head_bytes(size: int, root: str, at: datetime) -> bytes:
    """What a head's signature covers."""
    return canonical_json(
        {"type": "oa/audit-head/1", "size": size, "root": root, "at": at.isoformat(timespec="microseconds")}
    )
