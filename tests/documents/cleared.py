"""Giving clearances as they are given: proposed by the security administrator, confirmed by the system administrator."""

from __future__ import annotations

from tests.city import City

BASE = "/api/directory"


async def clear(city: City, clearance: str, *people: str) -> None:
    """Clear these people, each in their own organ."""
    sec, sys = await city.signed_in("sec"), await city.signed_in("sys")
    changes = []
    for person in people:
        path = f"{BASE}/officials/{city.people[person]}"
        unit = (await sec.get(path)).json()["posts"][0]["unit"]["id"]
        wanted = {"unit_id": unit, "role": clearance, "reason": "涉密岗位"}
        proposed = (await sec.send("POST", f"{path}/roles", json=wanted)).raise_for_status().json()["proposed"]
        changes += [change["id"] for change in proposed]
    decision = {"ids": changes, "verb": "confirm"}
    (await sys.send("POST", f"{BASE}/role-changes/acts", json=decision)).raise_for_status()


async def held_clearance(city: City, person: str) -> str:
    """The id of the clearance that somebody holds, by which it is taken."""
    sec = await city.signed_in("sec")
    held = (await sec.get(f"{BASE}/officials/{city.people[person]}")).json()["roles"]
    return str(next(role["id"] for role in held if role["role"].startswith("cleared_")))
