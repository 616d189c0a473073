"""Pure decisions about signatures and seals."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from crypto.profiles import Profile
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Conflict, Denied, Gone, Invalid, NotFound, Reason

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
NO_SEAL_READER = Reason(
    "signing.no_seal_reader",
    "只有系统管理员、安全保密管理员和本机关的印章管理员可以查看印章",
    "The system and the security administrator see seals, and the organ's own seal keepers.",
)
NO_USE_READER = Reason(
    "signing.no_use_reader",
    "只有安全保密管理员、安全审计员和持有人本人可以查看证书的使用记录",
    "The security administrator, the auditor and the holder see what a certificate was used for.",
)
BAD_IMAGE = Reason(
    "signing.bad_image",
    "印章图像应为 PNG 格式，宽高均为 60 至 4000 像素、比例相同，不超过 1 MB",
    "A seal's image is a square PNG of 60 to 4000 pixels and at most 1 MB.",
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


def sees_every_seal(actor: Actor) -> bool:
    """Whether the seals of all organs concern the actor."""
    return actor.is_system or bool(actor.roles & {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN})


def check_sees_seals(actor: Actor) -> None:
    """Raises Denied for whoever has no business with any seal."""
    if not (sees_every_seal(actor) or actor.has(Role.SEAL_KEEPER)):
        raise Denied(NO_SEAL_READER)


def check_sees_uses(actor: Actor, certificate: Certificate) -> None:
    """What a certificate was used for is told to who watches over it and to its holder: for a seal, the organ's keepers.

    Raises Denied.
    """
    is_watcher = actor.is_system or actor.roles & {Role.SECURITY_ADMIN, Role.AUDIT_ADMIN}
    is_own = certificate.official_id is not None and certificate.official_id == actor.official_id
    keeps = certificate.organ_id is not None and actor.has(Role.SEAL_KEEPER) and certificate.organ_id == actor.organ_id
    if not (is_watcher or is_own or keeps):
        raise Denied(NO_USE_READER)


SEAL_WORDS = {"in_use": "在用", "withdrawn": "已停用"}
PNG = b"\x89PNG\r\n\x1a\n"
IMAGE_LIMIT = 1024 * 1024
IMAGE_EDGE = range(60, 4001)


def check_image(image: bytes) -> None:
    """A seal is round, so its image is as wide as it is high; both stand in the first chunk (PNG, 11.2.2). Raises Invalid."""
    width, height = (int.from_bytes(image[at : at + 4]) for at in (16, 20))
    if image[:8] != PNG or len(image) > IMAGE_LIMIT or width != height or width not in IMAGE_EDGE:
        raise Invalid(BAD_IMAGE)


def abilities(actor: Actor) -> list[Ability]:
    """What `actor` may do with seals."""
    registers = actor.is_system or actor.has(Role.SECURITY_ADMIN)
    return [Ability("register_seal", None if registers else NOT_SECURITY_ADMIN)]


def check(actor: Actor, verb: str) -> None:
    """Refuse a verb that is not open to the actor. Raises Denied saying why."""
    next(a for a in abilities(actor) if a.verb == verb).check()
