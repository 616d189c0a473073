"""Lists of documents: narrowed, ordered, turned page by page, and exported as they are shown."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from oa_server.core import clock
from oa_server.documents import routes
from oa_server.workflow import access as workflow
from tests.city import City
from tests.journey import Begin, Journey

TITLES = {
    "甲": "江城市人民政府办公室关于防汛工作的通知",
    "乙": "江城市人民政府办公室关于防火工作的通知",
    "丙": "江城市人民政府办公室关于征求意见的函",
    "丁": '=HYPERLINK("http://x","点")的通知',
}


async def drafted(city: City) -> None:
    """Four drafts a day apart, of two kinds and two urgencies."""
    for days, (name, title) in enumerate(TITLES.items()):
        kind = "letter" if name == "丙" else "notice"
        urgency = "urgent" if name == "乙" else "normal"
        with clock.shifted(timedelta(days=days)):
            await Journey(city).drafts(title=title, kind=kind, urgency=urgency)  # A session does not last for days.


async def names(story: Journey, **query: Any) -> str:
    """The drafts that a query finds, by their short names, in its order."""
    answer = await (await story.desk("wang")).get("/api/documents", params=query)
    assert answer.status_code == 200, answer.text
    short = {title: name for name, title in TITLES.items()}
    return "".join(short.get(item["title"], "") for item in answer.json()["items"])


async def test_outgoing(city: City) -> None:
    """The list of outgoing documents is narrowed by words, kind, urgency, state and days, from either end."""
    story = Journey(city)
    await drafted(city)
    assert await names(story) == "丁丙乙甲"
    assert await names(story, sort="oldest") == "甲乙丙丁"
    assert await names(story, q="防") == "乙甲"
    assert await names(story, q="%") == await names(story, q="_") == ""
    assert await names(story, kind="letter") == "丙"
    assert await names(story, urgency="urgent") == "乙"
    assert await names(story, q="防", urgency="normal", kind="notice", sort="oldest") == "甲"
    assert await names(story, state="drafting") == "丁丙乙甲"
    assert await names(story, state="dispatched") == ""
    today = clock.today()
    tomorrow = str(today + timedelta(days=1))
    assert await names(story, since=tomorrow) == "丁丙乙"
    assert await names(story, until=tomorrow) == "乙甲"
    assert await names(story, since=tomorrow, until=tomorrow) == "乙"
    assert await names(story, since="0001-01-01", until="9999-12-31") == "丁丙乙甲"


async def test_mine(begin: Begin) -> None:
    """A clerk who also drafts tells the own documents from the organ's."""
    async with begin("submitted") as story:
        own = await story.drafts("sun", title="机要科关于值班的通知")
        sun = await story.desk("sun")
        assert len((await sun.get("/api/documents")).json()["items"]) == 2
        (found,) = (await sun.get("/api/documents", params={"mine": "true"})).json()["items"]
        assert own.endswith(found["id"])


@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_turning_pages(city: City, sort: str) -> None:
    """Page by page everything is shown once, and a cursor is good for its own list and order alone."""
    story = Journey(city)
    await drafted(city)
    wang, found, cursor = await story.desk("wang"), [], ""
    while cursor is not None:
        page = (await wang.get("/api/documents", params={"limit": 1, "sort": sort, "cursor": cursor})).json()
        found += [item["title"] for item in page["items"]]
        cursor, last = page["next"], cursor or page["next"]
    assert found == (list(TITLES.values()) if sort == "oldest" else list(TITLES.values())[::-1])
    other = {"newest": "oldest", "oldest": "newest"}[sort]
    for path, query in (("/api/incoming", sort), ("/api/documents", other)):
        refused = await wang.get(path, params={"cursor": last, "sort": query})
        assert (refused.status_code, refused.json()["code"]) == (422, "web.bad_cursor")


@pytest.mark.parametrize(
    "query",
    [
        {"state": "lost"},
        {"kind": "memo"},
        {"urgency": "soon"},
        {"since": "yesterday"},
        {"until": "2026-02-30"},
        {"sort": "title"},
        {"limit": 0},
        {"limit": 201},
        {"cursor": "AAAA"},
        {"cursor": "\u4e2d"},
        {"q": "x" * 61},
        {"q": "a\0b"},
        {"colour": "red"},
        [("q", "a"), ("q", "b")],
    ],
)
@pytest.mark.parametrize("path", ["/api/documents", "/api/incoming"])
async def test_wrong_queries(city: City, path: str, query: Any) -> None:
    """A filter that the list does not know is told, and never passed over in silence."""
    refused = await (await city.signed_in("wang")).get(path, params=query)
    assert refused.status_code == 422
    assert refused.json()["code"] in {"web.invalid", "web.bad_cursor"}


def rows_of(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")  # Without the mark, office programs take the text for another encoding.
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


async def test_export_outgoing(city: City) -> None:
    """The export holds what the filter shows, in words and in the office's time, and nothing that a spreadsheet runs."""
    story = Journey(city)
    await drafted(city)
    answer = await (await story.desk("wang")).get("/api/documents.csv", params={"kind": "notice", "sort": "oldest"})
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E5%8F%91")
    rows = rows_of(answer.content)
    assert [row["标题"] for row in rows] == [TITLES["甲"], TITLES["乙"], "'" + TITLES["丁"]]
    assert [row["紧急程度"] for row in rows] == ["平件", "加急", "平件"]
    assert {(row["文种"], row["状态"], row["拟稿人"]) for row in rows} == {("通知", "起草", "王建国")}
    assert rows[0]["起草时间"].startswith(str(clock.today()))


async def test_export_incoming(begin: Begin) -> None:
    """The clerk's register leaves the house as it is filtered."""
    async with begin("received") as story:
        await story.does("zhou", "register", await story.arrived())
        zhou = await story.desk("zhou")
        (row,) = rows_of((await zhou.get("/api/incoming.csv", params={"state": "registered"})).content)
        assert (row["来文机关"], row["收文号"], row["主送/抄送"]) == ("江城市人民政府办公室", "2026-0001", "主送")
        assert rows_of((await zhou.get("/api/incoming.csv", params={"state": "arrived"})).content) == []
        (found,) = (await zhou.get("/api/incoming", params={"q": "2026-0001", "kind": "notice"})).json()["items"]
        assert found["receive_no"] == "2026-0001"
        assert rows_of((await (await story.desk("wang")).get("/api/incoming.csv")).content) == []
        tasks = rows_of((await zhou.get("/api/tasks.csv", params={"kind": "incoming"})).content)
        assert [task["环节"] for task in tasks] == ["拟办"]


async def test_export_of_too_much(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is too long to export is refused as a whole: no export leaves rows out unsaid."""
    story = Journey(city)
    await drafted(city)
    wang = await story.desk("wang")
    monkeypatch.setattr(routes, "EXPORT_LIMIT", 3)
    monkeypatch.setattr(workflow, "EXPORT_LIMIT", 3)
    for path, code in (("documents", "documents.too_many_rows"), ("tasks", "workflow.too_many_rows")):
        refused = await wang.get(f"/api/{path}.csv")
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert len(rows_of((await wang.get("/api/documents.csv", params={"q": "防"})).content)) == 2
