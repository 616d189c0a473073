"""Reading a system's own feed, and how far it was sent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.departments.models import Delivery, FeedEntry, Webhook, WebhookState
from oa_server.storage.database import select


async def feed(actor: Actor, after: int, limit: int) -> list[FeedEntry]:
    """So many of a system's events after one that it has seen, in their order; nobody else has any."""
    assert actor.client_id is not None  # Only systems come here.
    return await entries_after(actor.client_id, after, limit)


async def last_sequence(client_id: UUID) -> int:
    """The number of a system's newest event; 0 when there is none."""
    newest = await FeedEntry.filter(client_id=client_id).order_by("-sequence").first()
    return newest.sequence if newest else 0


async def entries_after(client_id: UUID, after: int, limit: int) -> list[FeedEntry]:
    """As `feed`, for whoever sends it."""
    return await FeedEntry.filter(client_id=client_id, sequence__gt=after).order_by("sequence").limit(limit)


async def newest_entries(client_id: UUID, limit: int) -> list[FeedEntry]:
    """A system's newest events, the newest first."""
    return await FeedEntry.filter(client_id=client_id).order_by("-sequence").limit(limit)


# --- webhooks ---------------------------------------------------------------------------------------------------------


async def webhook_of(client_id: UUID) -> Webhook | None:
    """A system's webhook, if it has one."""
    return await Webhook.get_or_none(client_id=client_id)


async def troubled_webhooks() -> list[tuple[UUID, Delivery]]:
    """The systems whose receiver has refused what it was sent last, with how far it has come."""
    rows = await Delivery.filter(attempts__gt=0, webhook__state__not=WebhookState.PENDING).prefetch_related("webhook")
    return [(row.webhook.client_id, row) for row in rows]


async def known_webhook_of(client_id: UUID) -> Webhook:
    """A system's webhook. Raises NotFound."""
    return _found(await webhook_of(client_id))


async def webhook(webhook_id: UUID) -> Webhook:
    """One webhook. Raises NotFound."""
    return _found(await Webhook.get_or_none(id=webhook_id))


def _found(row: Webhook | None) -> Webhook:
    if row is None:
        raise NotFound(NOT_FOUND)
    return row


async def delivery_of(webhook_id: UUID) -> Delivery:
    """How far a webhook's events were taken."""
    return await Delivery.get(webhook_id=webhook_id)


async def is_free(webhook_id: UUID, at: datetime) -> Delivery | None:
    """A webhook's delivery, unless somebody is at it."""
    found = await delivery_of(webhook_id)
    return found if found.taken_until is None or found.taken_until <= at else None


_DUE = """
SELECT w.id FROM webhook w
JOIN delivery d ON d.webhook_id = w.id
JOIN api_client c ON c.id = w.client_id AND c.state = 'active'
WHERE w.state = 'active' AND (d.next_try_at IS NULL OR d.next_try_at <= ?) AND (d.taken_until IS NULL OR d.taken_until <= ?)
  AND EXISTS (SELECT 1 FROM feed_entry f WHERE f.client_id = w.client_id AND f.sequence > d.delivered)
"""


async def deliveries_due(at: datetime) -> list[UUID]:
    """The webhooks that events wait for and that may be asked now."""
    return [UUID(str(row["id"])) for row in await select(_DUE, [at, at])]
