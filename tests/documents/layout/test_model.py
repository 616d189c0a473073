"""The draft's JSON becomes blocks, or is refused."""

from __future__ import annotations

from typing import Any

import pytest

from oa_server.core.errors import Invalid
from oa_server.documents.layout.model import BODY_SHAPE, Heading, Paragraph, Table, parse_body, plain


def test_blocks_are_read() -> None:
    """Headings, paragraphs and tables of a draft arrive in their order."""
    content = [
        {"type": "heading", "level": 2, "text": "（一）目标"},
        {"type": "paragraph", "text": "正文。"},
        {"type": "table", "rows": [["甲", "乙"], ["1", "2"]], "header": True},
    ]
    assert parse_body({"type": "doc", "content": content}) == (
        Heading(2, "（一）目标"),
        Paragraph("正文。"),
        Table((("甲", "乙"), ("1", "2")), header=True),
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "doc"},
        {"type": "doc", "content": "正文"},
        {"type": "doc", "content": ["正文"]},
        {"type": "doc", "content": [{"type": "image", "src": "x"}]},
        {"type": "doc", "content": [{"type": "heading", "level": 5, "text": "甲"}]},
        {"type": "doc", "content": [{"type": "paragraph", "text": 5}]},
        {"type": "doc", "content": [{"type": "table", "rows": []}]},
        {"type": "doc", "content": [{"type": "table", "rows": [["甲"], ["乙", "丙"]]}]},
        {"type": "doc", "content": [{"type": "table", "rows": [[1]]}]},
    ],
)
def test_other_shapes_are_refused(body: dict[str, Any]) -> None:
    """What is not a heading, paragraph or even table is refused, not guessed at."""
    with pytest.raises(Invalid) as refusal:
        parse_body(body)
    assert refusal.value.reason == BODY_SHAPE


def test_plain_text_keeps_rare_names() -> None:
    """Making text plain takes away what has no shape and keeps every character that has one."""
    assert plain("  㛃䶮\u200b𬬻\t甲\u2028乙\n") == "㛃䶮𬬻 甲 乙"
