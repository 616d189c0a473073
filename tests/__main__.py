"""`python -m tests`: everything that `make test` runs, and the coverage it must reach.

Python first, in both columns, on as many processes as there are cores; then the browser stories, alone, for each of them keeps
a server, a key agent and Chromium busy at once; then the web client's own units.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import coverage

ROOT = Path(__file__).parent.parent
OVERALL, CRITICAL = 90, 95  # per cent of branches and statements


def main() -> int:
    """Run all parts. Returns the first exit status that is not 0."""
    pytest = [sys.executable, "-m", "pytest"]
    cores = str(min(4, os.cpu_count() or 1))
    python = [*pytest, "-n", cores, "--dist", "loadfile", "-m", "not campaign and not browser", "--cov"]
    for command in (
        [*python, "--cov-report=term:skip-covered"],
        [*pytest, "-m", "browser", "--no-cov"],
        ["npm", "test", "--prefix", "clients/web"],
    ):
        if status := _run(command):
            return status
        if command[: len(python)] == python and not _is_covered():
            return 1
    return 0


def _run(command: list[str]) -> int:
    bin_dir = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _is_covered() -> bool:
    """Whether the run reached what is asked of the whole, of the cryptography, and of every door and every rule."""
    data = coverage.Coverage()
    data.load()
    doors = [str(p.relative_to(ROOT)) for name in ("rules", "access") for p in (ROOT / "oa_server").rglob(f"{name}.py")]
    short = []
    for what, floor in [("*", OVERALL), ("crypto/*", CRITICAL), *((door, CRITICAL) for door in sorted(doors))]:
        if (reached := data.report(include=[what], file=io.StringIO())) < floor:
            short.append(f"{what}: {reached:.1f} % covered, {floor} % asked")
    sys.stdout.write("".join(f"{line}\n" for line in short))
    return not short


if __name__ == "__main__":
    sys.exit(main())
