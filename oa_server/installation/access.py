"""Reading settings: what is in force this moment, and what became of each."""

from __future__ import annotations

import time
from uuid import UUID

import msgspec
import structlog

from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, Invalid, NotFound
from oa_server.installation import rules
from oa_server.installation.models import Setting, SettingState
from oa_server.settings import Settings

FRESH_SECONDS = 1.0
HISTORY_SHOWN = 200

log = structlog.get_logger("oa.settings")


class SettingsInForce:
    """The file's settings with those that were changed in place. Read anew every second, so that a change reaches every
    process within one, and the process that made it at once."""

    def __init__(self, file: Settings) -> None:
        self.file = file
        self._known = file
        self._until = 0.0

    async def now(self) -> Settings:
        """The settings as they are in force."""
        if time.monotonic() >= self._until:
            rows = await in_force()
            self._known = msgspec.structs.replace(self.file, **_values(rows))
            self._until = time.monotonic() + FRESH_SECONDS
        return self._known

    def forget(self) -> None:
        """A setting was changed here: read it anew."""
        self._until = 0.0


def _values(rows: dict[str, Setting]) -> dict[str, object]:
    """What the rows say, but for what a later version of the server takes no more: there the file's value counts."""
    found = {}
    for name, row in rows.items():
        try:
            found[name] = rules.value_of(name, row.value)
        except Invalid:
            log.warning("setting.not_taken", setting=name)
    return found


async def in_force() -> dict[str, Setting]:
    """The change of each setting that counts; none where the file's value does."""
    return {name: row for name, row in (await newest()).items() if row.value}


async def newest() -> dict[str, Setting]:
    """The change of each setting that came into force last, also when it went back to the file's value."""
    rows = await Setting.filter(state=SettingState.IN_FORCE).order_by("decided_at", "id")
    return {row.name: row for row in rows if row.name in rules.CHANGEABLE}


async def waiting() -> dict[str, Setting]:
    """The change of each setting that waits for a second administrator."""
    return {row.name: row for row in await Setting.filter(state=SettingState.PENDING)}


async def history(actor: Actor, name: str) -> list[Setting]:
    """Every change of a setting, the latest first. Raises Denied, NotFound."""
    rules.check_reads(actor)
    if name not in rules.CHANGEABLE:
        raise NotFound(NOT_FOUND)
    return await Setting.filter(name=name).order_by("-id").limit(HISTORY_SHOWN)


async def setting_change(actor: Actor, change_id: UUID) -> Setting:
    """One change. Raises Denied, NotFound."""
    rules.check_reads(actor)
    row = await Setting.get_or_none(id=change_id)
    if row is None:
        raise NotFound(NOT_FOUND)
    return row
