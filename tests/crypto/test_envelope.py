"""What is stored encrypted can be read whole and in part, and not changed, cut, swapped or moved."""

from __future__ import annotations

import os

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import envelope
from crypto.envelope import CHUNK, HEADER, PIECE, TAG
from crypto.errors import EnvelopeRefused

KEY, MASTER, CONTEXT = os.urandom(32), os.urandom(32), b"oa/att/v1|7|0"
SIZES = [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 77]
PLAIN = {size: os.urandom(size) for size in SIZES}
SEALED = {size: envelope.encrypt(KEY, CONTEXT, PLAIN[size]) for size in SIZES}


def refusal(code: str):
    return pytest.raises(EnvelopeRefused, match=code.replace(".", r"\."))


@pytest.mark.parametrize("size", [0, *SIZES, PIECE, 2 * PIECE + 5])
def test_whole(size: int) -> None:
    """An object comes back as it was, is as long as foretold, and reads with the plain library too."""
    data = os.urandom(size)
    sealed = envelope.encrypt(KEY, CONTEXT, data)
    assert envelope.decrypt(KEY, CONTEXT, sealed) == data
    assert len(sealed) == envelope.ciphertext_size(size)
    library = Cobblestone256Decryptor(KEY, CONTEXT)
    assert library.update(sealed) + library.finalize() == data


@given(st.lists(st.binary(max_size=3 * CHUNK), max_size=6), st.lists(st.integers(1, 2 * CHUNK), min_size=1))
@settings(max_examples=40)
def test_streams(parts: list[bytes], cuts: list[int]) -> None:
    """However an object is cut for its way in and out, it comes back as it was."""
    sealed = b"".join(envelope.encrypt_stream(KEY, CONTEXT, parts))
    source, place = [], 0
    while place < len(sealed):
        step = cuts[len(source) % len(cuts)]
        source.append(sealed[place : place + step])
        place += step
    assert b"".join(envelope.decrypt_stream(KEY, CONTEXT, source)) == b"".join(parts)


@given(st.data())
def test_any_range(data: st.DataObject) -> None:
    """Any range, from the header and its window alone, is what the whole object has there."""
    size = data.draw(st.sampled_from(SIZES))
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, size - 1))
    part = envelope.window(first, last, size=size)
    sealed = SEALED[size]
    plain = envelope.decrypt_window(KEY, CONTEXT, sealed[:HEADER], part, sealed[part.start : part.end])
    assert plain == envelope.decrypt(KEY, CONTEXT, sealed)[first : last + 1]
    assert part.end - part.start <= (part.skip + part.length + CHUNK - 1) // CHUNK * (CHUNK + TAG)


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (4, 3), (0, 10), (10, 10)])
def test_no_such_range(first: int, last: int) -> None:
    """A range that an object of ten octets does not have is refused."""
    with pytest.raises(ValueError, match="no octets"):
        envelope.window(first, last, size=10)


@pytest.mark.norm("M-8.4e")
@given(st.data())
def test_any_flipped_bit(data: st.DataObject) -> None:
    """No bit can be flipped, wherever it is, without the whole and the range that holds it being refused."""
    size = data.draw(st.sampled_from(SIZES))
    bit = data.draw(st.integers(0, 8 * len(SEALED[size]) - 1))
    bent = bytearray(SEALED[size])
    bent[bit // 8] ^= 1 << bit % 8
    with refusal("envelope.changed"):
        envelope.decrypt(KEY, CONTEXT, bytes(bent))
    part = envelope.window(0, size - 1, size=size)
    if bit // 8 < part.end:  # an object of whole chunks ends in an empty one, which no range needs
        with refusal("envelope.changed"):
            envelope.decrypt_window(KEY, CONTEXT, bytes(bent[:HEADER]), part, bytes(bent[part.start : part.end]))


@given(st.data())
def test_any_cut(data: st.DataObject) -> None:
    """No object can be cut short, not even between two chunks, and none made longer."""
    size = data.draw(st.sampled_from(SIZES))
    sealed = SEALED[size]
    whole_chunks = [HEADER + n * (CHUNK + TAG) for n in range(size // CHUNK + 1)]
    length = data.draw(st.sampled_from(whole_chunks) | st.integers(0, len(sealed) - 1))
    for wrong in (sealed[:length], sealed + sealed[HEADER:], sealed + b"\0"):
        with refusal("envelope.changed"):
            envelope.decrypt(KEY, CONTEXT, wrong)


def test_chunks_cannot_move() -> None:
    """A chunk is good at its own place only, and a window at its own length only."""
    size = 3 * CHUNK
    header, body, sealed = SEALED[size][:HEADER], SEALED[size][HEADER:], CHUNK + TAG
    swapped = body[sealed : 2 * sealed] + body[:sealed] + body[2 * sealed :]
    with refusal("envelope.changed"):
        envelope.decrypt(KEY, CONTEXT, header + swapped)
    second = envelope.window(CHUNK, CHUNK, size=size)
    with refusal("envelope.changed"):
        envelope.decrypt_window(KEY, CONTEXT, header, second, body[:sealed])
    with refusal("envelope.changed"):
        envelope.decrypt_window(KEY, CONTEXT, header, second, body[: 2 * sealed])


def test_other_key_or_context() -> None:
    """Under another key, or as another object, nothing can be read, neither whole nor in part."""
    sealed = SEALED[1]
    part = envelope.window(0, 0, size=1)
    for key, context in ((os.urandom(32), CONTEXT), (KEY, b"oa/att/v1|8|0")):
        with refusal("envelope.changed"):
            envelope.decrypt(key, context, sealed)
        with refusal("envelope.changed"):
            envelope.decrypt_window(key, context, sealed[:HEADER], part, sealed[part.start : part.end])


def test_wrapped_keys() -> None:
    """A wrapped key opens under its master key for its object, remembers which master that was, and hides itself."""
    wrapped = envelope.wrap_key(MASTER, KEY, CONTEXT)
    assert envelope.unwrap_key(MASTER, wrapped, CONTEXT) == KEY
    assert envelope.wrapped_by(wrapped) == envelope.master_key_id(MASTER)
    assert KEY not in wrapped
    assert len(envelope.new_object_key()) == len(KEY)


def test_wrapped_keys_refused() -> None:
    """Another master key is told apart from a wrapped key that was changed, cut or belongs to another object."""
    wrapped = envelope.wrap_key(MASTER, KEY, CONTEXT)
    with refusal("envelope.other_master"):
        envelope.unwrap_key(os.urandom(32), wrapped, CONTEXT)
    with refusal("envelope.wrong_key"):
        envelope.unwrap_key(MASTER, wrapped, b"another object")
    for bent in (wrapped[:-1], wrapped[:-8], wrapped[:8], wrapped[:-1] + bytes([wrapped[-1] ^ 1])):
        with refusal("envelope.wrong_key"):
            envelope.unwrap_key(MASTER, bent, CONTEXT)


def test_rotation() -> None:
    """After a change of master key the object key is the same, and the old master key opens it no more."""
    new = os.urandom(32)
    rewrapped = envelope.rewrap_key(MASTER, new, envelope.wrap_key(MASTER, KEY, CONTEXT), CONTEXT)
    assert envelope.unwrap_key(new, rewrapped, CONTEXT) == KEY
    with refusal("envelope.other_master"):
        envelope.unwrap_key(MASTER, rewrapped, CONTEXT)


def test_a_value_is_bound_to_its_place() -> None:
    """A sealed value opens with its key at its place alone, and not changed, cut, or in clear; twice sealed it differs."""
    sealed = envelope.seal_value(KEY, CONTEXT, b"words")
    assert envelope.open_value(KEY, CONTEXT, sealed) == b"words"
    assert envelope.seal_value(KEY, CONTEXT, b"words") != sealed
    changed = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    for key, place, bent in [
        (MASTER, CONTEXT, sealed),
        (KEY, b"another place", sealed),
        *((KEY, CONTEXT, other) for other in (*changed, sealed[:-1], b"words", b"")),
    ]:
        with refusal("envelope.changed"):
            envelope.open_value(key, place, bent)
