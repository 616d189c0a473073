"""Recipients too many to be named one by one are printed under a collective name (统称)."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("oa", "0002_file_part")]

    initial = False

    # The database itself knows the default, without which it adds no such column to a table that has rows.
    operations = [
        ops.AddField("OutgoingDocument", name, fields.CharField(default="", db_default="", max_length=200))
        for name in ("main_recipients_as", "copies_to_as")
    ]
