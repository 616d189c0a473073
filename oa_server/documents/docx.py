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
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from oa_server.core.errors import Invalid, Reason, TooLarge

SIZE_LIMIT = 32 << 20
UNPACKED_LIMIT = 128 << 20
RATIO_LIMIT = 200
MEMBER_LIMIT = 2000

NOT_DOCX = Reason(
    "documents.docx_unreadable", "文件不是可以读取的 .docx 文件", "The file is no .docx that can be read."
)
BOMB = Reason("documents.docx_too_large", "文件解压后过大，已拒绝", "The file unpacks to more than is allowed.")
HOSTILE = Reason(
    "documents.docx_hostile", "文件包含不允许的内容（外部实体或越界路径）", "The file holds what is not allowed."
)
HAS_IMAGES = Reason("documents.docx_images", "图片未导入，请作为附件上传", "Pictures were left out; attach them.")
HAS_CHANGES = Reason("documents.docx_changes", "修订已按接受处理", "Tracked changes were taken as accepted.")
HAS_COMMENTS = Reason("documents.docx_comments", "批注未导入", "Comments were left out.")
HAS_FOOTNOTES = Reason("documents.docx_footnotes", "脚注和尾注未导入", "Footnotes were left out.")
HAS_MACROS = Reason("documents.docx_macros", "文件含有宏，未导入", "Macros were left out.")
HAS_OBJECTS = Reason("documents.docx_objects", "嵌入对象未导入", "Embedded objects were left out.")
HAS_MERGED = Reason("documents.docx_merged", "合并的单元格已拆分", "Merged cells were split.")
HAS_HIDDEN = Reason("documents.docx_hidden", "不可见字符已删除", "Invisible characters were removed.")

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DIGITS = "零一二三四五六七八九"
_HEADINGS = (
    (1, re.compile(r"^[一二三四五六七八九十百]+、")),
    (2, re.compile(r"^（[一二三四五六七八九十百]+）")),
    (3, re.compile(r"^\d+[.．]")),
    (4, re.compile(r"^（\d+）")),
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
    if len(data) > SIZE_LIMIT:
        raise TooLarge(BOMB, limit=SIZE_LIMIT)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_archive(archive)
            return _Reader(archive).read()
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise Invalid(NOT_DOCX) from error


def _check_archive(archive: zipfile.ZipFile) -> None:
    """Measure before unpacking, and refuse names that climb out of the archive."""
    members = archive.infolist()
    if len(members) > MEMBER_LIMIT or sum(m.file_size for m in members) > UNPACKED_LIMIT:
        raise TooLarge(BOMB, limit=UNPACKED_LIMIT)
    for member in members:
        if member.file_size > RATIO_LIMIT * max(member.compress_size, 1) and member.file_size > SIZE_LIMIT // 8:
            raise TooLarge(BOMB, member=member.filename)
        if member.filename.startswith(("/", "\\")) or ".." in member.filename.replace("\\", "/").split("/"):
            raise Invalid(HOSTILE)
        if member.flag_bits & 1:
            raise Invalid(NOT_DOCX)


def _parse(data: bytes) -> etree._Element:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise Invalid(HOSTILE)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Invalid(NOT_DOCX) from error


class _Reader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = set(archive.namelist())
        self._counters: dict[tuple[str, int], int] = {}
        self._notes: dict[str, Note] = {}
        self._numbering = self._read_numbering()
        self._styles = self._read_styles()

    def read(self) -> Imported:
        root = _parse(self._archive.read("word/document.xml"))
        body = root.find(f"{_W}body")
        if body is None:
            raise Invalid(NOT_DOCX)
        self._note_parts(root)
        blocks: list[dict[str, Any]] = []
        title = ""
        for element in body:
            if element.tag == f"{_W}p":
                block, is_title = self._paragraph(element)
                if is_title and not title and not any(b["type"] == "heading" for b in blocks):
                    title = block["text"] if block else ""
                elif block:
                    blocks.append(block)
            elif element.tag == f"{_W}tbl":
                blocks.append(self._table(element))
        return Imported({"type": "doc", "content": blocks}, title, list(self._notes.values()))

    def _note(self, reason: Reason) -> None:
        self._notes.setdefault(reason.code, Note(reason))

    def _note_parts(self, root: etree._Element) -> None:
        parts = (
            (HAS_IMAGES, any(n.startswith("word/media/") for n in self._names)),
            (HAS_COMMENTS, "word/comments.xml" in self._names),
            (HAS_FOOTNOTES, next(root.iter(f"{_W}footnoteReference", f"{_W}endnoteReference"), None) is not None),
            (HAS_MACROS, any(n.endswith("vbaProject.bin") for n in self._names)),
            (HAS_OBJECTS, any(n.startswith("word/embeddings/") for n in self._names)),
            (HAS_CHANGES, next(root.iter(f"{_W}ins", f"{_W}del", f"{_W}moveFrom"), None) is not None),
        )
        for reason, present in parts:
            if present:
                self._note(reason)

    def _paragraph(self, element: etree._Element) -> tuple[dict[str, Any] | None, bool]:
        text = self._number(element) + self._text(element)
        text = text.strip()
        if not text:
            return None, False
        level = self._level(element, text)
        if level:
            return {"type": "heading", "level": level, "text": text}, False
        return {"type": "paragraph", "text": text}, self._looks_like_title(element)

    def _text(self, element: etree._Element) -> str:
        pieces = []
        for node in element.iter(f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}noBreakHyphen"):
            if any(parent.tag in {f"{_W}del", f"{_W}moveFrom"} for parent in node.iterancestors()):
                continue
            pieces.append(node.text or "" if node.tag == f"{_W}t" else "-" if node.tag.endswith("Hyphen") else " ")
        return self._clean("".join(pieces))

    def _clean(self, text: str) -> str:
        normal = unicodedata.normalize("NFC", text)
        visible = "".join(c for c in normal if unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs"})
        if visible != normal:
            self._note(HAS_HIDDEN)
        return visible

    def _level(self, element: etree._Element, text: str) -> int:
        """The heading level: by the style's outline, else by how the paragraph begins, as offices number theirs."""
        style = _value(element, f"{_W}pPr/{_W}pStyle")
        outline = _value(element, f"{_W}pPr/{_W}outlineLvl") or self._styles.get(style, "")
        if outline.isdigit() and int(outline) < len(_HEADINGS):
            return int(outline) + 1
        if len(text) > HEADING_LENGTH or text.endswith(("。", "；")):
            return 0
        return next((level for level, pattern in _HEADINGS if pattern.match(text)), 0)

    @staticmethod
    def _looks_like_title(element: etree._Element) -> bool:
        centred = _value(element, f"{_W}pPr/{_W}jc") == "center"
        sizes = [int(v) for v in (n.get(f"{_W}val", "") for n in element.iter(f"{_W}sz")) if v.isdigit()]
        style = _value(element, f"{_W}pPr/{_W}pStyle").lower()
        return style == "title" or (centred and max(sizes, default=0) >= 36)

    def _table(self, element: etree._Element) -> dict[str, Any]:
        rows = []
        for row in element.iter(f"{_W}tr"):
            cells: list[str] = []
            for cell in row.iterchildren(f"{_W}tc"):
                cells.append("\n".join(self._text(p) for p in cell.iter(f"{_W}p")).strip())
                span = _value(cell, f"{_W}tcPr/{_W}gridSpan")
                if span.isdigit() and int(span) > 1:
                    self._note(HAS_MERGED)
                    cells += [""] * (min(int(span), 20) - 1)
                if cell.find(f"{_W}tcPr/{_W}vMerge") is not None:
                    self._note(HAS_MERGED)
            rows.append(cells)
        first = next(element.iter(f"{_W}tr"), None)
        header = first is not None and first.find(f"{_W}trPr/{_W}tblHeader") is not None
        return {"type": "table", "rows": rows, "header": header}

    # --- automatic numbering, which the file holds as rules and we as text ---------------------------------------

    def _read_styles(self) -> dict[str, str]:
        if "word/styles.xml" not in self._names:
            return {}
        styles = _parse(self._archive.read("word/styles.xml"))
        return {
            style.get(f"{_W}styleId", ""): _value(style, f"{_W}pPr/{_W}outlineLvl")
            for style in styles.iter(f"{_W}style")
        }

    def _read_numbering(self) -> dict[str, dict[int, tuple[str, str]]]:
        """Numbering identifier → level → (number format, text with %n)."""
        if "word/numbering.xml" not in self._names:
            return {}
        root = _parse(self._archive.read("word/numbering.xml"))
        abstract = {item.get(f"{_W}abstractNumId", ""): dict(_levels(item)) for item in root.iter(f"{_W}abstractNum")}
        return {
            item.get(f"{_W}numId", ""): abstract.get(_value(item, f"{_W}abstractNumId"), {})
            for item in root.iter(f"{_W}num")
        }

    def _number(self, element: etree._Element) -> str:
        number_id = _value(element, f"{_W}pPr/{_W}numPr/{_W}numId")
        level_text = _value(element, f"{_W}pPr/{_W}numPr/{_W}ilvl") or "0"
        levels = self._numbering.get(number_id)
        if not levels or not level_text.isdigit() or int(level_text) not in levels:
            return ""
        level = int(level_text)
        self._counters[number_id, level] = self._counters.get((number_id, level), 0) + 1
        for deeper in [key for key in self._counters if key[0] == number_id and key[1] > level]:
            del self._counters[deeper]
        if levels[level][0] == "bullet":
            return ""

        def shown(match: re.Match[str]) -> str:
            at = int(match.group(1)) - 1
            return _format(self._counters.get((number_id, at), 1), levels.get(at, ("decimal", ""))[0])

        return re.sub(r"%(\d)", shown, levels[level][1])


def _levels(item: etree._Element) -> Iterator[tuple[int, tuple[str, str]]]:
    for level in item.iter(f"{_W}lvl"):
        number = level.get(f"{_W}ilvl", "")
        if number.isdigit():
            yield int(number), (_value(level, f"{_W}numFmt"), _value(level, f"{_W}lvlText"))


def _value(element: etree._Element, path: str) -> str:
    found = element.find(path)
    return found.get(f"{_W}val", "") if found is not None else ""


def _format(number: int, kind: str) -> str:
    if kind.startswith(("chinese", "japanese", "ideograph")) and number < 100:
        return chinese_number(number)
    return str(number)


def chinese_number(number: int) -> str:
    """1 to 99 as offices count: 一, 十, 十二, 二十一."""
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else f"{_DIGITS[tens]}十"
    return head + (_DIGITS[ones] if ones or not tens else "")
