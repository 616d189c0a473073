"""What may still change under a document on its way, and what then: people, names, words, clocks, the store."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

import pdfplumber
import pytest

from crypto.cms import verify_cms
from oa_server.core import ids
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Invalid, Unavailable
from oa_server.core.ids import new_id
from oa_server.documents.models import NumberLedger, Recipient
from oa_server.identity.importing import import_directory
from oa_server.pki import access as pki
from oa_server.storage.objects import STORE_AWAY
from oa_server.web.live import topics_of
from tests.city import actor_named, told
from tests.faults.house import faults
from tests.journey import Begin, Journey

ORGAN_HEADER = "机关代码,机关全称,机关简称,级别,上级机关代码,机关代字,发文机关标志"
PERSON_HEADER = "机关代码,部门,人员编号,姓名,职务,主要负责人,职责"


async def bring_in(header: str, *rows: str) -> None:
    await import_directory(SYSTEM, "表.csv", "\n".join((header, *rows)).encode())


async def whole(story: Journey) -> None:
    """Nothing that was done along the way looks like tampering."""
    assert await faults(story.city.app.state.house) == []


async def signs_again(story: Journey) -> None:
    """The next version goes the whole way."""
    for person, verb in (("wang", "submit"), ("li", "approve"), ("zhao", "approve"), ("chen", "sign")):
        assert (await story.does(person, verb)).status_code == 200


async def test_a_recipient_with_another_name(begin: Begin) -> None:
    """An organ renamed after the signing stops the numbering; the clerk sends the document back, and it comes through again."""
    async with begin("signed") as story:
        await bring_in(ORGAN_HEADER, "JC002,江城市财政和国资局,市财政局,部门,JC001,江财发,江城市财政局文件")
        assert told(await story.does("sun", "number")) == (409, "documents.text_changed")
        back = await story.does("sun", "return", reason="收文机关已更名", parameters={"resume": "direct"})
        assert (back.json()["state"], back.json()["doc_date"]) == ("drafting", None)
        assert back.json()["opinions"][-1]["step_title"] == "复核"
        await signs_again(story)
        assert (await story.does("sun", "number")).json()["doc_no"] == "江政办发〔2026〕1号"
        await whole(story)


@asynccontextmanager
async def store_away(story: Journey) -> AsyncIterator[None]:
    """Nothing can be put into the object store."""
    store = story.city.app.state.office.store

    async def refuse(_key: str, _data: bytes) -> None:
        raise Unavailable(STORE_AWAY)

    kept, store.put = store.put, refuse
    try:
        yield
    finally:
        store.put = kept


async def test_numbered_while_the_store_is_away(begin: Begin) -> None:
    """The clerk is told that the number is taken; the pages are frozen when the store is back, under that number."""
    async with begin("signed") as story:
        async with store_away(story):
            numbered = await story.does("sun", "number")
            assert (numbered.status_code, numbered.json()["state"]) == (200, "numbered")
            assert told(await story.does("sun", "freeze")) == (503, "storage.store_away")
        frozen = await story.does("liu", "freeze")
        assert (frozen.json()["state"], frozen.json()["doc_no"]) == ("frozen", "江政办发〔2026〕1号")
        await whole(story)


async def test_a_number_stays_with_its_document(begin: Begin) -> None:
    """A numbered document that is sent back keeps its number; the next document gets the next one."""
    async with begin("signed") as story:
        async with store_away(story):
            await story.does("sun", "number")
        assert (await story.does("sun", "return", reason="附件有误")).status_code == 200
        await signs_again(story)
        assert (await story.does("liu", "number")).json()["doc_no"] == "江政办发〔2026〕1号"
        assert await NumberLedger.all().count() == 1
        await whole(story)


async def test_a_number_that_is_given_up(begin: Begin) -> None:
    """When a document is given up after it was numbered, the ledger says that its number is void, and why."""
    async with begin("signed") as story:
        async with store_away(story):
            await story.does("sun", "number")
        await story.does("sun", "return", reason="不再印发")
        assert (await story.does("wang", "abandon", reason="会议决定不再印发")).json()["state"] == "abandoned"
        entry = await NumberLedger.get()
        assert (entry.state, entry.reason) == ("void", "会议决定不再印发")
        await whole(story)


async def test_a_clerk_who_comes_later(begin: Begin) -> None:
    """Who becomes a clerk while a document waits for one finds it on the desk, and can go on with it."""
    async with begin("signed") as story:
        await bring_in(PERSON_HEADER, "JC001,综合科,wang,王建国,科员,,机要文书")
        wang = await story.desk("wang")
        tasks = (await wang.get("/api/tasks")).json()["items"]
        assert [task["step_title"] for task in tasks] == ["编号定版"]
        assert (await story.does("wang", "number")).json()["state"] == "frozen"
        assert (await (await story.desk("sun")).get("/api/tasks")).json()["items"] == []
        await whole(story)


async def test_a_head_who_moves(begin: Begin) -> None:
    """A unit head who is entered as head of another unit heads that one, and gets its documents."""
    async with begin("drafted") as story:
        await bring_in(
            PERSON_HEADER, "JC001,综合科,wang,王建国,科员,,部门负责人", "JC001,秘书科,li,李红,科长,,部门负责人"
        )
        await story.does("wang", "submit")
        assert (await (await story.desk("li")).get("/api/tasks")).json()["items"] == []
        assert (await story.does("wang", "approve")).status_code == 200


async def test_holders_act_where_their_tasks_are(begin: Begin) -> None:
    """A role in an organ where its holder does not act puts no task on a desk that nobody could do."""
    async with begin("submitted") as story:
        await bring_in(PERSON_HEADER, "JC001,秘书科,feng,冯静,挂职副科长,,核稿")
        await story.does("li", "approve")
        assert (await (await story.desk("feng")).get("/api/tasks")).json()["items"] == []


async def test_the_second_tab(begin: Begin) -> None:
    """Who still has the pages of an earlier version before them cannot sign the next version unread."""
    async with begin("cleared") as story:
        chen = await story.desk("chen")
        first = (await chen.get(story.path)).json()["pages_sha256"]
        assert (
            await story.does("chen", "return", reason="请改标题", parameters={"resume": "direct"})
        ).status_code == 200
        wang = await story.desk("wang")
        shown = (await wang.get(story.path)).json()
        elements = shown["elements"] | {"title": "江城市人民政府办公室关于改进公文处理工作的通知"}
        revised = await wang.send("PATCH", story.path, json={"elements": elements}, headers={"If-Match": shown["etag"]})
        assert revised.status_code == 200, revised.text
        assert (await story.does("wang", "submit")).status_code == 200
        for read in (first, None):
            asked = await chen.ask(story.path, "sign", opinion="同意", pages_sha256=read)
            assert told(asked) == (409, "documents.pages_changed")
        assert (await story.does("chen", "sign")).status_code == 200


async def test_a_clock_that_was_set_back(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opinions stand in the order in which they were given, also when the clock was set back between them."""
    async with begin("reviewed") as story:
        real = ids.time.time_ns
        monkeypatch.setattr(ids.time, "time_ns", lambda: real() - 3600 * 10**9)
        assert (await story.does("zhao", "approve")).status_code == 200
        monkeypatch.undo()
        signed = await story.does("chen", "sign")
        assert [opinion["actor_name"] for opinion in signed.json()["opinions"]] == ["李红", "赵明", "陈志远"]
        await whole(story)


async def test_another_issuing_word(begin: Begin) -> None:
    """An organ's new issuing word begins a series of its own; its old one goes on where it was; another organ's is refused."""
    async with begin("sent") as story:
        numbers = []
        for word in ("江府办发", "江政办发"):
            await bring_in(
                ORGAN_HEADER, f"JC001,江城市人民政府办公室,市政府办公室,市级,,{word},江城市人民政府办公室文件"
            )
            story.path = await story.drafts()
            await signs_again(story)
            numbers.append((await story.does("sun", "number")).json()["doc_no"])
        assert numbers == ["江府办发〔2026〕1号", "江政办发〔2026〕2号"]
        with pytest.raises(Invalid) as refused:
            await bring_in(ORGAN_HEADER, "JC003,江城市教育局,市教育局,部门,JC001,江财发,")
        (problem,) = refused.value.facts["problems"]
        assert (problem["row"], problem["column"], problem["code"]) == (2, "机关代字", "documents.word_taken")
        await whole(story)


async def test_a_recipient_slipped_in(begin: Begin) -> None:
    """A recipient that no leader signed for gets nothing: before the clerk is asked, and after the clerk has signed."""
    async with begin("sealed") as story:
        sun = await story.desk("sun")
        asked = await sun.ask(story.path, "dispatch")
        document, organ = UUID(story.path.rpartition("/")[2]), UUID(story.city.organs["JC001"])
        await Recipient.create(id=new_id(), document_id=document, organ_id=organ, role="copy", position=9)
        assert told(await sun.answer(story.path, "dispatch", asked.json())) == (409, "documents.elements_changed")
        assert told(await story.does("sun", "dispatch")) == (409, "documents.elements_changed")


async def test_arrivals_are_told_to_clerks(begin: Begin) -> None:
    """What arrives at an organ is told to its clerks, and not to those who may not see it yet."""
    async with begin("sent") as story:
        clerks = f"clerks:{story.city.organs['JC002']}"
        assert clerks in topics_of(await actor_named("xu"))
        assert clerks not in topics_of(await actor_named("zheng"))
        assert not any(topic.startswith("clerks:") for topic in topics_of(await actor_named("wang")))


async def test_pages_of_what_was_refused(begin: Begin) -> None:
    """The pages of a refused document are not to be read any more."""
    async with begin("sent") as story:
        path = await story.arrived()
        zhou = await story.desk("zhou")
        assert (await zhou.get(f"{path}/pages.pdf")).status_code == 200
        await story.does("zhou", "refuse", path, reason="发错机关", parameters={"code": "not_addressee"})
        assert told(await zhou.get(f"{path}/pages.pdf")) == (404, "core.not_found")


async def test_the_receipt_comes_back(begin: Begin) -> None:
    """The sender can take the signed receipt out and check it; nobody else can, and there is none before."""
    async with begin("received") as story:
        sun = await story.desk("sun")
        board = (await sun.get(f"{story.path}/consignments")).json()["items"]
        signed, waiting = (f"/api/consignments/{item['id']}/receipt" for item in board)
        receipt = (await sun.get(signed)).json()
        trust = (await pki.trust()).arguments()
        content = receipt["content"].encode()
        report = verify_cms(base64.b64decode(receipt["cms"]), content, at=datetime.now(UTC), **trust)
        assert report.ok
        assert '"decision":"signed_for"' in receipt["content"]
        assert told(await sun.get(waiting)) == (404, "documents.not_signed_for")
        assert told(await (await story.desk("zhou")).get(signed)) == (404, "core.not_found")


async def test_a_collective_name(begin: Begin) -> None:
    """Recipients under a collective name are printed and signed under it, and each of them gets the document."""
    async with begin("drafted") as story:
        organs = story.city.organs
        named = {
            "main_recipients": [organs["JC002"], organs["JC003"]],
            "copies_to": [],
            "main_recipients_as": "市政府各部门",
        }
        story.path = await story.drafts(**named)
        await signs_again(story)
        assert (await story.does("sun", "number")).status_code == 200
        wang = await story.desk("wang")
        with pdfplumber.open(BytesIO((await wang.get(f"{story.path}/pages.pdf")).content)) as pdf:
            text = "".join(page.extract_text() for page in pdf.pages)
        assert "市政府各部门：" in text
        assert "江城市教育局" not in text
        await story.does("qian", "seal")
        assert (await story.does("sun", "dispatch")).status_code == 200
        board = (await (await story.desk("sun")).get(f"{story.path}/consignments")).json()
        assert board["counts"] == {"total": 2, "arrived": 2}
        await whole(story)
