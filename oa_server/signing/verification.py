"""Verification reports: who signed and sealed a file, when, whether the certificate was good then, and what changed since."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from cryptography import x509
from cryptography.x509.oid import NameOID
from msgspec import Struct

from crypto.cms import verify_cms
from crypto.errors import ContentRefused, Finding
from crypto.pades import PdfReport, embedded_files, verify_pdf
from crypto.profiles import UNREADABLE, Profile
from oa_server.core import clock
from oa_server.core.ports import ports
from oa_server.pki import access as pki
from oa_server.pki.access import Trust


class FindingOut(Struct):
    code: str
    title: str
    facts: dict[str, str]


class SignatureOut(Struct):
    """One seal or signature of the file."""

    field: str
    kind: str
    signer: str
    organ: str
    serial: str
    signed_at: datetime | None
    timestamp_at: datetime | None
    certificate_good: bool
    covers_whole_file: bool
    findings: list[FindingOut]


class SignedOpinionOut(Struct):
    """One opinion that travels inside the file, with its own signature."""

    actor: str
    organ: str
    decision: str
    text: str
    signed_at: datetime | None
    ok: bool
    findings: list[FindingOut]


class KnownOut(Struct):
    doc_no: str
    title: str
    organ: str


class Report(Struct):
    """The verdict on one file, with everything it rests on."""

    verdict: Literal["valid", "invalid"]
    sha256: str
    known_document: KnownOut | None
    signatures: list[SignatureOut]
    opinions: list[SignedOpinionOut]
    findings: list[FindingOut]


async def verify_file(data: bytes, language: str = "zh") -> Report:
    """Judge a PDF with the trust of this installation, now."""
    trust = await pki.trust()
    at = clock.now()
    judged = await asyncio.to_thread(verify_pdf, data, at=at, **trust.arguments())
    opinions, unread = await asyncio.to_thread(_opinions, data, trust, at, language)
    # What cannot be read at all is told once.
    findings = [*judged.findings, *(unread if judged.signatures else ())]
    known = await ports.pages.find(judged.sha256) if ports.pages is not None else None
    is_good = judged.ok and not findings and all(opinion.ok for opinion in opinions)
    return Report(
        verdict="valid" if is_good else "invalid",
        sha256=judged.sha256,
        known_document=KnownOut(known.doc_no, known.title, known.organ) if known else None,
        signatures=_signatures(judged, language),
        opinions=opinions,
        findings=[_finding(f, language) for f in findings],
    )


def _signatures(judged: PdfReport, language: str) -> list[SignatureOut]:
    return [
        SignatureOut(
            field=s.field,
            kind=s.kind,
            signer=_name(s.report.signer, NameOID.COMMON_NAME),
            organ=_name(s.report.signer, NameOID.ORGANIZATION_NAME),
            serial=format(s.report.signer.serial_number, "x") if s.report.signer else "",
            signed_at=s.report.signed_at,
            timestamp_at=s.report.timestamp_at,
            certificate_good=s.report.chain is not None and s.report.chain.ok,
            covers_whole_file=s.covers_whole_file,
            findings=[_finding(f, language) for f in s.report.findings],
        )
        for s in judged.signatures
    ]


def _opinions(
    data: bytes, trust: Trust, at: datetime, language: str
) -> tuple[list[SignedOpinionOut], tuple[Finding, ...]]:
    """The signed opinions inside a PDF; a finding when nobody can tell whether there are any."""
    try:
        embedded = embedded_files(data)
    except ContentRefused as error:
        return [], (Finding(error.code, "文件内嵌的意见无法读取", error.message),)
    found = []
    for name in _in_their_order(n for n in embedded if n.startswith("opinion-") and n.endswith(".json")):
        content = embedded[name]
        signature = embedded.get(name.removesuffix(".json") + ".p7s", b"")
        report = verify_cms(signature, content, at=at, usage=Profile.SIGNING, **trust.arguments())
        said = _said(content)
        found.append(
            SignedOpinionOut(
                actor=_text(said.get("actor", {}).get("name", "")),
                organ=_text(said.get("actor", {}).get("organ", "")),
                decision=_text(said.get("decision", "")),
                text=_text(said.get("text", "")),
                signed_at=report.timestamp_at or report.signed_at,
                ok=report.ok,
                findings=[_finding(f, language) for f in report.findings],
            )
        )
    return found, ()


def _in_their_order(names: Iterable[str]) -> list[str]:
    """Names that differ in their number, smaller numbers first: a shorter number is a smaller one."""
    return sorted(names, key=lambda name: (len(name), name))


def _said(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and isinstance(said.get("actor", {}), dict) else {}


def _text(value: Any) -> str:
    """What stands in a file of anybody's making, as text that can be sent on: half a surrogate pair cannot."""
    return str(value).encode("utf-8", "replace").decode()


def _finding(finding: Finding, language: str) -> FindingOut:
    return FindingOut(finding.code, finding.en if language == "en" else finding.zh, dict(finding.facts))


def _name(certificate: x509.Certificate | None, oid: x509.ObjectIdentifier) -> str:
    if certificate is None:
        return ""
    try:
        found = certificate.subject.get_attributes_for_oid(oid)
    except UNREADABLE:  # The library reads a name only when it is asked for it.
        return ""
    return str(found[0].value) if found else ""


async def verify_signature_row(content: bytes, cms: bytes, content_sha256: str) -> list[Finding]:
    """Judge one stored signature: its container over its content, and the digest that lists show."""
    trust = await pki.trust()
    report = await asyncio.to_thread(verify_cms, cms, content, at=clock.now(), **trust.arguments())
    findings = list(report.findings)
    if sha256(content).hexdigest() != content_sha256:
        findings.append(Finding("signing.digest_differs", "签名内容与登记的摘要不一致", "The digest differs."))
    return findings
