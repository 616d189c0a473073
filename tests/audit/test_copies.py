"""Heads outside the database: what they show when somebody has the database all to themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oa_server.audit import actions as audit
from oa_server.audit.copies import NEWEST, CopyPlace, copy_heads
from oa_server.audit.models import AuditHead, AuditLeaf, AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict, Unavailable
from oa_server.storage.objects import LocalFolderStore, open_store
from oa_server.storage.unit_of_work import housekeeping, unit_of_work
from oa_server.verification import log_faults
from oa_server.verification.copies import copy_faults
from tests.city import City


async def grow(entries: int = 3) -> AuditHead:
    """Something happens, and the log is signed."""
    async with unit_of_work(SYSTEM) as work:
        for number in range(entries):
            work.audit(Verb.SIGN_IN_REFUSED, "certificate", str(number), code="identity.wrong_signature")
    await audit.sequence_all()
    head = await audit.sign_head()
    assert head is not None
    return head


@pytest.fixture
async def place(city: City, tmp_path: Path) -> CopyPlace:
    store = LocalFolderStore(tmp_path / "outside")
    await store.prepare()
    return CopyPlace("另一台机器", store)


async def found(place: CopyPlace) -> list[tuple[str, str]]:
    return [(fault.where, fault.what) async for fault in copy_faults([place])]


async def test_heads_are_copied(place: CopyPlace, tmp_path: Path) -> None:
    """Every head lies outside once, the newest is known there, and the log agrees with it."""
    for _ in range(3):
        await grow()
    await copy_heads([place])
    later = await grow()
    await copy_heads([place])
    await copy_heads([place])
    lying = {path.name for path in (tmp_path / "outside" / "audit-heads").iterdir()}
    assert lying == {f"{head.size:012d}.json" for head in await AuditHead.all()} | {"newest.json"}
    assert json.loads((tmp_path / "outside" / NEWEST).read_text())["size"] == later.size
    assert await found(place) == []


async def cut(head: AuditHead) -> int:
    """Cut the log back to the entry that tells of a head, as nobody but the database's owner can. Returns how many are left.

    The city's own jobs write and sign beside the test, so that entry need not be the first after the head.
    """
    told = await AuditRecord.get(verb=Verb.HEAD_SIGNED, subject_id=str(head.id))
    last = await AuditLeaf.get(record_id=told.id)
    async with housekeeping():
        await AuditLeaf.filter(seq__gt=last.seq).delete()
        kept: Any = await AuditLeaf.all().values_list("record_id", flat=True)
        await AuditRecord.exclude(id__in=list(kept)).delete()
        announced: Any = await AuditRecord.filter(verb=Verb.HEAD_SIGNED).values_list("subject_id", flat=True)
        await AuditHead.exclude(id__in=list(announced)).delete()
    return int(last.seq) + 1


@pytest.mark.norm("D-8.1.4.3c")
async def test_a_tail_that_was_removed(place: CopyPlace) -> None:
    """A log that was cut back to an earlier head is whole in itself; the copy outside names what is missing."""
    before = await grow()
    await audit.sequence_all()
    await grow(20)
    await copy_heads([place])
    newest = await AuditHead.all().order_by("-size").first()
    left = await cut(before)
    assert [fault async for fault in log_faults()] == []
    assert await found(place) == [
        (f"审计日志第 {left} 条之后", f"末尾被删除：另一台机器 存有 {newest.size} 条时签署的树头")
    ]


async def test_a_log_that_was_written_anew(place: CopyPlace) -> None:
    """Whoever cuts the log and lets it grow again, longer than before, has no head that was signed at that place."""
    before = await grow()
    copied = await grow(20)
    await copy_heads([place])
    await cut(before)
    await grow(40)
    ((where, what),) = await found(place)
    assert (where, what.startswith("与日志不一致")) == ("库外树头副本（另一台机器）", True)
    assert str(copied.size) in what


async def test_copies_that_are_none(place: CopyPlace, tmp_path: Path) -> None:
    """A place without a copy, with a spoilt one, or with one that we did not sign is told; so is one that is away."""
    assert await found(place) == [("库外树头副本（另一台机器）", "没有副本")]
    await grow()
    await copy_heads([place])
    file = tmp_path / "outside" / NEWEST
    good = json.loads(file.read_text())
    file.write_text(json.dumps({**good, "root": "0" * 64}))
    assert await found(place) == [("库外树头副本（另一台机器）", "签名无效")]
    file.write_text("?")
    assert await found(place) == [("库外树头副本（另一台机器）", "无法读取")]
    away = CopyPlace("离线", open_store("s3://a:b@127.0.0.1:9/heads?secure=0"))
    assert await found(away) == [("库外树头副本（离线）", "无法读取")]


async def test_a_spoilt_copy_stops_nobody_else(place: CopyPlace, tmp_path: Path) -> None:
    """A copy that nobody can read is left as evidence; the job is known to have failed, and other places get theirs."""
    await grow()
    await copy_heads([place])
    (tmp_path / "outside" / NEWEST).write_text("?")
    other = CopyPlace("第二处", LocalFolderStore(tmp_path / "second"))
    await other.store.prepare()
    with pytest.raises(Conflict) as refused:
        await copy_heads([place, other])
    assert refused.value.code == "audit.spoilt_copy"
    assert (tmp_path / "outside" / NEWEST).read_text() == "?"
    assert await found(other) == []


async def test_a_place_that_is_away(place: CopyPlace) -> None:
    """While one place is away the others get their copies, and the job is known to have failed."""
    await grow()
    away = CopyPlace("离线", open_store("s3://a:b@127.0.0.1:9/heads?secure=0"))
    with pytest.raises(Unavailable):
        await copy_heads([away, place])
    assert await found(place) == []
