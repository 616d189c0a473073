"""What the receiving side is refused, each by its stable code, and what it leaves behind."""

from __future__ import annotations

import httpx
import pytest

from oa_server.signing.models import Signature
from tests.journey import ATTACHMENT, Begin, Journey


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem; nothing for what was done."""
    return response.status_code, response.json().get("code", "")


async def unit(story: Journey, organ: str, name: str) -> str:
    """The id of a unit by the directory."""
    shown = (await (await story.desk("zhou")).get(f"/api/organs/{story.city.organs[organ]}")).json()
    return next(str(item["id"]) for item in shown["units"] if item["name"] == name)


async def goes_on(story: Journey, path: str, *, until: str) -> None:
    """Take a received document through register, propose, instruct and assign."""
    wu, budget = story.city.people["wu"], await unit(story, "JC002", "预算科")
    steps = {
        "register": ("zhou", {}),
        "propose": ("zhou", {"opinion": "拟请吴局长批示", "parameters": {"leader_id": wu}}),
        "instruct": ("wu", {"opinion": "请预算科办理"}),
        "assign": ("zhou", {"parameters": {"unit_id": budget}}),
    }
    for verb, (person, fields) in steps.items():
        done = await story.does(person, verb, path, **fields)
        assert done.status_code == 200, done.text
        if verb == until:
            return


async def test_receipt_over_everything(begin: Begin) -> None:
    """The receipt is over the digests of the sealed pages and of every attachment, which dispatch and leader signed too."""
    async with begin("received") as story:
        document = (await (await story.desk("sun")).get(story.path)).json()
        (attached,) = document["attachments"]
        expected = [{"name": "分工表.txt", "sha256": attached["sha256"], "size": len(ATTACHMENT)}]
        contents = {}
        for purpose in ("sign", "dispatch", "sign_for"):
            contents[purpose] = httpx.Response(200, content=(await Signature.get(purpose=purpose)).content).json()
        assert contents["sign"]["elements"]["attachments"] == expected
        assert contents["dispatch"]["attachments"] == expected
        assert contents["sign_for"]["attachments"] == expected
        assert contents["sign_for"]["sha256"] == document["sealed_sha256"]


async def test_signing_for_is_the_clerks(begin: Begin) -> None:
    """Nobody but a clerk of the receiving organ signs for a document or refuses it; others do not even see it."""
    async with begin("sent") as story:
        path = await story.arrived()
        for person in ("wu", "zheng", "sun", "feng", "sys"):
            assert refusal(await story.does(person, "sign_for", path)) == (404, "core.not_found")


async def test_twice(begin: Begin) -> None:
    """What was signed for is not signed for again, nor refused afterwards."""
    async with begin("received") as story:
        path = await story.arrived()
        already = (403, "documents.already_signed_for")
        assert refusal(await story.does("xu", "sign_for", path)) == already
        why = {"reason": "重复", "parameters": {"code": "duplicate"}}
        assert refusal(await story.does("zhou", "refuse", path, **why)) == already


@pytest.mark.parametrize(
    ("reason", "parameters", "code"),
    [
        ("与我局无关", {}, "documents.unknown_refusal"),
        ("与我局无关", {"code": "no_such_reason"}, "documents.unknown_refusal"),
        ("与我局无关", {"code": ["duplicate"]}, "documents.unknown_refusal"),
        ("", {"code": "duplicate"}, "documents.reason_needed"),
        (" \u3000", {"code": "duplicate"}, "documents.reason_needed"),
        ("长" * 501, {"code": "duplicate"}, "documents.reason_too_long"),
    ],
)
async def test_refusing_without_a_reason(begin: Begin, reason: str, parameters: dict[str, object], code: str) -> None:
    """A refusal is coded and says why, in words that the sender's board can show."""
    async with begin("sent") as story:
        path = await story.arrived()
        refused = await story.does("zhou", "refuse", path, reason=reason, parameters=parameters)
        assert refusal(refused) == (422, code)
        assert (await (await story.desk("zhou")).get(path)).json()["state"] == "arrived"


async def test_refused_as_signed(begin: Begin) -> None:
    """What the board shows of a refusal is what was signed, whatever comes beside the signature."""
    async with begin("sent") as story:
        path, zhou = await story.arrived(), await story.desk("zhou")
        asked = await zhou.ask(path, "refuse", reason="重复来文", parameters={"code": "duplicate"})
        beside = {"reason": "另一理由", "parameters": {"code": "format"}}
        refused = (await zhou.answer(path, "refuse", asked.json(), **beside)).json()
        assert refused["refusal"] == {"code": "duplicate", "title": "重复来文", "text": "重复来文"}


async def test_before_signing_for(begin: Begin) -> None:
    """Nothing is done with a document that has not been signed for."""
    async with begin("sent") as story:
        path = await story.arrived()
        for verb in ("register", "propose", "assign", "close"):
            assert refusal(await story.does("zhou", verb, path)) == (403, "documents.not_signed_for")


async def test_proposing_to_somebody_else(begin: Begin) -> None:
    """A document is put before a leader of the receiving organ: not before a clerk, another organ's leader, or nobody."""
    async with begin("received") as story:
        path = await story.arrived()
        await goes_on(story, path, until="register")
        for person, code in (("zhou", "chosen_not_leader"), ("chen", "chosen_not_leader")):
            chosen = {"leader_id": story.city.people[person]}
            assert refusal(await story.does("zhou", "propose", path, parameters=chosen)) == (422, f"documents.{code}")
        for chosen in ({}, {"leader_id": "nobody"}, {"leader_id": None}, {"leader_id": ["x"]}):
            proposed = await story.does("zhou", "propose", path, parameters=chosen)
            assert refusal(proposed) == (422, "documents.no_choice")
        nobody = {"leader_id": "01890000-0000-7000-8000-000000000000"}
        assert refusal(await story.does("zhou", "propose", path, parameters=nobody))[0] == 422


async def test_instructing_out_of_turn(begin: Begin) -> None:
    """Only the leader before whom it was put writes the instruction."""
    async with begin("received") as story:
        path = await story.arrived()
        await goes_on(story, path, until="propose")
        assert refusal(await story.does("zhou", "instruct", path, opinion="同意")) == (403, "documents.not_leader")
        assert refusal(await story.does("wu", "instruct", path, opinion=" ")) == (422, "documents.opinion_needed")
        assert refusal(await story.does("wu", "assign", path)) == (403, "documents.wrong_state")


async def test_assigning_elsewhere(begin: Begin) -> None:
    """A document is handed to a unit of the receiving organ that has somebody to handle it."""
    async with begin("received") as story:
        path = await story.arrived()
        await goes_on(story, path, until="instruct")
        foreign = {"unit_id": await unit(story, "JC001", "综合科")}
        assigned = await story.does("zhou", "assign", path, parameters=foreign)
        assert refusal(assigned) == (422, "documents.chosen_foreign_unit")
        nowhere = {"unit_id": "01890000-0000-7000-8000-000000000000"}
        assert refusal(await story.does("zhou", "assign", path, parameters=nowhere)) == (404, "core.not_found")
        empty = {"unit_id": await unit(story, "JC002", "办公室")}
        assert refusal(await story.does("zhou", "assign", path, parameters=empty)) == (409, "workflow.nobody")
        assert (await (await story.desk("zhou")).get(path)).json()["state"] == "instructed"


async def test_handling_out_of_turn(begin: Begin) -> None:
    """Only the head of the unit it was handed to reports that it is done."""
    async with begin("received") as story:
        path = await story.arrived()
        await goes_on(story, path, until="assign")
        assert refusal(await story.does("wu", "finish", path, opinion="已办")) == (403, "documents.not_unit_head")
        assert refusal(await story.does("zheng", "finish", path, opinion="")) == (422, "documents.opinion_needed")
        done = await story.does("zheng", "finish", path, opinion="已按要求办结")
        assert done.json()["state"] == "handled"
        opinions = done.json()["opinions"]
        assert [(o["step_title"], o["decision"]) for o in opinions] == [("批示", "instruct"), ("承办", "handled")]
        for purpose in ("instruct", "finish"):
            signed = httpx.Response(200, content=(await Signature.get(purpose=purpose)).content).json()["elements"]
            shown = done.json()
            for name in (
                "kind",
                "title",
                "urgency",
                "classification",
                "doc_no",
                "source_organ",
                "receive_no",
                "proposal",
            ):
                assert signed[name] == shown[name]
            assert [file["name"] for file in signed["attachments"]] == [file["name"] for file in shown["attachments"]]
        assert refusal(await story.does("zheng", "close", path)) == (403, "documents.not_receiver")


@pytest.mark.parametrize("after", ["register", "instruct"])
async def test_closed_without_more_ado(begin: Begin, after: str) -> None:
    """A document that is only to be read is closed by the clerk, and is nobody's task any more."""
    async with begin("received") as story:
        path = await story.arrived()
        await goes_on(story, path, until=after)
        closed = await story.does("zhou", "close", path, opinion="阅存")
        assert (closed.json()["state"], closed.json()["result"]) == ("closed", "阅存")
        for person in ("zhou", "xu", "wu"):
            assert (await (await story.desk(person)).get("/api/tasks", params={"kind": "incoming"})).json()[
                "items"
            ] == []


@pytest.mark.parametrize("verb", ["", "approve", "SIGN_FOR", "delete"])
async def test_unknown_verbs(begin: Begin, verb: str) -> None:
    """An act that there is not is neither prepared nor done."""
    async with begin("received") as story:
        path, zhou = await story.arrived(), await story.desk("zhou")
        assert refusal(await zhou.act(path, verb)) == (422, "documents.unknown_verb")
        assert refusal(await zhou.ask(path, verb)) == (422, "documents.unknown_verb")
        assert refusal(await zhou.ask(path, "register")) == (422, "documents.nothing_to_sign")


async def test_unsigned(begin: Begin) -> None:
    """A receipt, a refusal, an instruction are signed, or they are not given."""
    async with begin("sent") as story:
        path, zhou = await story.arrived(), await story.desk("zhou")
        for verb, fields in (("sign_for", {}), ("refuse", {"reason": "重复", "parameters": {"code": "duplicate"}})):
            assert refusal(await zhou.act(path, verb, **fields)) == (422, "documents.signature_needed")
        assert (await zhou.get(path)).json()["state"] == "arrived"


async def test_another_key(begin: Begin) -> None:
    """A clerk signs for a document with a key of their own."""
    async with begin("sent") as story:
        path, zhou = await story.arrived(), await story.desk("zhou")
        zhou.keys["signing"] = story.city.keys("xu")["signing"]
        assert refusal(await zhou.ask(path, "sign_for")) == (403, "signing.not_your_certificate")


async def test_a_refused_document_shows_nothing_more(begin: Begin) -> None:
    """Who has refused a document keeps the record of it, but no longer reads its attachments."""
    async with begin("sent") as story:
        path, zhou = await story.arrived(), await story.desk("zhou")
        (attached,) = (await zhou.get(path)).json()["attachments"]
        content = f"/api/files/{attached['id']}/content"
        assert (await zhou.get(content)).content == ATTACHMENT
        await story.does("zhou", "refuse", path, reason="非本局职责", parameters={"code": "not_addressee"})
        assert refusal(await zhou.get(content)) == (404, "core.not_found")
        assert (await zhou.get(path)).json()["refusal"]["code"] == "not_addressee"
