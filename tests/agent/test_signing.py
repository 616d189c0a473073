"""Signing: what the agent signs, and everything that it refuses to."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.canonical import canonical_json
from crypto.challenge import challenge_bytes, new_nonce
from crypto.cms import finish_cms, prepare_cms, verify_cms
from crypto.keys import SoftKey
from crypto.profiles import Profile
from crypto.revocation import build_crl
from crypto.suite import INTL
from oa_agent.config import Config, Server
from oa_agent.errors import Refused
from oa_agent.requests import REQUEST_LIMIT, visible
from oa_agent.sources import certificate_id
from oa_agent.trust import RequestKeys
from oa_server.core.ids import new_id
from oa_server.identity import tokens
from tests.agent.conftest import ORIGIN, PIN, Office, Person, Pki, Token, Visit, b64, b64url

ELSEWHERE = "http://127.0.0.1:8080"


@pytest.fixture
def key(pki: Pki, config: Config) -> SoftKey:
    """The official's signing key, as a key file."""
    return pki.key_file(Profile.SIGNING, config.keys, "签名")


@pytest.fixture
def seal(pki: Pki, config: Config) -> SoftKey:
    """The organ's seal key, as a key file."""
    return pki.key_file(Profile.SEAL, config.keys, "印章", "江城市人民政府办公室")


def _id(key: SoftKey) -> str:
    return certificate_id(key.certificate)


async def test_signing_an_opinion(visit: Visit, office: Office, pki: Pki, key: SoftKey) -> None:
    """An opinion is shown as its content says it, and signed so that the office can build its CMS from it."""
    claims = office.claims(key.certificate, text="拟同意。\n请主任阅示。")
    async with visit() as page:
        page.person = Person([PIN])
        result = await page.get("sign", certificate_id=_id(key), request=office.request(claims))
        (form, last) = await page.person_done()
    for words in (
        "审核同意",
        "标题：关于防汛工作的通知",
        "决定：同意",
        "意见：拟同意。\n请主任阅示。",
        "签名人：李明",
        "环节：审核",
        ORIGIN,
    ):
        assert words in form
    assert form.count("意见：") == 1
    assert "已完成" in last
    content = base64.b64decode(claims["content"])
    prepared = prepare_cms(content, key.certificate)
    assert prepared.signed_attributes == base64.b64decode(claims["signed_attributes"])
    container = finish_cms(prepared, base64.b64decode(result["signature"]))
    now = datetime.now(UTC)
    crls = [
        build_crl(authority, [], number=1, this_update=now - timedelta(days=1), next_update=now + timedelta(days=1))
        for authority in (pki.root, pki.issuing)
    ]
    report = verify_cms(
        container,
        content,
        roots=[pki.root.certificate],
        intermediates=[pki.issuing.certificate],
        crls=[x509.load_der_x509_crl(crl) for crl in crls],
        at=now,
    )
    assert report.ok, report.findings


async def test_signing_with_a_token(visit: Visit, office: Office, token: Token, enrol: Callable[..., Any]) -> None:
    """A signing key in a token signs an opinion; the sign-in key beside it does not."""
    signing, signing_in = await enrol(token, Profile.SIGNING), await enrol(token, Profile.SIGN_IN)
    async with visit() as page:
        page.person = Person([PIN])
        claims = office.claims(signing)
        result = await page.get("sign", certificate_id=certificate_id(signing), request=office.request(claims))
        refused = {"certificate_id": certificate_id(signing_in), "request": office.request(office.claims(signing_in))}
        assert await page.refusal("sign", **refused) == "certificate.wrong_usage"
    attributes = base64.b64decode(claims["signed_attributes"])
    assert INTL.verify(signing.public_key(), base64.b64decode(result["signature"]), attributes)


async def test_sealing(visit: Visit, office: Office, seal: SoftKey) -> None:
    """A seal is made over the digest of the pages, which is shown."""
    digest = sha256(b"the byte ranges of a PDF").digest()
    claims = office.seal_claims(seal.certificate, digest)
    async with visit() as page:
        page.person = Person([PIN])
        result = await page.get("sign", certificate_id=_id(seal), request=office.request(claims))
        (form, _last) = await page.person_done()
    assert digest.hex() in form
    attributes = base64.b64decode(claims["signed_attributes"])
    assert INTL.verify(seal.certificate.public_key(), base64.b64decode(result["signature"]), attributes)


@pytest.mark.norm("A-7.5.3")
async def test_a_batch_takes_one_pin(visit: Visit, office: Office, key: SoftKey) -> None:
    """A batch is shown whole and signed in its order under one PIN; the next operation asks for the PIN again."""
    claims = [office.claims(key.certificate, text=f"第{number}件，同意") for number in range(1, 6)]
    async with visit() as page:
        page.person = Person([PIN])
        members = {"certificate_id": _id(key), "requests": [office.request(one) for one in claims]}
        result = await page.get("sign", **members)
        (form, _last) = await page.person_done()
        assert all(f"第{number}件" in form for number in range(1, 6))
        assert "批量签名（共5项）" in form
        await page.socket.send(json.dumps({"id": "next", "command": "sign", **members}))
        assert (await page.event())["event"] == "pin-needed"
    for one, signature in zip(claims, result["signatures"], strict=True):
        attributes = base64.b64decode(one["signed_attributes"])
        assert INTL.verify(key.certificate.public_key(), base64.b64decode(signature), attributes)


async def test_one_bad_request_spoils_the_batch(visit: Visit, office: Office, key: SoftKey) -> None:
    """Nothing of a batch is signed when one of its requests is refused."""
    good = office.request(office.claims(key.certificate))
    bad = office.request(office.claims(key.certificate, exp=1))
    async with visit() as page:
        assert await page.refusal("sign", certificate_id=_id(key), requests=[good, bad]) == "request.expired"
        assert page.events.empty()


async def test_request_and_requests(visit: Visit, office: Office, key: SoftKey) -> None:
    """A command has one request or a batch: not both, not neither."""
    request = office.request(office.claims(key.certificate))
    async with visit() as page:
        assert await page.refusal("sign", certificate_id=_id(key)) == "message.malformed"
        both = {"request": request, "requests": [request]}
        assert await page.refusal("sign", certificate_id=_id(key), **both) == "message.malformed"


def _other_content(office: Office, key: SoftKey, _pki: Pki) -> dict[str, Any]:
    shown = canonical_json({"type": "oa/opinion/1", "title": "无关紧要的通知", "text": "同意"})
    return office.claims(key.certificate) | {"content": b64(shown)}


def _foreign_certificate(office: Office, key: SoftKey, pki: Pki) -> dict[str, Any]:
    return office.claims(pki.key(Profile.SIGNING, "王强").certificate)


def _raw_hash(office: Office, key: SoftKey, _pki: Pki) -> dict[str, Any]:
    return office.claims(key.certificate, signed_attributes=b64(sha256(b"anything").digest()))


def _challenge(office: Office, key: SoftKey, _pki: Pki) -> dict[str, Any]:
    return office.claims(key.certificate, signed_attributes=b64(challenge_bytes(ORIGIN, new_nonce())))


def _trailing(office: Office, key: SoftKey, _pki: Pki) -> dict[str, Any]:
    claims = office.claims(key.certificate)
    return claims | {"signed_attributes": b64(base64.b64decode(claims["signed_attributes"]) + b"\0")}


def _not_canonical(office: Office, key: SoftKey, _pki: Pki) -> dict[str, Any]:
    content = b'{"title": "x", "text": "y"}'
    attributes = prepare_cms(content, key.certificate).signed_attributes
    return office.claims(key.certificate, content=b64(content), signed_attributes=b64(attributes))


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        (_other_content, "attributes.other_content"),
        (_foreign_certificate, "attributes.other_certificate"),
        (_raw_hash, "attributes.refused"),
        (_challenge, "attributes.refused"),
        (_trailing, "attributes.refused"),
        (_not_canonical, "content.not_canonical"),
        (lambda office, key, _pki: office.claims(key.certificate, exp=1), "request.expired"),
        (lambda office, key, _pki: office.claims(key.certificate, exp=10**20), "request.malformed"),
        (lambda office, key, _pki: office.claims(key.certificate, exp="never"), "request.malformed"),
        (lambda office, key, _pki: office.claims(key.certificate, aud="oa-session"), "request.other_audience"),
        (lambda office, key, _pki: office.claims(key.certificate, aud=["oa-agent"]), "request.malformed"),
        (lambda office, key, _pki: office.claims(key.certificate, origin=ELSEWHERE), "request.other_origin"),
        (lambda office, key, _pki: office.claims(key.certificate, content=None), "request.malformed"),
        (lambda office, key, _pki: office.claims(key.certificate, digest="00" * 32), "request.malformed"),
        (lambda office, key, _pki: office.claims(key.certificate, digest="zz", content=None), "request.malformed"),
        (lambda office, key, _pki: office.claims(key.certificate, content="%"), "request.malformed"),
        (lambda office, key, _pki: office.claims(key.certificate, content=b64(b"[]")), "request.malformed"),
        (lambda office, key, _pki: office.seal_claims(key.certificate, bytes(32)), "certificate.wrong_usage"),
    ],
)
async def test_what_is_not_signed(
    visit: Visit, office: Office, pki: Pki, key: SoftKey, claims: Callable[..., dict[str, Any]], code: str
) -> None:
    """What is not an honest request of the office, though its signature is good, is refused before a PIN is asked for."""
    async with visit() as page:
        request = office.request(claims(office, key, pki))
        assert await page.refusal("sign", certificate_id=_id(key), request=request) == code
        assert page.events.empty()


async def test_a_seal_over_other_pages(visit: Visit, office: Office, seal: SoftKey) -> None:
    """A seal's attributes must be over the digest that is shown."""
    claims = office.seal_claims(seal.certificate, bytes(32)) | {"digest": "11" * 32}
    async with visit() as page:
        request = office.request(claims)
        assert await page.refusal("sign", certificate_id=_id(seal), request=request) == "attributes.other_content"


async def test_a_seal_key_signs_no_opinions(visit: Visit, office: Office, seal: SoftKey) -> None:
    """An organ's seal is not a person's signature."""
    async with visit() as page:
        request = office.request(office.claims(seal.certificate))
        assert await page.refusal("sign", certificate_id=_id(seal), request=request) == "certificate.wrong_usage"


def _none(office: Office, claims: dict[str, Any]) -> str:
    return office.request(claims, alg="none").rpartition(".")[0] + "."


def _hs256(office: Office, claims: dict[str, Any]) -> str:
    return office.request(claims, alg="HS256")


def _another_key(office: Office, claims: dict[str, Any]) -> str:
    return Office().request(claims)


def _changed(office: Office, claims: dict[str, Any]) -> str:
    header, _payload, signature = office.request(claims).split(".")
    return f"{header}.{b64url(json.dumps(claims | {'title': '传阅'}).encode())}.{signature}"


def _own_key(office: Office, claims: dict[str, Any]) -> str:
    return office.request(claims, jwk={"kty": "EC"})


def _zero(office: Office, claims: dict[str, Any]) -> str:
    return office.request(claims).rpartition(".")[0] + "." + b64url(bytes(64))


def _der_signature(office: Office, claims: dict[str, Any]) -> str:
    return office.request(claims).rpartition(".")[0] + "." + b64url(bytes(70))


def _twice(office: Office, claims: dict[str, Any]) -> str:
    return office.request(json.dumps(claims).replace("{", '{"title": "传阅", ', 1).encode())


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (_none, "request.malformed"),
        (_hs256, "request.malformed"),
        (_another_key, "request.forged"),
        (_changed, "request.forged"),
        (_zero, "request.forged"),
        (_der_signature, "request.forged"),
        (_own_key, "request.malformed"),
        (_twice, "request.malformed"),
        (lambda office, claims: office.request(claims, typ="oa-session"), "request.malformed"),
        (lambda office, claims: office.request(claims, crit=["b64"]), "request.malformed"),
        (lambda office, claims: office.request(claims, kid="office-2"), "request.key_changed"),
        (lambda office, _claims: office.request(b"[]"), "request.malformed"),
        (lambda office, _claims: office.request(b"\xff"), "request.malformed"),
        (lambda office, claims: office.request(claims) + "=", "request.malformed"),
        (lambda office, claims: office.request(claims)[:-1] + " ", "request.malformed"),
        (lambda _office, _claims: "a." + "b" * REQUEST_LIMIT + ".c", "request.malformed"),
        (lambda _office, _claims: "", "request.malformed"),
    ],
)
async def test_forged_requests(
    visit: Visit, office: Office, key: SoftKey, forge: Callable[..., str], code: str
) -> None:
    """What the office did not sign, exactly so, is refused before a PIN is asked for."""
    async with visit() as page:
        request = forge(office, office.claims(key.certificate))
        assert await page.refusal("sign", certificate_id=_id(key), request=request) == code
        assert page.events.empty()


async def test_sending_to_thousands(visit: Visit, office: Office, key: SoftKey) -> None:
    """Sending a document to as many organs as a draft can name is one request that can be signed like any other."""
    recipients = [{"organ": str(uuid4()), "role": role} for role in ("main", "copy") for _ in range(5000)]
    content = canonical_json({"type": "oa/dispatch/1", "title": "关于防汛工作的通知", "recipients": recipients})
    attributes = prepare_cms(content, key.certificate).signed_attributes
    claims = office.claims(key.certificate, content=b64(content), signed_attributes=b64(attributes))
    async with visit() as page:
        page.person = Person([PIN])
        result = await page.get("sign", certificate_id=_id(key), request=office.request(claims))
        assert "发往：共10000个机关" in (await page.person_done())[0]
    assert INTL.verify(key.certificate.public_key(), base64.b64decode(result["signature"]), attributes)


async def test_a_request_that_expires_during_the_pin_entry(visit: Visit, office: Office, key: SoftKey) -> None:
    """A request whose time runs out while the person thinks is not signed, and the attempt is given back."""
    claims = office.claims(key.certificate, exp=int(datetime.now(UTC).timestamp()) + 2)
    async with visit() as page:
        await page.socket.send(
            json.dumps({"id": "late", "command": "sign", "certificate_id": _id(key), "request": office.request(claims)})
        )
        url = (await page.event())["url"]
        await asyncio.sleep(2.1)
        await Person([PIN]).meet(url)
        answer = await asyncio.wait_for(page.strays.get(), 5)
        assert answer["error"]["code"] == "request.expired"
        page.person = Person([PIN])
        assert await page.get("sign", certificate_id=_id(key), request=office.request(office.claims(key.certificate)))
        assert "剩余尝试次数：5" in (await page.person_done())[0]


async def test_requests_of_the_real_server(visit: Visit, config: Config, key: SoftKey, office: Office) -> None:
    """The office server's own token module makes requests that the agent accepts."""
    token_key = tokens.TokenKey(office.private_key)
    server = Server(ORIGIN, token_key.kid, b64(token_key.public_der))
    claims = {k: v for k, v in office.claims(key.certificate).items() if k not in {"iss", "aud", "exp"}}
    now = datetime.now(UTC)
    request = tokens.make(
        tokens.KeySet((token_key,)),
        kind="oa-signature-request",
        audience="oa-agent",
        subject=str(new_id()),
        token_id=str(new_id()),
        issued=now,
        expires=now + timedelta(minutes=10),
        claims=claims,
    )
    async with visit(servers=(server,)) as page:
        page.person = Person([PIN])
        assert await page.get("sign", certificate_id=_id(key), request=request)


async def test_first_use_of_a_server(visit: Visit, config: Config, office: Office, key: SoftKey) -> None:
    """Without a configured key the page's is shown, kept once the PIN confirms it, and no other is believed afterwards."""
    request = office.request(office.claims(key.certificate))
    other = Office(kid="office-1")
    async with visit(servers=()) as page:
        assert await page.refusal("sign", certificate_id=_id(key), request=request) == "request.unknown_key"
        page.person = Person([PIN])
        members = {"certificate_id": _id(key), "request": request, "request_key": office.public_key}
        assert await page.get("sign", **members)
        (form, _last) = await page.person_done()
        assert "首次使用此服务器" in form
        fingerprint = sha256(base64.b64decode(office.public_key)).hexdigest()[:4]
        assert f"公钥指纹：{fingerprint} " in form
    async with visit(servers=()) as page:
        page.person = Person([PIN])
        assert await page.get("sign", certificate_id=_id(key), request=request)
        assert "首次使用此服务器" not in (await page.person_done())[0]
        forged = {"request": other.request(other.claims(key.certificate)), "request_key": other.public_key}
        assert await page.refusal("sign", certificate_id=_id(key), **forged) == "request.forged"
        changed = {"request": other.request(other.claims(key.certificate), kid="b"), "request_key": other.public_key}
        assert await page.refusal("sign", certificate_id=_id(key), **changed) == "request.key_changed"


async def test_a_wrong_pin_confirms_no_server(visit: Visit, config: Config, office: Office, key: SoftKey) -> None:
    """A server's key is kept only when the PIN was right."""
    members = {"request": office.request(office.claims(key.certificate)), "request_key": office.public_key}
    async with visit(servers=()) as page:
        page.person = Person(["000000"] * 5)
        assert await page.refusal("sign", certificate_id=_id(key), **members) == "pin.locked"
    assert not (config.state / "servers.json").exists()


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "%",
        b64(b"no key"),
        b64(
            ec.generate_private_key(ec.SECP384R1())
            .public_key()
            .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ),
    ],
    ids=["empty", "no base64", "no key", "another curve"],
)
def test_offered_keys_of_no_use(config: Config, offered: str) -> None:
    """What is offered as a server's key must be a P-256 key."""
    with pytest.raises(Refused, match=r"request\.unknown_key"):
        RequestKeys((), config.state / "servers.json").find(ORIGIN, "a", offered)


def test_spoilt_pins_of_servers(config: Config, office: Office) -> None:
    """When the kept keys cannot be read, no new one is believed in their place."""
    config.state.mkdir(parents=True)
    (config.state / "servers.json").write_text("{")
    with pytest.raises(Refused, match=r"request\.unknown_key"):
        RequestKeys((), config.state / "servers.json").find(ORIGIN, "a", office.public_key)


def test_visible() -> None:
    """Characters that turn or hide text are spelled out; line breaks and Chinese stay."""
    assert visible("同意\u202e\u200b\x1b[2J\n下一行　全角") == "同意⟨U+202E⟩⟨U+200B⟩⟨U+001B⟩[2J\n下一行　全角"
