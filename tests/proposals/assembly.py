"""The cast of a sitting, beside the city's: the congress with its office, more of the organs that answer, and deputies.

lin     林芳    人大办机要文书     clerk of the secretariat
tang    唐悦    人大办机要文书     a second clerk there
ma      马骏    人大办审查人员     reviewer of the secretariat
song    宋岩    人大办主任        leader of the secretariat
sun, chen, zhao  (city)          clerk, leader and reviewer of the government office, which dispatches and oversees
zhou, wu  (city)                 clerk and leader of the finance bureau
yu, hua  于洋、华明  财政局        who drafts its reply, and who reviews it
feng  (city), jiang 江涛           clerk and leader of the education bureau
bai     白雪    交通局机要文书     clerk of the transport bureau; its leader is shi 石磊
dai     戴维    市人大代表        a deputy with a certificate; qiu 邱红 is another
D003    何平安                   a deputy without one, whose paper the clerk enters
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from oa_server.core.actor import SYSTEM
from oa_server.demo.enrolment import Enrolment, actor_named
from oa_server.identity import access as identity
from oa_server.identity.importing import import_directory
from tests.city import PIN, Browser, City
from tests.conftest import Founded, running
from tests.journey import Journey

ORGANS = """机关代码,机关全称,机关简称,级别,上级机关代码,机关代字,发文机关标志
JC010,江城市人大常委会办公室,市人大办,市级,,江人办发,江城市人大常委会办公室文件
JC011,江城市交通运输局,市交通局,部门,JC001,,
"""

OFFICIALS = """机关代码,部门,人员编号,姓名,职务,主要负责人,职责
JC010,代表工作处,lin,林芳,机要员,,机要文书
JC010,代表工作处,tang,唐悦,机要员,,机要文书
JC010,代表工作处,ma,马骏,处长,,核稿
JC010,领导,song,宋岩,主任,是,领导
JC010,代表,dai,戴维,市人大代表,,
JC010,代表,qiu,邱红,市人大代表,,
JC002,办公室,yu,于洋,科员,,
JC002,办公室,hua,华明,科长,,核稿;部门负责人
JC003,领导,jiang,江涛,局长,是,领导
JC011,办公室,bai,白雪,机要员,,机要文书
JC011,领导,shi,石磊,局长,是,领导
"""
CAST = tuple(line.split(",")[2] for line in OFFICIALS.splitlines()[1:])

TEXT = {
    "situation": "我市老旧小区多建于上世纪九十年代，停车位严重不足，消防通道时有占用。",
    "analysis": "停车设施规划滞后，各部门职责分散，社会资本参与缺少政策支持。",
    "request": "一、利用边角地块建设立体停车设施；二、错时开放机关单位停车场；三、清理占用消防通道的车辆。",
}
SIGNED = {"submit", "consent", "withdraw", "give_opinion", "judge"}


@dataclass
class Assembly:
    """A sitting of the congress, and everybody's desks."""

    city: City
    sitting: str = ""
    members: dict[str, str] = field(default_factory=dict)
    organs: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    _desks: dict[str, Browser] = field(default_factory=dict)

    async def desk(self, person: str) -> Browser:
        """The browser of somebody, signed in."""
        if person not in self._desks:
            self._desks[person] = await self.city.signed_in(person)
        return self._desks[person]

    def elements(self, **changes: Any) -> dict[str, Any]:
        return {"kind": "suggestion", "form": "joint", "title": "关于加强老旧小区停车管理的建议", **TEXT, **changes}

    async def drafts(self, person: str, members: list[str], **changes: Any) -> httpx.Response:
        """Somebody begins a proposal of these members."""
        body = {
            "sitting_id": self.sitting,
            "elements": self.elements(**changes),
            "members": [self.members[code] for code in members],
        }
        return await (await self.desk(person)).send("POST", "/api/proposals", json=body)

    async def does(self, person: str, verb: str, path: str, **fields: Any) -> httpx.Response:
        """One act, signed where it must be."""
        desk = await self.desk(person)
        if verb in SIGNED and fields.pop("paper", False) is False:
            return await desk.sign(path, verb, **fields)
        return await desk.act(path, verb, **fields)

    async def done(self, person: str, verb: str, path: str, **fields: Any) -> dict[str, Any]:
        """One act that is not refused, and the case after it."""
        answer = await self.does(person, verb, path, **fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def filed(self, **changes: Any) -> str:
        """The path of a case that was handed in on paper by one deputy, registered, reviewed and filed."""
        drafted = await self.drafts("lin", ["D003"], form="individual", **changes)
        assert drafted.status_code == 201, drafted.text
        path = f"/api/proposals/{drafted.json()['id']}"
        await self.done("lin", "submit", path, paper=True)
        await self.done("lin", "register", path)
        await self.done("ma", "review", path, opinion="一事一案，建议立案。")
        await self.done("song", "file", path, parameters={"checklist": CHECKLIST})
        return path

    async def dispatched(self, path: str = "", **roles: str) -> dict[str, str]:
        """Give a case to organs, by their codes and roles (`JC002="lead"`). Returns the path of each organ's assignment."""
        path = path or await self.filed()
        handlers = [{"organ_id": self.organs[code], "role": role} for code, role in roles.items()]
        case = await self.done("sun", "dispatch", path, parameters={"handlers": handlers})
        return self.assignments(case)

    def assignments(self, case: dict[str, Any]) -> dict[str, str]:
        """The paths of a case's assignments that stand, by the codes of their organs."""
        codes = {organ_id: code for code, organ_id in self.organs.items()}
        return {
            codes[one["organ"]["id"]]: f"/api/assignments/{one['id']}"
            for one in case["assignments"]
            if one["state"] != "superseded"
        }

    async def shown(self, person: str, path: str) -> dict[str, Any]:
        """A case as somebody sees it."""
        answer = await (await self.desk(person)).get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def sealed_reply(self, title: str = "关于市人大代表建议的答复函") -> str:
        """A sealed letter of the finance bureau to the congress's office. Returns its id."""
        story = Journey(self.city)
        await story.drafts(
            "yu",
            kind="letter",
            title=title,
            main_recipients=[self.organs["JC010"]],
            copies_to=[],
            signer_id=self.city.people["wu"],
        )
        story.path = await self._newest_draft()
        for person, verb in (("yu", "submit"), ("hua", "approve"), ("hua", "approve"), ("wu", "sign")):
            assert (done := await story.does(person, verb)).status_code == 200, done.text
        for person, verb in (("zhou", "number"), ("zhou", "seal")):
            assert (done := await story.does(person, verb)).status_code == 200, done.text
        return story.path.rpartition("/")[2]

    async def _newest_draft(self) -> str:
        rows = (await (await self.desk("yu")).get("/api/documents")).json()["items"]
        return f"/api/documents/{rows[0]['id']}"


CHECKLIST = ["one_matter", "three_parts", "within_scope", "not_secret"]


async def gathered(city: City) -> Assembly:
    """Everything there is to know of the sitting that was opened."""
    organs = {row["code"]: str(row["id"]) for row in await identity.organs()}
    people = {code: str((await identity.official_by_code(code)).id) for code in CAST}
    assembly = Assembly(city, organs=organs, people=people)
    lin = await assembly.desk("lin")
    if items := (await lin.get("/api/sittings")).json()["items"]:
        assembly.sitting = items[0]["id"]
        shown = (await lin.get(f"/api/sittings/{assembly.sitting}/members")).json()["items"]
        assembly.members = {row["code"]: row["id"] for row in shown}
    return assembly


def sitting_of(organs: dict[str, str], session: int = 4) -> dict[str, Any]:
    """A sitting of the congress, whose office is its secretariat; the government's office dispatches and oversees."""
    return {
        "body": "congress",
        "term": 15,
        "session": session,
        "title": f"江城市第十五届人民代表大会第{session}次会议",
        "opens_on": "2026-01-12",
        "closes_on": "2026-01-16",
        "secretariat_id": organs["JC010"],
        "dispatching_id": organs["JC001"],
        "oversight_id": organs["JC001"],
    }


async def set_up(city: City) -> None:
    """Found the congress by the acts that administrators and its office would use."""
    await import_directory(SYSTEM, "机关.csv", ORGANS.encode())
    await import_directory(SYSTEM, "人员.csv", OFFICIALS.encode())
    enrolment = Enrolment(
        city.app.state.house.register, city.folder, await actor_named("sys"), await actor_named("sec")
    )
    for person in CAST:
        await enrolment.official((await identity.official_by_code(person)).id, person, PIN)
    assembly = await gathered(city)
    opened = await (await assembly.desk("sys")).send("POST", "/api/sittings", json=sitting_of(assembly.organs))
    assert opened.status_code == 201, opened.text
    sitting = opened.json()["items"][0]["id"]
    members = [
        {"code": "D001", "name": "戴维", "delegation": "城东代表团", "official_id": assembly.people["dai"]},
        {"code": "D002", "name": "邱红", "delegation": "城西代表团", "official_id": assembly.people["qiu"]},
        {"code": "D003", "name": "何平安", "delegation": "城东代表团", "phone": "13900000000"},
    ]
    lin = await assembly.desk("lin")
    kept = await lin.send("PUT", f"/api/sittings/{sitting}/members", json={"members": members})
    assert kept.status_code == 200, kept.text


class Sittings:
    """The city with its congress, by column: set up once, and copied for each test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, Founded] = {}

    @asynccontextmanager
    async def begun(self, founded: Founded, folder: Path) -> AsyncIterator[Assembly]:
        """A running city of the caller's own, its sitting opened."""
        reached = await self.reached(founded)
        settings = await asyncio.to_thread(reached.copy, folder)
        async with running(settings) as city:
            yield await gathered(city)
        await asyncio.to_thread(founded.drop, settings)

    async def reached(self, founded: Founded) -> Founded:
        """The city with its congress, to be copied."""
        if founded.folder not in self._known:
            settings = await asyncio.to_thread(founded.copy, self._folder / f"{len(self._known)}" / "var")
            async with running(settings) as city:
                await set_up(city)
            self._known[founded.folder] = founded.at(settings)
        return self._known[founded.folder]
