"""Tokens: made and read here and nowhere else, with python-jose (ES256).

Two kinds leave this module: session tokens, which a browser holds in its cookie, and signature requests, which the key
agent checks before it shows anything to its user. Both are JWS in compact form (RFC 7515), and both are checked more
strictly than the library does: one spelling per token, one algorithm, one key chosen by `kid`, no critical extensions.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwt
from jose.backends.cryptography_backend import CryptographyECKey
from jose.exceptions import JOSEError

from oa_server.core.errors import NotSignedIn, Reason

ALGORITHM = "ES256"
ISSUER = "oa-server"
TOKEN_LIMIT = 16 * 1024
REMEMBERED = 10_000  # tokens whose signature is not checked again: about 10 MiB, and more than work in one process
CLOCK_TOLERANCE = 60  # seconds by which the clock of another process of ours may be ahead

BAD_TOKEN = Reason("identity.bad_token", "登录凭据无效，请重新登录", "The token is not valid; sign in again.")
TOKEN_EXPIRED = Reason("identity.token_expired", "登录已过期，请重新登录", "The token has expired; sign in again.")

_COMPACT = re.compile(r"\A[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_HEADER_MEMBERS = {"alg", "typ", "kid"}
# The library's checks, but for the two that it would make by a clock of its own (and makes, as soon as it requires them).
_OPTIONS = {"verify_exp": False, "verify_iat": False, "leeway": 0} | {
    f"require_{name}": True for name in ("iss", "aud", "sub", "jti")
}


class TokenKey:
    """One ES256 key with its key identifier (the RFC 7638 spirit: derived from the public key, so it cannot be mixed up)."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        public_der = private_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = base64.urlsafe_b64encode(sha256(public_der).digest()[:12]).decode()
        self.public_der = public_der
        self.private = CryptographyECKey(private_key, ALGORITHM)
        self.public = CryptographyECKey(private_key.public_key(), ALGORITHM)

    @classmethod
    def from_pem(cls, pem: bytes) -> TokenKey:
        key = serialization.load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise TypeError("a token key is a P-256 key")
        return cls(key)

    @staticmethod
    def generate_pem() -> bytes:
        """A fresh key, as the secret store keeps it."""
        return ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys this installation trusts; the first one signs."""

    keys: tuple[TokenKey, ...]

    @property
    def current(self) -> TokenKey:
        return self.keys[0]

    def find(self, kid: object) -> TokenKey | None:
        return next((key for key in self.keys if key.kid == kid), None)


def make(
    keyset: KeySet,
    *,
    kind: str,
    audience: str,
    subject: str,
    token_id: str,
    issued: datetime,
    expires: datetime,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """A token of `kind` (its `typ`), signed with the current key."""
    body = {
        **(claims or {}),
        "iss": ISSUER,
        "aud": audience,
        "sub": subject,
        "jti": token_id,
        "iat": int(issued.timestamp()),
        "exp": int(expires.timestamp()),
    }
    key = keyset.current
    return str(jwt.encode(body, key.private, algorithm=ALGORITHM, headers={"typ": kind, "kid": key.kid}))


def verify(token: str, keyset: KeySet, *, kind: str, audience: str, at: datetime) -> Mapping[str, Any]:
    """The claims of a token of ours that is good at `at`. Raises NotSignedIn with the reason."""
    claims = _signed_claims(token, keyset, kind, audience)
    if claims["iat"] > at.timestamp() + CLOCK_TOLERANCE:
        raise NotSignedIn(BAD_TOKEN)
    if claims["exp"] <= at.timestamp():
        raise NotSignedIn(TOKEN_EXPIRED)
    return claims


@lru_cache(REMEMBERED)
def _signed_claims(token: str, keyset: KeySet, kind: str, audience: str) -> Mapping[str, Any]:
    """The claims of a token that we made, whatever the time is. Raises NotSignedIn.

    That a text bears our signature never changes, so it is found out once per token; refusals are not remembered, so
    nobody can crowd the good ones out. Whether a token is over, or its session has ended, is asked every time.
    """
    key = _key_for(token, keyset, kind)
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key.public, algorithms=[ALGORITHM], audience=audience, issuer=ISSUER, options=_OPTIONS
        )
    except JOSEError as error:
        raise NotSignedIn(BAD_TOKEN) from error
    if type(claims.get("exp")) is not int or type(claims.get("iat")) is not int:
        raise NotSignedIn(BAD_TOKEN)
    return MappingProxyType(claims)


def _key_for(token: str, keyset: KeySet, kind: str) -> TokenKey:
    """Check the header strictly before any cryptography, and choose the one key that it names."""
    if len(token) > TOKEN_LIMIT or not _COMPACT.match(token):
        raise NotSignedIn(BAD_TOKEN)
    parts = [_decode_part(part) for part in token.split(".")]
    header, _claims = _members(parts[0]), _members(parts[1])
    key = keyset.find(header.get("kid"))
    if set(header) != _HEADER_MEMBERS or header["alg"] != ALGORITHM or header["typ"] != kind or key is None:
        raise NotSignedIn(BAD_TOKEN)
    return key


def _decode_part(part: str) -> bytes:
    """Base64url with exactly one spelling: re-encoding must give the same text, or one token would have many."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise NotSignedIn(BAD_TOKEN) from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise NotSignedIn(BAD_TOKEN)
    return raw


def _members(data: bytes) -> dict[str, Any]:
    """A JSON object without duplicate members (python-jose would silently keep the last)."""
    try:
        members = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise NotSignedIn(BAD_TOKEN) from None
    if not isinstance(members, dict):
        raise NotSignedIn(BAD_TOKEN)
    return members


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members
