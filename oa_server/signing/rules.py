"""Pure decisions about signatures and seals."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from crypto.profiles import Profile
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Conflict, Denied, Gone, NotFound, Reason

if TYPE_CHECKING:
    from oa_server.core.ports import Holder
    from oa_server.pki.models import Certificate
    from oa_server.signing.models import Seal, SignatureRequest

REQUEST_LIFE = timedelta(minutes=10)
REQUEST_KEPT = timedelta(hours=1)  # so that who comes late, or twice, is told so

NO_REQUEST = Reason("signing.no_request", "签名请求不存在，请重新发起", "There is no such request; start again.")
REQUEST_USED = Reason(
    "signing.request_used", "签名请求已使用过，请重新发起", "The request was already used; start again."
)
REQUEST_EXPIRED = Reason(
    "signing.request_expired", "签名请求已过期，请重新发起", "The request has expired; start again."
)
OTHER_PURPOSE = Reason("signing.other_purpose", "签名不是为此操作所作", "The signature was made for another act.")
NOT_YOUR_CERTIFICATE = Reason(
    "signing.not_your_certificate", "证书的持有人不是您本人，请更换证书", "The certificate is not yours."
)
NOT_ORGANS_SEAL = Reason("signing.not_organs_seal", "所选证书不是本机关的印章证书", "It is not the seal of the organ.")
NO_SEAL = Reason("signing.no_seal", "本机关没有可用的印章", "The organ has no seal in use.")
NOT_SECURITY_ADMIN = Reason(
    "signing.not_security_admin", "只有安全保密管理员可以登记印章", "Only the security administrator registers seals."
)
WRONG_SIGNATURE = Reason(
    "signing.wrong_signature", "签名与内容不符，操作未生效", "The signature does not fit; nothing was changed."
)


def check_request(
    request: SignatureRequest | None, actor: Actor, purpose: str, subject_id: UUID, at: datetime
) -> SignatureRequest:
    """The request, if it is good for this act. Raises NotFound when it is unknown or another's, Gone when expired, and Conflict
    when used or made for something else."""
    if request is None or request.official_id != actor.official_id:
        raise NotFound(NO_REQUEST)
    if request.used_at is not None:
        raise Conflict(REQUEST_USED)
    if request.expires_at <= at:
        raise Gone(REQUEST_EXPIRED)
    if request.purpose != purpose or request.subject_id != subject_id:
        raise Conflict(OTHER_PURPOSE)
    return request


def check_own(holder: Holder, actor: Actor) -> None:
    """A person signs with a certificate of their own. Raises Denied."""
    if holder.official_id is None or holder.official_id != actor.official_id:
        raise Denied(NOT_YOUR_CERTIFICATE)


def check_seal(holder: Holder, seal: Seal | None) -> Seal:
    """An organ's document is sealed with `seal`, which that organ has in use. Raises Denied."""
    if seal is None:
        raise Denied(NO_SEAL)
    if holder.organ_id != seal.organ_id or holder.serial != seal.certificate_serial:
        raise Denied(NOT_ORGANS_SEAL)
    return seal


def check_seal_certificate(certificate: Certificate, organ_id: UUID) -> None:
    """A seal rests on a seal certificate of its own organ. Raises Denied."""
    if certificate.profile != Profile.SEAL or certificate.organ_id != organ_id:
        raise Denied(NOT_ORGANS_SEAL)


def abilities(actor: Actor) -> list[Ability]:
    """What `actor` may do with seals."""
    registers = actor.is_system or actor.has(Role.SECURITY_ADMIN)
    return [Ability("register_seal", None if registers else NOT_SECURITY_ADMIN)]


def check(actor: Actor, verb: str) -> None:
    """Refuse a verb that is not open to the actor. Raises Denied saying why."""
    next(a for a in abilities(actor) if a.verb == verb).check()
