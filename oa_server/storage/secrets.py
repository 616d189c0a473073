"""The one home for the keys and secrets of this installation: a folder that only its owner may read."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class SecretStore:
    """Named secrets, each one file of mode 0600, made on first use, durable before it is used and never changed in place."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, name: str, make: Callable[[], bytes] = lambda: secrets.token_bytes(32)) -> bytes:
        """The secret called `name`; made by `make` when there is none yet. Two processes that race get the same one."""
        path = self._directory / name
        if not path.exists():
            self._create(path, make())
        return path.read_bytes()

    def read(self, name: str) -> bytes | None:
        """The secret called `name`; None when there is none."""
        with suppress(FileNotFoundError):
            return (self._directory / name).read_bytes()
        return None

    def names(self, stem: str) -> list[str]:
        """The secrets called `stem`, or `stem.` and a number, in the order of their numbers."""
        numbered = re.compile(rf"{re.escape(stem)}(?:\.([0-9]+))?")
        found = {path.name: numbered.fullmatch(path.name) for path in self._directory.glob(f"{stem}*")}
        return sorted((name for name, match in found.items() if match), key=lambda name: int(found[name][1] or 0))  # type: ignore[index]

    def destroy(self, name: str) -> None:
        """Take a secret away for ever; one that is gone already is no error."""
        (self._directory / name).unlink(missing_ok=True)
        _sync(self._directory)

    def _create(self, path: Path, value: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # A link fails when the name exists, so the first of two racing processes wins.
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        _sync(self._directory)  # What is encrypted under a name that a power cut takes away could never be read again.


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
