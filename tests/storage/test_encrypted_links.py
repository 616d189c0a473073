"""Database, bus and object store on other machines: every byte on the way is encrypted, and the other end is who it says."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import asyncpg
import pytest

from oa_server.core.errors import Unavailable
from oa_server.storage.bus import open_bus
from oa_server.storage.database import open_database, select
from oa_server.storage.master_keys import MasterKeys
from oa_server.storage.migrate import upgrade
from oa_server.storage.objects import open_store
from oa_server.storage.secrets import SecretStore
from oa_server.storage.snapshots import copied
from tests import servers
from tests.conftest import COLUMNS
from tests.deployment.site import certify_alone

pytestmark = pytest.mark.skipif("production" not in COLUMNS, reason="the embedded column has no links")


class EncryptedPostgres(servers.Postgres):
    """Takes nobody who does not come over TLS."""

    def __init__(self, tls: Path) -> None:
        super().__init__()
        (self._base / "data" / "pg_hba.conf").write_text("hostssl all all all trust\n")
        for name in ("server.pem", "server.key"):
            target = Path(shutil.copy(tls / name, self._base / name))
            target.chmod(0o600)
            if self._user:
                shutil.chown(target, self._user["user"], self._user["group"])

    def _command(self) -> Sequence[str | Path]:
        files = (f"ssl_cert_file={self._base}/server.pem", f"ssl_key_file={self._base}/server.key")
        return [*super()._command(), *(word for setting in ("ssl=on", *files) for word in ("-c", setting))]


class EncryptedRedis(servers.Redis):
    """Listens for TLS alone."""

    def __init__(self, folder: Path, tls: Path) -> None:
        super().__init__(folder)
        self._tls = tls

    def _command(self) -> Sequence[str | Path]:
        plain = list(super()._command())
        plain[plain.index("--port") : plain.index("--port") + 2] = ["--port", "0", "--tls-port", str(self._port)]
        files = {"cert": "server.pem", "key": "server.key", "ca-cert": "root.pem"}
        named = [word for name, file in files.items() for word in (f"--tls-{name}-file", str(self._tls / file))]
        return [*plain, *named, "--tls-auth-clients", "no"]


class EncryptedSeaweedFS(servers.SeaweedFS):
    """Its S3 face speaks TLS alone."""

    def __init__(self, folder: Path, tls: Path) -> None:
        super().__init__(folder)
        self._tls = tls

    def _command(self) -> Sequence[str | Path]:
        files = [f"-s3.cert.file={self._tls / 'server.pem'}", f"-s3.key.file={self._tls / 'server.key'}"]
        return [*super()._command(), *files]

    def answers(self) -> bool:
        trusting = ssl.create_default_context(cafile=str(self._tls / "root.pem"))
        try:
            with urlopen(f"https://localhost:{self._ports['s3']}/", timeout=2, context=trusting):
                return True
        except URLError as error:
            return getattr(error, "code", None) is not None


@dataclass(frozen=True)
class Links:
    """How the three are reached, each by a URL without what it takes to trust them."""

    root: Path
    database: str
    bus: str
    objects: str


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Links]:
    base = tmp_path_factory.mktemp("links")
    tls = certify_alone(base, base)[1].parent
    with ExitStack() as stack:
        postgres = stack.enter_context(EncryptedPostgres(tls))
        redis = stack.enter_context(EncryptedRedis(base, tls))
        weed = stack.enter_context(EncryptedSeaweedFS(base, tls))
        database, bus, objects = [server.url.replace("127.0.0.1", "localhost") for server in (postgres, redis, weed)]
        yield Links(
            tls / "root.pem", database, bus.replace("redis:", "rediss:"), objects.replace("secure=0", "secure=1")
        )


@pytest.mark.norm("D-8.1.2.2")
async def test_the_database(links: Links, tmp_path: Path) -> None:
    """It is built, asked and copied over TLS by who knows its root; without TLS, or with another root, not at all."""
    url = f"{links.database}?sslmode=verify-full&sslrootcert={links.root}"
    await upgrade(url, MasterKeys(SecretStore(tmp_path / "secrets")))
    async with open_database(url):
        (link,) = await select("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert (link["ssl"], link["version"]) == (True, "TLSv1.3")
    async with copied(url, tmp_path / "copy") as ask:
        assert await ask("SELECT count(*) FROM organ") == [(0,)]
    assert (tmp_path / "copy").stat().st_size > 0
    foreign = f"?sslmode=verify-full&sslrootcert={foreign_root(tmp_path)}"
    for wrong, refusal in (("?sslmode=disable", asyncpg.PostgresError), (foreign, Unavailable)):
        with pytest.raises(refusal):
            async with open_database(links.database + wrong):
                pass


@pytest.mark.norm("D-8.1.2.2")
async def test_the_bus(links: Links, tmp_path: Path) -> None:
    """Wake-ups go over TLS; with another root nobody is woken."""
    assert await woken(f"{links.bus}?ssl_ca_certs={links.root}", seconds=30)
    assert not await woken(f"{links.bus}?ssl_ca_certs={foreign_root(tmp_path)}", seconds=2)


@pytest.mark.norm("D-8.1.2.2")
async def test_the_store(links: Links, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects go over TLS to a server that the machine trusts, and to no other."""
    monkeypatch.setenv("SSL_CERT_FILE", str(foreign_root(tmp_path)))
    with pytest.raises(Unavailable):
        await open_store(links.objects).prepare()
    monkeypatch.setenv("SSL_CERT_FILE", str(links.root))
    store = open_store(links.objects)
    await store.prepare()
    await store.put("a/b", b"content")
    assert await store.get("a/b") == b"content"


def foreign_root(folder: Path) -> Path:
    """The root of another installation."""
    return certify_alone(folder / "other", folder / "other")[1]


async def woken(url: str, *, seconds: float) -> bool:
    """Whether who listens at this bus hears, within so many seconds, that there is something."""
    heard = asyncio.Event()
    async with open_bus(url, "") as bus:
        listening = asyncio.create_task(bus.run(heard.set))
        try:
            async with asyncio.timeout(seconds):
                while not heard.is_set():
                    bus.notify()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            return False
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    return True
