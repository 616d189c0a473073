"""Keyset cursors: where a list goes on, opaque to the client and sealed so that nobody edits one."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from oa_server.core.errors import Invalid, Reason

BAD_CURSOR = Reason(
    "web.bad_cursor", "翻页位置无效，请从第一页重新查看", "The cursor is not valid; start from the first page."
)

_SEAL = 12


class Cursors:
    """Makes and reads cursors under one key of this installation."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, values: Sequence[Any]) -> str:
        """A cursor that holds `values` (JSON scalars, UUIDs and moments become strings)."""
        body = msgspec.json.encode(list(values))
        return base64.urlsafe_b64encode(self._seal(body) + body).decode().rstrip("=")

    def decode(self, cursor: str) -> list[Any]:
        """The values of a cursor of ours. Raises Invalid."""
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raise Invalid(BAD_CURSOR) from None
        seal, body = raw[:_SEAL], raw[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(body)):
            raise Invalid(BAD_CURSOR)
        values: list[Any] = msgspec.json.decode(body)
        return values

    def _seal(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, sha256).digest()[:_SEAL]
