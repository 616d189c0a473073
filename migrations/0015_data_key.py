"""The data key under which values of rows and rendered pages are encrypted, wrapped under the master key."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id
from oa_server.storage.migrate import master_keys
from oa_server.storage.sealing import new_wrapped_key


async def make_key(apps, schema_editor):
    """Make the data key of this installation."""
    key_id = new_id()
    wrapped = new_wrapped_key(master_keys(), key_id)
    await apps.get_model("oa.DataKey").create(id=key_id, wrapped_key=wrapped, using_db=schema_editor.client)


class Migration(migrations.Migration):
    dependencies = [("oa", "0014_malware")]

    initial = False

    operations = [
        ops.CreateModel(
            name="DataKey",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ("wrapped_key", fields.BinaryField()),
            ],
            options={"table": "data_key", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.RunPython(make_key, ops.RunPython.noop),
    ]
