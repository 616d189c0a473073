"""`make demo` as a person meets it: one command, real processes, and clear words where it cannot go on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests import servers

pytestmark = pytest.mark.timeout(400)

LAST_LINE = "按 Ctrl+C 停止"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo of these tests keeps its data."""
    return tmp_path_factory.mktemp("demo") / "data"


def _command(folder: Path, *words: str) -> dict[str, object]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OA_")}
    return {"args": [sys.executable, "-m", "oa_server", *words], "env": environment | {"OA_DEMO_DIR": str(folder)}}


def _refused(folder: Path, *words: str) -> str:
    """Run a command that must not succeed; returns what it says, which is no traceback."""
    done = subprocess.run(**_command(folder, *words), capture_output=True, text=True, timeout=60, check=False)  # type: ignore[call-overload]
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return str(done.stderr)


def _lines_until(out: IO[str], last: str) -> list[str]:
    """What is printed until a line begins so."""
    lines: list[str] = []
    for line in out:
        lines.append(line.rstrip("\n"))
        if line.startswith(last):
            break
    return lines


@contextmanager
def _running(folder: Path, port: int) -> Iterator[list[str]]:
    """A demo in a terminal of its own; yields what it printed. At the end comes Ctrl+C, which reaches all its processes."""
    demo = subprocess.Popen(
        **_command(folder, "demo", "--port", str(port)),  # type: ignore[call-overload]
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with demo:
        try:
            yield _lines_until(demo.stdout, LAST_LINE)
        finally:
            os.killpg(demo.pid, signal.SIGINT)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _left_over(folder: Path) -> list[str]:
    """The processes that still work on the demo's data."""
    listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


def test_demo(folder: Path) -> None:
    """The first start builds the city and tells who is who; Ctrl+C leaves nothing behind; the second start keeps all."""
    port = servers.free_port()
    with _running(folder, port) as first:
        assert f"演示已就绪：http://127.0.0.1:{port}　（演示数据，仅限本机访问）" in "\n".join(first)
        assert _answers(port)
        assert sum(line.startswith("  ") for line in first) == 12
        assert _left_over(folder) != []
        _check_guarded(folder, port)
    assert not _answers(port)
    assert _left_over(folder) == []
    with _running(folder, port) as second:
        assert not any("首次启动" in line for line in second)
        assert [line for line in second if line.startswith("  ")] == [line for line in first if line.startswith("  ")]


def _check_guarded(folder: Path, port: int) -> None:
    """Nobody else can use or delete the data while a demo runs on them, and whoever tries is told where it runs."""
    for words in (("demo", "--port", str(servers.free_port())), ("demo-reset",)):
        assert f"演示正在运行（http://127.0.0.1:{port}，进程" in _refused(folder, *words)


def test_taken_port(tmp_path: Path) -> None:
    """A port that somebody else uses is named, with the way to choose another, before anything is built."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = _refused(tmp_path / "data", "demo", "--port", str(port))
    assert f"端口 {port} 已被其他程序占用" in said
    assert "make demo PORT=" in said
    assert not (tmp_path / "data").exists()


def test_reset(tmp_path: Path) -> None:
    """`make demo-reset` deletes the data of a demo that does not run."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "built.json").write_text("[]")
    subprocess.run(**_command(data, "demo-reset"), timeout=60, check=True)  # type: ignore[call-overload]
    assert not data.exists()
