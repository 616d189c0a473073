"""Pure decisions about certificates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from crypto.errors import Finding
from crypto.profiles import SPECS, Profile
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Conflict, Denied, Invalid, Reason

if TYPE_CHECKING:
    from oa_server.pki.models import Certificate, CertificateRequest, CertifiedKey


class Light(StrEnum):
    """期限灯: how soon a certificate runs out."""

    NONE = "none"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"
    OUT = "out"


class Stage(StrEnum):
    """办证进度: how far the keys of an official have come, from the one that is furthest behind."""

    NO_DEVICE = "no_device"
    NO_KEYS = "no_keys"
    PENDING = "pending"
    ISSUED = "issued"
    WRITTEN = "written"
    HANDED_OVER = "handed_over"


CRL_LIFE = timedelta(days=7)
CRL_RENEWAL = timedelta(days=1)
OCSP_LIFE = timedelta(hours=1)
OCSP_KEPT = timedelta(minutes=5)

# Whom each kind of certificate is for. Those of services are made with the authority, and nobody asks for another.
PEOPLES = frozenset({Profile.SIGN_IN, Profile.SIGNING})
ORGANS = frozenset({Profile.SEAL})

# What the lists can say (RFC 5280, 5.3.1). What could be taken back is not among it: suspending is a verb of its own.
REVOCATION_REASONS = frozenset(
    {"unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"}
)
SUSPENDED = "certificateHold"

# The words of lists that leave the system as files.
PROFILE_WORDS = {"sign-in": "登录", "signing": "签名", "seal": "印章"}
CERTIFICATE_WORDS = {"good": "有效", "suspended": "已暂停", "revoked": "已吊销"}
DEVICE_KIND_WORDS = {"token": "USB密钥", "software": "软件密钥"}
DEVICE_WORDS = {
    "registered": "在库",
    "handed_over": "已发放",
    "returned": "已交回",
    "unlocked": "已发放（解锁过）",
    "lost": "已挂失",
    "retired": "已报废",
}

STAGE_WORDS = {
    "no_device": "未发介质",
    "no_keys": "待制证",
    "pending": "待审批",
    "issued": "待写入",
    "written": "待发放",
    "handed_over": "已发放",
}

# When a certificate's light turns on, by the days that it still lasts, and into which colour.
LIGHTS = ((7, Light.RED), (30, Light.ORANGE), (60, Light.YELLOW))
ISSUING_PATIENCE = timedelta(minutes=1)  # An approved request that is this old has lost whoever was having it issued.

UNREADABLE = Reason("pki.unreadable", "证书无法读取", "The certificate cannot be read.")
UNKNOWN = Reason(
    "pki.unknown_certificate", "本系统没有登记该证书，请联系管理员", "The certificate is not registered here."
)
NOT_SYSTEM_ADMIN = Reason(
    "pki.not_system_admin",
    "只有系统管理员可以申请证书、管理介质",
    "Only the system administrator requests certificates and keeps devices.",
)
NOT_SECURITY_ADMIN = Reason(
    "pki.not_security_admin",
    "只有安全保密管理员可以审批、暂停和吊销证书",
    "Only the security administrator approves, suspends and revokes.",
)
NOT_PKI_ADMIN = Reason(
    "pki.not_pki_admin",
    "只有系统管理员和安全保密管理员可以查看证书和介质台账",
    "Only the system and the security administrator see the register of certificates and devices.",
)
SAME_PERSON = Reason(
    "pki.same_person", "申请人不能审批自己的申请", "Whoever requested a certificate does not approve it."
)
ALREADY_REVOKED = Reason("pki.already_revoked", "证书已吊销", "The certificate is already revoked.")
NOT_GOOD = Reason("pki.not_good", "证书已暂停或吊销", "The certificate is suspended or revoked.")
NOT_SUSPENDED = Reason("pki.not_suspended", "证书没有暂停", "The certificate is not suspended.")
REQUEST_REFUSED = Reason("pki.request_refused", "证书申请不符合要求", "The certificate request is not acceptable.")
NOT_PENDING = Reason("pki.not_pending", "该申请已经处理过了", "The request has been dealt with already.")
NOT_ISSUED = Reason(
    "pki.not_issued", "证书尚未签发，或已经写入介质", "The certificate is not issued, or installed already."
)
KEY_TAKEN = Reason(
    "pki.key_taken",
    "该密钥已经为其他人或其他用途签发过证书，请在介质上重新生成密钥",
    "A certificate was issued for this key to somebody else or for another use; generate a new key.",
)
NOTHING_TO_REPLACE = Reason(
    "pki.nothing_to_replace",
    "请选择该持有人同一用途的原证书",
    "Choose the certificate of this holder and use that is to be replaced.",
)
SAME_KEY = Reason(
    "pki.same_key",
    "续期应使用原密钥，换钥和补办应使用新生成的密钥",
    "A renewal keeps the key; re-keying and replacing need a new one.",
)
NOT_THEIR_DEVICE = Reason(
    "pki.not_their_device", "该介质登记在其他人名下，或已挂失、报废", "The device is somebody else's, lost or retired."
)
LABEL_TAKEN = Reason("pki.label_taken", "该介质编号已经登记", "A device with this number is registered already.")
DEVICE_STATE = Reason(
    "pki.device_state", "介质目前的状态不允许此操作", "The device's present state does not allow this."
)
WRONG_SUBJECT = Reason(
    "pki.wrong_subject",
    "个人证书只发给人员，印章证书只发给机关",
    "People get certificates to sign in and to sign; organs get seals.",
)
UNKNOWN_REVOCATION = Reason(
    "pki.unknown_revocation_reason", "请选择规定的吊销原因", "Choose one of the reasons for revoking."
)
CONSOLE_ENROLS_ADMINS = Reason(
    "pki.console_enrols_admins",
    "登记码只能在服务器上用命令行发给三类管理员",
    "Codes are given at the server's console, to its three administrators.",
)
NO_ENROLMENT = Reason(
    "pki.no_enrolment",
    "登记码无效、已用完或已过期（24小时），请在服务器上重新生成",
    "The code is wrong, used or over a day old; have another made at the server.",
)
TOO_MANY_KEYS = Reason(
    "pki.too_many_keys",
    "生成密钥的次数过多，请在服务器上重新生成登记码",
    "Too many keys were tried; have another code made at the server.",
)
NO_ROLL = Reason(
    "pki.no_roll",
    "表格中没有“人员编号”和“介质编号”两列，请从本页下载名册填写",
    "The sheet lacks the columns of staff and device numbers; fill in the one that this page gives.",
)
ROLL_TOO_LONG = Reason("pki.roll_too_long", "名册过长，请分几次导入", "The sheet is too long; bring it in parts.")
NOT_IN_ORGAN = Reason(
    "pki.not_in_organ", "本单位没有这个编号的在职人员", "Nobody with this staff number works in this organ."
)
OTHER_NAME = Reason(
    "pki.other_name", "姓名与人员库不一致，请核对编号", "The directory has another name; check the staff number."
)
TWICE_IN_SHEET = Reason(
    "pki.twice_in_sheet", "人员或介质编号在表中重复", "The person or the device stands in the sheet twice."
)
BAD_LABEL = Reason(
    "pki.bad_label",
    "介质编号应为1至64个可见字符，不能是公式",
    "A device number has 1 to 64 visible characters and is no formula.",
)
UNKNOWN_KIND = Reason(
    "pki.unknown_kind",
    "介质类型应填“USB密钥”或“软件密钥”",
    "The kind of a device is one of the two that the sheet names.",
)
LISTS_BUSY = Reason(
    "pki.lists_busy", "吊销列表正在更新，请稍后重试", "The revocation lists are being renewed; try again."
)

# Refusals of the chain check, in the words of whoever holds the key.
CHAIN_REASONS = {
    code: Reason(f"pki.{code.removeprefix('chain.')}", zh, en)
    for code, zh, en in (
        ("chain.expired", "您的证书已过期，请联系管理员更换", "Your certificate has expired."),
        ("chain.not_yet_valid", "您的证书尚未生效", "Your certificate is not valid yet."),
        ("chain.revoked", "您的证书已被吊销，请联系管理员", "Your certificate has been revoked."),
        (
            "chain.unknown_issuer",
            "证书不是由本系统信任的机构签发的",
            "The certificate was issued by an unknown authority.",
        ),
        ("chain.untrusted", "证书链不能到达本系统信任的根", "The certificate does not reach a trusted root."),
        ("chain.bad_signature", "证书是伪造的：签发签名不成立", "The certificate is forged."),
        ("chain.wrong_profile", "该证书的用途与此操作不符，请选择正确的证书", "This certificate is not for this use."),
        ("chain.weak_key", "证书的密钥强度不足", "The certificate's key is too weak."),
        ("chain.suspended", "您的证书已暂停使用，请联系管理员", "Your certificate is suspended."),
        (
            "chain.crl_missing",
            "暂时无法确认证书是否有效（缺少吊销列表）",
            "The certificate's status cannot be confirmed.",
        ),
        (
            "chain.crl_stale",
            "暂时无法确认证书是否有效（吊销列表过期）",
            "The certificate's status cannot be confirmed.",
        ),
    )
}


def check_findings(findings: tuple[Finding, ...]) -> None:
    """Refuse a certificate with findings. Raises Denied naming the gravest: that it was revoked, else the first."""
    if findings:
        gravest = next((f for f in findings if f.code == "chain.revoked"), findings[0])
        held = gravest.code == "chain.revoked" and gravest.facts.get("reason") == SUSPENDED
        raise Denied(CHAIN_REASONS["chain.suspended" if held else gravest.code], **gravest.facts)


def check_not_revoked(certificate: Certificate) -> None:
    """The register knows of a revocation before the next list says so. Raises Denied."""
    if certificate.state != "good":
        raise Denied(CHAIN_REASONS[f"chain.{certificate.state}"])


def check_subject(profile: Profile, *, official_id: UUID | None, organ_id: UUID | None) -> None:
    """A certificate is one official's or one organ's, and of a kind that is for them. Raises Invalid."""
    for_person = profile in PEOPLES and official_id is not None and organ_id is None
    for_organ = profile in ORGANS and organ_id is not None and official_id is None
    if not (for_person or for_organ):
        raise Invalid(WRONG_SUBJECT, profile=profile)


def check_revocation(reason: str) -> None:
    """A reason that no list can hold would stop every list after it. Raises Invalid."""
    if reason not in REVOCATION_REASONS:
        raise Invalid(UNKNOWN_REVOCATION, reason=reason)


def check_key(known: CertifiedKey | None, request: CertificateRequest) -> None:
    """One holder and one use for a key, for ever. Raises Conflict."""
    if known is not None and (known.profile, known.official_id, known.organ_id) != (
        request.profile,
        request.official_id,
        request.organ_id,
    ):
        raise Conflict(KEY_TAKEN)


def check_replacing(kind: str, old: Certificate | None, request: CertificateRequest, *, same_key: bool) -> None:
    """What renews, re-keys or replaces names a certificate of the same holder and use; only a renewal keeps the key.

    Raises Invalid.
    """
    if kind == "first":
        if old is not None:
            raise Invalid(NOTHING_TO_REPLACE)
        return
    if old is None or (old.profile, old.official_id, old.organ_id) != (
        request.profile,
        request.official_id,
        request.organ_id,
    ):
        raise Invalid(NOTHING_TO_REPLACE)
    if (kind == "renewal") != same_key:
        raise Invalid(SAME_KEY)


# What may become of a device, by what became of it last.
DEVICE_VERBS: dict[str, frozenset[str]] = {
    "registered": frozenset({"handed_over", "retired", "lost"}),
    "handed_over": frozenset({"returned", "unlocked", "lost"}),
    "unlocked": frozenset({"returned", "unlocked", "lost"}),
    "returned": frozenset({"handed_over", "retired", "lost"}),
    "lost": frozenset({"returned", "retired"}),
    "retired": frozenset(),
}


# A key in one of these is no key to wait for.
USELESS_DEVICES = frozenset({"lost", "retired"})


def check_device_verb(state: str, verb: str) -> None:
    """Raises Conflict when a device in this state cannot do that."""
    if verb not in DEVICE_VERBS[state]:
        raise Conflict(DEVICE_STATE, state=state, verb=verb)


_KEY_STAGES = {
    "pending": Stage.PENDING,
    "approved": Stage.PENDING,
    "issued": Stage.ISSUED,
    "installed": Stage.WRITTEN,
}


def key_stage(request: CertificateRequest | None, *, has_certificate: bool) -> Stage:
    """How far one key in a device has come; what was refused counts as never asked for."""
    stage = _KEY_STAGES.get(request.state) if request is not None else None
    return stage or (Stage.WRITTEN if has_certificate else Stage.NO_KEYS)


def stage(device_state: str | None, keys: Iterable[Stage]) -> Stage:
    """How far an official has come who has a device in this state, or none, with these keys."""
    if device_state is None:
        return Stage.NO_DEVICE
    furthest_behind = min(keys, key=list(Stage).index)
    is_out = furthest_behind == Stage.WRITTEN and device_state in {"handed_over", "unlocked"}
    return Stage.HANDED_OVER if is_out else furthest_behind


def light(certificate: Certificate, at: datetime) -> Light:
    """How urgent it is to replace a certificate; one that is revoked has no light."""
    if certificate.state == "revoked":
        return Light.NONE
    left = certificate.not_after - at
    if left <= timedelta(0):
        return Light.OUT
    return next((colour for days, colour in LIGHTS if left <= timedelta(days=days)), Light.NONE)


def check_approval(requested_by: UUID | None, actor: Actor) -> None:
    """Two people: one asks, another approves. Raises Denied when they are the same."""
    if requested_by is not None and requested_by == actor.official_id:
        raise Denied(SAME_PERSON)


def check_reads(actor: Actor) -> None:
    """Who keeps the register sees it; the auditor reads of it in the log. Raises Denied."""
    if not (actor.is_system or actor.roles & {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN}):
        raise Denied(NOT_PKI_ADMIN)


def abilities(actor: Actor, certificate: Certificate | None = None) -> list[Ability]:
    """What `actor` may do with certificates: one administrator asks and hands out, another approves and takes back."""
    asks = None if actor.is_system or actor.has(Role.SYSTEM_ADMIN) else NOT_SYSTEM_ADMIN
    approves = None if actor.is_system or actor.has(Role.SECURITY_ADMIN) else NOT_SECURITY_ADMIN
    state = certificate.state if certificate is not None else None
    return [
        Ability("request", asks),
        Ability("install", asks),
        Ability("keep_devices", asks),
        Ability("approve", approves),
        Ability("refuse", approves),
        Ability("revoke", approves or (ALREADY_REVOKED if state == "revoked" else None)),
        Ability("suspend", approves or (NOT_GOOD if state in {"suspended", "revoked"} else None)),
        Ability("resume", approves or (NOT_SUSPENDED if state in {"good", "revoked"} else None)),
    ]


def request_abilities(actor: Actor, request: CertificateRequest) -> list[Ability]:
    """What `actor` may do with a request as it stands."""
    denied = {ability.verb: ability.denied for ability in abilities(actor)}
    is_own = request.requested_by is not None and request.requested_by == actor.official_id
    decided = NOT_PENDING if request.state != "pending" else None
    return [
        Ability("approve", denied["approve"] or (SAME_PERSON if is_own else None) or decided),
        Ability("refuse", denied["approve"] or decided),
        Ability("install", denied["install"] or (NOT_ISSUED if request.state != "issued" else None)),
    ]


def device_abilities(actor: Actor, state: str) -> list[Ability]:
    """What `actor` may enter about a device in this state."""
    keeps = next(ability.denied for ability in abilities(actor) if ability.verb == "keep_devices")
    verbs = ("handed_over", "returned", "unlocked", "lost", "retired")
    return [Ability(verb, keeps or (None if verb in DEVICE_VERBS[state] else DEVICE_STATE)) for verb in verbs]


def check(actor: Actor, verb: str, certificate: Certificate | None = None) -> None:
    """Refuse a verb that is not open to the actor. Raises Denied saying why."""
    next(a for a in abilities(actor, certificate) if a.verb == verb).check()


def lasting(profile: Profile) -> timedelta:
    """How long a new certificate lasts: its profile's limit."""
    return SPECS[profile].life
