"""The first start of an installation: its first organ, its three administrators, its authority – and nothing by default.

    oa found 首批管理员.xlsx

reads the sheet that any import takes, makes the authority's keys, publishes the routes that every office begins with, and
prints one code for each administrator. There is no account and no password before, and none after.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from oa_server.app import House
from oa_server.core.actor import SYSTEM, Role
from oa_server.core.errors import Conflict, Invalid, Reason
from oa_server.deadlines.actions import seed_calendar
from oa_server.identity import access as identity
from oa_server.identity.importing import import_directory
from oa_server.pki import access as pki
from oa_server.pki.enrolment import LIFE, open_enrolment
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.workflow.actions import publish_template
from oa_server.workflow.rules import INCOMING, OUTGOING

FOUNDED = Reason("founding.done", "系统已经初始化，不能重复进行", "This installation is founded already.")
NOT_THREE = Reason(
    "founding.not_three",
    "表格中应有系统管理员、安全管理员、审计员各一人，且都有岗位",
    "The sheet must name one system, one security and one audit administrator.",
)

ROLE_WORDS = {
    Role.SYSTEM_ADMIN: "系统管理员",
    Role.SECURITY_ADMIN: "安全保密管理员",
    Role.AUDIT_ADMIN: "安全审计员",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One administrator's code, and for how many hours it is good."""

    role: str
    name: str
    code: str
    hours: int = int(LIFE.total_seconds() // 3600)


async def found(house: House, name: str, sheet: bytes) -> list[Code]:
    """Found an installation. All of it is done or nothing; keys that a failed attempt made are used by the next.

    Raises Conflict when it was founded before, Invalid when the sheet is wrong or does not name the three.
    """
    signer = house.register.signer
    if (await pki.trust()).roots:
        raise Conflict(FOUNDED)
    async with unit_of_work(SYSTEM):
        await import_directory(SYSTEM, name, sheet)
        await seed_calendar()
        await publish_template(SYSTEM, "outgoing", "发文流程", OUTGOING)
        await publish_template(SYSTEM, "incoming", "收文流程", INCOMING)
        administrators = await _administrators()
        first = await identity.organ(await _organ_of(administrators[0].official_id))
        await house.register.found(SYSTEM, signer.directory, signer.passphrase, first.short_name)
        return [Code(one.role, one.name, await open_enrolment(SYSTEM, one.official_id)) for one in administrators]


@dataclass(frozen=True, slots=True)
class _Administrator:
    role: str
    official_id: UUID
    name: str


async def _administrators() -> list[_Administrator]:
    """The three, each for one role (GB/T 22239-2019, 8.1.5). Raises Invalid."""
    found = []
    organs = await identity.organs()
    for role, words in ROLE_WORDS.items():
        holders = [key for organ in organs for key in await identity.holders(role, organ_id=organ["id"])]
        if len(holders) != 1:
            raise Invalid(NOT_THREE, role=words, holders=len(holders))
        found.append(_Administrator(words, holders[0], (await identity.official(holders[0])).name))
    return found


async def _organ_of(official_id: UUID) -> UUID:
    post = await identity.post_of(official_id)
    assert post is not None  # Whoever holds a role there acts there.
    organ_id: UUID = post.organ_id
    return organ_id
