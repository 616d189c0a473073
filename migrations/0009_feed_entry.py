"""What departments' systems are told of their documents."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


class Migration(migrations.Migration):
    dependencies = [("oa", "0008_api_client")]

    initial = False

    operations = [
        ops.CreateModel(
            name="FeedEntry",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "client",
                    fields.ForeignKeyField(
                        "oa.ApiClient",
                        source_field="client_id",
                        db_index=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("sequence", fields.BigIntField()),
                ("kind", fields.CharField(max_length=64)),
                ("subject_type", fields.CharField(max_length=32)),
                ("subject_id", fields.UUIDField()),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "feed_entry",
                "app": "oa",
                "unique_together": (("client", "sequence"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
    ]
