"""The tables of the calendar. Rows are inserted and never updated: a newer one takes the place of an older."""

from __future__ import annotations

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
