"""The verbs of sessions: ending one's own, and those of others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.identity import access, rules
from oa_server.identity.models import Session
from oa_server.storage.cleaning import BATCH, remove
from oa_server.storage.unit_of_work import Work, lock_row, unit_of_work


async def end_session(actor: Actor, session_id: UUID, *, reason: str) -> None:
    """End one session; ending it twice is the same as once."""
    async with unit_of_work(actor) as work:
        await _end(work, session_id, reason if reason in rules.PAGE_REASONS else rules.SESSION_ENDED.code)


async def cut_session(actor: Actor, session_id: UUID, *, why: str) -> None:
    """End somebody else's session, saying why; its pages are told at once. Raises Denied, NotFound."""
    rules.check(actor, "cut_session")
    async with unit_of_work(actor) as work:
        await access.known_session(session_id)
        await _end(work, session_id, rules.SESSION_CUT.code, why=why)


async def end_sessions_of(work: Work, serial: str) -> None:
    """End every session that was opened with a certificate, inside the unit of work that revokes it."""
    for session in await Session.filter(certificate_serial=serial, ended_at=None):
        await _end(work, session.id, rules.SESSION_REVOKED.code)


async def end_sessions_of_official(work: Work, official_id: UUID) -> None:
    """End every session of an official, inside the unit of work that retires them."""
    for session in await Session.filter(official_id=official_id, ended_at=None):
        await _end(work, session.id, rules.NO_LONGER_AN_OFFICIAL.code)


async def end_all_sessions(work: Work) -> None:
    """End every session that is open, inside the unit of work that gives the reason for it."""
    for session in await Session.filter(ended_at=None, expires_at__gt=work.now):
        await _end(work, session.id, rules.SESSION_ENDED.code)


async def remove_sessions() -> None:
    """Remove the rows of sessions that have long been over; who signed in, and how it ended, is on record. Raises Unavailable."""
    while await remove(Session, await access.sessions_over_since(clock.now() - rules.SESSIONS_KEPT, BATCH)):
        pass


async def _end(work: Work, session_id: UUID, code: str, **facts: Any) -> None:
    """End a session and tell its pages; of two ends the first stays, and is the one that is recorded."""
    await lock_row(Session, session_id)
    if not await Session.filter(id=session_id, ended_at=None).exists():
        return
    await Session.filter(id=session_id).update(ended_at=work.now, end_reason=code)
    work.push(f"session:{session_id}", "session.ended", {"code": code, "title": rules.END_REASONS[code].zh})
    work.audit(Verb.SESSION_ENDED, "session", session_id, reason=code, **facts)
