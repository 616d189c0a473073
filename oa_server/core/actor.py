"""Who acts: an official in a post, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """Responsibilities that open verbs; the identity domain grants them, rules ask for them."""

    CLERK = "clerk"  # 机要文书: numbers, dispatches, signs for, registers
    OFFICE_REVIEWER = "office_reviewer"  # 核稿
    LEADER = "leader"  # 签发、批示
    UNIT_HEAD = "unit_head"  # 部门负责人
    SEAL_KEEPER = "seal_keeper"  # 印章管理员
    SYSTEM_ADMIN = "system_admin"  # 系统管理员
    SECURITY_ADMIN = "security_admin"  # 安全保密管理员
    AUDIT_ADMIN = "audit_admin"  # 安全审计员
    CLEARED_GENERAL = "cleared_general"  # 一般涉密人员: 秘密
    CLEARED_IMPORTANT = "cleared_important"  # 重要涉密人员: 机密
    CLEARED_CORE = "cleared_core"  # 核心涉密人员: 绝密


ADMIN_ROLES = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})

# 涉密等级 in rising order (保守国家秘密法, on 涉密人员: 一般、重要、核心). They are given and taken like every other role: by two.
CLEARANCES = (Role.CLEARED_GENERAL, Role.CLEARED_IMPORTANT, Role.CLEARED_CORE)


def sufficient(needed: Role) -> tuple[Role, ...]:
    """The clearances of which each is enough where `needed` is asked for."""
    return CLEARANCES[CLEARANCES.index(needed) :]


@dataclass(frozen=True, slots=True)
class Actor:
    """One official acting in one organ, or `SYSTEM` (no official) for timed work and the command line.

    `roles` are those held in `organ_id` at this moment; they are read anew for every request, never cached in a token.
    A department's system acts in the name of the official who answers for it, with none of their roles: `client_id`.
    """

    name: str
    official_id: UUID | None = None
    organ_id: UUID | None = None
    unit_id: UUID | None = None
    roles: frozenset[Role] = frozenset()
    session_id: UUID | None = None
    certificate_serial: str | None = None
    address: str | None = None
    client_id: UUID | None = None

    @property
    def is_system(self) -> bool:
        return self.official_id is None

    def has(self, role: Role) -> bool:
        return role in self.roles

    def is_cleared(self, needed: Role | None) -> bool:
        """Whether the actor may see what asks for this clearance; a department's system, which has no roles, sees no secrets."""
        return self.is_system or needed is None or not self.roles.isdisjoint(sufficient(needed))


SYSTEM = Actor(name="system")
