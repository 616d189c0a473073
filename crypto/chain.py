"""Is this certificate good for this use at this moment? A reasoned report, never a bare boolean.

Path building and path rules are those of `cryptography.x509.verification` (RFC 5280, 6) with its strict policies; our
own are what the end certificate must be for, and the check of complete revocation lists for every certificate of the
path. A path builder only says that there is no path; why there is none, we find out by following the signatures
ourselves. What we find that way never makes a certificate good.

    chain.not_yet_valid, chain.expired    it, or an authority above it (facts: subject, and the moment)
    chain.revoked                         it, or an authority above it (facts: at, reason)
    chain.wrong_profile                   it is for another use, or none of ours
    chain.weak_key                        its key, or an authority's, is too weak or of an unknown kind
    chain.unknown_issuer                  nobody we know of has the name of its issuer
    chain.bad_signature                   somebody has that name, and did not sign it
    chain.untrusted                       it leads to a foreign root, or breaks a rule on the way to ours
    chain.crl_missing, chain.crl_stale    nobody can say whether it is revoked
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from crypto.errors import Finding, KeyRefused
from crypto.profiles import UNREADABLE, Profile, fits
from crypto.revocation import revocation_findings
from crypto.suite import suite_for

MAX_INTERMEDIATES = 5
# Whoever signs in brings certificates along; more than these are not worth explaining to.
MAX_EXPLAINED = 32


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What was found. `path` runs from the certificate to its root, empty when there is none."""

    findings: tuple[Finding, ...]
    path: tuple[x509.Certificate, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the certificate leads to a root and nothing is wrong with it."""
        return bool(self.path) and not self.findings


def verify_chain(
    leaf: x509.Certificate,
    *,
    intermediates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
    usage: Profile,
) -> ChainReport:
    """Judge `leaf` for `usage` at the moment `at`, trusting `roots` and what `crls` say.

    Never raises for what stands in a certificate or a list.
    """
    known = [certificate for certificate in (*roots, *intermediates)[:MAX_EXPLAINED] if _is_readable(certificate)]
    if not _is_readable(leaf):
        return ChainReport((_untrusted("证书无法读取", "The certificate cannot be read."),))
    intermediates = [certificate for certificate in intermediates if _is_readable(certificate)]
    own = (*_validity(leaf, at), *_usage(leaf, usage), *_quality(leaf))
    path = () if own else _path(leaf, intermediates, roots, at)
    if path:
        return ChainReport(tuple(_revocations(path, crls, at)), path)
    trail = _trail(leaf, known)
    # Whoever holds a revoked and expired certificate is told both.
    revoked = (finding for finding in _revocations(trail, crls, at) if finding.code == "chain.revoked")
    found = (*own, *_why_no_path(trail, known, roots, at), *revoked)
    broken = _untrusted("证书链违反了证书路径规则", "The chain breaks a rule of certification paths.", trail[-1])
    return ChainReport(found or (broken,))


# --- the certificate itself -------------------------------------------------------------------------------------------


def _is_readable(certificate: x509.Certificate) -> bool:
    """Whether its names can be read, which the library does only when asked, and it is spelled as certificates are.

    A signature fills its octets. Where its last bit is 0, the count of unused bits could be 1 as well, which would be a
    second spelling of the same certificate, good for every check but that of its fingerprint.
    """
    try:
        certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    except UNREADABLE:
        return False
    return certificate.public_bytes(serialization.Encoding.DER).endswith(b"\0" + certificate.signature)


def _validity(certificate: x509.Certificate, at: datetime) -> Iterator[Finding]:
    subject = {"subject": certificate.subject.rfc4514_string()}
    if at < certificate.not_valid_before_utc:
        facts = {**subject, "not_before": certificate.not_valid_before_utc.isoformat()}
        yield Finding("chain.not_yet_valid", "证书尚未生效", "The certificate is not valid yet.", facts)
    if at > certificate.not_valid_after_utc:
        facts = {**subject, "not_after": certificate.not_valid_after_utc.isoformat()}
        yield Finding("chain.expired", "证书已过期", "The certificate has expired.", facts)


def _usage(leaf: x509.Certificate, usage: Profile) -> Iterator[Finding]:
    if not fits(leaf, usage):
        facts = {"usage": str(usage)}
        yield Finding("chain.wrong_profile", "证书的用途与此操作不符", "The certificate is not for this use.", facts)


def _quality(certificate: x509.Certificate) -> Iterator[Finding]:
    try:
        public_key = certificate.public_key()
        suite_for(public_key).check_quality(public_key)
    except (KeyRefused, *UNREADABLE):
        facts = {"subject": certificate.subject.rfc4514_string()}
        zh, en = "证书的密钥强度不足或算法不受支持", "The key is too weak or of an unknown kind."
        yield Finding("chain.weak_key", zh, en, facts)


# --- its path ---------------------------------------------------------------------------------------------------------


# What the certificate is for has been judged before; alternative names are not required, for officials have none.
_LEAF_POLICY = (
    ExtensionPolicy.webpki_defaults_ee()
    .require_present(x509.KeyUsage, Criticality.CRITICAL, None)
    .require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None)
    .may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
)


def _path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    """The path from `leaf` to one of `roots` that keeps every rule; empty when there is none."""
    if not roots:
        return ()
    verifier = (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(at)
        .max_chain_depth(MAX_INTERMEDIATES)
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_LEAF_POLICY)
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(leaf, list(intermediates)).chain)
    except (VerificationError, *UNREADABLE):
        return ()


def _revocations(
    path: Sequence[x509.Certificate], crls: Sequence[x509.CertificateRevocationList], at: datetime
) -> Iterator[Finding]:
    for certificate, issuer in pairwise(path):
        yield from revocation_findings(certificate, issuer, crls, at)


# --- why there is none ------------------------------------------------------------------------------------------------


def _trail(leaf: x509.Certificate, known: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The certificates from `leaf` upwards as far as names and signatures lead, whatever else is wrong with them."""
    trail = [leaf]
    while len(trail) <= MAX_INTERMEDIATES + 1:
        above = next((c for c in known if c not in trail and _is_issued_by(trail[-1], c)), None)
        if above is None:
            break
        trail.append(above)
    return tuple(trail)


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _why_no_path(
    trail: Sequence[x509.Certificate],
    known: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> Iterator[Finding]:
    """Tell the forged from the foreign, and both from the chain of ours that has an expired or weak authority in it."""
    *_, last = trail
    for authority in trail[1:]:
        yield from _validity(authority, at)
        yield from _quality(authority)
    if last in roots:
        return
    facts = {"issuer": last.issuer.rfc4514_string()}
    namesakes = [certificate for certificate in known if certificate.subject == last.issuer]
    if namesakes and not any(_is_issued_by(last, namesake) for namesake in namesakes):
        yield Finding("chain.bad_signature", "证书的签发签名不成立", "The issuer did not sign this certificate.", facts)
    elif len(trail) == 1:
        yield Finding("chain.unknown_issuer", "证书不是由受信任的机构签发的", "Its issuer is not known here.", facts)
    else:
        yield _untrusted("证书链不能到达受信任的根", "The chain does not reach a trusted root.", last)


def _untrusted(zh: str, en: str, last: x509.Certificate | None = None) -> Finding:
    return Finding("chain.untrusted", zh, en, {"issuer": last.issuer.rfc4514_string()} if last is not None else {})
