"""Rosters: who is on duty, kept by the organ's own clerks and the system administrator, seen by everybody."""

from __future__ import annotations

from typing import Any

import pytest

from oa_server.identity.models import Duty
from tests.city import City, told
from tests.faults.house import faults

DAY = "since=2026-12-01&until=2026-12-01"


def duty(city: City, person: str = "sun", **changes: Any) -> dict[str, Any]:
    """A day shift in the government office."""
    return {
        "organ_id": city.organs["JC001"],
        "official_id": city.people[person],
        "starts_at": "2026-12-01T08:00:00+08:00",
        "ends_at": "2026-12-01T18:00:00+08:00",
        "telephone": "027-8888",
        **changes,
    }


async def test_a_duty_in_place(city: City) -> None:
    """A clerk enters, changes and cancels a duty of the organ; everybody sees it meanwhile, with its telephone."""
    sun, feng = await city.signed_in("sun"), await city.signed_in("feng")
    made = (await sun.send("POST", "/api/duties", json=duty(city))).raise_for_status().json()
    (shown,) = (await feng.get(f"/api/duties?{DAY}")).json()["items"]
    assert (shown["official"]["name"], shown["telephone"]) == ("孙丽", "027-8888")
    path, wanted = f"/api/duties/{made['id']}", duty(city, remark="带班")
    del wanted["organ_id"]
    assert told(await sun.send("PATCH", path, json=wanted, headers={"If-Match": '"x"'})) == (412, "core.stale")
    changed = await sun.send("PATCH", path, json=wanted, headers={"If-Match": f'"{shown["seen"]}"'})
    assert changed.json()["remark"] == "带班"
    assert (await sun.send("DELETE", path)).status_code == 204
    assert (await feng.get(f"/api/duties?{DAY}")).json()["items"] == []
    assert await faults(city.app.state.house) == []


async def test_what_is_no_duty(city: City) -> None:
    """Nobody is on duty twice at a time unless it is meant, backwards in time, for more than a week, or where they have no
    post."""
    sun = await city.signed_in("sun")
    (await sun.send("POST", "/api/duties", json=duty(city))).raise_for_status()
    later = duty(city, starts_at="2026-12-01T12:00:00+08:00", ends_at="2026-12-02T12:00:00+08:00")
    assert told(await sun.send("POST", "/api/duties", json=later)) == (409, "identity.duty_overlap")
    assert (await sun.send("POST", "/api/duties", json=later | {"overlapping": True})).status_code == 201
    for changes, code in (
        ({"ends_at": "2026-12-01T07:00:00+08:00"}, "identity.duty_time"),
        ({"ends_at": "2026-12-31T07:00:00+08:00"}, "identity.duty_time"),
        ({"official_id": city.people["feng"]}, "identity.duty_elsewhere"),
    ):
        assert told(await sun.send("POST", "/api/duties", json=duty(city, **changes))) == (422, code)
    assert told(await sun.get("/api/duties?since=2026-01-01&until=2026-12-31")) == (422, "identity.roster_too_long")
    assert await Duty.all().count() == 2


@pytest.mark.parametrize("person", ["wang", "zhou", "sec", "aud"])
async def test_whose_roster_it_is(city: City, person: str) -> None:
    """Only the organ's own clerk and the system administrator keep its roster, and take it away as a file."""
    browser, sys = await city.signed_in(person), await city.signed_in("sys")
    made = (await sys.send("POST", "/api/duties", json=duty(city))).raise_for_status().json()
    assert told(await browser.send("POST", "/api/duties", json=duty(city))) == (403, "identity.not_duty_keeper")
    assert told(await browser.send("DELETE", f"/api/duties/{made['id']}")) == (403, "identity.not_duty_keeper")
    answer = await browser.get(f"/api/duties.xlsx?{DAY}&organ_id={city.organs['JC001']}")
    assert told(answer) == (403, "identity.not_duty_keeper")
    listed = (await browser.get(f"/api/duties?{DAY}&organ_id={city.organs['JC001']}")).json()
    (ability,) = [one for one in listed["abilities"] if one["verb"] == "keep_duties"]
    assert (len(listed["items"]), ability["allowed"]) == (1, False)


async def test_who_leaves_is_on_duty_no_more(city: City) -> None:
    """The coming duties of an official who is retired are gone from the roster."""
    sys = await city.signed_in("sys")
    far = duty(city, "liu", starts_at="2036-12-01T08:00:00+08:00", ends_at="2036-12-01T18:00:00+08:00")
    (await sys.send("POST", "/api/duties", json=far)).raise_for_status()
    path = f"/api/directory/officials/{city.people['liu']}/acts"
    (await sys.send("POST", path, json={"verb": "retire"})).raise_for_status()
    assert await Duty.all().count() == 0
    assert await faults(city.app.state.house) == []
