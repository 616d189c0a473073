"""The feed: what a department's system is told, in what order, and that nothing is told twice or left out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oa_server.departments.models import FeedEntry
from tests.city import City, told
from tests.faults.house import faults
from tests.identity.system import ALL_SCOPES, System, let_in, unit_of

SCOPES = [*ALL_SCOPES, "events:read"]


@pytest.fixture
async def system(city: City) -> System:
    """A system of 综合科, where 王建国 drafts."""
    found = System(city)
    await let_in(found, scopes=SCOPES)
    await found.sign_in()
    return found


async def events(system: System, after: int = 0, **query: Any) -> list[dict[str, Any]]:
    answer = await system.get("/events", params={"after": after, **query})
    return list(answer.raise_for_status().json()["items"])


async def sent(city: City) -> str:
    """A document on its way to the finance bureau; its path."""
    wang, li, zhao, chen, sun, qian = [await city.signed_in(p) for p in ("wang", "li", "zhao", "chen", "sun", "qian")]
    path = await city.submitted(wang)
    for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
        (await person.sign(path, verb, opinion="同意")).raise_for_status()
    (await sun.act(path, "number")).raise_for_status()
    (await qian.sign(path, "seal", usage="seal")).raise_for_status()
    (await sun.sign(path, "dispatch")).raise_for_status()
    return path


async def test_a_document_s_way(city: City, system: System) -> None:
    """A system is told of every act on its unit's document, to the receipt in another organ, in the order of the acts."""
    path = await sent(city)
    zhou = await city.signed_in("zhou")
    waiting = (await zhou.get("/api/incoming")).json()["items"]
    (await zhou.sign(f"/api/incoming/{waiting[0]['id']}", "sign_for")).raise_for_status()
    found = await events(system)
    assert [event["type"].removeprefix("oa.documents.") for event in found] == [
        "drafted", "submitted", "approved", "approved", "signed", "numbered", "frozen", "sealed", "dispatched", "signed_for",
    ]  # fmt: skip
    assert [event["sequence"] for event in found] == [str(number) for number in range(1, len(found) + 1)]
    document = path.rpartition("/")[2]
    assert {event["subject"] for event in found} == {f"documents/{document}"}
    assert (await system.get(found[-1]["data"]["href"].removeprefix("/api/v1"))).json()["state"] == "dispatched"
    assert await faults(city.app.state.house) == []


async def test_going_on_where_one_was(city: City, system: System) -> None:
    """Pages of the feed join without a gap or a repetition; who has seen all of it gets nothing and the same number."""
    for number in range(5):
        await city.draft(await city.signed_in("wang"), title=f"第{number}件")
    seen, after = [], 0
    while True:
        page = (await system.get("/events", params={"after": after, "limit": 2})).json()
        seen += [event["sequence"] for event in page["items"]]
        if page["next"] == after:
            break
        after = page["next"]
    assert seen == ["1", "2", "3", "4", "5"]


async def test_whom_it_does_not_concern(city: City, system: System) -> None:
    """Another unit's system is told nothing of it, nor is one that is not let in for that; a feed takes its scope."""
    other = System(city, code="mishu")
    where = {"unit_id": await unit_of(city, "zhao"), "official_id": city.people["zhao"]}
    await let_in(other, **where, scopes=SCOPES)
    deaf = System(city, code="deaf")
    await let_in(deaf, scopes=["directory:read", "events:read"])
    mute = System(city, code="mute")
    await let_in(mute, scopes=ALL_SCOPES)
    await city.draft(await city.signed_in("wang"))
    for each in (other, deaf, mute):
        await each.sign_in()
    assert len(await events(system)) == 1
    assert await events(other) == await events(deaf) == []
    assert told(await mute.get("/events")) == (403, "web.no_scope")


async def test_what_was_given_to_its_unit(city: City, system: System) -> None:
    """A document that came in is told to the system of the unit that it is given to handle, from then on. What goes on inside
    the receiving organ is not told to the sender's system."""
    receiver = System(city, code="yusuan")
    where = {"unit_id": await unit_of(city, "zheng"), "official_id": city.people["zheng"]}
    await let_in(receiver, **where, scopes=SCOPES)
    await sent(city)
    zhou, wu = await city.signed_in("zhou"), await city.signed_in("wu")
    item = (await zhou.get("/api/incoming")).json()["items"][0]["id"]
    path = f"/api/incoming/{item}"
    (await zhou.sign(path, "sign_for")).raise_for_status()
    (await zhou.act(path, "register")).raise_for_status()
    leader = city.people["wu"]
    (await zhou.act(path, "propose", opinion="请批示", parameters={"leader_id": leader})).raise_for_status()
    (await wu.sign(path, "instruct", opinion="请预算科办理")).raise_for_status()
    parameters = {"unit_id": where["unit_id"]}
    (await zhou.act(path, "assign", parameters=parameters)).raise_for_status()
    await receiver.sign_in()
    (event,) = await events(receiver)
    assert (event["type"], event["subject"]) == ("oa.documents.assigned", f"incoming/{item}")
    assert (await receiver.get(f"/incoming/{item}")).json()["id"] == item
    assert (await events(system))[-1]["type"] == "oa.documents.signed_for"


@pytest.mark.norm("A-15.4.2")
async def test_many_at_once(city: City, system: System) -> None:
    """However many act at the same moment, the numbers are without a gap, and each act is told once."""
    people = [await city.signed_in(person) for person in ("wang", "li", "gao")]
    drafted = await asyncio.gather(*(city.draft(person, title=f"第{n}件") for n in range(8) for person in people))
    assert {answer.status_code for answer in drafted} == {201}
    found = await events(system, limit=200)
    assert [int(event["sequence"]) for event in found] == list(range(1, 25))
    assert len({event["subject"] for event in found}) == 24


async def test_an_act_that_fails_is_not_told(city: City, system: System) -> None:
    """What was refused or rolled back leaves no event and no gap."""
    wang = await city.signed_in("wang")
    assert (await city.draft(wang, main_recipients=["00000000-0000-7000-8000-000000000000"])).status_code >= 400
    await city.draft(wang)
    assert [event["sequence"] for event in await events(system)] == ["1"]
    assert await FeedEntry.all().count() == 1
