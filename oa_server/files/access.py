"""Reading attachments. The subject's domain has already decided that the actor may see the subject."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Collection
from itertools import islice
from uuid import UUID

from crypto import envelope
from crypto.errors import EnvelopeRefused
from oa_server.core.errors import NOT_FOUND, Conflict, NotFound
from oa_server.files import rules
from oa_server.files.models import FilePart, FileState, StoredFile
from oa_server.storage.database import select
from oa_server.storage.master_keys import MasterKeys
from oa_server.storage.objects import ObjectStore
from oa_server.storage.snapshots import Named

KEY_NUMBER = -1  # Stands for the file's key where parts have their number.
PARTS_AHEAD = 2
MISSING = "files/missing"
NAMED = Named("SELECT object_key FROM file_part")
MASTER_KEYS = "SELECT DISTINCT substr(wrapped_key, 1, 8) FROM stored_file"  # by their ids


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


async def held_files(after: UUID, limit: int) -> list[StoredFile]:
    """Files that wait for the malware scanner, in the order of their identifiers."""
    return await StoredFile.filter(state=FileState.HELD, id__gt=after).order_by("id").limit(limit)


async def count_held() -> int:
    """How many files wait for the malware scanner."""
    return await StoredFile.filter(state=FileState.HELD).count()


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
    """Opens parts with the installation's master keys."""

    def __init__(self, store: ObjectStore, master_keys: MasterKeys) -> None:
        self._store = store
        self._master_keys = master_keys

    async def stream(self, file: StoredFile, first: int = 0, last: int | None = None) -> AsyncGenerator[bytes, None]:
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
            key, context = await self.key_of(file), context_of(file.id, number)
            return await self._store.read(object_key, lambda data: deque(envelope.decrypt_stream(key, context, data)))
        except (NotFound, EnvelopeRefused) as error:
            raise Conflict(rules.CHANGED, file=str(file.id), part=number) from error

    async def key_of(self, file: StoredFile) -> bytes:
        """The file's own key. Raises EnvelopeRefused."""
        context = context_of(file.id, KEY_NUMBER)
        try:
            return self._master_keys.unwrap(bytes(file.wrapped_key), context)
        except EnvelopeRefused:
            # Since the row was read the file may have come under a new master key, and the old one be destroyed.
            now = await StoredFile.get(id=file.id)
            return self._master_keys.unwrap(bytes(now.wrapped_key), context)


# --- what a change of master key asks ---------------------------------------------------------------------------------


async def files_under_others(key_id: bytes, after: UUID, limit: int) -> list[StoredFile]:
    """Files whose key is wrapped under another master key than this one, in the order of their identifiers."""
    found = await select(
        "SELECT id FROM stored_file WHERE id > ? AND substr(wrapped_key, 1, 8) <> ? ORDER BY id LIMIT ?",
        [after, key_id, limit],
    )
    return await StoredFile.filter(id__in=[row["id"] for row in found]).order_by("id")


async def count_by_master_key() -> dict[bytes, int]:
    """How many files are under each master key, by its id."""
    found = await select("SELECT substr(wrapped_key, 1, 8) AS key_id, COUNT(*) AS n FROM stored_file GROUP BY 1")
    return {bytes(row["key_id"]): row["n"] for row in found}
