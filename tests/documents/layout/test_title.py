"""Titles break at words and have a shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oa_server.documents.layout.title import BROKEN_LINE, break_title, width

NAMES = ("江州市人民政府办公厅", "江州市人民政府", "江州市财政局")


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("关于做好防汛工作的通知", ["关于做好防汛工作的通知"]),
        (
            "江州市人民政府关于进一步加强全市安全生产工作的意见",
            ["江州市人民政府关于进一步加强", "全市安全生产工作的意见"],
        ),
        (
            "江州市财政局关于申请追加2026年老旧小区改造专项补助资金的请示",
            ["江州市财政局关于申请追加", "2026年老旧小区改造专项补助资金的请示"],
        ),
        (
            "江州市财政局关于追加2026年度应急救灾专项资金预算的请示",
            ["江州市财政局关于追加2026年度", "应急救灾专项资金预算的请示"],
        ),
        (
            "江州市人民政府办公厅关于进一步优化营商环境更好服务市场主体若干措施的通知",
            ["江州市人民政府办公厅", "关于进一步优化营商环境", "更好服务市场主体若干措施的通知"],
        ),
    ],
)
def test_titles_break_between_words(title: str, lines: list[str]) -> None:
    """Names, years and words stay whole, and the lines form a trapezoid."""
    assert list(break_title(title, names=NAMES)) == lines


def test_drafter_has_the_last_word() -> None:
    """A line feed in the title is a break, and the only one."""
    title = "江州市人民政府办公厅关于进一步优化\n营商环境的通知"
    assert break_title(title) == ("江州市人民政府办公厅关于进一步优化", "营商环境的通知")


@given(st.text(st.sampled_from("江州市政府关于印发的通知、《》（）2026年abc改造"), min_size=1, max_size=90))
def test_breaking_loses_nothing(title: str) -> None:
    """Whatever the title, its lines put together are the title, and no line begins with punctuation that closes."""
    lines = break_title(title)
    assert "".join(lines) == title.strip()
    assert not any(line[0] in "、）》的" for line in lines[1:])


@given(st.text(st.sampled_from("江州市政府办公厅"), min_size=21, max_size=72))
def test_broken_lines_fit(title: str) -> None:
    """Up to four lines, none is longer than a broken line may be."""
    assert max(width(line) for line in break_title(title)) <= BROKEN_LINE
