"""The verbs of attachments: start, continue, finish, remove."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import Any
from uuid import UUID

from crypto import envelope
from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Denied, OaError, Unavailable
from oa_server.core.ids import new_id
from oa_server.files import access, rules
from oa_server.files.models import FilePart, FileState, StoredFile
from oa_server.storage.objects import ObjectStore
from oa_server.storage.unit_of_work import transition, unit_of_work

HASHERS_KEPT = 64
PARTS_AT_ONCE = 8
PLACE_SECONDS = 3


class FileKeeper:
    """Writes attachments into the object store, encrypted, and keeps their running digests.

    A digest's state cannot be stored, so it lives in this process; when another process takes an upload over, or this
    one was restarted, the parts that are already there are read once more.
    """

    def __init__(self, store: ObjectStore, master_key: bytes, *, limit: int) -> None:
        self._store = store
        self._master_key = master_key
        self._limit = limit
        self._places = asyncio.Semaphore(PARTS_AT_ONCE)
        self._hashers: dict[UUID, tuple[int, Any]] = {}
        self.reader = access.FileReader(store, master_key)

    async def start(self, actor: Actor, *, name: str, size: int, subject_type: str, subject_id: UUID) -> StoredFile:
        """Open an upload of `size` bytes. Raises Invalid, TooLarge."""
        clean = rules.clean_name(name)
        rules.check_size(size, self._limit)
        file_id = new_id()
        context = access.context_of(file_id, access.KEY_NUMBER)
        wrapped = envelope.wrap_key(self._master_key, envelope.new_object_key(), context)
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

    async def write_parts(self, actor: Actor, file: StoredFile, offset: int, parts: AsyncIterator[bytes]) -> StoredFile:
        """Store parts as they come in: while one is on its way to the disk, the next one is received. Whatever ends the
        request, each part that was received whole is there."""
        storing: asyncio.Task[StoredFile] | None = None
        try:
            async for data in parts:
                if storing is not None:
                    file = await storing
                storing = asyncio.create_task(self.write_part(actor, file, offset, data))
                offset += len(data)
        finally:
            if storing is not None:
                await asyncio.gather(storing, return_exceptions=True)
        return await (storing or self.write_part(actor, file, offset, b""))

    async def write_part(self, actor: Actor, file: StoredFile, offset: int, data: bytes) -> StoredFile:
        """Store the next part; it is durable before the row says so. The last part completes the file."""
        rules.check_part(file, actor.official_id, offset, len(data))
        part = FilePart(id=new_id(), file_id=file.id, number=offset // file.part_size)
        part.object_key = access.new_part_key(file.id, part.number)
        hasher = await self._hasher(file)
        async with self._place():
            await self._store.put(part.object_key, self._sealed(file, part.number, data, hasher))
        received = offset + len(data)
        done = received == file.size
        try:
            await self._count(actor, file, part, received, hasher.hexdigest() if done else None)
        except Conflict:
            await self._discard(part.object_key)
            raise
        self._remember(file.id, received, None if done else hasher)
        return await access.file(file.id)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """A place among the few parts that are worked on at once: each takes several times its size of memory."""
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable(rules.BUSY) from None
        try:
            yield
        finally:
            self._places.release()

    def _sealed(self, file: StoredFile, number: int, data: bytes, hasher: Any) -> Iterator[bytes]:
        """A part as it is stored, made piece by piece while the pieces before are on their way to the disk."""
        hasher.update(data)
        yield from envelope.encrypt_stream(self.reader.key_of(file), access.context_of(file.id, number), [data])

    @staticmethod
    async def _count(actor: Actor, file: StoredFile, part: FilePart, received: int, digest: str | None) -> None:
        """Have the row say that a part is there; `digest` completes the file. Raises Conflict when another was quicker."""
        change = {"sha256": digest, "state": FileState.READY} if digest else {}
        async with unit_of_work(actor) as work:
            await transition(
                StoredFile,
                file.id,
                reason=rules.WRONG_OFFSET,
                expect={"received": part.number * file.part_size, "state": FileState.UPLOADING},
                change={"received": received, **change},
            )
            await part.save(force_create=True)
            verb = Verb.UPLOAD_FINISHED if digest else Verb.UPLOAD_CONTINUED
            facts = {"sha256": digest, "size": file.size} if digest else {"offset": received}
            work.audit(verb, "file", file.id, rows=[file], **facts)

    async def _discard(self, object_key: str) -> None:
        """Take back what no row names; should that fail, it lies there encrypted and unread."""
        with suppress(OaError):
            await self._store.delete(object_key)

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
        """Take a file off its subject; row and bytes stay (`models.StoredFile` says why). Raises Denied for another's file."""
        if file.uploaded_by_id != actor.official_id:
            raise Denied(rules.NOT_UPLOADER)
        async with unit_of_work(actor) as work:
            await transition(StoredFile, file.id, expect={"state": file.state}, change={"state": FileState.REMOVED})
            work.audit(Verb.FILE_REMOVED, "file", file.id, rows=[file], name=file.name)
        self._remember(file.id, 0, None)
