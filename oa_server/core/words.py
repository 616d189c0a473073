"""Vocabularies whose codes go over the wire and whose words are read by people."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """A vocabulary whose members carry their Chinese title: `MEMBER = "code", "标题"`."""

    title_zh: str

    def __new__(cls, code: str, title: str = "") -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.title_zh = title
        return member
