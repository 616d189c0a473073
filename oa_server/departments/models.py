"""What each system is told, in its order."""

from __future__ import annotations

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
