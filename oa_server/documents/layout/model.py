"""What is laid out: the elements of article 9 as they appear on paper, and the text among them that a leader signs."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from crypto.canonical import canonical_json
from oa_server.core.errors import Invalid, Reason

HEADING_LEVELS = (1, 2, 3, 4)
BLOCK_LIMIT = 20_000

BODY_SHAPE = Reason(
    "layout.body_shape",
    "正文结构无法识别，请重新编辑后保存",
    "The body is not made of headings, paragraphs and tables.",
)


@dataclass(frozen=True, slots=True)
class Heading:
    """层次标题: levels 1 to 4 are set in 黑体, 楷体, 仿宋, 仿宋."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of equally many cells; with `header` the first row is repeated on every page the table reaches.

    A `landscape` table (横排表格) has pages of its own, on which it lies turned by 90°.
    """

    rows: tuple[tuple[str, ...], ...]
    header: bool = False
    landscape: bool = False


Block = Heading | Paragraph | Table


@dataclass(frozen=True, slots=True)
class Attachment:
    """附件 printed with the document: on a new page, before the colophon.

    A `separate` one cannot be bound with the text (7.3.6): it makes a file of its own, and keeps its place in the count.
    """

    title: str
    body: tuple[Block, ...]
    separate: bool = False


@dataclass(frozen=True, slots=True)
class JointOrgan:
    """联署机关: an organ that issues the document together with the lead organ (联合行文).

    `mark` is its name in 发文机关标志, empty where that names the lead organ alone.
    """

    signature: str
    mark: str = ""
    seal_diameter_mm: float = 42.0


@dataclass(frozen=True, slots=True)
class SignatureStamp:
    """签名章: the stamp of a leader's signature beside his full post (职务), after 7.3.5.3; its size is in mm."""

    post: str
    width_mm: float = 40.0
    height_mm: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLayout:
    """One official document as it appears on paper. Names are given as they are to be printed, in their order.

    What is filled in after the leader has signed — `doc_no`, `doc_date`, `print_date`, `copy_no` — may be missing; its
    place is kept, so that no line moves when it comes.
    """

    issuer_mark: str  # 发文机关标志, with 文件 when the organ uses it
    title: str  # a line feed forces a line break
    body: tuple[Block, ...]
    issuer_signature: str
    joint_organs: tuple[JointOrgan, ...] = ()  # the others of 联合行文; what is named above is the lead organ's
    main_recipients: tuple[str, ...] = ()
    doc_no: str | None = None
    number_word: str = ""  # 机关代字, shown in the place of the number until there is one
    signers: tuple[str, ...] = ()  # 签发人, for upward documents only
    copy_no: str = ""  # 份号, six digits
    classification: str = ""  # 密级和保密期限, for example 机密★10年
    urgency: str = ""  # 特急, 加急
    attachment_note: tuple[str, ...] = ()
    doc_date: date | None = None
    sealed: bool = True  # whether the organ's seal is put on; 纪要 and some others carry none
    seal_diameter_mm: float = 42.0
    signature_stamps: tuple[SignatureStamp, ...] = ()  # 签名章 in the place of names and seals, the lead organ's first
    note: str = ""  # 附注, without its brackets
    copies_to: tuple[str, ...] = ()
    printing_organ: str = ""
    print_date: date | None = None
    attachments: tuple[Attachment, ...] = ()


def text_digest(layout: DocumentLayout) -> str:
    """SHA-256 (hex) of the text that the leader signs; article 25(1) forbids any change of it afterwards.

    It is taken over canonical JSON of the title, the main recipients, the blocks of the body, the attachment note, the
    attachments and the note, each in normal form C. It does not depend on number, date, names of signers, organs,
    distribution, marks, fonts, settings or pages: these follow from the acts after the signing, or from the machine.
    """
    return sha256(canonical_json(_signed_text(layout))).hexdigest()


def _signed_text(layout: DocumentLayout) -> dict[str, Any]:
    return {
        "title": plain(layout.title),
        "main_recipients": [plain(name) for name in layout.main_recipients],
        "body": [block_json(block) for block in layout.body],
        "attachment_note": [plain(name) for name in layout.attachment_note],
        "attachments": [
            {"title": plain(each.title), "body": [block_json(block) for block in each.body]}
            for each in layout.attachments
        ],
        "note": plain(layout.note),
    }


def block_json(block: Block) -> dict[str, Any]:
    """The block in the shape that drafts are kept in, its text made plain. `landscape` is written where it is true: what
    was signed before there were such tables keeps its digest."""
    match block:
        case Heading(level, text):
            return {"type": "heading", "level": level, "text": plain(text)}
        case Paragraph(text):
            return {"type": "paragraph", "text": plain(text)}
        case Table(rows, header, landscape):
            turned = {"landscape": True} if landscape else {}
            return {"type": "table", "rows": [[plain(cell) for cell in row] for row in rows], "header": header} | turned


def plain(text: str) -> str:
    """Text as it is signed and set: normal form C, without format characters (zero widths, marks of direction), control
    characters and line separators as spaces, none at the ends. What has no shape on paper must make no difference
    under a signature, and cannot hide in it."""
    shaped = "".join(_SHAPED.get(unicodedata.category(char), char) for char in text)
    return unicodedata.normalize("NFC", shaped).strip()


_SHAPED: Mapping[str, str] = {"Cf": "", "Cc": " ", "Zl": " ", "Zp": " ", "Cs": "\ufffd"}


def parse_body(body: Mapping[str, Any]) -> tuple[Block, ...]:
    """The blocks of a draft's `{"type": "doc", "content": [...]}`. Raises Invalid for any other shape."""
    content = body.get("content")
    if body.get("type") != "doc" or not isinstance(content, list) or len(content) > BLOCK_LIMIT:
        raise Invalid(BODY_SHAPE)
    return tuple(_parse_block(block, position) for position, block in enumerate(content))


def _parse_block(block: Any, position: int) -> Block:
    match block:
        case {"type": "heading", "level": int(level), "text": str(text)} if level in HEADING_LEVELS:
            return Heading(level, text)
        case {"type": "paragraph", "text": str(text)}:
            return Paragraph(text)
        case {"type": "table", "rows": [*rows], **rest} if _is_grid(rows):
            flags = {flag: rest.get(flag) is True for flag in ("header", "landscape")}
            return Table(tuple(tuple(row) for row in rows), **flags)
    raise Invalid(BODY_SHAPE, block=position)


def _is_grid(rows: Sequence[Any]) -> bool:
    """Whether rows are lists of text, all of the same length, at least one cell."""
    if not rows or not all(isinstance(row, list) and row for row in rows):
        return False
    return len({len(row) for row in rows}) == 1 and all(isinstance(cell, str) for row in rows for cell in row)
