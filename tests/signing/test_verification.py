"""The verification report: what a dropped file is worth, whoever made it and however it was changed."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pikepdf
import pytest

from crypto.errors import ContentRefused
from crypto.pades import embedded_files
from tests.city import Browser, City, told
from tests.journey import Begin

PDF = {"Content-Type": "application/pdf"}


def pdf(**embedded: bytes) -> bytes:
    """A PDF of one empty page with these files inside; underscores in their names stand for dots."""
    with pikepdf.new() as made:
        made.add_blank_page()
        for name, content in embedded.items():
            file = name.replace("__", "-").replace("_", ".")
            made.attachments[file] = pikepdf.AttachedFileSpec(made, content, filename=file)
        buffer = io.BytesIO()
        made.save(buffer)
    return buffer.getvalue()


async def verified(browser: Browser, data: bytes, **headers: str) -> httpx.Response:
    return await browser.send("POST", "/api/verify", content=data, headers=PDF | headers)


async def report_on(browser: Browser, data: bytes, **headers: str) -> dict[str, Any]:
    answer = await verified(browser, data, **headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def codes(report: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in report["findings"]]


async def test_a_sealed_document(begin: Begin) -> None:
    """A sealed document is valid: who sealed it and when, whose opinions it carries, and that it is one of ours."""
    async with begin("sealed") as journey:
        wang = await journey.desk("wang")
        data = (await wang.get(f"{journey.path}/pages.pdf")).content
        report = await report_on(wang, data)
        assert (report["verdict"], codes(report)) == ("valid", [])
        (seal,) = report["signatures"]
        assert (seal["kind"], seal["signer"], seal["certificate_good"]) == ("seal", "江城市人民政府办公室", True)
        assert seal["covers_whole_file"]
        assert seal["timestamp_at"]
        assert [opinion["actor"] for opinion in report["opinions"]] == ["李红", "赵明", "陈志远"]
        assert report["known_document"]["doc_no"].startswith("江政办发")


async def test_one_changed_byte(begin: Begin) -> None:
    """One byte changed anywhere in a sealed document is told, and so is anything added or cut off."""
    async with begin("sealed") as journey:
        wang = await journey.desk("wang")
        data = (await wang.get(f"{journey.path}/pages.pdf")).content
        for at in range(len(data) // 23, len(data), len(data) // 23):
            changed = bytearray(data)
            changed[at] ^= 1
            assert (await report_on(wang, bytes(changed)))["verdict"] == "invalid", at
        for other in (data + b"\n", data[:-1], data + data):
            report = await report_on(wang, other)
            assert (report["verdict"], report["known_document"]) == ("invalid", None)


async def test_damage_that_parsers_stumble_over(begin: Begin) -> None:
    """A byte range that is none, or an entry for embedded files that leads nowhere, is answered by a report as well."""
    async with begin("sealed") as journey:
        wang = await journey.desk("wang")
        data = (await wang.get(f"{journey.path}/pages.pdf")).content
        at = data.rindex(b"/ByteRange [") + len(b"/ByteRange [0 ")
        spaced, named = data[:at] + b" " + data[at + 1 :], data[: at + 1] + b"/" + data[at + 2 :]
        for damaged in (spaced, named, data[: at - 2] + b"  " + data[at:]):
            report = await report_on(wang, damaged)
            assert report["verdict"] == "invalid"
            assert codes(report) or any(codes(signature) for signature in report["signatures"])
        damaged = data.replace(b"/EF<<", b"/EG<<", 1)
        assert damaged != data
        assert (await report_on(wang, damaged))["verdict"] == "invalid"


async def test_the_order_of_opinions(city: City) -> None:
    """Opinions are told in the order of their numbers, the tenth behind the ninth."""
    files = {f"opinion__{n}_json": json.dumps({"text": str(n), "actor": {}}).encode() for n in (10, 2, 1, 11, 9)}
    report = await report_on(await city.signed_in("wang"), pdf(**files))
    assert [opinion["text"] for opinion in report["opinions"]] == ["1", "2", "9", "10", "11"]


async def test_revoked_afterwards(begin: Begin) -> None:
    """A seal made before its certificate was revoked stays good, because its timestamp says so."""
    async with begin("sealed") as journey:
        wang = await journey.desk("wang")
        data = (await wang.get(f"{journey.path}/pages.pdf")).content
        await journey.city.revoke("qian", "seal")
        assert (await report_on(wang, data))["verdict"] == "valid"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "pdf.unreadable"),
        (b"not a PDF", "pdf.unreadable"),
        (b"%PDF-1.7\n" + bytes(1000), "pdf.unreadable"),
        (pdf(), "pdf.unsigned"),
    ],
    ids=["nothing", "text", "only a head", "no signature"],
)
async def test_files_without_a_seal(city: City, data: bytes, code: str) -> None:
    """What is no PDF, or carries no signature, is invalid with its reason, and known to nobody."""
    report = await report_on(await city.signed_in("wang"), data)
    assert (report["verdict"], codes(report), report["known_document"]) == ("invalid", [code], None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"actor": "x"}',
        b"[" * 100_000,
        b'{"actor": {"name": "\\ud800"}, "text": "\\udfff"}',
        json.dumps({"actor": {"name": "陈志远", "organ": "市政府"}, "decision": "issue", "text": "同意"}).encode(),
    ],
    ids=["nothing", "no text", "no object", "no actor", "deep", "half a character", "without a signature"],
)
async def test_opinions_that_nobody_signed(city: City, content: bytes) -> None:
    """An opinion inside a file is shown as what it is: not signed by anybody, whatever it says."""
    report = await report_on(await city.signed_in("wang"), pdf(opinion__1_json=content))
    (opinion,) = report["opinions"]
    assert not opinion["ok"]
    assert opinion["findings"]
    assert report["verdict"] == "invalid"


@pytest.mark.norm("A-5.2–5.4")
async def test_a_bomb_inside(city: City) -> None:
    """A small file that would unpack to a huge one is not unpacked."""
    with pikepdf.open(io.BytesIO(pdf(opinion__1_json=bytes(32 << 20)))) as bomb:
        buffer = io.BytesIO()
        bomb.save(buffer, compress_streams=True)
    assert buffer.tell() < 1 << 20
    report = await report_on(await city.signed_in("wang"), buffer.getvalue())
    assert (report["verdict"], report["opinions"]) == ("invalid", [])


def test_what_is_unpacked() -> None:
    """Embedded files are read up to a limit, and only when packed as everybody packs."""
    assert embedded_files(pdf(a_json=b"a", b_json=b"b")) == {"a.json": b"a", "b.json": b"b"}
    with pytest.raises(ContentRefused) as refused:
        embedded_files(pdf(a_json=bytes(9 << 20), b_json=bytes(9 << 20)))
    assert refused.value.code == "pdf.too_large"
    with pikepdf.open(io.BytesIO(pdf(a_json=b"a"))) as strange:
        strange.attachments["a.json"].obj.EF.F.write(b"61>", filter=pikepdf.Name.ASCIIHexDecode)
        buffer = io.BytesIO()
        strange.save(buffer, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    with pytest.raises(ContentRefused) as refused:
        embedded_files(buffer.getvalue())
    assert refused.value.code == "pdf.unreadable"


async def test_in_english(city: City) -> None:
    """Who reads English reads the findings in English, under the same codes."""
    wang = await city.signed_in("wang")
    report = await report_on(wang, pdf(), **{"Accept-Language": "en"})
    assert report["findings"][0] == {"code": "pdf.unsigned", "title": "The file carries no signature.", "facts": {}}


async def test_who_may_ask(city: City) -> None:
    """Only who is signed in may have files judged, and no file is larger than the limit."""
    wang = await city.signed_in("wang")
    assert told(await city.browser("wang").send("POST", "/api/verify", content=pdf(), headers=PDF)) == (
        401, "web.no_session"
    )  # fmt: skip
    refused = await wang.send("POST", "/api/verify", content=b"x", headers=PDF | {"Content-Length": str(1 << 40)})
    assert told(refused) == (413, "web.too_large")
