"""How a document ends: no signature without text on its page, no colophon alone, and nothing moves when numbers
come."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest

from oa_server.core.errors import Invalid
from oa_server.documents.layout.model import Attachment, DocumentLayout, Paragraph, Table
from oa_server.documents.layout.render import COPIES_TOO_MANY, PageSettings
from tests.documents.layout.cast import TEXT
from tests.documents.layout.conftest import Render
from tests.documents.layout.measured import BOTTOM, MM, RIGHT, SIZE_4, Page, read_pages

HOSPITALS = tuple(f"江州市第{number}人民医院办公室" for number in range(1, 61))


def _number_of(pages: list[Page], text: str) -> int:
    return max(number for number, page in enumerate(pages) if page.has(text))


@pytest.mark.parametrize("lines", range(1, 23))
def test_signature_and_colophon_never_stand_alone(rendered: Render, notice: DocumentLayout, lines: int) -> None:
    """Whatever the length of the text, its last words are on the signature's page, and the colophon is there, too."""
    body = (*[Paragraph(TEXT)] * 2, *[Paragraph("增加一行。")] * lines, Paragraph("请认真贯彻执行，重要情况及时报告。"))
    pages = read_pages(rendered(replace(notice, body=body, attachment_note=())).pdf)
    assert _number_of(pages, "请认真贯彻执行") == _number_of(pages, "2026年11月24日") == len(pages) - 1
    assert pages[-1].has("抄送：")
    assert pages[0].has("为深入贯彻")


def test_one_paragraph_is_shared_by_two_pages(rendered: Render, notice: DocumentLayout) -> None:
    """When no pitch brings the signature onto the first page, the end of the only paragraph moves to it, its beginning
    stays."""
    pages = read_pages(rendered(replace(notice, body=(Paragraph(TEXT),), attachment_note=())).pdf)
    assert pages[0].has("为深入贯彻")
    assert "制定本方案。" in "".join(
        line.text for page in pages for line in page.lines if not line.text.startswith("—")
    )
    assert pages[1].body[0].text.endswith("案。")
    assert pages[1].has("2026年11月24日")


def test_pitch_stays_within_limits(rendered: Render, notice: DocumentLayout) -> None:
    """A page holds between 21 and 24 lines, so the pitch lies between 27 and 31.1 pt, and is 29.60 pt where that
    does."""
    assert rendered(notice).line_pitch == 29.60
    pitches = {rendered(replace(notice, body=(Paragraph(TEXT),) * count)).line_pitch for count in range(1, 12)}
    assert all(27.0 <= pitch <= 31.1 for pitch in pitches)


def test_pitch_is_a_setting(rendered: Render, notice: DocumentLayout) -> None:
    """An office that counts 22 whole pitches sets 28.99 pt."""
    result = rendered(notice, settings=PageSettings(line_pitch=28.99))
    lines = read_pages(result.pdf)[1].body
    assert lines[1].top - lines[0].top == pytest.approx(28.99 / MM, abs=0.02)


@pytest.mark.parametrize("count", [1, 3, 4, 6, 8])
def test_filling_in_number_and_date_moves_nothing(rendered: Render, notice: DocumentLayout, count: int) -> None:
    """The review copy has the pages of the final one: each line of text stands where it stood."""
    final = replace(notice, body=(Paragraph(TEXT),) * count, copy_no="000001")
    draft = replace(final, doc_no=None, doc_date=None, print_date=None, copy_no="")
    changing = ("〔", "年", "000001")

    def places(layout: DocumentLayout, *, is_final: bool) -> list[list[tuple[str, float, float]]]:
        pages = read_pages(rendered(layout, final=is_final).pdf)
        return [
            [
                (line.text, round(line.left, 2), round(line.top, 2))
                for line in page.lines
                if not any(mark in line.text for mark in changing) and line.text != layout.issuer_signature
            ]
            for page in pages
        ]

    assert places(draft, is_final=False) == places(final, is_final=True)


def test_review_copy_shows_places_for_what_is_missing(rendered: Render, notice: DocumentLayout) -> None:
    """Before numbering, the number shows as 江政办发〔　　〕　号 and the dates as empty forms; the pages say 送审稿."""
    draft = replace(notice, doc_no=None, doc_date=None, print_date=None)
    result = rendered(draft, final=False)
    pages = read_pages(result.pdf)
    assert pages[0].line("江政办发").text.replace("　", " ") == "江政办发〔  〕 号"
    assert any(line.text.replace("　", "") == "年月日" for line in pages[-1].lines)
    assert result.seal_position is not None


def test_sixty_copies_fit_the_colophon(rendered: Render, notice: DocumentLayout) -> None:
    """A distribution list of sixty organs stays within the type area, every name of it, line under line."""
    page = read_pages(rendered(replace(notice, copies_to=HOSPITALS)).pdf)[-1]
    shown = "".join(line.text for line in page.lines if line.size == pytest.approx(SIZE_4, abs=0.01))
    assert "，".join(HOSPITALS) + "。" in shown
    assert page.rules[-1].y == pytest.approx(BOTTOM, abs=0.1)
    small = [line for line in page.body if line.size == pytest.approx(SIZE_4, abs=0.01)]
    assert all(below.top >= above.bottom for above, below in pairwise(small))
    assert all(line.right < RIGHT for line in small)


def test_endless_copies_are_refused(rendered: Render, notice: DocumentLayout) -> None:
    """A list that no page can hold is refused with advice, not cut."""
    with pytest.raises(Invalid) as refusal:
        rendered(replace(notice, copies_to=HOSPITALS * 2))
    assert refusal.value.reason == COPIES_TOO_MANY


def test_tables_repeat_their_header(rendered: Render, notice: DocumentLayout) -> None:
    """A table over several pages shows its header on each of them, and no row is torn."""
    rows = (("序号", "单位名称", "改造任务"), *((str(n), f"第{n}单位", "完成任务" * 8) for n in range(1, 61)))
    sheet = Attachment("任务分解表", (Table(rows, header=True),))
    pages = [page for page in read_pages(rendered(replace(notice, attachments=(sheet,))).pdf) if page.has("完成任务")]
    assert len(pages) >= 3
    for page in pages:
        header = page.line("单位名称")
        assert header.font == "FandolHei-Regular"
        assert header.top < page.line("完成任务").top
        assert sum(line.text.count("完成任务") for line in page.lines) % 8 == 0


def test_long_title_has_three_lines(rendered: Render, notice: DocumentLayout) -> None:
    """A long title takes three lines that grow or swell, never an hourglass, and tears no name."""
    page = read_pages(rendered(notice).pdf)[0]
    widths = [line.right - line.left for line in page.lines if line.font == "NotoSerifCJKsc-Bold" and line.size < 10]
    assert len(widths) == 3
    assert widths[1] > min(widths)


def test_dates_are_written_without_zeros(rendered: Render, notice: DocumentLayout) -> None:
    """2026年7月1日, not 2026年07月01日 (7.3.5.5)."""
    pages = read_pages(rendered(replace(notice, doc_date=date(2026, 7, 1), print_date=date(2026, 7, 9))).pdf)
    assert pages[-1].has("2026年7月1日")
    assert pages[-1].has("2026年7月9日印发")


def test_an_empty_draft_can_be_previewed(rendered: Render) -> None:
    """A draft with nothing in it yet makes one page, so that the preview works from the first key stroke."""
    empty = DocumentLayout(issuer_mark="江州市人民政府文件", title="", body=(), issuer_signature="江州市人民政府")
    assert rendered(empty, final=False).page_count == 1
