"""The count of wrong PINs, and the files that must survive a crash."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from oa_agent import durable
from oa_agent.durable import write_durably
from oa_agent.errors import Refused
from oa_agent.retries import ATTEMPTS, RetryCounter


def test_charging_and_clearing(tmp_path: Path) -> None:
    """Each place has five attempts of its own, on disk before they are used."""
    path = tmp_path / "state" / "retries.json"
    for used in range(ATTEMPTS):
        assert RetryCounter(path).left("a") == ATTEMPTS - used
        RetryCounter(path).charge("a")
    assert RetryCounter(path).left("a") == 0
    with pytest.raises(Refused, match=r"pin\.locked"):
        RetryCounter(path).charge("a")
    assert RetryCounter(path).left("b") == ATTEMPTS
    RetryCounter(path).clear("a")
    RetryCounter(path).clear("b")
    assert RetryCounter(path).left("a") == ATTEMPTS


def test_refunding(tmp_path: Path) -> None:
    """One attempt is given back, never more than were taken."""
    counter = RetryCounter(tmp_path / "retries.json")
    counter.charge("a")
    counter.charge("a")
    counter.refund("a")
    assert counter.left("a") == ATTEMPTS - 1
    for _ in range(9):
        counter.refund("a")
    assert counter.left("a") == ATTEMPTS


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"a": "x"}', "\x00"])
def test_a_spoilt_count_locks(tmp_path: Path, spoilt: str) -> None:
    """Spoiling the file does not buy further guesses."""
    path = tmp_path / "retries.json"
    path.write_text(spoilt)
    for act in (RetryCounter(path).left, RetryCounter(path).charge, RetryCounter(path).clear):
        with pytest.raises(Refused, match=r"pin\.counts_unreadable"):
            act("a")


def _charge(path: Path, times: int) -> None:
    for _ in range(times):
        try:
            RetryCounter(path).charge("a")
        except Refused:
            RetryCounter(path).charge("refused")


def test_two_agents_count_together(tmp_path: Path) -> None:
    """Agents that guess side by side have five attempts between them."""
    path = tmp_path / "retries.json"
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_charge, args=(path, 4)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    counter = RetryCounter(path)
    assert (counter.left("a"), counter.left("refused")) == (0, ATTEMPTS - 3)


def test_writing_durably(tmp_path: Path) -> None:
    """A file is replaced whole, for its owner alone, and nothing is left beside it."""
    path = tmp_path / "new" / "file"
    for data in (b"first", b"second"):
        write_durably(path, data)
        assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses, the old content stays and no half file lies around."""
    path = tmp_path / "file"
    write_durably(path, b"old")

    def refuse(_descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(durable.os, "fsync", refuse)
    with pytest.raises(OSError, match="no space"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
