"""A sheet held against what is there: which case each row is, what it would change, and why it cannot be brought in as it stands.

Pure, like `sheet`: what is known comes in as values, a plan goes out. The digest of a plan covers everything that it would do, so who
confirms a digest confirms that and nothing else.
"""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from hashlib import sha256
from uuid import UUID

from crypto.canonical import canonical_json
from oa_server.core.errors import Invalid, Reason
from oa_server.core.ids import new_id
from oa_server.core.words import Word
from oa_server.proposals import rules
from oa_server.proposals.models import Assignment, Member, Proposal, Proposer, Sitting
from oa_server.proposals.sheet import (
    TITLES,
    CaseRow,
    Loaded,
    Person,
    Remark,
    compact,
    plain_number,
)
from oa_server.proposals.states import (
    Assembly,
    AssignmentRole,
    Consent,
    Occasion,
    ProposalForm,
    ProposalKind,
    ProposalState,
    RejectionCode,
)

SUGGESTIONS = 3
SUGGESTED_FOR = 200  # as many unknown names are compared with all organs; nobody settles more in one sitting
LEAST_ALIKE = 0.4
EXCERPT = 40
IN_ORDER = (ProposalState.REGISTERED, ProposalState.UNDER_REVIEW, ProposalState.FILED)
OPEN = frozenset(IN_ORDER)
_MERGE_INTO = OPEN | {ProposalState.DISPATCHED, ProposalState.HANDLING}


class Outcome(Word):
    """What becomes of a row. What is kept differs from its case, which is beyond being changed by a sheet."""

    NEW = "new", "新增"
    CHANGED = "changed", "更新"
    UNCHANGED = "unchanged", "无变化"
    KEPT = "kept", "不更新"
    REFUSED = "refused", "有错误"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that changes: the column as the sheet calls it, and both values as it would show them."""

    column: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """An organ under one of its names."""

    organ_id: UUID
    name: str
    is_retired: bool


@dataclass(frozen=True, slots=True)
class KnownCase:
    """A registered case of the sitting; the digests are None unless it came by a sheet."""

    id: UUID
    kind: ProposalKind
    seq: int
    state: ProposalState
    row_version: int
    row_sha256: str | None
    natural_sha256: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What a sheet is held against. `units` are by the names that `compact` makes, `leaders` are those of the dispatching organ."""

    sitting: Sitting
    today: date
    cosigners_least: int
    members: Sequence[Member]
    units: Mapping[str, KnownUnit]
    leaders: Mapping[str, Sequence[UUID]]
    cases: Sequence[KnownCase]

    def case_number(self, kind: ProposalKind, seq: int) -> str:
        return rules.case_number(self.sitting, kind, seq)


@dataclass(frozen=True, slots=True)
class Stands:
    """A case as it stands, for what a row would change in it."""

    proposal: Proposal
    proposers: Sequence[Proposer]
    assignments: Sequence[Assignment]
    merged_into: str = ""
    key_leader: str = ""


@dataclass(slots=True)
class Planned:
    """A row with what becomes of it. `into` is the row or the case with which it is merged."""

    row: CaseRow
    outcome: Outcome = Outcome.NEW
    state: ProposalState = ProposalState.REGISTERED
    seq: int | None = None
    case: KnownCase | None = None
    members: list[Member] = field(default_factory=list)
    handlers: list[tuple[UUID, AssignmentRole]] = field(default_factory=list)
    leader_id: UUID | None = None
    into: Planned | KnownCase | None = None
    changes: list[FieldChange] = field(default_factory=list)
    reason: str = ""
    stands: Stands | None = None

    def told(self) -> list[object]:
        """What the plan's digest covers of it."""
        into = self.into.row.row if isinstance(self.into, Planned) else str(self.into.id) if self.into else None
        case = [str(self.case.id), self.case.row_version] if self.case else None
        return [
            self.row.row,
            self.outcome.value,
            self.row.sha256,
            self.state.value,
            case,
            [member.code for member in self.members],
            [[str(organ_id), role.value] for organ_id, role in self.handlers],
            str(self.leader_id or ""),
            into,
            [asdict(change) for change in self.changes],
        ]


@dataclass(frozen=True, slots=True)
class UnknownUnit:
    """A name that is no organ's, in how many rows it stands, and the organs whose names are most like it."""

    name: str
    rows: int
    suggestions: Sequence[KnownUnit]


@dataclass
class Plan:
    """What bringing in a file would do."""

    loaded: Loaded
    file_sha256: str
    sitting_id: UUID
    rows: list[Planned] = field(default_factory=list)
    new_members: dict[str, Member] = field(default_factory=dict)
    unknown_units: list[UnknownUnit] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.loaded.problems

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many rows have each outcome."""
        found = Counter(one.outcome for one in self.rows)
        return {outcome: found[outcome] for outcome in Outcome}

    @property
    def to_enter(self) -> list[Member]:
        """Members who are new and stand behind a case that is entered or brought up to date."""
        used = {member.code for one in (*self.of(Outcome.NEW), *self.of(Outcome.CHANGED)) for member in one.members}
        return [member for code, member in self.new_members.items() if code in used]

    @cached_property
    def digest(self) -> str:
        """What names this plan, once it is compared."""
        told = {
            "file": self.file_sha256,
            "sitting": str(self.sitting_id),
            "rows": [one.told() for one in self.rows],
            "members": [member.code for member in self.to_enter],
        }
        return sha256(canonical_json(told)).hexdigest()

    def of(self, outcome: Outcome) -> list[Planned]:
        """The rows of one outcome."""
        return [one for one in self.rows if one.outcome is outcome]


def judge(loaded: Loaded, file_sha256: str, known: Known) -> Plan:
    """The plan for a file, without what its rows change in cases that are there: `to_compare` says of which, `compare` does it."""
    loaded = replace(loaded, problems=[*loaded.problems], remarks=[*loaded.remarks])
    plan = Plan(loaded, file_sha256, known.sitting.id, [Planned(row) for row in loaded.rows])
    _Judge(plan, known).run()
    faulty = {problem.row for problem in loaded.problems if problem.sheet == loaded.title}
    for one in plan.rows:
        if one.row.row in faulty:
            one.outcome = Outcome.REFUSED
    return plan


def to_compare(plan: Plan) -> dict[UUID, Planned]:
    """The rows whose cases are there and were told otherwise, or never by a sheet, by these cases."""
    open_rows = [one for one in plan.rows if one.case and one.outcome is Outcome.NEW]
    return {one.case.id: one for one in open_rows if one.case is not None}


class _Judge:
    def __init__(self, plan: Plan, known: Known) -> None:
        self.plan = plan
        self.known = known
        self.loaded = plan.loaded
        self.by_code = {member.code: member for member in known.members}
        self.by_name: dict[str, list[Member]] = defaultdict(list)
        for member in known.members:
            self.by_name[member.name].append(member)
        self.unknown: Counter[str] = Counter()
        self.numbered = {(case.kind, case.seq): case for case in known.cases}
        self.given: dict[tuple[ProposalKind, int], Planned] = {}

    def run(self) -> None:
        for one in self.plan.rows:
            self._sitting(one)
            self._number(one)
        self._match()
        # What was brought in once is not judged again: an organ or a member of then may be no more.
        told_anew = [one for one in self.plan.rows if one.outcome is not Outcome.UNCHANGED]
        for one in told_anew:  # Who leads a case may stand behind another, further up in the sheet.
            if one.row.lead.name and (lead := self._member(one, one.row.lead, "lead")):
                one.members.append(lead)
        for one in told_anew:
            self._days(one)
            self._cosigners(one)
            self._units(one)
            self._stage(one)
            self._key(one)
        self._merges(told_anew)
        self._gaps()
        self._suggest()

    def _add(self, one: Planned, key: str, code: str, *details: object) -> None:
        self.loaded.add(one.row.row, key, code, *details)

    def _refuse(self, one: Planned, key: str, reason: Reason) -> None:
        self._add(one, key, "reason", reason.zh)

    # --- what a row says of itself ------------------------------------------------------------------------------------

    def _sitting(self, one: Planned) -> None:
        sitting = self.known.sitting
        for key, said, right in (("term", one.row.term, sitting.term), ("session", one.row.session, sitting.session)):
            if said is not None and said != right:
                self._add(one, key, "other_sitting", said, right)
        if one.row.kind and one.row.kind not in rules.KINDS[Assembly(sitting.body)]:
            self._refuse(one, "kind", rules.KIND_OF_BODY)

    def _seq(self, one: Planned, text: str, key: str) -> int | None:
        """The running number that a cell names, plain or as the sitting writes it."""
        if one.row.kind is None or not text:
            return None
        seq = plain_number(text.rpartition("-")[2])
        if seq is None or ("-" in text and text != self.known.case_number(one.row.kind, seq)):
            self._add(one, key, "no_number", text, self.known.case_number(one.row.kind, 1))
            return None
        return seq

    def _number(self, one: Planned) -> None:
        one.seq = self._seq(one, one.row.number, "case_no")
        if one.seq is None or one.row.kind is None:
            return
        first = self.given.setdefault((one.row.kind, one.seq), one)
        if first is not one:
            self._add(one, "case_no", "duplicate", first.row.row)

    def _days(self, one: Planned) -> None:
        for key, day in (("submitted_on", one.row.submitted_on), ("dispatched_on", one.row.dispatched_on)):
            if day and day > self.known.today:
                self._add(one, key, "future", day)

    # --- people -------------------------------------------------------------------------------------------------------

    def _member(self, one: Planned, person: Person, key: str) -> Member | None:
        """Who a row means: by the number, else by the name; new with a number that nobody has."""
        code_key = "lead_code" if key == "lead" else key
        if person.code:
            found = self.by_code.get(person.code)
            if found is None:
                found = self._new_member(person)
            elif found.name != person.name:
                self._add(one, code_key, "other_name", person.code, found.name)
                return None
            return found
        same = self.by_name.get(person.name, [])
        if len(same) > 1 and person.delegation:
            same = [member for member in same if compact(member.delegation) == compact(person.delegation)] or same
        if len(same) == 1:
            return same[0]
        code, details = ("many_members", (len(same), person.name)) if same else ("unknown_member", (person.name,))
        self._add(one, key, code, *details)
        return None

    def _new_member(self, person: Person) -> Member:
        member = Member(id=new_id(), sitting_id=self.known.sitting.id, **asdict(person))
        self.plan.new_members[member.code] = self.by_code[member.code] = member
        self.by_name[member.name].append(member)
        return member

    def _cosigners(self, one: Planned) -> None:
        found = [member for person in one.row.cosigners if (member := self._member(one, person, "cosigners"))]
        has_everybody = len(found) == len(one.row.cosigners) and len(one.members) == 1
        one.members += found
        row = one.row
        if (
            not (has_everybody and row.kind and row.form)
            or row.kind not in rules.KINDS[Assembly(self.known.sitting.body)]
        ):
            return
        try:
            rules.check_draft(
                row.kind, Assembly(self.known.sitting.body), row.form, [member.id for member in one.members]
            )
        except Invalid as refused:
            self._refuse(one, "form" if refused.reason is rules.FORM_AND_NUMBER else "cosigners", refused.reason)
            return
        is_joint_bill = row.kind is ProposalKind.BILL and row.form is ProposalForm.JOINT
        if is_joint_bill and len(one.members) < self.known.cosigners_least:
            self._refuse(one, "cosigners", rules.TOO_FEW_COSIGNERS)

    # --- organs -------------------------------------------------------------------------------------------------------

    def _units(self, one: Planned) -> None:
        for named in one.row.handlers:
            unit = self.known.units.get(named.name)
            if unit is None:
                self.unknown[named.name] += 1
                self._add(one, named.column, "unknown_unit", named.name)
            elif unit.is_retired:
                self._add(one, named.column, "retired_unit", unit.name)
            else:
                one.handlers.append((unit.organ_id, named.role))
        if len(one.handlers) < len(one.row.handlers) or not one.handlers:
            return
        try:
            rules.check_handlers(one.handlers)
        except Invalid as refused:
            self._refuse(one, _HANDLER_COLUMNS[refused.reason], refused.reason)

    def _stage(self, one: Planned) -> None:
        """Where the case stands after what its row says."""
        row = one.row
        if row.handlers and row.is_filed is not True:
            self._add(one, row.handlers[0].column, "not_filed", "交办")
        if row.dispatched_on and not row.handlers:
            self._add(one, "lead_organ", "missing")
        if row.merged_into and (row.is_filed is False or row.handlers):
            self._add(one, "merged_into", "not_filed" if row.is_filed is False else "reason", _MERGED_TOGETHER)
        if row.merged_into:
            one.state = ProposalState.MERGED
        elif row.is_filed is False:
            one.state = ProposalState.REJECTED
        elif row.handlers:
            one.state = ProposalState.DISPATCHED
        elif row.is_filed:
            one.state = ProposalState.FILED

    def _key(self, one: Planned) -> None:
        row = one.row
        if not row.key_leader and not row.is_key:
            return
        if row.is_key is False or not row.handlers or not row.key_leader:
            self._add(one, "is_key" if row.is_key else "key_leader", "key_undispatched")
            return
        found = self.known.leaders.get(row.key_leader, ())
        if len(found) == 1:
            one.leader_id = found[0]
        else:
            self._add(one, "key_leader", "no_leader", row.key_leader)

    def _merges(self, rows: Sequence[Planned]) -> None:
        for one in rows:
            if not one.row.merged_into:
                continue
            seq = self._seq(one, one.row.merged_into, "merged_into")
            if seq is None or one.row.kind is None:
                continue
            at = (one.row.kind, seq)
            beside = self.given.get(at)
            into: Planned | KnownCase | None = self.numbered.get(at) or beside
            if into is None:
                self._add(one, "merged_into", "no_case", one.row.merged_into)
            elif beside is one or into.state not in _MERGE_INTO or (beside and beside.row.merged_into):
                self._refuse(one, "merged_into", rules.MERGE_ITSELF)
            else:
                one.into = into

    # --- which case it is ---------------------------------------------------------------------------------------------

    def _match(self) -> None:
        imported = [case for case in self.known.cases if case.row_sha256]
        by_row = {case.row_sha256: case for case in imported}
        by_nature = {case.natural_sha256: case for case in imported}
        taken: dict[UUID, Planned] = {}
        natures: dict[str, Planned] = {}
        for one in self.plan.rows:
            if one.row.kind is None:
                continue
            if one.row.number:
                one.case = self.numbered.get((one.row.kind, one.seq)) if one.seq else None
            else:
                nature = one.row.natural_sha256
                if (first := natures.setdefault(nature, one)) is not one:
                    self._add(one, "title", "duplicate", first.row.row)
                    continue
                one.case = by_row.get(one.row.sha256) or by_nature.get(nature)
            if one.case is None:
                continue
            if (first := taken.setdefault(one.case.id, one)) is not one:
                self._add(one, "case_no", "duplicate", first.row.row)
            elif one.case.row_sha256 == one.row.sha256:
                one.outcome = Outcome.UNCHANGED

    def _gaps(self) -> None:
        """Numbers are given without a gap; a sheet that leaves some out is told so, and whoever made it knows why."""
        for kind in ProposalKind:
            seqs = {seq for of, seq in self.given if of is kind}
            seqs |= {case.seq for case in self.known.cases if case.kind is kind} if seqs else set()
            missing = [seq for seq in range(1, max(seqs, default=0)) if seq not in seqs] if seqs else []
            if missing:
                shown = "、".join(map(str, missing[:20])) + ("等" if len(missing) > 20 else "")  # noqa: PLR2004
                words = f"{kind.title_zh}案号不连续，缺 {len(missing)} 个：{shown}"
                self.loaded.remarks.append(Remark(0, words))

    def _suggest(self) -> None:
        for number, (name, rows) in enumerate(self.unknown.most_common()):
            found = suggestions(name, self.known.units) if number < SUGGESTED_FOR else []
            self.plan.unknown_units.append(UnknownUnit(name, rows, found))


_MERGED_TOGETHER = "并案；已并案的不再交办"
_HANDLER_COLUMNS: Mapping[Reason, str] = {
    rules.ROLES_OVERLAP: "cohandlers",
    rules.LEAD_AND_SEPARATE: "separate",
    rules.NOBODY_ANSWERS: "lead_organ",
}


def suggestions(name: str, units: Mapping[str, KnownUnit]) -> list[KnownUnit]:
    """The organs whose names are most like one, the likest first; those that are no more are not among them."""
    scored: dict[UUID, tuple[float, KnownUnit]] = {}
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(name)
    for other, unit in units.items():
        matcher.set_seq1(other)
        if unit.is_retired or matcher.real_quick_ratio() < LEAST_ALIKE or matcher.quick_ratio() < LEAST_ALIKE:
            continue
        score = matcher.ratio()
        if score >= LEAST_ALIKE and score > scored.get(unit.organ_id, (0.0, unit))[0]:
            scored[unit.organ_id] = (score, unit)
    return [unit for _score, unit in sorted(scored.values(), key=lambda one: -one[0])[:SUGGESTIONS]]


# --- what differs -----------------------------------------------------------------------------------------------------


def compare(plan: Plan, stands: Mapping[UUID, Stands], names: Mapping[UUID, str]) -> None:
    """Say of each row whose case is there what it would change. `names` are the organs' short names."""
    for case_id, one in to_compare(plan).items():
        assert one.case is not None
        one.stands = stands[case_id]
        one.changes = [
            FieldChange(TITLES[key], old, new) for key, old, new in _differences(one, one.stands, names) if old != new
        ]
        if not one.changes:
            one.outcome = Outcome.UNCHANGED
            continue
        one.reason = _why_kept(one, one.case, one.stands)
        one.outcome = Outcome.KEPT if one.reason else Outcome.CHANGED


def _why_kept(one: Planned, case: KnownCase, at: Stands) -> str:
    """Why a case that differs is left as it is; nothing for one that is brought up to date."""
    if case.row_sha256 is None:
        return "本件由系统登记，不由表格更新"
    if case.state not in OPEN:
        return f"本件{case.state.title_zh}，不再由表格更新"
    if any(proposer.consent == Consent.SIGNED for proposer in at.proposers):
        return "提案人已在系统中签名，不由表格更新"
    if case.state is ProposalState.FILED and one.state is ProposalState.REJECTED:
        return "本件已立案，不由表格改为不予立案"
    return ""


def _differences(one: Planned, at: Stands, names: Mapping[UUID, str]) -> Iterator[tuple[str, str, str]]:
    """Column, old and new of what a row states; what it leaves empty says nothing of the case."""
    row, case = one.row, at.proposal
    stated: Iterable[tuple[str, str, str]] = (
        ("title", case.title, row.title),
        ("form", ProposalForm(case.form).title_zh, row.form.title_zh if row.form else ""),
        ("occasion", Occasion(case.occasion).title_zh, row.occasion.title_zh if row.occasion else ""),
        ("category", case.category, row.category),
        ("subcategory", case.subcategory, row.subcategory),
        ("submitted_on", str(case.submitted_on or ""), str(row.submitted_on or "")),
        ("merged_into", at.merged_into, _number_of(one.into, at.proposal.kind) if row.merged_into else ""),
        ("dispatched_on", str(case.dispatched_on or ""), str(row.dispatched_on or "")),
        ("key_leader", at.key_leader, row.key_leader),
        ("is_public", _yes(case.is_public), _yes(row.is_public)),
        ("filed", _filed(ProposalState(case.state), case), _yes(row.is_filed)),
        ("rejection", _ground(case.rejection_code), row.ground.title_zh if row.ground else ""),
    )
    yield from ((key, old, new) for key, old, new in stated if new)
    yield from _text_difference(case, row)
    yield from _people_difference(one, at)
    if row.handlers:
        standing = {(given.organ_id, AssignmentRole(given.role)) for given in at.assignments}
        for key, roles in _ROLE_COLUMNS.items():
            yield key, _organs(standing, roles, names), _organs(set(one.handlers), roles, names)


_ROLE_COLUMNS = {
    "lead_organ": {AssignmentRole.LEAD},
    "cohandlers": {AssignmentRole.COHANDLER, AssignmentRole.REFERENCE},
    "separate": {AssignmentRole.SEPARATE},
}


def _number_of(into: Planned | KnownCase | None, kind: str) -> str:
    return f"{ProposalKind(kind).number_word}{into.seq}" if into else ""


def _yes(flag: bool | None) -> str:
    return "" if flag is None else "是" if flag else "否"


def _filed(state: ProposalState, case: Proposal) -> str:
    if state is ProposalState.REJECTED:
        return "否"
    of = ProposalState(case.merged_from_state) if state is ProposalState.MERGED else state
    return "" if of in {ProposalState.REGISTERED, ProposalState.UNDER_REVIEW, *rules.WRITING} else "是"


def _ground(code: str | None) -> str:
    return RejectionCode(code).title_zh if code else ""


def _text_difference(case: Proposal, row: CaseRow) -> Iterator[tuple[str, str, str]]:
    old = (case.situation, case.analysis, case.request)
    new = (row.situation, row.analysis, row.request)
    if old != new:
        yield ("body", *_excerpts("\n".join(old), "\n".join(new)))


def _excerpts(old: str, new: str) -> tuple[str, str]:
    """Both texts from shortly before they part."""
    at = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, at - EXCERPT // 4)
    shown = [("…" if start else "") + text[start : start + EXCERPT] for text in (old, new)]
    return (shown[0], shown[1]) if shown[0] != shown[1] else (f"{len(old)} 字", f"{len(new)} 字")


def _people_difference(one: Planned, at: Stands) -> Iterator[tuple[str, str, str]]:
    former = [proposer.member for proposer in at.proposers]
    yield "lead", _coded(former[0]), _coded(one.members[0])
    if one.row.cosigners:
        codes = [sorted(member.code for member in members[1:]) for members in (former, one.members)]
        shown = ["、".join(member.name for member in members[1:]) for members in (former, one.members)]
        if codes[0] != codes[1]:
            yield "cosigners", shown[0] or "无", shown[1] if shown[1] != shown[0] else "、".join(codes[1])


def _coded(member: Member) -> str:
    return f"{member.name}（{member.code}）"


def _organs(of: set[tuple[UUID, AssignmentRole]], roles: set[AssignmentRole], names: Mapping[UUID, str]) -> str:
    return "；".join(sorted(names.get(organ_id, str(organ_id)) for organ_id, role in of if role in roles))
