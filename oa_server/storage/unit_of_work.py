"""One unit of work: one transaction, its audit entries, its announcements and its pushes, all or nothing.

    async with unit_of_work(actor) as work:
        …change rows…
        work.audit(Verb.SIGNED, "document", document.id, opinion=…)
        await work.announce(OrganRegistered(…))
        work.push("organ:…", "incoming.arrived", {…})

A unit that changed something and recorded no audit entry is rolled back: that is a fault of the program, and it is
better found by the first test than by an auditor. A unit opened inside another joins it; only the outermost commits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from oa_server.core import clock
from oa_server.core.actor import SYSTEM, Actor
from oa_server.core.errors import STALE, Conflict, OaError, Reason, Unavailable
from oa_server.core.ports import AuditEntry, ports
from oa_server.storage import outbox, protection, writes
from oa_server.storage.fields import Model, sealed_for
from oa_server.storage.refusals import DISK_FULL

log = structlog.get_logger("oa.work")

NOT_RECORDED = Reason(
    "storage.not_recorded",
    "审计日志无法写入，操作未生效，请联系系统管理员",
    "The audit log cannot be written; nothing was changed.",
)

Reaction = Callable[["Work", Any], Awaitable[None]]

_current: ContextVar[Work | None] = ContextVar("oa_unit_of_work", default=None)
_reactions: dict[type, list[Reaction]] = {}


class UnauditedChange(RuntimeError):
    """A unit of work changed something and said nothing of it in the audit log."""


class WorkIsOver(RuntimeError):
    """A unit of work was used after its block had ended."""


@dataclass(frozen=True, slots=True)
class ActsRecorded:
    """Announced of every unit of work when its acts have been recorded, last before it commits."""

    entries: Sequence[AuditEntry]


class Work:
    """What an action holds while its unit of work is open."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.now = clock.now()
        self._entries: list[AuditEntry] = []
        self._touched: list[Model] = []
        self._made: list[Model] = []
        self._pushes: list[outbox.Push] = []
        self._wakes = False
        self._has_chain = False
        self._open = True

    @property
    def today(self) -> date:
        """The day of the office on which this is done."""
        return self.now.astimezone(clock.OFFICE_ZONE).date()

    def audit(
        self,
        verb: str,
        subject_type: str,
        subject_id: UUID | str,
        *,
        rows: Iterable[Model] = (),
        made: Iterable[Model] = (),
        removed: Iterable[Model] = (),
        **facts: Any,
    ) -> None:
        """Record an act on a subject. `rows` are the protected rows that the act wrote, whose digests join the record;
        `made` are those it created and left as they are, which need not be read again; `removed` those it took away."""
        self._check_open()
        if gone := [protection.name_of(row) for row in removed]:
            facts["removed"] = gone
        self._entries.append(AuditEntry(verb, subject_type, str(subject_id), protection.plain(facts)))
        self._touched.extend(rows)
        self._made.extend(made)

    def protect(self, *rows: Model) -> None:
        """Have the digests of more rows join the record of the act: what a reaction wrote on the way."""
        self._check_open()
        self._touched.extend(rows)

    async def announce(self, event: object) -> None:
        """Tell higher domains of a fact; their reactions run now, in this same transaction."""
        self._check_open()
        for reaction in _reactions.get(type(event), ()):
            await reaction(self, event)

    def push(self, topic: str, kind: str, payload: dict[str, Any]) -> None:
        """Leave an event for the followers of `topic`; it exists if and only if this unit commits."""
        self._check_open()
        self._pushes.append(outbox.Push(topic, kind, protection.plain(payload)))

    def wake(self) -> None:
        """Have those who listen look for what is new, once this unit has committed."""
        self._wakes = True

    def _check_open(self) -> None:
        if not self._open:
            raise WorkIsOver

    async def _finish(self, counter: writes.WriteCounter, *, audited: bool) -> None:
        """Everything that belongs into the transaction after the action's own statements."""
        if audited and counter.statements and not self._entries and not self._has_chain:
            raise UnauditedChange(f"{counter.statements} statements without an audit entry")
        if self._entries:
            await self._record()
            await self.announce(ActsRecorded(self._entries))
        if self._pushes:
            await outbox.write(self._pushes, self.now)

    async def _record(self) -> None:
        """Write the audit entries. Whatever keeps them from being written, an act without its record does not happen."""
        assert ports.audit is not None, "app.py plugs the audit sink in"
        if self._touched or self._made:
            made = {protection.name_of(row): protection.digest_of(row) for row in self._made}
            self._entries[-1].facts["rows"] = made | await protection.digests(self._touched)
        try:
            await ports.audit.record(self.actor, self._entries)
        except OaError:
            raise
        except Exception as error:
            log.exception("audit.not_written")
            raise Unavailable(NOT_RECORDED) from error

    def _committed(self) -> None:
        if (self._pushes or self._wakes) and ports.live is not None:
            ports.live.notify()


def react_to(event: type, reaction: Reaction) -> None:
    """Have `reaction` run whenever `event` is announced; called by `app.py` alone."""
    known = _reactions.setdefault(event, [])
    if reaction not in known:
        known.append(reaction)


@asynccontextmanager
async def unit_of_work(actor: Actor) -> AsyncIterator[Work]:
    """Open a unit of work for `actor`, or join the one that is open."""
    outer = _current.get()
    if outer is not None:
        yield outer
        return
    async with _transaction(actor, audited=True) as work:
        yield work


@asynccontextmanager
async def housekeeping() -> AsyncIterator[Work]:
    """A transaction over derived rows that are nobody's act: last-seen marks, leaves of the log, leases of jobs."""
    async with _transaction(SYSTEM, audited=False) as work:
        yield work


@asynccontextmanager
async def chained() -> AsyncIterator[Work]:
    """A transaction over rows that are their own record: each holds the digest of the one before it (`messaging.ledger`).

    Inside a unit of work, as where the answer is kept with its effect, it is the record of that unit, which wakes when it
    has committed.
    """
    outer = _current.get()
    async with _transaction(SYSTEM, audited=False) as work:
        yield work
        work.wake()
    if outer is not None:
        outer._has_chain = True
        outer.wake()


@asynccontextmanager
async def marking() -> AsyncIterator[Work]:
    """As `housekeeping`, for a mark that somebody leaves by reading: on a full disk it is not left, and they read on."""
    try:
        async with housekeeping() as work:
            yield work
    except Unavailable as error:
        if error.reason is not DISK_FULL:
            raise
        log.warning("mark.not_left")


@asynccontextmanager
async def _transaction(actor: Actor, *, audited: bool) -> AsyncIterator[Work]:
    work = Work(actor)
    counter = writes.WriteCounter()
    work_token, counter_token = _current.set(work), writes.current.set(counter)
    try:
        async with in_transaction("default"):
            yield work
            await work._finish(counter, audited=audited)
    finally:
        work._open = False
        writes.current.reset(counter_token)
        _current.reset(work_token)
    work._committed()


@asynccontextmanager
async def conflict_on(reason: Reason, **facts: Any) -> AsyncIterator[None]:
    """Turn a violated unique key inside the block into a Conflict; the block is a savepoint, so the unit goes on."""
    try:
        async with in_transaction("default"):
            yield
    except IntegrityError as error:
        raise Conflict(reason, **facts) from error


async def lock_row(model: type[Model], row_id: UUID) -> None:
    """Hold a row until the unit ends. On SQLite the whole transaction is already alone."""
    await model.filter(id=row_id).select_for_update().only("id").first()


async def lock_rows(model: type[Model], row_ids: Iterable[UUID]) -> None:
    """Hold many rows, always in the same order, so that of two who want some of the same neither waits for the other's."""
    await model.filter(id__in=list(row_ids)).order_by("id").select_for_update().only("id")


async def transition(
    model: type[Model], row_id: UUID, *, reason: Reason = STALE, expect: dict[str, Any], change: dict[str, Any]
) -> None:
    """Move one row on, if it still is as expected: a conditional update that must hit exactly one row, else Conflict."""
    if await model.filter(id=row_id, **expect).update(**sealed_for(model, row_id, change)) != 1:
        raise Conflict(reason)
