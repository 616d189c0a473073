"""`make bench`: one JSON line per figure, each beside a peer or the raw limit of the same run. Nothing here can fail on a slow machine.

`OA_BENCH_COLUMNS` narrows the columns, `OA_BENCH_BYTES` sets the size of the attachment (1 GiB unless told).
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from crypto.pades import SealAppearance, sign_pdf
from oa_server.core.actor import SYSTEM, Actor
from oa_server.core.ids import new_id
from oa_server.documents.layout.model import DocumentLayout, Paragraph
from oa_server.documents.layout.render import render
from oa_server.identity.actions import import_directory
from oa_server.storage.database import comparable, connection, is_postgres, select
from oa_server.workflow import access as workflow
from tests import servers
from tests.city import BODY, City, seal_image
from tests.conftest import Founded, _create_database, _found, embedded, running

COLUMNS = os.environ.get("OA_BENCH_COLUMNS", "embedded,production").split(",")
BYTES = int(os.environ.get("OA_BENCH_BYTES", str(1 << 30)))
OFFICIALS, TASKS = 100_000, 1_000_000
ORGANS = 3_700


def figure(name: str, column: str, **values: Any) -> None:
    """One line of the report."""
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}
    sys.stdout.write(json.dumps({"figure": name, "column": column, **rounded}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


async def timed(times: int, act: Callable[[], Awaitable[Any]]) -> list[float]:
    """Milliseconds of each of `times` runs, after one that warms up."""
    await act()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        await act()
        found.append((time.perf_counter() - start) * 1000)
    return found


def spread(milliseconds: list[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {"p50_ms": statistics.median(ordered), "p99_ms": ordered[int(len(ordered) * 0.99)]}


async def sign_ins(city: City, column: str) -> None:
    """Whole sign-ins: challenge, signature by the key, session."""
    browser = city.browser("wang")
    found = await timed(60, browser.sign_in)
    figure("sign_in", column, per_second=1000 / statistics.mean(found), **spread(found))


async def to_do_list(city: City, column: str) -> None:
    """The 20 newest of one official among a million tasks: through the door, and the same statement sent raw."""
    await _fill_tasks()
    rows = await select("SELECT id FROM official WHERE code = ?", ["bench-000077"])
    actor = Actor("bench", official_id=rows[0]["id"])
    wanted = workflow.TaskFilter(limit=20)
    through = await timed(300, lambda: workflow.tasks(actor, wanted))
    statement = (
        "SELECT t.id, t.step, t.step_title, t.opened_at, t.due_at, t.done_at, r.subject_type, r.subject_id, r.title,"
        " r.doc_no, r.from_name, r.urgency FROM task t JOIN route r ON r.id = t.route_id"
        " WHERE t.official_id = ? AND t.state = 'open' ORDER BY t.opened_at DESC, t.id DESC LIMIT ?"
    )
    raw = await timed(300, lambda: select(statement, [actor.official_id, 20]))
    ratio = statistics.median(through) / statistics.median(raw)
    figure("to_do_list", column, tasks=TASKS, ratio_to_raw_sql=ratio, **spread(through))


async def _fill_tasks() -> None:
    """A hundred thousand officials with ten tasks each, written by the database itself: only their number matters here."""
    now = comparable(datetime.now(UTC))
    client = connection()
    numbers = (
        "SELECT n FROM generate_series(1, {count}) AS s(n)"
        if is_postgres()
        else "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s"
    )
    make = (
        "gen_random_uuid()"
        if is_postgres()
        else (
            "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2))"
            " || '-' || hex(randomblob(6)))"
        )
    )
    pad = "lpad(n::text, 6, '0')" if is_postgres() else "printf('%06d', n)"
    true = "true" if is_postgres() else "1"
    moment = "$1" if is_postgres() else "?"
    writer = client if is_postgres() else client._writer
    execute = writer.execute_query if is_postgres() else writer.execute
    await execute(
        f"INSERT INTO official (id, code, name, active) SELECT {make}, 'bench-' || {pad}, '测试', {true}"
        f" FROM ({numbers.format(count=OFFICIALS)}) AS x"
    )
    (route,) = await select("SELECT id FROM route_template WHERE code = 'outgoing'")
    (organ,) = await select("SELECT id FROM organ WHERE code = 'JC001'")
    identifier = str(new_id())
    await execute(
        "INSERT INTO route (id, template_id, subject_type, subject_id, organ_id, title, doc_no, from_name, urgency, facts,"
        f" done, state, started_at) VALUES ('{identifier}', '{route['id']}', 'outgoing', '{new_id()}', '{organ['id']}',"
        f" '关于测试的通知', '', '测试', 'normal', '{{}}', '[]', 'running', {moment})",
        [now],
    )
    each = TASKS // OFFICIALS
    await execute(
        "INSERT INTO task (id, route_id, step, step_title, iteration, official_id, state, opened_at)"
        f" SELECT {make}, '{identifier}', 'unit_review', '部门审核', 1, o.id, 'open', {moment} FROM official o,"
        f" ({numbers.format(count=each)}) AS x WHERE o.code LIKE 'bench-%'",
        [now],
    )
    if not is_postgres():
        await writer.commit()
    await client.execute_query("ANALYZE task")


async def dispatch(city: City, column: str) -> None:
    """One document sent to 3,700 organs: from the click to the answer, the signature already made."""
    lines = ["机关代码,机关全称,机关简称,级别"]
    lines += [f"TX{n:04d},第{n}测试机关,测试{n},县级" for n in range(ORGANS)]
    await import_directory(SYSTEM, "机关.csv", "\n".join(lines).encode())
    organs = [row["id"] for row in await select("SELECT id FROM organ WHERE code LIKE 'TX%'")]
    wang, li, zhao, chen, sun, qian = [await city.signed_in(p) for p in ("wang", "li", "zhao", "chen", "sun", "qian")]
    elements = city.elements(main_recipients=[city.organs["JC002"]], copies_to=[])
    draft = await wang.send("POST", "/api/documents", json={"elements": elements, "body": BODY})
    path = f"/api/documents/{draft.json()['id']}"
    await wang.act(path, "submit")
    for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
        await person.sign(path, verb, opinion="同意")
    await sun.act(path, "number")
    await qian.sign(path, "seal", usage="seal")
    # The list is lengthened behind the pages, which could not name so many: what is measured is the sending.
    from oa_server.documents.models import Recipient

    await Recipient.bulk_create(
        [Recipient(id=new_id(), document_id=draft.json()["id"], organ_id=organ, role="main", position=n)
         for n, organ in enumerate(organs, start=1)]
    )  # fmt: skip
    asked = await sun.ask(path, "dispatch")
    start = time.perf_counter()
    answer = await sun.answer(path, "dispatch", asked.json())
    seconds = time.perf_counter() - start
    figure("dispatch", column, recipients=ORGANS + 1, seconds=seconds, aim_seconds=1.0, status=answer.status_code)


async def attachment(city: City, column: str) -> None:
    """A large attachment up and down, encrypted and digested; beside it a plain copy with SHA-256."""
    wang = await city.signed_in("wang")
    draft = await wang.send("POST", "/api/documents", json={"elements": city.elements(), "body": BODY})
    body = {"name": "大附件.bin", "size": BYTES, "subject_type": "outgoing", "subject_id": draft.json()["id"]}
    file = (await wang.send("POST", "/api/files", json=body)).json()
    piece = os.urandom(file["chunk"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    for offset in range(0, BYTES, len(piece)):
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        part = piece[: min(len(piece), BYTES - offset)]
        (await wang.send("PATCH", f"/api/files/{file['id']}", content=part, headers=headers)).raise_for_status()
    up = time.perf_counter() - start
    start = time.perf_counter()
    from oa_server.files import access as files

    row = await files.file(file["id"])
    digest = sha256()
    async for plain in city.app.state.files.reader.stream(row):
        digest.update(plain)
    down = time.perf_counter() - start
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    copy = _plain_copy(piece)
    figure(
        "attachment", column, bytes=BYTES, up_mb_s=BYTES / up / 1e6, down_mb_s=BYTES / down / 1e6,
        up_ratio_to_plain_copy=up / copy, memory_mib=memory, whole=digest.hexdigest() == row.sha256,
    )  # fmt: skip


def _plain_copy(piece: bytes) -> float:
    """Seconds to write the same bytes to a file with SHA-256 and fsync."""
    with tempfile.NamedTemporaryFile() as target:
        digest, start = sha256(), time.perf_counter()
        for _ in range(0, BYTES, len(piece)):
            digest.update(piece)
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
        return time.perf_counter() - start


async def pages(city: City, column: str) -> None:
    """Layout of three pages, warm, and sealing ten."""
    office = city.app.state.office
    text = "坚持以人民为中心的发展思想，聚焦企业和群众办事的堵点难点，统筹推进各项工作。" * 4

    def layout(paragraphs: int) -> DocumentLayout:
        return DocumentLayout(
            issuer_mark="江城市人民政府办公室文件", title="江城市人民政府办公室关于测试的通知", main_recipients=("市财政局",),
            body=tuple(Paragraph(f"{n}、{text}") for n in range(paragraphs)), issuer_signature="江城市人民政府办公室",
            doc_no="江政办发〔2026〕1号", doc_date=date(2026, 3, 12), print_date=date(2026, 3, 12),
        )  # fmt: skip

    async def once(paragraphs: int) -> Any:
        return await asyncio.to_thread(
            render, layout(paragraphs), fonts=office.fonts, final=True, made_at=datetime.now(UTC)
        )

    three = await timed(30, lambda: once(8))
    figure("layout", column, pages=(await once(8)).page_count, aim_ms=100, **spread(three))
    ten = await once(36)
    key, stamps = city.keys("qian")["seal"], asyncio.get_running_loop()

    async def seal() -> None:
        stamp = await city.app.state.register.stamp(b"\0" * 32)
        appearance = SealAppearance(seal_image(), 0, (300, 200, 420, 320), "Seal1")
        await asyncio.to_thread(
            sign_pdf, ten.pdf, key, stamp=lambda _value: stamp, appearance=appearance, name="江城市人民政府办公室"
        )

    assert stamps.is_running()
    figure("seal", column, pages=ten.page_count, **spread(await timed(20, seal)))


async def measure(founded: Founded, column: str, folder: Path) -> None:
    settings = founded.copy(folder) if not founded.cluster else await asyncio.to_thread(founded.copy, folder)
    async with running(settings) as city:
        for part in (sign_ins, pages, dispatch, attachment, to_do_list):
            await part(city, column)


def main() -> None:
    """Both columns, one after the other."""
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if "embedded" in COLUMNS:
            asyncio.run(_found(embedded(base / "embedded")))
            asyncio.run(measure(Founded(base / "embedded"), "embedded", base / "one"))
        if "production" in COLUMNS:
            cluster = stack.enter_context(servers.postgres(base))
            bus, objects = stack.enter_context(servers.redis(base)), stack.enter_context(servers.seaweedfs(base))
            asyncio.run(_create_database(cluster, "founded"))
            urls = {"bus_url": bus, "object_store_url": objects}
            database = cluster.replace("/postgres", "/founded")
            asyncio.run(_found(embedded(base / "production", database_url=database, **urls)))
            asyncio.run(measure(Founded(base / "production", cluster, bus, objects), "production", base / "two"))


if __name__ == "__main__":
    sys.exit(main())
