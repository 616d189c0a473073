"""Timestamps that openssl believes too."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from asn1crypto import core, tsp
from cryptography.hazmat.primitives import serialization

from crypto.profiles import Profile
from crypto.timestamp import TimestampAuthority, make_request, verify_timestamp
from tests.crypto.conftest import DAY, NOW, Pki

DATA = b"pages"


@pytest.fixture(scope="module")
def tsa(pki: Pki) -> TimestampAuthority:
    return TimestampAuthority(pki.key(Profile.TIMESTAMP, common="时间戳服务"))


def test_stamp(pki: Pki, tsa: TimestampAuthority) -> None:
    """A token tells its moment and is good for its data."""
    token = tsa.stamp(sha256(DATA).digest(), at=NOW, serial=7)
    report = verify_timestamp(token, DATA, **pki.trust, crls=pki.crls(), at=NOW)
    assert report.ok
    assert report.at == NOW


def test_other_data_future_and_wrong_key(pki: Pki, tsa: TimestampAuthority) -> None:
    """Tokens over other data, from the future, or by a key of another profile are refused by name."""
    token = tsa.stamp(sha256(DATA).digest(), at=NOW, serial=7)
    codes = [f.code for f in verify_timestamp(token, b"x", **pki.trust, crls=pki.crls(), at=NOW).findings]
    assert codes == ["timestamp.other_data"]
    early = verify_timestamp(token, DATA, **pki.trust, crls=pki.crls(), at=NOW - DAY)
    assert "timestamp.future" in [f.code for f in early.findings]
    false = TimestampAuthority(pki.key(Profile.SIGNING)).stamp(sha256(DATA).digest(), at=NOW, serial=1)
    wrong = verify_timestamp(false, DATA, **pki.trust, crls=pki.crls(), at=NOW)
    assert "chain.wrong_profile" in [f.code for f in wrong.findings]
    assert not verify_timestamp(b"junk", DATA, **pki.trust, crls=pki.crls(), at=NOW).ok


def test_openssl_agrees(pki: Pki, tsa: TimestampAuthority, tmp_path: Path) -> None:
    """`openssl ts` makes a request that we answer and verifies the answer."""
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "root.pem").write_bytes(pki.root.certificate.public_bytes(serialization.Encoding.PEM))

    def run(*arguments: str) -> str:
        done = subprocess.run(["openssl", "ts", *arguments], cwd=tmp_path, capture_output=True, check=True)
        return (done.stdout + done.stderr).decode()

    run("-query", "-data", "data", "-sha256", "-cert", "-out", "query")
    answer = tsa.answer((tmp_path / "query").read_bytes(), at=NOW, serial=42)
    (tmp_path / "answer").write_bytes(answer)
    verified = run(
        "-verify", "-in", "answer", "-queryfile", "query", "-CAfile", "root.pem", "-attime", str(int(NOW.timestamp()))
    )
    assert "Verification: OK" in verified


@pytest.mark.parametrize("request_bytes", [b"", b"junk", b"x" * 5000, make_request(b"short")])
def test_bad_request(tsa: TimestampAuthority, request_bytes: bytes) -> None:
    """A request that cannot be honoured is answered with a rejection."""
    answer = core.Sequence.load(tsa.answer(request_bytes, at=NOW, serial=1))
    status = tsp.PKIStatusInfo.load(answer[0].dump())
    assert status["status"].native == "rejection"
