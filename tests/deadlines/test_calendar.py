"""The working-day calendar as officials read it and administrators keep it."""

from __future__ import annotations

from typing import Any

import pytest

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.deadlines.actions import seed_calendar
from oa_server.deadlines.models import CalendarYear
from tests.city import Browser, City, told

# What a notice for 2027 could say: no more than this is needed of one.
NOTICE_2027 = [
    *({"date": f"2027-01-0{n}", "name": "元旦", "is_off_day": True} for n in (1, 2, 3)),
    *({"date": f"2027-02-{n:02}", "name": "春节", "is_off_day": True} for n in range(5, 13)),
    {"date": "2027-01-30", "name": "春节", "is_off_day": False},
    {"date": "2026-12-26", "name": "元旦", "is_off_day": False},
]


def notice(
    days: list[dict[str, Any]] = NOTICE_2027, *, dry_run: bool = False, text: str = "国办发明电"
) -> dict[str, Any]:
    return {"notice": text, "days": days, "dry_run": dry_run}


async def seen(browser: Browser, year: int) -> dict[str, str]:
    return {"If-Match": f'"{(await browser.get(f"/api/calendar/years/{year}")).json()["seen"]}"'}


async def due(browser: Browser, start: str, unit: str, quantity: int, **others: Any) -> dict[str, Any]:
    asked = {"start": start, "unit": unit, "quantity": quantity, **others}
    answer = await browser.get("/api/calendar/due", params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_years(city: City) -> None:
    """Everybody reads how many days of each year are worked, and that a year without a notice is not published."""
    wang = await city.signed_in("wang")
    listed = (await wang.get("/api/calendar/years")).json()
    years = {row["year"]: row for row in listed["items"]}
    assert (years[2026]["worked"], years[2026]["make_up"], years[2026]["is_published"]) == (248, 6, True)
    assert (years[2027]["worked"], years[2027]["notice"], years[2027]["is_published"]) == (261, "", False)
    assert [a["allowed"] for a in listed["abilities"]] == [False]
    shown = (await wang.get("/api/calendar/years/2026")).json()
    assert len(shown["days"]) == 365
    days = {row["on"]: (row["kind"], row["name"]) for row in shown["days"]}
    assert days["2026-02-17"] == ("holiday", "春节")
    assert days["2026-02-28"] == ("make_up", "春节")
    assert days["2026-03-01"] == ("weekend", "")
    assert told(await wang.get("/api/calendar/years/1999")) == (404, "core.not_found")


async def test_seeding_again_changes_nothing(city: City) -> None:
    before = await CalendarYear.all().count()
    await seed_calendar()
    assert await CalendarYear.all().count() == before > 20


async def test_a_due_day_explains_itself(city: City) -> None:
    """Each day of a term is told with its number or with why it does not count."""
    wang = await city.signed_in("wang")
    found = await due(wang, "2026-09-24", "working_day", 20)
    assert (found["due"], found["is_provisional"]) == ("2026-10-29", False)
    days = {row["on"]: row for row in found["days"]}
    assert (days["2026-09-24"]["number"], days["2026-09-24"]["why"]) == (None, "start")
    assert (days["2026-09-25"]["kind"], days["2026-09-25"]["name"], days["2026-09-25"]["why"]) == (
        "holiday",
        "中秋节",
        "off",
    )
    assert (days["2026-10-10"]["kind"], days["2026-10-10"]["why"]) == ("make_up", "counts")
    assert days["2026-10-29"]["number"] == 20
    moved = await due(wang, "2026-07-01", "month", 3)
    assert (moved["due"], moved["days"][-1]["why"]) == ("2026-10-08", "moved")
    assert (await due(wang, "2026-12-01", "working_day", 30))["is_provisional"]


@pytest.mark.parametrize(
    "asked",
    [
        {"start": "1999-01-01", "unit": "day", "quantity": 1},
        {"start": "2026-01-01", "unit": "month", "quantity": 61},
        {"start": "2026-01-01", "unit": "week", "quantity": 1},
        {"start": "2026-02-30", "unit": "day", "quantity": 1},
        {"start": "2026-01-01", "unit": "day", "quantity": -1},
        {"start": "2026-01-01", "unit": "day", "quantity": 501},
    ],
)
async def test_terms_that_are_none(city: City, asked: dict[str, Any]) -> None:
    wang = await city.signed_in("wang")
    assert (await wang.get("/api/calendar/due", params=asked)).status_code == 422


async def test_a_new_year_is_entered(city: City) -> None:
    """The notice of a new year is tried first, which changes nothing, then entered; terms are no longer provisional, a December
    day that it names counts too, and who entered what is in the log."""
    sys, wang = await city.signed_in("sys"), await city.signed_in("wang")
    path, match = "/api/calendar/years/2027/notices", await seen(sys, 2027)
    tried = (await sys.send("POST", path, json=notice(dry_run=True), headers=match)).json()
    assert (tried["entered"], tried["worked_before"], tried["worked"]) == (False, 261, 255)
    assert {"on": "2027-01-30", "before": "", "after": "worked", "before_name": "", "after_name": "春节"} in tried[
        "changed"
    ]
    assert (await due(wang, "2026-12-24", "working_day", 2))["due"] == "2026-12-28"
    entered = await sys.send("POST", path, json=notice(), headers=match)
    assert (entered.status_code, entered.json()["entered"]) == (200, True)
    assert (await due(wang, "2026-12-24", "working_day", 2))["due"] == "2026-12-26"
    assert not (await due(wang, "2026-12-24", "working_day", 20))["is_provisional"]
    record = await AuditRecord.get(verb=Verb.CALENDAR_KEPT, subject_id="2027")
    assert (record.actor_name, record.facts["changed"]) == ("何平", len(NOTICE_2027))


async def test_a_correction_keeps_what_was(city: City) -> None:
    """A later notice of the same year counts; the earlier one stays to be read. Who did not see it is told."""
    sys = await city.signed_in("sys")
    path, match = "/api/calendar/years/2027/notices", await seen(sys, 2027)
    assert (await sys.send("POST", path, json=notice(), headers=match)).status_code == 200
    assert told(await sys.send("POST", path, json=notice(), headers=match)) == (412, "core.stale")
    fewer = [day for day in NOTICE_2027 if day["date"] != "2027-01-30"]
    changed = await sys.send("POST", path, json=notice(fewer, text="更正"), headers=await seen(sys, 2027))
    (row,) = changed.json()["changed"]
    assert (row["on"], row["before"], row["after"]) == ("2027-01-30", "worked", "")
    versions = (await sys.get("/api/calendar/years/2027")).json()["versions"]
    assert [(v["notice"], v["entered_by"]) for v in versions] == [("更正", "何平"), ("国办发明电", "何平")]


@pytest.mark.parametrize(
    ("days", "code"),
    [
        ([*NOTICE_2027, {"date": "2028-01-01", "name": "元旦", "is_off_day": True}], "deadlines.other_year"),
        ([*NOTICE_2027, {"date": "2026-11-28", "name": "元旦", "is_off_day": True}], "deadlines.other_year"),
        ([*NOTICE_2027, {"date": "2027-01-01", "name": "元旦", "is_off_day": True}], "deadlines.twice"),
        ([*NOTICE_2027, {"date": "2027-03-01", "name": "春节", "is_off_day": False}], "deadlines.as_it_is"),
        (NOTICE_2027[:3], "deadlines.too_few"),
    ],
)
async def test_notices_that_are_none(city: City, days: list[dict[str, Any]], code: str) -> None:
    """What no notice can say is refused, tried or entered, and the year stays as it was."""
    sys = await city.signed_in("sys")
    match = await seen(sys, 2027)
    for dry_run in (True, False):
        answer = await sys.send(
            "POST", "/api/calendar/years/2027/notices", json=notice(days, dry_run=dry_run), headers=match
        )
        assert told(answer) == (422, code)
    assert await CalendarYear.filter(year=2027).count() == 0


async def test_a_local_holiday(city: City) -> None:
    """A day off of one organ's own counts there alone, and can be taken back."""
    sys, wang = await city.signed_in("sys"), await city.signed_in("wang")
    path = f"/api/calendar/organs/{city.organs['JC002']}/holidays"
    given = {"days": ["2026-05-27"], "name": "古尔邦节", "notice": "州政发〔2026〕3号"}
    assert (await sys.send("POST", path, json=given)).json()["items"] == [
        {"on": "2026-05-27", "name": "古尔邦节", "notice": "州政发〔2026〕3号"}
    ]
    there = {"organ_id": city.organs["JC002"]}
    assert (await due(wang, "2026-05-25", "working_day", 3, **there))["due"] == "2026-05-29"
    assert (await due(wang, "2026-05-25", "working_day", 3))["due"] == "2026-05-28"
    assert (await sys.send("POST", path, json={**given, "is_off": False})).json()["items"] == []
    assert (await due(wang, "2026-05-25", "working_day", 3, **there))["due"] == "2026-05-28"


async def test_who_may_not(city: City) -> None:
    """The system administrator alone keeps the calendar."""
    path = f"/api/calendar/organs/{city.organs['JC002']}/holidays"
    for person in ("wang", "sec", "aud"):
        browser = await city.signed_in(person)
        refused = await browser.send(
            "POST", "/api/calendar/years/2027/notices", json=notice(dry_run=True), headers=await seen(browser, 2027)
        )
        assert told(refused) == (403, "deadlines.not_system_admin")
        given = {"days": ["2026-05-27"], "name": "古尔邦节", "notice": "一"}
        assert told(await browser.send("POST", path, json=given)) == (403, "deadlines.not_system_admin")


async def test_days_of_the_office(city: City) -> None:
    """This year and the next are always listed, so that a missing notice is seen in time."""
    wang = await city.signed_in("wang")
    years = [row["year"] for row in (await wang.get("/api/calendar/years")).json()["items"]]
    assert years == sorted(years)
    assert {clock.today().year, clock.today().year + 1} <= set(years)
