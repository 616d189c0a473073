"""Proving everything: `oa verify FILE`, `oa verify --all`, `oa audit verify`.

Three circles of proof, one file each: the audit log is a Merkle tree whose heads are signed (`log`); the log holds the digest
of every protected row as its last act left it (`rows`), and whom each task and session was given to (`rights`); and what
people signed carries their own signatures over its bytes (`papers`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from crypto.pades import SIZE_LIMIT
from oa_server.app import House, open_house
from oa_server.audit.access import leaf_count
from oa_server.audit.actions import sequence_all
from oa_server.audit.proofs import is_proof
from oa_server.audit.schemas import ProofOut
from oa_server.core.errors import OaError
from oa_server.settings import Settings
from oa_server.signing.verification import Report, verify_file
from oa_server.verification.copies import copy_faults
from oa_server.verification.faults import Fault
from oa_server.verification.log import log_faults
from oa_server.verification.messages import message_faults
from oa_server.verification.papers import (
    attachment_faults,
    number_faults,
    object_faults,
    opinion_faults,
    signature_faults,
)
from oa_server.verification.rights import session_faults, task_faults
from oa_server.verification.rows import PROTECTED, row_faults

__all__ = [
    "PROTECTED",
    "Fault",
    "all_faults",
    "log_faults",
    "sequence_all",
    "verify_all",
    "verify_audit",
    "verify_one",
    "verify_proof",
]


ROUNDS = 5


async def verify_one(settings: Settings, file: Path, *, as_json: bool) -> int:
    """Print the report on one file. Returns the exit status. Raises ClickException for what cannot be read at all."""
    if file.stat().st_size > SIZE_LIMIT:
        raise click.ClickException(f"文件超过 {SIZE_LIMIT >> 20} MiB，不是本系统的公文")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"文件无法读取：{error.strerror}") from error
    async with open_house(settings):
        report = await verify_file(data)
    click.echo(msgspec.json.encode(report).decode() if as_json else describe(report))
    return 0 if report.verdict == "valid" else 1


def describe(report: Report) -> str:
    """The report as an official reads it."""
    lines = ["验证通过" if report.verdict == "valid" else "验证不通过", f"文件摘要（SHA-256）：{report.sha256}"]
    if report.known_document:
        known = report.known_document
        lines.append(f"本系统公文：{known.doc_no}　{known.title}（{known.organ}）")
    for item in report.signatures:
        moment = item.timestamp_at or item.signed_at
        good = "证书当时有效" if item.certificate_good else "证书当时无效"
        whole = "，覆盖整个文件" if item.covers_whole_file else ""
        lines.append(f"{'印章' if item.kind == 'seal' else '签名'}：{item.signer}　{moment}　{good}{whole}")
        lines += [f"　　{finding.title}（{finding.code}）" for finding in item.findings]
    for opinion in report.opinions:
        mark = "签名有效" if opinion.ok else "签名无效"
        lines.append(f"意见：{opinion.organ} {opinion.actor}：{opinion.text}　{opinion.signed_at}　{mark}")
    lines += [f"问题：{finding.title}（{finding.code}）" for finding in report.findings]
    return "\n".join(map(_visible, lines))


def _visible(line: str) -> str:
    """A line with a space for each character that would move the cursor, turn the text around or begin another line: a
    stranger's file must not write the report on itself."""
    return "".join(char if char.isprintable() or unicodedata.category(char) == "Zs" else " " for char in line)


async def verify_all(settings: Settings, *, as_json: bool) -> int:
    """Check the log, every protected row, every signature and every object. Returns the exit status."""
    async with open_house(settings) as house:
        faults = await _lasting(lambda: all_faults(house))
    return _tell(faults, as_json=as_json)


async def verify_audit(settings: Settings) -> int:
    """Check the log alone, and against its copies outside. Returns the exit status."""
    async with open_house(settings) as house:
        faults = await _lasting(lambda: _log_and_copies(house))
    return _tell(faults, as_json=False)


async def verify_proof(settings: Settings, data: bytes) -> int:
    """Print whether a proof of one entry shows what it says. Returns the exit status."""
    try:
        proof = msgspec.json.decode(data, type=ProofOut)
    except (msgspec.DecodeError, UnicodeError):
        click.echo("文件不是审计记录的证明")
        return 1
    async with open_house(settings):
        is_good = await is_proof(proof)
    click.echo("证明成立：该记录在签署过的审计日志中" if is_good else "证明不成立")
    return 0 if is_good else 1


async def _log_and_copies(house: House) -> AsyncIterator[Fault]:
    async for fault in log_faults():
        yield fault
    async for fault in copy_faults(house.head_copies):
        yield fault


async def _lasting(check: Callable[[], AsyncIterator[Fault]]) -> list[Fault]:
    """The faults that are there to stay. A server may be at work meanwhile: rows change between the moment their digest
    was read and the moment they are. So where the log has grown, everything is looked at once more, and only what is
    found every time is a fault."""
    await sequence_all()
    size = await leaf_count()
    faults = [fault async for fault in check()]
    for _ in range(ROUNDS):
        await sequence_all()
        before, size = size, await leaf_count()
        if not faults or before == size:
            break
        again = {fault async for fault in check()}
        faults = [fault for fault in faults if fault in again]
    return faults


def _tell(faults: Sequence[Fault], *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults], ensure_ascii=False))
    else:
        for fault in faults:
            click.echo(_visible(f"{fault.where}：{fault.what}"))
        click.echo(f"发现 {len(faults)} 个问题" if faults else "全部一致，没有发现问题")
    return 1 if faults else 0


async def all_faults(house: House) -> AsyncIterator[Fault]:
    """Everything that does not agree, in the order it is found."""
    checks = {
        "审计日志": _log_and_copies(house),
        "数据行": row_faults(),
        "待办": task_faults(),
        "会话": session_faults(),
        "签名": signature_faults(),
        "意见": opinion_faults(),
        "附件": attachment_faults(),
        "编号台账": number_faults(),
        "消息": message_faults(),
        "版式文件和附件内容": object_faults(house),
    }
    for name, check in checks.items():
        try:
            async for fault in check:
                yield fault
        except OaError:
            raise
        except Exception:  # noqa: BLE001  rows that cannot be read have been named; what rests on them cannot be judged
            yield Fault(name, "数据无法读取，检查未能完成")
