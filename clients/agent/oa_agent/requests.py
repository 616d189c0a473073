"""What the server asks to have signed: a compact JWS (RFC 7515, ES256), read strictly, checked, and put into words.

The payload is `{aud: "oa-agent", exp, origin, title, lines, content, signed_attributes, digest}`: `content` is
base64 of canonical JSON, or null for a seal on a PDF, whose `digest` (hex) is given instead. The key signs the
signed attributes, and only after they were found to be over this content, or this digest, with this certificate
and nothing else.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from msgspec import Struct

from crypto.canonical import parse_canonical
from crypto.cms import check_signed_attributes
from crypto.errors import CryptoError
from crypto.profiles import Profile
from oa_agent.errors import (
    BAD_REQUEST,
    EXPIRED_REQUEST,
    FORGED_REQUEST,
    OTHER_AUDIENCE,
    REQUEST_ORIGIN,
    Refused,
    refused,
)
from oa_agent.protocol import unb64, unb64url
from oa_agent.trust import RequestKey, RequestKeys

AUDIENCE = "oa-agent"
KIND = "oa-signature-request"
REQUEST_LIMIT = 2 << 20  # the most that a server asks, five thousand main recipients and as many copies, takes half
ES256_BYTES = 64

# What people decide by, in the order it is read. Everything else in the content is digests and identifiers.
_LABELS = {
    "title": "标题",
    "doc_no": "发文字号",
    "decision": "决定",
    "text": "意见",
    "pages_sha256": "文件摘要",
    "sha256": "文件摘要",
}
_DECISIONS = {
    "agree": "同意",
    "return": "退回",
    "issue": "签发",
    "instruct": "批示",
    "handled": "办结",
    "signed_for": "签收",
    "refused": "拒收",
}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly these members: `crit`, `jwk`, `x5u` and their like are ways to bring one's own key."""

    alg: str
    typ: str
    kid: str


class _Claims(Struct, frozen=True):
    aud: str
    exp: int
    origin: str
    title: str
    lines: tuple[str, ...]
    signed_attributes: str
    content: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the person reads before entering the PIN."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignatureRequest:
    """A request of a server that we believe. Exactly one of `content` and `digest` is set."""

    shown: Shown
    attributes: bytes
    content: bytes | None
    digest: bytes | None
    expires_at: datetime
    key: RequestKey

    @property
    def usage(self) -> Profile:
        """Content is signed by a person's signing key; pages are sealed with a seal key."""
        return Profile.SIGNING if self.content is not None else Profile.SEAL

    def check_certificate(self, certificate: x509.Certificate) -> None:
        """Refuse attributes that are over other content than is shown, or name another certificate."""
        try:
            check_signed_attributes(self.attributes, certificate, content=self.content, digest=self.digest)
        except CryptoError as error:
            raise refused(error) from error

    def check_time(self) -> None:
        """Refuse a request whose time is over; asked again after the PIN, for a person may take long."""
        if self.expires_at <= datetime.now(UTC):
            raise Refused(EXPIRED_REQUEST)


def read_request(token: str, *, origin: str, keys: RequestKeys, offered: str | None) -> SignatureRequest:
    """The request in a compact JWS for a page of `origin`. Raises Refused."""
    header, payload, signature, signed = _take_apart(token)
    if header.alg != "ES256" or header.typ != KIND:
        raise Refused(BAD_REQUEST)
    key = keys.find(origin, header.kid, offered)
    _check_signature(key.public_key, signature, signed)
    claims = _claims(payload)
    if claims.aud != AUDIENCE:
        raise Refused(OTHER_AUDIENCE)
    if claims.origin != origin:
        raise Refused(REQUEST_ORIGIN)
    request = _build(claims, key)
    request.check_time()
    return request


def _take_apart(token: str) -> tuple[_Header, bytes, bytes, bytes]:
    if len(token) > REQUEST_LIMIT or not _COMPACT.fullmatch(token):
        raise Refused(BAD_REQUEST)
    header, payload, signature = (unb64url(part, BAD_REQUEST) for part in token.split("."))
    return _header(header), payload, signature, token.rpartition(".")[0].encode()


def _check_signature(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> None:
    """ES256 (RFC 7518, 3.4): r and s as two fixed-length numbers over ASCII of header and payload."""
    if len(signature) != ES256_BYTES:
        raise Refused(FORGED_REQUEST)
    half = ES256_BYTES // 2
    der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    try:
        key.verify(der, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise Refused(FORGED_REQUEST) from error


def _build(claims: _Claims, key: RequestKey) -> SignatureRequest:
    content = unb64(claims.content, BAD_REQUEST) if claims.content is not None else None
    digest = _unhex(claims.digest) if claims.digest is not None else None
    if (content is None) == (digest is None):
        raise Refused(BAD_REQUEST)
    try:
        expires_at = datetime.fromtimestamp(claims.exp, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise Refused(BAD_REQUEST) from error
    return SignatureRequest(
        shown=_words(claims, content),
        attributes=unb64(claims.signed_attributes, BAD_REQUEST),
        content=content,
        digest=digest,
        expires_at=expires_at,
        key=key,
    )


def _words(claims: _Claims, content: bytes | None) -> Shown:
    """What is shown: first what the content itself says, then what the server adds; for a seal, the digest."""
    said = [f"待用印文件摘要：{claims.digest}"] if content is None else _content_lines(content)
    values = {line.partition("：")[2] for line in said}
    added = [line for line in claims.lines if line not in said and line not in values]
    return Shown(visible(claims.title), tuple(visible(line) for line in (*said, *added)))


def _content_lines(content: bytes) -> list[str]:
    """The content's members that people decide by, in words. Raises Refused when it is not canonical JSON."""
    try:
        members = parse_canonical(content)
    except CryptoError as error:
        raise refused(error) from error
    if not isinstance(members, dict):
        raise Refused(BAD_REQUEST)
    if "decision" in members:
        members["decision"] = _DECISIONS.get(str(members["decision"]), members["decision"])
    lines = [f"{label}：{members[name]}" for name, label in _LABELS.items() if _is_text(members.get(name))]
    if isinstance(members.get("recipients"), list):
        lines.append(f"发往：共{len(members['recipients'])}个机关")
    actor = members.get("actor")
    if isinstance(actor, dict) and _is_text(actor.get("name")):
        lines.append(f"签名人：{actor['name']}（{actor.get('organ', '')}）")
    return lines


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def visible(text: str) -> str:
    """`text` with control and direction characters spelled out, for they could make it read as something else."""
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in _HIDDEN
        else f"⟨U+{ord(character):04X}⟩"
        for character in text
    )


def _header(data: bytes) -> _Header:
    try:
        return msgspec.convert(_members(data), _Header)
    except msgspec.ValidationError as error:
        raise Refused(BAD_REQUEST) from error


def _claims(data: bytes) -> _Claims:
    try:
        return msgspec.convert(_members(data), _Claims)
    except msgspec.ValidationError as error:
        raise Refused(BAD_REQUEST) from error


def _members(data: bytes) -> Any:
    """JSON without duplicate members: two readers would see two requests."""
    try:
        return json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Refused(BAD_REQUEST) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Refused(BAD_REQUEST) from error
