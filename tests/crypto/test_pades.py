"""Sealed PDF files: made in halves, believed by others, and refused as soon as anything changes."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pikepdf
import pytest
import typst
from PIL import Image
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from crypto.errors import ContentRefused, SignatureRefused
from crypto.keys import SoftKey
from crypto.pades import SealAppearance, embedded_files, finish_pdf, prepare_pdf, sign_pdf, verify_pdf
from crypto.profiles import Profile
from crypto.revocation import Revocation
from crypto.timestamp import TimestampAuthority
from tests.crypto.conftest import DAY, NOW, Pki


@pytest.fixture(scope="session")
def pages() -> bytes:
    """Two pages in PDF/A-3b with an embedded file, as the layout engine makes them."""
    source = "#set document(date: datetime(year: 2026, month: 3, day: 1))\n#set page(width: 210mm, height: 297mm)\n"
    source += '#pdf.attach("opinion.p7s", bytes((1, 2, 3)), mime-type: "application/pkcs7-signature", '
    source += 'relationship: "data", description: "意见")\n'
    source += "Page one#pagebreak()Page two"  # In the face that the engine brings along: no font is needed here.
    return bytes(typst.compile(source.encode(), format="pdf", pdf_standards="a-3b", timestamp=int(NOW.timestamp())))


@pytest.fixture(scope="session")
def red_seal() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), (220, 0, 0, 160)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def tsa(pki: Pki) -> TimestampAuthority:
    return TimestampAuthority(pki.key(Profile.TIMESTAMP, common="时间戳服务", life=3000 * DAY))


@pytest.fixture(scope="session")
def seal_key(pki: Pki) -> SoftKey:
    return pki.key(Profile.SEAL, common="江城市人民政府办公室")


def appearance(image: bytes, field: str = "Seal1", page: int = 1) -> SealAppearance:
    return SealAppearance(image, page, (300.0, 200.0, 420.0, 320.0), field)


def seal(pdf: bytes, key: SoftKey, pki: Pki, tsa: TimestampAuthority, image: bytes, field: str = "Seal1") -> bytes:
    return sign_pdf(
        pdf,
        key,
        stamp=lambda signature: tsa.stamp(sha256(signature).digest(), at=NOW, serial=1),
        appearance=appearance(image, field),
        name="江城市人民政府办公室",
        certificates=pki.issuing.chain,
        crls=pki.crls(),
    )


@pytest.fixture(scope="session")
def sealed(pages: bytes, seal_key: SoftKey, pki: Pki, tsa: TimestampAuthority, red_seal: bytes) -> bytes:
    return seal(pages, seal_key, pki, tsa, red_seal)


def judge(data: bytes, pki: Pki, *revoked: Revocation, at=NOW):
    return verify_pdf(data, **pki.trust, crls=pki.crls(*revoked, at=at), at=at)


def all_codes(report) -> set[str]:
    return {f.code for f in report.findings} | {f.code for s in report.signatures for f in s.report.findings}


def test_sealed(sealed: bytes, pki: Pki, seal_key: SoftKey) -> None:
    """A sealed file is good, and the report names the seal, its certificate and its moment."""
    report = judge(sealed, pki)
    assert report.ok, all_codes(report)
    (found,) = report.signatures
    assert (found.kind, found.report.signer, found.report.timestamp_at) == ("seal", seal_key.certificate, NOW)
    assert found.covers_whole_file


def test_two_seals(sealed: bytes, pki: Pki, tsa: TimestampAuthority, red_seal: bytes) -> None:
    """A second seal leaves the first one good."""
    other = pki.key(Profile.SEAL, common="江城市财政局")
    report = judge(seal(sealed, other, pki, tsa, red_seal, "Seal2"), pki)
    assert report.ok, all_codes(report)
    assert [s.covers_whole_file for s in report.signatures] == [False, True]


def test_halves_in_two_processes(
    pages: bytes, pki: Pki, seal_key: SoftKey, tsa: TimestampAuthority, red_seal: bytes
) -> None:
    """Only bytes pass between the halves, and a wrong signature is refused before anything is embedded."""
    prepared = prepare_pdf(
        pages, certificate=seal_key.certificate, appearance=appearance(red_seal), name="江城", crls=pki.crls()
    )
    options = {
        "certificate": seal_key.certificate,
        "chain": seal_key.chain,
        "stamp": lambda signature: tsa.stamp(sha256(signature).digest(), at=NOW, serial=1),
    }
    with pytest.raises(SignatureRefused):
        finish_pdf(prepared.state, prepared.signed_attributes, pki.key(Profile.SEAL).sign(b"x"), **options)
    signature = seal_key.sign(prepared.signed_attributes)
    assert judge(finish_pdf(prepared.state, prepared.signed_attributes, signature, **options), pki).ok


def test_changed_bytes(sealed: bytes, pki: Pki) -> None:
    """A single changed byte anywhere makes the file bad."""
    for position in range(20, len(sealed), max(1, len(sealed) // 16)):
        forged = bytearray(sealed)
        forged[position] ^= 0x01
        assert not judge(bytes(forged), pki).ok, position


def edits(data: bytes, position: int, kinds: str = "\x01\x10\x80 /0<x") -> Iterator[bytes]:
    """The file with one byte changed, in each of the ways that a parser may stumble over; `x` takes the byte away."""
    before, byte, behind = data[:position], data[position], data[position + 1 :]
    for kind in kinds:
        other = b"" if kind == "x" else bytes([byte ^ ord(kind)]) if kind in "\x01\x10\x80" else kind.encode()
        if other != bytes([byte]):
            yield before + other + behind


def places(data: bytes) -> dict[str, range]:
    """The regions of a sealed file that its readers find their way by, and how closely each is looked at."""
    first_end = data.index(b"%%EOF")
    seal, byte_range = data.rindex(b"/Contents <"), data.rindex(b"/ByteRange")
    return {
        "first trailer": range(data.rindex(b"trailer", 0, first_end), first_end + 5, 17),
        "embedded files": range(data.index(b"/EF"), data.index(b"/EF") + 40, 7),
        "second revision": range(first_end + 5, seal, 397),
        "container": range(seal, seal + 1200, 151),
        "byte range": range(byte_range, byte_range + 40, 2),
        "last table and trailer": range(byte_range + 80, len(data), 37),
    }


def test_every_kind_of_damage(sealed: bytes, pki: Pki) -> None:
    """A byte that is changed or gone gives a report with a reason, in whatever structure of the file it stood."""
    for region, positions in places(sealed).items():
        for position in positions:
            for damaged in edits(sealed, position):
                report = judge(damaged, pki)
                assert not report.ok, (region, position)
                assert all_codes(report), (region, position)


def test_every_damage_to_embedded_files(sealed: bytes) -> None:
    """Embedded files can be read or are refused, whatever one byte of the entries that lead to them was changed to."""
    names = [match.start() for match in re.finditer(rb"/(EF|Filespec|EmbeddedFile)\b", sealed)]
    assert len(names) >= 3
    for position in sorted({at for name in names for at in range(name - 60, name + 60)}):
        for damaged in edits(sealed, position):
            with suppress(ContentRefused):
                embedded_files(damaged)


@pytest.mark.parametrize(
    "numbers",
    [b"", b"0 1 2", b"0 1 2 3 4", b"0 /1 2 3", b"0 1.5 2 3", b"0 (1) 2 3", b"0 true 2 3", b"0 null 2 3", b"-1 1 2 3",
     b"1 0 R", b"[0 1 2 3]", b"0 1 2 99999999999999999999999"],
)  # fmt: skip
def test_byte_ranges_that_are_none(sealed: bytes, pki: Pki, numbers: bytes) -> None:
    """A byte range is four whole numbers; anything else there is told as such and never made sense of."""
    found = re.search(rb"/ByteRange \[([^]]*)\]", sealed)
    assert found is not None
    room = len(found[1]) + 30
    damaged = sealed[: found.start(1)] + (numbers + b"]").ljust(room) + sealed[found.start(1) + room :]
    report = judge(damaged, pki)
    assert not report.ok
    assert all_codes(report) & {"pdf.byte_range", "pdf.unreadable", "signature.content_changed"}


def test_cut_and_garbage(sealed: bytes, pki: Pki) -> None:
    """Cut files, garbage and unsigned files give a named reason."""
    assert not judge(sealed[:-200], pki).ok
    for garbage in (b"", b"%PDF-1.7", b"PK\x03\x04", b"%PDF-1.7\n" + b"[" * 10000):
        assert not judge(garbage, pki).ok
    assert all_codes(judge(b"junk", pki)) == {"pdf.unreadable"}


def test_unsigned(pages: bytes, pki: Pki) -> None:
    """A file without any signature says so."""
    assert all_codes(judge(pages, pki)) == {"pdf.unsigned"}


def test_overlay(sealed: bytes, pki: Pki) -> None:
    """Text laid over the sealed page by a later revision is found, although the signature itself is whole."""
    writer = IncrementalPdfFileWriter(io.BytesIO(sealed))
    writer.add_stream_to_page(0, writer.add_object(generic.StreamObject(stream_data=b"0 0 99 99 re f")))
    output = io.BytesIO()
    writer.write(output)
    assert {"pdf.altered", "pdf.not_covered"} <= all_codes(judge(output.getvalue(), pki))


def test_wrong_profile_revoked_foreign(
    pages: bytes, pki: Pki, foreign: Pki, tsa: TimestampAuthority, red_seal: bytes, seal_key: SoftKey, sealed: bytes
) -> None:
    """A sign-in key makes no seal, a foreign seal is not ours, and a seal revoked before its timestamp is bad."""
    assert "chain.wrong_profile" in all_codes(judge(seal(pages, pki.key(Profile.SIGN_IN), pki, tsa, red_seal), pki))
    assert "chain.untrusted" in all_codes(judge(seal(pages, foreign.key(Profile.SEAL), pki, tsa, red_seal), pki))
    before = Revocation(seal_key.certificate.serial_number, NOW - timedelta(hours=1))
    assert all_codes(judge(sealed, pki, before)) == {"chain.revoked"}
    after = Revocation(seal_key.certificate.serial_number, NOW + DAY)
    assert judge(sealed, pki, after, at=NOW + 2 * DAY).ok


def test_stays_an_archive_file(pages: bytes, sealed: bytes) -> None:
    """Sealing keeps the PDF/A-3b mark, the output intent, the embedded fonts and the embedded files."""
    for data in (pages, sealed):
        with pikepdf.open(io.BytesIO(data)) as pdf:
            metadata = pdf.open_metadata()
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")
            assert "/OutputIntents" in pdf.Root
            fonts = [font for page in pdf.pages for font in page.Resources.Font.values()]
            assert fonts
            assert all("/FontFile3" in font.DescendantFonts[0].FontDescriptor for font in fonts)
        assert embedded_files(data)["opinion.p7s"] == b"\1\2\3"
    with pytest.raises(ContentRefused):
        embedded_files(b"junk")


def test_others_agree(sealed: bytes, tmp_path: Path, pki: Pki) -> None:
    """qpdf finds the file sound and pdfsig finds the signature valid."""
    file = tmp_path / "sealed.pdf"
    file.write_bytes(sealed)
    subprocess.run(["qpdf", "--check", str(file)], check=True, capture_output=True)
    said = subprocess.run(["pdfsig", "-nocert", str(file)], capture_output=True, check=False).stdout.decode()
    assert "Signature is Valid" in said
    assert "ETSI.CAdES.detached" in said


def test_cannot_sign_junk(pki: Pki, seal_key: SoftKey, red_seal: bytes) -> None:
    """What is no PDF, or has no such page, cannot be prepared."""
    options = {"certificate": seal_key.certificate, "name": "江城"}
    with pytest.raises(ContentRefused):
        prepare_pdf(b"junk", appearance=appearance(red_seal), **options)
