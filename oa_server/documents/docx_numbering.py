"""Automatic numbering of a Word file: rules in the file, text with us. 一、（一）1.（1） and what else offices use.

ECMA-376, part 1, 17.9: lists (`num`) are made from abstract ones, whose levels say how each is counted and shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
LEVELS = 9  # of a list, Word's own
LEVEL_TEXT_LIMIT = 64
NUMBER_LIMIT = 9999
_DIGITS = "零一二三四五六七八九"


def value(element: etree._Element, path: str) -> str:
    """The `w:val` of the element at `path`, empty where there is none."""
    found = element.find(path)
    return found.get(f"{W}val", "") if found is not None else ""


def whole(text: str) -> int | None:
    """A number as the file format writes it; None for anything else, digits beyond reason among it."""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


@dataclass(frozen=True, slots=True)
class _Level:
    """How one level of a list is numbered: kind of digits, text with %n for level n, first number, linked style."""

    kind: str
    text: str
    start: int
    style: str


class Numbering:
    """Counts every list of a file. Lists made from the same abstract one go on counting together, unless restarted."""

    def __init__(self, root: etree._Element | None) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._abstract: dict[str, str] = {}
        self._restarts: dict[tuple[str, int], int] = {}
        self._counters: dict[str, dict[int, int]] = {}
        if root is not None:
            known = {item.get(f"{W}abstractNumId", ""): _levels(item) for item in root.iter(f"{W}abstractNum")}
            for item in root.iter(f"{W}num"):
                self._take(item, known)

    def _take(self, item: etree._Element, known: Mapping[str, dict[int, _Level]]) -> None:
        number_id = item.get(f"{W}numId", "")
        self._abstract[number_id] = value(item, f"{W}abstractNumId")
        self._levels[number_id] = {**known.get(self._abstract[number_id], {}), **_levels(item)}
        for override in item.iter(f"{W}lvlOverride"):
            level = whole(override.get(f"{W}ilvl", ""))
            start = whole(value(override, f"{W}startOverride"))
            if level is not None and start is not None:
                self._restarts[number_id, level] = start

    def next(self, number_id: str, level: int | None, *, style: str) -> str | None:
        """Count one paragraph of a list, and give what stands before its text; nothing for what is in no list, and
        None for a bullet, which official documents do not know (GB/T 9704).

        Without a level of its own, a paragraph is on the level that its style is linked to.
        """
        levels = self._levels.get(number_id, {})
        at = next((n for n, each in levels.items() if style and each.style == style), 0) if level is None else level
        if at not in levels:
            return ""
        self._count(number_id, at, levels[at].start)
        if levels[at].kind == "bullet":
            return None if levels[at].text else ""
        return re.sub(r"%([1-9])", lambda match: self._shown(number_id, int(match.group(1)) - 1), levels[at].text)

    def _count(self, number_id: str, level: int, start: int) -> None:
        counters = self._counters.setdefault(self._abstract[number_id], {})
        restart = self._restarts.pop((number_id, level), None)
        counters[level] = counters.get(level, start - 1) + 1 if restart is None else restart
        for deeper in range(level + 1, LEVELS):
            counters.pop(deeper, None)

    def _shown(self, number_id: str, level: int) -> str:
        rule = self._levels[number_id].get(level)
        if rule is None:
            return ""
        count = self._counters[self._abstract[number_id]].get(level, rule.start)
        return _DIGIT_KINDS.get(rule.kind, str)(count)


def _levels(item: etree._Element) -> dict[int, _Level]:
    found = {}
    for level in item.iter(f"{W}lvl"):
        number = whole(level.get(f"{W}ilvl", ""))
        if number is not None and number < LEVELS:
            start = whole(value(level, f"{W}start"))
            found[number] = _Level(
                kind=value(level, f"{W}numFmt"),
                text=value(level, f"{W}lvlText")[:LEVEL_TEXT_LIMIT],
                start=1 if start is None else start,
                style=value(level, f"{W}pStyle"),
            )
    return found


def chinese_number(number: int) -> str:
    """0 to 9999 as offices count: 一, 十, 十二, 二十一, 一百零一."""
    text = ""
    for place, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // place % 10
        if digit:
            text += _DIGITS[digit] + unit
        elif text and not text.endswith("零"):
            text += "零"
    text = text.rstrip("零") or "零"
    return text[1:] if text.startswith("一十") else text


def _letter(number: int) -> str:
    """a to z, then aa to zz, as Word does."""
    times, at = divmod(max(number, 1) - 1, 26)
    return chr(ord("a") + at) * min(times + 1, 10)


def _roman(number: int) -> str:
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    text = ""
    for value, letters in zip(
        values, ["m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"], strict=True
    ):
        text += letters * (number // value)
        number %= value
    return text


def _from_row(row: str) -> Callable[[int], str]:
    """Numbers that are single characters, as far as there are any; plain digits beyond."""
    return lambda number: row[number - 1] if 1 <= number <= len(row) else str(number)


def _limited(spell: Callable[[int], str]) -> Callable[[int], str]:
    return lambda number: spell(number) if number <= NUMBER_LIMIT else str(number)


_CHINESE = _limited(chinese_number)
_CIRCLED = _from_row("①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳")
# ST_NumberFormat, ECMA-376 part 1, 17.18.59, as far as offices use it; the others come out as plain digits.
_DIGIT_KINDS: Mapping[str, Callable[[int], str]] = {
    "none": lambda _: "",
    "chineseCounting": _CHINESE,
    "chineseCountingThousand": _CHINESE,
    "japaneseCounting": _CHINESE,
    "taiwaneseCountingThousand": _CHINESE,
    "ideographDigital": lambda number: "".join("〇一二三四五六七八九"[int(digit)] for digit in str(number)),
    "ideographTraditional": _from_row("甲乙丙丁戊己庚辛壬癸"),
    "decimalZero": lambda number: f"{number:02}",
    "decimalFullWidth": lambda number: "".join(chr(ord(digit) + 0xFEE0) for digit in str(number)),
    "decimalEnclosedCircle": _CIRCLED,
    "decimalEnclosedCircleChinese": _CIRCLED,
    "decimalEnclosedParen": _from_row("⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽⑾⑿⒀⒁⒂⒃⒄⒅⒆⒇"),
    "lowerLetter": _limited(_letter),
    "upperLetter": _limited(lambda number: _letter(number).upper()),
    "lowerRoman": _limited(_roman),
    "upperRoman": _limited(lambda number: _roman(number).upper()),
}
