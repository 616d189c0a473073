"""What was done with a certificate is found without reading the whole log."""

from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("oa", "0011_directory")]

    initial = False

    operations = [
        ops.AddIndex("AuditRecord", Index(fields=["certificate_serial", "id"])),
        ops.AddIndex("Signature", Index(fields=["certificate_serial", "id"])),
    ]
