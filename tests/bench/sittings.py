"""Twenty-five sittings of two thousand cases each: the figures of one of twenty that were answered, and what is alike among all."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM, Actor
from oa_server.core.ids import new_id
from oa_server.deadlines.engine import TermUnit
from oa_server.deadlines.models import Clock
from oa_server.deadlines.states import ClockState
from oa_server.demo import city as sample
from oa_server.demo.enrolment import actor_named
from oa_server.documents.models import OutgoingDocument
from oa_server.identity.importing import import_directory
from oa_server.proposals import access, answers, indexing
from oa_server.proposals.indexing import text_of
from oa_server.proposals.likeness import Text
from oa_server.proposals.limits import Limit
from oa_server.proposals.models import (
    Assignment,
    Contact,
    Feedback,
    Member,
    Proposal,
    ProposalTerm,
    Proposer,
    Reply,
    Sitting,
)
from oa_server.proposals.schemas import AlikeList
from oa_server.storage.database import connection, select
from oa_server.storage.unit_of_work import unit_of_work
from tests.bench.report import figure, p99, spread, timed
from tests.city import City
from tests.proposals.assembly import gathered
from tests.proposals.generate import Case, cases, deputies

SITTINGS, ANSWERED, CASES = 25, 20, 2000
ORGANS = ("JC001", "JC002", "JC003", "JC010", "JC011")
CLASSES, SAID = "AAABBCD", ("satisfied", "satisfied", "mostly", "unsatisfied")
AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cases of a sitting come from, and who handles them."""

    organs: list[UUID]
    clerk: UUID
    unit: UUID


async def of_many(city: City, column: str) -> None:
    """Milliseconds for the figures of a sitting, and for what is like a text and whose business it is, each beside the plainest
    statement over the same."""
    assembly = await gathered(city)
    actor = await actor_named("lin")
    assert actor.official_id is not None
    assert actor.unit_id is not None
    place = Place([UUID(assembly.organs[code]) for code in ORGANS], actor.official_id, actor.unit_id)
    held = [await _hold(actor, place, number) for number in range(SITTINGS)]
    await connection().execute_query("ANALYZE")
    await _figures(actor, held[ANSWERED // 2], column)
    await _alike(actor, column)


async def _figures(actor: Actor, sitting: Sitting, column: str) -> None:
    by_organ = await timed(100, lambda: answers.figures_out(actor, sitting, "organ"))
    compared = await timed(100, lambda: answers.sessions_out(actor))
    states = "SELECT state, COUNT(*) FROM proposal WHERE sitting_id = ? GROUP BY state"
    raw = await timed(100, lambda: select(states, [sitting.id]))
    figure(
        "sitting_figures", column, sittings=ANSWERED, cases=CASES, aim_p99_ms=300.0, compared_p99_ms=p99(compared),
        raw_count_p50_ms=statistics.median(raw), ratio_to_raw=statistics.median(by_organ) / statistics.median(raw),
        **spread(by_organ),
    )  # fmt: skip


async def _alike(actor: Actor, column: str) -> None:
    asked = [text_of(row) for row in await Proposal.all().order_by("-id").limit(100)]
    turns = iter(asked * 3)
    await _answer_for()
    found = await timed(100, lambda: _found(actor, next(turns)))
    words = iter(asked * 3)
    scan = "SELECT id FROM proposal WHERE title LIKE ?"
    raw = await timed(100, lambda: select(scan, [f"%{next(words).title[2:8]}%"]))
    figure(
        "alike", column, cases=SITTINGS * CASES, aim_ms=200.0, scan_of_titles_p50_ms=statistics.median(raw),
        ratio_to_scan=statistics.median(found) / statistics.median(raw), **spread(found),
    )  # fmt: skip


async def _found(actor: Actor, text: Text) -> AlikeList:
    return await answers.alike_out(text, await indexing.alike(actor, text))


async def _answer_for() -> None:
    """What all organs of a whole city answer for, spread over those that are here."""
    remits = dict.fromkeys(text for _organ, text in sample.remits())
    rows = [f"{ORGANS[at % len(ORGANS)]},{text}" for at, text in enumerate(remits)]
    await import_directory(SYSTEM, "主要职责.csv", "\n".join(["机关代码,主要职责", *rows]).encode())


# --- rows that only have to be there ------------------------------------------------------------------------------------


async def _hold(actor: Actor, place: Place, number: int) -> Sitting:
    """A sitting with its cases, those of the first twenty answered and judged."""
    opens = date(2001, 1, 12) + timedelta(days=365 * number)
    async with unit_of_work(actor) as work:
        sitting = await Sitting.create(
            id=new_id(), body="congress", term=20 + number, session=1, title=f"第{20 + number}届第1次会议", opens_on=opens,
            closes_on=opens + timedelta(days=5), secretariat_id=actor.organ_id, dispatching_id=place.organs[0],
            oversight_id=place.organs[0], created_at=work.now,
        )  # fmt: skip
        work.audit(Verb.SITTING_OPENED, access.SITTING, sitting.id, made=[sitting], title=sitting.title)
        people = deputies(number, 400)
        members = {
            one.code: Member(
                id=new_id(), sitting_id=sitting.id, code=one.code, name=one.name, delegation=one.delegation
            )
            for one in people
        }
        await Member.bulk_create(members.values(), batch_size=AT_ONCE)
        made = cases(number, CASES, organs=["甲"], people=people)
        proposals = [_proposal(sitting, place, case, at) for at, case in enumerate(made)]
        await Proposal.bulk_create(proposals, batch_size=AT_ONCE)
        await ProposalTerm.bulk_create(indexing.entries(proposals), batch_size=AT_ONCE)
        rows: list[Any] = []
        for at, (proposal, case) in enumerate(zip(proposals, made, strict=True)):
            rows += _handled(proposal, members[case.values["lead_code"]], place, at, answered=number < ANSWERED)
        for kind in (Proposer, Assignment, Clock, Contact, OutgoingDocument, Reply, Feedback):
            await kind.bulk_create([row for row in rows if type(row) is kind], batch_size=AT_ONCE)
    return sitting


def _proposal(sitting: Sitting, place: Place, case: Case, at: int) -> Proposal:
    now = clock.now()
    return Proposal(
        id=new_id(), sitting_id=sitting.id, kind="suggestion", form="individual", occasion="session", state="closed",
        case_no=f"{sitting.term}-{at}", case_seq=at, title=case.title, category=case.values["category"],
        situation=case.situation, analysis=case.analysis, request=case.request,
        text_sha256=hashlib.sha256(case.body.encode()).hexdigest(), entered_by_id=place.clerk, created_at=now,
        updated_at=now,
    )  # fmt: skip


def _handled(proposal: Proposal, member: Member, place: Place, at: int, *, answered: bool) -> Iterator[Any]:
    day, now, organ = date(2026, 1, 20), clock.now(), place.organs[at % len(place.organs)]
    proposer = Proposer(id=new_id(), proposal_id=proposal.id, member_id=member.id, position=0, consent="paper")
    yield proposer
    if not answered:
        return
    given = Assignment(
        id=new_id(), proposal_id=proposal.id, organ_id=organ, role="lead", state="done", dispatched_on=day
    )
    document = OutgoingDocument(
        id=new_id(), organ_id=organ, unit_id=place.unit, drafter_id=place.clerk, state="dispatched", kind="letter",
        urgency="normal", classification="none", title="答复", publicity="active", body={}, created_at=now, updated_at=now,
    )  # fmt: skip
    yield given
    yield document
    yield Clock(
        id=new_id(), subject_type=access.ASSIGNMENT, subject_id=given.id, policy=Limit.REPLY, title="答复", organ_id=organ,
        unit=TermUnit.MONTH, quantity=3, started_on=day, due_on=day + timedelta(days=90), state=ClockState.STOPPED,
        ended_on=day + timedelta(days=at % 100),
    )  # fmt: skip
    yield Contact(
        id=new_id(), assignment_id=given.id, proposer_id=proposer.id, round=1, on=day, form="meeting", people="甲",
        summary="乙", entered_by_id=place.clerk, at=now,
    )  # fmt: skip
    yield Reply(
        id=new_id(), assignment_id=given.id, document_id=document.id, round=1, result=CLASSES[at % len(CLASSES)],
        publicity="full", state="passed", at=now,
    )  # fmt: skip
    said = SAID[at % len(SAID)]
    yield Feedback(
        id=new_id(), proposal_id=proposal.id, proposer_id=proposer.id, round=1, state="coded", contact=said, attitude=said,
        result=said, at=now,
    )  # fmt: skip
