"""The certificate register over HTTP: for administrators its devices, requests and certificates; for everybody what an
authority publishes."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from crypto.profiles import Profile
from crypto.timestamp import REQUEST_LIMIT
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.errors import NOT_FOUND, Conflict, Denied, Invalid, NotFound
from oa_server.identity import access as identity
from oa_server.pki import access, answers, devices, enrolment, issuing, rolls, rules
from oa_server.pki.access import ListFilter
from oa_server.pki.actions import CertificateRegister, Subject
from oa_server.pki.issuing import NewKey
from oa_server.pki.models import DeviceVerb
from oa_server.pki.schemas import (
    CertificateActIn,
    CertificateFilter,
    CertificateList,
    CertificateOut,
    CertificateQuery,
    DeviceActIn,
    DeviceFilter,
    DeviceIn,
    DeviceList,
    DeviceOut,
    DeviceQuery,
    EnrolmentIn,
    EnrolmentOut,
    MineOut,
    OverviewOut,
    RequestActIn,
    RequestIn,
    RequestList,
    RequestOut,
    RequestQuery,
    RollKeysIn,
    RollOut,
    RollRow,
    SheetOut,
)
from oa_server.web import guard
from oa_server.web.endpoint import Access, Binary, Call, endpoint, resource
from oa_server.web.shapes import Named
from oa_server.web.sheets import CSV, EXPORT_LIMIT, SHEET, XLSX, leave_as_book, leave_as_csv, whole

OCSP_REQUEST, OCSP_RESPONSE = Binary("application/ocsp-request"), Binary("application/ocsp-response")
TIMESTAMP_QUERY, TIMESTAMP_REPLY = Binary("application/timestamp-query"), Binary("application/timestamp-reply")


def _register(call: Call[Any]) -> CertificateRegister:
    found: CertificateRegister = call.request.app.state.register
    return found


def _filter(call: Call[Any], **more: Any) -> ListFilter:
    query = call.query
    days = getattr(query, "days", None)
    return ListFilter(
        words=query.q.strip(),
        state=query.state,
        profile=getattr(query, "profile", None),
        until=None if days is None else clock.now() + timedelta(days=days),
        oldest_first=query.sort == "oldest",
        **more,
    )


def _page(call: Call[Any], kind: str) -> ListFilter:
    return _filter(call, after=call.after(kind), limit=call.query.limit)


# --- at a glance ------------------------------------------------------------------------------------------------------


@endpoint(summary="证书管理总览", returns=OverviewOut, refuses=[Denied])
async def overview(call: Call[None]) -> OverviewOut:
    found = await access.counts(call.actor)
    return OverviewOut(
        requests=found.requests,
        lights=found.lights,
        certificates=found.certificates,
        devices=found.devices,
        lists=await answers.list_rows(),
        signer=_register(call).signer.exists,
        abilities=answers.beginnings(call.actor, call.language),
    )


@endpoint(summary="我的即将到期的证书", returns=MineOut)
async def mine(call: Call[None]) -> MineOut:
    assert call.actor.official_id is not None
    rows = await answers.certificate_rows(await access.certificates_of(call.actor.official_id))
    return MineOut([row for row in rows if row.light != rules.Light.NONE])


# --- devices ----------------------------------------------------------------------------------------------------------


@endpoint(summary="介质清单", query=DeviceQuery, returns=DeviceList, refuses=[Denied])
async def list_devices(call: Call[None]) -> DeviceList:
    rows = await access.device_list(call.actor, _page(call, "devices"))
    return DeviceList(await answers.device_rows(rows), call.further("devices", rows))


@endpoint(summary="导出介质清单", query=DeviceFilter, returns=CSV, refuses=[Denied])
async def export_devices(call: Call[None]) -> Response:
    found = await access.device_list(call.actor, _filter(call, limit=EXPORT_LIMIT + 1))
    rows = await answers.device_rows(whole(found))
    header = ("介质编号", "类型", "状态", "持有人编号", "持有人", "单位", "登记时间")
    cells = [
        (
            row.label,
            rules.DEVICE_KIND_WORDS[row.kind],
            rules.DEVICE_WORDS[row.state],
            *_holder_cells(row),
            row.registered_at,
        )
        for row in rows
    ]
    return await leave_as_csv(call, "介质清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="devices")


def _holder_cells(row: Any) -> tuple[str, str, str]:
    return (row.holder.code, row.holder.name, row.holder.organ) if row.holder else ("", "", "")


@endpoint(summary="登记介质", body=DeviceIn, returns=DeviceOut, status=201, once=True)
async def register_device(call: Call[DeviceIn]) -> DeviceOut:
    wanted = call.body
    subject = Subject(wanted.official_id, wanted.organ_id)
    device = await devices.register_device(call.actor, wanted.kind, wanted.label, subject)
    return await answers.device_out(call.actor, device, call.language)


@endpoint(summary="介质及其台账", returns=DeviceOut, refuses=[Denied])
async def show_device(call: Call[None]) -> DeviceOut:
    rules.check_reads(call.actor)
    return await answers.device_out(call.actor, await access.device(call.id()), call.language)


@endpoint(summary="登记介质的发放、交回、解锁、挂失、报废", body=DeviceActIn, returns=DeviceOut, refuses=[Conflict])
async def keep_device(call: Call[DeviceActIn]) -> DeviceOut:
    verb = DeviceVerb(call.body.verb)
    await devices.keep_device(call.actor, call.id(), verb, _register(call), note=call.body.note)
    return await answers.device_out(call.actor, await access.device(call.id()), call.language)


# --- requests ---------------------------------------------------------------------------------------------------------


@endpoint(summary="证书申请清单", query=RequestQuery, returns=RequestList, refuses=[Denied])
async def list_requests(call: Call[None]) -> RequestList:
    rows = await access.request_list(call.actor, _page(call, "requests"))
    return RequestList(await answers.request_rows(rows), call.further("requests", rows))


@endpoint(summary="申请证书", body=RequestIn, returns=RequestOut, status=201, once=True, refuses=[NotFound])
async def make_request(call: Call[RequestIn]) -> RequestOut:
    wanted = call.body
    replaces = await access.certificate(wanted.replaces) if wanted.replaces else None
    row = await issuing.request(
        call.actor,
        Profile(wanted.profile),
        access.der_of(wanted.csr) if wanted.csr else await access.csr_behind(replaces),
        Subject(wanted.official_id, wanted.organ_id),
        device=await access.device(wanted.device_id) if wanted.device_id else None,
        kind=wanted.kind,
        replaces=replaces,
    )
    return await answers.request_out(call.actor, row, call.language)


@endpoint(summary="证书申请", returns=RequestOut, refuses=[Denied])
async def show_request(call: Call[None]) -> RequestOut:
    rules.check_reads(call.actor)
    return await answers.request_out(call.actor, await access.request(call.id()), call.language)


@endpoint(summary="审批、驳回证书申请，登记写入", body=RequestActIn, returns=RequestOut, refuses=[Conflict])
async def act_on_request(call: Call[RequestActIn]) -> RequestOut:
    match call.body.verb:
        case "approve":
            await issuing.approve(call.actor, call.id(), _register(call))
        case "refuse":
            await issuing.refuse(call.actor, call.id(), call.body.reason)
        case "install":
            await issuing.install(call.actor, call.id(), _register(call))
    return await answers.request_out(call.actor, await access.request(call.id()), call.language)


# --- a whole organ ----------------------------------------------------------------------------------------------------


@endpoint(summary="单位办证名册", returns=RollOut, refuses=[Denied])
async def show_roll(call: Call[None]) -> RollOut:
    rows = await answers.roll_rows(await rolls.roll(call.actor, call.id()))
    organ = await identity.organ(call.id())
    return RollOut(Named(organ.id, organ.full_name), rows, answers.beginnings(call.actor, call.language))


@endpoint(summary="导出办证名册，供填写介质编号", returns=XLSX, refuses=[Denied])
async def export_roll(call: Call[None]) -> Response:
    rows = await answers.roll_rows(await rolls.roll(call.actor, call.id()))
    organ = await identity.organ(call.id())
    cells = [(row.code, row.name, row.device, "", "", "", row.unit, rules.STAGE_WORDS[row.stage]) for row in rows]
    sheets = {"办证名册": (rolls.COLUMNS, cells)}
    name = f"{organ.short_name}办证名册.xlsx"
    return await leave_as_book(call, name, sheets, verb=Verb.LIST_EXPORTED, subject=str(organ.id))


@endpoint(summary="检查填好的办证名册，逐行给出结果", body=SHEET, returns=SheetOut, refuses=[Denied, Invalid])
async def check_roll(call: Call[None]) -> SheetOut:
    rows = await rolls.read_sheet(call.actor, call.id(), await call.raw(rolls.SHEET_LIMIT))
    return SheetOut([answers.sheet_row_out(row, call.language) for row in rows])


@endpoint(summary="登记名册中的一行：介质和证书申请", body=RollKeysIn, returns=RollRow, once=True, refuses=[NotFound])
async def enter_roll(call: Call[RollKeysIn]) -> RollRow:
    wanted = call.body
    keys = [NewKey(Profile(key.profile), access.der_of(key.csr)) for key in wanted.keys]
    person = await rolls.enter(call.actor, call.id(), wanted.official_id, wanted.kind, wanted.label, keys)
    return (await answers.roll_rows([person]))[0]


# --- certificates -----------------------------------------------------------------------------------------------------


@endpoint(summary="证书清单", query=CertificateQuery, returns=CertificateList, refuses=[Denied])
async def list_certificates(call: Call[None]) -> CertificateList:
    rows = await access.certificate_list(call.actor, _page(call, "certificates"))
    return CertificateList(await answers.certificate_rows(rows), call.further("certificates", rows))


@endpoint(summary="导出证书清单", query=CertificateFilter, returns=CSV, refuses=[Denied])
async def export_certificates(call: Call[None]) -> Response:
    found = await access.certificate_list(call.actor, _filter(call, limit=EXPORT_LIMIT + 1))
    header = ("证书序列号", "用途", "状态", "持有人编号", "持有人", "单位", "介质编号", "生效时间", "到期时间")
    cells = [
        (
            row.serial,
            rules.PROFILE_WORDS[row.profile],
            rules.CERTIFICATE_WORDS[row.state],
            *_holder_cells(row),
            row.device,
            row.not_before,
            row.not_after,
        )
        for row in await answers.certificate_rows(whole(found))
    ]
    return await leave_as_csv(call, "证书清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="certificates")


@endpoint(summary="证书及其证书链", returns=CertificateOut, refuses=[Denied])
async def show_certificate(call: Call[None]) -> CertificateOut:
    rules.check_reads(call.actor)
    return await answers.certificate_out(call.actor, await _certificate(call), call.language)


async def _certificate(call: Call[Any]) -> Any:
    return await access.certificate(call.request.path_params["serial"])


@endpoint(summary="吊销、暂停、恢复证书", body=CertificateActIn, returns=CertificateOut, refuses=[Conflict])
async def act_on_certificate(call: Call[CertificateActIn]) -> CertificateOut:
    serial, register = (await _certificate(call)).serial, _register(call)
    match call.body.verb:
        case "revoke":
            await register.revoke(call.actor, serial, call.body.reason)
        case "suspend":
            await register.suspend(call.actor, serial)
        case "resume":
            await register.resume(call.actor, serial)
    return await answers.certificate_out(call.actor, await _certificate(call), call.language)


# --- the first keys ---------------------------------------------------------------------------------------------------


@endpoint(
    summary="管理员首次登记密钥",
    body=EnrolmentIn,
    returns=EnrolmentOut,
    access=Access.OPEN,
    refuses=[Denied, NotFound, Conflict],
)
async def enrol(call: Call[EnrolmentIn]) -> EnrolmentOut:
    guard.check_origin(call.request)
    wanted = call.body
    row = await enrolment.enrolment(wanted.code)
    keys = [NewKey(Profile(key.profile), access.der_of(key.csr)) for key in wanted.keys]
    label = wanted.label or str(row.id)
    issued = await enrolment.enrol(wanted.code, wanted.kind, label, keys, _register(call)) if keys else []
    return await answers.enrolment_out(row, issued)


@endpoint(summary="管理员首次登记完成", body=EnrolmentIn, access=Access.OPEN, refuses=[Denied, NotFound, Conflict])
async def finish_enrolment(call: Call[EnrolmentIn]) -> None:
    guard.check_origin(call.request)
    await enrolment.finish(call.body.code, _register(call))


# --- published --------------------------------------------------------------------------------------------------------


@endpoint(summary="吊销列表（DER）", returns=Binary("application/pkix-crl"), access=Access.OPEN)
async def read_crl(call: Call[None]) -> Response:
    crl = await access.newest_crl(call.request.path_params["issuer"])
    if crl is None:
        raise NotFound(NOT_FOUND)
    return Response(bytes(crl.der), media_type="application/pkix-crl")


@endpoint(summary="信任锚证书（DER）", returns=Binary("application/pkix-cert"), access=Access.OPEN)
async def read_anchor(call: Call[None]) -> Response:
    anchor = await access.anchor(call.request.path_params["fingerprint"])
    return Response(bytes(anchor.der), media_type="application/pkix-cert")


@endpoint(summary="查询证书状态（OCSP）", body=OCSP_REQUEST, returns=OCSP_RESPONSE, access=Access.OPEN)
async def ask_ocsp(call: Call[None]) -> Response:
    return await _ocsp(call, await call.raw(REQUEST_LIMIT))


@endpoint(summary="查询证书状态（OCSP，RFC 6960 附录A.1）", returns=OCSP_RESPONSE, access=Access.OPEN)
async def read_ocsp(call: Call[None]) -> Response:
    text = call.request.path_params["request"]
    try:
        return await _ocsp(call, base64.b64decode(text, validate=True))
    except ValueError:
        return await _ocsp(call, b"")


async def _ocsp(call: Call[Any], request: bytes) -> Response:
    return Response(await _register(call).answer_ocsp(request), media_type=OCSP_RESPONSE.media_type)


@endpoint(summary="时间戳服务（RFC 3161）", body=TIMESTAMP_QUERY, returns=TIMESTAMP_REPLY, access=Access.OPEN)
async def stamp(call: Call[None]) -> Response:
    answer = await _register(call).answer_timestamp(await call.raw(REQUEST_LIMIT))
    return Response(answer, media_type=TIMESTAMP_REPLY.media_type)


routes = [
    resource("/api/pki/overview", GET=overview),
    resource("/api/pki/mine", GET=mine),
    resource("/api/pki/devices", GET=list_devices, POST=register_device),
    resource("/api/pki/devices.csv", GET=export_devices),
    resource("/api/pki/devices/{id}", GET=show_device),
    resource("/api/pki/devices/{id}/acts", POST=keep_device),
    resource("/api/pki/requests", GET=list_requests, POST=make_request),
    resource("/api/pki/requests/{id}", GET=show_request),
    resource("/api/pki/requests/{id}/acts", POST=act_on_request),
    resource("/api/pki/rolls/{id}", GET=show_roll, POST=enter_roll),
    resource("/api/pki/rolls/{id}/sheet", GET=export_roll, POST=check_roll),
    resource("/api/pki/certificates", GET=list_certificates),
    resource("/api/pki/certificates.csv", GET=export_certificates),
    resource("/api/pki/certificates/{serial}", GET=show_certificate),
    resource("/api/pki/certificates/{serial}/acts", POST=act_on_certificate),
    resource("/api/pki/enrolment", POST=enrol),
    resource("/api/pki/enrolment/done", POST=finish_enrolment),
    resource("/api/pki/crl/{issuer}", GET=read_crl),
    resource("/api/pki/anchors/{fingerprint}", GET=read_anchor),
    resource("/api/pki/ocsp", POST=ask_ocsp),
    resource("/api/pki/ocsp/{request:path}", GET=read_ocsp),
    resource("/api/pki/timestamp", POST=stamp),
]
