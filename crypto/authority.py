"""A certification authority: prepare, lint, ticket, issue — in this order, because no other order exists.

`prepare` builds the certificate under a signature that nobody trusts; `lint` examines it and, when nothing is wrong,
hands out a ticket bound to those very bytes; `issue` takes the ticket, once, and signs those bytes and no others. The
authority alone knows which tickets are good, so no way to `issue` leads around `lint`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from crypto.errors import CertificateRefused
from crypto.lint import lint
from crypto.profiles import SPECS, Profile, extension
from crypto.suite import suite_for


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be certified. `crl_url` and `ocsp_url` go into the certificate for others to find; without a `serial`
    a new one is made up."""

    profile: Profile
    public_key: Any
    subject: x509.Name
    not_before: datetime
    not_after: datetime
    crl_url: str | None = None
    ocsp_url: str | None = None
    dns_names: tuple[str, ...] = ()
    serial: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A certificate as it would be issued, under the signature of a key that nobody trusts."""

    profile: Profile
    specimen: x509.Certificate


class Ticket:
    """Leave to issue one draft, once. Only the authority that gave it honours it: one made by hand is worth nothing."""

    __slots__ = ("__weakref__",)


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

    def __init__(
        self, private_key: Any, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...] = ()
    ) -> None:
        if private_key.public_key() != certificate.public_key():
            raise CertificateRefused("authority.other_key", "the certificate belongs to another key")
        self.private_key = private_key
        self.certificate = certificate
        self.chain = (certificate, *chain)
        self._tickets: WeakKeyDictionary[Ticket, x509.Certificate] = WeakKeyDictionary()

    def prepare(self, order: Order) -> Draft:
        """Build what would be issued. Raises CertificateRefused for an order that no certificate can hold."""
        return _draft(order, self.certificate.subject, self.certificate.public_key(), _key_identifier(self.certificate))

    def lint(self, draft: Draft) -> Ticket:
        """Examine a draft. Raises CertificateRefused with every finding."""
        _check_lint(draft)
        if not self._stands_in(draft.specimen):
            raise CertificateRefused("certificate.other_issuer", "RFC 5280 4.1.2.4: it names another authority")
        if draft.specimen.not_valid_after_utc > self.certificate.not_valid_after_utc:
            raise CertificateRefused("certificate.outlives_issuer", "it would outlive the authority that issues it")
        if SPECS[draft.profile].is_authority and not self._may_found_authorities():
            raise CertificateRefused(
                "certificate.path_length", "RFC 5280 4.2.1.9: no authority may stand below this one"
            )
        ticket = Ticket()
        self._tickets[ticket] = draft.specimen
        return ticket

    def issue(self, ticket: Ticket) -> x509.Certificate:
        """Sign the very bytes the ticket was given for. Raises CertificateRefused for a used or foreign ticket."""
        specimen = self._tickets.pop(ticket, None)
        if specimen is None:
            raise CertificateRefused("certificate.ticket", "the ticket was used, or another authority gave it")
        return _sign(specimen, self.private_key)

    def certify(self, order: Order) -> x509.Certificate:
        """All three steps in their order."""
        return self.issue(self.lint(self.prepare(order)))

    def _stands_in(self, specimen: x509.Certificate) -> bool:
        stated = extension(specimen, x509.AuthorityKeyIdentifier)
        named = specimen.issuer == self.certificate.subject
        return named and stated is not None and stated.value == _key_identifier(self.certificate)

    def _may_found_authorities(self) -> bool:
        constraints = extension(self.certificate, x509.BasicConstraints)
        return constraints is not None and constraints.value.path_length != 0


def create_root(private_key: Any, subject: x509.Name, not_before: datetime, not_after: datetime) -> Authority:
    """A self-signed root. Raises CertificateRefused when it would break its profile."""
    order = Order(Profile.ROOT, private_key.public_key(), subject, not_before, not_after)
    draft = _draft(order, subject, order.public_key, None)
    _check_lint(draft)
    return Authority(private_key, _sign(draft.specimen, private_key))


def create_issuing(
    root: Authority, private_key: Any, subject: x509.Name, not_before: datetime, not_after: datetime
) -> Authority:
    """An issuing authority below `root`. Raises CertificateRefused when it would break its profile."""
    order = Order(Profile.ISSUING, private_key.public_key(), subject, not_before, not_after)
    return Authority(private_key, root.certify(order), root.chain)


def _draft(
    order: Order, issuer: x509.Name, issuer_key: Any, authority_key: x509.AuthorityKeyIdentifier | None
) -> Draft:
    suite = suite_for(issuer_key)
    try:
        specimen = suite.sign_built(_builder(order, issuer, authority_key), suite.specimen_key(issuer_key))
    except (ValueError, TypeError) as error:
        raise CertificateRefused("certificate.order", str(error)) from error
    return Draft(order.profile, specimen)


def _check_lint(draft: Draft) -> None:
    listed = [f"{finding.clause}: {finding.message}" for finding in lint(draft.specimen, draft.profile)]
    if listed:
        raise CertificateRefused("certificate.lint", "; ".join(listed), findings=listed)


def _sign(specimen: x509.Certificate, private_key: Any) -> x509.Certificate:
    """The specimen's own bytes under the real signature: what is signed is what was examined, to the last octet."""
    suite, body = suite_for(private_key.public_key()), specimen.tbs_certificate_bytes
    signature = suite.sign(private_key, body)
    if not suite.verify(private_key.public_key(), signature, body):
        raise CertificateRefused("authority.faulty_key", "the authority's key made a signature that does not verify")
    certificate = asn1.Certificate.load(specimen.public_bytes(serialization.Encoding.DER))
    certificate["signature_value"] = signature
    return x509.load_der_x509_certificate(certificate.dump())


def _builder(
    order: Order, issuer: x509.Name, authority_key: x509.AuthorityKeyIdentifier | None
) -> x509.CertificateBuilder:
    spec = SPECS[order.profile]
    builder = (
        x509.CertificateBuilder()
        .subject_name(order.subject)
        .issuer_name(issuer)
        .public_key(order.public_key)
        .serial_number(order.serial or new_serial())
        .not_valid_before(order.not_before)
        .not_valid_after(order.not_after)
        .add_extension(x509.BasicConstraints(ca=spec.is_authority, path_length=spec.path_length), critical=True)
        .add_extension(spec.key_usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(order.public_key), critical=False)
    )
    for value, critical in _optional(order, authority_key):
        builder = builder.add_extension(value, critical=critical)
    return builder


def _optional(order: Order, authority_key: x509.AuthorityKeyIdentifier | None) -> list[tuple[x509.ExtensionType, bool]]:
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
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)
        found.append((x509.AuthorityInformationAccess([access]), False))
    return found


def _key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
