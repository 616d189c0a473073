"""Classified documents carry a copy number (份号)."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("oa", "0003_collective_names")]

    initial = False

    operations = [
        ops.AddField("OutgoingDocument", "copy_no", fields.CharField(default="", db_default="", max_length=6))
    ]
