"""A Word file comes in as our own body, and what does not come along is named."""

from __future__ import annotations

import io
import random
import re
import unicodedata
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import docx
import msgspec
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Pt
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oa_server.core.errors import Invalid, OaError, TooLarge, all_reasons
from oa_server.documents import docx as reading
from oa_server.documents.docx import Imported, parse_docx, read_docx
from oa_server.documents.docx_numbering import chinese_number
from oa_server.documents.layout.model import parse_body
from oa_server.documents.schemas import Body, Elements
from tests.hostile.docx import GOOD, READ, REFUSED, W, document, paragraph

ROOT = Path(__file__).parents[2]


def texts(imported: Imported) -> list[str]:
    return [block["text"] for block in imported.body["content"] if block["type"] != "table"]


def levels(imported: Imported) -> list[int]:
    return [block.get("level", 0) for block in imported.body["content"]]


def tables(imported: Imported) -> list[list[list[str]]]:
    return [block["rows"] for block in imported.body["content"] if block["type"] == "table"]


def notes(imported: Imported) -> set[str]:
    return {note.reason.code.removeprefix("documents.docx_") for note in imported.notes}


def saved(file: Any) -> bytes:
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


# --- a file as an office writes it ------------------------------------------------------------------------------------


async def test_a_notice() -> None:
    """A notice written in Word arrives with its title, headings, text and table, in order, and without any note."""
    file = docx.Document()
    title = file.add_paragraph()
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    title.add_run("关于做好2026年公文处理工作的通知").font.size = Pt(22)
    file.add_paragraph("各县（市、区）人民政府：")
    file.add_paragraph("现将有关事项通知如下。")
    file.add_paragraph("一、总体要求")
    file.add_paragraph("（一）指导思想")
    file.add_paragraph("1.提高认识")
    file.add_paragraph("（1）加强领导")
    file.add_paragraph("各单位要高度重视。")
    table = file.add_table(rows=2, cols=2)
    for cell, text in zip((c for row in table.rows for c in row.cells), ("单位", "名额", "财政局", "3"), strict=True):
        cell.text = text
    file.add_paragraph("特此通知。")
    imported = await read_docx(saved(file))
    assert imported.title == "关于做好2026年公文处理工作的通知"
    assert levels(imported) == [0, 0, 1, 2, 3, 4, 0, 0, 0]
    assert texts(imported)[2:4] == ["一、总体要求", "（一）指导思想"]
    assert tables(imported) == [[["单位", "名额"], ["财政局", "3"]]]
    assert notes(imported) == set()
    assert len(parse_body(imported.body)) == 9
    assert msgspec.convert(imported.body, Body).content


def test_word_styles() -> None:
    """Word's own headings keep their level, and its title style names the title wherever it is centred or not."""
    file = docx.Document()
    file.add_heading("工作方案", level=0)
    for level in (1, 2, 3, 4, 5):
        file.add_heading(f"第{level}级", level=level)
    imported = parse_docx(saved(file))
    assert imported.title == "工作方案"
    assert levels(imported) == [1, 2, 3, 4, 0]


def test_inherited_style() -> None:
    """A style based on a heading is a heading."""
    styles = (
        f'<w:styles {W}><w:style w:styleId="2"><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'
        '<w:style w:styleId="own"><w:basedOn w:val="2"/></w:style></w:styles>'
    )
    data = document(paragraph("工作原则", '<w:pStyle w:val="own"/>'), {"word/styles.xml": styles})
    assert levels(parse_docx(data)) == [2]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("一、总体要求", 1),
        ("二十一、附则", 1),
        ("（十二）保障措施", 2),
        ("(三)责任分工", 2),
        ("12．落实责任", 3),
        ("(4)统计口径", 4),
        ("一、本通知自印发之日起施行。", 0),
        ("3.5亿元的资金", 0),
        ("2026.11.24", 0),
        ("一是提高认识", 0),
        ("一、" + "长" * 60, 0),
        ("一、谁来负责？", 0),
    ],
)
def test_heading_by_its_number(text: str, level: int) -> None:
    """A short paragraph that begins as offices number headings is one; a sentence, an amount and a date are none."""
    assert levels(parse_docx(document(paragraph(text)))) == [level]


def test_the_editor_knows_the_same_headings() -> None:
    """What is pasted or typed in the editor becomes a heading exactly where a Word file's paragraph would."""
    script = (ROOT / "clients/web/src/domains/documents/editor/numbering.ts").read_text("utf-8")
    patterns = re.search(r"const PATTERNS = \[(.+)\]", script)
    ends = re.search(r"!/\[(.+)\]\$/\.test\(text\)", script)
    longest = re.search(r"LONGEST_HEADING = (\d+)", script)
    assert patterns
    assert patterns[1].strip("/").split("/, /") == [pattern.pattern for _level, pattern in reading._HEADINGS]
    assert ends
    assert all(levels(parse_docx(document(paragraph(f"一、要求{end}")))) == [0] for end in ends[1])
    assert longest
    assert int(longest[1]) == reading.HEADING_LENGTH


def test_title_only_before_the_first_heading() -> None:
    """A large centred line after the first heading is text, not the title."""
    large = (
        '<w:p><w:pPr><w:jc w:val="center"/></w:pPr><w:r><w:rPr><w:sz w:val="44"/></w:rPr><w:t>附表</w:t></w:r></w:p>'
    )
    imported = parse_docx(document(paragraph("一、总体要求") + paragraph("正文") + large))
    assert (imported.title, texts(imported)) == ("", ["一、总体要求", "正文", "附表"])


def test_small_centred_line_is_no_title() -> None:
    """A centred line of ordinary size, such as a date under the title, stays in the text."""
    imported = parse_docx(document(paragraph("2026年11月24日", '<w:jc w:val="center"/>')))
    assert (imported.title, texts(imported)) == ("", ["2026年11月24日"])


# --- automatic numbering ----------------------------------------------------------------------------------------------


def numbered(*lists: str, nums: str = '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>') -> dict[str, str]:
    """numbering.xml of abstract lists 0, 1, …; each argument holds the levels of one."""
    abstract = "".join(f'<w:abstractNum w:abstractNumId="{n}">{each}</w:abstractNum>' for n, each in enumerate(lists))
    return {"word/numbering.xml": f"<w:numbering {W}>{abstract}{nums}</w:numbering>"}


def level(at: int, kind: str, text: str, more: str = "") -> str:
    return f'<w:lvl w:ilvl="{at}">{more}<w:numFmt w:val="{kind}"/><w:lvlText w:val={quoteattr(text)}/></w:lvl>'


def item(text: str, at: int = 0, number: int = 1) -> str:
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{number}"/></w:numPr>')


def test_numbering_becomes_text() -> None:
    """Numbers that Word only draws are written out, each level in its own digits, deeper ones beginning anew."""
    rules = numbered(level(0, "chineseCounting", "%1、") + level(1, "chineseCountingThousand", "（%2）"))
    body = item("要求") + item("思想", 1) + item("原则", 1) + item("任务") + item("分工", 1)
    imported = parse_docx(document(body, rules))
    assert texts(imported) == ["一、要求", "（一）思想", "（二）原则", "二、任务", "（一）分工"]
    assert levels(imported) == [1, 2, 2, 1, 2]


def test_numbers_of_several_levels() -> None:
    """A number that names the levels above takes their counts, and the first number of one not yet counted."""
    rules = numbered(level(0, "decimal", "%1") + level(1, "decimal", "%1.%2", '<w:start w:val="3"/>'))
    assert texts(parse_docx(document(item("甲", 1) + item("乙") + item("丙", 1) + item("丁", 1), rules))) == [
        "1.3甲",
        "1乙",
        "1.3丙",
        "1.4丁",
    ]


def test_lists_of_one_kind_count_together() -> None:
    """Lists made from the same abstract one go on counting, as Word shows them, until one says where to restart."""
    nums = "".join(
        f'<w:num w:numId="{n}"><w:abstractNumId w:val="0"/>{more}</w:num>'
        for n, more in (
            (1, ""),
            (2, ""),
            (3, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'),
            (4, f'<w:lvlOverride w:ilvl="0">{level(0, "lowerLetter", "%1)")}</w:lvlOverride>'),
        )
    )
    rules = numbered(level(0, "decimal", "%1."), nums=nums)
    body = "".join(item("项", number=n) for n in (1, 2, 3, 3, 4))
    assert texts(parse_docx(document(body, rules))) == ["1.项", "2.项", "1.项", "2.项", "c)项"]


def test_numbering_by_style() -> None:
    """A heading style linked to a list is numbered, and a paragraph may take itself out of the list."""
    styles = (
        f'<w:styles {W}><w:style w:styleId="1"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:styleId="2"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style></w:styles>'
    )
    linked = level(0, "chineseCounting", "%1、", '<w:pStyle w:val="1"/>')
    linked += level(1, "chineseCounting", "（%2）", '<w:pStyle w:val="2"/>')
    one, two = ('<w:pStyle w:val="1"/>', '<w:pStyle w:val="2"/>')
    body = paragraph("要求", one) + paragraph("思想", two)
    body += paragraph("附言", f'{one}<w:numPr><w:numId w:val="0"/></w:numPr>') + paragraph("任务", one)
    data = document(body, {"word/styles.xml": styles, **numbered(linked)})
    assert texts(parse_docx(data)) == ["一、要求", "（一）思想", "附言", "二、任务"]


@pytest.mark.parametrize(
    ("kind", "third", "thirtieth"),
    [
        ("decimal", "3", "30"),
        ("chineseCounting", "三", "三十"),
        ("japaneseCounting", "三", "三十"),
        ("ideographDigital", "三", "三〇"),
        ("ideographTraditional", "丙", "30"),
        ("decimalZero", "03", "30"),
        ("decimalFullWidth", "３", "３０"),
        ("decimalEnclosedCircle", "③", "30"),
        ("decimalEnclosedParen", "⑶", "30"),
        ("lowerLetter", "c", "dd"),
        ("upperLetter", "C", "DD"),
        ("lowerRoman", "iii", "xxx"),
        ("upperRoman", "III", "XXX"),
        ("none", "", ""),
        ("hebrew1", "3", "30"),
    ],
)
def test_kinds_of_digits(kind: str, third: str, thirtieth: str) -> None:
    """Each kind of digits that offices use comes out as Word shows it; unknown kinds as plain digits."""
    shown = texts(parse_docx(document(item("项") * 30, numbered(level(0, kind, "%1")))))
    assert (shown[2], shown[29]) == (f"{third}项", f"{thirtieth}项")


def test_digits_that_run_out() -> None:
    """A list longer than any Chinese number we spell goes on in plain digits."""
    rules = numbered(level(0, "chineseCounting", "%1、", '<w:start w:val="9999"/>'))
    assert texts(parse_docx(document(item("项") * 2, rules))) == ["九千九百九十九、项", "10000、项"]


def test_bullets_are_noted() -> None:
    """A bullet, which the standard does not know, goes with a note; one that shows nothing, or has no text, does not."""
    rules = numbered(level(0, "bullet", "\uf06c") + level(1, "bullet", ""))
    assert notes(parse_docx(document(item("点"), rules))) == {"bullets"}
    assert notes(parse_docx(document(item("点", 1) + item(""), rules))) == set()


def test_paragraphs_in_no_known_list() -> None:
    """A bullet, a level the list has not, and a list the file has not leave the text as it is."""
    rules = numbered(level(0, "bullet", "\uf06c") + level(1, "decimal", "%9.%2") + level(9, "decimal", "%1"))
    body = item("点") + item("层", 5) + item("表", 0, 7) + item("级", 1) + item("深", 9)
    assert texts(parse_docx(document(body, rules))) == ["点", "层", "表", ".1级", "深"]


@given(st.integers(0, 9999))
def test_chinese_numbers_read_back(number: int) -> None:
    """A Chinese number says what it was made from, with one 零 for each gap and no 一 before a leading 十."""
    text = chinese_number(number)
    total = digit = 0
    for char in text:
        if char in "十百千":
            total, digit = total + (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char], 0
        else:
            digit = "零一二三四五六七八九".index(char)
    assert total + digit == number
    assert not text.startswith("一十")
    assert "零零" not in text
    assert number == 0 or not text.endswith("零")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "零"), (10, "十"), (12, "十二"), (20, "二十"), (101, "一百零一"), (110, "一百一十"), (1001, "一千零一")],
)
def test_chinese_numbers(number: int, text: str) -> None:
    """Numbers are spelled as articles of regulations are counted."""
    assert chinese_number(number) == text


# --- what stands in odd places ----------------------------------------------------------------------------------------


def test_content_controls() -> None:
    """Text in content controls, custom markup and accepted insertions is text like any other."""
    body = (
        f"<w:sdt><w:sdtPr/><w:sdtContent>{paragraph('甲')}<w:sdt><w:sdtContent>{paragraph('乙')}</w:sdtContent></w:sdt>"
    )
    body += f"</w:sdtContent></w:sdt><w:customXml>{paragraph('丙')}</w:customXml>"
    body += "<w:p><w:sdt><w:sdtContent><w:r><w:t>丁</w:t></w:r></w:sdtContent></w:sdt></w:p>"
    row = (
        f"<w:sdt><w:sdtContent><w:tr><w:sdt><w:sdtContent><w:tc>{paragraph('格')}</w:tc></w:sdtContent></w:sdt></w:tr>"
    )
    imported = parse_docx(document(f"{body}<w:tbl>{row}</w:sdtContent></w:sdt></w:tbl>"))
    assert texts(imported) == ["甲", "乙", "丙", "丁"]
    assert tables(imported) == [[["格"]]]


def test_text_box() -> None:
    """A text box comes once, after the paragraph it hangs on, however many forms the file has of it, and is noted."""
    box = f"<w:txbxContent>{paragraph('框一')}{paragraph('框二')}</w:txbxContent>"
    drawn = (
        f"<mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:txbx>{box}</wps:txbx></w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent>"
    )
    imported = parse_docx(document(f"<w:p><w:r><w:t>前</w:t>{drawn}<w:t>后</w:t></w:r></w:p>{paragraph('下一段')}"))
    assert texts(imported) == ["前后", "框一", "框二", "下一段"]
    assert notes(imported) == {"boxes"}


def test_signs_for_characters() -> None:
    """Tabs and line breaks are spaces, a hyphen that does not break is one, and tab stops are nothing."""
    stops = '<w:tabs><w:tab w:val="left" w:pos="420"/><w:tab w:val="left" w:pos="840"/></w:tabs>'
    runs = "<w:t>甲</w:t><w:tab/><w:t>乙</w:t><w:br/><w:t>丙</w:t><w:cr/><w:t>A</w:t><w:noBreakHyphen/><w:t>1\n2</w:t>"
    listed = f'{stops}<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    data = document(f"<w:p><w:pPr>{listed}</w:pPr><w:r>{runs}</w:r></w:p>", numbered(level(0, "decimal", "%1.")))
    imported = parse_docx(data)
    assert texts(imported) == ["1.甲 乙 丙 A-1 2"]
    assert notes(imported) == set()


def test_comments_of_the_markup() -> None:
    """Comments and instructions between the letters of a text do not cut it short."""
    assert texts(parse_docx(document(paragraph("正<!-- x -->文<?x y?>全")))) == ["正文全"]


def test_empty_paragraphs() -> None:
    """Paragraphs without visible text leave no block, nor do tables without cells."""
    imported = parse_docx(document(f"<w:p/>{paragraph('　 ')}<w:tbl><w:tr/></w:tbl>{paragraph('　　正文　')}"))
    assert imported.body["content"] == [{"type": "paragraph", "text": "正文"}]


# --- tables -----------------------------------------------------------------------------------------------------------


def test_merged_cells() -> None:
    """Merged cells are split into a full grid, which the layout needs, and this is noted."""
    file = docx.Document()
    table = file.add_table(rows=3, cols=3)
    for number, cell in enumerate(c for row in table.rows for c in row.cells):
        cell.text = str(number)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "横"
    table.cell(1, 2).merge(table.cell(2, 2)).text = "竖"
    imported = parse_docx(saved(file))
    assert tables(imported) == [[["横", "", "2"], ["3", "4", "竖"], ["6", "7", ""]]]
    assert notes(imported) == {"merged"}
    assert parse_body(imported.body)


def test_ragged_table() -> None:
    """Rows that are shorter than the others are filled up with empty cells."""
    row = "<w:tr>" + f"<w:tc>{paragraph('格')}</w:tc>" * 3 + "</w:tr>"
    imported = parse_docx(document(f"<w:tbl>{row}<w:tr><w:tc>{paragraph('短')}</w:tc></w:tr></w:tbl>"))
    assert tables(imported) == [[["格", "格", "格"], ["短", "", ""]]]


def section(size: str) -> str:
    return f"<w:sectPr>{size}</w:sectPr>"


def test_table_in_a_landscape_section() -> None:
    """A table on pages that are broader than high lies turned on ours; those in the sections before and behind it do not.
    A section's pages are told at its end."""
    upright, sideways = '<w:pgSz w:w="11906" w:h="16838"/>', '<w:pgSz w:w="16838" w:h="11906" w:orient="landscape"/>'
    table = "<w:tbl><w:tr><w:tc>{}</w:tc></w:tr></w:tbl>"
    before, within, behind = (table.format(paragraph(text)) for text in ("前", "中", "后"))
    ends = [f"<w:p><w:pPr>{section(size)}</w:pPr></w:p>" for size in (upright, sideways)]
    data = document(before + ends[0] + within + within + ends[1] + behind + section(upright))
    blocks = parse_docx(data).body["content"]
    assert [(block["rows"][0][0], block.get("landscape")) for block in blocks] == [
        ("前", None),
        ("中", True),
        ("中", True),
        ("后", None),
    ]
    assert [block.landscape for block in parse_body({"type": "doc", "content": blocks})] == [False, True, True, False]
    assert msgspec.convert({"type": "doc", "content": blocks}, Body)


@pytest.mark.parametrize(
    ("size", "turned"),
    [
        ('<w:pgSz w:w="16838" w:h="11906" w:orient="landscape"/>', True),
        ('<w:pgSz w:w="16838" w:h="11906"/>', True),
        ('<w:pgSz w:orient="landscape"/>', True),
        ('<w:pgSz w:w="11906" w:h="16838" w:orient="landscape"/>', False),
        ('<w:pgSz w:w="wide" w:h="11906"/>', False),
        ("<w:pgSz/>", False),
        ("", False),
    ],
)
def test_what_a_landscape_section_is(size: str, turned: bool) -> None:
    """The size of the pages tells; where it is not given, the hint for printers does; and a file whose only section is
    landscape has all its tables turned."""
    data = document(f"<w:tbl><w:tr><w:tc>{paragraph('甲')}</w:tc></w:tr></w:tbl>{section(size)}")
    (block,) = parse_docx(data).body["content"]
    assert block.get("landscape", False) is turned


def test_nested_table_in_a_landscape_section() -> None:
    """A table within a table goes into its cell as everywhere."""
    inner = f"<w:tbl><w:tr><w:tc>{paragraph('内')}</w:tc></w:tr></w:tbl>"
    data = document(
        f"<w:tbl><w:tr><w:tc>{inner}{paragraph('外')}</w:tc></w:tr></w:tbl>"
        + section('<w:pgSz w:w="16838" w:h="11906"/>')
    )
    imported = parse_docx(data)
    assert imported.body["content"] == [{"type": "table", "rows": [["内\n外"]], "header": False, "landscape": True}]
    assert notes(imported) == {"nested"}


@pytest.mark.parametrize(("properties", "header"), [("<w:tblHeader/>", True), ("", False)])
def test_table_header(properties: str, header: bool) -> None:
    """A first row that repeats on every page is the header."""
    row = f"<w:tr><w:trPr>{properties}</w:trPr><w:tc>{paragraph('单位')}</w:tc></w:tr>"
    (table,) = parse_docx(document(f"<w:tbl>{row}</w:tbl>")).body["content"]
    assert table["header"] is header


def test_cells_of_several_paragraphs() -> None:
    """A cell keeps its lines and its automatic numbers; a table inside it is put into it once, and noted."""
    inner = f"<w:tbl><w:tr><w:tc>{paragraph('内一')}</w:tc><w:tc>{paragraph('内二')}</w:tc></w:tr></w:tbl>"
    cell = f"<w:tc>{item('首')}{item('次')}{inner}</w:tc><w:tc>{paragraph('邻')}</w:tc>"
    imported = parse_docx(document(f"<w:tbl><w:tr>{cell}</w:tr></w:tbl>", numbered(level(0, "decimal", "%1."))))
    assert tables(imported) == [[["1.首\n2.次\n内一 内二", "邻"]]]
    assert notes(imported) == {"nested"}


# --- what stays behind is named ---------------------------------------------------------------------------------------


def test_tracked_changes() -> None:
    """Insertions are taken, deletions are not, moved text stands once, deleted rows go, and all this is noted."""
    body = (
        "<w:p><w:r><w:t>原</w:t></w:r><w:ins w:author='李红'><w:r><w:t>增</w:t></w:r></w:ins>"
        "<w:del w:author='李红'><w:r><w:delText>删</w:delText><w:t>除</w:t></w:r></w:del>"
        "<w:moveTo><w:r><w:t>移</w:t></w:r></w:moveTo></w:p>"
        "<w:p><w:moveFrom><w:r><w:t>移</w:t></w:r></w:moveFrom></w:p>"
        f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{paragraph('废')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{paragraph('存')}</w:tc></w:tr></w:tbl>"
    )
    imported = parse_docx(document(body))
    assert texts(imported) == ["原增移"]
    assert tables(imported) == [[["存"]]]
    assert notes(imported) == {"changes"}


def test_picture_comment_and_footer_of_word() -> None:
    """A picture, a comment and a footer made by a real writer are each noted, and the text around them stays."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    file = docx.Document()
    run = file.add_paragraph("正文").runs[0]
    file.add_picture(picture)
    file.add_comment(run, text="此处请核", author="李红")
    file.sections[0].footer.paragraphs[0].text = "— 1 —"
    imported = parse_docx(saved(file))
    assert texts(imported) == ["正文"]
    assert notes(imported) == {"images", "comments", "headers"}


EXTERNAL = '<Relationships><Relationship Id="r" Target="http://x.invalid/" TargetMode="External"/></Relationships>'


@pytest.mark.parametrize(
    ("body", "parts", "code"),
    [
        ("<w:p><w:r><w:footnoteReference/></w:r></w:p>", {}, "footnotes"),
        ("<w:p><w:r><w:endnoteReference/></w:r></w:p>", {}, "footnotes"),
        ("<w:p><w:r><w:object/></w:r></w:p>", {}, "objects"),
        ("<w:altChunk/>", {}, "objects"),
        ("<w:p><m:oMath><m:r><m:t>x</m:t></m:r></m:oMath></w:p>", {}, "formulas"),
        ("<w:p><w:r><w:sym/></w:r></w:p>", {}, "symbols"),
        ("", {"word/vbaProject.bin": "x"}, "macros"),
        ("", {"word/embeddings/oleObject1.bin": "x"}, "objects"),
        ("", {"word/charts/chart1.xml": "x"}, "objects"),
        ("", {"word/header1.xml": "x"}, "headers"),
        ("", {"word/_rels/document.xml.rels": EXTERNAL}, "links"),
    ],
)
def test_left_out_is_noted(body: str, parts: dict[str, str], code: str) -> None:
    """Whatever else a file holds is left out with a note, in Chinese and English, never silently."""
    imported = parse_docx(document(paragraph("正文") + body, parts))
    assert texts(imported) == ["正文"]
    assert notes(imported) == {code}
    reason = imported.notes[0].reason
    assert all_reasons()[reason.code] is reason
    assert reason.title("zh")
    assert reason.title("en")


def test_internal_relations() -> None:
    """Relations to parts of the same file are nothing to speak of."""
    inside = EXTERNAL.replace("External", "Internal")
    assert notes(parse_docx(document(paragraph("正文"), {"word/_rels/document.xml.rels": inside}))) == set()


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\ufeff", "\ue000", "\u2028", "\u0085"])
def test_hidden_characters(hidden: str) -> None:
    """Marks of direction, zero widths and private signs are taken out of text, and this is noted."""
    imported = parse_docx(document(paragraph(f"公{hidden}文")))
    assert texts(imported) == ["公文"]
    assert notes(imported) == {"hidden"}


def test_hidden_characters_in_a_number() -> None:
    """A list rule cannot smuggle in what a text may not hold."""
    imported = parse_docx(document(item("项"), numbered(level(0, "decimal", "\u202e%1."))))
    assert texts(imported) == ["1.项"]
    assert notes(imported) == {"hidden"}


def test_normal_form() -> None:
    """Text arrives in normal form C, so that two ways to write a character make one digest."""
    assert texts(parse_docx(document(paragraph("Cafe\u0301 \uf900")))) == ["Café 豈"]


# --- what a draft can hold --------------------------------------------------------------------------------------------


def rows_of(rows: int, columns: int, text: str = "格") -> str:
    return "<w:tbl>" + ("<w:tr>" + f"<w:tc>{paragraph(text)}</w:tc>" * columns + "</w:tr>") * rows + "</w:tbl>"


HEADING = '<w:outlineLvl w:val="0"/>'
BEYOND = [
    (rows_of(1, 1) + rows_of(2, 25), "columns", {"table": 2, "found": 25, "limit": 20}),
    (rows_of(601, 2), "rows", {"table": 1, "found": 601, "limit": 500}),
    (
        rows_of(1, 1, "长" * 2500),
        "cell",
        {"table": 1, "row": 1, "column": 1, "found": 2500, "limit": 2000},
    ),
    (paragraph("段") * 2500, "blocks", {"limit": 2000}),
    (paragraph("长" * 20_001), "paragraph", {"begins": "长" * 20, "found": 20_001, "limit": 20_000}),
    (paragraph("题" * 2001, HEADING), "heading", {"begins": "题" * 20, "found": 2001, "limit": 2000}),
    (paragraph("".join(random.Random(1).choices("公文处理工作条例", k=19_000))) * 150, "body", {"limit": 7 << 20}),
]


@pytest.mark.parametrize(("body", "code", "facts"), BEYOND, ids=[code for _, code, _ in BEYOND])
def test_more_than_a_draft_holds(body: str, code: str, facts: dict[str, Any]) -> None:
    """What no draft could be saved with is refused with its place and the limit, instead of at every later save."""
    with pytest.raises(TooLarge) as caught:
        parse_docx(document(body))
    assert caught.value.code == f"documents.docx_{code}"
    assert caught.value.facts == facts


def test_the_limits_are_those_of_saving() -> None:
    """The import refuses exactly what the schemas refuse when the draft is saved."""
    shown = {name: msgspec.json.schema(struct)["$defs"] for name, struct in (("body", Body), ("elements", Elements))}
    rows = shown["body"]["Table"]["properties"]["rows"]
    assert shown["body"]["Body"]["properties"]["content"]["maxItems"] == reading.MOST_BLOCKS
    assert rows["maxItems"] == reading.MOST_ROWS
    assert rows["items"]["maxItems"] == reading.MOST_COLUMNS
    assert rows["items"]["items"]["maxLength"] == reading.LONGEST_CELL
    assert shown["body"]["Heading"]["properties"]["text"]["maxLength"] == reading.LONGEST_HEADING
    assert shown["body"]["Paragraph"]["properties"]["text"]["maxLength"] == reading.LONGEST_PARAGRAPH
    assert shown["elements"]["Elements"]["properties"]["title"]["maxLength"] == reading.LONGEST_TITLE


def test_as_much_as_a_draft_holds() -> None:
    """A file at every limit is taken, and the body can be saved."""
    body = rows_of(500, 20) + rows_of(1, 1, "长" * 2000) + paragraph("长" * 20_000) + paragraph("题" * 2000, HEADING)
    imported = parse_docx(document(body + paragraph("段") * 1996))
    assert len(imported.body["content"]) == 2000
    assert msgspec.convert(imported.body, Body)


def test_a_title_too_long_for_one() -> None:
    """A large centred paragraph that is longer than any title stays in the body, whole."""
    large = '<w:p><w:pPr><w:jc w:val="center"/></w:pPr><w:r><w:rPr><w:sz w:val="44"/></w:rPr><w:t>{}</w:t></w:r></w:p>'
    imported = parse_docx(document(large.format("题" * 301)))
    assert (imported.title, texts(imported)) == ("", ["题" * 301])
    assert parse_docx(document(large.format("题" * 300))).title == "题" * 300


# --- hostile files ----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """A file that is no Word file, or is made to hurt, is refused with the reason, soon."""
    make, code = REFUSED[name]
    with pytest.raises(Invalid if code in {"docx_unreadable", "docx_hostile"} else TooLarge) as caught:
        parse_docx(make())
    assert caught.value.code == f"documents.{code}"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", READ)
def test_odd_but_read(name: str) -> None:
    """A file with odd rules is read all the same, in bounded time and room."""
    imported = parse_docx(READ[name]())
    shown = texts(imported) + [cell for table in tables(imported) for row in table for cell in row]
    assert any("正文" in text for text in shown)
    assert sum(map(len, shown)) < 2_000_000


# --- any file ---------------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.data())
def test_damaged_files(data: st.DataObject) -> None:
    """A file with damaged bytes is read or refused; nothing else happens."""
    broken = bytearray(GOOD)
    for at in data.draw(st.lists(st.integers(0, len(GOOD) - 1), min_size=1, max_size=4)):
        broken[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 3) | st.integers(0, len(GOOD)))
    try:
        imported = parse_docx(bytes(broken[: len(broken) - cut]))
    except OaError:
        return
    assert imported.body["type"] == "doc"


_TAGS = (
    *("p", "pPr", "r", "t", "tab", "br", "pStyle", "numPr", "numId", "ilvl", "outlineLvl", "jc", "sz"),
    *("tbl", "tr", "trPr", "tc", "tcPr", "gridSpan", "vMerge", "tblHeader"),
    *("sdt", "sdtContent", "ins", "del", "moveFrom", "txbxContent", "sectPr"),
)
_VALUES = ("", "0", "1", "2", "8", "9", "-1", "²", "99999999", "center", "44", "a")


def _markup() -> st.SearchStrategy[str]:
    value = st.sampled_from(_VALUES).map(lambda v: f" w:val={quoteattr(v)}")
    leaf = st.text("甲a1.（）、 ", max_size=6).map(lambda text: f"<w:t>{escape(text)}</w:t>")

    def wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        tagged = st.tuples(st.sampled_from(_TAGS), value, st.lists(inner, max_size=4))
        return tagged.map(lambda drawn: f"<w:{drawn[0]}{drawn[1]}>{''.join(drawn[2])}</w:{drawn[0]}>")

    return st.recursive(leaf, wrapped, max_leaves=25)


@settings(max_examples=300)
@given(st.lists(_markup(), max_size=8))
def test_any_markup(parts: list[str]) -> None:
    """Whatever stands in a body in whatever order, the result is a body the rest of the house takes."""
    rules = numbered(level(0, "chineseCounting", "%1、") + level(1, "decimal", "%1.%2"))
    imported = parse_docx(document("".join(parts), rules))
    assert len(parse_body(imported.body)) == len(imported.body["content"])
    for text in texts(imported):
        assert text == text.strip() != ""


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12), max_size=6), st.data())
def test_no_text_is_lost(words: list[str], data: st.DataObject) -> None:
    """Text comes out whole and in order, whichever way it is cut into runs, controls and insertions."""
    chance = random.Random(data.draw(st.integers(0, 2**16)))
    ways = (
        "<w:r><w:t>{}</w:t></w:r>",
        "<w:ins><w:r><w:t>{}</w:t></w:r></w:ins>",
        "<w:hyperlink><w:r><w:t>{}</w:t></w:r></w:hyperlink>",
        "<w:sdt><w:sdtPr/><w:sdtContent><w:r><w:t>{}</w:t></w:r></w:sdtContent></w:sdt>",
        "<w:smartTag><w:r><w:rPr><w:b/></w:rPr><w:t>{}</w:t></w:r></w:smartTag>",
    )
    body = "".join(
        "<w:p>" + "".join(chance.choice(ways).format(escape(char)) for char in word) + "</w:p>" for word in words
    )
    imported = parse_docx(document(body))
    assert texts(imported) == [unicodedata.normalize("NFC", word) for word in words]


def test_our_files_are_word_files() -> None:
    """The files built by hand here are taken by a general reader, so the tests above speak of real markup."""
    assert docx.Document(io.BytesIO(_readable())).paragraphs[0].text == "正文"


def _readable() -> bytes:
    """A file of ours with the relations that a general reader asks for."""
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{relation}" Target="word/document.xml"/></Relationships>'
    )
    return document(paragraph("正文"), {"_rels/.rels": relations})
