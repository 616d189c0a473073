"""One document to the 68 other organs of a city: the sender's board fills in while they sign, and nobody reloads."""

from __future__ import annotations

import asyncio

import pytest

from oa_server.demo.enrolment import Enrolment, actor_named
from oa_server.identity import access as identity
from oa_server.identity.importing import import_directory
from oa_server.identity.roles import decide_roles
from tests.city import PIN, City
from tests.journey import Journey
from tests.sockets import Socket, live

ORGANS, AT_ONCE = 68, 8
CODES = [f"DW{number:02d}" for number in range(ORGANS)]


async def neighbours(city: City) -> list[str]:
    """The ids of 68 more organs, each with a clerk of the organ's code who has a key."""
    organs = ["机关代码,机关全称,机关简称,级别,上级机关代码"]
    clerks = ["机关代码,部门,人员编号,姓名,职务,主要负责人,职责"]
    for number, code in enumerate(CODES):
        organs.append(f"{code},江城市第{number}局,市第{number}局,部门,JC001")
        clerks.append(f"{code},办公室,{code},文书{number},机要员,,机要文书")
    administrator, security = await actor_named("sys"), await actor_named("sec")
    for name, lines in (("机关.csv", organs), ("人员.csv", clerks)):
        await import_directory(administrator, name, "\n".join(lines).encode())
    waiting = await identity.role_changes(security, state="pending", limit=ORGANS)
    await decide_roles(security, [row.id for row in waiting], "confirm")
    enrolment = Enrolment(city.app.state.register, city.folder, administrator, security)
    for code in CODES:
        await enrolment.official((await identity.official_by_code(code)).id, code, PIN)
    return [str(organ["id"]) for organ in await identity.organs("DW")]


async def dispatched(story: Journey, organs: list[str]) -> str:
    """The path of a notice that has been sent to these organs."""
    path = await story.drafts(main_recipients=organs, copies_to=[], main_recipients_as="市政府各部门")
    for person, verb in (
        ("wang", "submit"), ("li", "approve"), ("zhao", "approve"), ("chen", "sign"),
        ("sun", "number"), ("qian", "seal"), ("sun", "dispatch"),
    ):  # fmt: skip
        done = await story.does(person, verb, path)
        assert done.status_code == 200, done.text
    return path


async def hears_of_everybody(socket: Socket) -> dict[str, str]:
    """What became of the consignment to each organ, as the sender's open page is told."""
    heard: dict[str, str] = {}
    while len(heard) < ORGANS:
        event = await socket.hears()
        if event.get("kind") == "consignment.changed":
            heard[event["payload"]["organ_id"]] = event["payload"]["state"]
    return heard


@pytest.mark.timeout(300)
async def test_board_of_a_whole_city(city: City) -> None:
    """Eight clerks at a time sign for it and one refuses; the page hears of each, and the board says who did what."""
    organs, story = await neighbours(city), Journey(city)
    path = await dispatched(story, organs)
    sun, places = await story.desk("sun"), asyncio.Semaphore(AT_ONCE)

    async def answers(code: str) -> None:
        async with places:
            arrived = await story.arrived(code)
            if code == CODES[-1]:
                refusal = {"reason": "非本局职责", "parameters": {"code": "not_addressee"}}
                done = await story.does(code, "refuse", arrived, **refusal)
            else:
                done = await story.does(code, "sign_for", arrived)
            assert done.status_code == 200, done.text

    board = (await sun.get(f"{path}/consignments")).json()
    assert board["counts"] == {"total": ORGANS, "arrived": ORGANS}
    assert (await sun.act(path, "close")).json()["code"] == "documents.undelivered"
    async with live(city, sun) as socket:
        _, heard = await asyncio.gather(
            asyncio.gather(*(answers(code) for code in CODES)), asyncio.wait_for(hears_of_everybody(socket), 200)
        )
    board = (await sun.get(f"{path}/consignments")).json()
    assert board["counts"] == {"total": ORGANS, "signed_for": ORGANS - 1, "refused": 1}
    assert {item["organ"]["id"]: item["state"] for item in board["items"]} == heard
    assert (await sun.act(path, "close")).json()["state"] == "closed"
