"""Row identifiers: UUID version 7 (RFC 9562, 5.7), so that keys grow with time and indexes stay compact."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from uuid import UUID

_RANDOM_BITS = 80


def new_id(*, after: UUID | None = None) -> UUID:
    """A fresh UUIDv7: 48 bits of milliseconds, 74 random bits; greater than `after` whatever the clock says."""
    milliseconds = time.time_ns() // 1_000_000
    if after is not None:
        milliseconds = max(milliseconds, (after.int >> _RANDOM_BITS) + 1)
    value = (milliseconds & (2**48 - 1)) << _RANDOM_BITS | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | 0x7 << 76
    value = (value & ~(0x3 << 62)) | 0x2 << 62
    return UUID(int=value)


def moment_of(key: UUID) -> datetime:
    """When an identifier was made, to the millisecond."""
    return datetime.fromtimestamp((key.int >> _RANDOM_BITS) / 1000, UTC)
