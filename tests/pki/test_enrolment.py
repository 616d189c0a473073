"""The first keys of administrators: a code from the console, good for one person, once, and for a day."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.keys import SoftKey
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Denied
from oa_server.demo.enrolment import actor_named
from oa_server.pki.enrolment import open_enrolment
from oa_server.pki.models import CertificateRequest
from tests.city import Browser, City, told
from tests.faults.house import faults
from tests.pki.office import csr


async def code_for(city: City, person: str = "aud") -> str:
    return await open_enrolment(SYSTEM, UUID(city.people[person]))


def new_keys() -> dict[str, Any]:
    return {profile: ec.generate_private_key(ec.SECP256R1()) for profile in ("sign-in", "signing")}


async def enrol(browser: Browser, code: str, keys: dict[str, Any], **fields: Any) -> Any:
    listed = [{"profile": profile, "csr": csr(key, common="施正")} for profile, key in keys.items()]
    return await post(browser, {"code": code, "label": "UK-0001", "keys": listed, **fields})


async def post(browser: Browser, body: dict[str, Any], path: str = "/api/pki/enrolment") -> Any:
    headers = {"Origin": browser.origin}
    return await browser.http.post(path, json=body, headers=headers)


async def test_a_code_makes_a_key(city: City) -> None:
    """Whoever has a code sees whose it is, makes keys with it, signs in with them, and then it is spent."""
    browser, keys = city.browser("aud"), new_keys()
    code = await code_for(city)
    shown = (await post(browser, {"code": code.lower().replace("-", " ")})).json()
    assert (shown["name"], shown["roles"], shown["keys"]) == ("施正", ["audit_admin"], [])
    issued = {key["profile"]: key for key in (await enrol(browser, code, keys)).json()["keys"]}
    certificates = {
        profile: x509.load_der_x509_certificate(base64.b64decode(key["certificate"])) for profile, key in issued.items()
    }
    browser.keys["sign-in"] = SoftKey(keys["sign-in"], certificates["sign-in"])
    assert (await post(browser, {"code": code}, "/api/pki/enrolment/done")).status_code == 204
    assert (await browser.sign_in())["official"]["name"] == "施正"
    for path in ("/api/pki/enrolment", "/api/pki/enrolment/done"):
        assert told(await post(browser, {"code": code}, path)) == (404, "pki.no_enrolment")
    device = (await (await city.signed_in("sys")).get("/api/pki/devices?q=UK-0001")).json()["items"][0]
    assert (device["state"], device["holder"]["name"]) == ("handed_over", "施正")
    assert await faults(city.app.state.house) == []


async def test_a_page_that_was_loaded_again(city: City) -> None:
    """The same keys sent again get the same certificates; a key that broke on the way is made anew, but not for ever."""
    browser, keys, code = city.browser("aud"), new_keys(), await code_for(city)
    listed = [{"profile": profile, "csr": csr(key)} for profile, key in keys.items()]
    body = {"code": code, "label": "UK-1", "keys": listed}
    first, again = [(await post(browser, body)).json()["keys"] for _ in range(2)]
    assert first == again
    for _ in range(3):
        assert (await enrol(browser, code, new_keys())).status_code == 200
    assert told(await enrol(browser, code, new_keys())) == (409, "pki.too_many_keys")


async def test_codes_that_open_nothing(city: City) -> None:
    """A wrong code, an old one, and one that was replaced open nothing; nothing is made with them."""
    browser, code = city.browser("aud"), await code_for(city)
    before = await CertificateRequest.all().count()
    assert told(await enrol(browser, "ABCD-EFGH-2345-6789-JKMN", new_keys())) == (404, "pki.no_enrolment")
    with clock.shifted(timedelta(days=1, minutes=1)):
        assert told(await enrol(browser, code, new_keys())) == (404, "pki.no_enrolment")
    newer = await code_for(city)
    assert told(await enrol(browser, code, new_keys())) == (404, "pki.no_enrolment")
    assert (await post(browser, {"code": newer})).status_code == 200
    assert told(await post(browser, {"code": newer}, "/api/pki/enrolment/done")) == (409, "pki.not_issued")
    assert await CertificateRequest.all().count() == before


async def test_from_another_site(city: City) -> None:
    """A foreign page cannot use a code that somebody typed."""
    body, headers = {"code": await code_for(city)}, {"Origin": "https://evil.example"}
    answer = await city.browser("aud").http.post("/api/pki/enrolment", json=body, headers=headers)
    assert told(answer) == (403, "web.wrong_origin")


@pytest.mark.parametrize(("by", "whom"), [("sys", "aud"), ("sec", "aud"), (None, "wang"), (None, "chen")])
async def test_who_is_given_one(city: City, by: str | None, whom: str) -> None:
    """Codes are given at the console alone, and to administrators alone."""
    actor = await actor_named(by) if by else SYSTEM
    with pytest.raises(Denied) as refused:
        await open_enrolment(actor, UUID(city.people[whom]))
    assert refused.value.code == "pki.console_enrols_admins"
