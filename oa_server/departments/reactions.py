"""What happens to documents is told to the systems of the units concerned, in the transaction in which it happens.

A system's events are numbered under a lock of its own that is held until the commit, so they become visible in their order: who
has seen number n never meets a smaller one later. The locks of several systems are taken in one order, whatever the act.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple
from uuid import UUID

from oa_server.audit.verbs import OF_A_DOCUMENT, Verb
from oa_server.core.ids import new_id
from oa_server.core.ports import AuditEntry
from oa_server.departments import access
from oa_server.departments.models import FeedEntry
from oa_server.documents import access as documents
from oa_server.identity import access as identity
from oa_server.storage.database import alone
from oa_server.storage.unit_of_work import ActsRecorded, Work

SCOPES = {documents.OUTGOING: "documents:read", documents.INCOMING: "incoming:read"}
ANSWERS = frozenset({Verb.SIGNED_FOR, Verb.REFUSED})
_LOCK_BITS = 62


class _Told(NamedTuple):
    kind: str
    subject_type: str
    subject_id: UUID


async def tell_systems(work: Work, event: ActsRecorded) -> None:
    """Enter each act on a document into the feeds of the systems whose units it concerns."""
    acts = [entry for entry in event.entries if entry.verb in OF_A_DOCUMENT]
    if not acts or not await identity.has_clients():
        return
    told: dict[UUID, list[_Told]] = defaultdict(list)
    for entry in acts:
        for client_id, item in await _whom(entry):
            told[client_id].append(item)
    for client_id in sorted(told):
        await alone(client_id.int >> (128 - _LOCK_BITS))
        last = await access.last_sequence(client_id)
        await FeedEntry.bulk_create(
            [
                FeedEntry(id=new_id(), client_id=client_id, sequence=last + number, at=work.now, **item._asdict())
                for number, item in enumerate(told[client_id], start=1)
            ]
        )


async def _whom(entry: AuditEntry) -> list[tuple[UUID, _Told]]:
    """The systems that an act concerns, and what each is told: of its own document, by whichever side it was done."""
    found = []
    is_answer = entry.verb in ANSWERS
    for place in await documents.units_concerned(entry.subject_type, UUID(entry.subject_id), is_answer=is_answer):
        item = _Told(f"oa.{entry.verb}", place.subject_type, place.subject_id)
        clients = await identity.clients_of(place.unit_id, SCOPES[place.subject_type])
        found += [(client_id, item) for client_id in clients]
    return found
