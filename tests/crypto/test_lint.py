"""Nothing is issued that breaks a clause, and every refusal names the clause."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from crypto.authority import name
from crypto.lint import CHECKS, lint
from crypto.profiles import SPECS, Profile
from tests.crypto.conftest import DAY, NOW, Cast, Pki, unchecked

AUTHORITY = x509.BasicConstraints(ca=True, path_length=None)
EMPTY_KEY_ID = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(name(common="x"))], 1)


def point(url: str) -> tuple[x509.ExtensionType, bool]:
    where = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return x509.CRLDistributionPoints([where]), False


def ocsp_at(location: x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    kind = x509.oid.AuthorityInformationAccessOID.OCSP
    return x509.AuthorityInformationAccess([x509.AccessDescription(kind, location)]), False


@pytest.mark.parametrize("profile", [profile for profile in Profile if not SPECS[profile].is_authority])
def test_what_we_issue_is_clean(cast: Cast, profile: Profile) -> None:
    """What the authority issues breaks nothing."""
    assert lint(cast.of(profile).certificate, profile) == []


def test_authorities_are_clean(pki: Pki) -> None:
    """Neither do the authorities themselves."""
    assert lint(pki.root.certificate, Profile.ROOT) == []
    assert lint(pki.issuing.certificate, Profile.ISSUING) == []


CROOKED = {
    "short serial": ("4.1.2.2", {"serial": 12345}),
    "blank name": ("4.1.2.4", {"subject": name(common="  ")}),
    "padded name": ("4.1.2.4", {"subject": name(common="李明 ")}),
    "control character": ("4.1.2.4", {"subject": name(common="李\n明")}),
    "endless name": ("4.1.2.4", {"subject": name(common="李明", organ="江" * 65)}),
    "no length": ("4.1.2.5", {"life": (NOW, NOW)}),
    "no common name": ("4.1.2.6", {"subject": x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CN")])}),
    "too long a life": ("profile", {"life": (NOW, NOW + SPECS[Profile.SIGNING].life + timedelta(seconds=1))}),
    "weak curve": ("4.1.2.7", {"public_key": ec.generate_private_key(ec.SECP224R1()).public_key()}),
    "short RSA key": ("4.1.2.7", {"public_key": rsa.generate_private_key(65537, 1024).public_key()}),
    "another kind of key": ("4.1.2.7", {"public_key": ed25519.Ed25519PrivateKey.generate().public_key()}),
    "no authority key": ("4.2.1.1", {"without": (x509.AuthorityKeyIdentifier,)}),
    "no subject key": ("4.2.1.2", {"without": (x509.SubjectKeyIdentifier,)}),
    "no key usage": ("4.2.1.3", {"without": (x509.KeyUsage,)}),
    "no constraints": ("4.2.1.9", {"without": (x509.BasicConstraints,)}),
    "no purposes": ("4.2.1.12", {"without": (x509.ExtendedKeyUsage,)}),
    "server without hosts": ("4.2.1.6", {"profile": Profile.SERVER}),
    "OCSP that is to be checked": ("RFC 6960 4.2.2.2.1", {"profile": Profile.OCSP}),
}


@pytest.mark.parametrize("fault", CROOKED)
def test_crooked_bodies(pki: Pki, fault: str) -> None:
    """A body or a missing extension that breaks a clause is found under that clause."""
    clause, changes = CROOKED[fault]
    found = lint(unchecked(pki.issuing, **changes), changes.get("profile", Profile.SIGNING))
    assert found
    assert all(clause in finding.clause for finding in found)


EXTENSIONS = {
    "key identifier without a key": ("4.2.1.1", (EMPTY_KEY_ID, False)),
    "another key's identifier": ("4.2.1.2", (x509.SubjectKeyIdentifier(b"7" * 20), False)),
    "another key usage": ("4.2.1.3", (SPECS[Profile.ISSUING].key_usage, True)),
    "key usage not critical": ("4.2.1.3", (SPECS[Profile.SIGNING].key_usage, False)),
    "an authority": ("4.2.1.9", (AUTHORITY, True)),
    "another purpose": ("4.2.1.12", (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)),
    "purposes critical": ("4.2.1.12", (x509.ExtendedKeyUsage(SPECS[Profile.SIGNING].purposes), True)),
    "a list nobody can fetch": ("4.2.1.13", point("ldap://ca.example/list")),
    "a list without a host": ("4.2.1.13", point("http:///list.crl")),
    "OCSP at a name": ("4.2.2.1", ocsp_at(x509.DirectoryName(name(common="x")))),
    "alternative names": ("RFC 5280 4.2", (x509.SubjectAlternativeName([x509.DNSName("x.example")]), False)),
    "unknown": ("RFC 5280 4.2", (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0"), True)),
    "not to be checked": ("RFC 5280 4.2", (x509.OCSPNoCheck(), False)),
}


@pytest.mark.parametrize("fault", EXTENSIONS)
def test_crooked_extensions(pki: Pki, fault: str) -> None:
    """An extension that its profile does not prescribe is found, once, under its clause."""
    clause, crooked = EXTENSIONS[fault]
    (found,) = lint(unchecked(pki.issuing, crooked), Profile.SIGNING)
    assert clause in found.clause


def test_timestamp_purpose_not_critical(pki: Pki) -> None:
    """The purpose of a timestamp authority must be critical, and the finding cites RFC 3161."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    (found,) = lint(unchecked(pki.issuing, (usage, False), profile=Profile.TIMESTAMP), Profile.TIMESTAMP)
    assert "RFC 3161 2.3" in found.clause


def test_authority_narrowed_to_purposes(pki: Pki) -> None:
    """An authority that is narrowed to purposes is none of ours."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    (found,) = lint(unchecked(pki.root, (usage, False), profile=Profile.ISSUING), Profile.ISSUING)
    assert "4.2.1.12" in found.clause


def test_weak_signature_hash(pki: Pki) -> None:
    """A signature over a hash that the suite does not use is found."""
    builder = x509.CertificateBuilder().subject_name(name(common="x")).issuer_name(name(common="x"))
    builder = builder.public_key(pki.issuing.certificate.public_key()).serial_number(1 << 100)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + DAY)
    clauses = [
        finding.clause for finding in lint(builder.sign(pki.issuing.private_key, hashes.SHA224()), Profile.SIGNING)
    ]
    assert any("BR 7.1.3.2" in clause for clause in clauses)


def test_good_addresses(pki: Pki) -> None:
    """Addresses that anybody can fetch from are no fault."""
    good = unchecked(
        pki.issuing, point("http://ca.example/list.crl"), ocsp_at(x509.UniformResourceIdentifier("https://o.example"))
    )
    assert lint(good, Profile.SIGNING) == []


def test_every_check_cites_a_clause() -> None:
    """Every check names a standard's clause, or says that the rule is our profile's own."""
    assert all(clause == "profile" or any(digit.isdigit() for digit in clause) for clause, _ in CHECKS)
    assert len({check for _, check in CHECKS}) == len(CHECKS) >= 15
