"""What each system is told, in its order."""

from __future__ import annotations

from enum import StrEnum

from oa_server.storage import fields


class FeedEntry(fields.Model):
    """事件: one act on a document, as one system is told of it. `sequence` counts each system's events without a gap."""

    id = fields.Key()
    client = fields.ForeignKey("oa.ApiClient")
    sequence = fields.BigNumber()
    kind = fields.Text(64)
    subject_type = fields.Text(32)
    subject_id = fields.Id()
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "feed_entry"
        unique_together = (("client", "sequence"),)


class WebhookState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    DISABLED = "disabled"


class Webhook(fields.Model):
    """推送地址: where a system has its events sent, by which addresses alone it is reached, and how far it has come."""

    id = fields.Key()
    client = fields.ForeignKey("oa.ApiClient", unique=True)
    url = fields.Text(300)
    addresses = fields.Json()
    state = fields.State(WebhookState)
    registered_by = fields.Id(null=True)
    approved_by = fields.Id(null=True)
    registered_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "webhook"


class Delivery(fields.Model):
    """推送进度: how far a webhook's events have been taken. Kept apart, because it moves with every event."""

    id = fields.Key()
    webhook = fields.ForeignKey("oa.Webhook", unique=True)
    delivered = fields.BigNumber(default=0)
    attempts = fields.Number(default=0)
    next_try_at = fields.Moment(null=True)
    taken_until = fields.Moment(null=True)
    last_answer = fields.Text(100, default="")

    class Meta:
        app = "oa"
        table = "delivery"
