"""Routes are walked: forward, back, and back again, without ever losing their way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oa_server.core.actor import Role
from oa_server.core.errors import all_reasons
from oa_server.workflow import rules
from oa_server.workflow.engine import (
    BadTemplate,
    Block,
    Change,
    Choice,
    HowMany,
    Parallel,
    Resume,
    Sequence,
    Step,
    Who,
    complete,
    open_steps,
    read_template,
    return_to,
    start,
    steps_of,
)

ANYBODY = {"role": "clerk"}


def step(code: str, **more: Any) -> dict[str, Any]:
    return {"type": "step", "code": code, "title": code, "who": ANYBODY, **more}


def sequence(*blocks: Any) -> dict[str, Any]:
    return {"type": "sequence", "blocks": [step(b) if isinstance(b, str) else b for b in blocks]}


def parallel(*blocks: Any) -> dict[str, Any]:
    return {**sequence(*blocks), "type": "parallel"}


def choice(fact: str, otherwise: str, **branches: Any) -> dict[str, Any]:
    named = {name: step(b) if isinstance(b, str) else b for name, b in branches.items()}
    return {"type": "choice", "fact": fact, "branches": named, "otherwise": otherwise}


def codes(steps: tuple[Step, ...]) -> list[str]:
    return [each.code for each in steps]


# 会签: two branches of two steps each between drafting and signing.
COUNTERSIGNED = read_template(sequence("draft", parallel(sequence("a1", "a2"), sequence("b1", "b2")), "sign"))


# --- templates --------------------------------------------------------------------------------------------------------


def test_template_round_trip() -> None:
    """A template survives being written as JSON values and read again."""
    tree = sequence("draft", choice("kind", "short", short="b", long=parallel("c", step("d", how_many="all", hours=8))))
    block = read_template(tree)
    assert read_template(msgspec.to_builtins(block)) == block
    assert [(s.code, s.how_many, s.hours) for s in steps_of(block)] == [
        ("draft", HowMany.ANY, 0),
        ("b", HowMany.ANY, 0),
        ("c", HowMany.ANY, 0),
        ("d", HowMany.ALL, 8),
    ]


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (sequence("a", parallel("b", "a")), "two steps have the same code"),
        (sequence(), "a block holds nothing"),
        (sequence("a", parallel()), "a block holds nothing"),
        (choice("kind", "long", short="a"), "the choice over kind has no branch long"),
        ({**step("a"), "who": {}}, "the step a has nobody to do it"),
        ({**step("a"), "who": {"unit_fact": "unit"}}, "the step a has nobody to do it"),
        ({**step("a"), "who": {"role": "king"}}, "the step a asks for the role king, which there is not"),
        ({"type": "loop", "blocks": []}, "Invalid value 'loop'"),
        (step("a", colour="red"), "unknown field `colour`"),
        (step("a", hours=-1), "`int` >= 0"),
        (step(""), "length >= 1"),
        (step("a" * 65), "length <= 64"),
        ({"type": "step", "code": "a"}, "missing required field `title`"),
        ("draft", "Expected `object`, got `str`"),
    ],
)
def test_bad_template(tree: Any, words: str) -> None:
    """A template that could not be walked is refused in words that say where."""
    with pytest.raises(BadTemplate, match=words):
        read_template(tree)


def test_bottomless_template() -> None:
    """A template nested beyond measure is refused like any other bad one."""
    tree = step("a")
    for _ in range(100_000):
        tree = {"type": "sequence", "blocks": [tree]}
    try:
        with pytest.raises(BadTemplate):
            read_template(tree)
    finally:
        while "blocks" in tree:  # taken apart by hand: the interpreter would recurse to free it
            tree = tree["blocks"].pop()


@pytest.mark.parametrize("tree", [rules.OUTGOING, rules.INCOMING], ids=["outgoing", "incoming"])
def test_shipped_templates(tree: dict[str, Any]) -> None:
    """The routes every installation starts with can be walked from end to end in reading order."""
    block = read_template(tree)
    change, walked = start(block, {}), []
    while not change.finished:
        (only,) = change.opened
        assert only.who.fact or only.who.role in set(Role)
        walked.append(only.code)
        change = complete(block, change.done, only.code, {})
    assert walked == [each["code"] for each in tree["blocks"]]


def test_refusals_have_both_languages() -> None:
    """Every refusal of this domain has its Chinese and its English sentence."""
    ours = [reason for code, reason in all_reasons().items() if code.startswith("workflow.")]
    assert {rules.NOT_OPEN, rules.NOBODY, rules.BAD_TEMPLATE} <= set(ours)
    assert all(reason.title("zh") and reason.title("en").endswith(".") for reason in ours)


# --- forward ----------------------------------------------------------------------------------------------------------


def test_sequence_opens_one_after_another() -> None:
    """The next step of a sequence opens when the one before is through."""
    block = read_template(sequence("a", "b"))
    first = start(block, {})
    assert (codes(first.opened), first.finished) == (["a"], False)
    second = complete(block, first.done, "a", {})
    assert (codes(second.opened), codes(second.closed), second.finished) == (["b"], [], False)
    assert complete(block, second.done, "b", {}) == Change(frozenset({"a", "b"}), (), (), finished=True)


def test_parallel_waits_for_all() -> None:
    """What follows a parallel block opens when its last branch is through."""
    block = read_template(sequence(parallel("a", "b"), "c"))
    first = start(block, {})
    assert codes(first.opened) == ["a", "b"]
    second = complete(block, first.done, "b", {})
    assert codes(second.opened) == []
    assert codes(complete(block, second.done, "a", {}).opened) == ["c"]


@pytest.mark.parametrize(("facts", "opened"), [({"kind": "long"}, "b"), ({"kind": "odd"}, "a"), ({}, "a")])
def test_choice_follows_the_facts(facts: dict[str, str], opened: str) -> None:
    """A choice takes the branch the facts name, and its default when they name none it has."""
    block = read_template(choice("kind", "short", short="a", long="b"))
    assert codes(start(block, facts).opened) == [opened]


@pytest.mark.norm("A-2.3.1–2.3.4")
def test_only_open_steps_complete() -> None:
    """A step that is not open, because it is not its turn or is already done, cannot be completed."""
    block = read_template(sequence("a", "b"))
    for done, code in ((frozenset[str](), "b"), (frozenset({"a"}), "a"), (frozenset[str](), "no such step")):
        with pytest.raises(LookupError):
            complete(block, done, code, {})


def test_new_facts_turn_an_open_choice() -> None:
    """When an act turns a choice that is already open, the abandoned branch closes and the chosen one opens."""
    block = read_template(parallel("a", choice("kind", "short", short="b", long="c")))
    assert codes(start(block, {}).opened) == ["a", "b"]
    change = complete(block, frozenset(), "a", {"kind": "long"}, before={})
    assert (codes(change.opened), codes(change.closed), change.finished) == (["c"], ["b"], False)


def test_step_open_under_the_old_facts_completes() -> None:
    """A step that is open can be completed even by the act whose facts choose another branch."""
    block = read_template(choice("kind", "short", short="b", long="c"))
    change = complete(block, frozenset(), "b", {"kind": "long"}, before={})
    assert (codes(change.opened), codes(change.closed)) == (["c"], [])


# --- back -------------------------------------------------------------------------------------------------------------

THREE = read_template(sequence("a", "b", "c", "d"))


def test_replay_runs_everything_anew() -> None:
    """After a return with replay every step from the target on is done once more."""
    change = return_to(THREE, frozenset("abc"), "d", "b", {})
    assert (codes(change.opened), codes(change.closed), change.done) == (["b"], ["d"], frozenset("a"))
    assert codes(complete(THREE, change.done, "b", {}).opened) == ["c"]


def test_direct_resumes_at_the_returner() -> None:
    """After a direct return the target's work goes straight back to whoever returned it."""
    change = return_to(THREE, frozenset("abc"), "d", "b", {}, Resume.DIRECT)
    assert (codes(change.opened), codes(change.closed), change.done) == (["b"], ["d"], frozenset("ac"))
    assert codes(complete(THREE, change.done, "b", {}).opened) == ["d"]


def test_direct_return_from_a_direct_return() -> None:
    """Direct returns nest: the work climbs back the way it came."""
    first = return_to(THREE, frozenset("abc"), "d", "c", {}, Resume.DIRECT)
    second = return_to(THREE, first.done, "c", "a", {}, Resume.DIRECT)
    assert codes(second.opened) == ["a"]
    third = complete(THREE, second.done, "a", {})
    assert codes(third.opened) == ["c"]
    assert codes(complete(THREE, third.done, "c", {}).opened) == ["d"]


def test_return_inside_a_branch_leaves_the_others() -> None:
    """A return inside one branch of a parallel block touches nothing of the other branches."""
    change = return_to(COUNTERSIGNED, frozenset({"draft", "a1", "b1"}), "a2", "a1", {})
    assert (codes(change.opened), codes(change.closed)) == (["a1"], ["a2"])
    assert codes(open_steps(COUNTERSIGNED, change.done, {})) == ["a1", "b2"]


def test_return_out_of_a_branch_closes_all_of_them() -> None:
    """A return from a branch to before the parallel block closes what is open in every branch of it."""
    change = return_to(COUNTERSIGNED, frozenset({"draft", "a1"}), "a2", "draft", {})
    assert (codes(change.opened), codes(change.closed)) == (["draft"], ["a2", "b1"])
    assert change.done == frozenset()


def test_direct_return_out_of_a_branch_keeps_what_the_others_did() -> None:
    """After a direct return out of a branch the parallel block goes on where all its branches were."""
    change = return_to(COUNTERSIGNED, frozenset({"draft", "a1", "b1"}), "a2", "draft", {}, Resume.DIRECT)
    assert (codes(change.opened), codes(change.closed)) == (["draft"], ["a2", "b2"])
    assert codes(complete(COUNTERSIGNED, change.done, "draft", {}).opened) == ["a2", "b2"]


@pytest.mark.parametrize(("target", "opened", "kept"), [("a2", ["a2", "b1"], "a1"), ("b2", ["a1", "b2"], "b1")])
def test_return_into_a_branch_opens_the_target_itself(target: str, opened: list[str], kept: str) -> None:
    """A return into a finished parallel block opens the target, not the first step of its branch, and the rest anew."""
    done = frozenset({"draft", "a1", "a2", "b1", "b2"})
    change = return_to(COUNTERSIGNED, done, "sign", target, {})
    assert (codes(change.opened), change.done) == (opened, frozenset({"draft", kept}))


def test_direct_return_into_a_branch_asks_one_person() -> None:
    """A direct return into a finished parallel block opens the one step that is asked for, and nothing beside it."""
    done = frozenset({"draft", "a1", "a2", "b1", "b2"})
    change = return_to(COUNTERSIGNED, done, "sign", "a1", {}, Resume.DIRECT)
    assert codes(change.opened) == ["a1"]
    assert codes(complete(COUNTERSIGNED, change.done, "a1", {}).opened) == ["sign"]


def test_return_across_branches() -> None:
    """A return from one branch into another begins the returner's own anew, and the target's from the target on."""
    change = return_to(COUNTERSIGNED, frozenset({"draft", "a1", "b1"}), "b2", "a1", {})
    assert (codes(change.opened), codes(change.closed)) == (["a1", "b1"], ["a2", "b2"])


def test_return_into_a_choice_opens_the_target_itself() -> None:
    """A return into a branch of a choice opens the target, not the first step of the branch."""
    block = read_template(sequence("a", choice("kind", "long", long=sequence("b", "c"), short="d"), "e"))
    change = return_to(block, frozenset("abc"), "e", "c", {})
    assert (codes(change.opened), change.done) == (["c"], frozenset("ab"))


@pytest.mark.parametrize("resume", Resume)
def test_no_return_to_a_branch_not_taken(resume: Resume) -> None:
    """A step of a branch that is no longer chosen is no place to return to."""
    block = read_template(sequence(choice("kind", "short", short="b", long="c"), "d"))
    with pytest.raises(LookupError):
        return_to(block, frozenset("bc"), "d", "b", {"kind": "long"}, resume)


@pytest.mark.parametrize(
    ("done", "source", "target"),
    [("ab", "c", "d"), ("ab", "c", "c"), ("ab", "b", "a"), ("ab", "d", "a"), ("bc", "a", "b"), ("ab", "c", "x")],
    ids=["forward", "itself", "from a done step", "from a later step", "later though done", "to no step"],
)
@pytest.mark.parametrize("resume", Resume)
def test_no_other_returns(done: str, source: str, target: str, resume: Resume) -> None:
    """A return goes from an open step to one that lies before it and is done."""
    with pytest.raises(LookupError):
        return_to(THREE, frozenset(done), source, target, {}, resume)


# --- any route, any order of operations -------------------------------------------------------------------------------

FACTS = ("f", "g")
VALUES = ("x", "y", "z")


def _blocks() -> st.SearchStrategy[Any]:
    leaf = st.just("step")
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(st.just("sequence"), st.lists(inner, min_size=1, max_size=4)),
            st.tuples(st.just("parallel"), st.lists(inner, min_size=1, max_size=3)),
            st.tuples(st.sampled_from(FACTS), st.lists(inner, min_size=1, max_size=3)),
        ),
        max_leaves=9,
    )


def _planted(shape: Any, number: list[int]) -> Block:
    """A drawn shape with its steps named s1, s2, … in reading order."""
    if shape == "step":
        number[0] += 1
        return Step(code=f"s{number[0]}", title="环节", who=Who(role="clerk"))
    kind, inner = shape
    blocks = tuple(_planted(each, number) for each in inner)
    if kind in FACTS:
        return Choice(fact=kind, branches=dict(zip(VALUES, blocks, strict=False)), otherwise="x")
    return Sequence(blocks) if kind == "sequence" else Parallel(blocks)


templates = _blocks().map(lambda shape: read_template(msgspec.to_builtins(_planted(shape, [0]))))
facts_drawn = st.fixed_dictionaries({}, optional={fact: st.sampled_from(VALUES) for fact in FACTS})


class Walk(RuleBasedStateMachine):
    """One route, driven at random; `live` is what the tasks table would hold: step → iteration, for one official each.

    Only what a `Change` says moves `live`, as in the domain's actions, so a change that says too little or too much
    shows as a task too many or too few.
    """

    @initialize(template=templates, facts=facts_drawn)
    def begin(self, template: Block, facts: dict[str, str]) -> None:
        self.template, self.facts = template, facts
        self.done: frozenset[str] = frozenset()
        self.live: dict[str, int] = {}
        self.opened: dict[str, int] = {}
        self.finished = False
        self._take(start(template, facts))

    def _take(self, change: Change) -> None:
        for each in change.closed:
            del self.live[each.code]
        for each in change.opened:
            assert each.code not in self.live, "two live tasks of one step"
            self.opened[each.code] = self.opened.get(each.code, 0) + 1
            self.live[each.code] = self.opened[each.code]
        self.done, self.finished = change.done, change.finished

    @precondition(lambda self: not self.finished)
    @rule(data=st.data())
    def complete_one(self, data: st.DataObject) -> None:
        code = data.draw(st.sampled_from(sorted(self.live)))
        change = complete(self.template, self.done, code, self.facts)
        del self.live[code]
        self._take(change)
        assert code in self.done

    @precondition(lambda self: not self.finished)
    @rule(data=st.data(), new=facts_drawn)
    def complete_one_and_choose(self, data: st.DataObject, new: dict[str, str]) -> None:
        code = data.draw(st.sampled_from(sorted(self.live)))
        change = complete(self.template, self.done, code, new, before=self.facts)
        del self.live[code]
        self.facts = new
        self._take(change)

    @precondition(lambda self: not self.finished and self.done)
    @rule(data=st.data(), resume=st.sampled_from(Resume))
    def go_back(self, data: st.DataObject, resume: Resume) -> None:
        source, target = data.draw(st.sampled_from(sorted(self.live))), data.draw(st.sampled_from(sorted(self.done)))
        done, live = self.done, dict(self.live)
        try:
            change = return_to(self.template, done, source, target, self.facts, resume)
        except LookupError:
            return
        self._take(change)
        inside = {each.code for each in steps_of(_smallest_holding(self.template, source, target))}
        assert target in self.live
        assert {c: i for c, i in self.live.items() if c not in inside} == {
            c: i for c, i in live.items() if c not in inside
        }, "a return reached outside the smallest block that holds both places"
        assert all(live.get(c) != i for c, i in self.live.items() if c in inside), "something inside was not closed"
        assert done - self.done <= inside
        if resume is Resume.DIRECT:
            there = complete(self.template, self.done, target, self.facts)
            assert there.done == done
            assert {each.code for each in open_steps(self.template, there.done, self.facts)} == set(live)

    @precondition(lambda self: hasattr(self, "template"))
    @rule(data=st.data())
    def out_of_turn(self, data: st.DataObject) -> None:
        shut = sorted({each.code for each in steps_of(self.template)} - set(self.live))
        assume(shut)
        code = data.draw(st.sampled_from(shut))
        with pytest.raises(LookupError):
            complete(self.template, self.done, code, self.facts)
        with pytest.raises(LookupError):
            return_to(self.template, self.done, code, data.draw(st.sampled_from(shut)), self.facts)

    @invariant()
    def a_running_route_is_with_somebody(self) -> None:
        assert self.finished == (not self.live)

    @invariant()
    def tasks_are_the_open_steps(self) -> None:
        assert set(self.live) == {each.code for each in open_steps(self.template, self.done, self.facts)}
        assert not self.done & set(self.live)

    def teardown(self) -> None:
        """From wherever it was left, the route ends if people only do their part."""
        if not hasattr(self, "template"):
            return
        steps = sum(1 for _ in steps_of(self.template))
        for _ in range(steps):
            if self.finished:
                break
            code = next(iter(self.live))
            change = complete(self.template, self.done, code, self.facts)
            del self.live[code]
            self._take(change)
        assert self.finished


def _smallest_holding(block: Block, source: str, target: str) -> Block:
    """The smallest block that holds both, found by looking at all of them: the engine's own way is what is tested."""
    held: list[Block] = []
    rest: list[Block] = [block]
    while rest:
        at = rest.pop()
        if {source, target} <= {each.code for each in steps_of(at)}:
            held.append(at)
        if isinstance(at, Choice):
            rest += at.branches.values()
        elif not isinstance(at, Step):
            rest += at.blocks
    return min(held, key=lambda each: (sum(1 for _ in steps_of(each)), -held.index(each)))


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=150, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow])


@given(templates, facts_drawn, st.data())
@settings(max_examples=150)
def test_a_walk_forward_does_each_step_once(template: Block, facts: dict[str, str], data: st.DataObject) -> None:
    """Going only forward, in any order that is open, every step on the way is opened once and the route ends."""
    change, seen = start(template, facts), list[str]()
    live = codes(change.opened)
    while not change.finished:
        seen.append(live.pop(data.draw(st.integers(0, len(live) - 1))))
        change = complete(template, change.done, seen[-1], facts)
        assert not change.closed
        live += codes(change.opened)
    assert len(seen) == len(set(seen))
    assert set(seen) == change.done
