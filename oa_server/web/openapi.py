"""The API description (OpenAPI 3.1), made from the same endpoints that validate: it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from oa_server.core.errors import OaError, all_reasons
from oa_server.web.endpoint import Access, Binary, Call, Endpoint, Resource, endpoint, resource
from oa_server.web.errors import PROBLEM_TYPE, Problem
from oa_server.web.guard import SAFE_METHODS, session_cookie

_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_REF = "#/components/schemas/{name}"

# Exchanges that really took place (tests/web/test_examples.py keeps them so), by operation.
EXAMPLES_FILE = Path(__file__).parent / "examples.json"
EXAMPLES: dict[str, dict[str, Any]] = msgspec.json.decode(EXAMPLES_FILE.read_bytes())


def endpoints_of(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str, Endpoint]]:
    """(path, method, endpoint) of every endpoint among `routes`."""
    for route in routes:
        if isinstance(route, Route) and isinstance(route.endpoint, Resource):
            for method, item in route.endpoint.endpoints.items():
                yield route.path, method, item


def describe(routes: Iterable[BaseRoute], *, version: str, secure: bool = False) -> dict[str, Any]:
    """The OpenAPI document of `routes`, as JSON values; `secure` when the server is reached over TLS."""
    found = list(endpoints_of(routes))
    types = [
        t for _, _, e in found for t in (e.body, e.returns, e.query) if t is not None and not isinstance(t, Binary)
    ]
    _, components = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for path, method, item in found:
        clean = _PARAMETER.sub(r"{\1}", path)
        paths.setdefault(clean, {})[method.lower()] = _operation(path, method, item)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "公文交换系统接口",
            "version": version,
            "description": "Errors are RFC 9457 problems; x-problems has every code with its titles. "
            "Examples are of real exchanges; their lists end after two and long texts at “…”.",
        },
        "x-problems": {code: {"zh": reason.zh, "en": reason.en} for code, reason in sorted(all_reasons().items())},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": session_cookie(secure=secure)},
                "same_site": {"type": "apiKey", "in": "header", "name": "X-OA-CSRF"},
                "client": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "monitor": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(path: str, method: str, item: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": item.summary,
        "operationId": f"{_door(item)}{_domain(item)}.{item.handler.__name__.strip('_')}",
        "tags": [_domain(item)],
        "parameters": [*_path_parameters(path), *_query_parameters(item), *_header_parameters(method, item)],
        "responses": {**_answers(item), **_refusals(item.refusals(path, method))},
    }
    if item.body is not None:
        # An empty file is a file; what it is worth, the handler says.
        operation["requestBody"] = {"required": not isinstance(item.body, Binary), "content": _content(item.body)}
    if item.access is Access.SIGNED_IN:
        operation["security"] = [{"session": []} if method in SAFE_METHODS else {"session": [], "same_site": []}]
    if item.access is Access.CLIENT:
        operation["security"] = [{"client": [item.scope]}]
    if item.access is Access.MONITOR:
        operation["security"] = [{"monitor": []}]
    _illustrate(operation, item)
    return operation


def _illustrate(operation: dict[str, Any], item: Endpoint) -> None:
    """Put what was really sent and answered beside the schemas of it."""
    example = EXAMPLES.get(operation["operationId"], {})
    for one in operation["parameters"]:
        if one["name"] in example.get("parameters", {}):
            one["example"] = example["parameters"][one["name"]]
    places = {"request": operation.get("requestBody"), "response": operation["responses"][str(item.status)]}
    for part in places.keys() & example.keys():
        (content,) = places[part]["content"].values()
        content["example"] = example[part]


def _domain(item: Endpoint) -> str:
    return item.handler.__module__.split(".")[-2]


def _door(item: Endpoint) -> str:
    return "v1." if item.access is Access.CLIENT else ""


def _answers(item: Endpoint) -> dict[str, Any]:
    answers = {str(item.status): _answer(item)}
    if isinstance(item.returns, Binary) and item.returns.in_ranges:
        answers["206"] = {"description": "The part asked for", "content": _content(item.returns)}
    return answers


def _refusals(kinds: Iterable[type[OaError]]) -> dict[str, Any]:
    """Problems by status. Every request may be refused for a foreign host, and may meet a fault of ours."""
    statuses = {kind.status: kind.__name__ for kind in kinds} | {421: "WrongHost", 500: "Internal"}
    content = {PROBLEM_TYPE: {"schema": _schema(Problem)}}
    return {str(status): {"description": name, "content": content} for status, name in sorted(statuses.items())}


def _answer(item: Endpoint) -> dict[str, Any]:
    if item.returns is None:
        return {"description": "Done"}
    return {"description": "Done", "content": _content(item.returns)}


def _content(kind: Any) -> dict[str, Any]:
    if isinstance(kind, Binary):
        return {kind.media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": _schema(kind)}}


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(path)
    ]


def _query_parameters(item: Endpoint) -> list[dict[str, Any]]:
    if item.query is None:
        return []
    _, components = msgspec.json.schema_components([item.query], ref_template=_REF)
    schema = components[item.query.__name__]
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": value}
        for name, value in schema["properties"].items()
    ]


def _header_parameters(method: str, item: Endpoint) -> list[dict[str, Any]]:
    needs = [*item.needs, *(["Idempotency-Key"] if item.takes_key(method) else [])]
    optional = ["Idempotency-Key"] if item.once and not item.takes_key(method) else []
    return [
        {"name": name, "in": "header", "required": name in needs, "schema": {"type": "string"}}
        for name in (*needs, *optional)
    ]


def openapi_route(document: Callable[[], dict[str, Any]]) -> Route:
    """Serves the description at `/openapi.json`. It is made when somebody asks: a start need not wait for it."""

    @endpoint(summary="接口说明（OpenAPI 3.1）", returns=dict[str, Any], access=Access.OPEN)
    async def openapi(call: Call[None]) -> JSONResponse:
        return JSONResponse(document())

    return resource("/openapi.json", GET=openapi)
