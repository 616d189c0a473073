"""Signing on request: what the server prepared, by who was asked, for what was asked, once, in time — or nothing."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from jose import jwt

from crypto.keys import SoftKey, serial_text
from crypto.profiles import Profile
from oa_server.audit import actions as audit
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Denied, NotFound
from oa_server.demo.enrolment import Enrolment, actor_named
from oa_server.pki import access as pki
from oa_server.signing.actions import register_seal
from oa_server.signing.models import Seal, SealState, Signature, SignatureRequest
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.verification import all_faults
from tests.city import PIN, Browser, City, b64, seal_image, told
from tests.forge import city_authority, enter, foreign_authority, minted


@pytest.fixture
async def li(city: City) -> Browser:
    """The unit head, before whom a notice lies."""
    return await city.signed_in("li")


@pytest.fixture
async def path(city: City) -> str:
    """A notice that waits for the unit head."""
    return await city.submitted(await city.signed_in("wang"))


@pytest.fixture
async def frozen(city: City, li: Browser, path: str) -> str:
    """A notice that waits for its seal."""
    zhao, chen, sun = [await city.signed_in(p) for p in ("zhao", "chen", "sun")]
    for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
        (await person.sign(path, verb, opinion="同意")).raise_for_status()
    (await sun.act(path, "number")).raise_for_status()
    return path


def with_key(browser: Browser, usage: str, key: SoftKey) -> Browser:
    """The same browser with another key in its device."""
    return replace(browser, keys={**browser.keys, usage: key})


async def asked(browser: Browser, path: str) -> dict[str, Any]:
    """A request to sign an approval."""
    answer = await browser.ask(path, "approve", opinion="同意")
    answer.raise_for_status()
    return dict(answer.json())


async def sent(browser: Browser, path: str, request_id: str, value: bytes, verb: str = "approve") -> httpx.Response:
    """An act with this raw signature."""
    body = {
        "verb": verb,
        "opinion": "同意",
        "reason": "退回",
        "signature": {"request_id": request_id, "value": b64(value)},
    }
    return await browser.send("POST", f"{path}/acts", json=body)


def attributes(request: dict[str, Any]) -> bytes:
    return base64.b64decode(jwt.get_unverified_claims(request["request"])["signed_attributes"])


async def state(browser: Browser, path: str) -> tuple[str, int]:
    """The document's state, and how many opinions it has."""
    shown = (await browser.get(path)).json()
    return shown["state"], len(shown["opinions"])


# --- with which certificate -------------------------------------------------------------------------------------------

# Name → the key that somebody wants to sign an approval with, and the refusal.
WRONG_KEYS: dict[str, tuple[Callable[[City], SoftKey], str]] = {
    "for signing in": (lambda city: city.keys("li")["sign-in"], "pki.wrong_profile"),
    "for sealing": (lambda city: city.keys("qian")["seal"], "pki.wrong_profile"),
    "another official's": (lambda city: city.keys("zhao")["signing"], "signing.not_your_certificate"),
    "not registered": (lambda city: minted(city_authority(city), Profile.SIGNING), "pki.unknown_certificate"),
    "foreign": (lambda _city: minted(foreign_authority(), Profile.SIGNING), "pki.untrusted"),
}


@pytest.mark.parametrize("name", WRONG_KEYS)
async def test_the_wrong_certificate(city: City, li: Browser, path: str, name: str) -> None:
    """Nobody is asked to sign with a certificate that is not their own or not for signing, and each is told why."""
    make, code = WRONG_KEYS[name]
    answer = await with_key(li, "signing", make(city)).ask(path, "approve", opinion="同意")
    assert told(answer) == (403, code)
    assert await SignatureRequest.all().count() == 0


async def test_no_certificate_at_all(li: Browser, path: str) -> None:
    """Bytes that are no certificate are told so, and letters that are no base64 too."""
    read = (await li.get(path)).json()["pages_sha256"]
    for certificate, status, code in ((b64(b"garbage"), 403, "pki.unreadable"), ("AAAAA", 422, "web.invalid")):
        body = {"verb": "approve", "certificate": certificate, "opinion": "同意", "pages_sha256": read}
        assert told(await li.send("POST", f"{path}/signatures", json=body)) == (status, code)


async def test_the_wrong_seal(city: City, frozen: str) -> None:
    """A document is sealed with its own organ's seal: no signing certificate, no other organ's seal."""
    qian = await city.signed_in("qian")
    assert told(await qian.ask(frozen, "seal", usage="signing")) == (403, "pki.wrong_profile")
    others = with_key(qian, "seal", city.keys("zhou")["seal"])
    assert told(await others.ask(frozen, "seal", usage="seal")) == (403, "signing.not_organs_seal")
    await Seal.all().update(state=SealState.WITHDRAWN)
    assert told(await qian.ask(frozen, "seal", usage="seal")) == (403, "signing.no_seal")


# --- over which bytes -------------------------------------------------------------------------------------------------


async def test_a_signature_over_other_bytes(city: City, li: Browser, path: str) -> None:
    """A signature that is not over what was prepared, or not by that key, changes nothing; the right one still counts."""
    request = await asked(li, path)
    prepared = attributes(request)
    own, zhaos = li.keys["signing"], city.keys("zhao")["signing"]
    flipped = bytearray(own.sign(prepared))
    flipped[-1] ^= 1
    wrong = [
        own.sign(prepared + b"\0"),
        own.sign(b"another document"),
        zhaos.sign(prepared),
        li.keys["sign-in"].sign(prepared),
        bytes(flipped),
        b"",
        b"\x30\x00",
        bytes(72),
    ]
    for value in wrong:
        assert told(await sent(li, path, request["request_id"], value)) == (422, "signing.wrong_signature")
    assert await state(li, path) == ("under_review", 0)
    assert await Signature.all().count() == 0
    assert (await sent(li, path, request["request_id"], own.sign(prepared))).status_code == 200
    assert await state(li, path) == ("under_review", 1)


async def test_a_signature_for_another_request(li: Browser, path: str) -> None:
    """A signature made for one request does not fit another, though both ask the same."""
    first = await asked(li, path)
    with clock.shifted(timedelta(seconds=2)):
        second = await asked(li, path)
        value = li.keys["signing"].sign(attributes(first))
        assert told(await sent(li, path, second["request_id"], value)) == (422, "signing.wrong_signature")


async def test_a_seal_over_other_bytes(city: City, frozen: str) -> None:
    """A seal over other bytes, or by another seal's key, seals nothing."""
    qian = await city.signed_in("qian")
    request = (await qian.ask(frozen, "seal", usage="seal")).json()
    prepared = attributes(request)
    for value in (qian.keys["seal"].sign(prepared + b"\0"), city.keys("zhou")["seal"].sign(prepared)):
        refused = await sent(qian, frozen, request["request_id"], value, "seal")
        assert told(refused) == (422, "signing.wrong_signature")
    assert (await qian.get(frozen)).json()["state"] == "frozen"


# --- which request ----------------------------------------------------------------------------------------------------


async def test_a_request_is_good_once(li: Browser, path: str) -> None:
    """A request that was used is told so, and its act is not done a second time."""
    request = await asked(li, path)
    value = li.keys["signing"].sign(attributes(request))
    assert (await sent(li, path, request["request_id"], value)).status_code == 200
    assert told(await sent(li, path, request["request_id"], value)) == (409, "signing.request_used")
    assert await state(li, path) == ("under_review", 1)


async def test_two_at_once(li: Browser, path: str) -> None:
    """Of one request that is answered twice at the same moment, one answer counts and the other is refused."""
    request = await asked(li, path)
    value = li.keys["signing"].sign(attributes(request))
    answers = await asyncio.gather(*(sent(li, path, request["request_id"], value) for _ in range(2)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert await Signature.all().count() == 1


async def test_an_expired_request(li: Browser, path: str) -> None:
    """A request is good for ten minutes; later it is told that it is late, and much later it is gone."""
    request = await asked(li, path)
    value = li.keys["signing"].sign(attributes(request))
    with clock.shifted(timedelta(minutes=10, seconds=1)):
        assert told(await sent(li, path, request["request_id"], value)) == (410, "signing.request_expired")
    again = await li.sign(path, "approve", opinion="同意")
    assert again.status_code == 200


async def test_old_requests_go(city: City, li: Browser, path: str) -> None:
    """What was prepared and never signed is not kept: the next request clears it away."""
    await asked(li, path)
    with clock.shifted(timedelta(minutes=71)):
        await li.sign_in()
        fresh = await asked(li, path)
        assert [str(row.id) for row in await SignatureRequest.all()] == [fresh["request_id"]]


async def test_somebody_elses_request(city: City, li: Browser, path: str) -> None:
    """Another person's request is not there, for those who see the document as for a number that was never given."""
    request = await asked(li, path)
    value = li.keys["signing"].sign(attributes(request))
    wang = await city.signed_in("wang")
    for browser, identifier in ((wang, request["request_id"]), (li, str(uuid4()))):
        assert told(await sent(browser, path, identifier, value)) == (404, "signing.no_request")


async def test_for_another_verb(li: Browser, path: str) -> None:
    """What was signed as an approval does not return the document."""
    request = await asked(li, path)
    value = li.keys["signing"].sign(attributes(request))
    assert told(await sent(li, path, request["request_id"], value, "return")) == (409, "signing.other_purpose")
    assert await state(li, path) == ("under_review", 0)


async def test_for_another_document(city: City, li: Browser, path: str) -> None:
    """What was signed for one document approves no other."""
    other = await city.submitted(await city.signed_in("wang"))
    request = await asked(li, path)
    value = li.keys["signing"].sign(attributes(request))
    assert told(await sent(li, other, request["request_id"], value)) == (409, "signing.other_purpose")
    assert await state(li, other) == ("under_review", 0)


async def test_a_signature_that_is_no_base64(li: Browser, path: str) -> None:
    """A value that cannot be read is told so, and the request stays good."""
    request = await asked(li, path)
    body = {"verb": "approve", "opinion": "同意", "signature": {"request_id": request["request_id"], "value": "AAAAA"}}
    assert told(await li.send("POST", f"{path}/acts", json=body)) == (422, "web.invalid")
    assert (await li.answer(path, "approve", request, opinion="同意")).status_code == 200


# --- between asking and acting ----------------------------------------------------------------------------------------


async def test_revoked_between_asking_and_acting(city: City, li: Browser, path: str) -> None:
    """A certificate that is revoked while its holder signs makes no act, and a new request is not given either."""
    request = await asked(li, path)
    await city.revoke("li", "signing")
    assert told(await li.answer(path, "approve", request, opinion="同意")) == (403, "pki.revoked")
    assert told(await li.ask(path, "approve", opinion="同意")) == (403, "pki.revoked")
    assert await state(li, path) == ("under_review", 0)


async def test_revoked_at_the_last_moment(city: City, li: Browser, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revocation that comes after the signature was checked and before the act is kept still stops the act."""
    register = city.app.state.house.register
    stamp = register.stamp

    async def revoke_and_stamp(digest: bytes) -> bytes:
        await city.revoke("li", "signing")
        stamped: bytes = await stamp(digest)
        return stamped

    request = await asked(li, path)
    monkeypatch.setattr(register, "stamp", revoke_and_stamp)
    assert told(await li.answer(path, "approve", request, opinion="同意")) == (403, "pki.revoked")
    assert await state(li, path) == ("under_review", 0)
    assert await Signature.all().count() == 0


async def test_an_act_comes_before_a_revocation_or_not_at_all(city: City) -> None:
    """While an act rests on a certificate, its revocation waits; once it is revoked, nothing rests on it."""
    register = city.app.state.house.register
    serial = serial_of(city, "li", "signing")
    held, may_end = asyncio.Event(), asyncio.Event()

    async def act() -> str:
        async with unit_of_work(SYSTEM):
            await register.hold(serial)
            held.set()
            await may_end.wait()
            return (await pki.certificate(serial)).state

    acting = asyncio.create_task(act())
    await held.wait()
    revoking = asyncio.create_task(city.revoke("li", "signing"))
    await asyncio.sleep(0.3)
    assert not revoking.done()
    may_end.set()
    assert await acting == "good"
    await revoking
    with pytest.raises(Denied):
        await act()


async def test_expired_between_asking_and_acting(city: City, li: Browser, path: str) -> None:
    """A certificate that runs out while its holder signs makes no act."""
    key = minted(city_authority(city), Profile.SIGNING, ends=timedelta(minutes=5))
    await enter(city, key, "li")
    li = with_key(li, "signing", key)
    request = await asked(li, path)
    with clock.shifted(timedelta(minutes=6)):
        assert told(await li.answer(path, "approve", request, opinion="同意")) == (403, "pki.expired")


async def test_the_seal_is_withdrawn_between_asking_and_acting(city: City, frozen: str) -> None:
    """A seal that is withdrawn while its keeper seals, seals nothing."""
    qian = await city.signed_in("qian")
    request = (await qian.ask(frozen, "seal", usage="seal")).json()
    await Seal.all().update(state=SealState.WITHDRAWN)
    assert told(await qian.answer(frozen, "seal", request, usage="seal")) == (403, "signing.no_seal")
    await Seal.all().update(state=SealState.IN_USE)
    assert (await qian.answer(frozen, "seal", request, usage="seal")).json()["state"] == "sealed"


async def test_revoked_between_asking_and_sealing(city: City, frozen: str) -> None:
    """A seal certificate that is revoked while its keeper seals, seals nothing."""
    qian = await city.signed_in("qian")
    request = (await qian.ask(frozen, "seal", usage="seal")).json()
    await city.revoke("qian", "seal")
    assert told(await qian.answer(frozen, "seal", request, usage="seal")) == (403, "pki.revoked")
    assert (await qian.get(frozen)).json()["state"] == "frozen"


# --- registering seals ------------------------------------------------------------------------------------------------


async def new_seal(city: City, serial: str, *, by: str = "sec", organ: str = "JC001") -> Seal:
    return await register_seal(
        await actor_named(by),
        (await Seal.filter(organ_id=city.organs[organ]).first()).organ_id,
        name="江城市人民政府办公室",
        image=seal_image(),
        diameter_mm=45,
        certificate_serial=serial,
    )


def serial_of(city: City, person: str, usage: str) -> str:
    return serial_text(city.keys(person)[usage].certificate)


async def test_a_new_seal_takes_the_place_of_the_old(city: City) -> None:
    """An organ has one seal in use; the one before is withdrawn by the same act, and the log agrees with the table."""
    seal = await new_seal(city, serial_of(city, "qian", "seal"))
    assert [row.id for row in await Seal.filter(organ_id=seal.organ_id, state=SealState.IN_USE)] == [seal.id]
    record = await AuditRecord.filter(verb=Verb.SEAL_REGISTERED).order_by("-id").first()
    assert (record.actor_name, len(record.facts["rows"])) == ("吕安", 2)
    while await audit.sequence():
        pass
    assert [fault async for fault in all_faults(city.app.state.house)] == []


async def test_two_seals_at_once(city: City, tmp_path: Path) -> None:
    """Of two seals that are registered for an organ at the same moment, one stays in use."""
    register = city.app.state.register
    enrolment = Enrolment(register, tmp_path, await actor_named("sys"), await actor_named("sec"))
    organ = UUID(city.organs["JC001"])
    serials = [(await enrolment.seal(organ, f"JC001-{number}", PIN))[1] for number in range(4)]
    for _ in range(5):
        await asyncio.gather(*(new_seal(city, serial) for serial in serials))
        assert await Seal.filter(organ_id=organ, state=SealState.IN_USE).count() == 1


@pytest.mark.parametrize("by", ["qian", "sys", "aud", "chen"])
async def test_who_registers_seals(city: City, by: str) -> None:
    """Only the security administrator registers seals."""
    with pytest.raises(Denied) as refused:
        await new_seal(city, serial_of(city, "qian", "seal"), by=by)
    assert refused.value.code == "signing.not_security_admin"


@pytest.mark.parametrize(("person", "usage"), [("zhou", "seal"), ("qian", "signing"), ("qian", "sign-in")])
async def test_what_a_seal_rests_on(city: City, person: str, usage: str) -> None:
    """A seal rests on a seal certificate of its own organ, and the old seal stays when it does not."""
    with pytest.raises(Denied) as refused:
        await new_seal(city, serial_of(city, person, usage))
    assert refused.value.code == "signing.not_organs_seal"
    assert await Seal.filter(state=SealState.IN_USE).count() == 2


async def test_no_seal_on_a_bad_certificate(city: City) -> None:
    """A revoked or unknown certificate makes no seal."""
    with pytest.raises(NotFound):
        await new_seal(city, "abcdef")
    await city.revoke("qian", "seal")
    with pytest.raises(Denied) as refused:
        await new_seal(city, serial_of(city, "qian", "seal"))
    assert refused.value.code == "pki.revoked"
