"""Documents: sign-in, layout, sealing, and sending to thousands of organs."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from crypto.pades import SealAppearance, sign_pdf, verify_pdf
from oa_server.core.actor import SYSTEM
from oa_server.documents.layout.model import DocumentLayout, Paragraph
from oa_server.documents.layout.render import render
from oa_server.identity.importing import import_directory
from oa_server.pki import access as pki
from oa_server.settings import Settings
from oa_server.storage.database import select
from tests.bench.report import at_desk, figure, serving, spread, timed
from tests.city import BODY, City, seal_image

ORGANS = 3_700
TEXT = "坚持以人民为中心的发展思想，聚焦企业和群众办事的堵点难点，统筹推进各项工作。" * 4


async def sign_ins(settings: Settings, city: City, column: str) -> None:
    """Whole sign-ins over HTTP, eight officials at a time: challenge, signature by the key, session."""
    with serving(settings):
        browsers = [await at_desk(settings, city, "wang") for _ in range(8)]
        start, found = time.perf_counter(), []
        for milliseconds in await asyncio.gather(*(timed(20, browser.sign_in) for browser in browsers)):
            found += milliseconds
        seconds = time.perf_counter() - start
    figure("sign_in", column, per_second=(len(found) + len(browsers)) / seconds, **spread(found))


async def dispatch(city: City, column: str) -> None:
    """One document sent to 3,700 organs: from the click to the answer, the signature already made."""
    lines = ["机关代码,机关全称,机关简称,级别"]
    lines += [f"TX{n:04d},第{n}测试机关,测试{n},县级" for n in range(ORGANS)]
    await import_directory(SYSTEM, "机关.csv", "\n".join(lines).encode())
    organs = [row["id"] for row in await select("SELECT id FROM organ WHERE code LIKE 'TX%'")]
    wang, li, zhao, chen, sun, qian = [await city.signed_in(p) for p in ("wang", "li", "zhao", "chen", "sun", "qian")]
    everybody = [city.organs["JC002"], *(str(organ) for organ in organs)]
    elements = city.elements(main_recipients=everybody, copies_to=[], main_recipients_as="各测试机关")
    draft = await wang.send("POST", "/api/documents", json={"elements": elements, "body": BODY})
    path = f"/api/documents/{draft.json()['id']}"
    await wang.act(path, "submit")
    for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
        await person.sign(path, verb, opinion="同意")
    await sun.act(path, "number")
    await qian.sign(path, "seal", usage="seal")
    asked = await sun.ask(path, "dispatch")
    start = time.perf_counter()
    answer = await sun.answer(path, "dispatch", asked.json())
    seconds = time.perf_counter() - start
    figure("dispatch", column, recipients=ORGANS + 1, seconds=seconds, aim_seconds=1.0, status=answer.status_code)


async def pages(city: City, column: str) -> None:
    """Layout of three pages, warm, each time another document; sealing ten, and judging what was sealed."""
    office = city.app.state.office
    numbers = count(1)

    async def laid_out(paragraphs: int) -> Any:
        layout = _layout(paragraphs, next(numbers))
        return await asyncio.to_thread(render, layout, fonts=office.fonts, final=True, made_at=datetime.now(UTC))

    three = await timed(30, lambda: laid_out(8))
    figure("layout", column, pages=(await laid_out(8)).page_count, aim_ms=100, **spread(three))
    ten = await laid_out(33)
    key, trust = city.keys("qian")["seal"], (await pki.trust()).arguments()

    async def sealed() -> bytes:
        stamp = await city.app.state.register.stamp(b"\0" * 32)
        appearance = SealAppearance(seal_image(), 0, (300, 200, 420, 320), "Seal1")
        return await asyncio.to_thread(
            sign_pdf, ten.pdf, key, stamp=lambda _value: stamp, appearance=appearance, name="江城市人民政府办公室"
        )

    found = await timed(30, sealed)
    figure("seal", column, pages=ten.page_count, per_second=1000 / statistics.mean(found), **spread(found))
    file = await sealed()
    judged = await timed(30, lambda: asyncio.to_thread(verify_pdf, file, at=datetime.now(UTC), **trust))
    figure("verify", column, pages=ten.page_count, per_second=1000 / statistics.mean(judged), **spread(judged))


def _layout(paragraphs: int, number: int) -> DocumentLayout:
    """A document whose every line differs from the last one's, so that the engine remembers none of it."""
    return DocumentLayout(
        issuer_mark="江城市人民政府办公室文件",
        title=f"江城市人民政府办公室关于第{number}次测试的通知",
        main_recipients=("市财政局",),
        body=tuple(Paragraph(f"第{number}件第{n}项，{TEXT}") for n in range(paragraphs)),
        issuer_signature="江城市人民政府办公室",
        doc_no=f"江政办发〔2026〕{number}号",
        doc_date=date(2026, 3, 12),
        print_date=date(2026, 3, 12),
    )
