"""Who has the embedded database's file: any number of processes that use it, or the one that puts another in its place.

An upgrade ends in a rename, and what somebody writes into the old file after it was copied would be gone. SQLite's own locks
cannot keep them out for so long, so whoever opens the file first claims it here; a claim ends with its process, however it ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from oa_server.core.errors import Reason, Unavailable

UPGRADING = Reason(
    "storage.upgrading",
    "数据库正在升级，请在升级完成后重试",
    "The database is being upgraded; try again when that is done.",
)
IN_USE = Reason(
    "storage.in_use",
    "数据库正在使用中，未作改动：请先停止服务和其他命令，再重试",
    "The database is in use and was not changed; stop the server and other commands, then try again.",
)


def file_of(url: str) -> Path | None:
    """The file of an embedded database; None for one that lives in a server of its own."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "sqlite" else None


@contextmanager
def using(url: str) -> Iterator[None]:
    """Use a database beside others for as long as the block lasts. Raises Unavailable while it is being upgraded."""
    path = file_of(url)
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _claim(path, "in-use", fcntl.LOCK_SH | fcntl.LOCK_NB, UPGRADING):
        yield


@contextmanager
def replacing(path: Path) -> Iterator[None]:
    """Be the only one to put another file in its place, waiting for others who do; raises Unavailable while somebody uses it."""
    with (
        _claim(path, "migrating", fcntl.LOCK_EX, IN_USE),
        _claim(path, "in-use", fcntl.LOCK_EX | fcntl.LOCK_NB, IN_USE),
    ):
        yield


@contextmanager
def _claim(path: Path, name: str, kind: int, refusal: Reason) -> Iterator[None]:
    with path.with_name(f"{path.name}.{name}").open("a") as handle:
        try:
            fcntl.flock(handle, kind)
        except BlockingIOError:
            raise Unavailable(refusal) from None
        yield
