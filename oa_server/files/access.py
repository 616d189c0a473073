"""Reading attachments. The subject's domain has already decided that the actor may see the subject."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any
from uuid import UUID

from crypto import envelope
from crypto.errors import EnvelopeRefused
from oa_server.core.errors import NOT_FOUND, Conflict, NotFound
from oa_server.files import rules
from oa_server.files.models import FileState, StoredFile
from oa_server.storage.objects import ObjectStore


async def file(file_id: UUID) -> StoredFile:
    """One file that has not been removed. Raises NotFound."""
    found = await StoredFile.get_or_none(id=file_id)
    if found is None or found.state == FileState.REMOVED:
        raise NotFound(NOT_FOUND)
    return found


async def files_of(subject_type: str, subject_ids: Collection[UUID]) -> list[StoredFile]:
    """The files of some subjects in the order of their positions."""
    rows = StoredFile.filter(subject_type=subject_type, subject_id__in=list(subject_ids))
    return await rows.exclude(state=FileState.REMOVED).order_by("position", "id")


async def names_by(ids: Collection[UUID]) -> dict[UUID, str]:
    rows: list[dict[str, Any]] = await StoredFile.filter(id__in=list(ids)).values("id", "name")
    return {row["id"]: row["name"] for row in rows}


def part_key(file_id: UUID, number: int) -> str:
    """Where a part lies in the object store."""
    return f"files/{file_id}/{number:06d}"


def context_of(file_id: UUID, number: int) -> bytes:
    """What binds a part's ciphertext to its file and place."""
    return f"oa/file/1|{file_id}|{number}".encode()


class FileReader:
    """Opens parts with the installation's master key."""

    def __init__(self, store: ObjectStore, master_key: bytes) -> None:
        self._store = store
        self._master_key = master_key

    async def stream(self, file: StoredFile, first: int = 0, last: int | None = None) -> AsyncIterator[bytes]:
        """Plain bytes from `first` to `last` (inclusive), one part in memory at a time.

        Raises Conflict as soon as a part has been changed, cut or swapped.
        """
        end = file.size - 1 if last is None else last
        key = envelope.unwrap_key(self._master_key, bytes(file.wrapped_key), context_of(file.id, -1))
        for number in range(first // file.part_size, end // file.part_size + 1):
            start = number * file.part_size
            plain = await self._part(file.id, number, key)
            yield plain[max(0, first - start) : min(file.part_size, end - start + 1)]

    async def _part(self, file_id: UUID, number: int, key: bytes) -> bytes:
        data = await self._store.get(part_key(file_id, number))
        try:
            return await asyncio.to_thread(envelope.decrypt, key, context_of(file_id, number), data)
        except EnvelopeRefused as error:
            raise Conflict(rules.CHANGED, file=str(file_id), part=number) from error
