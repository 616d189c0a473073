"""The life of keys: what became of each device, what each request is for, its ticket, and whose a public key is."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from oa_server.core.ids import new_id


def _reference(to, column, *, null=False):
    return fields.ForeignKeyField(
        to,
        source_field=column,
        null=null,
        db_index=True,
        db_constraint=True,
        to_field="id",
        related_name=False,
        on_delete=OnDelete.RESTRICT,
    )


def _key():
    return fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)


class Migration(migrations.Migration):
    dependencies = [("oa", "0004_copy_number")]

    initial = False

    operations = [
        ops.CreateModel(
            name="DeviceEntry",
            fields=[
                ("id", _key()),
                ("device", _reference("oa.KeyDevice", "device_id")),
                ("verb", fields.CharField(max_length=32)),
                ("note", fields.CharField(default="", max_length=200)),
                ("by", fields.CharField(max_length=60)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "device_entry", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CertifiedKey",
            fields=[
                ("id", _key()),
                ("key_sha256", fields.CharField(unique=True, max_length=64)),
                ("profile", fields.CharField(max_length=32)),
                ("official", _reference("oa.Official", "official_id", null=True)),
                ("organ", _reference("oa.Organ", "organ_id", null=True)),
            ],
            options={"table": "certified_key", "app": "oa", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddField("KeyDevice", "state", fields.CharField(null=True, max_length=32)),
        ops.AddField("CertificateRequest", "kind", fields.CharField(null=True, max_length=32)),
        ops.AddField("CertificateRequest", "replaces", _reference("oa.Certificate", "replaces_id", null=True)),
        # A reference that is added to a table gets no index from the library, on neither database.
        ops.RunSQL(
            'CREATE INDEX IF NOT EXISTS "idx_certificate_request_replaces_id" ON "certificate_request" ("replaces_id")'
        ),
        ops.AddField("CertificateRequest", "serial", fields.CharField(null=True, unique=True, max_length=64)),
        ops.AddField(
            "CertificateRequest", "decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)
        ),
        ops.AddField("CertificateRequest", "refusal", fields.CharField(null=True, max_length=300)),
    ]
