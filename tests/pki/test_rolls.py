"""Keys for a whole organ: its people and how far each has come, and the sheet that says who gets which device."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.city import Browser, City, told
from tests.pki.office import Office, csr

HEADER = ("人员编号", "姓名", "介质编号", "介质类型", "登录证书请求", "签名证书请求")


def sheet(*rows: tuple[str, ...], header: tuple[str, ...] = HEADER) -> bytes:
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    for row in (header, *rows):
        page.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


class Roll:
    """The roll of the organ in which 王建国 works."""

    def __init__(self, office: Office, organ: str, codes: dict[str, str]) -> None:
        self.office, self.path, self.codes = office, f"/api/pki/rolls/{organ}", codes

    async def read(self, browser: Browser | None = None) -> dict[str, Any]:
        answer = await (browser or self.office.system).get(self.path)
        answer.raise_for_status()
        return {row["name"]: row for row in answer.json()["items"]}

    async def check(self, data: bytes) -> Any:
        headers = {"Content-Type": "application/octet-stream"}
        return await self.office.system.send("POST", f"{self.path}/sheet", content=data, headers=headers)

    async def judged(self, *rows: tuple[str, ...]) -> list[dict[str, Any]]:
        answer = await self.check(sheet(*rows))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def enter(self, entry: dict[str, Any]) -> Any:
        return await self.office.system.send("POST", self.path, json=entry)


@pytest.fixture
async def roll(office: Office) -> Roll:
    organ = office.city.organs["JC001"]
    people = (await office.system.get(f"/api/pki/rolls/{organ}")).json()["items"]
    return Roll(office, organ, {one["name"]: one["code"] for one in people})


async def test_a_key_from_the_sheet_to_its_holder(office: Office, roll: Roll) -> None:
    """A row of the sheet becomes a device and two requests, and the roll shows each step until it is handed over."""
    name, code = "王建国", roll.codes["王建国"]
    assert (await roll.read())[name]["stage"] == "handed_over"  # The key that the city was founded with.
    keys = csr(common=name), csr(common=name)
    [row] = await roll.judged((code, name, "K-7", "", *keys))
    assert (row["outcome"], row["row"]) == ("ready", 2)
    entered = await roll.enter(row["entry"])
    assert (entered.status_code, entered.json()["stage"]) == (200, "pending")
    asked = [key["request_id"] for key in (await roll.read(office.security))[name]["keys"]]
    for step, stage in (("approve", "issued"), ("install", "written")):
        for request in asked:
            answer = await office.decide(request, step)
            assert answer.status_code == 200, answer.text
        assert (await roll.read())[name]["stage"] == stage
    device = (await roll.read())[name]["device_id"]
    await office.system.send("POST", f"/api/pki/devices/{device}/acts", json={"verb": "handed_over"})
    assert (await roll.read())[name]["stage"] == "handed_over"
    assert [one["outcome"] for one in await roll.judged((code, name, "K-7", "", *keys))] == ["done"]


async def test_a_row_without_requests_waits_for_its_keys(roll: Roll) -> None:
    """A device without requests is entered alone: its keys are made when it is plugged in."""
    [row] = await roll.judged((roll.codes["王建国"], "王建国", "K-8", "USB密钥"))
    assert (await roll.enter(row["entry"])).json()["stage"] == "no_keys"


async def test_the_sheet_that_is_given_is_the_one_that_is_read(roll: Roll, office: Office) -> None:
    """What the page gives to be filled in has a row for everybody, and filled in it is read without a fault."""
    given = await office.system.get(f"{roll.path}/sheet")
    book = openpyxl.load_workbook(io.BytesIO(given.content))
    page = book.worksheets[0]
    assert {row[1] for row in page.iter_rows(min_row=2, values_only=True)} == set(roll.codes)
    assert page["C2"].value  # The key that the city was founded with.
    page["C2"] = "K-20"
    buffer = io.BytesIO()
    book.save(buffer)
    rows = (await roll.check(buffer.getvalue())).json()["items"]
    assert [row["outcome"] for row in rows] == ["ready"] + ["done"] * (len(roll.codes) - 1)


async def test_every_row_says_what_is_wrong_with_it(roll: Roll, office: Office) -> None:
    """Whatever is wrong with a row is said beside it, and the others are as good as before."""
    await office.device("qian", "K-QIAN")
    code = roll.codes["王建国"]
    others = [(name, one) for name, one in roll.codes.items() if name != "王建国"]
    weak = csr(rsa.generate_private_key(65537, 1024))
    judged = await roll.judged(
        ("99999", "无此人", "K-1"),
        (code, "王建军", "K-1"),
        (code, "王建国", "=1+1"),
        (code, "王建国", "K" * 65),
        (code, "王建国", "K-QIAN"),
        (code, "王建国", "K-1", "U盘"),
        (code, "王建国", "K-1", "", "not a request"),
        (code, "王建国", "K-1", "", weak),
        (code, "王建国", "K-2"),
        (code, "王建国", "K-3"),
        (others[0][1], others[0][0], "K-2"),
        (others[1][1], "", ""),
    )
    told_of = [row["reason"]["code"] if row["reason"] else row["outcome"] for row in judged]
    assert told_of == [
        "pki.not_in_organ",
        "pki.other_name",
        "pki.bad_label",
        "pki.bad_label",
        "pki.not_their_device",
        "pki.unknown_kind",
        "pki.request_refused",
        "pki.request_refused",
        "ready",
        "pki.twice_in_sheet",
        "pki.twice_in_sheet",
        "empty",
    ]


async def test_a_row_is_entered_once(roll: Roll, office: Office) -> None:
    """Entered by two tabs, a row makes one device and one request for each key."""
    name = "王建国"
    [row] = await roll.judged((roll.codes[name], name, "K-7", "", csr(common=name)))
    assert [(await roll.enter(row["entry"])).status_code for _ in range(2)] == [200, 200]
    found = (await office.system.get("/api/pki/requests?q=K-7")).json()["items"]
    assert len(found) == 1


async def test_a_new_key_takes_the_place_of_the_old_one(roll: Roll, office: Office) -> None:
    """For who has a certificate the request replaces it: with the same key it renews, with another it re-keys."""
    name, key = "王建国", ec.generate_private_key(ec.SECP256R1())
    for pem, kind in ((csr(key), "rekey"), (csr(key, common="王建国二"), "renewal")):
        [row] = await roll.judged((roll.codes[name], name, "K-7", "", "", pem))
        await roll.enter(row["entry"])
        found = (await roll.read())[name]["keys"][1]["request_id"]
        request = (await office.system.get(f"/api/pki/requests/{found}")).json()
        assert request["kind"] == kind
        await office.decide(found, "approve")
        await office.decide(found, "install")
        assert (await office.certificate(request["replaces"]))["state"] == "revoked"


async def test_what_fails_fails_alone(roll: Roll, office: Office) -> None:
    """A row whose key is somebody else's enters neither device nor request."""
    pem = csr()
    await office.issued("qian", pem)
    [row] = await roll.judged((roll.codes["王建国"], "王建国", "K-7", "", pem))
    assert told(await roll.enter(row["entry"])) == (409, "pki.key_taken")
    assert (await roll.read())["王建国"]["device"] != "K-7"


async def test_no_roll_at_all(roll: Roll) -> None:
    """What is no sheet, or lacks the two columns, is refused with what to do."""
    assert told(await roll.check(b"%PDF-1.7")) == (422, "pki.no_roll")
    assert told(await roll.check(b"PK\x03\x04 broken")) == (422, "identity.sheet_unreadable")
    assert told(await roll.check(sheet(("1",), header=("人员编号",)))) == (422, "pki.no_roll")


async def test_somebody_of_another_organ(roll: Roll, city: City) -> None:
    """Nobody is given a key under an organ where they do not work."""
    entry = {"official_id": city.people["zhou"], "label": "K-7"}
    assert told(await roll.enter(entry)) == (422, "pki.not_in_organ")
