"""Keyset cursors: where a list goes on, opaque to the client and sealed so that nobody edits one."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from oa_server.core.errors import Invalid, Reason

BAD_CURSOR = Reason(
    "web.bad_cursor", "翻页位置无效，请从第一页重新查看", "The cursor is not valid; start from the first page."
)

_SEAL = 12

Cursor = Annotated[str, Meta(max_length=400)]
PageLimit = Annotated[int, Meta(ge=1, le=200)]


class Cursors:
    """Makes and reads cursors under one key of this installation."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, kind: str, values: Sequence[Any]) -> str:
        """A cursor of the list `kind` that holds `values` (JSON scalars; UUIDs and moments become strings)."""
        body = msgspec.json.encode(list(values))
        return base64.urlsafe_b64encode(self._seal(kind, body) + body).decode().rstrip("=")

    def decode(self, kind: str, cursor: str) -> list[Any]:
        """The values of a cursor that we gave out for the list `kind`; none for the empty cursor. Raises Invalid."""
        if not cursor:
            return []
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raise Invalid(BAD_CURSOR) from None
        seal, body = raw[:_SEAL], raw[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(kind, body)):
            raise Invalid(BAD_CURSOR)
        values: list[Any] = msgspec.json.decode(body)
        return values

    def _seal(self, kind: str, body: bytes) -> bytes:
        return hmac.new(self._key, kind.encode() + b"\0" + body, sha256).digest()[:_SEAL]
