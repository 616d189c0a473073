"""Reading a system's own feed."""

from __future__ import annotations

from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.departments.models import FeedEntry


async def feed(actor: Actor, after: int, limit: int) -> list[FeedEntry]:
    """So many of a system's events after one that it has seen, in their order; nobody else has any."""
    return await FeedEntry.filter(client_id=actor.client_id, sequence__gt=after).order_by("sequence").limit(limit)


async def last_sequence(client_id: UUID) -> int:
    """The number of a system's newest event; 0 when there is none."""
    newest = await FeedEntry.filter(client_id=client_id).order_by("-sequence").first()
    return newest.sequence if newest else 0
