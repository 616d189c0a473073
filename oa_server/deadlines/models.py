"""The tables of the calendar and of the clocks. Rows of the calendar are inserted and never updated: a newer one takes the place
of an older."""

from __future__ import annotations

from oa_server.deadlines.engine import TermUnit
from oa_server.deadlines.states import ClockState, EventKind, PauseGround
from oa_server.storage import fields


class CalendarYear(fields.Model):
    """年度安排: the days off and make-up days of one year as a notice names them. The newest of a year counts.

    `days` maps each day (ISO 8601) to `{"off": bool, "name": str}`; `sha256` is of its canonical JSON.
    """

    id = fields.Key()
    year = fields.Number(db_index=True)
    notice = fields.Text(200)
    days = fields.Json()
    sha256 = fields.Digest()
    entered_by = fields.Id(null=True)
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "calendar_year"


class LocalHoliday(fields.Model):
    """地方假日: a day on which one organ is off besides, or no longer is. The newest for an organ and a day counts."""

    id = fields.Key()
    organ = fields.ForeignKey("oa.Organ")
    day = fields.Day()
    name = fields.Text(40)
    notice = fields.Text(200)
    is_off = fields.Flag()
    entered_by = fields.Id()
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "local_holiday"
        indexes = (fields.Index(fields=("organ_id", "day")),)


class OfficeSchedule(fields.Model):
    """作息时间: the office hours of the seasons of a year. The newest counts.

    `seasons` is a list of `{"begins": "MM-DD", "spans": [["HH:MM", "HH:MM"], …]}` in the order of their days.
    """

    id = fields.Key()
    seasons = fields.Json()
    notice = fields.Text(200)
    entered_by = fields.Id()
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "office_schedule"


class Clock(fields.Model):
    """办理时限: a term that runs for one subject against an organ. `unit` and `quantity` are the term as it stands, extensions
    included; all that can change follows from the clock's events and is written by `clocks` alone."""

    id = fields.Key()
    subject_type = fields.Text(32)
    subject_id = fields.Id(db_index=True)
    policy = fields.Text(64)
    title = fields.Text(100)
    organ = fields.ForeignKey("oa.Organ")
    unit = fields.State(TermUnit)
    quantity = fields.Number()
    started_on = fields.Day()
    due_on = fields.Day(null=True)
    calendar_digest = fields.Digest(default="")
    provisional = fields.Flag(default=False)
    state = fields.State(ClockState)
    ground = fields.State(PauseGround, default="")
    ended_on = fields.Day(null=True)

    @property
    def is_breached(self) -> bool:
        """Whether it was stopped after the day on which it had to be. A clock that stops while it is paused was in time."""
        return self.ended_on is not None and self.due_on is not None and self.ended_on > self.due_on

    @property
    def is_met(self) -> bool:
        """Whether it was stopped in time."""
        return self.ended_on is not None and not self.is_breached

    class Meta:
        app = "oa"
        table = "clock"


class ClockEvent(fields.Model):
    """What befell a clock, in the order of `number`. `quantity` is of the term that it started with, or by how much that was
    extended; `calendar_digest` says by which days `due_after` was counted. Rows are inserted and never updated."""

    id = fields.Key()
    clock = fields.ForeignKey("oa.Clock")
    number = fields.Number()
    kind = fields.State(EventKind)
    on = fields.Day()
    quantity = fields.Number(null=True)
    ground = fields.State(PauseGround, default="")
    reason = fields.SealedText(500, default="")
    approved_by = fields.Id(null=True)
    due_before = fields.Day(null=True)
    due_after = fields.Day(null=True)
    calendar_digest = fields.Digest(default="")
    notice = fields.Text(200, default="")
    at = fields.Moment()
    by = fields.Id(null=True)

    class Meta:
        app = "oa"
        table = "clock_event"
        unique_together = (("clock", "number"),)
