"""Lists that leave the system as files: each time it is on record who took what."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from starlette.routing import BaseRoute

from oa_server.app import _api_routes
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.settings import Settings
from oa_server.web.openapi import endpoints_of
from oa_server.web.sheets import CSV, XLSX
from tests.city import City
from tests.journey import Begin
from tests.proposals.test_importing import ROW, sheet_of

# Every list: who may take it, narrowed how, and how that is recorded.
LISTS = {
    "/api/sessions.csv": ("sec", "q=市政府&sort=oldest", {"q": "市政府", "sort": "oldest"}),
    "/api/clients.csv": ("sys", "", {"sort": "newest"}),
    "/api/directory.xlsx": ("sys", "", {}),
    "/api/duties.xlsx": ("sys", "since=2026-01-01&until=2026-01-31", {"since": "2026-01-01", "until": "2026-01-31"}),
    "/api/settings.xlsx": ("sec", "", {}),
    "/api/pki/devices.csv": ("sec", "q=wang", {"q": "wang", "sort": "newest"}),
    "/api/pki/certificates.csv": ("sec", "profile=signing", {"profile": "signing", "sort": "newest"}),
    "/api/pki/rolls/{id}/sheet": ("sec", "", {}),
    "/api/seals.csv": ("sec", "", {"sort": "newest"}),
    "/api/audit/records.csv": ("aud", "area=identity&hour=0", {"area": "identity", "hour": 0, "sort": "newest"}),
    "/api/tasks.csv": ("sun", "tab=done", {"tab": "done"}),
    "/api/documents.csv": ("wang", "mine=true", {"mine": True, "sort": "newest"}),
    "/api/documents/{id}/consignments.csv": ("wang", "", {}),
    "/api/incoming.csv": ("zhou", "", {"sort": "newest"}),
    "/api/proposals.csv": (
        "sun",
        "q=停车",
        {"q": "停车", "mine": False, "key": False, "counted": True, "by": "organ", "sort": "newest"},
    ),
    "/api/assignments.csv": ("zhou", "role=lead&own=true", {"role": "lead", "own": True, "sort": "newest"}),
    "/api/proposals/published.csv": ("wang", "q=停车", {"q": "停车", "sort": "newest"}),
    "/api/sittings/{id}/figures.xlsx": ("sun", "", {}),
    "/api/sittings/{id}/imports/report": ("sun", "name=建议.xlsx", {"name": "建议.xlsx"}),
}
# The sheet that is sent in to be judged, and comes back with its cells marked.
SENT_IN = {"/api/sittings/{id}/imports/report": sheet_of(ROW)}
TAKEN = (Verb.LIST_EXPORTED, Verb.DIRECTORY_EXPORTED)


def routes() -> list[BaseRoute]:
    return _api_routes(Settings())


def rows_in(data: bytes) -> int:
    """How many rows stand under the headers of a .csv or a workbook."""
    if not data.startswith(b"PK"):
        return len(list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))) - 1
    return sum(page.max_row - 1 for page in openpyxl.load_workbook(io.BytesIO(data)))


async def opened_sitting(city: City) -> str:
    """The identifier of a sitting of which the government office is the secretariat."""
    organ = city.organs["JC001"]
    wanted = {"body": "congress", "term": 15, "session": 4, "title": "四次会议"}
    wanted |= {"opens_on": "2026-01-12", "closes_on": "2026-01-16"}
    wanted |= {"secretariat_id": organ, "dispatching_id": organ, "oversight_id": organ}
    opened = await (await city.signed_in("sys")).send("POST", "/api/sittings", json=wanted)
    return str(opened.raise_for_status().json()["items"][0]["id"])


@pytest.mark.norm("D-8.1.4.11")
async def test_whoever_takes_a_list_is_on_record(begin: Begin) -> None:
    """Every list that leaves as a file leaves a record: who took which file, narrowed how, and how many rows it has."""
    assert {path for path, _, item in endpoints_of(routes()) if item.returns in {CSV, XLSX}} == LISTS.keys()
    async with begin("sent") as story:
        sitting = await opened_sitting(story.city)
        for path, (person, query, narrowed) in LISTS.items():
            place = path
            for known, found in (
                ("/rolls/{id}", story.city.organs["JC001"]),
                ("/documents/{id}", story.path[15:]),
                ("/sittings/{id}", sitting),
            ):
                place = place.replace(known, known.replace("{id}", found))
            desk = await story.desk(person)
            sent = SENT_IN.get(path)
            octets = {"headers": {"Content-Type": "application/octet-stream"}, "content": sent} if sent else {}
            answer = await desk.send("POST" if sent else "GET", f"{place}?{query}", **octets)
            answer.raise_for_status()
            record = await AuditRecord.filter(verb__in=TAKEN).order_by("-id").first()
            assert record is not None
            assert str(record.actor_id) == story.city.people[person]
            facts = {"file": record.facts["file"], "filter": narrowed, "count": rows_in(answer.content)}
            assert record.facts == facts, path
        assert await AuditRecord.filter(verb__in=TAKEN).count() == len(LISTS)


async def test_a_list_that_is_refused_leaves_nothing(city: City) -> None:
    """Who may not see a list gets no file, and no record says that they had taken one."""
    desk = await city.signed_in("wang")
    for path in (
        "/api/sessions.csv",
        "/api/clients.csv",
        "/api/directory.xlsx",
        "/api/pki/devices.csv",
        "/api/audit/records.csv",
    ):
        assert (await desk.get(path)).status_code == 403, path
    assert not await AuditRecord.filter(verb__in=TAKEN).exists()
