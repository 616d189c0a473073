"""The file that comes in: a sheet alone, or an archive (.zip) of a sheet with the files in which the bodies of its cases are.

Nothing is ever unpacked to a disk, so a member's name can lead nowhere; one that tries is refused all the same. The archive is
measured before anything of it is read, and only files that a row names are.
"""

from __future__ import annotations

import io
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any

from oa_server.core.errors import Invalid, Reason, TooLarge
from oa_server.documents.docx import parse_docx
from oa_server.web.workbooks import HAS_MACROS, TOO_LARGE, decoded

SHEET_LIMIT = 20 << 20
ARCHIVE_LIMIT = 60 << 20  # below what the proxies of a site let through (`client_max_body_size`)
UNPACKED_LIMIT = 512 << 20
MEMBER_LIMIT = 20_000
SIGNATURE_LIMIT = 20 * MEMBER_LIMIT
RATIO_LIMIT = 200
SMALL = 1 << 20  # a text of one character many times is no bomb
BODY_LIMIT = 16 << 20
TEXT_LIMIT = 1 << 20

BAD_ARCHIVE = Reason(
    "proposals.archive_unreadable",
    "压缩包无法读取，请用不加密的 .zip 格式重新打包",
    "The archive cannot be read; pack it anew as .zip without a password.",
)
HOSTILE_ARCHIVE = Reason(
    "proposals.archive_hostile",
    "压缩包中有不允许的文件名或链接，未读取",
    "The archive holds names or links that are not allowed; it was not read.",
)
NO_SHEET = Reason(
    "proposals.archive_without_sheet",
    "压缩包中应有且只有一个 .xlsx 或 .csv 表格",
    "The archive must hold one .xlsx or .csv sheet and no second one.",
)
SAME_NAMES = Reason(
    "proposals.archive_same_names",
    "压缩包中有两个同名的正文文件，请改名",
    "Two files in the archive have the same name; rename one.",
)
WRONG_KIND = Reason("proposals.body_kind", "正文文件须是 .txt 或 .docx", "A body comes as .txt or .docx.")
EMPTY_BODY = Reason("proposals.body_empty", "文件中没有文字", "The file holds no text.")

_SHEETS = (".xlsx", ".csv")
_SYMLINK = 0xA000
_OF_SYSTEMS = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class BodyText:
    """The text of a body, and what of its file did not come along."""

    text: str
    left_out: tuple[str, ...] = ()


def key_of(name: str) -> str:
    """What is compared of a file's name: its last part, in one form and case."""
    return unicodedata.normalize("NFKC", name.replace("\\", "/").rpartition("/")[2]).strip().casefold()


@dataclass(slots=True)
class Bodies:
    """A file that came in: its sheet, and the bodies beside it."""

    sheet_name: str
    sheet: bytes
    archive: zipfile.ZipFile | None = None
    members: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, name: str, data: bytes) -> Bodies:
        """Open what came in under a name. Raises Invalid, TooLarge."""
        lower = name.lower()
        if lower.endswith((".xlsm", ".xlsb", ".xltm")):
            raise Invalid(HAS_MACROS)
        if not lower.endswith(".zip"):
            if len(data) > SHEET_LIMIT:
                raise TooLarge(TOO_LARGE, limit=SHEET_LIMIT)
            return cls(name, data)
        # The signatures are counted first, those of files inside included: the library would make an object of each member.
        if data.count(b"PK\x01\x02") > SIGNATURE_LIMIT:
            raise TooLarge(TOO_LARGE, limit=MEMBER_LIMIT)
        try:
            return cls._opened(zipfile.ZipFile(io.BytesIO(data)))
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
            raise Invalid(BAD_ARCHIVE) from error

    @classmethod
    def _opened(cls, archive: zipfile.ZipFile) -> Bodies:
        members = [(_name(one), one) for one in _checked(archive)]
        members = [(name, one) for name, one in members if not _is_of_system(name)]
        if any(name.lower().endswith((".xlsm", ".xlsb", ".xltm")) for name, _one in members):
            raise Invalid(HAS_MACROS)
        sheets = [(name, one) for name, one in members if name.lower().endswith(_SHEETS)]
        if len(sheets) != 1:
            raise Invalid(NO_SHEET, found=len(sheets))
        name, member = sheets[0]
        if member.file_size > SHEET_LIMIT:
            raise TooLarge(TOO_LARGE, limit=SHEET_LIMIT)
        found = cls(name.rpartition("/")[2], archive.read(member), archive)
        for other, one in members:
            if one is not member:
                key = key_of(other)
                if key in found.members:
                    found.twice.add(key)
                found.members[key] = one
        return found

    @property
    def are_there(self) -> bool:
        return self.archive is not None

    def text(self, name: str) -> BodyText | None:
        """The body in a file; None when there is no such file. Raises Invalid, TooLarge."""
        key = key_of(name)
        if key not in self.members or self.archive is None:
            return None
        if key in self.twice:
            raise Invalid(SAME_NAMES)
        member = self.members[key]
        self.used.add(key)
        if member.file_size > BODY_LIMIT:
            raise TooLarge(TOO_LARGE, limit=BODY_LIMIT)
        try:
            data = self.archive.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
            raise Invalid(BAD_ARCHIVE) from error
        return _text_of(key, data)

    def unused(self) -> list[str]:
        """The names of files that no row named."""
        return [_name(one).rpartition("/")[2] for key, one in self.members.items() if key not in self.used]


def _checked(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an archive, measured before anything is read. Raises Invalid, TooLarge."""
    members = archive.infolist()
    if len(members) > MEMBER_LIMIT or sum(one.file_size for one in members) > UNPACKED_LIMIT:
        raise TooLarge(TOO_LARGE, limit=UNPACKED_LIMIT)
    for one in members:
        parts = _name(one).replace("\\", "/").split("/")
        is_link = one.external_attr >> 16 & 0xF000 == _SYMLINK
        if ".." in parts or parts[0] == "" or ":" in parts[0] or is_link:
            raise Invalid(HOSTILE_ARCHIVE)
        if one.flag_bits & 1 or one.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise Invalid(BAD_ARCHIVE)
        if one.file_size > max(RATIO_LIMIT * one.compress_size, SMALL):
            raise TooLarge(TOO_LARGE, member=_name(one))
    return [one for one in members if not one.is_dir()]


def _name(member: zipfile.ZipInfo) -> str:
    """A member's name; programs of Chinese Windows write it in GBK and say nothing of that."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return member.filename


def _is_of_system(name: str) -> bool:
    lower = name.lower()
    return lower.startswith(_OF_SYSTEMS[0]) or key_of(name).startswith("~$") or lower.endswith(_OF_SYSTEMS[1:])


def _text_of(name: str, data: bytes) -> BodyText:
    if name.endswith(".txt"):
        if len(data) > TEXT_LIMIT:
            raise TooLarge(TOO_LARGE, limit=TEXT_LIMIT)
        found = BodyText(_clean(decoded(data)))
    elif name.endswith(".docx"):
        imported = parse_docx(data)
        blocks = [_block_text(block) for block in imported.body["content"]]
        lines = [imported.title, *blocks] if imported.title else blocks
        found = BodyText(_clean("\n".join(lines)), tuple(note.reason.zh for note in imported.notes))
    else:
        raise Invalid(WRONG_KIND)
    if not found.text:
        raise Invalid(EMPTY_BODY)
    return found


def _block_text(block: dict[str, Any]) -> str:
    """A block of a body as lines of text; the cells of a table are parted by tabs."""
    if "rows" in block:
        return "\n".join("\t".join(str(cell) for cell in row) for row in block["rows"])
    return str(block.get("text", ""))


def _clean(text: str) -> str:
    """The text without what nobody sees: only new lines and tabs are left of what controls."""
    shown = visible(text)
    if has_controls(shown):
        shown = "".join(char for char in shown if char in "\n\t" or unicodedata.category(char) not in _CONTROLS)
    return shown.strip()


_CONTROLS = {"Cc", "Co", "Cs"}


def visible(text: str) -> str:
    """A text as a reader sees it, in normal form C: special spaces are spaces, and what takes no room is nothing."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return lines if _is_printable(lines) else "".join(map(_shown, lines))


def has_controls(text: str) -> bool:
    """Whether a text holds characters that control, beside new lines and tabs."""
    if _is_printable(text):
        return False
    return any(unicodedata.category(char) in _CONTROLS and char not in "\n\t" for char in text)


def _is_printable(text: str) -> bool:
    return text.replace("\n", "").replace("\t", "").isprintable()


def _shown(char: str) -> str:
    category = unicodedata.category(char)
    return "" if category == "Cf" else " " if category in {"Zs", "Zl", "Zp"} else char
