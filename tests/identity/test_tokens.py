"""Session tokens: what we made is read back, and nothing else is, however cleverly it is spelled."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from oa_server.core.errors import NotSignedIn
from oa_server.identity import tokens
from oa_server.identity.tokens import KeySet, TokenKey
from tests.city import City, told

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
KIND, AUDIENCE = "oa-session", "http://127.0.0.1:8080"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-4, D.1.2.3)

PRIVATE = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
KEYSET = KeySet((TokenKey(PRIVATE),))
PUBLIC_DER = KEYSET.current.public_der
PUBLIC_PEM = PRIVATE.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def seconds(offset: float) -> int:
    return int((NOW + timedelta(seconds=offset)).timestamp())


HEADER: dict[str, Any] = {"alg": "ES256", "typ": KIND, "kid": KEYSET.current.kid}
CLAIMS: dict[str, Any] = {
    "iss": "oa-server", "aud": AUDIENCE, "sub": "s", "jti": "j", "iat": seconds(-10), "exp": seconds(600)
}  # fmt: skip


def es256(signed: bytes, key: ec.EllipticCurvePrivateKey = PRIVATE) -> bytes:
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def hs256(signed: bytes, secret: bytes) -> bytes:
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(signed)
    return mac.finalize()


def sealed(header: bytes | str, claims: bytes | str, sign: Callable[[bytes], bytes] = es256) -> str:
    """A token of these very bytes."""
    parts = [b64(part.encode() if isinstance(part, str) else part) for part in (header, claims)]
    body = ".".join(parts)
    return f"{body}.{b64(sign(body.encode()))}"


def token(*, sign: Callable[[bytes], bytes] = es256, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token of ours, but for what is given; None takes a claim away."""
    body = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return sealed(json.dumps(HEADER | (header or {})), json.dumps(body), sign)


def without(name: str) -> str:
    return json.dumps({key: value for key, value in HEADER.items() if key != name})


def read(text: str, at: datetime = NOW) -> Any:
    return tokens.verify(text, KEYSET, kind=KIND, audience=AUDIENCE, at=at)


def respelled(part: int, change: Callable[[str], str]) -> str:
    """A token with one part spelled otherwise, though it decodes to the same bytes; the signature covers that spelling."""
    texts = [json.dumps(HEADER), json.dumps(CLAIMS)]
    # Lengths that leave unused bits in the last letter.
    parts = [b64((text + " " * ((1 - len(text)) % 3)).encode()) for text in texts]
    if part < len(parts):
        parts[part] = change(parts[part])
    body = ".".join(parts)
    signature = b64(es256(body.encode()))
    return f"{body}.{signature if part < len(parts) else change(signature)}"


def last_letter(text: str) -> str:
    """Another last letter, which differs in bits that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def mirrored(text: str) -> str:
    """The same token with the other signature (r, n - s) that ECDSA holds for as good."""
    head, claims, signature = text.split(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    s = ORDER - int.from_bytes(raw[32:], "big")
    return f"{head}.{claims}.{b64(raw[:32] + s.to_bytes(32, 'big'))}"


RSA = rsa.generate_private_key(65537, 2048)

# Name → a token that is no good. All but the last group bear a true signature of our own key wherever one can be borne.
BAD: dict[str, str] = {
    # algorithms and keys
    "alg none": token(header={"alg": "none"}, sign=lambda _signed: b""),
    "alg none, signed": token(header={"alg": "none"}),
    "alg None": token(header={"alg": "None"}, sign=lambda _signed: b"x"),
    "alg absent": sealed(without("alg"), json.dumps(CLAIMS)),
    "alg HS256 with the public key in PEM": token(header={"alg": "HS256"}, sign=lambda s: hs256(s, PUBLIC_PEM)),
    "alg HS256 with the public key in DER": token(header={"alg": "HS256"}, sign=lambda s: hs256(s, PUBLIC_DER)),
    "alg HS256 with nothing": token(header={"alg": "HS256"}, sign=lambda s: hs256(s, b"")),
    "alg ES256 with a MAC for a signature": token(sign=lambda s: hs256(s, PUBLIC_DER)),
    "alg in small letters": token(header={"alg": "es256"}),
    "alg a list": token(header={"alg": ["ES256"]}),
    "a foreign key under our kid": token(sign=lambda s: es256(s, OTHER)),
    "a foreign key under its own kid": token(header={"kid": TokenKey(OTHER).kid}, sign=lambda s: es256(s, OTHER)),
    "a foreign key in the header": token(header={"jwk": {"kty": "EC"}}, sign=lambda s: es256(s, OTHER)),
    "kid unknown": token(header={"kid": "x"}),
    "kid that climbs": token(header={"kid": "../../x"}),
    "kid of a device": token(header={"kid": "/dev/null"}, sign=lambda s: hs256(s, b"")),
    "kid of a query": token(header={"kid": "' UNION SELECT 'x"}),
    "kid absent": sealed(without("kid"), json.dumps(CLAIMS)),
    "kid null": token(header={"kid": None}),
    "kid a list": token(header={"kid": [HEADER["kid"]]}),
    # header
    "crit unknown": token(header={"crit": ["exp"]}),
    "crit empty": token(header={"crit": []}),
    "b64 false": token(header={"crit": ["b64"], "b64": False}),
    "jku": token(header={"jku": "https://evil.example/keys"}),
    "x5u": token(header={"x5u": "https://evil.example/cert"}),
    "another member": token(header={"zip": "DEF"}),
    "typ absent": sealed(without("typ"), json.dumps(CLAIMS)),
    "typ JWT": token(header={"typ": "JWT"}),
    "typ of a signature request": token(header={"typ": "oa-signature-request"}),
    # claims
    "no exp": token(exp=None),
    "no iat": token(iat=None),
    "no jti": token(jti=None),
    "no sub": token(sub=None),
    "no iss": token(iss=None),
    "no aud": token(aud=None),
    "another iss": token(iss="oa-server2"),
    "another aud": token(aud="http://127.0.0.1:8081"),
    "iat in the future": token(iat=seconds(61)),
    "exp as text": token(exp=str(seconds(600))),
    "exp as a fraction": token(exp=seconds(600) + 0.5),
    "exp as a truth": token(exp=True),
    "iat as a truth": token(iat=True),
    "not yet good": token(nbf=4102444800),
    # JSON
    "duplicate claim": sealed(json.dumps(HEADER), json.dumps(CLAIMS)[:-1] + f', "exp": {seconds(9999)}}}'),
    "duplicate member": sealed(json.dumps(HEADER)[:-1] + ', "alg": "ES256"}', json.dumps(CLAIMS)),
    "duplicate deep inside": sealed(json.dumps(HEADER), json.dumps(CLAIMS)[:-1] + ', "x": {"a": 1, "a": 2}}'),
    "header no object": sealed("[]", json.dumps(CLAIMS)),
    "claims no object": sealed(json.dumps(HEADER), '"x"'),
    "claims no JSON": sealed(json.dumps(HEADER), "{"),
    "claims no UTF-8": sealed(json.dumps(HEADER), b'{"a": "\xff"}'),
    "claims without end": sealed(json.dumps(HEADER), "[" * 9000),
    "a number without end": sealed(json.dumps(HEADER), '{"exp": ' + "9" * 5000 + "}"),
    # spelling
    **{f"another last letter in part {part}": respelled(part, last_letter) for part in range(3)},
    **{f"padding in part {part}": respelled(part, lambda text: text + "==") for part in range(3)},
    **{f"line end in part {part}": respelled(part, lambda text: text + "\n") for part in range(3)},
    **{f"a letter that is none in part {part}": respelled(part, lambda text: text + "!") for part in range(3)},
    "space before": " " + token(),
    "line end after": token() + "\n",
    "line end inside": token().replace(".", ".\n", 1),
    "a letter that is none": token()[:-1] + "！",
    "two parts": token().rpartition(".")[0],
    "four parts": token() + ".AAAA",
    "an empty part": token().rpartition(".")[0] + ".",
    "five parts, as if encrypted": ".".join(["AAAA"] * 5),
    "nothing": "",
    "too long": token(x="x" * tokens.TOKEN_LIMIT),
    # signatures
    "signature cut": token()[:-4],
    "signature longer": token() + "AAAA",
    "signature of zeros": token(sign=lambda _signed: bytes(64)),
    "signature in DER": token(sign=lambda s: PRIVATE.sign(s, ec.ECDSA(hashes.SHA256()))),
    "signature with another hash": token(
        sign=lambda s: encode_dss_signature(*decode_dss_signature(PRIVATE.sign(s, ec.ECDSA(hashes.SHA384()))))
    ),
    "claims changed after signing": ".".join(
        [token().split(".")[0], token(sub="other").split(".")[1], token().split(".")[2]]
    ),
}


def test_what_was_made_is_read() -> None:
    """A token of ours gives its claims back, until the second in which it expires."""
    text = tokens.make(
        KEYSET, kind=KIND, audience=AUDIENCE, subject="s", token_id="j", issued=NOW, expires=NOW + timedelta(minutes=5)
    )
    assert dict(read(text)) == {**CLAIMS, "iat": seconds(0), "exp": seconds(300)}
    assert read(text, NOW + timedelta(seconds=299))["jti"] == "j"
    assert read(token())["sub"] == "s"
    assert read(respelled(0, str))["sub"] == "s"


@pytest.mark.norm("A-9.1.x/9.2.x")
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_good(name: str) -> None:
    """Whatever is not a token of ours, letter by letter, is refused under one code that tells nothing more."""
    for _attempt in range(2):
        with pytest.raises(NotSignedIn) as refused:
            read(BAD[name])
        assert refused.value.code == "identity.bad_token"


@pytest.mark.parametrize("ago", [0, 1, 10**6])
def test_expired(ago: int) -> None:
    """A token is refused from the second on that it names, and told that it expired."""
    with pytest.raises(NotSignedIn) as refused:
        read(token(exp=seconds(-ago)))
    assert refused.value.code == "identity.token_expired"


def test_expiry_is_judged_every_time() -> None:
    """That a token was good once does not make it good later, or earlier than it was made."""
    text = token()
    assert read(text)
    with pytest.raises(NotSignedIn):
        read(text, NOW + timedelta(hours=1))
    with pytest.raises(NotSignedIn):
        read(text, NOW - timedelta(hours=1))
    assert read(text)


def test_a_token_read_once_is_no_other_kind() -> None:
    """What is remembered of a token holds for its kind, its audience and its key set alone."""
    text = token()
    assert read(text)
    for kind, audience, keyset in (
        ("oa-signature-request", AUDIENCE, KEYSET),
        (KIND, "https://elsewhere.example", KEYSET),
        (KIND, AUDIENCE, KeySet((TokenKey(OTHER),))),
    ):
        with pytest.raises(NotSignedIn):
            tokens.verify(text, keyset, kind=kind, audience=audience, at=NOW)


def test_claims_cannot_be_changed() -> None:
    """Whoever reads a token cannot change what the next reader finds."""
    with pytest.raises(TypeError):
        read(token())["sub"] = "other"


def test_only_good_tokens_are_remembered() -> None:
    """A flood of bad tokens crowds no good one out, and the memory has a bound."""
    before = tokens._signed_claims.cache_info().currsize
    for number in range(50):
        with pytest.raises(NotSignedIn):
            read(token(sub=str(number), sign=lambda s: es256(s, OTHER)))
    assert tokens._signed_claims.cache_info().currsize == before
    assert tokens._signed_claims.cache_info().maxsize == tokens.REMEMBERED


def test_the_other_signature_is_the_same_token() -> None:
    """ECDSA gives each token two signatures, so a token is known by its identifier and never by its text."""
    text = token()
    assert read(mirrored(text))["jti"] == read(text)["jti"]


def test_older_keys_read_and_the_newest_signs() -> None:
    """After a change of keys, tokens of the old key are read and new ones bear the new."""
    both = KeySet((TokenKey(OTHER), TokenKey(PRIVATE)))
    assert tokens.verify(token(), both, kind=KIND, audience=AUDIENCE, at=NOW)
    fresh = tokens.make(both, kind=KIND, audience=AUDIENCE, subject="s", token_id="j", issued=NOW, expires=NOW)
    assert json.loads(base64.urlsafe_b64decode(fresh.split(".")[0] + "=="))["kid"] == TokenKey(OTHER).kid


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), RSA])
def test_other_kinds_of_token_key(key: Any) -> None:
    """Only a P-256 key is taken for signing tokens."""
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(TypeError):
        TokenKey.from_pem(pem)


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,90}"))
def test_anything_else(text: str) -> None:
    """No text at all makes the reader do anything but refuse."""
    with pytest.raises(NotSignedIn):
        read(text)


# --- in the cookie ----------------------------------------------------------------------------------------------------


def _forged(good: str, kind: str) -> str:
    """A cookie made from a good one without the server's key."""
    head, claims, signature = good.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    match kind:
        case "none":
            return f"{b64(json.dumps(header | {'alg': 'none'}).encode())}.{claims}.AA"
        case "foreign key":
            return f"{head}.{claims}.{b64(es256(f'{head}.{claims}'.encode(), OTHER))}"
        case "crit":
            return f"{b64(json.dumps(header | {'crit': ['exp']}).encode())}.{claims}.{signature}"
        case "kid":
            return f"{b64(json.dumps(header | {'kid': '../../x'}).encode())}.{claims}.{signature}"
        case "claims":
            body = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"exp": 4102444800}
            return f"{head}.{b64(json.dumps(body).encode())}.{signature}"
    return good + good


@pytest.mark.parametrize("kind", ["none", "foreign key", "crit", "kid", "claims", "twice"])
async def test_forged_cookies(city: City, kind: str) -> None:
    """A cookie that somebody made from a good one opens nothing, and the good one goes on working."""
    wang = await city.signed_in("wang")
    good = wang.http.cookies["oa-session"]
    wang.http.cookies.set("oa-session", _forged(good, kind), domain="127.0.0.1")
    assert told(await wang.get("/api/tasks")) == (401, "identity.bad_token")
    wang.http.cookies.set("oa-session", good, domain="127.0.0.1")
    assert (await wang.get("/api/tasks")).status_code == 200


async def test_a_signature_request_is_no_cookie(city: City) -> None:
    """What the server signs for the key agent does not open a session."""
    wang, li = await city.signed_in("wang"), await city.signed_in("li")
    path = await city.submitted(wang)
    request = (await li.ask(path, "approve", opinion="同意")).json()["request"]
    li.http.cookies.set("oa-session", request, domain="127.0.0.1")
    assert told(await li.get("/api/tasks")) == (401, "identity.bad_token")
