"""病毒检查: a file that has arrived is held until the scanner has found no malware in it.

Whoever sends it waits a moment for the verdict; what takes longer, or finds the scanner away, a job scans in its turn. So a
file is passed by a verdict alone, never because nobody could be asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from uuid import UUID

import structlog

from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import OaError, Unavailable
from oa_server.files import access, rules
from oa_server.files.access import FileReader
from oa_server.files.clamd import SCAN_SECONDS, Clamd
from oa_server.files.models import FileState, StoredFile
from oa_server.storage.unit_of_work import transition, unit_of_work

log = structlog.get_logger("oa.files")

# Each scan reads two parts ahead.
SCANS_AT_ONCE = 4
# How long the sender waits; a sheet or a scanned page takes well under a second.
SENDER_SECONDS = 10
# How long a round begins further scans. With the last of them it ends before a watchdog would take it for one that hangs.
ROUND_SECONDS = 60
FETCHED = 50

Verdict = Callable[[str], None]


class Scanning:
    """Has files scanned; `tell` hears of each attempt whether it was `clean`, `infected` or `postponed`."""

    def __init__(self, scanner: Clamd, reader: FileReader, *, tell: Verdict) -> None:
        self.scanner = scanner
        self._reader = reader
        self._tell = tell
        self._places = asyncio.Semaphore(SCANS_AT_ONCE)
        self._under_way: set[UUID] = set()
        self._last = UUID(int=0)

    async def at_once(self, file: StoredFile) -> StoredFile:
        """The file after its scan, or as it is held because there was no verdict in time. Raises Invalid when it is infected."""
        try:
            await self._scan(file, SENDER_SECONDS)
        except OaError as error:
            log.warning("file.held", file=str(file.id), code=error.code, detail=error.detail)
        found = await access.file(file.id)
        rules.check_not_infected(found)
        return found

    async def scan_waiting(self) -> None:
        """Scan the files that are held, each in its turn, as far as one round comes. Raises Unavailable while the scanner is away.

        The next round goes on where this one stopped, so a file that never gets a verdict keeps no other from its own.
        """
        await self.scanner.check()
        end = time.monotonic() + ROUND_SECONDS
        while files := await access.held_files(self._last, FETCHED):
            for file in files:
                if time.monotonic() > end:
                    return
                self._last = file.id
                if file.id not in self._under_way:
                    await self._scan_or_leave(file)
        self._last = UUID(int=0)

    async def _scan_or_leave(self, file: StoredFile) -> None:
        """Scan a file, or leave it held when it is this file alone that gets no verdict. Raises Unavailable."""
        try:
            await self._scan(file, SCAN_SECONDS)
        except OaError as error:
            if error.reason in {rules.SCANNER_AWAY, rules.SCANNER_BLIND}:
                raise
            log.warning("file.held", file=str(file.id), code=error.code, detail=error.detail)

    async def _scan(self, file: StoredFile, seconds: float) -> None:
        """Have a file scanned and act on the verdict. Raises OaError when there was none, or another was quicker."""
        self._under_way.add(file.id)
        try:
            malware = await self._verdict(file, seconds)
        except OaError:
            self._tell("postponed")
            raise
        finally:
            self._under_way.discard(file.id)
        await _decide(file, malware)
        self._tell("infected" if malware else "clean")

    async def _verdict(self, file: StoredFile, seconds: float) -> str:
        try:
            async with asyncio.timeout(seconds), self._places, aclosing(self._reader.stream(file)) as pieces:
                return await self.scanner.scan(pieces)
        except TimeoutError as error:
            raise Unavailable(rules.SCANNER_AWAY) from error


async def _decide(file: StoredFile, malware: str) -> None:
    """Pass a held file or put it into quarantine, and tell who sent it. Raises Conflict when it is held no longer."""
    state = FileState.QUARANTINED if malware else FileState.READY
    async with unit_of_work(SYSTEM) as work:
        change = {"state": state, "malware": malware}
        await transition(StoredFile, file.id, expect={"state": FileState.HELD}, change=change)
        facts = {"malware": malware, "name": file.name} if malware else {}
        verb = Verb.FILE_QUARANTINED if malware else Verb.FILE_PASSED
        work.audit(verb, "file", file.id, rows=[file], sha256=file.sha256, **facts)
        told = {"subject_id": str(file.subject_id), "name": file.name, "malware": malware}
        work.push(f"official:{file.uploaded_by_id}", f"file.{state}", told)
