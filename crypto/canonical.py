"""Canonical JSON: one text for one value, so that a digest means the same everywhere.

The profile of RFC 8785 that we keep: member names are ASCII, strings are NFC without lone surrogates, integers lie
within ±2^53, and there are no floats. Within it, sorted keys and no white space give the very bytes of RFC 8785.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from crypto.errors import ContentRefused

INTEGER_LIMIT = 2**53
DEPTH_LIMIT = 64


def canonical_json(value: Any) -> bytes:
    """The canonical bytes of `value`. Raises ContentRefused for what the profile does not allow."""
    _check(value, 0)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return text.encode()


def parse_canonical(data: bytes) -> Any:
    """The value behind canonical bytes. Raises ContentRefused when they are not canonical."""
    try:
        value = json.loads(data)
        again = canonical_json(value)
    except (ValueError, RecursionError) as error:
        raise ContentRefused("canonical.unreadable", str(error)) from error
    if again != data:
        raise ContentRefused("canonical.not_canonical", "the bytes are JSON, but not in canonical form")
    return value


def _check(value: Any, depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise ContentRefused("canonical.too_deep", f"more than {DEPTH_LIMIT} levels")
    match value:
        case None | bool():
            pass
        case str():
            _check_text(value)
        case int():
            if abs(value) > INTEGER_LIMIT:
                raise ContentRefused("canonical.integer", "integers beyond ±2^53 do not survive every reader")
        case list() | tuple():
            for item in value:
                _check(item, depth + 1)
        case dict():
            _check_names(value)
            for item in value.values():
                _check(item, depth + 1)
        case _:
            raise ContentRefused("canonical.kind", f"{type(value).__name__} has no canonical form")


def _check_names(members: dict[Any, Any]) -> None:
    # Beyond ASCII the order of RFC 8785, by UTF-16 units, is not Python's order, by code points.
    if not all(isinstance(name, str) and name.isascii() for name in members):
        raise ContentRefused("canonical.name", "member names are ASCII strings")


def _check_text(text: str) -> None:
    if text.isascii():
        return
    if not unicodedata.is_normalized("NFC", text):
        raise ContentRefused("canonical.not_nfc", "text is not in Unicode normal form C")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ContentRefused("canonical.surrogate", "text holds a lone surrogate") from error
