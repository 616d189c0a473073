"""What settings say over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.web.shapes import AbilityOut


class SettingChangeOut(Struct):
    """One change: to what (empty: to the file's value), why, by whom and when, and what became of it."""

    id: UUID
    name: str
    value: str
    reason: str
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str
    decided_at: datetime | None
    abilities: list[AbilityOut]


class SettingOut(Struct):
    """A setting that can change while the server runs: its value now, and the one of the file."""

    name: str
    value: str
    in_file: str
    takes_two: bool
    owner: str
    seen: str
    changed_by: str
    changed_at: datetime | None
    waiting: SettingChangeOut | None
    abilities: list[AbilityOut]


class FixedOut(Struct):
    """A setting of the configuration file, without what is secret in it."""

    name: str
    value: str


class SettingList(Struct):
    items: list[SettingOut]
    fixed: list[FixedOut]


class SettingIn(Struct, forbid_unknown_fields=True):
    """A new value as text, empty for the file's, and why."""

    value: Annotated[str, Meta(max_length=200)]
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class SettingDecisionIn(Struct, forbid_unknown_fields=True):
    verb: Literal["confirm", "refuse", "withdraw"]


class SettingHistory(Struct):
    items: list[SettingChangeOut]
