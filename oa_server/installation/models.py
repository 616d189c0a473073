"""Settings that were changed in place."""

from __future__ import annotations

from enum import StrEnum

from oa_server.storage import fields


class SettingState(StrEnum):
    """状态 of a change: in force at once, or once a second administrator has confirmed it."""

    PENDING = "pending"
    IN_FORCE = "in_force"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Setting(fields.Model):
    """设置: one change of one setting. The newest that came into force counts; an empty value is the file's."""

    id = fields.Key()
    name = fields.Text(64, db_index=True)
    value = fields.Text(200)
    reason = fields.Text(200)
    state = fields.State(SettingState)
    proposed_by = fields.Id()
    proposed_at = fields.Moment()
    decided_by = fields.Id(null=True)
    decided_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "setting"
