"""A certification authority: prepare, lint, ticket, issue — in this order, because no other order exists.

`prepare` builds the certificate with a throw-away signature, `lint` examines it and, when nothing is wrong, hands out a
ticket bound to those very bytes; `issue` takes the ticket, once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crypto.errors import CertificateRefused
from crypto.lint import lint
from crypto.profiles import SPECS, Profile
from crypto.suite import suite_for


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be certified. `crl_url` and `ocsp_url` go into the certificate for others to find."""

    profile: Profile
    public_key: Any
    subject: x509.Name
    not_before: datetime
    not_after: datetime
    crl_url: str | None = None
    ocsp_url: str | None = None
    dns_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A certificate that nobody has signed yet."""

    order: Order
    builder: x509.CertificateBuilder
    specimen: x509.Certificate


@dataclass(slots=True)
class Ticket:
    """Leave to issue one draft, once."""

    draft: Draft
    fingerprint: bytes
    used: bool = field(default=False, init=False)


def name(*, common: str, organ: str | None = None, unit: str | None = None, number: str | None = None) -> x509.Name:
    """A subject: C=CN, organ, unit, common name and, for a person, the staff number that tells namesakes apart."""
    parts = [
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, organ),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.COMMON_NAME, common),
        (NameOID.SERIAL_NUMBER, number),
    ]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def new_serial() -> int:
    """A positive serial number with 127 random bits (RFC 5280, 4.1.2.2)."""
    return secrets.randbits(127) | 1 << 126


class Authority:
    """An authority with its private key (any object that behaves as one) and certificate chain, its own first."""

    def __init__(self, private_key: Any, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...] = ()) -> None:
        self.private_key = private_key
        self.certificate = certificate
        self.chain = (certificate, *chain)

    def prepare(self, order: Order) -> Draft:
        """Build what would be issued."""
        builder = _builder(order, self.certificate.subject, _authority_key_identifier(self.certificate))
        specimen = builder.sign(ec.generate_private_key(ec.SECP256R1()), self._hash())
        return Draft(order, builder, specimen)

    def lint(self, draft: Draft) -> Ticket:
        """Examine a draft. Raises CertificateRefused with every finding."""
        findings = lint(draft.specimen, draft.order.profile)
        if draft.order.not_after > self.certificate.not_valid_after_utc:
            raise CertificateRefused("certificate.outlives_issuer", "it would outlive the authority that issues it")
        if findings:
            listed = [f"{finding.clause}: {finding.message}" for finding in findings]
            raise CertificateRefused("certificate.lint", "; ".join(listed), findings=listed)
        return Ticket(draft, _fingerprint(draft.specimen))

    def issue(self, ticket: Ticket) -> x509.Certificate:
        """Sign what the ticket was given for. Raises CertificateRefused for a used or altered ticket."""
        if ticket.used or ticket.fingerprint != _fingerprint(ticket.draft.specimen):
            raise CertificateRefused("certificate.ticket", "the ticket was used or is for other bytes")
        ticket.used = True
        certificate = ticket.draft.builder.sign(self.private_key, self._hash())
        if _body(certificate) != _body(ticket.draft.specimen):
            raise CertificateRefused("certificate.ticket", "what was signed is not what was examined")
        return certificate

    def certify(self, order: Order) -> x509.Certificate:
        """All three steps in their order."""
        return self.issue(self.lint(self.prepare(order)))

    def _hash(self) -> Any:
        public_key = self.certificate.public_key()
        return suite_for(public_key).hash_for(public_key)


def create_root(private_key: Any, subject: x509.Name, not_before: datetime, not_after: datetime) -> Authority:
    """A self-signed root. Raises CertificateRefused when it would break its profile."""
    order = Order(Profile.ROOT, private_key.public_key(), subject, not_before, not_after)
    public_key = private_key.public_key()
    certificate = _builder(order, subject, None).sign(private_key, suite_for(public_key).hash_for(public_key))
    findings = lint(certificate, Profile.ROOT)
    if findings:
        raise CertificateRefused("certificate.lint", "; ".join(f.message for f in findings))
    return Authority(private_key, certificate)


def _builder(
    order: Order, issuer: x509.Name, authority_key: x509.AuthorityKeyIdentifier | None
) -> x509.CertificateBuilder:
    spec = SPECS[order.profile]
    builder = (
        x509.CertificateBuilder()
        .subject_name(order.subject)
        .issuer_name(issuer)
        .public_key(order.public_key)
        .serial_number(new_serial())
        .not_valid_before(order.not_before)
        .not_valid_after(order.not_after)
        .add_extension(x509.BasicConstraints(ca=spec.is_authority, path_length=spec.path_length), critical=True)
        .add_extension(spec.key_usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(order.public_key), critical=False)
    )
    for value, critical in _optional(order, authority_key):
        builder = builder.add_extension(value, critical=critical)
    return builder


def _optional(
    order: Order, authority_key: x509.AuthorityKeyIdentifier | None
) -> list[tuple[x509.ExtensionType, bool]]:
    spec = SPECS[order.profile]
    found: list[tuple[x509.ExtensionType, bool]] = []
    if authority_key is not None:
        found.append((authority_key, False))
    if spec.purposes:
        found.append((x509.ExtendedKeyUsage(spec.purposes), spec.critical_purposes))
    if spec.no_check:
        found.append((x509.OCSPNoCheck(), False))
    if order.dns_names:
        found.append((x509.SubjectAlternativeName([x509.DNSName(n) for n in order.dns_names]), False))
    if order.crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(order.crl_url)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    if order.ocsp_url:
        location = x509.UniformResourceIdentifier(order.ocsp_url)
        access = x509.AccessDescription(x509.oid.AuthorityInformationAccessOID.OCSP, location)
        found.append((x509.AuthorityInformationAccess([access]), False))
    return found


def _authority_key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _body(certificate: x509.Certificate) -> tuple[Any, ...]:
    """What a certificate says, whoever signed it."""
    return (
        certificate.serial_number,
        certificate.subject,
        certificate.issuer,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.public_key().public_numbers(),  # type: ignore[union-attr]
        list(certificate.extensions),
    )


def _fingerprint(certificate: x509.Certificate) -> bytes:
    return sha256(certificate.tbs_certificate_bytes).digest()
