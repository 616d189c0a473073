"""联合行文: several organs in the mark, over their seals, or one under the other; measured on the finished PDF."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from oa_server.core.errors import Invalid
from oa_server.documents.layout.model import DocumentLayout, JointOrgan, Paragraph
from oa_server.documents.layout.render import MARKS_TOO_MANY, SealPosition
from tests.documents.layout.cast import ORGANS, SHORT_ORGANS, TEXT, make_joint
from tests.documents.layout.conftest import Render
from tests.documents.layout.measured import (
    BOTTOM,
    CENTRE,
    CHAR,
    LEFT,
    MM,
    RIGHT,
    SIZE_2,
    SIZE_3,
    TOLERANCE,
    TOP,
    Line,
    Page,
    ink_columns,
    ink_rows,
    read_pages,
)

PITCH = 29.60 / MM
DAY = "2026年11月24日"


def near(value: float) -> object:
    return pytest.approx(value, abs=TOLERANCE)


def names_of(page: Page) -> list[Line]:
    """The lines of the mark: red, each without 文件, which stands on a base line of its own or behind a name."""
    return [
        Line(glyphs)
        for line in page.lines
        if (glyphs := tuple(glyph for glyph in line.glyphs if glyph.red and glyph.text not in "文件"))
    ]


def edges(seal: SealPosition) -> tuple[float, float, float, float]:
    """Left, upper, right and lower edge in mm from the sheet's upper left corner."""
    left, bottom, right, top = (value / MM for value in seal.box)
    return left, 297 - top, right, 297 - bottom


# --- 发文机关标志 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_names_in_the_mark(rendered: Render, count: int) -> None:
    """The names stand one under the other, the lead organ's first, red, of one size and justified to one width; with
    文件 at their right the whole is centred within the type area (7.2.4)."""
    page = read_pages(rendered(make_joint(*ORGANS[:count])).pdf)[0]
    names = names_of(page)
    assert [line.text for line in names] == list(ORGANS[:count])
    assert {line.font for line in names} == {"NotoSerifCJKsc-Bold"}
    assert [line.size for line in names] == [near(names[0].size)] * count
    assert [line.left for line in names] == [near(names[0].left)] * count
    assert [line.right for line in names] == [near(names[0].right)] * count
    suffix = [glyph for line in page.lines for glyph in line.glyphs if glyph.red and glyph.text in "文件"]
    assert [glyph.text for glyph in suffix] == ["文", "件"]
    assert suffix[0].left > names[0].right
    assert (names[0].left + suffix[-1].right) / 2 == near(CENTRE)
    assert suffix[-1].right < RIGHT + TOLERANCE


@pytest.mark.parametrize("count", [2, 3, 5])
def test_edges_of_the_mark(rendered: Render, count: int) -> None:
    """The first name's ink begins 35 mm under the type area's upper edge, 文件 stands in the middle of the names'
    height, and the number stands two lines under the last name (7.2.4, 7.2.5)."""
    result = rendered(make_joint(*ORGANS[:count]))
    pdf, pitch = result.pdf, result.line_pitch / MM
    page = read_pages(pdf)[0]
    names = names_of(page)
    number = page.line("江政办发")
    top, foot = ink_rows(pdf, 0, box=(LEFT, 60, names[0].right, number.top - 1))
    suffix_top, suffix_foot = ink_rows(pdf, 0, box=(names[0].right + 1, 60, RIGHT, number.top - 1))
    assert top == near(TOP + 35)
    assert (suffix_top + suffix_foot) / 2 == near((top + foot) / 2)
    assert number.top == near(foot + 2 * pitch)
    assert number.middle == near(CENTRE)
    assert page.rules[0].y == near(number.bottom + 4)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_text_under_the_mark_stands_on_the_grid(rendered: Render, count: int) -> None:
    """However many names there are, title and text stand on the lines of the type area, and the page is filled to its
    lower edge."""
    layout = replace(make_joint(*ORGANS[:count]), body=(Paragraph(TEXT),) * 8)
    result = rendered(layout)
    page, pitch = read_pages(result.pdf)[0], result.line_pitch / MM
    title = next(line for line in page.lines if line.size == near(SIZE_2))
    lines = (title.top - TOP) / pitch
    assert lines * pitch == near(round(lines) * pitch)
    assert title.top == near(page.rules[0].y + 2 * pitch)
    assert page.body[-1].bottom == near(BOTTOM)


@pytest.mark.parametrize("count", [5, 8, 10])
def test_many_names_leave_room_for_text(rendered: Render, count: int) -> None:
    """Names become smaller rather than drive the text from the first page (7.3.3), but never as small as it."""
    page = read_pages(rendered(make_joint(*ORGANS[:count])).pdf)[0]
    assert page.has("实施方案已经")
    assert all(line.size > SIZE_3 - TOLERANCE for line in names_of(page))


def test_names_that_fill_the_first_page_are_refused(rendered: Render) -> None:
    """Where even small names leave no room for text, that is refused with the advice to name the lead organ alone,
    which fits."""
    many = [f"江州市第{number}测试局" for number in range(1, 21)]
    with pytest.raises(Invalid) as refusal:
        rendered(make_joint(*many))
    assert refusal.value.reason == MARKS_TOO_MANY
    joint = make_joint(*many)
    alone = replace(joint, joint_organs=tuple(replace(each, mark="") for each in joint.joint_organs))
    assert read_pages(rendered(alone).pdf)[0].has("实施方案已经")


def test_mark_of_the_lead_organ_alone(rendered: Render) -> None:
    """Where no other organ has a name in the mark, the head is that of the lead organ's own documents."""
    joint = make_joint(*ORGANS[:3])
    alone = replace(joint, joint_organs=tuple(replace(each, mark="") for each in joint.joint_organs))
    heads = [read_pages(rendered(layout).pdf)[0] for layout in (alone, replace(joint, joint_organs=()))]
    assert heads[0].lines == heads[1].lines
    assert heads[0].has(f"{ORGANS[0]}文件")


def test_mark_without_the_word_document(rendered: Render) -> None:
    """Names without 文件 stand centred by themselves."""
    pdf = rendered(replace(make_joint(*SHORT_ORGANS[:2]), issuer_mark=SHORT_ORGANS[0])).pdf
    left, right = ink_columns(pdf, 0, box=(LEFT, 70, RIGHT, 90))
    names = names_of(read_pages(pdf)[0])
    assert [line.text for line in names] == list(SHORT_ORGANS[:2])
    assert [line.middle for line in names] == [near(CENTRE)] * 2
    assert names[0].left - TOLERANCE <= left < right <= names[0].right + TOLERANCE


def test_four_signers_stand_in_two_columns(rendered: Render, request_upward: DocumentLayout) -> None:
    """In 上行文 of several organs their signers stand two a line, the second line's names under the first's, the right
    edge one character in, the number on the last signer's line (7.2.5, 7.2.6)."""
    signers = ("张三", "欧阳建国", "李建国", "王小明")
    page = read_pages(rendered(replace(request_upward, signers=signers)).pdf)[0]
    first, last = page.line("签发人："), page.line("李建国")
    assert first.text == "签发人：张　三欧阳建国"
    assert last.text == "江财〔2026〕103号李建国王小明"
    assert last.top == near(first.top + PITCH)
    assert last.part("李建国").left == near(first.part("张").left) == near(first.part("签发人：").right)
    assert last.part("王小明").left == near(first.part("欧阳建国").left)
    assert first.right == near(RIGHT - CHAR)
    assert page.rules[0].y == near(last.bottom + 4)


# --- signatures -------------------------------------------------------------------------------------------------------


def sealed(layout: DocumentLayout, diameter: float) -> DocumentLayout:
    others = tuple(replace(each, seal_diameter_mm=diameter) for each in layout.joint_organs)
    return replace(layout, joint_organs=others, seal_diameter_mm=diameter)


@pytest.mark.parametrize("diameter", [42.0, 45.0, 50.0])
@pytest.mark.parametrize("organs", [ORGANS[:2], ORGANS[:5], SHORT_ORGANS[:3], SHORT_ORGANS[:4], SHORT_ORGANS])
def test_seals_of_several_organs(rendered: Render, organs: tuple[str, ...], diameter: float) -> None:
    """Each organ has a seal centred over its name, in the organs' order, at most three in a row; seals do not touch,
    none leaves the type area, the first ones' upper edge is within one line of the text (7.3.5.1)."""
    result = rendered(sealed(make_joint(*organs), diameter))
    pages = read_pages(result.pdf)
    seals = [(seal.page, *edges(seal)) for seal in result.seal_positions]
    assert len(seals) == len(organs)
    assert seals == sorted(seals, key=lambda seal: (seal[0], round(seal[2], 1), seal[1]))
    for (page, left, top, right, bottom), organ in zip(seals, organs, strict=True):
        assert (right - left, bottom - top) == (near(diameter), near(diameter))
        assert left > LEFT - TOLERANCE
        assert right < RIGHT + TOLERANCE
        assert top > TOP - TOLERANCE
        assert bottom < min([rule.y for rule in pages[page].rules], default=BOTTOM + TOLERANCE)
        name = next(part for part in parts(pages[page], organ) if top < part.top < bottom)
        assert name.middle == near((left + right) / 2)
        assert name.top < (top + bottom) / 2 + 2 < name.bottom + 2
    for one, other in combinations(seals, 2):
        apart = math.dist(((one[1] + one[3]) / 2, one[2]), ((other[1] + other[3]) / 2, other[2]))
        assert one[0] != other[0] or apart > diameter + 1
    rows = [(seal[0], round(seal[2], 1)) for seal in seals]
    assert max(rows.count(row) for row in rows) <= 3
    page, _, top, *_ = seals[0]
    text_end = max(line.bottom for line in pages[page].lines if line.bottom < top + TOLERANCE)
    assert text_end < top <= text_end + PITCH


def parts(page: Page, text: str) -> list[Line]:
    return [line.part(text) for line in page.lines if text in line.text]


@pytest.mark.parametrize("organs", [ORGANS[:2], ORGANS[:5], SHORT_ORGANS[:3]])
def test_last_seal_covers_name_and_date(rendered: Render, organs: tuple[str, ...]) -> None:
    """The date ends four characters from the right, on the line under the last organ's name, and the last seal lies
    over both, in its lower half (7.3.5.1)."""
    result = rendered(replace(make_joint(*organs), note="此件公开发布"))
    page, pitch = read_pages(result.pdf)[-1], result.line_pitch / MM
    left, top, right, bottom = edges(result.seal_positions[-1])
    day, name = page.line(DAY).part(DAY), parts(page, organs[-1])[-1]
    assert day.right == near(RIGHT - 4 * CHAR)
    assert day.top == near(name.top + pitch)
    assert page.line("此件公开发布").top == near(day.top + pitch)
    assert day.middle == near(name.middle) == near((left + right) / 2)
    assert (top + bottom) / 2 == near((name.top + day.bottom) / 2 - 3)
    assert day.bottom < bottom


def test_three_short_names_share_a_row(rendered: Render) -> None:
    """Three names that have room stand in one row, evenly."""
    seals = [edges(seal) for seal in rendered(make_joint(*SHORT_ORGANS[:3])).seal_positions]
    assert len({round(top, 1) for _, top, _, _ in seals}) == 1
    first, second = (b[0] - a[0] for a, b in pairwise(seals))
    assert first == near(second)


def test_no_row_has_four(rendered: Render) -> None:
    """However small seals and names are, a row has three at most, and rows are even where they can be: four organs make
    two of two."""
    for organs, rows in ((4, [2, 2]), (5, [3, 2]), (6, [3, 3])):
        joint = sealed(make_joint(*[f"第{number}局" for number in range(organs)]), 25.0)
        tops = [round(edges(seal)[1], 1) for seal in rendered(joint).seal_positions]
        assert [tops.count(top) for top in dict.fromkeys(tops)] == rows


def test_seals_of_different_size(rendered: Render) -> None:
    """Each seal keeps its own diameter, and larger ones make room for themselves."""
    joint = make_joint(*SHORT_ORGANS[:2])
    mixed = replace(joint, joint_organs=(JointOrgan(SHORT_ORGANS[1], SHORT_ORGANS[1], seal_diameter_mm=45.0),))
    first, second = (edges(seal) for seal in rendered(mixed).seal_positions)
    assert (first[2] - first[0], second[2] - second[0]) == (near(42), near(45))
    assert first[2] + 1 < second[0]


def test_seals_over_several_pages(rendered: Render) -> None:
    """More seals than a page holds go on to the next one, in whole rows; text stands before the first, and the date
    stays with the last."""
    many = tuple(f"江州市第{number:02}试验局" for number in range(1, 19))
    joint = make_joint(*many)
    joint = replace(joint, joint_organs=tuple(replace(each, mark="") for each in joint.joint_organs))
    result = rendered(joint)
    pages = read_pages(result.pdf)
    assert len(result.seal_positions) == 18
    assert len({seal.page for seal in result.seal_positions}) >= 2
    for seal, organ in zip(result.seal_positions, many, strict=True):
        _, top, _, bottom = edges(seal)
        assert TOP - TOLERANCE < top < bottom < BOTTOM + TOLERANCE
        assert any(top < part.top < bottom for part in parts(pages[seal.page], organ))
    first = result.seal_positions[0]
    assert any(line.bottom < edges(first)[1] and line.text.endswith("案。") for line in pages[first.page].lines)
    assert pages[result.seal_positions[-1].page].has(DAY)


@pytest.mark.parametrize("organs", [ORGANS[:3], ("市司法局", "市民政局")])
def test_several_organs_without_seals(rendered: Render, organs: tuple[str, ...]) -> None:
    """Unsealed, the names begin under each other, the lead organ's first, one line under the text; the broadest ends two
    characters from the right and the date begins two further in, or, where it is the longer one, ends there (7.3.5.2)."""
    result = rendered(replace(make_joint(*organs), sealed=False))
    assert result.seal_positions == ()
    page = read_pages(result.pdf)[-1]
    day = page.line(DAY)
    names = [next(line for line in page.lines if line.text == organ) for organ in organs]
    text_end = max(line.top for line in page.lines if line.top < names[0].top - 1)
    assert [line.top - text_end for line in (*names, day)] == [
        near((2 + number) * PITCH) for number in range(len(organs) + 1)
    ]
    assert [line.left for line in names] == [near(names[0].left)] * len(names)
    assert day.left == near(names[0].left + 2 * CHAR)
    assert max(line.right for line in (*names, day)) == near(RIGHT - 2 * CHAR)


def test_review_copy_of_several_organs(rendered: Render) -> None:
    """Before there are number and date, the seals have their places, too."""
    draft = replace(make_joint(*ORGANS[:3]), doc_no=None, doc_date=None, print_date=None)
    assert len(rendered(draft, final=False).seal_positions) == 3
