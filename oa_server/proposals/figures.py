"""The figures of a sitting: what is counted of what, so that behind every number stand the cases that made it.

A figure is two sets, what is counted and out of what; its value is nothing but their sizes. Whoever looks behind a number is
shown the members of the very set that was counted. Pure: the rows are handed in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from oa_server.proposals.rules import JUDGED
from oa_server.proposals.states import (
    AssignmentRole,
    AssignmentState,
    ContactForm,
    ProposalState,
    ReplyPublicity,
    ResultClass,
    Satisfaction,
)

# An identifier as the database keeps it: of thousands that are only counted no objects are made.
Key = UUID | str

REPLIED = frozenset({ProposalState.REPLIED, ProposalState.REHANDLING, ProposalState.TRACKING, ProposalState.CLOSED})
GIVEN_OUT = REPLIED | {ProposalState.DISPATCHED, ProposalState.HANDLING}
FILED = GIVEN_OUT | {ProposalState.FILED}
_ANSWERED = frozenset({AssignmentState.REPLIED, AssignmentState.DONE})


class CaseFact(NamedTuple):
    """What is counted of a case."""

    id: Key
    state: str
    kind: str
    category: str
    delegation: str
    round: int
    is_key: bool


class AssignmentFact(NamedTuple):
    """What is counted of an assignment."""

    id: Key
    proposal_id: Key
    organ_id: Key
    role: str
    state: str
    has_previous: bool
    extended_months: int


class ClockFact(NamedTuple):
    """How long an organ took for its reply: from its first day to the day on which it was done, and when it was due."""

    assignment_id: Key
    started_on: date
    due_on: date | None
    ended_on: date | None


class ReplyFact(NamedTuple):
    """The reply of an organ that stands: the last one that passed."""

    assignment_id: Key
    result: str
    publicity: str


class JudgementFact(NamedTuple):
    """What one proposer said in one round."""

    id: Key
    proposal_id: Key
    round: int
    state: str
    contact: str | None
    attitude: str | None
    result: str | None


@dataclass(frozen=True)
class Facts:
    """Everything that the figures of one sitting are made of; `contacts` are of assignments, each with its form."""

    cases: Collection[CaseFact]
    assignments: Collection[AssignmentFact] = ()
    clocks: Collection[ClockFact] = ()
    replies: Collection[ReplyFact] = ()
    judgements: Collection[JudgementFact] = ()
    contacts: Collection[tuple[Key, str]] = ()
    improved: AbstractSet[Key] = field(default_factory=frozenset)  # points that were B and are A
    promised: AbstractSet[Key] = field(default_factory=frozenset)  # points that were B once
    point_cases: Mapping[Key, Key] = field(default_factory=dict)  # the case of each such point

    @cached_property
    def case_of(self) -> dict[Key, Key]:
        """The case of whatever is counted."""
        found = {case.id: case.id for case in self.cases}
        found |= {one.id: one.proposal_id for one in self.assignments}
        found |= {one.id: one.proposal_id for one in self.judgements}
        return found | dict(self.point_cases)

    @cached_property
    def answering(self) -> list[AssignmentFact]:
        """Assignments that answer and stand."""
        return [
            one
            for one in self.assignments
            if AssignmentRole(one.role).answers and one.state != AssignmentState.SUPERSEDED
        ]

    @cached_property
    def answered(self) -> set[Key]:
        """Assignments whose reply has passed."""
        return {one.assignment_id for one in self.replies}

    @cached_property
    def last_judgements(self) -> list[JudgementFact]:
        """What each proposer said last: of the newest round of the case that was asked about."""
        newest: dict[Key, int] = defaultdict(int)
        for one in self.judgements:
            newest[one.proposal_id] = max(newest[one.proposal_id], one.round)
        return [one for one in self.judgements if one.round == newest[one.proposal_id] and one.state in JUDGED]

    @cached_property
    def sets(self) -> dict[str, tuple[set[Key], set[Key] | None]]:
        """What each figure counts, and out of what: found once, and cut for every part."""
        return {one.code: (one.counted(self), one.out_of(self) if one.out_of else None) for one in FIGURES}

    def cases_in(self, states: AbstractSet[str]) -> set[Key]:
        return {case.id for case in self.cases if case.state in states}


Members = Callable[[Facts], set[Key]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `of` says what is counted, `counted` and `out_of` name its members; without `out_of` it is a mere count."""

    code: str
    title: str
    of: str
    counted: Members
    out_of: Members | None = None
    explanation: str = ""


CASES, ASSIGNMENTS, JUDGEMENTS, POINTS = "件", "件次", "人次", "条"


def _on_time(facts: Facts) -> set[Key]:
    return {
        one.assignment_id
        for one in facts.clocks
        if one.ended_on is not None
        and one.due_on is not None
        and one.ended_on <= one.due_on
        and one.assignment_id in facts.answered
    }


def _clocked(facts: Facts) -> set[Key]:
    return {one.assignment_id for one in facts.clocks if one.assignment_id in facts.answered}


def _spoken_with(facts: Facts) -> set[Key]:
    return {one for one, form in facts.contacts if form != ContactForm.WAIVED} & facts.answered


def _with_result(result: ResultClass) -> Members:
    return lambda facts: {one.assignment_id for one in facts.replies if one.result == result}


def _judged(axis: str, said: Satisfaction) -> Members:
    return lambda facts: {one.id for one in facts.last_judgements if getattr(one, axis) == said}


def _all_judged(facts: Facts) -> set[Key]:
    return {one.id for one in facts.last_judgements}


def _satisfied_cases(facts: Facts) -> set[Key]:
    unsatisfied = {one.proposal_id for one in facts.last_judgements if one.result == Satisfaction.UNSATISFIED}
    return {one.proposal_id for one in facts.last_judgements} - unsatisfied


def _asked(facts: Facts) -> set[Key]:
    newest: dict[Key, int] = defaultdict(int)
    for one in facts.judgements:
        newest[one.proposal_id] = max(newest[one.proposal_id], one.round)
    return {one.id for one in facts.judgements if one.round == newest[one.proposal_id]}


FIGURES = (
    Figure("entered", "提交", CASES, lambda f: f.cases_in(set(ProposalState) - {ProposalState.DRAFT, ProposalState.COSIGNING})),
    Figure("filed", "立案率", CASES, lambda f: f.cases_in(FILED),
           lambda f: f.cases_in(FILED | {ProposalState.REJECTED, ProposalState.MERGED}), "立案件数／已作出立案决定的件数"),
    Figure("rejected", "不予立案", CASES, lambda f: f.cases_in({ProposalState.REJECTED})),
    Figure("merged", "并案", CASES, lambda f: f.cases_in({ProposalState.MERGED})),
    Figure("key", "重点件", CASES, lambda f: {case.id for case in f.cases if case.is_key}),
    Figure("given_out", "交办率", CASES, lambda f: f.cases_in(GIVEN_OUT), lambda f: f.cases_in(FILED), "已交办件数／立案件数"),
    Figure("replied", "答复率", CASES, lambda f: f.cases_in(REPLIED), lambda f: f.cases_in(GIVEN_OUT), "已答复件数／交办件数"),
    Figure("closed", "办结率", CASES, lambda f: f.cases_in({ProposalState.CLOSED, ProposalState.TRACKING}),
           lambda f: f.cases_in(GIVEN_OUT), "评价结束的件数（含跟踪落实）／交办件数"),
    Figure("on_time", "按期答复率", ASSIGNMENTS, _on_time, _clocked, "在时限内答复的件次／已答复件次"),
    Figure("spoken_with", "面商率", ASSIGNMENTS, _spoken_with, lambda f: set(f.answered), "有沟通记录的件次／已答复件次"),
    Figure("solved", "解决率（A类）", ASSIGNMENTS, _with_result(ResultClass.A), lambda f: set(f.answered), "A类答复／已答复件次"),
    Figure("planned", "列入计划（B类）", ASSIGNMENTS, _with_result(ResultClass.B), lambda f: set(f.answered), "B类答复／已答复件次"),
    Figure("not_yet", "暂不能解决（C类）", ASSIGNMENTS, _with_result(ResultClass.C), lambda f: set(f.answered), "C类答复／已答复件次"),
    Figure("for_reference", "留作参考（D类）", ASSIGNMENTS, _with_result(ResultClass.D), lambda f: set(f.answered), "D类答复／已答复件次"),
    Figure("improved", "B转A", POINTS, lambda f: set(f.improved), lambda f: set(f.promised), "由B类转为A类的建议点／曾列为B类的建议点"),
    Figure("first_time", "一次交办准确率", ASSIGNMENTS,
           lambda f: {a.id for a in f.assignments if not a.has_previous and a.state != AssignmentState.SUPERSEDED},
           lambda f: {a.id for a in f.assignments if not a.has_previous}, "未被退办改办的首次交办／首次交办件次"),
    Figure("returned", "退办率", ASSIGNMENTS, lambda f: {a.id for a in f.assignments if a.state == AssignmentState.SUPERSEDED},
           lambda f: {a.id for a in f.assignments}, "改办件次／全部交办件次"),
    Figure("extended", "延期率", ASSIGNMENTS, lambda f: {a.id for a in f.answering if a.extended_months},
           lambda f: {a.id for a in f.answering}, "延期件次／主办、分别办理件次"),
    Figure("again", "二次办理率", CASES, lambda f: {case.id for case in f.cases if case.round > 1 and case.state in GIVEN_OUT},
           lambda f: f.cases_in(REPLIED), "重新办理件数／已答复件数"),
    Figure("published", "公开率", ASSIGNMENTS, lambda f: {r.assignment_id for r in f.replies if r.publicity != ReplyPublicity.CLOSED},
           lambda f: set(f.answered), "全文或摘要公开／已答复件次"),
    Figure("judged", "评价率", JUDGEMENTS, _all_judged, _asked, "已评价人次／征求评价人次"),
    Figure("result_satisfied", "结果满意", JUDGEMENTS, _judged("result", Satisfaction.SATISFIED), _all_judged,
           "对办理结果满意／已评价人次"),
    Figure("result_mostly", "结果基本满意", JUDGEMENTS, _judged("result", Satisfaction.MOSTLY), _all_judged,
           "对办理结果基本满意／已评价人次"),
    Figure("result_unsatisfied", "结果不满意", JUDGEMENTS, _judged("result", Satisfaction.UNSATISFIED), _all_judged,
           "对办理结果不满意／已评价人次"),
    Figure("attitude_satisfied", "态度满意", JUDGEMENTS, _judged("attitude", Satisfaction.SATISFIED), _all_judged,
           "对办理态度满意／已评价人次"),
    Figure("contact_satisfied", "沟通满意", JUDGEMENTS, _judged("contact", Satisfaction.SATISFIED), _all_judged,
           "对沟通情况满意／已评价人次"),
    Figure("cases_satisfied", "按件满意率", CASES, _satisfied_cases, lambda f: {one.proposal_id for one in f.last_judgements},
           "没有提案人不满意的件数／有评价的件数"),
)  # fmt: skip
BY_CODE = {figure.code: figure for figure in FIGURES}


def share(counted: int, out_of: int) -> str:
    """96.5%, or a dash where there is nothing to take a share of."""
    return f"{counted / out_of:.1%}" if out_of else "—"


@dataclass(frozen=True, slots=True)
class Value:
    """A figure for a whole sitting or a part of it: how many of how many; `out_of` is None of a mere count."""

    figure: Figure
    counted: int
    out_of: int | None


def values(facts: Facts, part: AbstractSet[Key] | None = None) -> list[Value]:
    """Every figure, of the whole or of those of its members that are in `part`."""
    return [_value(figure, facts, part) for figure in FIGURES]


def _value(figure: Figure, facts: Facts, part: AbstractSet[Key] | None) -> Value:
    counted, out_of = facts.sets[figure.code]
    if part is not None:
        counted = counted & part
        out_of = out_of & part if out_of is not None else None
    return Value(figure, len(counted), len(out_of) if out_of is not None else None)


def members(facts: Facts, code: str, *, counted: bool, part: AbstractSet[Key] | None = None) -> set[Key]:
    """The cases behind a number: of what is counted, or of what it is counted out of. Raises KeyError for no figure."""
    numerator, denominator = facts.sets[code]
    found = numerator if counted or denominator is None else denominator
    kept = found if part is None else found & part
    return {facts.case_of[one] for one in kept}


def parts(facts: Facts, by: str) -> dict[str, set[Key]]:
    """The members of each organ, category or delegation: whatever of a case, an assignment or a judgement is theirs."""
    found: dict[str, set[Key]] = defaultdict(set)
    if by == "organ":
        organs: dict[Key, set[str]] = defaultdict(set)
        for one in facts.assignments:
            found[str(one.organ_id)].add(one.id)
            if one.state != AssignmentState.SUPERSEDED and AssignmentRole(one.role).answers:
                organs[one.proposal_id].add(str(one.organ_id))
        _with_their_cases(found, facts, organs)
        return dict(found)
    keys = {case.id: {getattr(case, by)} for case in facts.cases if getattr(case, by)}
    _with_their_cases(found, facts, keys)
    for one in facts.assignments:
        for key in keys.get(one.proposal_id, ()):
            found[key].add(one.id)
    return dict(found)


def _with_their_cases(found: dict[str, set[Key]], facts: Facts, keys: Mapping[Key, Iterable[str]]) -> None:
    """Put every case, and what is counted of it besides assignments, where its keys say."""
    assigned = {one.id for one in facts.assignments}
    for member, case_id in facts.case_of.items():
        if member not in assigned:
            for key in keys.get(case_id, ()):
                found[key].add(member)


def working_days(facts: Facts, worked_between: Callable[[date, date], int]) -> dict[Key, int]:
    """办理工作日: how many working days each organ took for its reply, by assignment."""
    return {
        one.assignment_id: worked_between(one.started_on, one.ended_on)
        for one in facts.clocks
        if one.ended_on is not None and one.assignment_id in facts.answered
    }


def mean_of(days: Mapping[Key, int], part: AbstractSet[Key] | None = None) -> float | None:
    """The mean of what `working_days` found, of the whole or of a part; None where nothing is answered."""
    chosen = days.keys() if part is None else days.keys() & part
    return sum(days[one] for one in chosen) / len(chosen) if chosen else None
