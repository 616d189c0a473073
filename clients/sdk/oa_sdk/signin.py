"""How a system signs in: an assertion under its key (RFC 7523), or its certificate over TLS (RFC 8705), for a token.

The token is kept until shortly before it runs out. Neither it nor the key stands in any repr or log.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import urlencode
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from oa_sdk.errors import KeyRefused
from oa_sdk.wire import Patience, Request, Steps, asking, read_as

ASSERTION_SECONDS = 50  # The server takes a minute at most.
MARGIN_SECONDS = 30.0  # A token that is about to run out would do so on its way.
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Signer(Protocol):
    """A private key, wherever it is kept: `algorithm` is ES256, ES384 or RS256, and `sign` gives the signature of a message as
    JWS has it (RFC 7518, 3.3 and 3.4: for ES256 the 64 bytes r and s)."""

    @property
    def algorithm(self) -> str: ...
    def sign(self, message: bytes) -> bytes: ...


class PemKey:
    """A private key out of a PEM."""

    def __init__(self, pem: bytes, password: bytes | None = None) -> None:
        """Raises KeyRefused for what cannot be read, and for a key that does not sign in."""
        try:
            key = load_pem_private_key(pem, password)
        except (ValueError, TypeError) as error:
            raise KeyRefused("私钥无法读取，或口令不对") from error
        if isinstance(key, rsa.RSAPrivateKey):
            self._key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = key
            self.algorithm = "RS256"
        elif isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in {"secp256r1", "secp384r1"}:
            self._key, self.algorithm = key, "ES256" if key.curve.name == "secp256r1" else "ES384"
        else:
            raise KeyRefused("不支持这种私钥")

    @classmethod
    def read(cls, path: Path | str, password: bytes | None = None) -> Self:
        """The key in a file. Raises KeyRefused, OSError."""
        return cls(Path(path).read_bytes(), password)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.algorithm}>"

    def sign(self, message: bytes) -> bytes:
        """The signature as JWS has it."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        digest = hashes.SHA256() if self.algorithm == "ES256" else hashes.SHA384()
        size = self._key.curve.key_size // 8
        return b"".join(
            n.to_bytes(size, "big") for n in decode_dss_signature(self._key.sign(message, ec.ECDSA(digest)))
        )


@dataclass(frozen=True, slots=True)
class System:
    """A department's system as the administrator registered it.

    Without a `key` the certificate of the TLS connection alone signs in. `scopes` asks for a token that is good for less than
    the system may. `token_address` is the token's address as the server knows itself, where we reach it under another name.
    """

    code: str
    key: Signer | None = field(default=None, repr=False)
    scopes: Sequence[str] = ()
    token_address: str = ""

    def form(self, address: str) -> bytes:
        """What is sent for a token; an assertion in it is new each time, for it is good once."""
        form = {"grant_type": "client_credentials", "scope": " ".join(self.scopes)}
        if self.key is None:
            form["client_id"] = self.code
        else:
            form |= {"client_assertion_type": JWT_BEARER, "client_assertion": assertion(self.code, self.key, address)}
        return urlencode({name: value for name, value in form.items() if value}).encode()


def assertion(code: str, key: Signer, audience: str) -> str:
    """What a system says of itself under its key, for one address and less than a minute (RFC 7523, 3)."""
    now = int(time.time())
    claims = {
        "iss": code,
        "sub": code,
        "aud": audience,
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    }
    said = f"{_part({'alg': key.algorithm, 'typ': 'JWT'})}.{_part(claims)}"
    return f"{said}.{_base64url(key.sign(said.encode()))}"


def _part(members: dict[str, object]) -> str:
    return _base64url(json.dumps(members, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int


class TokenDesk:
    """Has a token when one is needed. Two that ask at the same moment may each get one, which harms nobody."""

    def __init__(
        self, system: System, address: str, patience: Patience, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._system, self._address, self._patience, self._clock = system, address, patience, clock
        self._token, self._good_until = "", 0.0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._system.code}>"

    def token(self) -> Steps[str]:
        """The token, a new one when there is none that is good a while longer. Raises ConnectionLost, Refused."""
        if self._clock() >= self._good_until:
            answer = yield from asking(self._request, self._patience)
            given = read_as(answer, _Token)
            self._token = given.access_token
            self._good_until = self._clock() + given.expires_in - min(MARGIN_SECONDS, given.expires_in / 2)
        return self._token

    def forget(self, token: str) -> None:
        """Have the next request get another token, because this one is not taken; one that came in the meantime stays."""
        if token == self._token:
            self._good_until = 0.0

    def _request(self) -> Request:
        audience = self._system.token_address or self._address
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", self._address, headers, body=self._system.form(audience))
