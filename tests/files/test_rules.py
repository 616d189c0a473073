"""What is decided about an attachment before a byte of it is touched."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

import pytest

from oa_server.core.errors import Conflict, Denied, Invalid, TooLarge
from oa_server.files import rules

WANG, LI = uuid4(), uuid4()


def upload(**changes: object) -> SimpleNamespace:
    """An upload of 25 bytes in parts of 10, of which one has arrived."""
    known = {"uploaded_by_id": WANG, "state": "uploading", "received": 10, "size": 25, "part_size": 10}
    return SimpleNamespace(**(known | changes))


@pytest.mark.parametrize(
    "name", ["通知.pdf", " 附件 1：名单（2026）.xlsx ", "a.b.c", "…", "𠮷野家.docx", "e\u0301.txt"]
)
def test_ordinary_names_stay(name: str) -> None:
    """Names as officials give them are kept, trimmed and in one spelling of their characters."""
    kept = rules.clean_name(name)
    assert kept == kept.strip()
    assert rules.clean_name(kept) == kept


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        ".",
        "..",
        ". .",
        "a/b",
        "..\\b",
        "C:b",
        "a*b",
        'a"b',
        "a<b",
        "a|b",
        "a\0b",
        "a\x7fb",
        "a\u200bb",
        "\ue000",
        "x" * 201,
    ],
)
def test_names_that_climb_hide_or_mislead(name: str) -> None:
    """Separators, drive letters, wildcards, invisible and private characters, dots alone and endless names are refused."""
    with pytest.raises(Invalid) as refused:
        rules.clean_name(name)
    assert refused.value.reason is rules.BAD_NAME


def test_sizes() -> None:
    """Nothing is too little, and one byte more than allowed is too much."""
    rules.check_size(1, 10)
    rules.check_size(10, 10)
    with pytest.raises(Invalid):
        rules.check_size(0, 10)
    with pytest.raises(TooLarge):
        rules.check_size(11, 10)


def test_parts_in_their_order() -> None:
    """The next part comes from whoever began, at the place where the last one ended, and as long as a part is."""
    rules.check_upload(upload(), WANG, 10)
    rules.check_part(upload(), 10, 10)
    rules.check_part(upload(), 20, 5)
    for file, official, offset, error, reason in (
        (upload(), LI, 10, Denied, rules.NOT_UPLOADER),
        (upload(), WANG, 0, Conflict, rules.WRONG_OFFSET),
        (upload(), WANG, 20, Conflict, rules.WRONG_OFFSET),
        (upload(state="ready"), WANG, 10, Conflict, rules.WRONG_OFFSET),
    ):
        with pytest.raises(error) as refused:
            rules.check_upload(file, official, offset)
        assert refused.value.reason is reason
    for offset, length, expected in ((10, 9, 10), (20, 10, 5), (10, 0, 10), (25, 1, 0), (25, 0, 0)):
        with pytest.raises(Invalid) as refused:
            rules.check_part(upload(), offset, length)
        assert (refused.value.reason, refused.value.facts) == (rules.BAD_PART, {"expected": expected})


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", (0, 0)),
        ("bytes=3-", (3, 9)),
        ("bytes=3-5", (3, 5)),
        ("bytes=3-500", (3, 9)),
        ("bytes=-4", (6, 9)),
        ("bytes=-500", (0, 9)),
        ("items=0-1", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=１-２", None),
        ("bytes=1--2", None),
    ],
)
def test_ranges(header: str | None, wanted: tuple[int, int] | None) -> None:
    """A single range of bytes is read as RFC 9110 says; whatever else it may be, the whole file answers it."""
    assert rules.parse_range(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=5-4", "bytes=-0"])
def test_ranges_that_the_file_does_not_have(header: str) -> None:
    """What begins behind the end, ends before it begins, or holds nothing is refused with the size of the file."""
    with pytest.raises(Invalid) as refused:
        rules.parse_range(header, 10)
    assert refused.value.facts == {"size": 10}
