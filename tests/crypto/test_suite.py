"""One suite, whatever the key."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import KeyRefused
from crypto.suite import INTL, suite_for
from tests.crypto.conftest import Openssl, TokenKey

EXPONENT_3 = rsa.RSAPublicNumbers(3, (1 << 2047) + 1).public_key()


@pytest.fixture(scope="module", params=["P-256", "P-384", "RSA-2048", "RSA-3072", "token"])
def key(request: pytest.FixtureRequest):
    make = {
        "P-256": INTL.generate_key,
        "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
        "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
        "token": TokenKey,
    }
    return make[request.param]()


def test_signs_and_verifies(key) -> None:
    """Every accepted kind of key signs what it verifies, and nothing else verifies."""
    suite = suite_for(key.public_key())
    signature = suite.sign(key, b"document")
    assert suite.verify(key.public_key(), signature, b"document")
    assert not suite.verify(key.public_key(), signature, b"another")
    assert not suite.verify(suite.specimen_key(key.public_key()).public_key(), signature, b"document")


def test_openssl_agrees(key, openssl: Openssl) -> None:
    """A signature verifies with the openssl command line and the hash that the suite names."""
    digest = INTL.hash_for(key.public_key()).name
    openssl.write("signature", INTL.sign(key, b"document"))
    openssl.write("document", b"document")
    openssl.write("key.pem", public_pem(key))
    verified = openssl("dgst", f"-{digest}", "-verify", "key.pem", "-signature", "signature", "document")
    assert "Verified OK" in verified


def public_pem(key) -> bytes:
    from cryptography.hazmat.primitives import serialization

    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form)


@given(signature=st.binary(max_size=80))
def test_junk_never_verifies(signature: bytes) -> None:
    """Junk for a signature is a plain no, never an error."""
    assert not INTL.verify(ANY_KEY, signature, b"document")


ANY_KEY = INTL.generate_key().public_key()


@pytest.mark.parametrize(
    ("public_key", "code"),
    [
        (ec.generate_private_key(ec.SECP224R1()).public_key(), "key.curve"),
        (rsa.generate_private_key(65537, 1024).public_key(), "key.too_short"),
        (EXPONENT_3, "key.exponent"),
        (ed25519.Ed25519PrivateKey.generate().public_key(), "key.kind"),
    ],
)
def test_weak_keys(public_key, code: str) -> None:
    """A weak key is refused by name, and verifies nothing."""
    with pytest.raises(KeyRefused) as refused:
        INTL.check_quality(public_key)
    assert refused.value.code == code
    assert not INTL.verify(public_key, b"", b"document")


def test_keys_of_no_suite() -> None:
    """A key of a kind that no suite has neither signs nor finds a suite."""
    key = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(KeyRefused, match=r"key\.kind"):
        INTL.sign(key, b"document")
    with pytest.raises(KeyRefused, match=r"key\.kind"):
        suite_for(dsa.generate_private_key(2048).public_key())


def test_digest() -> None:
    """The suite's digest is the hash it names."""
    assert (INTL.name, INTL.hash_name) == ("intl", "sha256")
    assert INTL.digest(b"document") == sha256(b"document").digest()
