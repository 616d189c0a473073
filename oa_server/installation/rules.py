"""Pure decisions about settings: which can change while the server runs, whose they are, and what they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Denied, Invalid, Reason
from oa_server.settings import Settings

if TYPE_CHECKING:
    from oa_server.installation.models import Setting

NOT_SETTINGS_ADMIN = Reason(
    "installation.not_settings_admin",
    "只有系统管理员和安全保密管理员可以查看系统设置",
    "Only the system and the security administrator see the settings.",
)
NOT_SYSTEM_ADMIN = Reason(
    "installation.not_system_admin",
    "此项由系统管理员设置",
    "The system administrator changes this setting.",
)
NOT_SECURITY_ADMIN = Reason(
    "installation.not_security_admin",
    "此项由安全保密管理员提出，另一名管理员复核",
    "The security administrator proposes this setting, and another administrator confirms it.",
)
BAD_VALUE = Reason("installation.bad_value", "设置值不在允许范围内", "The value is not one that the setting takes.")
UNKNOWN_SETTING = Reason(
    "installation.unknown_setting",
    "没有这个设置项，或不能在系统中变更",
    "There is no such setting that changes while the server runs.",
)
NO_NAME = Reason("installation.no_name", "没有写明设置项", "The row names no setting.")
DIFFERENCE_CHANGED = Reason(
    "installation.difference_changed",
    "表格或设置已有变化，请核对新的差异后再确认",
    "Sheet or settings have changed since; look at the new difference.",
)
WAITING = Reason(
    "installation.waiting", "该项已有待复核的变更", "A change of this setting waits to be confirmed already."
)
DECIDED = Reason("installation.decided", "该变更已经复核或撤回", "The change has been dealt with already.")
OWN_CHANGE = Reason(
    "installation.own_change", "提出人不能复核自己提出的变更", "Whoever proposed a change does not confirm it."
)
NOT_PROPOSER = Reason("installation.not_proposer", "只有提出人可以撤回", "Only who proposed a change withdraws it.")

# What can change while the server runs, and whose it is; what guards the system takes two.
CHANGEABLE = {
    "name": Role.SYSTEM_ADMIN,
    "line_pitch": Role.SYSTEM_ADMIN,
    "colophon_on_even_page": Role.SYSTEM_ADMIN,
    "attachment_limit": Role.SYSTEM_ADMIN,
    "idle_minutes": Role.SECURITY_ADMIN,
    "session_hours": Role.SECURITY_ADMIN,
}
# What each is called where people read it.
WORDS = {
    "name": "系统名称",
    "line_pitch": "公文行距（磅）",
    "colophon_on_even_page": "版记排在偶数页",
    "attachment_limit": "单个附件上限（字节）",
    "idle_minutes": "无操作自动退出（分钟）",
    "session_hours": "一次登录最长时间（小时）",
}
_FLAGS = {"true": "是", "false": "否"}
_NOT_YOURS = {Role.SYSTEM_ADMIN: NOT_SYSTEM_ADMIN, Role.SECURITY_ADMIN: NOT_SECURITY_ADMIN}
_ADDRESSES = frozenset({"database_url", "object_store_url", "bus_url", "head_copies"})


def takes_two(name: str) -> bool:
    """Whether a change of this setting waits for a second administrator."""
    return CHANGEABLE[name] is Role.SECURITY_ADMIN


def check_reads(actor: Actor) -> None:
    """Raises Denied for who may not see the settings."""
    if not (actor.is_system or actor.roles & {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN}):
        raise Denied(NOT_SETTINGS_ADMIN)


def check_changes(actor: Actor, name: str) -> None:
    """Raises Denied for who may not change this setting, or propose to."""
    for ability in abilities(actor, name, waits=False):
        ability.check()


def abilities(actor: Actor, name: str, *, waits: bool) -> list[Ability]:
    """What `actor` may do with a setting."""
    owner = CHANGEABLE[name]
    return [Ability("change", (None if actor.has(owner) else _NOT_YOURS[owner]) or (WAITING if waits else None))]


def change_abilities(actor: Actor, row: Setting) -> list[Ability]:
    """What `actor` may decide about a change that was proposed."""
    denied = None if actor.roles & {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN} else NOT_SETTINGS_ADMIN
    denied = denied or (DECIDED if row.state != "pending" else None)
    is_own = row.proposed_by == actor.official_id
    return [
        Ability("confirm", denied or (OWN_CHANGE if is_own else None)),
        Ability("refuse", denied or (OWN_CHANGE if is_own else None)),
        Ability("withdraw", denied or (None if is_own else NOT_PROPOSER)),
    ]


def value_of(name: str, text: str) -> Any:
    """What a setting's text means. Raises Invalid saying what would be right."""
    try:
        return getattr(msgspec.convert({name: text}, Settings, strict=False), name)
    except msgspec.ValidationError as error:
        raise Invalid(BAD_VALUE, str(error), setting=name) from error


def text_of(value: object) -> str:
    """A value as its setting's text, which `value_of` reads."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def words_of(value: object) -> str:
    """A value as a sheet shows it, which `text_in` reads."""
    text = text_of(value)
    return _FLAGS.get(text, text)


def text_in(words: str) -> str:
    """The text of a setting behind what stands in a sheet."""
    return next((text for text, shown in _FLAGS.items() if shown == words), words)


def fixed(settings: Settings) -> dict[str, str]:
    """What stands in the file and only there, in words without secrets: addresses lose who signs in there and with what."""
    names = [name for name in Settings.__struct_fields__ if name not in CHANGEABLE]
    return {name: _shown(name, getattr(settings, name)) for name in names}


def _shown(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return "、".join(_shown(name, item) for item in value)
    if isinstance(value, dict):
        return "、".join(f"{key}：{item}" for key, item in value.items())
    return _without_secrets(value) if name in _ADDRESSES else text_of(value)


def _without_secrets(address: str) -> str:
    parts = urlsplit(address)
    host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    return f"{parts.scheme}://{host}{parts.path}" if address and (host or parts.path) else address
