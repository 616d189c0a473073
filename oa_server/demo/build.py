"""Filling a trial installation: the directory by import, keys by request and approval, documents by the officials' own acts.

Nothing here writes a row: every line goes through the action that an administrator or official would use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.keys import SoftKey, open_key_file
from oa_server.app import House
from oa_server.core.actor import SYSTEM, Actor
from oa_server.demo import city
from oa_server.demo.enrolment import Enrolment, actor_named
from oa_server.demo.seal_image import make_seal
from oa_server.documents import actions, asking, drafting, receiving
from oa_server.documents.actions import Act
from oa_server.documents.schemas import Body, Elements
from oa_server.documents.states import DocKind, Publicity, Urgency
from oa_server.identity import access as identity
from oa_server.identity.actions import import_directory
from oa_server.signing.access import request as signature_request
from oa_server.signing.actions import KeyChoice, register_seal
from oa_server.workflow.actions import publish_template
from oa_server.workflow.rules import INCOMING, OUTGOING

PIN = "123456"
SEAL_DIAMETERS = {"city": 45, "county": 45, "department": 42}

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
        self._keys = house.settings.data_dir / "keys"
        self._people: dict[tuple[str, str], list[str]] = {}

    async def build(self) -> list[Part]:
        """Everything, in the order an installation would go through it. Returns the cast."""
        self._say("导入 69 个机关、503 名人员……")
        await import_directory(SYSTEM, "江城市组织机构.xlsx", city.workbook())
        for organ, unit, code, *_rest in city.officials():
            self._people.setdefault((organ, unit), []).append(code)
        await publish_template(SYSTEM, "outgoing", "发文流程", OUTGOING)
        await publish_template(SYSTEM, "incoming", "收文流程", INCOMING)
        self._say("建立证书机构……")
        signer = self._house.register.signer
        await self._house.register.found(SYSTEM, signer.directory, signer.passphrase, "江城市")
        enrolment = await self._enrolment()
        await self._give_keys(enrolment)
        await self._give_seals(enrolment)
        self._say("起草几份公文……")
        await self._documents()
        return await self._cast()

    async def _enrolment(self) -> Enrolment:
        system, security, _audit = self._people[city.OFFICE, "信息中心"]
        return Enrolment(self._house.register, self._keys, await actor_named(system), await actor_named(security))

    def _holders(self) -> list[str]:
        """Who gets a key: everybody of the first two organs, and the clerk of each other organ."""
        found = [
            code for (organ, _unit), codes in self._people.items() if organ in {"JC001", "JC010"} for code in codes
        ]
        found += [
            codes[1]
            for (organ, unit), codes in self._people.items()
            if unit == "办公室" and organ not in {"JC001", "JC010"}
        ]
        return found

    async def _give_keys(self, enrolment: Enrolment) -> None:
        holders = self._holders()
        for number, code in enumerate(holders, start=1):
            official = await identity.official_by_code(code)
            await enrolment.official(official.id, f"{code}-{official.name}", PIN)
            if number % 20 == 0 or number == len(holders):
                self._say(f"签发个人证书 {number}/{len(holders)}")

    async def _give_seals(self, enrolment: Enrolment) -> None:
        rows = await identity.organs()
        for number, organ in enumerate(rows, start=1):
            _path, serial = await enrolment.seal(organ["id"], f"{organ['code']}-{organ['short_name']}", PIN)
            diameter = SEAL_DIAMETERS[organ["level"]]
            image = make_seal(organ["full_name"], fonts=self._house.office.fonts, diameter_mm=diameter)
            await register_seal(
                SYSTEM,
                organ["id"],
                name=organ["full_name"],
                image=image.png,
                diameter_mm=diameter,
                certificate_serial=serial,
            )
            if number % 23 == 0:
                self._say(f"制作印章 {number}/{len(rows)}")

    # --- documents under way ---------------------------------------------------------------------------------------

    async def _documents(self) -> None:
        drafter = await actor_named(self._people[city.OFFICE, "综合科"][1])
        organs = {row["code"]: row["id"] for row in await identity.organs()}
        everybody = [organ_id for code, organ_id in organs.items() if code != city.OFFICE]
        sent = await self._draft(
            drafter,
            "江城市人民政府办公室关于做好2026年度公文无纸化传输工作的通知",
            main=everybody[:60],
            copies=everybody[60:],
        )
        await self._through(sent, ["submit", "unit_review", "office_review", "signing", "number", "seal", "dispatch"])
        await self._some_sign_for(sent)
        waiting = await self._draft(
            drafter, "江城市人民政府办公室关于开展政务数据共享专项检查的通知", main=everybody[:30], copies=[]
        )
        await self._through(waiting, ["submit", "unit_review", "office_review"])
        reviewed = await self._draft(
            drafter,
            "江城市人民政府办公室关于加强值班值守工作的通知",
            main=everybody[:40],
            copies=[],
            urgency=Urgency.URGENT,
        )
        await self._through(reviewed, ["submit"])
        await self._draft(drafter, "江城市人民政府办公室关于印发2026年工作要点的通知", main=everybody[:10], copies=[])

    async def _draft(
        self, drafter: Actor, title: str, *, main: list[UUID], copies: list[UUID], urgency: Urgency = Urgency.NORMAL
    ) -> UUID:
        signer = await identity.official_by_code(self._people[city.OFFICE, "领导"][0])
        elements = Elements(
            kind=DocKind.NOTICE,
            title=title,
            urgency=urgency,
            main_recipients=main,
            copies_to=copies,
            signer_id=signer.id,
            note="此件公开发布",
            publicity=Publicity.ACTIVE,
        )
        document = await drafting.draft(self._house.office, drafter, elements, _body())
        document_id: UUID = document.id
        return document_id

    async def _through(self, document_id: UUID, steps: Iterable[str]) -> None:
        """Take a document through some steps, each done by whoever has to do it."""
        office = self._people[city.OFFICE, "办公室"]
        doers = {
            "submit": (self._people[city.OFFICE, "综合科"][1], "submit", ""),
            "unit_review": (self._people[city.OFFICE, "综合科"][0], "approve", "同意，请核稿。"),
            "office_review": (office[0], "approve", "已核，请签发。"),
            "signing": (self._people[city.OFFICE, "领导"][0], "sign", "同意。"),
            "number": (office[1], "number", ""),
            "seal": (office[2], "seal", ""),
            "dispatch": (office[1], "dispatch", ""),
        }
        for step in steps:
            code, verb, opinion = doers[step]
            await self._act(code, document_id, verb, opinion)

    async def _act(self, code: str, document_id: UUID, verb: str, opinion: str) -> None:
        actor = await actor_named(code)
        office = self._house.office
        wanted = Act(verb, opinion)
        if verb not in {"submit", "number"}:
            usage = "seal" if verb == "seal" else "signing"
            key = self._key(code, usage)
            asked = await asking.ask(office, actor, document_id, wanted, _choice(key))
            wanted = Act(verb, opinion, signed=await self._sign(actor, key, asked.request_id, verb, document_id))
        await actions.act(office, actor, document_id, wanted)

    async def _sign(self, actor: Actor, key: SoftKey, request_id: UUID, verb: str, subject_id: UUID) -> Any:
        request = await signature_request(request_id)
        assert request is not None
        value = key.sign(bytes(request.signed_attributes))
        return await self._house.office.signing.assemble(actor, request_id, value, verb=verb, subject_id=subject_id)

    async def _some_sign_for(self, document_id: UUID) -> None:
        """The first dozen organs have signed for what was sent; the board shows the others still open."""
        from oa_server.documents import access

        for row in (await access.consignments(document_id))[:12]:
            organ = await identity.organ(row["organ_id"])
            code = self._people[organ.code, "办公室"][1]
            actor, key = await actor_named(code), self._key(code, "signing")
            (arrived,) = await access.incoming(actor).filter(consignment_id=row["id"])
            wanted = Act("sign_for")
            asked = await receiving.ask(self._house.office, actor, arrived.id, wanted, _choice(key))
            signed = await self._sign(actor, key, asked.request_id, "sign_for", arrived.id)
            await receiving.act(actor, arrived.id, Act("sign_for", signed=signed))

    def _key(self, code: str, usage: str) -> SoftKey:
        pattern = f"{city.OFFICE}-*.seal.oakey" if usage == "seal" else f"{code}-*.{usage}.oakey"
        (path,) = self._keys.glob(pattern)
        return open_key_file(path.read_bytes(), PIN)

    async def _cast(self) -> list[Part]:
        office = self._people[city.OFFICE, "办公室"]
        finance = self._people["JC010", "办公室"]
        parts = (
            (self._people[city.OFFICE, "综合科"][1], "拟稿"),
            (self._people[city.OFFICE, "综合科"][0], "部门审核"),
            (office[0], "核稿"),
            (self._people[city.OFFICE, "领导"][0], "签发"),
            (office[1], "编号、分发"),
            (office[2], "用印"),
            (finance[1], "签收、登记、分办"),
            (self._people["JC010", "领导"][0], "批示"),
            (self._people["JC010", "业务科"][0], "承办"),
            *((code, "管理") for code in self._people[city.OFFICE, "信息中心"]),
        )
        return [await self._part(code, does) for code, does in parts]

    @staticmethod
    async def _part(code: str, does: str) -> Part:
        official = await identity.official_by_code(code)
        post = await identity.post_of(official.id)
        assert post is not None
        organ = await identity.organ(post.organ_id)
        return Part(official.name, post.title, organ.short_name, does)


def _choice(key: SoftKey) -> KeyChoice:
    return KeyChoice(key.certificate.public_bytes(Encoding.DER), tuple(c.public_bytes(Encoding.DER) for c in key.chain))


def _body() -> Body:
    """The text of the sample notices."""
    return msgspec.json.decode(Path(__file__).with_name("notice.json").read_bytes(), type=Body)
