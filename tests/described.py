"""The API description held against every answer that a test's browser gets: what is not described is a fault."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

import oa_server.release  # noqa: F401  whose reasons a server knows that was started by its command
from oa_server.app import _api_routes
from oa_server.settings import Settings
from oa_server.web.openapi import describe

Operation = dict[str, Any]


@cache
def description() -> dict[str, Any]:
    """The description of this server, as `/openapi.json` gives it."""
    return describe(_api_routes(Settings()), version="0")


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Operation]]]:
    templates = description()["paths"].items()
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), methods) for path, methods in templates]


def operation_of(method: str, path: str) -> Operation | None:
    """The described operation of a request; None where the description says that there is none."""
    wanted = "get" if method == "HEAD" else method.lower()
    return next((m[wanted] for path_like, m in _paths() if wanted in m and path_like.fullmatch(path)), None)


@cache
def _judge_of(operation_id: str, status: str, kind: str) -> Any:
    """What judges the JSON of one kind of answer."""
    operations = (operation for _, methods in _paths() for operation in methods.values())
    operation = next(o for o in operations if o["operationId"] == operation_id)
    schema = operation["responses"][status]["content"][kind]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": description()["components"]})


async def hold_to_description(response: httpx.Response) -> None:
    """Fail when the answer is not one that the description allows (an event hook of `httpx`)."""
    request, status = response.request, str(response.status_code)
    operation = operation_of(request.method, request.url.path)
    if operation is None:
        return
    said = f"{request.method} {request.url.path} answered {status}"
    assert status in operation["responses"], f"{said}, which is not described"
    content = operation["responses"][status].get("content", {})
    kind = response.headers.get("content-type", "").partition(";")[0]
    assert kind in content or not (kind or content), f"{said} with {kind}, where {list(content)} is described"
    if kind.endswith(("/json", "+json")) and request.method != "HEAD":
        await response.aread()
        try:
            _judge_of(operation["operationId"], status, kind).validate(response.json())
        except jsonschema_rs.ValidationError as error:
            raise AssertionError(f"{said}, which is not as described: {error}") from error
