"""Whoever comes to a route of something classified must be cleared for it."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("oa", "0016_sealed_columns")]

    initial = False

    operations = [ops.AddField("Route", "clearance", fields.CharField(default="", db_default="", max_length=32))]
