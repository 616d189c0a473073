"""The examples in the API description: what was really sent and answered, as the described schemas have it.

They lie in `oa_server/web/examples.json`. `OA_WRITE_EXAMPLES=1 pytest tests/web/test_examples.py` tells the story below and
writes them anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jsonschema_rs

from oa_server.web.openapi import EXAMPLES, EXAMPLES_FILE
from tests.city import BODY, City
from tests.described import description, operation_of
from tests.identity.system import ALL_SCOPES, System, let_in, unit_of

SCOPES = [*ALL_SCOPES, "events:read"]
MINUTES = "各县区人民政府办公室联系人名单".encode()
SHOWN = 2  # of a list
SHORT = 160  # characters of a text
Example = dict[str, Any]


async def test_examples_are_of_real_exchanges(city: City) -> None:
    """Every operation under /api/v1 has an example, with the very fields that systems send and get today."""
    told: dict[str, Example] = {}
    await _story(city, told)
    if os.environ.get("OA_WRITE_EXAMPLES"):
        EXAMPLES_FILE.write_text(json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
        return
    operations = {operation["operationId"] for path, operation in _operations() if path.startswith("/api/v1/")}
    assert told.keys() == EXAMPLES.keys() == operations
    for name, example in told.items():
        assert set(_fields(EXAMPLES[name])) == set(_fields(example)), name


def test_examples_fit_their_schemas() -> None:
    """Every example in the description is valid by the schema that it stands beside."""
    judged = 0
    for path, operation in _operations():
        contents = [answer.get("content", {}) for answer in operation["responses"].values()]
        contents.append(operation.get("requestBody", {}).get("content", {}))
        shown = [*operation["parameters"], *(kind for content in contents for kind in content.values())]
        for one in (each for each in shown if "example" in each):
            judge = jsonschema_rs.validator_for({**one["schema"], "components": description()["components"]})
            assert not [error.message for error in judge.iter_errors(one["example"])], (path, one)
            judged += 1
    assert judged > len(EXAMPLES)


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description()["paths"].items():
        for operation in methods.values():
            yield path, operation


def _fields(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _fields(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, f"{path}[]")
    else:
        yield path


def _shortened(value: Any) -> Any:
    """The same with its lists and long texts cut, so that a page can show it."""
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value[:SHOWN]]
    return f"{value[: SHORT // 2]}…" if isinstance(value, str) and len(value) > SHORT else value


def _record(told: dict[str, Example]) -> Any:
    """A hook of `httpx` that keeps the last good exchange of each operation."""

    async def record(response: httpx.Response) -> None:
        request = response.request
        operation = operation_of(request.method, request.url.path)
        assert operation is not None
        assert response.is_success, response.request.url
        (template,) = (path for path, methods in description()["paths"].items() if operation in methods.values())
        parts = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template), request.url.path)
        assert parts is not None
        given = {**parts.groupdict(), **dict(request.url.params), **dict(request.headers)}
        example: Example = {"parameters": {}}
        for one in operation["parameters"]:
            if (value := given.get(one["name"], given.get(one["name"].lower()))) is not None:
                number = one["schema"].get("type") == "integer"
                example["parameters"][one["name"]] = int(value) if number else value
        kind = request.headers.get("content-type", "")
        if kind == "application/json":
            example["request"] = _shortened(json.loads(request.content))
        elif kind == "application/x-www-form-urlencoded":
            form = _shortened(dict(parse_qsl(request.content.decode())))
            example["request"] = "&".join(f"{name}={value}" for name, value in form.items())
        if response.headers.get("content-type") == "application/json":
            await response.aread()
            example["response"] = _shortened(response.json())
        told[operation["operationId"]] = example

    return record


async def _system(city: City, told: dict[str, Example], person: str, **who: str) -> System:
    system = System(city, **who)
    system.http.event_hooks["response"].append(_record(told))
    where = {"unit_id": await unit_of(city, person), "official_id": city.people[person]}
    await let_in(system, **where, scopes=SCOPES)
    await system.sign_in()
    return system


async def _story(city: City, told: dict[str, Example]) -> None:
    """A system drafts, attaches, submits and watches; another, of the unit that it is given to, reads what came in."""
    receiver = await _system(city, told, "zheng", code="yusuan")
    system = await _system(city, told, "wang")
    await _look_around(city, system)
    document = await _draft_and_submit(city, system)
    await system.get(f"/documents/{document}/pages.pdf")
    await _to_the_receivers(city, f"/api/documents/{document}")
    await system.get(f"/documents/{document}")
    await system.get("/documents", params={"state": "dispatched", "sort": "newest", "limit": "20"})
    (came, *_) = (await system.get(f"/documents/{document}/consignments")).json()["items"]
    await system.get(f"/consignments/{came['id']}/receipt")
    await system.get("/events", params={"after": "7", "limit": "2"})
    await system.get("/webhook-keys")
    (item,) = (await receiver.get("/incoming", params={"q": "公文处理", "limit": "20"})).json()["items"]
    await receiver.get(f"/incoming/{item['id']}")
    await receiver.get(f"/incoming/{item['id']}/pages.pdf")


async def _look_around(city: City, system: System) -> None:
    await system.get("/vocabulary")
    await system.get("/organs", params={"q": "财政局"})
    await system.get(f"/organs/{city.organs['JC002']}")


async def _draft_and_submit(city: City, system: System) -> str:
    content = {"elements": city.elements(), "body": BODY}
    key = "caizheng-2026-000317"
    made = await system.send("POST", "/documents", json=content, key=key)
    document = str(made.json()["id"])
    path = f"/documents/{document}"
    for name in ("旧名单.txt", "联系人名单.txt"):
        file = {"name": name, "size": len(MINUTES), "subject_type": "outgoing", "subject_id": document}
        held = (await system.send("POST", "/files", json=file, key=f"{key}-{name[0] == '联'}")).json()["id"]
        kind = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        await system.send("PATCH", f"/files/{held}", content=MINUTES, headers=kind, key=None)
        if name == "旧名单.txt":
            await system.send("DELETE", f"/files/{held}", key=f"{key}-remove")
    await system.get(f"/files/{held}")
    await system.get(f"/files/{held}/content")
    revised = {"elements": city.elements(note="此件公开发布，请认真贯彻执行")}
    await system.send("PATCH", path, json=revised, headers=await _read(system, path), key=f"{key}-revise")
    act, read = {"verb": "submit"}, await _read(system, path)
    await system.send("POST", f"{path}/acts", json=act, headers=read, key=f"{key}-submit")
    return document


async def _read(system: System, path: str) -> dict[str, str]:
    return {"If-Match": (await system.get(path)).headers["etag"]}


async def _to_the_receivers(city: City, path: str) -> None:
    """What people do: review, sign, number, seal and send it; in the bureau, sign for it and give it to a unit."""
    names = ("li", "zhao", "chen", "sun", "qian", "zhou", "wu")
    li, zhao, chen, sun, qian, zhou, wu = [await city.signed_in(name) for name in names]
    for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
        (await person.sign(path, verb, opinion="同意")).raise_for_status()
    (await sun.act(path, "number")).raise_for_status()
    (await qian.sign(path, "seal", usage="seal")).raise_for_status()
    (await sun.sign(path, "dispatch")).raise_for_status()
    came = f"/api/incoming/{(await zhou.get('/api/incoming')).json()['items'][0]['id']}"
    (await zhou.sign(came, "sign_for")).raise_for_status()
    (await zhou.act(came, "register")).raise_for_status()
    leader = {"leader_id": city.people["wu"]}
    (await zhou.act(came, "propose", opinion="请批示", parameters=leader)).raise_for_status()
    (await wu.sign(came, "instruct", opinion="请预算科办理")).raise_for_status()
    (await zhou.act(came, "assign", parameters={"unit_id": await unit_of(city, "zheng")})).raise_for_status()
