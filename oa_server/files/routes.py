"""Attachments over HTTP: open an upload, send its parts, ask how far it came, read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from oa_server.core.errors import NOT_FOUND, Conflict, Invalid, NotFound
from oa_server.core.ports import SubjectGate, ports
from oa_server.files import access, rules
from oa_server.files.actions import FileKeeper
from oa_server.files.models import StoredFile
from oa_server.files.schemas import FileIn, FileOut, file_out
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.web.bodies import INVALID
from oa_server.web.endpoint import Binary, Call, endpoint, resource

STREAM = Binary("application/octet-stream", in_ranges=True)
OFFSET_STREAM = Binary("application/offset+octet-stream")


def _keeper(call: Call[Any]) -> FileKeeper:
    found: FileKeeper = call.request.app.state.files
    return found


def _gate(subject_type: str) -> SubjectGate:
    gate = ports.subjects.get(subject_type)
    if gate is None:
        raise NotFound(NOT_FOUND)
    return gate


async def _readable(call: Call[Any]) -> StoredFile:
    file = await access.file(call.id())
    await _gate(file.subject_type).check_readable(call.actor, file.subject_id)
    return file


async def _changeable(call: Call[Any]) -> StoredFile:
    file = await access.file(call.id())
    await _gate(file.subject_type).check_attachable(call.actor, file.subject_id)
    return file


@endpoint(
    summary="开始上传附件",
    body=FileIn,
    returns=FileOut,
    status=201,
    once=True,
    refuses=[NotFound],
    scope="documents:write",
)
async def start_upload(call: Call[FileIn]) -> FileOut:
    wanted = call.body
    subject_type, subject_id = wanted.subject_type, wanted.subject_id
    async with unit_of_work(call.actor):
        await _gate(subject_type).check_attachable(call.actor, subject_id)
        file = await _keeper(call).start(
            call.actor, name=wanted.name, size=wanted.size, subject_type=subject_type, subject_id=subject_id
        )
    return file_out(file)


@endpoint(summary="附件信息和已上传的位置", returns=FileOut, scope="documents:read")
async def show_file(call: Call[None]) -> FileOut:
    return file_out(await _readable(call))


@endpoint(
    summary="上传后续分片",
    body=OFFSET_STREAM,
    returns=FileOut,
    needs=["Upload-Offset"],
    refuses=[Conflict],
    scope="documents:write",
)
async def write_parts(call: Call[None]) -> FileOut:
    file = await _changeable(call)
    offset = call.request.headers.get("upload-offset", "")
    if not (offset.isascii() and offset.isdigit() and len(offset) <= rules.COUNT_DIGITS):
        raise Invalid(INVALID, "Upload-Offset")
    parts = call.pieces(file.part_size, limit=rules.PARTS_IN_A_REQUEST * file.part_size)
    return file_out(await _keeper(call).write_parts(call.actor, file, int(offset), parts))


@endpoint(summary="删除附件", refuses=[Conflict], scope="documents:write")
async def remove_file(call: Call[None]) -> None:
    async with unit_of_work(call.actor):
        await _keeper(call).remove(call.actor, await _changeable(call))


@endpoint(summary="下载附件", returns=STREAM, refuses=(Invalid, Conflict), scope="documents:read")
async def read_content(call: Call[None]) -> Response:
    file = await _readable(call)
    rules.check_given_out(file)
    wanted = rules.parse_range(call.request.headers.get("range"), file.size)
    first, last = wanted or (0, file.size - 1)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
        "Content-Length": str(last - first + 1),
        "Accept-Ranges": "bytes",
        # Whatever the file is, a browser that opens it runs nothing of it.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": f'"{file.sha256}"',
    }
    if wanted:
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size}"
    stream = _keeper(call).reader.stream(file, first, last)
    # The first piece is opened before the answer begins, so what fails at once is told; later only a cut answer can tell.
    opened = _after(await anext(stream), stream)
    return StreamingResponse(opened, 206 if wanted else 200, headers, "application/octet-stream")


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


routes = [
    resource("/api/files", POST=start_upload),
    resource("/api/files/{id}", GET=show_file, PATCH=write_parts, DELETE=remove_file),
    resource("/api/files/{id}/content", GET=read_content),
]
