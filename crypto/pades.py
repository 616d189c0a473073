"""Signed PDF: PAdES baseline B-LT (ETSI EN 319 142-1) over pyHanko's incremental writer.

What long-term validation needs — certificates and revocation lists — is written into the same revision as the seal, before
it is signed. So the last signature of an honest file covers the file to its last byte, and that is what we demand of it.
The container is our own CMS with a signature timestamp; pyHanko lays out the revision and judges what later revisions did.
"""

from __future__ import annotations

import asyncio
import io
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from asn1crypto import crl as asn1_crl
from asn1crypto import parser
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.images import PdfImage
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.signers.pdf_byterange import PreparedByteRangeDigest
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko.stamp import StaticStampStyle

from crypto.cms import (
    PreparedCms,
    SignatureReport,
    check_signature,
    finish_cms,
    hash_of,
    open_cms,
    prepare_cms_over_digest,
    to_asn1,
    verify_cms,
)
from crypto.errors import ContentRefused, Finding
from crypto.keys import SigningKey
from crypto.profiles import Profile, profile_of

SIZE_LIMIT = 64 << 20
EMBEDDED_LIMIT = 16 << 20  # of all embedded files together, unpacked; a signed opinion is a few KiB
SIGNATURE_LIMIT = 100
BYTES_RESERVED = 32768
BYTE_RANGE_NUMBERS = 4  # ISO 32000-2, 12.8.1: the start and the length of what lies before the container, and behind it
_HEADER = struct.Struct(">QQ")
_HOLE = re.compile(rb"<[0-9A-F]*0*>")

Stamp = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class SealAppearance:
    """The seal's image (PNG with alpha) at `box` = (left, bottom, right, top) in points on page `page`, counted from 0."""

    image: bytes
    page: int
    box: tuple[float, float, float, float]
    field: str


@dataclass(frozen=True, slots=True)
class PreparedPdf:
    """A PDF that waits for its signature. `state` is bytes that may be kept anywhere in between."""

    signed_attributes: bytes
    digest: bytes
    state: bytes


def prepare_pdf(
    pdf: bytes,
    *,
    certificate: x509.Certificate,
    appearance: SealAppearance,
    name: str,
    certificates: Iterable[x509.Certificate] = (),
    crls: Iterable[x509.CertificateRevocationList] = (),
) -> PreparedPdf:
    """Write the revision that will hold the signature; call it from a worker thread, it computes for 0.1 s.

    Raises ContentRefused when `pdf` cannot be signed.
    """
    output, digest = _lay_out(pdf, certificate, appearance, name, certificates, crls)
    prepared = prepare_cms_over_digest(digest.document_digest, certificate)
    state = _HEADER.pack(digest.reserved_region_start, digest.reserved_region_end) + output
    return PreparedPdf(prepared.signed_attributes, digest.document_digest, state)


def _lay_out(
    pdf: bytes,
    certificate: x509.Certificate,
    appearance: SealAppearance,
    name: str,
    certificates: Iterable[x509.Certificate],
    crls: Iterable[x509.CertificateRevocationList],
) -> tuple[bytes, PreparedByteRangeDigest]:
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(pdf), strict=True)
        DocumentSecurityStore.supply_dss_in_writer(
            writer,
            None,
            certs=[to_asn1(c) for c in (certificate, *certificates)],
            crls=[asn1_crl.CertificateList.load(c.public_bytes(serialization.Encoding.DER)) for c in crls],
        )
        signer = signers.PdfSigner(
            signers.PdfSignatureMetadata(
                field_name=appearance.field,
                md_algorithm=hash_of(certificate).name,
                subfilter=fields.SigSeedSubFilter.PADES,
                name=name,
            ),
            signer=signers.ExternalSigner(to_asn1(certificate), None, signature_value=b"\0" * 256),
            stamp_style=StaticStampStyle(background=_image(appearance.image), background_opacity=1.0, border_width=0),
            new_field_spec=fields.SigFieldSpec(appearance.field, on_page=appearance.page, box=_rounded(appearance.box)),
        )
        # The library offers this step as a coroutine only; with an external signer it never waits for anything.
        digest, _document, output = asyncio.run(
            signer.async_digest_doc_for_signing(writer, bytes_reserved=BYTES_RESERVED)
        )
    except (PdfError, ValueError, KeyError, IndexError) as error:
        raise ContentRefused("pdf.unreadable", f"the PDF cannot be signed: {error}") from error
    output.seek(0)
    return output.read(), digest


def _image(png: bytes) -> PdfImage:
    from PIL import Image

    return PdfImage(Image.open(io.BytesIO(png)))


def _rounded(box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    left, bottom, right, top = (round(edge) for edge in box)
    return left, bottom, right, top


def finish_pdf(
    state: bytes,
    signed_attributes: bytes,
    signature: bytes,
    *,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    stamp: Stamp,
) -> bytes:
    """The signed PDF. `stamp` makes a timestamp token over the signature value.

    Raises SignatureRefused before anything is embedded when the signature is not the certificate's over the attributes.
    """
    check_signature(certificate, signature, signed_attributes)
    prepared = PreparedCms(signed_attributes, certificate)
    container = finish_cms(prepared, signature, chain=chain, timestamp=stamp(signature))
    start, end = _HEADER.unpack_from(state)
    output = io.BytesIO(state[_HEADER.size :])
    PreparedByteRangeDigest(b"", start, end).fill_with_cms(output, container)
    return output.getvalue()


def sign_pdf(pdf: bytes, key: SigningKey, *, stamp: Stamp, **options: Any) -> bytes:
    """Both halves at once, for keys that are at hand; `options` are those of `prepare_pdf`."""
    prepared = prepare_pdf(pdf, certificate=key.certificate, **options)
    signature = key.sign(prepared.signed_attributes)
    return finish_pdf(
        prepared.state, prepared.signed_attributes, signature, certificate=key.certificate, chain=key.chain, stamp=stamp
    )


@dataclass(frozen=True, slots=True)
class PdfSignature:
    """What was found of one signature of a PDF."""

    field: str
    kind: str
    report: SignatureReport
    covers_whole_file: bool


@dataclass(frozen=True, slots=True)
class PdfReport:
    """What was found of a PDF: its own faults, and those of each signature."""

    sha256: str
    findings: tuple[Finding, ...]
    signatures: tuple[PdfSignature, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is a signature, and nothing is wrong with any, nor with the file."""
        return not self.findings and bool(self.signatures) and all(s.report.ok for s in self.signatures)


def verify_pdf(
    data: bytes,
    *,
    roots: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate] = (),
    crls: Sequence[x509.CertificateRevocationList] = (),
    at: datetime,
) -> PdfReport:
    """Judge a PDF: every signature whole, nothing but further signatures in between, the last one to the last byte."""
    digest = sha256(data).hexdigest()
    try:
        embedded = _signatures_of(data)
    except ContentRefused as error:
        return PdfReport(digest, (Finding(error.code, "文件不是可以验证的 PDF", error.message),))
    if not embedded:
        return PdfReport(digest, (Finding("pdf.unsigned", "文件没有任何签章", "The file carries no signature."),))
    trust = {"roots": roots, "intermediates": intermediates, "crls": crls, "at": at}
    found = [_judge(data, signature, trust) for signature in embedded]
    findings = [*_history_findings(embedded), *_tail_findings(found)]
    return PdfReport(digest, tuple(findings), tuple(found))


def _signatures_of(data: bytes) -> list[EmbeddedPdfSignature]:
    if len(data) > SIZE_LIMIT:
        raise ContentRefused("pdf.too_large", f"more than {SIZE_LIMIT} bytes")
    try:
        reader = PdfFileReader(io.BytesIO(data), strict=True)
        found = [] if reader.encrypted else list(reader.embedded_signatures)
    except Exception as error:
        raise ContentRefused("pdf.unreadable", f"not a PDF that we can read: {type(error).__name__}") from error
    if reader.encrypted:
        raise ContentRefused("pdf.encrypted", "an encrypted file cannot be judged")
    if len(found) > SIGNATURE_LIMIT:
        raise ContentRefused("pdf.too_many", f"more than {SIGNATURE_LIMIT} signatures")
    return found


def _judge(data: bytes, signature: EmbeddedPdfSignature, trust: dict[str, Any]) -> PdfSignature:
    field = str(signature.field_name)
    byte_range = _byte_range(signature)
    if byte_range is None:
        unread = Finding("pdf.byte_range", "签章的覆盖范围无法读取", "What the signature covers cannot be read.")
        return PdfSignature(field, "signature", SignatureReport((unread,)), covers_whole_file=False)
    first_start, first_length, second_start, second_length = byte_range
    covered = data[first_start : first_start + first_length] + data[second_start : second_start + second_length]
    container = _without_padding(bytes(signature.pkcs7_content))
    profile = _profile(container)
    usage = Profile.SEAL if profile is Profile.SEAL else Profile.SIGNING
    report = verify_cms(container, covered, usage=usage, **trust)
    if _HOLE.fullmatch(data[first_start + first_length : second_start]) is None:
        # The hole that holds the container is outside the signature's cover; it has one spelling only.
        spelling = Finding("pdf.respelled", "签章数据被改写", "The signature's container was rewritten.")
        report = replace(report, findings=(*report.findings, spelling))
    return PdfSignature(field, "seal" if profile is Profile.SEAL else "signature", report, _covers_all(signature))


def _byte_range(signature: EmbeddedPdfSignature) -> tuple[int, ...] | None:
    """Where the two covered parts begin and how long they are; None for anything but four whole numbers."""
    numbers = signature.byte_range
    if not isinstance(numbers, list) or len(numbers) != BYTE_RANGE_NUMBERS:
        return None
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        return None
    return tuple(int(number) for number in numbers)


def _covers_all(signature: EmbeddedPdfSignature) -> bool:
    """Whether the signature covers the file to its last byte."""
    try:
        return signature.evaluate_signature_coverage() is SignatureCoverageLevel.ENTIRE_FILE
    except Exception:  # noqa: BLE001  whatever the analysis stumbles over, the file is not covered
        return False


def _without_padding(contents: bytes) -> bytes:
    """The container without the zeros that fill its reserved room; anything else behind it stays and spoils it."""
    try:
        length = parser.peek(contents)
    except ValueError:
        return contents
    return contents[:length] if not contents[length:].strip(b"\0") else contents


def _profile(container: bytes) -> Profile | None:
    try:
        return profile_of(open_cms(container).signer)
    except ContentRefused:
        return None


def _history_findings(signatures: Sequence[EmbeddedPdfSignature]) -> list[Finding]:
    """What later revisions did that no further signature does."""
    found = []
    for signature in signatures:
        try:
            allowed = _is_untouched(signature)
        except Exception:  # noqa: BLE001  whatever the analysis stumbles over, it is no honest revision
            allowed = False
        if not allowed:
            facts = {"field": str(signature.field_name)}
            found.append(
                Finding("pdf.altered", "签章之后文件内容被改动", "The file was changed after it was signed.", facts)
            )
    return found


def _is_untouched(signature: Any) -> bool:
    """Whether the file ends with this signature, or goes on with nothing but further signatures."""
    signature.compute_integrity_info()
    if signature.coverage is SignatureCoverageLevel.ENTIRE_FILE:
        return True
    return bool(signature.diff_result and signature.diff_result.modification_level <= ModificationLevel.FORM_FILLING)


def _tail_findings(found: Sequence[PdfSignature]) -> list[Finding]:
    if found[-1].covers_whole_file:
        return []
    return [
        Finding("pdf.not_covered", "最后一个签章未覆盖整个文件", "The last signature does not cover the whole file.")
    ]


def embedded_files(data: bytes) -> dict[str, bytes]:
    """Files embedded in a PDF by name. Raises ContentRefused, also when they would unpack to more than a document holds."""
    import pikepdf

    found: dict[str, bytes] = {}
    room = EMBEDDED_LIMIT
    try:
        with pikepdf.open(io.BytesIO(data)) as pdf:
            for name, spec in pdf.attachments.items():
                found[name] = _unpacked(spec.get_file().obj, room)
                room -= len(found[name])
    except ContentRefused:
        raise
    except Exception as error:  # the library raises errors of many kinds over entries that are not what they should be
        raise ContentRefused("pdf.unreadable", f"not a PDF that we can read: {type(error).__name__}") from error
    return found


def _unpacked(stream: Any, room: int) -> bytes:
    """The bytes of a stream. The library would unpack a bomb whole, so no more than `room` bytes are unpacked here."""
    packing = stream.get("/Filter")
    if packing is None:
        unpacked = bytes(stream.read_raw_bytes())
    elif packing == "/FlateDecode" and "/DecodeParms" not in stream:
        unpacked = zlib.decompressobj().decompress(stream.read_raw_bytes(), room + 1)
    else:
        raise ContentRefused("pdf.unreadable", "an embedded file is packed in a way that we do not know")
    if len(unpacked) > room:
        raise ContentRefused("pdf.too_large", f"embedded files of more than {EMBEDDED_LIMIT} bytes")
    return unpacked
