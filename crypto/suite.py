"""Suites: the algorithms that go together. Callers name none of them; they ask the suite.

`intl` signs with ECDSA on P-256 and SHA-256 and also takes P-384 and RSA from 2048 bits. A `gm` suite (SM2, SM3, SM4)
fits behind the same interface: whatever is signed, is signed by `sign` or by `sign_built`, and nowhere else.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from crypto.errors import KeyRefused

RSA_MINIMUM = 2048
RSA_EXPONENT_MINIMUM = 65537
_CURVES = (ec.SECP256R1, ec.SECP384R1)

SignatureHash = hashes.SHA256 | hashes.SHA384
Signed_co = TypeVar("Signed_co", covariant=True)


class Builder(Protocol[Signed_co]):
    """A builder of `cryptography.x509`: of a certificate, a request, a revocation list or an OCSP answer."""

    def sign(self, private_key: Any, algorithm: Any) -> Signed_co:
        """What was built, signed."""


class Suite(Protocol):
    """One family of algorithms. Private keys are any objects that behave like those of `cryptography`."""

    name: str
    hash_name: str

    def digest(self, data: bytes) -> bytes:
        """The suite's hash of `data`."""

    def generate_key(self) -> Any:
        """A fresh private key."""

    def specimen_key(self, public_key: Any) -> Any:
        """A private key that nobody trusts, whose signatures name the same algorithm as `public_key`'s."""

    def hash_for(self, public_key: Any) -> SignatureHash:
        """The hash that goes with signatures of this key."""

    def sign(self, private_key: Any, data: bytes) -> bytes:
        """A signature over `data` (ECDSA: DER). Raises KeyRefused for a key of another kind."""

    def sign_built(self, builder: Builder[Signed_co], private_key: Any) -> Signed_co:
        """What `builder` builds, signed by `private_key`."""

    def verify(self, public_key: Any, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is the key's over `data`. Never raises; a key too weak to trust verifies nothing."""

    def check_quality(self, public_key: Any) -> None:
        """Raise KeyRefused for a key that is too weak or of another kind."""


class International:
    """ECDSA P-256/P-384, RSA PKCS #1 v1.5, SHA-256/SHA-384."""

    name = "intl"
    hash_name = "sha256"

    def digest(self, data: bytes) -> bytes:
        """The SHA-256 of `data`."""
        return sha256(data).digest()

    def generate_key(self) -> ec.EllipticCurvePrivateKey:
        """A fresh key on P-256."""
        return ec.generate_private_key(ec.SECP256R1())

    def specimen_key(self, public_key: Any) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
        """A key of the same kind, on the same curve: nobody trusts it."""
        if isinstance(public_key, rsa.RSAPublicKey):
            return _specimen_rsa_key()
        return ec.generate_private_key(public_key.curve)

    def hash_for(self, public_key: Any) -> SignatureHash:
        """SHA-384 for keys on P-384, SHA-256 for all others."""
        is_p384 = isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(public_key.curve, ec.SECP384R1)
        return hashes.SHA384() if is_p384 else hashes.SHA256()

    def sign(self, private_key: Any, data: bytes) -> bytes:
        """A signature over `data`: ECDSA, or RSA with PKCS #1 v1.5. Raises KeyRefused for a key of another kind."""
        algorithm = self.hash_for(private_key.public_key())
        if isinstance(private_key, ec.EllipticCurvePrivateKey):
            return private_key.sign(data, ec.ECDSA(algorithm))
        if isinstance(private_key, rsa.RSAPrivateKey):
            return private_key.sign(data, padding.PKCS1v15(), algorithm)
        raise KeyRefused("key.kind", "this suite signs with elliptic-curve and RSA keys")

    def sign_built(self, builder: Builder[Signed_co], private_key: Any) -> Signed_co:
        """What `builder` builds, signed by `private_key`."""
        return builder.sign(private_key, self.hash_for(private_key.public_key()))

    def verify(self, public_key: Any, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is the key's over `data`; a key too weak to trust verifies nothing."""
        try:
            self.check_quality(public_key)
            if isinstance(public_key, ec.EllipticCurvePublicKey):
                public_key.verify(signature, data, ec.ECDSA(self.hash_for(public_key)))
            else:
                public_key.verify(signature, data, padding.PKCS1v15(), self.hash_for(public_key))
        except (InvalidSignature, KeyRefused):
            return False
        return True

    def check_quality(self, public_key: Any) -> None:
        """Raises KeyRefused for another curve, an RSA key that is too short or of too small an exponent, and any other kind."""
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            if not isinstance(public_key.curve, _CURVES):
                raise KeyRefused("key.curve", "use P-256 or P-384", curve=public_key.curve.name)
        elif isinstance(public_key, rsa.RSAPublicKey):
            if public_key.key_size < RSA_MINIMUM:
                raise KeyRefused("key.too_short", "use RSA of at least 2048 bits", bits=public_key.key_size)
            if public_key.public_numbers().e < RSA_EXPONENT_MINIMUM:
                raise KeyRefused("key.exponent", "use an RSA exponent of at least 65537")
        else:
            raise KeyRefused("key.kind", "use an elliptic-curve or RSA key")


@cache
def _specimen_rsa_key() -> rsa.RSAPrivateKey:
    """One for the whole process: it takes a tenth of a second to make, and nothing rests on its secrecy."""
    return rsa.generate_private_key(RSA_EXPONENT_MINIMUM, RSA_MINIMUM)


INTL: Suite = International()


def suite_for(public_key: Any) -> Suite:
    """The suite that a key belongs to. Raises KeyRefused for a key of none."""
    if isinstance(public_key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        return INTL
    raise KeyRefused("key.kind", "no suite has keys of this kind")
