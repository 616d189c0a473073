"""Revocation: lists (RFC 5280, 5) and answers (RFC 6960), made and read.

We read complete lists only: delta, indirect, partitioned and by-reason lists, and lists with critical extensions we do
not know, are refused rather than half understood. A list past its next update is no list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from crypto.authority import Authority
from crypto.errors import Finding
from crypto.suite import suite_for

_KNOWN_CRITICAL = frozenset({x509.ExtensionOID.ISSUING_DISTRIBUTION_POINT})


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revoked certificate."""

    serial: int
    at: datetime
    reason: str = "unspecified"


def build_crl(
    authority: Authority, entries: Iterable[Revocation], *, number: int, this_update: datetime, next_update: datetime
) -> bytes:
    """A complete list in DER, signed by the authority."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
    )
    for entry in entries:
        revoked = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.at)
        revoked = revoked.add_extension(x509.CRLReason(x509.ReasonFlags(entry.reason)), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    public_key = authority.certificate.public_key()
    crl = builder.sign(authority.private_key, suite_for(public_key).hash_for(public_key))
    return crl.public_bytes(serialization.Encoding.DER)


def revocation_findings(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
) -> list[Finding]:
    """What the issuer's list says against `certificate` at the moment `at`; empty when it is good."""
    own = [crl for crl in crls if crl.issuer == issuer.subject and crl.is_signature_valid(issuer.public_key())]  # type: ignore[arg-type]
    usable = [crl for crl in own if _is_complete(crl)]
    if not usable:
        return [Finding("chain.crl_missing", "没有签发机构的完整吊销列表，无法确认证书状态", "There is no complete CRL.")]
    newest = max(usable, key=lambda crl: crl.last_update_utc)
    entry = newest.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is not None and entry.revocation_date_utc <= at:
        facts = {"at": entry.revocation_date_utc.isoformat(), "reason": _reason(entry)}
        return [Finding("chain.revoked", "证书已被吊销", "The certificate has been revoked.", facts)]
    if newest.next_update_utc is None or newest.next_update_utc <= at:
        return [Finding("chain.crl_stale", "吊销列表已过期，无法确认证书状态", "The CRL is past its next update.")]
    return []


def _is_complete(crl: x509.CertificateRevocationList) -> bool:
    try:
        extensions = crl.extensions
        point = next((e.value for e in extensions if isinstance(e.value, x509.IssuingDistributionPoint)), None)
    except ValueError:
        return False
    if any(isinstance(e.value, x509.DeltaCRLIndicator) for e in extensions):
        return False
    if any(e.critical and e.oid not in _KNOWN_CRITICAL for e in extensions):
        return False
    return point is None or not (
        point.indirect_crl
        or point.only_some_reasons
        or point.only_contains_user_certs
        or point.only_contains_ca_certs
        or point.only_contains_attribute_certs
    )


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        return str(entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value)
    except x509.ExtensionNotFound:
        return "unspecified"


def answer_ocsp(
    request: bytes,
    *,
    issuer: x509.Certificate,
    responder: Authority,
    status: Revocation | None,
    known: bool,
    certificate: x509.Certificate | None,
    at: datetime,
    next_update: datetime,
) -> bytes:
    """The answer (DER) to a parsed request for one certificate; the nonce is echoed. Unknown certificates are refused."""
    asked = ocsp.load_der_ocsp_request(request)
    if not known or certificate is None:
        return ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED).public_bytes(
            serialization.Encoding.DER
        )
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate,
        issuer=issuer,
        algorithm=hashes.SHA1(),  # noqa: S303  RFC 5019 identifies certificates so; nothing rests on its strength
        cert_status=ocsp.OCSPCertStatus.REVOKED if status else ocsp.OCSPCertStatus.GOOD,
        this_update=at,
        next_update=next_update,
        revocation_time=status.at if status else None,
        revocation_reason=x509.ReasonFlags(status.reason) if status else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate).certificates([responder.certificate])
    for extension in asked.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            builder = builder.add_extension(extension.value, critical=False)
    public_key = responder.certificate.public_key()
    response = builder.sign(responder.private_key, suite_for(public_key).hash_for(public_key))
    return response.public_bytes(serialization.Encoding.DER)
