"""Whether this process lives, and whether what it stands on is there: what balancers and monitors ask all day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from starlette.routing import BaseRoute

from oa_server.core.errors import OaError, Reason, Unavailable
from oa_server.web.endpoint import Access, Call, endpoint, resource

NOT_READY = Reason("web.not_ready", "系统所依赖的服务暂时不可用，请稍后重试", "Something the server stands on is away.")
NO_ANSWER = "web.no_answer"
PROBE_SECONDS = 3.0
# Everybody may ask, so many askers cost what one costs: an answer serves all who come within this time.
KEPT_SECONDS = 1.0

Probe = Callable[[], Awaitable[object]]


class Health(Struct):
    version: str


class Check(Struct):
    """One thing the server stands on: whether it answered, after how many milliseconds, or with which code it refused."""

    name: str
    ready: bool
    ms: float
    code: str | None


class Readiness(Struct):
    checks: list[Check]


class Probes:
    """The things a server stands on, each with a probe that raises OaError when it is away."""

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._probes = probes
        self._asking = asyncio.Lock()
        self._until = 0.0
        self._known: list[Check] = []

    async def checks(self) -> list[Check]:
        """How each of them is now, asked all at once."""
        async with self._asking:
            if time.monotonic() >= self._until:
                self._known = await asyncio.gather(*(self._check(name) for name in self._probes))
                self._until = time.monotonic() + KEPT_SECONDS
            return self._known

    async def _check(self, name: str) -> Check:
        started, code = time.perf_counter(), None
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._probes[name]()
        except OaError as error:
            code = error.code
        except TimeoutError:
            code = NO_ANSWER
        return Check(name, code is None, round((time.perf_counter() - started) * 1000, 1), code)


def health_routes(*, version: str) -> list[BaseRoute]:
    """`/api/health` for who restarts processes, `/api/ready` for who sends requests to them."""

    @endpoint(summary="进程是否存活", returns=Health, access=Access.OPEN)
    async def health(call: Call[None]) -> Health:
        return Health(version)

    @endpoint(summary="依赖的服务是否就绪", returns=Readiness, access=Access.OPEN)
    async def ready(call: Call[None]) -> Readiness:
        probes: Probes = call.request.app.state.probes
        checks = await probes.checks()
        if away := [check.name for check in checks if not check.ready]:
            raise Unavailable(NOT_READY, ", ".join(away), checks=checks)
        return Readiness(checks)

    return [resource("/api/health", GET=health), resource("/api/ready", GET=ready)]
