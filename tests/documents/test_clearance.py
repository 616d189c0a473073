"""Clearances: what is classified is there for nobody who is not cleared for it, wherever they look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from oa_server.settings import Settings
from oa_server.storage.outbox import Event
from tests.city import Browser, City, told
from tests.conftest import running
from tests.documents.cleared import BASE, clear, held_clearance
from tests.faults.house import faults
from tests.journey import Journey

TITLE = "关于落实保密检查工作的通知"
SECRET = {"classification": "secret", "classify_years": 10, "copy_no": "000001", "title": TITLE}
# Everybody whom a document of the government office passes on its way, but for the second clerk on either side.
ON_THE_WAY = ("wang", "li", "zhao", "chen", "sun", "qian", "zhou", "feng")


@pytest.fixture
async def secretive(settings: Settings) -> AsyncIterator[City]:
    """A city that may hold what is 机密, with nobody cleared for anything."""
    async with running(msgspec.structs.replace(settings, classification_ceiling="secret")) as city:
        yield city


@pytest.fixture
async def story(secretive: City) -> Journey:
    """A secret document, drafted, in a city where those on its way are cleared."""
    await clear(secretive, "cleared_important", *ON_THE_WAY)
    story = Journey(secretive)
    story.path = await story.drafts(**SECRET)
    await story.attaches(story.path, "清单.txt", "名单".encode())
    return story


async def take(city: City, person: str) -> Any:
    """Take somebody's clearance away."""
    sec = await city.signed_in("sec")
    path = f"{BASE}/roles/{await held_clearance(city, person)}/taking"
    return await sec.send("POST", path, json={"reason": "脱密"})


async def found_by(browser: Browser, where: str) -> list[dict[str, Any]]:
    listed = (await browser.get(where)).raise_for_status().json()
    return [row for row in listed["items"] if row["title"] == TITLE]


@pytest.mark.norm("D-8.1.4.2g")
async def test_it_is_not_there_for_who_is_not_cleared(story: Journey) -> None:
    """A clerk without clearance finds a secret in no list, search, count, export, page or attachment, and is told of none;
    the cleared clerk at the next desk deals with it."""
    await deals_with(story)
    arrived = await story.arrived("zhou")
    file = (await (await story.desk("wang")).get(story.path)).json()["attachments"][0]["id"]
    for cleared, other, lists, own in (
        ("sun", "liu", "/api/documents", story.path),
        ("zhou", "xu", "/api/incoming", arrived),
    ):
        knows, knows_not = await story.desk(cleared), await story.desk(other)
        for where in (lists, f"{lists}?q=保密检查"):
            assert await found_by(knows, where)
            assert not await found_by(knows_not, where)
        assert TITLE in (await knows.get(f"{lists}.csv")).text
        assert TITLE not in (await knows_not.get(f"{lists}.csv")).text
        for path in (own, f"{own}/pages.pdf", f"/api/files/{file}/content"):
            assert (await knows.get(path)).status_code == 200, path
            assert told(await knows_not.get(path)) == (404, "core.not_found"), path
        assert not await found_by(knows_not, "/api/tasks")
    sessions = [(await (await story.desk(person)).get("/api/session")).json() for person in ("zhou", "xu")]
    assert [session["counts"]["incoming"] for session in sessions] == [1, 0]
    cleared = {f"official:{story.city.people[person]}" for person in ON_THE_WAY}
    told_of = {event.topic for event in await Event.all() if event.kind in {"task.opened", "incoming.arrived"}}
    assert told_of <= cleared
    assert (await story.does("xu", "sign_for", arrived)).status_code == 404
    assert (await story.does("zhou", "sign_for", arrived)).status_code == 200
    assert await faults(story.city.app.state.house) == []


async def deals_with(story: Journey) -> None:
    """The secret goes the whole way to its recipients."""
    steps = [("wang", "submit"), ("li", "approve"), ("zhao", "approve"), ("chen", "sign")]
    for person, verb in [*steps, ("sun", "number"), ("qian", "seal"), ("sun", "dispatch")]:
        done = await story.does(person, verb)
        assert done.status_code == 200, done.text


async def test_who_is_not_cleared_drafts_none(secretive: City) -> None:
    """Without clearance nobody is offered a class or drafts under one, nor raises a draft of their own to it; with a lower
    clearance the higher class stays shut."""
    wang = await secretive.signed_in("wang")
    offered = [one["code"] for one in (await wang.get("/api/vocabulary")).json()["classifications"]]
    assert offered == ["none", "internal"]
    assert told(await secretive.draft(wang, **SECRET)) == (403, "documents.not_cleared")
    plain = (await secretive.draft(wang)).json()
    raised = {"elements": secretive.elements(**SECRET)}
    seen = {"If-Match": f'"{plain["etag"]}"'}
    answer = await wang.send("PATCH", f"/api/documents/{plain['id']}", json=raised, headers=seen)
    assert told(answer) == (403, "documents.not_cleared")
    await clear(secretive, "cleared_general", "wang")
    assert (await secretive.draft(wang, **{**SECRET, "classification": "confidential"})).status_code == 201
    assert told(await secretive.draft(wang, **SECRET)) == (403, "documents.not_cleared")


async def test_nobody_to_sign_or_to_receive(secretive: City) -> None:
    """Before a secret goes to review there is somebody cleared to sign it, and in every recipient somebody to sign for it."""
    await clear(secretive, "cleared_important", "wang", "li")
    story = Journey(secretive)
    story.path = await story.drafts(**SECRET)
    assert told(await story.does("wang", "submit")) == (409, "documents.signer_not_cleared")
    await clear(secretive, "cleared_core", "chen")
    refused = await story.does("wang", "submit")
    assert told(refused) == (409, "documents.nobody_receives")
    assert set(refused.json()["facts"]["organs"]) == {"市财政局", "市教育局"}
    await clear(secretive, "cleared_important", "zhou", "feng")
    assert (await story.does("wang", "submit")).status_code == 200
    assert told(await story.does("li", "approve", opinion="同意")) == (409, "workflow.nobody_cleared")
    await clear(secretive, "cleared_important", "zhao")
    assert (await story.does("li", "approve", opinion="同意")).status_code == 200


async def test_a_clearance_that_is_taken(story: Journey) -> None:
    """Whoever is cleared no more does not find it at the next request, not even among what they dealt with; while only they
    could go on with it, the clearance is not taken before another has it."""
    assert (await story.does("wang", "submit")).status_code == 200
    refused = await take(story.city, "li")
    assert told(refused) == (409, "workflow.tasks_open")
    assert TITLE not in refused.text
    assert (await story.does("li", "approve")).status_code == 200
    li = await story.desk("li")
    assert await found_by(li, "/api/tasks?tab=done")
    assert (await take(story.city, "li")).status_code == 204
    assert not await found_by(li, "/api/tasks?tab=done")
    assert told(await li.get(story.path)) == (404, "core.not_found")
    assert await faults(story.city.app.state.house) == []


async def test_a_signer_who_was_cleared_then(story: Journey) -> None:
    """What a leader signed while cleared goes its way, though they are cleared no more; a recipient without a cleared clerk stops
    it until there is one."""
    for person, verb in (("wang", "submit"), ("li", "approve"), ("zhao", "approve"), ("chen", "sign")):
        assert (await story.does(person, verb)).status_code == 200
    for person in ("chen", "feng"):
        assert (await take(story.city, person)).status_code == 204
    for person, verb in (("sun", "number"), ("qian", "seal")):
        assert (await story.does(person, verb)).status_code == 200
    refused = await story.does("sun", "dispatch")
    assert (told(refused), refused.json()["facts"]["organs"]) == ((409, "documents.nobody_receives"), ["市教育局"])
    await clear(story.city, "cleared_core", "feng")
    assert (await story.does("sun", "dispatch")).status_code == 200


async def test_a_clearance_that_comes_later(story: Journey) -> None:
    """Who is cleared while a secret waits for their role finds it on their desk."""
    for person, verb in (("wang", "submit"), ("li", "approve"), ("zhao", "approve"), ("chen", "sign")):
        assert (await story.does(person, verb)).status_code == 200
    liu = await story.desk("liu")
    assert not await found_by(liu, "/api/tasks")
    await clear(story.city, "cleared_important", "liu")
    assert await found_by(liu, "/api/tasks")
    assert (await story.does("liu", "number")).status_code == 200


async def test_the_log_keeps_no_secret_title(story: Journey) -> None:
    """The auditor, who is cleared for nothing, reads that a secret was drafted, and not what it is called."""
    aud = await story.city.signed_in("aud")
    records = (await aud.get("/api/audit/records")).raise_for_status().text
    assert "documents.drafted" in records
    assert TITLE not in records
