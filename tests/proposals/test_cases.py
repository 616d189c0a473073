"""A case from its draft to the decision on it."""

from __future__ import annotations

import asyncio

import pytest

from tests.city import told
from tests.proposals.assembly import CHECKLIST, TEXT, Assembly


async def invited(assembly: Assembly, **changes: object) -> str:
    """The path of a proposal that dai leads, with qiu and a deputy without a certificate asked to sign it too."""
    drafted = await assembly.drafts("dai", ["D001", "D002", "D003"], **changes)
    assert drafted.status_code == 201, drafted.text
    path = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("dai", "invite", path)
    return path


async def test_from_draft_to_filed(assembly: Assembly) -> None:
    """A deputy drafts, one co-signer consents by certificate and one on paper, the office registers, reviews and files."""
    path = await invited(assembly)
    assert (await (await assembly.desk("ma")).get("/api/proposals")).json()["items"] != []
    assert (await (await assembly.desk("sun")).get(path)).status_code == 404
    waiting = await assembly.does("dai", "submit", path)
    assert told(waiting) == (409, "proposals.not_consented")
    await assembly.done("qiu", "consent", path)
    paper = {"members": [assembly.members["D003"]]}
    assert told(await assembly.does("dai", "record_paper", path, parameters=paper)) == (
        403,
        "proposals.not_secretariat",
    )
    await assembly.done("lin", "record_paper", path, parameters=paper)
    await assembly.done("dai", "submit", path)
    case = await assembly.done("lin", "register", path)
    assert case["case_no"] == "2026-15-4-建-0001"
    await assembly.done("ma", "review", path, opinion="一事一案，要素齐全。")
    await assembly.done("song", "file", path, parameters={"checklist": CHECKLIST})
    case = await assembly.shown("dai", path)
    assert (case["state"], case["reviews"]) == ("filed", [])
    assert [one["title"] for one in case["history"]][-4:] == ["提交", "登记编号", "审查", "立案"]


async def test_paper_consent_is_entered_by_the_office(assembly: Assembly) -> None:
    """Who has no certificate signs paper, and the office's clerk enters that, for them alone."""
    drafted = await assembly.drafts("lin", ["D003", "D001"])
    path = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("lin", "invite", path)
    other = {"members": [assembly.members["D001"]]}
    assert told(await assembly.does("lin", "record_paper", path, parameters=other)) == (403, "proposals.own_signature")
    await assembly.done("dai", "consent", path)
    case = await assembly.done("lin", "submit", path, paper=True)
    assert [one["consent"] for one in case["proposers"]] == ["paper", "signed"]
    assert case["entered_by"] == "林芳"


async def test_a_consent_is_to_the_very_text(assembly: Assembly) -> None:
    """Who consented to a text has not consented to another: after a change they are asked again."""
    drafted = await assembly.drafts("dai", ["D001", "D002"])
    case = drafted.json()
    path = f"/api/proposals/{case['id']}"
    await assembly.done("dai", "invite", path)
    case = await assembly.done("qiu", "consent", path)
    assert case["proposers"][1]["stands_behind"]
    elements = case["elements"] | {"request": "改为只做一件事。"}
    body = {"elements": elements, "members": [one["member"]["id"] for one in case["proposers"]]}
    dai = await assembly.desk("dai")
    changed = await dai.send("PATCH", path, json=body, headers={"If-Match": f'"{case["etag"]}"'})
    assert changed.status_code == 200, changed.text
    assert not changed.json()["proposers"][1]["stands_behind"]
    assert told(await assembly.does("dai", "submit", path)) == (409, "proposals.not_consented")
    await assembly.done("qiu", "consent", path)
    assert (await assembly.done("dai", "submit", path))["state"] == "submitted"


async def test_a_signature_over_a_former_text_is_refused(assembly: Assembly) -> None:
    """Who was asked to sign one text does not sign the one that took its place meanwhile."""
    drafted = await assembly.drafts("dai", ["D001", "D002"])
    case = drafted.json()
    path = f"/api/proposals/{case['id']}"
    case = await assembly.done("dai", "invite", path)
    qiu, dai = await assembly.desk("qiu"), await assembly.desk("dai")
    asked = (await qiu.ask(path, "consent")).json()
    body = {
        "elements": case["elements"] | {"title": "另一件事"},
        "members": [p["member"]["id"] for p in case["proposers"]],
    }
    await dai.send("PATCH", path, json=body, headers={"If-Match": case["etag"]})
    assert told(await qiu.answer(path, "consent", asked)) == (409, "proposals.text_changed")


async def test_who_declines_is_no_proposer(assembly: Assembly) -> None:
    """A member who is asked and declines is not named, and does not see the proposal any more."""
    path = await invited(assembly)
    await assembly.done("qiu", "decline", path)
    case = await assembly.shown("dai", path)
    assert "邱红" not in [one["member"]["name"] for one in case["proposers"]]
    assert (await (await assembly.desk("qiu")).get(path)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": " "}, "proposals.no_title"),
        ({"situation": ""}, "proposals.no_situation"),
        ({"analysis": ""}, "proposals.no_analysis"),
        ({"request": ""}, "proposals.no_request"),
    ],
)
async def test_what_is_incomplete_is_not_handed_in(assembly: Assembly, changes: dict[str, str], code: str) -> None:
    """Matter, situation, analysis and request are all there, or it is said which is not."""
    drafted = await assembly.drafts("lin", ["D003"], form="individual", **changes)
    path = f"/api/proposals/{drafted.json()['id']}"
    assert told(await assembly.does("lin", "submit", path, paper=True)) == (422, code)


async def test_a_bill_needs_ten(assembly: Assembly) -> None:
    """A bill that fewer sign than the sitting asks for is refused with the number; the office may lower the limit with its
    source."""
    drafted = await assembly.drafts("dai", ["D001", "D002"], kind="bill")
    path = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("dai", "invite", path)
    await assembly.done("qiu", "consent", path)
    refused = await assembly.does("dai", "submit", path)
    assert told(refused) == (422, "proposals.too_few_cosigners")
    assert refused.json()["facts"] == {"least": 10, "found": 2}
    lin = await assembly.desk("lin")
    place = f"/api/sittings/{assembly.sitting}/limits/cosigners"
    limit = {"unit": "count", "quantity": 2, "source": "大会主席团决定"}
    assert (await lin.send("PUT", place, json=limit)).status_code == 204
    assert (await assembly.done("dai", "submit", path))["state"] == "submitted"


async def test_numbers_have_no_gaps(assembly: Assembly) -> None:
    """Two clerks who register at once give two numbers that follow each other, and one case has one number alone."""
    paths = []
    for n in range(4):
        drafted = await assembly.drafts("lin", ["D003"], form="individual", title=f"第{n}件事")
        paths.append(f"/api/proposals/{drafted.json()['id']}")
        await assembly.done("lin", "submit", paths[-1], paper=True)
    persons = ["lin", "tang"]
    answers = await asyncio.gather(*(assembly.does(person, "register", path) for path in paths for person in persons))
    given = sorted({a.json()["case_no"] for a in answers if a.status_code == 200})
    assert given == [f"2026-15-4-建-{n:04d}" for n in range(1, 5)]
    assert sum(a.status_code == 200 for a in answers) == len(paths)
    assert {told(a) for a in answers if a.status_code != 200} <= {
        (403, "proposals.wrong_state"),
        (409, "proposals.wrong_state"),
    }


async def test_review_takes_another_pair_of_eyes(assembly: Assembly) -> None:
    """Who reviewed one level does not review the next; nothing is filed before all levels and the whole list."""
    path = await assembly.filed()
    case = await assembly.shown("song", path)
    assert (case["state"], case["reviews"][0]["reviewer"]) == ("filed", "马骏")
    drafted = await assembly.drafts("lin", ["D003"], form="individual")
    path = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("lin", "submit", path, paper=True)
    await assembly.done("lin", "register", path)
    assert told(await assembly.does("song", "file", path)) == (403, "proposals.wrong_state")
    await assembly.done("ma", "review", path, opinion="同意")
    assert told(await assembly.does("ma", "review", path, opinion="同意")) == (403, "proposals.all_reviewed")
    part = {"checklist": CHECKLIST[:2]}
    assert told(await assembly.does("song", "file", path, parameters=part)) == (422, "proposals.checklist")


async def test_what_is_rejected_says_why_and_where_it_goes(assembly: Assembly) -> None:
    """A rejection has its coded ground, words, and a way to go on; the proposers read them."""
    path = await registered(assembly)
    await assembly.done("ma", "review", path, opinion="属于个人问题")
    assert told(await assembly.does("song", "reject", path, reason="请看")) == (422, "proposals.no_choice")
    said = {"code": "private", "forwarding": "letter"}
    assert told(await assembly.does("song", "reject", path, parameters=said)) == (422, "proposals.reason_needed")
    case = await assembly.done("song", "reject", path, parameters=said, reason="请按信访渠道反映。")
    assert (case["rejection"], case["forwarding"]) == ("为本人或者亲属解决个人问题", "作来信处理")


async def registered(assembly: Assembly, **changes: str) -> str:
    """The path of a registered case of one deputy on paper."""
    drafted = await assembly.drafts("lin", ["D003"], form="individual", **changes)
    path = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("lin", "submit", path, paper=True)
    await assembly.done("lin", "register", path)
    return path


async def test_what_comes_back_keeps_its_number(assembly: Assembly) -> None:
    """A case that is returned, changed and handed in again has its old number, its second version, and is reviewed anew."""
    path = await registered(assembly)
    await assembly.done("ma", "review", path, opinion="请补充")
    assert told(await assembly.does("ma", "return", path)) == (422, "proposals.reason_needed")
    case = await assembly.done("ma", "return", path, reason="请写明具体地段")
    assert case["state"] == "returned"
    body = {"elements": case["elements"] | {"request": "在城东三个小区试点。"}, "members": [assembly.members["D003"]]}
    lin = await assembly.desk("lin")
    changed = await lin.send("PATCH", path, json=body, headers={"If-Match": case["etag"]})
    assert changed.status_code == 200, changed.text
    await assembly.done("lin", "submit", path, paper=True)
    case = await assembly.done("lin", "register", path)
    assert (case["case_no"], case["version_no"]) == ("2026-15-4-建-0001", 2)
    case = await assembly.done("ma", "review", path, opinion="可以了")
    assert [one["version_no"] for one in case["reviews"]] == [1, 2]


async def test_a_stale_change_is_refused(assembly: Assembly) -> None:
    """A second tab that read an older state changes nothing."""
    case = (await assembly.drafts("dai", ["D001"], form="individual")).json()
    dai, path = await assembly.desk("dai"), f"/api/proposals/{case['id']}"
    body = {"elements": case["elements"], "members": [assembly.members["D001"]]}
    assert (await dai.send("PATCH", path, json=body, headers={"If-Match": case["etag"]})).status_code == 200
    assert (await dai.send("PATCH", path, json=body, headers={"If-Match": case["etag"]})).status_code == 412
    assert (await dai.send("PATCH", path, json=body)).status_code == 428


async def test_merged_and_taken_apart(assembly: Assembly) -> None:
    """A case goes into another of its kind and comes out where it stood; what others were merged into goes nowhere itself."""
    one, two = await registered(assembly), await registered(assembly, title="关于小区停车的建议")
    into = {"into": one.rpartition("/")[2]}
    assert told(await assembly.does("ma", "merge", one, parameters=into)) == (409, "proposals.merge_itself")
    case = await assembly.done("ma", "merge", two, parameters=into)
    assert case["merged_into"]["name"].startswith("2026-15-4-建-0001")
    assert len((await assembly.shown("ma", one))["merged_here"]) == 1
    back = {"into": two.rpartition("/")[2]}
    assert told(await assembly.does("ma", "merge", one, parameters=back)) == (403, "proposals.has_merged")
    case = await assembly.done("ma", "unmerge", two, reason="两件所提地段不同")
    assert (case["state"], case["merged_into"]) == ("registered", None)


async def test_a_bill_becomes_a_suggestion(assembly: Assembly) -> None:
    """A bill that is not taken up as one is handled as a suggestion, with a number of that kind and the old one beside it."""
    path = await registered(assembly, kind="bill")
    await assembly.done("ma", "review", path, opinion="建议转为建议办理")
    case = await assembly.done("song", "convert", path, reason="属于政府日常工作")
    assert (case["case_no"], case["converted_from"]) == ("2026-15-4-建-0001", "2026-15-4-议-0001")
    assert (case["state"], case["elements"]["kind"]) == ("filed", "suggestion")
    other = await registered(assembly)
    await assembly.done("ma", "review", other, opinion="同意")
    assert told(await assembly.does("song", "convert", other, reason="x")) == (403, "proposals.only_bills")


async def test_withdrawn_when_all_ask_for_it(assembly: Assembly) -> None:
    """A case that was handed in is withdrawn when every proposer has asked for that, and not before."""
    drafted = await assembly.drafts("dai", ["D001", "D002", "D003"])
    path = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("dai", "invite", path)
    await assembly.done("qiu", "consent", path)
    dai = await assembly.desk("dai")
    shown = (await dai.get(path)).json()
    body = {"elements": shown["elements"], "members": [assembly.members[c] for c in ("D001", "D002")]}
    await dai.send("PATCH", path, json=body, headers={"If-Match": shown["etag"]})
    await assembly.done("dai", "submit", path)
    case = await assembly.done("dai", "withdraw", path)
    assert case["state"] == "submitted"
    assert told(await assembly.does("dai", "withdraw", path)) == (403, "proposals.not_proposer")
    assert (await assembly.done("qiu", "withdraw", path))["state"] == "withdrawn"


async def test_who_may_begin_one(assembly: Assembly) -> None:
    """A member begins what they lead, a clerk of the secretariat what came on paper, and nobody else anything."""
    assert told(await assembly.drafts("dai", ["D002", "D001"])) == (403, "proposals.not_a_member")
    assert told(await assembly.drafts("sun", ["D003"], form="individual")) == (403, "proposals.not_a_member")
    assert told(await assembly.drafts("lin", ["D003"], kind="proposal")) == (422, "proposals.kind_of_body")
    assert told(await assembly.drafts("lin", ["D003"], form="joint")) == (422, "proposals.form_and_number")
    assert told(await assembly.drafts("lin", ["D003", "D003"])) == (422, "proposals.twice")
    assert told(await assembly.drafts("lin", [])) == (422, "proposals.no_lead")


async def test_lists_narrow_and_export(assembly: Assembly) -> None:
    """The list is narrowed by words and state, goes on by its cursor, and leaves as a sheet."""
    for n in range(3):
        await registered(assembly, title=f"关于第{n}条道路的建议")
    lin = await assembly.desk("lin")
    found = (await lin.get("/api/proposals", params={"q": "第1条"})).json()["items"]
    assert [one["title"] for one in found] == ["关于第1条道路的建议"]
    page = (await lin.get("/api/proposals", params={"limit": 2, "sort": "oldest"})).json()
    rest = (await lin.get("/api/proposals", params={"limit": 2, "sort": "oldest", "cursor": page["next"]})).json()
    titles = [one["title"] for one in (*page["items"], *rest["items"])]
    assert titles == [f"关于第{n}条道路的建议" for n in range(3)]
    assert (await lin.get("/api/proposals", params={"state": "filed,closed"})).json()["items"] == []
    for path in ("/api/proposals", "/api/assignments"):
        assert told(await lin.get(path, params={"state": "0" * 200})) == (422, "proposals.no_choice")
    sheet = (await lin.get("/api/proposals.csv")).content.decode("utf-8-sig")
    assert sheet.splitlines()[1].startswith("2026-15-4-建-0003,关于第2条道路的建议,建议,待审查,何平安")
    assert (await (await assembly.desk("feng")).get("/api/proposals")).json()["items"] == []


async def test_text_and_sitting_are_shown(assembly: Assembly) -> None:
    """Sittings tell their kinds and counts; a case its three parts."""
    path = await registered(assembly)
    lin = await assembly.desk("lin")
    (sitting,) = (await lin.get("/api/sittings")).json()["items"]
    assert sitting["kinds"] == ["bill", "suggestion"]
    assert sitting["counts"] == {"registered": 1}
    assert (await assembly.shown("lin", path))["elements"]["analysis"] == TEXT["analysis"]
