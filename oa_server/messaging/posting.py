"""Saying something: many at once are kept in one transaction.

One writer per process takes all that has come in while the last transaction was on its way, so that a commit – the one
thing that takes time – is shared by everybody who waits for it. Nobody is held up for it: who comes alone is alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from oa_server.core.errors import NOT_FOUND, Denied, NotFound, OaError, Unavailable
from oa_server.messaging import access, ledger, rules
from oa_server.messaging.ledger import Entry, Known, Place, Posted
from oa_server.storage.unit_of_work import chained

log = structlog.get_logger("oa.messaging")

AT_ONCE = 500
WAITING_LIMIT = 20_000

Told = Callable[[Sequence[Posted]], None]


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    done: asyncio.Future[Posted]


class Poster:
    """Keeps what is said in this process. `tell` is given what was committed, at once and in order."""

    def __init__(self, tell: Told) -> None:
        self._tell = tell
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    def put(self, entry: Entry) -> asyncio.Future[Posted]:
        """Have a message kept behind those that came before it. Raises Unavailable.

        The future's error is NotFound, Denied, Invalid or Conflict, and then the message was not kept; or Unavailable, when
        nobody can tell: under the same name it may be said again.
        """
        if len(self._waiting) >= WAITING_LIMIT:
            raise Unavailable(rules.BUSY)
        one = _Waiting(entry, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._writing is None:
            # In a context of its own: what is open where somebody speaks is not what the writer writes in.
            self._writing = asyncio.get_running_loop().create_task(self._write(), context=Context())
        return one.done

    async def _write(self) -> None:
        """Write until nobody waits. It ends with its last commit, so that nothing of it is left when the server ends."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                await self._keep(batch)
        finally:
            self._writing = None

    async def _keep(self, batch: Sequence[_Waiting]) -> None:
        try:
            answers = await _kept([one.entry for one in batch])
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait must be told
            await self._one_by_one(batch, error)
            return
        self._answer(batch, answers)

    async def _one_by_one(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """One of them spoilt it for all, unless nobody could have been served."""
        if len(batch) > 1 and not isinstance(error, Unavailable):
            for one in batch:
                await self._keep([one])
            return
        if not isinstance(error, OaError):
            log.error("messaging.not_kept", exc_info=error)
        for one in batch:
            if not one.done.done():
                one.done.set_exception(error)

    def _answer(self, batch: Sequence[_Waiting], answers: Sequence[Posted | OaError]) -> None:
        """Tell the others first: who said it knows it already."""
        self._tell([one for one in answers if isinstance(one, Posted) and not one.dup])
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.done.done():  # Nobody waits for it any more.
                continue
            if isinstance(answer, OaError):
                waiting.done.set_exception(answer)
            else:
                waiting.done.set_result(answer)


async def _kept(entries: Sequence[Entry]) -> list[Posted | OaError]:
    """Keep these entries in one transaction: of each what became of it, or why it is refused. Raises Unavailable."""
    async with chained() as work:
        places = await ledger.hold({entry.conversation_id for entry in entries})
        before = await ledger.known(entries)
        fresh: dict[tuple[UUID, str], Entry] = {}
        refused: dict[int, OaError] = {}
        for n, entry in enumerate(entries):
            name = (entry.sender_id, entry.cid)
            try:
                await _check(entry, places.get(entry.conversation_id), before.get(name), fresh.get(name))
            except OaError as error:
                refused[n] = error
            else:
                if name not in before:
                    fresh.setdefault(name, entry)
        touched = {entry.conversation_id for entry in fresh.values()}
        posted = await ledger.append({key: places[key] for key in touched}, list(fresh.values()), work.now)
    kept = {(one.entry.sender_id, one.entry.cid): one for one in posted}
    return [refused.get(n) or _answer(entry, kept, before) for n, entry in enumerate(entries)]


async def _check(entry: Entry, place: Place | None, before: Known | None, beside: Entry | None) -> None:
    """Whether an entry may get a place. Raises NotFound, Denied, Invalid, Conflict."""
    if before is not None:
        rules.check_again(before.sha256, before.conversation_id, entry)
        return
    if beside is not None:
        rules.check_again(beside.sha256, beside.conversation_id, entry)
    if place is None:
        raise NotFound(NOT_FOUND)
    if entry.sender_id not in place.members:
        if await access.was_member(entry.sender_id, place.id):
            raise Denied(rules.NOT_A_MEMBER)
        raise NotFound(NOT_FOUND)
    rules.check_mentions(entry.content.mentions, place.members)
    rules.check_reply(entry.content.reply_to, place.last_seq)


def _answer(entry: Entry, kept: dict[tuple[UUID, str], Posted], before: dict[tuple[UUID, str], Known]) -> Posted:
    """Where an entry is: as it was kept now, or before. Of two that were sent at once the second is no news."""
    name = (entry.sender_id, entry.cid)
    if now := kept.get(name):
        return now if now.entry is entry else replace(now, dup=True)
    then = before[name]
    return Posted(entry, then.id, then.seq, then.at, dup=True)
