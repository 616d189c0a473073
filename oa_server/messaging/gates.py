"""What messaging says when lower domains ask: who may read and bring the files of a conversation."""

from __future__ import annotations

from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.messaging import access


class ConversationGate:
    """Files of a conversation (`core.ports.SubjectGate`). A department's system has no part in what its official says."""

    async def check_readable(self, actor: Actor, subject_id: UUID) -> None:
        """Whoever is in the conversation. Raises NotFound."""
        if actor.client_id is not None or not await access.is_member(actor.official_id, subject_id):
            raise NotFound(NOT_FOUND)

    async def check_attachable(self, actor: Actor, subject_id: UUID) -> None:
        """Whoever may speak in it. Raises NotFound, Denied."""
        if actor.client_id is not None:
            raise NotFound(NOT_FOUND)
        await access.present(actor, subject_id)
