"""PostgreSQL, the object store, Redis and the signer gone for a while: every request is answered, nothing is lost, and it heals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from oa_server.app import open_house
from oa_server.files.rules import PART_SIZE
from tests import servers
from tests.city import BODY, Browser
from tests.conftest import COLUMNS, Founded, Servers
from tests.faults.house import DistantCity, at_free_port, code_of, distant, faults, heard, live, until_answered

pytestmark = pytest.mark.skipif("production" not in COLUMNS, reason="the embedded column has no servers to lose")

MINUTE = 60
CROWD = 40  # More than the connections of the database pool.


@pytest.fixture
async def city(founded_production: Founded, tmp_path: Path) -> AsyncIterator[DistantCity]:
    settings = await asyncio.to_thread(founded_production.copy, tmp_path / "var")
    async with distant(at_free_port(settings)) as found:
        yield found
        # Whatever was away, no request found the server unprepared.
        assert "Traceback" not in found.server.log.read_text("utf-8")


@asynccontextmanager
async def gone(server: servers.Server, how: str) -> AsyncIterator[None]:
    """A server killed or frozen inside the block, and back on the same port with the same data after it."""
    (server.kill if how == "killed" else server.freeze)()
    try:
        yield
    finally:
        await asyncio.to_thread(server.start if how == "killed" else server.thaw)


async def titles(browser: Browser) -> list[str]:
    return [item["title"] for item in (await browser.get("/api/documents")).json()["items"]]


async def sent(city: DistantCity) -> str:
    """A document on its way to the finance bureau, by everybody who must have had it in hand."""
    wang, li, zhao, chen, sun, qian = [await city.signed_in(p) for p in ("wang", "li", "zhao", "chen", "sun", "qian")]
    path = await city.submitted(wang)
    for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
        (await person.sign(path, verb, opinion="同意")).raise_for_status()
    (await sun.act(path, "number")).raise_for_status()
    (await qian.sign(path, "seal", usage="seal")).raise_for_status()
    (await sun.sign(path, "dispatch")).raise_for_status()
    return path


Request = Callable[[], Awaitable[httpx.Response]]


def requests_of_all_kinds(city: DistantCity, browser: Browser, document: str, key: str) -> list[Request]:
    """Reading, writing, signing in and signing, as many at once as would empty the pool of connections."""
    path = f"/api/documents/{document}"
    kinds: list[Request] = [
        lambda: browser.get("/api/tasks"),
        lambda: browser.get(path),
        lambda: browser.get("/api/organs"),
        lambda: city.draft(browser, title="断电时起草", key=key),
        lambda: browser.send("PATCH", path, json={"body": BODY}, headers={"If-Match": '"1"'}),
        lambda: browser.act(path, "submit"),
        lambda: browser.ask(path, "approve", opinion="同意"),
        lambda: browser.http.post("/api/session/challenge"),
    ]
    return kinds * (CROWD // len(kinds))


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_database_gone(how: str, city: DistantCity, production_servers: Servers) -> None:
    """While PostgreSQL is dead or hangs, everything is answered 503 by name; afterwards work goes on, nothing twice."""
    wang, key = await city.signed_in("wang"), uuid4().hex
    document = (await city.draft(wang, title="断电之前")).json()["id"]
    async with gone(production_servers.postgres, how):
        asked = requests_of_all_kinds(city, wang, document, key)
        for _round in range(2):
            answers = await asyncio.gather(*(request() for request in asked))
            assert {code_of(answer) for answer in answers} == {(503, "storage.database_away")}
        assert (await wang.get("/api/ready")).json()["detail"] == "database"
    await until_answered(wang, "/api/tasks")
    await until_answered(wang, "/api/ready")
    assert (await city.draft(wang, title="断电时起草", key=key)).status_code == 201
    assert sorted(await titles(wang)) == sorted(["断电之前", "断电时起草"])
    answers = await asyncio.gather(*(wang.get(f"/api/documents/{document}") for _ in range(CROWD)))
    assert {answer.status_code for answer in answers} == {200}


async def test_database_frozen_in_the_middle(city: DistantCity, production_servers: Servers) -> None:
    """Acts that are under way when PostgreSQL hangs are answered too, and each then happened once or not at all."""
    wang = await city.signed_in("wang")
    keys = {f"第{number}件": uuid4().hex for number in range(12)}
    under_way = [asyncio.create_task(city.draft(wang, title=title, key=key)) for title, key in keys.items()]
    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    async with gone(production_servers.postgres, "frozen"):
        answers = await asyncio.gather(*under_way)
    told = {code_of(answer)[1] for answer in answers if answer.status_code != 201}
    assert told <= {"storage.database_away", "storage.outcome_unknown"}
    await until_answered(wang, "/api/tasks")
    kept = [title for title, answer in zip(keys, answers, strict=True) if answer.status_code == 201]
    assert set(kept) <= set(await titles(wang))
    again = await asyncio.gather(*(city.draft(wang, title=title, key=key) for title, key in keys.items()))
    assert {answer.status_code for answer in again} == {201}
    assert sorted(await titles(wang)) == sorted(keys)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_redis_gone(how: str, city: DistantCity, production_servers: Servers) -> None:
    """Without Redis nothing is refused and nothing is lost: a document sent meanwhile arrives in the open page all the same."""
    zhou = await city.signed_in("zhou")
    async with live(zhou) as socket:
        async with gone(production_servers.redis, how):
            path = await sent(city)
            assert (await heard(socket, "incoming.arrived"))["payload"]["title"] == city.elements()["title"]
        waiting = (await zhou.get("/api/incoming")).json()["items"]
        (await zhou.sign(f"/api/incoming/{waiting[0]['id']}", "sign_for")).raise_for_status()
        assert (await heard(socket, "incoming.changed"))["payload"]["state"] == "signed_for"
    board = (await (await city.signed_in("sun")).get(f"{path}/consignments")).json()
    assert board["counts"] == {"total": 2, "signed_for": 1, "arrived": 1}


async def test_live_updates_survive_the_database(city: DistantCity, production_servers: Servers) -> None:
    """A page that stays open through an outage of PostgreSQL hears of what happens after it."""
    zhou = await city.signed_in("zhou")
    async with live(zhou) as socket:
        async with gone(production_servers.postgres, "killed"):
            assert code_of(await zhou.get("/api/incoming")) == (503, "storage.database_away")
        await until_answered(zhou, "/api/incoming")
        await sent(city)
        await heard(socket, "incoming.arrived")


async def test_signer_killed(city: DistantCity) -> None:
    """A signer that was killed is started again by whoever needs it next, and everything still verifies."""
    wang, li = await city.signed_in("wang"), await city.signed_in("li")
    path = await city.submitted(wang)
    (await li.sign(path, "approve", opinion="同意")).raise_for_status()
    (signer,) = servers.children_of(city.server.pid)
    os.kill(signer, signal.SIGKILL)
    zhao = await city.signed_in("zhao")
    assert (await zhao.sign(path, "approve", opinion="同意")).status_code == 200
    assert servers.children_of(city.server.pid) != [signer]
    async with open_house(city.settings) as house:
        assert await faults(house) == []


@asynccontextmanager
async def page(browser: Browser) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    """A page that stays open, as the web client does: cut off, it connects again and asks for what it has missed."""
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def listen() -> None:
        last: int | None = None
        while True:
            with suppress(ConnectionClosed, InvalidHandshake, OSError):
                async with live(browser, after=last) as socket:
                    async for text in socket:
                        event = json.loads(text)
                        last = event["id"]
                        events.put_nowait(event)
            await asyncio.sleep(1)

    listening = asyncio.create_task(listen())
    yield events
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def arrival(events: asyncio.Queue[dict[str, Any]]) -> UUID:
    """The next document that a page hears of."""
    while (event := await events.get())["kind"] != "incoming.arrived":
        pass
    return UUID(event["payload"]["id"])


@pytest.mark.campaign
@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", ["killed", "frozen"])
@pytest.mark.parametrize(
    ("part", "refused"),
    [("postgres", "storage.database_away"), ("redis", ""), ("seaweedfs", "storage.store_away")],
)
async def test_a_minute_without(
    part: str, refused: str, how: str, city: DistantCity, production_servers: Servers
) -> None:
    """For a whole minute somebody keeps drafting and submitting: each try is answered, by its name where it cannot be done.
    Then everything they tried is done once, the page that stayed open hears of it, and the data are sound."""
    wang, zhou = await city.signed_in("wang"), await city.signed_in("zhou")
    complete = f"/api/documents/{(await city.draft(wang)).json()['id']}"
    submitted, keys = False, {}
    async with page(zhou) as events:
        await sent(city)
        before = await arrival(events)
        async with gone(getattr(production_servers, part), how):
            until = time.monotonic() + MINUTE
            while time.monotonic() < until:
                keys[title := f"第{len(keys) + 1}件"] = uuid4().hex
                tries = [await city.draft(wang, title=title, key=keys[title])]
                if not submitted:
                    tries.append(await wang.act(complete, "submit"))
                    submitted = tries[-1].status_code == 200
                for answer in tries:
                    assert answer.status_code < 300 or code_of(answer) == (503, refused)
                await asyncio.sleep(2)
            assert submitted == (not refused)
        await until_answered(wang, "/api/tasks")
        while not submitted:
            answer = await wang.act(complete, "submit")
            submitted = answer.status_code == 200
            assert submitted or code_of(answer) == (503, refused)
        again = await asyncio.gather(*(city.draft(wang, title=title, key=key) for title, key in keys.items()))
        assert {answer.status_code for answer in again} == {201}
        assert sorted(await titles(wang)) == sorted([city.elements()["title"]] * 2 + [*keys])
        await sent(city)
        assert await arrival(events) != before
    async with open_house(city.settings) as house:
        assert await faults(house) == []


# Last, because SeaweedFS takes its time to come back.
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_store_gone(how: str, city: DistantCity, production_servers: Servers) -> None:
    """Without the object store text work goes on and uploads say why they wait; then they go on where they were."""
    wang, li = await city.signed_in("wang"), await city.signed_in("li")
    path, data = await city.submitted(wang), os.urandom(2 * PART_SIZE)
    document, complete = [
        (await city.draft(wang, title=title)).json()["id"] for title in ("有附件", city.elements()["title"])
    ]
    file = (await wang.begin_upload(document, size=len(data))).json()
    assert (await wang.put_part(file["id"], 0, data[:PART_SIZE])).status_code == 200
    async with gone(production_servers.seaweedfs, how):
        needy = [wang.put_part(file["id"], PART_SIZE, data[PART_SIZE:]) for _ in range(4)]
        needy += [wang.act(f"/api/documents/{complete}", "submit"), wang.get(f"{path}/pages.pdf")]
        for answer in await asyncio.gather(*needy):
            assert code_of(answer) == (503, "storage.store_away")
        assert (await wang.get("/api/ready")).json()["detail"] == "object_store"
        assert (await li.sign(path, "approve", opinion="同意")).status_code == 200
        assert (await wang.get(f"/api/files/{file['id']}")).json()["offset"] == PART_SIZE
    while (done := await wang.put_part(file["id"], PART_SIZE, data[PART_SIZE:])).status_code == 503:
        assert done.json()["code"] == "storage.store_away"
    assert done.json()["state"] == "ready", done.text
    assert (await wang.get(f"/api/files/{file['id']}/content")).content == data
    assert (await wang.act(f"/api/documents/{complete}", "submit")).status_code == 200
