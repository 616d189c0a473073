"""A city in which a document has gone all the way, with signed heads, to be spoilt cell by cell."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from oa_server.app import open_house
from oa_server.audit import actions as audit
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.ids import new_id
from oa_server.deadlines.clocks import ClockStart, pause_clocks, start_clocks
from oa_server.deadlines.engine import Term, TermUnit
from oa_server.deadlines.states import PauseGround
from oa_server.pki.enrolment import open_enrolment
from oa_server.settings import Settings
from oa_server.verification import sequence_all
from tests.city import City
from tests.conftest import Founded
from tests.identity.system import System, let_in
from tests.journey import Journey, Stages
from tests.proposals.assembly import gathered, set_up, sitting_of
from tests.proposals.test_answering import BAD, GOOD, in_hand, prepared, replies
from tests.proposals.test_importing import ROW, Desk, sheet_of


async def _finish(stages: Stages, founded: Founded, folder: Path) -> Founded:
    """Take the received document through registering, instruction, handling and closing, and sign heads on the way."""
    async with stages.at(founded, "received", folder) as story:
        await go_through(story)
        await let_others_in(story.city)
        await administer(story.city)
        await handle_proposals(story.city)
        settings = story.city.settings
    # A running server signs heads by itself, now and then; here nobody else does.
    async with open_house(settings):
        await sequence_all()
        await audit.sign_head()
        await sequence_all()
    return founded.at(settings)


async def go_through(story: Journey) -> None:
    path, city = await story.arrived(), story.city
    units = (await (await story.desk("zhou")).get(f"/api/organs/{city.organs['JC002']}")).json()["units"]
    budget = next(unit["id"] for unit in units if unit["name"] == "预算科")
    for person, verb, fields in (
        ("zhou", "register", {}),
        ("zhou", "propose", {"opinion": "拟请批示", "parameters": {"leader_id": city.people["wu"]}}),
        ("wu", "instruct", {"opinion": "请办理"}),
        ("zhou", "assign", {"parameters": {"unit_id": budget}}),
        ("zheng", "finish", {"opinion": "已办"}),
        ("zhou", "close", {"opinion": "办结"}),
    ):
        assert (await story.does(person, verb, path, **fields)).status_code == 200
    other = await story.drafts()
    for person, verb in (
        ("wang", "submit"),
        ("li", "approve"),
        ("zhao", "approve"),
        ("chen", "sign"),
        ("sun", "number"),
    ):
        assert (await story.does(person, verb, other)).status_code == 200
    await story.attaches(await story.drafts(), "另一附件.txt", b"another")


async def let_others_in(city: City) -> None:
    """Two systems with their webhooks, and codes for two administrators."""
    for code in ("caizheng", "jiaoyu"):
        client = await let_in(System(city, code=code))
        webhook = {"url": "http://receiver.example:9/events", "addresses": ["10.0.0.9"]}
        registered = await (await city.signed_in("sys")).send("PUT", f"/api/clients/{client}/webhook", json=webhook)
        assert registered.status_code == 200, registered.text
    for person in ("sec", "aud"):
        await open_enrolment(SYSTEM, UUID(city.people[person]))


async def administer(city: City) -> None:
    """What an organ answers for, a role that is proposed, a duty, a setting, a local holiday, and clocks of which one is paused."""
    sys, sec = await city.signed_in("sys"), await city.signed_in("sec")
    path = f"/api/directory/officials/{city.people['wang']}"
    unit = (await sec.get(path)).json()["posts"][0]["unit"]["id"]
    duty = {"starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-01T10:00:00Z", "telephone": "1", "remark": "夜"}
    seen = {"If-Match": '"file"'}
    organ_path = f"/api/directory/organs/{city.organs['JC002']}"
    read = {"If-Match": f'"{(await sys.get(organ_path)).json()["remits"]["seen"]}"'}
    for answer in (
        await sys.send("PUT", f"{organ_path}/remits", json={"items": ["财政预算", "政府采购"]}, headers=read),
        await sec.send("POST", f"{path}/roles", json={"unit_id": unit, "role": "clerk", "reason": "调岗"}),
        await sys.send(
            "POST",
            "/api/duties",
            json={**duty, "organ_id": city.organs["JC001"], "official_id": city.people["sun"], "unit_id": unit},
        ),
        await sys.send(
            "POST",
            f"/api/calendar/organs/{city.organs['JC001']}/holidays",
            json={"days": ["2026-11-11"], "name": "建市纪念日", "notice": "江政发〔2026〕1号"},
        ),
        await sys.send(
            "POST",
            "/api/calendar/schedules",
            json={"notice": "江政办〔2026〕8号", "seasons": [{"begins": "01-01", "spans": [["08:30", "17:00"]]}]},
            headers={"If-Match": '"usual"'},
        ),
        await sys.send("PATCH", "/api/settings/name", json={"value": "江城公文", "reason": "改名"}, headers=seen),
    ):
        assert answer.is_success, answer.text
    organ, term, on = UUID(city.organs["JC001"]), Term(TermUnit.WORKING_DAY, 20), clock.today()
    starts = [ClockStart("case", new_id(), "reply", "答复", organ, term, on) for _ in range(2)]
    first, _second = await start_clocks(SYSTEM, starts)
    await pause_clocks(SYSTEM, [first.id], ground=PauseGround.CORRECTION, reason="材料不齐", on=on)


async def handle_proposals(city: City) -> None:
    """A suggestion that is answered twice and followed up, another that is filed, limits of a sitting's own, and a second
    sitting."""
    await set_up(city)
    assembly = await gathered(city)
    path, given = await in_hand(assembly)
    await assembly.filed()
    await prepared(assembly, path, given)
    await assembly.done("jiang", "give_opinion", given["JC003"], opinion="同意")
    for title, judgement in (("答复函", BAD), ("再次答复函", GOOD)):
        await replies(assembly, given, title=f"关于停车管理建议的{title}")
        await assembly.done("zhao", "pass", given["JC002"])
        await assembly.done("dai", "judge", path, parameters=judgement)
        case = await assembly.done("qiu", "judge", path, parameters=GOOD)
        if judgement is BAD:
            await prepared(assembly, path, given)
    planned = next(one["id"] for one in case["assignments"][0]["points"] if one["result"] == "B")
    for result in ("B", "A"):
        looked_at = {"point_id": planned, "result": result, "planned_on": "2027-12-31" if result == "B" else None}
        await assembly.done("zhou", "review_point", given["JC002"], parameters=looked_at, reason="已开工")
    lin, sys = await assembly.desk("lin"), await assembly.desk("sys")
    for limit in ("return", "reply"):
        wanted = {"unit": "working_day", "quantity": 7, "source": "本届规定"}
        await lin.send("PUT", f"/api/sittings/{assembly.sitting}/limits/{limit}", json=wanted)
    opened = await sys.send("POST", "/api/sittings", json=sitting_of(assembly.organs, session=5))
    assert opened.status_code == 201, opened.text
    desk = Desk(assembly)
    aliases = [{"name": name, "organ_id": assembly.organs["JC002"]} for name in ("财政", "市财局")]
    known = await lin.send("PUT", f"/api/sittings/{assembly.sitting}/unit-aliases", json={"aliases": aliases})
    assert known.status_code == 200, known.text
    for number in ("901", "902"):
        await desk.brings(sheet_of({**ROW, "case_no": number, "lead_organ": "财政"}))


@pytest.fixture(scope="module")
def finished_by_column() -> dict[Path, Founded]:
    """The finished city of each column that has been asked for."""
    return {}


@pytest.fixture
def finished(
    finished_by_column: dict[Path, Founded],
    stages: Stages,
    founded: Founded,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """The settings of a finished city of the test's own."""
    if founded.folder not in finished_by_column:
        folder = tmp_path_factory.mktemp("finished") / "var"
        finished_by_column[founded.folder] = asyncio.run(_finish(stages, founded, folder))
    return finished_by_column[founded.folder].copy(tmp_path / "own")
