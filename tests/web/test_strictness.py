"""What is no proper request gets a clear answer: strict JSON, methods, types, addresses, headers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oa_server.core.errors import Invalid, Malformed
from oa_server.web.bodies import decode
from tests.city import BODY, City
from tests.journey import Begin

JSON = {"Content-Type": "application/json"}
DRAFT = b'{"elements": {"kind": "notice", "title": "%s"}, "body": {"type": "doc", "content": []}}'


def refusal(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


NO_JSON = {
    "nothing": b"",
    "no JSON": b"title=x",
    "half": DRAFT[:-1],
    "more": DRAFT + b" {}",
    "byte-order mark": b"\xef\xbb\xbf" + DRAFT,
    "UTF-16": DRAFT.decode().encode("utf-16"),
    "Latin-1": DRAFT.replace(b"%s", b"\xe9"),
    "NaN": b'{"verb": "submit", "parameters": {"a": NaN}}',
    "infinity": b'{"verb": "submit", "parameters": {"a": -Infinity}}',
    "beyond measure": b'{"verb": "submit", "parameters": {"a": 1e999}}',
    "ten thousand digits": b'{"verb": "submit", "parameters": {"a": ' + b"9" * 10_000 + b"}}",
    "deep lists": b'{"verb": "submit", "parameters": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a name twice": b'{"verb": "submit", "verb": "abandon"}',
    "a name twice, hidden": b'{"verb": "submit", "v\\u0065rb": "abandon"}',
    "a name twice, deep": b'{"verb": "submit", "parameters": {"a": [{"b": 1, "b": 2}]}}',
    "zero": b'{"verb": "\\u0000"}',
    "comment": b'{"verb": "submit" /* now */}',
    "trailing comma": b'{"verb": "submit",}',
    "single quotes": b"{'verb': 'submit'}",
}


@pytest.mark.parametrize("name", NO_JSON)
async def test_no_json(city: City, name: str) -> None:
    """What is not JSON in UTF-8, or JSON that two readers could read differently, is refused as such, and does nothing."""
    wang = await city.signed_in("wang")
    path = f"/api/documents/{city.people['wang']}/acts" if b"verb" in NO_JSON[name] else "/api/documents"
    refused = await wang.send("POST", path, content=NO_JSON[name], headers=JSON)
    assert refusal(refused) == (400, "web.malformed")
    assert (await wang.get("/api/documents")).json()["items"] == []


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"elements": {"kind": "memo", "title": "x"}, "body": {"type": "doc", "content": []}}',
        b'{"elements": {"kind": "notice", "title": 5}, "body": {"type": "doc", "content": []}}',
        b'{"elements": {"kind": "notice", "title": "x", "state": "signed"}, "body": {"type": "doc", "content": []}}',
        b'{"elements": {"kind": "notice", "title": "x"}, "body": {"type": "doc", "content": [{"type": "script"}]}}',
        b'{"elements": {"kind": "notice", "title": "x", "classify_years": 1.5}, "body": {"type": "doc", "content": []}}',
        b'{"elements": {"kind": "notice", "title": "x", "signer_id": "1"}, "body": {"type": "doc", "content": []}}',
    ],
)
async def test_another_form(city: City, data: bytes) -> None:
    """JSON of another form is told where it differs; what no form knows is refused and not passed over."""
    wang = await city.signed_in("wang")
    refused = await wang.send("POST", "/api/documents", content=data, headers=JSON)
    assert refusal(refused) == (422, "web.invalid")
    assert refused.json()["detail"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml", "multipart/form-data; boundary=x", "json"])
async def test_another_content_type(city: City, kind: str) -> None:
    """What does not say that it is JSON, or the file that is asked for, is not tried as that."""
    wang = await city.signed_in("wang")
    headers = {"Content-Type": kind} if kind else {}
    data = DRAFT.replace(b"%s", b"x")
    assert refusal(await wang.send("POST", "/api/documents", content=data, headers=headers)) == (415, "web.wrong_type")
    for path in ("/api/verify", "/api/documents/import"):
        assert refusal(await wang.send("POST", path, content=b"x", headers=headers)) == (415, "web.wrong_type")


async def test_a_content_type_with_parameters(city: City) -> None:
    """JSON may name its encoding."""
    wang = await city.signed_in("wang")
    headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
    drafted = await wang.send("POST", "/api/documents", content=DRAFT.replace(b"%s", b"x"), headers=headers)
    assert drafted.status_code == 201


async def test_too_much(city: City) -> None:
    """A body beyond the limit is refused before it is held, whether its length is told or not."""
    wang = await city.signed_in("wang")
    refused = await wang.send("POST", "/api/documents", content=b" " * ((8 << 20) + 1), headers=JSON)
    assert refusal(refused) == (413, "web.too_large")

    async def pieces() -> Any:
        for _ in range(9):
            yield b" " * (1 << 20)

    assert refusal(await wang.send("POST", "/api/documents", content=pieces(), headers=JSON)) == (413, "web.too_large")


async def test_heads(begin: Begin) -> None:
    """HEAD is answered as GET is, status and headers, without the body; also for files, whose bytes are not even read."""
    async with begin("received") as story:
        zhou = await story.desk("zhou")
        path = await story.arrived()
        (attached,) = (await zhou.get(path)).json()["attachments"]
        for address in (
            path,
            f"{path}/pages.pdf",
            f"/api/files/{attached['id']}/content",
            "/api/tasks",
            "/api/nowhere",
        ):
            whole, head = await zhou.get(address), await zhou.http.head(address)
            assert (head.status_code, head.content) == (whole.status_code, b"")
            assert dict(head.headers) == dict(whole.headers), address
        created = await zhou.send("HEAD", "/api/session/challenge")
        assert created.status_code == 405


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/documents", "GET, HEAD, OPTIONS, POST"),
        ("/api/session", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("/api/documents/1", "GET, HEAD, OPTIONS, PATCH"),
        ("/api/session/challenge", "OPTIONS, POST"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
async def test_methods(city: City, path: str, allowed: str) -> None:
    """Every address tells the methods that it takes, to who asks for them and to who uses another."""
    wang = await city.signed_in("wang")
    options = await wang.http.request("OPTIONS", path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allowed, b"")
    for method in ("PUT", "TRACE", "PROPFIND", "X"):
        refused = await wang.send(method, path)
        assert refusal(refused) == (405, "web.wrong_method")
        assert refused.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/api/", "/api/nowhere", "/api/documents/", "/api//documents", "/api/../api/x"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_no_such_address(city: City, method: str, path: str) -> None:
    """Below `/api` an address that there is not is nowhere, and never the web client's page."""
    wang = await city.signed_in("wang")
    assert refusal(await wang.send(method, path)) == (404, "core.not_found")


async def test_language(city: City) -> None:
    """Problems are told in the reader's language, Chinese first, under the same code."""
    wang = await city.signed_in("wang")
    for language, word in (("", "没有找到"), ("zh-CN", "没有找到"), ("fr, en", "没有找到"), ("en-GB,zh", "Not found")):
        headers = {"Accept-Language": language} if language else {}
        problem = (await wang.get("/api/nowhere", headers=headers)).json()
        assert (problem["title"].startswith(word), problem["type"]) == (True, "urn:oa:problem:core.not_found")


async def test_key_of_a_repeated_request(city: City) -> None:
    """A key for repeating is at most 128 characters long."""
    wang = await city.signed_in("wang")
    draft = {"elements": city.elements(), "body": BODY}
    refused = await wang.send("POST", "/api/documents", json=draft, headers={"Idempotency-Key": "k" * 129})
    assert refusal(refused) == (422, "web.invalid")


@pytest.mark.norm("D-8.1.4.4d")
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Whatever bytes come, they are read, or refused by name."""
    with suppress(Invalid):
        decode(data, Any)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json(value: Any) -> None:
    """What JSON can say comes in as it was, its text in normal form C; U+0000 and half characters do not come in."""
    import json
    import unicodedata

    data = json.dumps(value).encode()
    try:
        read = decode(data, Any)
    except Malformed:
        assert "\\u0000" in data.decode() or "\\ud" in data.decode()
        return
    assert json.dumps(read) == unicodedata.normalize("NFC", json.dumps(read))
    plain = json.dumps(value, ensure_ascii=False)
    if unicodedata.is_normalized("NFC", plain):
        assert read == value
