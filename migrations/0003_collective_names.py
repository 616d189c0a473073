"""Recipients too many to be named one by one are printed under a collective name (统称)."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("oa", "0002_file_part")]

    initial = False

    operations = [
        ops.AddField(model_name="OutgoingDocument", name=name, field=fields.CharField(default="", max_length=200))
        for name in ("main_recipients_as", "copies_to_as")
    ]
