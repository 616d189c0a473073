"""Certificate profiles: what each kind of certificate holds, and what it may be used for (RFC 5280, 4.2.1).

An official has two certificates on one key device, each with its own key: one signs in, the other signs documents, so
that neither signature can ever be passed off as the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

Value = TypeVar("Value", bound=x509.ExtensionType)

# What the library raises, late and in many kinds, when a certificate or list holds what it cannot read.
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)

# Our arc under 2.25 (ITU-T X.667: UUID-derived, so it needs no registration and collides with nobody's).
_ARC = "2.25.265104518973016184735560942871064187325"
SIGN_IN_PURPOSE = ObjectIdentifier(f"{_ARC}.1")
SEAL_PURPOSE = ObjectIdentifier(f"{_ARC}.2")
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336

_NO_USAGE = {
    "digital_signature": False,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}


def _usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{**_NO_USAGE, **dict.fromkeys(names, True)})


class Profile(StrEnum):
    """The kinds of certificate."""

    ROOT = "root"
    ISSUING = "issuing"
    SIGN_IN = "sign-in"
    SIGNING = "signing"
    SEAL = "seal"
    SERVER = "server"
    TIMESTAMP = "timestamp"
    OCSP = "ocsp"


@dataclass(frozen=True, slots=True)
class Spec:
    """What a profile prescribes: key usage, extended key usage, longest life, and place in the chain."""

    key_usage: x509.KeyUsage
    purposes: tuple[ObjectIdentifier, ...]
    life: timedelta
    path_length: int | None = None
    critical_purposes: bool = False
    no_check: bool = False

    @property
    def is_authority(self) -> bool:
        """Whether certificates of this profile issue others."""
        return self.path_length is not None


_YEAR = timedelta(days=365)

SPECS: dict[Profile, Spec] = {
    Profile.ROOT: Spec(_usage("key_cert_sign", "crl_sign"), (), 20 * _YEAR, path_length=1),
    Profile.ISSUING: Spec(_usage("key_cert_sign", "crl_sign"), (), 10 * _YEAR, path_length=0),
    Profile.SIGN_IN: Spec(_usage("digital_signature"), (ExtendedKeyUsageOID.CLIENT_AUTH, SIGN_IN_PURPOSE), 3 * _YEAR),
    Profile.SIGNING: Spec(_usage("digital_signature", "content_commitment"), (DOCUMENT_SIGNING,), 3 * _YEAR),
    Profile.SEAL: Spec(_usage("digital_signature", "content_commitment"), (SEAL_PURPOSE,), 5 * _YEAR),
    Profile.SERVER: Spec(_usage("digital_signature"), (ExtendedKeyUsageOID.SERVER_AUTH,), _YEAR),
    # A timestamp must outlive what it stamps, so its certificate lives as long as the issuing authority's.
    Profile.TIMESTAMP: Spec(
        _usage("digital_signature"), (ExtendedKeyUsageOID.TIME_STAMPING,), 10 * _YEAR, critical_purposes=True
    ),
    Profile.OCSP: Spec(_usage("digital_signature"), (ExtendedKeyUsageOID.OCSP_SIGNING,), _YEAR, no_check=True),
}

# The one purpose that makes a certificate fit for a use.
PURPOSE: dict[Profile, ObjectIdentifier] = {
    Profile.SIGN_IN: SIGN_IN_PURPOSE,
    Profile.SIGNING: DOCUMENT_SIGNING,
    Profile.SEAL: SEAL_PURPOSE,
    Profile.SERVER: ExtendedKeyUsageOID.SERVER_AUTH,
    Profile.TIMESTAMP: ExtendedKeyUsageOID.TIME_STAMPING,
    Profile.OCSP: ExtendedKeyUsageOID.OCSP_SIGNING,
}


def extension(certificate: x509.Certificate, kind: type[Value]) -> x509.Extension[Value] | None:
    """A certificate's extension of this kind; None when there is none, or when the extensions cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except (*UNREADABLE, x509.ExtensionNotFound):
        return None


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate says of itself that it belongs to an authority (RFC 5280, 4.2.1.9)."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.value.ca


def profile_of(certificate: x509.Certificate) -> Profile | None:
    """The profile a certificate follows, judged by its purposes and its place; None when it is none of ours."""
    if is_authority(certificate):
        return Profile.ROOT if certificate.issuer == certificate.subject else Profile.ISSUING
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    stated = set(purposes.value) if purposes is not None else set()
    found = [profile for profile, purpose in PURPOSE.items() if purpose in stated]
    return found[0] if len(found) == 1 else None


def fits(certificate: x509.Certificate, usage: Profile) -> bool:
    """Whether a certificate may be used so: its purposes say this use and no other of ours, its key usage allows it.

    That no certificate fits two uses is what keeps a signature made for one from passing for another.
    """
    spec = SPECS[usage]
    purposes, key_usage = extension(certificate, x509.ExtendedKeyUsage), extension(certificate, x509.KeyUsage)
    if spec.is_authority or purposes is None or key_usage is None or profile_of(certificate) is not usage:
        return False
    if spec.critical_purposes and not (purposes.critical and set(purposes.value) == set(spec.purposes)):
        return False  # RFC 3161, 2.3: critical, and nothing beside it
    commits = key_usage.value.content_commitment or not spec.key_usage.content_commitment
    return key_usage.value.digital_signature and commits and set(spec.purposes) <= set(purposes.value)
