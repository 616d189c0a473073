"""What lies on a document's desk: Word files taken in, pages laid out and read, the sender's board, the drafter's history."""

from __future__ import annotations

import csv
import io

import pikepdf
import pytest

from tests.city import BODY, City
from tests.hostile.docx import document, paragraph
from tests.journey import Begin, Journey

WORD = {"Content-Type": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}


def pages_of(data: bytes) -> int:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        return len(pdf.pages)


async def test_a_word_file(city: City) -> None:
    """A Word file comes in as a body that can be drafted as it is."""
    wang = await city.signed_in("wang")
    file = document(paragraph("一、总体要求") + paragraph("各单位要高度重视。"))
    imported = await wang.send("POST", "/api/documents/import", content=file, headers=WORD)
    assert imported.status_code == 200, imported.text
    body = imported.json()["body"]
    kinds = [(block["type"], block["text"]) for block in body["content"]]
    assert kinds == [("heading", "一、总体要求"), ("paragraph", "各单位要高度重视。")]
    draft = {"elements": city.elements(), "body": body}
    assert (await wang.send("POST", "/api/documents", json=draft)).status_code == 201


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"PK\x03\x04"])
async def test_no_word_file(city: City, data: bytes) -> None:
    """What is no Word file is refused by name."""
    refused = await (await city.signed_in("wang")).send("POST", "/api/documents/import", content=data, headers=WORD)
    assert (refused.status_code, refused.json()["code"]) == (422, "documents.docx_unreadable")


async def test_preview(begin: Begin) -> None:
    """The preview shows what is being drafted with the attachments that are there, and names no organ that there is not."""
    async with begin("drafted") as story:
        wang = await story.desk("wang")
        wanted = {"elements": story.city.elements(), "body": BODY, "document_id": story.path.rpartition("/")[2]}
        shown = await wang.send("POST", "/api/documents/preview", json=wanted)
        assert (shown.headers["content-type"], pages_of(shown.content)) == ("application/pdf", 2)
        unknown = {"main_recipients": ["01890000-0000-7000-8000-000000000000"], "copies_to": [], "signer_id": None}
        again = wanted | {"elements": story.city.elements(**unknown)}
        assert pages_of((await wang.send("POST", "/api/documents/preview", json=again)).content) == 2


async def test_pages(begin: Begin) -> None:
    """There are no pages before the first submission; then they are read under the document's name."""
    async with begin("drafted") as story:
        wang = await story.desk("wang")
        early = await wang.get(f"{story.path}/pages.pdf")
        assert (early.status_code, early.json()["code"]) == (404, "core.not_found")
        await story.does("wang", "submit")
        pages = await wang.get(f"{story.path}/pages.pdf")
        assert pages.headers["content-disposition"].startswith("inline; filename*=UTF-8''%E6%B1%9F")
        sha256 = (await wang.get(story.path)).json()["pages_sha256"]
        assert pages.headers["etag"] == f'"{sha256}"'


async def test_submitted_again_at_once(begin: Begin) -> None:
    """What is withdrawn and submitted again within the same second is the next version of the same pages."""
    async with begin("drafted") as story:
        for version in (1, 2, 3):
            submitted = await story.does("wang", "submit")
            assert (submitted.status_code, submitted.json()["version_no"]) == (200, version), submitted.text
            assert (await story.does("wang", "withdraw")).status_code == 200


async def board(story: Journey) -> list[dict[str, str]]:
    answer = await (await story.desk("sun")).get(f"{story.path}/consignments.csv")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def test_the_board(begin: Begin) -> None:
    """The sender's board tells who has signed for a document, who has refused it and why, and leaves the house as a list."""
    async with begin("received") as story:
        reason = "=非本局职责"
        path = await story.arrived("feng")
        await story.does("feng", "refuse", path, reason=reason, parameters={"code": "not_addressee"})
        shown = (await (await story.desk("sun")).get(f"{story.path}/consignments")).json()
        assert shown["counts"] == {"total": 2, "signed_for": 1, "refused": 1}
        assert [item["organ"]["name"] for item in shown["items"]] == ["江城市财政局", "江城市教育局"]
        assert shown["items"][1]["refusal"]["text"] == reason
        rows = await board(story)
        assert [row["状态"] for row in rows] == ["已签收", "已拒收"]
        assert (rows[0]["签收人"], rows[1]["拒收原因"]) == ("周敏", "非本机关收文")


async def test_history(begin: Begin) -> None:
    """A document tells its whole course in the words of officials, without what only machines care for."""
    async with begin("received") as story:
        shown = (await (await story.desk("wang")).get(story.path)).json()
        expected = ["起草", "送审", "审核同意", "审核同意", "签发", "编号", "定版", "用印", "分发"]
        assert [entry["title"] for entry in shown["history"]] == expected
        assert [step["state"] for step in shown["route"]] == ["done"] * 7


@pytest.mark.parametrize("field", ["certificate", "chain"])
@pytest.mark.parametrize("value", ["A", "AAA=A", "_-_-", "AAAA AAAA", "证书"])
async def test_no_certificate(begin: Begin, field: str, value: str) -> None:
    """What is no certificate in base64 is refused before anything is prepared."""
    async with begin("submitted") as story:
        ask = {"verb": "approve", "opinion": "同意", "certificate": "AAAA", "chain": []}
        ask[field] = value if field == "certificate" else [value]
        refused = await (await story.desk("li")).send("POST", f"{story.path}/signatures", json=ask)
        assert (refused.status_code, refused.json()["code"]) == (422, "web.invalid")


async def test_no_signature(begin: Begin) -> None:
    """A value that is no base64, or a request that there is not, signs nothing."""
    async with begin("submitted") as story:
        li = await story.desk("li")
        asked = (await li.ask(story.path, "approve", opinion="同意")).json()
        for request_id, value, answer in (
            (asked["request_id"], "A", (422, "web.invalid")),
            (asked["request_id"], "AAAA", (422, "signing.wrong_signature")),
            ("01890000-0000-7000-8000-000000000000", "AAAA", (404, "signing.no_request")),
        ):
            signature = {"request_id": request_id, "value": value}
            refused = await li.act(story.path, "approve", opinion="同意", signature=signature)
            assert (refused.status_code, refused.json()["code"]) == answer
        assert (await li.answer(story.path, "approve", asked)).status_code == 200
