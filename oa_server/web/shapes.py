"""What more than one domain says over the wire: names, and what may be done with the reason why not."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from oa_server.core.errors import Ability


class Named(Struct):
    """Anything shown by its name."""

    id: UUID
    name: str


class ReasonOut(Struct):
    code: str
    title: str


class AbilityOut(Struct):
    verb: str
    allowed: bool
    reason: ReasonOut | None


def ability_out(ability: Ability, language: str) -> AbilityOut:
    """An ability in the reader's language."""
    denied = ability.denied
    return AbilityOut(
        ability.verb, ability.allowed, ReasonOut(denied.code, denied.title(language)) if denied is not None else None
    )
