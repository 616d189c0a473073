"""What attachments say over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.files.models import StoredFile
from oa_server.files.rules import PARTS_IN_A_REQUEST


class FileIn(Struct, forbid_unknown_fields=True):
    """A file that is about to come: its name, its size in bytes, and what it belongs to."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    size: Annotated[int, Meta(ge=0)]
    subject_type: Literal["outgoing", "conversation"]
    subject_id: UUID


class FileOut(Struct):
    """A file: `offset` bytes of `size` have arrived; the next request brings `chunk` bytes, or what is left.

    Once all have arrived it is `ready`, or `held` until it was scanned for `malware`, or `quarantined` with some in it.
    """

    id: UUID
    name: str
    size: int
    offset: int
    chunk: int
    state: str
    sha256: str | None
    malware: str
    at: datetime


def file_out(file: StoredFile) -> FileOut:
    return FileOut(
        id=file.id,
        name=file.name,
        size=file.size,
        offset=file.received,
        chunk=PARTS_IN_A_REQUEST * file.part_size,
        state=file.state,
        sha256=file.sha256,
        malware=file.malware,
        at=file.at,
    )
