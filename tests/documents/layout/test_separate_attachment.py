"""附件 that cannot be bound with the text: files of their own, named by the document's number (7.3.6)."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pikepdf
import pytest

from oa_server.core.errors import Invalid
from oa_server.documents.layout.fonts import NO_GLYPH, FontLibrary
from oa_server.documents.layout.model import Attachment, DocumentLayout, Paragraph, Table, text_digest
from oa_server.documents.layout.render import INCOMPLETE, NO_ATTACHMENT, RenderedPages, render_attachment
from tests.documents.layout.cast import MADE_AT, TEXT
from tests.documents.layout.conftest import Render
from tests.documents.layout.measured import (
    BOTTOM,
    CENTRE,
    CHAR,
    LEFT,
    MM,
    SIZE_2,
    SIZE_3,
    TOLERANCE,
    TOP,
    read_pages,
)

PITCH = 29.60 / MM


def near(value: float) -> object:
    return pytest.approx(value, abs=TOLERANCE)


@pytest.fixture
def with_separate(notice: DocumentLayout) -> DocumentLayout:
    """A notice with two attachments, the second of which is bound by itself."""
    return replace(
        notice,
        doc_no="江政办发〔2026〕1号",
        attachments=(
            Attachment("年度计划表", (Paragraph("计划。"),)),
            Attachment("成员名单", (Paragraph(TEXT),) * 9, separate=True),
        ),
    )


def alone(layout: DocumentLayout, number: int, fonts: FontLibrary, **options: Any) -> RenderedPages:
    return render_attachment(layout, number, **{"fonts": fonts, "final": True, "made_at": MADE_AT} | options)


def test_first_lines(with_separate: DocumentLayout, fonts: FontLibrary) -> None:
    """Line 1 is the document's number, 附件 and the attachment's number, flush left; the title is centred on line 3,
    the text begins on line 5; pages are full and numbered from 1 (7.3.6)."""
    result = alone(with_separate, 2, fonts)
    pages = read_pages(result.pdf)
    label, title, text = pages[0].body[:3]
    assert label.text == "江政办发〔2026〕1号附件2"
    assert (label.left, label.top, label.size) == (near(LEFT), near(TOP), near(SIZE_3))
    assert {glyph.font for glyph in label.glyphs if not glyph.text.isascii()} == {"FandolHei-Regular"}
    assert title.text == "成员名单"
    assert (title.middle, title.top, title.size) == (near(CENTRE), near(TOP + 2 * PITCH), near(SIZE_2))
    assert (text.left, text.top) == (near(LEFT + 2 * CHAR), near(TOP + 4 * PITCH))
    assert pages[0].body[-1].bottom == near(BOTTOM)
    assert [page.lines[-1].text for page in pages] == [f"—{number}—" for number in range(1, len(pages) + 1)]
    assert result.page_count == len(pages) > 1


def test_nothing_else_is_in_the_file(with_separate: DocumentLayout, fonts: FontLibrary) -> None:
    """Neither mark, signature nor colophon is repeated; the file carries the attachment's title and is PDF/A-3b."""
    result = alone(with_separate, 2, fonts)
    pages = read_pages(result.pdf)
    assert not any(page.rules for page in pages)
    assert not any(page.has(text) for page in pages for text in ("抄送", "2026年11月24日", "年度计划表"))
    assert {colour for page in pages for colour in page.colours} == {"black"}
    assert (result.seal_positions, result.stamp_positions) == ((), ())
    with pikepdf.open(io.BytesIO(result.pdf)) as pdf, pdf.open_metadata() as metadata:
        assert metadata["dc:title"] == "成员名单"
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")


def test_document_leaves_it_out(rendered: Render, with_separate: DocumentLayout) -> None:
    """The document's own pages hold the bound attachment only, which keeps its number; the text that is signed has
    both."""
    result = rendered(with_separate)
    pages = read_pages(result.pdf)
    assert pages[-1].body[0].text == "附件1"
    assert not any(page.has("附件2") for page in pages)
    assert result.text_sha256 == text_digest(with_separate)
    shorter = replace(with_separate, attachments=with_separate.attachments[:1])
    assert text_digest(shorter) != result.text_sha256


def test_only_attachment_is_separate(rendered: Render, with_separate: DocumentLayout, fonts: FontLibrary) -> None:
    """A single attachment has no number; the document then ends with its signature."""
    only = replace(with_separate, attachment_note=("成员名单",), attachments=with_separate.attachments[1:])
    assert read_pages(alone(only, 1, fonts).pdf)[0].body[0].text == "江政办发〔2026〕1号附件"
    last = read_pages(rendered(only).pdf)[-1]
    assert last.has("2026年11月24日")
    assert last.has("抄送：")


def test_turned_table_in_a_separate_attachment(with_separate: DocumentLayout, fonts: FontLibrary) -> None:
    """A turned table has its own pages there, too."""
    table = Table((("序号", "任务"), ("1", "改造")), header=True, landscape=True)
    layout = replace(with_separate, attachments=(Attachment("计划表", (table,), separate=True),))
    result = alone(layout, 1, fonts)
    first, second = read_pages(result.pdf)
    assert first.has("计划表")
    assert second.turned_lines == ["序号任务", "1改造"]
    assert result.page_count == 2


def test_same_attachment_same_bytes(with_separate: DocumentLayout, fonts: FontLibrary) -> None:
    """The same input makes the same file."""
    assert alone(with_separate, 2, fonts).sha256 == alone(with_separate, 2, fonts).sha256


def test_review_copy_of_an_attachment(with_separate: DocumentLayout, fonts: FontLibrary) -> None:
    """Before there is a number, its place is shown."""
    draft = replace(with_separate, doc_no=None)
    label = read_pages(alone(draft, 2, fonts, final=False).pdf)[0].body[0].text
    assert label.replace("　", " ") == "江政办发〔  〕 号附件2"


@pytest.mark.parametrize("number", [0, 1, 3])
def test_attachment_that_is_not_separate(with_separate: DocumentLayout, fonts: FontLibrary, number: int) -> None:
    """What is bound with the text, or is not there, makes no file of its own."""
    with pytest.raises(Invalid) as refusal:
        alone(with_separate, number, fonts)
    assert refusal.value.reason == NO_ATTACHMENT


def test_final_attachment_needs_the_number(with_separate: DocumentLayout, fonts: FontLibrary) -> None:
    """Without the document's number the file would not say what it belongs to."""
    with pytest.raises(Invalid) as refusal:
        alone(replace(with_separate, doc_no=None), 2, fonts)
    assert refusal.value.reason == INCOMPLETE


def test_unshowable_character_in_an_attachment(with_separate: DocumentLayout, fonts: FontLibrary) -> None:
    """What cannot be shown is refused here, too."""
    sheet = Attachment("名单", (Paragraph("\U0003ffff"),), separate=True)
    with pytest.raises(Invalid) as refusal:
        alone(replace(with_separate, attachments=(sheet,)), 1, fonts)
    assert refusal.value.reason == NO_GLYPH
