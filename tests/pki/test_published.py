"""What the authority publishes, in the eyes of OpenSSL: the state of a certificate, its list, and the time."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from oa_server.app import open_house
from oa_server.core.actor import SYSTEM
from oa_server.pki.models import Certificate, TrustAnchor
from tests import servers
from tests.conftest import Founded
from tests.faults.house import at_free_port
from tests.pki.office import Office


@pytest.fixture
def published(founded: Founded, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server process over a city in which 王建国's signing certificate is revoked and 李红's suspended, and a folder
    with everything that an outsider has of it."""
    settings = at_free_port(founded.copy(tmp_path / "var"))
    asyncio.run(_prepare(settings, tmp_path))
    with servers.OaServer(settings) as server:
        yield server.url, tmp_path


async def _prepare(settings, folder: Path) -> None:
    async with open_house(settings) as house:
        for person in ("wang", "li", "zhao"):
            row = await Certificate.get(official__code=person, profile="signing")
            (folder / f"{person}.pem").write_text(_pem(row.der))
            if person == "wang":
                await house.register.revoke(SYSTEM, row.serial, "keyCompromise")
            if person == "li":
                await house.register.suspend(SYSTEM, row.serial)
        for anchor in await TrustAnchor.all():
            (folder / ("root.pem" if anchor.is_root else "issuing.pem")).write_text(_pem(anchor.der))


def _pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(bytes(der)).public_bytes(Encoding.PEM).decode()


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def ask(url: str, folder: Path, person: str) -> str:
    return openssl(
        folder, "ocsp", "-issuer", "issuing.pem", "-cert", f"{person}.pem", "-url", f"{url}/api/pki/ocsp",
        "-CAfile", "root.pem", "-verify_other", "issuing.pem", "-header", f"Host={url.removeprefix('http://')}",
    )  # fmt: skip


def test_openssl_asks_for_the_state(published: tuple[str, Path]) -> None:
    """`openssl ocsp -url` believes the answers: good, revoked with its reason, on hold."""
    url, folder = published
    good, revoked, held = (ask(url, folder, person) for person in ("zhao", "wang", "li"))
    for answer in (good, revoked, held):
        assert "Response verify OK" in answer
    assert "zhao.pem: good" in good
    assert "wang.pem: revoked" in revoked
    assert "keyCompromise" in revoked
    assert "certificateHold" in held


def test_asking_by_address(published: tuple[str, Path]) -> None:
    """A question in the address (RFC 6960, A.1) is answered too; what is no question gets the answer that says so."""
    url, folder = published
    openssl(folder, "ocsp", "-issuer", "issuing.pem", "-cert", "wang.pem", "-no_nonce", "-reqout", "ask.der")
    text = quote(base64.b64encode((folder / "ask.der").read_bytes()).decode(), safe="")
    answer = httpx.get(f"{url}/api/pki/ocsp/{text}")
    assert answer.headers["content-type"] == "application/ocsp-response"
    assert x509.ocsp.load_der_ocsp_response(answer.content).certificate_status.name == "REVOKED"
    for nonsense in ("AAAA", "%25%25", "x", "%E4%B8%AD", "a/b"):
        bad = httpx.get(f"{url}/api/pki/ocsp/{nonsense}")
        assert x509.ocsp.load_der_ocsp_response(bad.content).response_status.name == "MALFORMED_REQUEST"


def test_openssl_reads_the_list(published: tuple[str, Path]) -> None:
    """`openssl crl` believes the list, whose address stands in the certificate, and `openssl verify` refuses by it."""
    url, folder = published
    certificate = x509.load_pem_x509_certificate((folder / "wang.pem").read_bytes())
    issuing = x509.load_pem_x509_certificate((folder / "issuing.pem").read_bytes())
    fingerprint = sha256(issuing.public_bytes(Encoding.DER)).hexdigest()
    point = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value
    assert point.endswith(f"/api/pki/crl/{fingerprint}")
    (folder / "list.der").write_bytes(httpx.get(f"{url}/api/pki/crl/{fingerprint}").content)
    (folder / "chain.pem").write_text((folder / "root.pem").read_text() + (folder / "issuing.pem").read_text())
    assert "verify OK" in openssl(
        folder, "crl", "-inform", "DER", "-in", "list.der", "-CAfile", "chain.pem", "-noout", "-text"
    )
    openssl(folder, "crl", "-inform", "DER", "-in", "list.der", "-out", "list.pem")
    told = subprocess.run(
        ["openssl", "verify", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-crl_check", "-CRLfile", "list.pem", "wang.pem"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "certificate revoked" in told.stderr


def test_openssl_takes_the_time(published: tuple[str, Path]) -> None:
    """`openssl ts` makes a query and believes the reply; a query that is none is answered with its failure."""
    url, folder = published
    (folder / "data").write_bytes("公文".encode())
    openssl(folder, "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query.tsq")
    reply = httpx.post(
        f"{url}/api/pki/timestamp",
        content=(folder / "query.tsq").read_bytes(),
        headers={"Content-Type": "application/timestamp-query"},
    )
    assert reply.headers["content-type"] == "application/timestamp-reply"
    (folder / "reply.tsr").write_bytes(reply.content)
    assert "Verification: OK" in openssl(
        folder, "ts", "-verify", "-data", "data", "-in", "reply.tsr", "-CAfile", "root.pem", "-untrusted", "issuing.pem"
    )
    bad = httpx.post(f"{url}/api/pki/timestamp", content=b"?", headers={"Content-Type": "application/timestamp-query"})
    (folder / "bad.tsr").write_bytes(bad.content)
    assert "Status: Rejected." in openssl(folder, "ts", "-reply", "-in", "bad.tsr", "-text")


async def test_an_answer_is_true_at_once(office: Office) -> None:
    """Asked again without a nonce an answer may be some minutes old, but never older than what became of the certificate."""
    shown = (await office.security.get("/api/pki/certificates?q=王建国")).json()["items"][0]
    found = await office.certificate(shown["serial"])
    leaf, issuer = [
        x509.load_der_x509_certificate(base64.b64decode(text))
        for text in (found["certificate"], found["chain_certificates"][0])
    ]
    question = x509.ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256()).build()

    async def told() -> tuple[bytes, str]:
        body, headers = question.public_bytes(Encoding.DER), {"Content-Type": "application/ocsp-request"}
        answer = await office.security.send("POST", "/api/pki/ocsp", content=body, headers=headers)
        return answer.content, x509.ocsp.load_der_ocsp_response(answer.content).certificate_status.name

    first, again = await told(), await told()
    assert (first[1], again) == ("GOOD", first)
    for verb, state in (("suspend", "REVOKED"), ("resume", "GOOD")):
        await office.act(shown["serial"], verb)
        assert (await told())[1] == state
