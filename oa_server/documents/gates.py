"""What documents say when lower domains ask: who may read and change attachments, and whose pages a file is."""

from __future__ import annotations

from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.core.errors import NotFound
from oa_server.core.ports import KnownPages
from oa_server.documents import access, actions, rules
from oa_server.documents.models import OutgoingDocument
from oa_server.identity import access as identity
from oa_server.storage.unit_of_work import lock_row


class OutgoingGate:
    """Attachments of an outgoing document (`core.ports.SubjectGate`)."""

    async def check_readable(self, actor: Actor, subject_id: UUID) -> None:
        """The document's own readers, and those of every organ it was sent to."""
        try:
            await access.outgoing_document(actor, subject_id)
        except NotFound:
            if not await access.receives(actor, subject_id):
                raise

    async def check_attachable(self, actor: Actor, subject_id: UUID) -> None:
        """Whoever may edit the draft, which is held, so that it is not sent to review meanwhile."""
        await lock_row(OutgoingDocument, subject_id)
        document = await access.outgoing_document(actor, subject_id)
        rules.check(actor, document, await actions.standing(actor, document), "edit")


class IssuedPages:
    """Pages that this installation has frozen or sealed (`core.ports.PagesFinder`)."""

    async def find(self, sha256: str) -> KnownPages | None:
        document = await access.document_of_pages(sha256)
        if document is None:
            return None
        organ = await identity.organ(document.organ_id)
        return KnownPages(document.doc_no, document.title, organ.full_name)
