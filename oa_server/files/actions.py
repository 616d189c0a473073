"""The verbs of attachments: start, continue, finish, remove."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import Any
from uuid import UUID

from crypto import envelope
from oa_server.audit import access as audit
from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Denied, OaError, Unavailable
from oa_server.core.ids import new_id
from oa_server.files import access, rules
from oa_server.files.clamd import Clamd
from oa_server.files.models import FilePart, FileState, StoredFile
from oa_server.files.scanning import Scanning
from oa_server.storage.database import Lock, beside
from oa_server.storage.master_keys import KEY_AWAY, MasterKeys
from oa_server.storage.objects import ObjectStore
from oa_server.storage.unit_of_work import transition, unit_of_work

HASHERS_KEPT = 64
PARTS_AT_ONCE = 8
PARTS_OF_ONE_UPLOAD = 2
PLACE_SECONDS = 3


class FileKeeper:
    """Writes attachments into the object store, encrypted, and keeps their running digests.

    A digest's state cannot be stored, so it lives in this process; when another process takes an upload over, or this
    one was restarted, the parts that are already there are read once more.
    """

    def __init__(
        self,
        store: ObjectStore,
        master_keys: MasterKeys,
        *,
        limit: Callable[[], Awaitable[int]],
        scanner: Clamd | None = None,
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._master_keys = master_keys
        self._limit = limit
        self._places = asyncio.Semaphore(PARTS_AT_ONCE)
        self._hashers: dict[UUID, tuple[int, Any]] = {}
        self.reader = access.FileReader(store, master_keys)
        self.scanning = Scanning(scanner, self.reader, tell=tell) if scanner else None

    async def start(self, actor: Actor, *, name: str, size: int, subject_type: str, subject_id: UUID) -> StoredFile:
        """Open an upload of `size` bytes. Raises Invalid, TooLarge, Unavailable."""
        clean = rules.clean_name(name)
        rules.check_size(size, await self._limit())
        file_id = new_id()
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
                wrapped_key=await self._wrapped_key(file_id),
                position=len(others),
                uploaded_by_id=actor.official_id,
                at=work.now,
            )
            work.audit(Verb.UPLOAD_STARTED, "file", file.id, rows=[file], name=clean, size=size)
        return file

    async def _wrapped_key(self, file_id: UUID) -> bytes:
        """A key for a new file, under the master key that is the newest until this transaction ends. Raises Unavailable."""
        await beside(Lock.MASTER_KEY)
        context = access.context_of(file_id, access.KEY_NUMBER)
        wrapped = self._master_keys.wrap(envelope.new_object_key(), context)
        if await audit.newest_of(envelope.wrapped_by(wrapped).hex(), Verb.MASTER_KEY_SUCCEEDED):
            raise Unavailable(KEY_AWAY)  # A folder that is shared over a network may show us yesterday.
        return wrapped

    async def write_parts(
        self, actor: Actor, file: StoredFile, offset: int, parts: AsyncIterator[bytes | memoryview]
    ) -> StoredFile:
        """Store parts as they come in, some on their way to the disk while the next one is received; the last part
        completes the file, which is scanned for malware where there is a scanner. Whatever ends the request, each part that
        was received whole is there, up to one that failed. Raises Denied, Invalid, Conflict, Unavailable."""
        rules.check_upload(file, actor.official_id, offset)
        writing: list[asyncio.Task[StoredFile]] = []
        try:
            async for data in parts:
                rules.check_part(file, offset, len(data))
                if len(writing) == PARTS_OF_ONE_UPLOAD:
                    await writing[0]
                    del writing[0]
                writing.append(asyncio.create_task(self._write(actor, file, offset, data, *writing[-1:])))
                offset += len(data)
        finally:
            await asyncio.gather(*writing, return_exceptions=True)
        if not writing:
            rules.check_part(file, offset, 0)
        written = writing[-1].result()
        if self.scanning and written.state == FileState.HELD:
            return await self.scanning.at_once(written)
        return written

    async def _write(
        self,
        actor: Actor,
        file: StoredFile,
        offset: int,
        data: bytes | memoryview,
        before: asyncio.Task[StoredFile] | None = None,
    ) -> StoredFile:
        """Store a part, and count it after the one `before`; it is durable before the row says so."""
        part = FilePart(id=new_id(), file_id=file.id, number=offset // file.part_size)
        part.object_key = access.new_part_key(file.id, part.number)
        context = access.context_of(file.id, part.number)
        key = await self.reader.key_of(file)
        async with self._place():
            await self._store.put(part.object_key, envelope.encrypt_stream(key, context, [data]))
        async with self._taken_back_on(OaError, part):
            file = await before if before is not None else file
        async with self._taken_back_on(Conflict, part):  # After other refusals it may be counted all the same.
            await self._count(actor, file, part, data)
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

    async def _count(self, actor: Actor, file: StoredFile, part: FilePart, data: bytes | memoryview) -> None:
        """Have the row say that a part is there; the last one completes the file. Raises Conflict when another was quicker."""
        hasher = await self._hasher(file)
        await asyncio.to_thread(hasher.update, data)
        received = file.received + len(data)
        digest = hasher.hexdigest() if received == file.size else None
        arrived = FileState.HELD if self.scanning else FileState.READY
        change = {"sha256": digest, "state": arrived} if digest else {}
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
        self._remember(file.id, received, None if digest else hasher)

    @asynccontextmanager
    async def _taken_back_on(self, refusal: type[OaError], part: FilePart) -> AsyncIterator[None]:
        """Take back what no row will name; should that fail, it lies there encrypted and unread."""
        try:
            yield
        except refusal:
            with suppress(OaError):
                await self._store.delete(part.object_key)
            raise

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
