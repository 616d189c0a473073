"""Giving cases to organs, and their coming back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from oa_server.core import clock
from oa_server.core.actor import SYSTEM, Actor
from oa_server.proposals import access
from tests.city import told
from tests.proposals.assembly import Assembly


async def test_given_to_a_lead_and_two_co_handlers(assembly: Assembly) -> None:
    """Each organ finds its case on its list with the time it has; the case is in hand once the lead has signed for it."""
    path = await assembly.filed()
    given = await assembly.dispatched(path, JC002="lead", JC003="cohandler", JC011="cohandler")
    (row,) = (await (await assembly.desk("zhou")).get("/api/assignments", params={"own": True})).json()["items"]
    assert (row["role_title"], row["state_title"], row["clock"]["title"]) == ("主办", "待签收", "退办")
    assert (await assembly.shown("zhou", path))["state"] == "dispatched"
    case = await assembly.done(
        "zhou", "accept", given["JC002"], parameters={"liaison": "周敏", "liaison_phone": "5550"}
    )
    assert case["state"] == "handling"
    assert [one["title"] for one in case["assignments"][0]["clocks"]] == ["答复"]
    assert (await (await assembly.desk("bai")).get(path)).status_code == 200


async def test_lists_are_narrowed(assembly: Assembly) -> None:
    """Cases are found by the organ that has them and by who put them forward; what an organ was given, by words."""
    path = await assembly.filed()
    await assembly.filed(title="关于另一件事的建议")
    await assembly.dispatched(path, JC002="lead")
    lin, sun, zhou = [await assembly.desk(person) for person in ("lin", "sun", "zhou")]
    own = path.rpartition("/")[2]
    of_organ = (await sun.get("/api/proposals", params={"organ_id": assembly.organs["JC002"]})).json()["items"]
    assert [(one["id"], one["handlers"]) for one in of_organ] == [(own, ["市财政局"])]
    assert len((await lin.get("/api/proposals", params={"mine": True})).json()["items"]) == 2
    assert (await sun.get("/api/proposals", params={"mine": True})).json()["items"] == []
    for words, count in (("停车", 1), ("另一件", 0), ("2026-15-4-建-0001", 1)):
        found = (await zhou.get("/api/assignments", params={"q": words})).json()["items"]
        assert len(found) == count, words
        sheet = (await zhou.get("/api/assignments.csv", params={"q": words})).content.decode("utf-8-sig").splitlines()
        assert len(sheet) == 1 + count, words
        assert not count or sheet[1].startswith(
            "2026-15-4-建-0001,关于加强老旧小区停车管理的建议,何平安,市财政局,主办,待签收"
        )
    for path_ in ("/api/proposals", "/api/assignments"):
        page = (await sun.get(path_, params={"limit": 1})).json()
        assert page["next"]


async def test_systems_see_none(assembly: Assembly) -> None:
    """A department's system is shown no proposal; the house itself sees them all."""
    await assembly.dispatched(JC002="lead")
    system = Actor("财政系统", official_id=UUID(assembly.city.people["zhou"]), client_id=uuid4())
    assert (await access.proposals(system).count(), await access.assignments(system).count()) == (0, 0)
    assert (await access.proposals(SYSTEM).count(), await access.assignments(SYSTEM).count()) == (1, 1)
    assert (await access.membership(SYSTEM, uuid4()), await access.known_terms([])) == (None, {})


async def test_handlers_that_do_not_go_together(assembly: Assembly) -> None:
    """A case has one lead or two that answer separately, and no organ twice."""
    path = await assembly.filed()
    for handlers, code in (
        ([("JC002", "cohandler")], "proposals.nobody_answers"),
        ([("JC002", "separate")], "proposals.nobody_answers"),
        ([("JC002", "lead"), ("JC002", "cohandler")], "proposals.roles_overlap"),
        ([("JC002", "lead"), ("JC003", "separate"), ("JC011", "separate")], "proposals.lead_and_separate"),
    ):
        chosen = [{"organ_id": assembly.organs[code_], "role": role} for code_, role in handlers]
        assert told(await assembly.does("sun", "dispatch", path, parameters={"handlers": chosen})) == (422, code)
    chosen = [{"organ_id": assembly.organs["JC002"], "role": "lead"}]
    assert told(await assembly.does("zhou", "dispatch", path, parameters={"handlers": chosen})) == (
        404,
        "core.not_found",
    )


async def test_two_clerks_give_the_same_case(assembly: Assembly) -> None:
    """Of two who give out one case at once, one does, and the other learns that it is done."""
    path = await assembly.filed()
    wanted = {"handlers": [{"organ_id": assembly.organs["JC002"], "role": "lead"}]}
    answers = await asyncio.gather(*(assembly.does(p, "dispatch", path, parameters=wanted) for p in ("sun", "liu")))
    assert sorted(a.status_code for a in answers) in ([200, 403], [200, 409])
    assert len((await assembly.shown("sun", path))["assignments"]) == 1


async def test_many_at_once_or_none(assembly: Assembly) -> None:
    """A list of cases is given out whole; one that cannot be keeps all of them back."""
    paths = [await assembly.filed(title=f"关于第{n}件事的建议") for n in range(3)]
    ids = [path.rpartition("/")[2] for path in paths]
    sun = await assembly.desk("sun")

    def cases(*which: str) -> dict[str, object]:
        handlers = [{"organ_id": assembly.organs["JC002"], "role": "lead"}]
        return {"cases": [{"proposal_id": one, "handlers": handlers} for one in which]}

    alone = {"proposal_id": ids[0], "handlers": [{"organ_id": assembly.organs["JC002"], "role": "cohandler"}]}
    refused = await sun.send("POST", "/api/proposals/dispatch", json={"cases": [alone]})
    assert (told(refused), refused.json()["facts"]) == ((422, "proposals.nobody_answers"), {"case": ids[0]})
    await assembly.dispatched(paths[0], JC003="lead")
    assert told(await sun.send("POST", "/api/proposals/dispatch", json=cases(*ids))) == (403, "proposals.wrong_state")
    assert (await assembly.shown("sun", paths[1]))["state"] == "filed"
    done = await sun.send("POST", "/api/proposals/dispatch", json=cases(*ids[1:]))
    assert done.json() == {"cases": 2, "assignments": 2}
    load = (await sun.get(f"/api/sittings/{assembly.sitting}/load")).json()["items"]
    assert [(one["organ"]["name"], one["count"]) for one in load] == [("市财政局", 2), ("市教育局", 1)]


async def test_returned_and_given_to_another(assembly: Assembly) -> None:
    """An organ returns what is not its business, naming who should have it; the next organ has a clock of its own."""
    path = await assembly.filed()
    given = await assembly.dispatched(path, JC003="lead")
    assert told(await assembly.does("feng", "return", given["JC003"], reason="不属我局职责")) == (
        422,
        "proposals.suggest_needed",
    )
    wanted = {"organ_id": assembly.organs["JC002"]}
    case = await assembly.done("feng", "return", given["JC003"], reason="不属我局职责", parameters=wanted)
    assert case["assignments"][0]["state_title"] == "申请退办"
    assert told(await assembly.does("feng", "reassign", given["JC003"], parameters=wanted)) == (
        403,
        "proposals.not_dispatcher",
    )
    case = await assembly.done("sun", "reassign", given["JC003"], parameters=wanted, reason="同意")
    assert [(one["organ"]["name"], one["state"]) for one in case["assignments"]] == [
        ("江城市教育局", "superseded"),
        ("江城市财政局", "pending"),
    ]
    assert (await (await assembly.desk("feng")).get(path)).status_code == 404
    assert (await assembly.done("zhou", "accept", assembly.assignments(case)["JC002"]))["state"] == "handling"


async def test_after_two_returns_a_leader_decides(assembly: Assembly) -> None:
    """What two organs have returned goes to a leader at the third return, and whom the leader names keeps it."""
    path = await assembly.filed()
    given = await assembly.dispatched(path, JC002="lead")
    clerks = {"JC002": "zhou", "JC003": "feng", "JC011": "bai"}
    for organ, other in (("JC002", "JC003"), ("JC003", "JC011")):
        wanted = {"organ_id": assembly.organs[other]}
        await assembly.done(clerks[organ], "return", given[organ], reason="不属本单位职责", parameters=wanted)
        given = assembly.assignments(await assembly.done("sun", "reassign", given[organ], parameters=wanted))
    wanted = {"organ_id": assembly.organs["JC002"]}
    case = await assembly.done("bai", "return", given["JC011"], reason="也不属我局", parameters=wanted)
    assert case["assignments"][-1]["state_title"] == "待裁定"
    assert told(await assembly.does("sun", "arbitrate", given["JC011"], parameters=wanted, reason="定")) == (
        403,
        "proposals.not_dispatching_leader",
    )
    case = await assembly.done("chen", "arbitrate", given["JC011"], parameters=wanted, reason="由财政局主办")
    given = assembly.assignments(case)
    again = await assembly.does(
        "zhou", "return", given["JC002"], reason="不", parameters={"organ_id": assembly.organs["JC003"]}
    )
    assert told(again) == (403, "proposals.return_final")


async def test_a_leader_may_leave_it_where_it_is(assembly: Assembly) -> None:
    """A refused return stays with the organ, which handles it then."""
    path = await assembly.filed()
    given = await assembly.dispatched(path, JC003="lead")
    wanted = {"organ_id": assembly.organs["JC002"]}
    await assembly.done("feng", "return", given["JC003"], reason="不属我局职责", parameters=wanted)
    case = await assembly.done("sun", "refuse_return", given["JC003"], reason="三定规定第五条")
    assert (case["state"], case["assignments"][0]["is_final"]) == ("handling", True)


async def test_a_late_return_is_refused_by_itself(assembly: Assembly) -> None:
    """Once the days for it are over nothing is returned any more."""
    lin = await assembly.desk("lin")
    limit = {"unit": "working_day", "quantity": 1, "source": "市政府办公室通知"}
    assert (await lin.send("PUT", f"/api/sittings/{assembly.sitting}/limits/return", json=limit)).status_code == 204
    given = await assembly.dispatched(JC003="lead")
    wanted = {"organ_id": assembly.organs["JC002"]}
    with clock.shifted(timedelta(days=5)):
        assembly._desks.clear()
        late = await assembly.does("feng", "return", given["JC003"], reason="晚了", parameters=wanted)
    assert told(late) == (403, "proposals.return_late")


AUDIT = {"code": "JC009", "full_name": "江城市审计局", "short_name": "市审计局", "level": "department"}


async def test_a_retired_organ_is_given_nothing(assembly: Assembly) -> None:
    """What was merged into another organ cannot be chosen any more, and what it had goes on with its successor, in the time
    that was left."""
    sys = await assembly.desk("sys")
    made = (await sys.send("POST", "/api/directory/organs", json=AUDIT)).json()
    assembly.organs["JC009"] = made["id"]
    given = await assembly.dispatched(JC009="lead")
    wanted = {"organ_id": assembly.organs["JC002"]}
    early = await assembly.does("sun", "succeed", given["JC009"], parameters=wanted)
    assert told(early) == (403, "proposals.organ_stands")
    retired = await sys.send("POST", f"/api/directory/organs/{made['id']}/acts", json={"verb": "retire"})
    assert retired.status_code == 200, retired.text
    path = await assembly.filed(title="关于审计公开的建议")
    chosen = [{"organ_id": made["id"], "role": "lead"}]
    refused = await assembly.does("sun", "dispatch", path, parameters={"handlers": chosen})
    assert told(refused) == (422, "proposals.retired_organ")
    case = await assembly.done("sun", "succeed", given["JC009"], parameters=wanted)
    assert [one["organ"]["name"] for one in case["assignments"]] == ["江城市财政局"]
    assert (await assembly.done("zhou", "accept", given["JC009"]))["state"] == "handling"


async def test_who_can_call_the_proposers(assembly: Assembly) -> None:
    """Telephone and address of a proposer are shown to the offices that have to speak with them, of the one that handles what it
    was merged into too, and to themselves: not to another proposer, nor to an organ that only reads the case."""
    lin = await assembly.desk("lin")
    reach = {"phone": "13800001111", "address": "江城市解放路8号"}
    member = {"code": "D001", "name": "戴维", **reach}
    kept = await lin.send("PUT", f"/api/sittings/{assembly.sitting}/members", json={"members": [member]})
    assert kept.status_code == 200, kept.text

    async def seen_by(person: str, path: str) -> list[tuple[str, str]]:
        return [(one["phone"], one["address"]) for one in (await assembly.shown(person, path))["proposers"]]

    path = await assembly.filed()
    merged = f"/api/proposals/{(await assembly.drafts('dai', ['D001', 'D002'])).json()['id']}"
    await assembly.done("dai", "invite", merged)
    await assembly.done("qiu", "consent", merged)
    await assembly.done("dai", "submit", merged)
    await assembly.done("lin", "register", merged)
    await assembly.done("ma", "merge", merged, parameters={"into": path.rpartition("/")[2]})
    await assembly.dispatched(path, JC002="lead", JC003="cohandler", JC011="reference")
    for person in ("lin", "song", "sun", "zhou", "wu", "feng"):
        assert await seen_by(person, path) == [("13900000000", "")], person
        assert await seen_by(person, merged) == [(reach["phone"], reach["address"]), ("", "")], person
    assert await seen_by("bai", path) == [("", "")]
    assert await seen_by("dai", merged) == [(reach["phone"], reach["address"]), ("", "")]
    assert await seen_by("qiu", merged) == [("", ""), ("", "")]


async def test_more_time(assembly: Assembly) -> None:
    """An extension is asked for with its reason, granted with how the proposers were told, and moves the day."""
    path = await assembly.filed()
    given = await assembly.dispatched(path, JC002="lead")
    await assembly.done("zhou", "accept", given["JC002"])
    assert told(
        await assembly.does("zhou", "ask_extension", given["JC002"], parameters={"months": 4}, reason="涉及规划调整")
    ) == (422, "proposals.extension_too_long")
    case = await assembly.done("zhou", "ask_extension", given["JC002"], parameters={"months": 2}, reason="涉及规划调整")
    before = case["assignments"][0]["clocks"][0]["due"]
    assert told(await assembly.does("sun", "grant_extension", given["JC002"])) == (422, "proposals.proposers_untold")
    case = await assembly.done("sun", "grant_extension", given["JC002"], parameters={"told": "已电话告知何平安代表"})
    assert case["assignments"][0]["clocks"][0]["due"] > before


async def test_suspended_and_resumed(assembly: Assembly) -> None:
    """While oversight has suspended a case its clocks stand still and nobody goes on with it."""
    path = await assembly.filed()
    given = await assembly.dispatched(path, JC002="lead")
    await assembly.done("zhou", "accept", given["JC002"])
    case = await assembly.done("zhao", "suspend", path, reason="涉及在审案件")
    assert case["is_suspended"]
    assert case["assignments"][0]["clocks"][0]["state"] == "paused"
    refused = await assembly.does("zhou", "set_points", given["JC002"], parameters={"points": [{"text": "立体停车"}]})
    assert told(refused) == (403, "proposals.suspended")
    case = await assembly.done("zhao", "resume", path)
    assert case["assignments"][0]["clocks"][0]["state"] == "running"


async def test_key_cases_have_a_leader(assembly: Assembly) -> None:
    """A leader marks a case as a key one and names who leads it; the list can be narrowed to those."""
    path = await assembly.filed()
    await assembly.dispatched(path, JC002="lead")
    wrong = {"leader_id": assembly.people["lin"]}
    assert told(await assembly.does("chen", "mark_key", path, parameters=wrong)) == (422, "proposals.chosen_not_leader")
    case = await assembly.done("chen", "mark_key", path, parameters={"leader_id": assembly.city.people["gao"]})
    assert case["key_leader"]["name"] == "高远"
    rows = (await (await assembly.desk("chen")).get("/api/proposals", params={"key": True})).json()["items"]
    assert [one["id"] for one in rows] == [path.rpartition("/")[2]]


async def test_what_waits_for_whom(assembly: Assembly) -> None:
    """Everybody is told what waits for them, and the list behind each number is as long as it says."""

    async def waiting(person: str) -> dict[str, int]:
        desk = await assembly.desk(person)
        found = {}
        for one in (await desk.get("/api/proposals/waiting")).json()["items"]:
            rows = (await desk.get(f"/api/{one['list']}", params={"waiting": one["code"]})).json()["items"]
            assert len(rows) == one["count"], one
            if rows:
                found[one["code"]] = one["count"]
        return found

    path = await assembly.filed()
    assert await waiting("sun") == {"dispatch": 1}
    given = await assembly.dispatched(path, JC002="lead", JC003="cohandler")
    assert (await waiting("sun"), await waiting("zhou"), await waiting("bai")) == ({}, {"receive": 1}, {})
    await assembly.done("chen", "mark_key", path, parameters={"leader_id": assembly.city.people["chen"]})
    assert await waiting("chen") == {"led": 1}
    await assembly.done("zhou", "accept", given["JC002"])
    await assembly.done("feng", "accept", given["JC003"])
    assert (await waiting("zhou"), await waiting("jiang")) == ({"answer": 1}, {"opinion": 1})
    await assembly.done("zhou", "ask_extension", given["JC002"], parameters={"months": 1}, reason="涉及规划调整")
    assert await waiting("sun") == {"extend": 1}
    drafted = await assembly.drafts("dai", ["D001", "D002"])
    await assembly.done("dai", "invite", f"/api/proposals/{drafted.json()['id']}")
    assert await waiting("qiu") == {"consent": 1}
