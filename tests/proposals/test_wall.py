"""The screen on the wall: what is due, what was done, and of whom it says nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from oa_server.core import clock
from oa_server.demo.enrolment import actor_named
from oa_server.proposals import access
from oa_server.proposals.wall import wall_out
from tests.city import told
from tests.proposals.assembly import Assembly

QUIET = {"overdue": 0, "due": [], "acts": []}


async def wall(assembly: Assembly, person: str) -> dict[str, Any]:
    """The screen as this person's session shows it."""
    answer = await (await assembly.desk(person)).get(f"/api/sittings/{assembly.sitting}/wall")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_acts_without_names(assembly: Assembly) -> None:
    """What organs did with a case stands on the wall from its filing on, and nobody's name."""
    path = await assembly.filed(title="关于加强夜间照明的建议")
    given = await assembly.dispatched(path, JC002="lead", JC003="cohandler")
    await assembly.done("zhou", "accept", given["JC002"])
    shown = await wall(assembly, "sun")
    assert [(one["act"], one["organ"]) for one in shown["acts"]][:3] == [
        ("签收承办", "市财政局"),
        ("交办", "市政府办公室"),
        ("立案", "市人大办"),
    ]
    assert {one["title"] for one in shown["acts"]} == {"关于加强夜间照明的建议"}
    assert not any(name in str(shown) for name in ("何平安", "周敏", "孙丽"))


async def test_what_is_due_within_the_week(assembly: Assembly) -> None:
    """A duty is shown from a week before its day, and a reply counts as overdue from the day after it."""
    path = await assembly.filed()
    given = await assembly.dispatched(path, JC002="lead", JC003="cohandler")
    await assembly.done("zhou", "accept", given["JC002"])
    sitting, sun = await access.sitting(UUID(assembly.sitting)), await actor_named("sun")
    assert (await wall_out(sun, sitting)).due == []
    with clock.shifted(timedelta(days=27)):
        (due,) = (await wall_out(sun, sitting)).due
        assert (due.organ, due.limit) == ("市教育局", "协办意见")
        assert 0 <= due.left <= 7
    with clock.shifted(timedelta(days=45)):
        shown = await wall_out(sun, sitting)
        assert (shown.overdue, shown.due) == (0, [])
    with clock.shifted(timedelta(days=120)):
        assert (await wall_out(sun, sitting)).overdue == 1


async def test_what_is_no_business_of_the_wall(assembly: Assembly) -> None:
    """What is kept from the public, what is not filed, and what an organ was not given are not on it."""
    await assembly.filed(is_public=False)
    drafted = await assembly.drafts("lin", ["D003"], form="individual")
    await assembly.done("lin", "submit", f"/api/proposals/{drafted.json()['id']}", paper=True)
    assert await wall(assembly, "sun") == QUIET
    await assembly.filed()
    assert (await wall(assembly, "sun"))["acts"] != []
    assert await wall(assembly, "bai") == QUIET
    sun = await assembly.desk("sun")
    assert told(await sun.get(f"/api/sittings/{assembly.organs['JC001']}/wall")) == (404, "core.not_found")
