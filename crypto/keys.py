"""Signing keys: what they must be able to do, and the encrypted file that holds one for trials and tests.

A key file (`oa-key/1`) is JSON: certificates in clear, so that they can be listed without a PIN, and the PKCS #8 key
under AES-256-GCM with a scrypt key of the PIN (RFC 7914: N = 2^14, r = 8, p = 1).
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from crypto.errors import KeyRefused
from crypto.profiles import UNREADABLE
from crypto.suite import suite_for

FORMAT = "oa-key/1"
_SCRYPT = {"length": 32, "n": 2**14, "r": 8, "p": 1}
PIN_MINIMUM = 6


class SigningKey(Protocol):
    """A private key with its certificate, wherever the key lives: in a file, in a token, in another process."""

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the key."""

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates above it, as far as they are at hand."""

    def sign(self, data: bytes) -> bytes:
        """A signature over `data` with the certificate's suite."""


@dataclass(frozen=True, slots=True)
class SoftKey:
    """A signing key in this process's memory."""

    private_key: Any
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    def sign(self, data: bytes) -> bytes:
        """A signature over `data` with the certificate's suite. Raises KeyRefused for a key of no suite."""
        return suite_for(self.private_key.public_key()).sign(self.private_key, data)


def seal_key_file(private_key: Any, pin: str, certificates: Sequence[x509.Certificate] = ()) -> bytes:
    """A key file for `private_key` under `pin`. Raises KeyRefused for a PIN that is too short."""
    if len(pin) < PIN_MINIMUM:
        raise KeyRefused("key.pin_short", f"a PIN has at least {PIN_MINIMUM} characters")
    pkcs8 = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    salt, nonce = os.urandom(16), os.urandom(12)
    key = Scrypt(salt=salt, **_SCRYPT).derive(pin.encode())
    content = {
        "format": FORMAT,
        "salt": _b64(salt),
        "nonce": _b64(nonce),
        "key": _b64(AESGCM(key).encrypt(nonce, pkcs8, FORMAT.encode())),
    }
    return _write(content, certificates)


def with_certificates(data: bytes, certificates: Sequence[x509.Certificate]) -> bytes:
    """The same key file holding these certificates; no PIN is needed, for certificates are public."""
    return _write(_read(data), certificates)


def read_certificates(data: bytes) -> list[x509.Certificate]:
    """The certificates of a key file, the key's own first. Raises KeyRefused when it is no key file."""
    try:
        return [x509.load_der_x509_certificate(_unb64(item)) for item in _read(data)["certificates"]]
    except (ValueError, KeyError, TypeError, x509.InvalidVersion) as error:
        raise KeyRefused("key.unreadable", "the key file holds something that is no certificate") from error


def open_private_key(data: bytes, pin: str) -> Any:
    """The private key of a key file. Raises KeyRefused: `key.wrong_pin`, `key.unreadable`."""
    content = _read(data)
    try:
        salt, nonce, sealed = (_unb64(content[part]) for part in ("salt", "nonce", "key"))
        pkcs8 = AESGCM(Scrypt(salt=salt, **_SCRYPT).derive(pin.encode())).decrypt(nonce, sealed, FORMAT.encode())
    except InvalidTag as error:
        raise KeyRefused("key.wrong_pin", "the PIN is wrong") from error
    except (ValueError, KeyError) as error:
        raise KeyRefused("key.unreadable", "the key file lacks a part of its key") from error
    return serialization.load_der_private_key(pkcs8, None)


def open_key_file(data: bytes, pin: str) -> SoftKey:
    """The key of a key file with its certificates.

    Raises KeyRefused, also when it has no certificate yet, or another key's: the certificates are not under the PIN.
    """
    private_key = open_private_key(data, pin)
    certificates = read_certificates(data)
    if not certificates:
        raise KeyRefused("key.no_certificate", "the key file holds no certificate yet")
    if certificates[0].public_key() != private_key.public_key():
        raise KeyRefused("key.other_certificate", "the certificate in the key file belongs to another key")
    return SoftKey(private_key, certificates[0], tuple(certificates[1:]))


def make_csr(private_key: Any, subject: x509.Name) -> bytes:
    """A PKCS #10 request in DER, signed by the key itself: proof that its holder possesses it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return suite_for(private_key.public_key()).sign_built(builder, private_key).public_bytes(serialization.Encoding.DER)


def read_csr(der: bytes) -> x509.CertificateSigningRequest:
    """A PKCS #10 request that shows possession of a good key.

    Raises KeyRefused when it cannot be read, is not signed by its own key, or has a key that is too weak.
    """
    try:
        csr = x509.load_der_x509_csr(der)
        public_key = csr.public_key()
        suite_for(public_key).check_quality(public_key)
        is_signed = csr.is_signature_valid
    except UNREADABLE as error:
        raise KeyRefused("key.bad_request", "this is no certificate request") from error
    if not is_signed:
        raise KeyRefused("key.no_possession", "the request is not signed by its own key")
    return csr


def key_digest(public_key: Any) -> str:
    """How we name a public key: the SHA-256 of its SubjectPublicKeyInfo, in lower-case hex."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return sha256(public_key.public_bytes(encoding, form)).hexdigest()


def serial_text(certificate: x509.Certificate) -> str:
    """A certificate's serial number as we write it: lower-case hex."""
    return format(certificate.serial_number, "x")


def _read(data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise KeyRefused("key.unreadable", "not a key file of this format")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeyRefused("key.unreadable", "not a key file") from error
    return dict(content)


def _write(content: dict[str, Any], certificates: Sequence[x509.Certificate]) -> bytes:
    listed = [_b64(certificate.public_bytes(serialization.Encoding.DER)) for certificate in certificates]
    return json.dumps({**content, "certificates": listed}, indent=1).encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    """Base64 in its one spelling: a letter whose spare bits are set would decode all the same."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise KeyRefused("key.unreadable", "not a key file") from error
    if base64.b64encode(raw).decode() != text:
        raise KeyRefused("key.unreadable", "not a key file of ours")
    return raw
