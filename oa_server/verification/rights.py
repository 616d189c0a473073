"""What gives a right for a while — tasks and sessions — against the record of whom it was given to.

Their rows change all day and go unprotected otherwise, but whose they are never changes. Acts are held against the same
records, so that a task which was somebody else's for a minute is found out by what was done with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.identity.models import Session
from oa_server.storage.protection import name_of, rows_of
from oa_server.verification.faults import Fault
from oa_server.workflow.models import Task

# Of what is recorded as done, this is of those alone before whom the step was put; drafters take back what is before others.
_OWN = frozenset({"done", "one of all"})


async def task_faults() -> AsyncIterator[Fault]:
    """Tasks as they stand, and steps that were done, against whom each step was put before."""
    given: dict[str, tuple[str, str, str]] = {}
    done: dict[tuple[str, str, str], str] = {}
    allowed: set[tuple[str, str, str]] = set()
    async for record in rows_of(AuditRecord):
        step = str(record.facts.get("step"))
        if record.verb == Verb.TASK_OPENED:
            for task_id, official_id in record.facts["tasks"].items():
                given[task_id] = (record.facts["route"], step, official_id)
                allowed.add((record.subject_id, step, official_id))
        elif record.verb == Verb.RETURNED or (record.verb == Verb.TASK_DONE and record.facts.get("decision") in _OWN):
            done[record.subject_id, step, str(record.actor_id)] = f"{record.subject_type}:{record.subject_id}"
    async for task in rows_of(Task):
        if given.pop(str(task.id), None) != (str(task.route_id), task.step, str(task.official_id)):
            yield Fault(name_of(task), "待办与交办记录不一致")
    for task_id in given:
        yield Fault(f"task:{task_id}", "待办被删除或无法读取")
    for act in sorted(done.keys() - allowed):
        _subject, step, _official = act
        yield Fault(done[act], f"步骤 {step} 由未被交办的人办理")


async def session_faults() -> AsyncIterator[Fault]:
    """Sessions as they stand against who signed in, with which certificate; and none goes on that was ended."""
    opened: dict[str, tuple[Any, ...]] = {}
    ended: set[str] = set()
    async for record in rows_of(AuditRecord):
        if record.verb == Verb.SIGNED_IN:
            opened[record.subject_id] = (record.actor_id, record.organ_id, record.certificate_serial)
        elif record.verb == Verb.SESSION_ENDED:
            ended.add(record.subject_id)
    async for session in rows_of(Session):
        if opened.get(str(session.id)) != (session.official_id, session.organ_id, session.certificate_serial):
            yield Fault(name_of(session), "会话与登录记录不一致")
        if session.ended_at is None and str(session.id) in ended:
            yield Fault(name_of(session), "已结束的会话被恢复")
