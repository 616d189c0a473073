"""Certificates and answers about them beside cfssl with a database, and what checking a token costs."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from crypto.authority import name
from crypto.keys import make_csr
from crypto.profiles import Profile
from oa_server.core.actor import Actor, Role
from oa_server.pki import issuing
from oa_server.pki.actions import Subject
from oa_server.settings import Settings
from tests import servers
from tests.bench.report import at_desk, figure, load, serving, spread, timed
from tests.city import City

CERTIFICATES, LANES = 400, 8

# Its tables, as its own migrations make them (certdb, release 1.2).
_CERTDB = """
CREATE TABLE certificates (serial_number BLOB NOT NULL, authority_key_identifier BLOB NOT NULL, ca_label BLOB,
 status BLOB NOT NULL, reason INT, expiry TIMESTAMP, revoked_at TIMESTAMP, pem BLOB NOT NULL,
 PRIMARY KEY (serial_number, authority_key_identifier));
CREATE TABLE ocsp_responses (serial_number BLOB NOT NULL, authority_key_identifier BLOB NOT NULL, body BLOB NOT NULL,
 expiry TIMESTAMP, PRIMARY KEY (serial_number, authority_key_identifier),
 FOREIGN KEY (serial_number, authority_key_identifier) REFERENCES certificates (serial_number, authority_key_identifier));
"""
_AUTHORITY = {"CN": "bench", "key": {"algo": "ecdsa", "size": 256}}
_PROFILE = {"signing": {"default": {"expiry": "8760h", "usages": ["digital signature"]}}}


async def issued(city: City, column: str) -> None:
    """Certificates from requests: approved, linted, signed, stored and audited, eight at a time; cfssl signs and stores."""
    system = Actor("何平", official_id=UUID(city.people["sys"]), roles=frozenset({Role.SYSTEM_ADMIN}))
    security = Actor("吕安", official_id=UUID(city.people["sec"]), roles=frozenset({Role.SECURITY_ADMIN}))
    register, subject = city.app.state.register, Subject(official_id=UUID(city.people["wang"]))
    csrs = [make_csr(ec.generate_private_key(ec.SECP256R1()), name(common="王建国")) for _ in range(CERTIFICATES)]
    rows = [await issuing.request(system, Profile.SIGNING, csr, subject) for csr in csrs]
    lanes = [rows[lane::LANES] for lane in range(LANES)]

    async def approve(lane: list[issuing.CertificateRequest]) -> None:
        for row in lane:
            await issuing.approve(security, row.id, register)

    start = time.perf_counter()
    await asyncio.gather(*map(approve, lanes))
    ours = CERTIFICATES / (time.perf_counter() - start)
    with _cfssl() as peer:
        pem = x509.load_der_x509_csr(csrs[0]).public_bytes(Encoding.PEM).decode()
        theirs = load(peer.sign_url, {}, json.dumps({"certificate_request": pem}).encode())
    figure(
        "certificates", column, per_second=ours, cfssl_per_second=theirs.per_second, cfssl_errors=theirs.errors,
        ratio=ours / theirs.per_second, aim_ratio=1.0,
    )  # fmt: skip


async def ocsp_answers(settings: Settings, city: City, column: str) -> None:
    """OCSP answers over HTTP: ours are signed when they are asked for, those of cfssl were signed before."""
    with serving(settings):
        browser = await at_desk(settings, city, "sec")
        row = (await browser.get("/api/pki/certificates?limit=1")).json()["items"][0]
        shown = (await browser.get(f"/api/pki/certificates/{row['serial']}")).json()
        leaf, issuer = [
            x509.load_der_x509_certificate(base64.b64decode(text))
            for text in (shown["certificate"], shown["chain_certificates"][0])
        ]
        ours = load(f"{settings.origin}/api/pki/ocsp", OCSP, _question(leaf, issuer))
    with _cfssl() as peer:
        theirs = load(peer.ocsp_url, OCSP, _question(*peer.pair()))
    figure(
        "ocsp", column, per_second=ours.per_second, p50_ms=ours.p50_ms, errors=ours.errors,
        cfssl_per_second=theirs.per_second, cfssl_p50_ms=theirs.p50_ms, cfssl_errors=theirs.errors,
        ratio=ours.per_second / theirs.per_second, aim_ratio=1.0,
    )  # fmt: skip


OCSP = {"Content-Type": "application/ocsp-request"}


def _question(leaf: x509.Certificate, issuer: x509.Certificate) -> bytes:
    return ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build().public_bytes(Encoding.DER)


async def token_check(city: City, column: str) -> None:
    """What the guard does for every request: the token's signature, and the session with its official as they are now."""
    browser = await city.signed_in("wang")
    token = next(value for name, value in browser.http.cookies.items() if "session" in name)
    found = await timed(2000, lambda: city.app.state.sign_in.find(token, "127.0.0.1"))
    figure("token_check", column, aim_ms=0.5, **spread(found))


class _Peer:
    """cfssl with an authority and a SQLite database of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._write("db.json", {"driver": "sqlite3", "data_source": str(folder / "certs.db")})
        self._write("ca.json", _AUTHORITY)
        self._write("config.json", _PROFILE)
        with sqlite3.connect(folder / "certs.db") as database:
            database.executescript(_CERTDB)
        made = json.loads(self._run("genkey", "-initca", "ca.json"))
        (folder / "ca.pem").write_text(made["cert"])
        (folder / "ca-key.pem").write_text(made["key"])
        authority = ["-ca", "ca.pem", "-ca-key", "ca-key.pem", "-config", "config.json", "-db-config", "db.json"]
        csr = make_csr(ec.generate_private_key(ec.SECP256R1()), name(common="peer"))
        (folder / "leaf.csr").write_bytes(x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM))
        self._leaf = json.loads(self._run("sign", *authority, "leaf.csr"))["cert"]
        responder = ["-ca", "ca.pem", "-responder", "ca.pem", "-responder-key", "ca-key.pem", "-db-config", "db.json"]
        self._run("ocsprefresh", *responder)
        # Its server of answers reads no database: they are signed from there beforehand, and served from a file.
        (folder / "answers").write_text(self._run("ocspdump", "-db-config", "db.json"))
        self._started: list[subprocess.Popen[bytes]] = []
        self.sign_url = self._serve("serve", *authority) + "/api/v1/cfssl/sign"
        self.ocsp_url = self._serve("ocspserve", "-responses", "answers")

    def pair(self) -> tuple[x509.Certificate, x509.Certificate]:
        """The certificate that it has an answer about, and its issuer."""
        issuer = x509.load_pem_x509_certificate((self._folder / "ca.pem").read_bytes())
        return x509.load_pem_x509_certificate(self._leaf.encode()), issuer

    def stop(self) -> None:
        for process in self._started:
            servers._stop(process)

    def _write(self, file: str, content: object) -> None:
        (self._folder / file).write_text(json.dumps(content))

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(["cfssl", *arguments], cwd=self._folder, check=True, capture_output=True, text=True)
        return done.stdout

    def _serve(self, *command: str) -> str:
        """Start a server of its own. One after the other: each takes a port where nobody listens yet."""
        port, quiet = servers.free_port(), subprocess.DEVNULL
        whole = ["cfssl", *command, "-address", "127.0.0.1", "-port", str(port)]
        self._started.append(subprocess.Popen(whole, cwd=self._folder, stdout=quiet, stderr=quiet))
        url = f"http://127.0.0.1:{port}"
        servers._wait("cfssl", lambda: servers._answers(url))
        return url


@contextmanager
def _cfssl() -> Iterator[_Peer]:
    with tempfile.TemporaryDirectory() as folder:
        peer = _Peer(Path(folder))
        try:
            yield peer
        finally:
            peer.stop()
