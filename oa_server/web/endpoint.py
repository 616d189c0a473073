"""Endpoints: plain async functions whose types validate the request, build the answer and describe the API.

    @endpoint(returns=DocumentOut, body=DraftIn, status=201, summary="起草公文")
    async def create(call: Call[DraftIn]) -> DocumentOut: ...

    routes = [resource("/api/documents", GET=list_, POST=create)]

One `resource` per path holds all its methods, so a wrong method is answered 405 with a true `Allow` header.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from hashlib import sha256
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from oa_server.core.actor import Actor
from oa_server.core.errors import (
    NOT_FOUND,
    Conflict,
    Denied,
    Invalid,
    Malformed,
    NotFound,
    NotSignedIn,
    OaError,
    PreconditionRequired,
    Reason,
    TooLarge,
    TooMany,
    Unavailable,
    WrongType,
)
from oa_server.storage import idempotency
from oa_server.storage.unit_of_work import Work, housekeeping, unit_of_work
from oa_server.web import guard
from oa_server.web.bodies import INVALID, clean, decode, in_pieces, read_body, read_form
from oa_server.web.errors import language_of, problem_response
from oa_server.web.limits import Buckets
from oa_server.web.pagination import Cursors

NO_KEY = Reason(
    "web.no_idempotency_key",
    "写操作必须带 Idempotency-Key 请求头",
    "Send an Idempotency-Key with every write.",
)
NO_IF_MATCH = Reason(
    "web.no_if_match",
    "请求未说明修改的是哪一版（If-Match），未作任何修改",
    "If-Match must tell what was read; nothing was changed.",
)
WRONG_METHOD = Reason("web.wrong_method", "此地址不支持该操作", "This address does not take that method.")
WRONG_TYPE = Reason("web.wrong_type", "请求的内容类型不受支持", "This address does not take that content type.")

JSON_LIMIT = 8 << 20
FORM_LIMIT = 64 << 10
OPEN_LIMIT = 512 << 10  # what somebody who has not signed in may have us read: certificates and a signature
KEY_LIMIT = 128

B = TypeVar("B")


class Access(Enum):
    """Who may call an endpoint at all; what they may do there, the action decides."""

    SIGNED_IN = auto()
    CLIENT = auto()
    MONITOR = auto()
    OPEN = auto()


# Where departments' systems come in: the endpoints with a scope, under a version that stays.
DEPARTMENTS = "/api/v1"


@dataclass(frozen=True, slots=True)
class Binary:
    """A body that is bytes of this media type, not JSON; `in_ranges` where a part of an answer may be asked for."""

    media_type: str
    in_ranges: bool = False


FORM = Binary("application/x-www-form-urlencoded")
PDF = Binary("application/pdf")


@dataclass(slots=True)
class Call(Generic[B]):
    """One request as a handler sees it: who asks, the parsed body and query, and the path's parts."""

    request: Request
    actor: Actor
    body: B
    query: Any = None

    def id(self, name: str = "id") -> UUID:
        """The UUID in the path; what is no UUID names nothing, hence NotFound."""
        try:
            return UUID(self.request.path_params[name])
        except ValueError:
            raise NotFound(NOT_FOUND) from None

    @property
    def cursors(self) -> Cursors:
        found: Cursors = self.request.app.state.cursors
        return found

    def after(self, kind: str) -> UUID | None:
        """The row after which the list `kind` goes on. A cursor is good for the list and the order that it came from. Raises
        Invalid."""
        (after,) = self.cursors.decode(f"{kind}.{self.query.sort}", self.query.cursor) or (None,)
        return UUID(after) if after else None

    def further(self, kind: str, rows: Sequence[Any]) -> str | None:
        """The cursor of the page behind these rows; None when there is none."""
        if len(rows) < self.query.limit:
            return None
        return self.cursors.encode(f"{kind}.{self.query.sort}", [rows[-1].id])

    @property
    def if_match(self) -> str:
        """Which state the caller read (RFC 9110, 13.1.1). Raises PreconditionRequired when nothing says."""
        given = self.request.headers.get("if-match")
        if given is None:
            raise PreconditionRequired(NO_IF_MATCH)
        return given.strip().removeprefix("W/").strip('"')

    @property
    def language(self) -> str:
        return language_of(self.request.headers)

    async def raw(self, limit: int) -> bytes:
        """The body as bytes. Raises TooLarge before more than `limit` bytes are held."""
        return await read_body(self.request, limit)

    async def form(self) -> dict[str, str]:
        """The members of a form. Raises TooLarge, Malformed."""
        return read_form(await self.raw(FORM_LIMIT))

    def pieces(self, size: int, *, limit: int) -> AsyncIterator[memoryview]:
        """The body as it comes in, in pieces of `size` bytes, the last one what is left. Raises TooLarge as soon as it
        passes `limit` bytes."""
        return in_pieces(self.request, size, limit)


Handler = Callable[[Call[Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A handler with all that is said of it: the router runs it, `openapi.py` describes it."""

    handler: Handler
    summary: str
    returns: Any
    body: Any
    query: type[msgspec.Struct] | None
    status: int
    access: Access
    once: bool
    needs: tuple[str, ...]
    refuses: tuple[type[OaError], ...]
    scope: str | None = None
    systems_need: tuple[str, ...] = ()

    def takes_key(self, method: str) -> bool:
        """Whether an `Idempotency-Key` must come with it: with every write of a system but pieces of a file, whose offset
        says as much."""
        writes = method not in guard.SAFE_METHODS and not isinstance(self.body, Binary)
        return self.access is Access.CLIENT and writes

    def refusals(self, path: str, method: str) -> set[type[OaError]]:
        """Everything that the endpoint may answer instead of doing what it is asked: its own refusals, and those that
        come with what it takes."""
        found: set[type[OaError]] = {Unavailable, *self.refuses}
        if self.access is Access.SIGNED_IN:
            found |= {NotSignedIn} if method in guard.SAFE_METHODS else {NotSignedIn, Denied}
        if self.access is Access.CLIENT:
            found |= {NotSignedIn, Denied, TooMany}
        if self.takes_key(method):
            found |= {Malformed, Conflict}
        if self.access is Access.MONITOR:
            found |= {NotSignedIn}
        if "{" in path:
            found |= {NotFound}
        if self.query is not None:
            found |= {Invalid}
        if self.body is not None:
            found |= {Invalid, TooLarge, WrongType} | (set() if isinstance(self.body, Binary) else {Malformed})
        if self.once:
            found |= {Invalid, Conflict}
        return found

    async def answer(self, request: Request) -> Response:
        if any("\0" in str(part) for part in request.path_params.values()):
            raise NotFound(NOT_FOUND)  # No database keeps a name with this character, and PostgreSQL takes none.
        if self.access is Access.CLIENT:
            return await self._answer_client(request)
        return await self._answer_to(await self._asking(request), request)

    async def _answer_client(self, request: Request) -> Response:
        """The answer to a department's system, with what is left of its limit."""
        assert self.scope is not None
        visit = await guard.visit_of(request, self.scope)
        assert visit.actor.client_id is not None
        buckets: Buckets = request.app.state.buckets
        allowance = buckets.take(visit.actor.client_id, visit.per_minute)
        if self.takes_key(request.method) and not request.headers.get("idempotency-key"):
            raise Malformed(NO_KEY)
        response = await self._answer_to(visit.actor, request)
        response.headers.update(allowance.headers())
        return response

    async def _answer_to(self, actor: Actor, request: Request) -> Response:
        data = await self._read(request)
        call = Call(request, actor, decode(data, self.body) if data is not None else None, self._query(request))
        key = request.headers.get("idempotency-key")
        if key and actor.official_id is not None:
            if self.once:
                return await self._answer_once(call, key, data or b"")
            if self.takes_key(request.method):
                return await self._answer_kept(call, key, data or b"")
        return self._response(await self.handler(call))

    async def _asking(self, request: Request) -> Actor:
        if self.access is Access.SIGNED_IN:
            return await guard.actor_of(request)
        if self.access is Access.MONITOR:
            guard.check_monitor(request)
        return Actor(name="anonymous")

    async def _answer_once(self, call: Call[Any], key: str, data: bytes) -> Response:
        """The answer of the first request with this key; effect and answer are kept in one transaction."""
        asked = _Asked.of(call, key, data)
        if kept := await asked.find():
            return kept
        async with unit_of_work(call.actor) as work:
            response = self._response(await self.handler(call))
            await asked.keep(work, response)
        return response

    async def _answer_kept(self, call: Call[Any], key: str, data: bytes) -> Response:
        """The answer of the first request with this key, of an act that is too long for one transaction: the key is reserved
        before it and filled behind it. Should we die in between, the act's own state refuses to be done again."""
        asked = _Asked.of(call, key, data)
        if kept := await asked.find():
            return kept
        await asked.reserve()
        try:
            response = self._response(await self.handler(call))
        except BaseException:
            await asked.release()
            raise
        await asked.fill(response)
        return response

    def _response(self, result: Any) -> Response:
        if isinstance(result, Response):
            return result
        if result is None:
            return Response(status_code=self.status)
        return _json_response(msgspec.json.encode(result), self.status, getattr(result, "etag", None))

    async def _read(self, request: Request) -> bytes | None:
        """The JSON body, or None where there is none or the handler reads bytes itself."""
        if self.body is None:
            return None
        expected = self.body.media_type if isinstance(self.body, Binary) else "application/json"
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != expected:
            raise WrongType(WRONG_TYPE, expected=expected)
        if isinstance(self.body, Binary):
            return None
        return await read_body(request, OPEN_LIMIT if self.access is Access.OPEN else JSON_LIMIT)

    def _query(self, request: Request) -> Any:
        if self.query is None:
            return None
        given = request.query_params.multi_items()
        values = dict(given)
        if len(values) < len(given):
            raise Invalid(INVALID, "a parameter is given twice")
        try:
            return msgspec.convert(clean(values), self.query, strict=False)
        except ValueError as error:
            raise Invalid(INVALID, str(error)) from error


@dataclass(frozen=True, slots=True)
class _Asked:
    """A write under an `Idempotency-Key`: whose key it is, and what it asks for."""

    owner: UUID
    key: str
    digest: str

    @classmethod
    def of(cls, call: Call[Any], key: str, data: bytes) -> _Asked:
        if len(key) > KEY_LIMIT:
            raise Invalid(INVALID, "Idempotency-Key")
        request, owner = call.request, call.actor.client_id or call.actor.official_id
        assert owner is not None
        asked = (request.method.encode(), request.url.path.encode(), data)
        return cls(owner, key, sha256(b"\0".join(asked)).hexdigest())

    async def find(self) -> Response | None:
        """The answer that was given already, if one was."""
        kept = await idempotency.find(self.owner, self.key, self.digest)
        return _given_again(bytes(kept.body), kept.status) if kept else None

    async def reserve(self) -> None:
        async with housekeeping() as work:
            await idempotency.reserve(work, official_id=self.owner, key=self.key, request_sha256=self.digest)

    async def fill(self, response: Response) -> None:
        async with housekeeping():
            body = bytes(response.body)
            await idempotency.fill(self.owner, self.key, status=response.status_code, body=body)

    async def release(self) -> None:
        async with housekeeping():
            await idempotency.release(self.owner, self.key)

    async def keep(self, work: Work, response: Response) -> None:
        """Store the answer in the transaction of its effect."""
        await idempotency.keep(
            work,
            official_id=self.owner,
            key=self.key,
            request_sha256=self.digest,
            status=response.status_code,
            body=bytes(response.body),
        )


class _Tagged(msgspec.Struct):
    """What an answer says of the version that it shows."""

    etag: str | None = None


def _given_again(body: bytes, status: int) -> Response:
    """An answer that was kept, with the same head as the first time."""
    if not body:
        return Response(status_code=status)
    return _json_response(body, status, msgspec.json.decode(body, type=_Tagged).etag)


def _json_response(body: bytes, status: int, etag: str | None) -> Response:
    headers = {"ETag": f'"{etag}"'} if etag else None
    return Response(body, status, headers, media_type="application/json")


def endpoint(
    *,
    summary: str,
    returns: Any = None,
    body: Any = None,
    query: type[msgspec.Struct] | None = None,
    status: int = 200,
    access: Access = Access.SIGNED_IN,
    once: bool = False,
    needs: Sequence[str] = (),
    refuses: Sequence[type[OaError]] = (),
    scope: str | None = None,
    systems_need: Sequence[str] = (),
) -> Callable[[Handler], Endpoint]:
    """Declare a handler: `returns` and `body` are msgspec types or `Binary`; None means empty.

    `once` endpoints create something: they honour `Idempotency-Key`. They must do all they do in one short transaction,
    which the kept answer joins. Acts on a document need no key, because its state lets each happen once.

    With a `scope` departments' systems that have it come in too, under `/api/v1`.

    `needs` are request headers and `refuses` the refusals that the handler itself sees to, for the API description;
    `systems_need` are further headers that it wants of systems.
    """

    def wrap(handler: Handler) -> Endpoint:
        answer = status if returns is not None else 204
        return Endpoint(
            handler=handler,
            summary=summary,
            returns=returns,
            body=body,
            query=query,
            status=answer,
            access=access,
            once=once,
            needs=tuple(needs),
            refuses=tuple(refuses),
            scope=scope,
            systems_need=tuple(systems_need),
        )

    return wrap


class Resource:
    """The ASGI application of one path, with all its methods."""

    def __init__(self, path: str, endpoints: Mapping[str, Endpoint]) -> None:
        self.path = path
        self.endpoints = endpoints
        self.allow = ", ".join(sorted({*endpoints, "OPTIONS"} | ({"HEAD"} if "GET" in endpoints else set())))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        headers = {"Allow": self.allow}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        found = self.endpoints.get("GET" if request.method == "HEAD" else request.method)
        if found is None:
            language = language_of(request.headers)
            return problem_response(WRONG_METHOD, status=405, language=language, headers=headers)
        response = await found.answer(request)
        return _without_body(response) if request.method == "HEAD" else response


def _without_body(response: Response) -> Response:
    """The same answer for who asks for its head alone; a stream is not even begun."""
    head = Response(status_code=response.status_code)
    head.raw_headers = response.raw_headers
    return head


def resource(path: str, **endpoints: Endpoint) -> Route:
    """The route of one path; keywords are methods."""
    return Route(path, Resource(path, endpoints))


def for_departments(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """The same endpoints for departments' systems, as far as they have a scope: one handler, two doors."""
    found: list[BaseRoute] = []
    for route in routes:
        if isinstance(route, Route) and isinstance(route.endpoint, Resource):
            open_to_them = {
                method: replace(item, access=Access.CLIENT, needs=(*item.needs, *item.systems_need))
                for method, item in route.endpoint.endpoints.items()
                if item.scope is not None and item.access is Access.SIGNED_IN
            }
            if open_to_them:
                found.append(resource(DEPARTMENTS + route.path.removeprefix("/api"), **open_to_them))
    return found


def nowhere(path: str) -> Route:
    """The end of a tree of paths: what no other route has answered is not there, whatever the method."""
    return Route(path, _Nowhere())


class _Nowhere:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotFound(NOT_FOUND)


def attachment(name: str, media_type: str, data: bytes) -> Response:
    """An answer that a browser saves under this name (RFC 6266, 4.3)."""
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return Response(data, headers=headers, media_type=media_type)


def inline(name: str, media_type: str, data: bytes, *, etag: str) -> Response:
    """An answer that a browser shows, and saves under this name."""
    headers = {"Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}", "ETag": f'"{etag}"'}
    return Response(data, headers=headers, media_type=media_type)
