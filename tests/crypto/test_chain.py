"""Certificates are judged with reasons."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crypto.chain import ChainReport, verify_chain
from crypto.keys import SoftKey
from crypto.profiles import Profile
from crypto.revocation import Revocation
from tests.crypto.conftest import DAY, NOW, Pki


def judge(pki: Pki, key: SoftKey, usage: Profile, *revoked: Revocation, at=NOW, crls=None) -> ChainReport:
    lists = pki.crls(*revoked) if crls is None else crls
    return verify_chain(key.certificate, **pki.trust, crls=lists, at=at, usage=usage)


def codes(report: ChainReport) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize(
    "usage", [Profile.SIGN_IN, Profile.SIGNING, Profile.SEAL, Profile.SERVER, Profile.TIMESTAMP, Profile.OCSP]
)
def test_good(pki: Pki, usage: Profile) -> None:
    """A certificate is good for its own profile and its path reaches the root."""
    report = judge(pki, pki.key(usage), usage)
    assert report.ok
    assert report.path[-1] == pki.root.certificate


@pytest.mark.parametrize(
    ("has", "asked"),
    [
        (Profile.SIGNING, Profile.SIGN_IN),
        (Profile.SIGN_IN, Profile.SIGNING),
        (Profile.SIGNING, Profile.SEAL),
        (Profile.SERVER, Profile.SIGN_IN),
    ],
)
def test_wrong_profile(pki: Pki, has: Profile, asked: Profile) -> None:
    """A certificate of another profile is refused, whatever else is good about it."""
    assert codes(judge(pki, pki.key(has), asked)) == ["chain.wrong_profile"]


def test_expired_and_early(pki: Pki) -> None:
    """A certificate outside its validity is told apart by which side it is on."""
    key = pki.key(Profile.SIGNING, life=40 * DAY)
    assert codes(judge(pki, key, Profile.SIGNING, at=NOW + 60 * DAY)) == ["chain.expired"]
    assert codes(judge(pki, key, Profile.SIGNING, at=NOW - 60 * DAY)) == ["chain.not_yet_valid"]


def test_revoked_from_its_moment_on(pki: Pki) -> None:
    """A revoked certificate was good before the moment of its revocation and is bad after it, with the reason told."""
    key = pki.key(Profile.SIGNING)
    entry = Revocation(key.certificate.serial_number, NOW - timedelta(hours=1), "key_compromise".replace("_c", "C"))
    report = judge(pki, key, Profile.SIGNING, entry)
    assert codes(report) == ["chain.revoked"]
    assert report.findings[0].facts["reason"] == "keyCompromise"
    assert judge(pki, key, Profile.SIGNING, entry, at=NOW - timedelta(hours=2)).ok


def test_foreign_and_forged(pki: Pki, foreign: Pki) -> None:
    """An unknown issuer and a forged issuer are two different reasons."""
    stranger = foreign.key(Profile.SIGNING)
    assert codes(judge(pki, stranger, Profile.SIGNING)) == ["chain.unknown_issuer"]
    good = pki.key(Profile.SIGNING).certificate.public_bytes(serialization.Encoding.DER)
    forged = x509.load_der_x509_certificate(good[:-8] + bytes([good[-8] ^ 1]) + good[-7:])
    report = verify_chain(forged, **pki.trust, crls=pki.crls(), at=NOW, usage=Profile.SIGNING)
    assert codes(report) == ["chain.bad_signature"]


def test_lists_missing_and_stale(pki: Pki, foreign: Pki) -> None:
    """Without a complete and current list of the issuer nothing is good."""
    key = pki.key(Profile.SIGNING)
    assert set(codes(judge(pki, key, Profile.SIGNING, crls=[]))) == {"chain.crl_missing"}
    assert set(codes(judge(pki, key, Profile.SIGNING, crls=foreign.crls()))) == {"chain.crl_missing"}
    assert set(codes(judge(pki, key, Profile.SIGNING, at=NOW + 30 * DAY))) == {"chain.crl_stale"}


def test_no_trust(pki: Pki) -> None:
    """Without a trusted root an otherwise sound chain is untrusted."""
    key = pki.key(Profile.SIGNING)
    report = verify_chain(
        key.certificate,
        intermediates=[pki.issuing.certificate],
        roots=[],
        crls=pki.crls(),
        at=NOW,
        usage=Profile.SIGNING,
    )
    assert codes(report) == ["chain.untrusted"]


def test_rsa(pki: Pki) -> None:
    """RSA from 2048 bits is as good as an elliptic curve."""
    key = pki.key(Profile.SIGNING, private_key=rsa.generate_private_key(65537, 2048))
    assert judge(pki, key, Profile.SIGNING).ok
