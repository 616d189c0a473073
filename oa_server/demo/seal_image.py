"""Pictures of seals (红章) for trials and tests: ring, star, the organ's name on an arc, and always 测试专用章.

Real seals are imported pictures bound to a seal certificate; nothing here may make one that could pass for real, so the
words 测试专用章 are no option. Glyphs are drawn as outlines: the picture needs no font, and the same name gives the
same bytes. Diameters follow the organ's level (国发〔1999〕25号): 42 mm for townships and most departments, 45, 50, 60
above.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import typst
from fontTools.misc.transform import Identity, Transform
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

from oa_server.documents.layout.fonts import FontLibrary, Style

TEST_WORDS = "测试专用章"
RED = "#e60012"
# Ink lets the text under it be read.
OPACITY = 0.85
PIXELS_PER_INCH = 300.0
# Song outlines are thin at this size: each is drawn with an edge of so much of the radius.
BOLDNESS = 0.008
# Shares of the radius.
RING, RING_BREADTH, STAR, ARC, GLYPH, LOWER_LINE, LOWER_GLYPH = 0.97, 0.06, 0.34, 0.72, 0.27, 0.57, 0.17
# The name takes at most so much of the circle, or it would run into the lower line.
WIDEST_ARC, STEP_ARC = math.radians(226), math.radians(27)


@dataclass(frozen=True, slots=True)
class SealImage:
    """The same seal twice: `svg` for screens, `png` with a transparent ground for signatures."""

    svg: bytes
    png: bytes


def make_seal(organ_name: str, *, fonts: FontLibrary, diameter_mm: float = 42.0) -> SealImage:
    """The seal of a fictitious organ. Raises Invalid when a character of its name has no glyph."""
    radius = 500.0
    fonts.substitutes({Style.SONGTI: organ_name})
    places = (*_on_arc(organ_name, radius), *_on_line(TEST_WORDS, radius))
    with _Outlines(fonts) as pen:
        paths = [_star(radius * STAR), *(pen.path(char, place) for char, place in places)]
    svg = _svg(paths, radius=radius, diameter_mm=diameter_mm).encode()
    return SealImage(svg, _raster(svg, diameter_mm))


def _on_arc(text: str, radius: float) -> Iterator[tuple[str, Transform]]:
    """Characters upright on the upper arc, narrowed when there are many."""
    arc = min(WIDEST_ARC, STEP_ARC * (len(text) - 1))
    step = arc / max(1, len(text) - 1)
    height = radius * GLYPH
    breadth = min(height, step * radius * ARC * 0.92)
    for index, char in enumerate(text):
        turn = -arc / 2 + index * step
        yield char, Identity.rotate(-turn).translate(0, radius * ARC).scale(breadth, height)


def _on_line(text: str, radius: float) -> Iterator[tuple[str, Transform]]:
    """Characters side by side under the star."""
    size = radius * LOWER_GLYPH
    for index, char in enumerate(text):
        yield (
            char,
            Identity.translate((index - (len(text) - 1) / 2) * size * 1.08, -radius * LOWER_LINE).scale(size, size),
        )


class _Outlines:
    """Glyphs as SVG paths, each centred on the origin in a box of one unit before it is placed; y grows upwards."""

    def __init__(self, fonts: FontLibrary) -> None:
        self._fonts = fonts
        self._open: dict[tuple[Path, int], TTFont] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for font in self._open.values():
            font.close()

    def path(self, char: str, place: Transform) -> str:
        path, index = self._fonts.file_for(Style.SONGTI, char)
        if (path, index) not in self._open:
            self._open[path, index] = TTFont(path, fontNumber=index, lazy=True)
        font = self._open[path, index]
        glyphs, em = font.getGlyphSet(), font["head"].unitsPerEm
        glyph = glyphs[font.getBestCmap()[ord(char)]]
        pen = SVGPathPen(glyphs, ntos=lambda number: f"{number:.1f}".removesuffix(".0"))
        # The middle of a Chinese glyph lies 0.38 em above its base line.
        glyph.draw(TransformPen(pen, place.scale(1 / em, 1 / em).translate(-glyph.width / 2, -0.38 * em)))
        return str(pen.getCommands())


def _star(size: float) -> str:
    points = [
        (math.sin(turn) * reach, math.cos(turn) * reach)
        for turn, reach in ((math.pi * tip / 5, size * (0.382 if tip % 2 else 1.0)) for tip in range(10))
    ]
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points) + "Z"


def _svg(paths: Sequence[str], *, radius: float, diameter_mm: float) -> str:
    drawn = "".join(f'<path d="{path}"/>' for path in paths)
    ring = (
        f'<circle r="{radius * (RING - RING_BREADTH / 2):.1f}" fill="none" stroke-width="{radius * RING_BREADTH:.1f}"/>'
    )
    box = f"{-radius:g} {-radius:g} {2 * radius:g} {2 * radius:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{diameter_mm:g}mm" height="{diameter_mm:g}mm" viewBox="{box}">'
        f'<g opacity="{OPACITY}" fill="{RED}" stroke="{RED}">'
        f'<g transform="scale(1,-1)" stroke-width="{radius * BOLDNESS:g}">{drawn}</g>{ring}</g></svg>'
    )


def _raster(svg: bytes, diameter_mm: float) -> bytes:
    """The layout engine draws the picture, so trials need no other library for it."""
    side = f"{diameter_mm:g}mm"
    page = f'#set page(width: {side}, height: {side}, margin: 0pt, fill: none)\n#image("seal.svg", width: {side})'
    files: Any = {"main.typ": page.encode(), "seal.svg": svg}
    return bytes(typst.compile(files, format="png", ppi=PIXELS_PER_INCH))
