"""附件: sent and fetched in parts, going on after a cut, checked to the last byte."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from oa_sdk.errors import Conflict, ConnectionLost, Damaged
from oa_sdk.files import Progress, Sink, Source, name_of, opened, written
from oa_sdk.operations import D, Part, operation
from oa_sdk.session import Session
from oa_sdk.shapes import File, Id
from oa_sdk.wire import API, Request, Steps, path_to, read_as


class Attachments(Part[D]):
    """附件. `progress` is called with the bytes that have passed and all of them; after a cut it may step back."""

    @operation
    def get(self, file: Id) -> Steps[File]:
        """What is known of an attachment, and how far it came. Raises NotFound."""
        return self._session.get(path_to("files", file), File)

    @operation
    def upload(
        self,
        document: Id,
        source: Path | str | BinaryIO,
        *,
        name: str | None = None,
        progress: Progress | None = None,
        key: str | None = None,
    ) -> Steps[File]:
        """Attach a file to a draft: a path, or a file object that can seek. Goes on by itself after a cut connection; after a
        crash, the same call with the same `key` goes on too. Where the office scans attachments for malware, `state` is `held`
        until it was scanned and `quarantined` when some was found. Raises Damaged when something else arrived than was sent,
        Invalid (`files.infected`) when malware was found at once."""
        with opened(source) as file:
            sent = Source(file, progress)
            wanted = {
                "name": name_of(source, name),
                "size": sent.size,
                "subject_type": "outgoing",
                "subject_id": str(document),
            }
            begun = yield from self._session.write("POST", f"{API}/files", File, wanted, key=key)
            if (
                key is not None
            ):  # The answer to a repeated call is that of the first one, and older than what came since.
                begun = yield from self._session.get(path_to("files", begun.id), File)
            return (yield from _sending(self._session, begun, sent))

    @operation
    def resume(self, file: Id, source: Path | str | BinaryIO, *, progress: Progress | None = None) -> Steps[File]:
        """Go on with an upload that was given up, from the same content. Raises Damaged when it is not the same."""
        begun = yield from self._session.get(path_to("files", file), File)
        with opened(source) as opened_file:
            return (yield from _sending(self._session, begun, Source(opened_file, progress)))

    @operation
    def download(self, file: Id, to: Path | str | BinaryIO, *, progress: Progress | None = None) -> Steps[File]:
        """Fetch an attachment to a path, where it appears when it is whole, or into a file object. Goes on by itself after a cut
        connection. Raises NotFound while it is not complete, Damaged."""
        known = yield from self._session.get(path_to("files", file), File)
        with written(to) as target:
            sink = Sink(target, known.size, progress)
            yield from _fetching(self._session, path_to("files", file, "content"), known.size, sink)
            sink.check(known.sha256)
        return known

    @operation
    def remove(self, file: Id, *, key: str | None = None) -> Steps[None]:
        """Take an attachment off a draft. Raises NotFound, Conflict."""
        return self._session.delete(path_to("files", file), key=key)


def _sending(session: Session, file: File, source: Source) -> Steps[File]:
    """Send what is missing, asking again and again how far it came, as long as it comes further."""
    if file.size != source.size:
        raise Damaged(f"文件为 {source.size} 字节，开始上传时为 {file.size} 字节")
    tried = 0
    while file.state == "uploading":
        before, tried = file.offset, tried + 1
        try:
            file = yield from _send_chunk(session, file, source)
        except (ConnectionLost, Conflict):
            if tried == session.patience.tries:
                raise
            file = yield from session.get(path_to("files", file.id), File, after=session.patience.pause(tried))
        if file.offset > before:
            tried = 0
    if file.sha256 != source.digest():
        raise Damaged("服务器收到的附件与本地文件不同")
    return file


def _send_chunk(session: Session, file: File, source: Source) -> Steps[File]:
    source.first, source.last = file.offset, min(file.offset + file.chunk, file.size)
    headers = {"Upload-Offset": str(file.offset), "Content-Type": "application/offset+octet-stream"}
    answer = yield from session.send(Request("PATCH", path_to("files", file.id), headers, source=source))
    return read_as(answer, File)


def _fetching(session: Session, path: str, size: int, sink: Sink) -> Steps[None]:
    """Fetch what is missing, as long as something comes."""
    tried, after = 0, 0.0
    while sink.received < size:
        before = sink.received
        headers = {"Range": f"bytes={before}-", "Accept-Encoding": "identity"}
        try:
            answer = yield from session.send(Request("GET", path, headers, sink=sink, after=after))
            if before and answer.status != HTTPStatus.PARTIAL_CONTENT:
                raise Damaged("服务器没有从指定位置继续")
        except ConnectionLost:
            tried = 1 if sink.received > before else tried + 1
            if tried == session.patience.tries:
                raise
            after = session.patience.pause(tried)
