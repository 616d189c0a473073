"""Reading pages back: what stands where, in millimetres from the upper left corner of the sheet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import pdfplumber
import pypdfium2

MM = 72 / 25.4
# The em square of a glyph: so much of it stands above the base line.
ASCENT = 0.88

TOP, LEFT, BOTTOM, RIGHT = 37.0, 28.0, 262.0, 184.0
CENTRE = (LEFT + RIGHT) / 2
CHAR = 156 / 28
SIZE_3, SIZE_2, SIZE_4 = 16 / MM, 22 / MM, 14 / MM
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Glyph:
    text: str
    left: float
    right: float
    baseline: float
    size: float
    font: str
    red: bool

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
    red: bool


@dataclass(frozen=True, slots=True)
class Page:
    width: float
    height: float
    lines: tuple[Line, ...]
    rules: tuple[Rule, ...]

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
    glyphs = sorted((_glyph(char, height) for char in upright), key=lambda g: (round(g.baseline, 1), g.left))
    lines = tuple(Line(tuple(group)) for _, group in groupby(glyphs, key=lambda g: round(g.baseline, 1)))
    rules = tuple(_rules(page))
    return Page(float(page.width) / MM, height / MM, lines, rules)


def _glyph(char: dict, height: float) -> Glyph:
    *_, baseline = char["matrix"]
    return Glyph(
        text=char["text"],
        left=char["x0"] / MM,
        right=char["x1"] / MM,
        baseline=(height - baseline) / MM,
        size=char["size"] / MM,
        font=char["fontname"].partition("+")[2],
        red=char["non_stroking_color"] == (1, 0, 0),
    )


def _rules(page: pdfplumber.page.Page) -> Iterator[Rule]:
    for line in page.lines:
        if abs(line["top"] - line["bottom"]) < 0.01:
            yield Rule(
                line["x0"] / MM,
                line["x1"] / MM,
                line["top"] / MM,
                line["linewidth"] / MM,
                line["stroking_color"] == (1, 0, 0),
            )


def ink_rows(pdf: bytes, page: int, *, box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Where ink begins and ends inside `box` (left, top, right, bottom): measured on the page as a printer sees it."""
    left, top, right, bottom = box
    scale = 600 / 72
    with pypdfium2.PdfDocument(pdf) as document:
        sheet = document[page]
        width, height = sheet.get_size()
        crop = (left * MM, height - bottom * MM, width - right * MM, top * MM)
        picture = sheet.render(scale=scale, crop=crop).to_pil().convert("L")
    dark = [y for y in range(picture.height) if picture.crop((0, y, picture.width, y + 1)).getextrema()[0] < 200]
    step = (bottom - top) / picture.height
    return top + dark[0] * step, top + (dark[-1] + 1) * step
