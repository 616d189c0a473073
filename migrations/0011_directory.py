"""The directory is kept in place: who has left and when, roles that two people give, and who is on duty."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


def _reference(to, column, *, null=False):
    return fields.ForeignKeyField(
        to,
        source_field=column,
        null=null,
        db_index=True,
        db_constraint=True,
        to_field="id",
        related_name=False,
        on_delete=OnDelete.RESTRICT,
    )


def _key():
    return fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)


def _moment(*, null=False):
    return fields.DatetimeField(null=null, auto_now=False, auto_now_add=False)


class Migration(migrations.Migration):
    dependencies = [("oa", "0010_webhook")]

    initial = False

    operations = [
        ops.AddField("Organ", "retired_at", _moment(null=True)),
        ops.AddField("Unit", "retired_at", _moment(null=True)),
        ops.AddField("Official", "retired_at", _moment(null=True)),
        ops.CreateModel(
            name="RoleChange",
            fields=[
                ("id", _key()),
                ("official", _reference("oa.Official", "official_id")),
                ("organ", _reference("oa.Organ", "organ_id")),
                ("unit", _reference("oa.Unit", "unit_id")),
                ("role", fields.CharField(max_length=32)),
                ("reason", fields.CharField(max_length=200)),
                ("state", fields.CharField(max_length=32, db_index=True)),
                ("proposed_by", fields.UUIDField()),
                ("proposed_as", fields.CharField(max_length=32)),
                ("proposed_at", _moment()),
                ("decided_by", fields.UUIDField(null=True)),
                ("decided_at", _moment(null=True)),
            ],
            options={"table": "role_change", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Duty",
            fields=[
                ("id", _key()),
                ("organ", _reference("oa.Organ", "organ_id")),
                ("unit", _reference("oa.Unit", "unit_id", null=True)),
                ("official", _reference("oa.Official", "official_id")),
                ("starts_at", _moment()),
                ("ends_at", _moment()),
                ("telephone", fields.CharField(default="", max_length=40)),
                ("remark", fields.CharField(default="", max_length=200)),
            ],
            options={
                "table": "duty",
                "app": "oa",
                "unique_together": (("organ", "official", "starts_at"),),
                "indexes": [Index(fields=["organ_id", "ends_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Setting",
            fields=[
                ("id", _key()),
                ("name", fields.CharField(max_length=64, db_index=True)),
                ("value", fields.CharField(max_length=200)),
                ("reason", fields.CharField(max_length=200)),
                ("state", fields.CharField(max_length=32)),
                ("proposed_by", fields.UUIDField()),
                ("proposed_at", _moment()),
                ("decided_by", fields.UUIDField(null=True)),
                ("decided_at", _moment(null=True)),
            ],
            options={"table": "setting", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
