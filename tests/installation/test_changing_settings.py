"""Settings that change while the server runs: whose each is, what it takes, and that it takes effect."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from oa_server.app import InForce
from oa_server.core import clock
from oa_server.core.ids import new_id
from oa_server.identity.models import Session
from oa_server.installation.access import FRESH_SECONDS
from oa_server.installation.actions import change_setting
from oa_server.installation.models import Setting, SettingState
from oa_server.settings import Settings
from tests.city import BODY, Browser, City, actor_named, told
from tests.documents.layout.measured import MM, read_pages
from tests.faults.house import faults

LONG = {"type": "doc", "content": [{"type": "paragraph", "text": "各单位要高度重视，认真组织实施。" * 140}]}
OWNERS = {
    "name": "sys",
    "line_pitch": "sys",
    "colophon_on_even_page": "sys",
    "attachment_limit": "sys",
    "idle_minutes": "sec",
    "session_hours": "sec",
}
VALUES = {
    "name": "江城公文",
    "line_pitch": "28.99",
    "colophon_on_even_page": "true",
    "attachment_limit": "5",
    "idle_minutes": "1",
    "session_hours": "1",
}


async def item(browser: Browser, name: str) -> dict[str, Any]:
    listed = (await browser.get("/api/settings")).raise_for_status().json()["items"]
    return dict(next(row for row in listed if row["name"] == name))


async def put(browser: Browser, name: str, value: str, seen: str = "") -> httpx.Response:
    """Change a setting as it is read now."""
    seen = seen or (await item(browser, name))["seen"]
    body = {"value": value, "reason": "试验"}
    return await browser.send("PATCH", f"/api/settings/{name}", json=body, headers={"If-Match": f'"{seen}"'})


async def decide(browser: Browser, change: str, verb: str) -> httpx.Response:
    return await browser.send("POST", f"/api/setting-changes/{change}/acts", json={"verb": verb})


async def changed(city: City, name: str, value: str) -> None:
    """Change a setting by whoever must."""
    owner = await city.signed_in(OWNERS[name])
    (await put(owner, name, value)).raise_for_status()
    if OWNERS[name] == "sec":
        waiting = (await item(owner, name))["waiting"]
        (await decide(await city.signed_in("sys"), waiting["id"], "confirm")).raise_for_status()


@pytest.mark.norm("D-8.1.4.2d")
@pytest.mark.parametrize("person", ["sys", "sec", "aud", "wang"])
async def test_each_setting_is_one_administrators(city: City, person: str) -> None:
    """Appearance is the system administrator's, what guards the system the security administrator's."""
    browser = await city.signed_in(person)
    for name, owner in OWNERS.items():
        answer = await put(browser, name, VALUES[name], seen="file")
        if person == owner:
            assert answer.status_code == 200, answer.text
        else:
            code = "installation.not_security_admin" if owner == "sec" else "installation.not_system_admin"
            assert told(answer) == (403, code)
    for path in ("/api/settings", "/api/settings/name/history"):
        assert (await browser.get(path)).status_code == (200 if person in {"sys", "sec"} else 403)


async def test_a_setting_that_takes_two(city: City) -> None:
    """What guards the system is in force only once another administrator has confirmed it; a waiting change is decided first."""
    sec, sys = await city.signed_in("sec"), await city.signed_in("sys")
    assert (await put(sec, "idle_minutes", "5")).status_code == 200
    shown = await item(sec, "idle_minutes")
    assert (shown["value"], shown["waiting"]["value"]) == ("15", "5")
    assert told(await put(sec, "idle_minutes", "6")) == (409, "installation.waiting")
    change = shown["waiting"]["id"]
    assert told(await decide(sec, change, "confirm")) == (403, "installation.own_change")
    assert told(await decide(sys, change, "withdraw")) == (403, "installation.not_proposer")
    assert (await decide(sys, change, "confirm")).json()["state"] == "in_force"
    assert told(await decide(sys, change, "refuse")) == (409, "installation.decided")
    shown = await item(sec, "idle_minutes")
    assert (shown["value"], shown["changed_by"], shown["in_file"]) == ("5", "何平", "15")
    assert (await put(sec, "idle_minutes", "")).status_code == 200
    assert (await decide(sec, (await item(sec, "idle_minutes"))["waiting"]["id"], "withdraw")).status_code == 200
    states = [row["state"] for row in (await sys.get("/api/settings/idle_minutes/history")).json()["items"]]
    assert states == ["withdrawn", "in_force"]
    assert await faults(city.app.state.house) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("line_pitch", "30"), ("line_pitch", "nan"), ("colophon_on_even_page", "perhaps"), ("attachment_limit", "0"),
     ("name", "长" * 41)],
)  # fmt: skip
async def test_values_that_are_none(city: City, name: str, value: str) -> None:
    """A value outside its limits is refused, and nothing is kept."""
    sys = await city.signed_in("sys")
    assert told(await put(sys, name, value)) == (422, "installation.bad_value")
    assert await Setting.all().count() == 0


async def test_the_second_tab(city: City) -> None:
    """Whoever saw an older value changes nothing; an empty value goes back to the file's; there are no other settings."""
    sys = await city.signed_in("sys")
    assert (await put(sys, "name", "甲系统", seen="file")).status_code == 200
    assert told(await put(sys, "name", "乙系统", seen="file")) == (412, "core.stale")
    assert (await put(sys, "name", "")).status_code == 200
    assert (await item(sys, "name"))["value"] == "电子公文办理系统"
    for name in ("origin", "nothing"):
        assert told(await put(sys, name, "x", seen="file")) == (404, "core.not_found")
        assert told(await sys.get(f"/api/settings/{name}/history")) == (404, "core.not_found")
    nowhere = "00000000-0000-7000-8000-000000000000"
    assert told(await decide(sys, nowhere, "confirm")) == (404, "core.not_found")


async def test_a_value_that_is_taken_no_more(city: City) -> None:
    """Where an earlier version let in what this one does not take, the file's value counts, and the server serves."""
    who = {"proposed_by": new_id(), "proposed_at": clock.now(), "decided_at": clock.now()}
    await Setting.create(
        id=new_id(), name="line_pitch", value="40", reason="旧版本", state=SettingState.IN_FORCE, **who
    )
    shown = await item(await city.signed_in("sys"), "line_pitch")
    assert shown["value"] == shown["in_file"]


async def test_what_stands_in_the_file(city: City) -> None:
    """All other settings are shown as the file has them, without anybody's password."""
    shown = (await (await city.signed_in("sys")).get("/api/settings")).json()
    fixed = {row["name"]: row["value"] for row in shown["fixed"]}
    assert fixed.keys() | OWNERS.keys() == set(Settings.__struct_fields__)
    assert fixed["origin"] == city.settings.origin
    for url in (city.settings.database_url, city.settings.object_store_url):
        assert "@" not in fixed["database_url"] + fixed["object_store_url"], url


# --- each takes effect ------------------------------------------------------------------------------------------------


async def test_the_name(city: City) -> None:
    """The name is told to every page, also before anybody is signed in."""
    await changed(city, "name", VALUES["name"])
    assert (await city.browser("wang").get("/api/about")).json()["name"] == "江城公文"


async def test_pages(city: City) -> None:
    """Line pitch and the side of 版记 are those of the next page that is laid out."""
    await changed(city, "line_pitch", "28.99")
    await changed(city, "colophon_on_even_page", "true")
    wang = await city.signed_in("wang")
    draft = {"elements": city.elements(), "body": LONG}
    pages = read_pages((await wang.send("POST", "/api/documents/preview", json=draft)).content)
    first, second = pages[1].body[:2]
    assert (second.top - first.top) * MM == pytest.approx(28.99, abs=0.05)
    assert len(pages) % 2 == 0


async def test_attachments(city: City) -> None:
    """The next attachment above the limit is refused."""
    await changed(city, "attachment_limit", "5")
    wang = await city.signed_in("wang")
    made = await wang.send("POST", "/api/documents", json={"elements": city.elements(), "body": BODY})
    assert (await wang.begin_upload(made.json()["id"], size=5)).status_code == 201
    assert (await wang.begin_upload(made.json()["id"], size=6)).status_code == 413


@pytest.mark.parametrize(
    ("name", "later", "code"),
    [
        ("idle_minutes", timedelta(minutes=2), "identity.session_idle"),
        ("session_hours", timedelta(minutes=70), "identity.session_expired"),
    ],
)
async def test_sessions(city: City, name: str, later: timedelta, code: str) -> None:
    """Shorter limits count for sessions that are open already."""
    wang = await city.signed_in("wang")
    await changed(city, name, "1")
    with clock.shifted(later):
        if name == "session_hours":
            await Session.all().update(seen_at=clock.now())  # It has been used all the while.
        assert told(await wang.get("/api/session")) == (401, code)


async def test_every_process_hears_of_it(city: City) -> None:
    """Another process goes by a changed setting within a second."""
    elsewhere = InForce(city.settings)
    assert (await elsewhere.now()).name == "电子公文办理系统"
    await changed(city, "name", "江城公文")
    await asyncio.sleep(FRESH_SECONDS)
    assert (await elsewhere.now()).name == "江城公文"


async def test_the_page_is_never_behind(city: City) -> None:
    """Whichever process answers, the list of settings tells at once what was changed by another."""
    ping = await city.signed_in("sys")
    seen = (await item(ping, "name"))["seen"]
    elsewhere = InForce(city.settings)
    await change_setting(await actor_named("sys"), elsewhere, "name", "江城公文", seen=seen, reason="试验")
    assert (await item(ping, "name"))["value"] == "江城公文"
