"""A certificate is for one use and no other."""

from __future__ import annotations

from itertools import product

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from crypto.profiles import DOCUMENT_SIGNING, PURPOSE, SIGN_IN_PURPOSE, SPECS, Profile, extension, fits, profile_of
from tests.crypto.conftest import Cast, Openssl, Pki, unchecked

COMMITS = SPECS[Profile.SIGNING].key_usage


@pytest.mark.parametrize(("has", "asked"), [*product(PURPOSE, Profile)])
def test_one_use_each(cast: Cast, has: Profile, asked: Profile) -> None:
    """A certificate of a profile fits that use and none of the others."""
    certificate = cast.of(has).certificate
    assert profile_of(certificate) is has
    assert fits(certificate, asked) is (has is asked)


def test_authorities(pki: Pki) -> None:
    """An authority's certificate is told by its constraints, and is fit for nothing but issuing."""
    assert profile_of(pki.root.certificate) is Profile.ROOT
    assert profile_of(pki.issuing.certificate) is Profile.ISSUING
    assert not any(fits(pki.issuing.certificate, usage) for usage in Profile)


@pytest.mark.parametrize(
    "crooked",
    [
        (x509.ExtendedKeyUsage([DOCUMENT_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH, SIGN_IN_PURPOSE]), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False),
        (SPECS[Profile.SIGN_IN].key_usage, True),
        (SPECS[Profile.ISSUING].key_usage, True),
    ],
)
def test_half_fit_for_signing(pki: Pki, crooked: tuple[x509.ExtensionType, bool]) -> None:
    """Two purposes, any purpose, or a key usage that commits to nothing: none of them signs documents."""
    assert not fits(unchecked(pki.issuing, crooked), Profile.SIGNING)


@pytest.mark.parametrize("missing", [x509.KeyUsage, x509.ExtendedKeyUsage])
def test_silent_certificates(pki: Pki, missing: type[x509.ExtensionType]) -> None:
    """A certificate that does not say what it is for is for nothing."""
    certificate = unchecked(pki.issuing, without=(missing,))
    assert extension(certificate, missing) is None
    assert not fits(certificate, Profile.SIGNING)


def test_sign_in_needs_both_purposes(pki: Pki) -> None:
    """Our own purpose without client authentication signs nobody in, nor the other way round."""
    for purpose in (SIGN_IN_PURPOSE, ExtendedKeyUsageOID.CLIENT_AUTH):
        certificate = unchecked(pki.issuing, (x509.ExtendedKeyUsage([purpose]), False), profile=Profile.SIGN_IN)
        assert not fits(certificate, Profile.SIGN_IN)


@pytest.mark.parametrize(
    ("purposes", "critical"),
    [
        ([ExtendedKeyUsageOID.TIME_STAMPING], False),
        ([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING], True),
    ],
)
def test_timestamps_want_it_alone_and_critical(pki: Pki, purposes: list, critical: bool) -> None:
    """RFC 3161, 2.3: an authority for timestamps has that one purpose, marked critical."""
    crooked = unchecked(pki.issuing, (x509.ExtendedKeyUsage(purposes), critical), profile=Profile.TIMESTAMP)
    assert not fits(crooked, Profile.TIMESTAMP)


@pytest.mark.parametrize(
    ("profile", "purpose"),
    [(Profile.SIGN_IN, "sslclient"), (Profile.SERVER, "sslserver"), (Profile.TIMESTAMP, "timestampsign"),
     (Profile.OCSP, "ocsphelper")],
)  # fmt: skip
def test_openssl_finds_them_fit(pki: Pki, cast: Cast, openssl: Openssl, profile: Profile, purpose: str) -> None:
    """Openssl finds each certificate fit for the purpose that it has a word for, with all lists checked."""
    openssl.write("leaf.pem", cast.of(profile).certificate)
    openssl.write("issuing.pem", pki.issuing.certificate)
    openssl.write("root.pem", pki.root.certificate, *pki.crls())
    said = openssl(
        "verify", "-x509_strict", "-purpose", purpose, "-crl_check_all", "-attime", "1772352000",
        "-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem",
    )  # fmt: skip
    assert "leaf.pem: OK" in said
