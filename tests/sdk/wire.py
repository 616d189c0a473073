"""A real line between a system and the server, which can be cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

PIECE = 64 * 1024

Way = Callable[[bytes], bytes | None]  # what passes of a piece; None cuts the connection


def whole(data: bytes) -> bytes:
    """All passes."""
    return data


class CutAfter:
    """Cuts once so many bytes have passed; once only."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.happened = False

    def __call__(self, data: bytes) -> bytes | None:
        self._left -= len(data)
        if self._left >= 0 or self.happened:
            return data
        self.happened = True
        return None


class Line:
    """Takes connections on a port of loopback and passes them on to another; `up` and `down` see each piece that passes
    towards the server and back, and may change it or cut the connection before it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self.up: Way = whole
        self.down: Way = whole

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listening.close()
        for end in list(self._open):
            _hang_up(end)
        for thread in self._threads:
            thread.join()

    def heal(self) -> None:
        """Cut and change nothing any more."""
        self.up = self.down = whole

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _peer = self._listening.accept()
                thread = threading.Thread(target=self._carry, args=(near,))
                self._threads.append(thread)
                thread.start()

    def _carry(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            self._open |= {near, far}
            back = threading.Thread(target=self._pass, args=(far, near, "down"))
            back.start()
            self._pass(near, far, "up")
            back.join()
            self._open -= {near, far}

    def _pass(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with suppress(OSError):
            while (data := source.recv(PIECE)) and (passed := getattr(self, way)(data)) is not None:
                target.sendall(passed)
        _hang_up(source)
        _hang_up(target)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
