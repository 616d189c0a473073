"""`python -m tests`: everything that `make test` runs, and the coverage it must reach.

Python first, in both columns, on as many processes as there are cores; then the browser story, alone, for it starts a whole
demo; then the web client's own units.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run all parts. Returns the first exit status that is not 0."""
    bin_dir = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}"}
    pytest = [sys.executable, "-m", "pytest"]
    cores = str(min(4, os.cpu_count() or 1))
    parts = [
        [
            *pytest,
            "-n",
            cores,
            "--dist",
            "loadfile",
            "-m",
            "not campaign and not browser",
            "--cov",
            "--cov-report=term:skip-covered",
        ],
        [*pytest, "-m", "browser", "--no-cov"],
        ["npm", "test", "--prefix", "clients/web"],
    ]
    for command in parts:
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
