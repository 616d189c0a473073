"""Proposals that are brought in by sheets: batches, where each case came from, and what sheets call organs."""

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
    dependencies = [("oa", "0020_proposals")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ImportBatch",
            fields=[
                ("id", _key()),
                ("sitting", _reference("oa.Sitting", "sitting_id")),
                ("file_name", fields.CharField(max_length=200)),
                ("file_sha256", fields.CharField(max_length=64)),
                ("digest", fields.CharField(max_length=64)),
                ("added", fields.IntField()),
                ("changed", fields.IntField()),
                ("unchanged", fields.IntField()),
                ("kept", fields.IntField()),
                ("entered_by", _reference("oa.Official", "entered_by_id")),
                ("at", fields.DatetimeField()),
            ],
            options={
                "table": "import_batch",
                "app": "oa",
                "unique_together": (("sitting", "digest"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="UnitAlias",
            fields=[
                ("id", _key()),
                ("name", fields.CharField(unique=True, max_length=120)),
                ("organ", _reference("oa.Organ", "organ_id")),
                ("entered_by", _reference("oa.Official", "entered_by_id")),
                ("at", fields.DatetimeField()),
            ],
            options={"table": "unit_alias", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ImportedRow",
            fields=[
                ("id", _key()),
                (
                    "proposal",
                    fields.OneToOneField(
                        "oa.Proposal",
                        source_field="proposal_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("batch", _reference("oa.ImportBatch", "batch_id")),
                ("row_no", fields.IntField()),
                ("row_sha256", fields.CharField(max_length=64)),
                ("natural_sha256", fields.CharField(max_length=64)),
            ],
            options={"table": "imported_row", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
