"""Whether this process lives, and whether what it stands on is there: what balancers and monitors ask all day."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from starlette.routing import BaseRoute

from oa_server.core.errors import OaError, Reason, Unavailable
from oa_server.web.endpoint import Access, Call, endpoint, resource

NOT_READY = Reason("web.not_ready", "系统所依赖的服务暂时不可用，请稍后重试", "Something the server stands on is away.")
JOB_HANGS = Reason(
    "web.job_hangs", "后台任务长时间没有完成一轮", "A background job has not come round for a long time."
)
NO_ANSWER = "web.no_answer"
PROBE_SECONDS = 3.0
# Everybody may ask, so many askers cost what one costs: an answer serves all who come within this time.
KEPT_SECONDS = 1.0
# How much longer than its turn a job may take: a cleaning of a month's rows is slow, and no reason to start anew.
JOB_SECONDS = 300.0

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


class Rounds:
    """When the jobs of this process are to come round again. One that hangs looks like one that has nothing to do."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def watched(self, name: str, seconds: float, job: Probe) -> Probe:
        """The same job, which is run every so many seconds, watched. Whether it succeeds is not what is asked here."""
        self._expect(name, seconds)

        async def once() -> None:
            try:
                await job()
            finally:
                self._expect(name, seconds)

        return once

    def _expect(self, name: str, seconds: float) -> None:
        self._until[name] = time.monotonic() + seconds + JOB_SECONDS

    def check(self) -> None:
        """Raise Unavailable when a job hangs."""
        now = time.monotonic()
        if late := [name for name, until in self._until.items() if until < now]:
            raise Unavailable(JOB_HANGS, ", ".join(late))

    async def tell_supervisor(self) -> None:
        """Tell systemd, where it watches over this process (sd_notify(3)), that no job hangs. Raises Unavailable."""
        self.check()
        if address := os.environ.get("NOTIFY_SOCKET"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
                supervisor.sendto(b"WATCHDOG=1", address.replace("@", "\0", 1) if address[0] == "@" else address)


def health_routes(*, version: str) -> list[BaseRoute]:
    """`/api/health` for who restarts processes, `/api/ready` for who sends requests to them."""

    @endpoint(summary="进程是否存活", returns=Health, access=Access.OPEN)
    async def health(call: Call[None]) -> Health:
        call.request.app.state.rounds.check()
        return Health(version)

    @endpoint(summary="依赖的服务是否就绪", returns=Readiness, access=Access.OPEN)
    async def ready(call: Call[None]) -> Readiness:
        probes: Probes = call.request.app.state.probes
        checks = await probes.checks()
        if away := [check.name for check in checks if not check.ready]:
            raise Unavailable(NOT_READY, ", ".join(away), checks=checks)
        return Readiness(checks)

    return [resource("/api/health", GET=health), resource("/api/ready", GET=ready)]
