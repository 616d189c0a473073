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


ADMIN_ROLES = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})


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


SYSTEM = Actor(name="system")
