"""What the certificate authority publishes: its certificates and its revocation lists, to anybody who asks."""

from __future__ import annotations

from starlette.responses import Response

from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.pki import access
from oa_server.web.endpoint import Access, Binary, Call, endpoint, resource


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


routes = [
    resource("/api/pki/crl/{issuer}", GET=read_crl),
    resource("/api/pki/anchors/{fingerprint}", GET=read_anchor),
]
