"""What documents do when something happens below them."""

from __future__ import annotations

from oa_server.documents import numbering
from oa_server.identity.events import OrganRegistered
from oa_server.storage.unit_of_work import Work


async def open_number_series(work: Work, event: OrganRegistered) -> None:
    """An organ that may issue gets its series of numbers."""
    if event.issuing_word:
        work.protect(await numbering.open_series(event.organ_id, event.issuing_word))
