"""DER put together from parts that are DER already (X.690, clauses 8 and 10).

asn1crypto encodes a tree built in memory two or three times at each of its levels, and a part that it was given as bytes
anew whenever the last octet of that part's length happens to be 0x80, which it takes for an indefinite length. In the
depth of a timestamped signature the two together take seconds of computing (measured: 7 to 18 s, for one signature in
thirty). Joining octets takes microseconds, always.
"""

from __future__ import annotations

SEQUENCE, SET, OCTET_STRING = 0x30, 0x31, 0x04
CONTEXT = 0xA0
_LONG_FORM = 0x80


def element(tag: int, *parts: bytes) -> bytes:
    """One element with this tag octet, its contents the parts one after another."""
    contents = b"".join(parts)
    return bytes((tag,)) + _length(len(contents)) + contents


def _length(count: int) -> bytes:
    if count < _LONG_FORM:
        return bytes((count,))
    octets = count.to_bytes((count.bit_length() + 7) // 8)
    return bytes((_LONG_FORM | len(octets),)) + octets


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of parts that are encoded already."""
    return element(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """A SET OF, whose parts stand in the order of their octets (X.690, 11.6)."""
    return element(SET, *sorted(parts))


def context(number: int, *parts: bytes) -> bytes:
    """A constructed element with a context tag: an explicit one around a part, or an implicit one in a part's stead."""
    return element(CONTEXT | number, *parts)


def retagged(tag: int, encoded: bytes) -> bytes:
    """The same element under another tag octet (implicit tagging)."""
    return bytes((tag,)) + encoded[1:]
