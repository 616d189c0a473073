"""GB/T 9704-2012, general format: every number that a page can show, measured on the finished PDF to 0.1 mm."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from oa_server.core.errors import Invalid
from oa_server.documents.layout.model import Attachment, DocumentLayout, Heading, Paragraph, Table
from oa_server.documents.layout.render import PageSettings
from tests.documents.layout.cast import MAIN, TEXT
from tests.documents.layout.conftest import Render
from tests.documents.layout.measured import (
    BLACK,
    BOTTOM,
    CENTRE,
    CHAR,
    LEFT,
    MM,
    RED,
    RIGHT,
    SIZE_2,
    SIZE_3,
    SIZE_4,
    TOLERANCE,
    TOP,
    Page,
    ink_rows,
    read_pages,
)

PITCH = 29.60 / MM
GAP = PITCH - SIZE_3


FANGSONG = "FandolFang-Regular"
THREE, FOUR = round(SIZE_3, 1), round(SIZE_4, 1)


def near(value: float) -> object:
    return pytest.approx(value, abs=TOLERANCE)


@pytest.fixture
def pages(rendered: Render, notice: DocumentLayout) -> list[Page]:
    return read_pages(rendered(notice).pdf)


@pytest.fixture
def dense(rendered: Render, notice: DocumentLayout) -> list[Page]:
    """Pages full of characters without punctuation, which would be allowed to shrink."""
    text = "江州市城镇老旧小区改造工作领导小组办公室负责组织协调" * 60
    return read_pages(rendered(replace(notice, body=(Paragraph(text),))).pdf)


def test_paper_is_a4(pages: list[Page]) -> None:
    """Every sheet measures 210 by 297 mm (5.1)."""
    assert {(round(page.width, 1), round(page.height, 1)) for page in pages} == {(210.0, 297.0)}


def test_a_page_holds_22_lines(dense: list[Page]) -> None:
    """A full page has 22 lines; the first begins at the upper edge of the type area, the last ends at its lower one
    (5.2)."""
    lines = dense[1].body
    assert len(lines) == 22
    assert lines[0].top == near(TOP)
    assert lines[-1].bottom == near(BOTTOM)
    assert [b.top - a.top for a, b in pairwise(lines)] == [near(PITCH)] * 21


def test_a_line_holds_28_characters(dense: list[Page]) -> None:
    """A full line has 28 characters of 3号 仿宋 from margin to margin, 156 mm (5.2)."""
    for line in dense[1].body:
        assert len(line.glyphs) == 28
        assert (line.left, line.right) == (near(LEFT), near(RIGHT))
        assert line.size == near(SIZE_3)
        assert line.font == "FandolFang-Regular"
        assert [b.left - a.left for a, b in pairwise(line.glyphs)] == [near(CHAR)] * 27


def test_all_is_black_but_the_head(rendered: Render, notice: DocumentLayout, request_upward: DocumentLayout) -> None:
    """Of glyphs and rules on all pages only 发文机关标志 and the rule under the number are red, these wholly; all others
    are black (5.2.3)."""
    sheet = Attachment("年度计划表", (Table((("序号", "任务"), ("1", "改造")), header=True),))
    for layout in (replace(notice, attachments=(sheet,)), request_upward):
        pages = read_pages(rendered(layout).pdf)
        red = "".join(glyph.text for page in pages for line in page.lines for glyph in line.glyphs if glyph.red)
        assert red == layout.issuer_mark
        assert [rule.red for page in pages for rule in page.rules].count(True) == 1
        assert pages[0].rules[0].red
        assert [page.colours for page in pages] == [{RED, BLACK}, *[{BLACK}] * (len(pages) - 1)]


def test_the_first_page_stands_on_the_grid(rendered: Render, notice: DocumentLayout) -> None:
    """Under the head, too, the last line ends at the lower edge of the type area."""
    body = (Paragraph(TEXT), Paragraph(TEXT), Paragraph(TEXT))
    page = read_pages(rendered(replace(notice, body=body)).pdf)[0]
    assert page.body[-1].bottom == near(BOTTOM)


def test_issuer_mark_begins_35_mm_under_the_type_area(rendered: Render, notice: DocumentLayout) -> None:
    """The ink of 发文机关标志 begins 35 mm under the upper edge of the type area (7.2.4), whatever its characters."""
    for mark in ("江州市人民政府办公厅文件", "一中心文件", "江州市财政局文件"):
        top, _ = ink_rows(rendered(replace(notice, issuer_mark=mark)).pdf, 0, box=(LEFT, 60, RIGHT, 100))
        assert top == near(TOP + 35)


@pytest.mark.parametrize(
    "mark",
    ["江州市人民政府办公厅文件", "江州市教育局", "江州市推进城镇老旧小区改造工作领导小组办公室文件"],
    ids=["usual", "short", "long"],
)
def test_issuer_mark_is_red_and_centred(rendered: Render, notice: DocumentLayout, mark: str) -> None:
    """发文机关标志 is red, centred, and never broader than the type area (7.2.4)."""
    line = read_pages(rendered(replace(notice, issuer_mark=mark)).pdf)[0].line(mark)
    assert all(glyph.red for glyph in line.glyphs)
    assert line.middle == near(CENTRE)
    assert line.left > LEFT - TOLERANCE
    assert line.right < RIGHT + TOLERANCE


@pytest.mark.parametrize("mark", ["江州市人民政府办公厅文件", "江州市推进城镇老旧小区改造工作领导小组办公室文件"])
def test_document_number(rendered: Render, notice: DocumentLayout, mark: str) -> None:
    """发文字号 stands two lines under the mark, centred, 3号 仿宋 (7.2.5)."""
    pdf = rendered(replace(notice, issuer_mark=mark)).pdf
    _, mark_bottom = ink_rows(pdf, 0, box=(LEFT, 60, RIGHT, 100))
    page = read_pages(pdf)[0]
    line = page.line("江政办发")
    assert line.text == "江政办发〔2026〕17号"
    assert line.top == near(mark_bottom + 2 * PITCH)
    assert page.rules[0].y == near(line.bottom + 4)
    assert next(each for each in page.lines if each.size == near(SIZE_2)).top == near(page.rules[0].y + 2 * PITCH)
    assert line.middle == near(CENTRE)
    assert line.size == near(SIZE_3)
    assert line.font == "FandolFang-Regular"


def test_red_rule(pages: list[Page]) -> None:
    """A red rule as broad as the type area stands 4 mm under the number (7.2.7)."""
    (rule,) = pages[0].rules
    assert rule.red
    assert (rule.left, rule.right) == (near(LEFT), near(RIGHT))
    assert rule.y == near(pages[0].line("江政办发").bottom + 4)
    assert 0.35 <= rule.thickness <= 0.51


def test_title(pages: list[Page]) -> None:
    """The title begins two lines under the rule, 2号 小标宋, each of its lines centred (7.3.1)."""
    page = pages[0]
    title = [line for line in page.lines if line.size == near(SIZE_2)]
    assert [line.text for line in title] == [
        "江州市人民政府办公厅",
        "关于印发《江州市城镇老旧小区",
        "改造实施方案（2026—2030年）》的通知",
    ]
    assert title[0].top == near(page.rules[0].y + 2 * PITCH)
    assert [line.middle for line in title] == [near(CENTRE)] * 3
    assert {line.font for line in title} == {"NotoSerifCJKsc-Bold"}


def test_main_recipients(pages: list[Page]) -> None:
    """主送机关 begin one line under the title, flush left on every line, and end with a full-width colon (7.3.2)."""
    page = pages[0]
    title_end = page.line("的通知")
    first = page.line(MAIN[0])
    last = page.line(MAIN[-1])
    lines = [line for line in page.lines if first.top <= line.top <= last.top]
    assert first.top == near(title_end.top + 2 * PITCH)
    assert [line.left for line in lines] == [near(LEFT)] * len(lines)
    assert "".join(line.text for line in lines) == "、".join(MAIN) + "："
    assert {size for line in lines for size in line.sizes} == {THREE}
    assert {face for line in lines for face in line.faces} == {FANGSONG}


def test_body_indent(pages: list[Page]) -> None:
    """The body follows on the next line; a paragraph begins two characters in, its further lines are flush (7.3.3)."""
    page = pages[0]
    first = page.line("实施方案已经")
    following = next(line for line in page.lines if line.top > first.top + 1)
    assert first.top == near(page.line(MAIN[-1]).top + PITCH)
    assert first.left == near(LEFT + 2 * CHAR)
    assert following.left == near(LEFT)


@pytest.mark.parametrize(
    ("level", "text", "font"),
    [
        (1, "一、总体要求", "FandolHei-Regular"),
        (2, "（一）基本原则。", "FandolKai-Regular"),
        (3, "1.坚持以人为本。", "FandolFang-Regular"),
        (4, "（1）完善配套设施。", "FandolFang-Regular"),
    ],
)
def test_heading_faces(rendered: Render, notice: DocumentLayout, level: int, text: str, font: str) -> None:
    """The four levels of headings are set in 黑体, 楷体, 仿宋 and 仿宋, 3号, on the grid, two characters in (7.3.3)."""
    body = (Paragraph("前文。"), Heading(level, text), Paragraph("后文。"), *[Paragraph(TEXT)] * 4)
    page = read_pages(rendered(replace(notice, body=body)).pdf)[0]
    line = page.line(text)
    assert line.faces == {font}
    assert line.sizes == {THREE}
    assert line.top == near(page.line("前文").top + PITCH)
    assert page.line("后文").top == near(line.top + PITCH)
    assert line.left == near(LEFT + 2 * CHAR)
    assert page.line("前文").left == near(LEFT + 2 * CHAR)


def test_attachment_note(pages: list[Page]) -> None:
    """附件说明 stands one line under the body, two characters in; names wrap under their own first character and end
    without punctuation (7.3.4)."""
    page = next(page for page in pages if page.has("附件：1."))
    first, second = page.line("附件：1."), page.line("2.江州市")
    body_end = max(line.top for line in page.lines if line.top < first.top - 1)
    wrapped = next(line for line in page.lines if line.top > first.top + 1)
    assert first.top == near(body_end + 2 * PITCH)
    assert first.left == near(LEFT + 2 * CHAR)
    assert second.left == near(first.part("1.").left)
    assert wrapped.left == near(first.glyphs[5].left)
    assert wrapped.text[-1] == "表"
    assert second.text[-1] == "单"
    assert [line.sizes for line in (first, wrapped, second)] == [{THREE}] * 3
    assert [line.faces for line in (first, wrapped, second)] == [{FANGSONG}] * 3


def test_single_attachment_has_no_number(rendered: Render, notice: DocumentLayout) -> None:
    """A single attachment is named without a number (7.3.4)."""
    pages = read_pages(rendered(replace(notice, attachment_note=("任务分解表",))).pdf)
    assert any(line.text == "附件：任务分解表" for page in pages for line in page.lines)


def test_signature_with_seal(pages: list[Page]) -> None:
    """The date ends four characters from the right edge, on the line under the name; the name is centred on it
    (7.3.5.1)."""
    page = next(page for page in pages if page.has("2026年11月24日"))
    day = page.line("2026年11月24日")
    name = next(line for line in page.lines if line.text == "江州市人民政府办公厅" and line.top < day.top)
    assert day.right == near(RIGHT - 4 * CHAR)
    assert name.middle == near(day.middle)
    assert day.top == near(name.top + PITCH)
    assert [line.sizes for line in (name, day)] == [{THREE}] * 2
    assert [line.faces for line in (name, day)] == [{FANGSONG}] * 2


def test_long_name_stays_in_the_type_area(rendered: Render, notice: DocumentLayout) -> None:
    """A name far longer than the date ends at the right edge and takes the date along under its middle (7.3.5.1)."""
    name = "江州市推进城镇老旧小区改造和城市更新工作领导小组"
    page = read_pages(rendered(replace(notice, issuer_signature=name)).pdf)[-1]
    line, day = page.line(name), page.line("2026年11月24日")
    assert line.right == near(RIGHT)
    assert line.middle == near(day.middle)


@pytest.mark.parametrize("diameter", [42.0, 45.0, 50.0, 60.0])
def test_seal_position(rendered: Render, notice: DocumentLayout, diameter: float) -> None:
    """The seal lies centred over name and date, both in its lower half; its top is within one line of the text above
    and touches nothing, its foot stays in the type area (7.3.5.1)."""
    result = rendered(replace(notice, seal_diameter_mm=diameter, note=""))
    seal = result.seal_position
    assert seal is not None
    page = read_pages(result.pdf)[seal.page]
    day = page.line("2026年11月24日")
    name = next(line for line in page.lines if line.text == "江州市人民政府办公厅" and line.top < day.top)
    left, bottom, right, top = (value / MM for value in seal.box)
    upper, lower = page.height - top, page.height - bottom
    text_end = max(line.bottom for line in page.lines if line.bottom < name.top)
    assert (right - left, top - bottom) == (near(diameter), near(diameter))
    assert (left + right) / 2 == near(day.middle)
    assert (upper + lower) / 2 == near((name.top + day.bottom) / 2 - 3)
    assert text_end <= upper <= text_end + PITCH
    assert lower < min(rule.y for rule in page.rules)


@pytest.mark.parametrize("organ", ["江州市人民政府办公厅", "江州市教育体育局"])
def test_signature_without_seal(rendered: Render, notice: DocumentLayout, organ: str) -> None:
    """Without a seal the name stands one line under the text, two characters from the right; the date on the next line
    begins two characters further in (7.3.5.2)."""
    result = rendered(replace(notice, sealed=False, attachment_note=(), issuer_signature=organ))
    assert result.seal_position is None
    page = read_pages(result.pdf)[-1]
    day = page.line("2026年11月24日")
    name = next(line for line in page.lines if line.text == organ and line.top < day.top)
    text_end = max(line.top for line in page.lines if line.top < name.top - 1)
    assert name.top == near(text_end + 2 * PITCH)
    assert name.right == near(RIGHT - 2 * CHAR)
    assert day.left == near(name.left + 2 * CHAR)


def test_short_name_without_seal_makes_room_for_the_date(rendered: Render, notice: DocumentLayout) -> None:
    """Where the date is the longer one, it ends two characters from the right and the name moves in (7.3.5.2)."""
    page = read_pages(rendered(replace(notice, sealed=False, issuer_signature="市司法局")).pdf)[-1]
    day, name = page.line("2026年11月24日"), page.line("市司法局")
    assert day.right == near(RIGHT - 2 * CHAR)
    assert day.left == near(name.left + 2 * CHAR)


def test_note(pages: list[Page]) -> None:
    """附注 stands on the line under the date, two characters in, in brackets, 3号 仿宋 (7.3.7)."""
    line = pages[-1].line("此件公开发布")
    assert line.text == "（此件公开发布）"
    assert line.top == near(pages[-1].line("2026年11月24日").top + PITCH)
    assert line.left == near(LEFT + 2 * CHAR)
    assert line.glyphs[1].left == near(LEFT + 3 * CHAR)
    assert (line.sizes, line.faces) == ({THREE}, {FANGSONG})


def test_attachment_page(rendered: Render, notice: DocumentLayout) -> None:
    """附件 begins a new page before the colophon: 附件 and number in 黑体 flush on line 1, the title centred on line
    3, the page numbers running on (7.3.6, 7.5)."""
    sheets = (
        Attachment("年度计划表", (Table((("序号", "任务"), ("1", "改造")), header=True),)),
        Attachment("成员名单", (Paragraph("组长：李建国。"),)),
    )
    pages = read_pages(rendered(replace(notice, attachments=sheets)).pdf)
    first, second = pages[-2], pages[-1]
    label = first.body[0]
    assert label.text == "附件1"
    assert (label.sizes, label.faces) == ({THREE}, {"FandolHei-Regular"})
    assert (label.left, label.top) == (near(LEFT), near(TOP))
    title = first.line("年度计划表")
    assert title.size == near(SIZE_2)
    assert title.font == "NotoSerifCJKsc-Bold"
    assert (title.middle, title.top) == (near(CENTRE), near(TOP + 2 * PITCH))
    assert second.body[0].text == "附件2"
    assert second.has("抄送：")
    assert not first.has("抄送：")
    assert second.has(f"—{len(pages)}—")


def test_colophon_rules(pages: list[Page]) -> None:
    """The colophon's rules are as broad as the type area, 0.35, 0.25 and 0.35 mm thick, the last on its lower edge
    (7.4.1)."""
    rules = pages[-1].rules
    assert [rule.thickness for rule in rules] == [pytest.approx(t, abs=0.005) for t in (0.35, 0.25, 0.35)]
    assert {(round(rule.left, 1), round(rule.right, 1)) for rule in rules} == {(LEFT, RIGHT)}
    assert rules[-1].y == near(BOTTOM)
    assert not any(rule.red for rule in rules)


def test_copies(pages: list[Page]) -> None:
    """抄送 is 4号 仿宋, one character in on both sides, wraps behind its colon and ends with a full stop (7.4.2)."""
    page = pages[-1]
    first = page.line("抄送：")
    second = next(line for line in page.lines if line.top > first.top + 1)
    assert first.font == "FandolFang-Regular"
    assert first.size == near(SIZE_4)
    assert first.left == near(LEFT + SIZE_4)
    assert second.left == near(first.glyphs[3].left)
    assert second.text[-1] == "。"


def test_copies_end_one_character_from_the_right(rendered: Render, notice: DocumentLayout) -> None:
    """A full line of 抄送 ends one character of 4号 from the right edge of the type area (7.4.2)."""
    page = read_pages(rendered(replace(notice, copies_to=("江州市城镇老旧小区改造工作领导小组办公室" * 4,))).pdf)[-1]
    first, second, *_ = (line for line in page.lines if line.size == near(SIZE_4) and line.top < page.rules[1].y)
    assert first.right == near(RIGHT - SIZE_4)
    assert second.left == near(first.glyphs[3].left)


def test_printing_organ_and_date(pages: list[Page]) -> None:
    """印发机关 stands one character in on the left, the date with 印发 one character in on the right, 4号 仿宋
    (7.4.3)."""
    line = pages[-1].line("印发")
    assert line.text == "江州市人民政府办公厅2026年11月25日印发"
    assert line.sizes == {FOUR}
    assert line.faces == {FANGSONG}
    assert (line.left, line.right) == (near(LEFT + SIZE_4), near(RIGHT - SIZE_4))


def test_colophon_without_copies_has_two_rules(rendered: Render, notice: DocumentLayout) -> None:
    """Without 抄送 only the two thick rules are drawn."""
    rules = read_pages(rendered(replace(notice, copies_to=())).pdf)[-1].rules
    assert [rule.thickness for rule in rules] == [pytest.approx(0.35, abs=0.005)] * 2


def test_page_numbers(rendered: Render, notice: DocumentLayout) -> None:
    """Page numbers are 4号 宋体 between dashes 7 mm under the type area, one character in: odd right, even left
    (7.5)."""
    pdf = rendered(notice).pdf
    for number, page in enumerate(read_pages(pdf), 1):
        line = page.lines[-1]
        assert line.text == f"—{number}—"
        assert {glyph.font for glyph in line.glyphs} == {"FandolSong-Regular"}
        assert line.sizes == {FOUR}
        assert line.glyphs[1].right - line.glyphs[1].left == near(SIZE_4 / 2)
        if number % 2:
            assert line.right == near(RIGHT - SIZE_4)
        else:
            assert line.left == near(LEFT + SIZE_4)
        dash = line.glyphs[0]
        top, _ = ink_rows(pdf, number - 1, box=(dash.left, 264, dash.right, 275))
        assert top == near(BOTTOM + 7)


def test_marks_stand_on_the_first_lines(rendered: Render, request_upward: DocumentLayout) -> None:
    """份号, 密级 and 紧急程度 stand flush left on lines 1, 2 and 3, the last two in 黑体, 份号 in the digits of the text
    (7.2.1–7.2.3)."""
    page = read_pages(rendered(request_upward).pdf)[0]
    marks = [page.line(text) for text in ("000012", "秘密★5年", "特急")]
    assert [mark.text for mark in marks] == ["000012", "秘密★5年", "特急"]
    assert [mark.left for mark in marks] == [near(LEFT)] * 3
    assert [mark.top for mark in marks] == [near(TOP + line * PITCH) for line in range(3)]
    assert [mark.sizes for mark in marks] == [{THREE}] * 3
    assert [mark.faces for mark in marks[1:]] == [{"FandolHei-Regular"}] * 2
    assert {glyph.font for glyph in marks[0].glyphs} == {page.line("江财").part("2026").font}


@pytest.mark.parametrize(
    ("marks", "lines"),
    [
        ({"classification": "秘密★5年", "urgency": "加急"}, {"秘密★5年": 1, "加急": 2}),
        ({"urgency": "加急"}, {"加急": 0}),
        ({"copy_no": "000001", "urgency": "加急"}, {"000001": 0, "加急": 1}),
    ],
    ids=["no copy number yet", "urgency alone", "not classified"],
)
def test_marks_that_are_missing(
    rendered: Render, notice: DocumentLayout, marks: dict[str, str], lines: dict[str, int]
) -> None:
    """密级 stands on the second line, also before there is a 份号 above it; otherwise the marks stand without gaps
    (7.2.1–7.2.3)."""
    page = read_pages(rendered(replace(notice, **marks)).pdf)[0]
    assert {text: page.line(text).top for text in lines} == {
        text: near(TOP + line * PITCH) for text, line in lines.items()
    }


def test_upward_document_names_its_signers(rendered: Render, request_upward: DocumentLayout) -> None:
    """In 上行文 the number stands one character in on the line of the last signer; two names a line in 楷体, the right
    edge one character in, further names under the first (7.2.5, 7.2.6)."""
    page = read_pages(rendered(request_upward).pdf)[0]
    first, last = page.line("签发人："), page.line("李建国")
    assert last.text == "江财〔2026〕103号李建国"
    assert last.left == near(LEFT + CHAR)
    assert first.right == near(RIGHT - CHAR)
    assert last.part("李建国").left == near(first.part("张").left)
    assert last.part("李建国").faces == {"FandolKai-Regular"}
    assert first.part("签发人：").faces == {FANGSONG}
    assert last.part("江财〔2026〕103号").faces == {FANGSONG}
    assert (first.sizes, last.sizes) == ({THREE}, {THREE})
    assert page.rules[0].y == near(last.bottom + 4)


def test_too_many_recipients_move_to_the_colophon(rendered: Render, notice: DocumentLayout) -> None:
    """Recipients that would leave no text on the first page stand as 主送 above 抄送, without a rule between
    (7.3.2)."""
    many = tuple(f"江州市第{number}人民医院" for number in range(1, 41))
    pages = read_pages(rendered(replace(notice, main_recipients=many)).pdf)
    assert pages[0].has("实施方案已经")
    assert not pages[0].has(many[0])
    main, copies = pages[-1].line("主送："), pages[-1].line("抄送：")
    assert main.left == near(copies.left)
    assert not any(main.top < rule.y < copies.top for rule in pages[-1].rules)


@pytest.mark.parametrize("length", [9, 12])
def test_recipients_in_the_colophon_stay_on_the_sheet(rendered: Render, notice: DocumentLayout, length: int) -> None:
    """However many recipients stand in the colophon, it stays inside the type area of one page; when it cannot, that is
    refused with the advice to give a collective name, which fits."""

    def sheet(count: int) -> list[Page]:
        many = tuple(f"第{number:03}单位".ljust(length, "局") for number in range(count))
        return read_pages(rendered(replace(notice, main_recipients=many)).pdf)

    fitting = 0
    with pytest.raises(Invalid) as refused:
        for count in range(40, 140, 5):
            pages, fitting = sheet(count), count
            assert pages[-1].line("主送：").top > TOP
            assert pages[-1].rules[-1].y == near(BOTTOM)
            assert f"第{count - 1:03}单位" in "".join(line.text for line in pages[-1].lines)
    assert refused.value.code == "layout.copies_too_many"
    assert fitting >= 60
    (page, *_rest) = read_pages(rendered(replace(notice, main_recipients=("各有关单位",))).pdf)
    assert page.has("各有关单位：")


def test_colophon_on_an_even_page(rendered: Render, notice: DocumentLayout) -> None:
    """Printed on both sides, the colophon takes the back of the last sheet; neither it nor a blank side has a
    number."""
    on_even = PageSettings(colophon_on_even_page=True)
    short = replace(notice, body=(Paragraph(TEXT),) * 4, attachment_note=())
    for layout in (notice, short, replace(short, body=(Paragraph(TEXT),) * 10)):
        pages = read_pages(rendered(layout, settings=on_even).pdf)
        text_pages = max(number for number, page in enumerate(pages, 1) if page.has("2026年11月24日"))
        assert len(pages) % 2 == 0
        assert pages[-1].rules[-1].y == near(BOTTOM)
        numbered = [page.lines[-1].text for page in pages if page.lines and page.lines[-1].text.startswith("—")]
        assert numbered == [f"—{number}—" for number in range(1, text_pages + 1)]
