"""Rooms of units and organs: who belongs is decided by the directory, and follows it in the same transaction."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import STALE, Conflict
from oa_server.core.ids import new_id
from oa_server.identity import access as identity
from oa_server.messaging import access, actions, ledger
from oa_server.messaging.ledger import Content, Entry, Place
from oa_server.messaging.models import Conversation
from oa_server.messaging.states import ConversationKind, MessageKind
from oa_server.storage.unit_of_work import ActsRecorded, Work, chained, conflict_on

# What is done with the directory after which somebody may belong elsewhere.
MOVES = frozenset({Verb.POST_KEPT, Verb.UNIT_KEPT, Verb.ORGAN_KEPT, Verb.OFFICIAL_KEPT, Verb.DIRECTORY_IMPORTED})


async def open_rooms(actor: Actor) -> None:
    """See that the rooms of the actor's units and organs are there, each with everybody who belongs. Others' wait for theirs."""
    assert actor.official_id is not None
    posts = await identity.posts_held(actor.official_id)
    wanted = {f"unit:{post.unit_id}": post for post in posts} | {f"organ:{post.organ_id}": post for post in posts}
    known = await access.keys_known(list(wanted))
    for key in wanted.keys() - known:
        kind, post = ConversationKind(key.partition(":")[0]), wanted[key]
        is_unit = kind is ConversationKind.UNIT
        name = (await identity.unit_names([post.unit_id]))[post.unit_id] if is_unit else ""
        await _open(key, kind, post.organ_id, post.unit_id if is_unit else None, name)


async def _open(key: str, kind: ConversationKind, organ_id: UUID, unit_id: UUID | None, name: str) -> None:
    title = name or (await identity.organ_short_names([organ_id]))[organ_id]
    try:
        async with chained() as work, conflict_on(STALE):
            row = await Conversation.create(
                id=new_id(),
                kind=kind,
                key=key,
                title=title[:60],
                organ_id=organ_id,
                unit_id=unit_id,
                last_chain=ledger.FIRST_CHAIN,
                last_at=work.now,
                created_at=work.now,
            )
            (place,) = (await ledger.hold([row.id])).values()
            await _follow(place, (await access.rooms_wanted([key])).get(row.id, set()), work, quietly=True)
    except Conflict:
        return  # Somebody else of the unit came in this moment.


async def follow_directory(work: Work, acts: ActsRecorded) -> None:
    """Bring every room to what the directory says, where an act may have changed it."""
    if not any(entry.verb in MOVES for entry in acts.entries):
        return
    wanted = await access.rooms_wanted()
    present = await access.rooms_present()
    moved = {key for key, members in wanted.items() if members != present.get(key, set())}
    for place in (await ledger.hold(moved)).values() if moved else ():
        await _follow(place, wanted[place.id], work)
    if moved:
        work.wake()


async def _follow(place: Place, members: AbstractSet[UUID], work: Work, *, quietly: bool = False) -> None:
    """Give a room that is held these members."""
    come, gone = members - place.members, place.members - members
    if gone:
        await actions.leave(place, gone, work.now)
        await _note(place, MessageKind.LEFT, gone, work)
    if come:
        await actions.join(place, come, work.now)
        if not quietly:
            await _note(place, MessageKind.JOINED, come, work)


async def _note(place: Place, kind: MessageKind, people: AbstractSet[UUID], work: Work) -> None:
    """Tell a room who came or went, as said by the first of them."""
    names = await identity.names_of(people)
    first = min(people)
    content = Content(text="、".join(names.values()), mentions=tuple(sorted(people)))
    entry = Entry.of(place.id, (first, names[first]), f"{kind}-{new_id()}", kind, content, also=tuple(people))
    await ledger.append({place.id: place}, [entry], work.now)
