"""The register of seals, and what certificates were used for: who sees how much of it."""

from __future__ import annotations

from typing import Any

import pytest

from crypto.keys import serial_text
from tests.city import Browser, City, b64, seal_image, told
from tests.journey import Begin

ABSENT = "00000000-0000-7000-8000-000000000000"
READS = ("/api/seals", "/api/seals.csv", f"/api/seals/{ABSENT}", f"/api/seals/{ABSENT}/image")


def serial_of(city: City, person: str, usage: str) -> str:
    return serial_text(city.keys(person)[usage].certificate)


def entry(city: City, **changes: Any) -> dict[str, Any]:
    """A new seal of the government office on the certificate that it has."""
    return {
        "organ_id": city.organs["JC001"],
        "name": "江城市人民政府办公室",
        "image": b64(seal_image()),
        "diameter_mm": 42,
        "certificate": serial_of(city, "qian", "seal"),
        **changes,
    }


async def uses(browser: Browser, serial: str, **query: Any) -> dict[str, Any]:
    found = await browser.get(f"/api/certificates/{serial}/uses", params=query)
    return dict(found.raise_for_status().json())


@pytest.mark.norm("D-8.1.5.2")
@pytest.mark.parametrize("person", ["wang", "sun", "aud"])
async def test_who_sees_no_seal(city: City, person: str) -> None:
    """Officials who keep no seal, and the auditor, see nothing of the register of seals."""
    browser = await city.signed_in(person)
    for path in READS:
        assert told(await browser.get(path)) == (403, "signing.no_seal_reader"), path


@pytest.mark.parametrize(("person", "count"), [("sys", 2), ("sec", 2), ("qian", 1)])
async def test_who_sees_which(city: City, person: str, count: int) -> None:
    """Administrators see every organ's seal with its keepers and certificate, a keeper the own organ's."""
    browser = await city.signed_in(person)
    listed = (await browser.get("/api/seals")).json()
    assert (len(listed["items"]), listed["counts"]["in_use"]) == (count, count)
    (seal,) = (await browser.get("/api/seals?q=JC001")).json()["items"]
    assert (seal["keepers"], seal["certificate"]["state"], seal["uses"]) == (["钱伟", "高远"], "good", 0)
    image = await browser.get(f"/api/seals/{seal['id']}/image")
    assert (image.headers["content-type"], image.content) == ("image/png", seal_image())
    assert "钱伟；高远" in (await browser.get("/api/seals.csv")).text


async def test_registering_one(city: City) -> None:
    """The security administrator registers a seal, the one before is withdrawn; nobody else does, and no bad image enters."""
    sec = await city.signed_in("sec")
    for person in ("sys", "aud", "qian"):
        answer = await (await city.signed_in(person)).send("POST", "/api/seals", json=entry(city))
        assert told(answer) == (403, "signing.not_security_admin")
    for image in (b"GIF89a", seal_image()[:12], seal_image()[:20] + b"\0\0\0\x01" + seal_image()[24:]):
        answer = await sec.send("POST", "/api/seals", json=entry(city, image=b64(image)))
        assert told(answer) == (422, "signing.bad_image")
    other = entry(city, certificate=serial_of(city, "zhou", "seal"))
    assert told(await sec.send("POST", "/api/seals", json=other)) == (403, "signing.not_organs_seal")
    seal = (await sec.send("POST", "/api/seals", json=entry(city))).raise_for_status().json()
    assert (seal["state"], seal["diameter_mm"]) == ("in_use", 42)
    assert (await sec.get("/api/seals")).json()["counts"] == {"in_use": 2, "withdrawn": 1}


async def test_narrowing_the_register(city: City) -> None:
    """The register is narrowed by state and read page by page in either order; a seal that is not there is not found."""
    sec = await city.signed_in("sec")
    (await sec.send("POST", "/api/seals", json=entry(city))).raise_for_status()
    withdrawn = (await sec.get("/api/seals?state=withdrawn")).json()["items"]
    assert [seal["organ"]["id"] for seal in withdrawn] == [city.organs["JC001"]]
    whole = [seal["id"] for seal in (await sec.get("/api/seals")).json()["items"]]
    for sort, expected in (("newest", whole), ("oldest", whole[::-1])):
        paged, cursor = [], ""
        while True:
            query = {"limit": 1, "sort": sort, "cursor": cursor}
            page = (await sec.get("/api/seals", params=query)).raise_for_status().json()
            paged += [seal["id"] for seal in page["items"]]
            if not (cursor := page["next"] or ""):
                break
        assert paged == expected
    for path in (f"/api/seals/{ABSENT}", f"/api/seals/{ABSENT}/image"):
        assert told(await sec.get(path)) == (404, "core.not_found")


async def test_every_use_of_a_certificate(begin: Begin) -> None:
    """What a certificate was used for is listed whole, and by pages; the document only to who may read it."""
    async with begin("sent") as story:
        city = story.city
        sec, qian, aud = [await city.signed_in(person) for person in ("sec", "qian", "aud")]
        seal = serial_of(city, "qian", "seal")
        for browser, knows in ((sec, False), (aud, False), (qian, True)):
            (use,) = (await uses(browser, seal))["items"]
            assert (use["kind"], use["by"], use["organ"]) == ("seal", "钱伟", "市政府办公室")
            assert len(use["digest"]) == 64
            assert (use["document"] or "").startswith("江政办发〔") == knows
        assert (await qian.get("/api/seals")).json()["items"][0]["uses"] == 1
        signing = serial_of(city, "sun", "signing")
        assert [use["act"] for use in (await uses(sec, signing))["items"]] == ["dispatch"]
        entrance = serial_of(city, "qian", "sign-in")
        listed = (await uses(qian, entrance))["items"]
        assert {use["kind"] for use in listed} == {"sign_in"}
        paged, cursor = [], ""
        while True:
            page = await uses(qian, entrance, limit=1, cursor=cursor)
            paged += page["items"]
            if not (cursor := page["next"] or ""):
                break
        assert paged == listed


@pytest.mark.parametrize("person", ["wang", "sys", "zhou"])
async def test_whose_uses_are_not_theirs_to_see(city: City, person: str) -> None:
    """The uses of somebody else's certificate, or another organ's seal, are told to no official, nor to the system administrator."""
    browser = await city.signed_in(person)
    for serial in (serial_of(city, "li", "signing"), serial_of(city, "qian", "seal")):
        assert told(await browser.get(f"/api/certificates/{serial}/uses")) == (403, "signing.no_use_reader")
    assert told(await browser.get("/api/certificates/abc/uses")) == (404, "pki.unknown_certificate")
