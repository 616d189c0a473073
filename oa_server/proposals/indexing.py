"""Keeping the index of what proposals say, and asking it which are alike. The words themselves are not in it, only their numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.identity import access as identity
from oa_server.proposals import access, likeness
from oa_server.proposals.likeness import Text, Touched
from oa_server.proposals.models import Proposal, ProposalTerm
from oa_server.proposals.states import AssignmentRole, AssignmentState
from oa_server.storage.sealing import number_of

CANDIDATES, SHOWN = 40, 8
REMITS_SHOWN, BY_REMIT = 2, 3  # of each organ, and organs that nothing else speaks for
LEAST = 0.08  # below this two texts have no more in common than any two
LEAST_TO_SUGGEST = 0.15  # below this an organ's former case says little of whose business a new one is
TELLING = 12  # of its words, by which a text is looked for
COMMON_SHARE = 0.05  # a word that so many of all proposals have tells none from another
AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Alike:
    """A proposal that is like another: how much, the phrases that both have, and whether who asks may open it."""

    proposal: Proposal
    score: float
    shared: list[str]
    leads: tuple[UUID, ...]
    may_open: bool


@dataclass(frozen=True, slots=True)
class Suggested:
    """An organ that led what is alike, or answers for what the text is about: its share of the likeness, the cases that it
    led, and its remits."""

    organ_id: UUID
    share: float
    led: list[Proposal]
    remits: list[Touched]


def text_of(row: Proposal) -> Text:
    """A proposal's text as it is compared."""
    return Text(row.title, f"{row.situation}\n{row.analysis}\n{row.request}")


async def index(rows: Collection[Proposal]) -> None:
    """Have these proposals found by what they say now, inside the unit of work that is open."""
    await ProposalTerm.filter(proposal_id__in=[row.id for row in rows]).delete()
    await ProposalTerm.bulk_create(entries(rows), batch_size=AT_ONCE)


def entries(rows: Iterable[Proposal]) -> list[ProposalTerm]:
    """What the index holds of these proposals, not stored yet."""
    return [
        ProposalTerm(term=number_of(word), proposal_id=row.id) for row in rows for word in likeness.terms(text_of(row))
    ]


async def alike(actor: Actor, text: Text, *, besides: UUID | None = None) -> list[Alike]:
    """Proposals of this and earlier sittings that are like a text, the most alike first."""
    numbers = {number_of(word): word for word in likeness.terms(text)}
    counts = await access.known_terms(numbers)
    total = await Proposal.all().count()
    rarity = likeness.rarities({numbers[number]: count for number, count in counts.items()}, total)
    weighed = likeness.weights(text)
    telling = {
        number: weighed[numbers[number]] * rarity[numbers[number]] ** 2
        for number, count in counts.items()
        if count <= max(AT_ONCE, COMMON_SHARE * total)
    }
    most = sorted(telling, key=lambda number: -telling[number])[:TELLING]
    candidates = await access.sharing({number: telling[number] for number in most}, CANDIDATES)
    rows = await access.shown_alike(actor, [one for one in candidates if one != besides])
    scored = [(likeness.likeness(weighed, likeness.weights(text_of(row)), rarity), row, may) for row, may in rows]
    most_alike = sorted((one for one in scored if one[0] >= LEAST), key=lambda one: -one[0])[:SHOWN]
    leads = await _leads([row.id for _score, row, _may in most_alike])
    return [
        Alike(row, score, _shared(text, text_of(row)), tuple(leads.get(row.id, ())), may_open)
        for score, row, may_open in most_alike
    ]


def _shared(one: Text, other: Text) -> list[str]:
    return likeness.shared(f"{one.title}\n{one.body}", f"{other.title}\n{other.body}")


async def _leads(proposal_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """The organs that lead, or answer separately, each of these cases now."""
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for one in await access.assignments_of(proposal_ids):
        if AssignmentRole(one.role).answers and one.state != AssignmentState.SUPERSEDED:
            found[one.proposal_id].append(one.organ_id)
    return found


async def suggested(text: Text, found: Collection[Alike]) -> list[Suggested]:
    """Which organs led what is alike, with their share of the likeness, then which answer for what the text is about: a hint, and
    a person decides. Organs that are there no more are none that it could be given to."""
    led: dict[UUID, list[Alike]] = defaultdict(list)
    for one in found:
        for organ_id in one.leads if one.score >= LEAST_TO_SUGGEST else ():
            led[organ_id].append(one)
    standing = await identity.organs_in_use(led)
    scores = {organ_id: sum(one.score for one in led[organ_id]) for organ_id in led if organ_id in standing}
    whole = sum(scores.values())
    remits = await _remits(text)
    ranked = sorted(scores, key=lambda organ_id: -scores[organ_id])
    ranked += [organ_id for organ_id in remits if organ_id not in scores][:BY_REMIT]
    return [
        Suggested(
            key, scores[key] / whole if key in scores else 0, [one.proposal for one in led[key]],
            remits.get(key, [])[:REMITS_SHOWN],
        )
        for key in ranked
    ]  # fmt: skip


async def _remits(text: Text) -> dict[UUID, list[Touched]]:
    """What the text is about of what each organ answers for, the organ that it is nearest to first."""
    answering: dict[str, list[UUID]] = defaultdict(list)
    for organ_id, remit in await identity.remits_in_use():
        answering[remit].append(organ_id)
    found: dict[UUID, list[Touched]] = defaultdict(list)
    for one in likeness.touched(text, answering):
        for organ_id in answering[one.remit]:
            found[organ_id].append(one)
    return found
