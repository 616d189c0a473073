"""The working-day calendar: years as notices make them, and local holidays."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


def _key():
    return fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)


def _moment():
    return fields.DatetimeField(auto_now=False, auto_now_add=False)


class Migration(migrations.Migration):
    dependencies = [("oa", "0012_uses_of_certificates")]

    initial = False

    operations = [
        ops.CreateModel(
            name="CalendarYear",
            fields=[
                ("id", _key()),
                ("year", fields.IntField(db_index=True)),
                ("notice", fields.CharField(max_length=200)),
                ("days", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("sha256", fields.CharField(max_length=64)),
                ("entered_by", fields.UUIDField(null=True)),
                ("at", _moment()),
            ],
            options={"table": "calendar_year", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LocalHoliday",
            fields=[
                ("id", _key()),
                (
                    "organ",
                    fields.ForeignKeyField(
                        "oa.Organ",
                        source_field="organ_id",
                        db_index=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("day", fields.DateField()),
                ("name", fields.CharField(max_length=40)),
                ("notice", fields.CharField(max_length=200)),
                ("is_off", fields.BooleanField()),
                ("entered_by", fields.UUIDField()),
                ("at", _moment()),
            ],
            options={
                "table": "local_holiday",
                "app": "oa",
                "indexes": [Index(fields=["organ_id", "day"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
    ]
