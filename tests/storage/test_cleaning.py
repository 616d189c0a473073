"""Cleaning away: what is old goes, what is young stays, and the newest event always."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.ids import new_id
from oa_server.storage import cleaning, idempotency, outbox
from oa_server.storage.idempotency import KeptAnswer
from oa_server.storage.outbox import Event
from oa_server.storage.unit_of_work import unit_of_work

pytestmark = pytest.mark.usefixtures("database")


async def leave(key: str, *, events: int = 1) -> None:
    """An answer that is kept, and some events."""
    async with unit_of_work(SYSTEM) as work:
        await idempotency.keep(work, official_id=new_id(), key=key, request_sha256="0" * 64, status=201, body=b"{}")
        for _ in range(events):
            work.push("organ:x", "test.happened", {"key": key})
        work.audit(Verb.DIRECTORY_IMPORTED, "test", key)


async def left() -> tuple[set[str], set[str]]:
    """The keys of the answers and of the events that are there."""
    return {answer.key for answer in await KeptAnswer.all()}, {str(event.payload["key"]) for event in await Event.all()}


async def test_what_is_old_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers go after a day and events after thirty, in as many batches as it takes; younger ones stay."""
    monkeypatch.setattr(cleaning, "BATCH", 3)
    await Event.all().delete()
    await leave("first", events=10)
    with clock.shifted(timedelta(hours=23)):
        await leave("second")
        await cleaning.clean()
        assert await left() == ({"first", "second"}, {"first", "second"})
    with clock.shifted(timedelta(hours=25)):
        await cleaning.clean()
        assert await left() == ({"second"}, {"first", "second"})
    with clock.shifted(timedelta(days=30, hours=1)):
        await cleaning.clean()
        assert await left() == (set(), {"second"})


async def test_the_newest_event_stays_and_numbers_go_on() -> None:
    """After a long silence the newest event is still there, and the next one has a larger number."""
    await leave("only", events=3)
    newest = await outbox.last_id()
    with clock.shifted(timedelta(days=400)):
        await cleaning.clean()
        assert (await outbox.first_id(), await outbox.last_id()) == (newest, newest)
        await leave("next")
        assert await outbox.last_id() > newest
