"""What an outgoing document is refused, with the reason that the page shows: each by its stable code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from oa_server.documents.models import NumberLedger, OutgoingDocument
from oa_server.files.models import StoredFile
from oa_server.storage.fields import sealed_for
from tests.city import BODY
from tests.journey import Begin, Journey


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem; nothing for what was done."""
    return response.status_code, response.json().get("code", "")


async def shown(story: Journey, person: str = "wang") -> dict[str, Any]:
    return dict((await (await story.desk(person)).get(story.path)).json())


async def revise(story: Journey, etag: str | None, path: str = "", **elements: Any) -> httpx.Response:
    headers = {} if etag is None else {"If-Match": etag}
    body = {"elements": story.city.elements(**elements)}
    return await (await story.desk("wang")).send("PATCH", path or story.path, json=body, headers=headers)


# --- drafting --------------------------------------------------------------------------------------------------------


async def test_a_stale_draft(begin: Begin) -> None:
    """A change on top of an old reading is refused, and what stands and what was read both stay as they were."""
    async with begin("drafted") as story:
        old = (await shown(story))["etag"]
        assert (await revise(story, f'"{old}"', note="第一次修改")).status_code == 200
        assert refusal(await revise(story, f'"{old}"', note="第二次修改")) == (412, "core.stale")
        now = await shown(story)
        assert now["elements"]["note"] == "第一次修改"
        assert (await revise(story, f'"{now["etag"]}"', note="第二次修改")).status_code == 200


@pytest.mark.parametrize("etag", ["W/", "*", '"', ""])
async def test_a_weak_or_odd_etag(begin: Begin, etag: str) -> None:
    """Only the very tag that was read opens a draft: a weak one, or any at all, does not."""
    async with begin("drafted") as story:
        given = f'{etag}"{(await shown(story))["etag"]}"' if etag == "W/" else etag
        assert refusal(await revise(story, given, note="改")) == (412, "core.stale")


async def test_no_etag(begin: Begin) -> None:
    """Who does not say which draft is changed changes nothing."""
    async with begin("drafted") as story:
        assert refusal(await revise(story, None, note="改")) == (428, "documents.etag_needed")
        assert (await shown(story))["elements"]["note"] == "此件公开发布"


async def test_above_the_ceiling(begin: Begin) -> None:
    """Nothing above the installation's ceiling is drafted, kept, or laid out."""
    async with begin("drafted") as story:
        above = (422, "documents.above_ceiling")
        wang = await story.desk("wang")
        draft = {"elements": story.city.elements(classification="secret"), "body": BODY}
        assert refusal(await wang.send("POST", "/api/documents", json=draft)) == above
        assert refusal(await wang.send("POST", "/api/documents/preview", json=draft)) == above
        etag = f'"{(await shown(story))["etag"]}"'
        assert refusal(await revise(story, etag, classification="confidential")) == above
        words = (await wang.get("/api/vocabulary")).json()["classifications"]
        assert [word["code"] for word in words] == ["none", "internal"]


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("main_recipients", "documents.unknown_organ"),
        ("copies_to", "documents.unknown_organ"),
        ("signer_id", "documents.unknown_signer"),
    ],
)
async def test_nobody_and_nowhere(begin: Begin, field: str, code: str) -> None:
    """A draft names organs and people that there are."""
    async with begin("drafted") as story:
        unknown = "01890000-0000-7000-8000-000000000000"
        value = unknown if field == "signer_id" else [unknown]
        etag = f'"{(await shown(story))["etag"]}"'
        assert refusal(await revise(story, etag, **{field: value})) == (422, code)
        draft = {"elements": story.city.elements(**{field: value}), "body": BODY}
        assert refusal(await (await story.desk("wang")).send("POST", "/api/documents", json=draft)) == (422, code)


EMPTY = {"type": "doc", "content": []}
INVISIBLE = {
    "type": "doc",
    "content": [{"type": "paragraph", "text": " \u200b"}, {"type": "table", "rows": [["", "\u00a0"]], "header": False}],
}


@pytest.mark.parametrize(
    ("elements", "body", "codes"),
    [
        ({"title": ""}, BODY, ["no_title"]),
        ({"title": "江城市人民政府办公室关于公文处理工作的函"}, BODY, ["title_kind"]),
        ({}, EMPTY, ["no_body"]),
        ({}, INVISIBLE, ["no_body"]),
        ({"main_recipients": []}, BODY, ["no_recipient"]),
        ({"signer_id": None}, BODY, ["no_signer"]),
        ({"signer_id": "wang"}, BODY, ["signer_not_leader"]),
        ({"signer_id": "wu"}, BODY, ["signer_not_leader"]),
        ({"copies_to": ["JC001"]}, BODY, ["own_organ"]),
        (
            {"kind": "request", "title": "关于追加经费的请示", "main_recipients": ["JC002", "JC003"]},
            BODY,
            ["upward_one_superior"],
        ),
        (
            {"title": "", "main_recipients": [], "copies_to": [], "signer_id": None},
            EMPTY,
            ["no_title", "no_body", "no_recipient", "no_signer"],
        ),
    ],
)
async def test_missing_elements(begin: Begin, elements: dict[str, Any], body: Any, codes: list[str]) -> None:
    """What articles 9, 14, 15 and 22 ask for must be there before a draft goes to review; all that is missing is listed."""
    async with begin("drafted") as story:
        city = story.city
        for name in ("main_recipients", "copies_to"):
            if name in elements:
                elements = {**elements, name: [city.organs[code] for code in elements[name]]}
        if elements.get("signer_id"):
            elements = {**elements, "signer_id": city.people[elements["signer_id"]]}
        draft = {"elements": city.elements(**elements), "body": body}
        made = await (await story.desk("wang")).send("POST", "/api/documents", json=draft)
        refused = await story.does("wang", "submit", f"/api/documents/{made.json()['id']}")
        assert refusal(refused) == (422, f"documents.{codes[0]}")
        assert [item["code"] for item in refused.json()["facts"]["all"]] == [f"documents.{code}" for code in codes]


async def test_an_organ_that_does_not_issue(begin: Begin) -> None:
    """An organ without an issuing word drafts, but nothing of it goes to review."""
    async with begin("drafted") as story:
        path = await story.drafts("feng", main_recipients=[story.city.organs["JC002"]], copies_to=[])
        assert refusal(await story.does("feng", "submit", path)) == (403, "documents.not_an_issuer")


async def test_a_draft_of_another_hand(begin: Begin) -> None:
    """Only the drafter changes, submits or gives up a draft; who has seen it before knows it, and may not either."""
    async with begin("submitted") as story:
        await story.does("li", "return", reason="请补充依据")
        li = await story.desk("li")
        body = {"elements": story.city.elements(note="代为修改")}
        changed = await li.send("PATCH", story.path, json=body, headers={"If-Match": '"1"'})
        assert refusal(changed) == (403, "documents.not_drafter")
        for verb in ("submit", "abandon"):
            assert refusal(await story.does("li", verb)) == (403, "documents.not_drafter")


async def test_changes_under_review(begin: Begin) -> None:
    """What is under review does not change: neither its elements, nor its attachments, nor is it given up."""
    async with begin("submitted") as story:
        not_drafting = (403, "documents.not_drafting")
        assert refusal(await revise(story, f'"{(await shown(story))["etag"]}"', note="改")) == not_drafting
        for verb in ("submit", "abandon"):
            assert refusal(await story.does("wang", verb)) == not_drafting
        wang = await story.desk("wang")
        more = {"name": "补.txt", "size": 3, "subject_type": "outgoing", "subject_id": story.path.rpartition("/")[2]}
        assert refusal(await wang.send("POST", "/api/files", json=more)) == not_drafting
        (attached,) = (await shown(story))["attachments"]
        assert refusal(await wang.send("DELETE", f"/api/files/{attached['id']}")) == not_drafting


# --- review and signing ----------------------------------------------------------------------------------------------


async def test_out_of_turn(begin: Begin) -> None:
    """Whoever's step is not open does not approve, and only the chosen signer signs, when it has come to them."""
    async with begin("reviewed") as story:
        assert refusal(await story.does("li", "approve")) == (403, "documents.not_your_task")
        assert refusal(await story.does("wang", "approve")) == (403, "documents.not_your_task")
        assert refusal(await story.does("li", "return", reason="再改")) == (403, "documents.not_your_task")
        assert refusal(await story.does("zhao", "sign")) == (403, "documents.not_signers_turn")
        assert (await story.does("zhao", "approve")).status_code == 200
        assert refusal(await story.does("zhao", "sign")) == (403, "documents.not_signers_turn")
        assert refusal(await story.does("chen", "approve")) == (403, "documents.not_your_task")
        assert (await story.does("chen", "sign")).status_code == 200
        assert refusal(await story.does("chen", "sign")) == (403, "documents.wrong_state")


async def test_nothing_said(begin: Begin) -> None:
    """An opinion says something, and a return gives its reason."""
    async with begin("submitted") as story:
        for words in ("", " \n\u3000"):
            assert refusal(await story.does("li", "approve", opinion=words)) == (422, "documents.opinion_needed")
            assert refusal(await story.does("li", "return", reason=words)) == (422, "documents.reason_needed")


async def test_too_much_said(begin: Begin) -> None:
    """An opinion of two thousand characters is kept whole; one more is refused before anything is signed."""
    async with begin("submitted") as story:
        assert refusal(await story.does("li", "approve", opinion="字" * 2001)) == (422, "web.invalid")
        assert (await story.does("li", "approve", opinion="字" * 2000)).status_code == 200
        assert (await shown(story))["opinions"][0]["text"] == "字" * 2000


async def test_unsigned(begin: Begin) -> None:
    """What must be signed is not done without a signature, and what needs none asks for none."""
    async with begin("submitted") as story:
        li = await story.desk("li")
        needed = (422, "documents.signature_needed")
        assert refusal(await li.act(story.path, "approve", opinion="同意")) == needed
        assert refusal(await li.act(story.path, "return", reason="请改")) == needed
        asked = await (await story.desk("wang")).ask(story.path, "withdraw")
        assert refusal(asked) == (422, "documents.nothing_to_sign")
        assert (await shown(story))["state"] == "under_review"


@pytest.mark.parametrize("verb", ["", "APPROVE", "delete", "sign_for"])
async def test_unknown_verbs(begin: Begin, verb: str) -> None:
    """An act that there is not is neither prepared nor done; changing a draft is no act but a change."""
    async with begin("drafted") as story:
        wang = await story.desk("wang")
        unknown = (422, "documents.unknown_verb")
        assert refusal(await wang.act(story.path, verb)) == unknown
        assert refusal(await wang.ask(story.path, verb)) == unknown
        assert refusal(await wang.act(story.path, "edit")) == unknown


async def test_other_words_than_signed(begin: Begin) -> None:
    """What is kept of an opinion is what was signed, whatever comes beside the signature."""
    async with begin("submitted") as story:
        li = await story.desk("li")
        asked = await li.ask(story.path, "approve", opinion="同意")
        done = await li.answer(story.path, "approve", asked.json(), opinion="不同意，请重拟")
        assert [opinion["text"] for opinion in done.json()["opinions"]] == ["同意"]


async def test_a_signature_for_something_else(begin: Begin) -> None:
    """A signature serves the act and the document that it was made for, once."""
    async with begin("submitted") as story:
        li = await story.desk("li")
        asked = (await li.ask(story.path, "approve", opinion="同意")).json()
        assert refusal(await li.answer(story.path, "return", asked, reason="退")) == (409, "signing.other_purpose")
        other = await story.drafts()
        await story.does("wang", "submit", other)
        assert refusal(await li.answer(other, "approve", asked)) == (409, "signing.other_purpose")
        assert (await li.answer(story.path, "approve", asked)).status_code == 200
        await story.does("zhao", "return", reason="再核")
        await story.does("wang", "submit")
        assert refusal(await li.answer(story.path, "approve", asked)) == (409, "signing.request_used")


async def test_pages_that_were_not_read(begin: Begin) -> None:
    """An opinion prepared for one version is not given on the next, nor after another opinion has come in between."""
    async with begin("submitted") as story:
        li = await story.desk("li")
        early = (await li.ask(story.path, "approve", opinion="同意")).json()
        assert (await story.does("li", "return", reason="请改标题")).status_code == 200
        assert (await story.does("wang", "submit")).status_code == 200
        assert refusal(await li.answer(story.path, "approve", early)) == (409, "documents.pages_changed")
        assert (await story.does("li", "approve")).status_code == 200


@pytest.mark.parametrize(
    ("resume", "next_step"), [("direct", "signing"), ("replay", "unit_review"), (None, "unit_review")]
)
async def test_returned(begin: Begin, resume: str | None, next_step: str) -> None:
    """What a leader returns comes straight back when they ask for that, and the whole way otherwise; opinions stay."""
    async with begin("cleared") as story:
        parameters = {"resume": resume} if resume else {}
        returned = await story.does("chen", "return", reason="请核对数据", parameters=parameters)
        assert returned.json()["state"] == "drafting"
        again = (await story.does("wang", "submit")).json()
        assert again["version_no"] == 2
        open_steps = [step["step"] for step in again["route"] if step["state"] == "open"]
        assert open_steps == [next_step]
        assert [o["decision"] for o in again["opinions"]] == ["agree", "agree", "return"]
        assert again["opinions"][-1]["text"] == "请核对数据"


async def test_withdrawn(begin: Begin) -> None:
    """The drafter takes a document back until the next step has begun to read it; then it is too late."""
    async with begin("submitted") as story:
        assert refusal(await story.does("li", "withdraw")) == (403, "documents.not_drafter")
        assert (await story.does("wang", "withdraw")).json()["state"] == "drafting"
        assert (await story.does("wang", "submit")).status_code == 200
        assert (await (await story.desk("li")).get(story.path)).status_code == 200
        assert refusal(await story.does("wang", "withdraw")) == (403, "documents.already_read")


async def test_given_up(begin: Begin) -> None:
    """A document that is given up has taken no number, is nobody's task any more, and comes back for no verb."""
    async with begin("submitted") as story:
        await story.does("wang", "withdraw")
        assert (await story.does("wang", "abandon")).json()["state"] == "abandoned"
        assert await NumberLedger.all().count() == 0
        for person in ("wang", "li"):
            assert (await (await story.desk(person)).get("/api/tasks")).json()["items"] == []
        for verb in ("submit", "abandon"):
            assert refusal(await story.does("wang", verb)) == (403, "documents.not_drafting")
        assert refusal(await story.does("sun", "number")) == (403, "documents.wrong_state")


# --- numbering, sealing, sending -------------------------------------------------------------------------------------


async def test_too_early(begin: Begin) -> None:
    """Each step says what is missing before it: signature, number, frozen pages, seal, dispatch."""
    async with begin("cleared") as story:
        early = {"number": "not_signed", "freeze": "not_numbered", "dispatch": "not_sealed", "close": "not_dispatched"}
        for verb, code in early.items():
            assert refusal(await story.does("sun", verb)) == (403, f"documents.{code}")
        assert refusal(await story.does("qian", "seal")) == (403, "documents.not_frozen")


async def test_sending_what_is_not_sealed(begin: Begin) -> None:
    """A document without its seal does not leave the house."""
    async with begin("frozen") as story:
        assert refusal(await story.does("sun", "dispatch")) == (403, "documents.not_sealed")
        assert (await (await story.desk("zhou")).get("/api/incoming")).json()["items"] == []


async def test_not_the_clerk(begin: Begin) -> None:
    """Numbering and sending are the clerk's."""
    async with begin("signed") as story:
        assert refusal(await story.does("chen", "number")) == (403, "documents.not_clerk")


async def test_not_the_keeper(begin: Begin) -> None:
    """Only the organ's seal keeper seals, and with the organ's seal: the clerk does not, nor does a personal key."""
    async with begin("frozen") as story:
        sun = await story.desk("sun")
        assert refusal(await sun.ask(story.path, "seal")) == (403, "documents.not_keeper")
        qian = await story.desk("qian")
        asked = await qian.ask(story.path, "seal", usage="signing")
        assert asked.status_code == 403
        qian.keys["seal"] = story.city.keys("zhou")["seal"]
        assert refusal(await qian.ask(story.path, "seal", usage="seal")) == (403, "signing.not_organs_seal")


@pytest.mark.parametrize("gao", ["drafter", "signer"])
async def test_a_keeper_with_a_hand_in_it(begin: Begin, gao: str) -> None:
    """A seal keeper who drafted or signed a document does not seal it; the other keeper does."""
    async with begin("drafted") as story:
        drafter = "gao" if gao == "drafter" else "wang"
        signer = "gao" if gao == "signer" else "chen"
        path = await story.drafts(drafter, signer_id=story.city.people[signer])
        for person, verb in ((drafter, "submit"), ("li", "approve"), ("zhao", "approve"), (signer, "sign")):
            assert (await story.does(person, verb, path)).status_code == 200
        assert (await story.does("sun", "number", path)).status_code == 200
        own = await (await story.desk("gao")).ask(path, "seal")
        assert refusal(own) == (403, "documents.keeper_conflict")
        assert (await story.does("qian", "seal", path)).json()["state"] == "sealed"


async def test_text_changed_after_signing(begin: Begin) -> None:
    """Article 25(1): a text that is not the one the leader signed is not frozen, and takes no number."""
    async with begin("signed") as story:
        body = {"type": "doc", "content": [{"type": "paragraph", "text": "另一份正文。"}]}
        document_id = story.path.rpartition("/")[2]
        change = sealed_for(OutgoingDocument, UUID(document_id), {"body": body})
        await OutgoingDocument.filter(id=document_id).update(**change)
        assert refusal(await story.does("sun", "number")) == (409, "documents.text_changed")
        assert await NumberLedger.all().count() == 0
        assert (await shown(story))["state"] == "signed"


@pytest.mark.parametrize(
    ("change", "named"), [({"classification": "internal"}, "classification"), ({"publicity": "closed"}, "publicity")]
)
async def test_elements_changed_after_signing(begin: Begin, change: dict[str, str], named: str) -> None:
    """What the leader signed beside the text holds as well; the refusal names what differs."""
    async with begin("signed") as story:
        await OutgoingDocument.filter(id=story.path.rpartition("/")[2]).update(**change)
        refused = await story.does("sun", "number")
        assert refusal(refused) == (409, "documents.elements_changed")
        assert refused.json()["facts"] == {"changed": [named]}


@pytest.mark.parametrize("stage", ["submitted", "signed", "sealed", "sent"])
async def test_a_swapped_attachment(begin: Begin, stage: str) -> None:
    """An attachment that is not the one under the signatures is told by whoever would sign, number, send or receive next;
    who receives it can still refuse it."""
    async with begin(stage) as story:
        await StoredFile.all().update(sha256="0" * 64)
        if stage == "sent":
            path = await story.arrived()
            assert refusal(await story.does("zhou", "sign_for", path)) == (409, "documents.attachments_changed")
            why = {"reason": "附件与正文不符", "parameters": {"code": "bad_package"}}
            assert (await story.does("zhou", "refuse", path, **why)).json()["state"] == "refused"
            return
        code = "attachments_changed" if stage == "sealed" else "elements_changed"
        person, verb = {"submitted": ("li", "approve"), "signed": ("sun", "number"), "sealed": ("sun", "dispatch")}[
            stage
        ]
        assert refusal(await story.does(person, verb)) == (409, f"documents.{code}")


async def test_closing_too_early(begin: Begin) -> None:
    """A document is closed when every recipient has signed for it or refused it, and not before."""
    async with begin("received") as story:
        assert refusal(await story.does("sun", "close")) == (403, "documents.undelivered")
        path = await story.arrived("feng")
        await story.does("feng", "refuse", path, reason="非本局职责", parameters={"code": "not_addressee"})
        assert refusal(await story.does("wang", "close")) == (403, "documents.not_clerk")
        assert (await story.does("sun", "close")).json()["state"] == "closed"
        assert refusal(await story.does("sun", "close")) == (403, "documents.wrong_state")
