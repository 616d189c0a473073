"""Five wrong PINs lock: the count for keys whose own device does not count, such as key files and SoftHSM.

An attempt is charged before it is made and given back when the PIN was right, so that killing the agent in between, or
restarting it, buys nobody a further guess. The count lives in one file that all agents of this user share.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from oa_agent.durable import write_durably
from oa_agent.errors import COUNTS_UNREADABLE, PIN_LOCKED, Refused

ATTEMPTS = 5


class RetryCounter:
    """Counts wrong PINs by place (a token's serial number, a sealing of a key file)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def left(self, place: str) -> int:
        """How many attempts remain."""
        return max(0, ATTEMPTS - self._read().get(place, 0))

    def charge(self, place: str) -> None:
        """Take one attempt, on disk, before the PIN is tried. Raises Refused when none is left."""
        with self._locked():
            counts = self._read()
            if counts.get(place, 0) >= ATTEMPTS:
                raise Refused(PIN_LOCKED)
            self._write(counts | {place: counts.get(place, 0) + 1})

    def refund(self, place: str) -> None:
        """The PIN was never judged (the token was pulled, the request ran out): give the one attempt back."""
        with self._locked():
            counts = self._read()
            self._write(counts | {place: max(0, counts.get(place, 0) - 1)})

    def clear(self, place: str) -> None:
        """The PIN was right: all attempts are there again."""
        with self._locked():
            counts = self._read()
            if counts.pop(place, None) is not None:
                self._write(counts)

    def _read(self) -> dict[str, int]:
        """The counts; an unreadable file refuses, for an attacker could have spoilt it to be counted anew."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise Refused(COUNTS_UNREADABLE) from error

    def _write(self, counts: dict[str, int]) -> None:
        write_durably(self._path, msgspec.json.encode(counts))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep the agent of the browser and one on the command line from counting over each other."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_suffix(".lock").open("a+b") as file:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            yield
