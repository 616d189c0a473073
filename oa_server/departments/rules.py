"""Pure decisions about webhooks: whose business they are, and which addresses a server of ours ever calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, urlsplit

from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Denied, Invalid, Reason

if TYPE_CHECKING:
    from oa_server.departments.models import Delivery, Webhook

BAD_URL = Reason(
    "departments.bad_url",
    "推送地址应为 https://主机名[:端口]/路径，不带用户名、参数和锚点",
    "A webhook is https://host[:port]/path without user, query or fragment.",
)
BAD_ADDRESS = Reason(
    "departments.bad_address",
    "请登记接收服务器的 IP 地址（1 至 8 个）；本机、链路本地、组播等地址不能登记",
    "Register one to eight IP addresses of the receiver; loopback, link-local and multicast are refused.",
)
NOT_SYSTEM_ADMIN = Reason(
    "departments.not_system_admin",
    "只有系统管理员可以登记推送地址",
    "Only the system administrator registers webhooks.",
)
NOT_SECURITY_ADMIN = Reason(
    "departments.not_security_admin",
    "只有安全保密管理员可以批准、停用推送地址",
    "Only the security administrator lets webhooks in and stops them.",
)
NOT_ADMIN = Reason(
    "departments.not_admin",
    "只有系统管理员和安全保密管理员可以查看推送地址",
    "Only the system and the security administrator see webhooks.",
)
OWN_WEBHOOK = Reason(
    "departments.own_webhook", "登记人不能批准自己登记的推送地址", "Whoever registered a webhook does not approve it."
)
WEBHOOK_STATE = Reason(
    "departments.webhook_state", "推送地址目前的状态不允许此操作", "The webhook's present state does not allow this."
)

# After each refusal the next attempt waits longer (Standard Webhooks, "retry schedule"); after the last one nobody is asked any
# more until an administrator says so.
SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
ADDRESS_LIMIT = 8
VERBS = {"approve": ("pending", "active"), "disable": ("active", "disabled"), "enable": ("disabled", "active")}


def check_url(url: str, *, trial: bool) -> SplitResult:
    """A webhook's address. On a trial on loopback plain http is allowed. Raises Invalid."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(BAD_URL, str(error)) from error
    schemes = {"https", "http"} if trial else {"https"}
    extras = parts.username or parts.password or parts.query or parts.fragment or port == 0
    if parts.scheme not in schemes or not parts.hostname or extras or not url.isascii() or not parts.path:
        raise Invalid(BAD_URL)
    return parts


def check_addresses(addresses: Sequence[str], *, trial: bool) -> list[str]:
    """The addresses by which alone a webhook is reached, in their one spelling. Raises Invalid for one that would lead back
    into this machine or to nobody's in particular."""
    try:
        found = [ip_address(text) for text in addresses]
    except ValueError as error:
        raise Invalid(BAD_ADDRESS, str(error)) from error
    if not 1 <= len(found) <= ADDRESS_LIMIT or any(_leads_astray(one, trial=trial) for one in found):
        raise Invalid(BAD_ADDRESS)
    return [str(one) for one in found]


def _leads_astray(address: IPv4Address | IPv6Address, *, trial: bool) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if mapped is not None:
        return True  # Such a spelling has no purpose but to hide another.
    if address.is_loopback:
        return not trial
    return address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved


def abilities(actor: Actor, webhook: Webhook | None = None) -> list[Ability]:
    """What `actor` may do with a system's webhook."""
    registers = None if actor.is_system or actor.has(Role.SYSTEM_ADMIN) else NOT_SYSTEM_ADMIN
    decides = None if actor.is_system or actor.has(Role.SECURITY_ADMIN) else NOT_SECURITY_ADMIN
    is_own = webhook is not None and webhook.registered_by is not None and webhook.registered_by == actor.official_id
    state = webhook.state if webhook is not None else None
    return [
        Ability("register", registers),
        Ability("replay", registers),
        *(
            Ability(
                verb,
                decides
                or (OWN_WEBHOOK if is_own and verb == "approve" else None)
                or (None if state in {before, None} else WEBHOOK_STATE),
            )
            for verb, (before, _after) in VERBS.items()
        ),
    ]


def check(actor: Actor, verb: str, webhook: Webhook | None = None) -> None:
    """Refuse a verb that is not open to the actor. Raises Denied saying why."""
    next(ability for ability in abilities(actor, webhook) if ability.verb == verb).check()


def delivery_state(sequence: int, delivery: Delivery | None) -> Literal["taken", "retried", "waiting", "kept"]:
    """How an event stands with its webhook; without one it is kept for who asks."""
    if delivery is None:
        return "kept"
    if sequence <= delivery.delivered:
        return "taken"
    return "retried" if sequence == delivery.delivered + 1 and delivery.attempts else "waiting"


def check_reads(actor: Actor) -> None:
    """Raises Denied for whoever has no business with webhooks."""
    if not (actor.is_system or actor.roles & {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN}):
        raise Denied(NOT_ADMIN)
