"""What is cleaned away once nobody needs it: answers kept for a second asking, and events that every page has read.

Both repeat words of documents, so they are kept no longer than they serve. The truth is in other tables.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from oa_server.core import clock
from oa_server.storage import fields
from oa_server.storage.database import Lock, alone
from oa_server.storage.idempotency import KeptAnswer
from oa_server.storage.outbox import Event
from oa_server.storage.unit_of_work import housekeeping

ANSWERS_FOR = timedelta(hours=24)
EVENTS_FOR = timedelta(days=30)
# A part of an attachment that takes so long to be written was given up by its sender.
DRAFTS_FOR = timedelta(hours=1)
# So few at a time that no official waits behind it.
BATCH = 500

Row = TypeVar("Row", bound=fields.Model)


async def clean() -> None:
    """Take away the answers and events that are older than they are kept. Raises Unavailable."""
    while await _clean_answers():
        pass
    while await _clean_events():
        pass


async def _clean_answers() -> bool:
    """Take away some old answers. Returns whether there may be more."""
    old = await KeptAnswer.filter(at__lt=clock.now() - ANSWERS_FOR).order_by("at").limit(BATCH).only("id")
    return await remove(KeptAnswer, old)


async def _clean_events() -> bool:
    """Take away some old events from the oldest on, but never the newest. Returns whether there may be more."""
    first = await Event.all().order_by("id").limit(BATCH + 1).only("id", "at")
    until = clock.now() - EVENTS_FOR
    return await remove(Event, [event for event in first[:-1] if event.at < until])


async def remove(model: type[Row], rows: list[Row]) -> bool:
    """Remove up to `BATCH` rows that nobody needs any more. Returns whether there may be more. Raises Unavailable."""
    if rows:
        async with housekeeping():
            await alone(Lock.CLEANING)  # Two that remove the same rows in another order would wait for each other.
            await model.filter(id__in=[row.pk for row in rows]).delete()
    return len(rows) == BATCH
