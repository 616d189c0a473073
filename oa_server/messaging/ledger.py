"""The ledger: where a message gets its place in its conversation, and on everybody's cursor.

Whoever writes holds the conversations first and the cursors after them, each in the order of their identifiers. Nothing is
counted anywhere else – no sequence of the database, which leaves gaps where a transaction is taken back, and no counter in
another server – so what is committed has no gap, and what has no gap is committed.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from crypto.canonical import canonical_json
from oa_server.core.ids import new_id
from oa_server.messaging.states import ConversationKind, EventKind, MessageKind
from oa_server.storage import sealing
from oa_server.storage.database import among, execute_many, held, listed, select

REMEMBERED = 2000
FIRST_CHAIN = "0" * 64


class Content(msgspec.Struct, frozen=True):
    """What a message holds, whatever it is (`states.MessageKind`), encrypted in the database."""

    text: str = ""
    mentions: tuple[UUID, ...] = ()
    reply_to: int | None = None
    files: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that has no place yet. `also` are told of it though they are in the conversation no more."""

    conversation_id: UUID
    sender_id: UUID
    sender: str
    cid: str
    kind: MessageKind
    content: Content
    also: tuple[UUID, ...]
    sha256: str

    @classmethod
    def of(
        cls,
        conversation_id: UUID,
        sender: tuple[UUID, str],
        cid: str,
        kind: MessageKind,
        content: Content,
        also: tuple[UUID, ...] = (),
    ) -> Entry:
        """An entry with the digest of what it says."""
        data = canonical_json(msgspec.to_builtins(content))
        return cls(conversation_id, *sender, cid, kind, content, also, sha256(data).hexdigest())


@dataclass(slots=True)
class Place:
    """A conversation that this transaction holds: how far it has come, and who is in it."""

    id: UUID
    kind: ConversationKind
    is_shared: bool
    last_seq: int
    last_chain: str
    version: int
    members: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Posted:
    """A message in its place: the entry, its number, and on which cursor it is which event."""

    entry: Entry
    id: UUID
    seq: int
    at: datetime
    useqs: dict[UUID, int] = field(default_factory=dict)
    is_shared: bool = False
    dup: bool = False


class _Members:
    """The members of conversations as this process last read them, good as long as the conversation has the same version."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, tuple[int, frozenset[UUID]]] = OrderedDict()

    def of(self, conversation_id: UUID, version: int) -> frozenset[UUID] | None:
        known = self._known.get(conversation_id)
        return known[1] if known is not None and known[0] == version else None

    def keep(self, conversation_id: UUID, version: int, members: frozenset[UUID]) -> None:
        self._known[conversation_id] = (version, members)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


remembered = _Members()

_HOLD = """
SELECT id, kind, is_shared, last_seq, last_chain, members_version FROM conversation WHERE {among} ORDER BY id
"""
_MEMBERS = "SELECT conversation_id, official_id FROM membership WHERE {among} AND leave_seq IS NULL"


async def hold(ids: Collection[UUID]) -> dict[UUID, Place]:
    """Hold conversations until the transaction ends; unknown ones are missing from the answer."""
    rows = await select(held(_HOLD.format(among=among("id"))), [listed(ids)])
    places = {
        (key := uuid(row["id"])): Place(
            id=key,
            kind=ConversationKind(row["kind"]),
            is_shared=bool(row["is_shared"]),
            last_seq=row["last_seq"],
            last_chain=row["last_chain"],
            version=row["members_version"],
            members=remembered.of(key, row["members_version"]) or frozenset(),
        )
        for row in rows
    }
    if unknown := [place.id for place in places.values() if not place.members]:
        found: dict[UUID, set[UUID]] = {key: set() for key in unknown}
        for row in await select(_MEMBERS.format(among=among("conversation_id")), [listed(unknown)]):
            found[uuid(row["conversation_id"])].add(uuid(row["official_id"]))
        for key, members in found.items():
            places[key].members = frozenset(members)
            remembered.keep(key, places[key].version, places[key].members)
    return places


_KNOWN = """
SELECT id, conversation_id, sender_id, cid, seq, at, content_sha256 FROM message WHERE {senders} AND {cids}
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A message that was kept before under the same name."""

    id: UUID
    conversation_id: UUID
    seq: int
    at: datetime
    sha256: str


async def known(entries: Iterable[Entry]) -> dict[tuple[UUID, str], Known]:
    """Those messages that were kept before, by sender and name."""
    wanted = {(entry.sender_id, entry.cid) for entry in entries}
    sql = _KNOWN.format(senders=among("sender_id"), cids=among("cid"))
    rows = await select(sql, [listed({one for one, _cid in wanted}), listed({cid for _one, cid in wanted})])
    return {
        (uuid(row["sender_id"]), row["cid"]): Known(
            uuid(row["id"]), uuid(row["conversation_id"]), row["seq"], moment(row["at"]), row["content_sha256"]
        )
        for row in rows
    }


_INSERT = """
INSERT INTO message (id, conversation_id, seq, sender_id, cid, kind, content, content_sha256, chain, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_MOVE = "UPDATE conversation SET last_seq = ?, last_chain = ?, last_at = ? WHERE id = ?"
_TELL = (
    "INSERT INTO inbox_event (official_id, useq, kind, conversation_id, seq, by_id, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


async def append(places: dict[UUID, Place], entries: Sequence[Entry], now: datetime) -> list[Posted]:
    """Give these entries their places, in their order, inside the transaction that holds `places`. Raises Unavailable."""
    posted: list[Posted] = []
    rows: list[tuple[Any, ...]] = []
    for entry in entries:
        place = places[entry.conversation_id]
        place.last_seq += 1
        place.last_chain = chained(place, entry, now)
        one = Posted(entry, new_id(), place.last_seq, now, is_shared=place.is_shared)
        posted.append(one)
        content = sealing.sealed("message", "content", one.id, msgspec.json.encode(entry.content))
        rows.append(
            (one.id, place.id, one.seq, entry.sender_id, entry.cid, entry.kind, content, entry.sha256, place.last_chain, now)
        )  # fmt: skip
    told = {
        n: places[entry.conversation_id].members.union(entry.also)
        for n, entry in enumerate(entries)
        if not places[entry.conversation_id].is_shared
    }
    heads = await _advance(Counter(official for officials in told.values() for official in officials))
    events: list[tuple[Any, ...]] = []
    for n, officials in told.items():
        one = posted[n]
        for official in officials:
            heads[official] += 1
            one.useqs[official] = heads[official]
            events.append(
                (official, heads[official], EventKind.MESSAGE, one.entry.conversation_id, one.seq, one.entry.sender_id, now)
            )  # fmt: skip
    await execute_many(_INSERT, rows)
    await execute_many(_MOVE, [(p.last_seq, p.last_chain, now, p.id) for p in places.values()])
    await execute_many(_TELL, events)
    return posted


async def tell(
    officials: Collection[UUID], kind: EventKind, conversation_id: UUID, seq: int, by: UUID | None, now: datetime
) -> None:
    """Put an event that is no message on these officials' cursors, inside the transaction that is open."""
    heads = await _advance(Counter(officials))
    await execute_many(_TELL, [(one, heads[one] + 1, kind, conversation_id, seq, by, now) for one in heads])


_HEADS = "SELECT id, head FROM inbox WHERE {among} ORDER BY id"
_ADVANCE = "UPDATE inbox SET head = head + ?"
_OPEN = "INSERT INTO inbox (id, head, floor) VALUES (?, 0, 0) ON CONFLICT (id) DO NOTHING"


async def _advance(counts: Counter[UUID]) -> dict[UUID, int]:
    """Hold these officials' cursors, and move each on by so many events. Returns where each stood before."""
    if not counts:
        return {}
    sql, ids = held(_HEADS.format(among=among("id"))), listed(counts)
    heads = {uuid(row["id"]): int(row["head"]) for row in await select(sql, [ids])}
    if missing := sorted(counts.keys() - heads.keys()):
        await execute_many(_OPEN, [(one,) for one in missing])
        heads = {uuid(row["id"]): int(row["head"]) for row in await select(sql, [ids])}
    by_count: dict[int, list[UUID]] = {}
    for official, count in counts.items():
        by_count.setdefault(count, []).append(official)
    for count, officials in by_count.items():
        await execute_many(f"{_ADVANCE} WHERE {among('id')}", [(count, listed(officials))])
    return heads


def chained(place: Place, entry: Entry, at: datetime) -> str:
    """The digest (hex) of the message that now is the last of `place`, over the digest of the one before it."""
    return chain_of(
        place.last_chain, place.id, place.last_seq, entry.sender_id, entry.cid, entry.kind, entry.sha256, at
    )


def chain_of(
    before: str,
    conversation_id: UUID,
    seq: int,
    sender_id: UUID,
    cid: str,
    kind: str,
    content_sha256: str,
    at: datetime,
) -> str:
    """SHA-256 (hex) over what is known of a message and over the digest of the message before it."""
    parts = (
        before,
        conversation_id,
        seq,
        sender_id,
        cid,
        str(kind),
        content_sha256,
        at.isoformat(timespec="microseconds"),
    )
    return sha256("\n".join(map(str, parts)).encode()).hexdigest()


def moment(value: datetime | str) -> datetime:
    """A moment as either database gives it."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def uuid(value: UUID | str) -> UUID:
    """An identifier as either database gives it."""
    return value if isinstance(value, UUID) else UUID(value)
