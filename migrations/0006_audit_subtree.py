"""The roots of complete subtrees of the audit log; those of the log that is there are made by the running server."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("oa", "0005_certificate_life")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AuditSubtree",
            fields=[
                ("number", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("root", fields.CharField(max_length=64)),
            ],
            options={"table": "audit_subtree", "app": "oa", "pk_attr": "number"},
            bases=["Model"],
        ),
    ]
