"""Signing in: a challenge is answered once, in time, by the browser that asked, with a certificate that is good."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.keys import SoftKey, serial_text
from crypto.profiles import Profile
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.identity import rules
from oa_server.identity.models import Challenge, Official, Post, Session
from tests.city import Browser, City, b64, told
from tests.forge import DAY, city_authority, enter, foreign_authority, minted


async def refusals() -> list[str]:
    """The codes of the refusals that the audit log has recorded."""
    return [record.facts["code"] for record in await AuditRecord.filter(verb=Verb.SIGN_IN_REFUSED).order_by("id")]


# --- the challenge ----------------------------------------------------------------------------------------------------


async def test_a_challenge_of_nobodys(city: City) -> None:
    """An answer to a challenge that we never gave out is refused, and leaves nothing behind."""
    browser = city.browser("wang")
    asked = await browser.challenge()
    asked["nonce"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    assert told(await browser.try_sign_in(challenge=asked)) == (401, "identity.wrong_challenge")
    assert (await Session.all().count(), await refusals()) == (0, [])


@pytest.mark.norm("M-8.4a")
async def test_a_replayed_answer(city: City) -> None:
    """An answer opens one session; sent again, it is told that its challenge was used."""
    browser = city.browser("wang")
    asked = await browser.challenge()
    assert (await browser.try_sign_in(challenge=asked)).status_code == 201
    assert told(await browser.try_sign_in(challenge=asked)) == (401, "identity.used_challenge")
    assert await Session.all().count() == 1


async def test_a_refused_answer_spends_its_challenge(city: City) -> None:
    """Nobody tries twice on one challenge: after a wrong signature the right one comes too late."""
    browser = city.browser("wang")
    asked = await browser.challenge()
    wrong = await browser.try_sign_in(challenge=asked, origin="https://evil.example")
    assert told(wrong) == (401, "identity.wrong_signature")
    assert told(await browser.try_sign_in(challenge=asked)) == (401, "identity.used_challenge")


@pytest.mark.norm("M-8.4a")
@pytest.mark.parametrize(("seconds", "status"), [(55, 201), (61, 401)])
async def test_a_stale_challenge(city: City, seconds: int, status: int) -> None:
    """A challenge is good for a minute; later it is told that it is late."""
    browser = city.browser("wang")
    asked = await browser.challenge()
    with clock.shifted(timedelta(seconds=seconds)):
        answer = await browser.try_sign_in(challenge=asked)
    assert answer.status_code == status
    assert status == 201 or answer.json()["code"] == "identity.stale_challenge"


@pytest.mark.norm("M-8.4a")
async def test_a_challenge_of_another_browser(city: City) -> None:
    """A challenge is good only in the browser that it was given to, whoever has the key."""
    victim, thief = city.browser("wang"), city.browser("wang")
    stolen = await victim.challenge()
    own = await thief.challenge()
    assert told(await thief.try_sign_in(challenge={**stolen, "csrf": own["csrf"]})) == (401, "identity.wrong_challenge")
    assert (await victim.try_sign_in(challenge=stolen)).status_code == 201


async def test_an_answer_without_its_cross_site_token(city: City) -> None:
    """A page that could not read the challenge's answer cannot sign anybody in."""
    browser = city.browser("wang")
    asked = await browser.challenge()
    for csrf in ("", "0" * 64, (await city.browser("wang").challenge())["csrf"]):
        assert told(await browser.try_sign_in(challenge={**asked, "csrf": csrf})) == (403, "web.wrong_csrf")
    assert (await browser.try_sign_in(challenge=asked)).status_code == 201


@pytest.mark.norm("M-8.4a")
async def test_an_answer_for_another_origin(city: City) -> None:
    """What a key signed for another site opens nothing here."""
    for origin in ("https://evil.example", city.settings.origin + "/", "http://localhost:8080", ""):
        browser = city.browser("wang")
        answer = await browser.try_sign_in(origin=origin or "null")
        assert told(answer) == (401, "identity.wrong_signature")
    assert await refusals() == ["identity.wrong_signature"] * 4


@pytest.mark.parametrize("path", ["/api/session/challenge", "/api/session"])
async def test_a_page_of_another_site(city: City, path: str) -> None:
    """A page of another site cannot begin or end a sign-in in somebody's browser."""
    browser = city.browser("wang")
    asked = await browser.challenge()
    browser.http.headers["Origin"] = "http://127.0.0.1:9090"
    if path.endswith("challenge"):
        answer = await browser.http.post(path)
    else:
        answer = await browser.try_sign_in(challenge=asked)
    assert told(answer) == (403, "web.wrong_origin")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "A" * 42},
        {"nonce": "A" * 44},
        {"nonce": "+" * 43},
        {"nonce": "A" * 42 + "\n"},
        {"certificate": "%%%"},
        {"certificate": "AAAAA"},
        {"certificate": "A" * (64 * 1024 + 4)},
        {"chain": [""] * 6},
        {"chain": ["A==="]},
        {"signature": None},
        {"role": "leader"},
    ],
)
async def test_a_malformed_answer(city: City, changes: dict[str, object]) -> None:
    """An answer of another form is told so, and its challenge stays good for a proper one."""
    browser = city.browser("wang")
    asked = await browser.challenge()
    assert told(await browser.try_sign_in(challenge=asked, **changes)) == (422, "web.invalid")
    assert (await browser.try_sign_in(challenge=asked)).status_code == 201


async def test_an_answer_of_megabytes(city: City) -> None:
    """Who has not signed in cannot have the server read more than certificates and a signature take."""
    flood = await city.browser("wang").http.post("/api/session", json={"nonce": "A" * (512 << 10)})
    assert told(flood) == (413, "web.too_large")


async def test_asking_fills_no_log(city: City) -> None:
    """Whoever only asks for challenges adds nothing to the audit log, and old challenges go."""
    before = await AuditRecord.all().count()
    browser = city.browser("wang")
    for _ in range(5):
        await browser.challenge()
    assert await AuditRecord.all().count() == before
    with clock.shifted(rules.CHALLENGE_LIFE + rules.CHALLENGE_KEPT + timedelta(seconds=1)):
        await browser.challenge()
        assert await Challenge.all().count() == 1


@pytest.mark.norm("D-8.1.4.3a")
async def test_success_and_refusal_are_recorded(city: City) -> None:
    """Each answered challenge leaves one record: who got in, or which certificate was refused and why."""
    browser = city.browser("wang")
    await browser.try_sign_in(origin="https://evil.example")
    await browser.sign_in()
    serial = serial_text(browser.keys["sign-in"].certificate)
    refused = await AuditRecord.get(verb=Verb.SIGN_IN_REFUSED)
    assert (refused.subject_id, refused.facts) == (
        serial, {"code": "identity.wrong_signature", "address": "127.0.0.1"}
    )  # fmt: skip
    opened = await AuditRecord.get(verb=Verb.SIGNED_IN)
    assert (opened.actor_name, opened.certificate_serial, opened.address) == ("王建国", serial, "127.0.0.1")


# --- the certificate --------------------------------------------------------------------------------------------------


STRANGE: dict[str, Callable[[City], SoftKey]] = {
    "expired": lambda city: minted(city_authority(city), Profile.SIGN_IN, begins=-30 * DAY, ends=-DAY),
    "not yet valid": lambda city: minted(city_authority(city), Profile.SIGN_IN, begins=DAY, ends=2 * DAY),
    "not registered": lambda city: minted(city_authority(city), Profile.SIGN_IN),
    "for signing": lambda city: city.keys("wang")["signing"],
    "for sealing": lambda city: city.keys("qian")["seal"],
    "of a foreign authority": lambda _city: minted(foreign_authority(), Profile.SIGN_IN),
    "forged": lambda city: minted(foreign_authority(city_authority(city)), Profile.SIGN_IN),
}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("expired", "pki.expired"),
        ("not yet valid", "pki.not_yet_valid"),
        ("not registered", "pki.unknown_certificate"),
        ("for signing", "pki.wrong_profile"),
        ("for sealing", "pki.wrong_profile"),
        ("of a foreign authority", "pki.untrusted"),
        ("forged", "pki.untrusted"),
    ],
)
async def test_a_certificate_that_is_no_good(city: City, kind: str, code: str) -> None:
    """Each certificate that is no good is told why, in its own words, and the refusal is recorded."""
    answer = await city.browser("wang").try_sign_in(key=STRANGE[kind](city))
    assert told(answer) == (403, code)
    assert await refusals() == [code]
    assert await Session.all().count() == 0


@pytest.mark.parametrize(
    ("kind", "code"), [("of a foreign authority", "pki.unknown_issuer"), ("forged", "pki.bad_signature")]
)
async def test_a_stranger_without_a_chain(city: City, kind: str, code: str) -> None:
    """Without its chain, a foreign certificate is told from one that pretends to be ours."""
    answer = await city.browser("wang").try_sign_in(key=STRANGE[kind](city), chain=[])
    assert told(answer) == (403, code)


@pytest.mark.parametrize("garbage", [b"", b"\x30\x03\x02\x01\x01", b"not a certificate" * 50])
async def test_garbage_for_a_certificate(city: City, garbage: bytes) -> None:
    """What is no certificate is told so, wherever it stands."""
    assert told(await city.browser("wang").try_sign_in(certificate=b64(garbage))) == (403, "pki.unreadable")
    assert told(await city.browser("wang").try_sign_in(chain=[b64(garbage)])) == (403, "pki.unreadable")
    recorded = await AuditRecord.filter(verb=Verb.SIGN_IN_REFUSED).order_by("id").first()
    assert recorded.subject_id == "unreadable"


async def test_a_key_of_another_kind(city: City) -> None:
    """A certificate over a key that nobody here can use is told that its key is no good."""
    der = minted(foreign_authority(), Profile.SIGN_IN).certificate.public_bytes(Encoding.DER)
    p256, sm2 = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d")
    assert p256 in der
    answer = await city.browser("wang").try_sign_in(certificate=b64(der.replace(p256, sm2)))
    assert told(answer) == (403, "pki.weak_key")


async def test_a_revoked_certificate(city: City) -> None:
    """A revoked certificate is told that it was revoked."""
    browser = city.browser("wang")
    await city.revoke("wang")
    assert told(await browser.try_sign_in()) == (403, "pki.revoked")


async def test_revoked_while_signing_in(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revocation that comes between the examination and the session leaves no session behind."""
    register = city.app.state.house.register
    examine = register.examine

    async def examine_and_revoke(*arguments: Any) -> Any:
        holder = await examine(*arguments)
        await city.revoke("wang")
        return holder

    monkeypatch.setattr(register, "examine", examine_and_revoke)
    assert told(await city.browser("wang").try_sign_in()) == (403, "pki.revoked")
    assert await Session.all().count() == 0


async def test_a_session_does_not_outlive_its_certificate(city: City) -> None:
    """A session opened shortly before its certificate expires ends with it."""
    key = minted(city_authority(city), Profile.SIGN_IN, ends=timedelta(minutes=5))
    await enter(city, key, "wang")
    opened = await city.browser("wang").try_sign_in(key=key)
    assert opened.status_code == 201, opened.text
    assert opened.json()["expires_at"] == key.certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.norm("D-8.1.4.1d")
async def test_a_certificate_without_its_key(city: City) -> None:
    """Somebody else's certificate is of no use without its key, and its state is nobody else's to know."""
    own, others = city.browser("li"), city.keys("wang")["sign-in"]
    borrowed = SoftKey(own.keys["sign-in"].private_key, others.certificate, others.chain)
    assert told(await own.try_sign_in(key=borrowed)) == (401, "identity.wrong_signature")
    await city.revoke("wang")
    assert told(await own.try_sign_in(key=borrowed)) == (401, "identity.wrong_signature")


@pytest.mark.norm("D-8.1.4.2a/c")
@pytest.mark.parametrize("what", ["official", "post"])
async def test_a_holder_who_has_left(city: City, what: str) -> None:
    """Whoever is no longer active, or holds no post, does not get in with a good certificate."""
    if what == "official":
        await Official.filter(code="wang").update(active=False)
    else:
        await Post.filter(official_id=city.people["wang"]).delete()
    assert told(await city.browser("wang").try_sign_in()) == (403, "identity.not_an_official")


async def test_refusals_in_english(city: City) -> None:
    """Who reads English is told in English, under the same code."""
    browser: Browser = city.browser("wang")
    browser.http.headers["Accept-Language"] = "en"
    answer = (await browser.try_sign_in(key=STRANGE["not registered"](city))).json()
    assert (answer["code"], answer["title"]) == ("pki.unknown_certificate", "The certificate is not registered here.")
