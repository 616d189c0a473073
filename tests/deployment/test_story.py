"""The main story through Debian's nginx, two servers and a worker, while each of them is killed in the middle."""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from oa_server.app import open_house
from oa_server.audit.models import AuditHead, AuditLeaf, AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.pki.models import Crl
from oa_server.settings import Settings, save
from tests import servers
from tests.city import Browser
from tests.conftest import COLUMNS, Founded
from tests.deployment.site import OaProcess, Site, running_site
from tests.faults.errand import Desks, Errand, Peace
from tests.faults.house import faults, live, until_answered
from tests.faults.invariants import broken
from tests.faults.ledger import Ledger

pytestmark = pytest.mark.skipif("production" not in COLUMNS, reason="the embedded column is one process without nginx")

# At which step whom: in acts that send, review, sign, number and seal.
STRIKES = {"part": "nginx", "approve": "worker", "sign": "1", "number": "2", "seal": "nginx"}


@pytest.fixture(scope="module")
def site(founded_production: Founded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The deployment, on a machine that trusts the installation's root."""
    folder = tmp_path_factory.mktemp("site")
    with running_site(founded_production.copy(folder / "var"), folder) as running, pytest.MonkeyPatch.context() as here:
        here.setenv("SSL_CERT_FILE", str(running.root))
        yield running
        for process in running.processes.values():
            assert "Traceback" not in process.log.read_text("utf-8")


@pytest.fixture(autouse=True)
async def _browsers_closed(site: Site) -> AsyncIterator[None]:
    yield
    for client in site.city.clients:
        await client.aclose()
    site.city.clients.clear()


class Strikes:
    """Kills a part of the deployment during each of the chosen steps, once."""

    def __init__(self, site: Site, ledger: Ledger) -> None:
        self._site = site
        self._ledger = ledger
        self._left = dict(STRIKES)
        self.killed: list[str] = []

    def entering(self, step: str) -> None:
        if name := self._left.pop(step, None):
            when = random.uniform(0, self._ledger.duration(step))
            asyncio.get_running_loop().call_later(when, self._kill, name)

    def answered(self, step: str) -> bool:
        return True

    def _kill(self, name: str) -> None:
        # What was killed just before may not have come back yet; then it is as dead as can be.
        if servers.runs(self._site.parts[name].pid):
            self._site.parts[name].kill()
        self.killed.append(name)


@asynccontextmanager
async def page(browser: Browser) -> AsyncIterator[list[str]]:
    """A page that stays open: the documents whose arrival it was told of, also of those while it was cut off."""
    told: list[str] = []

    async def listen() -> None:
        last: int | None = None
        while True:
            with suppress(ConnectionClosed, InvalidHandshake, OSError, EOFError):
                async with live(browser, after=last) as events:
                    async for text in events:
                        event = json.loads(text)
                        last = event.get("id", last)
                        if event.get("kind") == "incoming.arrived":
                            told.append(event["payload"]["id"])
            await asyncio.sleep(0.2)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.5)
    yield told
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.timeout(200)
async def test_everybody_dies_once(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two documents go their way at once while each server, the worker and nginx are killed: what was acknowledged is there
    once, an open page hears of every arrival, all verifies, and nobody had to lend a hand."""
    with closing(Ledger(tmp_path / "ledger.jsonl")) as ledger:
        desks = [await Desks.of(site.city) for _ in range(2)]
        await Errand(site.city, desks[0], ledger, Peace()).run()
        strikes = Strikes(site, ledger)
        begun = time.monotonic()
        async with page(desks[0].zhou) as told:
            async with asyncio.TaskGroup() as everybody:
                for own in desks:
                    everybody.create_task(Errand(site.city, own, ledger, strikes, behind_a_proxy=True).run())
            arrived = {entry.subject for entry in ledger.of("sign_for")}
            async with asyncio.timeout(20):
                while len(set(told) & arrived) != len(desks):
                    await asyncio.sleep(0.1)
        seconds = time.monotonic() - begun
        assert sorted(strikes.killed) == sorted(STRIKES.values())
        await healed(site)
        async with open_house(site.settings) as house:
            assert await broken(house, ledger) == []
        steps = sum(1 for entry in ledger.entries if entry.answered)
    with capsys.disabled():
        sys.stdout.write(f"\n{len(STRIKES)} kills, {steps} acknowledged steps, 0 lost, 0 twice; {seconds:.0f} s\n")


async def healed(site: Site) -> None:
    """Every part answers again."""
    async with asyncio.timeout(30):
        while not all(part.answers() for part in site.parts.values()):
            await asyncio.sleep(0.1)


async def figures(site: Site, process: str) -> dict[tuple[str, ...], float]:
    """What Prometheus reads of one process."""
    token = (site.settings.secrets_dir / "monitor-token").read_text()
    async with httpx.AsyncClient() as http:
        address = f"http://127.0.0.1:{site.ports.metrics}/{process}"
        assert (await http.get(address)).status_code == 401
        answer = await http.get(address, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_each_process_has_its_figures(site: Site) -> None:
    """Both servers answer officials and leave the jobs to the worker; each tells Prometheus its own figures."""
    await healed(site)
    wang = await site.city.signed_in("wang")
    for _ in range(6):
        assert (await wang.get("/api/tasks")).status_code == 200
    for number in ("1", "2"):
        found = await figures(site, number)
        assert found["oa_requests_total", "GET", "/api/tasks", "200"] >= 2
        assert ("oa_job_done_timestamp_seconds", "audit.sequence") not in found
    worker = await figures(site, "worker")
    assert worker["oa_job_done_timestamp_seconds", "audit.sequence"] > time.time() - 10
    assert not [name for name in worker if "/api/tasks" in name]


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/tasks", "/api/documents", "/api/metrics"])
async def test_security_headers_survive(path: str, site: Site) -> None:
    """Whoever answers, a server or nginx, each security header is there, and once."""
    async with httpx.AsyncClient(base_url=site.settings.origin) as http:
        answer = await http.get(path)
    for name in ("Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options"):
        assert len(answer.headers.get_list(name)) == 1, name
    assert answer.headers["server"] == "nginx"


async def test_audit_names_the_officials_address(site: Site) -> None:
    """The record says from where an official signed in, whatever they write into their own headers."""
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.77", verify=True)
    forged = {"X-Forwarded-For": "10.9.8.7", "X-Real-IP": "10.9.8.7", "Forwarded": "for=10.9.8.7"}
    async with httpx.AsyncClient(base_url=site.settings.origin, transport=transport, headers=forged) as http:
        await Browser(http, site.settings.origin, site.city.keys("feng")).sign_in()
    assert await signed_in_from(site) == "127.0.0.77"


async def signed_in_from(site: Site) -> str | None:
    """The address in the newest record of a signing in."""
    async with open_house(site.settings):
        record = await AuditRecord.filter(verb=Verb.SIGNED_IN).order_by("-id").first()
        assert record is not None
        return record.address


async def test_nobody_is_believed_over_tcp(site: Site, tmp_path: Path) -> None:
    """A server that listens on a port believes no header about addresses: anybody on this machine could write it."""
    port = servers.free_port()
    data = msgspec.structs.replace(site.settings, port=port, origin=f"http://127.0.0.1:{port}")
    with OverTcp(data, tmp_path / "settings.toml") as server:
        async with httpx.AsyncClient(base_url=server.url, headers={"X-Forwarded-For": "10.9.8.7"}) as http:
            await Browser(http, server.url, site.city.keys("feng")).sign_in()
        assert await signed_in_from(site) == "127.0.0.1"


class OverTcp(servers.OaServer):
    """A further server over the same data, whose settings lie elsewhere."""

    def __init__(self, settings: Settings, file: Path) -> None:
        self._settings_file, self.log, self.url = file, file.with_suffix(".log"), settings.origin
        save(settings, file)


async def test_two_workers(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers beside each other do each job once: leaves without gap, one head per size, each list number once. What
    watches over the second is told that it is alive."""
    await healed(site)
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    supervisor.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with (
        supervisor,
        OaProcess(site.settings, site.settings.data_dir.parent / "run" / "second" / "http.sock", "worker") as second,
    ):
        wang = await site.city.signed_in("wang")
        for number in range(20):
            assert (await site.city.draft(wang, title=f"第{number}件")).status_code == 201
        await asyncio.sleep(2)
        assert supervisor.recv(100, socket.MSG_DONTWAIT) == b"WATCHDOG=1"
        assert "job.failed" not in second.log.read_text("utf-8")
    async with open_house(site.settings) as house:
        leaves = await AuditLeaf.all().order_by("seq").values_list("seq", "record_id")
        assert [seq for seq, _record in leaves] == list(range(len(leaves)))
        assert len({record for _seq, record in leaves}) == len(leaves)
        sizes = await AuditHead.all().values_list("size", flat=True)
        assert len(set(sizes)) == len(sizes) > 0
        numbers = await Crl.all().values_list("issuer", "number")
        assert len(set(numbers)) == len(numbers)
        assert await faults(house) == []


def alive(process: OaProcess) -> subprocess.CompletedProcess[str]:
    options = process._options()
    return subprocess.run(process.alive(), **options, capture_output=True, text=True, timeout=30, check=False)


async def test_a_socket_is_not_taken(site: Site) -> None:
    """A process does not start on the socket of another that lives, and says so; the other goes on."""
    await healed(site)
    process = site.processes["1"]
    done = await asyncio.to_thread(
        subprocess.run,
        process._command(),
        **process._options(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "已有进程在这个套接字上监听" in done.stderr
    assert process.answers()


@pytest.mark.norm("D-8.1.4.4b/c")
async def test_open_ports(site: Site) -> None:
    """The site listens on its three ports, nginx alone on them; its own processes on their sockets."""
    await healed(site)
    family = {pid for part in site.parts.values() for pid in (part.pid, *servers.children_of(part.pid))}
    shown = (
        await asyncio.to_thread(subprocess.run, ["ss", "-ltnpH"], capture_output=True, text=True, check=True)
    ).stdout
    lines = [line for line in shown.splitlines() if family & {int(pid) for pid in re.findall(r"pid=(\d+)", line)}]
    listening = {int(line.split()[3].rpartition(":")[2]) for line in lines}
    metrics = {site.ports.metrics}  # For Prometheus, on loopback.
    assert listening - metrics == {site.ports.http, site.ports.https, site.ports.systems}


async def test_anchors(site: Site) -> None:
    """The installer gets the authority's certificates for nginx and for the office's computers, the root first."""
    process = site.processes["1"]
    command = [*process.alive()[:-1], "anchors"]
    done = await asyncio.to_thread(
        subprocess.run, command, **process._options(), capture_output=True, timeout=30, check=True
    )
    issuing = (site.root.parent / "systems.pem").read_bytes().removesuffix(site.root.read_bytes())
    assert done.stdout == site.root.read_bytes() + issuing


async def test_alive(site: Site) -> None:
    """Each process says that it is alive; one that hangs or is gone does not, and why stands in a sentence."""
    await healed(site)
    for process in site.processes.values():
        assert (await asyncio.to_thread(alive, process)).returncode == 0
    worker = site.processes["worker"]
    worker.freeze()
    try:
        hanging = await asyncio.to_thread(alive, worker)
    finally:
        worker.thaw()
    assert (hanging.returncode, hanging.stderr.startswith("进程没有应答")) == (1, True)
    await until_answered(await site.city.signed_in("wang"), "/api/tasks")
