"""Signing in: listing certificates, answering challenges, the PIN and its lock."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from crypto.challenge import new_nonce, verify_answer
from crypto.profiles import Profile
from oa_agent.config import Config
from oa_agent.sources import certificate_id
from tests.agent.conftest import ORIGIN, PIN, Office, Person, Pki, Token, Visit, b64url, der


async def test_listing_certificates(visit: Visit, pki: Pki, config: Config) -> None:
    """Certificates are listed by what they are for, and without a PIN."""
    keys = {
        usage: pki.key_file(usage, config.keys, usage.value)
        for usage in (Profile.SIGN_IN, Profile.SIGNING, Profile.SEAL)
    }
    async with visit() as page:
        for usage, key in keys.items():
            (entry,) = await page.get("certificates", usage=usage)
            assert entry["id"] == certificate_id(key.certificate)
            assert entry["certificate"] == der(key.certificate)
            assert entry["chain"] == [der(above) for above in key.chain]
            assert entry["serial"] == format(key.certificate.serial_number, "x")
            assert (entry["token"], entry["label"], entry["usage"]) == ("软件密钥", usage.value, usage.value)
            assert "李明" in entry["subject"]
            assert entry["not_after"].endswith("Z")


async def test_only_peoples_usages_are_listed(visit: Visit) -> None:
    """Certificates of authorities and servers are nobody's to choose from."""
    async with visit() as page:
        assert await page.refusal("certificates", usage="root") == "message.malformed"


async def test_spoilt_key_files_hide_no_others(visit: Visit, pki: Pki, config: Config) -> None:
    """A file that is no key file is passed over."""
    pki.key_file(Profile.SIGN_IN, config.keys, "李明")
    (config.keys / "spoilt.oakey").write_text("not a key file")
    async with visit() as page:
        assert len(await page.get("certificates", usage="sign-in")) == 1


async def test_sign_in_with_a_software_key(visit: Visit, pki: Pki, config: Config) -> None:
    """The answer to a challenge is good for the origin of the handshake, and for that alone."""
    key = pki.key_file(Profile.SIGN_IN, config.keys, "登录")
    nonce = new_nonce()
    async with visit() as page:
        page.person = Person([PIN])
        result = await page.get("authenticate", certificate_id=certificate_id(key.certificate), nonce=b64url(nonce))
        (form, last) = await page.person_done()
    assert result["certificate"] == der(key.certificate)
    assert result["chain"] == [der(above) for above in key.chain]
    signature = base64.b64decode(result["signature"])
    assert verify_answer(key.certificate.public_key(), ORIGIN, nonce, signature)
    assert not verify_answer(key.certificate.public_key(), "https://evil.example", nonce, signature)
    assert "登录" in form
    assert ORIGIN in form
    assert "李明" in form
    assert "已完成" in last


async def test_sign_in_with_a_token(visit: Visit, token: Token, enrol: Callable[..., Any]) -> None:
    """A key that was generated in a token signs in there."""
    certificate = await enrol(token, Profile.SIGN_IN)
    nonce = new_nonce()
    async with visit() as page:
        page.person = Person([PIN])
        (entry,) = [e for e in await page.get("certificates", usage="sign-in") if e["token"] == token.label]
        result = await page.get("authenticate", certificate_id=entry["id"], nonce=b64url(nonce))
    assert len(entry["chain"]) == 2
    assert verify_answer(certificate.public_key(), ORIGIN, nonce, base64.b64decode(result["signature"]))


@pytest.mark.parametrize(
    "nonce", ["", "AAAA", "A" * 43 + "=", "!" * 43, b64url(bytes(31)), b64url(bytes(33)), "A" * 42 + "B"]
)
async def test_other_nonces(visit: Visit, pki: Pki, config: Config, nonce: str) -> None:
    """A challenge of another length or spelling is refused before a PIN is asked for."""
    key = pki.key_file(Profile.SIGN_IN, config.keys, "登录")
    async with visit() as page:
        code = await page.refusal("authenticate", certificate_id=certificate_id(key.certificate), nonce=nonce)
        assert code == "nonce.malformed"
        assert page.events.empty()


@pytest.mark.parametrize("profile", [Profile.SIGNING, Profile.SEAL])
async def test_signing_keys_do_not_sign_in(visit: Visit, pki: Pki, config: Config, profile: Profile) -> None:
    """A key that signs documents answers no challenge."""
    key = pki.key_file(profile, config.keys, "签名")
    async with visit() as page:
        wanted = {"certificate_id": certificate_id(key.certificate), "nonce": b64url(new_nonce())}
        assert await page.refusal("authenticate", **wanted) == "certificate.wrong_usage"


async def test_unknown_certificates(visit: Visit) -> None:
    """A certificate that is not there is named as such."""
    async with visit() as page:
        for command in ("authenticate", "watch"):
            members = {"certificate_id": "00" * 32} | (
                {"nonce": b64url(new_nonce())} if command == "authenticate" else {}
            )
            assert await page.refusal(command, **members) == "certificate.not_found"


async def _sign_in(page: Any, key_id: str, *pins: str) -> dict[str, Any]:
    page.person = Person(list(pins))
    answer: dict[str, Any] = await page.ask("authenticate", certificate_id=key_id, nonce=b64url(new_nonce()))
    return answer


@pytest.mark.norm("D-8.1.4.1b")
@pytest.mark.parametrize("kind", ["software", "token"])
async def test_five_wrong_pins_lock(
    visit: Visit, pki: Pki, config: Config, token: Token, enrol: Callable[..., Any], kind: str
) -> None:
    """Five wrong PINs lock the key, the right one no longer helps, and a restart of the agent changes nothing."""
    if kind == "software":
        certificate = pki.key_file(Profile.SIGN_IN, config.keys, "登录").certificate
    else:
        certificate = await enrol(token, Profile.SIGN_IN)
    key_id = certificate_id(certificate)
    async with visit() as page:
        page.person = Person(["000000"] * 3)
        await page.socket.send(
            json.dumps({"id": 1, "command": "authenticate", "certificate_id": key_id, "nonce": b64url(new_nonce())})
        )
        while len(page.person.pages) < 4:  # The person gives up before the fourth, and leaves the page.
            await asyncio.sleep(0.02)
        assert [f"剩余尝试次数：{5 - wrong}" in form for wrong, form in enumerate(page.person.pages)] == [True] * 4
    async with visit() as page:
        answer = await _sign_in(page, key_id, *["000000"] * 2)
        last = (await page.person_done())[-1]
        assert answer["error"]["code"] == "pin.locked"
        assert "锁定" in last
        assert (await _sign_in(page, key_id, PIN))["error"]["code"] == "pin.locked"
    async with visit() as page:
        assert (await _sign_in(page, key_id, PIN))["error"]["code"] == "pin.locked"


async def test_the_right_pin_resets_the_count(visit: Visit, pki: Pki, config: Config) -> None:
    """Wrong PINs add up only until the right one."""
    key_id = certificate_id(pki.key_file(Profile.SIGN_IN, config.keys, "登录").certificate)
    async with visit() as page:
        for _ in range(3):
            assert (await _sign_in(page, key_id, "000000", "111111", "222222", PIN))["ok"]
        forms = await page.person_done()
    assert "PIN 不正确" in forms[1]
    assert "剩余尝试次数：2" in forms[3]


async def test_counts_follow_the_sealed_key(visit: Visit, pki: Pki, config: Config) -> None:
    """A copy of a locked key file is as locked as the first."""
    certificate = pki.key_file(Profile.SIGN_IN, config.keys, "登录").certificate
    async with visit() as page:
        assert not (await _sign_in(page, certificate_id(certificate), *["000000"] * 5))["ok"]
        (config.keys / "登录.oakey").rename(config.keys / "副本.oakey")
        assert (await _sign_in(page, certificate_id(certificate), PIN))["error"]["code"] == "pin.locked"


async def test_one_operation_at_a_time(visit: Visit, pki: Pki, config: Config) -> None:
    """While one operation waits for its PIN another is refused, and cancelling the first makes room."""
    key_id = certificate_id(pki.key_file(Profile.SIGN_IN, config.keys, "登录").certificate)
    async with visit() as page:
        first = asyncio.create_task(page.ask("authenticate", certificate_id=key_id, nonce=b64url(new_nonce())))
        assert (await page.event())["event"] == "pin-needed"
        assert await page.refusal("authenticate", certificate_id=key_id, nonce=b64url(new_nonce())) == "agent.busy"
        assert await page.get("cancel", target=1) == {"cancelled": True}
        assert (await first)["error"]["code"] == "agent.cancelled"
        assert await page.get("cancel", target=1) == {"cancelled": False}
        assert (await _sign_in(page, key_id, PIN))["ok"]


async def test_a_page_that_leaves_takes_its_operation_along(visit: Visit, pki: Pki, config: Config) -> None:
    """When the connection ends, the PIN entry it waited for ends too."""
    key_id = certificate_id(pki.key_file(Profile.SIGN_IN, config.keys, "登录").certificate)
    async with visit() as page:
        await page.socket.send(
            json.dumps({"id": 1, "command": "authenticate", "certificate_id": key_id, "nonce": b64url(new_nonce())})
        )
        url = (await page.event())["url"]
        await page.socket.close()
        async with asyncio.timeout(10), httpx.AsyncClient() as browser:
            while (await browser.get(url)).status_code != 404:
                await asyncio.sleep(0.02)


async def test_removal_of_a_key_file(visit: Visit, pki: Pki, config: Config) -> None:
    """A key file that disappears is pushed as removed."""
    certificate = pki.key_file(Profile.SIGN_IN, config.keys, "登录").certificate
    async with visit() as page:
        assert await page.get("watch", certificate_id=certificate_id(certificate))
        (config.keys / "登录.oakey").unlink()
        assert await page.event() == {"event": "key-removed", "certificate_id": certificate_id(certificate)}


async def test_removal_of_a_token(visit: Visit, token: Token, enrol: Callable[..., Any], tmp_path: Path) -> None:
    """A token that is pulled is pushed as removed, cannot be used, and works again when it is put back."""
    key_id = certificate_id(await enrol(token, Profile.SIGN_IN))
    async with visit() as page:
        assert await page.get("watch", certificate_id=key_id)
        assert (await _sign_in(page, key_id, PIN))["ok"]
        token.body.rename(tmp_path / "pulled")
        assert await page.event() == {"event": "key-removed", "certificate_id": key_id}
        assert (await _sign_in(page, key_id, PIN))["error"]["code"] == "certificate.not_found"
        (tmp_path / "pulled").rename(token.body)
        assert (await _sign_in(page, key_id, PIN))["ok"]
        assert await page.get("watch", certificate_id=key_id)


async def test_removal_during_the_pin_entry(
    visit: Visit, token: Token, enrol: Callable[..., Any], tmp_path: Path
) -> None:
    """A token that is pulled while the PIN is typed refuses, and the attempt is not held against it."""
    key_id = certificate_id(await enrol(token, Profile.SIGN_IN))
    async with visit() as page:
        asking = asyncio.create_task(page.ask("authenticate", certificate_id=key_id, nonce=b64url(new_nonce())))
        url = (await page.event())["url"]
        token.body.rename(tmp_path / "pulled")
        person = Person([PIN])
        await person.meet(url)
        assert (await asking)["error"]["code"] in {"token.removed", "token.not_found"}
        (tmp_path / "pulled").rename(token.body)
        assert (await _sign_in(page, key_id, PIN))["ok"]
        assert "剩余尝试次数：5" in (await page.person_done())[0]


async def test_the_office_reads_the_answer(visit: Visit, pki: Pki, config: Config, office: Office) -> None:
    """The nonce travels as the office server writes it: base64url without padding."""
    key = pki.key_file(Profile.SIGN_IN, config.keys, "登录")
    nonce = bytes(range(224, 256))
    assert {"-", "_"} & set(b64url(nonce))
    async with visit() as page:
        page.person = Person([PIN])
        result = await page.get("authenticate", certificate_id=certificate_id(key.certificate), nonce=b64url(nonce))
    assert verify_answer(key.certificate.public_key(), ORIGIN, nonce, base64.b64decode(result["signature"]))
