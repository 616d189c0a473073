"""Copies of signed heads outside the database: a log whose tail was cut away, or that was set back with its whole database, is
found out by the head that somebody else still has.

A copy is one small object per head, and `newest` beside them. Where the store can lock objects, it should: then not even its
administrator takes one back.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from oa_server.audit import access, rules
from oa_server.audit.actions import head_bytes
from oa_server.audit.models import AuditHead
from oa_server.audit.schemas import CopyOut, HeadsOut
from oa_server.core.errors import Conflict, NotFound, OaError
from oa_server.core.ports import ports
from oa_server.storage.objects import ObjectStore

FOLDER = "audit-heads"
NEWEST = f"{FOLDER}/newest.json"
AT_ONCE = 500
ASKING_SECONDS = 5.0


class HeadCopy(msgspec.Struct):
    """A signed head as it lies outside: what it says, and the signature (base64 CMS) over that."""

    size: int
    root: str
    at: datetime
    signature: str


@dataclass(frozen=True, slots=True)
class CopyPlace:
    """A store that copies go to, under the name by which administrators know it."""

    name: str
    store: ObjectStore


async def copy_heads(places: Sequence[CopyPlace]) -> None:
    """Copy every head that a place does not have yet. One that is away does not keep the others waiting.

    Raises the last refusal, so that the job is counted as failed and done again.
    """
    failed: OaError | None = None
    for place in places:
        try:
            await _copy_to(place.store)
        except OaError as error:
            failed = error
    if failed is not None:
        raise failed


async def _copy_to(store: ObjectStore) -> None:
    known = await newest_copy(store)
    if known and await root_at(known.size) != known.root:
        raise Conflict(rules.SET_BACK, size=known.size)  # To go on would cover up what this copy shows.
    for head in await access.heads_after(known.size if known else 0, AT_ONCE):
        data = msgspec.json.encode(_copy_of(head))
        await store.put(f"{FOLDER}/{head.size:012d}.json", data)
        await store.put(NEWEST, data)


def _copy_of(head: AuditHead) -> HeadCopy:
    return HeadCopy(head.size, head.root, head.at, base64.b64encode(bytes(head.signature)).decode())


async def newest_copy(store: ObjectStore) -> HeadCopy | None:
    """The newest head that a place has; None when it has none. Raises Unavailable; Conflict for what is none, which is left
    as it is, for it may be evidence."""
    try:
        return msgspec.json.decode(await store.get(NEWEST), type=HeadCopy)
    except NotFound:
        return None
    except ValueError as error:
        raise Conflict(rules.SPOILT_COPY) from error


async def standing(place: CopyPlace, language: str) -> CopyOut:
    """How a place stands: what it has, and how many heads it lacks. One that does not answer in time is said to be away."""
    known, problem = None, None
    try:
        async with asyncio.timeout(ASKING_SECONDS):
            known = await newest_copy(place.store)
        if known and await root_at(known.size) != known.root:
            problem = rules.SET_BACK.title(language)
    except OaError as error:
        problem = error.reason.title(language)
    except TimeoutError:
        problem = rules.COPY_SILENT.title(language)
    behind = await access.count_heads_after(known.size if known else 0)
    return CopyOut(place.name, known.size if known else None, known.at if known else None, behind, problem)


async def heads(places: Sequence[CopyPlace], language: str) -> HeadsOut:
    """How the log and its copies stand, for whoever may know; the places are asked all at once."""
    head = await access.last_head()
    return HeadsOut(
        leaves=await access.leaf_count(),
        size=head.size if head else None,
        root=head.root if head else None,
        at=head.at if head else None,
        copies=list(await asyncio.gather(*(standing(place, language) for place in places))),
    )


async def set_aside(store: ObjectStore, copy: HeadCopy) -> None:
    """Keep the copy of a head that a restored log lacks, beside those that will be made of that log from now on."""
    await store.put(f"{FOLDER}/lost-{copy.size:012d}-{copy.root[:16]}.json", msgspec.json.encode(copy))
    head = await access.last_head()
    if head is None:
        await store.delete(NEWEST)
    else:
        await store.put(NEWEST, msgspec.json.encode(_copy_of(head)))


async def is_ours(copy: HeadCopy) -> bool:
    """Whether this installation signed the head."""
    assert ports.head_signer is not None, "app.py plugs the head signer in"
    try:
        signature = base64.b64decode(copy.signature, validate=True)
    except ValueError:
        return False
    return await ports.head_signer.verify_head(head_bytes(copy.size, copy.root, copy.at), signature, copy.at)


async def root_at(size: int) -> str | None:
    """What the database says that the log's root was at this size; None when no head was signed there."""
    head = await access.head_at(size)
    return head.root if head else None
