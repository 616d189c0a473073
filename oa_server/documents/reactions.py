"""What documents do when something happens below them."""

from __future__ import annotations

from oa_server.core.actor import Role
from oa_server.core.errors import Conflict
from oa_server.documents import numbering, rules
from oa_server.documents.models import OutgoingDocument
from oa_server.documents.states import OutgoingState
from oa_server.identity import access as identity
from oa_server.identity.events import OfficialRetiring, OrganRegistered
from oa_server.storage.unit_of_work import Work
from oa_server.workflow import access as workflow


async def open_number_series(work: Work, event: OrganRegistered) -> None:
    """An organ that may issue gets its series of numbers."""
    if event.issuing_word:
        work.protect(await numbering.open_series(event.organ_id, event.issuing_word))


async def hand_over_documents(work: Work, event: OfficialRetiring) -> None:
    """Drafts and what may still be returned go to the successor; who is to sign or to instruct cannot be put in place of
    somebody else by an administrator. Raises Conflict."""
    waiting = await OutgoingDocument.filter(signer_id=event.official_id, state=OutgoingState.UNDER_REVIEW).count()
    if waiting:
        raise Conflict(rules.SIGNER_LEAVES, documents=waiting)
    if event.successor_id is None:
        return
    post = await identity.post_of(event.successor_id)
    assert post is not None  # The directory has seen to that, and is held.
    if await workflow.has_open_step(event.official_id, "instruct"):
        roles = await identity.roles_of(event.successor_id, post.organ_id)
        if Role.LEADER not in roles:
            raise Conflict(rules.SUCCESSOR_NOT_LEADER)
    returnable = (OutgoingState.DRAFTING, OutgoingState.UNDER_REVIEW, OutgoingState.SIGNED, OutgoingState.NUMBERED)
    drafts = OutgoingDocument.filter(drafter_id=event.official_id, organ_id=post.organ_id, state__in=returnable)
    rows = await drafts
    await OutgoingDocument.filter(id__in=[row.id for row in rows]).update(drafter_id=event.successor_id)
    work.protect(*rows)
