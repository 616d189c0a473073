"""The cast: one PKI, an office server that signs requests, real SoftHSM tokens, a running agent, a page and a person."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.asyncio.client import ClientConnection, connect

from crypto.authority import Authority, Order, create_root, name
from crypto.canonical import canonical_json
from crypto.cms import prepare_cms, prepare_cms_over_digest
from crypto.keys import SoftKey, seal_key_file
from crypto.profiles import Profile
from crypto.suite import INTL
from oa_agent.config import Config, Module, PinEntryKind, Server
from oa_agent.server import serving
from oa_agent.tokens import TokenDriver

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
ORIGIN = "https://oa.jiangcheng.gov.cn"
PIN = "246810"
SO_PIN = "13579135"
HOLDER = "李明"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def der(certificate: x509.Certificate) -> str:
    return b64(certificate.public_bytes(Encoding.DER))


# --- certificates -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pki:
    """One root and one issuing authority."""

    root: Authority
    issuing: Authority

    def certify(self, profile: Profile, public_key: Any, common: str = HOLDER) -> x509.Certificate:
        now = datetime.now(UTC).replace(microsecond=0)
        subject = name(common=common, organ="江城市人民政府办公室")
        order = Order(profile, public_key, subject, now - timedelta(days=1), now + timedelta(days=300))
        return self.issuing.certify(order)

    def key(self, profile: Profile, common: str = HOLDER) -> SoftKey:
        private_key = INTL.generate_key()
        return SoftKey(private_key, self.certify(profile, private_key.public_key(), common), self.issuing.chain)

    def key_file(self, profile: Profile, folder: Path, label: str, common: str = HOLDER) -> SoftKey:
        """A key that lies in the folder as an encrypted file."""
        key = self.key(profile, common)
        folder.mkdir(parents=True, exist_ok=True)
        data = seal_key_file(key.private_key, PIN, [key.certificate, *key.chain])
        (folder / f"{label}.oakey").write_bytes(data)
        return key


@pytest.fixture(scope="session")
def pki() -> Pki:
    now = datetime.now(UTC).replace(microsecond=0)
    root_key, issuing_key = ec.generate_private_key(ec.SECP384R1()), INTL.generate_key()
    year = timedelta(days=365)
    root = create_root(root_key, name(common="江城市电子政务根CA"), now - year, now + 10 * year)
    order = Order(Profile.ISSUING, issuing_key.public_key(), name(common="江城市签发CA"), now - year, now + 8 * year)
    return Pki(root, Authority(issuing_key, root.certify(order), (root.certificate,)))


# --- the office server ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Office:
    """The server's side: its request-signing key, and what it asks to have signed."""

    private_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    kid: str = "office-1"

    @property
    def public_key(self) -> str:
        return b64(self.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    @property
    def server(self) -> Server:
        return Server(ORIGIN, self.kid, self.public_key)

    def claims(self, certificate: x509.Certificate, text: str = "同意，请抓紧办理。", **changes: Any) -> dict[str, Any]:
        """An honest request for an opinion, with some members changed."""
        content = canonical_json(
            {
                "type": "oa/opinion/1",
                "title": "关于防汛工作的通知",
                "decision": "agree",
                "text": text,
                "pages_sha256": "ab" * 32,
                "actor": {"name": HOLDER, "organ": "江城市人民政府办公室"},
            }
        )
        attributes = prepare_cms(content, certificate).signed_attributes
        honest = {
            "iss": "oa-server",
            "aud": "oa-agent",
            "exp": int(datetime.now(UTC).timestamp()) + 600,
            "origin": ORIGIN,
            "title": "审核同意",
            "lines": ["关于防汛工作的通知", f"意见：{text}", "环节：审核"],
            "content": b64(content),
            "signed_attributes": b64(attributes),
            "digest": None,
        }
        return honest | changes

    def seal_claims(self, certificate: x509.Certificate, digest: bytes, **changes: Any) -> dict[str, Any]:
        """An honest request to seal a PDF with this digest."""
        attributes = prepare_cms_over_digest(digest, certificate).signed_attributes
        seal = {"title": "用印", "content": None, "digest": digest.hex(), "signed_attributes": b64(attributes)}
        return self.claims(certificate) | seal | changes

    def request(self, claims: dict[str, Any] | bytes, **header: Any) -> str:
        """A compact JWS over the claims."""
        members = {"alg": "ES256", "typ": "oa-signature-request", "kid": self.kid} | header
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signed = f"{b64url(json.dumps(members).encode())}.{b64url(payload)}"
        r, s = decode_dss_signature(self.private_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64url(r.to_bytes(32) + s.to_bytes(32))}"


@pytest.fixture(scope="session")
def office() -> Office:
    return Office()


# --- tokens -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def token_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The private SoftHSM of this test run: the driver reads its place from the environment whenever it is initialised."""
    home = tmp_path_factory.mktemp("softhsm")
    folder = home / "tokens"
    folder.mkdir()
    configuration = home / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    yield folder
    os.environ.pop("SOFTHSM2_CONF")
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture(autouse=True)
def _no_tokens_left(token_folder: Path, tmp_path: Path) -> Iterator[None]:
    """Each test begins without tokens."""
    yield
    for body in list(token_folder.iterdir()):
        # Taken out of the driver's sight first: a look at it that has just begun would leave files in what is removed.
        shutil.rmtree(body.rename(tmp_path / f"spent-{body.name}"))


@dataclass(frozen=True)
class Token:
    """A SoftHSM token as the driver knows it, and the directory that is its body."""

    id: str
    label: str
    body: Path
    driver: TokenDriver


@pytest.fixture
async def token(token_folder: Path, request: pytest.FixtureRequest) -> Token:
    """A fresh token, initialised by the agent's own code."""
    before = set(token_folder.iterdir())
    driver = TokenDriver(SOFTHSM)
    label = f"key-{abs(hash(request.node.nodeid)) % 10**8}"
    device = await driver.init_token(label, SO_PIN, PIN)
    (body,) = set(token_folder.iterdir()) - before
    return Token(device.id, label, body, driver)


@pytest.fixture
def enrol(pki: Pki) -> Callable[..., Any]:
    """Generate a key in a token, certify its request, and write the certificate beside it."""

    async def enrolled(token: Token, profile: Profile, common: str = HOLDER) -> x509.Certificate:
        (device,) = [device for device in await token.driver.devices() if device.id == token.id]
        csr = await token.driver.generate(device, PIN, profile.value, name(common=common))
        certificate = pki.certify(profile, x509.load_der_x509_csr(csr).public_key(), common)
        await token.driver.write_certificate(device, PIN, certificate, pki.issuing.chain)
        return certificate

    return enrolled


# --- the agent, a page and a person -----------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path, office: Office, token_folder: Path) -> Config:
    return Config(
        origins=(ORIGIN, "http://127.0.0.1:8080"),
        port=0,
        pin_page_port=0,
        state_folder=str(tmp_path / "state"),
        key_folder=str(tmp_path / "keys"),
        pin_entry=PinEntryKind.PAGE,
        pin_seconds=20,
        poll_seconds=0.05,
        modules=(Module(SOFTHSM),),
        servers=(office.server,),
    )


_SECRET = re.compile(r"name=secret value='([^']+)'")


@dataclass
class Person:
    """Opens the PIN page when told to, reads it, and enters the PINs it was given, one after the other."""

    pins: list[str]
    pages: list[str] = field(default_factory=list)

    async def meet(self, url: str) -> None:
        async with httpx.AsyncClient(follow_redirects=True, timeout=30) as browser:
            answer = await browser.get(url)
            while self.pins and (secret := _SECRET.search(answer.text)):
                self.pages.append(html.unescape(answer.text))
                pin = self.pins.pop(0)
                origin = f"http://{answer.url.netloc.decode()}"
                entered = {"secret": secret[1], "pin": pin, "repeated": pin, "act": "enter"}
                answer = await browser.post(answer.url, data=entered, headers={"Origin": origin})
            self.pages.append(html.unescape(answer.text))


class Page:
    """The web client's end of the socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.person = Person([])
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.strays: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: dict[Any, asyncio.Future[dict[str, Any]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._number = 0

    async def ask(self, command: str, **members: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": self._number, "command": command, **members}))
        return await asyncio.wait_for(answer, 20)

    async def get(self, command: str, **members: Any) -> Any:
        """The result of a command that must succeed."""
        answer = await self.ask(command, **members)
        assert answer["ok"], answer
        return answer["result"]

    async def refusal(self, command: str, **members: Any) -> str:
        """The code with which a command is refused."""
        answer = await self.ask(command, **members)
        assert not answer["ok"], answer
        assert answer["error"]["title"]
        return str(answer["error"]["code"])

    async def raw(self, message: str | bytes) -> dict[str, Any]:
        """Send anything and wait for an answer that no command waits for."""
        await self.socket.send(message)
        return await asyncio.wait_for(self.strays.get(), 10)

    async def event(self) -> dict[str, Any]:
        """The next push."""
        return await asyncio.wait_for(self.events.get(), 10)

    async def listen(self) -> None:
        async for text in self.socket:
            message = json.loads(text)
            if "event" not in message:
                waiting = self._answers.pop(message["id"], None)
                self.strays.put_nowait(message) if waiting is None else waiting.set_result(message)
            elif message["event"] == "pin-needed" and self.person.pins:
                self._tasks.append(asyncio.create_task(self.person.meet(message["url"])))
            else:
                self.events.put_nowait(message)

    async def person_done(self) -> list[str]:
        """What the person saw, once the last page has come."""
        await asyncio.gather(*self._tasks)
        return self.person.pages


@asynccontextmanager
async def opened(port: int, origin: str = ORIGIN) -> AsyncIterator[Page]:
    """A page connected to the agent."""
    async with connect(f"ws://127.0.0.1:{port}", origin=origin, subprotocols=["oa-agent.1"]) as socket:
        page = Page(socket)
        listening = asyncio.create_task(page.listen())
        try:
            yield page
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


Visit = Callable[..., AbstractAsyncContextManager[Page]]


@pytest.fixture
def visit(config: Config) -> Visit:
    """Start an agent, and connect a page to it."""

    @asynccontextmanager
    async def visiting(origin: str = ORIGIN, **changes: Any) -> AsyncIterator[Page]:
        async with serving(msgspec.structs.replace(config, **changes)) as port, opened(port, origin) as page:
            yield page

    return visiting


# --- the command line -------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]


def as_toml(config: Config) -> str:
    """The configuration as its file would say it."""
    members = msgspec.to_builtins(config)
    tables = {name: members.pop(name) for name in ("modules", "servers")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in members.items()]
    for table, rows in tables.items():
        for row in rows:
            lines += [f"[[{table}]]", *(f"{member} = {json.dumps(value)}" for member, value in row.items())]
    return "\n".join(lines)


def agent_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'clients/agent'}", "PYTHONWARNINGS": "default"}


@pytest.fixture
def run_agent(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the agent's command line as a program of its own, without a terminal."""

    def run(config: Config, arguments: list[str], entered: str = "") -> subprocess.CompletedProcess[str]:
        path = tmp_path / "agent.toml"
        path.write_text(as_toml(msgspec.structs.replace(config, pin_entry=PinEntryKind.CONSOLE)))
        command = [sys.executable, "-m", "oa_agent", "--config", str(path), *arguments]
        return subprocess.run(
            command, input=entered, capture_output=True, text=True, check=False, timeout=60,
            env=agent_environment(), start_new_session=True,
        )  # fmt: skip

    return run
