"""Whom one may talk to: everybody in office, found by name, number, or the initials of the name in pinyin."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from pypinyin import Style, lazy_pinyin

from oa_server.identity import access as identity
from oa_server.identity.access import Colleague

SHOWN = 50


@lru_cache(maxsize=200_000)
def sounds(name: str) -> tuple[str, str]:
    """A name's initials and its whole sound in pinyin, in lower case: 王建国 is wjg and wangjianguo."""
    return "".join(lazy_pinyin(name, style=Style.FIRST_LETTER)).lower(), "".join(lazy_pinyin(name)).lower()


async def contacts(words: str, unit_id: UUID | None) -> Sequence[Colleague]:
    """Colleagues in office whose name, number or sound holds the words; of one unit when it is named, else the first so many."""
    wanted = words.strip().lower().replace(" ", "")
    everybody = await identity.colleagues(unit_id)
    found = [one for one in everybody if _matches(one, wanted)]
    found.sort(key=lambda one: (not one.name.startswith(words.strip()), one.position))
    return found if unit_id is not None else found[:SHOWN]


def _matches(one: Colleague, wanted: str) -> bool:
    if not wanted or wanted in one.name or wanted in one.code.lower():
        return True
    return wanted.isascii() and any(sound.startswith(wanted) for sound in sounds(one.name))
