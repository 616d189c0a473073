"""Certificates are judged with reasons."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.authority import Authority, create_issuing, create_root, name
from crypto.chain import MAX_INTERMEDIATES, ChainReport, verify_chain
from crypto.profiles import PURPOSE, SPECS, Profile
from crypto.revocation import Revocation, build_crl
from tests.crypto.conftest import DAY, NOW, Cast, Openssl, Pki, make_pki, unchecked

UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0")


def judge(pki: Pki, leaf: x509.Certificate, usage: Profile = Profile.SIGNING, **changes: Any) -> ChainReport:
    question: dict[str, Any] = {**pki.trust, "crls": pki.crls(), "at": NOW, **changes}
    return verify_chain(leaf, usage=usage, **question)


def codes(report: ChainReport) -> list[str]:
    assert report.ok is not bool(report.findings)
    return [finding.code for finding in report.findings]


def bent(certificate: x509.Certificate) -> x509.Certificate:
    """The same certificate with one bit of its signature flipped."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    return x509.load_der_x509_certificate(der[:-8] + bytes([der[-8] ^ 1]) + der[-7:])


# --- what is good -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("usage", list(PURPOSE))
def test_good(pki: Pki, cast: Cast, usage: Profile) -> None:
    """A certificate is good for its own profile, and the report holds its path to the root."""
    leaf = cast.of(usage).certificate
    report = judge(pki, leaf, usage)
    assert report.ok
    assert report.path == (leaf, pki.issuing.certificate, pki.root.certificate)


def test_rsa(pki: Pki, rsa_key: rsa.RSAPrivateKey) -> None:
    """RSA from 2048 bits is as good as an elliptic curve."""
    assert judge(pki, pki.key(Profile.SIGNING, private_key=rsa_key).certificate).ok


def test_order_and_company(pki: Pki, foreign: Pki, cast: Cast) -> None:
    """Certificates that have nothing to do with it, and doubles, change nothing."""
    crowd = [foreign.root.certificate, cast.seal.certificate, pki.issuing.certificate, pki.issuing.certificate]
    assert judge(pki, cast.signing.certificate, intermediates=crowd).ok


def test_the_moment_has_a_zone(pki: Pki) -> None:
    """A moment is the same moment in every time zone."""
    leaf = pki.key(Profile.SIGNING, not_before=NOW - timedelta(hours=1)).certificate
    for hours in (-12, 0, 8):
        assert judge(pki, leaf, at=NOW.astimezone(timezone(timedelta(hours=hours)))).ok
    with pytest.raises(TypeError):
        judge(pki, leaf, at=datetime(2026, 3, 1))  # noqa: DTZ001  that is what is refused


# --- the certificate itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has", list(PURPOSE))
@pytest.mark.parametrize("asked", list(Profile))
def test_wrong_profile(pki: Pki, cast: Cast, has: Profile, asked: Profile) -> None:
    """A certificate of another profile is refused, whatever else is good about it."""
    if has is not asked:
        assert codes(judge(pki, cast.of(has).certificate, asked)) == ["chain.wrong_profile"]


def test_expired_and_early(pki: Pki, cast: Cast) -> None:
    """A certificate outside its validity is told apart by which side it is on, with the moment."""
    leaf = cast.expired.certificate
    expired, early = judge(pki, leaf), judge(pki, leaf, at=NOW - 201 * DAY)
    assert codes(expired) == ["chain.expired"]
    assert expired.findings[0].facts["not_after"] == (NOW - 10 * DAY).isoformat()
    assert codes(early) == ["chain.not_yet_valid"]
    assert early.findings[0].facts["not_before"] == (NOW - 200 * DAY).isoformat()


def test_the_last_second(pki: Pki) -> None:
    """Both ends of the validity belong to it."""
    leaf = pki.key(Profile.SIGNING, not_before=NOW - DAY, life=2 * DAY).certificate
    assert judge(pki, leaf, at=NOW - DAY).ok
    assert judge(pki, leaf, at=NOW + DAY).ok
    assert codes(judge(pki, leaf, at=NOW + DAY + timedelta(seconds=1))) == ["chain.expired"]


@pytest.mark.parametrize(
    "weak",
    [
        ec.generate_private_key(ec.SECP224R1()),
        rsa.generate_private_key(65537, 1024),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["P-224", "RSA-1024", "Ed25519"],
)
def test_weak_keys(pki: Pki, weak: Any) -> None:
    """A key that is too weak or of another kind is named as the reason."""
    assert codes(judge(pki, unchecked(pki.issuing, public_key=weak.public_key()))) == ["chain.weak_key"]


def test_a_curve_that_nobody_here_reads(pki: Pki, cast: Cast) -> None:
    """A certificate on a curve that the library cannot load is refused for its key, not by an accident."""
    p256, sm2 = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d")
    der = cast.signing.certificate.public_bytes(serialization.Encoding.DER).replace(p256, sm2)
    assert "chain.weak_key" in codes(judge(pki, x509.load_der_x509_certificate(der)))


def test_several_reasons(pki: Pki, foreign: Pki) -> None:
    """Whoever comes with an expired certificate of another profile from elsewhere is told all of it."""
    leaf = foreign.key(Profile.SEAL, life=DAY).certificate
    assert codes(judge(pki, leaf)) == ["chain.expired", "chain.wrong_profile", "chain.unknown_issuer"]


# --- revocation -------------------------------------------------------------------------------------------------------


def test_revoked_from_its_moment_on(pki: Pki, cast: Cast) -> None:
    """A revoked certificate was good before the moment of its revocation and is bad after it, with the reason told."""
    crls = pki.crls(cast.revocation)
    report = judge(pki, cast.revoked.certificate, crls=crls)
    assert codes(report) == ["chain.revoked"]
    assert report.findings[0].facts == {"at": cast.revocation.at.isoformat(), "reason": "keyCompromise"}
    assert judge(pki, cast.revoked.certificate, crls=crls, at=NOW - timedelta(hours=2)).ok


def test_revoked_and_expired(pki: Pki, cast: Cast) -> None:
    """Whoever holds a revoked and expired certificate is told both."""
    leaf = cast.expired.certificate
    crls = pki.crls(Revocation(leaf.serial_number, NOW - 20 * DAY, "superseded"))
    assert codes(judge(pki, leaf, crls=crls)) == ["chain.expired", "chain.revoked"]


def test_a_revoked_authority(pki: Pki, cast: Cast) -> None:
    """A certificate under a revoked authority is revoked."""
    entry = Revocation(pki.issuing.certificate.serial_number, NOW - DAY, "cACompromise")
    above = build_crl(pki.root, [entry], number=2, this_update=NOW, next_update=NOW + DAY)
    report = judge(pki, cast.signing.certificate, crls=[*pki.crls(), x509.load_der_x509_crl(above)])
    assert codes(report) == ["chain.revoked"]
    assert report.findings[0].facts["reason"] == "cACompromise"


def test_lists_missing_and_stale(pki: Pki, foreign: Pki, cast: Cast) -> None:
    """Without a complete and current list of every issuer nothing is good."""
    leaf = cast.signing.certificate
    assert codes(judge(pki, leaf, crls=[])) == ["chain.crl_missing"] * 2
    assert codes(judge(pki, leaf, crls=foreign.crls())) == ["chain.crl_missing"] * 2
    assert codes(judge(pki, leaf, crls=pki.crls()[:1])) == ["chain.crl_missing"]
    assert codes(judge(pki, leaf, at=NOW + 30 * DAY)) == ["chain.crl_stale"] * 2


# --- the chain --------------------------------------------------------------------------------------------------------


def test_unknown_issuer(pki: Pki, cast: Cast) -> None:
    """An issuer whose name nobody here has is unknown, and the report names it."""
    report = judge(pki, cast.stranger.certificate)
    assert codes(report) == ["chain.unknown_issuer"]
    assert report.findings[0].facts["issuer"] == cast.stranger.certificate.issuer.rfc4514_string()


def test_foreign(pki: Pki, foreign: Pki, cast: Cast) -> None:
    """Whoever brings the foreign chain along, its root included, is told that it leads to no root of ours."""
    for brought in ([foreign.issuing.certificate], list(foreign.issuing.chain)):
        assert codes(judge(pki, cast.stranger.certificate, intermediates=brought)) == ["chain.untrusted"]
    assert codes(judge(pki, cast.signing.certificate, roots=[])) == ["chain.untrusted"]


def test_forged(pki: Pki, foreign: Pki, cast: Cast) -> None:
    """A certificate that its issuer did not sign is told apart from one whose issuer we do not know."""
    assert codes(judge(pki, bent(cast.signing.certificate))) == ["chain.bad_signature"]
    key = foreign.issuing.private_key
    above = unchecked(foreign.root, profile=Profile.ISSUING, public_key=key.public_key(),
                      subject=pki.issuing.certificate.subject)  # fmt: skip
    assert codes(judge(pki, unchecked(Authority(key, above)))) == ["chain.bad_signature"]


def test_forged_authority(pki: Pki, cast: Cast) -> None:
    """An authority's certificate that the root did not sign carries nobody to it."""
    forged = bent(pki.issuing.certificate)
    assert codes(judge(pki, cast.signing.certificate, intermediates=[forged])) == ["chain.bad_signature"]


def test_self_signed(pki: Pki) -> None:
    """A certificate that vouches for itself has an unknown issuer."""
    upstart = create_root(ec.generate_private_key(ec.SECP384R1()), name(common="自封"), NOW - DAY, NOW + DAY)
    assert codes(judge(pki, upstart.certificate)) == ["chain.wrong_profile", "chain.unknown_issuer"]


def test_expired_and_weak_authorities(pki: Pki) -> None:
    """When it is an authority of the chain that has expired or is weak, the report names that authority."""
    old_key, weak_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 1024)
    for key, life, expected in (
        (old_key, (NOW - 9 * DAY, NOW - 3 * DAY), "chain.expired"),
        (old_key, (NOW + DAY, NOW + 9 * DAY), "chain.not_yet_valid"),
        (weak_key, (NOW - 9 * DAY, NOW + 9 * DAY), "chain.weak_key"),
    ):
        above = unchecked(pki.root, profile=Profile.ISSUING, public_key=key.public_key(), life=life)
        report = judge(pki, unchecked(Authority(key, above)), intermediates=[above])
        assert codes(report) == [expected]
        assert report.findings[0].facts["subject"] == above.subject.rfc4514_string()


CROOKED_AUTHORITIES = {
    "no right to sign certificates": (SPECS[Profile.SIGNING].key_usage, True),
    "says that it is none": (x509.BasicConstraints(ca=False, path_length=None), True),
    "unknown and critical": (UNKNOWN, True),
    "for other names": (x509.NameConstraints(None, [x509.DNSName("jiangcheng.example")]), True),
}


@pytest.mark.parametrize("fault", CROOKED_AUTHORITIES)
def test_crooked_authorities(pki: Pki, fault: str) -> None:
    """An authority that may not issue, or not this, carries nobody to the root."""
    key = ec.generate_private_key(ec.SECP256R1())
    above = unchecked(pki.root, CROOKED_AUTHORITIES[fault], profile=Profile.ISSUING, public_key=key.public_key())
    hosts = (x509.SubjectAlternativeName([x509.DNSName("oa.jiangcheng.example")]), False)
    leaf = unchecked(Authority(key, above), hosts, profile=Profile.SERVER)
    assert codes(judge(pki, leaf, Profile.SERVER, intermediates=[above])) == ["chain.untrusted"]


CROOKED_LEAVES = {
    "an authority": (x509.BasicConstraints(ca=True, path_length=None), True),
    "unknown and critical": (UNKNOWN, True),
    "key usage in passing": (SPECS[Profile.SIGNING].key_usage, False),
}


@pytest.mark.parametrize("fault", CROOKED_LEAVES)
def test_crooked_leaves(pki: Pki, fault: str) -> None:
    """A certificate that is fit but breaks a rule of paths is refused by the rule."""
    leaf = unchecked(pki.issuing, CROOKED_LEAVES[fault])
    assert codes(judge(pki, leaf))[0] in {"chain.untrusted", "chain.wrong_profile"}


def test_issued_by_a_person(pki: Pki, cast: Cast) -> None:
    """Who is no authority cannot make others good, however good the own certificate."""
    leaf = unchecked(Authority(cast.signing.private_key, cast.signing.certificate))
    brought = [pki.issuing.certificate, cast.signing.certificate]
    assert codes(judge(pki, leaf, intermediates=brought)) == ["chain.untrusted"]


def test_path_length(pki: Pki) -> None:
    """An authority below one whose path length is used up carries nobody to the root."""
    key = ec.generate_private_key(ec.SECP256R1())
    below = unchecked(pki.issuing, profile=Profile.ISSUING, public_key=key.public_key())
    leaf = unchecked(Authority(key, below))
    assert codes(judge(pki, leaf, intermediates=[pki.issuing.certificate, below])) == ["chain.untrusted"]


def test_endless_chains(pki: Pki) -> None:
    """A chain that is too long, or goes in a circle, ends the search and not the server."""
    authority, chain = pki.root, []
    for depth in range(MAX_INTERMEDIATES + 3):
        key = ec.generate_private_key(ec.SECP256R1())
        long = (x509.BasicConstraints(ca=True, path_length=None), True)
        subject = name(common=f"第{depth}级")
        above = unchecked(authority, long, profile=Profile.ISSUING, public_key=key.public_key(), subject=subject)
        authority = Authority(key, above)
        chain.append(above)
    assert codes(judge(pki, unchecked(authority), intermediates=chain)) == ["chain.untrusted"]
    circle = unchecked(authority, profile=Profile.ISSUING, public_key=key.public_key(), subject=chain[0].subject)
    assert codes(judge(pki, unchecked(authority), intermediates=[*chain[1:], circle])) == ["chain.untrusted"]


def test_renewed_authority(pki: Pki, cast: Cast) -> None:
    """A certificate stays good when its authority's key was certified anew and only the new certificate is at hand."""
    key, subject = pki.issuing.private_key, pki.issuing.certificate.subject
    renewed = create_issuing(pki.root, key, subject, NOW - DAY, NOW + 900 * DAY)
    assert judge(pki, cast.signing.certificate, intermediates=[renewed.certificate]).ok


# --- hostile certificates ---------------------------------------------------------------------------------------------

HOSTILE_PKI = make_pki()
HOSTILE_LEAF = HOSTILE_PKI.key(Profile.SIGNING).certificate.public_bytes(serialization.Encoding.DER)
HOSTILE_LISTS = HOSTILE_PKI.crls()


@given(st.integers(0, 8 * len(HOSTILE_LEAF) - 1))
@settings(max_examples=1500)
def test_any_flipped_bit(bit: int) -> None:
    """No bit of a certificate can be flipped so that it is still good, or so that judging it fails."""
    der = bytearray(HOSTILE_LEAF)
    der[bit // 8] ^= 1 << bit % 8
    try:
        leaf = x509.load_der_x509_certificate(bytes(der))
    except (ValueError, x509.InvalidVersion):
        return
    assert not judge(HOSTILE_PKI, leaf, crls=HOSTILE_LISTS).ok
    brought = [leaf, HOSTILE_PKI.issuing.certificate]
    assert judge(HOSTILE_PKI, cast_leaf(), crls=HOSTILE_LISTS, intermediates=brought).ok


def cast_leaf() -> x509.Certificate:
    return x509.load_der_x509_certificate(HOSTILE_LEAF)


def test_names_that_cannot_be_read(pki: Pki, cast: Cast) -> None:
    """A certificate with a garbled name is refused as unreadable, and one among the intermediates is passed over."""
    der = cast.signing.certificate.public_bytes(serialization.Encoding.DER)
    garbled = x509.load_der_x509_certificate(der.replace("李明".encode(), b"\xff\xfe\xfd\xff\xfe\xfd"))
    report = judge(pki, garbled)
    assert codes(report) == ["chain.untrusted"]
    assert "cannot be read" in report.findings[0].en
    assert codes(judge(pki, cast.stranger.certificate, intermediates=[garbled])) == ["chain.unknown_issuer"]


def test_doubled_extensions(pki: Pki, cast: Cast) -> None:
    """A certificate that says the same thing twice says nothing."""
    from asn1crypto import x509 as asn1

    content = asn1.Certificate.load(cast.signing.certificate.public_bytes(serialization.Encoding.DER))
    extensions = content["tbs_certificate"]["extensions"]
    extensions.append(extensions[1])
    doubled = x509.load_der_x509_certificate(content.dump(force=True))
    assert codes(judge(pki, doubled))[0] == "chain.wrong_profile"


# --- a second opinion -------------------------------------------------------------------------------------------------


def test_openssl_agrees(pki: Pki, cast: Cast, openssl: Openssl) -> None:
    """Openssl takes and refuses the same certificates as we do."""
    crls = pki.crls(cast.revocation)
    openssl.write("trust.pem", pki.root.certificate, *crls)
    openssl.write("issuing.pem", pki.issuing.certificate)
    people = {
        "good": (cast.signing.certificate, "leaf.pem: OK"),
        "revoked": (cast.revoked.certificate, "certificate revoked"),
        "expired": (cast.expired.certificate, "certificate has expired"),
        "stranger": (cast.stranger.certificate, "unable to get local issuer certificate"),
        "forged": (bent(cast.signing.certificate), "certificate signature failure"),
    }
    for who, (leaf, expected) in people.items():
        openssl.write("leaf.pem", leaf)
        said = openssl(
            "verify", "-x509_strict", "-crl_check_all", "-attime", str(int(NOW.timestamp())),
            "-CAfile", "trust.pem", "-untrusted", "issuing.pem", "leaf.pem",
        )  # fmt: skip
        assert expected in said, who
        assert judge(pki, leaf, crls=crls).ok is (who == "good")
