"""What a screen on the wall shows of a sitting besides its figures: what is due, and what was done last. Nobody is named on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from oa_server.audit import access as audit
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.deadlines import access as deadlines
from oa_server.identity import access as identity
from oa_server.proposals import access
from oa_server.proposals.limits import Limit
from oa_server.proposals.models import Sitting
from oa_server.proposals.schemas import WallAct, WallDue, WallOut

WEEK = timedelta(days=7)
CLOCKS_MOST = 5000
ACTS_LOOKED_AT, ACTS_SHOWN = 200, 12
# What an organ answers for; that the time for returning a case ends is no duty.
_REPLIES = frozenset({Limit.REPLY, Limit.REHANDLING})
_DUTIES = _REPLIES | {Limit.DISPATCH, Limit.COHANDLER}

# What is the office's own work on paper, or was done before there was a case: no news for a wall.
_NO_NEWS = frozenset(
    {
        Verb.PROPOSAL_DRAFTED,
        Verb.PROPOSAL_REVISED,
        Verb.COSIGNERS_ASKED,
        Verb.CONSENTED,
        Verb.CONSENT_DECLINED,
        Verb.PAPER_CONSENT_RECORDED,
        Verb.CODE_HANDED_OVER,
        Verb.PAPER_JUDGEMENT_ENTERED,
    }
)


async def wall_out(actor: Actor, sitting: Sitting) -> WallOut:
    """The screen, of the cases of a sitting that the actor may see and that are no secret."""
    today = clock.today()
    running: list[Any] = []
    for kind in (access.ASSIGNMENT, access.PROPOSAL):
        found = await deadlines.running_until(kind, today + WEEK, CLOCKS_MOST)
        running += [one for one in found if one.policy in _DUTIES]
    cases = await access.public_cases(actor, sitting.id, {one.subject_id for one in running})
    shown = [one for one in running if one.subject_id in cases]
    organs = await identity.organ_short_names({one.organ_id for one in shown})
    due = [
        WallDue(
            id=cases[one.subject_id].id,
            case_no=cases[one.subject_id].case_no or "",
            title=cases[one.subject_id].title,
            organ=organs[one.organ_id],
            limit=one.title,
            due=one.due_on,
            left=(one.due_on - today).days,
        )
        for one in sorted(shown, key=lambda one: one.due_on)
        if one.due_on >= today
    ]
    overdue = {cases[one.subject_id].id for one in shown if one.due_on < today and one.policy in _REPLIES}
    return WallOut(len(overdue), due, await _acts(actor, sitting))


async def _acts(actor: Actor, sitting: Sitting) -> list[WallAct]:
    """What was done last with the cases of a sitting, within the last weeks."""
    newest = await audit.newest_of_proposals(clock.now() - 4 * WEEK, ACTS_LOOKED_AT)
    kinds = {access.PROPOSAL, access.ASSIGNMENT}
    records = [one for one in newest if one.subject_type in kinds and one.verb not in _NO_NEWS]
    cases = await access.public_cases(actor, sitting.id, {UUID(one.subject_id) for one in records})
    done = [one for one in records if UUID(one.subject_id) in cases][:ACTS_SHOWN]
    organs = await identity.organ_short_names({one.organ_id for one in done if one.organ_id})
    return [
        WallAct(
            id=case.id,
            case_no=case.case_no or "",
            title=case.title,
            verb=one.verb,
            act=audit.title_of(one.verb),
            organ=organs.get(one.organ_id, "") if one.organ_id else "",
            at=one.at,
        )
        for one, case in ((one, cases[UUID(one.subject_id)]) for one in done)
    ]
