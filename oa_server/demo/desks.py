"""The officials of the sample city at their desks: each document goes on by the acts, and the keys, of those who may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding

from crypto.keys import SoftKey, open_key_file
from oa_server.app import House
from oa_server.core.actor import Actor
from oa_server.demo import city
from oa_server.demo.enrolment import PIN, actor_named
from oa_server.demo.papers import ISSUING, RECEIVING, Paper, steps
from oa_server.documents import access, actions, asking, drafting, receiving
from oa_server.documents.actions import Act
from oa_server.documents.schemas import Elements
from oa_server.documents.states import RefusalCode
from oa_server.identity import access as identity
from oa_server.signing.access import request as signature_request
from oa_server.signing.actions import KeyChoice

CHECKLIST = (
    "序号,数据目录,提供单位,更新频率\n1,出生医学证明,市卫生健康委员会,实时\n2,企业登记信息,市市场监督管理局,每日\n"
)

# What is written at each step; steps that ask for no opinion have none.
_OPINIONS = {"unit_review": "同意，请核稿。", "office_review": "已核，请签发。", "signing": "同意。"}
_VERBS = {"unit_review": "approve", "office_review": "approve", "signing": "sign"}
_UNSIGNED = frozenset({"submit", "number", "register", "propose", "assign", "close"})
_ANSWERS = {
    "propose": "请领导批示，拟交综合科办理。",
    "instruct": "请综合科抓好落实。",
    "finish": "已按要求办理并报送。",
    "close": "已办结。",
}


@dataclass(frozen=True, slots=True)
class Cast:
    """Who does what in one organ, by the codes of the officials."""

    drafter: str
    unit_head: str
    reviewer: str
    leader: str
    clerk: str
    keeper: str

    def issuing(self, step: str) -> str:
        """Who takes this step of a document that goes out."""
        return {
            "submit": self.drafter,
            "unit_review": self.unit_head,
            "office_review": self.reviewer,
            "signing": self.leader,
            "seal": self.keeper,
        }.get(step, self.clerk)

    def receiving(self, verb: str) -> str:
        """Who does this to a document that came in."""
        return {"instruct": self.leader, "finish": self.unit_head}.get(verb, self.clerk)


class Desks:
    """All desks of the city."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._keys = house.settings.data_dir / "keys"
        # A PIN is slow to try, on purpose; nobody here types it anew for each signature.
        self._opened: dict[str, SoftKey] = {}
        units: dict[tuple[str, str], list[str]] = {}
        for organ, unit, code, *_rest in city.officials():
            units.setdefault((organ, unit), []).append(code)
        self.units: Mapping[tuple[str, str], Sequence[str]] = units

    def cast(self, organ: str) -> Cast:
        """The people of an organ."""
        leader, *_deputies = self.units[organ, city.LEADERS]
        reviewer, clerk, keeper = self.units[organ, city.general_unit(organ)]
        unit_head, drafter = self.units[organ, city.BUSINESS]
        return Cast(drafter, unit_head, reviewer, leader, clerk, keeper)

    # --- going out ------------------------------------------------------------------------------------------------

    async def issue(self, paper: Paper) -> UUID:
        """Draft a paper and take it as far as it has come."""
        document_id = await self._draft(paper)
        for step in steps(ISSUING, paper.until)[1:]:
            await self._take(paper.organ, document_id, step)
        if paper.returned:
            reviewer = self.cast(paper.organ).reviewer
            wanted = Act("return", reason=paper.returned, parameters={"resume": "replay"})
            await self._outgoing(reviewer, document_id, wanted)
        return document_id

    async def _draft(self, paper: Paper) -> UUID:
        cast = self.cast(paper.organ)
        actor = await actor_named(cast.drafter)
        elements = Elements(
            kind=paper.kind,
            title=paper.title,
            urgency=paper.urgency,
            main_recipients=await _ids(paper.main),
            copies_to=await _ids(paper.copies),
            signer_id=(await identity.official_by_code(cast.leader)).id,
            note=paper.note,
            publicity=paper.publicity,
        )
        document = await drafting.draft(self._house.office, actor, elements, paper.body)
        document_id: UUID = document.id
        if paper.attachment:
            await self._attach(actor, document_id, paper.attachment)
        return document_id

    async def _attach(self, actor: Actor, document_id: UUID, name: str) -> None:
        keeper, data = self._house.files, CHECKLIST.encode("utf-8-sig")
        file = await keeper.start(
            actor, name=name, size=len(data), subject_type=access.OUTGOING, subject_id=document_id
        )
        await keeper.write_parts(actor, file, 0, _whole(data))

    async def _take(self, organ: str, document_id: UUID, step: str) -> None:
        wanted = Act(_VERBS.get(step, step), _OPINIONS.get(step, ""))
        await self._outgoing(self.cast(organ).issuing(step), document_id, wanted, organ=organ)

    async def _outgoing(self, code: str, document_id: UUID, wanted: Act, organ: str = "") -> None:
        actor, office = await actor_named(code), self._house.office
        if wanted.verb not in _UNSIGNED:
            key = self._seal(organ) if wanted.verb == "seal" else self.key(code)
            # The pages lie before whoever signs.
            shown = await access.outgoing_document(actor, document_id)
            wanted = replace(wanted, read_sha256=shown.pages_sha256)
            asked = await asking.ask(office, actor, document_id, wanted, choice(key))
            wanted = await self.signed(actor, key, asked.request_id, wanted, document_id)
        await actions.act(office, actor, document_id, wanted)

    # --- coming in ------------------------------------------------------------------------------------------------

    async def receive(self, document_id: UUID, organ: str, until: str) -> None:
        """One organ signs for a document and takes it as far as it has come there."""
        for verb in steps(RECEIVING, until):
            await self._incoming(
                organ, document_id, Act(verb, _ANSWERS.get(verb, ""), parameters=await self._who(organ, verb))
            )

    async def refuse(self, document_id: UUID, organ: str, reason: str) -> None:
        """One organ refuses a document that is none of its business."""
        wanted = Act("refuse", reason=reason, parameters={"code": RefusalCode.NOT_ADDRESSEE})
        await self._incoming(organ, document_id, wanted)

    async def _incoming(self, organ: str, document_id: UUID, wanted: Act) -> None:
        code = self.cast(organ).receiving(wanted.verb)
        actor, office = await actor_named(code), self._house.office
        consignment = await self._consignment(document_id, organ)
        (arrived,) = await access.incoming(actor).filter(consignment_id=consignment)
        if wanted.verb not in _UNSIGNED:
            key = self.key(code)
            asked = await receiving.ask(office, actor, arrived.id, wanted, choice(key))
            wanted = await self.signed(actor, key, asked.request_id, wanted, arrived.id)
        await receiving.act(actor, arrived.id, wanted)

    async def _consignment(self, document_id: UUID, organ: str) -> UUID:
        (organ_id,) = await _ids([organ])
        rows = await access.consignments(document_id)
        found: UUID = next(row["id"] for row in rows if row["organ_id"] == organ_id)
        return found

    async def _who(self, organ: str, verb: str) -> dict[str, str]:
        """Whom the clerk chooses for the next step."""
        cast = self.cast(organ)
        if verb == "propose":
            return {"leader_id": str((await identity.official_by_code(cast.leader)).id)}
        if verb == "assign":
            post = await identity.post_of((await identity.official_by_code(cast.unit_head)).id)
            assert post is not None
            return {"unit_id": str(post.unit_id)}
        return {}

    # --- keys -----------------------------------------------------------------------------------------------------

    async def signed(self, actor: Actor, key: SoftKey, request_id: UUID, wanted: Act, subject_id: UUID) -> Act:
        """The act with the signature that was asked for."""
        request = await signature_request(request_id)
        assert request is not None
        desk = self._house.office.signing
        value = key.sign(bytes(request.signed_attributes))
        signed = await desk.assemble(actor, request_id, value, verb=wanted.verb, subject_id=subject_id)
        return Act(wanted.verb, wanted.opinion, wanted.reason, wanted.parameters, signed)

    def key(self, code: str) -> SoftKey:
        """The key with which this official signs."""
        return self._open(f"{code}-*.signing.oakey")

    def _seal(self, organ: str) -> SoftKey:
        return self._open(f"{organ}-*.seal.oakey")

    def _open(self, pattern: str) -> SoftKey:
        if pattern not in self._opened:
            (path,) = self._keys.glob(pattern)
            self._opened[pattern] = open_key_file(path.read_bytes(), PIN)
        return self._opened[pattern]


def choice(key: SoftKey) -> KeyChoice:
    """A key as a server is told of it."""
    return KeyChoice(key.certificate.public_bytes(Encoding.DER), tuple(c.public_bytes(Encoding.DER) for c in key.chain))


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _ids(names: Sequence[str]) -> list[UUID]:
    """The organs of these codes and groups, in their order."""
    by_code: dict[str, Any] = {row["code"]: row["id"] for row in await identity.organs()}
    return [by_code[code] for name in names for code in city.group(name)]
