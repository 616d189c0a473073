"""What administrators are told of how the installation is."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from oa_server.audit import actions as audit
from oa_server.audit import copies
from oa_server.audit.copies import CopyPlace
from oa_server.core import clock
from oa_server.departments.models import Delivery
from oa_server.storage.objects import LocalFolderStore
from tests.city import City, told
from tests.identity.system import System, let_in


@pytest.mark.parametrize("person", ["sys", "sec", "aud"])
async def test_the_three_see_it(city: City, person: str) -> None:
    """What the server stands on is there, nothing is late and nobody refuses: each of the three administrators sees that."""
    found = (await (await city.signed_in(person)).get("/api/condition")).json()
    assert {check["name"]: check["ready"] for check in found["checks"]} == {"database": True, "object_store": True}
    assert (found["clock_wrong"], found["webhooks"]) == (False, [])


async def test_nobody_else_does(city: City) -> None:
    """How the installation is concerns no official."""
    for person in ("wang", "sun"):
        assert told(await (await city.signed_in(person)).get("/api/condition")) == (403, "condition.not_admin")


async def test_what_is_wrong_is_told(city: City, tmp_path: Path) -> None:
    """A clock that is off, heads that are late, a copy that is behind and a receiver that refuses are each told."""
    client = await let_in(System(city))
    sys = await city.signed_in("sys")
    webhook = {"url": "http://events.example/oa", "addresses": ["127.0.0.1"]}
    (await sys.send("PUT", f"/api/clients/{client}/webhook", json=webhook)).raise_for_status()
    await Delivery.all().update(attempts=3, last_answer="HTTP 500")
    assert (await sys.get("/api/condition")).json()["webhooks"] == []
    sec = await city.signed_in("sec")
    (await sec.send("POST", f"/api/clients/{client}/webhook/acts", json={"verb": "approve"})).raise_for_status()
    await Delivery.all().update(attempts=3, last_answer="HTTP 500")
    place = CopyPlace("file:///copies", LocalFolderStore(tmp_path / "copies"))
    city.app.state.house = dataclasses.replace(city.app.state.house, head_copies=(place,))
    await audit.sequence_all()
    await audit.sign_head()
    await copies.copy_heads([place])
    await city.signed_in("li")
    await audit.sequence_all()
    clock.report_error(timedelta(seconds=-3))
    try:
        with clock.shifted(timedelta(minutes=6)):
            found = (await sys.get("/api/condition")).json()
    finally:
        clock.report_error(None)
    assert (found["clock_seconds"], found["clock_wrong"], found["head_late"]) == (-3.0, True, True)
    assert (found["heads"]["copies"][0]["name"], found["heads"]["copies"][0]["behind"]) == ("file:///copies", 0)
    (trouble,) = found["webhooks"]
    assert (trouble["name"], trouble["attempts"], trouble["last_answer"], trouble["stopped"]) == (
        "财政业务系统", 3, "HTTP 500", False,
    )  # fmt: skip


async def test_events_of_a_system(city: City) -> None:
    """Administrators see how far a system's events have come without what they are about; the auditor and officials do not."""
    client = await let_in(System(city), scopes=["documents:read", "events:read"])
    await city.submitted(await city.signed_in("wang"))
    path = f"/api/clients/{client}/feed"
    found = (await (await city.signed_in("sec")).get(path)).json()
    assert found["last"] == len(found["items"]) > 0
    assert {row["state"] for row in found["items"]} == {"kept"}
    assert found["keys"][0]["public"].startswith("whpk_")
    for person in ("aud", "wang"):
        assert (await (await city.signed_in(person)).get(path)).status_code == 403
