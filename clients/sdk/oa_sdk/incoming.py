"""收文 that the system's unit may see: list, read, pages."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import BinaryIO

from oa_sdk.documents import pages
from oa_sdk.operations import D, Part, listing, operation
from oa_sdk.shapes import Id, Incoming, IncomingRow
from oa_sdk.wire import Listing, Steps, path_to


class IncomingDocuments(Part[D]):
    """收文; a system reads them, and people handle them."""

    @listing
    def list(
        self,
        *,
        state: str = "",
        kind: str = "",
        urgency: str = "",
        q: str = "",
        since: date | None = None,
        until: date | None = None,
        oldest_first: bool = False,
    ) -> Listing[IncomingRow]:
        """What has come in, newest first, narrowed as `documents.list`. Raises ConnectionLost, Refused, as all here does."""
        narrowed = {"state": state, "kind": kind, "urgency": urgency, "q": q, "since": since, "until": until}
        order = {"sort": "oldest"} if oldest_first else {}
        return self._session.rows("incoming", IncomingRow, narrowed | order)

    @operation
    def get(self, document: Id) -> Steps[Incoming]:
        """An incoming document with all that happened to it. Raises NotFound, also for what the unit may not see."""
        return self._session.get(path_to("incoming", document), Incoming)

    @operation
    def pages(self, document: Id, to: Path | str | BinaryIO | None = None) -> Steps[bytes]:
        """The sealed original as PDF, also written to a path or file object. Raises NotFound, Damaged."""
        return pages(self._session, path_to("incoming", document, "pages.pdf"), to)
