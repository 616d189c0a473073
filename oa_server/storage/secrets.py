"""The one home for the keys and secrets of this installation: a folder that only its owner may read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path


class SecretStore:
    """Named secrets, each one file of mode 0600, made on first use and never changed in place."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, name: str, make: Callable[[], bytes] = lambda: secrets.token_bytes(32)) -> bytes:
        """The secret called `name`; made by `make` when there is none yet. Two processes that race get the same one."""
        path = self._directory / name
        if not path.exists():
            self._create(path, make())
        return path.read_bytes()

    def _create(self, path: Path, value: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
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
