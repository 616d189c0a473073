"""Seals, the uses of certificates, and verification over HTTP: drop a file, read the report."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.responses import Response

from crypto.pades import SIZE_LIMIT
from oa_server.audit.verbs import Verb
from oa_server.core.errors import Denied, Invalid, NotFound
from oa_server.pki import access as pki
from oa_server.signing import access, actions, answers, rules
from oa_server.signing.schemas import (
    SealFilter,
    SealIn,
    SealList,
    SealOut,
    SealQuery,
    UseList,
    UseQuery,
)
from oa_server.signing.verification import Report, verify_file
from oa_server.web.endpoint import Binary, Call, endpoint, inline, resource
from oa_server.web.shapes import ability_out
from oa_server.web.sheets import CSV, EXPORT_LIMIT, leave_as_csv, whole

PNG = Binary("image/png")


@endpoint(summary="验证 PDF 文件的签章", body=Binary("application/pdf"), returns=Report)
async def verify(call: Call[None]) -> Report:
    return await verify_file(await call.raw(SIZE_LIMIT), call.language)


def _wanted(call: Call[Any], **more: Any) -> access.SealFilter:
    query = call.query
    return access.SealFilter(words=query.q.strip(), state=query.state, oldest_first=query.sort == "oldest", **more)


@endpoint(summary="印章清单", query=SealQuery, returns=SealList, refuses=[Denied])
async def list_seals(call: Call[None]) -> SealList:
    rows = await access.seal_list(call.actor, _wanted(call, after=call.after("seals"), limit=call.query.limit))
    return SealList(
        await answers.seal_rows(rows),
        call.further("seals", rows),
        await access.seal_counts(call.actor),
        [ability_out(one, call.language) for one in rules.abilities(call.actor)],
    )


@endpoint(summary="导出印章清单", query=SealFilter, returns=CSV, refuses=[Denied])
async def export_seals(call: Call[None]) -> Response:
    rows = whole(await access.seal_list(call.actor, _wanted(call, limit=EXPORT_LIMIT + 1)))
    header = ("印章", "机关", "状态", "直径（毫米）", "印章管理员", "证书序列号", "证书到期", "用印次数", "登记时间")
    cells = [
        (
            row.name,
            row.organ.name,
            rules.SEAL_WORDS[row.state],
            row.diameter_mm,
            "；".join(row.keepers),
            row.certificate.serial if row.certificate else "",
            row.certificate.not_after if row.certificate else "",
            row.uses,
            row.registered_at,
        )
        for row in await answers.seal_rows(rows)
    ]
    return await leave_as_csv(call, "印章清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="seals")


@endpoint(summary="登记印章", body=SealIn, returns=SealOut, status=201, once=True, refuses=[NotFound])
async def register_seal(call: Call[SealIn]) -> SealOut:
    wanted = call.body
    try:
        image = base64.b64decode(wanted.image, validate=True)
    except binascii.Error:
        raise Invalid(rules.BAD_IMAGE) from None
    seal = await actions.register_seal(
        call.actor,
        wanted.organ_id,
        name=wanted.name,
        image=image,
        diameter_mm=wanted.diameter_mm,
        certificate_serial=wanted.certificate,
    )
    return (await answers.seal_rows([seal]))[0]


@endpoint(summary="印章", returns=SealOut, refuses=[Denied])
async def show_seal(call: Call[None]) -> SealOut:
    return (await answers.seal_rows([await access.seal(call.actor, call.id())]))[0]


@endpoint(summary="印章图像（PNG）", returns=PNG, refuses=[Denied])
async def read_image(call: Call[None]) -> Response:
    seal = await access.seal(call.actor, call.id())
    return inline("印章.png", PNG.media_type, bytes(seal.image), etag=str(seal.id))


@endpoint(summary="证书的使用记录", query=UseQuery, returns=UseList, refuses=[Denied])
async def list_uses(call: Call[None]) -> UseList:
    certificate = await pki.certificate(call.request.path_params["serial"])
    rules.check_sees_uses(call.actor, certificate)
    rows = await answers.uses(
        call.actor, certificate.serial, call.after(f"uses.{certificate.serial}"), call.query.limit
    )
    return UseList(rows, call.further(f"uses.{certificate.serial}", rows))


routes = [
    resource("/api/verify", POST=verify),
    resource("/api/seals", GET=list_seals, POST=register_seal),
    resource("/api/seals.csv", GET=export_seals),
    resource("/api/seals/{id}", GET=show_seal),
    resource("/api/seals/{id}/image", GET=read_image),
    resource("/api/certificates/{serial}/uses", GET=list_uses),
]
