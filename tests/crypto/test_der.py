"""DER from parts: what other readers make of it."""

from __future__ import annotations

import subprocess

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from crypto import der
from crypto.cms import finish_cms, open_cms, prepare_cms
from crypto.errors import ContentRefused
from crypto.profiles import Profile
from crypto.timestamp import TimestampAuthority
from tests.crypto.conftest import NOW, Pki


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_what_goes_in_comes_out(parts: list[bytes]) -> None:
    """Octet strings of every length come back as they were, in a sequence in their order, in a set in that of DER."""
    encoded = [der.element(der.OCTET_STRING, part) for part in parts]
    assert [item.native for item in core.SequenceOf.load(der.sequence(*encoded), spec=core.OctetString)] == parts
    assert der.set_of(*encoded) == core.SetOf(parts, spec=core.OctetString).dump()


@pytest.mark.parametrize("size", [0, 0x7F, 0x80, 0xFF, 0x100, 0x580, 0xFFFF, 0x10000])
def test_lengths(size: int) -> None:
    """Lengths are written in as few octets as they need."""
    assert der.element(der.OCTET_STRING, bytes(size)) == core.OctetString(bytes(size)).dump()


def test_a_container_is_what_openssl_would_make(pki: Pki) -> None:
    """Encoded anew by another implementation, a timestamped signature is the same to the last octet."""
    key, stamps = pki.key(Profile.SIGNING), TimestampAuthority(pki.key(Profile.TIMESTAMP))
    prepared = prepare_cms(b"{}", key.certificate, signing_time=NOW)
    signature = key.sign(prepared.signed_attributes)
    token = stamps.stamp(bytes(32), at=NOW, serial=7)
    container = finish_cms(prepared, signature, chain=key.chain, timestamp=token)
    # Not by asn1crypto, which can take minutes of computing for one container (the head of crypto/der.py says why).
    command = ["openssl", "cms", "-cmsout", "-inform", "DER", "-outform", "DER"]
    assert subprocess.run(command, input=container, capture_output=True, check=True).stdout == container


def test_another_spelling_is_refused(pki: Pki) -> None:
    """A length in more octets than it needs is no signature of ours, though it says the same."""
    key = pki.key(Profile.SIGNING)
    prepared = prepare_cms(b"{}", key.certificate)
    container = finish_cms(prepared, key.sign(prepared.signed_attributes))
    respelled = container[:1] + b"\x83\x00" + container[2:4] + container[4:]
    assert open_cms(container).signer == key.certificate
    with pytest.raises(ContentRefused):
        open_cms(respelled)
