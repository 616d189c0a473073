"""Opinions and receipts: detached signatures that others can check too."""

from __future__ import annotations

import subprocess
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import serialization

from crypto import der
from crypto.cms import (
    SIZE_LIMIT,
    check_signed_attributes,
    finish_cms,
    open_cms,
    prepare_cms,
    sign_cms,
    signed_data,
    verify_cms,
)
from crypto.errors import ContentRefused, SignatureRefused
from crypto.keys import SoftKey
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


@pytest.mark.parametrize("apart", [5, pytest.param(1, marks=pytest.mark.campaign)])
def test_every_byte_counts(pki: Pki, apart: int) -> None:
    """No single flipped bit of a timestamped signature leaves it good, wherever in its container the bit is. Day by day other
    bytes have their turn, or all of them have."""
    key, stamps = pki.key(Profile.SIGNING), TimestampAuthority(pki.key(Profile.TIMESTAMP))
    prepared = prepare_cms(CONTENT, key.certificate)
    raw = key.sign(prepared.signed_attributes)
    stamp = stamps.stamp(sha256(raw).digest(), at=NOW, serial=1)
    signature = finish_cms(prepared, raw, chain=key.chain, timestamp=stamp)
    crls = pki.crls()
    assert verify_cms(signature, CONTENT, **pki.trust, crls=crls, at=NOW).ok
    for position in range(date.today().toordinal() % apart, len(signature), apart):  # noqa: DTZ011
        forged = bytearray(signature)
        forged[position] ^= 1 << position % 8
        assert not verify_cms(bytes(forged), CONTENT, **pki.trust, crls=crls, at=NOW).ok, position


def container(key: SoftKey, *attributes: bytes, content_type: str = "data") -> bytes:
    """A container over these attributes, signed for real."""
    signed = der.set_of(*attributes)
    return signed_data(content_type, None, key.certificate, (), signed, key.sign(signed))


def test_attributes_that_say_two_things(pki: Pki) -> None:
    """A repeated attribute could show two readers two things: such a container is not read."""
    key = pki.key(Profile.SIGNING)
    own = [item.dump() for item in cms.CMSAttributes.load(prepare_cms(CONTENT, key.certificate).signed_attributes)]
    assert open_cms(container(key, *own)).signer == key.certificate
    with pytest.raises(ContentRefused, match=r"cms\.unreadable"):
        open_cms(container(key, *own, own[0]))


def test_what_the_attributes_must_say(pki: Pki) -> None:
    """Signed for another type of content, or for no certificate by name, a signature is whole and yet not good."""
    key = pki.key(Profile.SIGNING)
    own = {
        a["type"].native: a.dump()
        for a in cms.CMSAttributes.load(prepare_cms(CONTENT, key.certificate).signed_attributes)
    }
    stamped = container(key, *own.values(), content_type="tst_info")
    nameless = container(key, *(value for kind, value in own.items() if kind != "signing_certificate_v2"))
    for forged, code in ((stamped, "signature.content_type"), (nameless, "signature.certificate_swapped")):
        report = verify_cms(forged, CONTENT, **pki.trust, crls=pki.crls(), at=NOW)
        assert codes(report) == [code]


def test_a_stray_certificate(pki: Pki, foreign: Pki) -> None:
    """A certificate that the chain does not need could be anybody's, for no signature covers it."""
    key = pki.key(Profile.SIGNING)
    prepared = prepare_cms(CONTENT, key.certificate)
    signature = finish_cms(prepared, key.sign(prepared.signed_attributes), chain=(*key.chain, foreign.root.certificate))
    assert codes(verify_cms(signature, CONTENT, **pki.trust, crls=pki.crls(), at=NOW)) == [
        "signature.stray_certificate"
    ]


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
    "garbage",
    [
        b"",
        b"0",
        b"\x30\x80" * 40,
        b"\x00" * 100,
        b"{}",
        b"\x30\x82\xff\xff" + b"a" * 50,
        cms.ContentInfo({"content_type": "data", "content": b"{}"}).dump(),
    ],
)
def test_garbage(pki: Pki, garbage: bytes) -> None:
    """Bytes that are no CMS give a report, not an exception."""
    assert codes(verify_cms(garbage, CONTENT, **pki.trust, crls=pki.crls(), at=NOW)) == ["cms.unreadable"]


def test_too_large(pki: Pki) -> None:
    """What is larger than any honest signature is not even looked at."""
    report = verify_cms(bytes(SIZE_LIMIT + 1), CONTENT, **pki.trust, crls=pki.crls(), at=NOW)
    assert codes(report) == ["cms.too_large"]


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
    honest = prepare_cms(CONTENT, key.certificate, signing_time=NOW).signed_attributes
    check_signed_attributes(honest, key.certificate, content=CONTENT)
    check_signed_attributes(honest, key.certificate, digest=sha256(CONTENT).digest())
    for wrong in (b"0" * 32, sha256(CONTENT).digest(), honest[:-1], honest + b"\0", b"oa-auth-v1\0" + b"x" * 64):
        with pytest.raises(SignatureRefused):
            check_signed_attributes(wrong, key.certificate, content=CONTENT)
    with pytest.raises(SignatureRefused, match="other_content"):
        check_signed_attributes(honest, key.certificate, content=b"{}")
    with pytest.raises(SignatureRefused, match="other_content"):
        check_signed_attributes(honest, key.certificate)
    with pytest.raises(SignatureRefused, match="other_certificate"):
        check_signed_attributes(honest, other.certificate, content=CONTENT)
    bare = cms.CMSAttributes.load(honest)
    fewer = cms.CMSAttributes([a for a in bare if a["type"].native != "signing_certificate_v2"]).dump()
    with pytest.raises(SignatureRefused, match="foreign"):
        check_signed_attributes(fewer, key.certificate, content=CONTENT)
    unsorted = cms.CMSAttributes.load(honest)
    reordered = der.element(der.SET, *reversed([item.dump() for item in unsorted]))
    with pytest.raises(SignatureRefused, match="not_der"):
        check_signed_attributes(reordered, key.certificate, content=CONTENT)
    with pytest.raises(SignatureRefused, match="unreadable"):
        check_signed_attributes(b"\x30\x00", key.certificate, content=CONTENT)
