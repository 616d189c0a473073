"""A document that went the whole way, judged by programs that are not ours: qpdf, pdfsig with NSS, and openssl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from oa_server.pki import access as pki
from oa_server.signing.models import Signature
from tests.journey import Begin


@dataclass(frozen=True)
class Desk:
    """A folder on the desk of somebody who has nothing but the file and the published certificates and lists."""

    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, cwd=self.folder, capture_output=True, check=False)

    def says(self, *command: str) -> str:
        """What a command says, on both its channels."""
        done = self.run(*command)
        return (done.stdout + done.stderr).decode(errors="replace")

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture
async def desk(begin: Begin, tmp_path: Path) -> AsyncIterator[Desk]:
    """The sealed file as the receiving organ reads it, the receipt, and what the authority publishes."""
    async with begin("received") as story:
        found = Desk(tmp_path)
        pages = await (await story.desk("zhou")).get(f"{await story.arrived()}/pages.pdf")
        found.write("sealed.pdf", pages.content)
        receipt = await Signature.get(purpose="sign_for")
        found.write("receipt.json", bytes(receipt.content))
        found.write("receipt.p7s", bytes(receipt.cms))
        trust = await pki.trust()
        roots = b"".join(c.public_bytes(Encoding.PEM) for c in trust.roots)
        found.write("roots.pem", roots)
        found.write("intermediates.pem", b"".join(c.public_bytes(Encoding.PEM) for c in trust.intermediates))
        found.write("store.pem", roots + b"".join(crl.public_bytes(Encoding.PEM) for crl in trust.crls))
        yield found


def attachment(desk: Desk, name: str) -> bytes:
    """A file that travels inside the PDF, as qpdf takes it out."""
    done = desk.run("qpdf", f"--show-attachment={name}", "sealed.pdf")
    assert done.returncode == 0, done.stderr
    return done.stdout


def verify_cms(desk: Desk, signature: str, content: str) -> str:
    """What `openssl cms` says of a signature: chain, revocation lists and signing certificate included."""
    command = ["openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-purpose", "any", "-crl_check_all"]
    return desk.says(*command, "-CAfile", "store.pem", "-in", signature, "-content", content, "-out", "/dev/null")


def timestamp_of(container: bytes) -> tuple[bytes, bytes]:
    """The signature value of a container, and the timestamp token over it (ETSI EN 319 122-1, 5.3)."""
    (signer,) = cms.ContentInfo.load(container)["content"]["signer_infos"]
    (token,) = [
        a["values"][0].dump() for a in signer["unsigned_attrs"] if a["type"].native == "signature_time_stamp_token"
    ]
    return signer["signature"].native, token


async def test_qpdf(desk: Desk) -> None:
    """qpdf finds nothing wrong with the file, and lists the opinions and elements in it."""
    assert "No syntax or stream encoding errors found" in desk.says("qpdf", "--check", "sealed.pdf")
    listed = desk.says("qpdf", "--list-attachments", "sealed.pdf")
    names = {line.partition(" ")[0] for line in listed.splitlines()}
    assert names == {"document.json"} | {f"opinion-{n}.{kind}" for n in (1, 2, 3) for kind in ("json", "p7s")}
    elements = json.loads(attachment(desk, "document.json"))
    opinion = json.loads(attachment(desk, "opinion-3.json"))
    assert {name: elements[name] for name in opinion["elements"]} == opinion["elements"]
    assert [item["name"] for item in elements["attachments"]] == ["分工表.txt"]


async def test_pdfsig(desk: Desk) -> None:
    """pdfsig, on NSS, finds the seal valid and the whole file under it, and the same file with one other byte invalid.

    Of the certificate it could only say that a seal is not made for e-mail, which is the one use it asks for.
    """
    (desk.folder / "nss").mkdir()
    for command in (
        ["certutil", "-N", "-d", "sql:nss", "--empty-password"],
        ["certutil", "-A", "-d", "sql:nss", "-n", "root", "-t", "CT,C,C", "-i", "roots.pem"],
    ):
        done = desk.run(*command)
        assert done.returncode == 0, done.stderr
    said = desk.says("pdfsig", "-nocert", "-nssdir", "sql:nss", "sealed.pdf")
    for words in (
        "Signer Certificate Common Name: 江城市人民政府办公室",
        "Signature Type: ETSI.CAdES.detached",
        "Total document signed",
        "Signature Validation: Signature is Valid.",
    ):
        assert words in said, said
    forged = bytearray(desk.read("sealed.pdf"))
    forged[len(forged) // 3] ^= 1
    desk.write("sealed.pdf", bytes(forged))
    assert "Signature is Valid" not in desk.says("pdfsig", "-nocert", "-nssdir", "sql:nss", "sealed.pdf")


@pytest.mark.norm("M-8.4h")
async def test_openssl_on_opinions_and_receipt(desk: Desk) -> None:
    """openssl verifies every opinion in the file and the receipt, with their chains against the revocation lists; over
    other content it does not."""
    for number in (1, 2, 3):
        for kind in ("json", "p7s"):
            desk.write(f"opinion-{number}.{kind}", attachment(desk, f"opinion-{number}.{kind}"))
    for name in ("opinion-1", "opinion-2", "opinion-3", "receipt"):
        assert "CAdES Verification successful" in verify_cms(desk, f"{name}.p7s", f"{name}.json")
    assert "CAdES Verification successful" not in verify_cms(desk, "opinion-1.p7s", "opinion-2.json")
    said = json.loads(desk.read("opinion-3.json"))
    assert (said["decision"], said["actor"]["name"]) == ("issue", "陈志远")


@pytest.mark.norm("M-8.4h")
async def test_openssl_on_timestamps(desk: Desk) -> None:
    """openssl verifies the timestamps of the opinions over their signature values, and over nothing else."""
    desk.write("opinion.p7s", attachment(desk, "opinion-3.p7s"))
    for name in ("opinion.p7s", "receipt.p7s"):
        value, token = timestamp_of(desk.read(name))
        desk.write("value", value)
        desk.write("other", value + b"x")
        desk.write("token", token)
        command = ["openssl", "ts", "-verify", "-in", "token", "-token_in", "-CAfile", "roots.pem"]
        command += ["-untrusted", "intermediates.pem", "-data"]
        assert "Verification: OK" in desk.says(*command, "value")
        assert "Verification: OK" not in desk.says(*command, "other")


async def test_openssl_on_certificates(desk: Desk) -> None:
    """openssl builds the chain of every signer to the root and finds none of them on the revocation lists."""
    found = cms.ContentInfo.load(attachment(desk, "opinion-1.p7s"))["content"]
    signers = [item.chosen.dump() for item in found["certificates"]]
    leaves = [c for c in map(x509.load_der_x509_certificate, signers) if "李红" in c.subject.rfc4514_string()]
    assert leaves
    desk.write("signer.pem", leaves[0].public_bytes(Encoding.PEM))
    command = ["openssl", "verify", "-crl_check_all", "-x509_strict", "-untrusted", "intermediates.pem"]
    assert desk.says(*command, "-CAfile", "store.pem", "signer.pem").strip() == "signer.pem: OK"
    without_lists = desk.run(*command, "-CAfile", "roots.pem", "signer.pem")
    assert without_lists.returncode != 0
