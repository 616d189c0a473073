"""An answer is good for one origin, one nonce and one key."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from crypto.challenge import challenge_bytes, new_nonce, verify_answer
from tests.crypto.conftest import Cast

ORIGIN = "https://oa.jiangcheng.example"


def test_bytes_to_sign() -> None:
    """What is signed begins with a prefix that no document has, and names origin and nonce by digest."""
    expected = b"oa-auth-v1\0" + sha256(ORIGIN.encode()).digest() + sha256(b"n" * 32).digest()
    assert challenge_bytes(ORIGIN, b"n" * 32) == expected


def test_answer(cast: Cast) -> None:
    """The right answer is taken; one for another origin, nonce or key is not."""
    key, nonce = cast.sign_in, new_nonce()
    public_key, answer = key.certificate.public_key(), key.sign(challenge_bytes(ORIGIN, nonce))
    assert verify_answer(public_key, ORIGIN, nonce, answer)
    assert not verify_answer(public_key, ORIGIN + ".evil.example", nonce, answer)
    assert not verify_answer(public_key, ORIGIN, new_nonce(), answer)
    assert not verify_answer(cast.signing.certificate.public_key(), ORIGIN, nonce, answer)


def test_answers_that_are_none(cast: Cast) -> None:
    """A short nonce, or a key of no suite, makes no answer good."""
    short = b"n" * 16
    answer = cast.sign_in.sign(challenge_bytes(ORIGIN, short))
    assert not verify_answer(cast.sign_in.certificate.public_key(), ORIGIN, short, answer)
    odd = ed25519.Ed25519PrivateKey.generate()
    nonce = new_nonce()
    assert not verify_answer(odd.public_key(), ORIGIN, nonce, odd.sign(challenge_bytes(ORIGIN, nonce)))


@pytest.mark.norm("M-8.4a", "A-6.7.1/6.7.2")
def test_nonces_differ() -> None:
    """Nonces have 256 bits and do not repeat."""
    nonces = {new_nonce() for _ in range(1000)}
    assert len(nonces) == 1000
    assert {len(nonce) for nonce in nonces} == {32}
