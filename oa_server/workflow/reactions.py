"""What routes do when something happens below them."""

from __future__ import annotations

from oa_server.identity.events import OfficialRetiring, RolesGiven, RoleTaken
from oa_server.storage.unit_of_work import Work
from oa_server.workflow import actions


async def share_open_tasks(work: Work, event: RolesGiven) -> None:
    """A new clerk, keeper or head takes part in what is under way."""
    await actions.join_holders(work, event.organ_ids)


async def hand_over(work: Work, event: OfficialRetiring) -> None:
    """Nothing that is open to who leaves is lost."""
    await actions.leave(work, event.official_id, event.successor_id)


async def keep_tasks_of_a_role(work: Work, event: RoleTaken) -> None:
    """Nothing that is open by a role is lost with it."""
    await actions.lose_role(work, event.official_id, event.organ_id, event.role)
