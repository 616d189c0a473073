"""Filling a trial installation: the directory by import, keys by request and approval, documents by the officials' own acts.

Nothing here writes a row: every line goes through the action that an administrator or official would use, and in their name.
The console appoints the three administrators, whom nobody else may appoint; everything after that is theirs. The city was founded
before its congress last met, so that some of what was asked for there is done, and some is overdue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oa_server.app import House
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.deadlines.actions import seed_calendar
from oa_server.demo import city
from oa_server.demo.assembly import OPENED, SampleSitting
from oa_server.demo.desks import Desks
from oa_server.demo.enrolment import PIN, Enrolment, actor_named
from oa_server.demo.papers import Paper, papers
from oa_server.demo.past import on_day, working_day
from oa_server.demo.seal_image import make_seal
from oa_server.identity import access as identity
from oa_server.identity.importing import import_directory
from oa_server.identity.roles import decide_roles
from oa_server.signing.actions import register_seal
from oa_server.workflow.actions import publish_template
from oa_server.workflow.rules import INCOMING, OUTGOING

SEAL_DIAMETERS = {"city": 45, "county": 45, "department": 42}
# Everybody in these organs has a key; elsewhere the clerk has one, to sign for what arrives.
EQUIPPED = (city.OFFICE, "JC003", "JC010")
AT_ONCE = 32  # holders of keys: a PIN is slow to set, on purpose, and need not keep the others waiting
FOUNDED = OPENED + 4  # days ago
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
        self._sitting = SampleSitting(house, self._desks)
        self._administrators = self._desks.units[city.OFFICE, city.ADMINISTRATION]

    async def build(self) -> list[Part]:
        """Everything, in the order an installation would go through it. Returns the cast."""
        founded, opened = working_day(FOUNDED), working_day(OPENED)
        async with on_day(self._house, founded):
            await self._found()
        async with on_day(self._house, opened):
            await self._sitting.open(await actor_named(self._administrators[0]))
        self._say("办理代表建议……")
        await self._sitting.play()
        async with on_day(self._house, clock.today()):
            self._say("起草、办理几份公文……")
            for paper in papers(clock.today().year):
                await self._hand_in(paper)
            return await self._cast()

    async def _found(self) -> None:
        """The directory, the templates, the authority, and who gets keys and seals of it."""
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

    def _holders(self) -> list[str]:
        """Who gets a key."""
        everybody = [code for (organ, _), codes in self._desks.units.items() if organ in EQUIPPED for code in codes]
        others = [organ.code for organ in city.organs() if organ.code not in EQUIPPED]
        clerks = [self._desks.cast(organ).clerk for organ in others]
        return list(dict.fromkeys([*everybody, *clerks, *self._sitting.signers()]))

    async def _give_keys(self, enrolment: Enrolment) -> None:
        holders = self._holders()
        for first in range(0, len(holders), AT_ONCE):
            await asyncio.gather(*(self._give_key(enrolment, code) for code in holders[first : first + AT_ONCE]))
            self._say(f"签发个人证书 {min(first + AT_ONCE, len(holders))}/{len(holders)}")

    @staticmethod
    async def _give_key(enrolment: Enrolment, code: str) -> None:
        official = await identity.official_by_code(code)
        await enrolment.official(official.id, f"{code}-{official.name}", PIN)

    async def _give_seals(self, enrolment: Enrolment) -> None:
        rows = await identity.organs()
        for first in range(0, len(rows), AT_ONCE):
            await asyncio.gather(*(self._give_seal(enrolment, organ) for organ in rows[first : first + AT_ONCE]))
            self._say(f"制作印章 {min(first + AT_ONCE, len(rows))}/{len(rows)}")

    async def _give_seal(self, enrolment: Enrolment, organ: Mapping[str, Any]) -> None:
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

    async def _hand_in(self, paper: Paper) -> None:
        """Send a paper on its way, and have the others do with it what they have done so far."""
        document_id = await self._desks.issue(paper)
        for organ, until in paper.received.items():
            await self._desks.receive(document_id, organ, until)
        for organ, reason in paper.refused.items():
            await self._desks.refuse(document_id, organ, reason)

    async def _cast(self) -> list[Part]:
        office, finance, congress = (self._desks.cast(organ) for organ in (city.OFFICE, "JC010", city.CONGRESS))
        head, second = self._desks.units[city.CONGRESS, city.DEPUTY_AFFAIRS]
        first_deputy, second_deputy = self._desks.units[city.CONGRESS, city.DEPUTIES]
        education = self._desks.cast("JC003")
        parts = (
            (office.drafter, "拟稿"),
            (office.unit_head, "部门审核"),
            (office.reviewer, "核稿、审核答复"),
            (office.leader, "签发、批示、领衔督办"),
            (office.clerk, "编号、分发、签收、交办建议"),
            (office.keeper, "用印"),
            (finance.clerk, "签收、登记、拟办、分办、办结"),
            (finance.leader, "批示"),
            (finance.unit_head, "承办"),
            (congress.clerk, "登记建议、代录评价"),
            (second, "复核代录"),
            (head, "审查建议"),
            (congress.leader, "立案"),
            (first_deputy, "提出、附议、评价建议"),
            (second_deputy, "提出、附议、评价建议"),
            (education.clerk, "签收、办理建议、答复"),
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
