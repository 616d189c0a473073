"""Replies and judgements: from the talk with the proposers to the end, and to the second round."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from oa_server.core import clock
from tests.city import told
from tests.proposals.assembly import Assembly

POINTS = [
    {"text": "建设立体停车设施", "result": "B", "measure": "列入年度计划", "owner": "郑华", "planned_on": "2027-06-30"},
    {"text": "开放机关停车场", "result": "A", "measure": "已开放三处", "owner": "郑华"},
    {"text": "清理消防通道", "result": "A", "measure": "已清理", "owner": "郑华"},
]
GOOD = {"contact": "satisfied", "attitude": "satisfied", "result": "satisfied", "text": ""}
BAD = {"contact": "satisfied", "attitude": "mostly", "result": "unsatisfied", "text": "没有说明何时动工。"}


async def in_hand(assembly: Assembly, lead: list[str] | None = None) -> tuple[str, dict[str, str]]:
    """A case that the finance bureau leads and education co-handles, signed for by both."""
    drafted = await assembly.drafts("dai", lead or ["D001", "D002"])
    assert drafted.status_code == 201, drafted.text
    path = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("dai", "invite", path)
    await assembly.done("qiu", "consent", path)
    if lead:
        await assembly.done("lin", "record_paper", path, parameters={"members": [assembly.members["D003"]]})
    await assembly.done("dai", "submit", path)
    await assembly.done("lin", "register", path)
    await assembly.done("ma", "review", path, opinion="同意立案")
    checklist = {"checklist": ["one_matter", "three_parts", "within_scope", "not_secret"]}
    await assembly.done("song", "file", path, parameters=checklist)
    given = await assembly.dispatched(path, JC002="lead", JC003="cohandler")
    await assembly.done("zhou", "accept", given["JC002"])
    await assembly.done("feng", "accept", given["JC003"])
    return path, given


async def prepared(assembly: Assembly, path: str, given: dict[str, str], points: Any = POINTS) -> None:
    """Everybody was spoken with, and every point has its answer."""
    for one in (await assembly.shown("zhou", path))["proposers"]:
        said = {
            "proposer_id": one["id"],
            "on": "2026-11-20",
            "form": "meeting",
            "people": "郑华、周敏",
            "summary": "当面沟通",
        }
        await assembly.done("zhou", "record_contact", given["JC002"], parameters=said)
    await assembly.done("zhou", "set_points", given["JC002"], parameters={"points": points})


async def replies(
    assembly: Assembly, given: dict[str, str], *, title: str = "关于停车管理建议的答复函"
) -> dict[str, Any]:
    """The lead puts its sealed reply before oversight."""
    document = await assembly.sealed_reply(title)
    said = {"document_id": document, "result": "A", "publicity": "full"}
    return await assembly.done("zhou", "reply", given["JC002"], parameters=said)


async def read_by(assembly: Assembly, person: str, path: str, document_id: str) -> bytes | None:
    """The pages of a reply as somebody gets them on the page of a case; None when there is nothing for them."""
    answer = await (await assembly.desk(person)).get(f"{path}/replies/{document_id}/pages.pdf")
    assert answer.status_code in {200, 404}, answer.text
    return answer.content if answer.status_code == 200 else None


async def test_nothing_is_answered_unprepared(assembly: Assembly) -> None:
    """A reply waits until each proposer was spoken with, each point answered, and each co-handler heard; its class is not
    better than its points, and it is a sealed document to the congress's office."""
    path, given = await in_hand(assembly)
    document = await assembly.sealed_reply()
    said = {"document_id": document, "result": "A", "publicity": "full"}

    async def refused(**changes: Any) -> tuple[int, str]:
        return told(await assembly.does("zhou", "reply", given["JC002"], parameters=said | changes))

    assert await refused() == (409, "proposals.no_contact")
    await prepared(assembly, path, given, points=[{"text": "建设立体停车设施"}])
    assert await refused() == (409, "proposals.points_open")
    await assembly.done("zhou", "set_points", given["JC002"], parameters={"points": [POINTS[0]]})
    assert await refused() == (409, "proposals.class_of_points")
    await assembly.done("zhou", "set_points", given["JC002"], parameters={"points": POINTS})
    assert await refused() == (409, "proposals.cohandlers_open")
    assert told(await assembly.does("feng", "give_opinion", given["JC003"], opinion="配合")) == (
        403,
        "proposals.not_handling_leader",
    )
    case = await assembly.done("jiang", "give_opinion", given["JC003"], opinion="校园周边停车场周末开放。")
    assert case["assignments"][1]["opinion"] == "校园周边停车场周末开放。"
    assert await refused(publicity="closed") == (422, "proposals.ground_needed")
    story_draft = {"document_id": "00000000-0000-7000-8000-000000000000"}
    assert await refused(**story_draft) == (404, "core.not_found")
    case = await assembly.done("zhou", "reply", given["JC002"], parameters=said)
    assert case["assignments"][0]["replies"][0]["doc_no"].startswith("江财发〔")


async def test_answered_judged_and_followed_up(assembly: Assembly) -> None:
    """Oversight passes the reply, both deputies judge it with their certificates, what was promised is followed up, and with
    that the case is closed."""
    path, given = await in_hand(assembly)
    await prepared(assembly, path, given)
    await assembly.done("jiang", "give_opinion", given["JC003"], opinion="同意")
    await replies(assembly, given)
    assert told(await assembly.does("zhou", "pass", given["JC002"])) == (403, "proposals.not_oversight")
    assert (await assembly.done("zhao", "pass", given["JC002"]))["state"] == "replied"
    dai = await assembly.shown("dai", path)
    assert dai["may_judge"]
    assert (await assembly.shown("zhou", path))["feedback"][0]["result"] is None
    await assembly.done("dai", "judge", path, parameters=GOOD)
    assert told(await assembly.does("dai", "judge", path, parameters=GOOD)) == (409, "proposals.not_judged_yet")
    case = await assembly.done("qiu", "judge", path, parameters=GOOD)
    assert case["state"] == "tracking"
    point = next(one for one in case["assignments"][0]["points"] if one["result"] == "B")
    later = {"point_id": point["id"], "result": "B"}
    refused = await assembly.does("zhou", "review_point", given["JC002"], parameters=later, reason="仍在推进")
    assert told(refused) == (422, "proposals.day_needed")
    done = {"point_id": point["id"], "result": "A"}
    case = await assembly.done("zhou", "review_point", given["JC002"], parameters=done, reason="一期已投入使用")
    assert case["state"] == "closed"
    assert case["assignments"][0]["points"][0]["reviews"][0]["before"] == "B"


async def test_a_reply_beside_the_point_comes_back(assembly: Assembly) -> None:
    """Oversight reads a reply and sends it back with its reason, and the organ replies again with another document. That one the
    proposers and the co-handler read as it was sealed once it has passed; the other they never do."""
    path, given = await in_hand(assembly)
    await prepared(assembly, path, given)
    await assembly.done("jiang", "give_opinion", given["JC003"], opinion="同意")
    await replies(assembly, given)
    checked = (await assembly.shown("zhao", path))["assignments"][0]["replies"][0]["document_id"]
    for person in ("zhao", "lin", "zhou"):
        assert await read_by(assembly, person, path, checked), person
    for person in ("dai", "qiu", "feng", "bai"):
        assert await read_by(assembly, person, path, checked) is None, person
    assert told(await assembly.does("zhao", "send_back", given["JC002"])) == (422, "proposals.reason_needed")
    await assembly.done("zhao", "suspend", path, reason="涉及在审案件")
    assert told(await assembly.does("zhao", "pass", given["JC002"])) == (403, "proposals.suspended")
    await assembly.done("zhao", "resume", path)
    case = await assembly.done("zhao", "send_back", given["JC002"], reason="未回应第三点")
    first = case["assignments"][0]["replies"][0]
    assert (first["state_title"], first["check_reason"]) == ("退回重办", "未回应第三点")
    again = {"document_id": first["document_id"], "result": "A", "publicity": "full"}
    assert told(await assembly.does("zhou", "reply", given["JC002"], parameters=again)) == (409, "proposals.reply_used")
    await replies(assembly, given, title="关于停车管理建议的补充答复函")
    assert (await assembly.done("zhao", "pass", given["JC002"]))["state"] == "replied"
    shown = (await assembly.shown("dai", path))["assignments"][0]["replies"]
    assert [one["may_read"] for one in shown] == [False, True]
    assert await read_by(assembly, "dai", path, checked) is None
    passed = shown[1]["document_id"]
    dai, zhou = await assembly.desk("dai"), await assembly.desk("zhou")
    sealed = (await zhou.get(f"/api/documents/{passed}/pages.pdf")).content
    for person in ("dai", "qiu", "feng", "zhou", "lin", "sun"):
        assert await read_by(assembly, person, path, passed) == sealed, person
    assert await read_by(assembly, "bai", path, passed) is None
    report = await dai.send("POST", "/api/verify", content=sealed, headers={"Content-Type": "application/pdf"})
    assert report.json()["verdict"] == "valid"


async def test_an_unsatisfied_lead_opens_a_second_round(assembly: Assembly) -> None:
    """Who led it is not satisfied and says why: the organ has a month, speaks with them anew, answers again, and is judged
    again."""
    path, given = await in_hand(assembly)
    await prepared(assembly, path, given)
    await assembly.done("jiang", "give_opinion", given["JC003"], opinion="同意")
    await replies(assembly, given)
    await assembly.done("zhao", "pass", given["JC002"])
    silent = BAD | {"text": " "}
    assert told(await assembly.does("dai", "judge", path, parameters=silent)) == (422, "proposals.unsatisfied_why")
    await assembly.done("dai", "judge", path, parameters=BAD)
    case = await assembly.done("qiu", "judge", path, parameters=GOOD)
    assert (case["state"], case["round"]) == ("rehandling", 2)
    assert [one["title"] for one in case["assignments"][0]["clocks"]] == ["二次办理"]
    document = {
        "document_id": await assembly.sealed_reply("关于停车管理建议的再次答复函"),
        "result": "A",
        "publicity": "full",
    }
    refused = await assembly.does("zhou", "reply", given["JC002"], parameters=document)
    assert told(refused) == (409, "proposals.no_contact")
    await prepared(assembly, path, given, points=POINTS[1:])
    await assembly.done("zhou", "reply", given["JC002"], parameters=document)
    await assembly.done("zhao", "pass", given["JC002"])
    await assembly.done("dai", "judge", path, parameters=GOOD)
    assert (await assembly.done("qiu", "judge", path, parameters=GOOD))["state"] == "closed"


async def test_a_deputy_without_a_certificate_judges_by_code(assembly: Assembly) -> None:
    """The secretariat hands over a code, which is good once; a newer one takes its place; nobody else learns it."""
    path, given = await in_hand(assembly, ["D001", "D002", "D003"])
    await prepared(assembly, path, given)
    await assembly.done("jiang", "give_opinion", given["JC003"], opinion="同意")
    await replies(assembly, given)
    await assembly.done("zhao", "pass", given["JC002"])
    lin = await assembly.desk("lin")
    shown = await assembly.shown("lin", path)
    feedback = next(one["id"] for one in shown["feedback"] if one["proposer"] == "何平安")
    zhou = await assembly.desk("zhou")
    assert told(await zhou.send("POST", f"/api/feedback/{feedback}/code")) == (403, "proposals.unit_cannot_judge")
    old = (await lin.send("POST", f"/api/feedback/{feedback}/code")).json()["code"]
    code = (await lin.send("POST", f"/api/feedback/{feedback}/code")).json()["code"]
    anybody = assembly.city.browser("dai").http
    assert told(await anybody.post("/api/judgements/code", json={"code": old})) == (404, "proposals.bad_code")
    asked = (await anybody.post("/api/judgements/code", json={"code": code.lower()})).json()
    assert (asked["proposer"], asked["title"]) == ("何平安", "关于加强老旧小区停车管理的建议")
    body = {"code": code, "judgement": GOOD}
    assert (await anybody.post("/api/judgements", json=body)).status_code == 204
    assert told(await anybody.post("/api/judgements", json=body)) == (404, "proposals.bad_code")
    row = next(one for one in (await assembly.shown("zhou", path))["feedback"] if one["proposer"] == "何平安")
    assert (row["state_title"], row["result_title"]) == ("一次性评价码", "满意")


async def test_paper_takes_two_clerks(assembly: Assembly) -> None:
    """A judgement on paper counts when a second clerk of the secretariat has confirmed it."""
    path, given = await in_hand(assembly)
    await prepared(assembly, path, given)
    await assembly.done("jiang", "give_opinion", given["JC003"], opinion="同意")
    await replies(assembly, given)
    await assembly.done("zhao", "pass", given["JC002"])
    feedback = (await assembly.shown("lin", path))["feedback"][0]["id"]
    lin, tang = await assembly.desk("lin"), await assembly.desk("tang")
    place = f"/api/feedback/{feedback}"
    assert told(await tang.send("POST", f"{place}/confirmation")) == (403, "proposals.other_confirms")
    assert (await lin.send("PUT", f"{place}/paper", json=GOOD)).status_code == 204
    assert told(await lin.send("POST", f"{place}/confirmation")) == (403, "proposals.other_confirms")
    assert (await assembly.shown("lin", path))["feedback"][0]["waits_for_confirmation"]
    assert (await tang.send("POST", f"{place}/confirmation")).status_code == 204
    assert (await assembly.shown("zhou", path))["feedback"][0]["state_title"] == "书面代录"


async def test_who_does_not_judge_in_time(assembly: Assembly) -> None:
    """What nobody has judged in time is counted as not judged, and the case goes on."""
    path, given = await in_hand(assembly)
    await prepared(assembly, path, given, points=POINTS[1:])
    await assembly.done("jiang", "give_opinion", given["JC003"], opinion="同意")
    await replies(assembly, given)
    await assembly.done("zhao", "pass", given["JC002"])
    from oa_server.proposals.judging import expire

    assert await expire() == 0
    with clock.shifted(timedelta(days=60)):
        assert await expire() == 1
        assert await expire() == 0
    case = await assembly.shown("lin", path)
    assert (case["state"], {one["state"] for one in case["feedback"]}) == ("closed", {"expired"})


async def test_merged_proposers_are_answered_too(assembly: Assembly) -> None:
    """Whoever put forward what was merged is spoken with, answered and asked like the others: they read the reply on their own
    case once it has passed, and judge it there with their certificate."""
    one = await assembly.filed()
    drafted = await assembly.drafts("dai", ["D001"], form="individual", title="关于小区停车难的建议")
    two = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("dai", "submit", two)
    await assembly.done("lin", "register", two)
    await assembly.done("ma", "merge", two, parameters={"into": one.rpartition("/")[2]})
    given = await assembly.dispatched(one, JC002="lead")
    await assembly.done("zhou", "accept", given["JC002"])
    await assembly.done("zhou", "set_points", given["JC002"], parameters={"points": POINTS})
    own = (await assembly.shown("zhou", one))["proposers"]
    said = {"on": "2026-11-20", "form": "telephone", "people": "周敏", "summary": "电话沟通"}
    await assembly.done("zhou", "record_contact", given["JC002"], parameters=said | {"proposer_id": own[0]["id"]})
    document = {"document_id": await assembly.sealed_reply(), "result": "A", "publicity": "full"}
    assert told(await assembly.does("zhou", "reply", given["JC002"], parameters=document)) == (
        409,
        "proposals.no_contact",
    )
    others = (await assembly.shown("zhou", two))["proposers"]
    await assembly.done("zhou", "record_contact", given["JC002"], parameters=said | {"proposer_id": others[0]["id"]})
    await assembly.done("zhou", "reply", given["JC002"], parameters=document)
    assert await read_by(assembly, "dai", two, document["document_id"]) is None
    assert (await assembly.shown("dai", two))["merged_replies"] == []
    case = await assembly.done("zhao", "pass", given["JC002"])
    assert len(case["feedback"]) == 2
    (reply,) = (await assembly.shown("dai", two))["merged_replies"]
    assert (reply["organ"], reply["document_id"]) == ("江城市财政局", document["document_id"])
    assert await read_by(assembly, "dai", two, reply["document_id"]) == await read_by(
        assembly, "zhou", one, reply["document_id"]
    )
    assert (await assembly.shown("dai", two))["may_judge"]
    after = await assembly.done("dai", "judge", two, parameters=GOOD)
    assert [(row["proposer"], row["result"]) for row in after["feedback"]] == [("戴维", "satisfied")]
    assert not after["may_judge"]
    judged = {row["proposer"]: row["result"] for row in (await assembly.shown("zhou", one))["feedback"]}
    assert judged == {"何平安": None, "戴维": "satisfied"}
    assert told(await assembly.does("ma", "unmerge", two, reason="x")) == (403, "proposals.merge_answered")


async def test_an_answered_case_waits_for_no_opinion(assembly: Assembly) -> None:
    """A co-handler that let its time pass is late once and for all: when the case is answered, its clock has stopped."""
    lin = await assembly.desk("lin")
    limit = {"unit": "working_day", "quantity": 1, "source": "市政府办公室通知"}
    assert (await lin.send("PUT", f"/api/sittings/{assembly.sitting}/limits/cohandler", json=limit)).status_code == 204
    path, given = await in_hand(assembly)
    await prepared(assembly, path, given)
    with clock.shifted(timedelta(days=5)):
        assembly._desks.clear()
        await replies(assembly, given)
        late = {one["organ"]["name"]: one["clocks"] for one in (await assembly.shown("zhao", path))["assignments"]}
        assert [one["title"] for one in late["江城市教育局"]] == ["协办意见"]
        case = await assembly.done("zhao", "pass", given["JC002"])
    assert {one["organ"]["name"]: one["clocks"] for one in case["assignments"]} == {
        "江城市财政局": [],
        "江城市教育局": [],
    }
