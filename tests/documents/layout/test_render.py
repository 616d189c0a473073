"""The file: archival, reproducible, complete, and deaf to what its text might ask the engine to do."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from threading import Barrier

import pikepdf
import pytest

from oa_server.core.errors import Invalid
from oa_server.documents.layout.fonts import NO_GLYPH, FontLibrary
from oa_server.documents.layout.model import Attachment, DocumentLayout, Heading, Paragraph, Table, text_digest
from oa_server.documents.layout.render import (
    INCOMPLETE,
    EmbeddedFile,
    _directory_of_this_process,
    _empty_directory,
    render,
)
from tests.documents.layout.cast import FONTS, MADE_AT, TEXT
from tests.documents.layout.conftest import Render
from tests.documents.layout.measured import read_pages

RARE = "㛃䶮喆㼆㙍䥽𬬻𬭊"


def test_pages_are_pdf_a_3b(rendered: Render, notice: DocumentLayout) -> None:
    """The file declares PDF/A-3b, has an output intent, is zh-CN, carries its title, and embeds every font it uses."""
    with pikepdf.open(io.BytesIO(rendered(notice).pdf)) as pdf:
        with pdf.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")
            assert metadata["dc:title"] == notice.title
        assert pdf.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert str(pdf.Root.Lang).lower() == "zh-cn"
        fonts = [font for page in pdf.pages for font in page.Resources.get("/Font", {}).values()]
        descriptors = [font.DescendantFonts[0].FontDescriptor for font in fonts]
        assert descriptors
        assert all("/FontFile3" in each or "/FontFile2" in each for each in descriptors)


def test_opinions_travel_inside(rendered: Render, notice: DocumentLayout) -> None:
    """Embedded files come out as they went in, with name, type and relationship."""
    files = (
        EmbeddedFile(name="opinion-1.p7s", data=b"\x30\x82\x01\x00", mime_type="application/pkcs7-signature"),
        EmbeddedFile(name="document.json", data=b"{}", mime_type="application/json", relationship="source"),
    )
    with pikepdf.open(io.BytesIO(rendered(notice, embedded=files).pdf)) as pdf:
        assert {name: pdf.attachments[name].get_file().read_bytes() for name in pdf.attachments} == {
            "opinion-1.p7s": b"\x30\x82\x01\x00",
            "document.json": b"{}",
        }
        assert pdf.attachments["document.json"].obj.AFRelationship == "/Source"
        assert pdf.attachments["opinion-1.p7s"].get_file().mime_type == "application/pkcs7-signature"


def test_same_input_same_bytes(notice: DocumentLayout, rendered: Render) -> None:
    """Another process makes the very same bytes; only another moment or text makes others."""
    first = rendered(notice)
    program = (
        "from tests.documents.layout.cast import FONTS, MADE_AT, make_notice\n"
        "from oa_server.documents.layout.fonts import FontLibrary\n"
        "from oa_server.documents.layout.render import render\n"
        "print(render(make_notice(), fonts=FontLibrary([FONTS]), final=True, made_at=MADE_AT).sha256)\n"
    )
    root = Path(__file__).parents[3]
    other = subprocess.run([sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True)
    assert other.stdout.strip() == first.sha256 == sha256(first.pdf).hexdigest()
    later = rendered(notice, made_at=datetime(2026, 11, 25, tzinfo=UTC))
    assert later.sha256 != first.sha256
    assert later.text_sha256 == first.text_sha256


def test_text_digest_outlives_the_acts_after_signing(rendered: Render, notice: DocumentLayout) -> None:
    """Number, dates, copy number, signers and distribution do not touch the digest of what the leader signed."""
    signed = text_digest(replace(notice, doc_no=None, doc_date=None, print_date=None))
    later = replace(
        notice,
        doc_no="江政办发〔2027〕1号",
        doc_date=date(2027, 1, 4),
        copy_no="000007",
        signers=("王五",),
        copies_to=(),
        urgency="特急",
    )
    assert text_digest(later) == signed == rendered(later).text_sha256


@pytest.mark.parametrize(
    "change",
    [
        {"title": "江州市人民政府办公厅关于停止改造的通知"},
        {"main_recipients": ("市财政局",)},
        {"body": (Paragraph("另一正文。"),)},
        {"attachment_note": ("另一附件",)},
        {"attachments": (Attachment("附表", (Paragraph("内容。"),)),)},
        {"note": "此件不公开"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_text_digest_sees_every_word_that_was_signed(notice: DocumentLayout, change: dict) -> None:
    """Any change of title, recipients, body, attachments or note makes another digest (article 25(1))."""
    assert text_digest(replace(notice, **change)) != text_digest(notice)


def test_text_digest_sees_the_level_of_a_heading(notice: DocumentLayout) -> None:
    """The same words as paragraph or heading are not the same text."""
    digests = {
        text_digest(replace(notice, body=(block,)))
        for block in (Heading(1, "一、要求"), Heading(2, "一、要求"), Paragraph("一、要求"), Table((("一、要求",),)))
    }
    assert len(digests) == 4


def test_invisible_characters_make_no_difference(notice: DocumentLayout) -> None:
    """What has no shape on paper is neither signed nor shown: zero widths, marks of direction, control characters."""
    dressed = replace(notice, title=f"\u202e{notice.title}\u200b\x07")
    assert text_digest(dressed) == text_digest(notice)


def test_text_is_never_evaluated(rendered: Render, notice: DocumentLayout, tmp_path: Path) -> None:
    """Whatever looks like an instruction to the engine is printed as it was typed, in every element."""
    secret = tmp_path / "secret.txt"
    secret.write_text("机密内容", "utf-8")
    code = '#import "@preview/x:1.0.0": * $x^2$ *粗* _斜_ `码` <b> @ref \\ "引" // 注 /* */ [a] {b} ~ --- 1. - +'
    hostile = f'#read("{secret}") {code}'
    layout = replace(
        notice,
        body=(Heading(1, hostile), Paragraph(hostile), Table(((hostile, "乙"),))),
        main_recipients=(hostile,),
        attachment_note=(hostile, "乙"),
        note=hostile,
        copies_to=(hostile,),
        doc_no='#panic("1")号',
    )
    result = rendered(layout)
    text = "".join(line.text for page in read_pages(result.pdf) for line in page.lines)
    assert "机密内容" not in text
    assert text.count("#import") == 7
    assert '#panic("1")号' in text


def test_rare_characters_are_shown(rendered: Render, request_upward: DocumentLayout) -> None:
    """Names of rare characters appear as they are, and the result says which face shows each of them."""
    layout = replace(request_upward, body=(Paragraph(f"联系人：{RARE}。{TEXT}"),), signers=(RARE[:3],))
    result = rendered(layout)
    assert set(RARE) <= set(result.substitutes)
    text = "".join(line.text for page in read_pages(result.pdf) for line in page.lines)
    assert Counter(RARE) <= Counter(text)


def test_unshowable_characters_are_refused_by_name(rendered: Render, notice: DocumentLayout) -> None:
    """A character that no font has stops the layout and is named, instead of an empty box on paper."""
    with pytest.raises(Invalid) as refusal:
        rendered(replace(notice, body=(Paragraph("甲\U000323af乙\U0003ffff"),)))
    assert refusal.value.reason == NO_GLYPH
    assert refusal.value.facts["characters"][-1].endswith("U+3FFFF")


@pytest.mark.parametrize("missing", ["doc_no", "doc_date"])
def test_final_pages_need_number_and_date(rendered: Render, notice: DocumentLayout, missing: str) -> None:
    """Pages without number or date can be reviewed, but never become final."""
    with pytest.raises(Invalid) as refusal:
        rendered(replace(notice, **{missing: None}))
    assert refusal.value.reason == INCOMPLETE


def test_warm_render_of_three_pages_is_quick(fonts: FontLibrary, notice: DocumentLayout) -> None:
    """With fonts open, a changed document of three pages is laid out well within a quarter of a second (the aim is 100
    ms)."""
    times = []
    for turn in range(7):
        layout = replace(notice, body=tuple(replace(block, text=f"{block.text}{turn}") for block in notice.body))
        began = time.perf_counter()
        result = render(layout, fonts=fonts, final=True, made_at=MADE_AT)
        times.append(time.perf_counter() - began)
        assert result.page_count == 3
    assert sorted(times)[len(times) // 2] < 0.25


def test_pages_do_not_depend_on_the_working_directory(
    notice: DocumentLayout, rendered: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine sees an empty directory as its root, wherever the server stands."""
    expected = rendered(notice).sha256
    monkeypatch.chdir(tmp_path)
    assert render(notice, fonts=FontLibrary([FONTS.resolve()]), final=True, made_at=MADE_AT).sha256 == expected


def test_tidied_temporary_files_do_not_stop_the_server(notice: DocumentLayout, rendered: Render) -> None:
    """When the engine's empty root has been cleared away, the next document makes it anew."""
    expected = rendered(notice).sha256
    Path(_empty_directory()).rmdir()
    assert rendered(notice).sha256 == expected


def test_threads_do_not_disturb_each_other(notice: DocumentLayout, rendered: Render) -> None:
    """Several documents at once come out as they do alone."""
    layouts = [replace(notice, note=f"第{number}份") for number in range(6)]
    alone = [rendered(layout).sha256 for layout in layouts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda layout: rendered(layout).sha256, layouts * 2)) == alone * 2


def test_first_documents_at_once() -> None:
    """Documents that are the first of a process together find one and the same root."""
    _directory_of_this_process().cleanup()
    _directory_of_this_process.cache_clear()
    together = Barrier(8)

    def first(_number: int) -> str:
        together.wait()
        return _empty_directory()

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(first, range(8)))) == 1
