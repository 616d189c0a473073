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
    Attachment,
    Block,
    DocumentLayout,
    Heading,
    JointOrgan,
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
NO_ATTACHMENT = Reason(
    "layout.no_separate_attachment",
    "没有该序号的单独装订附件",
    "There is no separately bound attachment of that number.",
)
MARKS_TOO_MANY = Reason(
    "layout.marks_too_many",
    "联合行文机关过多，首页排不下正文，发文机关标志请只用主办机关名称",
    "With so many organs in the mark no text fits the first page; let it name the lead organ alone.",
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
# Of 发文机关标志, in points: how high one name alone is at the usual pitch, and how far apart the base lines of several
# are when they are as small as the text.
MARK_HEIGHT, SMALLEST_STEP = 51.0, 1.25 * SIZE_3
MARK_SUFFIX = "文件"
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
    """Where a seal or a signature stamp belongs. `page` counts from 0; `x`, `y` are the lower left corner in PDF points
    from the page's own."""

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
    """Pages and what is known of them. `seal_positions`, `stamp_positions`: one for each organ that seals and for each
    signature stamp, the lead organ's first. `substitutes`: characters shown in another face than their style's, and in
    which."""

    pdf: bytes
    sha256: str
    page_count: int
    text_sha256: str
    substitutes: Mapping[str, str]
    line_pitch: float
    seal_positions: tuple[SealPosition, ...] = ()
    stamp_positions: tuple[SealPosition, ...] = ()

    @property
    def seal_position(self) -> SealPosition | None:
        """The seal of the organ that issues alone, or of the lead organ."""
        return self.seal_positions[0] if self.seal_positions else None


@dataclass(frozen=True, slots=True)
class _Fit:
    """One way to lay the document out."""

    pitch: float
    colophon_pitch: float
    mark_lines: int = 0  # how many more lines than one organ's mark that of several takes
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

    Raises Invalid when characters cannot be shown, when final pages lack number or date, or when the organs in the mark
    leave the first page, or those of 抄送 any page, no room.
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
        substitutes=substitutes,
        line_pitch=fit.pitch,
        seal_positions=_seal_positions(probes, layout),
        stamp_positions=_stamp_positions(probes, layout),
    )


def render_attachment(
    layout: DocumentLayout,
    number: int,
    *,
    fonts: FontLibrary,
    final: bool,
    made_at: datetime,
    settings: PageSettings = PageSettings(),
) -> RenderedPages:
    """Lay out the separately bound attachment of this number, counted from 1, as a file of its own (7.3.6): number and
    label on its first line, as in 江政办发〔2026〕1号附件1, page numbers of its own, no signature and no colophon.

    Raises Invalid when there is none of this number, when characters cannot be shown, or when final pages lack the
    document's number.
    """
    if not 1 <= number <= len(layout.attachments) or not layout.attachments[number - 1].separate:
        raise Invalid(NO_ATTACHMENT, number=number)
    if final and not layout.doc_no:
        raise Invalid(INCOMPLETE)
    substitutes = fonts.substitutes(_texts_by_style(layout))
    shown = _attachments(layout)[number - 1]
    own = {
        "separate": True,
        "full_title": plain(layout.attachments[number - 1].title),
        "attachments": [shown | {"label": _number_shown(layout) + shown["label"]}],
    }
    job = _Job(fonts, _content(layout, fonts=fonts, final=final) | own, layout)
    fit = _Fit(settings.line_pitch, COLOPHON_PITCH)
    pdf = job.compile(fit, made_at, ())
    return RenderedPages(
        pdf=pdf,
        sha256=sha256(pdf).hexdigest(),
        page_count=job.measure(fit)["tail"].page,
        text_sha256=text_digest(layout),
        substitutes=substitutes,
        line_pitch=fit.pitch,
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """One document before the engine; measuring and compiling the same fit costs the engine one layout."""

    fonts: FontLibrary
    content: Mapping[str, Any]
    layout: DocumentLayout

    @property
    def mark_names(self) -> list[str]:
        return _mark_names(self.layout)

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
        tried.append((_fault(probes, job.layout, settings), fit, probes))
        if not tried[-1][0]:
            break
    _, fit, probes = min(tried, key=lambda each: each[0])
    if probes["body"].page > 1 and job.mark_names:
        raise Invalid(MARKS_TOO_MANY, organs=len(job.mark_names))
    return fit, probes


def _candidates(job: _Job, settings: PageSettings) -> Iterator[_Fit]:
    """The usual pitch first; then one line more, one less, two more on a page; then with a tight colophon; at last
    with the end of the text carried over."""
    pitches = (settings.line_pitch, _pitch_of(23), _pitch_of(21), _pitch_of(24))
    colophon_pitches = _colophon_pitches(job.layout.copies_to)
    mark_lines = max(0, len(job.mark_names) - 1)
    for colophon_pitch in colophon_pitches:
        yield from (_Fit(pitch, colophon_pitch, mark_lines) for pitch in pitches)
    for colophon_pitch in colophon_pitches:
        usual, probes = _begun(job, _Fit(settings.line_pitch, colophon_pitch, mark_lines))
        end = probes["tail" if _bound(job.layout) else "body-end"]
        free = math.floor((TYPE_BOTTOM - end.y) / usual.pitch)
        yield from (replace(usual, carry=free + lines) for lines in (2, 1))


def _pitch_of(lines: int) -> float:
    """The pitch at which `lines` lines fill the type area."""
    return (TYPE_HEIGHT - SLACK - SIZE_3) / (lines - 1)


def _with_consequences(job: _Job, fit: _Fit, settings: PageSettings) -> tuple[_Fit, dict[str, _Probe]]:
    """Measure, and follow what the standard says of the outcome."""
    given = fit
    fit, probes = _begun(job, given)
    if probes["body"].page > 1 and job.layout.main_recipients:
        # 7.3.2: recipients so many that the first page would hold no text move into the colophon.
        below = _colophon_pitches(job.layout.main_recipients, job.layout.copies_to)
        given = replace(given, recipients_below=True, colophon_pitch=min(given.colophon_pitch, below[0]))
        fit, probes = _begun(job, given)
    if settings.colophon_on_even_page and probes["colophon"].page % 2:
        fit = replace(fit, even_colophon=True)
        probes = job.measure(fit)
    return fit, probes


def _begun(job: _Job, fit: _Fit) -> tuple[_Fit, dict[str, _Probe]]:
    """Measure; the names of 联合行文 become smaller until text begins on the first page, but not as small as text."""
    probes = job.measure(fit)
    fewest = math.ceil(((len(job.mark_names) - 1) * SMALLEST_STEP + SIZE_3 - MARK_HEIGHT) / fit.pitch)
    while probes["body"].page > 1 and fit.mark_lines > max(0, fewest):
        fit = replace(fit, mark_lines=fit.mark_lines - 1)
        probes = job.measure(fit)
    return fit, probes


def _fault(probes: Mapping[str, _Probe], layout: DocumentLayout, settings: PageSettings) -> int:
    """0 when the document ends well: text on the first page and on the signature's, and something on the colophon's.
    After a turned table, which fills its page, everything stands alone whatever the pitch: that is no fault."""
    bound = _bound(layout)
    bare = probes["body"].page > 1
    torn = probes["signature"].page > probes["body-end"].page and not _ends_turned(layout.body)
    alone = probes["colophon"].page > probes["tail"].page and not (bound and _ends_turned(bound[-1].body))
    return 4 * bare + 2 * torn + (alone and not settings.colophon_on_even_page)


def _bound(layout: DocumentLayout) -> list[Attachment]:
    """The attachments printed with the document."""
    return [each for each in layout.attachments if not each.separate]


def _ends_turned(body: Sequence[Block]) -> bool:
    return bool(body) and isinstance(body[-1], Table) and body[-1].landscape


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


def _seal_positions(probes: Mapping[str, _Probe], layout: DocumentLayout) -> tuple[SealPosition, ...]:
    if layout.signature_stamps or not layout.sealed:
        return ()
    return tuple(
        _around(probes[f"seal-{number}"], each.seal_diameter_mm, each.seal_diameter_mm)
        for number, each in enumerate(_organs(layout), 1)
    )


def _stamp_positions(probes: Mapping[str, _Probe], layout: DocumentLayout) -> tuple[SealPosition, ...]:
    return tuple(
        _around(probes[f"stamp-{number}"], each.width_mm, each.height_mm)
        for number, each in enumerate(layout.signature_stamps, 1)
    )


def _around(centre: _Probe, width_mm: float, height_mm: float) -> SealPosition:
    width, height = width_mm * POINTS_PER_MM, height_mm * POINTS_PER_MM
    return SealPosition(centre.page - 1, centre.x - width / 2, PAGE_HEIGHT - centre.y - height / 2, width, height)


def _organs(layout: DocumentLayout) -> tuple[JointOrgan, ...]:
    """All organs that issue the document, the lead organ first."""
    lead = JointOrgan(layout.issuer_signature, layout.issuer_mark, layout.seal_diameter_mm)
    return lead, *layout.joint_organs


# --- what the template is told ---------------------------------------------------------------------------------------


def _content(layout: DocumentLayout, *, fonts: FontLibrary, final: bool) -> dict[str, Any]:
    """Everything that no fit changes."""
    above, below = fonts.ink(Style.XIAOBIAOSONG, plain(layout.issuer_mark))
    return {
        "fonts": fonts.for_engine,
        "final": final,
        "mark": plain(layout.issuer_mark),
        "mark_ink": {"above": above, "below": below},
        **_joint_mark(layout, fonts),
        "marks": _marks(layout),
        "doc_no": _number_shown(layout),
        "signers": [_spread(plain(name)) for name in layout.signers],
        "full_title": plain(layout.title),
        "title": _title(layout.title, layout),
        "body": _blocks(layout.body) or [{"type": "paragraph", "text": "　"}],
        "attachment_note": [plain(name) for name in layout.attachment_note],
        "issuer_signature": plain(layout.issuer_signature),
        "doc_date": _chinese_date(layout.doc_date),
        "sealed": layout.sealed,
        "organs": [
            {"name": plain(each.signature), "seal_diameter": each.seal_diameter_mm * POINTS_PER_MM}
            for each in _organs(layout)
        ],
        "stamps": [
            {
                "post": plain(each.post),
                "width": each.width_mm * POINTS_PER_MM,
                "height": each.height_mm * POINTS_PER_MM,
            }
            for each in layout.signature_stamps
        ],
        "note": plain(layout.note),
        "printing_organ": plain(layout.printing_organ or layout.issuer_signature),
        "print_date": _chinese_date(layout.print_date) + "印发",
        "attachments": [
            shown for shown, each in zip(_attachments(layout), layout.attachments, strict=True) if not each.separate
        ],
        "separate": False,
        "keywords": [plain(layout.doc_no)] if layout.doc_no else [],
    }


def _fitted(layout: DocumentLayout, fit: _Fit) -> dict[str, Any]:
    """Everything that a fit decides."""
    recipients = [plain(name) for name in layout.main_recipients]
    lists = [("主送", recipients if fit.recipients_below else []), ("抄送", [plain(name) for name in layout.copies_to])]
    return {
        "pitch": fit.pitch,
        "mark_lines": fit.mark_lines,
        "carry": fit.carry,
        "main_recipients": [] if fit.recipients_below else recipients,
        "colophon_lists": [{"label": label, "names": names} for label, names in lists if names],
        "colophon_pitch": fit.colophon_pitch,
        "colophon_on_even_page": fit.even_colophon,
    }


def _number_shown(layout: DocumentLayout) -> str:
    """发文字号, or its place while there is none."""
    return plain(layout.doc_no or f"{layout.number_word}〔　　〕　号")


def _title(title: str, layout: DocumentLayout) -> list[str]:
    """The lines of the document's title, or of an attachment's, which keep the organs' names whole."""
    names = (*(each.signature for each in _organs(layout)), *layout.main_recipients)
    return [plain(line) for line in break_title(title, names=names)] or ["　"]


def _mark_names(layout: DocumentLayout) -> list[str]:
    """The organs' names in 发文机关标志, the lead organ's first, without 文件; none where only that one is named."""
    marks = (layout.issuer_mark, *(each.mark for each in layout.joint_organs if each.mark))
    return [plain(mark).removesuffix(MARK_SUFFIX) for mark in marks] if len(marks) > 1 else []


def _joint_mark(layout: DocumentLayout, fonts: FontLibrary) -> dict[str, Any]:
    """The parts of a mark of several names, each with how far its strokes reach above and under its base line."""

    def measured(text: str) -> dict[str, Any]:
        above, below = fonts.ink(Style.XIAOBIAOSONG, text)
        return {"text": text, "above": above, "below": below}

    names = _mark_names(layout)
    with_suffix = bool(names) and plain(layout.issuer_mark).endswith(MARK_SUFFIX)
    return {
        "mark_names": [measured(name) for name in names],
        "mark_suffix": measured(MARK_SUFFIX) if with_suffix else None,
    }


def _marks(layout: DocumentLayout) -> list[dict[str, str]]:
    """份号, 密级和保密期限, 紧急程度: one line each, top left. 密级 has the second line (7.2.2), so that of what is
    classified the first one is kept for 份号."""
    marks = ((layout.copy_no, Style.FANGSONG), (layout.classification, Style.HEITI), (layout.urgency, Style.HEITI))
    given = [{"text": plain(text), "style": style.value} for text, style in marks if text]
    kept = [{"text": "", "style": Style.FANGSONG.value}] if layout.classification and not layout.copy_no else []
    return kept + given


def _spread(name: str) -> str:
    """A name of two characters takes the room of three."""
    return f"{name[0]}　{name[1]}" if len(name) == 2 else name  # noqa: PLR2004


def _chinese_date(day: date | None) -> str:
    """2026年7月1日, without leading zeros; an empty form of the same breadth while there is none."""
    return f"{day.year}年{day.month}月{day.day}日" if day else "　　年　月　日"


def _attachments(layout: DocumentLayout) -> list[dict[str, Any]]:
    """附件 and its number, which a single one does not have."""
    many = len(layout.attachments) > 1 or len(layout.attachment_note) > 1
    return [
        {
            "label": f"附件{number}" if many else "附件",
            "title": _title(each.title, layout),
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
    marks = (layout.issuer_mark, *(each.mark for each in layout.joint_organs))
    titles = (*marks, layout.title, *(each.title for each in layout.attachments))
    yield from ((Style.XIAOBIAOSONG, text) for text in titles)
    labels = (layout.doc_no or layout.number_word for each in layout.attachments if each.separate)
    yield from ((Style.HEITI, text) for text in (layout.classification, layout.urgency, *labels))
    yield from ((Style.KAITI, text) for text in layout.signers)
    names = (*layout.main_recipients, *layout.attachment_note, *layout.copies_to)
    posts = (each.post for each in layout.signature_stamps)
    signed = (*(each.signature for each in _organs(layout)), *posts)
    ends = (layout.doc_no or layout.number_word, *signed, layout.note, layout.printing_organ)
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
