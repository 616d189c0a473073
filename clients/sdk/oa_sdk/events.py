"""事件 of the documents that the system's unit may see, in their order."""

from __future__ import annotations

import msgspec

from oa_sdk.operations import D, Part, listing, operation
from oa_sdk.session import PAGE
from oa_sdk.shapes import Event
from oa_sdk.wire import API, Listing, Page, Steps


class _Events(msgspec.Struct):
    items: list[Event]
    next: int


class _Keys(msgspec.Struct):
    keys: list[str]


class Events(Part[D]):
    """事件. They are numbered without a gap: keep the number of the last one that was dealt with, and go on after it."""

    @listing
    def after(self, number: int = 0) -> Listing[Event]:
        """The events after the one with this number that have happened by now; 0 begins with the first.

        Raises ConnectionLost, Refused.
        """

        def page(place: str) -> Steps[Page[Event]]:
            found = yield from self._session.get(f"{API}/events", _Events, {"after": place, "limit": str(PAGE)})
            return Page(found.items, str(found.next) if found.items else None)

        return Listing(str(number), page)

    @operation
    def webhook_keys(self) -> Steps[list[str]]:
        """The public keys of the server's webhooks (`whpk_…`), for `verify_webhook`; two while one replaces another."""
        found = yield from self._session.get(f"{API}/webhook-keys", _Keys)
        return found.keys
