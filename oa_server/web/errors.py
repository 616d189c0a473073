"""The edge where refusals become RFC 9457 problems. Handlers never catch; this does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oa_server.core.errors import INTERNAL, OaError, Reason

log = structlog.get_logger("oa.web")

PROBLEM_TYPE = "application/problem+json"
CLIENT_GONE = 499

Observe = Callable[[Scope, int, float], None]


class Problem(msgspec.Struct, omit_defaults=False):
    """A problem detail (RFC 9457, 3.1) with our stable `code` and the facts of the case."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    facts: dict[str, Any] = {}


def language_of(headers: Mapping[str, str]) -> str:
    """`en` when the browser asks for English first, else `zh`."""
    return "en" if headers.get("accept-language", "").strip().lower().startswith("en") else "zh"


def problem_response(
    reason: Reason,
    *,
    status: int,
    language: str,
    detail: str | None = None,
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response that tells `reason` to whoever asked."""
    problem = problem_of(reason, status, language, detail, facts)
    return Response(msgspec.json.encode(problem), status, headers, PROBLEM_TYPE)


def problem_of(
    reason: Reason, status: int, language: str, detail: str | None = None, facts: Mapping[str, Any] | None = None
) -> Problem:
    """A refusal as it is told (RFC 9457)."""
    return Problem(
        type=f"urn:oa:problem:{reason.code}",
        title=reason.title(language),
        status=status,
        code=reason.code,
        detail=detail,
        facts=dict(facts or {}),
    )


class ProblemMiddleware:
    """Turns what escapes an endpoint into a problem, writes one log line per request without any content, and has it
    counted by `observe` with its status and seconds."""

    def __init__(self, app: ASGIApp, observe: Observe = lambda _scope, _status, _seconds: None) -> None:
        self.app = app
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note)
        except OaError as error:
            if status:
                raise  # The answer has begun; only closing the connection tells the client that it is incomplete.
            await self._refuse(scope, receive, note, error)
        except ClientDisconnect:
            status = CLIENT_GONE  # An upload that was cut off: there is nobody left to answer.
        except Exception:
            log.exception("request.failed", path=scope["path"], method=scope["method"])
            if status:
                raise
            language = language_of(Headers(scope=scope))
            await problem_response(INTERNAL, status=500, language=language)(scope, receive, note)
        finally:
            seconds = time.perf_counter() - started
            self.observe(scope, status, seconds)
            log.info("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1))

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, error: OaError) -> None:
        response = problem_response(
            error.reason,
            status=error.status,
            language=language_of(Headers(scope=scope)),
            detail=error.detail,
            facts=error.facts,
            headers={"Retry-After": str(error.facts["retry_after"])} if "retry_after" in error.facts else None,
        )
        await response(scope, receive, send)
