"""Pure decisions about attachments."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from oa_server.core.errors import Conflict, Denied, Invalid, NotFound, Reason, TooLarge

if TYPE_CHECKING:
    from uuid import UUID

    from oa_server.files.models import StoredFile

PART_SIZE = 8 << 20
# After so many the next request asks anew whether the uploader may still do this.
PARTS_IN_A_REQUEST = 16
NAME_LIMIT = 200
COUNT_DIGITS = 18  # More than any file has bytes; Python refuses to read numbers of thousands of digits.

BAD_NAME = Reason("files.bad_name", "文件名含有不允许的字符", "The file's name holds characters that are not allowed.")
EMPTY = Reason("files.empty", "不能上传空文件", "An empty file cannot be uploaded.")
TOO_BIG = Reason("files.too_big", "附件超过允许的大小", "The attachment is larger than allowed.")
WRONG_OFFSET = Reason(
    "files.wrong_offset",
    "上传位置与服务器不一致，请从服务器给出的位置继续",
    "Continue from the offset the server tells.",
)
NOT_UPLOADER = Reason(
    "files.not_uploader", "只有上传人可以继续上传或删除", "Only the uploader may continue or remove it."
)
NOT_READY = Reason("files.not_ready", "附件尚未上传完成", "The attachment is not complete yet.")
HELD = Reason(
    "files.held",
    "附件正在等待病毒检查，检查通过后才能使用",
    "The attachment waits to be scanned for malware; it can be used once it has passed.",
)
INFECTED = Reason(
    "files.infected",
    "附件含有恶意代码，已被隔离，不能下载和发出；请删除这个附件，用杀毒软件检查本机，再上传没有问题的文件",
    "Malware was found in the attachment, which is kept away: remove it, scan your computer, and attach a clean file.",
)
SCANNER_AWAY = Reason(
    "files.scanner_away",
    "病毒检查服务没有应答，新上传的附件保留待检；请系统管理员检查该服务",
    "The malware scanner does not answer; new attachments are held until it does.",
)
SCANNER_REFUSED = Reason(
    "files.scanner_refused",
    "病毒检查服务没有得出结论，附件保留待检；请系统管理员检查该服务的大小上限和日志",
    "The malware scanner came to no verdict, and the attachment is held; look at its limits and its log.",
)
SCANNER_BLIND = Reason(
    "files.scanner_blind",
    "病毒检查服务没有认出测试文件，新上传的附件保留待检；请系统管理员检查病毒库",
    "The malware scanner does not know the test file; new attachments are held until its signatures are there.",
)
BAD_PART = Reason("files.bad_part", "分片大小不正确", "A part has the wrong size.")
CHANGED = Reason("files.changed", "附件校验失败：存储的内容已被改动或丢失", "The stored bytes were changed or lost.")
BUSY = Reason("files.busy", "上传的人太多，请稍后继续", "Too many uploads at once; continue in a moment.")
BAD_RANGE = Reason("files.bad_range", "请求的范围无效", "The requested range is not valid.")
STUCK_KEYS = Reason(
    "files.stuck_keys",
    "有附件的密钥或数据密钥无法用现有主密钥打开，旧主密钥予以保留；请从单独保管的介质取回缺少的主密钥后重新执行",
    "Keys of files, or a data key, open under no master key that is here; the old ones are kept. Bring back the missing one.",
)

# Windows refuses these in names, and a name that climbs folders is refused everywhere.
_FORBIDDEN = frozenset('\\/:*?"<>|')


def clean_name(name: str) -> str:
    """A file's name fit to be stored and shown. Raises Invalid for names that climb, hide or mislead."""
    text = unicodedata.normalize("NFC", name).strip()
    hidden = any(unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"} for c in text)
    if not text or len(text) > NAME_LIMIT or hidden or _FORBIDDEN & set(text) or text.strip(". ") == "":
        raise Invalid(BAD_NAME)
    return text


def check_size(size: int, limit: int) -> None:
    """A file is neither empty nor larger than the limit. Raises Invalid, TooLarge."""
    if size <= 0:
        raise Invalid(EMPTY)
    if size > limit:
        raise TooLarge(TOO_BIG, limit=limit)


def check_upload(file: StoredFile, official_id: UUID | None, offset: int) -> None:
    """Whoever began goes on, from the byte up to which all is there. Raises Denied, Invalid, Conflict."""
    if file.uploaded_by_id != official_id:
        raise Denied(NOT_UPLOADER)
    check_not_infected(file)
    if file.state != "uploading" or offset != file.received:
        raise Conflict(WRONG_OFFSET, offset=file.received)


def check_not_infected(file: StoredFile) -> None:
    """Tell the sender of a file in which malware was found. Raises Invalid."""
    if file.state == "quarantined":
        raise Invalid(INFECTED, malware=file.malware)


def check_given_out(file: StoredFile) -> None:
    """A file is read by others once all of it is there and no malware was found in it. Raises NotFound, Conflict."""
    if file.state == "quarantined":
        raise Conflict(INFECTED, malware=file.malware)
    if file.state == "held":
        raise Conflict(HELD)
    if file.state != "ready":
        raise NotFound(NOT_READY)


def check_part(file: StoredFile, offset: int, length: int) -> None:
    """Every part has the one part size but for the last. Raises Invalid."""
    expected = min(file.part_size, file.size - offset)
    if length != expected or not length:
        raise Invalid(BAD_PART, expected=expected)


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first and last byte of a single `bytes=` range (RFC 9110, 14.1.2); None when the whole file is asked for.

    Raises Invalid when the file has no such bytes.
    """
    if not header or not header.startswith("bytes=") or "," in header:
        return None
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not (first or last) or not all(_is_count(part) for part in (first, last) if part):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size or end < start:
        raise Invalid(BAD_RANGE, size=size)
    return start, end


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS
