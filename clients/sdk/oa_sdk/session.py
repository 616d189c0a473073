"""What all operations share: the token on every request, a key on every write, and answers that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from oa_sdk.errors import NotSignedIn
from oa_sdk.signin import TokenDesk
from oa_sdk.wire import API, Answer, Listing, Page, Patience, Request, Steps, asking, key_or_new, read_as

T = TypeVar("T")

PAGE = 100


class Session:
    """One system's conversation with one server."""

    def __init__(self, desk: TokenDesk, patience: Patience) -> None:
        self._desk = desk
        self.patience = patience

    def send(self, request: Request) -> Steps[Answer]:
        """The good answer to a request under our token; one that is no longer taken is replaced once.

        Raises ConnectionLost, Refused.
        """
        token = yield from self._desk.token()
        try:
            return (yield from asking(lambda: _under(token, request), self.patience))
        except NotSignedIn:
            self._desk.forget(token)
        token = yield from self._desk.token()
        return (yield from asking(lambda: _under(token, request), self.patience))

    def get(self, path: str, kind: type[T], query: Mapping[str, str] | None = None, *, after: float = 0) -> Steps[T]:
        """What lies at a path, asked after so many seconds."""
        answer = yield from self.send(Request("GET", path, query=query or {}, after=after))
        return read_as(answer, kind)

    def write(
        self, method: str, path: str, kind: type[T], body: Any, *, key: str | None, etag: str | None = None
    ) -> Steps[T]:
        """A write with its Idempotency-Key, and with `If-Match` where it changes what was read. Raises also ValueError for a
        key that cannot be sent."""
        request = Request(method, path, body=msgspec.json.encode(body)).plus(
            Idempotency_Key=key_or_new(key), Content_Type="application/json"
        )
        answer = yield from self.send(request if etag is None else request.plus(If_Match=f'"{etag}"'))
        return read_as(answer, kind)

    def delete(self, path: str, *, key: str | None) -> Steps[None]:
        """Take away what lies at a path."""
        yield from self.send(Request("DELETE", path).plus(Idempotency_Key=key_or_new(key)))

    def rows(self, tree: str, kind: type[T], query: Mapping[str, Any]) -> Listing[T]:
        """A list that goes on by cursor; what is None or empty does not narrow it."""
        chosen = {name: _text(value) for name, value in query.items() if value}

        def page(cursor: str) -> Steps[Page[T]]:
            more = {"cursor": cursor} if cursor else {}
            found = yield from self.get(f"{API}/{tree}", dict[str, Any], {**chosen, "limit": str(PAGE), **more})
            return Page(msgspec.convert(found["items"], list[kind]), found["next"])  # type: ignore[valid-type]

        return Listing("", page)


def _under(token: str, request: Request) -> Request:
    return request.plus(Authorization=f"Bearer {token}")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
