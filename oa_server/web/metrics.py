"""What Prometheus reads: requests and how long they took, background jobs, malware, and whether what we
stand on is there.

Whoever asks shows the token that the secret store keeps (`monitor-token`): how busy an office is concerns nobody else.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from oa_server.core import clock
from oa_server.web.endpoint import Access, Binary, Call, Resource, endpoint, resource
from oa_server.web.health import Probes

TEXT = Binary("text/plain")
OTHER = "other"
# From what a list takes to what a request may take at all (`storage.database.STATEMENT_SECONDS`).
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
VERDICTS = ("clean", "infected", "postponed")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The figures of one server process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter("oa_requests", "Requests answered", ["method", "path", "status"], registry=registry)
        self._seconds = Histogram(
            "oa_request_seconds", "Seconds until an answer was sent", ["path"], registry=registry, buckets=SECONDS
        )
        self._done = Gauge("oa_job_done_timestamp_seconds", "When a job last came through", ["name"], registry=registry)
        self._failed = Counter("oa_job_failures", "Jobs that were postponed or broke", ["name"], registry=registry)
        self._ready = Gauge("oa_ready", "Whether what we stand on answers", ["name"], registry=registry)
        self._live = Gauge("oa_live_connections", "Pages that listen", registry=registry)
        self._held = Gauge("oa_files_held", "Attachments that wait for the malware scanner", registry=registry)
        self._scans = Counter("oa_scans", "Attachments given to the malware scanner", ["verdict"], registry=registry)
        for verdict in VERDICTS:  # A series that begins at one has never risen, as far as Prometheus sees.
            self._scans.labels(verdict)
        self._clock = Gauge("oa_clock_error_seconds", "How far our clock is ahead of the right time", registry=registry)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request by the path of its endpoint: what strangers make up must not become names of series."""
        found = scope.get("endpoint")
        path = found.path if isinstance(found, Resource) else OTHER
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def job_done(self, name: str) -> None:
        self._done.labels(name).set_to_current_time()

    def job_failed(self, name: str) -> None:
        self._failed.labels(name).inc()

    def files_held(self, count: int) -> None:
        """Keep how many attachments wait for the malware scanner."""
        self._held.set(count)

    def file_scanned(self, verdict: str) -> None:
        """Count an attachment that was given to the malware scanner, by its verdict."""
        self._scans.labels(verdict).inc()

    def count_live(self, connections: Callable[[], int]) -> None:
        """Have the pages that listen counted whenever somebody asks."""
        self._live.set_function(connections)

    async def text(self, probes: Probes) -> bytes:
        """All figures of this moment in Prometheus' text format."""
        for check in await probes.checks():
            self._ready.labels(check.name).set(check.ready)
        if (error := clock.error()) is not None:
            self._clock.set(error.total_seconds())
        return generate_latest(self.registry)


def metrics_route() -> Route:
    """`/api/metrics`, for who shows the token."""

    @endpoint(summary="运行指标（Prometheus 文本格式）", returns=TEXT, access=Access.MONITOR)
    async def metrics(call: Call[None]) -> Response:
        state = call.request.app.state
        return Response(await state.metrics.text(state.probes), media_type=TEXT.media_type)

    return resource("/api/metrics", GET=metrics)
