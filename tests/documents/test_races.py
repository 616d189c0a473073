"""Two officials who do the same thing at the same moment: exactly one of them has done it."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from tests.journey import Begin, Journey


def outcomes(answers: list[httpx.Response]) -> Counter[tuple[int, str]]:
    """How often each status and code was answered."""
    return Counter((answer.status_code, answer.json().get("code", "")) for answer in answers)


async def signed_documents(story: Journey, count: int) -> list[str]:
    """Documents that the leader has signed and nobody has numbered."""
    paths = []
    for _ in range(count):
        path = await story.drafts()
        for person, verb in (("wang", "submit"), ("li", "approve"), ("zhao", "approve"), ("chen", "sign")):
            assert (await story.does(person, verb, path)).status_code == 200
        paths.append(path)
    return paths


async def test_two_clerks_number_one_document(begin: Begin) -> None:
    """Of two clerks who number a document at once, one does and the other is told; it has one number, the first."""
    async with begin("signed") as story:
        answers = await asyncio.gather(story.does("sun", "number"), story.does("liu", "number"))
        assert outcomes(answers)[200, ""] == 1
        assert {code for status, code in outcomes(answers) if status != 200} <= {
            "documents.wrong_state",
            "core.stale",
        }
        (next_one,) = await signed_documents(story, 1)
        assert (await story.does("liu", "number", next_one)).json()["doc_no"] == "江政办发〔2026〕2号"


@pytest.mark.norm("A-2.3.1–2.3.4")
async def test_two_clerks_number_many_documents(begin: Begin) -> None:
    """Clerks who number several documents at once give each a number of its own, without a gap."""
    async with begin("signed") as story:
        paths = [story.path, *await signed_documents(story, 3)]
        clerks = ("sun", "liu", "sun", "liu")
        answers = await asyncio.gather(
            *(story.does(clerk, "number", path) for clerk, path in zip(clerks, paths, strict=True))
        )
        assert outcomes(answers) == {(200, ""): 4}
        assert sorted(answer.json()["doc_no"] for answer in answers) == [
            f"江政办发〔2026〕{number}号" for number in (1, 2, 3, 4)
        ]


@pytest.mark.norm("A-15.4.2")
async def test_two_clerks_sign_for(begin: Begin) -> None:
    """Of two clerks who sign for a document at once, one gives the receipt; the other is told that it is done."""
    async with begin("sent") as story:
        path = await story.arrived()
        answers = await asyncio.gather(story.does("zhou", "sign_for", path), story.does("xu", "sign_for", path))
        assert outcomes(answers) == {(200, ""): 1, (403, "documents.already_signed_for"): 1}
        winner = next(answer.json()["receipt"]["by"] for answer in answers if answer.status_code == 200)
        board = (await (await story.desk("sun")).get(f"{story.path}/consignments")).json()
        signed = [item["signed_for_by"] for item in board["items"] if item["state"] == "signed_for"]
        assert signed == [winner]


async def test_one_signs_for_while_another_refuses(begin: Begin) -> None:
    """A document is signed for or refused, never both."""
    async with begin("sent") as story:
        path = await story.arrived()
        refusal = story.does("xu", "refuse", path, reason="重复", parameters={"code": "duplicate"})
        answers = await asyncio.gather(story.does("zhou", "sign_for", path), refusal)
        assert outcomes(answers) == {(200, ""): 1, (403, "documents.already_signed_for"): 1}


async def test_two_clerks_send(begin: Begin) -> None:
    """A document that two clerks send at once is sent once to each recipient."""
    async with begin("sealed") as story:
        answers = await asyncio.gather(story.does("sun", "dispatch"), story.does("liu", "dispatch"))
        assert outcomes(answers)[200, ""] == 1
        assert len((await (await story.desk("zhou")).get("/api/incoming")).json()["items"]) == 1


async def test_two_clerks_register(begin: Begin) -> None:
    """A document that two clerks register at once has one number of the register, and the next has the next."""
    async with begin("received") as story:
        path = await story.arrived()
        answers = await asyncio.gather(story.does("zhou", "register", path), story.does("xu", "register", path))
        assert outcomes(answers) == {(200, ""): 1, (403, "documents.wrong_state"): 1}
        assert next(a for a in answers if a.status_code == 200).json()["receive_no"] == "2026-0001"


async def test_a_leader_signs_while_the_drafter_withdraws(begin: Begin) -> None:
    """A document is withdrawn or signed, never both, and its route has gone one way only."""
    async with begin("cleared") as story:
        answers = await asyncio.gather(story.does("chen", "sign"), story.does("wang", "withdraw"))
        assert outcomes(answers)[200, ""] == 1
        state = (await (await story.desk("wang")).get(story.path)).json()["state"]
        assert state == ("signed" if answers[0].status_code == 200 else "drafting")


async def test_two_windows_of_one_draft(begin: Begin) -> None:
    """Of two changes to the same draft the second is refused, and the first is what stands."""
    async with begin("drafted") as story:
        wang = await story.desk("wang")
        etag = (await wang.get(story.path)).headers["etag"]
        notes = ("甲", "乙")
        answers = await asyncio.gather(
            *(
                wang.send(
                    "PATCH",
                    story.path,
                    json={"elements": story.city.elements(note=note)},
                    headers={"If-Match": etag},
                )
                for note in notes
            )
        )
        assert outcomes(answers) == {(200, ""): 1, (412, "core.stale"): 1}
        kept = next(note for note, answer in zip(notes, answers, strict=True) if answer.status_code == 200)
        assert (await wang.get(story.path)).json()["elements"]["note"] == kept


async def test_submitted_while_it_is_changed(begin: Begin) -> None:
    """What is under review is what was submitted, also when it is changed in another window at that moment."""
    async with begin("drafted") as story:
        wang = await story.desk("wang")
        etag = (await wang.get(story.path)).headers["etag"]
        change = {"elements": story.city.elements(note="另有附注")}
        submitted, changed = await asyncio.gather(
            story.does("wang", "submit"), wang.send("PATCH", story.path, json=change, headers={"If-Match": etag})
        )
        shown = (await wang.get(story.path)).json()
        if submitted.status_code == 200:
            assert changed.status_code != 200
            assert shown["elements"]["note"] == "此件公开发布"
        else:
            assert (submitted.status_code, submitted.json()["code"]) == (409, "core.stale")
            assert (shown["state"], shown["elements"]["note"]) == ("drafting", "另有附注")
