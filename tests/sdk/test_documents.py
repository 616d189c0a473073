"""A system at work through the SDK: directory, drafts, lists, pages, receipts, events – once blocking, once with asyncio."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from oa_sdk import Conflict, Damaged, Denied, Invalid, NotFound, Stale, Unreadable
from tests.sdk.conftest import TEXT, Front, Sent, Site, drafted, elements, system_of


def test_the_directory(site: Site, front: Front) -> None:
    """Organs are found by name, and one is shown with its units and people."""
    desk = front()
    (bureau,) = desk.do(desk.office.directory.organs("财政局"))
    assert bureau.name == "江城市财政局"
    assert len(desk.do(desk.office.directory.organs())) == 3
    shown = desk.do(desk.office.directory.organ(bureau.id))
    assert "周敏" in [official.name for unit in shown.units for official in unit.officials]


def test_a_draft_s_life(site: Site, front: Front, tmp_path: Path) -> None:
    """A draft is made, revised, submitted, read as PDF, withdrawn and given up; each answer is the document as it then is."""
    desk = front()
    documents = desk.office.documents
    made = drafted(site, desk)
    assert (made.state, made.body, made.drafter.name) == ("drafting", TEXT, "王建国")
    title = "江城市人民政府办公室关于改了标题的通知"
    revised = desk.do(documents.revise(made, elements=elements(site, title=title)))
    assert (revised.elements.title, revised.body) == (title, TEXT)
    submitted = desk.do(documents.submit(revised))
    assert submitted.state == "under_review"
    kept, target = io.BytesIO(), tmp_path / "pages.pdf"
    pages = desk.do(documents.pages(made.id, kept))
    assert pages.startswith(b"%PDF")
    assert pages == kept.getvalue() == desk.do(documents.pages(str(made.id), target)) == target.read_bytes()
    withdrawn = desk.do(documents.withdraw(submitted))
    assert withdrawn.state == "drafting"
    abandoned = desk.do(documents.abandon(withdrawn, reason="不再需要"))
    assert desk.do(documents.get(made.id)).state == abandoned.state == "abandoned"


def test_lists_go_on_page_by_page(site: Site, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list yields every document once, however many pages it takes, and is narrowed and turned round."""
    desk = front()
    monkeypatch.setattr("oa_sdk.session.PAGE", 2)
    word = uuid4().hex[:8]
    made = [drafted(site, desk, title=f"关于{word}的通知{n}").id for n in range(5)]
    listed = desk.office.documents.list
    assert [row.id for row in desk.all(listed(q=word))] == made[::-1]
    assert [row.id for row in desk.all(listed(q=word, oldest_first=True))] == made
    assert desk.all(listed(q=word, state="dispatched")) == []


def test_what_is_refused(site: Site, front: Front) -> None:
    """A refusal is an error of its kind, with the server's code and facts, and says what to do next."""
    desk = front()
    documents = desk.office.documents
    with pytest.raises(NotFound) as missing:
        desk.do(documents.get(uuid4()))
    assert (missing.value.status, missing.value.code) == (404, "core.not_found")
    with pytest.raises(Invalid) as invalid:
        desk.do(documents.draft(elements(site, kind="poem"), TEXT))
    assert invalid.value.code == "web.invalid"
    assert invalid.value.detail
    assert "poem" in str(invalid.value)
    assert invalid.value.advice in str(invalid.value)
    narrow = front(replace(system_of(site.let_in("caizheng")), scopes=["directory:read"]))
    with pytest.raises(Denied) as denied:
        desk.do(drafted(site, narrow))
    assert denied.value.code == "web.no_scope"
    with pytest.raises(ValueError, match="badly formed"):
        desk.do(documents.get("../../session"))


def test_a_stale_etag(site: Site, front: Front) -> None:
    """Who changes what somebody changed since is told to read it anew, and nothing is changed."""
    desk = front()
    documents = desk.office.documents
    read = drafted(site, desk)
    changed = desk.do(documents.revise(read, elements=elements(site, title="第一次修改")))
    for act in (lambda: documents.revise(read, body=TEXT), lambda: documents.submit(read)):
        with pytest.raises(Stale) as stale:
            desk.do(act())
        assert (stale.value.status, stale.value.code) == (412, "core.stale")
    assert desk.do(documents.get(read.id)).etag == changed.etag


def test_the_same_key(site: Site, front: Front) -> None:
    """A write that is repeated under its key happens once and is answered the same; under the same key another is refused."""
    desk = front()
    documents, key = desk.office.documents, uuid4().hex
    first, again = (desk.do(documents.draft(elements(site), TEXT, key=key)) for _ in range(2))
    assert first == again
    with pytest.raises(Conflict) as reused:
        desk.do(documents.draft(elements(site, title="另一件"), TEXT, key=key))
    assert reused.value.code == "storage.key_reused"
    done = [desk.do(documents.submit(first, key=f"{key}-submit")) for _ in range(2)]
    assert done[0] == done[1]
    with pytest.raises(ValueError, match="Idempotency-Key"):
        desk.do(documents.draft(elements(site), TEXT, key="一"))


def test_what_became_of_it(sent: Sent, front: Front) -> None:
    """The system that submitted a document sees who signed for it, has the signed receipt, and was told of every step."""
    desk = front()
    documents = desk.office.documents
    board = desk.do(documents.receipts(sent.document))
    assert board.counts["total"] == 2
    (signed,) = [row for row in board.items if row.signed_for_by]
    assert (signed.organ.name, signed.signed_for_by) == ("江城市财政局", "周敏")
    assert desk.do(documents.receipt(signed.id)).cms
    (waiting,) = [row for row in board.items if not row.signed_for_by]
    with pytest.raises(NotFound):
        desk.do(documents.receipt(waiting.id))
    told = [event for event in desk.all(desk.office.events.after()) if event.data["id"] == str(sent.document)]
    told_of = [event.type.removeprefix("oa.documents.") for event in told]
    assert told_of[:10] == [
        "drafted", "submitted", "approved", "approved", "signed", "numbered", "frozen", "sealed", "dispatched", "signed_for",
    ]  # fmt: skip
    assert desk.do(documents.get(sent.document)).sealed


def test_what_came_in(site: Site, sent: Sent, front: Front, tmp_path: Path) -> None:
    """The system of the unit that a document was given to is told so, lists it, and fetches the original and what is attached;
    it sees nothing of the sender's side."""
    desk = front(system_of(site.let_in("yusuan")))
    (event,) = desk.all(desk.office.events.after())
    assert (event.type, event.data["id"], event.number) == ("oa.documents.assigned", sent.item, 1)
    assert desk.all(desk.office.events.after(1)) == []
    incoming = desk.do(desk.office.incoming.get(sent.item))
    assert incoming.unit
    assert incoming.unit.name == "预算科"
    assert [str(row.id) for row in desk.all(desk.office.incoming.list())] == [sent.item]
    assert desk.all(desk.office.incoming.list(state="arrived")) == []
    pages = desk.do(desk.office.incoming.pages(sent.item, tmp_path / "正本.pdf"))
    assert pages == (tmp_path / "正本.pdf").read_bytes()
    (attachment,) = incoming.attachments
    desk.do(desk.office.attachments.download(attachment.id, tmp_path / attachment.name))
    assert (tmp_path / attachment.name).read_bytes() == sent.file.read_bytes()
    with pytest.raises(NotFound):
        desk.do(desk.office.documents.get(sent.document))


def test_the_feed_page_by_page(front: Front, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events come in their order, without a gap or a repetition, however many pages they take."""
    desk = front()
    monkeypatch.setattr("oa_sdk.events.PAGE", 3)
    numbers = [event.number for event in desk.all(desk.office.events.after(2))]
    assert len(numbers) > 3
    assert numbers == list(range(3, 3 + len(numbers)))


def test_something_else_answers(site: Site, front: Front) -> None:
    """An answer that is not the server's, good or bad, is an error of its own that says where to look."""
    desk = front()
    desk.do(desk.office.directory.organs())
    site.line.down = lambda data: data.replace(b'"items"', b'"thing"').replace(b'"code"', b'"kind"')
    with pytest.raises(Unreadable, match="代理"):
        desk.do(desk.office.directory.organs())
    with pytest.raises(NotFound) as other:
        desk.do(desk.office.documents.get(uuid4()))
    assert other.value.code == "http.404"


def test_damaged_pages(site: Site, front: Front, tmp_path: Path) -> None:
    """Pages that do not have the digest by which the server keeps them are not written."""
    desk = front()
    submitted = desk.do(desk.office.documents.submit(drafted(site, desk)))
    site.line.down = lambda data: data.replace(b"%PDF", b"%FDP")
    with pytest.raises(Damaged):
        desk.do(desk.office.documents.pages(submitted.id, tmp_path / "pages.pdf"))
    assert list(tmp_path.iterdir()) == []
