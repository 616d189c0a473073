"""Encryption of objects at rest: one random key per object, wrapped by a master key; content in chunks.

The content format is Cobblestone (C2SP chunked-encryption, AES-256-GCM, 16 KiB chunks, key commitment), bound to a context
so that no object can be passed off as another. A cut or altered object is noticed at the latest when it ends.
"""

from __future__ import annotations

import os
from typing import Any

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.errors import EnvelopeRefused

KEY_BYTES = 32
# The interpreter is held while a piece is worked on, so pieces stay small enough for other requests to breathe.
PIECE = 1 << 20


def new_object_key() -> bytes:
    return os.urandom(KEY_BYTES)


def wrap_key(master: bytes, object_key: bytes, context: bytes) -> bytes:
    """`object_key` under the master key, bound to `context`."""
    nonce = os.urandom(12)
    return nonce + AESGCM(master).encrypt(nonce, object_key, context)


def unwrap_key(master: bytes, wrapped: bytes, context: bytes) -> bytes:
    """The object key. Raises EnvelopeRefused when it was wrapped by another master key or for another object."""
    try:
        return AESGCM(master).decrypt(wrapped[:12], wrapped[12:], context)
    except (InvalidTag, ValueError) as error:
        raise EnvelopeRefused("envelope.wrong_key", "the key was wrapped under another key or for another object") from error


def pieces(data: bytes | memoryview) -> Any:
    """`data` in pieces that do not hold the interpreter for long."""
    view = memoryview(data)
    for start in range(0, len(view), PIECE):
        yield view[start : start + PIECE]


def encrypt(object_key: bytes, context: bytes, data: bytes) -> bytes:
    """One part of an object, encrypted."""
    encryptor = Cobblestone256Encryptor(object_key, context)
    return b"".join([*(encryptor.update(piece) for piece in pieces(data)), encryptor.finalize()])


def decrypt(object_key: bytes, context: bytes, data: bytes) -> bytes:
    """One part of an object, decrypted. Raises EnvelopeRefused when it was changed, cut, or is another's."""
    try:
        decryptor = Cobblestone256Decryptor(object_key, context)
        return b"".join([*(decryptor.update(piece) for piece in pieces(data)), decryptor.finalize()])
    except InvalidTag as error:
        raise EnvelopeRefused("envelope.changed", "the stored bytes were changed or cut") from error
