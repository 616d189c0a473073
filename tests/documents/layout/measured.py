"""Reading pages back: what stands where, in millimetres from the upper left corner of the sheet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import pdfplumber
import pypdfium2
from PIL.Image import Image

MM = 72 / 25.4
# The em square of a glyph: so much of it stands above the base line.
ASCENT = 0.88

TOP, LEFT, BOTTOM, RIGHT = 37.0, 28.0, 262.0, 184.0
CENTRE = (LEFT + RIGHT) / 2
CHAR = 156 / 28
SIZE_3, SIZE_2, SIZE_4 = 16 / MM, 22 / MM, 14 / MM
TOLERANCE = 0.1
BLACK, RED = "black", "red"
DARK = 200  # of 255: darker is ink


@dataclass(frozen=True, slots=True)
class Glyph:
    text: str
    left: float
    right: float
    baseline: float
    size: float
    font: str
    colour: str

    @property
    def red(self) -> bool:
        return self.colour == RED

    @property
    def top(self) -> float:
        """The upper edge of its em square."""
        return self.baseline - ASCENT * self.size

    @property
    def bottom(self) -> float:
        return self.top + self.size


@dataclass(frozen=True, slots=True)
class Line:
    """Glyphs on one base line, from left to right."""

    glyphs: tuple[Glyph, ...]

    @property
    def text(self) -> str:
        return "".join(glyph.text for glyph in self.glyphs)

    @property
    def left(self) -> float:
        return self.glyphs[0].left

    @property
    def right(self) -> float:
        return self.glyphs[-1].right

    @property
    def top(self) -> float:
        return self.glyphs[0].top

    @property
    def bottom(self) -> float:
        return self.glyphs[0].bottom

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    @property
    def size(self) -> float:
        return self.glyphs[0].size

    @property
    def font(self) -> str:
        return self.glyphs[0].font

    @property
    def faces(self) -> set[str]:
        """The faces of its characters, but for digits and Latin letters, which may have another beside these."""
        return {glyph.font for glyph in self.glyphs if not glyph.text.isascii()}

    @property
    def sizes(self) -> set[float]:
        """The sizes of its glyphs, to a tenth of a millimetre."""
        return {round(glyph.size, 1) for glyph in self.glyphs}

    def part(self, text: str) -> Line:
        """The glyphs of `text` within the line."""
        start = self.text.index(text)
        return Line(self.glyphs[start : start + len(text)])


@dataclass(frozen=True, slots=True)
class Rule:
    """A drawn horizontal line: `y` is the middle of its thickness."""

    left: float
    right: float
    y: float
    thickness: float
    colour: str

    @property
    def red(self) -> bool:
        return self.colour == RED


@dataclass(frozen=True, slots=True)
class TurnedGlyph:
    """A glyph that reads upwards: its base line stands upright at `x`, it begins at `foot` and ends at `head`."""

    text: str
    x: float
    foot: float
    head: float
    size: float
    font: str
    colour: str


@dataclass(frozen=True, slots=True)
class Page:
    width: float
    height: float
    lines: tuple[Line, ...]
    rules: tuple[Rule, ...]
    turned: tuple[TurnedGlyph, ...]
    edges: tuple[float, ...]  # where upright lines stand, from left to right

    @property
    def turned_lines(self) -> list[str]:
        """What is written upwards, base line by base line from left to right."""
        lines: list[list[TurnedGlyph]] = []
        for glyph in sorted(self.turned, key=lambda g: g.x):
            if not lines or glyph.x - lines[-1][0].x > 1:
                lines.append([])
            lines[-1].append(glyph)
        return ["".join(glyph.text for glyph in sorted(line, key=lambda g: -g.foot)) for line in lines]

    @property
    def colours(self) -> set[str]:
        """The colours of everything on the page."""
        glyphs = (glyph.colour for line in self.lines for glyph in line.glyphs)
        return {*glyphs, *(rule.colour for rule in self.rules), *(glyph.colour for glyph in self.turned)}

    def line(self, text: str) -> Line:
        """The first line that holds `text`."""
        return next(line for line in self.lines if text in line.text)

    def has(self, text: str) -> bool:
        return any(text in line.text for line in self.lines)

    @property
    def body(self) -> list[Line]:
        """The lines inside the type area."""
        return [line for line in self.lines if line.bottom < BOTTOM + 1]


def read_pages(pdf: bytes) -> list[Page]:
    with pdfplumber.open(io.BytesIO(pdf)) as document:
        return [_read_page(page) for page in document.pages]


def _read_page(page: pdfplumber.page.Page) -> Page:
    height = float(page.height)
    upright = [char for char in page.chars if char["matrix"][1] == 0]  # the mark of review copies is turned
    turned = tuple(_turned(char) for char in page.chars if abs(char["matrix"][0]) < 1e-6)
    glyphs = sorted((_glyph(char, height) for char in upright), key=lambda g: (round(g.baseline, 1), g.left))
    lines = tuple(Line(tuple(group)) for _, group in groupby(glyphs, key=lambda g: round(g.baseline, 1)))
    rules = tuple(_rules(page))
    edges = tuple(sorted(line["x0"] / MM for line in page.lines if abs(line["x0"] - line["x1"]) < 0.01))
    return Page(float(page.width) / MM, height / MM, lines, rules, turned, edges)


def _glyph(char: dict, height: float) -> Glyph:
    *_, baseline = char["matrix"]
    return Glyph(
        text=char["text"],
        left=char["x0"] / MM,
        right=char["x1"] / MM,
        baseline=(height - baseline) / MM,
        size=char["size"] / MM,
        font=char["fontname"].partition("+")[2],
        colour=_colour(char["non_stroking_color"]),
    )


def _turned(char: dict) -> TurnedGlyph:
    *_, x, _ = char["matrix"]
    return TurnedGlyph(
        text=char["text"],
        x=x / MM,
        foot=char["bottom"] / MM,
        head=char["top"] / MM,
        size=char["size"] / MM,
        font=char["fontname"].partition("+")[2],
        colour=_colour(char["non_stroking_color"]),
    )


def _colour(components: float | tuple[float, ...]) -> str:
    """Black and red by name, anything else by its numbers."""
    return {0.0: BLACK, (0.0,): BLACK, (1.0, 0.0, 0.0): RED}.get(components, str(components))


def _rules(page: pdfplumber.page.Page) -> Iterator[Rule]:
    for line in page.lines:
        if abs(line["top"] - line["bottom"]) < 0.01:
            yield Rule(
                line["x0"] / MM,
                line["x1"] / MM,
                line["top"] / MM,
                line["linewidth"] / MM,
                _colour(line["stroking_color"]),
            )


def ink_rows(pdf: bytes, page: int, *, box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Where ink begins and ends inside `box` (left, top, right, bottom): measured on the page as a printer sees it."""
    picture, (_, top, _, bottom) = _printed(pdf, page, box), box
    dark = [y for y in range(picture.height) if picture.crop((0, y, picture.width, y + 1)).getextrema()[0] < DARK]
    step = (bottom - top) / picture.height
    return top + dark[0] * step, top + (dark[-1] + 1) * step


def ink_columns(pdf: bytes, page: int, *, box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Where ink begins and ends from left to right inside `box`."""
    picture, (left, _, right, _) = _printed(pdf, page, box), box
    dark = [x for x in range(picture.width) if picture.crop((x, 0, x + 1, picture.height)).getextrema()[0] < DARK]
    step = (right - left) / picture.width
    return left + dark[0] * step, left + (dark[-1] + 1) * step


def _printed(pdf: bytes, page: int, box: tuple[float, float, float, float]) -> Image:
    left, top, right, bottom = box
    with pypdfium2.PdfDocument(pdf) as document:
        sheet = document[page]
        width, height = sheet.get_size()
        crop = (left * MM, height - bottom * MM, width - right * MM, top * MM)
        return sheet.render(scale=600 / 72, crop=crop).to_pil().convert("L")
