"""A real server behind a line that can be cut, with systems that were registered and let in, and both fronts of the SDK."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oa_sdk import AsyncOffice, Body, Elements, Heading, Office, Paragraph, Patience, PemKey, System
from oa_server.app import open_house
from oa_server.settings import Settings
from tests import servers
from tests.city import Browser, City
from tests.conftest import Founded
from tests.identity.system import ALL_SCOPES, let_in, unit_of
from tests.identity.system import System as Registered
from tests.sdk.wire import Line

SCOPES = [*ALL_SCOPES, "events:read"]
QUICK = Patience(tries=6, first=0.1, longest=10)


@dataclass
class FarCity(City):
    """The city behind the line; browsers are closed when the visit is over."""

    clients: list[httpx.AsyncClient] = field(default_factory=list)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def browser(self, person: str) -> Browser:
        http = httpx.AsyncClient(base_url=self.settings.origin, timeout=20, verify=self.tls)
        self.clients.append(http)
        return Browser(http, self.settings.origin, self.keys(person))

    def visit(self, does: Callable[[FarCity], Any]) -> Any:
        """Let people do something at their browsers."""

        async def visited() -> Any:
            try:
                return await does(self)
            finally:
                for client in self.clients:
                    await client.aclose()
                self.clients.clear()

        return asyncio.run(visited())


@dataclass
class Site:
    """A server process, the line to it, and who was let in."""

    city: FarCity
    line: Line
    server: servers.OaServer
    known: dict[str, Registered] = field(default_factory=dict)

    def let_in(self, code: str, person: str = "wang", **changes: Any) -> Registered:
        """Register a system of somebody's unit and let it in, once."""
        if code not in self.known:
            registered = Registered(self.city, code)

            async def letting_in(city: FarCity) -> None:
                where = {"unit_id": await unit_of(city, person), "official_id": city.people[person]}
                await let_in(registered, **where, **{"scopes": SCOPES, "per_minute": 60_000, **changes})

            self.city.visit(letting_in)
            self.known[code] = registered
        return self.known[code]

    def requests(self, path: str) -> int:
        """How many requests for this path the server has written down."""
        text = self.server.log.read_text("utf-8")
        return sum(f'"{path}"' in line or f"path={path} " in f"{line} " for line in text.splitlines())


def pem_of(registered: Registered) -> bytes:
    return registered.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def system_of(registered: Registered) -> System:
    return System(registered.code, PemKey(pem_of(registered)))


def city_at(settings: Settings, **options: Any) -> FarCity:
    """Organs and people as they lie in the database, before a server opens it."""

    async def look() -> City:
        async with open_house(settings):
            return await City.open(None, settings)  # type: ignore[arg-type]  # whose application is elsewhere

    near = asyncio.run(look())
    return FarCity(None, settings, near.organs, near.people, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def site(founded_embedded: Founded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    copied = founded_embedded.copy(tmp_path_factory.mktemp("sdk") / "var")
    port = servers.free_port()
    with ExitStack() as stack:
        line = stack.enter_context(Line(port))
        settings = msgspec.structs.replace(copied, port=port, origin=f"http://127.0.0.1:{line.port}")
        city = city_at(settings)
        yield Site(city, line, stack.enter_context(servers.OaServer(settings)))


@dataclass
class Desk:
    """One front of the SDK, used alike: `do` has a result of what is called, `all` the items of what is listed."""

    office: Any
    do: Callable[[Any], Any]
    all: Callable[[Any], list[Any]]
    close: Callable[[], None]


def blocking(address: str, system: System, **options: Any) -> Desk:
    office = Office(address, system, **{"patience": QUICK, **options})
    return Desk(office, lambda result: result, list, office.close)


def asynchronous(address: str, system: System, **options: Any) -> Desk:
    runner = asyncio.Runner()
    office = AsyncOffice(address, system, **{"patience": QUICK, **options})

    async def all_of(items: Any) -> list[Any]:
        return [item async for item in items]

    def close() -> None:
        runner.run(office.close())
        runner.close()

    return Desk(office, runner.run, lambda items: runner.run(all_of(items)), close)


FRONTS = {"blocking": blocking, "asyncio": asynchronous}

Front = Callable[..., Desk]


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest, site: Site) -> Iterator[Front]:
    """Opens a front of one kind for a system; all are closed at the end, and the line is whole again."""
    desks: list[Desk] = []

    def open_front(system: System | None = None, **options: Any) -> Desk:
        chosen = system or system_of(site.let_in("caizheng"))
        desks.append(FRONTS[request.param](site.city.settings.origin, chosen, **options))
        return desks[-1]

    yield open_front
    site.line.heal()
    for desk in desks:
        desk.close()


def elements(site: Site, **changes: Any) -> Elements:
    """A notice from the government office to the finance and the education bureau."""
    return msgspec.convert(site.city.elements(**changes), Elements)


TEXT = Body([Paragraph("现将有关事项通知如下。"), Heading("一、总体要求"), Paragraph("各单位要高度重视。")])


def drafted(site: Site, desk: Desk, **changes: Any) -> Any:
    return desk.do(desk.office.documents.draft(elements(site, **changes), TEXT))


SDK = Path(__file__).parent.parent.parent / "clients" / "sdk"


def run(site: Site, registered: Registered, folder: Path, example: str, *arguments: str | Path) -> list[str]:
    """The lines that an example prints, run in a folder as a system."""
    key = folder / f"{registered.code}.pem"
    key.write_bytes(pem_of(registered))
    known = {"OA_ADDRESS": site.city.settings.origin, "OA_SYSTEM": registered.code, "OA_KEY": str(key)}
    environment = os.environ | known | {"PYTHONPATH": str(SDK), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, SDK / "examples" / example, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


@dataclass(frozen=True)
class Sent:
    """What was submitted by an example, signed, sealed and sent by people, and given to a unit of the receiving organ."""

    document: UUID
    item: str
    file: Path
    submitted: list[str]


@pytest.fixture(scope="session")
def sent(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """A report on its way through the city; the systems of both units are let in, and the example ran twice."""
    folder = tmp_path_factory.mktemp("sent")
    file = folder / "预算.csv"
    file.write_text("科目,金额\n教育,100\n", "utf-8")
    site.let_in("yusuan", "zheng")
    sender = site.let_in("caizheng")
    submitted = [run(site, sender, folder, "submit.py", "2026-0417", file)[-1] for _ in range(2)]
    document = UUID(submitted[0].split()[0])
    return Sent(document, site.city.visit(lambda city: walk(city, document)), file, submitted)


async def walk(city: City, document: UUID) -> str:
    """People review, sign, number, seal and send it; the finance bureau signs for it and gives it to 预算科. Its id there."""
    path = f"/api/documents/{document}"
    for person, verb in (("li", "approve"), ("zhao", "approve"), ("chen", "sign")):
        (await (await city.signed_in(person)).sign(path, verb, opinion="同意")).raise_for_status()
    sun = await city.signed_in("sun")
    (await sun.act(path, "number")).raise_for_status()
    (await (await city.signed_in("qian")).sign(path, "seal", usage="seal")).raise_for_status()
    (await sun.sign(path, "dispatch")).raise_for_status()
    zhou, wu = await city.signed_in("zhou"), await city.signed_in("wu")
    item = str((await zhou.get("/api/incoming")).json()["items"][0]["id"])
    path = f"/api/incoming/{item}"
    (await zhou.sign(path, "sign_for")).raise_for_status()
    (await zhou.act(path, "register")).raise_for_status()
    leader = {"leader_id": city.people["wu"]}
    (await zhou.act(path, "propose", opinion="请批示", parameters=leader)).raise_for_status()
    (await wu.sign(path, "instruct", opinion="请预算科办理")).raise_for_status()
    (await zhou.act(path, "assign", parameters={"unit_id": await unit_of(city, "zheng")})).raise_for_status()
    return item
