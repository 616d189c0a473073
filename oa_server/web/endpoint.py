"""Endpoints: plain async functions whose types validate the request, build the answer and describe the API.

    @endpoint(returns=DocumentOut, body=DraftIn, status=201, summary="起草公文")
    async def create(call: Call[DraftIn]) -> DocumentOut: ...

    routes = [resource("/api/documents", GET=list_, POST=create)]

One `resource` per path holds all its methods, so a wrong method is answered 405 with a true `Allow` header.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, Invalid, Malformed, NotFound, Reason, TooLarge
from oa_server.storage import idempotency
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.web import guard
from oa_server.web.errors import language_of, problem_response

MALFORMED = Reason("web.malformed", "请求内容无法读取，请检查格式", "The request cannot be read as JSON.")
INVALID = Reason("web.invalid", "填写的内容不符合要求", "What was sent does not fit its form.")
TOO_LARGE = Reason("web.too_large", "请求内容过大", "The request is too large.")
WRONG_METHOD = Reason("web.wrong_method", "此地址不支持该操作", "This address does not take that method.")
WRONG_TYPE = Reason("web.wrong_type", "请求的内容类型不受支持", "This address does not take that content type.")

JSON_LIMIT = 8 << 20
KEY_LIMIT = 128

B = TypeVar("B")


class Access(Enum):
    """Who may call an endpoint at all; what they may do there, the action decides."""

    SIGNED_IN = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Binary:
    """An answer that is bytes of this media type, not JSON."""

    media_type: str


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
    def language(self) -> str:
        return language_of(self.request.headers)

    async def raw(self, limit: int) -> bytes:
        """The body as bytes. Raises TooLarge before more than `limit` bytes are held."""
        return await read_body(self.request, limit)


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

    async def answer(self, request: Request) -> Response:
        actor = await guard.actor_of(request) if self.access is Access.SIGNED_IN else Actor(name="anonymous")
        data = await self._read(request)
        call = Call(request, actor, decode(data, self.body) if data is not None else None, self._query(request))
        key = request.headers.get("idempotency-key")
        if self.once and key and actor.official_id is not None:
            return await self._answer_once(call, key, data or b"")
        return self._response(await self.handler(call))

    async def _answer_once(self, call: Call[Any], key: str, data: bytes) -> Response:
        """The answer of the first request with this key; effect and answer are kept in one transaction."""
        if len(key) > KEY_LIMIT:
            raise Invalid(INVALID, "Idempotency-Key")
        request, official_id = call.request, call.actor.official_id
        assert official_id is not None
        digest = sha256(b"\0".join((request.method.encode(), request.url.path.encode(), data))).hexdigest()
        if kept := await idempotency.find(official_id, key, digest):
            return Response(bytes(kept.body), kept.status, media_type="application/json")
        async with unit_of_work(call.actor) as work:
            response = self._response(await self.handler(call))
            await idempotency.keep(
                work,
                official_id=official_id,
                key=key,
                request_sha256=digest,
                status=response.status_code,
                body=bytes(response.body),
            )
        return response

    def _response(self, result: Any) -> Response:
        if isinstance(result, Response):
            return result
        if result is None:
            return Response(status_code=self.status)
        response = Response(msgspec.json.encode(result), self.status, media_type="application/json")
        if etag := getattr(result, "etag", None):
            response.headers["ETag"] = f'"{etag}"'
        return response

    async def _read(self, request: Request) -> bytes | None:
        """The JSON body, or None where there is none or the handler reads bytes itself."""
        if self.body is None or isinstance(self.body, Binary):
            return None
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Invalid(WRONG_TYPE, expected="application/json")
        return await read_body(request, JSON_LIMIT)

    def _query(self, request: Request) -> Any:
        if self.query is None:
            return None
        try:
            return msgspec.convert(dict(request.query_params), self.query, strict=False)
        except msgspec.ValidationError as error:
            raise Invalid(INVALID, str(error)) from error


def endpoint(
    *,
    summary: str,
    returns: Any = None,
    body: Any = None,
    query: type[msgspec.Struct] | None = None,
    status: int = 200,
    access: Access = Access.SIGNED_IN,
    once: bool = False,
) -> Callable[[Handler], Endpoint]:
    """Declare a handler: `returns` and `body` are msgspec types or `Binary`; None means empty.

    `once` endpoints create something: they honour `Idempotency-Key`. They must do all they do in one short transaction,
    which the kept answer joins. Acts on a document need no key, because its state lets each happen once.
    """

    def wrap(handler: Handler) -> Endpoint:
        return Endpoint(handler, summary, returns, body, query, status if returns is not None else 204, access, once)

    return wrap


class Resource:
    """The ASGI application of one path, with all its methods."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self.endpoints = endpoints
        self.allow = ", ".join(sorted(endpoints))

    async def __call__(self, request: Request) -> Response:
        found = self.endpoints.get(request.method)
        if found is None:
            return problem_response(
                WRONG_METHOD, status=405, language=language_of(request.headers), headers={"Allow": self.allow}
            )
        return await found.answer(request)


def resource(path: str, **endpoints: Endpoint) -> Route:
    """The route of one path; keywords are methods."""
    handler = Resource(endpoints)

    async def respond(request: Request) -> Response:
        return await handler(request)

    route = Route(path, respond, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    route.resource = handler  # type: ignore[attr-defined]  # openapi.py and the structure tests read it back
    return route


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge as soon as it passes `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(TOO_LARGE, limit=limit)
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > limit:
            raise TooLarge(TOO_LARGE, limit=limit)
    return bytes(pieces)


def decode(data: bytes, kind: Any) -> Any:
    """Strict JSON into `kind`: UTF-8 only, no NaN, unknown members refused by the schemas themselves."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise Invalid(INVALID, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(MALFORMED, str(error)) from error
