"""Clocks: the terms that run for subjects, and what befalls them."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


def _key():
    return fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)


def _reference(model, column):
    return fields.ForeignKeyField(
        model,
        source_field=column,
        db_index=True,
        db_constraint=True,
        to_field="id",
        related_name=False,
        on_delete=OnDelete.RESTRICT,
    )


class Migration(migrations.Migration):
    dependencies = [("oa", "0018_office_hours")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Clock",
            fields=[
                ("id", _key()),
                ("subject_type", fields.CharField(max_length=32)),
                ("subject_id", fields.UUIDField(db_index=True)),
                ("policy", fields.CharField(max_length=64)),
                ("title", fields.CharField(max_length=100)),
                ("organ", _reference("oa.Organ", "organ_id")),
                ("unit", fields.CharField(max_length=32)),
                ("quantity", fields.IntField()),
                ("started_on", fields.DateField()),
                ("due_on", fields.DateField(null=True)),
                ("calendar_digest", fields.CharField(default="", max_length=64)),
                ("provisional", fields.BooleanField(default=False)),
                ("state", fields.CharField(max_length=32)),
                ("ground", fields.CharField(default="", max_length=32)),
                ("ended_on", fields.DateField(null=True)),
            ],
            options={"table": "clock", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ClockEvent",
            fields=[
                ("id", _key()),
                ("clock", _reference("oa.Clock", "clock_id")),
                ("number", fields.IntField()),
                ("kind", fields.CharField(max_length=32)),
                ("on", fields.DateField()),
                ("quantity", fields.IntField(null=True)),
                ("ground", fields.CharField(default="", max_length=32)),
                ("reason", fields.BinaryField()),
                ("approved_by", fields.UUIDField(null=True)),
                ("due_before", fields.DateField(null=True)),
                ("due_after", fields.DateField(null=True)),
                ("calendar_digest", fields.CharField(default="", max_length=64)),
                ("notice", fields.CharField(default="", max_length=200)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "clock_event",
                "app": "oa",
                "unique_together": (("clock", "number"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
    ]
