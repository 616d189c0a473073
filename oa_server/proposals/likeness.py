"""Which proposals are alike: the words that tell a text from others, and what two texts share. Pure, and offline.

What an organ answers for is a short phrase, which is compared with a text in the same way.

Chinese is written without spaces, so a text is taken by its pairs of characters. Those of its title count most, and those that
every proposal has do not count. What two texts share is told in their own words, so that a person can judge.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

TERMS = 24  # that stand for a text in the index
TITLE_WEIGHT = 6
PHRASE_LEAST, PHRASES_MOST = 4, 5
REMIT_PHRASE_LEAST = 2  # as long as a word: a phrase of two words has no longer one to share
# Of a whole city: where few organs have theirs entered, a word that two of them have is no common one.
REMITS_USUAL = 250
REMIT_LEAST = 0.3  # below this a text only has a common word of what an organ answers for

_RUN = re.compile("[一-鿿]{2,}|[A-Za-z0-9]{2,}")
# What stands in the texts of all: the forms of the genre, and the words of every office.
_COMMON = re.compile(
    "关于|建议|提案|议案|加强|进一步|推进|促进|完善|提升|提高|加快|工作|问题|情况|存在|目前|近年来|我市|全市|城市|市民|群众"
    "|有关|相关|部门|单位|政府|管理|建设|发展|措施|机制|制度|落实|实施|开展|做好|加大|力度|明确|责任|一是|二是|三是|以及|等"
    "|的|了|和|与|对|在|是|不|为|有|及|或|并|将|从|由|以|把|被|其|该|各|上|下|中|内|外|大|小|多|个|年|月|日"
)


@dataclass(frozen=True, slots=True)
class Text:
    """A proposal's text as it is compared."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Touched:
    """What an organ answers for, and a text is about: how much, and the phrases that both have."""

    remit: str
    score: float
    shared: list[str]


def pairs(text: str) -> Counter[str]:
    """The pairs of characters of a text that tell something, and how often each stands there."""
    found: Counter[str] = Counter()
    for run in _RUN.findall(text):
        for part in _COMMON.sub(" ", run).split():
            found.update(part[at : at + 2] for at in range(len(part) - 1))
    return found


def weights(text: Text) -> dict[str, float]:
    """What each pair weighs in a text: those of the title much, those of the body the less the more often they come."""
    found = {pair: 1 + math.log(count) for pair, count in pairs(text.body).items()}
    for pair in pairs(text.title):
        found[pair] = found.get(pair, 0) + TITLE_WEIGHT
    return found


def terms(text: Text) -> list[str]:
    """The pairs that stand for a text in the index, the weightiest first."""
    weighed = weights(text)
    return sorted(weighed, key=lambda pair: (-weighed[pair], pair))[:TERMS]


def likeness(one: Mapping[str, float], other: Mapping[str, float], rarity: Mapping[str, float]) -> float:
    """How alike two texts are, from 0 to 1: the cosine of their weights, rare pairs counting more."""
    dot = sum(weight * other[pair] * rarity.get(pair, 1) ** 2 for pair, weight in one.items() if pair in other)
    return dot / (_length(one, rarity) * _length(other, rarity) or 1)


def _length(weighed: Mapping[str, float], rarity: Mapping[str, float]) -> float:
    return math.sqrt(sum((weight * rarity.get(pair, 1)) ** 2 for pair, weight in weighed.items()))


def shared(one: str, other: str, least: int = PHRASE_LEAST) -> list[str]:
    """The longest phrases that stand in both texts, the longest first: why they are alike."""
    windows = {other[at : at + least] for at in range(len(other) - least + 1)}
    found = {phrase for run in _RUN.findall(one) for phrase in _phrases(run, other, windows, least) if pairs(phrase)}
    return _without_parts(sorted(found, key=lambda phrase: (-len(phrase), phrase)))[:PHRASES_MOST]


def _phrases(run: str, other: str, windows: Collection[str], least: int) -> Iterator[str]:
    """The stretches of a run of characters that stand in the other text as a whole; `windows` are its beginnings."""
    at = 0
    while at <= len(run) - least:
        end = at + least
        if run[at:end] not in windows:
            at += 1
            continue
        while end < len(run) and run[at : end + 1] in other:
            end += 1
        yield run[at:end]
        at = end


def _without_parts(phrases: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for phrase in phrases:
        if not any(phrase in longer for longer in kept):
            kept.append(phrase)
    return kept


def rarities(known: Mapping[str, int], total: int) -> dict[str, float]:
    """How rare each pair is among `total` texts, as the logarithm of how few have it."""
    return {pair: math.log((total + 1) / (count + 1)) + 0.1 for pair, count in known.items()}


def touched(text: Text, remits: Collection[str]) -> list[Touched]:
    """Those of the remits that a text is about, the nearest first. A word that many of them have tells little."""
    weighed = weights(text)
    told = {remit: pairs(remit) for remit in remits}
    counts = Counter(pair for found in told.values() for pair in found)
    rarity = rarities(counts, max(len(told), REMITS_USUAL))
    near = {
        remit: likeness(found, weighed, rarity) for remit, found in told.items() if not weighed.keys().isdisjoint(found)
    }
    whole = f"{text.title}\n{text.body}"
    ranked = sorted((remit for remit in near if near[remit] >= REMIT_LEAST), key=lambda remit: -near[remit])
    return [Touched(remit, near[remit], shared(remit, whole, REMIT_PHRASE_LEAST)) for remit in ranked]
