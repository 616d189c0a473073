"""The verbs of webhooks: registered by one administrator, let in by another, played again, stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM, Actor
from oa_server.core.ids import new_id
from oa_server.departments import access, rules
from oa_server.departments.models import Delivery, Webhook, WebhookState
from oa_server.identity import access as identity
from oa_server.storage.unit_of_work import transition, unit_of_work


async def register_webhook(
    actor: Actor, client_id: UUID, url: str, addresses: Sequence[str], *, trial: bool
) -> Webhook:
    """Enter where a system wants its events, in the place of what was entered before; another administrator lets it in.

    Raises Denied, NotFound, Invalid for an address that is none, or that would lead back into this machine.
    """
    rules.check(actor, "register")
    rules.check_url(url, trial=trial)
    pinned = rules.check_addresses(addresses, trial=trial)
    client = await identity.client(actor, client_id)
    async with unit_of_work(actor) as work:
        row = await access.webhook_of(client.id)
        change: dict[str, Any] = {
            "url": url,
            "addresses": pinned,
            "state": WebhookState.PENDING,
            "registered_by": actor.official_id,
            "approved_by": None,
            "registered_at": work.now,
        }
        if row is None:
            row = await Webhook.create(id=new_id(), client_id=client.id, **change)
            await Delivery.create(id=new_id(), webhook_id=row.id, delivered=await access.last_sequence(client.id))
        else:
            await Webhook.filter(id=row.id).update(**change)
        work.audit(
            Verb.WEBHOOK_REGISTERED, "webhook", row.id, rows=[row], client=client.code, url=url, addresses=pinned
        )
    return await access.webhook(row.id)


async def decide_webhook(actor: Actor, webhook_id: UUID, verb: str) -> Webhook:
    """Let a webhook in, stop it, or let it go on. Raises Denied, NotFound, Conflict when its state does not allow it."""
    before, after = rules.VERBS[verb]
    async with unit_of_work(actor) as work:
        row = await access.webhook(webhook_id)
        rules.check(actor, verb, row)
        change = {"state": after} | ({"approved_by": actor.official_id} if verb == "approve" else {})
        await transition(Webhook, row.id, reason=rules.WEBHOOK_STATE, expect={"state": before}, change=change)
        await Delivery.filter(webhook_id=row.id).update(attempts=0, next_try_at=None)
        work.audit(Verb.WEBHOOK_DECIDED, "webhook", row.id, rows=[row], decision=verb)
    return await access.webhook(webhook_id)


async def replay(actor: Actor, webhook_id: UUID, after: int) -> None:
    """Have every event after one sent again. Raises Denied, NotFound."""
    rules.check(actor, "replay")
    async with unit_of_work(actor) as work:
        row = await access.webhook(webhook_id)
        last = await access.last_sequence(row.client_id)
        await Delivery.filter(webhook_id=row.id).update(delivered=min(after, last), attempts=0, next_try_at=None)
        work.audit(Verb.WEBHOOK_REPLAYED, "webhook", row.id, after=after)


async def give_up(webhook_id: UUID, why: str) -> None:
    """Stop a webhook that has refused for too long, or has said that it wants no more.

    Raises Conflict when an administrator did something with it meanwhile.
    """
    async with unit_of_work(SYSTEM) as work:
        row = await access.webhook(webhook_id)
        await transition(
            Webhook,
            row.id,
            reason=rules.WEBHOOK_STATE,
            expect={"state": WebhookState.ACTIVE},
            change={"state": WebhookState.DISABLED},
        )
        work.audit(Verb.WEBHOOK_DECIDED, "webhook", row.id, rows=[row], decision="disable", why=why)
