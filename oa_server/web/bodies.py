"""What comes in: bodies in pieces and within limits, and JSON more strictly than the library reads it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator
from math import isfinite
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from oa_server.core.errors import Invalid, Malformed, Reason, TooLarge

MALFORMED = Reason("web.malformed", "请求内容无法读取，请检查格式", "The request cannot be read as JSON.")
INVALID = Reason("web.invalid", "填写的内容不符合要求", "What was sent does not fit its form.")
TOO_LARGE = Reason("web.too_large", "请求内容过大", "The request is too large.")

FORM_MEMBERS = 20


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge as soon as it passes `limit` bytes."""
    return b"".join([piece async for piece in in_pieces(request, limit, limit)])


async def in_pieces(request: Request, size: int, limit: int) -> AsyncIterator[memoryview]:
    """As `Call.pieces`."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(TOO_LARGE, limit=limit)
    piece, passed = bytearray(), 0
    async for received in request.stream():
        passed += len(received)
        if passed > limit:
            raise TooLarge(TOO_LARGE, limit=limit)
        rest = memoryview(received)
        while len(piece) + len(rest) >= size:
            room = size - len(piece)
            piece += rest[:room]
            yield memoryview(piece)
            piece, rest = bytearray(), rest[room:]
        piece += rest
    if piece:
        yield memoryview(piece)


def read_form(data: bytes) -> dict[str, str]:
    """The members of a form. Raises Malformed for what is none, or names one twice (RFC 6749, 3.2)."""
    try:
        found = parse_qsl(
            data.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=FORM_MEMBERS
        )
        return _members(found)
    except ValueError as error:
        raise Malformed(MALFORMED, str(error)) from error


def decode(data: bytes, kind: Any) -> Any:
    """Strict JSON (RFC 8259, and I-JSON of RFC 7493) into `kind`. Unknown members are refused by the schemas themselves.

    Raises Malformed for what is no such JSON: other encodings, NaN, numbers beyond measure, names twice in an object, lone
    surrogates, U+0000. Raises Invalid for what does not fit `kind`.
    """
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number, parse_float=_finite)
        # Only an escape can bring in what UTF-8 itself does not.
        if "\\u" in text or not unicodedata.is_normalized("NFC", text):
            value = clean(value)
    except (ValueError, RecursionError) as error:
        raise Malformed(MALFORMED, str(error)) from error
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Invalid(INVALID, str(error)) from error


def clean(value: Any) -> Any:
    """The value with every text in normal form C, in which alone texts are compared and signed (`crypto.canonical`).

    Raises ValueError for text that is none: lone surrogates, or U+0000, which PostgreSQL does not keep.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("text holds U+0000")
        value.encode()  # UnicodeEncodeError, a ValueError, for a lone surrogate
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean(item) for name, item in value.items()}
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number is beyond measure")
    return number
