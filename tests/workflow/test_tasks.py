"""The to-do list: what is open to an official, what they have dealt with, and how it is narrowed and turned."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import Conflict, Denied, Invalid, NotFound
from oa_server.identity.access import official_by_code
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.workflow import access, actions
from oa_server.workflow.models import Route, Task
from oa_server.workflow.rules import OUTGOING
from tests.city import City
from tests.journey import Begin, Journey


async def todo(story: Journey, person: str, **query: Any) -> list[str]:
    """The steps on somebody's list."""
    answer = await (await story.desk(person)).get("/api/tasks", params=query)
    assert answer.status_code == 200, answer.text
    return [item["step"] for item in answer.json()["items"]]


async def test_from_hand_to_hand(begin: Begin) -> None:
    """A step is on the list of whoever has to do it, and then among what they have done; one clerk does it for both."""
    async with begin("submitted") as story:
        assert await todo(story, "li") == ["unit_review"]
        assert await todo(story, "wang") == []
        assert await todo(story, "wang", tab="done") == ["draft"]
        await story.does("li", "approve")
        await story.does("zhao", "approve")
        await story.does("chen", "sign")
        assert await todo(story, "sun") == await todo(story, "liu") == ["numbering"]
        await story.does("sun", "number")
        assert await todo(story, "sun") == await todo(story, "liu") == []
        assert await todo(story, "sun", tab="done") == ["numbering"]
        assert await todo(story, "liu", tab="done") == []
        assert await todo(story, "qian") == await todo(story, "gao") == ["sealing"]


async def test_what_was_returned_is_done(begin: Begin) -> None:
    """Who has sent a document back finds it among what they have dealt with, and the drafter on their list."""
    async with begin("submitted") as story:
        await story.does("li", "return", reason="请补充")
        assert await todo(story, "li") == []
        assert await todo(story, "li", tab="done") == ["unit_review"]
        assert await todo(story, "wang") == ["draft"]


async def test_narrowed(begin: Begin) -> None:
    """A list is narrowed by kind and by words of title or number, which mean themselves and no pattern."""
    async with begin("sealed") as story:
        assert await todo(story, "sun") == ["dispatching"]
        assert await todo(story, "sun", kind="outgoing") == ["dispatching"]
        assert await todo(story, "sun", kind="incoming") == []
        for words in ("公文处理", "〔2026〕1号", " 规范 "):
            assert await todo(story, "sun", q=words) == ["dispatching"]
        for words in ("%", "_", "!", "'", "不存在"):
            assert await todo(story, "sun", q=words) == []


@pytest.mark.parametrize("tab", ["todo", "done"])
async def test_turning_pages(begin: Begin, tab: str) -> None:
    """Page by page every task is shown once; a cursor of one tab is not good for the other."""
    async with begin("submitted") as story:
        for _ in range(3):
            await story.does("wang", "submit", await story.drafts())
        wanted = await todo(story, "li" if tab == "todo" else "wang", tab=tab)
        browser, cursor, found, last = await story.desk("li" if tab == "todo" else "wang"), "", [], ""
        while cursor is not None:
            page = (await browser.get("/api/tasks", params={"tab": tab, "limit": 2, "cursor": cursor})).json()
            found += [item["id"] for item in page["items"]]
            cursor, last = page["next"], cursor or page["next"]
        assert len(found) == len(set(found)) == len(wanted) == 4
        other = {"todo": "done", "done": "todo"}[tab]
        refused = await browser.get("/api/tasks", params={"tab": other, "cursor": last})
        assert (refused.status_code, refused.json()["code"]) == (422, "web.bad_cursor")


async def test_urgency_sets_the_limit(begin: Begin) -> None:
    """An urgent document is due sooner than an ordinary one."""
    async with begin("submitted") as story:
        await story.does("wang", "submit", await story.drafts(urgency="extra_urgent"))
        items = (await (await story.desk("li")).get("/api/tasks")).json()["items"]
        assert [item["urgency"] for item in items] == ["extra_urgent", "normal"]
        assert items[0]["due_at"] < items[1]["due_at"]


async def test_nobody_can_do_the_next_step(begin: Begin) -> None:
    """Where a unit has no head, submitting is refused by name and nothing has moved."""
    async with begin("drafted") as story:
        path = await story.drafts("sun", title="机要科关于值班的通知")
        refused = await story.does("sun", "submit", path)
        assert (refused.status_code, refused.json()["code"]) == (409, "workflow.nobody")
        assert (await (await story.desk("sun")).get(path)).json()["state"] == "drafting"
        assert await todo(story, "sun") == ["draft"]


async def test_a_new_template_leaves_what_runs_alone(begin: Begin) -> None:
    """A route goes on as it began; what begins after a new version was published goes the new way."""
    async with begin("submitted") as story:
        shorter = OUTGOING | {"blocks": [block for block in OUTGOING["blocks"] if block["code"] != "office_review"]}
        published = await actions.publish_template(SYSTEM, "outgoing", "短流程", shorter)
        assert published.version == 2
        fresh = await story.drafts()
        await story.does("wang", "submit", fresh)
        for path in (story.path, fresh):
            assert (await story.does("li", "approve", path)).status_code == 200
        assert await todo(story, "zhao") == ["office_review"]
        assert await todo(story, "chen") == ["signing"]


@pytest.mark.parametrize("tree", [{}, {"type": "sequence", "blocks": []}, {"type": "step", "code": "a", "title": "b"}])
async def test_a_template_that_cannot_be_walked(city: City, tree: dict[str, Any]) -> None:
    """A template without people, steps or sense is not published."""
    with pytest.raises(Invalid) as refused:
        await actions.publish_template(SYSTEM, "outgoing", "坏", tree)
    assert refused.value.code == "workflow.bad_template"
    newest = await access.newest_template("outgoing")
    assert newest is not None
    assert newest.version == 1


async def test_who_publishes_templates(city: City) -> None:
    """Only the system administrator changes the way documents go; nobody else's version exists afterwards."""
    for person in ("wang", "sun", "chen", "sec", "aud"):
        with pytest.raises(Denied) as refused:
            await actions.publish_template(await actor_of(person), "outgoing", "捷径", OUTGOING)
        assert refused.value.code == "workflow.not_system_admin"
    published = await actions.publish_template(await actor_of("sys"), "outgoing", "发文流程", OUTGOING)
    assert published.version == 2


async def actor_of(code: str) -> Any:
    from oa_server.demo.enrolment import actor_named

    return await actor_named(code)


ALL_OF = {
    "type": "sequence",
    "blocks": [
        {
            "type": "parallel",
            "blocks": [
                {"type": "step", "code": "both", "title": "两人会办", "who": {"role": "clerk"}, "how_many": "all"},
                {"type": "step", "code": "leader", "title": "领导", "who": {"fact": "leader"}, "hours": 5},
            ],
        },
        {
            "type": "choice",
            "fact": "way",
            "branches": {
                "long": {"type": "step", "code": "long", "title": "长", "who": {"role": "office_reviewer"}},
                "short": {"type": "step", "code": "short", "title": "短", "who": {"role": "seal_keeper"}},
            },
            "otherwise": "short",
        },
    ],
}


async def begun(city: City, urgency: str = "none", **facts: Any) -> actions.Subject:
    """A subject on a route with parallel steps, one of them for everybody with a role, and a choice."""
    await actions.publish_template(SYSTEM, "parallel", "会办", ALL_OF)
    organ = city.organs["JC001"]
    subject = actions.Subject("matter", uuid4(), organ, "会办事项", "某人", urgency)
    async with unit_of_work(await actor_of("wang")) as work:
        await actions.start(work, "parallel", subject, facts)
    return subject


async def done(person: str, subject: actions.Subject, step: str, **facts: Any) -> None:
    async with unit_of_work(await actor_of(person)) as work:
        await actions.complete(work, subject.id, step, **facts)


async def open_to(subject: actions.Subject) -> dict[str, set[str]]:
    """Who has which step open."""
    found: dict[str, set[str]] = {}
    for row in await access.history(subject.id):
        if row["state"] == "open":
            found.setdefault(row["step"], set()).add(row["official__name"])
    return found


@pytest.mark.parametrize(
    ("urgency", "step", "due"),
    [
        ("none", "leader", "2026-11-30T12:00"),  # five office hours after Friday 16:00
        ("none", "both", None),
        ("extra_urgent", "both", "2026-11-30T17:30"),
        ("urgent", "both", "2026-12-02T17:30"),
        ("normal", "both", "2026-12-08T17:30"),
    ],
)
async def test_limits_are_office_time(city: City, urgency: str, step: str, due: str | None) -> None:
    """A step is due after so many office hours where its template says so, or at the end of so many working days by its urgency;
    nights and weekends do not count."""
    friday = datetime(2026, 11, 27, 16, tzinfo=OFFICE_ZONE)
    with clock.shifted(friday - clock.now()):
        await begun(city, urgency, leader=city.people["chen"])
    for task in await Task.filter(step=step):
        told = task.due_at.astimezone(OFFICE_ZONE).strftime("%Y-%m-%dT%H:%M") if task.due_at else None
        assert told == due


async def test_a_day_off_of_its_own(city: City) -> None:
    """A local holiday of the organ moves the time limits of its routes, and of no other's."""
    sys = await city.signed_in("sys")
    monday = {"days": ["2026-11-30"], "name": "建市纪念日", "notice": "江政发〔2026〕1号"}
    path = f"/api/calendar/organs/{city.organs['JC001']}/holidays"
    (await sys.send("POST", path, json=monday)).raise_for_status()
    friday = datetime(2026, 11, 27, 16, tzinfo=OFFICE_ZONE)
    with clock.shifted(friday - clock.now()):
        await begun(city, "extra_urgent", leader=city.people["chen"])
    task = await Task.filter(step="both").first()
    assert task is not None
    assert task.due_at.astimezone(OFFICE_ZONE).date().isoformat() == "2026-12-01"


async def test_all_of_them(city: City) -> None:
    """A step for all is through when all have done it, beside a parallel step; then the facts choose the way."""
    subject = await begun(city, leader=city.people["chen"])
    assert await open_to(subject) == {"both": {"孙丽", "刘洋"}, "leader": {"陈志远"}}
    await done("sun", subject, "both")
    assert await open_to(subject) == {"both": {"刘洋"}, "leader": {"陈志远"}}
    with pytest.raises(Conflict) as twice:
        await done("sun", subject, "both")
    assert twice.value.code == "workflow.not_open"
    await done("chen", subject, "leader", way="long")
    await done("liu", subject, "both")
    assert await open_to(subject) == {"long": {"赵明"}}
    with pytest.raises(Conflict):
        await done("qian", subject, "short")
    await done("zhao", subject, "long")
    route = await access.route(subject.id)
    assert (route.state, await open_to(subject)) == ("finished", {})
    with pytest.raises(Conflict):
        await done("zhao", subject, "long")


async def test_returning_what_is_not_open(city: City) -> None:
    """A step that is not open sends nothing back, and nothing is sent to a step that was never done."""
    subject = await begun(city, leader=city.people["chen"])
    for source, target in (("long", "both"), ("leader", "both")):
        with pytest.raises(Conflict) as refused:
            async with unit_of_work(await actor_of("chen")) as work:
                await actions.return_to(work, subject.id, source, target)
        assert refused.value.code == "workflow.not_open"
    assert await open_to(subject) == {"both": {"孙丽", "刘洋"}, "leader": {"陈志远"}}


async def test_nobody_named(city: City) -> None:
    """A route whose facts name nobody, or whose template there is not, does not begin."""
    with pytest.raises(Conflict) as nobody:
        await begun(city)
    assert nobody.value.code == "workflow.nobody"
    with pytest.raises(Conflict) as unknown:
        async with unit_of_work(await actor_of("wang")) as work:
            subject = actions.Subject("matter", uuid4(), city.organs["JC001"], "事项", "某人", "normal")
            await actions.start(work, "no-such-template", subject, {})
    assert unknown.value.code == "workflow.bad_template"
    assert await Route.all().count() == 0
    with pytest.raises(NotFound):
        await access.route(uuid4())


async def test_what_is_counted(begin: Begin) -> None:
    """The number beside the list is the number of tasks on it."""
    async with begin("submitted") as story:
        session = (await (await story.desk("li")).get("/api/session")).json()
        assert session["counts"]["todo"] == len(await todo(story, "li")) == 1
        assert (await official_by_code("li")).name == session["official"]["name"]
