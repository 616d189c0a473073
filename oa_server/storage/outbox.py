"""The outbox: what happened, written in the business transaction, read by whoever was not looking.

Identifiers are given under one lock that a transaction takes just before it commits, so they become visible in their
order: a reader that has seen number n will never meet a smaller one later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oa_server.storage import fields
from oa_server.storage.database import Lock, alone


class Event(fields.Model):
    """One thing that a follower of `topic` wants to know."""

    id = fields.BigNumber(primary_key=True, generated=True)
    topic = fields.Text(80, db_index=True)
    kind = fields.Text(64)
    payload = fields.SealedJson(by="topic")
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "event"


@dataclass(frozen=True, slots=True)
class Push:
    """An event that a unit of work will write when it commits."""

    topic: str
    kind: str
    payload: dict[str, Any]


async def write(pushes: Sequence[Push], at: datetime) -> None:
    """Insert the events of a unit of work, last thing before it commits."""
    await alone(Lock.OUTBOX_ORDER)
    await Event.bulk_create([Event(topic=p.topic, kind=p.kind, payload=p.payload, at=at) for p in pushes])


async def last_id() -> int:
    """The number of the newest event; 0 when there is none."""
    newest = await Event.all().order_by("-id").first()
    return newest.id if newest else 0


async def first_id() -> int:
    """The number of the oldest event that is still kept; 0 when there is none."""
    oldest = await Event.all().order_by("id").first()
    return oldest.id if oldest else 0


async def read_all_after(after: int, limit: int) -> list[Event]:
    """Events of every topic after `after`, oldest first."""
    return await Event.filter(id__gt=after).order_by("id").limit(limit)


async def read_after(topics: Collection[str], after: int, limit: int) -> list[Event]:
    """Events of these topics after `after`, oldest first."""
    return await Event.filter(id__gt=after, topic__in=list(topics)).order_by("id").limit(limit)
