"""导入: a sheet of cases is shown as the difference that it makes, and brought in as it was shown, all of it or nothing.

Whoever confirms names the digest of the plan that they saw. The plan is then made anew while nobody else can import, register or
change the cases concerned; when it is another by now, nothing is done. A case is entered where its row says that it stands, because
the sheet tells what was decided on paper; its proposers are the members whom the sheet names, and whoever imports is on record as
that and as nothing else.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Conflict, Denied, Invalid, Reason
from oa_server.core.ids import new_id
from oa_server.identity import access as identity
from oa_server.proposals import access, assigning, cases, indexing, matching, reviewing, rules, sheet
from oa_server.proposals.limits import Allowed, Limit
from oa_server.proposals.matching import Known, KnownCase, KnownUnit, Outcome, Plan, Planned, Stands
from oa_server.proposals.models import (
    Assignment,
    ImportBatch,
    ImportedRow,
    Member,
    Proposal,
    ProposalVersion,
    Proposer,
    Sitting,
    UnitAlias,
)
from oa_server.proposals.states import Assembly, Consent, Forwarding, ProposalKind, ProposalState
from oa_server.storage.database import Lock, alone
from oa_server.storage.fields import Model
from oa_server.storage.unit_of_work import Work, unit_of_work

AT_ONCE = 250
INSERTED_AT_ONCE = 1000  # within the seconds that PostgreSQL gives a statement, also on a slow machine
ASKED_AT_ONCE = 500

PLAN_CHANGED = Reason(
    "proposals.import_changed",
    "自显示差异以来，文件或系统中的案件已有变化，请重新核对后再导入",
    "The file or the cases have changed since the difference was shown; look at it again.",
)
SHEET_REFUSED = Reason(
    "proposals.import_refused",
    "表格有错误，未导入任何内容；请按报告修改后重新导入",
    "The sheet has errors; nothing was imported. Mend the cells in the report and import it again.",
)
NOTHING_NEW = Reason(
    "proposals.import_nothing", "表格与系统一致，没有需要导入的内容", "The sheet brings nothing that is not there."
)
ALIAS_IS_NAME = Reason(
    "proposals.alias_is_name", "这就是一个机构的名称，不需要别名", "That is an organ's own name already."
)

Row = TypeVar("Row", bound=Model)
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in: under which name, its digest, and how it was read."""

    name: str
    sha256: str
    loaded: sheet.Loaded


async def read(actor: Actor, sitting_id: UUID, name: str, data: bytes) -> Upload:
    """Read a file for a sitting, in a thread of its own. Raises NotFound, Denied, Invalid, TooLarge."""
    check_importer(actor, await access.sitting(sitting_id))
    loaded = await asyncio.to_thread(sheet.load, name, data)
    return Upload(name[:200], sha256(data).hexdigest(), loaded)


def check_importer(actor: Actor, sitting: Sitting) -> None:
    """Raises Denied for who is no clerk of the sitting's secretariat: the system itself imports nothing."""
    if not rules.in_secretariat(actor, sitting, Role.CLERK):
        raise Denied(rules.NOT_SECRETARIAT)


async def rehearse(actor: Actor, sitting_id: UUID, upload: Upload) -> Plan:
    """What bringing a file in would do; nothing is done. Raises NotFound, Denied."""
    sitting = await access.sitting(sitting_id)
    check_importer(actor, sitting)
    return await _plan(sitting, upload)


async def _plan(sitting: Sitting, upload: Upload) -> Plan:
    known = await _known(sitting)
    plan = await asyncio.to_thread(matching.judge, upload.loaded, upload.sha256, known)
    if differing := matching.to_compare(plan):
        stands = await _stands(list(differing))
        matching.compare(plan, stands, await _names_of_organs(stands, plan))
    return plan


async def bring_in(
    actor: Actor, sitting_id: UUID, upload: Upload, shown: str, tell: Tell = lambda _done, _total: None
) -> ImportBatch:
    """Bring a file in as it was shown, all or nothing; the same once more is the batch that it was.

    Raises NotFound, Denied; Invalid when something is wrong with it, or nothing is new in it; Conflict when it is not what was
    `shown`, named by its digest. `tell` hears how many rows of how many have been written.
    """
    sitting = await access.sitting(sitting_id)
    check_importer(actor, sitting)
    if known := await _brought_in(sitting_id, shown):
        return known
    plan = await _plan(sitting, upload)
    _check(plan, shown)
    storing = await asyncio.to_thread(_Storing, actor, sitting, plan, upload, tell)
    async with unit_of_work(actor) as work:
        await alone(Lock.PROPOSAL_IMPORT)
        await alone(Lock.MERGING)
        if known := await _brought_in(sitting_id, shown):
            return known
        await _hold(sitting)
        # The same digest is the same plan over the same cases, so what was made of it before still fits.
        _check(await _plan(sitting, upload), shown)
        return await storing.run(work)


async def _brought_in(sitting_id: UUID, digest: str) -> ImportBatch | None:
    return await ImportBatch.get_or_none(sitting_id=sitting_id, digest=digest)


def _check(plan: Plan, shown: str) -> None:
    if not plan.is_whole:
        raise Invalid(SHEET_REFUSED, problems=len(plan.loaded.problems))
    if shown != plan.digest:
        raise Conflict(PLAN_CHANGED, digest=plan.digest)
    if not plan.of(Outcome.NEW) and not plan.of(Outcome.CHANGED):
        raise Invalid(NOTHING_NEW)


async def _hold(sitting: Sitting) -> None:
    """The cases that a sheet could change, and after them the numbers, as whoever acts on a case holds them."""
    states = [state.value for state in matching.OPEN]
    held = Proposal.filter(sitting_id=sitting.id, state__in=states, case_seq__not_isnull=True)
    await held.order_by("id").select_for_update().only("id")
    for kind in rules.KINDS[Assembly(sitting.body)]:
        await reviewing.held_counter(sitting.id, kind)


# --- what is known ----------------------------------------------------------------------------------------------------


async def _known(sitting: Sitting) -> Known:
    return Known(
        sitting=sitting,
        today=clock.today(),
        cosigners_least=(await access.limits(sitting.id))[Limit.COSIGNERS].quantity,
        members=await Member.filter(sitting_id=sitting.id).only("id", "code", "name", "delegation"),
        units=await known_units(),
        leaders=await _leaders(sitting),
        cases=await _cases(sitting),
    )


async def known_units() -> dict[str, KnownUnit]:
    """Organs by their names and by what sheets call them. A name that two organs have is nobody's."""
    organs = {row.id: row for row in await identity.every_organ()}
    named: dict[str, dict[UUID, KnownUnit]] = defaultdict(dict)
    for row in organs.values():
        unit = KnownUnit(row.id, row.short_name, row.retired_at is not None)
        for name in (row.full_name, row.short_name):
            named[sheet.compact(name)][row.id] = unit
    found: dict[str, KnownUnit] = {}
    for name, units in named.items():
        in_use = [unit for unit in units.values() if not unit.is_retired] or list(units.values())
        if len(in_use) == 1:
            found[name] = in_use[0]
    for alias in await UnitAlias.all():
        organ = organs[alias.organ_id]
        found.setdefault(alias.name, KnownUnit(organ.id, organ.short_name, organ.retired_at is not None))
    return found


async def _leaders(sitting: Sitting) -> dict[str, list[UUID]]:
    ids = await identity.holders(Role.LEADER, organ_id=sitting.dispatching_id)
    found: dict[str, list[UUID]] = defaultdict(list)
    for official_id, name in (await identity.names_of(ids)).items():
        found[sheet.person_name(name)].append(official_id)
    return found


async def _cases(sitting: Sitting) -> list[KnownCase]:
    rows = Proposal.filter(sitting_id=sitting.id, case_seq__not_isnull=True)
    digests = ImportedRow.filter(proposal__sitting_id=sitting.id)
    told = {
        proposal_id: (row, natural)
        for proposal_id, row, natural in await digests.values_list("proposal_id", "row_sha256", "natural_sha256")
    }
    return [
        KnownCase(row_id, ProposalKind(kind), seq, ProposalState(state), version, *told.get(row_id, (None, None)))
        for row_id, kind, seq, state, version in await rows.values_list(
            "id", "kind", "case_seq", "state", "row_version"
        )
    ]


async def _stands(ids: Sequence[UUID]) -> dict[UUID, Stands]:
    """These cases as they stand."""
    found: dict[UUID, Stands] = {}
    for start in range(0, len(ids), ASKED_AT_ONCE):
        some = ids[start : start + ASKED_AT_ONCE]
        proposers = _by_proposal(await access.proposers(some))
        given = _by_proposal([row for row in await access.assignments_of(some) if row.state != "superseded"])
        rows = await Proposal.filter(id__in=some).prefetch_related("merged_into")
        leaders = await identity.names_of({row.key_leader_id for row in rows if row.key_leader_id})
        for row in rows:
            into = row.merged_into
            number = f"{ProposalKind(into.kind).number_word}{into.case_seq}" if into else ""
            leader = leaders.get(row.key_leader_id, "")
            found[row.id] = Stands(row, proposers[row.id], given[row.id], number, leader)
    return found


def _by_proposal(rows: Sequence[Row]) -> dict[UUID, list[Row]]:
    found: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.proposal_id].append(row)
    return found


async def _names_of_organs(stands: Mapping[UUID, Stands], plan: Plan) -> dict[UUID, str]:
    given = {row.organ_id for at in stands.values() for row in at.assignments}
    return await identity.organ_short_names(given | {organ_id for one in plan.rows for organ_id, _role in one.handlers})


# --- storing ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Made:
    """What one row makes, and what its act leaves behind."""

    planned: Planned
    proposal: Proposal
    imported: ImportedRow
    versions: list[ProposalVersion] = field(default_factory=list)
    proposers: list[Proposer] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    removed: list[Proposer] = field(default_factory=list)
    is_filed_now: bool = False


class _Storing:
    """A plan on its way into the tables: as many statements as there are hundreds of rows, and not as there are rows. Its rows are
    made before anything is held, so that others wait only while they are written."""

    def __init__(self, actor: Actor, sitting: Sitting, plan: Plan, upload: Upload, tell: Tell) -> None:
        self._actor = actor
        self._now = clock.now()
        self._sitting = sitting
        self._plan = plan
        self._tell = tell
        self._done = 0
        self._total = 0
        self._last: UUID | None = None
        self._seqs: dict[ProposalKind, int] = {}
        counts = plan.counts
        self._batch = ImportBatch(
            id=new_id(),
            sitting_id=sitting.id,
            file_name=upload.name,
            file_sha256=upload.sha256,
            digest=plan.digest,
            added=counts[Outcome.NEW],
            changed=counts[Outcome.CHANGED],
            unchanged=counts[Outcome.UNCHANGED],
            kept=counts[Outcome.KEPT],
            entered_by_id=actor.official_id,
            at=self._now,
        )
        self._new = [self._made(one) for one in plan.of(Outcome.NEW)]
        self._known = [self._changed(one) for one in plan.of(Outcome.CHANGED)]
        self._join([*self._new, *self._known])
        self._entries = indexing.entries(one.proposal for one in self._new)

    async def run(self, work: Work) -> ImportBatch:
        """Write everything in a unit of work that holds what is changed."""
        made, changed = self._new, self._known
        await self._give_numbers()
        members = self._plan.to_enter
        both = [*made, *changed]
        tables: list[Sequence[Model]] = [
            members,
            [self._batch],
            # What others are merged into comes before them.
            sorted((one.proposal for one in made), key=lambda row: row.merged_into_id is not None),
            [version for one in both for version in one.versions],
        ]
        behind: list[Sequence[Model]] = [
            [proposer for one in both for proposer in one.proposers],
            [one.imported for one in made],
            self._entries,
        ]
        given = [one for one in both if one.assignments]
        self._total = sum(map(len, chain(tables, behind))) + len(changed) + sum(len(one.assignments) for one in given)
        for rows in tables:
            await self._insert(rows)
        await self._update(changed)
        for rows in behind:
            await self._insert(rows)
        await self._give(work, given, await access.limits(self._sitting.id))
        await self._keep_time(work)
        self._record(work, made, changed, members)
        return self._batch

    async def _give_numbers(self) -> None:
        """Rows that have a number keep it; the others take the next ones, in the order of the sheet, none left out."""
        for kind in {one.proposal.kind for one in self._new}:
            counter = await reviewing.held_counter(self._sitting.id, kind)
            of_kind = [one.proposal for one in self._new if one.proposal.kind == kind]
            last = max([counter.last_given, *(row.case_seq for row in of_kind if row.case_seq)])
            for row in of_kind:
                if row.case_seq is None:
                    last += 1
                    row.case_seq = last
                row.case_no = rules.case_number(self._sitting, kind, row.case_seq)
            counter.last_given = last
            await counter.save(update_fields=["last_given"])

    # --- one row ------------------------------------------------------------------------------------------------------

    def _made(self, one: Planned) -> _Made:
        row = one.row
        # In the order of the sheet, which lists keep by the growth of identifiers.
        self._last = new_id(after=self._last)
        is_decided = one.state is not ProposalState.REGISTERED
        proposal = Proposal(
            id=self._last,
            sitting_id=self._sitting.id,
            kind=row.kind,
            case_seq=one.seq,
            entered_by_id=self._actor.official_id,
            created_at=self._now,
            review_level=self._sitting.review_levels if is_decided else 0,
            is_public=row.is_public is not False,
            **_elements(one),
            **self._standing(one),
        )
        proposal.text_sha256 = _text_digest(proposal)
        found = _Made(one, proposal, self._imported(one, proposal.id))
        self._stand_behind(found)
        self._assign(found)
        return found

    def _changed(self, one: Planned) -> _Made:
        """A case brought up to date. A text that changes is another version, which nobody has reviewed."""
        assert one.stands is not None
        proposal = one.stands.proposal
        found = _Made(one, proposal, self._imported(one, proposal.id))
        before, state = proposal.text_sha256, ProposalState(proposal.state)
        proposal.update_from_dict({name: value for name, value in _elements(one).items() if value not in {"", None}})
        proposal.update_from_dict({"row_version": proposal.row_version + 1, "updated_at": self._now})
        if one.row.is_public is not None:
            proposal.is_public = one.row.is_public
        proposal.text_sha256 = _text_digest(proposal)
        is_text_new = proposal.text_sha256 != before
        if is_text_new:
            proposal.update_from_dict({"version_no": proposal.version_no + 1, "review_level": 0})
            if state is ProposalState.UNDER_REVIEW:
                proposal.state = ProposalState.REGISTERED
        if one.state is not ProposalState.REGISTERED and _IN_ORDER.index(one.state) > _IN_ORDER.index(state):
            proposal.update_from_dict(self._standing(one))
            proposal.review_level = self._sitting.review_levels
            found.is_filed_now = one.state is ProposalState.FILED
        self._replace_proposers(found, is_text_new=is_text_new)
        if state is not ProposalState.DISPATCHED:
            self._assign(found)
        return found

    def _replace_proposers(self, found: _Made, *, is_text_new: bool) -> None:
        one, former = found.planned, found.planned.stands.proposers if found.planned.stands else ()
        behind = [row.member for row in former[1:] if row.member_id != one.members[0].id]
        members = one.members if one.row.cosigners else [one.members[0], *behind]
        if is_text_new or [row.member_id for row in former] != [member.id for member in members]:
            found.removed = list(former)
            one.members = members
            self._stand_behind(found, with_version=is_text_new)

    def _standing(self, one: Planned) -> dict[str, Any]:
        """The columns that say where a case stands. Whom it is merged with is joined when every row has its case."""
        row, is_given = one.row, one.state is ProposalState.DISPATCHED
        rejected = one.state is ProposalState.REJECTED
        was = ProposalState.FILED if row.is_filed else ProposalState.REGISTERED
        return {
            "state": one.state,
            "rejection_code": row.ground if rejected else None,
            "forwarding": Forwarding.NONE if rejected else None,
            "reason": row.reason if rejected else "",
            "merged_from_state": was if one.state is ProposalState.MERGED else None,
            "key_leader_id": one.leader_id,
            "dispatched_on": (row.dispatched_on or clock.today()) if is_given else None,
            "updated_at": self._now,
        }

    def _stand_behind(self, found: _Made, *, with_version: bool = True) -> None:
        """The members whom a row names have signed this text on paper."""
        proposal = found.proposal
        found.proposers = [
            Proposer(
                id=new_id(),
                proposal_id=proposal.id,
                member_id=member.id,
                position=position,
                consent=Consent.PAPER,
                consented_sha256=proposal.text_sha256,
                at=self._now,
            )
            for position, member in enumerate(found.planned.members)
        ]
        if with_version:
            names = ("title", "situation", "analysis", "request", "text_sha256")
            texts = {name: getattr(proposal, name) for name in names}
            no, now = proposal.version_no, self._now
            found.versions = [ProposalVersion(id=new_id(), proposal_id=proposal.id, no=no, at=now, **texts)]

    def _assign(self, found: _Made) -> None:
        proposal = found.proposal
        if proposal.dispatched_on is not None:
            found.assignments = [
                assigning.assignment_to(proposal.id, organ_id, role, proposal.dispatched_on)
                for organ_id, role in found.planned.handlers
            ]

    def _imported(self, one: Planned, proposal_id: UUID) -> ImportedRow:
        return ImportedRow(
            id=new_id(),
            proposal_id=proposal_id,
            batch_id=self._batch.id,
            row_no=one.row.row,
            row_sha256=one.row.sha256,
            natural_sha256=one.row.natural_sha256,
        )

    @staticmethod
    def _join(made: Sequence[_Made]) -> None:
        """Cases that are merged name the one with which they are, whether it is there or comes with them."""
        of_rows = {id(one.planned): one.proposal.id for one in made}
        for one in made:
            into = one.planned.into
            if into is not None and one.planned.state is ProposalState.MERGED:
                one.proposal.merged_into_id = of_rows[id(into)] if isinstance(into, Planned) else into.id

    # --- all rows -----------------------------------------------------------------------------------------------------

    async def _insert(self, rows: Sequence[Model]) -> None:
        for some in _in_hundreds(rows, at_once=INSERTED_AT_ONCE):
            await type(some[0]).bulk_create(some)
            self._further(len(some))

    async def _update(self, changed: Sequence[_Made]) -> None:
        """Cases as they stand now, and where they came from; who stood behind a former text makes room for who does now."""
        removed = [row.id for one in changed for row in one.removed]
        for some in _in_hundreds(removed):
            await Proposer.filter(id__in=some).delete()
        known = {row.proposal_id: row for row in await self._known_rows(changed)}
        for some in _in_hundreds(changed):
            await Proposal.bulk_update([one.proposal for one in some], fields=_CHANGING, batch_size=AT_ONCE)
            for one in some:
                row = known[one.proposal.id]
                row.update_from_dict({name: getattr(one.imported, name) for name in _IMPORTED})
                one.imported = row
            await ImportedRow.bulk_update([one.imported for one in some], fields=_IMPORTED, batch_size=AT_ONCE)
            self._further(len(some))

    @staticmethod
    async def _known_rows(changed: Sequence[_Made]) -> list[ImportedRow]:
        found: list[ImportedRow] = []
        for some in _in_hundreds(changed):
            found += await ImportedRow.filter(proposal_id__in=[one.proposal.id for one in some])
        return found

    async def _give(self, work: Work, given: Sequence[_Made], limits: dict[Limit, Allowed]) -> None:
        for some in _in_hundreds(given):
            rows = [row for one in some for row in one.assignments]
            await assigning.give(work, rows, limits)
            self._further(len(rows))

    async def _keep_time(self, work: Work) -> None:
        """What is filed waits to be given out; what has been, or goes with another, waits no more."""
        filed = [one.proposal.id for one in self._new if one.proposal.state == ProposalState.FILED]
        filed += [one.proposal.id for one in self._known if one.is_filed_now]
        await reviewing.await_dispatch(work, self._sitting, filed)
        gone = {ProposalState.DISPATCHED, ProposalState.MERGED}
        await cases.stop_clocks(work, [one.proposal.id for one in self._known if one.proposal.state in gone])
        await indexing.index([one.proposal for one in self._known if one.versions])

    def _further(self, rows: int) -> None:
        self._done += rows
        self._tell(self._done, self._total)

    def _record(self, work: Work, made: Sequence[_Made], changed: Sequence[_Made], members: Sequence[Member]) -> None:
        """One record for each case, so that its history begins with where it came from, and one for the whole."""
        batch = self._batch
        for one in made:
            rows = [one.proposal, one.imported, *one.versions, *one.proposers, *one.assignments]
            work.audit(
                Verb.PROPOSAL_IMPORTED, access.PROPOSAL, one.proposal.id, made=rows, case_no=one.proposal.case_no,
                row=one.imported.row_no, batch=batch.id,
            )  # fmt: skip
        for one in changed:
            work.audit(
                Verb.PROPOSAL_IMPORTED_ANEW, access.PROPOSAL, one.proposal.id, rows=[one.proposal, one.imported],
                made=[*one.versions, *one.proposers, *one.assignments], removed=one.removed, row=one.imported.row_no,
                batch=batch.id, columns=[change.column for change in one.planned.changes],
            )  # fmt: skip
        work.audit(
            Verb.IMPORT_DONE, access.SITTING, self._sitting.id, made=[batch, *members], file_sha256=batch.file_sha256,
            difference=batch.digest, added=batch.added, changed=batch.changed, members=len(members),
        )  # fmt: skip
        work.push(f"organ:{self._sitting.secretariat_id}", "proposals.imported", {"sitting": str(self._sitting.id)})


# A row leads its case on and never back: a text that is changed stays filed, whoever says nothing of that.
_IN_ORDER = (*matching.IN_ORDER, ProposalState.DISPATCHED, ProposalState.MERGED, ProposalState.REJECTED)
_CHANGING = (
    "form", "occasion", "state", "title", "category", "subcategory", "situation", "analysis", "request", "text_sha256",
    "version_no", "row_version", "is_public", "submitted_on", "review_level", "rejection_code", "forwarding", "reason",
    "merged_into_id", "merged_from_state", "key_leader_id", "dispatched_on", "updated_at",
)  # fmt: skip
_IMPORTED = ("batch_id", "row_no", "row_sha256", "natural_sha256")


def _elements(one: Planned) -> dict[str, Any]:
    """What a row says of its case whatever has become of it."""
    row = one.row
    names = ("form", "occasion", "title", "category", "subcategory", "situation", "analysis", "request", "submitted_on")
    return {name: getattr(row, name) for name in names}


def _text_digest(proposal: Proposal) -> str:
    return rules.text_digest(proposal.title, proposal.situation, proposal.analysis, proposal.request)


T = TypeVar("T")


def _in_hundreds(rows: Sequence[T], at_once: int = AT_ONCE) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), at_once):
        yield rows[start : start + at_once]


# --- what sheets call organs ------------------------------------------------------------------------------------------


async def aliases() -> list[UnitAlias]:
    """What sheets call organs, in the order of the names."""
    return await UnitAlias.all().order_by("name")


async def batches(sitting_id: UUID) -> list[ImportBatch]:
    """What was brought in for a sitting, the newest first."""
    await access.sitting(sitting_id)
    return await ImportBatch.filter(sitting_id=sitting_id).order_by("-id")


async def set_aliases(actor: Actor, sitting_id: UUID, wanted: Collection[tuple[str, UUID | None]]) -> None:
    """Decide which organs some names mean, or that they mean none, from now on in every sheet. What was brought in stays.
    Raises NotFound, Denied, Invalid."""
    check_importer(actor, await access.sitting(sitting_id))
    named = {sheet.compact(name): organ_id for name, organ_id in wanted}
    organs = {row.id: row for row in await identity.every_organ()}
    own = {sheet.compact(name) for row in organs.values() for name in (row.full_name, row.short_name)}
    meant = {name: organ_id for name, organ_id in named.items() if organ_id is not None}
    for name, organ_id in meant.items():
        if name in own or not name:
            raise Invalid(ALIAS_IS_NAME, name=name)
        if organ_id not in organs or organs[organ_id].retired_at is not None:
            raise Invalid(rules.RETIRED_ORGAN, name=name)
    async with unit_of_work(actor) as work:
        await alone(Lock.PROPOSAL_IMPORT)
        known = {row.name: row for row in await UnitAlias.filter(name__in=list(named))}
        decided = {"entered_by_id": actor.official_id, "at": work.now}
        fresh = [UnitAlias(id=new_id(), name=n, organ_id=o, **decided) for n, o in meant.items() if n not in known]
        await UnitAlias.bulk_create(fresh)
        changed = [row.update_from_dict({"organ_id": meant[n], **decided}) for n, row in known.items() if n in meant]
        for row in changed:
            await row.save(update_fields=["organ_id", "entered_by_id", "at"])
        gone = [row for name, row in known.items() if name not in meant]
        await UnitAlias.filter(id__in=[row.id for row in gone]).delete()
        told = [[name, organ_id] for name, organ_id in named.items()]
        work.audit(
            Verb.UNIT_ALIASES_SET, access.SITTING, sitting_id, rows=changed, made=fresh, removed=gone, aliases=told
        )
