"""How the installation is: what is down or behind, for the three administrators. It asks every domain that can tell.

Balancers ask `/api/ready` and monitors `/api/metrics`; this is for people, who are told what to do.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct
from starlette.routing import BaseRoute

from oa_server.audit import copies
from oa_server.audit.schemas import HeadsOut
from oa_server.core import clock
from oa_server.core.actor import ADMIN_ROLES, Actor
from oa_server.core.errors import Denied, Reason, all_reasons
from oa_server.departments import access as departments
from oa_server.files import access as files
from oa_server.identity import access as identity
from oa_server.web.endpoint import Call, endpoint, resource

NOT_ADMIN = Reason(
    "condition.not_admin", "只有三类管理员可以查看系统运行状态", "The three administrators see how the system is."
)
# Heads are signed every minute while anything happens.
HEAD_LATE = timedelta(minutes=5)


class CheckOut(Struct):
    """Something that the server stands on: `problem` says, in the reader's language, why it is not ready."""

    name: str
    ready: bool
    ms: float
    problem: str | None


class WebhookTrouble(Struct):
    """A system whose receiver refused what it was sent last; `stopped` when nothing is sent to it any more."""

    client: UUID
    name: str
    attempts: int
    last_answer: str
    next_try_at: datetime | None
    stopped: bool


class ConditionOut(Struct):
    """What this process found. `clock_seconds` is by how much its clock is ahead, unknown while nobody told the time;
    `head_late` says that the log has grown and no head was signed for minutes; `scanner` is the malware scanner, if there is
    one, and `files_held` counts the attachments that wait for it; `release_checked` says that the program's files were held
    against its release when it started."""

    checks: list[CheckOut]
    clock_seconds: float | None
    clock_wrong: bool
    heads: HeadsOut
    head_late: bool
    webhooks: list[WebhookTrouble]
    scanner: CheckOut | None
    release_checked: bool
    files_held: int


def check_reads(actor: Actor) -> None:
    """Raises Denied for everybody but the three administrators."""
    if not actor.roles & ADMIN_ROLES:
        raise Denied(NOT_ADMIN)


def condition_route() -> BaseRoute:
    """`/api/condition`, which asks everything anew each time."""

    @endpoint(summary="系统运行状态", returns=ConditionOut, refuses=[Denied])
    async def condition(call: Call[None]) -> ConditionOut:
        check_reads(call.actor)
        state = call.request.app.state
        found, error = await copies.heads(state.house.head_copies, call.language), clock.error()
        late = found.leaves > (found.size or 0) and (found.at is None or clock.now() - found.at > HEAD_LATE)
        return ConditionOut(
            checks=[_check(one, call.language) for one in await state.probes.checks()],
            clock_seconds=round(error.total_seconds(), 3) if error is not None else None,
            clock_wrong=error is not None and abs(error) > clock.OFFSET_LIMIT,
            heads=found,
            head_late=late,
            webhooks=await _webhooks(),
            scanner=next((_check(one, call.language) for one in await state.scanner.checks()), None),
            files_held=await files.count_held(),
            release_checked=bool(state.house.settings.release_certificate),
        )

    return resource("/api/condition", GET=condition)


def _check(found: Any, language: str) -> CheckOut:
    reason = all_reasons().get(found.code or "")
    return CheckOut(found.name, found.ready, found.ms, reason.title(language) if reason else found.code)


async def _webhooks() -> list[WebhookTrouble]:
    troubled = await departments.troubled_webhooks()
    names = await identity.client_names({client for client, _delivery in troubled})
    return [
        WebhookTrouble(
            client, names[client], row.attempts, row.last_answer, row.next_try_at, row.webhook.state != "active"
        )
        for client, row in troubled
    ]
