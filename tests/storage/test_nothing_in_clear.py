"""What officials write is searched for in everything that a thief of disks and backups would have, and is not there."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
import redis

from crypto.errors import EnvelopeRefused
from oa_server.audit.actions import sequence_all
from oa_server.documents.models import Opinion, OutgoingDocument
from oa_server.documents.pages import encrypt_kept, pages_key
from oa_server.settings import Settings
from oa_server.storage.database import connection, is_postgres, select
from oa_server.storage.protection import name_of
from oa_server.verification.rows import row_faults
from tests.audit.test_command_line import oa
from tests.city import BODY
from tests.conftest import Founded, Servers, at_cluster
from tests.faults.house import at_free_port, distant
from tests.journey import Begin, Journey

# PostgreSQL's own compression leaves what is random in runs of eight octets, each after an octet of its own.
RUN = 8
HANZI = "政府办公室关于规范公文处理工作的通知各单位要高度重视认真组织实施"
COMPRESSED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
GREATEST = 64 << 20
PIECE = 16 << 10


@dataclass
class Canary:
    """A stem that no text holds by chance; each place where it was written adds its own name to it."""

    stem: str = field(default_factory=lambda: secrets.token_hex(12) + "".join(secrets.choice(HANZI) for _ in range(12)))
    places: list[str] = field(default_factory=list)

    def at(self, place: str) -> str:
        """The words to write at a place."""
        self.places.append(place)
        return f"{self.stem}{place}"

    def needles(self) -> list[bytes]:
        """The stem as files may hold it: in runs of UTF-8, in UTF-16, and escaped in JSON."""
        plain, hanzi = self.stem[:24].encode(), self.stem[24:]
        runs = [plain[start : start + RUN] for start in range(len(plain) - RUN + 1)]
        wide = [part.encode(code) for part in (self.stem[:24], hanzi) for code in ("utf-16-le", "utf-16-be")]
        escaped = json.dumps(hanzi)[1:-1]
        return [*runs, hanzi.encode(), *wide, escaped.encode(), escaped.replace("\\U", "\\u").upper().encode()]


def inflated(data: bytes) -> Iterator[bytes]:
    """What lies compressed in `data`, wherever it begins; a piece at a time, for most beginnings are chance and end at once."""
    view = memoryview(data)
    for found in COMPRESSED.finditer(data):
        opener = zlib.decompressobj(wbits=47)  # zlib's own format, or gzip's
        plain, at = b"", found.start()
        try:
            while at < len(view) and not opener.eof and len(plain) < GREATEST:
                plain += opener.decompress(view[at : at + PIECE])
                at += PIECE
        except zlib.error:
            continue
        if plain:
            yield plain


def holding(files: Sequence[Path], canary: Canary) -> list[str]:
    """The files in which the canary shows, each with the words around it."""
    needles, told = canary.needles(), []
    for file in files:
        data = file.read_bytes()
        for layer in (data, *inflated(data)):
            at = next((layer.find(needle) for needle in needles if needle in layer), None)
            if at is not None:
                told.append(f"{file}: {layer[max(0, at - 60) : at + 100]!r}")
    return told


def below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def written(story: Journey, canary: Canary, title: Canary) -> None:
    """The main story, with the canary wherever somebody writes something: the document comes back once, is issued, signed
    for and finished by one organ, and refused by the other."""
    body = {**BODY, "content": [*BODY["content"], {"type": "paragraph", "text": canary.at("正文")}]}
    elements = story.city.elements(title=f"关于{title.at('标题')}的通知", note=canary.at("附注"))
    wang = await story.desk("wang")
    draft = {"elements": elements, "body": body}
    drafted = await wang.send("POST", "/api/documents", json=draft, headers={"Idempotency-Key": secrets.token_hex(8)})
    story.path = f"/api/documents/{drafted.json()['id']}"
    await story.attaches(story.path, f"{canary.at('附件名')}.txt", canary.at("附件").encode())
    acts = [
        ("wang", "submit", {}),
        ("li", "return", {"reason": canary.at("退回理由")}),
        ("wang", "submit", {}),
        ("li", "approve", {"opinion": canary.at("审核意见")}),
        ("zhao", "approve", {"opinion": canary.at("核稿意见")}),
        ("chen", "sign", {"opinion": canary.at("签发意见")}),
        ("sun", "number", {}),
        ("qian", "seal", {}),
        ("sun", "dispatch", {}),
    ]
    for person, verb, words in acts:
        done = await story.does(person, verb, **words)
        assert done.status_code == 200, done.text
    arrived = await story.arrived()
    answers = [
        ("zhou", "sign_for", {}),
        ("zhou", "register", {}),
        ("zhou", "propose", {"opinion": canary.at("拟办意见"), "parameters": {"leader_id": story.city.people["wu"]}}),
        ("wu", "instruct", {"opinion": canary.at("批示")}),
    ]
    for person, verb, words in answers:
        done = await story.does(person, verb, arrived, **words)
        assert done.status_code == 200, done.text
    refusal = {"reason": canary.at("拒收理由"), "parameters": {"code": "not_addressee"}}
    refused = await story.does("feng", "refuse", await story.arrived("feng"), **refusal)
    assert refused.status_code == 200, refused.text


def everything_shown(shown: str, canary: Canary, places: Sequence[str]) -> bool:
    return all(f"{canary.stem}{place}" in shown for place in places)


async def stored_files(settings: Settings, founded: Founded, servers: Servers | None) -> list[Path]:
    """The files of database, object store, bus and server, as they lie on their disks."""
    own = [path for path in below(settings.data_dir) if "secrets" not in path.parts]
    if servers is None:
        return own
    name = settings.database.rpartition("/")[2]
    await at_cluster(settings.database, "CHECKPOINT")
    data = servers.postgres._base / "data"
    oid = await _oid(founded.cluster, name)
    bus = redis.Redis.from_url(settings.bus_url)
    await asyncio.to_thread(bus.save)
    place = bus.config_get("dir")["dir"], bus.config_get("dbfilename")["dbfilename"]
    bus.close()
    kept = [*below(data / "base" / str(oid)), *below(data / "pg_wal"), servers.postgres.log]
    return [*own, *kept, Path(*place), *below(servers.seaweedfs._base)]


async def _oid(cluster: str, name: str) -> int:
    connection = await asyncpg.connect(cluster)
    try:
        return int(await connection.fetchval("SELECT oid FROM pg_database WHERE datname = $1", name))
    finally:
        await connection.close()


@pytest.mark.norm("D-8.1.4.8a/b", "M-8.4e")
@pytest.mark.timeout(600)
async def test_what_officials_write_lies_nowhere_in_clear(
    request: pytest.FixtureRequest, settings: Settings, founded: Founded, tmp_path: Path
) -> None:
    """Body, note, attachment, opinions, reasons and answers are read by who may read them, and show in no file of the
    database, its log of changes, the object store, the bus, the server's log or a backup. A title is found there."""
    servers = request.getfixturevalue("production_servers") if founded.cluster else None
    canary, title = Canary(), Canary()
    async with distant(at_free_port(settings)) as city:
        story = Journey(city)
        await written(story, canary, title)
        shown = (await (await story.desk("chen")).get(story.path)).text
        assert everything_shown(shown, canary, ("正文", "附注", "附件名", "审核意见", "退回理由", "签发意见"))
        files = await stored_files(settings, founded, servers)
        assert holding(files, canary) == []
        assert holding(files, title)
    backup = tmp_path / "backups"
    made = await asyncio.to_thread(oa, city.settings, "backup", str(backup))
    assert made.returncode == 0, made.stderr
    assert holding([*await stored_files(settings, founded, servers), *below(backup)], canary) == []
    assert holding(below(backup), title)


@pytest.mark.norm("D-8.1.4.8a/b")
async def test_pages_from_before_are_encrypted(begin: Begin) -> None:
    """Pages that lie in clear, as they once did, are encrypted by the upgrade and read as before; none is left in clear."""
    async with begin("submitted") as story:
        house = story.city.app.state.house
        document = await OutgoingDocument.all().get()
        key = pages_key(document.pages_sha256)
        pdf = await house.office.store.get(key)
        assert pdf.startswith(b"%PDF")
        assert b"%PDF" not in await house.store.get(key)
        clear = key.replace(".enc", ".pdf")
        await house.store.put(clear, pdf)
        await house.store.delete(key)
        assert await encrypt_kept(house.store, house.office.store) >= 1
        assert clear not in await house.store.keys()
        li = await story.desk("li")
        assert (await li.get(f"{story.path}/pages.pdf")).content == pdf


@pytest.mark.norm("D-8.1.4.8a/b")
async def test_a_value_cannot_stand_in_anothers_place(begin: Begin) -> None:
    """Encrypted words that somebody moved to another row are not shown there, and both rows are named."""
    async with begin("cleared"):
        one, two = await Opinion.all().order_by("id")
        kept = {row["id"]: row["text"] for row in await select("SELECT id, text FROM opinion")}
        assert len(kept) == 2
        first, second = kept.values()
        mark = ("$1", "$2") if is_postgres() else ("?", "?")
        for row_id, text in zip(kept, (second, first), strict=True):
            await connection().execute_query(
                f"UPDATE opinion SET text = {mark[0]} WHERE id = {mark[1]}",
                [text, row_id],
            )
        with pytest.raises(EnvelopeRefused):
            await Opinion.get(id=one.id)
        await sequence_all()
        assert {name_of(one), name_of(two)} <= {fault.where async for fault in row_faults()}
