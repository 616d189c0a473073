"""Sessions: what keeps one open, what ends it, and what the page is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.identity import actions
from oa_server.identity.actions import remove_sessions
from oa_server.identity.models import Official, Post, Responsibility, Session
from oa_server.settings import Settings
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.verification.rights import session_faults
from tests.city import City, told
from tests.conftest import running
from tests.sockets import Socket, live

IDLE, LIMIT = timedelta(minutes=15), timedelta(hours=12)
A_MOMENT = timedelta(seconds=5)
ABSENT = "00000000-0000-7000-8000-000000000000"


# --- how long it lasts ------------------------------------------------------------------------------------------------


@pytest.mark.norm("D-8.1.4.1b", "N-reauth")
async def test_idle(city: City) -> None:
    """A session ends fifteen minutes after the last request, and the page is told that it was idle."""
    wang = await city.signed_in("wang")
    with clock.shifted(IDLE - A_MOMENT):
        assert (await wang.get("/api/session")).status_code == 200
    with clock.shifted(2 * IDLE - 2 * A_MOMENT):
        assert (await wang.get("/api/session")).status_code == 200
    with clock.shifted(3 * IDLE):
        assert told(await wang.get("/api/session")) == (401, "identity.session_idle")


@pytest.mark.norm("N-reauth")
async def test_limit(city: City) -> None:
    """However busy, a session ends after twelve hours."""
    wang = await city.signed_in("wang")
    opened = (await Session.all().first()).opened_at
    for minutes in range(10, 720, 10):
        with clock.shifted(timedelta(minutes=minutes)):
            assert (await wang.get("/api/organs")).status_code == 200
    with clock.shifted(opened + LIMIT - clock.now()):
        assert told(await wang.get("/api/organs")) == (401, "identity.token_expired")


@pytest.mark.norm("D-8.1.4.4b/c")
async def test_administrators_have_their_place(settings: Settings) -> None:
    """Where networks are named for them, administrators sign in and work from there alone; officials from anywhere."""
    networks = ("10.1.2.0/24", "fd00:12::/64")
    async with running(msgspec.structs.replace(settings, administrator_networks=networks)) as city:
        for address in ("10.1.2.9", "fd00:12::9"):
            await city.browser("sec", address).sign_in()
        elsewhere = city.browser("sec", "10.1.3.9")
        assert told(await elsewhere.try_sign_in()) == (401, "identity.wrong_place")
        refused = await AuditRecord.get(verb=Verb.SIGN_IN_REFUSED)
        assert refused.facts == {"code": "identity.wrong_place", "address": "10.1.3.9"}
        await city.browser("wang", "10.1.3.9").sign_in()
        sys = city.browser("sys", "10.1.2.9")
        await sys.sign_in()
        elsewhere.http.cookies = sys.http.cookies
        assert told(await elsewhere.get("/api/session")) == (401, "identity.wrong_place")
        assert (await sys.get("/api/session")).status_code == 200


async def test_the_row_decides(city: City) -> None:
    """A session whose row is over its limit has ended, whatever its token says."""
    wang = await city.signed_in("wang")
    await Session.all().update(expires_at=clock.now())
    assert told(await wang.get("/api/session")) == (401, "identity.session_expired")
    await Session.all().delete()
    assert told(await wang.get("/api/session")) == (401, "identity.session_ended")


# --- what ends it -----------------------------------------------------------------------------------------------------


@pytest.mark.norm("A-7.4.1/7.4.2")
@pytest.mark.parametrize(
    ("claimed", "code"),
    [
        (None, "identity.session_ended"),
        ("identity.key_removed", "identity.key_removed"),
        ("identity.session_idle", "identity.session_idle"),
        ("identity.session_revoked", "identity.session_ended"),
        ("whatever", "identity.session_ended"),
    ],
)
async def test_signing_out(city: City, claimed: str | None, code: str) -> None:
    """A page ends its session with one of a page's reasons; the cookie goes, and the token opens nothing any more."""
    wang = await city.signed_in("wang")
    token = wang.http.cookies["oa-session"]
    left = await wang.send("DELETE", "/api/session", params={"reason": claimed} if claimed else {})
    assert left.status_code == 204
    assert "oa-session" not in wang.http.cookies
    assert told(await wang.get("/api/session")) == (401, "web.no_session")
    wang.http.cookies.set("oa-session", token, domain="127.0.0.1")
    assert told(await wang.get("/api/session")) == (401, code)
    ended = await AuditRecord.get(verb=Verb.SESSION_ENDED)
    assert (ended.actor_name, ended.facts) == ("王建国", {"reason": code})


@pytest.mark.norm("D-8.1.4.10")
async def test_a_session_leaves_no_row(city: City) -> None:
    """A day after a session was ended, or had run out, its row is gone; what is on record of it stays, and the data are sound."""
    left, stayed, other = [await city.signed_in(person) for person in ("wang", "li", "zhao")]
    await left.send("DELETE", "/api/session")
    await remove_sessions()
    assert await Session.filter(official_id=city.people["wang"]).exists()
    with clock.shifted(timedelta(hours=25)):
        await other.sign_in()
        await remove_sessions()
        assert not await Session.filter(official_id=city.people["wang"]).exists()
        assert await Session.all().count() == 3
        assert told(await stayed.get("/api/session")) == (401, "identity.token_expired")
    with clock.shifted(timedelta(hours=37)):
        await remove_sessions()
        (row,) = await Session.all()
        assert str(row.official_id) == city.people["zhao"]
    assert await AuditRecord.filter(verb=Verb.SIGNED_IN).count() == 4
    assert await AuditRecord.filter(verb=Verb.SESSION_ENDED).count() == 1
    assert [fault async for fault in session_faults()] == []


async def test_ending_twice(city: City) -> None:
    """Ending a session that has ended, or is just being ended, changes nothing and records nothing."""
    await city.signed_in("wang")
    session = await Session.all().first()
    ends = [actions.end_session(SYSTEM, session.id, reason="identity.session_ended") for _ in range(5)]
    await asyncio.gather(*ends)
    await actions.end_session(SYSTEM, session.id, reason="identity.key_removed")
    assert await AuditRecord.filter(verb=Verb.SESSION_ENDED).count() == 1
    assert (await Session.get(id=session.id)).end_reason == "identity.session_ended"


async def test_signing_in_again(city: City) -> None:
    """Signing in anew in the same browser ends the session that was open there, and no other."""
    elsewhere = await city.signed_in("wang")
    wang = await city.signed_in("wang")
    token = wang.http.cookies["oa-session"]
    await wang.sign_in()
    assert (await wang.get("/api/session")).status_code == 200
    assert (await elsewhere.get("/api/session")).status_code == 200
    wang.http.cookies.set("oa-session", token, domain="127.0.0.1")
    assert told(await wang.get("/api/session")) == (401, "identity.session_ended")


async def test_a_revoked_certificate_ends_its_sessions(city: City) -> None:
    """Revoking a sign-in certificate ends every session it opened, at once and with its reason, and nobody else's."""
    here, there, li = await city.signed_in("wang"), await city.signed_in("wang"), await city.signed_in("li")
    await city.revoke("wang")
    for browser in (here, there):
        assert told(await browser.get("/api/tasks")) == (401, "identity.session_revoked")
    assert (await li.get("/api/tasks")).status_code == 200
    assert await AuditRecord.filter(verb=Verb.SESSION_ENDED, actor_name="吕安").count() == 2


@pytest.mark.parametrize("what", ["official", "post"])
async def test_whoever_leaves_is_out(city: City, what: str) -> None:
    """An official who is switched off, or whose post is taken away, is out with the next click, and told why."""
    wang = await city.signed_in("wang")
    if what == "official":
        await Official.filter(code="wang").update(active=False)
    else:
        await Post.filter(official_id=city.people["wang"]).delete()
    assert told(await wang.get("/api/tasks")) == (401, "identity.no_longer_an_official")


async def test_roles_are_those_of_this_moment(city: City) -> None:
    """A role that is given or taken shows with the next click, without signing in anew."""
    chen = await city.signed_in("chen")
    assert (await chen.get("/api/session")).json()["roles"] == ["leader"]
    await Responsibility.create(official_id=city.people["chen"], organ_id=city.organs["JC001"], role="clerk")
    assert (await chen.get("/api/session")).json()["roles"] == ["clerk", "leader"]
    await Responsibility.filter(official_id=city.people["chen"]).delete()
    assert (await chen.get("/api/session")).json()["roles"] == []


async def test_who_one_is(city: City) -> None:
    """The page learns who is signed in, in which organ, unit and post, and until when."""
    shown = await (city.browser("chen")).sign_in()
    assert (shown["official"], shown["organ"]["code"]) == ({"id": city.people["chen"], "name": "陈志远"}, "JC001")
    assert (shown["unit"]["name"], shown["post"], shown["idle_minutes"]) == ("领导", "主任", 15)


# --- other sites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("csrf", [None, "", "0" * 64, "é"])
async def test_a_write_without_its_cross_site_token(city: City, csrf: str | None) -> None:
    """A write without the session's own cross-site token is refused and changes nothing."""
    wang = await city.signed_in("wang")
    headers = {} if csrf is None else {"X-OA-CSRF": csrf.encode("latin-1")}
    assert told(await wang.http.delete("/api/session", headers=headers)) == (403, "web.wrong_csrf")
    others = (await city.signed_in("wang")).csrf
    assert told(await wang.http.delete("/api/session", headers={"X-OA-CSRF": others})) == (403, "web.wrong_csrf")
    assert (await wang.get("/api/session")).status_code == 200


@pytest.mark.parametrize("origin", ["http://127.0.0.1:9090", "https://127.0.0.1:8080", "null", ""])
async def test_a_write_from_another_site(city: City, origin: str) -> None:
    """A write that a page of another origin sends is refused, even with the right token."""
    wang = await city.signed_in("wang")
    refused = await wang.send("DELETE", "/api/session", headers={"Origin": origin})
    assert told(refused) == (403, "web.wrong_origin")
    own = await wang.send("DELETE", "/api/session", headers={"Origin": city.settings.origin})
    assert own.status_code == 204


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8081", "localhost:8080", "127.0.0.1:8080."])
async def test_another_host(city: City, host: str) -> None:
    """A request for another host name is misdirected, so a name that is pointed at us is of no use."""
    wang = await city.signed_in("wang")
    assert told(await wang.get("/api/session", headers={"Host": host})) == (421, "web.wrong_host")


# --- cookies ----------------------------------------------------------------------------------------------------------


def _cookies(response: Any) -> dict[str, set[str]]:
    """The cookies an answer sets, with their attributes but for those of time."""
    found = {}
    for line in response.headers.get_list("set-cookie"):
        pair, *attributes = line.split("; ")
        found[pair.partition("=")[0]] = {a for a in attributes if not a.lower().startswith(("max-age", "expires"))}
    return found


async def test_cookies_on_loopback(city: City) -> None:
    """Over plain loopback http the cookies are out of reach of scripts and of other sites."""
    wang = city.browser("wang")
    flags = {"HttpOnly", "SameSite=strict", "Path=/"}
    assert _cookies(await wang.http.post("/api/session/challenge")) == {"oa-browser": flags}
    assert _cookies(await wang.try_sign_in()) == {"oa-session": flags}


@pytest.fixture
async def secure_city(settings: Settings) -> AsyncIterator[City]:
    """The same city behind TLS."""
    async with running(msgspec.structs.replace(settings, origin="https://oa.jiangcheng.example")) as found:
        yield found


async def test_cookies_over_tls(secure_city: City) -> None:
    """Over https every cookie is bound to this very host and to TLS, also when it is taken back."""
    wang = secure_city.browser("wang")
    flags = {"HttpOnly", "SameSite=strict", "Path=/", "Secure"}
    assert _cookies(await wang.http.post("/api/session/challenge")) == {"__Host-oa-browser": flags}
    opened = await wang.try_sign_in()
    assert _cookies(opened) == {"__Host-oa-session": flags}
    wang.csrf = opened.json()["csrf"]
    assert opened.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert _cookies(await wang.send("DELETE", "/api/session")) == {"__Host-oa-session": flags}
    assert told(await wang.get("/api/session")) == (401, "web.no_session")


# --- the live connection ----------------------------------------------------------------------------------------------


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections look after their sessions several times a second."""
    monkeypatch.setattr("oa_server.web.live.CHECK_SECONDS", 0.1)


async def following(city: City, socket: Socket, person: str) -> None:
    """Wait until the connection is being told things: it answers to an event of its own official."""
    async with unit_of_work(SYSTEM) as work:
        work.push(f"official:{city.people[person]}", "test.hello", {})
    assert (await socket.hears())["kind"] == "test.hello"


async def test_the_page_hears_of_a_revocation(city: City) -> None:
    """When the certificate is revoked, the open page is told at once and why, and hears nothing after it."""
    wang = await city.signed_in("wang")
    async with live(city, wang) as socket:
        await following(city, socket, "wang")
        await city.revoke("wang")
        said = await socket.hears()
        assert (said["kind"], said["payload"]["code"]) == ("session.ended", "identity.session_revoked")
        assert await socket.is_closed() == 1008


async def test_other_pages_of_a_session(city: City) -> None:
    """Signing out in one page ends the session's other pages, and nobody else's."""
    wang, elsewhere = await city.signed_in("wang"), await city.signed_in("wang")
    async with live(city, wang) as first, live(city, elsewhere) as other:
        await following(city, first, "wang")
        assert (await other.hears())["kind"] == "test.hello"
        await wang.send("DELETE", "/api/session")
        assert (await first.hears())["payload"]["code"] == "identity.session_ended"
        assert await first.is_closed() == 1008
        await following(city, other, "wang")


@pytest.mark.norm("D-8.1.4.2a/c")
@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("idle", "identity.session_idle"),
        ("limit", "identity.session_expired"),
        ("official", "identity.no_longer_an_official"),
    ],
)
async def test_the_page_hears_of_an_end_that_nobody_announced(city: City, why: str, code: str) -> None:
    """A session that goes idle, runs out or loses its official ends its open page too, with the reason."""
    wang = await city.signed_in("wang")
    async with live(city, wang) as socket:
        await following(city, socket, "wang")
        if why == "idle":
            await Session.all().update(seen_at=clock.now() - IDLE)
        elif why == "limit":
            await Session.all().update(expires_at=clock.now())
        else:
            await Official.filter(code="wang").update(active=False)
        said = await socket.hears()
        assert (said["kind"], said["payload"]["code"]) == ("session.ended", code)
        assert await socket.is_closed() == 1008


@pytest.mark.usefixtures("watchful")
async def test_an_open_page_is_nobodys_presence(city: City) -> None:
    """A page that only listens does not keep its session from going idle."""
    wang = await city.signed_in("wang")
    await Session.all().update(seen_at=clock.now() - timedelta(minutes=1))
    async with live(city, wang) as socket:
        await following(city, socket, "wang")
        await Session.all().update(seen_at=clock.now() - timedelta(minutes=1))
        before = (await Session.all().first()).seen_at
        await asyncio.sleep(0.5)
        assert (await Session.all().first()).seen_at == before


@pytest.mark.usefixtures("watchful")
async def test_who_moves_hears_the_new_organ(city: City) -> None:
    """Whose first post is in another organ now is told to connect anew, and no longer hears the old organ."""
    wang = await city.signed_in("wang")
    async with live(city, wang) as socket:
        await following(city, socket, "wang")
        await Post.filter(official_id=city.people["wang"]).update(organ_id=city.organs["JC002"])
        assert await socket.is_closed() == 1013


@pytest.mark.parametrize("how", ["origin", "cookie"])
async def test_a_connection_of_nobodys(city: City, how: str) -> None:
    """A page of another site, or without a session, is told why it is not connected, and hears nothing."""
    wang = await city.signed_in("wang")
    headers = {"origin": "http://127.0.0.1:9090"} if how == "origin" else {"cookie": ""}
    async with live(city, wang, **headers) as socket:
        said = await socket.hears()
        assert said["kind"] == "session.ended"
        assert said["payload"]["code"] == ("web.wrong_origin" if how == "origin" else "web.no_session")
        assert await socket.is_closed() == 1008


# --- in the eyes of administrators ------------------------------------------------------------------------------------


async def test_who_is_signed_in(city: City) -> None:
    """Administrators see who is signed in and from where; one that went idle or signed out is not among them."""
    wang, li, sec = await city.signed_in("wang"), await city.signed_in("li"), await city.signed_in("sec")
    (await li.send("DELETE", "/api/session")).raise_for_status()
    with clock.shifted(IDLE - A_MOMENT):
        (await wang.get("/api/session")).raise_for_status()
        (await sec.get("/api/session")).raise_for_status()
        await city.signed_in("sun")
    with clock.shifted(IDLE + A_MOMENT):
        (await sec.get("/api/session")).raise_for_status()
        shown = (await sec.get("/api/sessions")).json()["items"]
    assert [(row["official"]["name"], row["own"]) for row in shown] == [
        ("孙丽", False),
        ("吕安", True),
        ("王建国", False),
    ]
    assert {row["address"] for row in shown} == {"127.0.0.1"}
    assert {row["organ"] for row in shown} == {"市政府办公室"}


async def test_finding_a_session(city: City) -> None:
    """The list is narrowed by who or from where, turned round, read on by pages, and leaves as a file."""
    for person in ("wang", "li", "sec"):
        await city.signed_in(person)
    sec = await city.signed_in("sec")

    async def names(query: str) -> list[str]:
        return [row["official"]["name"] for row in (await sec.get(f"/api/sessions?{query}")).json()["items"]]

    assert await names("q=王建") == ["王建国"]
    assert await names("q=10.9.9.9") == []
    assert await names("sort=oldest") == ["王建国", "李红", "吕安", "吕安"]
    first = (await sec.get("/api/sessions?limit=3")).json()
    assert await names(f"limit=3&cursor={first['next']}") == ["王建国"]
    assert "李红" in (await sec.get("/api/sessions.csv?q=li")).text


async def test_a_session_that_an_administrator_ends(city: City) -> None:
    """The security administrator ends somebody's session: the next request is told so, and the act is on record."""
    wang, sec = await city.signed_in("wang"), await city.signed_in("sec")
    (own, other) = (await sec.get("/api/sessions")).json()["items"]
    assert (own["official"]["name"], other["official"]["name"]) == ("吕安", "王建国")
    assert (await sec.send("DELETE", f"/api/sessions/{other['id']}", params={"reason": "离岗"})).status_code == 204
    assert told(await wang.get("/api/tasks")) == (401, "identity.session_cut")
    record = await AuditRecord.get(verb=Verb.SESSION_ENDED, subject_id=other["id"])
    assert (record.actor_name, record.facts) == ("吕安", {"reason": "identity.session_cut", "why": "离岗"})
    assert (await sec.send("DELETE", f"/api/sessions/{ABSENT}", params={"reason": "离岗"})).status_code == 404


@pytest.mark.norm("D-8.1.4.2d")
@pytest.mark.parametrize(
    ("person", "seeing", "ending"),
    [
        ("sys", (200, None), (403, "identity.not_security_admin")),
        ("aud", (403, "identity.not_session_admin"), (403, "identity.not_security_admin")),
        ("wang", (403, "identity.not_session_admin"), (403, "identity.not_security_admin")),
    ],
)
async def test_whose_business_it_is_not(city: City, person: str, seeing: Any, ending: Any) -> None:
    """The system administrator sees sessions and ends none; auditor and officials do neither."""
    browser = await city.signed_in(person)
    session = (await Session.all().first()).id
    listed = await browser.get("/api/sessions")
    assert (listed.status_code, listed.json().get("code")) == seeing
    assert told(await browser.send("DELETE", f"/api/sessions/{session}", params={"reason": "离岗"})) == ending
    assert (await browser.get("/api/session")).status_code == 200
