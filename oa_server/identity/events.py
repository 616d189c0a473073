"""What identity announces."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from oa_server.core.actor import Role


@dataclass(frozen=True, slots=True)
class OrganRegistered:
    """An organ entered the directory; an issuing organ names its 机关代字."""

    organ_id: UUID
    issuing_word: str


@dataclass(frozen=True, slots=True)
class RolesGiven:
    """Officials of these organs hold roles that they did not hold before."""

    organ_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class OfficialRetiring:
    """An official leaves; what is open to them goes to the successor, or keeps them from leaving."""

    official_id: UUID
    successor_id: UUID | None


@dataclass(frozen=True, slots=True)
class RoleTaken:
    """An official has lost a role in an organ; what is open to them by it must not be lost."""

    official_id: UUID
    organ_id: UUID
    role: Role
