"""Over TLS with the system's certificate, through Debian's nginx as it is shipped (RFC 8705)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from crypto.authority import Authority
from crypto.keys import open_key_file
from oa_sdk import NotSignedIn, PemKey, System, tls_with
from oa_server.storage.secrets import SecretStore
from tests.conftest import Founded
from tests.deployment.gate import client_of, key_files
from tests.deployment.site import Nginx, OaProcess, Ports, certify_site
from tests.identity.system import System as Registered
from tests.identity.system import let_in, unit_of
from tests.sdk.conftest import FRONTS, FarCity, city_at


@dataclass(frozen=True)
class Behind:
    """A server behind nginx, and a system whose certificate the installation made."""

    address: str
    token_address: str
    root: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def behind(founded_embedded: Founded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    base = tmp_path_factory.mktemp("tls")
    copied, ports = founded_embedded.copy(base / "var"), Ports.free()
    settings = msgspec.structs.replace(copied, origin=ports.origin)
    nginx = Nginx(base / "nginx", ports, base / "run")
    root = certify_site(settings, base / "nginx")
    city = city_at(settings, tls=ssl.create_default_context(cafile=str(root)))
    passphrase = SecretStore(settings.secrets_dir).get("authority-passphrase").hex()
    issuing = open_key_file((settings.data_dir / "authority" / "issuing.key").read_bytes(), passphrase)
    client = client_of(Authority(issuing.private_key, issuing.certificate, issuing.chain))
    registered = Registered(city, "caizheng", client.private_key)
    registered.certificate = client.certificate

    async def letting_in(city: FarCity) -> None:
        where = {"unit_id": await unit_of(city, "wang"), "official_id": city.people["wang"]}
        await let_in(registered, **where)

    with OaProcess(settings, base / "run" / "1" / "http.sock"), nginx:
        city.visit(letting_in)
        certificate, key = key_files(base, client)
        address = f"https://localhost:{ports.systems}"
        yield Behind(address, f"{ports.origin}/api/v1/token", root, certificate, key)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("with_key", [True, False])
def test_a_token_for_one_connection(behind: Behind, front: str, *, with_key: bool) -> None:
    """With its certificate shown a system signs in, by its key or without one, and its token is good with that certificate
    alone."""
    key = PemKey.read(behind.key) if with_key else None
    system = System("caizheng", key, token_address=behind.token_address)
    tls = tls_with(behind.certificate, behind.key, authorities=behind.root)
    desk = FRONTS[front](behind.address, system, tls=tls)
    assert len(desk.do(desk.office.directory.organs())) == 3
    stolen = FRONTS[front](behind.address, System("caizheng"), tls=ssl.create_default_context(cafile=str(behind.root)))
    kept = desk.office.documents._session._desk
    taken = stolen.office.documents._session._desk
    taken._token, taken._good_until = kept._token, kept._good_until
    with pytest.raises(NotSignedIn):
        stolen.do(stolen.office.directory.organs())
    for each in (desk, stolen):
        each.close()
