"""Lint: what is wrong with a certificate before anybody signs it. Each finding cites its clause.

A check is a generator of sentences under the clause that it enforces; `CHECKS` is the list of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from crypto.errors import KeyRefused
from crypto.profiles import SPECS, UNREADABLE, Profile, extension
from crypto.suite import suite_for

SERIAL_BITS = range(64, 160)
SUBJECT_LIMIT = 64
_FIRST_PRINTABLE = 0x20


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A broken rule: its clause and what was found."""

    clause: str
    message: str


Check = Callable[[x509.Certificate, Profile], Iterator[str]]
CHECKS: list[tuple[str, Check]] = []


def lint(certificate: x509.Certificate, profile: Profile) -> list[LintFinding]:
    """Everything in `certificate` that its profile or the standards forbid; empty when it may be issued."""
    return [LintFinding(clause, message) for clause, check in CHECKS for message in check(certificate, profile)]


def _cites(clause: str) -> Callable[[Check], Check]:
    def enter(check: Check) -> Check:
        CHECKS.append((clause, check))
        return check

    return enter


# --- the body of the certificate --------------------------------------------------------------------------------------


@_cites("RFC 5280 4.1.2.2; CA/B BR 7.1")
def _serial(certificate: x509.Certificate, _profile: Profile) -> Iterator[str]:
    if certificate.serial_number.bit_length() not in SERIAL_BITS:
        yield "the serial number does not hold 64 random bits within 20 octets"


@_cites("RFC 5280 4.1.1.2; CA/B BR 7.1.3.2")
def _signature_hash(certificate: x509.Certificate, _profile: Profile) -> Iterator[str]:
    if not isinstance(certificate.signature_hash_algorithm, (hashes.SHA256, hashes.SHA384)):
        yield "the signature algorithm does not hash with SHA-256 or SHA-384"


@_cites("RFC 5280 4.1.2.4, appendix A.1")
def _names(certificate: x509.Certificate, _profile: Profile) -> Iterator[str]:
    for attribute in certificate.subject:
        text = str(attribute.value)
        if text != text.strip() or not text or any(ord(character) < _FIRST_PRINTABLE for character in text):
            yield f"{attribute.rfc4514_attribute_name} is blank, padded, or holds control characters"
        if len(text) > SUBJECT_LIMIT:
            yield f"{attribute.rfc4514_attribute_name} is longer than {SUBJECT_LIMIT} characters"


@_cites("RFC 5280 4.1.2.5")
def _validity(certificate: x509.Certificate, _profile: Profile) -> Iterator[str]:
    if certificate.not_valid_after_utc <= certificate.not_valid_before_utc:
        yield "the validity ends before it begins"


@_cites("profile")
def _life(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    limit = SPECS[profile].life
    if certificate.not_valid_after_utc - certificate.not_valid_before_utc > limit:
        yield f"a {profile} certificate lives at most {limit.days} days"


@_cites("RFC 5280 4.1.2.6")
def _subject(certificate: x509.Certificate, _profile: Profile) -> Iterator[str]:
    if not certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield "the subject has no common name"


@_cites("RFC 5280 4.1.2.7; RFC 5480 2.1.1; NIST SP 800-57 5.6.1")
def _key(certificate: x509.Certificate, _profile: Profile) -> Iterator[str]:
    try:
        public_key = certificate.public_key()
        suite_for(public_key).check_quality(public_key)
    except (KeyRefused, *UNREADABLE) as error:
        yield str(error)


# --- its extensions ---------------------------------------------------------------------------------------------------


def _exactly(certificate: x509.Certificate, value: x509.ExtensionType, *, critical: bool) -> Iterator[str]:
    """The certificate holds just this extension, marked so."""
    found = extension(certificate, type(value))
    name = type(value).__name__
    if found is None:
        yield f"{name} is missing"
        return
    if found.critical != critical:
        yield f"{name} is {'not ' if critical else ''}critical"
    if found.value != value:
        yield f"{name} is not what the profile prescribes"


@_cites("RFC 5280 4.2")
def _foreign_extensions(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    for found in certificate.extensions:
        if not isinstance(found.value, _ALLOWED) and not isinstance(found.value, _ALLOWED_ONLY.get(profile, ())):
            yield f"{found.oid.dotted_string} has no place in a {profile} certificate"


_ALLOWED = (
    x509.AuthorityInformationAccess,
    x509.AuthorityKeyIdentifier,
    x509.BasicConstraints,
    x509.CRLDistributionPoints,
    x509.KeyUsage,
    x509.SubjectKeyIdentifier,
    x509.ExtendedKeyUsage,
)
_ALLOWED_ONLY: dict[Profile, tuple[type[x509.ExtensionType], ...]] = {
    Profile.SERVER: (x509.SubjectAlternativeName,),
    Profile.OCSP: (x509.OCSPNoCheck,),
}


@_cites("RFC 5280 4.2.1.1")
def _authority_key(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    found = extension(certificate, x509.AuthorityKeyIdentifier)
    if profile is not Profile.ROOT and (found is None or found.value.key_identifier is None):
        yield "AuthorityKeyIdentifier is missing"


@_cites("RFC 5280 4.2.1.2")
def _subject_key(certificate: x509.Certificate, _profile: Profile) -> Iterator[str]:
    value = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    yield from _exactly(certificate, value, critical=False)


@_cites("RFC 5280 4.2.1.3")
def _key_usage(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    yield from _exactly(certificate, SPECS[profile].key_usage, critical=True)


@_cites("RFC 5280 4.2.1.6; CA/B BR 7.1.2.7.12")
def _alternative_names(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    if profile is Profile.SERVER and extension(certificate, x509.SubjectAlternativeName) is None:
        yield "a server certificate names its hosts in SubjectAlternativeName"


@_cites("RFC 5280 4.2.1.9")
def _basic_constraints(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    spec = SPECS[profile]
    value = x509.BasicConstraints(ca=spec.is_authority, path_length=spec.path_length)
    yield from _exactly(certificate, value, critical=True)


@_cites("RFC 5280 4.2.1.12; RFC 3161 2.3")
def _purposes(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    spec = SPECS[profile]
    if spec.purposes:
        yield from _exactly(certificate, x509.ExtendedKeyUsage(spec.purposes), critical=spec.critical_purposes)
    elif extension(certificate, x509.ExtendedKeyUsage) is not None:
        yield f"a {profile} certificate is not narrowed to purposes"


@_cites("RFC 5280 4.2.1.13, 4.2.2.1")
def _addresses(certificate: x509.Certificate, _profile: Profile) -> Iterator[str]:
    for address in _urls(certificate):
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            yield f"{address!r} is no address that others can fetch from"


def _urls(certificate: x509.Certificate) -> Iterator[str]:
    points = extension(certificate, x509.CRLDistributionPoints)
    for point in points.value if points is not None else ():
        yield from (name.value for name in point.full_name or () if isinstance(name, x509.UniformResourceIdentifier))
    access = extension(certificate, x509.AuthorityInformationAccess)
    for description in access.value if access is not None else ():
        yield str(description.access_location.value)


@_cites("RFC 6960 4.2.2.2.1")
def _no_check(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    if SPECS[profile].no_check:
        yield from _exactly(certificate, x509.OCSPNoCheck(), critical=False)
