"""What is set up for a sitting, and by whom."""

from __future__ import annotations

from typing import Any

from oa_server.core import clock
from oa_server.identity.models import Organ
from tests.city import told
from tests.proposals.assembly import Assembly, sitting_of


async def test_a_sitting_is_opened_once_by_the_administrator(assembly: Assembly) -> None:
    """The system administrator opens a sitting and names the organs that see to it; the same one is not opened twice."""
    sys, lin = await assembly.desk("sys"), await assembly.desk("lin")
    wanted = sitting_of(assembly.organs, session=5)
    assert told(await lin.send("POST", "/api/sittings", json=wanted)) == (403, "proposals.not_system_admin")
    backwards = wanted | {"closes_on": "2026-01-01"}
    assert told(await sys.send("POST", "/api/sittings", json=backwards)) == (422, "proposals.bad_days")
    assert (await sys.send("POST", "/api/sittings", json=wanted)).status_code == 201
    assert told(await sys.send("POST", "/api/sittings", json=wanted)) == (409, "proposals.sitting_known")


async def test_a_sitting_is_changed_by_the_administrator(assembly: Assembly) -> None:
    """Title, days and organs are put right against what was read; once cases are there, an organ that stands keeps them."""
    sys, lin = await assembly.desk("sys"), await assembly.desk("lin")
    place = f"/api/sittings/{assembly.sitting}"
    kept = ("title", "opens_on", "closes_on", "secretariat_id", "dispatching_id", "oversight_id")
    wanted = {name: value for name, value in sitting_of(assembly.organs).items() if name in kept}
    wanted |= {"title": "第四次会议", "closes_on": "2026-01-17", "oversight_id": assembly.organs["JC002"]}

    async def changes(desk: Any, seen: str, **other: str) -> Any:
        return await desk.send("PATCH", place, json=wanted | other, headers={"If-Match": f'"{seen}"'})

    seen = (await sys.get("/api/sittings")).json()["items"][0]["etag"]
    assert told(await changes(lin, seen)) == (403, "proposals.not_system_admin")
    assert told(await changes(sys, seen, closes_on="2026-01-01")) == (422, "proposals.bad_days")
    assert told(await changes(sys, seen, oversight_id=assembly.sitting)) == (422, "proposals.retired_organ")
    changed = (await changes(sys, seen)).json()
    assert (changed["title"], changed["closes_on"], changed["oversight"]["name"]) == (
        "第四次会议",
        "2026-01-17",
        "江城市财政局",
    )
    assert told(await changes(sys, seen))[0] == 412
    assert (await changes(sys, changed["etag"])).json()["etag"] == changed["etag"]  # It says so already.
    await assembly.filed()
    back = {"oversight_id": assembly.organs["JC001"]}
    assert told(await changes(sys, changed["etag"], **back)) == (422, "proposals.organ_at_work")
    await Organ.filter(id=assembly.organs["JC002"]).update(retired_at=clock.now())
    assert (await changes(sys, changed["etag"], **back)).status_code == 200


async def test_limits_are_the_sittings_own(assembly: Assembly) -> None:
    """The secretariat sets a limit with its source; what it counts stays what it is, and nobody else sets one."""
    lin, sun = await assembly.desk("lin"), await assembly.desk("sun")
    place = f"/api/sittings/{assembly.sitting}/limits"

    async def sets(limit: str, unit: str, quantity: int, source: str = "本届规定") -> Any:
        return await lin.send("PUT", f"{place}/{limit}", json={"unit": unit, "quantity": quantity, "source": source})

    assert (await sets("reply", "working_day", 60)).status_code == 204
    found = {one["limit"]: one for one in (await lin.get(place)).json()["items"]}
    assert (found["reply"]["quantity"], found["reply"]["unit"]) == (60, "working_day")
    assert found["cohandler"]["source"].startswith("协办单位")
    assert told(await sets("reply", "count", 3)) == (422, "proposals.bad_limit")
    assert told(await sets("returns", "day", 3)) == (422, "proposals.bad_limit")
    assert told(await sets("unsatisfied", "percent", 101)) == (422, "proposals.bad_limit")
    assert told(await sets("reply", "month", 3, " ")) == (422, "proposals.reason_needed")
    assert told(await sets("nothing", "month", 3)) == (404, "proposals.bad_limit")
    body = {"unit": "month", "quantity": 3, "source": "x"}
    assert told(await sun.send("PUT", f"{place}/reply", json=body)) == (403, "proposals.not_secretariat")


async def test_the_list_of_members(assembly: Assembly) -> None:
    """Members are entered and corrected by their numbers; one account is one member; telephones are not shown around."""
    lin, wang = await assembly.desk("lin"), await assembly.desk("wang")
    place = f"/api/sittings/{assembly.sitting}/members"

    async def keeps(*members: dict[str, Any]) -> Any:
        return await lin.send("PUT", place, json={"members": list(members)})

    renamed = {"code": "D003", "name": "何平", "delegation": "城南代表团", "phone": "13900000001"}
    assert (await keeps(renamed, {"code": "D004", "name": "江月"})).status_code == 200
    shown = (await wang.get(place, params={"q": "城南"})).json()["items"]
    assert [(one["code"], one["name"], one["has_account"]) for one in shown] == [("D003", "何平", False)]
    assert "phone" not in shown[0]
    dai = assembly.people["dai"]
    assert told(await keeps({"code": "D005", "name": "戴维", "official_id": dai})) == (
        409,
        "proposals.official_is_member",
    )
    twice = [{"code": code, "name": "戴维", "official_id": dai} for code in ("D006", "D007")]
    assert told(await keeps(*twice)) == (422, "proposals.official_is_member")
    assert told(await keeps({"code": "D8", "name": "甲"}, {"code": "D8", "name": "乙"})) == (
        422,
        "proposals.member_known",
    )
    refused = await wang.send("PUT", place, json={"members": [renamed]})
    assert told(refused) == (403, "proposals.not_secretariat")


async def test_a_member_who_was_entered_by_mistake(assembly: Assembly) -> None:
    """The secretariat takes somebody off the list who is named in no proposal, and nobody else."""
    lin, sun = await assembly.desk("lin"), await assembly.desk("sun")
    place = f"/api/sittings/{assembly.sitting}/members"
    await assembly.drafts("dai", ["D001", "D002"])
    assert told(await sun.send("DELETE", f"{place}/{assembly.members['D003']}")) == (403, "proposals.not_secretariat")
    assert told(await lin.send("DELETE", f"{place}/{assembly.members['D002']}")) == (409, "proposals.member_named")
    assert (await lin.send("DELETE", f"{place}/{assembly.members['D003']}")).status_code == 204
    assert [one["code"] for one in (await lin.get(place)).json()["items"]] == ["D001", "D002"]
    assert (await lin.send("DELETE", f"{place}/{assembly.members['D003']}")).status_code == 404


async def test_what_is_left_empty_stays(assembly: Assembly) -> None:
    """A member who is entered anew keeps account and delegation, and an account is linked without naming the rest again."""
    lin = await assembly.desk("lin")
    place = f"/api/sittings/{assembly.sitting}/members"
    members = [
        {"code": "D001", "name": "戴维", "duty": "校长"},
        {"code": "D003", "name": "何平安", "official_id": assembly.people["yu"]},
    ]
    assert (await lin.send("PUT", place, json={"members": members})).status_code == 200
    shown = {one["code"]: one for one in (await lin.get(place)).json()["items"]}
    assert (shown["D001"]["duty"], shown["D001"]["delegation"], shown["D001"]["has_account"]) == (
        "校长",
        "城东代表团",
        True,
    )
    assert (shown["D003"]["delegation"], shown["D003"]["has_account"]) == ("城东代表团", True)


async def test_readers_find_themselves(assembly: Assembly) -> None:
    """A sitting tells its member who they are in it, and a case which of the proposers; to others neither says anything."""
    drafted = await assembly.drafts("dai", ["D001", "D002"])
    path = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("dai", "invite", path)

    async def found(person: str) -> tuple[str | None, list[str]]:
        sitting = (await (await assembly.desk(person)).get("/api/sittings")).json()["items"][0]
        own = [one["member"]["name"] for one in (await assembly.shown(person, path))["proposers"] if one["is_own"]]
        return sitting["own"] and sitting["own"]["code"], own

    assert await found("dai") == ("D001", ["戴维"])
    assert await found("qiu") == ("D002", ["邱红"])
    nobody = (await (await assembly.desk("lin")).get("/api/sittings")).json()["items"][0]
    assert nobody["own"] is None


async def test_every_verb_says_why_not(assembly: Assembly) -> None:
    """Of each verb of a case and of an assignment a reader learns whether it is open to them, and if not, why."""
    path = await assembly.filed()
    await assembly.dispatched(path, JC002="lead")
    case = await assembly.shown("chen", path)
    said = {one["verb"]: (one["allowed"], one["reason"] and one["reason"]["code"]) for one in case["abilities"]}
    assert said["mark_key"] == (True, None)
    assert said["file"] == (False, "proposals.wrong_state")
    assert said["suspend"] == (False, "proposals.not_oversight")
    of_assignment = case["assignments"][0]["abilities"]
    assert {one["verb"]: one["reason"]["code"] for one in of_assignment if one["reason"]}["accept"] == (
        "proposals.not_handler"
    )
    unknown = await assembly.does("chen", "dance", path)
    assert told(unknown) == (422, "proposals.unknown_verb")
    given = assembly.assignments(case)["JC002"]
    assert told(await assembly.does("zhou", "dance", given)) == (422, "proposals.unknown_verb")


async def test_a_clock_explains_itself(assembly: Assembly) -> None:
    """Whoever sees a case sees how each of its limits is counted, day by day; a clock of another case is not found by it."""
    path = await assembly.filed()
    await assembly.dispatched(path, JC002="lead")
    other = await assembly.filed(title="关于另一件事的建议")
    (clock, *_rest) = (await assembly.shown("zhou", path))["assignments"][0]["clocks"]
    zhou, sun = await assembly.desk("zhou"), await assembly.desk("sun")
    told_ = (await zhou.get(f"{path}/clocks/{clock['id']}")).json()
    assert (told_["title"], told_["due"]) == (clock["title"], clock["due"])
    assert told_["days"][0]["why"] == "start"
    assert (await sun.get(f"{other}/clocks/{clock['id']}")).status_code == 404
