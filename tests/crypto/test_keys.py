"""Keys in files: listed without a PIN, opened with one."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.authority import name
from crypto.errors import KeyRefused
from crypto.keys import (
    SigningKey,
    SoftKey,
    make_csr,
    open_key_file,
    open_private_key,
    read_certificates,
    seal_key_file,
    serial_text,
    with_certificates,
)
from crypto.suite import INTL
from tests.crypto.conftest import Cast, Openssl, TokenKey

PIN = "135790"


@pytest.fixture(scope="module")
def file(cast: Cast) -> bytes:
    return seal_key_file(cast.signing.private_key, PIN, [cast.signing.certificate, *cast.signing.chain])


def without(file: bytes, part: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(file).items() if key != part}).encode()


def refusal(code: str):
    return pytest.raises(KeyRefused, match=code.replace(".", r"\."))


def test_key_file(file: bytes, cast: Cast) -> None:
    """A key file opens with its PIN to the key that signs for its certificate."""
    key: SigningKey = open_key_file(file, PIN)
    assert key.certificate == cast.signing.certificate
    assert key.chain == cast.signing.chain
    assert INTL.verify(key.certificate.public_key(), key.sign(b"document"), b"document")


def test_certificates_need_no_pin(file: bytes, cast: Cast) -> None:
    """Certificates are listed, and put into the file, without a PIN; the key stays what it was."""
    assert read_certificates(file) == [cast.signing.certificate, *cast.signing.chain]
    bare = with_certificates(file, [])
    assert read_certificates(bare) == []
    with refusal("key.no_certificate"):
        open_key_file(bare, PIN)
    assert open_key_file(with_certificates(bare, [cast.signing.certificate]), PIN).chain == ()


def test_the_key_stays_secret(file: bytes, cast: Cast) -> None:
    """Neither the private number nor the PIN is in the file, and two files of one key share nothing secret."""
    secret = cast.signing.private_key.private_numbers().private_value.to_bytes(32)
    again = json.loads(seal_key_file(cast.signing.private_key, PIN))
    assert secret not in file
    assert PIN.encode() not in file
    assert not {again[part] for part in ("salt", "nonce", "key")} & set(map(str, json.loads(file).values()))


def test_wrong_pins(file: bytes) -> None:
    """A wrong PIN is told apart from a broken file, and a PIN of five characters is none."""
    with refusal("key.wrong_pin"):
        open_key_file(file, "135791")
    with refusal("key.pin_short"):
        seal_key_file(INTL.generate_key(), "13579")


def test_another_keys_certificate(file: bytes, cast: Cast) -> None:
    """A certificate that somebody slipped into the file, for it lies there in clear, is noticed when the key opens."""
    with refusal("key.other_certificate"):
        open_key_file(with_certificates(file, [cast.sign_in.certificate]), PIN)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"{}", b'{"format":"oa-key/2"}', b"\xff", b"[" * 100_000, b'{"format":"oa-key/1"}'],
)
def test_what_is_no_key_file(data: bytes) -> None:
    """Anything else than a key file is refused as such, by every door."""
    for opened in (read_certificates, lambda data: open_private_key(data, PIN)):
        with refusal("key.unreadable"):
            opened(data)


@pytest.mark.parametrize("part", ["salt", "nonce", "key", "certificates"])
@pytest.mark.parametrize("value", [None, 7, "%%%", "", ["QUJD"]])
def test_garbled_parts(file: bytes, part: str, value: object) -> None:
    """A part that is missing or garbled makes the file unreadable, never a failure of another kind."""
    content = json.loads(file)
    for garbled in ({**content, part: value}, json.loads(without(file, part))):
        with pytest.raises(KeyRefused) as refused:
            open_key_file(json.dumps(garbled).encode(), PIN)
        assert refused.value.code in {"key.unreadable", "key.wrong_pin", "key.no_certificate"}


@given(st.data())
@settings(max_examples=30)
def test_any_flipped_bit_of_the_key(data: st.DataObject) -> None:
    """No bit of the sealed key can be flipped to another key."""
    content = json.loads(SEALED)
    place = data.draw(st.integers(0, len(content["key"]) - 3))
    letter = data.draw(st.sampled_from("ABCxyz019+/").filter(lambda letter: letter != content["key"][place]))
    content["key"] = content["key"][:place] + letter + content["key"][place + 1 :]
    with pytest.raises(KeyRefused) as refused:
        open_private_key(json.dumps(content).encode(), PIN)
    assert refused.value.code in {"key.wrong_pin", "key.unreadable"}


SEALED = seal_key_file(INTL.generate_key(), PIN)


def test_request(openssl: Openssl) -> None:
    """A certificate request proves possession to openssl too, and takes a Chinese name and a key in a token."""
    for key in (INTL.generate_key(), TokenKey()):
        request = x509.load_der_x509_csr(make_csr(key, name(common="李明", organ="江城市")))
        assert request.is_signature_valid
        openssl.write("request.pem", request)
        assert "verify OK" in openssl("req", "-verify", "-noout", "-in", "request.pem")
        assert "CN = 李明" in openssl("req", "-subject", "-noout", "-nameopt", "utf8,sep_comma_plus_space,space_eq",
                                    "-in", "request.pem")  # fmt: skip


def test_serial_text(cast: Cast, openssl: Openssl) -> None:
    """A serial number is written as openssl writes it, in lower case."""
    openssl.write("c.pem", cast.signing.certificate)
    printed = openssl("x509", "-serial", "-noout", "-in", "c.pem")
    assert printed.strip().removeprefix("serial=").lower() == serial_text(cast.signing.certificate)


def test_a_certificate_of_no_known_version(file: bytes, cast: Cast) -> None:
    """A certificate of a version that does not exist makes the file unreadable."""
    der = cast.signing.certificate.public_bytes(serialization.Encoding.DER).replace(
        bytes.fromhex("a003020102"), bytes.fromhex("a003020103")
    )
    garbled = {**json.loads(file), "certificates": [base64.b64encode(der).decode()]}
    with refusal("key.unreadable"):
        read_certificates(json.dumps(garbled).encode())


def test_soft_key_of_rsa(rsa_key, pki) -> None:
    """A key file holds an RSA key as well."""
    opened = open_private_key(seal_key_file(rsa_key, PIN), PIN)
    assert opened.private_numbers() == rsa_key.private_numbers()
    soft = SoftKey(opened, pki.root.certificate)
    assert INTL.verify(rsa_key.public_key(), soft.sign(b"document"), b"document")
    assert soft.private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
