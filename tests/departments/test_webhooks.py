"""Webhooks: events that are sent, to a real receiver, in order, signed, again and again – and to nobody else."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import oa_server.app
from oa_sdk import WebhookRefused, verify_webhook
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.errors import Invalid
from oa_server.departments import delivery, rules
from oa_server.departments.delivery import deliver
from oa_server.departments.models import Delivery
from tests.city import City, told
from tests.faults.house import faults
from tests.identity.system import ALL_SCOPES, System, let_in


@dataclass
class Received:
    """One request as the receiver saw it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def sequence(self) -> int:
        return int(json.loads(self.body)["sequence"])


@dataclass
class Receiver:
    """A department's server: a real socket that keeps what it gets and answers what it is told to."""

    port: int = 0
    answer: Callable[[Received], str] = lambda _received: "204 No Content"
    received: list[Received] = field(default_factory=list)
    meanwhile: Callable[[Received], Awaitable[None]] | None = None

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                received = Received(lines[0].split()[1], headers, body)
                self.received.append(received)
                if self.meanwhile:
                    await self.meanwhile(received)
                status = self.answer(received)
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def sequences(self) -> list[int]:
        return [received.sequence for received in self.received]


@dataclass
class Pushing:
    """A system with its webhook, and the administrators who look after it."""

    city: City
    system: System
    path: str
    receiver: Receiver

    async def deliver(self) -> None:
        await deliver(self.city.app.state.sender)

    async def happen(self, count: int = 1) -> None:
        wang = await self.city.signed_in("wang")
        for number in range(count):
            (await self.city.draft(wang, title=f"第{number}件")).raise_for_status()

    async def act(self, verb: str, by: str = "sec", **fields: Any) -> Any:
        browser = await self.city.signed_in(by)
        return await browser.send("POST", f"{self.path}/acts", json={"verb": verb, **fields})

    async def shown(self) -> dict[str, Any]:
        return dict((await (await self.city.signed_in("sec")).get(self.path)).json())


async def register(city: City, path: str, **changes: Any) -> Any:
    body = {"url": "http://127.0.0.1:9/events", "addresses": ["127.0.0.1"], **changes}
    return await (await city.signed_in("sys")).send("PUT", path, json=body)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own job stays away, so that a test says when events are sent."""
    monkeypatch.setattr(oa_server.app, "DELIVERY_SECONDS", 3600.0)


@pytest.fixture
async def pushing(by_hand: None, city: City) -> AsyncIterator[Pushing]:
    """A system whose webhook is let in; its receiver listens."""
    system = System(city)
    path = f"/api/clients/{await let_in(system, scopes=[*ALL_SCOPES, 'events:read'])}/webhook"
    async with Receiver().listening() as receiver:
        url = f"http://oa-receiver.example:{receiver.port}/events"
        (await register(city, path, url=url)).raise_for_status()
        found = Pushing(city, system, path, receiver)
        (await found.act("approve")).raise_for_status()
        yield found


async def test_the_server_sends_by_itself(city: City) -> None:
    """Without anybody's doing an event is on its way within seconds of what happened."""
    path = f"/api/clients/{await let_in(System(city))}/webhook"
    async with Receiver().listening() as receiver:
        (await register(city, path, url=f"http://oa-receiver.example:{receiver.port}/events")).raise_for_status()
        sec = await city.signed_in("sec")
        (await sec.send("POST", f"{path}/acts", json={"verb": "approve"})).raise_for_status()
        await city.draft(await city.signed_in("wang"))
        async with asyncio.timeout(10):
            while not receiver.received:
                await asyncio.sleep(0.1)
    assert receiver.sequences == [1]


async def test_events_are_sent_in_order(pushing: Pushing) -> None:
    """Each event arrives once, in its order, under the registered name, and its signature verifies with the published key."""
    await pushing.happen(3)
    await pushing.deliver()
    await pushing.deliver()
    assert pushing.receiver.sequences == [1, 2, 3]
    first = pushing.receiver.received[0]
    assert (first.path, first.headers["host"]) == ("/events", f"oa-receiver.example:{pushing.receiver.port}")
    assert first.headers["content-type"] == "application/cloudevents+json"
    await pushing.system.sign_in()
    keys = (await pushing.system.get("/webhook-keys")).json()["keys"]
    assert verify_webhook(first.headers, first.body, keys).sequence == "1"
    with pytest.raises(WebhookRefused):
        verify_webhook(first.headers, first.body + b" ", keys)
    asked = (await pushing.system.get("/events")).json()["items"]
    assert [json.loads(received.body) for received in pushing.receiver.received] == asked
    assert (await pushing.shown())["waiting"] == 0


async def test_playing_again_in_the_middle(pushing: Pushing) -> None:
    """What an administrator has sent again while events are on their way is sent again, and not passed over."""

    async def again(received: Received) -> None:
        if len(pushing.receiver.received) == 2:
            (await pushing.act("replay", by="sys", after=0)).raise_for_status()

    pushing.receiver.meanwhile = again
    await pushing.happen(3)
    await pushing.deliver()
    await pushing.deliver()
    assert pushing.receiver.sequences == [1, 2, 1, 2, 3]


async def test_a_receiver_that_refuses(pushing: Pushing) -> None:
    """A refused event is sent again after five seconds, then after longer, and those behind it wait, so that order holds."""
    pushing.receiver.answer = lambda _received: "500 Internal Server Error"
    await pushing.happen(2)
    await pushing.deliver()
    await pushing.deliver()
    assert pushing.receiver.sequences == [1]
    shown = await pushing.shown()
    assert (shown["attempts"], shown["waiting"], shown["last_answer"]) == (1, 2, "HTTP 500")
    with clock.shifted(rules.SCHEDULE[0] + timedelta(seconds=1)):
        await pushing.deliver()
        assert pushing.receiver.sequences == [1, 1]
        pushing.receiver.answer = lambda _received: "200 OK"
    with clock.shifted(rules.SCHEDULE[0] + rules.SCHEDULE[1] + timedelta(seconds=2)):
        await pushing.deliver()
    assert pushing.receiver.sequences == [1, 1, 1, 2]
    assert len({received.headers["webhook-id"] for received in pushing.receiver.received[:3]}) == 1


async def test_how_each_event_stands(pushing: Pushing) -> None:
    """The system administrator sees of every event whether it was taken, is tried again or waits; without an address to
    push to, that it is kept for whoever asks."""
    sys = await pushing.city.signed_in("sys")

    async def states(path: str) -> list[str]:
        feed = (await sys.get(path.removesuffix("webhook") + "feed")).raise_for_status().json()
        return [row["state"] for row in feed["items"]]

    await pushing.happen()
    await pushing.deliver()
    pushing.receiver.answer = lambda _received: "503 Service Unavailable"
    await pushing.happen(2)
    await pushing.deliver()
    assert await states(pushing.path) == ["waiting", "retried", "taken"]
    quiet = System(pushing.city, code="quiet")
    path = f"/api/clients/{await let_in(quiet, scopes=[*ALL_SCOPES, 'events:read'])}/webhook"
    await pushing.happen()
    assert await states(path) == ["kept"]


async def test_a_receiver_that_is_gone(pushing: Pushing) -> None:
    """A receiver that says so is asked no more, on record; once an administrator enables it, it goes on where it was."""
    pushing.receiver.answer = lambda _received: "410 Gone"
    await pushing.happen(2)
    await pushing.deliver()
    assert (await pushing.shown())["state"] == "disabled"
    record = await AuditRecord.filter(verb=Verb.WEBHOOK_DECIDED).order_by("-id").first()
    assert record is not None
    assert (record.actor_name, record.facts["why"]) == ("system", "HTTP 410")
    pushing.receiver.answer = lambda _received: "200 OK"
    await pushing.deliver()
    assert pushing.receiver.sequences == [1]
    (await pushing.act("enable")).raise_for_status()
    await pushing.deliver()
    assert pushing.receiver.sequences == [1, 1, 2]
    assert await faults(pushing.city.app.state.house) == []


async def test_a_receiver_that_refuses_for_days(pushing: Pushing) -> None:
    """After the last attempt of the schedule, three days later, it is given up; it may be played again from any event."""
    pushing.receiver.answer = lambda _received: "503 Service Unavailable"
    await pushing.happen(2)
    shift = timedelta()
    for wait in (timedelta(), *rules.SCHEDULE):
        shift += wait + timedelta(seconds=1)
        with clock.shifted(shift):
            await pushing.deliver()
    assert len(pushing.receiver.received) == len(rules.SCHEDULE) + 1
    assert (await pushing.shown())["state"] == "disabled"
    pushing.receiver.answer, pushing.receiver.received = lambda _received: "200 OK", []
    (await pushing.act("replay", by="sys", after=1)).raise_for_status()
    (await pushing.act("enable")).raise_for_status()
    await pushing.deliver()
    assert pushing.receiver.sequences == [2]


@pytest.mark.norm("A-1.3.6")
async def test_a_redirection_is_a_refusal(pushing: Pushing) -> None:
    """A receiver that points elsewhere, inside or out, has nobody else called."""
    async with Receiver().listening() as inside:
        pushing.receiver.answer = lambda _received: f"307 Moved\r\nLocation: http://127.0.0.1:{inside.port}/admin"
        await pushing.happen()
        await pushing.deliver()
        assert inside.received == []
    assert (await pushing.shown())["last_answer"] == "HTTP 307"


@pytest.mark.norm("A-1.3.6")
async def test_names_are_never_looked_up(pushing: Pushing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever rules over the name in the address cannot lead us anywhere: it is not asked for."""
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def listen(host: Any, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        return await resolve(host, *rest, **options)

    monkeypatch.setattr(loop, "getaddrinfo", listen)
    await pushing.happen()
    await pushing.deliver()
    assert pushing.receiver.sequences == [1]
    assert "oa-receiver.example" not in asked


async def test_an_address_that_is_down(pushing: Pushing) -> None:
    """Of several registered addresses the next is tried when one does not answer."""
    url = f"http://oa-receiver.example:{pushing.receiver.port}/events"
    (await register(pushing.city, pushing.path, url=url, addresses=["127.0.0.2", "127.0.0.1"])).raise_for_status()
    (await pushing.act("approve")).raise_for_status()
    await pushing.happen()
    await pushing.deliver()
    assert pushing.receiver.sequences == [1]


async def test_tls_proves_the_name(city: City, pushing: Pushing, tmp_path: Path) -> None:
    """Over https a receiver whose certificate nobody of repute issued, or for another name, gets nothing."""
    stranger = System(city)
    key = stranger.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(stranger.certificate.public_bytes(Encoding.PEM) + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    async with Receiver().listening(tls) as other:
        url = f"https://oa-receiver.example:{other.port}/events"
        (await register(city, pushing.path, url=url)).raise_for_status()
        (await pushing.act("approve")).raise_for_status()
        await pushing.happen()
        await pushing.deliver()
        assert other.received == []
    assert (await pushing.shown())["last_answer"] == "ConnectError"


async def test_two_processes_send_once(pushing: Pushing) -> None:
    """Of two processes that deliver at the same moment one sends; what a dead one held is sent by another two minutes later."""
    await pushing.happen(5)
    await asyncio.gather(pushing.deliver(), pushing.deliver(), pushing.deliver())
    assert pushing.receiver.sequences == [1, 2, 3, 4, 5]
    await Delivery.all().update(taken_until=clock.now() + timedelta(minutes=2))
    await pushing.happen()
    await pushing.deliver()
    assert len(pushing.receiver.received) == 5
    with clock.shifted(timedelta(minutes=2, seconds=1)):
        await pushing.deliver()
    assert pushing.receiver.sequences == [1, 2, 3, 4, 5, 6]


async def test_a_receiver_that_is_slow(pushing: Pushing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that takes its time with each event takes turns: a round ends, the next one goes on where it was."""
    monkeypatch.setattr(delivery, "ROUND_SECONDS", 0.5)
    pushing.receiver.answer = lambda _received: time.sleep(0.3) or "200 OK"  # type: ignore[func-returns-value]
    await pushing.happen(4)
    await pushing.deliver()
    assert pushing.receiver.sequences == [1, 2]
    await pushing.deliver()
    assert pushing.receiver.sequences == [1, 2, 3, 4]
    assert (await pushing.shown())["attempts"] == 0


async def test_a_receiver_that_hangs(pushing: Pushing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that never answers is given up in time, and the event is tried again later."""
    monkeypatch.setattr(delivery, "EVENT_SECONDS", 0.3)
    silent = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        (await register(pushing.city, pushing.path, url=f"http://oa-receiver.example:{port}/x")).raise_for_status()
        (await pushing.act("approve")).raise_for_status()
        await pushing.happen()
        await pushing.deliver()
        silent.set()
        await asyncio.sleep(0.1)  # for its end of the connection to close
    shown = await pushing.shown()
    assert (shown["attempts"], shown["waiting"]) == (1, 1)
    assert "Timeout" in shown["last_answer"]


async def test_a_system_that_is_suspended(pushing: Pushing) -> None:
    """A suspended system is sent nothing; let in again, it gets what happened meanwhile from its feed's end on."""
    sec = await pushing.city.signed_in("sec")
    acts = f"{pushing.path.removesuffix('/webhook')}/acts"
    await pushing.happen()
    (await sec.send("POST", acts, json={"verb": "suspend", "reason": "停用"})).raise_for_status()
    await pushing.deliver()
    assert pushing.receiver.received == []
    (await sec.send("POST", acts, json={"verb": "resume"})).raise_for_status()
    await pushing.deliver()
    assert pushing.receiver.sequences == [1]


# --- what is registered -----------------------------------------------------------------------------------------------

INWARD = ["0.0.0.0", "169.254.169.254", "224.0.0.1", "::", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "240.0.0.1"]


@pytest.mark.norm("A-1.3.6")
@pytest.mark.parametrize("address", [*INWARD, "2130706433", "0177.0.0.1", "localhost", "10.0.0.1/8", ""])
async def test_addresses_that_lead_astray(city: City, address: str) -> None:
    """Link-local, multicast, unspecified and disguised addresses, and names, cannot be registered."""
    path = f"/api/clients/{await let_in(System(city))}/webhook"
    assert told(await register(city, path, addresses=[address])) == (422, "departments.bad_address")
    assert (await (await city.signed_in("sec")).get(path)).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/x", "http://user:secret@a.example/x", "http://a.example/x?y", "http://a.example/x#y", "http:///x",
        "http://a.example:0/", "http://a.example:99999/", "http://a.example", "http://例子.example/x", "javascript:alert(1)",
        "//a.example/x", "http://[::1/x",
    ],
)  # fmt: skip
async def test_urls_that_are_none(city: City, url: str) -> None:
    """A webhook is an address with a host and a path, and nothing in it that could be a secret or a trick."""
    path = f"/api/clients/{await let_in(System(city))}/webhook"
    assert told(await register(city, path, url=url)) == (422, "departments.bad_url")


def test_in_earnest_neither_http_nor_loopback() -> None:
    """Where officials come over TLS, webhooks do too, and no server of ours ever calls its own machine."""
    for call in (
        lambda: rules.check_url("http://a.example/x", trial=False),
        lambda: rules.check_addresses(["127.0.0.1"], trial=False),
        lambda: rules.check_addresses(["::1"], trial=False),
    ):
        with pytest.raises(Invalid):
            call()
    assert rules.check_addresses(["10.8.0.7", "2001:DB8::7"], trial=False) == ["10.8.0.7", "2001:db8::7"]


@pytest.mark.norm("D-8.1.4.2d")
async def test_whose_business_webhooks_are(pushing: Pushing) -> None:
    """One administrator registers and replays, another lets in and stops; nobody else sees any of it. What is
    registered anew has to be let in anew."""
    city = pushing.city
    for person in ("aud", "wang"):
        browser = await city.signed_in(person)
        assert told(await browser.get(pushing.path)) == (403, "departments.not_admin")
    assert told(await pushing.act("disable", by="sys")) == (403, "departments.not_security_admin")
    assert told(await pushing.act("replay", by="sec")) == (403, "departments.not_system_admin")
    sec = await city.signed_in("sec")
    body = {"url": "http://127.0.0.1:9/x", "addresses": ["127.0.0.1"]}
    assert told(await sec.send("PUT", pushing.path, json=body)) == (403, "departments.not_system_admin")
    assert (await register(city, pushing.path)).json()["state"] == "pending"
    await pushing.happen()
    await pushing.deliver()
    assert pushing.receiver.received == []
    assert told(await pushing.act("disable")) == (403, "departments.webhook_state")
