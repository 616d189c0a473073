"""What routes do when something happens below them."""

from __future__ import annotations

from oa_server.identity.events import RolesGiven
from oa_server.storage.unit_of_work import Work
from oa_server.workflow import actions


async def share_open_tasks(work: Work, event: RolesGiven) -> None:
    """A new clerk, keeper or head takes part in what is under way."""
    await actions.join_holders(work, event.organ_ids)
