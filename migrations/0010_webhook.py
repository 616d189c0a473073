"""Where departments' systems have their events sent, and how far each has come."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


def _only(to, column):
    return fields.OneToOneField(
        to,
        source_field=column,
        db_constraint=True,
        to_field="id",
        related_name=False,
        on_delete=OnDelete.RESTRICT,
    )


def _key():
    return fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)


class Migration(migrations.Migration):
    dependencies = [("oa", "0009_feed_entry")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Webhook",
            fields=[
                ("id", _key()),
                ("client", _only("oa.ApiClient", "client_id")),
                ("url", fields.CharField(max_length=300)),
                ("addresses", fields.JSONField()),
                ("state", fields.CharField(max_length=32)),
                ("registered_by", fields.UUIDField(null=True)),
                ("approved_by", fields.UUIDField(null=True)),
                ("registered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "webhook", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Delivery",
            fields=[
                ("id", _key()),
                ("webhook", _only("oa.Webhook", "webhook_id")),
                ("delivered", fields.BigIntField(default=0)),
                ("attempts", fields.IntField(default=0)),
                ("next_try_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("taken_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("last_answer", fields.CharField(default="", max_length=100)),
            ],
            options={"table": "delivery", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
