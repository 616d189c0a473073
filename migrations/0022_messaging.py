"""Messaging: conversations, who is in them, messages, and everybody's cursor."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id
from oa_server.storage.fields import SealedJson, SealedText


def _key():
    return fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)


def _reference(model, column, *, null=False):
    return fields.ForeignKeyField(
        model,
        source_field=column,
        null=null,
        db_index=True,
        db_constraint=True,
        to_field="id",
        related_name=False,
        on_delete=OnDelete.RESTRICT,
    )


class Migration(migrations.Migration):
    dependencies = [("oa", "0021_proposal_import")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Conversation",
            fields=[
                ("id", _key()),
                ("kind", fields.CharField(max_length=32)),
                ("key", fields.CharField(null=True, unique=True, max_length=80)),
                ("title", SealedText(60)),
                ("organ", _reference("oa.Organ", "organ_id", null=True)),
                ("unit", _reference("oa.Unit", "unit_id", null=True)),
                ("is_shared", fields.BooleanField(default=False)),
                ("last_seq", fields.BigIntField(default=0)),
                ("last_chain", fields.CharField(max_length=64)),
                ("last_at", fields.DatetimeField()),
                ("members_version", fields.IntField(default=1)),
                ("anchored_seq", fields.BigIntField(default=0)),
                ("created_by", _reference("oa.Official", "created_by_id", null=True)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "conversation", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Membership",
            fields=[
                ("id", _key()),
                ("conversation", _reference("oa.Conversation", "conversation_id")),
                ("official", _reference("oa.Official", "official_id")),
                ("join_seq", fields.BigIntField()),
                ("leave_seq", fields.BigIntField(null=True)),
                ("read_seq", fields.BigIntField()),
                ("is_owner", fields.BooleanField(default=False)),
                ("is_muted", fields.BooleanField(default=False)),
                ("is_pinned", fields.BooleanField(default=False)),
                ("joined_at", fields.DatetimeField()),
            ],
            options={
                "table": "membership",
                "app": "oa",
                "unique_together": (("conversation", "official", "joined_at"),),
                "indexes": [Index(fields=["official_id", "leave_seq"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Message",
            fields=[
                ("id", _key()),
                ("conversation", _reference("oa.Conversation", "conversation_id")),
                ("seq", fields.BigIntField()),
                ("sender", _reference("oa.Official", "sender_id")),
                ("cid", fields.CharField(max_length=64)),
                ("kind", fields.CharField(max_length=32)),
                ("content", SealedJson()),
                ("content_sha256", fields.CharField(max_length=64)),
                ("chain", fields.CharField(max_length=64)),
                ("at", fields.DatetimeField()),
                ("recalled_at", fields.DatetimeField(null=True)),
                ("recalled_by", _reference("oa.Official", "recalled_by_id", null=True)),
                ("recall_reason", SealedText(200, null=True)),
            ],
            options={
                "table": "message",
                "app": "oa",
                "unique_together": (("conversation", "seq"), ("sender", "cid")),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Inbox",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("head", fields.BigIntField(default=0)),
                ("floor", fields.BigIntField(default=0)),
            ],
            options={"table": "inbox", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="InboxEvent",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("official_id", fields.UUIDField()),
                ("useq", fields.BigIntField()),
                ("kind", fields.CharField(max_length=32)),
                ("conversation_id", fields.UUIDField()),
                ("seq", fields.BigIntField(default=0)),
                ("by_id", fields.UUIDField(null=True)),
                ("at", fields.DatetimeField()),
            ],
            options={
                "table": "inbox_event",
                "app": "oa",
                "unique_together": (("official_id", "useq"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
    ]
