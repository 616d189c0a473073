"""The office hours of a year's seasons."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


class Migration(migrations.Migration):
    dependencies = [("oa", "0017_clearance")]

    initial = False

    operations = [
        ops.CreateModel(
            name="OfficeSchedule",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ("seasons", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("notice", fields.CharField(max_length=200)),
                ("entered_by", fields.UUIDField()),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "office_schedule", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
