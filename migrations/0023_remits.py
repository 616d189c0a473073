"""What organs answer for: the phrases of their establishment, by which an organ is suggested for a proposal."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


class Migration(migrations.Migration):
    dependencies = [("oa", "0022_messaging")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Remit",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
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
                ("text", fields.CharField(max_length=100)),
                ("position", fields.IntField(default=0)),
            ],
            options={"table": "remit", "app": "oa", "unique_together": (("organ", "text"),), "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
