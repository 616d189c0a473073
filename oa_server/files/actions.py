"""The verbs of attachments: start, continue, finish, remove."""

from __future__ import annotations

import asyncio
import mimetypes
from hashlib import sha256
from typing import Any
from uuid import UUID

from crypto import envelope
from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import Denied
from oa_server.core.ids import new_id
from oa_server.files import access, rules
from oa_server.files.models import FileState, StoredFile
from oa_server.storage.objects import ObjectStore
from oa_server.storage.unit_of_work import transition, unit_of_work

HASHERS_KEPT = 64


class FileKeeper:
    """Writes attachments into the object store, encrypted, and keeps their running digests.

    A digest's state cannot be stored, so it lives in this process; when another process takes an upload over, or this
    one was restarted, the parts that are already there are read once more.
    """

    def __init__(self, store: ObjectStore, master_key: bytes, *, limit: int) -> None:
        self._store = store
        self._master_key = master_key
        self._limit = limit
        self._hashers: dict[UUID, tuple[int, Any]] = {}
        self.reader = access.FileReader(store, master_key)

    async def start(self, actor: Actor, *, name: str, size: int, subject_type: str, subject_id: UUID) -> StoredFile:
        """Open an upload of `size` bytes. Raises Invalid, TooLarge."""
        clean = rules.clean_name(name)
        rules.check_size(size, self._limit)
        file_id = new_id()
        wrapped = envelope.wrap_key(self._master_key, envelope.new_object_key(), access.context_of(file_id, -1))
        others = await access.files_of(subject_type, [subject_id])
        async with unit_of_work(actor) as work:
            file = await StoredFile.create(
                id=file_id,
                subject_type=subject_type,
                subject_id=subject_id,
                name=clean,
                size=size,
                media_type=mimetypes.guess_type(clean)[0] or "application/octet-stream",
                part_size=rules.PART_SIZE,
                state=FileState.UPLOADING,
                wrapped_key=wrapped,
                position=len(others),
                uploaded_by_id=actor.official_id,
                at=work.now,
            )
            work.audit(Verb.UPLOAD_STARTED, "file", file.id, rows=[file], name=clean, size=size)
        return file

    async def write_part(self, actor: Actor, file: StoredFile, offset: int, data: bytes) -> StoredFile:
        """Store the next part; it is durable before the row says so. The last part completes the file."""
        rules.check_part(file, actor.official_id, offset, len(data))
        number = offset // file.part_size
        key = envelope.unwrap_key(self._master_key, bytes(file.wrapped_key), access.context_of(file.id, -1))
        hasher = await self._hasher(file)
        sealed = await asyncio.to_thread(self._seal, key, access.context_of(file.id, number), data, hasher)
        await self._store.put(access.part_key(file.id, number), sealed)
        received = offset + len(data)
        change: dict[str, Any] = {"received": received}
        if received == file.size:
            change |= {"sha256": hasher.hexdigest(), "state": FileState.READY}
        async with unit_of_work(actor) as work:
            await transition(
                StoredFile,
                file.id,
                reason=rules.WRONG_OFFSET,
                expect={"received": offset, "state": FileState.UPLOADING},
                change=change,
            )
            done = received == file.size
            verb = Verb.UPLOAD_FINISHED if done else Verb.UPLOAD_CONTINUED
            facts = {"sha256": change["sha256"], "size": file.size} if done else {"offset": received}
            work.audit(verb, "file", file.id, rows=[file], **facts)
        self._remember(file.id, received, None if done else hasher)
        return await access.file(file.id)

    @staticmethod
    def _seal(key: bytes, context: bytes, data: bytes, hasher: Any) -> bytes:
        hasher.update(data)
        return envelope.encrypt(key, context, data)

    async def _hasher(self, file: StoredFile) -> Any:
        """A copy of the running digest, so that a part which fails to be stored leaves it as it was."""
        known = self._hashers.get(file.id)
        if known is not None and known[0] == file.received:
            return known[1].copy()
        hasher = sha256()
        if file.received:
            async for piece in self.reader.stream(file, 0, file.received - 1):
                await asyncio.to_thread(hasher.update, piece)
        return hasher

    def _remember(self, file_id: UUID, received: int, hasher: Any) -> None:
        self._hashers.pop(file_id, None)
        if hasher is not None:
            self._hashers[file_id] = (received, hasher)
        while len(self._hashers) > HASHERS_KEPT:
            self._hashers.pop(next(iter(self._hashers)))

    async def remove(self, actor: Actor, file: StoredFile) -> None:
        """Take a file off its subject; the row stays, with its digest."""
        if file.uploaded_by_id != actor.official_id:
            raise Denied(rules.NOT_UPLOADER)
        async with unit_of_work(actor) as work:
            await StoredFile.filter(id=file.id).update(state=FileState.REMOVED)
            work.audit(Verb.FILE_REMOVED, "file", file.id, rows=[file], name=file.name)
        self._remember(file.id, 0, None)
