"""The auditor at work: finding acts, a day's picture, and the proof of one entry that others can check without us."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from crypto import merkle
from crypto.canonical import canonical_json
from oa_server.audit import actions as audit
from oa_server.audit import copies, proofs
from oa_server.audit.copies import CopyPlace
from oa_server.audit.models import AuditLeaf, AuditRecord, AuditSubtree
from oa_server.audit.schemas import ProofOut
from oa_server.audit.verbs import TITLES, Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.settings import save
from oa_server.storage.objects import LocalFolderStore
from oa_server.storage.unit_of_work import housekeeping, unit_of_work
from tests.city import Browser, City, told

ABSENT = "00000000-0000-7000-8000-000000000000"
READS = ("vocabulary", "records", "records.csv", "day", "heads", f"records/{ABSENT}", f"records/{ABSENT}/proof")


@pytest.fixture
async def auditor(city: City) -> Browser:
    return await city.signed_in("aud")


@pytest.mark.norm("D-8.1.5.2")
@pytest.mark.parametrize("person", ["wang", "sys", "sec", "chen"])
async def test_who_does_not_read_the_log(city: City, person: str) -> None:
    """The log is its auditor's alone, and the other two administrators are refused too."""
    browser = await city.signed_in(person)
    for path in READS:
        assert told(await browser.get(f"/api/audit/{path}")) == (403, "audit.not_audit_admin"), path


@pytest.mark.norm("D-8.1.4.2d")
async def test_the_auditor_does_nothing_else(city: City, auditor: Browser) -> None:
    """The auditor sees no document and decides nothing about certificates."""
    wang = await city.signed_in("wang")
    path = await city.submitted(wang)
    assert (await auditor.get(path)).status_code == 404
    assert (await auditor.get("/api/documents")).json()["items"] == []
    assert told(await auditor.get("/api/pki/certificates")) == (403, "pki.not_pki_admin")


async def found(auditor: Browser, query: str) -> list[dict[str, Any]]:
    return list((await auditor.get(f"/api/audit/records?{query}")).json()["items"])


async def test_finding_what_happened(city: City, auditor: Browser) -> None:
    """Acts are found by who, what, on what and when, in the words of officials, and pages of them have no gaps."""
    wang = await city.signed_in("wang")
    path = await city.submitted(wang)
    acts = await found(auditor, f"q={path.rpartition('/')[2]}&sort=oldest")
    assert {"起草", "送审", "产生待办"} <= {act["title"] for act in acts}
    assert {act["actor"] for act in acts} == {"王建国"}
    assert acts[0]["organ"] == "市政府办公室"
    assert [act["verb"] for act in await found(auditor, "q=王建国&verb=identity.signed_in")] == ["identity.signed_in"]
    assert await found(auditor, "until=2020-01-01") == []
    everything, cursor = [], ""
    while True:
        page = (await auditor.get(f"/api/audit/records?area=pki&limit=50&cursor={cursor}")).json()
        everything += [item["id"] for item in page["items"]]
        if not (cursor := page["next"] or ""):
            break
    assert len(everything) == len(set(everything)) == await AuditRecord.filter(verb__startswith="pki.").count()


async def test_narrowing_by_organ_result_and_hour(city: City, auditor: Browser) -> None:
    """Acts are narrowed to an organ, to what was turned down or was not, and to one hour; one act is shown with its leaf."""
    zhou = await city.signed_in("zhou")
    city.keys("wang")
    await city.browser("wang").try_sign_in(origin="http://elsewhere.example")
    finance = city.organs["JC002"]
    (act,) = await found(auditor, f"organ={finance}&verb=identity.signed_in")
    assert act["organ"] == "市财政局"
    (refusal,) = await found(auditor, "result=refused")
    assert (refusal["verb"], refusal["refused"]) == ("identity.sign_in_refused", True)
    assert "identity.sign_in_refused" not in {act["verb"] for act in await found(auditor, "result=done&limit=200")}
    at = datetime.fromisoformat(refusal["at"]).astimezone(clock.OFFICE_ZONE)
    hours = [f"since={at.date()}&hour={hour}&result=refused" for hour in (at.hour, (at.hour + 1) % 24)]
    assert [len(await found(auditor, query)) for query in hours] == [1, 0]
    await audit.sequence_all()
    assert isinstance((await auditor.get(f"/api/audit/records/{refusal['id']}")).json()["leaf"], int)
    assert told(await zhou.get(f"/api/audit/records/{refusal['id']}")) == (403, "audit.not_audit_admin")


async def test_how_the_copies_stand(city: City, auditor: Browser, tmp_path: Path) -> None:
    """The auditor sees where heads are copied to, how far each place is behind, and what is wrong with one that cannot be read."""
    places = (
        CopyPlace("near", LocalFolderStore(tmp_path / "near")),
        CopyPlace("spoilt", LocalFolderStore(tmp_path / "spoilt")),
    )
    city.app.state.house = dataclasses.replace(city.app.state.house, head_copies=places)
    await audit.sequence_all()
    await audit.sign_head()
    await places[1].store.put(copies.NEWEST, b"?")
    near, spoilt = (await auditor.get("/api/audit/heads")).json()["copies"]
    assert (near["size"], near["problem"]) == (None, None)
    assert near["behind"] >= 1  # The city's own job signs heads too.
    assert "副本无法识别" in spoilt["problem"]
    await copies.copy_heads(places[:1])
    heads = (await auditor.get("/api/audit/heads")).json()
    assert (heads["copies"][0]["size"], heads["copies"][0]["behind"]) == (heads["size"], 0)


async def test_what_leaves_as_a_file(city: City, auditor: Browser) -> None:
    """The list leaves as a file with each record's digest, so that it can be held against the log later."""
    answer = await auditor.get("/api/audit/records.csv?verb=pki.authority_created")
    header, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    record = await AuditRecord.get(verb=Verb.AUTHORITY_CREATED)
    assert (header[1], row[1], row[-1]) == ("操作", "建立证书机构", record.digest)


async def test_a_days_picture(city: City, auditor: Browser) -> None:
    """A day is shown by its hours and areas, with what was refused, and every act of today is in it once."""
    city.keys("wang")
    await city.browser("wang").try_sign_in(origin="http://elsewhere.example")
    day = (await auditor.get("/api/audit/day")).json()
    counted = sum(sum(hour["counts"].values()) for hour in day["hours"])
    assert counted == await AuditRecord.all().count()
    assert (len(day["hours"]), day["refused"]) == (24, 1)


def test_every_act_has_its_words() -> None:
    """No act is shown to the auditor by its code."""
    assert set(TITLES) == set(Verb)


# --- proofs -----------------------------------------------------------------------------------------------------------


async def proof(auditor: Browser, record: AuditRecord) -> Any:
    return await auditor.get(f"/api/audit/records/{record.id}/proof")


async def test_a_proof_needs_nobody_of_us(city: City, auditor: Browser) -> None:
    """A record's proof leads from its own text to a signed head; one changed word in it, and it proves nothing."""
    record = await AuditRecord.get(verb=Verb.AUTHORITY_CREATED)
    assert told(await proof(auditor, record)) == (409, "audit.no_head_yet")
    await audit.sequence_all()
    await audit.sign_head()
    shown = (await proof(auditor, record)).json()
    leaf = merkle.leaf_hash(canonical_json(shown["record"]))
    path = [bytes.fromhex(step) for step in shown["path"]]
    assert merkle.verify_inclusion(leaf, shown["index"], shown["size"], path, bytes.fromhex(shown["root"]))
    assert await proofs.is_proof(ProofOut(**shown))
    for change in (
        {"record": {**shown["record"], "actor_name": "别人"}},
        {"index": shown["index"] + 1},
        {"root": shown["path"][0]},
        {"at": "2020-01-01T00:00:00.000000+00:00"},
        {"signature": "AAAA"},
        {"path": ["zz"]},
    ):
        assert not await proofs.is_proof(ProofOut(**json.loads(json.dumps({**shown, **change}))))


async def test_a_proof_at_the_console(city: City, auditor: Browser, tmp_path: Path) -> None:
    """`oa audit check` says whether a proof that somebody brings is good, and exits accordingly."""
    record = await AuditRecord.get(verb=Verb.AUTHORITY_CREATED)
    await audit.sequence_all()
    await audit.sign_head()
    shown = (await proof(auditor, record)).content
    house = city.app.state.house
    for data, words in ((shown, "证明成立"), (shown.replace(b"system", b"nobody"), "证明不成立"), (b"?", "不是")):
        command = [sys.executable, "-m", "oa_server", "audit", "check", str(tmp_path / "proof.json")]
        (tmp_path / "proof.json").write_bytes(data)
        save(house.settings, tmp_path / "settings.toml")
        environment = {**os.environ, "OA_SETTINGS": str(tmp_path / "settings.toml")}
        done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
        assert (words in done.stdout, done.returncode == 0) == (True, words == "证明成立"), done.stderr


async def test_a_log_that_was_changed_proves_nothing(city: City, auditor: Browser) -> None:
    """Where the log no longer agrees with its signed head no proof is given out, and the auditor is told to act."""
    await audit.sequence_all()
    await audit.sign_head()
    record = await AuditRecord.get(verb=Verb.AUTHORITY_CREATED)
    async with housekeeping():
        await AuditLeaf.filter(seq=0).update(digest="0" * 64)
    assert told(await proof(auditor, record)) == (409, "audit.damaged")


async def test_proofs_in_a_long_log(city: City, auditor: Browser) -> None:
    """In a log of several thousand entries the proof of each, at every edge of the kept subtrees, is good."""
    while await AuditRecord.all().count() < 2 * audit.SUBTREE + 300:
        async with unit_of_work(SYSTEM) as work:
            for number in range(400):
                work.audit(Verb.SIGN_IN_REFUSED, "certificate", f"{number}", code="identity.wrong_signature")
    await audit.sequence_all()
    head = await audit.sign_head()
    assert head is not None
    kept = await AuditSubtree.all().order_by("number")
    assert [row.number for row in kept] == [0, 1]
    edges = (0, 1, audit.SUBTREE - 1, audit.SUBTREE, 2 * audit.SUBTREE - 1, 2 * audit.SUBTREE, head.size - 1)
    for seq in edges:
        record = await AuditRecord.get(id=(await AuditLeaf.get(seq=seq)).record_id)
        assert await proofs.is_proof(ProofOut(**(await proof(auditor, record)).json())), seq
    await AuditSubtree.all().delete()  # A log from before they were kept.
    record = await AuditRecord.get(id=(await AuditLeaf.get(seq=5)).record_id)
    assert (await proof(auditor, record)).status_code == 200
