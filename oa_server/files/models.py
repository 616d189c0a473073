"""Attachments: rows here, bytes in the object store, encrypted in parts."""

from __future__ import annotations

from enum import StrEnum

from oa_server.storage import fields


class FileState(StrEnum):
    UPLOADING = "uploading"
    HELD = "held"  # all of it is there, and it waits for the malware scanner
    QUARANTINED = "quarantined"  # malware was found in it
    READY = "ready"
    REMOVED = "removed"


class StoredFile(fields.Model):
    """附件. `received` counts plain bytes that are durable; part n holds plain bytes from n × part_size on.

    The bytes of a removed file stay: opinions may have been signed on a version that had it, and what becomes of records
    the archive decides. Those of a quarantined one stay too, as evidence: encrypted they harm nobody, and no door gives them
    out. `malware` is what the scanner calls what it found.
    """

    id = fields.Key()
    subject_type = fields.Text(32)
    subject_id = fields.Id(db_index=True)
    name = fields.SealedText(255)
    media_type = fields.Text(100)
    size = fields.BigNumber()
    received = fields.BigNumber(default=0)
    part_size = fields.Number()
    sha256 = fields.Digest(null=True)
    state = fields.State(FileState)
    malware = fields.Text(200, default="", db_default="")
    wrapped_key = fields.Bytes()
    position = fields.Number(default=0)
    uploaded_by = fields.ForeignKey("oa.Official")
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "stored_file"
        indexes = (("state", "id"),)

    @property
    def is_ready(self) -> bool:
        """Whether all of it is there, and its digest known."""
        return bool(self.state == FileState.READY)


class FilePart(fields.Model):
    """Which object holds a part. Each attempt to store a part has an object of its own, and only the one that was counted
    is named here, so of two attempts at once the loser cannot put its bytes in the winner's place."""

    id = fields.Key()
    file = fields.ForeignKey("oa.StoredFile")
    number = fields.Number()
    object_key = fields.Text(80)

    class Meta:
        app = "oa"
        table = "file_part"
        unique_together = (("file", "number"),)
