"""Tasks and sessions that somebody gave to others behind the server's back are found, also after they were used and put back."""

from __future__ import annotations

from typing import Any

import pytest

from oa_server.app import open_house
from oa_server.core.ids import new_id
from oa_server.identity.models import Session
from oa_server.settings import Settings
from oa_server.verification.rights import session_faults, task_faults
from oa_server.workflow.models import Task
from tests.audit.test_tampering import copy_of, found, put, unchecked
from tests.journey import Begin


@pytest.mark.parametrize(("verb", "fields"), [("approve", {}), ("return", {"reason": "请补充"})])
async def test_a_task_of_somebody_else(begin: Begin, verb: str, fields: dict[str, str]) -> None:
    """Whoever acts on a task that was made theirs is told by the act, when the row has been put back as well."""
    async with begin("submitted") as story:
        assert await found(task_faults) == set()
        task = await Task.filter(state="open").get()
        await put(task, "official_id", story.city.people["wang"])
        assert await found(task_faults) == {f"task:{task.id}"}
        assert (await story.does("wang", verb, **fields)).status_code == 200
        document = story.path.rpartition("/")[2]
        assert await found(task_faults) == {f"task:{task.id}", f"outgoing:{document}"}
        await put(task, "official_id", task.official_id)
        assert await found(task_faults) == {f"outgoing:{document}"}


@pytest.mark.parametrize("column", ["official_id", "route_id", "step"])
async def test_every_task_is_where_it_was_put(finished: Settings, column: str) -> None:
    """A task that was moved to another desk, route or step, one that was added and one that was removed are found."""
    async with open_house(finished):
        assert await found(task_faults) == set()
        one = await Task.all().order_by("id").first()
        other = await Task.exclude(**{column: getattr(one, column)}).first()
        assert one is not None
        assert other is not None
        await put(one, column, getattr(other, column))
        assert await found(task_faults) == {f"task:{one.id}"}
        await put(one, column, getattr(one, column))
        added = copy_of(one, id=new_id())
        async with unchecked() as own:
            await Task.bulk_create([added], using_db=own)
        assert await found(task_faults) == {f"task:{added.pk}"}
        async with unchecked() as own:
            await Task.filter(id__in=[added.pk, one.id]).using_db(own).delete()
        assert await found(task_faults) == {f"task:{one.id}"}


async def test_a_session_of_somebody_else(begin: Begin) -> None:
    """A session that was made another official's, and one that goes on after it was ended, are found."""
    async with begin("drafted") as story:
        wang = await story.desk("wang")
        session = await Session.all().order_by("-id").first()
        assert session is not None
        changes: dict[str, Any] = {
            "official_id": story.city.people["chen"],
            "organ_id": story.city.organs["JC002"],
            "certificate_serial": "1",
        }
        for column, value in changes.items():
            await put(session, column, value)
            assert await found(session_faults) == {f"session:{session.id}"}
            await put(session, column, getattr(session, column))
        assert await found(session_faults) == set()
        assert (await wang.send("DELETE", "/api/session")).status_code == 204
        assert await found(session_faults) == set()
        await put(session, "ended_at", None)
        assert await found(session_faults) == {f"session:{session.id}"}
