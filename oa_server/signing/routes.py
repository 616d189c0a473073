"""Verification over HTTP: drop a file, read the report."""

from __future__ import annotations

from crypto.pades import SIZE_LIMIT
from oa_server.signing.verification import Report, verify_file
from oa_server.web.endpoint import Binary, Call, endpoint, resource


@endpoint(summary="验证 PDF 文件的签章", body=Binary("application/pdf"), returns=Report)
async def verify(call: Call[None]) -> Report:
    return await verify_file(await call.raw(SIZE_LIMIT), call.language)


routes = [resource("/api/verify", POST=verify)]
