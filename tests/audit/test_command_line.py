"""`oa verify`, `oa audit verify`, `oa migrate`: as typed, in a process of their own, over a city that has sent a document."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from oa_server.app import open_house
from oa_server.audit.models import AuditRecord
from oa_server.documents.models import OutgoingDocument
from oa_server.documents.pages import pages_key
from oa_server.settings import Settings, save
from oa_server.signing.verification import Report, SignedOpinionOut
from oa_server.verification import describe
from tests.audit.test_tampering import put
from tests.conftest import embedded


def oa(settings: Settings | None, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Type a command."""
    known = os.environ | environment
    if settings is not None:
        path = settings.data_dir.parent / "settings.toml"
        save(settings, path)
        known["OA_SETTINGS"] = str(path)
    command = [sys.executable, "-m", "oa_server", *map(str, arguments)]
    return subprocess.run(command, env=known, capture_output=True, text=True, check=False, timeout=110)


async def _sealed(settings: Settings) -> bytes:
    async with open_house(settings) as house:
        document = await OutgoingDocument.exclude(sealed_sha256=None).order_by("id").first()
        assert document is not None
        return await house.office.store.get(pages_key(document.sealed_sha256 or ""))


@pytest.fixture
def sealed(finished: Settings, tmp_path: Path) -> Path:
    """The sealed file of the document, as a person would have it on their desk."""
    file = tmp_path / "公文.pdf"
    file.write_bytes(asyncio.run(_sealed(finished)))
    return file


def test_everything_agrees(finished: Settings, sealed: Path) -> None:
    """Over honest data each command says so in Chinese and exits with zero."""
    report = oa(finished, "verify", sealed)
    assert report.returncode == 0, report.stderr
    for said in (
        "验证通过",
        "本系统公文：江政办发〔2026〕1号",
        "印章：江城市人民政府办公室",
        "证书当时有效，覆盖整个文件",
    ):
        assert said in report.stdout
    opinions = [line for line in report.stdout.splitlines() if line.startswith("意见：")]
    assert [line.rpartition("：")[0].split(" ")[1].split("：")[0] for line in opinions] == ["李红", "赵明", "陈志远"]
    assert all("签名有效" in line for line in opinions)
    machine = json.loads(oa(finished, "verify", "--json", sealed).stdout)
    assert (machine["verdict"], len(machine["opinions"])) == ("valid", 3)
    for arguments in (["verify", "--all"], ["audit", "verify"]):
        done = oa(finished, *arguments)
        assert (done.returncode, done.stdout) == (0, "全部一致，没有发现问题\n"), done.stderr
    assert json.loads(oa(finished, "verify", "--all", "--json").stdout) == []


def regions(data: bytes) -> dict[str, int]:
    """A position in every region of a sealed file."""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        opinion = pdf.attachments["opinion-2.json"].get_file().obj.read_raw_bytes()
        page = pdf.pages[0].Contents
        content = (page[0] if isinstance(page, pikepdf.Array) else page).read_raw_bytes()
    seal = data.rindex(b"/Contents <") + len(b"/Contents <")
    found = {
        "header": data.index(b"%PDF-1.") + 7,
        "page": data.index(content) + len(content) // 2,
        "opinion": data.index(opinion) + len(opinion) // 2,
        "first revision's end": data.index(b"%%EOF") + 2,
        "seal image": data.rindex(b"stream\n") - 20,
        "container's start": seal + 100,
        "container's middle": seal + 4000,
        "container's padding": data.index(b">", seal) - 100,
        "byte range": data.rindex(b"/ByteRange [") + 14,
        "last offset": data.rindex(b"startxref") + 12,
        "end": len(data) - 3,
    }
    assert data[found["container's padding"]] == ord("0")
    return found


def test_one_changed_byte(finished: Settings, sealed: Path) -> None:
    """One changed byte in any region of the file is told and exits with one: header, page, opinion, seal, end."""
    data = sealed.read_bytes()
    for region, position in regions(data).items():
        forged = bytearray(data)
        forged[position] ^= 1
        sealed.write_bytes(bytes(forged))
        report = oa(finished, "verify", sealed)
        assert report.returncode == 1, region
        assert report.stdout.startswith("验证不通过"), region
        assert "Traceback" not in report.stderr, region
        assert "（" in report.stdout.partition("SHA-256")[2], f"{region}: a reason with its code"


def test_a_file_that_writes_on_its_report() -> None:
    """What a stranger's opinion says stays on its own line, whatever characters it is made of."""
    words = "同意\r\n验证通过\x1b[2J\u202e过通不证验\u2028印章：江城市"
    opinion = SignedOpinionOut("甲", "乙局", "agree", words, None, ok=True, findings=[])
    report = Report("invalid", "0" * 64, None, [], [opinion], [])
    lines = describe(report).splitlines()
    assert [line.partition("：")[0] for line in lines] == ["验证不通过", "文件摘要（SHA-256）", "意见"]
    assert lines[2].replace("\u3000", "").isprintable()


@pytest.mark.parametrize("tail", [b"x", b"\n", b"\0" * 64, b"\n%%EOF\n"])
def test_something_added(finished: Settings, sealed: Path, tail: bytes) -> None:
    """Bytes behind the end of the file are told as well."""
    sealed.write_bytes(sealed.read_bytes() + tail)
    assert oa(finished, "verify", sealed).returncode == 1


def test_no_such_pdf(finished: Settings, tmp_path: Path) -> None:
    """What is no PDF, empty, unsigned, too large or not there is told in a sentence, without a traceback."""
    text, empty, huge = tmp_path / "a.txt", tmp_path / "empty.pdf", tmp_path / "huge.pdf"
    text.write_text("不是 PDF")
    empty.touch()
    with huge.open("wb") as file:
        file.truncate(3 << 30)
    pikepdf.new().save(tmp_path / "unsigned.pdf")
    for file, said in (
        (text, "不是可以验证的 PDF"),
        (empty, "不是可以验证的 PDF"),
        (tmp_path / "unsigned.pdf", "没有任何签章"),
    ):
        report = oa(finished, "verify", file)
        assert (report.returncode, said in report.stdout, report.stderr) == (1, True, "")
    too_large = oa(finished, "verify", huge)
    assert (too_large.returncode, too_large.stderr) == (1, "文件超过 64 MiB，不是本系统的公文\n")
    for arguments in (
        ["verify", tmp_path / "nowhere.pdf"],
        ["verify", tmp_path],
        ["verify"],
        ["verify", "--all", text],
    ):
        done = oa(finished, *arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)


async def _put(settings: Settings, model: Any, column: str, value: Any) -> None:
    async with open_house(settings):
        row = await model.all().order_by("id").first()
        await put(row, column, value)


@pytest.mark.norm("D-8.1.5.1")
def test_one_changed_row(finished: Settings) -> None:
    """One changed row of a document is found by `verify --all`, which names it; the log by itself is still whole."""
    asyncio.run(_put(finished, OutgoingDocument, "title", "另一份公文的通知"))
    done = oa(finished, "verify", "--all")
    assert done.returncode == 1
    assert "outgoing_document:" in done.stdout
    assert done.stdout.endswith("个问题\n")
    (fault, *_) = json.loads(oa(finished, "verify", "--all", "--json").stdout)
    assert fault["where"].startswith("outgoing_document:")
    assert oa(finished, "audit", "verify").returncode == 0


def test_one_changed_record(finished: Settings) -> None:
    """One changed record of the log is found by both commands."""
    asyncio.run(_put(finished, AuditRecord, "actor_name", "张三"))
    for arguments in (["verify", "--all"], ["audit", "verify"]):
        done = oa(finished, *arguments)
        assert done.returncode == 1
        assert "审计日志第 0 条：内容被改动" in done.stdout


def test_one_changed_object(finished: Settings) -> None:
    """One changed byte in the object store is found."""
    asyncio.run(_flip_a_bit(finished))
    done = oa(finished, "verify", "--all")
    asyncio.run(_flip_a_bit(finished))
    assert (done.returncode, "版式文件被改动" in done.stdout) == (1, True)
    assert oa(finished, "verify", "--all").returncode == 0


async def _flip_a_bit(settings: Settings) -> None:
    """Change a sealed file in the store, which in the production column all copies of the city share; twice changes it back."""
    async with open_house(settings) as house:
        document = await OutgoingDocument.exclude(sealed_sha256=None).order_by("id").first()
        assert document is not None
        key = pages_key(document.sealed_sha256 or "")
        data = bytearray(await house.office.store.get(key))
        data[len(data) // 2] ^= 1
        await house.office.store.put(key, bytes(data))


def test_migrate(finished: Settings, tmp_path: Path) -> None:
    """An installation is made by one command and brought up to date by the same; before that, the others say so."""
    done = oa(finished, "migrate")
    assert (done.returncode, done.stderr) == (0, "")
    assert "数据库" in done.stdout
    assert "对象存储已就绪" in done.stdout
    (tmp_path / "fresh").mkdir()
    fresh = embedded(tmp_path / "fresh" / "var")
    for arguments in (["verify", "--all"], ["audit", "verify"]):
        early = oa(fresh, *arguments)
        assert (early.returncode, "请先运行 oa migrate" in early.stderr) == (1, True), early.stderr
        assert "Traceback" not in early.stderr
    assert oa(fresh, "migrate").returncode == 0
    assert oa(fresh, "verify", "--all").stdout == "全部一致，没有发现问题\n"


def test_a_database_that_is_away(finished: Settings) -> None:
    """A database that does not answer is told in a sentence."""
    for arguments in (["verify", "--all"], ["audit", "verify"], ["migrate"]):
        done = oa(finished, *arguments, OA_DATABASE_URL="postgres://oa@127.0.0.1:1/oa")
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert "数据库" in done.stderr
