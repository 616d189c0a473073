"""Pure decisions about certificates."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from crypto.errors import Finding
from crypto.profiles import SPECS, Profile
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Denied, Invalid, Reason

if TYPE_CHECKING:
    from oa_server.pki.models import Certificate

CRL_LIFE = timedelta(days=7)
CRL_RENEWAL = timedelta(days=1)

# Whom each kind of certificate is for. Those of services are made with the authority, and nobody asks for another.
PEOPLES = frozenset({Profile.SIGN_IN, Profile.SIGNING})
ORGANS = frozenset({Profile.SEAL})

# What the lists can say (RFC 5280, 5.3.1); what could be taken back (certificateHold) is not among it.
REVOCATION_REASONS = frozenset(
    {"unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"}
)

UNREADABLE = Reason("pki.unreadable", "证书无法读取", "The certificate cannot be read.")
UNKNOWN = Reason(
    "pki.unknown_certificate", "本系统没有登记该证书，请联系管理员", "The certificate is not registered here."
)
NOT_SYSTEM_ADMIN = Reason(
    "pki.not_system_admin", "只有系统管理员可以申请证书", "Only the system administrator requests certificates."
)
NOT_SECURITY_ADMIN = Reason(
    "pki.not_security_admin",
    "只有安全保密管理员可以审批和吊销证书",
    "Only the security administrator approves and revokes.",
)
SAME_PERSON = Reason(
    "pki.same_person", "申请人不能审批自己的申请", "Whoever requested a certificate does not approve it."
)
ALREADY_REVOKED = Reason("pki.already_revoked", "证书已吊销", "The certificate is already revoked.")
REQUEST_REFUSED = Reason("pki.request_refused", "证书申请不符合要求", "The certificate request is not acceptable.")
WRONG_SUBJECT = Reason(
    "pki.wrong_subject",
    "个人证书只发给人员，印章证书只发给机关",
    "People get certificates to sign in and to sign; organs get seals.",
)
UNKNOWN_REVOCATION = Reason(
    "pki.unknown_revocation_reason", "请选择规定的吊销原因", "Choose one of the reasons for revoking."
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
        raise Denied(CHAIN_REASONS[gravest.code], **gravest.facts)


def check_not_revoked(certificate: Certificate) -> None:
    """The register knows of a revocation before the next list says so. Raises Denied."""
    if certificate.state == "revoked":
        raise Denied(CHAIN_REASONS["chain.revoked"])


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


def check_approval(requested_by: UUID | None, actor: Actor) -> None:
    """Two people: one asks, another approves. Raises Denied when they are the same."""
    if requested_by is not None and requested_by == actor.official_id:
        raise Denied(SAME_PERSON)


def abilities(actor: Actor, certificate: Certificate | None = None) -> list[Ability]:
    """What `actor` may do with certificates."""
    requests = None if actor.is_system or actor.has(Role.SYSTEM_ADMIN) else NOT_SYSTEM_ADMIN
    approves = None if actor.is_system or actor.has(Role.SECURITY_ADMIN) else NOT_SECURITY_ADMIN
    revoked = ALREADY_REVOKED if certificate is not None and certificate.state == "revoked" else None
    return [Ability("request", requests), Ability("approve", approves), Ability("revoke", approves or revoked)]


def check(actor: Actor, verb: str, certificate: Certificate | None = None) -> None:
    """Refuse a verb that is not open to the actor. Raises Denied saying why."""
    next(a for a in abilities(actor, certificate) if a.verb == verb).check()


def lasting(profile: Profile) -> timedelta:
    """How long a new certificate lasts: its profile's limit."""
    return SPECS[profile].life
