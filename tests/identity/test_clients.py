"""Departments' systems: who lets them in, how they sign in, and what they may ask and do."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwt

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.identity.models import ApiClient, Official
from oa_server.storage import idempotency
from oa_server.storage.unit_of_work import housekeeping
from oa_server.web.proxy import ProxyMiddleware
from tests.city import BODY, City, told
from tests.faults.house import faults
from tests.identity.system import System, let_in, unit_of


@pytest.fixture
async def system(city: City) -> System:
    found = System(city)
    await let_in(found)
    await found.sign_in()
    return found


def draft_of(city: City, **elements: Any) -> dict[str, Any]:
    return {"elements": city.elements(**elements), "body": BODY}


# --- letting in -------------------------------------------------------------------------------------------------------


@pytest.mark.norm("A-2.3.5")
async def test_two_people_let_a_system_in(city: City) -> None:
    """One administrator registers, another lets in; until then, and once it is suspended, it gets no token."""
    system = System(city)
    sys, sec = await city.signed_in("sys"), await city.signed_in("sec")
    entry = system.entry(unit_id=await unit_of(city, "wang"))
    registered = (await sys.send("POST", "/api/clients", json=entry)).raise_for_status().json()
    assert (registered["state"], registered["registered_by"], registered["official"]["name"]) == (
        "pending", "何平", "王建国",
    )  # fmt: skip
    assert told(await system.ask_token()) == (401, "identity.bad_client")
    path = f"/api/clients/{registered['id']}/acts"
    assert told(await sys.send("POST", path, json={"verb": "approve"})) == (403, "identity.not_security_admin")
    (await sec.send("POST", path, json={"verb": "approve"})).raise_for_status()
    await system.sign_in()
    (await sec.send("POST", path, json={"verb": "suspend", "reason": "停用"})).raise_for_status()
    assert told(await system.get("/documents")) == (401, "identity.bad_client")
    assert told(await system.ask_token()) == (401, "identity.bad_client")
    assert told(await sec.send("POST", path, json={"verb": "approve"})) == (409, "identity.client_state")
    (await sec.send("POST", path, json={"verb": "resume"})).raise_for_status()
    assert (await system.get("/documents")).status_code == 200
    assert await faults(city.app.state.house) == []


async def test_a_system_that_is_entered_anew(city: City) -> None:
    """Refused with a reason, or suspended, a system is entered anew under its code; who lets it in sees what is otherwise."""
    system, renewed = System(city), System(city)
    sys, sec = await city.signed_in("sys"), await city.signed_in("sec")
    entry = system.entry(unit_id=await unit_of(city, "wang"))
    path = f"/api/clients/{(await sys.send('POST', '/api/clients', json=entry)).raise_for_status().json()['id']}"
    assert told(await sec.send("POST", f"{path}/acts", json={"verb": "refuse"})) == (422, "identity.no_reason")
    refused = await sec.send("POST", f"{path}/acts", json={"verb": "refuse", "reason": "用途不明"})
    assert (refused.json()["state"], refused.json()["decided"], refused.json()["changes"]) == (
        "refused", "用途不明", [],
    )  # fmt: skip
    assert told(await system.ask_token()) == (401, "identity.bad_client")
    (await sys.send("PUT", path, json=entry)).raise_for_status()
    assert (await sec.send("POST", f"{path}/acts", json={"verb": "approve"})).json()["state"] == "active"
    await system.sign_in()
    assert told(await sys.send("PUT", path, json=entry)) == (403, "identity.amend_state")
    (await sec.send("POST", f"{path}/acts", json={"verb": "suspend", "reason": "换证书"})).raise_for_status()
    assert told(await sys.send("PUT", path, json={**entry, "code": "other"})) == (422, "identity.code_stays")
    assert told(await sec.send("PUT", path, json=entry)) == (403, "identity.not_system_admin")
    changed = {**entry, "certificate": renewed.pem, "per_minute": 60, "scopes": ["documents:read"]}
    shown = (await sys.send("PUT", path, json=changed)).raise_for_status().json()
    assert {row["name"] for row in shown["changes"]} == {"certificate", "per_minute", "scopes"}
    assert next(row["after"] for row in shown["changes"] if row["name"] == "scopes") == "查询本部门公文及签收情况"
    (await sec.send("POST", f"{path}/acts", json={"verb": "approve"})).raise_for_status()
    assert told(await system.ask_token()) == (401, "identity.bad_assertion")
    await renewed.sign_in()
    shown = (await sys.get(path)).json()
    assert (shown["changes"], shown["admitted"]["address"], shown["quota"]) == (
        [], "10.1.2.3", {"limit": 60, "remaining": 60},
    )  # fmt: skip
    assert await faults(city.app.state.house) == []


async def test_a_token_says_for_whom_and_for_what(city: City) -> None:
    """A token names the unit that the system is bound to and the purpose that was approved, and so does the auditor's log."""
    system = System(city)
    await let_in(system)
    await system.sign_in()
    claims = jwt.get_unverified_claims(system.token)
    assert (claims["unit"], claims["purpose"]) == (await unit_of(city, "wang"), "报送预算执行情况")
    admitted = (await AuditRecord.filter(verb=Verb.CLIENT_ADMITTED))[0]
    assert admitted.facts["purpose"] == "报送预算执行情况"


async def test_a_look_at_a_certificate(city: City) -> None:
    """Before it is registered a certificate is read by the server, which says what stands in it or why it will not do."""
    sys, sec = await city.signed_in("sys"), await city.signed_in("sec")
    shown = await sys.send("POST", "/api/clients/certificate", json={"certificate": System(city).pem})
    assert (shown.json()["subject"], shown.json()["key"]) == ("CN=财政业务系统", "ECDSA secp256r1")
    weak = System(city, key=rsa.generate_private_key(65537, 1024))
    for browser, pem, refusal in (
        (sys, weak.pem, (422, "identity.weak_key")),
        (sys, "no certificate", (403, "pki.unreadable")),
        (sec, weak.pem, (403, "identity.not_system_admin")),
    ):
        answer = await browser.send("POST", "/api/clients/certificate", json={"certificate": pem})
        assert told(answer) == refusal


async def test_finding_a_system(city: City) -> None:
    """Systems are found by their names, organs and states, and the list leaves as a file."""
    await let_in(System(city))
    sys = await city.signed_in("sys")
    for query, codes in (("q=财政业务", ["caizheng"]), ("q=综合科", ["caizheng"]), ("state=pending", [])):
        assert [row["code"] for row in (await sys.get(f"/api/clients?{query}")).json()["items"]] == codes
    assert (await sys.get("/api/clients")).json()["counts"] == {"active": 1}
    assert "已接入" in (await sys.get("/api/clients.csv")).text


@pytest.mark.norm("D-8.1.4.2d")
@pytest.mark.parametrize("person", ["sec", "aud", "wang"])
async def test_who_registers_none(city: City, person: str) -> None:
    """Only the system administrator registers a system; the auditor does not even see them."""
    browser = await city.signed_in(person)
    entry = System(city).entry(unit_id=await unit_of(city, "wang"))
    assert told(await browser.send("POST", "/api/clients", json=entry)) == (403, "identity.not_system_admin")
    assert (await browser.get("/api/clients")).status_code == (200 if person == "sec" else 403)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"scopes": ["documents:sign"]}, 422, "identity.unknown_scope"),
        ({"official_id": "chen"}, 422, "identity.not_there"),
        ({"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, 403, "pki.unreadable"),
        ({"certificate": "?"}, 403, "pki.unreadable"),
        ({"code": "Großes System"}, 422, "web.invalid"),
        ({"per_minute": 0}, 422, "web.invalid"),
    ],
)
async def test_what_is_not_registered(city: City, changes: dict[str, Any], status: int, code: str) -> None:
    """A system with an unknown scope, somebody else's official or no certificate is refused, and nothing is kept."""
    if "official_id" in changes:
        changes = {"official_id": city.people[changes["official_id"]]}
    sys = await city.signed_in("sys")
    entry = System(city).entry(**{"unit_id": await unit_of(city, "wang"), **changes})
    assert told(await sys.send("POST", "/api/clients", json=entry)) == (status, code)
    assert await ApiClient.all().count() == 0


@pytest.mark.norm("D-8.1.4.1a")
async def test_weak_and_taken(city: City) -> None:
    """A weak key is refused; a code or a certificate stands for one system."""
    sys, unit = await city.signed_in("sys"), await unit_of(city, "wang")
    weak = System(city, key=rsa.generate_private_key(65537, 1024))
    refused = await sys.send("POST", "/api/clients", json=weak.entry(unit_id=unit))
    assert told(refused) == (422, "identity.weak_key")
    first = System(city)
    (await sys.send("POST", "/api/clients", json=first.entry(unit_id=unit))).raise_for_status()
    for other in (first.entry(unit_id=unit, code="another"), System(city).entry(unit_id=unit)):
        assert told(await sys.send("POST", "/api/clients", json=other)) == (409, "identity.client_taken")


# --- signing in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)])
async def test_other_keys(city: City, key: Any) -> None:
    """A system may have a key on P-384 or an RSA key; the algorithm is its key's."""
    system = System(city, key=key)
    await let_in(system)
    algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES384"
    await system.sign_in(assertion=system.assertion(algorithm=algorithm))
    assert (await system.get("/organs")).status_code == 200


async def test_an_assertion_is_good_once(city: City, system: System) -> None:
    """An assertion that was seen by somebody on the way opens nothing a second time."""
    assertion = system.assertion()
    assert (await system.ask_token(assertion)).status_code == 200
    assert told(await system.ask_token(assertion)) == (401, "identity.used_assertion")


@pytest.mark.norm("A-9.1.x/9.2.x")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "https://other.example/api/v1/token"}, "identity.bad_assertion"),
        ({"aud": ["http://127.0.0.1:8080/api/v1/token", "https://other.example"]}, "identity.bad_assertion"),
        ({"aud": None}, "identity.bad_assertion"),
        ({"sub": "another"}, "identity.bad_assertion"),
        ({"iss": "nobody", "sub": "nobody"}, "identity.bad_client"),
        ({"iss": "", "sub": ""}, "identity.bad_assertion"),
        ({"jti": None}, "identity.bad_assertion"),
        ({"jti": 7}, "identity.bad_assertion"),
        ({"exp": None}, "identity.bad_assertion"),
        ({"iat": None}, "identity.bad_assertion"),
        ({"exp": 9_999_999_999}, "identity.stale_assertion"),
        ({"iat": 1, "exp": 50}, "identity.stale_assertion"),
        ({"headers": {"crit": ["x"], "x": 1}}, "identity.bad_assertion"),
        ({"headers": {"jku": "https://evil.example/keys"}}, "identity.bad_assertion"),
        ({"headers": {"x5c": ["AAAA"]}}, "identity.bad_assertion"),
    ],
)
async def test_assertions_that_open_nothing(city: City, system: System, changes: dict[str, Any], code: str) -> None:
    """An assertion for another server, about another client, without an end or once more is refused by name."""
    if isinstance(changes.get("aud"), list):
        changes = {"aud": [f"{city.settings.origin}/api/v1/token", "https://other.example"]}
    answer = await system.ask_token(system.assertion(**changes))
    assert told(answer) == (401, code)
    if "aud" in changes:
        assert answer.json()["facts"] == {"audience": f"{city.settings.origin}/api/v1/token"}


@pytest.mark.norm("M-8.2a")
async def test_a_foreign_key(city: City, system: System) -> None:
    """An assertion under another key, under the public key as a secret, or under none at all opens nothing."""
    stranger = System(city)
    public = system.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.get_unverified_claims(system.assertion())
    secret = public.decode("latin-1")
    for forged in (
        stranger.assertion(),
        jwt.encode(claims, secret, algorithm="HS256"),
        system.assertion().rpartition(".")[0] + ".",
        "a.b.c",
        "",
    ):
        answer = await system.ask_token(forged)
        assert answer.status_code == 401
        assert answer.json()["code"] in {"identity.bad_assertion", "identity.bad_token", "identity.bad_client"}
    record = await AuditRecord.filter(verb=Verb.CLIENT_REFUSED).first()
    assert record is not None
    assert record.facts["client"] == "caizheng"


async def test_requests_for_tokens_that_are_none(city: City, system: System) -> None:
    """Another grant, a scope that was not given, a form that is none: each is refused by name."""
    assert told(await system.ask_token(grant_type="password")) == (422, "identity.unknown_grant")
    assert told(await system.ask_token(scope="documents:sign")) == (422, "identity.unknown_scope")
    assert told(await system.ask_token(client_assertion_type="x")) == (401, "identity.no_credentials")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"grant_type=a&grant_type=b", b"%zz=1&&", "类型=1".encode()):
        answer = await system.http.post("/api/v1/token", content=body, headers=headers)
        assert told(answer) == (400, "web.malformed"), body
    assert told(await system.http.post("/api/v1/token", json={})) == (415, "web.wrong_type")


@pytest.mark.norm("A-8.2.1–8.3.2")
async def test_a_token_is_for_what_it_says(city: City, system: System) -> None:
    """A token for less is good for less, a scope that was taken away is gone at once, and ten minutes later it is over."""
    await system.sign_in(scope="documents:read")
    assert (await system.get("/documents")).status_code == 200
    assert told(await system.get("/organs")) == (403, "web.no_scope")
    await ApiClient.all().update(scopes=["directory:read"])
    assert told(await system.get("/documents")) == (403, "web.no_scope")
    with clock.shifted(timedelta(minutes=10, seconds=1)):
        assert told(await system.get("/documents")) == (401, "identity.token_expired")


async def test_whose_official_has_left(city: City, system: System) -> None:
    """When the official who answers for a system is no longer active, the system is not let in."""
    await Official.filter(code="wang").update(active=False)
    assert told(await system.get("/documents")) == (401, "identity.bad_client")


async def test_a_certificate_that_ran_out(city: City) -> None:
    """A system whose registered certificate has run out gets no token."""
    system = System(city, days=1)
    await let_in(system)
    with clock.shifted(timedelta(days=2)):
        assert told(await system.ask_token()) == (403, "identity.certificate_over")


async def test_a_session_is_no_token_and_a_token_no_session(city: City, system: System) -> None:
    """A browser's session opens nothing under /api/v1, and a system's token nothing anywhere else."""
    wang = await city.signed_in("wang")
    assert told(await wang.get("/api/v1/documents")) == (401, "web.no_token")
    assert told(await system.http.get("/api/documents", headers={"Authorization": f"Bearer {system.token}"})) == (
        401, "web.no_session",
    )  # fmt: skip
    session = next(value for name, value in wang.http.cookies.items() if "session" in name)
    as_token = await system.http.get("/api/v1/documents", headers={"Authorization": f"Bearer {session}"})
    assert told(as_token) == (401, "identity.bad_token")


# --- over TLS with its certificate ------------------------------------------------------------------------------------


def behind_proxy(system: System, **headers: str) -> httpx.AsyncClient:
    """The server as the proxy reaches it, which says what certificate a connection was made with."""
    transport = httpx.ASGITransport(ProxyMiddleware(system.city.app))
    return httpx.AsyncClient(transport=transport, base_url=system.city.settings.origin, headers=headers)


def shown(system: System) -> dict[str, str]:
    return {"X-SSL-Client-Verify": "SUCCESS", "X-SSL-Client-Cert": quote(system.pem)}


async def test_signing_in_by_certificate_alone(city: City, system: System) -> None:
    """Over TLS with the registered certificate no assertion is needed, and the token is good on such connections only."""
    form = {"grant_type": "client_credentials", "client_id": "caizheng"}
    async with behind_proxy(system, **shown(system)) as http:
        answer = (await http.post("/api/v1/token", data=form)).raise_for_status().json()
        system.token = answer["access_token"]
        bearer = {"Authorization": f"Bearer {system.token}"}
        assert (await http.get("/api/v1/documents", headers=bearer)).status_code == 200
    assert told(await system.get("/documents")) == (401, "identity.other_certificate")
    async with behind_proxy(system, **shown(System(city))) as http:
        assert told(await http.get("/api/v1/documents", headers=bearer)) == (401, "identity.other_certificate")
        assert told(await http.post("/api/v1/token", data=form)) == (401, "identity.no_credentials")


@pytest.mark.norm("M-8.2a")
@pytest.mark.parametrize("verdict", ["NONE", "FAILED:unable to verify", "", "success"])
async def test_a_certificate_that_the_proxy_does_not_vouch_for(system: System, verdict: str) -> None:
    """What the proxy has not verified counts for nothing."""
    form = {"grant_type": "client_credentials", "client_id": "caizheng"}
    async with behind_proxy(system, **{**shown(system), "X-SSL-Client-Verify": verdict}) as http:
        assert told(await http.post("/api/v1/token", data=form)) == (401, "identity.no_credentials")


async def test_headers_from_outside(city: City, system: System) -> None:
    """Without a proxy in front, nobody is believed who writes the proxy's headers."""
    form = {"grant_type": "client_credentials", "client_id": "caizheng"}
    answer = await system.http.post("/api/v1/token", data=form, headers=shown(system))
    assert told(answer) == (401, "identity.no_credentials")


# --- at work ----------------------------------------------------------------------------------------------------------


async def test_drafting_and_submitting(city: City, system: System) -> None:
    """A system drafts, attaches and submits in the name of its official; the route goes on with people, and it reads on."""
    made = await system.send("POST", "/documents", json=draft_of(city))
    assert made.status_code == 201
    document, etag = made.json(), made.headers["etag"]
    assert document["drafter"]["name"] == "王建国"
    path, data = f"/documents/{document['id']}", os.urandom(5000)
    body = {"name": "预算.bin", "size": len(data), "subject_type": "outgoing", "subject_id": document["id"]}
    file = (await system.send("POST", "/files", json=body)).raise_for_status().json()
    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent = await system.send("PATCH", f"/files/{file['id']}", content=data, headers=headers, key=None)
    assert sent.json()["sha256"] == sha256(data).hexdigest()
    submitted = await system.send("POST", f"{path}/acts", json={"verb": "submit"}, headers={"If-Match": etag})
    assert submitted.json()["state"] == "under_review", submitted.text
    li = await city.signed_in("li")
    (await li.sign(f"/api{path}", "approve", opinion="同意")).raise_for_status()
    shown = (await system.get(path)).json()
    assert [opinion["actor_name"] for opinion in shown["opinions"]] == ["李红"]
    assert (await system.get(f"{path}/pages.pdf")).content.startswith(b"%PDF")
    assert (await system.get(f"/files/{file['id']}/content")).content == data
    record = await AuditRecord.get(verb=Verb.SUBMITTED, subject_id=document["id"])
    assert (record.actor_name, record.address) == ("财政业务系统", "10.1.2.3")
    assert await faults(city.app.state.house) == []


async def test_what_a_system_never_does(city: City, system: System) -> None:
    """A system signs, seals, numbers and signs for nothing, whoever answers for it, and is told why."""
    document = (await system.send("POST", "/documents", json=draft_of(city))).json()
    refused = {row["verb"]: (row["reason"] or {}).get("code") for row in document["abilities"]}
    assert {verb for verb, why in refused.items() if why != "documents.systems_draft_only"} == {
        "edit", "submit", "abandon", "withdraw",
    }  # fmt: skip
    path = f"/documents/{document['id']}/acts"
    for verb in ("approve", "sign", "number", "seal", "dispatch", "return"):
        answer = await system.send("POST", path, json={"verb": verb}, headers={"If-Match": '"1"'})
        assert told(answer) == (403, "documents.systems_draft_only")
    for missing in ("/tasks", f"/documents/{document['id']}/signatures", "/session", "/pki/certificates", "/clients"):
        assert told(await system.get(missing)) == (404, "core.not_found"), missing


@pytest.mark.norm("A-8.4.1")
async def test_what_a_system_sees(city: City, system: System) -> None:
    """A system sees what its unit drafts and sent on, and no draft of others; another unit's system sees none of it."""
    gao, zhao = await city.signed_in("gao"), await city.signed_in("zhao")
    own = (await system.send("POST", "/documents", json=draft_of(city))).json()["id"]
    theirs = (await city.draft(gao, title="副主任的草稿")).json()["id"]
    await city.draft(zhao, title="秘书科的草稿")
    assert [row["id"] for row in (await system.get("/documents")).json()["items"]] == [own]
    assert told(await system.get(f"/documents/{theirs}")) == (404, "core.not_found")
    other = System(city, code="mishu")
    await let_in(other, unit_id=await unit_of(city, "zhao"), official_id=city.people["zhao"])
    await other.sign_in()
    assert own not in [row["id"] for row in (await other.get("/documents")).json()["items"]]
    assert told(await other.get(f"/documents/{own}")) == (404, "core.not_found")


async def test_every_write_has_its_key(city: City, system: System) -> None:
    """A write without a key is refused; sent again under its key it happens once and is answered the same; under the same
    key another is refused."""
    assert told(await system.send("POST", "/documents", json=draft_of(city), key=None)) == (
        400, "web.no_idempotency_key",
    )  # fmt: skip
    first, again = [await system.send("POST", "/documents", json=draft_of(city), key="k-1") for _ in range(2)]
    assert first.json() == again.json()
    assert len((await system.get("/documents")).json()["items"]) == 1
    other = await system.send("POST", "/documents", json=draft_of(city, title="另一件"), key="k-1")
    assert told(other) == (409, "storage.key_reused")
    path = f"/documents/{first.json()['id']}/acts"
    headers = {"If-Match": first.headers["etag"]}
    done = [await system.send("POST", path, json={"verb": "submit"}, headers=headers, key="k-2") for _ in range(2)]
    assert [answer.status_code for answer in done] == [200, 200]
    assert done[0].json() == done[1].json()


async def test_one_key_twice_at_once(city: City, system: System) -> None:
    """Of two acts with one key at the same moment one is done, and the other is told to ask again, or gets the same answer."""
    made = await system.send("POST", "/documents", json=draft_of(city))
    path, headers = f"/documents/{made.json()['id']}/acts", {"If-Match": made.headers["etag"]}
    both = [system.send("POST", path, json={"verb": "submit"}, headers=headers, key="k-3") for _ in range(2)]
    answers = await asyncio.gather(*both)
    codes = sorted(told(answer) if answer.status_code != 200 else (200, "") for answer in answers)
    assert codes in ([(200, ""), (200, "")], [(200, ""), (409, "storage.in_progress")])
    assert {answer.headers.get("retry-after") for answer in answers} <= {None, "1"}
    again = await system.send("POST", path, json={"verb": "submit"}, headers=headers, key="k-3")
    assert (again.status_code, again.json()["state"]) == (200, "under_review")


async def test_a_key_whose_request_was_refused(city: City, system: System) -> None:
    """What was refused was not done, so its key is good for another try; so is one whose server died over it, in a while."""
    made = await system.send("POST", "/documents", json=draft_of(city))
    path = f"/documents/{made.json()['id']}/acts"
    for _ in range(2):
        refused = await system.send("POST", path, json={"verb": "submit"}, headers={"If-Match": '"9"'}, key="k-4")
        assert told(refused) == (412, "core.stale")
    client = (await ApiClient.get(code="caizheng")).id
    async with housekeeping() as work:
        digest = sha256(b"\0".join((b"POST", f"/api/v1{path}".encode(), b'{"verb":"submit"}'))).hexdigest()
        await idempotency.reserve(work, official_id=client, key="k-5", request_sha256=digest)
    headers = {"If-Match": made.headers["etag"]}
    waiting = await system.send("POST", path, json={"verb": "submit"}, headers=headers, key="k-5")
    assert told(waiting) == (409, "storage.in_progress")
    with clock.shifted(timedelta(seconds=31)):
        done = await system.send("POST", path, json={"verb": "submit"}, headers=headers, key="k-5")
    assert done.status_code == 200, done.text


async def test_every_act_says_what_was_read(city: City, system: System) -> None:
    """A system that acts on a document shows the state that it read; when somebody changed it since, it reads anew."""
    made = await system.send("POST", "/documents", json=draft_of(city))
    path = f"/documents/{made.json()['id']}"
    assert told(await system.send("POST", f"{path}/acts", json={"verb": "submit"})) == (428, "documents.etag_needed")
    changed = {"elements": city.elements(title="江城市人民政府办公室关于改了标题的通知")}
    answer = await system.send("PATCH", path, json=changed, headers={"If-Match": made.headers["etag"]})
    assert answer.status_code == 200
    stale = await system.send(
        "POST", f"{path}/acts", json={"verb": "submit"}, headers={"If-Match": made.headers["etag"]}
    )
    assert told(stale) == (412, "core.stale")


async def test_a_system_that_runs_wild(city: City) -> None:
    """Each answer says what is left; above its limit a system is told when to go on, and others are not held up."""
    wild, calm = System(city), System(city, code="calm")
    await let_in(wild, per_minute=5)
    await let_in(calm)
    await wild.sign_in()
    await calm.sign_in()
    answers = [await wild.get("/organs") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [int(answer.headers["ratelimit-remaining"]) for answer in answers[:5]] == [4, 3, 2, 1, 0]
    assert answers[0].headers["ratelimit-limit"] == "5"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 12
    assert (await calm.get("/organs")).status_code == 200
