"""Writing a small file so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

DRAFT = ".draft-"
# A draft that is older is nobody's any more: what is written here is small.
DRAFT_SECONDS = 60


def write_durably(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, readable by its owner alone: written aside, flushed to the disk, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=DRAFT)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def remove_drafts(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left in a folder."""
    for draft in folder.glob(f"{DRAFT}*"):
        with suppress(FileNotFoundError):  # It has just taken its place.
            if time.time() - draft.stat().st_mtime > DRAFT_SECONDS:
                draft.unlink()


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable, where a folder can be opened (POSIX)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
