"""What is done by the clock: the ends of the chains go into the audit log, so that no chain can be made anew behind our back."""

from __future__ import annotations

from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.messaging import access
from oa_server.messaging.models import Conversation
from oa_server.storage.unit_of_work import unit_of_work

AT_ONCE = 500


async def anchor() -> None:
    """Record where each conversation that has grown ends: its newest message's place and the digest over all before it."""
    while grown := await access.grown(AT_ONCE):
        async with unit_of_work(SYSTEM) as work:
            for row in grown:
                await Conversation.filter(id=row.id).update(anchored_seq=row.last_seq)
            heads = {str(row.id): [row.last_seq, row.last_chain] for row in grown}
            work.audit(Verb.MESSAGES_ANCHORED, "conversations", str(len(heads)), heads=heads)
        if len(grown) < AT_ONCE:
            return
