"""What identity announces."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OrganRegistered:
    """An organ entered the directory; an issuing organ names its 机关代字."""

    organ_id: UUID
    issuing_word: str


@dataclass(frozen=True, slots=True)
class RolesGiven:
    """Officials of these organs hold roles that they did not hold before."""

    organ_ids: frozenset[UUID]
