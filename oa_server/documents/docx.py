"""A Word file as our own body: headings, numbered paragraphs and tables, and a note for everything that stays behind.

An own small reader (ECMA-376, part 1): the archive is measured before anything is unpacked, XML is parsed without
entities, document types or network, and only the parts that hold text are opened.
"""

from __future__ import annotations

import asyncio
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from lxml import etree

from oa_server.core.errors import Invalid, Reason, TooLarge
from oa_server.documents.docx_numbering import Numbering, W, value, whole
from oa_server.web.endpoint import JSON_LIMIT

SIZE_LIMIT = 32 << 20
UNPACKED_LIMIT = 128 << 20
RATIO_LIMIT = 200
MEMBER_LIMIT = 2000
PART_LIMIT = 32 << 20
MARKUP_LIMIT = 1_000_000  # elements' and attributes' signs in one part; libxml2 takes up to 140 bytes for each
STYLE_DEPTH = 20
SPAN_LIMIT = 63  # columns, Word's own
TITLE_SIZE = 36  # half-points: 18 pt, 小二

# What a draft can be saved with, as the schemas above this module say it; a test holds the two together.
MOST_BLOCKS, MOST_ROWS, MOST_COLUMNS = 2000, 500, 20
LONGEST_CELL, LONGEST_HEADING, LONGEST_PARAGRAPH, LONGEST_TITLE = 2000, 2000, 20_000, 300
LARGEST_BODY = JSON_LIMIT - (1 << 20)  # the elements, with all their recipients, are saved in the same request
BEGINNING = 20  # characters by which a paragraph is named

NOT_DOCX = Reason(
    "documents.docx_unreadable", "文件不是可以读取的 .docx 文件", "The file is no .docx that can be read."
)
BOMB = Reason("documents.docx_too_large", "文件解压后过大，已拒绝", "The file unpacks to more than is allowed.")
HOSTILE = Reason(
    "documents.docx_hostile", "文件包含不允许的内容（外部实体或越界路径）", "The file holds what is not allowed."
)
MANY_BLOCKS = Reason(
    "documents.docx_blocks",
    f"文件的段落、标题和表格合计超过{MOST_BLOCKS}个，未导入，请将部分内容作为附件上传",
    f"Nothing was taken: more than {MOST_BLOCKS} paragraphs, headings and tables. Attach part of them.",
)
MANY_ROWS = Reason(
    "documents.docx_rows",
    f"表格超过{MOST_ROWS}行，文件未导入，请拆分表格或将其作为附件上传",
    f"Nothing was taken: a table has more than {MOST_ROWS} rows. Split it or attach it.",
)
MANY_COLUMNS = Reason(
    "documents.docx_columns",
    f"表格超过{MOST_COLUMNS}列，文件未导入，请拆分表格或将其作为附件上传",
    f"Nothing was taken: a table has more than {MOST_COLUMNS} columns. Split it or attach it.",
)
LONG_CELL = Reason(
    "documents.docx_cell",
    f"表格单元格超过{LONGEST_CELL}字，文件未导入，请将其移到表格之外或作为附件上传",
    f"Nothing was taken: a cell has more than {LONGEST_CELL} characters. Move its text out of the table or attach it.",
)
LONG_HEADING = Reason(
    "documents.docx_heading",
    f"标题超过{LONGEST_HEADING}字，文件未导入，请改为正文段落",
    f"Nothing was taken: a heading has more than {LONGEST_HEADING} characters. Make it a paragraph.",
)
LONG_PARAGRAPH = Reason(
    "documents.docx_paragraph",
    f"段落超过{LONGEST_PARAGRAPH}字，文件未导入，请分段",
    f"Nothing was taken: a paragraph has more than {LONGEST_PARAGRAPH} characters. Split it.",
)
LARGE_BODY = Reason(
    "documents.docx_body",
    "正文过长，文件未导入，请将部分内容作为附件上传",
    "Nothing was taken: the text is too long to be saved. Attach part of it.",
)
HAS_IMAGES = Reason("documents.docx_images", "图片未导入，请作为附件上传", "Pictures were left out; attach them.")
HAS_CHANGES = Reason("documents.docx_changes", "修订已按接受处理", "Tracked changes were taken as accepted.")
HAS_LINKS = Reason(
    "documents.docx_links", "外部链接未导入，只保留文字", "External links were left out; their text stays."
)
HAS_HEADERS = Reason("documents.docx_headers", "页眉和页脚未导入", "Headers and footers were left out.")
HAS_FORMULAS = Reason("documents.docx_formulas", "公式未导入，请作为附件上传", "Formulas were left out; attach them.")
HAS_BOXES = Reason("documents.docx_boxes", "文本框中的文字已作为段落导入", "Text boxes were taken as paragraphs.")
HAS_SYMBOLS = Reason("documents.docx_symbols", "符号字体中的符号未导入", "Signs of symbol fonts were left out.")
HAS_NESTED = Reason("documents.docx_nested", "嵌套的表格已并入所在单元格", "Nested tables were put into their cell.")
HAS_COMMENTS = Reason("documents.docx_comments", "批注未导入", "Comments were left out.")
HAS_FOOTNOTES = Reason("documents.docx_footnotes", "脚注和尾注未导入", "Footnotes were left out.")
HAS_MACROS = Reason("documents.docx_macros", "文件含有宏，未导入", "Macros were left out.")
HAS_OBJECTS = Reason("documents.docx_objects", "嵌入对象未导入", "Embedded objects were left out.")
HAS_MERGED = Reason("documents.docx_merged", "合并的单元格已拆分", "Merged cells were split.")
HAS_BULLETS = Reason(
    "documents.docx_bullets",
    "项目符号未导入（国家标准的公文格式没有项目符号），文字已保留",
    "Bullets were left out; their text stays.",
)
HAS_HIDDEN = Reason("documents.docx_hidden", "不可见字符已删除", "Invisible characters were removed.")

_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_HEADINGS = (
    (1, re.compile(r"^[零一二三四五六七八九十百]+、")),
    (2, re.compile(r"^[（(][零一二三四五六七八九十百]+[）)]")),
    (3, re.compile(r"^\d+[.．](?!\d)")),  # not an amount (3.5亿元) nor a date (2026.11.24)
    (4, re.compile(r"^[（(]\d+[）)]")),
)
# What stands around paragraphs, rows and cells without changing them: content controls and accepted insertions.
_WRAPPERS = {f"{W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo")}
_SIGNS = {f"{W}tab": " ", f"{W}br": " ", f"{W}cr": " ", f"{W}noBreakHyphen": "-"}
_PIECES = {f"{W}t", f"{W}txbxContent", *_SIGNS}
# Properties, what was deleted, and the second form of a drawing for programs that do not know the first.
_UNSHOWN = {*(f"{W}{name}" for name in ("pPr", "rPr", "del", "moveFrom")), f"{_MC}Fallback"}
_PARTS = (
    (HAS_IMAGES, ("word/media/",)),
    (HAS_COMMENTS, ("word/comments",)),
    (HAS_HEADERS, ("word/header", "word/footer")),
    (HAS_MACROS, ("word/vbaProject",)),
    (HAS_OBJECTS, ("word/embeddings/", "word/charts/", "word/diagrams/", "word/activeX/", "word/afchunk")),
)
_ELEMENTS = (
    (HAS_FOOTNOTES, (f"{W}footnoteReference", f"{W}endnoteReference")),
    (HAS_OBJECTS, (f"{W}object", f"{W}altChunk")),
    (HAS_FORMULAS, (f"{_M}oMath",)),
    (HAS_SYMBOLS, (f"{W}sym",)),
    (HAS_CHANGES, (f"{W}ins", f"{W}del", f"{W}moveFrom")),
)
HEADING_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Note:
    """Something of the file that did not come along, or came along changed."""

    reason: Reason


@dataclass(slots=True)
class Imported:
    """The body, the title it seems to have, and the notes in the order they were found."""

    body: dict[str, Any]
    title: str = ""
    notes: list[Note] = field(default_factory=list)


async def read_docx(data: bytes) -> Imported:
    """Read a .docx in a worker thread. Raises Invalid, TooLarge."""
    return await asyncio.to_thread(parse_docx, data)


def parse_docx(data: bytes) -> Imported:
    """The body of a .docx. Raises Invalid for what is none or is hostile, TooLarge for bombs."""
    # The signatures of the directory are counted first: the library would make an object of each of a million members.
    if len(data) > SIZE_LIMIT or data.count(b"PK\x01\x02") > MEMBER_LIMIT:
        raise TooLarge(BOMB, limit=SIZE_LIMIT)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_archive(archive)
            return _Reader(archive).read()
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise Invalid(NOT_DOCX) from error


def _check_archive(archive: zipfile.ZipFile) -> None:
    """Measure before unpacking, and refuse names that climb out of the archive or stand in it twice."""
    members = archive.infolist()
    if sum(m.file_size for m in members) > UNPACKED_LIMIT:
        raise TooLarge(BOMB, limit=UNPACKED_LIMIT)
    if len({m.filename for m in members}) < len(members):
        raise Invalid(HOSTILE)
    for member in members:
        if member.file_size > RATIO_LIMIT * max(member.compress_size, 1) and member.file_size > SIZE_LIMIT // 8:
            raise TooLarge(BOMB, member=member.filename)
        if member.filename.startswith(("/", "\\")) or ".." in member.filename.replace("\\", "/").split("/"):
            raise Invalid(HOSTILE)
        if member.flag_bits & 1 or member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise Invalid(NOT_DOCX)


def _parse(data: bytes) -> etree._Element:
    """The root of a part. Raises Invalid for a document type in whatever encoding, TooLarge for too much markup."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise Invalid(HOSTILE)
    if data.count(b"<") + data.count(b"=") > MARKUP_LIMIT:
        raise TooLarge(BOMB, limit=MARKUP_LIMIT)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Invalid(NOT_DOCX) from error
    if root.getroottree().docinfo.internalDTD is not None:  # the search above does not see UTF-16 or UTF-7
        raise Invalid(HOSTILE)
    return root


def _unwrapped(parent: etree._Element) -> Iterator[etree._Element]:
    """Children, with those that content controls and insertions hold in the place of these."""
    for child in parent:
        if child.tag in _WRAPPERS:
            yield from _unwrapped(child)
        else:
            yield child


def _pieces(parent: etree._Element) -> Iterator[etree._Element]:
    """What a paragraph shows, in order: text, what stands for a character, and text boxes anchored in it."""
    for child in parent:
        if child.tag in _PIECES:
            yield child
        elif child.tag not in _UNSHOWN:
            yield from _pieces(child)


class _Measure:
    """Holds every block of a file against what a draft can be saved with: beyond it, every later save would fail.

    Raises TooLarge with the limit and the place, counted from one.
    """

    def __init__(self) -> None:
        self._blocks = self._tables = self._bytes = 0

    def take(self, block: dict[str, Any]) -> None:
        self._blocks += 1
        if self._blocks > MOST_BLOCKS:
            raise TooLarge(MANY_BLOCKS, limit=MOST_BLOCKS)
        if block["type"] == "table":
            self._tables += 1
            self._check_rows(block["rows"])
        elif block["type"] == "heading":
            _check_text(block["text"], LONGEST_HEADING, LONG_HEADING)
        else:
            _check_text(block["text"], LONGEST_PARAGRAPH, LONG_PARAGRAPH)
        self._bytes += len(msgspec.json.encode(block))
        if self._bytes > LARGEST_BODY:
            raise TooLarge(LARGE_BODY, limit=LARGEST_BODY)

    def _check_rows(self, rows: list[list[str]]) -> None:
        if len(rows) > MOST_ROWS:
            raise TooLarge(MANY_ROWS, table=self._tables, found=len(rows), limit=MOST_ROWS)
        width = max(map(len, rows))
        if width > MOST_COLUMNS:
            raise TooLarge(MANY_COLUMNS, table=self._tables, found=width, limit=MOST_COLUMNS)
        for number, row in enumerate(rows, 1):
            for column, cell in enumerate(row, 1):
                place = {"table": self._tables, "row": number, "column": column}
                _check_text(cell, LONGEST_CELL, LONG_CELL, **place)


def _check_text(text: str, limit: int, reason: Reason, **place: int) -> None:
    if len(text) > limit:
        facts: dict[str, Any] = {**place} or {"begins": text[:BEGINNING]}
        raise TooLarge(reason, **facts, found=len(text), limit=limit)


class _Reader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = set(archive.namelist())
        self._notes: dict[str, Note] = {}
        if b"wordprocessingml" not in self._bytes("[Content_Types].xml"):
            raise Invalid(NOT_DOCX)
        styles = self._part("word/styles.xml")
        self._styles = {} if styles is None else {s.get(f"{W}styleId", ""): s for s in styles.iter(f"{W}style")}
        self._numbering = Numbering(self._part("word/numbering.xml"))

    def read(self) -> Imported:
        root = _parse(self._bytes("word/document.xml"))
        body = root.find(f"{W}body")
        if body is None:
            raise Invalid(NOT_DOCX)
        self._note_left_out(root)
        blocks: list[dict[str, Any]] = []
        title = ""
        headed = False
        measure = _Measure()
        for block, is_title in self._blocks(body, turned=_turned_tables(body)):
            if is_title and not title and not headed and len(block["text"]) <= LONGEST_TITLE:
                title = block["text"]
            else:
                measure.take(block)
                blocks.append(_squared(block))
                headed = headed or block["type"] == "heading"
        return Imported({"type": "doc", "content": blocks}, title, list(self._notes.values()))

    def _bytes(self, name: str) -> bytes:
        if name not in self._names:
            raise Invalid(NOT_DOCX)
        if self._archive.getinfo(name).file_size > PART_LIMIT:
            raise TooLarge(BOMB, limit=PART_LIMIT)
        return self._archive.read(name)

    def _part(self, name: str) -> etree._Element | None:
        return _parse(self._bytes(name)) if name in self._names else None

    def _note(self, reason: Reason) -> None:
        self._notes.setdefault(reason.code, Note(reason))

    def _note_left_out(self, root: etree._Element) -> None:
        """Note what the file holds besides text, by its parts, its elements and what it points to outside."""
        for reason, prefixes in _PARTS:
            if any(name.startswith(prefixes) for name in self._names):
                self._note(reason)
        for reason, tags in _ELEMENTS:
            if next(root.iter(*tags), None) is not None:
                self._note(reason)
        relations = self._part("word/_rels/document.xml.rels")
        if relations is not None and any(each.get("TargetMode") == "External" for each in relations.iter()):
            self._note(HAS_LINKS)

    def _blocks(
        self, parent: etree._Element, turned: Collection[etree._Element] = ()
    ) -> Iterator[tuple[dict[str, Any], bool]]:
        """The blocks of the body, a cell or a text box, each with whether it looks like the title. Tables in `turned` lie
        on their side."""
        for element in _unwrapped(parent):
            if element.tag == f"{W}p":
                yield from self._paragraph(element)
                for piece in _pieces(element):
                    if piece.tag == f"{W}txbxContent":
                        self._note(HAS_BOXES)
                        yield from self._blocks(piece)
            elif element.tag == f"{W}tbl" and (rows := self._rows(element)):
                sideways = {"landscape": True} if element in turned else {}
                yield {"type": "table", "rows": rows, "header": _has_header(element)} | sideways, False

    def _paragraph(self, element: etree._Element) -> Iterator[tuple[dict[str, Any], bool]]:
        number = self._number(element)
        text = self._clean((number or "") + _text(element)).strip()
        if not text:
            return
        if number is None:
            self._note(HAS_BULLETS)
        level = self._level(element, text)
        if level:
            yield {"type": "heading", "level": level, "text": text}, False
        else:
            yield {"type": "paragraph", "text": text}, self._looks_like_title(element)

    def _clean(self, text: str) -> str:
        normal = unicodedata.normalize("NFC", re.sub(r"[\t\r\n]", " ", text))
        visible = "".join(c for c in normal if unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
        if visible != normal:
            self._note(HAS_HIDDEN)
        return visible

    def _level(self, element: etree._Element, text: str) -> int:
        """The heading level: by the style's outline, else by how the paragraph begins, as offices number theirs."""
        outline = whole(self._property(element, f"{W}outlineLvl"))
        if outline is not None and outline < len(_HEADINGS):
            return outline + 1
        if len(text) > HEADING_LENGTH or text.endswith(("。", "；", "！", "？")):
            return 0
        return next((level for level, pattern in _HEADINGS if pattern.match(text)), 0)

    def _looks_like_title(self, element: etree._Element) -> bool:
        centred = self._property(element, f"{W}jc") == "center"
        sizes = [whole(size.get(f"{W}val", "")) or 0 for size in element.iter(f"{W}sz")]
        style = self._styles.get(value(element, f"{W}pPr/{W}pStyle"))
        named = style is not None and value(style, f"{W}name").lower() == "title"
        return named or (centred and max(sizes, default=0) >= TITLE_SIZE)

    def _property(self, element: etree._Element, path: str) -> str:
        """A property of a paragraph: its own, else its style's, else that of the style which this one is based on."""
        found = value(element, f"{W}pPr/{path}")
        style = value(element, f"{W}pPr/{W}pStyle")
        for _ in range(STYLE_DEPTH):
            if found or style not in self._styles:
                break
            found = value(self._styles[style], f"{W}pPr/{path}")
            style = value(self._styles[style], f"{W}basedOn")
        return found

    def _number(self, element: etree._Element) -> str | None:
        number_id = self._property(element, f"{W}numPr/{W}numId")
        level = self._property(element, f"{W}numPr/{W}ilvl")
        return self._numbering.next(number_id, whole(level), style=value(element, f"{W}pPr/{W}pStyle"))

    def _rows(self, table: etree._Element) -> list[list[str]]:
        """The rows of a table that were not deleted, each as wide as it is; none when no row has a cell."""
        rows = [
            [text for cell in _unwrapped(row) if cell.tag == f"{W}tc" for text in self._cell(cell)]
            for row in _unwrapped(table)
            if row.tag == f"{W}tr" and row.find(f"{W}trPr/{W}del") is None
        ]
        return rows if any(rows) else []

    def _cell(self, cell: etree._Element) -> list[str]:
        """A cell as text, and an empty one for each further column it spans."""
        span = min(whole(value(cell, f"{W}tcPr/{W}gridSpan")) or 1, SPAN_LIMIT)
        if span > 1 or cell.find(f"{W}tcPr/{W}vMerge") is not None:
            self._note(HAS_MERGED)
        lines: list[str] = []
        for block, _ in self._blocks(cell):
            if block["type"] == "table":
                self._note(HAS_NESTED)
                lines += (" ".join(filter(None, row)) for row in block["rows"])
            else:
                lines.append(block["text"])
        return ["\n".join(lines), *[""] * (span - 1)]


def _squared(block: dict[str, Any]) -> dict[str, Any]:
    """A block of the body; the rows of a table are all made as wide as the widest, once it is known not to be too wide."""
    if block["type"] != "table":
        return block
    width = max(map(len, block["rows"]))
    return {**block, "rows": [row + [""] * (width - len(row)) for row in block["rows"]]}


def _text(paragraph: etree._Element) -> str:
    return "".join(
        piece.text or "" if piece.tag == f"{W}t" else _SIGNS.get(piece.tag, "") for piece in _pieces(paragraph)
    )


def _turned_tables(body: etree._Element) -> set[etree._Element]:
    """The tables in sections whose pages are landscape. The properties of a section stand in its last paragraph, those of
    the last section at the end of the body."""
    found: set[etree._Element] = set()
    waiting: list[etree._Element] = []
    for element in _unwrapped(body):
        if element.tag == f"{W}tbl":
            waiting.append(element)
        section = element if element.tag == f"{W}sectPr" else element.find(f"{W}pPr/{W}sectPr")
        if section is not None:
            found.update(waiting if _is_landscape(section) else ())
            waiting = []
    return found


def _is_landscape(section: etree._Element) -> bool:
    """Whether pages are broader than high; what the section calls itself is but a hint for printers."""
    size = section.find(f"{W}pgSz")
    if size is None:
        return False
    width, height = whole(size.get(f"{W}w", "")), whole(size.get(f"{W}h", ""))
    if width is None or height is None:
        return size.get(f"{W}orient") == "landscape"
    return width > height


def _has_header(table: etree._Element) -> bool:
    first = next(table.iter(f"{W}tr"), None)
    return first is not None and first.find(f"{W}trPr/{W}tblHeader") is not None
