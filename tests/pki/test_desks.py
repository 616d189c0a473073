"""Who may do what in the register: each administrative endpoint against each of the three administrators and others."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.pki.access import counts
from oa_server.pki.models import Certificate
from tests.city import City, told
from tests.pki.office import Office, csr

ABSENT = "00000000-0000-7000-8000-000000000000"
READS = (
    "/api/pki/overview",
    "/api/pki/devices",
    "/api/pki/devices.csv",
    f"/api/pki/devices/{ABSENT}",
    "/api/pki/requests",
    f"/api/pki/requests/{ABSENT}",
    "/api/pki/certificates",
    "/api/pki/certificates.csv",
    "/api/pki/certificates/abc",
    f"/api/pki/rolls/{ABSENT}",
    f"/api/pki/rolls/{ABSENT}/sheet",
)
# Every verb of the register and the one administrator whose it is.
VERBS: list[tuple[str, str, dict[str, Any]]] = [
    ("sys", "/api/pki/devices", {"kind": "token", "label": "K-9"}),
    ("sys", "/api/pki/devices/{id}/acts", {"verb": "handed_over"}),
    ("sys", "/api/pki/requests", {"profile": "signing", "csr": csr(), "official_id": ABSENT}),
    ("sys", "/api/pki/requests/{id}/acts", {"verb": "install"}),
    ("sys", f"/api/pki/rolls/{ABSENT}", {"official_id": ABSENT, "label": "K-9"}),
    ("sec", "/api/pki/requests/{id}/acts", {"verb": "approve"}),
    ("sec", "/api/pki/requests/{id}/acts", {"verb": "refuse", "reason": "不符"}),
    ("sec", "/api/pki/certificates/{serial}/acts", {"verb": "revoke", "reason": "superseded"}),
    ("sec", "/api/pki/certificates/{serial}/acts", {"verb": "suspend"}),
    ("sec", "/api/pki/certificates/{serial}/acts", {"verb": "resume"}),
]
REFUSALS = {"sys": "pki.not_system_admin", "sec": "pki.not_security_admin"}


@pytest.mark.norm("D-8.1.5.2")
@pytest.mark.parametrize("person", ["wang", "qian", "aud"])
async def test_who_reads_the_register(city: City, person: str) -> None:
    """Officials and the auditor see nothing of the register, not even whether a row is there."""
    browser = await city.signed_in(person)
    for path in READS:
        assert told(await browser.get(path)) == (403, "pki.not_pki_admin"), path


@pytest.mark.parametrize("person", ["sys", "sec"])
async def test_who_keeps_it(city: City, person: str) -> None:
    """The two who keep the register see all of it."""
    browser = await city.signed_in(person)
    for path in READS:
        wanted = 404 if ABSENT in path or path.endswith("abc") else 200
        assert (await browser.get(path)).status_code == wanted, path


@pytest.mark.norm("D-8.1.4.2d")
@pytest.mark.parametrize("person", ["sys", "sec", "aud", "wang", "qian"])
async def test_each_verb_is_one_administrators(office: Office, person: str) -> None:
    """Of every verb of the register, all but the one administrator whose it is are refused, by name."""
    request = await office.asked()
    row = (await office.system.get("/api/pki/certificates?q=王建国")).json()["items"][0]
    device = await office.device("wang")
    browser = await office.city.signed_in(person)
    for whose, path, body in VERBS:
        if whose == person:
            continue
        key = device if "devices" in path else request
        answer = await browser.send("POST", path.format(id=key, serial=row["serial"]), json=body)
        assert told(answer) == (403, REFUSALS[whose]), (path, body)


async def test_what_they_may_begin(office: Office) -> None:
    """The overview says who may register devices and request certificates and who approves, and to the other why not."""
    asks, approves = "pki.not_system_admin", "pki.not_security_admin"
    for browser, asking, approving in ((office.system, None, approves), (office.security, asks, None)):
        found = (await browser.get("/api/pki/overview")).json()["abilities"]
        told_why = {row["verb"]: (row["reason"] or {}).get("code") for row in found}
        assert told_why == {"request": asking, "keep_devices": asking, "approve": approving}


async def test_lists_narrow_page_and_leave(office: Office) -> None:
    """Lists are searched by holder, number and device, narrowed by state, paged without gaps, and leave as a file."""
    city, admin = office.city, office.security
    everything, cursor = [], ""
    while True:
        page = (await admin.get(f"/api/pki/certificates?limit=10&cursor={cursor}")).json()
        everything += [row["serial"] for row in page["items"]]
        if not (cursor := page["next"] or ""):
            break
    assert len(everything) == len(set(everything)) == 34
    found = (await admin.get("/api/pki/certificates?q=财政局&profile=seal")).json()["items"]
    assert [(row["holder"]["name"], row["holder"]["is_organ"]) for row in found] == [("江城市财政局", True)]
    await city.revoke("wang", "signing")
    revoked = (await admin.get("/api/pki/certificates?state=revoked")).json()["items"]
    assert [(row["holder"]["code"], row["reason"]) for row in revoked] == [("wang", "keyCompromise")]
    answer = await admin.get("/api/pki/certificates.csv?state=revoked")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[1][1:6] == ["签名", "已吊销", "wang", "王建国", "市政府办公室"]
    devices = (await admin.get("/api/pki/devices.csv?q=wang")).content.decode("utf-8-sig")
    assert next(csv.reader(io.StringIO(devices.splitlines()[1])))[:5] == [
        "wang",
        "软件密钥",
        "已发放",
        "wang",
        "王建国",
    ]


async def test_what_runs_out(office: Office) -> None:
    """A light turns on sixty, thirty and seven days before the end, for the holder and for the administrators."""
    row = await Certificate.get(official_id=office.city.people["wang"], profile="sign-in")
    left = row.not_after - clock.now()
    for days, light in ((61, None), (59, "yellow"), (29, "orange"), (6, "red")):
        with clock.shifted(left - timedelta(days=days)):
            await office.register.renew_lists(SYSTEM)
            wang, admin = await office.city.signed_in("wang"), await office.city.signed_in("sec")
            lit = {item["profile"]: item["light"] for item in (await wang.get("/api/pki/mine")).json()["items"]}
            assert lit.get("sign-in") == light
            overview = (await admin.get("/api/pki/overview")).json()
            assert (overview["lights"].get(light or "", 0) > 0) == (light is not None)
            assert len((await admin.get("/api/pki/certificates?q=wang&days=60")).json()["items"]) == 2 * bool(light)
    assert overview["lights"]["out"] == 0
    with clock.shifted(left + timedelta(minutes=1)):
        assert (await counts(SYSTEM)).lights["out"] > 0
