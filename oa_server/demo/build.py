"""Filling a trial installation: the directory by import, keys by request and approval, documents by the officials' own acts.

Nothing here writes a row: every line goes through the action that an administrator or official would use, and in their name.
The console appoints the three administrators, whom nobody else may appoint; everything after that is theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oa_server.app import House
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.deadlines.actions import seed_calendar
from oa_server.demo import city
from oa_server.demo.desks import Desks
from oa_server.demo.enrolment import PIN, Enrolment, actor_named
from oa_server.demo.papers import Paper, papers
from oa_server.demo.seal_image import make_seal
from oa_server.identity import access as identity
from oa_server.identity.importing import import_directory
from oa_server.identity.roles import decide_roles
from oa_server.signing.actions import register_seal
from oa_server.workflow.actions import publish_template
from oa_server.workflow.rules import INCOMING, OUTGOING

SEAL_DIAMETERS = {"city": 45, "county": 45, "department": 42}
# Everybody in these organs has a key; elsewhere the clerk has one, to sign for what arrives.
EQUIPPED = ("JC001", "JC003", "JC010")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody of the cast, as `make demo` prints them."""

    name: str
    post: str
    organ: str
    does: str


class DemoCity:
    """One build of the sample city."""

    def __init__(self, house: House, say: Say) -> None:
        self._house = house
        self._say = say
        self._desks = Desks(house)
        self._administrators = self._desks.units[city.OFFICE, city.ADMINISTRATION]

    async def build(self) -> list[Part]:
        """Everything, in the order an installation would go through it. Returns the cast."""
        self._say(f"导入 {city.ORGANS} 个机关、{city.OFFICIALS} 名人员……")
        await import_directory(SYSTEM, "首批管理员.xlsx", city.founding_workbook())
        system, security, _audit = [await actor_named(code) for code in self._administrators]
        await import_directory(system, "江城市组织机构.xlsx", city.workbook())
        # What the sheet says of roles are proposals, which take the security administrator as well.
        waiting = await identity.role_changes(security, state="pending", limit=2 * city.OFFICIALS)
        await decide_roles(security, [row.id for row in waiting], "confirm")
        await publish_template(system, "outgoing", "发文流程", OUTGOING)
        await publish_template(system, "incoming", "收文流程", INCOMING)
        await seed_calendar()
        self._say("建立证书机构……")
        signer = self._house.register.signer
        await self._house.register.found(system, signer.directory, signer.passphrase, "江城市")
        enrolment = Enrolment(self._house.register, self._house.settings.data_dir / "keys", system, security)
        await self._give_keys(enrolment)
        await self._give_seals(enrolment)
        self._say("起草、办理几份公文……")
        for paper in papers(clock.today().year):
            await self._hand_in(paper)
        return await self._cast()

    def _holders(self) -> list[str]:
        """Who gets a key."""
        everybody = [code for (organ, _), codes in self._desks.units.items() if organ in EQUIPPED for code in codes]
        others = [organ.code for organ in city.organs() if organ.code not in EQUIPPED]
        return everybody + [self._desks.cast(organ).clerk for organ in others]

    async def _give_keys(self, enrolment: Enrolment) -> None:
        holders = self._holders()
        for number, code in enumerate(holders, start=1):
            official = await identity.official_by_code(code)
            await enrolment.official(official.id, f"{code}-{official.name}", PIN)
            if number % 25 == 0 or number == len(holders):
                self._say(f"签发个人证书 {number}/{len(holders)}")

    async def _give_seals(self, enrolment: Enrolment) -> None:
        rows = await identity.organs()
        for number, organ in enumerate(rows, start=1):
            _path, serial = await enrolment.seal(organ["id"], f"{organ['code']}-{organ['short_name']}", PIN)
            diameter = SEAL_DIAMETERS[organ["level"]]
            image = make_seal(organ["full_name"], fonts=self._house.office.fonts, diameter_mm=diameter)
            await register_seal(
                enrolment.approver,
                organ["id"],
                name=organ["full_name"],
                image=image.png,
                diameter_mm=diameter,
                certificate_serial=serial,
            )
            if number % 23 == 0:
                self._say(f"制作印章 {number}/{len(rows)}")

    async def _hand_in(self, paper: Paper) -> None:
        """Send a paper on its way, and have the others do with it what they have done so far."""
        document_id = await self._desks.issue(paper)
        for organ, until in paper.received.items():
            await self._desks.receive(document_id, organ, until)
        for organ, reason in paper.refused.items():
            await self._desks.refuse(document_id, organ, reason)

    async def _cast(self) -> list[Part]:
        office, finance = self._desks.cast(city.OFFICE), self._desks.cast("JC010")
        parts = (
            (office.drafter, "拟稿"),
            (office.unit_head, "部门审核"),
            (office.reviewer, "核稿"),
            (office.leader, "签发、批示"),
            (office.clerk, "编号、分发、签收"),
            (office.keeper, "用印"),
            (finance.clerk, "签收、登记、拟办、分办、办结"),
            (finance.leader, "批示"),
            (finance.unit_head, "承办"),
            *((code, "管理") for code in self._administrators),
        )
        return [await self._part(code, does) for code, does in parts]

    @staticmethod
    async def _part(code: str, does: str) -> Part:
        official = await identity.official_by_code(code)
        post = await identity.post_of(official.id)
        assert post is not None
        organ = await identity.organ(post.organ_id)
        return Part(official.name, post.title, organ.short_name, does)
