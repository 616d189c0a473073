"""横排表格: tables on pages of their own, turned by 90°; measured on the finished PDF."""

from __future__ import annotations

import io
from dataclasses import replace

import pikepdf
import pytest

from oa_server.documents.layout.model import (
    Attachment,
    DocumentLayout,
    Heading,
    Paragraph,
    Table,
    block_json,
    text_digest,
)
from tests.documents.layout.cast import TEXT
from tests.documents.layout.conftest import Render
from tests.documents.layout.measured import BOTTOM, LEFT, RIGHT, SIZE_4, TOLERANCE, TOP, Page, read_pages

HEAD = ("序号", "单位名称", "改造任务", "完成时限")


def near(value: float) -> object:
    return pytest.approx(value, abs=TOLERANCE)


def plan(rows: int, *, header: bool = True) -> Table:
    body = ((str(number), f"第{number:02}单位", "完成任务" * 4, "年底前") for number in range(1, rows + 1))
    return Table((HEAD, *body), header=header, landscape=True)


def turned_pages(pages: list[Page]) -> list[tuple[int, Page]]:
    """The pages with a turned table, each with its number."""
    return [(number, page) for number, page in enumerate(pages, 1) if page.turned]


@pytest.fixture
def long_table(rendered: Render, notice: DocumentLayout) -> list[Page]:
    body = (Paragraph(TEXT), plan(60), Paragraph("以上任务，请认真落实。"))
    return read_pages(rendered(replace(notice, body=body)).pdf)


def test_page_stays_upright(long_table: list[Page]) -> None:
    """The sheet is portrait A4 as all others, and its page number is where it is on these (7.6)."""
    turned = turned_pages(long_table)
    assert {number % 2 for number, _ in turned} == {0, 1}
    for number, page in turned:
        assert (page.width, page.height) == (near(210), near(297))
        label = page.lines[-1]
        assert label.text == f"—{number}—"
        edge = label.right if number % 2 else label.left
        assert edge == near(RIGHT - SIZE_4 if number % 2 else LEFT + SIZE_4)


def test_head_of_a_turned_table(long_table: list[Page]) -> None:
    """The table reads upwards, its head at the left edge of the type area: on odd pages the binding side, on even ones,
    their backs, the fore-edge (7.6)."""
    for _, page in turned_pages(long_table):
        first = page.turned_lines[0]
        assert first == "".join(HEAD)
        assert page.edges[0] == near(LEFT)
        head = next(glyph for glyph in page.turned if glyph.text in "序号单位名称")
        assert head.x < page.edges[1]
        assert head.font == "FandolHei-Regular"
        assert all(glyph.head < glyph.foot for glyph in page.turned)


def test_turned_table_fills_the_type_area(long_table: list[Page]) -> None:
    """It is as broad as the type area is high, 225 mm, and never higher than that is broad."""
    for _, page in turned_pages(long_table):
        across = sorted(rule.y for rule in page.rules)
        assert (across[0], across[-1]) == (near(TOP), near(BOTTOM))
        assert page.edges[-1] < RIGHT + TOLERANCE
        assert all(TOP < glyph.head < glyph.foot < BOTTOM for glyph in page.turned)


def test_long_table_has_several_pages(long_table: list[Page]) -> None:
    """Every row is there, once and in its order; the page before a full one would not have held another row."""
    turned = turned_pages(long_table)
    rows = [line for _, page in turned for line in page.turned_lines[1:]]
    assert len(turned) >= 4
    assert [line[: line.index("第")] for line in rows] == [str(number) for number in range(1, 61)]
    for _, page in turned[:-1]:
        row = page.edges[-1] - page.edges[-2]
        assert page.edges[-1] + row > RIGHT


def test_pages_of_its_own(long_table: list[Page]) -> None:
    """No text shares a page with a turned table; what follows begins on the next page, where the signature is."""
    (first, _), *_, (last, _) = turned_pages(long_table)
    for number in range(first, last + 1):
        assert [line.text for line in long_table[number - 1].lines] == [f"—{number}—"]
    assert long_table[first - 2].has("为深入贯彻")
    assert long_table[last].body[0].text == "以上任务，请认真落实。"
    assert long_table[last].has("2026年11月24日")


def test_turned_table_without_header(rendered: Render, notice: DocumentLayout) -> None:
    """Without a header the first row is a row like the others and stands on the first page only."""
    body = (Paragraph(TEXT), plan(30, header=False), Paragraph(TEXT))
    turned = turned_pages(read_pages(rendered(replace(notice, body=body)).pdf))
    assert turned[0][1].turned_lines[0] == "".join(HEAD)
    assert not any("单位名称" in line for _, page in turned[1:] for line in page.turned_lines)
    assert {glyph.font for glyph in turned[0][1].turned if not glyph.text.isascii()} == {"FandolFang-Regular"}


def test_row_higher_than_a_page(rendered: Render, notice: DocumentLayout) -> None:
    """A row that no page holds goes on in the next, and loses none of its text."""
    text = "".join(f"第{number:03}项任务。" for number in range(1, 240))
    row = ("甲", text, *["甲"] * 12)
    table = Table((("序号", "任务", *["列"] * 12), row), header=True, landscape=True)
    pages = turned_pages(read_pages(rendered(replace(notice, body=(Paragraph(TEXT), table, Paragraph(TEXT)))).pdf))
    assert len(pages) > 1
    shown = "".join(line for _, page in pages for line in page.turned_lines)
    assert "".join(char for char in shown if char not in "序号任务列甲") == text.replace("任务", "")
    assert all(glyph.x < RIGHT for _, page in pages for glyph in page.turned)


def test_document_that_begins_with_a_turned_table(rendered: Render, notice: DocumentLayout) -> None:
    """Even such a text leaves the main recipients where they belong."""
    pages = read_pages(rendered(replace(notice, body=(plan(3), Paragraph(TEXT)))).pdf)
    assert pages[0].has("各县（市、区）人民政府")
    assert pages[1].turned
    assert pages[2].has("2026年11月24日")


def test_document_that_ends_with_a_turned_table(rendered: Render, notice: DocumentLayout) -> None:
    """The signature follows on the next page at the usual pitch; after an attachment the colophon does."""
    ending = rendered(replace(notice, body=(Paragraph(TEXT), plan(3)), attachment_note=()))
    assert ending.line_pitch == 29.60
    pages = read_pages(ending.pdf)
    assert pages[1].turned
    assert pages[2].has("2026年11月24日")
    attached = rendered(replace(notice, attachments=(Attachment("任务分解表", (plan(3),)),)))
    *_, title, table, colophon = read_pages(attached.pdf)
    assert title.has("任务分解表")
    assert table.turned
    assert colophon.has("抄送：")
    assert attached.page_count == len(read_pages(attached.pdf))


def test_turned_pages_are_pdf_a(rendered: Render, notice: DocumentLayout) -> None:
    """Turned pages keep the file's promises: PDF/A-3b, the same bytes each time, and everything on them black."""
    layout = replace(notice, body=(Paragraph(TEXT), plan(5), Paragraph(TEXT)))
    result = rendered(layout)
    assert rendered(layout).sha256 == result.sha256
    assert turned_pages(read_pages(result.pdf))[0][1].colours == {"black"}
    with pikepdf.open(io.BytesIO(result.pdf)) as pdf, pdf.open_metadata() as metadata:
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")


def test_turning_a_table_is_signed(notice: DocumentLayout) -> None:
    """Whether a table is turned belongs to the text that is signed; of one that is not, nothing is written, so that the
    digests of older documents stay."""
    rows = (("甲", "乙"),)
    assert block_json(Table(rows)) == {"type": "table", "rows": [["甲", "乙"]], "header": False}
    assert block_json(Table(rows, landscape=True))["landscape"] is True
    upright, turned = (replace(notice, body=(Table(rows, landscape=flag),)) for flag in (False, True))
    assert text_digest(upright) != text_digest(turned)


def test_digest_of_a_document_from_before_turned_tables() -> None:
    """The digest of a text with a table is the one it had before tables could be turned."""
    layout = DocumentLayout(
        issuer_mark="江州市人民政府文件",
        title="关于下达任务的通知",
        body=(Heading(1, "一、任务"), Table((("序号", "任务"), ("1", "改造")), header=True)),
        issuer_signature="江州市人民政府",
    )
    assert text_digest(layout) == "d675ed4c53162fc2867948e3837cb678fa436038ab728bfbb9e20d5eb908971b"
