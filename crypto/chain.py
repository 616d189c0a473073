"""Is this certificate good for this use at this moment? A reasoned report, never a bare boolean.

Path building and path rules are those of `cryptography.x509.verification` (RFC 5280, 6) with its strict CA policy; our own
are the policy for the end certificate and the complete check of revocation lists for every certificate of the path. The
reasons are found by our own look at the certificate, because a path builder only says that there is no path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from crypto.errors import Finding, KeyRefused
from crypto.profiles import Profile, fits
from crypto.revocation import revocation_findings
from crypto.suite import suite_for

MAX_INTERMEDIATES = 5


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What was found. `path` runs from the certificate to its root, empty when there is none."""

    findings: tuple[Finding, ...]
    path: tuple[x509.Certificate, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings


def verify_chain(
    leaf: x509.Certificate,
    *,
    intermediates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
    usage: Profile,
) -> ChainReport:
    """Judge `leaf` for `usage` at the moment `at`, trusting `roots` and what `crls` say."""
    findings = [*_validity(leaf, at), *_usage(leaf, usage), *_quality(leaf)]
    path = _path(leaf, intermediates, roots, at, usage) if not findings else ()
    if not findings and not path:
        findings = _why_no_path(leaf, intermediates, roots)
    for certificate, issuer in zip(path, path[1:], strict=False):
        findings.extend(revocation_findings(certificate, issuer, crls, at))
    if not path and findings:
        # Whoever holds a revoked and expired certificate is told both.
        findings.extend(_known_revocation(leaf, [*intermediates, *roots], crls, at))
    return ChainReport(tuple(findings), path)


def _validity(leaf: x509.Certificate, at: datetime) -> list[Finding]:
    if at < leaf.not_valid_before_utc:
        facts = {"not_before": leaf.not_valid_before_utc.isoformat()}
        return [Finding("chain.not_yet_valid", "证书尚未生效", "The certificate is not valid yet.", facts)]
    if at > leaf.not_valid_after_utc:
        facts = {"not_after": leaf.not_valid_after_utc.isoformat()}
        return [Finding("chain.expired", "证书已过期", "The certificate has expired.", facts)]
    return []


def _usage(leaf: x509.Certificate, usage: Profile) -> list[Finding]:
    if fits(leaf, usage):
        return []
    return [Finding("chain.wrong_profile", "证书的用途与此操作不符", "The certificate is not for this use.", {"usage": usage})]


def _quality(leaf: x509.Certificate) -> list[Finding]:
    try:
        public_key = leaf.public_key()
        suite_for(public_key).check_quality(public_key)
    except (KeyRefused, ValueError, TypeError):
        return [Finding("chain.weak_key", "证书的密钥强度不足或算法不受支持", "The key is too weak or of an unknown kind.")]
    return []


def _path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
    usage: Profile,
) -> tuple[x509.Certificate, ...]:
    if not roots:
        return ()
    verifier = (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(at.replace(tzinfo=None))
        .max_chain_depth(MAX_INTERMEDIATES)
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_leaf_policy(usage))
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(leaf, list(intermediates)).chain)
    except (VerificationError, ValueError):
        return ()


def _leaf_policy(usage: Profile) -> ExtensionPolicy:
    """Purposes and key usage are required; names in the alternative-name extension are not, for officials have none."""

    def must_fit(_policy: Any, certificate: x509.Certificate, _extension: Any) -> None:
        if not fits(certificate, usage):
            raise ValueError("the certificate is not for this use")

    return (
        ExtensionPolicy.permit_all()
        .require_present(x509.KeyUsage, Criticality.CRITICAL, must_fit)
        .require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, must_fit)
    )


def _why_no_path(
    leaf: x509.Certificate, intermediates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> list[Finding]:
    """Tell a forged or foreign certificate from one whose authority is simply not known here."""
    namesakes = [c for c in (*intermediates, *roots) if c.subject == leaf.issuer]
    if not namesakes:
        return [Finding("chain.unknown_issuer", "证书不是由受信任的机构签发的", "Its issuer is not known here.")]
    if not any(_issued_by(leaf, issuer) for issuer in namesakes):
        return [Finding("chain.bad_signature", "证书的签发签名不成立", "The issuer did not sign this certificate.")]
    return [Finding("chain.untrusted", "证书链不能到达受信任的根", "The chain does not reach a trusted root.")]


def _known_revocation(
    leaf: x509.Certificate,
    issuers: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
) -> list[Finding]:
    for issuer in issuers:
        if issuer.subject == leaf.issuer and _issued_by(leaf, issuer):
            return [f for f in revocation_findings(leaf, issuer, crls, at) if f.code == "chain.revoked"]
    return []


def _issued_by(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001  the library raises many kinds here, and all of them mean "no"
        return False
    return True
