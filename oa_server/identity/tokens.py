"""Tokens: made and read here and nowhere else, with python-jose (ES256).

Three kinds leave this module: session tokens, which a browser holds in its cookie, access tokens of departments' systems,
and signature requests, which the key agent checks before it shows anything to its user. One kind comes in, made by others:
the assertions with which those systems sign in. All are JWS in compact form (RFC 7515), and all are checked more
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
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwt
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyRSAKey
from jose.exceptions import JOSEError

from oa_server.core.errors import NotSignedIn, Reason

ALGORITHM = "ES256"
ISSUER = "oa-server"
TOKEN_LIMIT = 16 * 1024
REMEMBERED = 10_000  # tokens whose signature is not checked again: about 10 MiB, and more than work in one process
CLOCK_TOLERANCE = 60  # seconds by which the clock of another process of ours may be ahead

BAD_TOKEN = Reason("identity.bad_token", "登录凭据无效，请重新登录", "The token is not valid; sign in again.")
TOKEN_EXPIRED = Reason("identity.token_expired", "登录已过期，请重新登录", "The token has expired; sign in again.")

BAD_ASSERTION = Reason(
    "identity.bad_assertion", "系统身份断言无效", "The client assertion is not valid for this server and client."
)
STALE_ASSERTION = Reason(
    "identity.stale_assertion",
    "系统身份断言已过期或时钟相差过大（60秒），请重新签发",
    "The client assertion is too old, or the clocks differ by more than a minute.",
)
CLIENT_LIMIT = 64

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

    def for_agents(self, origin: str) -> str:
        """This key as key agents' settings name it, in one line of TOML; for our origin they then believe no other."""
        public_key = base64.b64encode(self.public_der).decode()
        return f'[{{ origin = "{origin}", kid = "{self.kid}", public_key = "{public_key}" }}]'


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


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a client says of itself under its own key (RFC 7523, 3)."""

    client: str
    token_id: str
    expires: int


ASSERTION_SECONDS = 60
_ASSERTION_MEMBERS = {"alg", "typ", "kid", "x5t#S256"}
_ASSERTION_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384"}


def claimed_client(assertion: str) -> str:
    """Whose an assertion says that it is; nothing of it is believed yet. Raises NotSignedIn."""
    _check_compact(assertion)
    issuer = _members(_decode_part(assertion.split(".")[1])).get("iss")
    if not isinstance(issuer, str) or not 0 < len(issuer) <= CLIENT_LIMIT:
        raise NotSignedIn(BAD_ASSERTION)
    return issuer


def verify_assertion(assertion: str, public_key: Any, *, audience: str, at: datetime) -> Assertion:
    """An assertion that is good at `at`: signed by this key, for this very audience, by and about the same client, a minute
    old at most. Raises NotSignedIn.

    The algorithm is the key's, never the header's choice; what the library lets pass (other audiences beside ours, a missing
    `exp`, an unknown `crit`) is refused here.
    """
    _check_compact(assertion)
    header, claims = (_members(_decode_part(part)) for part in assertion.split(".")[:2])
    algorithm = _algorithm_of(public_key)
    if header.get("alg") != algorithm or not set(header) <= _ASSERTION_MEMBERS:
        raise NotSignedIn(BAD_ASSERTION)
    key = CryptographyRSAKey if algorithm == "RS256" else CryptographyECKey
    try:
        jwt.decode(assertion, key(public_key, algorithm), algorithms=[algorithm], audience=audience, options=_OPTIONS)
    except JOSEError as error:
        raise NotSignedIn(BAD_ASSERTION, audience=audience) from error
    now, issued, expires = at.timestamp(), claims.get("iat"), claims.get("exp")
    if claims.get("aud") != audience or claims.get("iss") != claims.get("sub"):
        raise NotSignedIn(BAD_ASSERTION, audience=audience)  # What a programmer gets wrong first, and no secret.
    if type(issued) is not int or type(expires) is not int or not isinstance(claims["jti"], str):
        raise NotSignedIn(BAD_ASSERTION)
    if expires <= now or abs(issued - now) > ASSERTION_SECONDS or expires - issued > ASSERTION_SECONDS:
        raise NotSignedIn(STALE_ASSERTION)
    return Assertion(claims["sub"], claims["jti"], expires)


def _algorithm_of(public_key: Any) -> str:
    """The one algorithm of a registered key. Raises NotSignedIn for a key of another kind."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return "RS256"
    if isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in _ASSERTION_ALGORITHMS:
        return _ASSERTION_ALGORITHMS[public_key.curve.name]
    raise NotSignedIn(BAD_ASSERTION)


def _check_compact(token: str) -> None:
    if len(token) > TOKEN_LIMIT or not _COMPACT.match(token):
        raise NotSignedIn(BAD_TOKEN)


def _key_for(token: str, keyset: KeySet, kind: str) -> TokenKey:
    """Check the header strictly before any cryptography, and choose the one key that it names."""
    _check_compact(token)
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
