"""Which object holds each part of a file is told by a row of its own; until now it followed from the part's number."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


async def name_known_parts(apps, schema_editor):
    """Name the parts that are there already where they lie."""
    stored_file, file_part = apps.get_model("oa.StoredFile"), apps.get_model("oa.FilePart")
    client = schema_editor.client
    for file in await stored_file.all().using_db(client).values("id", "received", "part_size"):
        numbers = range(-(-file["received"] // file["part_size"]))
        parts = [
            file_part(id=new_id(), file_id=file["id"], number=number, object_key=f"files/{file['id']}/{number:06d}")
            for number in numbers
        ]
        await file_part.bulk_create(parts, using_db=client)


class Migration(migrations.Migration):
    dependencies = [("oa", "0001_initial")]

    initial = False

    operations = [
        ops.CreateModel(
            name="FilePart",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "file",
                    fields.ForeignKeyField(
                        "oa.StoredFile",
                        source_field="file_id",
                        db_index=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("number", fields.IntField()),
                ("object_key", fields.CharField(max_length=80)),
            ],
            options={"table": "file_part", "app": "oa", "unique_together": (("file", "number"),), "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.RunPython(name_known_parts),
    ]
