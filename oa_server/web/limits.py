"""How often a department's system may come: a bucket of requests for each, filled again as time goes by.

A bucket lives in its process; behind several processes a system that keeps its connections open is held to about its limit by
each of them. It protects officials from a system that runs wild, and is no accounting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from oa_server.core.errors import Reason, TooMany

TOO_MANY = Reason(
    "web.too_many_requests", "请求过于频繁，请按 Retry-After 稍后重试", "Too many requests; go on after Retry-After."
)
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit: how many requests now, and in how many seconds all of them."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """As headers of an answer (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


class Buckets:
    """Token buckets by client."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._filled: dict[UUID, tuple[float, float]] = {}

    def look(self, client: UUID, per_minute: int) -> int:
        """How many requests a client has left this moment, without taking one."""
        now = self._clock()
        left, at = self._filled.get(client, (float(per_minute), now))
        return int(min(float(per_minute), left + (now - at) * per_minute / MINUTE))

    def take(self, client: UUID, per_minute: int) -> Allowance:
        """Take one request out of a client's bucket. Raises TooMany, saying in how many seconds there is one again."""
        now = self._clock()
        left, at = self._filled.get(client, (float(per_minute), now))
        left = min(float(per_minute), left + (now - at) * per_minute / MINUTE)
        if left < 1:
            self._filled[client] = (left, now)
            raise TooMany(TOO_MANY, limit=per_minute, retry_after=ceil((1 - left) * MINUTE / per_minute))
        self._filled[client] = (left - 1, now)
        return Allowance(per_minute, int(left - 1), ceil((per_minute - left + 1) * MINUTE / per_minute))
