"""Detached signatures: CMS (RFC 5652) with the attributes of CAdES-BES and, timestamped, CAdES-T (ETSI EN 319 122-1).

Made in two halves, because the key is elsewhere: `prepare_cms` gives the DER of the signed attributes, which is what the key
signs; `finish_cms` takes the raw signature, checks it, and puts the structure together. Verification returns a report.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import asn1crypto.tsp  # noqa: F401  with it the library knows the attributes of RFC 3161 and RFC 5035 by name
from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crypto import der, profiles
from crypto.chain import ChainReport, verify_chain
from crypto.errors import ContentRefused, CryptoError, Finding, SignatureRefused
from crypto.keys import SigningKey
from crypto.profiles import Profile
from crypto.suite import suite_for

SIZE_LIMIT = 1 << 20

# What an honest opinion or receipt carries; the key agent signs nothing else.
_REQUIRED = frozenset({"content_type", "message_digest", "signing_certificate_v2", "cms_algorithm_protection"})
_ALLOWED = _REQUIRED | {"signing_time"}


# What the libraries raise over bytes that are no container, or hold what is no certificate or no key that we know.
UNREADABLE = (*profiles.UNREADABLE, LookupError, AttributeError, x509.InvalidVersion, CryptoError)


@dataclass(frozen=True, slots=True)
class PreparedCms:
    """The half that waits for its signature. `signed_attributes` is the DER (a SET) that the key signs."""

    signed_attributes: bytes
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """What a verification found. `signed_at` is the signer's claim; `timestamp_at` is the timestamp's word."""

    findings: tuple[Finding, ...]
    signer: x509.Certificate | None = None
    signed_at: datetime | None = None
    timestamp_at: datetime | None = None
    chain: ChainReport | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with the signature."""
        return not self.findings


def prepare_cms(content: bytes, certificate: x509.Certificate, *, signing_time: datetime | None = None) -> PreparedCms:
    """The signed attributes for a detached signature over `content`."""
    attributes = signed_attributes("data", digest_for(certificate, content), certificate, signing_time=signing_time)
    return PreparedCms(attributes, certificate)


def prepare_cms_over_digest(digest: bytes, certificate: x509.Certificate) -> PreparedCms:
    """The signed attributes over content that was hashed elsewhere (the byte ranges of a PDF), with `digest_for`'s hash."""
    return PreparedCms(signed_attributes("data", digest, certificate, signing_time=None), certificate)


def finish_cms(
    prepared: PreparedCms, signature: bytes, *, chain: Sequence[x509.Certificate] = (), timestamp: bytes | None = None
) -> bytes:
    """The CMS in DER. Raises SignatureRefused when `signature` is not the certificate's over the attributes."""
    check_signature(prepared.certificate, signature, prepared.signed_attributes)
    return signed_data(
        "data", None, prepared.certificate, chain, prepared.signed_attributes, signature, timestamp=timestamp
    )


def sign_cms(
    content: bytes, key: SigningKey, *, signing_time: datetime | None = None, timestamp: bytes | None = None
) -> bytes:
    """Both halves at once, for keys that are at hand."""
    prepared = prepare_cms(content, key.certificate, signing_time=signing_time)
    return finish_cms(prepared, key.sign(prepared.signed_attributes), chain=key.chain, timestamp=timestamp)


def check_signature(certificate: x509.Certificate, signature: bytes, data: bytes) -> None:
    """Raise SignatureRefused unless `signature` is the certificate's over `data`."""
    public_key = certificate.public_key()
    if not suite_for(public_key).verify(public_key, signature, data):
        raise SignatureRefused("signature.wrong", "the signature is not this certificate's over these bytes")


def verify_cms(
    signature: bytes,
    content: bytes,
    *,
    roots: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate] = (),
    crls: Sequence[x509.CertificateRevocationList] = (),
    at: datetime,
    usage: Profile = Profile.SIGNING,
) -> SignatureReport:
    """Judge a detached signature over `content`. The chain is judged at its timestamp when it has a good one, else at `at`."""
    try:
        opened = open_cms(signature)
    except ContentRefused as error:
        return SignatureReport((Finding(error.code, "签名数据无法读取", error.message),))
    findings = list(integrity_findings(opened, content, "data"))
    stamped_at, stamp_findings = _timestamp(opened, roots, intermediates, crls, at)
    findings.extend(stamp_findings)
    chain = verify_chain(
        opened.signer,
        intermediates=[*intermediates, *opened.others],
        roots=roots,
        crls=crls,
        at=stamped_at or at,
        usage=usage,
    )
    findings.extend(stray_findings(opened, chain))
    return SignatureReport((*findings, *chain.findings), opened.signer, opened.signed_at, stamped_at, chain)


@dataclass(frozen=True, slots=True)
class Opened:
    """A CMS with one signer, taken apart."""

    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]
    attributes: dict[str, Any]
    attributes_der: bytes
    signature: bytes
    content: bytes | None
    content_type: str
    timestamp: bytes | None
    signed_at: datetime | None


def open_cms(data: bytes) -> Opened:
    """Take a SignedData with exactly one signer apart. Raises ContentRefused for anything else."""
    if len(data) > SIZE_LIMIT:
        raise ContentRefused("cms.too_large", f"more than {SIZE_LIMIT} bytes")
    try:
        return _open(data)
    except UNREADABLE as error:
        raise ContentRefused("cms.unreadable", "not a CMS signature that we can read") from error


def _open(data: bytes) -> Opened:
    info = cms.ContentInfo.load(data, strict=True)
    if info["content_type"].native != "signed_data":
        raise ValueError("not SignedData")
    body = info["content"]
    (signer_info,) = body["signer_infos"]
    certificates = [x509.load_der_x509_certificate(der.sequence(c.chosen.contents)) for c in body["certificates"]]
    serial = signer_info["sid"].chosen["serial_number"].native
    (signer,) = {c for c in certificates if c.serial_number == serial}
    attributes = _attribute_map(signer_info["signed_attrs"])
    unsigned = _attribute_map(signer_info["unsigned_attrs"])
    stamp = unsigned.get("signature_time_stamp_token")
    encapsulated = body["encap_content_info"]
    opened = Opened(
        signer=signer,
        others=tuple(c for c in certificates if c != signer),
        attributes=attributes,
        attributes_der=der.element(der.SET, signer_info["signed_attrs"].contents),
        signature=bytes(signer_info["signature"].native),
        content=None if isinstance(encapsulated["content"], core.Void) else encapsulated["content"].contents,
        content_type=encapsulated["content_type"].native,
        timestamp=der.sequence(stamp.contents) if stamp is not None else None,
        signed_at=attributes["signing_time"].native if "signing_time" in attributes else None,
    )
    if data != _again(opened):
        raise ValueError("not in its one encoding")
    return opened


def _again(opened: Opened) -> bytes:
    """The container as we would put it together. What is not signed in it has one spelling, so any change is told."""
    return signed_data(
        opened.content_type,
        opened.content,
        opened.signer,
        opened.others,
        opened.attributes_der,
        opened.signature,
        timestamp=opened.timestamp,
    )


def _attribute_map(attributes: Any) -> dict[str, Any]:
    """Attributes by name. A repeated or many-valued attribute would let two readers see two things."""
    found: dict[str, Any] = {}
    for attribute in () if isinstance(attributes, core.Void) else attributes:
        kind = attribute["type"].native
        (value,) = attribute["values"]
        if kind in found:
            raise ValueError(f"attribute {kind} is repeated")
        found[kind] = value
    return found


def integrity_findings(opened: Opened, content: bytes, content_type: str) -> list[Finding]:
    """What is wrong with the signature itself, whoever made it."""
    found = []
    digest = opened.attributes.get("message_digest")
    if digest is None or not hmac.compare_digest(digest.contents, digest_for(opened.signer, content)):
        found.append(
            Finding("signature.content_changed", "签名之后内容已被改动", "The content has changed since it was signed.")
        )
    stated = opened.attributes.get("content_type")
    if stated is None or stated.dump() != _oid(content_type) or opened.content_type != content_type:
        found.append(
            Finding("signature.content_type", "签名的内容类型不符", "The signature is over another type of content.")
        )
    if not _names_certificate(opened.attributes.get("signing_certificate_v2"), opened.signer):
        found.append(
            Finding(
                "signature.certificate_swapped",
                "签名所绑定的证书与所附证书不一致",
                "It was made with another certificate.",
            )
        )
    public_key = opened.signer.public_key()
    if not suite_for(public_key).verify(public_key, opened.signature, opened.attributes_der):
        found.append(Finding("signature.wrong", "签名值不成立", "The signature value is wrong."))
    return found


def stray_findings(opened: Opened, chain: ChainReport) -> list[Finding]:
    """Certificates in the container are outside the signature's cover, so each must be one that the chain needs."""
    if not chain.path or set(opened.others) <= set(chain.path):
        return []
    return [
        Finding("signature.stray_certificate", "签名中夹带了无关的证书", "It carries a certificate of another chain.")
    ]


def _timestamp(
    opened: Opened,
    roots: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
) -> tuple[datetime | None, Sequence[Finding]]:
    if opened.timestamp is None:
        return None, ()
    from crypto.timestamp import verify_timestamp

    report = verify_timestamp(
        opened.timestamp, opened.signature, roots=roots, intermediates=intermediates, crls=crls, at=at
    )
    return (report.at if report.ok else None), report.findings


def check_signed_attributes(
    attributes: bytes, certificate: x509.Certificate, *, content: bytes | None = None, digest: bytes | None = None
) -> None:
    """What the key agent checks before it signs: that these are signed attributes of ours, over what it shows.

    Raises SignatureRefused. Anything that is not exactly such a set is refused, so the key signs no foreign bytes.
    """
    try:
        found = _attribute_map(cms.CMSAttributes.load(attributes, strict=True))
    except (ValueError, TypeError, KeyError) as error:
        raise SignatureRefused("attributes.unreadable", "these are no signed attributes") from error
    if not _REQUIRED <= set(found) <= _ALLOWED or found["content_type"].native != "data":
        raise SignatureRefused("attributes.foreign", "the attributes are not those of a document signature")
    expected = digest_for(certificate, content) if content is not None else digest
    if expected is None or not hmac.compare_digest(found["message_digest"].native, expected):
        raise SignatureRefused("attributes.other_content", "the attributes are over other content than is shown")
    if not _names_certificate(found["signing_certificate_v2"], certificate):
        raise SignatureRefused("attributes.other_certificate", "the attributes name another certificate")
    signing_time = found["signing_time"].native if "signing_time" in found else None
    if attributes != signed_attributes("data", expected, certificate, signing_time=signing_time):
        raise SignatureRefused("attributes.not_der", "the attributes are not in their one encoding")


# --- building blocks, shared with timestamps and signed PDF -----------------------------------------------------------


def hash_of(certificate: x509.Certificate) -> hashes.HashAlgorithm:
    """The hash that goes with signatures of the certificate's key."""
    public_key = certificate.public_key()
    return suite_for(public_key).hash_for(public_key)


def digest_for(certificate: x509.Certificate, data: bytes) -> bytes:
    """The digest of `data` with the hash that goes with the certificate's key."""
    digest = hashes.Hash(hash_of(certificate))
    digest.update(data)
    return digest.finalize()


def to_asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    """The same certificate as the ASN.1 library knows it."""
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def signature_algorithm(certificate: x509.Certificate) -> algos.SignedDigestAlgorithm:
    """The algorithm of signatures of the certificate's key, as a container names it."""
    kind = "ecdsa" if isinstance(certificate.public_key(), ec.EllipticCurvePublicKey) else "rsa"
    return algos.SignedDigestAlgorithm({"algorithm": f"{hash_of(certificate).name}_{kind}"})


def signed_attributes(
    content_type: str, digest: bytes, certificate: x509.Certificate, *, signing_time: datetime | None
) -> bytes:
    """The attributes of CAdES-BES over content with this digest: the DER of a SET."""
    protection = der.sequence(
        _digest_algorithm(certificate), der.retagged(der.CONTEXT | 1, signature_algorithm(certificate).dump())
    )
    values = [
        ("content_type", _oid(content_type)),
        ("message_digest", der.element(der.OCTET_STRING, digest)),
        ("signing_certificate_v2", der.sequence(der.sequence(_certificate_identifier(certificate)))),
        ("cms_algorithm_protection", protection),
    ]
    if signing_time is not None:
        values.append(("signing_time", core.UTCTime(signing_time.replace(microsecond=0)).dump()))
    return der.set_of(*(_attribute(kind, value) for kind, value in values))


def _attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(cms.CMSAttributeType(kind).dump(), der.set_of(value))


def _certificate_identifier(certificate: x509.Certificate) -> bytes:
    """An ESSCertIDv2 (RFC 5035, section 4): SHA-256, the hash that is left out because it is the default."""
    digest = sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
    issuer = der.sequence(der.context(4, certificate.issuer.public_bytes()))
    return der.sequence(
        der.element(der.OCTET_STRING, digest), der.sequence(issuer, _integer(certificate.serial_number))
    )


def signed_data(
    content_type: str,
    content: bytes | None,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    attributes: bytes,
    signature: bytes,
    *,
    timestamp: bytes | None = None,
) -> bytes:
    """The ContentInfo of a SignedData (RFC 5652, section 5) around a signature over `attributes`, the DER of a SET."""
    digest_algorithm = _digest_algorithm(certificate)
    octets = [der.context(0, der.element(der.OCTET_STRING, content))] if content is not None else []
    unsigned = [der.context(1, _attribute("signature_time_stamp_token", timestamp))] if timestamp is not None else []
    signer = der.sequence(
        _integer(1),
        der.sequence(certificate.issuer.public_bytes(), _integer(certificate.serial_number)),
        digest_algorithm,
        der.retagged(der.CONTEXT, attributes),
        signature_algorithm(certificate).dump(),
        der.element(der.OCTET_STRING, signature),
        *unsigned,
    )
    certificates = der.set_of(*(c.public_bytes(serialization.Encoding.DER) for c in (certificate, *chain)))
    body = der.sequence(
        _integer(1 if content_type == "data" else 3),
        der.set_of(digest_algorithm),
        der.sequence(_oid(content_type), *octets),
        der.retagged(der.CONTEXT, certificates),
        der.set_of(signer),
    )
    return der.sequence(_oid("signed_data"), der.context(0, body))


def _digest_algorithm(certificate: x509.Certificate) -> bytes:
    return bytes(algos.DigestAlgorithm({"algorithm": hash_of(certificate).name}).dump())


def _oid(content_type: str) -> bytes:
    return bytes(cms.ContentType(content_type).dump())


def _integer(value: int) -> bytes:
    return bytes(core.Integer(value).dump())


def _names_certificate(value: Any, certificate: x509.Certificate) -> bool:
    """Whether a signing-certificate-v2 attribute names this certificate by its SHA-256 (RFC 5035)."""
    digest = sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
    try:
        first = value["certs"][0]
        return bool(first["hash_algorithm"]["algorithm"].native == "sha256" and first["cert_hash"].native == digest)
    except UNREADABLE:  # The library reads an attribute only when it is asked for a part of it.
        return False
