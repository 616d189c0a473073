"""Which face shows which character.

Each of the five styles has a chain of families; the first that is installed and has the character shows it. A chain
begins with the official faces, which a unit may own and we may not ship, goes on with free faces of the same style,
and ends with faces of large repertoire for rare names. The pages are set by the same chains, so what this module
foretells is what the file holds; a character that no face has is refused by name, never printed as an empty box.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import typst

from oa_server.core.errors import Invalid, Reason, Unavailable

FONTS_MISSING = Reason(
    "layout.fonts_missing",
    "服务器缺少排版字体，请联系管理员运行 make fonts",
    "The layout fonts are missing: run `make fonts`.",
)
NO_GLYPH = Reason(
    "layout.no_glyph", "有的字没有字体可以显示，请更换该字或安装字体", "No installed font has some of the characters."
)


class Style(StrEnum):
    """The styles GB/T 9704-2012 names."""

    FANGSONG = "fangsong"
    KAITI = "kaiti"
    HEITI = "heiti"
    SONGTI = "songti"
    XIAOBIAOSONG = "xiaobiaosong"


STYLE_NAMES: Mapping[Style, str] = {
    Style.FANGSONG: "仿宋",
    Style.KAITI: "楷体",
    Style.HEITI: "黑体",
    Style.SONGTI: "宋体",
    Style.XIAOBIAOSONG: "小标宋",
}


# The weight asked of each style's faces. The official faces have but one; among the free ones the light cut of a
# fallback matches the thin strokes of 仿宋 and 楷体, and the bold cut of a Song face stands in for 小标宋.
WEIGHTS: Mapping[Style, int] = {
    Style.FANGSONG: 300,
    Style.KAITI: 300,
    Style.HEITI: 400,
    Style.SONGTI: 400,
    Style.XIAOBIAOSONG: 700,
}


@dataclass(frozen=True, slots=True)
class Face:
    """A family as the engine names it. A stand-in is legible, but not of the style asked for. `latin` names the family
    that shows digits and Latin letters beside it, where its own are not fit to print."""

    family: str
    stand_in: bool = False
    latin: str = ""


def _stand_ins(*families: str) -> tuple[Face, ...]:
    return tuple(Face(family, stand_in=True) for family in families)


# LXGW WenKai covers every character of the 通用规范汉字表; BabelStone Han and HanaMinB reach the extension planes.
_RARE = _stand_ins("LXGW WenKai", "Noto Serif CJK SC", "Noto Serif SC", "BabelStone Han", "HanaMinB")

CHAINS: Mapping[Style, tuple[Face, ...]] = {
    Style.FANGSONG: (
        *map(Face, ("FangSong_GB2312", "FZFangSong-Z02S", "FangSong", "Zhuque Fangsong (technical preview)")),
        Face("FandolFang R", latin="Noto Serif CJK SC"),
        *_RARE,
    ),
    Style.KAITI: (
        *map(Face, ("KaiTi_GB2312", "KaiTi")),
        Face("FandolKai", latin="Noto Serif CJK SC"),
        Face("LXGW WenKai"),
        *_RARE[1:],
    ),
    Style.HEITI: (
        Face("SimHei"),
        Face("FandolHei", latin="Noto Sans CJK SC"),
        *map(Face, ("Noto Sans CJK SC", "Noto Sans SC")),
        *_RARE,
    ),
    Style.SONGTI: (*map(Face, ("SimSun", "FandolSong", "Noto Serif CJK SC", "Noto Serif SC")), *_RARE),
    Style.XIAOBIAOSONG: (
        *map(Face, ("FZXiaoBiaoSong-B05S", "FZXiaoBiaoSong-B05")),
        Face("Noto Serif CJK SC", stand_in=True),
        Face("Noto Serif SC", stand_in=True),
        *_RARE,
    ),
}


# Spaces and variation selectors need no glyph of their own.
_UNDRAWN = frozenset(map(chr, (0x20, 0xA0, 0x3000, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))


def chains_with(site_fonts: Mapping[str, str]) -> Mapping[Style, tuple[Face, ...]]:
    """The chains with the site's own families (style → family, as in the settings) put first."""
    own = {Style(style): Face(family) for style, family in site_fonts.items()}
    return {style: (own[style], *chain) if style in own else chain for style, chain in CHAINS.items()}


class FontLibrary:
    """The fonts of some directories, opened once and kept for the life of the process.

    Raises Unavailable when a style has no face at all; character maps are read when a text first needs them.
    """

    def __init__(self, directories: Sequence[Path], chains: Mapping[Style, Sequence[Face]] = CHAINS) -> None:
        self.engine_fonts = _open_fonts(tuple(str(path) for path in directories if path.is_dir()))
        self._infos: list[Any] = self.engine_fonts.fonts()
        self._present = {info.family for info in self._infos}
        self.chains = {style: tuple(face for face in chains[style] if face.family in self._present) for style in Style}
        if missing := [STYLE_NAMES[style] for style, chain in self.chains.items() if not chain]:
            raise Unavailable(FONTS_MISSING, styles=missing)

    @cached_property
    def stand_ins(self) -> tuple[str, ...]:
        """For the banner: each style that is shown in another one, with the face that shows it: 小标宋（Noto Serif CJK
        SC）."""
        heads = {style: chain[0] for style, chain in self.chains.items()}
        return tuple(f"{STYLE_NAMES[style]}（{face.family}）" for style, face in heads.items() if face.stand_in)

    @cached_property
    def for_engine(self) -> dict[str, dict[str, Any]]:
        """Per style what the template needs: its families in order and the weight to ask for."""
        return {
            style.value: {
                "families": [face.family for face in chain],
                "latin": chain[0].latin if chain[0].latin in self._present else None,
                "weight": WEIGHTS[style],
            }
            for style, chain in self.chains.items()
        }

    def substitutes(self, texts: Mapping[Style, str]) -> dict[str, str]:
        """Every character that the first face of its style lacks, with the family that shows it instead.

        Raises Invalid naming all characters that no face has.
        """
        found: dict[str, str] = {}
        lost: set[str] = set()
        for style, text in texts.items():
            for char in sorted(set(text) - _UNDRAWN):
                face = self._face_for(style, char)
                if face is None:
                    lost.add(char)
                elif face is not self.chains[style][0]:
                    found[char] = face.family
        if lost:
            raise Invalid(NO_GLYPH, characters=[f"{char} U+{ord(char):04X}" for char in sorted(lost)])
        return found

    def file_for(self, style: Style, char: str) -> tuple[Path, int]:
        """The file, and the font's place in it, that shows `char`. Raises Invalid when none does."""
        self.substitutes({style: char})
        face = self._face_for(style, char)
        assert face is not None
        return self._font(style, face)

    def ink(self, style: Style, text: str) -> tuple[float, float]:
        """How far the strokes of `text` reach above and under the base line, in em. (The engine's own bounds count the
        control points of curves, which lie outside of the strokes.) Raises Invalid when a character has no glyph."""
        chars: dict[tuple[Path, int], set[str]] = defaultdict(set)
        for char in set(text) - _UNDRAWN:
            chars[self.file_for(style, char)].add(char)
        edges = [edge for font, of in chars.items() for edge in _read_edges(*font, "".join(sorted(of)))]
        above, below = max((top for top, _ in edges), default=1.0), min((foot for _, foot in edges), default=0.0)
        return above, -below

    def _face_for(self, style: Style, char: str) -> Face | None:
        return next((face for face in self.chains[style] if ord(char) in self._repertoire(style, face)), None)

    def _repertoire(self, style: Style, face: Face) -> frozenset[int]:
        return _read_repertoire(*self._font(style, face))

    def _font(self, style: Style, face: Face) -> tuple[Path, int]:
        """The font of the family that is nearest to the style's weight, as the engine chooses it."""
        family = (info for info in self._infos if info.family == face.family)
        info = min(family, key=lambda info: abs(info.weight - WEIGHTS[style]))
        return Path(info.path), info.index


# Opened fonts are large, slow to read and the same for everybody, so a process keeps each once, however many libraries it
# makes; and of their glyphs, what was asked for: the heads of the same organs, again and again.


@lru_cache(maxsize=8)
def _open_fonts(paths: tuple[str, ...]) -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=list(paths))


@lru_cache(maxsize=64)
def _read_repertoire(path: Path, index: int) -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(path, fontNumber=index, lazy=True) as font:
        return frozenset(font.getBestCmap())


@lru_cache(maxsize=1024)
def _read_edges(path: Path, index: int, chars: str) -> tuple[tuple[float, float], ...]:
    """The upper and lower edges of glyphs' strokes, in em."""
    from fontTools.pens.boundsPen import BoundsPen
    from fontTools.ttLib import TTFont

    edges = []
    with TTFont(path, fontNumber=index, lazy=True) as font:
        glyphs, em, names = font.getGlyphSet(), font["head"].unitsPerEm, font.getBestCmap()
        for char in chars:
            pen = BoundsPen(glyphs)
            glyphs[names[ord(char)]].draw(pen)
            _, foot, _, top = pen.bounds or (0, 0, 0, 0)
            edges.append((top / em, foot / em))
    return tuple(edges)
