"""Opinions and receipts: detached signatures that others can check too."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import serialization

from crypto.cms import check_signed_attributes, finish_cms, prepare_cms, sign_cms, verify_cms
from crypto.errors import SignatureRefused
from crypto.profiles import Profile
from crypto.revocation import Revocation
from crypto.timestamp import TimestampAuthority
from tests.crypto.conftest import DAY, NOW, Pki

CONTENT = '{"decision":"approve","text":"同意"}'.encode()


def codes(report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_sign_and_verify(pki: Pki) -> None:
    """A signature made in two halves verifies, and tells who signed when."""
    key = pki.key(Profile.SIGNING)
    prepared = prepare_cms(CONTENT, key.certificate, signing_time=NOW)
    signature = finish_cms(prepared, key.sign(prepared.signed_attributes), chain=key.chain)
    report = verify_cms(signature, CONTENT, **pki.trust, crls=pki.crls(), at=NOW)
    assert report.ok
    assert report.signer == key.certificate
    assert report.signed_at == NOW


def test_changed_content(pki: Pki) -> None:
    """One changed byte of the content is told."""
    signature = sign_cms(CONTENT, pki.key(Profile.SIGNING))
    report = verify_cms(signature, CONTENT + b" ", **pki.trust, crls=pki.crls(), at=NOW)
    assert codes(report) == ["signature.content_changed"]


def test_every_byte_counts(pki: Pki) -> None:
    """No single flipped byte of a signature leaves it both whole and over the same content by the same signer."""
    key = pki.key(Profile.SIGNING)
    signature = sign_cms(CONTENT, key)
    inside = cms.ContentInfo.load(signature)["content"]["signer_infos"][0]["signature"].contents
    start = signature.index(inside)
    for position in range(start, start + len(inside), 7):
        forged = bytearray(signature)
        forged[position] ^= 0x40
        assert not verify_cms(bytes(forged), CONTENT, **pki.trust, crls=pki.crls(), at=NOW).ok


def test_wrong_half(pki: Pki) -> None:
    """A raw signature of another key is refused before anything is stored."""
    prepared = prepare_cms(CONTENT, pki.key(Profile.SIGNING).certificate)
    with pytest.raises(SignatureRefused, match="signature.wrong"):
        finish_cms(prepared, pki.key(Profile.SIGNING).sign(prepared.signed_attributes))


def test_wrong_profile_and_foreign(pki: Pki, foreign: Pki) -> None:
    """A sign-in certificate cannot sign opinions, and a foreign one cannot either."""
    sign_in = sign_cms(CONTENT, pki.key(Profile.SIGN_IN))
    assert "chain.wrong_profile" in codes(verify_cms(sign_in, CONTENT, **pki.trust, crls=pki.crls(), at=NOW))
    stranger = sign_cms(CONTENT, foreign.key(Profile.SIGNING))
    foreign_codes = codes(verify_cms(stranger, CONTENT, roots=[pki.root.certificate], crls=pki.crls(), at=NOW))
    assert "chain.untrusted" in foreign_codes


def test_timestamp_outlives_expiry_and_revocation(pki: Pki) -> None:
    """With a timestamp the signature is judged at that moment: later expiry and revocation do not undo it."""
    key = pki.key(Profile.SIGNING, life=40 * DAY)
    authority = TimestampAuthority(pki.key(Profile.TIMESTAMP, common="时间戳", life=3000 * DAY))
    prepared = prepare_cms(CONTENT, key.certificate, signing_time=NOW)
    raw = key.sign(prepared.signed_attributes)
    stamp = authority.stamp(sha256(raw).digest(), at=NOW, serial=1)
    stamped = finish_cms(prepared, raw, chain=key.chain, timestamp=stamp)
    later = NOW + 60 * DAY
    crls = pki.crls(Revocation(key.certificate.serial_number, NOW + DAY), at=later)
    report = verify_cms(stamped, CONTENT, **pki.trust, crls=crls, at=later)
    assert report.ok, codes(report)
    assert report.timestamp_at == NOW
    bare = finish_cms(prepared, raw, chain=key.chain)
    assert codes(verify_cms(bare, CONTENT, **pki.trust, crls=crls, at=later))[0] == "chain.expired"
    revoked_before = pki.crls(Revocation(key.certificate.serial_number, NOW - timedelta(hours=1)), at=later)
    assert codes(verify_cms(stamped, CONTENT, **pki.trust, crls=revoked_before, at=later)) == ["chain.revoked"]


@pytest.mark.parametrize(
    "garbage", [b"", b"0", b"\x30\x80" * 40, b"\x00" * 100, b"{}", b"\x30\x82\xff\xff" + b"a" * 50]
)
def test_garbage(pki: Pki, garbage: bytes) -> None:
    """Bytes that are no CMS give a report, not an exception."""
    assert codes(verify_cms(garbage, CONTENT, **pki.trust, crls=pki.crls(), at=NOW)) == ["cms.unreadable"]


def test_openssl_agrees(pki: Pki, tmp_path: Path) -> None:
    """`openssl cms -verify -cades` accepts our signature and refuses it over other bytes."""
    key = pki.key(Profile.SIGNING)
    (tmp_path / "sig.der").write_bytes(sign_cms(CONTENT, key, signing_time=NOW))
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "other").write_bytes(CONTENT + b"x")
    (tmp_path / "root.pem").write_bytes(pki.root.certificate.public_bytes(serialization.Encoding.PEM))

    def verify(content: str) -> subprocess.CompletedProcess[bytes]:
        command = [
            "openssl",
            "cms",
            "-verify",
            "-cades",
            "-binary",
            "-inform",
            "DER",
            "-in",
            "sig.der",
            "-content",
            content,
        ]
        command += ["-CAfile", "root.pem", "-purpose", "any", "-attime", str(int(NOW.timestamp()))]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    assert b"CAdES Verification successful" in verify("content").stderr
    assert verify("other").returncode != 0


def test_agent_signs_only_what_it_shows(pki: Pki) -> None:
    """The key agent's check accepts our attributes over the shown content, and nothing else."""
    key, other = pki.key(Profile.SIGNING), pki.key(Profile.SIGNING)
    der = prepare_cms(CONTENT, key.certificate, signing_time=NOW).signed_attributes
    check_signed_attributes(der, key.certificate, content=CONTENT)
    check_signed_attributes(der, key.certificate, digest=sha256(CONTENT).digest())
    for wrong in (b"0" * 32, sha256(CONTENT).digest(), der[:-1], der + b"\0", b"oa-auth-v1\0" + b"x" * 64):
        with pytest.raises(SignatureRefused):
            check_signed_attributes(wrong, key.certificate, content=CONTENT)
    with pytest.raises(SignatureRefused, match="other_content"):
        check_signed_attributes(der, key.certificate, content=b"{}")
    with pytest.raises(SignatureRefused, match="other_content"):
        check_signed_attributes(der, key.certificate)
    with pytest.raises(SignatureRefused, match="other_certificate"):
        check_signed_attributes(der, other.certificate, content=CONTENT)
    bare = cms.CMSAttributes.load(der)
    fewer = cms.CMSAttributes([a for a in bare if a["type"].native != "signing_certificate_v2"]).dump()
    with pytest.raises(SignatureRefused, match="foreign"):
        check_signed_attributes(fewer, key.certificate, content=CONTENT)
