"""The feed over HTTP, for departments' systems, and where it is sent to, for administrators."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from oa_server.core.errors import Conflict, Denied, Invalid, NotFound
from oa_server.departments import access, actions, rules
from oa_server.departments.cloudevents import event_of
from oa_server.departments.models import Webhook
from oa_server.departments.schemas import (
    EventList,
    EventQuery,
    FeedKey,
    FeedOut,
    FeedRow,
    WebhookActIn,
    WebhookIn,
    WebhookKeys,
    WebhookOut,
)
from oa_server.identity import access as identity
from oa_server.web.endpoint import Access, Call, endpoint, resource
from oa_server.web.shapes import ability_out

EVENTS_SHOWN = 50


@endpoint(summary="本部门公文的事件", query=EventQuery, returns=EventList, access=Access.CLIENT, scope="events:read")
async def list_events(call: Call[None]) -> EventList:
    query: EventQuery = call.query
    rows = await access.feed(call.actor, query.after, query.limit)
    source = call.request.scope["oa.origin"]
    return EventList([event_of(row, source) for row in rows], rows[-1].sequence if rows else query.after)


@endpoint(
    summary="推送签名的公钥（Standard Webhooks v1a）", returns=WebhookKeys, access=Access.CLIENT, scope="events:read"
)
async def list_keys(call: Call[None]) -> WebhookKeys:
    return WebhookKeys([key.public for key in call.request.app.state.sender.keys])


@endpoint(summary="接入系统的事件流", returns=FeedOut, refuses=[Denied])
async def show_feed(call: Call[None]) -> FeedOut:
    rules.check_reads(call.actor)
    client = await identity.client(call.actor, call.id())
    rows = await access.newest_entries(client.id, EVENTS_SHOWN)
    webhook = await access.webhook_of(client.id)
    delivery = await access.delivery_of(webhook.id) if webhook else None
    keys = [key.public for key in call.request.app.state.sender.keys]
    return FeedOut(
        last=await access.last_sequence(client.id),
        items=[FeedRow(row.sequence, row.kind, row.at, rules.delivery_state(row.sequence, delivery)) for row in rows],
        keys=[FeedKey(key, sha256(key.encode()).hexdigest()) for key in keys],
        abilities=[ability_out(one, call.language) for one in rules.abilities(call.actor, webhook)],
    )


async def _shown(call: Call[Any], row: Webhook) -> WebhookOut:
    delivery = await access.delivery_of(row.id)
    return WebhookOut(
        id=row.id,
        url=row.url,
        addresses=row.addresses,
        state=row.state,
        delivered=delivery.delivered,
        waiting=await access.last_sequence(row.client_id) - delivery.delivered,
        attempts=delivery.attempts,
        next_try_at=delivery.next_try_at,
        last_answer=delivery.last_answer,
        abilities=[ability_out(a, call.language) for a in rules.abilities(call.actor, row)],
    )


@endpoint(summary="接入系统的推送地址", returns=WebhookOut, refuses=[Denied])
async def show_webhook(call: Call[None]) -> WebhookOut:
    rules.check_reads(call.actor)
    return await _shown(call, await access.known_webhook_of(call.id()))


@endpoint(summary="登记推送地址", body=WebhookIn, returns=WebhookOut, refuses=[NotFound])
async def register_webhook(call: Call[WebhookIn]) -> WebhookOut:
    trial = not call.request.scope["oa.secure"]
    row = await actions.register_webhook(call.actor, call.id(), call.body.url, call.body.addresses, trial=trial)
    return await _shown(call, row)


@endpoint(summary="批准、停用、恢复、重发推送", body=WebhookActIn, returns=WebhookOut, refuses=[Conflict, Invalid])
async def act_on_webhook(call: Call[WebhookActIn]) -> WebhookOut:
    row = await access.known_webhook_of(call.id())
    if call.body.verb == "replay":
        await actions.replay(call.actor, row.id, call.body.after)
    else:
        await actions.decide_webhook(call.actor, row.id, call.body.verb)
    return await _shown(call, await access.webhook(row.id))


routes = [
    resource("/api/v1/events", GET=list_events),
    resource("/api/v1/webhook-keys", GET=list_keys),
    resource("/api/clients/{id}/feed", GET=show_feed),
    resource("/api/clients/{id}/webhook", GET=show_webhook, PUT=register_webhook),
    resource("/api/clients/{id}/webhook/acts", POST=act_on_webhook),
]
