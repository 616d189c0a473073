"""The law of official documents, judged without a server: states, verbs, people and reasons."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Conflict, Denied, Invalid
from oa_server.documents import rules
from oa_server.documents.rules import Standing
from oa_server.documents.states import Classification, DocKind, IncomingState, OutgoingState

ORGAN, OTHER_ORGAN = uuid4(), uuid4()
DRAFTER, SIGNER, SOMEBODY = uuid4(), uuid4(), uuid4()
HIGHEST, ABOVE, BELOW = uuid4(), uuid4(), uuid4()
SUPERIORS = {HIGHEST: None, ABOVE: HIGHEST, ORGAN: ABOVE, OTHER_ORGAN: ABOVE, BELOW: ORGAN}


def actor(official: Any = SOMEBODY, *roles: Role, organ: Any = ORGAN) -> Actor:
    return Actor("某人", official_id=official, organ_id=organ, roles=frozenset(roles))


def outgoing(state: OutgoingState, **more: Any) -> Any:
    fields = {"organ_id": ORGAN, "drafter_id": DRAFTER, "signer_id": SIGNER, "kind": "notice", "title": "关于甲的通知"}
    fields |= {"classification": "none", "classify_years": None, "copy_no": ""}
    return SimpleNamespace(state=state, **(fields | more))


def incoming(state: IncomingState, **more: Any) -> Any:
    return SimpleNamespace(state=state, organ_id=ORGAN, leader_id=SIGNER, **more)


DRAFTING, REVIEW = OutgoingState.DRAFTING, OutgoingState.UNDER_REVIEW
AT_REVIEW = Standing(open_step="unit_review")
AT_SIGNING = Standing(open_step="signing")


@pytest.mark.parametrize(
    ("who", "state", "standing", "verb", "reason"),
    [
        (actor(DRAFTER), DRAFTING, Standing(), "edit", None),
        (actor(), DRAFTING, Standing(), "edit", rules.NOT_DRAFTER),
        (actor(DRAFTER), REVIEW, Standing(), "edit", rules.NOT_DRAFTING),
        (actor(DRAFTER), DRAFTING, Standing(), "submit", None),
        (actor(DRAFTER), OutgoingState.CLOSED, Standing(), "submit", rules.NOT_DRAFTING),
        (actor(), DRAFTING, Standing(), "abandon", rules.NOT_DRAFTER),
        (actor(), REVIEW, AT_REVIEW, "approve", None),
        (actor(), REVIEW, Standing(open_step="office_review"), "approve", None),
        (actor(), REVIEW, AT_SIGNING, "approve", rules.NOT_YOUR_TASK),
        (actor(), REVIEW, Standing(), "approve", rules.NOT_YOUR_TASK),
        (actor(), DRAFTING, AT_REVIEW, "approve", rules.WRONG_STATE),
        (actor(SIGNER), REVIEW, AT_SIGNING, "sign", None),
        (actor(), REVIEW, AT_SIGNING, "sign", rules.NOT_SIGNERS_TURN),
        (actor(SIGNER), REVIEW, AT_REVIEW, "sign", rules.NOT_SIGNERS_TURN),
        (actor(SIGNER), REVIEW, AT_SIGNING, "return", None),
        (actor(), REVIEW, Standing(), "return", rules.NOT_YOUR_TASK),
        (actor(DRAFTER), REVIEW, Standing(handed_over_unread=True), "withdraw", None),
        (actor(DRAFTER), REVIEW, Standing(), "withdraw", rules.ALREADY_READ),
        (actor(), REVIEW, Standing(handed_over_unread=True), "withdraw", rules.NOT_DRAFTER),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.SIGNED, Standing(), "number", None),
        (actor(SOMEBODY, Role.CLERK, organ=OTHER_ORGAN), OutgoingState.SIGNED, Standing(), "number", rules.NOT_CLERK),
        (actor(), OutgoingState.SIGNED, Standing(), "number", rules.NOT_CLERK),
        (actor(SOMEBODY, Role.CLERK), REVIEW, Standing(), "number", rules.NOT_SIGNED),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.SIGNED, Standing(), "freeze", rules.NOT_NUMBERED),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.NUMBERED, Standing(), "freeze", None),
        (actor(SOMEBODY, Role.SEAL_KEEPER), OutgoingState.FROZEN, Standing(), "seal", None),
        (actor(DRAFTER, Role.SEAL_KEEPER), OutgoingState.FROZEN, Standing(), "seal", rules.KEEPER_CONFLICT),
        (actor(SIGNER, Role.SEAL_KEEPER), OutgoingState.FROZEN, Standing(), "seal", rules.KEEPER_CONFLICT),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.FROZEN, Standing(), "seal", rules.NOT_KEEPER),
        (
            actor(SOMEBODY, Role.SEAL_KEEPER, organ=OTHER_ORGAN),
            OutgoingState.FROZEN,
            Standing(),
            "seal",
            rules.NOT_KEEPER,
        ),
        (actor(SOMEBODY, Role.SEAL_KEEPER), OutgoingState.NUMBERED, Standing(), "seal", rules.NOT_FROZEN),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.FROZEN, Standing(), "dispatch", rules.NOT_SEALED),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.SEALED, Standing(), "dispatch", None),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.DISPATCHED, Standing(), "dispatch", rules.WRONG_STATE),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.SEALED, Standing(), "close", rules.NOT_DISPATCHED),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.DISPATCHED, Standing(), "close", rules.UNDELIVERED),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.DISPATCHED, Standing(settled=True), "close", None),
        (actor(), OutgoingState.DISPATCHED, Standing(settled=True), "close", rules.NOT_CLERK),
        (actor(SOMEBODY, Role.CLERK), OutgoingState.ABANDONED, Standing(), "number", rules.WRONG_STATE),
    ],
)
def test_outgoing_verbs(who: Actor, state: OutgoingState, standing: Standing, verb: str, reason: Any) -> None:
    """Each verb is open to the right person in its state, and closed to everybody else with its own reason."""
    document = outgoing(state)
    ability = next(a for a in rules.abilities(who, document, standing) if a.verb == verb)
    assert ability.denied == reason
    if reason is None:
        assert rules.check(who, document, standing, verb).state == state
    else:
        with pytest.raises(Denied) as refused:
            rules.check(who, document, standing, verb)
        assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("who", "state", "standing", "verb", "reason"),
    [
        (actor(SOMEBODY, Role.CLERK), IncomingState.ARRIVED, Standing(), "sign_for", None),
        (actor(SOMEBODY, Role.CLERK), IncomingState.ARRIVED, Standing(), "refuse", None),
        (actor(), IncomingState.ARRIVED, Standing(), "sign_for", rules.NOT_RECEIVER),
        (
            actor(SOMEBODY, Role.CLERK, organ=OTHER_ORGAN),
            IncomingState.ARRIVED,
            Standing(),
            "refuse",
            rules.NOT_RECEIVER,
        ),
        (actor(SOMEBODY, Role.CLERK), IncomingState.REFUSED, Standing(), "sign_for", rules.ALREADY_SIGNED_FOR),
        (actor(SOMEBODY, Role.CLERK), IncomingState.ARRIVED, Standing(), "register", rules.NOT_SIGNED_FOR),
        (actor(SOMEBODY, Role.CLERK), IncomingState.REFUSED, Standing(), "register", rules.WRONG_STATE),
        (actor(SIGNER), IncomingState.PROPOSED, Standing(), "instruct", None),
        (actor(), IncomingState.PROPOSED, Standing(), "instruct", rules.NOT_LEADER),
        (actor(), IncomingState.HANDLING, Standing(open_step="handle"), "finish", None),
        (actor(), IncomingState.HANDLING, Standing(), "finish", rules.NOT_UNIT_HEAD),
        (actor(SOMEBODY, Role.CLERK), IncomingState.REGISTERED, Standing(), "close", None),
        (actor(SOMEBODY, Role.CLERK), IncomingState.HANDLING, Standing(), "close", rules.WRONG_STATE),
    ],
)
def test_incoming_verbs(who: Actor, state: IncomingState, standing: Standing, verb: str, reason: Any) -> None:
    """The receiving side likewise."""
    document = incoming(state)
    ability = next(a for a in rules.incoming_abilities(who, document, standing) if a.verb == verb)
    assert ability.denied == reason
    if reason is None:
        assert rules.check_incoming(who, document, standing, verb).state == state
    else:
        with pytest.raises(Denied) as refused:
            rules.check_incoming(who, document, standing, verb)
        assert refused.value.reason == reason


def test_no_such_verb() -> None:
    """A word that is no verb is refused as such, not as a verb that is closed."""
    for check, document in (
        (rules.check, outgoing(DRAFTING)),
        (rules.check_incoming, incoming(IncomingState.ARRIVED)),
    ):
        with pytest.raises(Invalid) as refused:
            check(actor(), document, Standing(), "shred")
        assert refused.value.reason is rules.UNKNOWN_VERB


STANDINGS = st.builds(
    Standing,
    open_step=st.sampled_from([None, "draft", "unit_review", "office_review", "signing", "numbering", "handle"]),
    handed_over_unread=st.booleans(),
    settled=st.booleans(),
)
ACTORS = st.builds(
    lambda official, organ, roles: Actor("某人", official_id=official, organ_id=organ, roles=roles),
    st.sampled_from([DRAFTER, SIGNER, SOMEBODY]),
    st.sampled_from([ORGAN, OTHER_ORGAN]),
    st.frozensets(st.sampled_from(Role)),
)


@given(ACTORS, st.sampled_from(OutgoingState), STANDINGS)
def test_nobody_seals_what_they_had_a_hand_in(who: Actor, state: OutgoingState, standing: Standing) -> None:
    """Whatever roles, state and tasks come together: no drafter and no signer seals, and no other organ does anything
    beyond reviewing what lies open to it."""
    allowed = {a.verb for a in rules.abilities(who, outgoing(state), standing) if a.allowed}
    if who.official_id in {DRAFTER, SIGNER}:
        assert "seal" not in allowed
    if who.organ_id == OTHER_ORGAN:
        assert not allowed & {"number", "freeze", "seal", "dispatch", "close"}
    if standing.open_step != "signing" or who.official_id != SIGNER:
        assert "sign" not in allowed
    assert len([v for v in allowed if v in {"number", "freeze", "seal", "dispatch", "close"}]) <= 1


@given(ACTORS, st.sampled_from(IncomingState), STANDINGS)
def test_the_end_is_the_end(who: Actor, state: IncomingState, standing: Standing) -> None:
    """What is refused or closed is done with, and a document is signed for and refused by the same people only."""
    allowed = {a.verb for a in rules.incoming_abilities(who, incoming(state), standing) if a.allowed}
    if state in {IncomingState.REFUSED, IncomingState.CLOSED}:
        assert not allowed
    assert ("sign_for" in allowed) == ("refuse" in allowed)


@pytest.mark.parametrize(
    ("title", "kind", "fits"),
    [
        ("江城市人民政府关于甲的通知", DocKind.NOTICE, True),
        ("江城市人民政府关于甲的通知（试行）", DocKind.NOTICE, False),
        ("关于甲的函", DocKind.LETTER, True),
        ("关于甲的复函", DocKind.LETTER, True),
        ("关于甲的通报", DocKind.NOTICE, False),
        ("江城市人民政府令", DocKind.ORDER, True),
        ("", DocKind.NOTICE, False),
    ],
)
def test_titles(title: str, kind: DocKind, *, fits: bool) -> None:
    """A title ends with its kind (article 9(6)); an order is called by its organ alone."""
    assert rules.title_fits(title, kind) is fits


def test_everything_missing_at_once() -> None:
    """All that a draft lacks is listed with its article, first things first."""
    document = outgoing(DRAFTING, title=" ", signer_id=None)
    findings = rules.examine(document, main=[], copies=[], superior_of={}, has_text=False, signer_leads=False)
    assert [(f.reason.code, f.article) for f in findings] == [
        ("documents.no_title", "9(6)"),
        ("documents.no_body", "9(8)"),
        ("documents.no_recipient", "9(7)"),
        ("documents.no_signer", "22"),
    ]
    with pytest.raises(Invalid) as refused:
        rules.check_complete(findings)
    assert refused.value.code == "documents.no_title"
    assert len(refused.value.facts["all"]) == 4


@pytest.mark.parametrize(
    ("kind", "main", "copies", "leads", "codes"),
    [
        ("notice", [OTHER_ORGAN], [], True, []),
        ("notice", [OTHER_ORGAN], [], False, ["signer_not_leader"]),
        ("notice", [ORGAN], [], True, ["own_organ"]),
        ("notice", [OTHER_ORGAN], [ORGAN], True, ["own_organ"]),
        ("request", [ABOVE, HIGHEST], [], True, ["upward_one_superior"]),
        ("request", [ABOVE], [OTHER_ORGAN], True, []),
        ("report", [HIGHEST], [ABOVE], True, []),
        ("request", [OTHER_ORGAN], [], True, ["upward_one_superior"]),
        ("request", [BELOW], [], True, ["upward_one_superior"]),
        ("report", [ABOVE], [OTHER_ORGAN, BELOW], True, ["upward_no_subordinate"]),
        ("notice", [BELOW], [ABOVE], True, []),
        ("report", [], [], True, ["no_recipient"]),
    ],
)
def test_recipients_and_signer(kind: str, main: Any, copies: Any, codes: list[str], *, leads: bool) -> None:
    """To whom a document may go and who may sign it: articles 14, 15 and 22."""
    document = outgoing(DRAFTING, kind=kind, title=f"关于甲的{DocKind(kind).title_zh}")
    findings = rules.examine(
        document, main=main, copies=copies, superior_of=SUPERIORS, has_text=True, signer_leads=leads
    )
    assert [f.reason.code.removeprefix("documents.") for f in findings] == codes
    if not codes:
        rules.check_complete(findings)


@pytest.mark.parametrize(
    ("classification", "years", "copy_no", "codes"),
    [
        ("internal", None, "", []),
        ("confidential", 10, "000001", []),
        ("confidential", 11, "000001", ["no_secrecy_years"]),
        ("secret", 20, "000001", []),
        ("top_secret", 30, "999999", []),
        ("secret", None, "00001", ["no_secrecy_years", "no_copy_number"]),
        ("secret", 5, "00000１", ["no_copy_number"]),
    ],
)
def test_secrets(classification: str, years: int | None, copy_no: str, codes: list[str]) -> None:
    """A state secret says for how long it is one, within the law, and carries a copy number (articles 9(1) and 9(2))."""
    document = outgoing(DRAFTING, classification=classification, classify_years=years, copy_no=copy_no)
    findings = rules.examine(
        document, main=[OTHER_ORGAN], copies=[], superior_of=SUPERIORS, has_text=True, signer_leads=True
    )
    assert [f.reason.code.removeprefix("documents.") for f in findings] == codes


def test_superiors_in_a_circle() -> None:
    """Organs that the directory puts above each other keep nobody waiting."""
    document = outgoing(DRAFTING, kind="request", title="关于甲的请示")
    circle = {ORGAN: ABOVE, ABOVE: ORGAN}
    findings = rules.examine(document, main=[ABOVE], copies=[], superior_of=circle, has_text=True, signer_leads=True)
    assert findings == []


def test_numbers() -> None:
    """A document number has hollow brackets and no leading zero, a register number four digits."""
    assert rules.format_number("江政办发", 2026, 1) == "江政办发〔2026〕1号"
    assert rules.format_receive_number(date(2026, 3, 1), 12) == "2026-0012"
    assert rules.format_receive_number(date(2026, 3, 1), 12345) == "2026-12345"


@given(st.sampled_from(Classification), st.sampled_from(Classification))
def test_ceiling(classification: Classification, ceiling: Classification) -> None:
    """What lies above the ceiling is refused, whatever the ceiling is."""
    if classification.rank <= ceiling.rank:
        rules.check_ceiling(classification, ceiling)
    else:
        with pytest.raises(Invalid) as refused:
            rules.check_ceiling(classification, ceiling)
        assert refused.value.facts == {"ceiling": ceiling.value}


def test_what_was_signed() -> None:
    """Text, elements and attachments must be the very ones under the signature; the refusal says what differs."""
    rules.check_text("a", "a")
    with pytest.raises(Conflict) as text:
        rules.check_text("a", "b")
    assert text.value.code == "documents.text_changed"
    rules.check_elements({"note": "甲", "attachments": []}, {"note": "甲", "attachments": []})
    with pytest.raises(Conflict) as elements:
        rules.check_elements({"note": "甲", "kind": "notice"}, {"note": "乙", "kind": "notice", "added": 1})
    assert elements.value.facts == {"changed": ["added", "note"]}
    file = {"name": "a", "sha256": "0", "size": 1}
    rules.check_attachments([file], [dict(file)])
    for found in ([], [file, file], [file | {"size": 2}]):
        with pytest.raises(Conflict):
            rules.check_attachments([file], found)


def test_refusal_texts() -> None:
    """A refusal has a reason of at most five hundred characters."""
    rules.check_refusal("字" * 500)
    for text, reason in (
        ("", rules.REASON_NEEDED),
        (" \u3000", rules.REASON_NEEDED),
        ("字" * 501, rules.REASON_TOO_LONG),
    ):
        with pytest.raises(Invalid) as refused:
            rules.check_refusal(text)
        assert refused.value.reason is reason
