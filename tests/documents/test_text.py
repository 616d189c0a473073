"""Whatever people write comes back as text: nothing of it is run, lost, or a fault of the server."""

from __future__ import annotations

import unicodedata

import pytest

from oa_server.audit import actions as audit
from oa_server.documents.models import DocumentVersion
from oa_server.verification import all_faults
from tests.city import City
from tests.journey import Begin, Journey

NAUGHTY = {
    "script": "<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "sql": "'; DROP TABLE official; --",
    "template": "{{7*7}} ${7*7} #{7*7} %s %n",
    "typst": '#eval("1+1") $x^2$ @ref <label> *粗* _斜_ `code` \\ #include "/etc/passwd"',
    "path": "../../../../etc/passwd",
    "formula": "=cmd|' /C calc'!A0",
    "arabic": "مرحبا بالعالم",
    "override": "\u202eevil\u202c\u2066反\u2069",
    "zero width": "公\u200b文\u200d\ufeff",
    "decomposed": unicodedata.normalize("NFD", "Ångström é"),
    "compatibility": "\uf900\ufa0e\u2f00ﬁ①㎏",
    "rare": "𠮷𡈽𬭚䶮",
    "emoji": "👨‍👩‍👧‍👦🇨🇳",
    "controls": "甲\x01乙\x7f丙\x85丁",
    "lines": "一\r\n二\n三\u2028四\t五",
    "noncharacter": "\ufdd0\uffff",
    "private": "\ue000",
    "null word": "null",
    "long word": "W" * 120,
    "quotes": "“‘「『《》』」’”",
    "combining": "a" + "\u0301" * 40,
}


@pytest.mark.parametrize("name", NAUGHTY)
async def test_drafted_and_read(city: City, name: str) -> None:
    """Every text of a draft comes back as it was written, in normal form C, on its page, in lists and to-do lists."""
    text = NAUGHTY[name]
    kept = unicodedata.normalize("NFC", text)
    story = Journey(city)
    wang = await story.desk("wang")
    body = {
        "type": "doc",
        "content": [
            {"type": "heading", "level": 1, "text": text},
            {"type": "paragraph", "text": text},
            {"type": "table", "rows": [[text, ""]], "header": False},
        ],
    }
    title = f"关于{text}的通知"
    elements = city.elements(title=title, note=text, printing_organ=text)
    made = await wang.send("POST", "/api/documents", json={"elements": elements, "body": body})
    assert made.status_code == 201, made.text
    path = f"/api/documents/{made.json()['id']}"
    shown = (await wang.get(path)).json()
    assert [shown["elements"][field] for field in ("title", "note", "printing_organ")] == [
        unicodedata.normalize("NFC", title),
        kept,
        kept,
    ]
    assert [block["text"] for block in shown["body"]["content"][:2]] == [kept, kept]
    assert shown["body"]["content"][2]["rows"] == [[kept, ""]]
    found = (await wang.get("/api/documents", params={"q": text[:20]})).json()["items"]
    assert [item["title"] for item in found] == [unicodedata.normalize("NFC", title)]
    tasks = (await wang.get("/api/tasks", params={"q": text[:20]})).json()["items"]
    assert [task["title"] for task in tasks] == [unicodedata.normalize("NFC", title)]


@pytest.mark.parametrize("name", NAUGHTY)
async def test_laid_out_and_signed(begin: Begin, name: str) -> None:
    """Such text is laid out and signed, or refused by name because no glyph shows it; nothing else happens."""
    async with begin("drafted") as story:
        text, wang = NAUGHTY[name], await story.desk("wang")
        path = await story.drafts(title=f"关于{text}的通知", note=text)
        submitted = await story.does("wang", "submit", path)
        if submitted.status_code != 200:
            problem = submitted.json()
            assert (submitted.status_code, problem["code"]) == (422, "layout.no_glyph")
            assert problem["facts"]["characters"]
            return
        pages = await wang.get(f"{path}/pages.pdf")
        assert pages.content.startswith(b"%PDF-")
        said = await story.does("li", "approve", path, opinion=text)
        assert said.status_code == 200, said.text
        assert said.json()["opinions"][0]["text"] == unicodedata.normalize("NFC", text)
        returned = await story.does("zhao", "return", path, reason=text)
        assert returned.status_code == 200, returned.text


async def test_all_the_way(begin: Begin) -> None:
    """Text in every script goes from draft to receipt under its signatures, and the whole still agrees."""
    async with begin("drafted") as story:
        text = NAUGHTY["typst"] + NAUGHTY["script"] + NAUGHTY["decomposed"] + NAUGHTY["quotes"]
        path = await story.drafts(title=f"关于{text}的通知", note=text)
        for person, verb in (("wang", "submit"), ("li", "approve"), ("zhao", "approve"), ("chen", "sign")):
            assert (await story.does(person, verb, path, opinion=text)).status_code == 200
        for person, verb in (("sun", "number"), ("qian", "seal"), ("sun", "dispatch")):
            assert (await story.does(person, verb, path)).status_code == 200
        incoming = await story.arrived()
        for person, verb, fields in (
            ("zhou", "sign_for", {}),
            ("zhou", "register", {}),
            ("zhou", "propose", {"opinion": text, "parameters": {"leader_id": story.city.people["wu"]}}),
            ("wu", "instruct", {"opinion": text}),
            ("zhou", "close", {"opinion": text}),
        ):
            done = await story.does(person, verb, incoming, **fields)
            assert done.status_code == 200, done.text
        shown = done.json()
        kept = unicodedata.normalize("NFC", text)
        assert (shown["proposal"], shown["result"], shown["opinions"][0]["text"]) == (kept, kept, kept)
        while await audit.sequence():
            pass
        assert [fault async for fault in all_faults(story.city.app.state.house)] == []


@pytest.mark.parametrize(
    "data",
    [
        rb'{"elements": {"kind": "notice", "title": "\u0000"}, "body": {"type": "doc", "content": []}}',
        rb'{"elements": {"kind": "notice", "title": "\ud800"}, "body": {"type": "doc", "content": []}}',
        rb'{"elements": {"kind": "notice", "title": "\udc00\ud800"}, "body": {"type": "doc", "content": []}}',
        b'{"elements": {"kind": "notice", "title": "\xff"}, "body": {"type": "doc", "content": []}}',
        b'{"elements": {"kind": "notice", "title": "\xed\xa0\x80"}, "body": {"type": "doc", "content": []}}',
        b'{"elements": {"kind": "notice", "title": "a\nb"}, "body": {"type": "doc", "content": []}}',
    ],
    ids=["zero", "half", "halves", "latin-1", "cesu-8", "line feed"],
)
async def test_what_is_no_text(city: City, data: bytes) -> None:
    """U+0000, half a character, or bytes of another encoding are no text, and nothing is drafted from them."""
    wang = await city.signed_in("wang")
    refused = await wang.send("POST", "/api/documents", content=data, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (400, "web.malformed")
    assert (await wang.get("/api/documents")).json()["items"] == []


async def test_invisible_text_makes_no_difference(begin: Begin) -> None:
    """What has no shape on paper makes no difference to the digest of the text that a leader signs."""
    async with begin("drafted") as story:
        for title in ("关于甲的通知", "关于\u200b甲\u202c的通知"):
            await story.does("wang", "submit", await story.drafts(title=title))
        visible, invisible = await DocumentVersion.all()
        assert visible.text_sha256 == invisible.text_sha256
