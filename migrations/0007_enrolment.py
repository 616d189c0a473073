"""Codes with which administrators make their first keys."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


class Migration(migrations.Migration):
    dependencies = [("oa", "0006_audit_subtree")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Enrolment",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "official",
                    fields.ForeignKeyField(
                        "oa.Official",
                        source_field="official_id",
                        db_index=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("code_sha256", fields.CharField(unique=True, max_length=64)),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("finished_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "enrolment", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
