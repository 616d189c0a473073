"""What the deputies of the sample city put forward, as it stands in suggestions.toml, and the steps that each has gone through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from oa_server.proposals.states import AssignmentRole, Occasion, ReplyPublicity

# How many days after it was handed in, given out or answered the next step was taken.
_REGISTERED, _REVIEWED, _DECIDED = 1, 3, 5
_SENT_BACK, _ANSWERED_BACK, _ACCEPTED, _OPINED = 2, 3, 4, 5
_CHECKED = 1


class Step(NamedTuple):
    """What was done with a suggestion, and how many days before the city is built; `round_no` of the reply that it is about."""

    days_ago: int
    name: str
    round_no: int = 1


class Deputy(Struct, forbid_unknown_fields=True):
    """A deputy; who has an account takes their name from it."""

    code: str
    delegation: str
    employer: str
    duty: str
    name: str = ""
    account: bool = False


class Round(Struct, forbid_unknown_fields=True):
    """When a case was handled again."""

    spoken: int
    answered: int
    judged: int


class Suggestion(Struct, forbid_unknown_fields=True):
    """One suggestion: what it says, who stands behind it, and what has become of it. All days are days ago."""

    key: str
    title: str
    category: str
    members: list[str]
    entered: int
    situation: str
    analysis: str
    request: str
    occasion: Occasion = Occasion.SESSION
    until: str = ""
    reason: str = ""
    ground: tuple[str, str] | None = None
    merged: str = ""
    given: int | None = None
    to: dict[str, AssignmentRole] = {}
    waiting: list[str] = []
    heard: list[str] = []
    returned: tuple[str, str, str] | None = None
    is_undecided: bool = False
    refused: tuple[str, str, str, str] | None = None
    is_key: bool = False
    suspended: str = ""
    extension: tuple[str, int] | None = None
    spoken: int | None = None
    points: list[list[str | int]] = []
    answered: int | None = None
    publicity: ReplyPublicity = ReplyPublicity.FULL
    is_checking: bool = False
    sent_back: str = ""
    judged: int | None = None
    said: dict[str, tuple[str, str]] = {}
    again: Round | None = None

    @property
    def answering(self) -> str:
        """The organ that answers it."""
        roles = (AssignmentRole.LEAD, AssignmentRole.SEPARATE)
        return next(organ for organ, role in self.to.items() if role in roles)

    def steps(self) -> list[Step]:
        """Everything that was done, in its order."""
        taken: list[Step] = []
        for step in self._way():
            taken.append(step)
            if step.name == self.until:
                break
        return taken

    def _way(self) -> Iterator[Step]:
        entered = self.entered
        yield Step(entered, "draft")
        if len(self.members) > 1:
            yield from (Step(entered, "invite"), Step(entered, "consent"))
        yield from (
            Step(entered, "submit"),
            Step(entered - _REGISTERED, "register"),
            Step(entered - _REVIEWED, "review"),
        )
        if self.until in {"return", "reject"}:
            yield Step(entered - _DECIDED, self.until)
        yield Step(entered - _DECIDED, "merge" if self.merged else "file")
        if self.given is not None:
            yield from self._handling(self.given)

    def _handling(self, given: int) -> Iterator[Step]:
        yield Step(given, "dispatch")
        if self.returned or self.refused:
            yield Step(given - _SENT_BACK, "send_back")
        if self.refused or (self.returned and not self.is_undecided):
            yield Step(given - _ANSWERED_BACK, "refuse_return" if self.refused else "reassign")
        yield Step(given - _ACCEPTED, "accept")
        yield from (Step(given - _OPINED, name) for name in ("mark_key", "suspend", "extend", "opine"))
        if self.spoken is not None:
            yield Step(self.spoken, "speak")
        if self.answered is not None:
            yield from self._answering(self.answered)
        if self.judged is not None:
            yield Step(self.judged, "judge")
        if self.again is not None:
            yield Step(self.again.spoken, "speak", 2)
            yield from self._answering(self.again.answered, 2)
            yield Step(self.again.judged, "judge", 2)

    def _answering(self, answered: int, round_no: int = 1) -> Iterator[Step]:
        yield Step(answered, "answer", round_no)
        if not self.is_checking:
            yield Step(answered - _CHECKED, "check", round_no)


class Suggestions(Struct, forbid_unknown_fields=True):
    """The deputies and what they put forward."""

    member: list[Deputy]
    case: list[Suggestion]


def suggestions() -> Suggestions:
    """All of them."""
    text = Path(__file__).with_name("suggestions.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=Suggestions)
