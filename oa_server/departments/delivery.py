"""Sending events to webhooks: in their order, signed, to the registered addresses alone, again and again until they are taken.

The name in a webhook's address is never looked up: the connection goes to an address that an administrator registered and
another approved, TLS proves the name, and a redirection is a refusal. So nobody who can change a name, or who answers there, has
us call anybody else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
import msgspec
import structlog

from crypto.webhooks import WebhookKey
from oa_server.core import clock
from oa_server.departments import access, actions, rules
from oa_server.departments.cloudevents import event_of
from oa_server.departments.models import Delivery, FeedEntry, Webhook
from oa_server.storage.unit_of_work import housekeeping

log = structlog.get_logger("oa.webhooks")

AT_ONCE = 16
BATCH = 50
ANSWER_SECONDS = 15.0
CONNECT_SECONDS = 5.0
LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Sender:
    """What events are sent with: our name, and the keys that sign them (two while one replaces another)."""

    source: str
    keys: Sequence[WebhookKey]

    def headers(self, event_id: str, body: bytes) -> dict[str, str]:
        """The headers of one event, with a signature of each key."""
        signed = [key.headers(event_id, clock.now(), body) for key in self.keys]
        return {**signed[0], "webhook-signature": " ".join(one["webhook-signature"] for one in signed)}


async def deliver(sender: Sender) -> None:
    """Send what waits to every webhook that may be asked now. One that hangs keeps nobody else waiting."""
    due = await access.deliveries_due(clock.now())
    if not due:
        return
    turn = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(
        timeout=limits, follow_redirects=False, trust_env=False, verify=ssl.create_default_context()
    ) as http:

        async def one(webhook_id: UUID) -> None:
            async with turn:
                await _deliver_to(webhook_id, http, sender)

        await asyncio.gather(*(one(webhook_id) for webhook_id in due))


async def _deliver_to(webhook_id: UUID, http: httpx.AsyncClient, sender: Sender) -> None:
    if not await _take(webhook_id):
        return  # Another process is at it.
    webhook, delivery = await access.webhook(webhook_id), await access.delivery_of(webhook_id)
    for entry in await access.entries_after(webhook.client_id, delivery.delivered, BATCH):
        answer = await _send(webhook, entry, http, sender)
        if not answer.is_taken:
            await _refused(delivery, answer)
            return
        await _progress(webhook_id, delivered=entry.sequence, attempts=0, last_answer=answer.words)
    await _progress(webhook_id, taken_until=None, next_try_at=None)


async def _take(webhook_id: UUID) -> bool:
    """Have a webhook to oneself for a while; whoever dies over it loses it again."""
    async with housekeeping() as work:
        free = await access.is_free(webhook_id, work.now)
        if free is None:
            return False
        mine = Delivery.filter(webhook_id=webhook_id, taken_until=free.taken_until)
        return await mine.update(taken_until=work.now + LEASE) == 1


async def _progress(webhook_id: UUID, **change: Any) -> None:
    async with housekeeping():
        await Delivery.filter(webhook_id=webhook_id).update(**change)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    words: str

    @property
    def is_taken(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


async def _send(webhook: Webhook, entry: FeedEntry, http: httpx.AsyncClient, sender: Sender) -> _Answer:
    """One event to the first registered address that answers. What it says beside its status is not read."""
    event = event_of(entry, sender.source)
    body = msgspec.json.encode(event)
    parts = httpx.URL(webhook.url)
    headers = {
        "Host": parts.netloc.decode("ascii"),
        "Content-Type": "application/cloudevents+json",
        **sender.headers(event.id, body),
    }
    answer = _Answer(0, "")
    for address in webhook.addresses:
        target = parts.copy_with(host=address)
        try:
            async with http.stream(
                "POST", target, content=body, headers=headers, extensions={"sni_hostname": parts.host}
            ) as response:
                return _Answer(response.status_code, f"HTTP {response.status_code}")
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            answer = _Answer(0, type(error).__name__)
    return answer


async def _refused(delivery: Delivery, answer: _Answer) -> None:
    """Wait longer each time; stop when the receiver is gone for good, or has refused for days."""
    log.warning("webhook.refused", webhook=str(delivery.webhook_id), answer=answer.words, attempt=delivery.attempts + 1)
    attempts = await access.attempts_of(delivery.webhook_id)
    if answer.status == HTTPStatus.GONE or attempts >= len(rules.SCHEDULE):
        await actions.give_up(delivery.webhook_id, answer.words)
    wait = rules.SCHEDULE[min(attempts, len(rules.SCHEDULE) - 1)]
    await _progress(
        delivery.webhook_id,
        attempts=attempts + 1,
        next_try_at=clock.now() + wait,
        taken_until=None,
        last_answer=answer.words,
    )
