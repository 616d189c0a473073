"""Lint: what is wrong with a certificate before anybody signs it. Each finding cites its clause."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from crypto.errors import KeyRefused
from crypto.profiles import SPECS, Profile
from crypto.suite import suite_for

SERIAL_BITS = 64


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A broken rule: its clause and what was found."""

    clause: str
    message: str


def lint(certificate: x509.Certificate, profile: Profile) -> list[LintFinding]:
    """Everything in `certificate` that its profile or the standards forbid; empty when it may be issued."""
    found = [*_names_and_numbers(certificate), *_validity(certificate, profile), *_key(certificate)]
    return [*found, *_extensions(certificate, profile)]


def _names_and_numbers(certificate: x509.Certificate) -> list[LintFinding]:
    found = []
    if certificate.serial_number.bit_length() < SERIAL_BITS - 8 or certificate.serial_number.bit_length() > 159:
        found.append(LintFinding("RFC 5280 4.1.2.2", "serial numbers hold at least 64 random bits in at most 20 octets"))
    if not list(certificate.subject):
        found.append(LintFinding("RFC 5280 4.1.2.6", "the subject is empty"))
    if any(not str(a.value).strip() or any(ord(c) < 32 for c in str(a.value)) for a in certificate.subject):
        found.append(LintFinding("RFC 5280 4.1.2.4", "a name attribute is blank or holds control characters"))
    return found


def _validity(certificate: x509.Certificate, profile: Profile) -> list[LintFinding]:
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    if life.total_seconds() <= 0:
        return [LintFinding("RFC 5280 4.1.2.5", "the validity ends before it begins")]
    if life > SPECS[profile].life:
        return [LintFinding("profile", f"a {profile} certificate lives at most {SPECS[profile].life.days} days")]
    return []


def _key(certificate: x509.Certificate) -> list[LintFinding]:
    try:
        public_key = certificate.public_key()
        suite_for(public_key).check_quality(public_key)
    except (KeyRefused, ValueError) as error:
        return [LintFinding("RFC 5280 4.1.2.7", str(error))]
    return []


def _extensions(certificate: x509.Certificate, profile: Profile) -> list[LintFinding]:
    spec = SPECS[profile]
    extensions = certificate.extensions
    found = []
    checks: list[tuple[type[x509.ExtensionType], x509.ExtensionType | None, bool, str]] = [
        (x509.BasicConstraints, x509.BasicConstraints(ca=spec.is_authority, path_length=spec.path_length), True, "4.2.1.9"),
        (x509.KeyUsage, spec.key_usage, True, "4.2.1.3"),
        (x509.SubjectKeyIdentifier, None, False, "4.2.1.2"),
    ]
    if profile is not Profile.ROOT:
        checks.append((x509.AuthorityKeyIdentifier, None, False, "4.2.1.1"))
    if spec.purposes:
        wanted = x509.ExtendedKeyUsage(spec.purposes)
        clause = "RFC 3161 2.3" if spec.critical_purposes else "4.2.1.12"
        checks.append((x509.ExtendedKeyUsage, wanted, spec.critical_purposes, clause))
    if spec.no_check:
        checks.append((x509.OCSPNoCheck, x509.OCSPNoCheck(), False, "RFC 6960 4.2.2.2.1"))
    for kind, value, critical, clause in checks:
        cited = clause if clause.startswith("RFC") else f"RFC 5280 {clause}"
        try:
            extension = extensions.get_extension_for_class(kind)
        except x509.ExtensionNotFound:
            found.append(LintFinding(cited, f"{kind.__name__} is missing"))
            continue
        if extension.critical != critical:
            found.append(LintFinding(cited, f"{kind.__name__} is {'not ' if critical else ''}critical"))
        if value is not None and extension.value != value:
            found.append(LintFinding(cited, f"{kind.__name__} is not what the profile prescribes"))
    return found
