"""Route templates, running routes and their tasks."""

from __future__ import annotations

from enum import StrEnum

from oa_server.storage import fields


class RouteState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    TERMINATED = "terminated"


class TaskState(StrEnum):
    OPEN = "open"
    DONE = "done"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class RouteTemplate(fields.Model):
    """流程模板: one published version; a running route keeps the version it began with."""

    id = fields.Key()
    code = fields.Text(64)
    version = fields.Number()
    title = fields.Text(100)
    tree = fields.Json()
    published_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "route_template"
        unique_together = (("code", "version"),)


class Route(fields.Model):
    """流程: one template walked for one subject. The subject's own words stand here so that lists need no join upward.

    `clearance` is the role that everybody on its way must be cleared by; empty where nothing is secret.
    """

    id = fields.Key()
    template = fields.ForeignKey("oa.RouteTemplate")
    subject_type = fields.Text(32)
    subject_id = fields.Id(db_index=True)
    organ = fields.ForeignKey("oa.Organ")
    title = fields.Text(300)
    doc_no = fields.Text(64, default="")
    from_name = fields.Text(120)
    urgency = fields.Text(16)
    clearance = fields.Text(32, default="")
    facts = fields.Json()
    done = fields.Json(default=list)
    state = fields.State(RouteState)
    started_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "route"


class Task(fields.Model):
    """待办: one step of a route, open to one official."""

    id = fields.Key()
    route = fields.ForeignKey("oa.Route")
    step = fields.Text(64)
    step_title = fields.Text(64)
    iteration = fields.Number(default=1)
    official = fields.ForeignKey("oa.Official")
    state = fields.State(TaskState)
    opened_at = fields.Moment()
    read_at = fields.Moment(null=True)
    due_at = fields.Moment(null=True)
    done_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "task"
        indexes = (fields.Index(fields=("official_id", "state", "opened_at", "id")),)
