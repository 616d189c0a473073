"""Who sees what: an official who may not see a document gets the same 404 as for one that does not exist, everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from oa_server.documents.models import IncomingDocument, OutgoingDocument
from oa_server.files.models import StoredFile
from tests.described import description
from tests.journey import Begin, Journey

# Who may not see the outgoing document at a stage, though the address is known: other organs before and after it was sent
# to them, colleagues whom it has not reached, and the administrators.
BLIND_OUTGOING = {
    "drafted": ("li", "zhao", "chen", "sun", "liu", "qian", "gao", "zhou", "wu", "feng", "sys", "sec", "aud"),
    "submitted": ("chen", "zhou", "xu", "wu", "zheng", "feng", "sys", "sec", "aud"),
    "sent": ("zhou", "xu", "wu", "zheng", "feng", "sys", "sec", "aud"),
}
SEEING_OUTGOING = {
    "drafted": ("wang",),
    "submitted": ("wang", "li", "zhao", "sun", "liu", "qian"),
    "sent": ("wang", "li", "zhao", "chen", "sun", "liu", "qian"),
}
# The receiving organ's clerks see what came; others there only what was put before them, and the sender never does.
BLIND_INCOMING = ("wang", "li", "zhao", "chen", "sun", "qian", "feng", "wu", "zheng", "sys", "sec", "aud")

# What a write sends, by the last part of its address.
BODIES: dict[str, Any] = {"signatures": {"verb": "approve", "certificate": "AAAA"}, "acts": {"verb": "submit"}, "": {}}


def endpoints(tree: str) -> Iterator[tuple[str, str]]:
    """(method, address) of everything below `/api/TREE/{id}`, as the API description lists it."""
    for path, methods in description()["paths"].items():
        if path.startswith(f"/api/{tree}/{{id}}"):
            for method in methods:
                yield method.upper(), path


async def answers(story: Journey, person: str, tree: str, subject_id: str) -> dict[str, tuple[int, str]]:
    """What an official gets from every endpoint of a subject: status, and the code of a refusal."""
    browser, found = await story.desk(person), {}
    for method, path in endpoints(tree):
        options: dict[str, Any] = {"headers": {"If-Match": '"1"', "Upload-Offset": "0"}}
        if method == "PATCH" and tree == "files":
            options["content"] = b"x"
            options["headers"]["Content-Type"] = "application/offset+octet-stream"
        elif method in {"POST", "PATCH"}:
            options["json"] = BODIES[path.rpartition("{id}")[2].strip("/")]
        answer = await browser.send(method, path.replace("{id}", subject_id), **options)
        is_problem = answer.headers.get("content-type", "").startswith("application/problem")
        found[f"{method} {path}"] = (answer.status_code, answer.json()["code"] if is_problem else "")
    return found


def test_the_matrix_is_whole() -> None:
    """The addresses that are guessed are all there are below a document, an incoming document and a file."""
    assert {path for _, path in endpoints("documents")} == {
        "/api/documents/{id}",
        "/api/documents/{id}/pages.pdf",
        "/api/documents/{id}/signatures",
        "/api/documents/{id}/acts",
        "/api/documents/{id}/consignments",
        "/api/documents/{id}/consignments.csv",
    }
    assert len(list(endpoints("incoming"))) == 4
    assert len(list(endpoints("files"))) == 4


@pytest.mark.norm("D-8.1.4.2e/f")
@pytest.mark.parametrize("stage", list(BLIND_OUTGOING))
async def test_outgoing(begin: Begin, stage: str) -> None:
    """A document and its pages, acts, signatures, consignments and attachments are nowhere for who may not see them."""
    async with begin(stage) as story:
        document = await OutgoingDocument.all().get()
        file = await StoredFile.all().get()
        receivers = {"zhou", "xu", "feng"} if stage == "sent" else set()
        for person in BLIND_OUTGOING[stage]:
            for address, answer in (await answers(story, person, "documents", str(document.id))).items():
                assert answer == (404, "core.not_found"), (person, address)
            for address, answer in (await answers(story, person, "files", str(file.id))).items():
                if person in receivers and address.startswith("GET"):
                    continue  # What was sent to an organ, its clerks read with its attachments.
                assert answer == (404, "core.not_found"), (person, address)
            assert (await (await story.desk(person)).get("/api/documents")).json()["items"] == []
        for person in SEEING_OUTGOING[stage]:
            found = await answers(story, person, "documents", str(document.id))
            assert found["GET /api/documents/{id}"] == (200, ""), person
            assert {status for status, _ in found.values()} & {404} <= ({404} if stage == "drafted" else set()), found


@pytest.mark.norm("D-8.1.4.2e/f")
async def test_incoming(begin: Begin) -> None:
    """What came in is nowhere for other organs, for the sender, and for colleagues before whom it was not put."""
    async with begin("received") as story:
        for incoming in await IncomingDocument.all():
            organ = {str(v): k for k, v in story.city.organs.items()}[str(incoming.organ_id)]
            clerks = {"JC002": ("zhou", "xu"), "JC003": ("feng",)}[organ]
            others = {*BLIND_INCOMING, "zhou", "xu"} - set(clerks)
            for person in sorted(others):
                for address, answer in (await answers(story, person, "incoming", str(incoming.id))).items():
                    assert answer == (404, "core.not_found"), (person, address)
            for person in clerks:
                found = await answers(story, person, "incoming", str(incoming.id))
                assert found["GET /api/incoming/{id}"] == found["GET /api/incoming/{id}/pages.pdf"] == (200, "")
        for person in ("wang", "wu", "zheng"):
            assert (await (await story.desk(person)).get("/api/incoming")).json()["items"] == []


async def test_put_before_somebody(begin: Begin) -> None:
    """Who was given a document sees it from then on, also when they have dealt with it."""
    async with begin("received") as story:
        path = await story.arrived()
        await story.does("zhou", "register", path)
        assert (await (await story.desk("wu")).get(path)).status_code == 404
        await story.does("zhou", "propose", path, parameters={"leader_id": story.city.people["wu"]})
        assert (await (await story.desk("wu")).get(path)).status_code == 200
        await story.does("wu", "instruct", path, opinion="阅")
        assert (await (await story.desk("wu")).get(path)).status_code == 200
        (attached,) = (await (await story.desk("wu")).get(path)).json()["attachments"]
        assert (await (await story.desk("wu")).get(f"/api/files/{attached['id']}/content")).status_code == 200
        assert (await (await story.desk("zheng")).get(f"/api/files/{attached['id']}")).status_code == 404


@pytest.mark.parametrize(
    "subject_id", ["aaaaaaaa-0000-7000-8000-000000000000", "0", "..%2f..%2fetc", "%00", "新", "x" * 300]
)
@pytest.mark.parametrize("tree", ["documents", "incoming", "files", "organs"])
async def test_no_such_thing(begin: Begin, tree: str, subject_id: str) -> None:
    """What is no identifier, or nobody's, is nowhere either."""
    async with begin("drafted") as story:
        answer = await (await story.desk("wang")).get(f"/api/{tree}/{subject_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "core.not_found")


async def test_a_preview_of_another_document(begin: Begin) -> None:
    """Nobody lays out pages beside the attachments of a document that they may not see."""
    async with begin("drafted") as story:
        document_id = story.path.rpartition("/")[2]
        body = {"type": "doc", "content": []}
        wanted = {"elements": story.city.elements(), "body": body, "document_id": document_id}
        refused = await (await story.desk("zhou")).send("POST", "/api/documents/preview", json=wanted)
        assert (refused.status_code, refused.json()["code"]) == (404, "core.not_found")
