"""From a layout to its pages: PDF/A-3b, byte-identical for the same input, every glyph embedded.

One call lays the document out as often as it takes to end well: GB/T 9704-2012 (7.3.5.4) forbids a last page that holds
the signature without any text, and a colophon alone on its page is as ugly. The line pitch is changed within narrow
limits until neither happens; when no pitch helps, the last paragraph is carried over. `render` is pure: it reads no
clock and no file of the caller's; it takes tens of milliseconds, so a server calls it in a worker thread.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import typst

from oa_server.core.errors import Invalid, Reason
from oa_server.documents.layout.fonts import FontLibrary, Style
from oa_server.documents.layout.model import (
    Block,
    DocumentLayout,
    Heading,
    Paragraph,
    Table,
    block_json,
    plain,
    text_digest,
)
from oa_server.documents.layout.title import break_title, width

INCOMPLETE = Reason(
    "layout.incomplete", "尚未编号或没有成文日期，不能定版", "Without number and date the pages cannot be final."
)
COPIES_TOO_MANY = Reason(
    "layout.copies_too_many",
    "主送或抄送机关过多，版记一页放不下，请填写统称",
    "The recipients do not fit one page; give a collective name for them.",
)

POINTS_PER_MM = 72 / 25.4
PAGE_HEIGHT = 297 * POINTS_PER_MM
TYPE_HEIGHT = 225 * POINTS_PER_MM
TYPE_BOTTOM = (37 + 225) * POINTS_PER_MM
SIZE_3, SIZE_4 = 16.0, 14.0
# Kept free at the foot, so that rounding never pushes the last line to the next page.
SLACK = 0.2
LINE_PITCH = 29.60
# How far the seal's centre stands above the middle of name and date, so that both lie in its lower half.
SEAL_RISE = 3 * POINTS_PER_MM
# 4号 characters between the colon of 抄送 and the right edge, one left free for the compression of punctuation.
COLOPHON_CHARS = 25.5
# Distances from line to line in 版记, each with the number of lines up to which it is used.
COLOPHON_PITCH, SHORT_COLOPHON = 25.9, 6
LONG_COLOPHON_PITCHES = ((21.0, 28), (17.5, 35))

_ONE_AT_A_TIME = Lock()
_FILES = {"main.typ": Path(__file__).with_name("general.typ").read_bytes()}
_PROBES = (
    "query(<probe>).map(p => { let l = p.location(); (p.value, l.page(), l.position().x.pt(), l.position().y.pt()) })"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """What an office may choose. `line_pitch`: points from line to line, 29.60 when 22 lines fill the type area, 28.99
    when 22 pitches do. `colophon_on_even_page`: printed on both sides, the colophon stands on the last back side."""

    line_pitch: float = LINE_PITCH
    colophon_on_even_page: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedFile:
    """A file that travels inside the PDF, such as a signed opinion."""

    name: str
    data: bytes
    mime_type: str = "application/octet-stream"
    description: str = ""
    relationship: Literal["source", "data", "alternative", "supplement"] = "data"


@dataclass(frozen=True, slots=True)
class SealPosition:
    """Where the seal belongs. `page` counts from 0; `x`, `y` are the lower left corner in PDF points from the page's
    own."""

    page: int
    x: float
    y: float
    width: float
    height: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True, slots=True)
class RenderedPages:
    """Pages and what is known of them. `substitutes`: characters shown in another face than their style's, and in
    which."""

    pdf: bytes
    sha256: str
    page_count: int
    text_sha256: str
    seal_position: SealPosition | None
    substitutes: Mapping[str, str]
    line_pitch: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """One way to lay the document out."""

    pitch: float
    colophon_pitch: float
    carry: int = 0
    recipients_below: bool = False
    even_colophon: bool = False


@dataclass(frozen=True, slots=True)
class _Probe:
    page: int
    x: float
    y: float


def render(
    layout: DocumentLayout,
    *,
    fonts: FontLibrary,
    embedded: Sequence[EmbeddedFile] = (),
    final: bool,
    made_at: datetime,
    settings: PageSettings = PageSettings(),
) -> RenderedPages:
    """Lay `layout` out. Review pages (`final=False`) show places for number and date, and the mark 送审稿; what comes
    into these places later moves nothing.

    Raises Invalid when characters cannot be shown, when final pages lack number or date, or when 抄送 overflows a page.
    """
    if final and not (layout.doc_no and layout.doc_date):
        raise Invalid(INCOMPLETE)
    substitutes = fonts.substitutes(_texts_by_style(layout))
    job = _Job(fonts, _content(layout, fonts=fonts, final=final), layout)
    fit, probes = _settle(job, settings)
    pdf = job.compile(fit, made_at, embedded)
    return RenderedPages(
        pdf=pdf,
        sha256=sha256(pdf).hexdigest(),
        page_count=probes["colophon"].page,
        text_sha256=text_digest(layout),
        seal_position=_seal_position(probes["seal"], layout) if layout.sealed else None,
        substitutes=substitutes,
        line_pitch=fit.pitch,
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """One document before the engine; measuring and compiling the same fit costs the engine one layout."""

    fonts: FontLibrary
    content: Mapping[str, Any]
    layout: DocumentLayout

    def measure(self, fit: _Fit) -> dict[str, _Probe]:
        found = json.loads(typst.eval(_FILES, _PROBES, **self._arguments(fit)))
        return {name: _Probe(page, x, y) for name, page, x, y in found}

    def compile(self, fit: _Fit, made_at: datetime, embedded: Sequence[EmbeddedFile]) -> bytes:
        arguments = self._arguments(fit, embedded)
        return bytes(typst.compile(_FILES, **arguments, pdf_standards="a-3b", timestamp=int(made_at.timestamp())))

    def _arguments(self, fit: _Fit, embedded: Sequence[EmbeddedFile] = ()) -> dict[str, Any]:
        data = json.dumps({**self.content, **_fitted(self.layout, fit)}, ensure_ascii=False)
        return {
            "sys_inputs": {"data": data, "embedded": json.dumps([_embedded(each) for each in embedded])},
            "font_paths": self.fonts.engine_fonts,
            "ignore_system_fonts": True,
            "root": _empty_directory(),
        }


def _empty_directory() -> str:
    """The engine's root: nothing that lies on this disk can be named from a template. Made anew when somebody has
    tidied up the system's temporary files under a server that runs for months."""
    with _ONE_AT_A_TIME:  # Of two directories made by two first documents, the one that is not kept would be removed.
        path = Path(_directory_of_this_process().name)
    path.mkdir(mode=0o700, exist_ok=True)
    return str(path)


@cache
def _directory_of_this_process() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="layout-root-")


# --- fitting ---------------------------------------------------------------------------------------------------------


def _settle(job: _Job, settings: PageSettings) -> tuple[_Fit, dict[str, _Probe]]:
    """The first way to lay the document out that has no fault, or the one with the smallest."""
    tried: list[tuple[int, _Fit, dict[str, _Probe]]] = []
    for candidate in _candidates(job, settings):
        fit, probes = _with_consequences(job, candidate, settings)
        tried.append((_fault(probes, settings), fit, probes))
        if not tried[-1][0]:
            break
    _, fit, probes = min(tried, key=lambda each: each[0])
    return fit, probes


def _candidates(job: _Job, settings: PageSettings) -> Iterator[_Fit]:
    """The usual pitch first; then one line more, one less, two more on a page; then with a tight colophon; at last
    with the end of the text carried over."""
    pitches = (settings.line_pitch, _pitch_of(23), _pitch_of(21), _pitch_of(24))
    colophon_pitches = _colophon_pitches(job.layout.copies_to)
    for colophon_pitch in colophon_pitches:
        yield from (_Fit(pitch, colophon_pitch) for pitch in pitches)
    for colophon_pitch in colophon_pitches:
        usual = _Fit(settings.line_pitch, colophon_pitch)
        end = job.measure(usual)["tail" if job.layout.attachments else "body-end"]
        free = math.floor((TYPE_BOTTOM - end.y) / usual.pitch)
        yield from (replace(usual, carry=free + lines) for lines in (2, 1))


def _pitch_of(lines: int) -> float:
    """The pitch at which `lines` lines fill the type area."""
    return (TYPE_HEIGHT - SLACK - SIZE_3) / (lines - 1)


def _with_consequences(job: _Job, fit: _Fit, settings: PageSettings) -> tuple[_Fit, dict[str, _Probe]]:
    """Measure, and follow what the standard says of the outcome."""
    probes = job.measure(fit)
    if probes["body"].page > 1 and job.layout.main_recipients:
        # 7.3.2: recipients so many that the first page would hold no text move into the colophon.
        below = _colophon_pitches(job.layout.main_recipients, job.layout.copies_to)
        fit = replace(fit, recipients_below=True, colophon_pitch=min(fit.colophon_pitch, below[0]))
        probes = job.measure(fit)
    if settings.colophon_on_even_page and probes["colophon"].page % 2:
        fit = replace(fit, even_colophon=True)
        probes = job.measure(fit)
    return fit, probes


def _fault(probes: Mapping[str, _Probe], settings: PageSettings) -> int:
    """0 when the document ends well: text on the first page and on the signature's, and something on the colophon's."""
    bare = probes["body"].page > 1
    torn = probes["signature"].page > probes["body-end"].page
    alone = probes["colophon"].page > probes["tail"].page and not settings.colophon_on_even_page
    return 4 * bare + 2 * torn + alone


def _colophon_pitches(*lists: Sequence[str]) -> Sequence[float]:
    """Distances from line to line at which 版记 with these lists of organs fits a page, the best first; long lists are
    set closer.

    Raises Invalid when they fit at none.
    """
    lines = sum(math.ceil(sum(width(name) + 1 for name in names) / COLOPHON_CHARS) for names in lists) + 2
    if lines <= SHORT_COLOPHON:
        return (COLOPHON_PITCH,)
    fitting = [pitch for pitch, most in LONG_COLOPHON_PITCHES if lines <= most]
    if not fitting:
        raise Invalid(COPIES_TOO_MANY, organs=sum(map(len, lists)))
    return fitting


def _seal_position(centre: _Probe, layout: DocumentLayout) -> SealPosition:
    size = layout.seal_diameter_mm * POINTS_PER_MM
    return SealPosition(centre.page - 1, centre.x - size / 2, PAGE_HEIGHT - centre.y - size / 2, size, size)


# --- what the template is told ---------------------------------------------------------------------------------------


def _content(layout: DocumentLayout, *, fonts: FontLibrary, final: bool) -> dict[str, Any]:
    """Everything that no fit changes."""
    names = (layout.issuer_signature, *layout.main_recipients)
    above, below = fonts.ink(Style.XIAOBIAOSONG, plain(layout.issuer_mark))
    return {
        "fonts": fonts.for_engine,
        "final": final,
        "mark": plain(layout.issuer_mark),
        "mark_ink": {"above": above, "below": below},
        "marks": _marks(layout),
        "doc_no": plain(layout.doc_no or f"{layout.number_word}〔　　〕　号"),
        "signers": [_spread(plain(name)) for name in layout.signers],
        "full_title": plain(layout.title),
        "title": [plain(line) for line in break_title(layout.title, names=names)] or ["　"],
        "body": _blocks(layout.body) or [{"type": "paragraph", "text": "　"}],
        "attachment_note": [plain(name) for name in layout.attachment_note],
        "issuer_signature": plain(layout.issuer_signature),
        "doc_date": _chinese_date(layout.doc_date),
        "sealed": layout.sealed,
        "note": plain(layout.note),
        "printing_organ": plain(layout.printing_organ or layout.issuer_signature),
        "print_date": _chinese_date(layout.print_date) + "印发",
        "attachments": _attachments(layout, names),
        "keywords": [plain(layout.doc_no)] if layout.doc_no else [],
    }


def _fitted(layout: DocumentLayout, fit: _Fit) -> dict[str, Any]:
    """Everything that a fit decides."""
    recipients = [plain(name) for name in layout.main_recipients]
    above, below = _blank_lines(layout, fit.pitch)
    lists = [("主送", recipients if fit.recipients_below else []), ("抄送", [plain(name) for name in layout.copies_to])]
    return {
        "pitch": fit.pitch,
        "carry": fit.carry,
        "main_recipients": [] if fit.recipients_below else recipients,
        "colophon_lists": [{"label": label, "names": names} for label, names in lists if names],
        "colophon_pitch": fit.colophon_pitch,
        "colophon_on_even_page": fit.even_colophon,
        "blank_before_signature": above,
        "blank_after_signature": below,
    }


def _blank_lines(layout: DocumentLayout, pitch: float) -> tuple[int, int]:
    """How many lines stay free above and under the signature. The seal's top comes within one line of the text and
    does not touch it (7.3.5.1), and its foot touches neither the colophon nor the edge of the type area."""
    if not layout.sealed:
        return 1, 0
    radius = layout.seal_diameter_mm * POINTS_PER_MM / 2
    half, gap = (pitch + SIZE_3) / 2, pitch - SIZE_3
    above, below = radius + SEAL_RISE - half, radius - SEAL_RISE - half
    return max(1, math.ceil((above - gap) / pitch)), max(0, math.ceil((below - gap) / pitch))


def _marks(layout: DocumentLayout) -> list[dict[str, str]]:
    """份号, 密级和保密期限, 紧急程度: one line each, top left."""
    marks = ((layout.copy_no, Style.FANGSONG), (layout.classification, Style.HEITI), (layout.urgency, Style.HEITI))
    return [{"text": plain(text), "style": style.value} for text, style in marks if text]


def _spread(name: str) -> str:
    """A name of two characters takes the room of three."""
    return f"{name[0]}　{name[1]}" if len(name) == 2 else name  # noqa: PLR2004


def _chinese_date(day: date | None) -> str:
    """2026年7月1日, without leading zeros; an empty form of the same breadth while there is none."""
    return f"{day.year}年{day.month}月{day.day}日" if day else "　　年　月　日"


def _attachments(layout: DocumentLayout, names: Sequence[str]) -> list[dict[str, Any]]:
    """附件 and its number, which a single one does not have."""
    many = len(layout.attachments) > 1 or len(layout.attachment_note) > 1
    return [
        {
            "label": f"附件{number}" if many else "附件",
            "title": [plain(line) for line in break_title(each.title, names=names)] or ["　"],
            "body": _blocks(each.body),
        }
        for number, each in enumerate(layout.attachments, 1)
    ]


def _blocks(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """The blocks for the template: empty paragraphs take no line, tables know their columns."""
    shown = (block_json(block) for block in blocks)
    return [block | (_columns(block["rows"]) if "rows" in block else {}) for block in shown if block.get("text") != ""]


def _columns(rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Each column's share of the breadth after its longest cell; short columns are centred."""
    longest = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return {"columns": [min(each, 18) + 1.5 for each in longest], "centred": [each <= 10 for each in longest]}  # noqa: PLR2004


def _embedded(file: EmbeddedFile) -> dict[str, Any]:
    """A file as data: the engine's own files must be text, and a signature is none."""
    return {
        "name": file.name,
        "content": list(file.data),
        "mime_type": file.mime_type,
        "description": file.description or file.name,
        "relationship": file.relationship,
    }


def _texts_by_style(layout: DocumentLayout) -> dict[Style, str]:
    """All text of the document by the style that shows it, as the template decides it."""
    texts: dict[Style, list[str]] = {style: [] for style in Style}
    for style, text in _shown(layout):
        texts[style].append(plain(text))
    return {style: "".join(parts) for style, parts in texts.items()}


def _shown(layout: DocumentLayout) -> Iterator[tuple[Style, str]]:
    titles = (layout.issuer_mark, layout.title, *(each.title for each in layout.attachments))
    yield from ((Style.XIAOBIAOSONG, text) for text in titles)
    yield from ((Style.HEITI, text) for text in (layout.classification, layout.urgency))
    yield from ((Style.KAITI, text) for text in layout.signers)
    names = (*layout.main_recipients, *layout.attachment_note, *layout.copies_to)
    ends = (layout.doc_no or layout.number_word, layout.issuer_signature, layout.note, layout.printing_organ)
    yield from ((Style.FANGSONG, text) for text in (*names, *ends, layout.copy_no))
    for block in (*layout.body, *(block for each in layout.attachments for block in each.body)):
        yield from _shown_block(block)


def _shown_block(block: Block) -> Iterator[tuple[Style, str]]:
    match block:
        case Heading(level, text):
            yield {1: Style.HEITI, 2: Style.KAITI}.get(level, Style.FANGSONG), text
        case Paragraph(text):
            yield Style.FANGSONG, text
        case Table(rows, header):
            for index, row in enumerate(rows):
                yield Style.HEITI if header and index == 0 else Style.FANGSONG, "".join(row)
