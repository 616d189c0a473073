"""Settings as a workbook, in the form that is imported: what is exported and brought back changes nothing."""

from __future__ import annotations

from oa_server.core.actor import Actor
from oa_server.installation import rules
from oa_server.installation.access import SettingsInForce
from oa_server.installation.importing import SHEET, TITLES
from oa_server.web.sheets import Sheet

# Beside what is imported, what its reader wants to know.
_HEADER = (TITLES["name"], "名称", TITLES["value"], "配置文件中的值", "生效方式", TITLES["reason"])
_AT_ONCE, _TAKES_TWO = "保存后立即生效", "另一名管理员复核后生效"


async def settings_sheets(actor: Actor, settings: SettingsInForce) -> dict[str, Sheet]:
    """The settings that can change while the server runs, as they are in force. Raises Denied."""
    rules.check_reads(actor)
    settings.forget()
    now = await settings.now()
    rows = []
    for name in rules.CHANGEABLE:
        value, in_file = (rules.words_of(getattr(one, name)) for one in (now, settings.file))
        rows.append((name, rules.WORDS[name], value, in_file, _TAKES_TWO if rules.takes_two(name) else _AT_ONCE, ""))
    return {SHEET: (_HEADER, rows)}
