"""公文: list, read, draft, revise, submit, withdraw, abandon; who has received it."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from oa_sdk.errors import Damaged
from oa_sdk.files import written
from oa_sdk.operations import D, Part, listing, operation
from oa_sdk.session import Session
from oa_sdk.shapes import Body, Consignments, Document, DocumentRow, Elements, Id, Receipt
from oa_sdk.wire import API, Listing, Request, Steps, path_to


class Documents(Part[D]):
    """公文. Every write takes a `key` (Idempotency-Key): with the same one it can be repeated, and happens once."""

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
    ) -> Listing[DocumentRow]:
        """The documents that the system's unit may see, newest first; `q` are words of the title, `since` and `until` days, both
        included. Raises ConnectionLost, Refused, as everything here does."""
        narrowed = {"state": state, "kind": kind, "urgency": urgency, "q": q, "since": since, "until": until}
        order = {"sort": "oldest"} if oldest_first else {}
        return self._session.rows("documents", DocumentRow, narrowed | order)

    @operation
    def get(self, document: Id) -> Steps[Document]:
        """A document with all that happened to it. Raises NotFound, also for what the unit may not see."""
        return self._session.get(path_to("documents", document), Document)

    @operation
    def draft(self, elements: Elements, body: Body, *, key: str | None = None) -> Steps[Document]:
        """Draft a document in the name of the official who answers for the system. Raises Invalid."""
        wanted = {"elements": elements, "body": body}
        return self._session.write("POST", f"{API}/documents", Document, wanted, key=key)

    @operation
    def revise(
        self, read: Document, *, elements: Elements | None = None, body: Body | None = None, key: str | None = None
    ) -> Steps[Document]:
        """Change a draft as it was read. Raises Stale when it has changed since, Conflict when it is no draft any more."""
        given = {"elements": elements, "body": body}
        changes = {name: value for name, value in given.items() if value is not None}
        return self._session.write("PATCH", path_to("documents", read.id), Document, changes, key=key, etag=read.etag)

    @operation
    def submit(self, read: Document, *, key: str | None = None) -> Steps[Document]:
        """Send a draft on its route (送审), from where people go on. Raises Stale, Conflict, Denied."""
        return self._act(read, {"verb": "submit"}, key)

    @operation
    def withdraw(self, read: Document, *, key: str | None = None) -> Steps[Document]:
        """Take a document back as long as the next step has not begun. Raises Stale, Conflict, Denied."""
        return self._act(read, {"verb": "withdraw"}, key)

    @operation
    def abandon(self, read: Document, *, reason: str = "", key: str | None = None) -> Steps[Document]:
        """Give a draft up for good (作废). Raises Stale, Conflict, Denied."""
        return self._act(read, {"verb": "abandon", "reason": reason}, key)

    @operation
    def pages(self, document: Id, to: Path | str | BinaryIO | None = None) -> Steps[bytes]:
        """The pages as PDF, also written to a path or file object. Raises NotFound when there are none yet, Damaged."""
        return pages(self._session, path_to("documents", document, "pages.pdf"), to)

    @operation
    def receipts(self, document: Id) -> Steps[Consignments]:
        """签收情况: who has received it and signed for it. Raises NotFound."""
        return self._session.get(path_to("documents", document, "consignments"), Consignments)

    @operation
    def receipt(self, consignment: Id) -> Steps[Receipt]:
        """The signed receipt of one recipient (`Consignment.id`). Raises NotFound until there is one."""
        return self._session.get(path_to("consignments", consignment, "receipt"), Receipt)

    def _act(self, read: Document, act: dict[str, Any], key: str | None) -> Steps[Document]:
        path = path_to("documents", read.id, "acts")
        return self._session.write("POST", path, Document, act, key=key, etag=read.etag)


def pages(session: Session, path: str, to: Path | str | BinaryIO | None) -> Steps[bytes]:
    """A PDF, checked against the digest by which the server keeps it, and written where it is wanted. Raises Damaged."""
    answer = yield from session.send(Request("GET", path))
    if sha256(answer.body).hexdigest() != answer.headers.get("etag", "").removeprefix("W/").strip('"'):
        raise Damaged("版式文件与服务器登记的摘要不符")
    if to is not None:
        with written(to) as file:
            file.write(answer.body)
    return answer.body
