"""Encryption of objects at rest: one random key per object, wrapped by a master key; content in chunks.

The content format is Cobblestone (C2SP chunked-encryption with AES-256-GCM): a header of 24 octets of salt and 32 of
key commitment, then chunks of 16 KiB, each with its own tag of 16 octets, the last one shorter and possibly empty. A
context is bound in, so that no object can be passed off as another. A cut object is noticed when it ends; a range of
one is checked chunk by chunk, and that the object has its full length shows in the length of its ciphertext.

    wrapped key = id of the master key (8) ‖ AES key wrap (RFC 3394) of the object key under HKDF(master key, context)

What is small and many, as the columns of rows, is sealed as a whole: each place has a key of its own, derived from one data
key and the place's name, so random nonces stay rare under any one key however many rows there are.

    sealed value = version 1 (1) ‖ nonce (12) ‖ AES-256-GCM of the value under HKDF(data key, context), with its tag (16)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from crypto.errors import EnvelopeRefused

KEY_BYTES = 32
KEY_ID_BYTES = 8
SALT, COMMITMENT, NONCE, TAG = 24, 32, 12, 16
VALUE_1 = b"\x01"
HEADER = SALT + COMMITMENT
CHUNK = 16 << 10
# The interpreter is held while a piece is worked on, so pieces stay small enough for other requests to breathe.
PIECE = 1 << 20


# --- keys -------------------------------------------------------------------------------------------------------------


def new_object_key() -> bytes:
    """256 random bits."""
    return os.urandom(KEY_BYTES)


def master_key_id(master: bytes) -> bytes:
    """The name by which wrapped keys remember their master key; it tells nothing of a key that is random."""
    return sha256(b"oa/master-key/v1\0" + master).digest()[:KEY_ID_BYTES]


def wrap_key(master: bytes, object_key: bytes, context: bytes) -> bytes:
    """`object_key` under the master key, bound to `context`."""
    return master_key_id(master) + aes_key_wrap(_wrapping_key(master, context), object_key)


def wrapped_by(wrapped: bytes) -> bytes:
    """The id of the master key that `wrapped` needs."""
    return wrapped[:KEY_ID_BYTES]


def unwrap_key(master: bytes, wrapped: bytes, context: bytes) -> bytes:
    """The object key. Raises EnvelopeRefused when it was wrapped by another master key or for another object."""
    if not constant_time.bytes_eq(wrapped_by(wrapped), master_key_id(master)):
        raise EnvelopeRefused("envelope.other_master", "the key was wrapped under another master key")
    try:
        return aes_key_unwrap(_wrapping_key(master, context), wrapped[KEY_ID_BYTES:])
    except (InvalidUnwrap, ValueError) as error:
        raise EnvelopeRefused("envelope.wrong_key", "the wrapped key was changed or is another object's") from error


def rewrap_key(old: bytes, new: bytes, wrapped: bytes, context: bytes) -> bytes:
    """The same object key under a new master key. Raises EnvelopeRefused as `unwrap_key` does."""
    return wrap_key(new, unwrap_key(old, wrapped, context), context)


def _wrapping_key(master: bytes, context: bytes) -> bytes:
    """Key wrap takes no context of its own, so each context gets its own wrapping key."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"oa/wrap/v1\0" + context).derive(master)


def derive_key(key: bytes, purpose: bytes) -> bytes:
    """A key for one purpose alone, from one that serves several."""
    return HKDFExpand(hashes.SHA256(), KEY_BYTES, b"oa/derive/v1\0" + purpose).derive(key)


# --- values -----------------------------------------------------------------------------------------------------------


def seal_value(data_key: bytes, context: bytes, value: bytes) -> bytes:
    """A value, encrypted for the place that `context` names."""
    nonce = os.urandom(NONCE)
    return VALUE_1 + nonce + AESGCM(derive_key(data_key, context)).encrypt(nonce, value, context)


def open_value(data_key: bytes, context: bytes, sealed: bytes) -> bytes:
    """The value. Raises EnvelopeRefused when it was changed, cut, was never sealed, or belongs to another place."""
    start = len(VALUE_1)
    if sealed[:start] != VALUE_1 or len(sealed) < start + NONCE + TAG:
        raise _changed()
    cipher = AESGCM(derive_key(data_key, context))
    try:
        return cipher.decrypt(sealed[start : start + NONCE], sealed[start + NONCE :], context)
    except InvalidTag as error:
        raise _changed() from error


# --- whole objects ----------------------------------------------------------------------------------------------------


def encrypt(object_key: bytes, context: bytes, data: bytes) -> bytes:
    """A whole object, encrypted."""
    return b"".join(encrypt_stream(object_key, context, [data]))


def decrypt(object_key: bytes, context: bytes, data: bytes) -> bytes:
    """A whole object, decrypted. Raises EnvelopeRefused when it was changed, cut, or is another's."""
    return b"".join(decrypt_stream(object_key, context, [data]))


def encrypt_stream(object_key: bytes, context: bytes, source: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """An object, encrypted as it comes."""
    encryptor = Cobblestone256Encryptor(object_key, context)
    for piece in _pieces(source):
        yield encryptor.update(piece)
    yield encryptor.finalize()


def decrypt_stream(object_key: bytes, context: bytes, source: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """An object, decrypted as it comes. Raises EnvelopeRefused; that it was cut shows only when `source` ends."""
    decryptor = Cobblestone256Decryptor(object_key, context)
    try:
        for piece in _pieces(source):
            yield decryptor.update(piece)
        yield decryptor.finalize()
    except InvalidTag as error:
        raise _changed() from error


def _pieces(source: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    for part in source:
        view = memoryview(part)
        for start in range(0, len(view), PIECE):
            yield view[start : start + PIECE]


# --- ranges -----------------------------------------------------------------------------------------------------------


def ciphertext_size(size: int) -> int:
    """How many octets `size` octets become."""
    return HEADER + size + TAG * (size // CHUNK + 1)


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of a ciphertext, octets `start` to `end` (exclusive), that holds a range of the plain text.

    It begins with chunk `first_chunk`; of what it decrypts to, the range is `length` octets after `skip`.
    """

    first_chunk: int
    start: int
    end: int
    skip: int
    length: int


def window(first: int, last: int, *, size: int) -> Window:
    """Where the plain octets `first` to `last` (inclusive, as in HTTP) of an object of `size` octets are.

    Raises ValueError for a range that the object does not have.
    """
    if not 0 <= first <= last < size:
        raise ValueError(f"no octets {first}-{last} in an object of {size}")
    first_chunk, last_chunk, sealed = first // CHUNK, last // CHUNK, CHUNK + TAG
    end = min(HEADER + (last_chunk + 1) * sealed, ciphertext_size(size))
    return Window(first_chunk, HEADER + first_chunk * sealed, end, first - first_chunk * CHUNK, last - first + 1)


def decrypt_window(object_key: bytes, context: bytes, header: bytes, part: Window, data: bytes) -> bytes:
    """The plain octets of a window, from the object's first `HEADER` octets and the window's.

    Raises EnvelopeRefused when either was changed, cut, moved, or is another object's.
    """
    chunk_key, nonce = _chunk_key(object_key, context, header)
    if len(data) != part.end - part.start:
        raise _changed()
    view, sealed = memoryview(data), CHUNK + TAG
    chunks = (view[start : start + sealed] for start in range(0, len(view), sealed))
    try:
        plain = b"".join(
            chunk_key.decrypt((nonce ^ number).to_bytes(NONCE), chunk, None)
            for number, chunk in enumerate(chunks, part.first_chunk)
        )
    except InvalidTag as error:
        raise _changed() from error
    return plain[part.skip : part.skip + part.length]


def _chunk_key(object_key: bytes, context: bytes, header: bytes) -> tuple[AESGCM, int]:
    """The key and the base nonce of an object's chunks, as the format derives them."""
    salt, commitment = header[:SALT], header[SALT:]
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = HKDFExpand(hashes.SHA512(), KEY_BYTES + NONCE + COMMITMENT, info).derive(object_key)
    if not constant_time.bytes_eq(derived[KEY_BYTES + NONCE :], commitment):
        raise _changed()
    return AESGCM(derived[:KEY_BYTES]), int.from_bytes(derived[KEY_BYTES : KEY_BYTES + NONCE])


def _changed() -> EnvelopeRefused:
    return EnvelopeRefused("envelope.changed", "the stored bytes were changed, cut, or are under another key")
