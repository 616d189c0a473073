"""Key devices: where each of them is, who had it, and what a lost one sets going."""

from __future__ import annotations

from typing import Any

from tests.city import told
from tests.pki.office import Office


async def enter(office: Office, device: str, verb: str, note: str = "") -> Any:
    path = f"/api/pki/devices/{device}/acts"
    return await office.system.send("POST", path, json={"verb": verb, "note": note})


async def test_a_device_has_a_life(office: Office) -> None:
    """What became of a device stands in its book, the latest first, with who entered it."""
    device = await office.device("wang")
    for verb in ("handed_over", "unlocked", "returned", "handed_over"):
        (await enter(office, device, verb, f"{verb}的说明")).raise_for_status()
    page = (await office.system.get(f"/api/pki/devices/{device}")).json()
    assert [entry["verb"] for entry in page["entries"]] == [
        "handed_over", "returned", "unlocked", "handed_over", "registered",
    ]  # fmt: skip
    assert (page["entries"][1]["note"], page["entries"][1]["by"]) == ("returned的说明", "何平")
    assert (page["state"], page["holder"]["name"]) == ("handed_over", "王建国")


async def test_what_its_state_does_not_allow(office: Office) -> None:
    """A device in stock is not returned, a retired one is nothing any more; a label stands for one device."""
    device = await office.device("wang")
    assert told(await enter(office, device, "returned")) == (409, "pki.device_state")
    (await enter(office, device, "retired")).raise_for_status()
    for verb in ("handed_over", "returned", "lost", "retired"):
        assert told(await enter(office, device, verb)) == (409, "pki.device_state")
    again = {"kind": "token", "label": "K-1"}
    assert told(await office.system.send("POST", "/api/pki/devices", json=again)) == (409, "pki.label_taken")


async def test_a_lost_key(office: Office) -> None:
    """A lost device suspends all its certificates at once, its holder is out; found again it may be resumed, or revoked."""
    serial = (await office.issued(device_id=await office.device("wang")))["serial"]
    wang = await office.city.signed_in("wang")
    device = (await office.system.get("/api/pki/devices?q=王建国&state=handed_over")).json()["items"][0]["id"]
    (await enter(office, device, "lost", "落在出租车上")).raise_for_status()
    assert told(await wang.get("/api/tasks")) == (401, "identity.session_revoked")
    assert told(await office.city.browser("wang").try_sign_in()) == (403, "pki.suspended")
    states = {row["profile"]: row["state"] for row in (await page_of(office, device))["certificates"]}
    assert states == {"sign-in": "suspended", "signing": "suspended"}
    assert (await office.certificate(serial))["state"] == "good"  # It is on another device.
    for row in (await page_of(office, device))["certificates"]:
        (await office.act(row["serial"], "resume")).raise_for_status()
    assert (await office.city.browser("wang").try_sign_in()).status_code == 201


async def page_of(office: Office, device: str) -> dict[str, Any]:
    return dict((await office.system.get(f"/api/pki/devices/{device}")).json())
