"""Revocation: lists (RFC 5280, 5) and answers (RFC 6960), made and read.

We read complete lists only: delta, indirect and by-reason lists, lists of another distribution point, and lists with
critical extensions we do not know, are refused rather than half understood. A list past its next update is no list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from crypto.authority import Authority
from crypto.errors import CertificateRefused, ContentRefused, Finding
from crypto.profiles import UNREADABLE, extension, is_authority
from crypto.suite import suite_for

UNSPECIFIED = "unspecified"
NONCE_LIMIT = 128  # RFC 9654, 2.1
_HOLD = x509.ReasonFlags.certificate_hold.value
_KNOWN_OF_LISTS = frozenset({ExtensionOID.ISSUING_DISTRIBUTION_POINT})
_KNOWN_OF_ENTRIES = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revoked certificate. `reason` is a word of RFC 5280, 5.3.1: `keyCompromise`, `superseded` …"""

    serial: int
    at: datetime
    reason: str = UNSPECIFIED


# --- lists: made ------------------------------------------------------------------------------------------------------


def build_crl(
    authority: Authority, entries: Iterable[Revocation], *, number: int, this_update: datetime, next_update: datetime
) -> bytes:
    """A complete list in DER, signed by the authority.

    Raises CertificateRefused when the authority may sign no lists, or an entry stands twice or has no known reason.
    """
    if not _may_sign_lists(authority.certificate):
        raise CertificateRefused("crl.no_authority", "RFC 5280 4.2.1.3: this certificate may sign no revocation lists")
    identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(authority_key, critical=False)
    )
    for entry in _without_doubles(entries):
        builder = builder.add_revoked_certificate(_built(entry))
    crl = suite_for(authority.certificate.public_key()).sign_built(builder, authority.private_key)
    return crl.public_bytes(serialization.Encoding.DER)


def _without_doubles(entries: Iterable[Revocation]) -> list[Revocation]:
    listed = list(entries)
    if len({entry.serial for entry in listed}) != len(listed):
        raise CertificateRefused("crl.double", "a certificate stands on the list twice")
    return listed


def _built(entry: Revocation) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.at)
    reason = _flag(entry.reason)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    return builder.build()


def _flag(reason: str) -> x509.ReasonFlags | None:
    """A reason as lists and answers carry it: unspecified is said by saying nothing (RFC 5280, 5.3.1)."""
    try:
        flag = x509.ReasonFlags(reason)
    except ValueError as error:
        raise CertificateRefused("crl.reason", f"RFC 5280 5.3.1 knows no reason {reason!r}") from error
    if flag is x509.ReasonFlags.remove_from_crl:
        raise CertificateRefused("crl.reason", "RFC 5280 5.3.1: removeFromCRL stands in delta lists only")
    return None if flag is x509.ReasonFlags.unspecified else flag


# --- lists: read ------------------------------------------------------------------------------------------------------


def revocation_findings(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
) -> list[Finding]:
    """What the issuer's lists say against `certificate` at the moment `at`; empty when it is good."""
    lists = [crl for crl in crls if _is_of(crl, issuer) and _is_understood(crl) and _covers(crl, certificate)]
    if not lists:
        zh, en = "没有签发机构的完整吊销列表，无法确认证书状态", "There is no complete revocation list of the issuer."
        return [Finding("chain.crl_missing", zh, en)]
    lists.sort(key=lambda crl: crl.last_update_utc)
    entry = _entry(lists, certificate.serial_number)
    if entry is not None and entry.revocation_date_utc <= at:
        facts = {"at": entry.revocation_date_utc.isoformat(), "reason": _reason(entry)}
        return [Finding("chain.revoked", "证书已被吊销", "The certificate has been revoked.", facts)]
    next_update = lists[-1].next_update_utc
    if next_update is None or next_update <= at:
        zh, en = "吊销列表已过期，无法确认证书状态", "The issuer's revocation list is past its next update."
        return [Finding("chain.crl_stale", zh, en)]
    return []


def _entry(lists: Sequence[x509.CertificateRevocationList], serial: int) -> x509.RevokedCertificate | None:
    """The entry that counts: the newest list's, else an older one's that was no mere hold.

    Nothing but a hold is ever taken back (RFC 5280, 5.3.1), yet lists may drop what has expired (5): then the older
    list is the only witness.
    """
    *older, newest = (crl.get_revoked_certificate_by_serial_number(serial) for crl in lists)
    return newest or next((entry for entry in older if entry is not None and _reason(entry) != _HOLD), None)


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        return str(entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value)
    except x509.ExtensionNotFound:
        return UNSPECIFIED


def _is_of(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether the issuer signed this list, and may sign lists (RFC 5280, 6.3.3 f, g)."""
    try:
        signed = crl.issuer == issuer.subject and crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except UNREADABLE:
        return False
    return signed and _may_sign_lists(issuer)


def _may_sign_lists(certificate: x509.Certificate) -> bool:
    usage = extension(certificate, x509.KeyUsage)
    return usage is not None and usage.value.crl_sign


def _is_understood(crl: x509.CertificateRevocationList) -> bool:
    """Whether nothing critical in the list, or in any of its entries, is beyond us (RFC 5280, 5.2, 5.3)."""
    try:
        if any(isinstance(found.value, x509.DeltaCRLIndicator) for found in crl.extensions):
            return False
        return _all_known(crl.extensions, _KNOWN_OF_LISTS) and all(
            _all_known(entry.extensions, _KNOWN_OF_ENTRIES) for entry in crl
        )
    except UNREADABLE:
        return False


def _all_known(extensions: x509.Extensions, known: frozenset[x509.ObjectIdentifier]) -> bool:
    return all(not found.critical or found.oid in known for found in extensions)


def _covers(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    """Whether the list, by its own account of its scope, speaks of this certificate (RFC 5280, 5.2.5, 6.3.3 b)."""
    try:
        point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs or point.relative_name:
        return False
    # What a certificate says of itself decides, not its place in the chain: an authority can stand last in one.
    in_scope = not (point.only_contains_user_certs if is_authority(certificate) else point.only_contains_ca_certs)
    return in_scope and (point.full_name is None or not _points(certificate).isdisjoint(point.full_name))


def _points(certificate: x509.Certificate) -> set[x509.GeneralName]:
    found = extension(certificate, x509.CRLDistributionPoints)
    return {name for point in found.value for name in point.full_name or ()} if found is not None else set()


# --- answers ----------------------------------------------------------------------------------------------------------


class Standing(StrEnum):
    """What a register says of a certificate that it has not revoked."""

    GOOD = "good"
    UNKNOWN = "unknown"


class Refusal(StrEnum):
    """Why a request gets no answer (RFC 6960, 2.3)."""

    MALFORMED = "malformed_request"
    INTERNAL = "internal_error"
    TRY_LATER = "try_later"
    UNAUTHORIZED = "unauthorized"


@dataclass(frozen=True, slots=True)
class OcspQuestion:
    """Which certificate a request asks about, and the nonce that its answer must repeat."""

    serial: int
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    algorithm: hashes.HashAlgorithm
    nonce: bytes | None

    def is_about(self, issuer: x509.Certificate) -> bool:
        """Whether the certificate asked about would be this issuer's."""
        body = asn1.Certificate.load(issuer.public_bytes(serialization.Encoding.DER))["tbs_certificate"]
        name = body["subject"].dump()
        key = body["subject_public_key_info"]["public_key"].contents[1:]  # without the count of unused bits
        return self.issuer_name_hash == self._hash(name) and self.issuer_key_hash == self._hash(key)

    def _hash(self, data: bytes) -> bytes:
        digest = hashes.Hash(self.algorithm)
        digest.update(data)
        return digest.finalize()


def read_ocsp_request(der: bytes) -> OcspQuestion:
    """The one question of a request. Raises ContentRefused: answer that with `refuse_ocsp(Refusal.MALFORMED)`."""
    try:
        asked = ocsp.load_der_ocsp_request(der)
        nonces = [found.value.nonce for found in asked.extensions if isinstance(found.value, x509.OCSPNonce)]
        question = OcspQuestion(
            asked.serial_number,
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.hash_algorithm,
            nonces[0] if nonces else None,
        )
    except (*UNREADABLE, NotImplementedError) as error:
        raise ContentRefused("ocsp.malformed", "this is no request about one certificate") from error
    if question.nonce is not None and not 0 < len(question.nonce) <= NONCE_LIMIT:
        raise ContentRefused("ocsp.nonce", f"RFC 9654 2.1: a nonce has 1 to {NONCE_LIMIT} octets")
    return question


def answer_ocsp(
    question: OcspQuestion,
    *,
    issuer: x509.Certificate,
    responder: Authority,
    standing: Revocation | Standing,
    at: datetime,
    next_update: datetime,
) -> bytes:
    """The signed answer in DER. Of another issuer's certificates we know nothing, whatever `standing` says.

    `at` and `next_update` bound the time for which it holds; when it was produced, the library takes from the clock.
    """
    if not question.is_about(issuer):
        return refuse_ocsp(Refusal.UNAUTHORIZED)
    revoked = standing if isinstance(standing, Revocation) else None
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        question.issuer_name_hash,
        question.issuer_key_hash,
        question.serial,
        question.algorithm,
        cert_status=_status(standing),
        this_update=at,
        next_update=next_update,
        revocation_time=revoked.at if revoked else None,
        revocation_reason=_flag(revoked.reason) if revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    builder = builder.certificates([responder.certificate])
    if question.nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(question.nonce), critical=False)
    answer = suite_for(responder.certificate.public_key()).sign_built(builder, responder.private_key)
    return answer.public_bytes(serialization.Encoding.DER)


def _status(standing: Revocation | Standing) -> ocsp.OCSPCertStatus:
    if isinstance(standing, Revocation):
        return ocsp.OCSPCertStatus.REVOKED
    return ocsp.OCSPCertStatus[standing.name]


def refuse_ocsp(refusal: Refusal) -> bytes:
    """An unsigned answer in DER that says why there is no other."""
    status = ocsp.OCSPResponseStatus[refusal.value.upper()]
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)
