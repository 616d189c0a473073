"""Sign-in challenges: what a key signs to show that it is here, for this origin, now.

To be signed: `"oa-auth-v1\\0" ‖ SHA-256(origin) ‖ SHA-256(nonce)`. The origin is the one that the browser told the key
agent, so an answer obtained by another site is worth nothing here; the prefix keeps it from being any other signature.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Any

from crypto.errors import KeyRefused
from crypto.suite import suite_for

PREFIX = b"oa-auth-v1\0"
NONCE_BYTES = 32


def new_nonce() -> bytes:
    """256 random bits."""
    return secrets.token_bytes(NONCE_BYTES)


def challenge_bytes(origin: str, nonce: bytes) -> bytes:
    """The bytes to be signed for `origin` (scheme://host[:port])."""
    return PREFIX + sha256(origin.encode()).digest() + sha256(nonce).digest()


def verify_answer(public_key: Any, origin: str, nonce: bytes, signature: bytes) -> bool:
    """Whether `signature` answers the challenge for this origin and nonce."""
    if len(nonce) != NONCE_BYTES:
        return False
    try:
        return suite_for(public_key).verify(public_key, signature, challenge_bytes(origin, nonce))
    except KeyRefused:
        return False
