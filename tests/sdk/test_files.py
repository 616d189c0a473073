"""Attachments through the SDK: in parts, with progress, over lines that break and servers that die."""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oa_sdk import ConnectionLost, Damaged, NotFound, Patience
from tests.sdk.conftest import Front, Site, drafted
from tests.sdk.wire import CutAfter

MIB = 1 << 20
PART = 8 * MIB


class Told:
    """What `progress` was told; at the first mark beyond `at` bytes something happens."""

    def __init__(self, at: int = 0, happens: Any = None) -> None:
        self.marks: list[tuple[int, int]] = []
        self._at, self._happens = at, happens

    def __call__(self, passed: int, size: int) -> None:
        self.marks.append((passed, size))
        if self._happens and passed > self._at:
            happens, self._happens = self._happens, None
            happens()

    @property
    def stepped_back(self) -> bool:
        passed = [mark for mark, _size in self.marks]
        return passed != sorted(passed)


@pytest.fixture
def data() -> bytes:
    return os.urandom(2 * PART + 3 * MIB)


def test_there_and_back(site: Site, front: Front, tmp_path: Path, data: bytes) -> None:
    """A file goes up from a path and comes back to one, each with its progress, and is the same; then it is taken away."""
    desk = front()
    attachments, document = desk.office.attachments, drafted(site, desk)
    source, target = tmp_path / "预算.bin", tmp_path / "back.bin"
    source.write_bytes(data)
    up, down = Told(), Told()
    file = desk.do(attachments.upload(document.id, source, progress=up))
    assert (file.name, file.state, file.sha256) == ("预算.bin", "ready", sha256(data).hexdigest())
    desk.do(attachments.download(file.id, target, progress=down))
    assert target.read_bytes() == data
    for told in (up, down):
        assert told.marks[-1] == (len(data), len(data))
        assert len(told.marks) > 3
        assert not told.stepped_back
    desk.do(attachments.remove(file.id))
    with pytest.raises(NotFound):
        desk.do(attachments.get(file.id))
    with pytest.raises(ValueError, match="name"):
        desk.do(attachments.upload(document.id, io.BytesIO(data)))


def test_the_line_is_cut_while_it_goes_up(site: Site, front: Front, data: bytes) -> None:
    """After a cut the upload asks how far it came and goes on from there, not from the beginning."""
    # One part is received while the one before is stored: when the third is on its way, the first is there.
    desk, told, cut = front(), Told(), CutAfter(2 * PART + 2 * MIB)
    document = drafted(site, desk)
    site.line.up = cut
    file = desk.do(desk.office.attachments.upload(document.id, io.BytesIO(data), name="预算.bin", progress=told))
    assert cut.happened
    assert file.sha256 == sha256(data).hexdigest()
    assert told.stepped_back
    assert (
        min(after for (before, _), (after, _) in zip(told.marks, told.marks[1:], strict=False) if after < before) > PART
    )


def test_the_line_is_cut_while_it_comes_down(site: Site, front: Front, tmp_path: Path, data: bytes) -> None:
    """After a cut the download goes on at the next byte; nothing comes twice."""
    desk, told, cut = front(), Told(), CutAfter(5 * MIB)
    file = desk.do(desk.office.attachments.upload(drafted(site, desk).id, io.BytesIO(data), name="预算.bin"))
    site.line.down = cut
    desk.do(desk.office.attachments.download(file.id, tmp_path / "预算.bin", progress=told))
    assert cut.happened
    assert not told.stepped_back
    assert (tmp_path / "预算.bin").read_bytes() == data


def test_the_server_dies_in_the_middle(site: Site, front: Front, data: bytes) -> None:
    """A server that is killed in the middle of an upload and started again gets the rest, and has the whole."""
    desk = front()

    def die_and_rise() -> None:
        site.server.kill()
        site.server.start()

    told = Told(PART + 2 * MIB, die_and_rise)
    document = drafted(site, desk)
    file = desk.do(desk.office.attachments.upload(document.id, io.BytesIO(data), name="预算.bin", progress=told))
    assert file.sha256 == sha256(data).hexdigest()
    assert told.stepped_back


def test_given_up_and_resumed(site: Site, front: Front, data: bytes) -> None:
    """An upload that was given up is gone on with later: by its id, or by the same call with the same key; not with another
    content."""
    document = drafted(site, front())
    for by_key in (True, False):
        hasty, desk, key = front(patience=Patience(tries=1)), front(), uuid4().hex
        site.line.up = CutAfter(PART + 3 * MIB)
        with pytest.raises(ConnectionLost) as lost:
            hasty.do(hasty.office.attachments.upload(document.id, io.BytesIO(data), name="预算.bin", key=key))
        assert lost.value.advice in str(lost.value)
        site.line.heal()
        (begun,) = [f for f in desk.do(desk.office.documents.get(document.id)).attachments if f.state == "uploading"]
        if by_key:
            done = desk.do(desk.office.attachments.upload(document.id, io.BytesIO(data), name="预算.bin", key=key))
        else:
            with pytest.raises(Damaged):
                desk.do(desk.office.attachments.resume(begun.id, io.BytesIO(data[1:])))
            done = desk.do(desk.office.attachments.resume(begun.id, io.BytesIO(data)))
        assert (done.id, done.sha256) == (begun.id, sha256(data).hexdigest())


def test_something_else_arrives(site: Site, front: Front, tmp_path: Path) -> None:
    """What was changed on the way is noticed at both ends, and a spoilt download leaves no file."""
    desk, content = front(), b"the budget of the year" * 1000
    document = drafted(site, desk)
    site.line.up = lambda data: data.replace(b"budget", b"BUDGET")
    with pytest.raises(Damaged):
        desk.do(desk.office.attachments.upload(document.id, io.BytesIO(content), name="预算.txt"))
    site.line.heal()
    file = desk.do(desk.office.attachments.upload(document.id, io.BytesIO(content), name="预算.txt"))
    site.line.down = lambda data: data.replace(b"budget", b"BUDGET")
    with pytest.raises(Damaged):
        desk.do(desk.office.attachments.download(file.id, tmp_path / "预算.txt"))
    assert list(tmp_path.iterdir()) == []
