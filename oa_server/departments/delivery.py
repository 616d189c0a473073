"""Sending events to webhooks: in their order, signed, to the registered addresses alone, again and again until they are taken.

The name in a webhook's address is never looked up: the connection goes to an address that an administrator registered and
another approved, TLS proves the name, and a redirection is a refusal. So nobody who can change a name, or who answers there, has
us call anybody else.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
import msgspec
import structlog

from crypto.webhooks import WebhookKey
from oa_server.core import clock
from oa_server.core.errors import Conflict
from oa_server.departments import access, actions, rules
from oa_server.departments.cloudevents import event_of
from oa_server.departments.models import Delivery, FeedEntry, Webhook
from oa_server.storage.unit_of_work import housekeeping

log = structlog.get_logger("oa.webhooks")

AT_ONCE = 16
BATCH = 50
EVENT_SECONDS = 20.0  # for one event, by whichever address
CONNECT_SECONDS = 5.0
# A round begins no event after this long, so that one receiver who is slow with each of many takes his turn again with the others,
# and the round is over well before its lease and before anybody thinks that the job hangs (`web.health.JOB_SECONDS`).
ROUND_SECONDS = 40.0
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
    """Send what waits to every webhook that may be asked now. One that hangs keeps the others waiting for a minute at most."""
    due = await access.deliveries_due(clock.now())
    if not due:
        return
    turn = asyncio.Semaphore(AT_ONCE)
    until = time.monotonic() + ROUND_SECONDS
    limits = httpx.Timeout(EVENT_SECONDS, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(timeout=limits, follow_redirects=False, trust_env=False, verify=_tls()) as http:

        async def one(webhook_id: UUID) -> None:
            async with turn:
                if time.monotonic() < until:
                    await _deliver_to(webhook_id, http, sender, until)

        await asyncio.gather(*(one(webhook_id) for webhook_id in due))


@cache
def _tls() -> ssl.SSLContext:
    """Made once: it reads every authority that this machine trusts."""
    return ssl.create_default_context()


async def _deliver_to(webhook_id: UUID, http: httpx.AsyncClient, sender: Sender, until: float) -> None:
    if not await _take(webhook_id):
        return  # Another process is at it.
    webhook, delivery = await access.webhook(webhook_id), await access.delivery_of(webhook_id)
    attempts, sent = delivery.attempts, delivery.delivered
    for entry in await access.entries_after(webhook.client_id, sent, BATCH):
        if time.monotonic() >= until:
            break
        answer = await _send(webhook, entry, http, sender)
        if not answer.is_taken:
            await _refused(webhook_id, attempts, answer)
            return
        if not await _went(webhook_id, sent, entry.sequence, answer):
            break
        attempts, sent = 0, entry.sequence
    await _progress(webhook_id, taken_until=None, next_try_at=None)


async def _take(webhook_id: UUID) -> bool:
    """Have a webhook to oneself for a while; whoever dies over it loses it again."""
    async with housekeeping() as work:
        free = await access.is_free(webhook_id, work.now)
        if free is None:
            return False
        mine = Delivery.filter(webhook_id=webhook_id, taken_until=free.taken_until)
        return await mine.update(taken_until=work.now + LEASE) == 1


async def _went(webhook_id: UUID, before: int, sent: int, answer: _Answer) -> bool:
    """Enter that an event was taken. False when an administrator had earlier ones sent again meanwhile, which stands."""
    async with housekeeping():
        mine = Delivery.filter(webhook_id=webhook_id, delivered=before)
        return await mine.update(delivered=sent, attempts=0, last_answer=answer.words) == 1


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
    answer = _Answer(0, TimeoutError.__name__)
    with suppress(TimeoutError):
        async with asyncio.timeout(EVENT_SECONDS):
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


async def _refused(webhook_id: UUID, attempts: int, answer: _Answer) -> None:
    """Wait longer each time; stop when the receiver is gone for good, or has refused for days."""
    log.warning("webhook.refused", webhook=str(webhook_id), answer=answer.words, attempt=attempts + 1)
    if answer.status == HTTPStatus.GONE or attempts >= len(rules.SCHEDULE):
        with suppress(Conflict):  # Whatever an administrator has decided meanwhile stands.
            await actions.give_up(webhook_id, answer.words)
    wait = rules.SCHEDULE[min(attempts, len(rules.SCHEDULE) - 1)]
    await _progress(
        webhook_id,
        attempts=attempts + 1,
        next_try_at=clock.now() + wait,
        taken_until=None,
        last_answer=answer.words,
    )
