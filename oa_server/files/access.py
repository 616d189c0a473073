"""Reading attachments. The subject's domain has already decided that the actor may see the subject."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Collection
from itertools import islice
from uuid import UUID

from crypto import envelope
from crypto.errors import EnvelopeRefused
from oa_server.core.errors import NOT_FOUND, Conflict, NotFound
from oa_server.files import rules
from oa_server.files.models import FilePart, FileState, StoredFile
from oa_server.storage.objects import ObjectStore

KEY_NUMBER = -1  # Stands for the file's key where parts have their number.
PARTS_AHEAD = 2
MISSING = "files/missing"


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


async def part_keys(file_id: UUID, first: int, last: int) -> dict[int, str]:
    """Where the parts from `first` to `last` lie in the object store, by their numbers."""
    rows = FilePart.filter(file_id=file_id, number__gte=first, number__lte=last)
    return dict(await rows.values_list("number", "object_key"))


def new_part_key(file_id: UUID, number: int) -> str:
    """A place in the object store for one attempt to store a part."""
    return f"files/{file_id}/{number:06d}-{secrets.token_hex(8)}"


def context_of(file_id: UUID, number: int) -> bytes:
    """What binds a part's ciphertext to its file and place."""
    return f"oa/file/1|{file_id}|{number}".encode()


class FileReader:
    """Opens parts with the installation's master key."""

    def __init__(self, store: ObjectStore, master_key: bytes) -> None:
        self._store = store
        self._master_key = master_key

    async def stream(self, file: StoredFile, first: int = 0, last: int | None = None) -> AsyncIterator[bytes]:
        """Plain bytes from `first` to `last` (inclusive); while one part is given out, the next ones are fetched.

        Raises Conflict as soon as a part has been changed, cut, swapped or lost.
        """
        end = file.size - 1 if last is None else last
        numbers = range(first // file.part_size, end // file.part_size + 1)
        keys = await part_keys(file.id, numbers.start, numbers.stop - 1)
        fetches = (asyncio.create_task(self._part(file, number, keys.get(number, MISSING))) for number in numbers)
        ahead = deque(islice(fetches, PARTS_AHEAD))
        at = numbers.start * file.part_size
        try:
            while ahead:
                pieces = await ahead.popleft()
                ahead.extend(islice(fetches, 1))
                while pieces:
                    piece = pieces.popleft()
                    if wanted := piece[max(0, first - at) : max(0, end + 1 - at)]:
                        yield wanted
                    at += len(piece)
        finally:
            for fetch in ahead:
                fetch.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _part(self, file: StoredFile, number: int, object_key: str) -> deque[bytes]:
        """A part's plain bytes in pieces: holding it whole would cost as much as decrypting it."""
        try:
            key, context = self.key_of(file), context_of(file.id, number)
            return await self._store.read(object_key, lambda data: deque(envelope.decrypt_stream(key, context, data)))
        except (NotFound, EnvelopeRefused) as error:
            raise Conflict(rules.CHANGED, file=str(file.id), part=number) from error

    def key_of(self, file: StoredFile) -> bytes:
        """The file's own key. Raises EnvelopeRefused."""
        return envelope.unwrap_key(self._master_key, bytes(file.wrapped_key), context_of(file.id, KEY_NUMBER))
