"""Routes as trees of blocks, walked without any state machine of their own.

The only state is the set of steps that are done in this pass. Which steps are open follows from it: in a sequence
those of the first child that is not through, in a parallel block those of every child, in a choice those of the branch
that the facts select. So a route cannot deadlock, and going back means only: some steps are not done any more.

Returning from one step to an earlier one looks at the smallest block that holds both. Inside it, what comes at or after
the target is undone (`REPLAY`), or just the target is (`DIRECT`: when it is through again, the returner is next).
Outside it nothing changes, so branches that have nothing to do with it stay alive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from oa_server.core.actor import Role


class HowMany(StrEnum):
    """How many of a step's people must act."""

    ANY = "any"
    ALL = "all"


class Resume(StrEnum):
    """How a returned route goes on."""

    REPLAY = "replay"
    DIRECT = "direct"


# A task keeps both in columns of this width.
ShortText = Annotated[str, Meta(min_length=1, max_length=64)]


class Who(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who acts: the official that the facts name, or all with a role in the organ, or in the unit the facts name."""

    fact: str = ""
    role: str = ""
    unit_fact: str = ""


class Step(msgspec.Struct, frozen=True, tag="step", forbid_unknown_fields=True):
    """One thing to be done. `code` is unique in its template; `hours` is its time limit in office hours, 0 for none."""

    code: ShortText
    title: ShortText
    who: Who
    how_many: HowMany = HowMany.ANY
    hours: Annotated[int, Meta(ge=0)] = 0


class Sequence(msgspec.Struct, frozen=True, tag="sequence", forbid_unknown_fields=True):
    """One after another."""

    blocks: tuple[Block, ...]


class Parallel(msgspec.Struct, frozen=True, tag="parallel", forbid_unknown_fields=True):
    """All at the same time; through when all are."""

    blocks: tuple[Block, ...]


class Choice(msgspec.Struct, frozen=True, tag="choice", forbid_unknown_fields=True):
    """The branch named by `facts[fact]`, else the one named `otherwise`."""

    fact: str
    branches: dict[str, Block]
    otherwise: str


Block = Step | Sequence | Parallel | Choice
Done = frozenset[str]
Facts = Mapping[str, Any]


class BadTemplate(ValueError):
    """A template that cannot be walked; the message says where."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an operation did: the steps now done, those that opened, and those that were closed unfinished."""

    done: Done
    opened: tuple[Step, ...]
    closed: tuple[Step, ...]
    finished: bool


def read_template(data: Any) -> Block:
    """A template from JSON values. Raises BadTemplate."""
    try:
        block: Block = msgspec.convert(data, Block)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadTemplate(str(error)) from error
    check_template(block)
    return block


def check_template(block: Block) -> None:
    """Refuse repeated codes, empty blocks, and choices without their default. Raises BadTemplate."""
    codes = [step.code for step in steps_of(block)]
    if len(codes) != len(set(codes)):
        raise BadTemplate("two steps have the same code")
    for inner in _blocks_of(block):
        if isinstance(inner, Choice) and inner.otherwise not in inner.branches:
            raise BadTemplate(f"the choice over {inner.fact} has no branch {inner.otherwise}")
        if not isinstance(inner, Step) and not _children(inner):
            raise BadTemplate("a block holds nothing")
        if isinstance(inner, Step):
            _check_who(inner)


def _check_who(step: Step) -> None:
    if not (step.who.fact or step.who.role):
        raise BadTemplate(f"the step {step.code} has nobody to do it")
    if step.who.role and step.who.role not in set(Role):
        raise BadTemplate(f"the step {step.code} asks for the role {step.who.role}, which there is not")


def steps_of(block: Block) -> Iterator[Step]:
    """All steps of a block in reading order."""
    for inner in _blocks_of(block):
        if isinstance(inner, Step):
            yield inner


def step_of(block: Block, code: str) -> Step:
    """The step of this code, which the template has."""
    return next(step for step in steps_of(block) if step.code == code)


def _blocks_of(block: Block) -> Iterator[Block]:
    yield block
    for child in _children(block):
        yield from _blocks_of(child)


def _children(block: Block) -> tuple[Block, ...]:
    match block:
        case Step():
            return ()
        case Choice():
            return tuple(block.branches.values())
        case _:
            return block.blocks


def open_steps(block: Block, done: Done, facts: Facts) -> tuple[Step, ...]:
    """The steps that are open when `done` are done; none when the block is through."""
    match block:
        case Step():
            return () if block.code in done else (block,)
        case Sequence():
            return next((found for child in block.blocks if (found := open_steps(child, done, facts))), ())
        case Parallel():
            return tuple(step for child in block.blocks for step in open_steps(child, done, facts))
        case Choice():
            chosen = str(facts.get(block.fact, ""))
            return open_steps(block.branches.get(chosen, block.branches[block.otherwise]), done, facts)


def start(block: Block, facts: Facts) -> Change:
    """Open a route."""
    opened = open_steps(block, frozenset(), facts)
    return Change(frozenset(), opened, (), not opened)


def complete(block: Block, done: Done, code: str, facts: Facts, *, before: Facts | None = None) -> Change:
    """One open step is through. `before` are the facts that held until now, where the act brought new ones: these may
    turn a choice that is already open, so that its steps close and others open. Raises LookupError when it is not open.
    """
    was = open_steps(block, done, facts if before is None else before)
    if code not in {step.code for step in was}:
        raise LookupError(code)
    after = done | {code}
    now = open_steps(block, after, facts)
    opened = tuple(step for step in now if step not in was)
    closed = tuple(step for step in was if step not in now and step.code != code)
    return Change(after, opened, closed, not now)


def return_to(
    block: Block, done: Done, source: str, target: str, facts: Facts, resume: Resume = Resume.REPLAY
) -> Change:
    """Go back from the open step `source` to the earlier step `target`, which opens anew.

    Raises LookupError when `source` is not open, or `target` was never done in this pass or no longer lies on the way
    (another branch was chosen since, or a step before it is open again).
    """
    was = open_steps(block, done, facts)
    if source not in {step.code for step in was} or target not in done:
        raise LookupError(f"{source} to {target}")
    smallest = _smallest(block, {source, target})
    after = done - ({target} if resume is Resume.DIRECT else _from(smallest, target))
    now = open_steps(block, after, facts)
    if target not in {step.code for step in now}:
        raise LookupError(f"{source} to {target}")
    # What is open inside the block begins anew, even where a parallel sibling of the target would have stayed open.
    inside = {step.code for step in steps_of(smallest)}
    opened = tuple(step for step in now if step not in was or step.code in inside)
    closed = tuple(step for step in was if step not in now or step.code in inside)
    return Change(after, opened, closed, finished=False)


def _smallest(block: Block, codes: set[str]) -> Block:
    """The smallest block that holds all these steps."""
    for child in _children(block):
        if codes <= {step.code for step in steps_of(child)}:
            return _smallest(child, codes)
    return block


def _from(block: Block, target: str) -> Done:
    """The steps of a block at or after `target`; branches parallel to the one that holds it begin anew as a whole."""
    if isinstance(block, Step):
        return frozenset({block.code})
    undone: set[str] = set()
    reached = not isinstance(block, Sequence)
    for child in _children(block):
        codes = {step.code for step in steps_of(child)}
        if target in codes:
            undone |= _from(child, target)
            reached = True
        elif reached:
            undone |= codes
    return frozenset(undone)
