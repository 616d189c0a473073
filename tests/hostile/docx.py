"""Word files made to hurt: bombs, forged archives, entities, and markup that makes a naive reader run for ever.

`document` and `archive` also build the well-meant files that no writing library makes.
"""

from __future__ import annotations

import copy
import io
import random
import struct
import zipfile
from collections.abc import Callable, Mapping

MIB = 1 << 20
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
MAIN_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    f'<Override PartName="/word/document.xml" ContentType="{MAIN_TYPE}"/></Types>'
)
NAMESPACES = (
    f'{W} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:wps="urn:wps"'
)


def paragraph(text: str, properties: str = "") -> str:
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def archive(parts: Mapping[str, str | bytes], change: Callable[[zipfile.ZipFile], None] | None = None) -> bytes:
    """A zip of these parts; `change` forges its directory before that is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
        if change is not None:
            change(file)
    return buffer.getvalue()


def package(main: str | bytes, parts: Mapping[str, str | bytes] | None = None) -> dict[str, str | bytes]:
    return {"[Content_Types].xml": CONTENT_TYPES, "word/document.xml": main, **(parts or {})}


def document(body: str, parts: Mapping[str, str | bytes] | None = None) -> bytes:
    """A .docx whose body is this markup, with further parts as they are."""
    return archive(package(f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>", parts))


GOOD = document(paragraph("正文"))


def _typed(doctype: str, text: str = "正文", encoding: str = "utf-8") -> bytes:
    main = (
        f'<?xml version="1.0" encoding="{encoding}"?>{doctype}'
        f"<w:document {W}><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"
    )
    return archive(package(main.encode(encoding)))


def _laughs() -> str:
    layers = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE d [<!ENTITY l0 "哈哈">{layers}]>'


def _many_members(count: int) -> bytes:
    """A directory of `count` members in few bytes each; a library that lists them first needs a gigabyte."""
    header = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    end = b"PK\x05\x06" + bytes(4) + struct.pack("<HHIIH", 0xFFFF, 0xFFFF, len(header) * count, 0, 0)
    return header * count + end


def _again(file: zipfile.ZipFile, name: str, times: int = 1, *, distinct: bool = True) -> None:
    """More names for the bytes of one member, as overlapping bombs have them."""
    for number in range(times):
        other = copy.copy(file.getinfo(name))
        other.filename = f"{name}.{number}" if distinct else name
        file.filelist.append(other)


def _flagged(file: zipfile.ZipFile) -> None:
    file.getinfo("word/document.xml").flag_bits |= 1


def _lying(file: zipfile.ZipFile) -> None:
    """The main part claims to be small and is not."""
    file.getinfo("word/document.xml").file_size = 100


def _method(number: int) -> Callable[[zipfile.ZipFile], None]:
    def change(file: zipfile.ZipFile) -> None:
        file.getinfo("word/document.xml").compress_type = number

    return change


def displaced(data: bytes) -> bytes:
    """The archive with a directory that says it stands further on, so that its members begin before the file does."""
    offset = int.from_bytes(data[-6:-2], "little") + 1000
    return data[:-6] + struct.pack("<I", offset) + data[-2:]


def _broken_stream() -> bytes:
    """A well-formed archive whose main part is no deflate stream."""
    data = bytearray(GOOD)
    with zipfile.ZipFile(io.BytesIO(GOOD)) as file:
        info = file.getinfo("word/document.xml")
    start = info.header_offset + 30 + len(info.filename)
    data[start : start + 20] = b"\xff" * 20
    return bytes(data)


def _macro_free_xlsx() -> bytes:
    types = CONTENT_TYPES.replace("wordprocessingml.document", "spreadsheetml.sheet")
    return archive({**package(f"<w:document {W}><w:body/></w:document>"), "[Content_Types].xml": types})


def _wide(rows: int, cells: int) -> str:
    return "<w:tbl><w:tr>" + "<w:tc/>" * cells + "</w:tr>" + "<w:tr><w:tc/></w:tr>" * rows + "</w:tbl>"


# Name → how to make it, and the code of the refusal.
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "docx_unreadable"),
    "text": ("这不是文档".encode, "docx_unreadable"),
    "pdf": (lambda: b"%PDF-1.7\n" + bytes(1000), "docx_unreadable"),
    "encrypted or old .doc": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096), "docx_unreadable"),
    "cut off": (lambda: GOOD[:-30], "docx_unreadable"),
    "end of a zip only": (lambda: b"PK\x05\x06" + bytes(18), "docx_unreadable"),
    "no main part": (lambda: archive({"[Content_Types].xml": CONTENT_TYPES}), "docx_unreadable"),
    "no content types": (lambda: archive({"word/document.xml": "<a/>"}), "docx_unreadable"),
    "another office program's": (_macro_free_xlsx, "docx_unreadable"),
    "no body": (lambda: archive(package(f"<w:document {W}/>")), "docx_unreadable"),
    "no XML": (lambda: archive(package(b"\x00\x01\x02")), "docx_unreadable"),
    "cut off XML": (lambda: archive(package("<w:document>")), "docx_unreadable"),
    "broken numbering": (lambda: document("", {"word/numbering.xml": "<"}), "docx_unreadable"),
    "members before the file": (lambda: displaced(GOOD), "docx_unreadable"),
    "no deflate stream": (_broken_stream, "docx_unreadable"),
    "password on a member": (lambda: archive(package("<a/>"), _flagged), "docx_unreadable"),
    "size that lies": (lambda: archive(package("<a>" + "b" * 10_000 + "</a>"), _lying), "docx_unreadable"),
    "bzip2": (lambda: archive(package("<a/>"), _method(12)), "docx_unreadable"),
    "lzma": (lambda: archive(package("<a/>"), _method(14)), "docx_unreadable"),
    "unknown method": (lambda: archive(package("<a/>"), _method(99)), "docx_unreadable"),
    "bottomless nesting": (lambda: document("<w:sdt>" * 20_000 + "</w:sdt>" * 20_000), "docx_unreadable"),
    "name climbs": (lambda: archive(package("<a/>", {"../../etc/cron.d/x": b"x"})), "docx_hostile"),
    "name climbs by backslash": (lambda: archive(package("<a/>", {"word\\..\\..\\x": b"x"})), "docx_hostile"),
    "name from the root": (lambda: archive(package("<a/>", {"/etc/passwd": b"x"})), "docx_hostile"),
    "name of another host": (lambda: archive(package("<a/>", {"\\\\host\\x": b"x"})), "docx_hostile"),
    "main part twice": (
        lambda: archive(package("<a/>"), lambda file: _again(file, "word/document.xml", distinct=False)),
        "docx_hostile",
    ),
    "document type": (lambda: _typed("<!DOCTYPE d>"), "docx_hostile"),
    "external document type": (lambda: _typed('<!DOCTYPE d SYSTEM "http://127.0.0.1:9/d.dtd">'), "docx_hostile"),
    "file by entity": (
        lambda: _typed('<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;"),
        "docx_hostile",
    ),
    "entity in UTF-16": (lambda: _typed('<!DOCTYPE d [<!ENTITY e "a">]>', "&e;", "utf-16"), "docx_hostile"),
    "entity in UTF-7": (lambda: _typed('<!DOCTYPE d [<!ENTITY e "a">]>', "e", "utf-7"), "docx_hostile"),
    "billion laughs": (lambda: _typed(_laughs(), "&l9;"), "docx_hostile"),
    "billion laughs in UTF-16": (lambda: _typed(_laughs(), "&l9;", "utf-16"), "docx_unreadable"),
    "document type in the styles": (
        lambda: document("", {"word/styles.xml": "<!DOCTYPE d><d/>"}),
        "docx_hostile",
    ),
    "too many bytes": (lambda: GOOD + bytes(32 * MIB), "docx_too_large"),
    "too many members": (
        lambda: archive(package("<a/>", {f"{n}": b"" for n in range(2001)})),
        "docx_too_large",
    ),
    "half a million members": (lambda: _many_members(500_000), "docx_too_large"),
    "bomb by ratio": (lambda: archive(package("<a/>", {"x": bytes(8 * MIB)})), "docx_too_large"),
    "bomb by overlap": (
        lambda: archive(package("<a/>", {"x": bytes(3 * MIB)}), lambda file: _again(file, "x", 50)),
        "docx_too_large",
    ),
    "bomb of many small ones": (
        lambda: archive(package("<a/>", {f"{n}": bytes(3 * MIB) for n in range(45)})),
        "docx_too_large",
    ),
    "one large part": (
        lambda: archive(package(random.Random(1).randbytes(4096) * 8300)),
        "docx_too_large",
    ),
    "flood of elements": (lambda: document("<a/>" * 1_000_001), "docx_too_large"),
    "flood of columns": (lambda: document(_wide(20_000, 20_000)), "docx_rows"),
    "widest cell": (lambda: _odd_numbers("999999"), "docx_columns"),
    "long run": (lambda: document(paragraph("正文" * 500_000)), "docx_paragraph"),
}


def _styles_in_a_circle() -> bytes:
    styles = (
        f'<w:styles {W}><w:style w:styleId="a"><w:basedOn w:val="b"/></w:style>'
        '<w:style w:styleId="b"><w:basedOn w:val="a"/></w:style></w:styles>'
    )
    return document(paragraph("正文", '<w:pStyle w:val="a"/>') * 1000, {"word/styles.xml": styles})


def _long_number(text: str) -> bytes:
    numbering = (
        f'<w:numbering {W}><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num></w:numbering>'
    )
    listed = paragraph("正文", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>')
    return document(listed * 2000, {"word/numbering.xml": numbering})


def _odd_numbers(value: str) -> bytes:
    properties = f'<w:outlineLvl w:val="{value}"/><w:numPr><w:ilvl w:val="{value}"/><w:numId w:val="1"/></w:numPr>'
    cell = f'<w:tc><w:tcPr><w:gridSpan w:val="{value}"/></w:tcPr>{paragraph("正文")}</w:tc>'
    size = f'<w:p><w:pPr><w:jc w:val="center"/></w:pPr><w:r><w:rPr><w:sz w:val="{value}"/></w:rPr></w:r></w:p>'
    return document(f"{paragraph('正文', properties)}<w:tbl><w:tr>{cell}</w:tr></w:tbl>{size}")


# What is odd and still has text in it that an office wants: read, in bounded time and room.
READ: dict[str, Callable[[], bytes]] = {
    "styles in a circle": _styles_in_a_circle,
    "number of a mebibyte": lambda: _long_number("正" * MIB),
    "superscript digits": lambda: _odd_numbers("²"),
    "five thousand digits": lambda: _odd_numbers("9" * 5000),
    "negative digits": lambda: _odd_numbers("-1"),
    "tables in tables": lambda: document(
        "<w:tbl><w:tr><w:tc>" * 40 + paragraph("正文") + "</w:tc></w:tr></w:tbl>" * 40
    ),
}
