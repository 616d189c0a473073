"""What everybody gets of others: every answer of every reading endpoint, held against the inventory of personal data."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

import httpx
import msgspec
import openpyxl
import pytest

from crypto.keys import serial_text
from oa_server.app import _api_routes
from oa_server.settings import Settings
from oa_server.web.endpoint import DEPARTMENTS, Access, Binary, Endpoint
from oa_server.web.openapi import endpoints_of
from oa_server.web.sheets import CSV, XLSX
from tests.city import BODY, Browser, City
from tests.identity.system import ALL_SCOPES, System, let_in
from tests.journey import Begin, Journey
from tests.messaging.conftest import direct, say, snapshot
from tests.personal import inventory
from tests.proposals.assembly import gathered, set_up

# Who asks, and as what they may see: two through whose hands things go, a clerk who has no part in them, and the three.
EVERYBODY = frozenset({"工作人员"})
ASKING = {
    "wang": EVERYBODY | {"经办人"},
    "zhou": EVERYBODY | {"经办人"},
    "bai": EVERYBODY,
    "sys": EVERYBODY | {"系统管理员"},
    "sec": EVERYBODY | {"安全保密管理员"},
    "aud": EVERYBODY | {"安全审计员"},
}
SYSTEM = frozenset({"接入系统"})
TELEPHONE, LABEL, OPINION, WHY = "027-8899-7711", "K-7392", "同意，请王建国同志于七月前办理", "接替休假的同志七三九四"
WORDS = "这件事先别往外说七三九四"
DEPUTY = "13900000000"  # the telephone of D003, who hands in the suggestion that the finance bureau answers


@dataclass(frozen=True)
class Planted:
    """Something of somebody's that is looked for in whole answers, wherever in them it may stand."""

    kind: str
    text: str
    owner: str = ""

    def may_see(self, person: str, seen_as: frozenset[str]) -> bool:
        readers = inventory().kinds[self.kind].readers
        return bool(readers & seen_as) or ("本人" in readers and person == self.owner)


def address_of(person: str) -> str:
    """The address of somebody's computer, like nobody else's."""
    return f"203.0.113.{10 + list(ASKING).index(person)}"


async def plant(story: Journey, desks: dict[str, Browser]) -> list[Planted]:
    """A duty with a telephone, a key device, a role that is proposed, a document with opinions that has arrived, and a deputy's
    suggestion that was given out."""
    city = story.city
    await (await gathered(city)).dispatched(JC002="lead")
    for person, verb in (("li", "approve"), ("zhao", "approve"), ("chen", "sign"), ("sun", "number")):
        given = {"opinion": OPINION} if person == "li" else {}
        assert (await story.does(person, verb, **given)).status_code == 200
    for person, verb in (("qian", "seal"), ("sun", "dispatch")):
        assert (await story.does(person, verb)).status_code == 200
    await say(desks["wang"], await direct(city, desks["wang"], "li"), WORDS)
    path = await story.arrived("zhou")
    assert (await story.does("zhou", "sign_for", path)).status_code == 200
    when = {"starts_at": "2026-12-01T08:00:00+08:00", "ends_at": "2026-12-01T18:00:00+08:00"}
    duty = {"organ_id": city.organs["JC001"], "official_id": city.people["sun"], "telephone": TELEPHONE, **when}
    device = {"kind": "token", "label": LABEL, "official_id": city.people["wang"]}
    unit = (await desks["wang"].get("/api/session")).json()["unit"]["id"]
    role = {"unit_id": unit, "role": "clerk", "reason": WHY}
    roles = f"/api/directory/officials/{city.people['gao']}/roles"
    for person, place, body in (
        ("sys", "/api/duties", duty),
        ("sys", "/api/pki/devices", device),
        ("sec", roles, role),
    ):
        (await desks[person].send("POST", place, json=body)).raise_for_status()
    serials = [Planted("证书", serial_text(k.certificate), p) for p in ASKING for k in city.keys(p).values()]
    return [
        *serials,
        *(Planted("网络地址", address_of(person), person) for person in ASKING),
        Planted("值班电话", TELEPHONE, "sun"),
        Planted("介质", LABEL, "wang"),
        Planted("职责变更", WHY),
        Planted("意见", OPINION, "li"),
        Planted("消息", WORDS, "wang"),
        Planted("代表联系方式", DEPUTY),
        Planted("公文内容", str(BODY["content"][-1]["text"])),
    ]


async def whereabouts(story: Journey, desks: dict[str, Browser], client: str) -> dict[str, str]:
    """A true name for every part of a path, found by those who may."""

    async def first(person: str, path: str, key: str = "id") -> str:
        return str((await desks[person].get(path)).raise_for_status().json()["items"][0][key])

    city, document = story.city, story.path.rpartition("/")[2]
    own = (await desks["wang"].get(story.path)).json()
    proposal = await first("zhou", "/api/proposals")
    case = (await desks["zhou"].get(f"/api/proposals/{proposal}")).json()
    conversation = (await snapshot(desks["wang"]))["conversations"][0]["id"]
    return {
        "/conversations/{id}": conversation,
        "/messages/{seq}": "1",
        "/documents/{id}": document,
        "/consignments/{id}": await first("wang", f"{story.path}/consignments"),
        "/incoming/{id}": await first("zhou", "/api/incoming"),
        "/files/{id}": own["attachments"][0]["id"],
        "/clients/{id}": client,
        "/organs/{id}": city.organs["JC001"],
        "/rolls/{id}": city.organs["JC001"],
        "/officials/{id}": city.people["gao"],
        "/devices/{id}": await first("sec", f"/api/pki/devices?q={LABEL}"),
        "/requests/{id}": await first("sec", "/api/pki/requests"),
        "/certificates/{serial}": serial_text(city.keys("wang")["signing"].certificate),
        "/seals/{id}": await first("sec", "/api/seals"),
        "/settings/{name}": "idle_minutes",
        "/years/{year}": "2026",
        "/records/{id}": await first("aud", "/api/audit/records"),
        "/sittings/{id}": await first("zhou", "/api/sittings"),
        "/proposals/{id}": proposal,
        "/published/{id}": proposal,
        "/clocks/{clock}": case["assignments"][0]["clocks"][0]["id"],
        "/replies/{document}": document,
    }


# What a question must say besides.
QUERIES = {
    "/api/duties": "since=2026-12-01&until=2026-12-07",
    "/api/duties.xlsx": "since=2026-12-01&until=2026-12-07",
    "/api/calendar/due": "start=2026-12-01&unit=day&quantity=3",
    "/api/audit/records": "limit=200",
}


def places(access: Access, known: dict[str, str]) -> Iterable[tuple[str, Endpoint]]:
    """Every reading endpoint of this door, with names in the place of its parts."""
    for template, method, item in endpoints_of(_api_routes(Settings())):
        if method == "GET" and item.access is access:
            path = template
            for part, name in known.items():
                path = path.replace(part, f"{part.rpartition('/')[0]}/{name}")
            assert "{" not in path, template
            yield f"{path}?{QUERIES.get(template, '')}", item


def text_of(item: Endpoint, answer: httpx.Response) -> str:
    """All that an answer says, of a workbook the cells."""
    if item.returns == XLSX:
        book = openpyxl.load_workbook(io.BytesIO(answer.content))
        return "\n".join(str(cell.value) for page in book for row in page.iter_rows() for cell in row)
    return answer.text


def hold(
    item: Endpoint, answer: httpx.Response, person: str, seen_as: frozenset[str], planted: list[Planted]
) -> set[str | Planted]:
    """Hold an answer against the inventory. Returns what it held of anybody: fields, and what was planted."""
    kinds, place = inventory().kinds, str(answer.request.url)
    if isinstance(item.returns, Binary) and item.returns not in {CSV, XLSX}:
        assert item.returns.media_type == "image/png" or seen_as & kinds["公文内容"].readers, (person, place)
        return set()
    fields: list[tuple[str, str]] = []
    if not isinstance(item.returns, Binary):
        fields += inventory().found_in(msgspec.json.decode(answer.content, type=item.returns))
    for field, kind in fields:
        assert kinds[kind].readers & (seen_as | {"本人"}), (person, place, field, kind)
    said = text_of(item, answer)
    found = [one for one in planted if one.text in said]
    for one in found:
        assert one.may_see(person, seen_as), (person, place, one)
    return {*(field for field, _kind in fields), *found}


@pytest.mark.norm("D-8.1.4.11")
@pytest.mark.timeout(300)
async def test_nobody_gets_more_than_the_inventory_says(begin: Begin) -> None:
    """Whatever an official, an administrator or a system reads, it holds of people what the inventory grants them and no more:
    neither by its fields nor by the words of anybody, wherever they stand."""
    async with begin("submitted") as story:
        city: City = story.city
        await set_up(city)
        desks = {person: city.browser(person, address_of(person)) for person in ASKING}
        for desk in desks.values():
            await desk.sign_in()
        planted = await plant(story, desks)
        system = System(city)
        client = await let_in(system, scopes=[*ALL_SCOPES, "events:read"])
        await system.sign_in()
        known = await whereabouts(story, desks, client)
        seen: dict[str, set[str | Planted]] = {person: set() for person in (*ASKING, "system")}
        for person, seen_as in ASKING.items():
            for place, item in places(Access.SIGNED_IN, known):
                answer = await desks[person].get(place)
                assert answer.status_code in {200, 403, 404, 409}, (person, place, answer.text)
                if answer.status_code == 200:
                    seen[person] |= hold(item, answer, person, seen_as, planted)
        for place, item in places(Access.CLIENT, known):
            answer = await system.get(place.removeprefix(DEPARTMENTS))
            assert answer.status_code in {200, 403, 404}, (place, answer.text)
            if answer.status_code == 200:
                seen["system"] |= hold(item, answer, "system", SYSTEM, planted)
        assert all(seen.values())
        assert set(planted) <= set.union(*seen.values()), "what is looked for must be there to be found"
