"""Departments' systems, and the assertions that they have shown."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


def _reference(to, column):
    return fields.ForeignKeyField(
        to,
        source_field=column,
        db_index=True,
        db_constraint=True,
        to_field="id",
        related_name=False,
        on_delete=OnDelete.RESTRICT,
    )


def _key():
    return fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)


class Migration(migrations.Migration):
    dependencies = [("oa", "0007_enrolment")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ApiClient",
            fields=[
                ("id", _key()),
                ("code", fields.CharField(unique=True, max_length=32)),
                ("name", fields.CharField(max_length=60)),
                ("organ", _reference("oa.Organ", "organ_id")),
                ("unit", _reference("oa.Unit", "unit_id")),
                ("official", _reference("oa.Official", "official_id")),
                ("certificate", fields.BinaryField()),
                ("certificate_sha256", fields.CharField(unique=True, max_length=64)),
                ("scopes", fields.JSONField()),
                ("purpose", fields.CharField(max_length=200)),
                ("per_minute", fields.IntField()),
                ("state", fields.CharField(max_length=32)),
                ("registered_by", fields.UUIDField(null=True)),
                ("approved_by", fields.UUIDField(null=True)),
                ("registered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "api_client", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="UsedAssertion",
            fields=[
                ("id", _key()),
                ("jti_sha256", fields.CharField(unique=True, max_length=64)),
                ("expires_at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "used_assertion", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
