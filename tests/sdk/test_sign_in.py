"""Signing in, and asking patiently: tokens, keys, lost answers, limits."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from oa_sdk import ConnectionLost, KeyRefused, NotSignedIn, Office, Patience, PemKey, System, TooMany
from tests.identity.system import System as Registered
from tests.identity.system import let_in, unit_of
from tests.sdk.conftest import TEXT, Desk, Front, Site, drafted, elements, pem_of, system_of

TOKEN = "/api/v1/token"


def test_one_token_while_it_is_good(site: Site, front: Front) -> None:
    """A token is fetched once for many requests, anew shortly before it runs out, and anew once when it is not taken."""
    desk = front()
    kept = desk.office.documents._session._desk
    organs = desk.office.directory.organs
    before = site.requests(TOKEN)
    for _ in range(3):
        desk.do(organs())
    assert site.requests(TOKEN) == before + 1
    kept._clock = lambda: time.monotonic() + 560
    desk.do(organs())
    assert site.requests(TOKEN) == before + 1
    kept._clock = lambda: time.monotonic() + 575
    first = kept._token
    desk.do(organs())
    assert site.requests(TOKEN) == before + 2
    assert kept._token != first
    kept._token = first[:-4] + "AAAA"
    desk.do(organs())
    assert site.requests(TOKEN) == before + 3


def test_who_is_not_let_in(site: Site, front: Front) -> None:
    """An assertion under a foreign key or for another address, and an unknown system, are refused, with what to do next."""
    known = system_of(site.let_in("caizheng"))
    stranger = replace(known, key=PemKey(pem_of(Registered(site.city, "stranger"))))
    elsewhere = replace(known, token_address="https://other.example/api/v1/token")
    for system, code in (
        (stranger, "identity.bad_assertion"),
        (elsewhere, "identity.bad_assertion"),
        (replace(known, code="nobody"), "identity.bad_client"),
    ):
        desk = front(system)
        with pytest.raises(NotSignedIn) as refused:
            desk.do(desk.office.directory.organs())
        assert (refused.value.status, refused.value.code) == (401, code)
        assert "私钥" in str(refused.value)


def test_whose_leave_ends(site: Site, front: Front) -> None:
    """A system that is suspended while it holds a token is told so, after one attempt to get another."""
    code = f"gone-{uuid4().hex[:8]}"
    registered = Registered(site.city, code)

    async def letting_in(city):
        where = {"unit_id": await unit_of(city, "wang"), "official_id": city.people["wang"]}
        return await let_in(registered, **where)

    async def suspend(city):
        sec = await city.signed_in("sec")
        (
            await sec.send("POST", f"/api/clients/{client}/acts", json={"verb": "suspend", "reason": "停用"})
        ).raise_for_status()

    client = site.city.visit(letting_in)
    desk = front(system_of(registered))
    desk.do(desk.office.directory.organs())
    site.city.visit(suspend)
    with pytest.raises(NotSignedIn) as refused:
        desk.do(desk.office.directory.organs())
    assert refused.value.code == "identity.bad_client"


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)])
def test_other_keys(site: Site, front: Front, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """A key on P-384 or an RSA key signs in, and so does any object that signs, as one that a device holds."""
    registered = Registered(site.city, f"key-{uuid4().hex[:8]}", key)

    async def letting_in(city):
        where = {"unit_id": await unit_of(city, "wang"), "official_id": city.people["wang"]}
        await let_in(registered, **where)

    site.city.visit(letting_in)
    pem = PemKey(pem_of(registered))

    class Device:
        algorithm = pem.algorithm

        def sign(self, message: bytes) -> bytes:
            return pem.sign(message)

    for signer in (pem, Device()):
        desk = front(System(registered.code, signer))
        assert len(desk.do(desk.office.directory.organs())) == 3


def test_keys_that_are_refused() -> None:
    """A PEM that is none, a key of another kind and a wrong password are refused before anything is sent."""
    private = PrivateFormat.PKCS8
    secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, private, BestAvailableEncryption(b"x"))
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, private, BestAvailableEncryption(b"x"))
    for pem, password in ((b"-", None), (secret, b"y"), (secret, None), (other, b"x")):
        with pytest.raises(KeyRefused):
            PemKey(pem, password)
    assert PemKey(secret, b"x").algorithm == "ES256"


def test_no_token_in_the_clear() -> None:
    """A server that is not on this machine is spoken to over TLS alone."""
    with pytest.raises(ValueError, match="https"):
        Office("http://oa.example", System("caizheng"))


def test_no_secret_is_shown(site: Site, front: Front, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the log nor any repr holds the token or the key; the log has each request."""
    caplog.set_level(logging.DEBUG)
    system = system_of(site.let_in("caizheng"))
    desk = front(system)
    desk.do(desk.office.documents.draft(elements(site), TEXT))
    session = desk.office.documents._session
    token = session._desk._token
    shown = caplog.text + "".join(map(repr, (system, system.key, desk.office, session, session._desk)))
    assert "POST /api/v1/documents: 201" in caplog.text
    assert token
    assert token not in shown
    assert token.rpartition(".")[2] not in shown
    assert "PRIVATE" not in shown


# --- patience ---------------------------------------------------------------------------------------------------------


class _LoseAnswer:
    """Cuts the line where the answer to a write would come, once."""

    def __init__(self) -> None:
        self.lost = 0

    def __call__(self, data: bytes) -> bytes | None:
        if self.lost or not data.startswith(b"HTTP/1.1 201"):
            return data
        self.lost += 1
        return None


def test_an_answer_that_is_lost(site: Site, front: Front) -> None:
    """When the answer to a write is lost, the write is sent again under the same key, and has happened once."""
    desk, losing = front(), _LoseAnswer()
    word = uuid4().hex[:8]
    desk.do(desk.office.directory.organs())
    site.line.down = losing
    made = drafted(site, desk, title=f"关于{word}的通知")
    assert losing.lost == 1
    assert [row.id for row in desk.all(desk.office.documents.list(q=word))] == [made.id]


def test_a_limit(site: Site, front: Front) -> None:
    """Above its limit a system waits as long as it is told to and goes on; when that is longer than it wants to wait, it is
    told so at once."""
    registered = site.let_in(f"slow-{uuid4().hex[:8]}", per_minute=12)
    desk, hasty = front(system_of(registered)), front(system_of(registered), patience=Patience(longest=0.5))

    def empty(emptying: Desk) -> None:
        for _ in range(60):
            emptying.do(emptying.office.directory.organs())

    desk.do(desk.office.directory.organs())
    with pytest.raises(TooMany) as refused:
        empty(hasty)
    assert refused.value.code == "web.too_many_requests"
    assert 1 <= refused.value.facts["retry_after"] <= 5
    asked, started = site.requests("/api/v1/organs"), time.monotonic()
    desk.do(desk.office.directory.organs())
    assert site.requests("/api/v1/organs") - asked == 2
    assert time.monotonic() - started >= 1


def test_a_server_that_is_not_there(site: Site, front: Front) -> None:
    """Where nobody answers, it is tried as often as agreed and then told; a server that comes back in time is not missed."""
    hasty, desk = front(patience=Patience(tries=2, first=0.1)), front()
    desk.do(desk.office.directory.organs())
    calls = []

    def deaf(data: bytes) -> bytes | None:
        calls.append(data)
        return None

    site.line.up = deaf
    with pytest.raises(ConnectionLost):
        hasty.do(hasty.office.directory.organs())
    assert len(calls) == 2
    site.line.up = lambda data: deaf(data) if len(calls) < 4 else data
    assert len(desk.do(desk.office.directory.organs())) == 3
    assert len(calls) == 4
