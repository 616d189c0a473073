"""One text for one value."""

from __future__ import annotations

import json
import unicodedata
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.canonical import DEPTH_LIMIT, INTEGER_LIMIT, canonical_json, parse_canonical
from crypto.errors import ContentRefused

TEXT = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: unicodedata.normalize("NFC", text))
NAMES = st.text(st.characters(max_codepoint=127))
SCALARS = st.none() | st.booleans() | st.integers(-INTEGER_LIMIT, INTEGER_LIMIT) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner))


@given(VALUES)
def test_round_trip(value: object) -> None:
    """A value survives its canonical form, and that form is its own canonical form."""
    assert parse_canonical(canonical_json(value)) == value


@given(st.dictionaries(NAMES, TEXT))
def test_order_of_members(members: dict[str, str]) -> None:
    """The order in which members were written does not show."""
    assert canonical_json(dict(reversed(members.items()))) == canonical_json(members)


def test_the_example_of_the_standard() -> None:
    """RFC 8785, 3.2.3 in the part that our profile keeps: escapes, order and spacing are the standard's."""
    value = {"string": '€$\u000f\nA\'B"\\\\"/', "literals": [None, True, False], "1": "One", "\n": 0}
    expected = '{"\\n":0,"1":"One","literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical_json(value).decode() == expected


class Kind(StrEnum):
    NOTICE = "通知"


def test_words_of_an_enumeration() -> None:
    """A word of an enumeration is written as the word, a tuple as a list."""
    assert canonical_json({"kind": Kind.NOTICE, "pair": (1, 2)}) == '{"kind":"通知","pair":[1,2]}'.encode()


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1.0, "canonical.kind"),
        (float("nan"), "canonical.kind"),
        (b"bytes", "canonical.kind"),
        (INTEGER_LIMIT + 1, "canonical.integer"),
        (-INTEGER_LIMIT - 1, "canonical.integer"),
        ("e\u0301", "canonical.not_nfc"),
        ("\ud800", "canonical.surrogate"),
        ({"名": 1}, "canonical.name"),
        ({1: 1}, "canonical.name"),
        (nested(DEPTH_LIMIT + 1), "canonical.too_deep"),
    ],
)
def test_what_has_no_canonical_form(value: object, code: str) -> None:
    """What readers could take for different values is refused by name, however deep it lies."""
    for whole in (value, [value], {"a": {"b": [value]}}):
        with pytest.raises(ContentRefused) as refused:
            canonical_json(whole)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":1}', "canonical.not_canonical"),
        (b'{"b":1,"a":1}', "canonical.not_canonical"),
        (b'{"a": 1}', "canonical.not_canonical"),
        (b'"\\u0041"', "canonical.not_canonical"),
        ('"文"'.encode("utf-16"), "canonical.not_canonical"),
        (b"-0", "canonical.not_canonical"),
        (b"1.0", "canonical.kind"),
        (b"NaN", "canonical.kind"),
        (b'"\\ud800"', "canonical.surrogate"),
        (b"{", "canonical.unreadable"),
        (b'"\xff"', "canonical.unreadable"),
        (b"[" * 100_000, "canonical.unreadable"),
        (b"9" * 5000, "canonical.unreadable"),
    ],
)
def test_bytes_that_are_not_canonical(data: bytes, code: str) -> None:
    """Bytes that are not the one form of their value are refused, however common a parser finds them good."""
    with pytest.raises(ContentRefused) as refused:
        parse_canonical(data)
    assert refused.value.code == code


@given(VALUES, st.integers(1, 4))
def test_other_spellings(value: object, indent: int) -> None:
    """The same value spelt with white space is refused unless it has room for none."""
    spelt = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    if spelt == canonical_json(value):
        assert parse_canonical(spelt) == value
    else:
        with pytest.raises(ContentRefused):
            parse_canonical(spelt)
