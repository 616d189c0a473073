"""Pure decisions about sign-in, sessions and the directory."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any
from uuid import UUID

from oa_server.core.actor import ADMIN_ROLES, Actor, Role
from oa_server.core.errors import Ability, Denied, Invalid, NotSignedIn, Reason

if TYPE_CHECKING:
    from oa_server.identity.access import LiveSession
    from oa_server.identity.models import ApiClient, Challenge, RoleChange

CHALLENGE_LIFE = timedelta(seconds=60)
CHALLENGE_KEPT = timedelta(minutes=10)  # so that a late answer is told that it is late, and not that it is wrong
SEEN_EVERY = timedelta(seconds=30)
SESSIONS_KEPT = timedelta(
    days=1
)  # after they were over, so that a page that was left open is told how its session ended
DUTY_LONGEST = timedelta(days=7)

WRONG_CHALLENGE = Reason(
    "identity.wrong_challenge",
    "登录挑战无效，请重新点击登录",
    "The challenge is not one of ours; start signing in again.",
)
STALE_CHALLENGE = Reason(
    "identity.stale_challenge",
    "登录挑战已过期（60秒），请重新点击登录",
    "The challenge has expired; start signing in again.",
)
USED_CHALLENGE = Reason(
    "identity.used_challenge",
    "登录挑战已使用过，请重新点击登录",
    "The challenge was already used; start signing in again.",
)
WRONG_SIGNATURE = Reason(
    "identity.wrong_signature", "证书签名与登录挑战不符，登录未成功", "The signature does not answer the challenge."
)
NOT_AN_OFFICIAL = Reason(
    "identity.not_an_official", "该证书的持有人已停用或没有岗位，请联系系统管理员", "The holder has no active post."
)
WRONG_PLACE = Reason(
    "identity.wrong_place",
    "管理员只能在指定的管理终端上办理，请到管理终端上登录",
    "Administrators work from the networks that the settings name.",
)
NO_LONGER_AN_OFFICIAL = Reason(
    "identity.no_longer_an_official",
    "您已被停用或不再担任岗位，登录已结束，请联系系统管理员",
    "You no longer hold an active post.",
)
SESSION_ENDED = Reason("identity.session_ended", "登录已结束，请重新登录", "The session has ended; sign in again.")
SESSION_IDLE = Reason("identity.session_idle", "长时间未操作，已自动退出，请重新登录", "The session was idle too long.")
SESSION_EXPIRED = Reason(
    "identity.session_expired", "登录已超过时限，请重新登录", "The session is over its time limit."
)
SESSION_REVOKED = Reason(
    "identity.session_revoked",
    "您的证书已被吊销或暂停，登录已结束，请联系管理员",
    "The certificate was revoked or suspended.",
)
SESSION_CUT = Reason(
    "identity.session_cut", "您的登录已被管理员结束，请重新登录", "An administrator ended the session; sign in again."
)
KEY_REMOVED = Reason("identity.key_removed", "证书已拔出，登录已结束", "The key was pulled out.")
NOT_SYSTEM_ADMIN = Reason(
    "identity.not_system_admin",
    "只有系统管理员可以维护机关、人员和接入系统",
    "Only the system administrator keeps the directory and registers clients.",
)
NOT_SESSION_ADMIN = Reason(
    "identity.not_session_admin",
    "只有系统管理员和安全保密管理员可以查看在线会话和接入系统",
    "Only the system and the security administrator see who is signed in and which systems are let in.",
)
NOT_SECURITY_ADMIN = Reason(
    "identity.not_security_admin",
    "只有安全保密管理员可以结束他人的登录、审批和暂停接入系统",
    "Only the security administrator ends sessions of others, and lets systems in.",
)
ONE_ADMIN_ROLE = Reason(
    "identity.one_admin_role",
    "系统、安全、审计三类管理员必须由不同的人担任，且不得兼任业务职责",
    "The three administrators are three different people without business roles.",
)
ADMINS_AT_THE_CONSOLE = Reason(
    "identity.admins_at_the_console",
    "管理员职责只能在服务器上用命令行授予",
    "Administrators are appointed on the server's command line only.",
)

KEPT_AT_THE_CONSOLE = Reason(
    "identity.kept_at_the_console",
    "管理员的停用、岗位和职责只能在服务器上用命令行变更",
    "Administrators are retired and moved on the server's command line only.",
)
NOT_ROLE_ADMIN = Reason(
    "identity.not_role_admin",
    "职责只能由安全保密管理员提出授予和收回",
    "Only the security administrator proposes and takes back roles.",
)
NOT_ROLE_DECIDER = Reason(
    "identity.not_role_decider",
    "职责授予由系统管理员或安全保密管理员复核",
    "Roles are confirmed by the system or the security administrator.",
)
OWN_PROPOSAL = Reason(
    "identity.own_proposal", "提出人不能复核自己提出的职责", "Whoever proposed a role does not confirm it."
)
NOT_PROPOSER = Reason("identity.not_proposer", "只有提出人可以撤回", "Only who proposed a role withdraws it.")
TAKES_SECURITY = Reason(
    "identity.takes_security",
    "系统管理员提出的职责须由安全保密管理员复核",
    "A role that the system administrator proposed is confirmed by the security administrator.",
)
ROLE_DECIDED = Reason("identity.role_decided", "该职责已经复核或撤回", "The proposal has been dealt with already.")
ROLE_HELD = Reason(
    "identity.role_held", "该人员已有此职责，或已在复核中", "They hold this role already, or it is being confirmed."
)
CODE_TAKEN = Reason("identity.code_taken", "该代码或名称已经存在", "This code or name is taken.")
CIRCLE = Reason("identity.circle", "上级机关形成循环", "The organ would be its own superior.")
BAD_WORDS = Reason(
    "identity.bad_words",
    "文字中有不可见字符或特殊空格，或以等号开头，请重新输入",
    "The text holds invisible characters or unusual spaces, or begins like a formula.",
)
IN_USE = Reason(
    "identity.in_use",
    "其下还有在用的机关、部门、人员或接入系统，请先处理",
    "Organs, units, people or systems in use still belong to it.",
)
RETIRED = Reason("identity.retired", "该机关、部门或人员已停用", "It is retired.")
NOT_RETIRED = Reason("identity.not_retired", "没有停用", "It is not retired.")
LAST_POST = Reason(
    "identity.last_post", "这是该人员的最后一个岗位；离任请停用该人员", "It is their last post; retire them instead."
)
ROLES_THERE = Reason(
    "identity.roles_there", "该岗位上还有职责，请先由安全保密管理员收回", "They still hold roles in that unit."
)
BAD_SUCCESSOR = Reason(
    "identity.bad_successor", "接办人须是其他在岗人员", "The successor must be somebody else who is active."
)
OWN_RETIREMENT = Reason("identity.own_retirement", "不能停用自己", "Nobody retires themselves.")
NOT_DUTY_KEEPER = Reason(
    "identity.not_duty_keeper",
    "值班表由系统管理员和本机关的机要文书维护",
    "Rosters are kept by the system administrator and by the organ's own clerks.",
)
DUTY_OVERLAP = Reason(
    "identity.duty_overlap", "该人员在这段时间已有值班安排", "They are on duty already during that time."
)
DUTY_TIME = Reason(
    "identity.duty_time", "值班结束时间须晚于开始时间，且不超过7天", "A duty ends after it begins, within seven days."
)
DUTY_ELSEWHERE = Reason(
    "identity.duty_elsewhere", "值班人员须在该机关任职", "Who is on duty must hold a post in that organ."
)
ROSTER_TOO_LONG = Reason(
    "identity.roster_too_long", "请选择不超过两个月的一段日期", "Choose a stretch of at most two months."
)
DIFFERENCE_CHANGED = Reason(
    "identity.difference_changed",
    "文件或组织机构在预览之后有变化，未导入；请核对新的差异",
    "The file or the directory has changed since; nothing was imported. Look at the new difference.",
)

BAD_CLIENT = Reason(
    "identity.bad_client",
    "接入系统未登记、未获批准或已暂停，请联系管理员",
    "The client is not registered, not approved, or suspended.",
)
NO_CREDENTIALS = Reason(
    "identity.no_credentials",
    "请用已登记证书的私钥签发断言（private_key_jwt），或以该证书建立双向TLS连接",
    "Sign in with an assertion under the registered key, or over TLS with the registered certificate.",
)
USED_ASSERTION = Reason(
    "identity.used_assertion", "系统身份断言已使用过，请重新签发", "The assertion was used before; make a new one."
)
OTHER_CERTIFICATE = Reason(
    "identity.other_certificate",
    "访问令牌与本次连接的证书不一致",
    "The token is bound to another certificate than this connection's.",
)
CERTIFICATE_OVER = Reason(
    "identity.certificate_over", "系统证书已过期，请更换登记的证书", "The client's certificate has run out."
)
UNKNOWN_GRANT = Reason(
    "identity.unknown_grant",
    "只支持 grant_type=client_credentials",
    "Use grant_type=client_credentials (RFC 6749, 4.4).",
)
UNKNOWN_SCOPE = Reason(
    "identity.unknown_scope", "申请的权限范围未获批准", "A scope was asked for that the client does not have."
)
CLIENT_TAKEN = Reason(
    "identity.client_taken", "系统代码或证书已经登记", "A client with this code or certificate is registered already."
)
WEAK_KEY = Reason("identity.weak_key", "系统证书的密钥强度不足", "The key of the client's certificate is too weak.")
CLIENT_STATE = Reason(
    "identity.client_state", "该系统目前的状态不允许此操作", "The client's present state does not allow this."
)
AMEND_STATE = Reason(
    "identity.amend_state",
    "已接入的系统不能直接更改，请先由安全保密管理员暂停",
    "A system that is let in is not changed; have it suspended first.",
)
CODE_STAYS = Reason(
    "identity.code_stays", "系统代码登记后不能更改，请另行登记", "A client keeps its code; register another."
)
NO_REASON = Reason("identity.no_reason", "请填写原因", "Say why.")
OWN_CLIENT = Reason(
    "identity.own_client", "登记人不能审批自己登记的系统", "Whoever registered a client does not approve it."
)
NOT_THERE = Reason("identity.not_there", "责任人不在该部门任职", "The responsible official holds no post in that unit.")

# What a department's system may be let in for.
SCOPES = {
    "directory:read": "查询机关目录",
    "documents:read": "查询本部门公文及签收情况",
    "documents:write": "起草、上传附件、送审",
    "incoming:read": "查询分办到本部门的收文",
    "events:read": "接收本部门公文的事件",
}

END_REASONS = {
    reason.code: reason
    for reason in (
        SESSION_ENDED,
        SESSION_IDLE,
        SESSION_EXPIRED,
        SESSION_REVOKED,
        SESSION_CUT,
        KEY_REMOVED,
        NO_LONGER_AN_OFFICIAL,
    )
}
# What a page may say of why it leaves; that a certificate was revoked, only its revocation says.
PAGE_REASONS = {reason.code for reason in (SESSION_ENDED, SESSION_IDLE, KEY_REMOVED)}


def check_challenge(challenge: Challenge | None, browser_sha256: str, at: datetime) -> None:
    """Refuse an answer to a challenge. Raises NotSignedIn when it is unknown, of another browser, used or stale."""
    if challenge is None or challenge.browser_sha256 != browser_sha256:
        raise NotSignedIn(WRONG_CHALLENGE)
    if challenge.used_at is not None:
        raise NotSignedIn(USED_CHALLENGE)
    if challenge.expires_at <= at:
        raise NotSignedIn(STALE_CHALLENGE)


def check_session(session: LiveSession | None, at: datetime, idle: timedelta, limit: timedelta) -> LiveSession:
    """The session, if it is live. Raises NotSignedIn when it is unknown, ended, over its limit or idle too long, or its
    official has left; the reason tells which. A limit that was shortened since it began counts too."""
    if session is None:
        raise NotSignedIn(SESSION_ENDED)
    if session.ended_at is not None:
        raise NotSignedIn(END_REASONS.get(session.end_reason or "", SESSION_ENDED))
    if min(session.expires_at, session.opened_at + limit) <= at:
        raise NotSignedIn(SESSION_EXPIRED)
    if session.seen_at + idle <= at:
        raise NotSignedIn(SESSION_IDLE)
    if not session.active or session.unit_id is None:
        raise NotSignedIn(NO_LONGER_AN_OFFICIAL)
    return session


def check_place(roles: AbstractSet[Role], address: str | None, networks: Sequence[IPv4Network | IPv6Network]) -> None:
    """Where networks are named, an administrator asks from one of them (GB/T 22239-2019, 8.1.4.4 c). Raises NotSignedIn."""
    if not networks or not roles & ADMIN_ROLES:
        return
    if address is None or not any(ip_address(address) in network for network in networks):
        raise NotSignedIn(WRONG_PLACE)


# Roles that an official holds for one unit: entered for another, they move there.
UNIT_ROLES = frozenset({Role.UNIT_HEAD})


def check_roles(roles: AbstractSet[Role], **facts: Any) -> None:
    """Separation of the three administrators (GB/T 22239-2019, 8.1.5): one admin role, and nothing besides. Raises Denied."""
    if roles & ADMIN_ROLES and len(roles) > 1:
        raise Denied(ONE_ADMIN_ROLE, roles=sorted(roles), **facts)


def check_grant(actor: Actor, roles: AbstractSet[Role]) -> None:
    """No administrator makes another: who made both could do alone what takes two. Raises Denied."""
    if roles & ADMIN_ROLES and not actor.is_system:
        raise Denied(ADMINS_AT_THE_CONSOLE, roles=sorted(roles & ADMIN_ROLES))


def check_ordinary(actor: Actor, roles: AbstractSet[Role]) -> None:
    """What disarms an administrator is done at the console, as appointing one is. Raises Denied."""
    if roles & ADMIN_ROLES and not actor.is_system:
        raise Denied(KEPT_AT_THE_CONSOLE)


def abilities(actor: Actor) -> list[Ability]:
    """What `actor` may do with the directory and with the sessions of others."""
    keeps = actor.is_system or actor.has(Role.SYSTEM_ADMIN)
    cuts = actor.is_system or actor.has(Role.SECURITY_ADMIN)
    return [
        Ability("import_directory", None if keeps else NOT_SYSTEM_ADMIN),
        Ability("keep_directory", None if keeps else NOT_SYSTEM_ADMIN),
        Ability("propose_role", None if cuts else NOT_ROLE_ADMIN),
        Ability("take_role", None if cuts else NOT_ROLE_ADMIN),
        Ability("see_roles", None if keeps or cuts else NOT_ROLE_DECIDER),
        Ability("see_sessions", None if keeps or cuts else NOT_SESSION_ADMIN),
        Ability("cut_session", None if cuts else NOT_SECURITY_ADMIN),
        Ability("register_client", None if keeps else NOT_SYSTEM_ADMIN),
        Ability("see_clients", None if keeps or cuts else NOT_SESSION_ADMIN),
        Ability("decide_client", None if cuts else NOT_SECURITY_ADMIN),
    ]


def organ_abilities(actor: Actor, organ_id: UUID) -> list[Ability]:
    """What `actor` may do in one organ of the directory."""
    clerk = actor.has(Role.CLERK) and actor.organ_id == organ_id and actor.client_id is None
    keeps = actor.is_system or actor.has(Role.SYSTEM_ADMIN)
    return [*abilities(actor), Ability("keep_duties", None if keeps or clerk else NOT_DUTY_KEEPER)]


def change_abilities(actor: Actor, change: RoleChange) -> list[Ability]:
    """What `actor` may decide about a proposed role: two people, of whom one at least keeps security."""
    decides = actor.is_system or bool(actor.roles & {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN})
    is_own = change.proposed_by == actor.official_id
    is_secured = Role.SECURITY_ADMIN in {change.proposed_as, *actor.roles} or actor.is_system
    denied = (None if decides else NOT_ROLE_DECIDER) or (ROLE_DECIDED if change.state != "pending" else None)
    return [
        Ability("confirm", denied or (OWN_PROPOSAL if is_own else None) or (None if is_secured else TAKES_SECURITY)),
        Ability("refuse", denied or (OWN_PROPOSAL if is_own else None)),
        Ability("withdraw", denied or (None if is_own else NOT_PROPOSER)),
    ]


def check_duty(starts_at: datetime, ends_at: datetime) -> None:
    """Raises Invalid for a duty that ends before it begins, or goes on for more than a week."""
    if not timedelta(0) < ends_at - starts_at <= DUTY_LONGEST:
        raise Invalid(DUTY_TIME)


# What may become of a system, by its state.
CLIENT_VERBS = {
    "approve": ("pending", "active"),
    "refuse": ("pending", "refused"),
    "suspend": ("active", "suspended"),
    "resume": ("suspended", "active"),
}


CLIENT_WORDS = {"pending": "待批准", "active": "已接入", "suspended": "已暂停", "refused": "已驳回"}


def client_abilities(actor: Actor, client: ApiClient) -> list[Ability]:
    """What `actor` may do with a system: decide nothing about one that they registered themselves."""
    denied = {ability.verb: ability.denied for ability in abilities(actor)}
    decides = denied["decide_client"]
    is_own = client.registered_by is not None and client.registered_by == actor.official_id
    return [
        Ability(verb, decides or (OWN_CLIENT if is_own else None) or (None if client.state == before else CLIENT_STATE))
        for verb, (before, _after) in CLIENT_VERBS.items()
    ] + [Ability("amend", denied["register_client"] or (AMEND_STATE if client.state == "active" else None))]


def check_amends(actor: Actor, client: ApiClient) -> None:
    """Raises Denied unless the actor may enter a system anew in its present state."""
    next(ability for ability in client_abilities(actor, client) if ability.verb == "amend").check()


def check_reasoned(verb: str, why: str) -> None:
    """Who turns a system away says why. Raises Invalid."""
    if verb in {"refuse", "suspend"} and not why.strip():
        raise Invalid(NO_REASON)


def check_client(client: ApiClient | None) -> ApiClient:
    """A system that is let in. Raises NotSignedIn, with one reason for all: who is nobody learns nothing of others."""
    if client is None or client.state != "active":
        raise NotSignedIn(BAD_CLIENT)
    return client


def check(actor: Actor, verb: str) -> None:
    """Refuse a verb that is not open to the actor. Raises Denied saying why."""
    next(ability for ability in abilities(actor) if ability.verb == verb).check()


def check_in_organ(actor: Actor, verb: str, organ_id: UUID) -> None:
    """Refuse a verb that is not open to the actor in this organ. Raises Denied saying why."""
    next(ability for ability in organ_abilities(actor, organ_id) if ability.verb == verb).check()
