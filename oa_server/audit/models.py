"""The tables of the audit log. Rows are inserted and never updated."""

from __future__ import annotations

from oa_server.storage import fields


class AuditRecord(fields.Model):
    """One act. `digest` is the SHA-256 of the record's canonical JSON, salt included: the leaf of the log."""

    id = fields.Key()
    at = fields.Moment(db_index=True)
    verb = fields.Text(64)
    actor_id = fields.Id(null=True)
    actor_name = fields.Text(100)
    organ_id = fields.Id(null=True, db_index=True)
    certificate_serial = fields.Text(64, null=True)
    address = fields.Text(64, null=True)
    subject_type = fields.Text(32)
    subject_id = fields.Text(64, db_index=True)
    facts = fields.SealedJson()
    salt = fields.Text(32)
    digest = fields.Digest()

    class Meta:
        app = "oa"
        table = "audit_record"
        indexes = (fields.Index(fields=("certificate_serial", "id")),)


class AuditLeaf(fields.Model):
    """The place of one record in the log: leaf number `seq`, counted from 0."""

    seq = fields.Number(primary_key=True)
    record = fields.ForeignKey("oa.AuditRecord", unique=True)
    digest = fields.Digest()

    class Meta:
        app = "oa"
        table = "audit_leaf"


class AuditHead(fields.Model):
    """A signed tree head: the log had `size` leaves and this root; `frontier` are the roots from which it grows on."""

    id = fields.Key()
    size = fields.Number(unique=True)
    root = fields.Digest()
    frontier = fields.Json()
    at = fields.Moment()
    signature = fields.Bytes()

    class Meta:
        app = "oa"
        table = "audit_head"


class AuditSubtree(fields.Model):
    """The root over leaves `number` × 1024 to the next, kept so that the proof of one entry reads no more than it needs."""

    number = fields.Number(primary_key=True)
    root = fields.Digest()

    class Meta:
        app = "oa"
        table = "audit_subtree"
