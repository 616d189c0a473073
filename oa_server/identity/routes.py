"""Sessions and the directory over HTTP."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from starlette.responses import Response

from oa_server.audit import access as audit
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.errors import Conflict, Denied, Invalid, Malformed, NotFound, NotSignedIn, all_reasons
from oa_server.identity import access, actions, clients, rules
from oa_server.identity.models import ApiClient
from oa_server.identity.schemas import (
    AnswerIn,
    CameOut,
    CertificateIn,
    ChallengeOut,
    ChangeOut,
    ClientActIn,
    ClientDetail,
    ClientFilter,
    ClientIn,
    ClientList,
    ClientOut,
    ClientQuery,
    CutSession,
    EndSession,
    OfficialOut,
    OrganList,
    OrganOut,
    OrganQuery,
    OrganRef,
    OrganRow,
    QuotaOut,
    SessionFilter,
    SessionList,
    SessionOut,
    SessionQuery,
    SessionRow,
    ShownCertificateOut,
    TokenOut,
    UnitOut,
)
from oa_server.identity.signin import Answer, SignIn, new_browser_secret
from oa_server.web import guard
from oa_server.web.bodies import INVALID
from oa_server.web.endpoint import FORM, Access, Call, endpoint, resource
from oa_server.web.shapes import Named, ability_out
from oa_server.web.sheets import CSV, EXPORT_LIMIT, leave_as_csv, whole

BROWSER_SECONDS = 600


def _sign_in(call: Call[Any]) -> SignIn:
    found: SignIn = call.request.app.state.sign_in
    return found


def _is_secure(call: Call[Any]) -> bool:
    secure: bool = call.request.scope["oa.secure"]
    return secure


def _browser_cookie(call: Call[Any]) -> str:
    """The name of the cookie that tells the browser which asked for a challenge from others."""
    return guard.cookie_name("oa-browser", secure=_is_secure(call))


def _session_cookie(call: Call[Any]) -> str:
    return guard.session_cookie(secure=_is_secure(call))


def _set_cookie(call: Call[Any], response: Response, name: str, value: str, *, max_age: int | None) -> None:
    """Set a cookie; a `max_age` of 0 takes it back, which browsers honour only under the flags it was set with."""
    response.set_cookie(
        name, value, max_age=max_age, path="/", httponly=True, samesite="strict", secure=_is_secure(call)
    )


def _address(call: Call[Any]) -> str | None:
    return call.request.client.host if call.request.client else None


def _json(result: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(result), status, media_type="application/json")


@endpoint(summary="取得登录挑战", returns=ChallengeOut, access=Access.OPEN, refuses=[Denied])
async def challenge(call: Call[None]) -> Response:
    guard.check_origin(call.request)
    browser = call.request.cookies.get(_browser_cookie(call)) or new_browser_secret()
    nonce = await _sign_in(call).challenge(browser)
    expires = clock.now() + rules.CHALLENGE_LIFE
    text = base64.urlsafe_b64encode(nonce).decode().rstrip("=")
    response = _json(ChallengeOut(nonce=text, csrf=guard.csrf_token(browser), expires_at=expires))
    _set_cookie(call, response, _browser_cookie(call), browser, max_age=BROWSER_SECONDS)
    return response


@endpoint(
    summary="用证书登录",
    body=AnswerIn,
    returns=SessionOut,
    status=201,
    access=Access.OPEN,
    refuses=(NotSignedIn, Denied),
)
async def open_session(call: Call[AnswerIn]) -> Response:
    guard.check_origin(call.request)
    browser = call.request.cookies.get(_browser_cookie(call), "")
    guard.check_csrf(call.request, browser)
    sign_in, address = _sign_in(call), _address(call)
    token, session = await sign_in.open(_answer(call.body), browser=browser, address=address)
    if before := call.request.cookies.get(_session_cookie(call)):
        await sign_in.leave(before, address)
    call.actor = await sign_in.find(token, address)
    response = _json(await _session_out(call, token, session.expires_at), 201)
    _set_cookie(call, response, _session_cookie(call), token, max_age=None)
    return response


def _answer(body: AnswerIn) -> Answer:
    try:
        return Answer(
            certificate=base64.b64decode(body.certificate, validate=True),
            chain=tuple(base64.b64decode(item, validate=True) for item in body.chain),
            nonce=base64.urlsafe_b64decode(body.nonce + "=" * (-len(body.nonce) % 4)),
            signature=base64.b64decode(body.signature, validate=True),
        )
    except (binascii.Error, ValueError) as error:
        raise Invalid(INVALID, str(error)) from None


@endpoint(summary="当前会话", returns=SessionOut)
async def show_session(call: Call[None]) -> SessionOut:
    assert call.actor.session_id is not None
    session = await access.session(call.actor.session_id)
    assert session is not None
    return await _session_out(call, guard.session_token(call.request), session.expires_at)


async def _session_out(call: Call[Any], token: str, expires_at: Any) -> SessionOut:
    actor = call.actor
    assert actor.official_id is not None
    assert actor.organ_id is not None
    assert actor.unit_id is not None
    organ = await access.organ(actor.organ_id)
    unit = await access.unit(actor.unit_id)
    post = await access.post_of(actor.official_id)
    return SessionOut(
        official=Named(actor.official_id, actor.name),
        organ=OrganRef(organ.id, organ.code, organ.full_name),
        unit=Named(unit.id, unit.name),
        post=post.title if post else "",
        roles=sorted(actor.roles),
        csrf=guard.csrf_token(token),
        idle_minutes=await _sign_in(call).idle_minutes(),
        expires_at=expires_at,
        certificate_serial=actor.certificate_serial or "",
        counts={name: await count(actor) for name, count in call.request.app.state.counters.items()},
    )


@endpoint(summary="退出登录", query=EndSession)
async def end_session(call: Call[None]) -> Response:
    assert call.actor.session_id is not None
    await actions.end_session(call.actor, call.actor.session_id, reason=call.query.reason)
    response = Response(status_code=204)
    _set_cookie(call, response, _session_cookie(call), "", max_age=0)
    return response


def _wanted(call: Call[Any], **more: Any) -> access.ListFilter:
    query = call.query
    return access.ListFilter(
        words=query.q.strip(), state=getattr(query, "state", None), oldest_first=query.sort == "oldest", **more
    )


@endpoint(summary="在线会话", query=SessionQuery, returns=SessionList, refuses=[Denied])
async def list_sessions(call: Call[None]) -> SessionList:
    wanted = _wanted(call, after=call.after("sessions"), limit=call.query.limit)
    rows = await _session_rows(call, wanted)
    return SessionList(
        rows, call.further("sessions", rows), [ability_out(a, call.language) for a in rules.abilities(call.actor)]
    )


@endpoint(summary="导出在线会话", query=SessionFilter, returns=CSV, refuses=[Denied])
async def export_sessions(call: Call[None]) -> Response:
    rows = whole(await _session_rows(call, _wanted(call, limit=EXPORT_LIMIT + 1)))
    header = ("人员编号", "姓名", "机关", "部门", "地址", "证书", "登录时间", "最近操作")
    cells = [(r.code, r.official.name, r.organ, r.unit, r.address, r.certificate, r.opened_at, r.seen_at) for r in rows]
    return await leave_as_csv(call, "在线会话.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="sessions")


async def _session_rows(call: Call[Any], wanted: access.ListFilter) -> list[SessionRow]:
    since = clock.now() - timedelta(minutes=await _sign_in(call).idle_minutes())
    rows = await access.sessions_in_use(call.actor, since, wanted)
    people = await access.people({row.official_id for row in rows})
    return [
        SessionRow(
            id=row.id,
            official=Named(row.official_id, people[row.official_id].name),
            code=people[row.official_id].code,
            organ=people[row.official_id].organ,
            unit=people[row.official_id].unit,
            address=row.address,
            certificate=row.certificate_serial,
            opened_at=row.opened_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
            own=row.id == call.actor.session_id,
        )
        for row in rows
    ]


@endpoint(summary="结束他人的登录", query=CutSession)
async def cut_session(call: Call[None]) -> None:
    await actions.cut_session(call.actor, call.id(), why=call.query.reason)


# --- departments' systems ---------------------------------------------------------------------------------------------


@endpoint(summary="接入系统清单", query=ClientQuery, returns=ClientList, refuses=[Denied])
async def list_clients(call: Call[None]) -> ClientList:
    wanted = _wanted(call, after=call.after("clients"), limit=call.query.limit)
    rows = await access.clients(call.actor, wanted)
    return ClientList(
        await _client_rows(call, rows),
        call.further("clients", rows),
        await access.client_counts(),
        rules.SCOPES,
        [ability_out(a, call.language) for a in rules.abilities(call.actor)],
    )


@endpoint(summary="导出接入系统清单", query=ClientFilter, returns=CSV, refuses=[Denied])
async def export_clients(call: Call[None]) -> Response:
    rows = whole(await access.clients(call.actor, _wanted(call, limit=EXPORT_LIMIT + 1)))
    header = (
        "系统代码",
        "名称",
        "机关",
        "部门",
        "责任人",
        "状态",
        "权限",
        "用途",
        "每分钟次数",
        "证书指纹",
        "证书到期",
    )
    cells = [
        (
            row.code,
            row.name,
            row.organ,
            row.unit,
            row.official.name,
            rules.CLIENT_WORDS[row.state],
            "；".join(rules.SCOPES[scope] for scope in row.scopes),
            row.purpose,
            row.per_minute,
            row.certificate_sha256,
            row.certificate_until,
        )
        for row in await _client_rows(call, rows)
    ]
    return await leave_as_csv(call, "接入系统.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="clients")


@endpoint(summary="接入系统", returns=ClientDetail, refuses=[Denied])
async def show_client(call: Call[None]) -> ClientDetail:
    return await _client_detail(call, await access.client(call.actor, call.id()))


async def _client_detail(call: Call[Any], row: ApiClient) -> ClientDetail:
    (shown,) = await _client_rows(call, [row])
    decided = await audit.newest_of(row.id, Verb.CLIENT_DECIDED)
    return ClientDetail(
        **msgspec.structs.asdict(shown),
        unit_id=row.unit_id,
        organ_id=row.organ_id,
        certificate=_certificate_out(bytes(row.certificate)),
        changes=await _changes_out(row),
        decided=decided.facts.get("why", "") if decided else "",
        admitted=await _came(call, row, Verb.CLIENT_ADMITTED),
        refused=await _came(call, row, Verb.CLIENT_REFUSED),
        quota=QuotaOut(row.per_minute, call.request.app.state.buckets.look(row.id, row.per_minute)),
        scope_names=rules.SCOPES,
    )


async def _came(call: Call[Any], row: ApiClient, verb: Verb) -> CameOut | None:
    found = await audit.newest_of(row.id, verb)
    if found is None:
        return None
    reason = all_reasons().get(found.facts["code"]) if verb is Verb.CLIENT_REFUSED else None
    return CameOut(found.at, found.address, reason.title(call.language) if reason else None)


async def _changes_out(row: ApiClient) -> list[ChangeOut]:
    found = await clients.changes(row)
    return [ChangeOut(name, _word(before), _word(after)) for name, (before, after) in found.items()]


def _word(value: Any) -> str:
    """A value of an entry; of scopes what they let do."""
    return (
        "、".join(rules.SCOPES.get(scope) or str(scope) for scope in value) if isinstance(value, list) else str(value)
    )


def _certificate_out(der: bytes) -> ShownCertificateOut:
    shown = clients.read_certificate(der)
    return ShownCertificateOut(
        shown.subject,
        shown.issuer,
        shown.serial,
        shown.key,
        shown.not_before,
        shown.not_after,
        sha256(der).hexdigest(),
    )


@endpoint(summary="查看待登记的系统证书", body=CertificateIn, returns=ShownCertificateOut, refuses=[Denied, Invalid])
async def look_at_certificate(call: Call[CertificateIn]) -> ShownCertificateOut:
    rules.check(call.actor, "register_client")
    return _certificate_out(clients.certificate_der(call.body.certificate))


async def _client_rows(call: Call[Any], rows: Sequence[ApiClient]) -> list[ClientOut]:
    people = await access.people({key for r in rows for key in (r.official_id, r.registered_by, r.approved_by) if key})
    organs = await access.organ_short_names({row.organ_id for row in rows})
    units = await access.unit_names({row.unit_id for row in rows})
    return [
        ClientOut(
            id=row.id,
            code=row.code,
            name=row.name,
            organ=organs[row.organ_id],
            unit=units[row.unit_id],
            official=Named(row.official_id, people[row.official_id].name),
            certificate_sha256=row.certificate_sha256,
            certificate_until=clients.certificate_until(row),
            scopes=row.scopes,
            purpose=row.purpose,
            per_minute=row.per_minute,
            state=row.state,
            registered_by=people[row.registered_by].name if row.registered_by else "",
            approved_by=people[row.approved_by].name if row.approved_by else "",
            registered_at=row.registered_at,
            abilities=[ability_out(a, call.language) for a in rules.client_abilities(call.actor, row)],
        )
        for row in rows
    ]


@endpoint(summary="登记接入系统", body=ClientIn, returns=ClientOut, status=201, once=True, refuses=[NotFound])
async def register_client(call: Call[ClientIn]) -> ClientOut:
    row = await clients.register_client(call.actor, _new_client(call.body))
    return (await _client_rows(call, [row]))[0]


def _new_client(wanted: ClientIn) -> clients.NewClient:
    return clients.NewClient(
        code=wanted.code,
        name=wanted.name,
        unit_id=wanted.unit_id,
        official_id=wanted.official_id,
        certificate=clients.certificate_der(wanted.certificate),
        scopes=frozenset(wanted.scopes),
        purpose=wanted.purpose,
        per_minute=wanted.per_minute,
    )


@endpoint(summary="更改接入系统的登记", body=ClientIn, returns=ClientDetail, refuses=[Conflict])
async def amend_client(call: Call[ClientIn]) -> ClientDetail:
    return await _client_detail(call, await clients.amend_client(call.actor, call.id(), _new_client(call.body)))


@endpoint(summary="批准、驳回、暂停、恢复接入系统", body=ClientActIn, returns=ClientDetail, refuses=[Conflict])
async def decide_client(call: Call[ClientActIn]) -> ClientDetail:
    row = await clients.decide_client(call.actor, call.id(), call.body.verb, why=call.body.reason.strip())
    return await _client_detail(call, row)


@endpoint(
    summary="接入系统取得访问令牌（RFC 6749 第4.4节，RFC 7523，RFC 8705）",
    body=FORM,
    returns=TokenOut,
    access=Access.OPEN,
    refuses=[NotSignedIn, Denied, Malformed],
)
async def give_token(call: Call[None]) -> TokenOut:
    asked = clients.token_request(await call.form())
    desk: clients.ClientDesk = call.request.app.state.clients
    certificate = call.request.scope.get(guard.CLIENT_CERTIFICATE)
    granted = await desk.grant(asked, certificate, _address(call))
    return TokenOut(granted.token, "Bearer", granted.seconds, " ".join(granted.scopes))


@endpoint(summary="机关目录", query=OrganQuery, returns=OrganList, scope="directory:read")
async def list_organs(call: Call[None]) -> OrganList:
    rows = await access.organs(call.query.q.strip())
    return OrganList([_organ_row(row) for row in rows])


def _organ_row(row: dict[str, Any]) -> OrganRow:
    return OrganRow(row["id"], row["code"], row["full_name"], row["short_name"], row["level"], row["superior_id"])


@endpoint(summary="机关的部门和人员", returns=OrganOut, scope="directory:read")
async def show_organ(call: Call[None]) -> OrganOut:
    organ = await access.organ(call.id())
    roles = await access.roles_in(organ.id)
    by_unit: dict[UUID, list[OfficialOut]] = {}
    for post in await access.posts_of(organ.id):
        by_unit.setdefault(post["unit_id"], []).append(
            OfficialOut(
                id=post["official_id"],
                code=post["official__code"],
                name=post["official__name"],
                post=post["title"],
                is_principal=post["is_principal"],
                roles=sorted(roles.get(post["official_id"], ())),
            )
        )
    units = [UnitOut(unit.id, unit.name, by_unit.get(unit.id, [])) for unit in await access.units_of(organ.id)]
    return OrganOut(
        organ.id, organ.code, organ.full_name, organ.short_name, organ.level, organ.superior_id,
        remits=[one.text for one in await access.remits_of(organ.id)], units=units,
    )  # fmt: skip


routes = [
    resource("/api/session/challenge", POST=challenge),
    resource("/api/session", GET=show_session, POST=open_session, DELETE=end_session),
    resource("/api/sessions", GET=list_sessions),
    resource("/api/sessions.csv", GET=export_sessions),
    resource("/api/sessions/{id}", DELETE=cut_session),
    resource("/api/clients", GET=list_clients, POST=register_client),
    resource("/api/clients.csv", GET=export_clients),
    resource("/api/clients/certificate", POST=look_at_certificate),
    resource("/api/clients/{id}", GET=show_client, PUT=amend_client),
    resource("/api/clients/{id}/acts", POST=decide_client),
    resource("/api/v1/token", POST=give_token),
    resource("/api/organs", GET=list_organs),
    resource("/api/organs/{id}", GET=show_organ),
]
