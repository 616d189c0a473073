"""Seals, what was asked to be signed, and what was signed."""

from __future__ import annotations

from enum import StrEnum

from oa_server.storage import fields


class SealState(StrEnum):
    IN_USE = "in_use"
    WITHDRAWN = "withdrawn"


class Seal(fields.Model):
    """印章 of an organ: its image, its diameter, and the certificate whose key seals. Its keepers are seal keepers of the organ."""

    id = fields.Key()
    organ = fields.ForeignKey("oa.Organ")
    name = fields.Text(120)
    image = fields.Bytes()
    diameter_mm = fields.Number()
    certificate_serial = fields.Text(64)
    state = fields.State(SealState)

    class Meta:
        app = "oa"
        table = "seal"


class SignatureRequest(fields.Model):
    """签名请求: what one official is asked to sign, prepared by the server, good once and for ten minutes.

    `content` are the canonical bytes of an opinion or receipt; for a seal they are empty and `state` holds the prepared
    PDF's description. `signed_attributes` is the DER that the key signs.
    """

    id = fields.Key()
    official = fields.ForeignKey("oa.Official")
    purpose = fields.Text(64)
    subject_type = fields.Text(32)
    subject_id = fields.Id()
    certificate = fields.Bytes()
    content = fields.SealedBytes()
    signed_attributes = fields.Bytes()
    state = fields.SealedBytes()
    expires_at = fields.Moment(db_index=True)
    used_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "signature_request"


class Signature(fields.Model):
    """签名: a detached CMS over `content`, kept for ever with what it signs."""

    id = fields.Key()
    purpose = fields.Text(64)
    subject_type = fields.Text(32)
    subject_id = fields.Id(db_index=True)
    official = fields.ForeignKey("oa.Official")
    certificate_serial = fields.Text(64)
    content = fields.SealedBytes()
    content_sha256 = fields.Digest()
    cms = fields.Bytes()
    signed_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "signature"
        indexes = (fields.Index(fields=("certificate_serial", "id")),)
