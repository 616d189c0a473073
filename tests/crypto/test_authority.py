"""Prepare, lint, ticket, issue: in this order, once, and over the same bytes."""

from __future__ import annotations

import gc
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from crypto.authority import Authority, Draft, Ticket, create_issuing, create_root, name, new_serial
from crypto.errors import CertificateRefused
from crypto.profiles import Profile, extension
from crypto.suite import INTL
from tests.crypto.conftest import DAY, NOW, Cast, Openssl, Pki, TokenKey, unchecked


def refusal(code: str):
    return pytest.raises(CertificateRefused, match=code.replace(".", r"\."))


@pytest.fixture
def draft(pki: Pki) -> Draft:
    return pki.issuing.prepare(pki.order(Profile.SIGNING, INTL.generate_key().public_key()))


def test_the_order(pki: Pki, draft: Draft) -> None:
    """What is issued is, octet for octet, what was examined, and only the signature is new."""
    certificate = pki.issuing.issue(pki.issuing.lint(draft))
    assert certificate.tbs_certificate_bytes == draft.specimen.tbs_certificate_bytes
    certificate.verify_directly_issued_by(pki.issuing.certificate)


def test_a_specimen_is_worthless(pki: Pki, draft: Draft) -> None:
    """A draft bears no signature of the authority."""
    assert not INTL.verify(
        pki.issuing.certificate.public_key(), draft.specimen.signature, draft.specimen.tbs_certificate_bytes
    )


def test_single_use(pki: Pki, draft: Draft) -> None:
    """A ticket is good once, and every lint gives another."""
    ticket = pki.issuing.lint(draft)
    pki.issuing.issue(ticket)
    with refusal("certificate.ticket"):
        pki.issuing.issue(ticket)
    assert pki.issuing.lint(draft) is not ticket


def test_tickets_made_by_hand(pki: Pki, foreign: Pki, draft: Draft) -> None:
    """A ticket that was made by hand, or given by another authority, issues nothing."""
    with refusal("certificate.ticket"):
        pki.issuing.issue(Ticket())
    with refusal("certificate.ticket"):
        foreign.issuing.issue(pki.issuing.lint(draft))


def test_dropped_tickets_are_forgotten(pki: Pki, draft: Draft) -> None:
    """A ticket that nobody holds any more takes no memory."""
    authority = Authority(pki.issuing.private_key, pki.issuing.certificate)
    kept = authority.lint(draft)
    for _ in range(10):
        authority.lint(draft)
    gc.collect()
    assert list(authority._tickets) == [kept]


def test_lint_refuses(pki: Pki) -> None:
    """A draft that breaks clauses gets no ticket, and the refusal lists every clause."""
    weak = rsa.generate_private_key(65537, 1024).public_key()
    draft = pki.issuing.prepare(pki.order(Profile.SIGNING, weak, common=" 李明", life=1200 * DAY))
    with refusal("certificate.lint") as refused:
        pki.issuing.lint(draft)
    clauses = " ".join(refused.value.facts["findings"])
    assert all(clause in clauses for clause in ("4.1.2.4", "4.1.2.7", "profile"))


def test_drafts_from_elsewhere(pki: Pki, foreign: Pki, draft: Draft) -> None:
    """Another authority's draft gets no ticket, not even when that authority has taken our name."""
    with refusal("certificate.other_issuer"):
        foreign.issuing.lint(draft)
    key = INTL.generate_key()
    namesake = create_issuing(foreign.root, key, pki.issuing.certificate.subject, NOW, NOW + 800 * DAY)
    with refusal("certificate.other_issuer"):
        namesake.lint(draft)


def test_outliving_the_issuer(pki: Pki) -> None:
    """Nothing outlives the authority that issues it."""
    start = pki.issuing.certificate.not_valid_after_utc - 10 * DAY
    with refusal("certificate.outlives_issuer"):
        pki.key(Profile.SIGNING, not_before=start, life=11 * DAY)


def test_no_authority_below_the_issuing_one(pki: Pki) -> None:
    """An authority whose path length is used up founds no other."""
    with refusal("certificate.path_length"):
        create_issuing(pki.issuing, INTL.generate_key(), name(common="太深"), NOW, NOW + DAY)


def test_impossible_orders(pki: Pki) -> None:
    """An order that no certificate can hold is refused as an order."""
    with refusal("certificate.order"):
        pki.key(Profile.SIGNING, life=-DAY)


def test_root_is_linted_before_it_signs(pki: Pki) -> None:
    """A root that would break its profile is refused before its key has signed anything."""
    key = TokenKey()
    with refusal("certificate.lint"):
        create_root(key, name(common="短命又长命"), NOW, NOW + 30 * 365 * DAY)
    assert key.signatures == 0


def test_keys_in_a_token(openssl: Openssl) -> None:
    """Root and issuing keys that never leave their tokens issue what openssl verifies, one signature each."""
    root_key, issuing_key = TokenKey(), TokenKey()
    root = create_root(root_key, name(common="令牌根"), NOW - DAY, NOW + 900 * DAY)
    issuing = create_issuing(root, issuing_key, name(common="令牌签发"), NOW - DAY, NOW + 800 * DAY)
    leaf = Pki(root, issuing).key(Profile.SIGN_IN).certificate
    assert (root_key.signatures, issuing_key.signatures) == (2, 1)
    assert "leaf.pem: OK" in verified(openssl, root, issuing, leaf)


@pytest.mark.parametrize("bits", [2048, 3072])
def test_rsa_authorities(openssl: Openssl, bits: int) -> None:
    """Authorities with RSA keys issue what openssl verifies."""
    root = create_root(rsa.generate_private_key(65537, bits), name(common="RSA根"), NOW - DAY, NOW + 900 * DAY)
    key = rsa.generate_private_key(65537, bits)
    issuing = create_issuing(root, key, name(common="RSA签发"), NOW - DAY, NOW + 800 * DAY)
    leaf = Pki(root, issuing).key(Profile.SEAL, life=100 * DAY).certificate
    assert "leaf.pem: OK" in verified(openssl, root, issuing, leaf)


def verified(openssl: Openssl, root: Authority, issuing: Authority, leaf: x509.Certificate) -> str:
    openssl.write("root.pem", root.certificate)
    openssl.write("issuing.pem", issuing.certificate)
    openssl.write("leaf.pem", leaf)
    moment = str(int(NOW.timestamp()))
    return openssl(
        "verify", "-x509_strict", "-attime", moment, "-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"
    )


def test_a_faulty_token(pki: Pki) -> None:
    """A token that signs other bytes than it was given is noticed before its certificate leaves the house."""
    key = TokenKey(broken=True)
    certificate = unchecked(pki.root, profile=Profile.ISSUING, public_key=key.public_key(), life=(NOW, NOW + 900 * DAY))
    broken = Authority(key, certificate)
    with refusal("authority.faulty_key"):
        Pki(pki.root, broken).key(Profile.SIGNING)


def test_key_and_certificate_belong_together(pki: Pki) -> None:
    """An authority whose certificate is another key's does not come to be."""
    with refusal("authority.other_key"):
        Authority(ec.generate_private_key(ec.SECP256R1()), pki.issuing.certificate)


def test_hash_follows_the_issuer(pki: Pki, cast: Cast) -> None:
    """A P-384 root signs with SHA-384, a P-256 authority with SHA-256."""
    assert isinstance(pki.issuing.certificate.signature_hash_algorithm, hashes.SHA384)
    assert isinstance(cast.signing.certificate.signature_hash_algorithm, hashes.SHA256)


def test_addresses_for_others(pki: Pki) -> None:
    """Where lists and answers are to be had stands in the certificate."""
    certificate = pki.key(
        Profile.SIGNING, crl_url="http://ca.example/1.crl", ocsp_url="http://ca.example/ocsp"
    ).certificate
    points = extension(certificate, x509.CRLDistributionPoints)
    access = extension(certificate, x509.AuthorityInformationAccess)
    assert points.value[0].full_name[0].value == "http://ca.example/1.crl"
    assert access.value[0].access_location.value == "http://ca.example/ocsp"


def test_serials() -> None:
    """Serial numbers are positive, of 127 bits, and do not repeat."""
    serials = {new_serial() for _ in range(1000)}
    assert len(serials) == 1000
    assert {serial.bit_length() for serial in serials} == {127}


def test_name_leaves_out_what_is_not_there() -> None:
    """A subject holds what is known and no empty parts."""
    assert name(common="李明").rfc4514_string() == "CN=李明,C=CN"
    full = name(common="李明", organ="江城市", unit="办公室", number="A-0001")
    assert [attribute.value for attribute in full] == ["CN", "江城市", "办公室", "李明", "A-0001"]


def test_moments_are_whole_seconds(pki: Pki) -> None:
    """A fraction of a second in an order is dropped, as certificates hold none (RFC 5280, 4.1.2.5)."""
    certificate = pki.key(Profile.SIGNING, not_before=NOW + timedelta(milliseconds=700)).certificate
    assert certificate.not_valid_before_utc == NOW
