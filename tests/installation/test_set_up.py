"""What `make demo` needs of a machine: the least that does, and each missing thing named by its package in a sentence."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FONTS

ROOT = Path(__file__).parents[2]
FETCH = ROOT / "deploy" / "fonts" / "fetch.py"
# Fonts of each Debian package, by the beginnings of their files' names.
PACKAGES = {
    "texlive-lang-chinese": "Fandol",
    "fonts-noto-cjk": "Noto",
    "fonts-lxgw-wenkai": "LXGW",
    "fonts-babelstone-han": "BabelStone",
    "fonts-hanazono": "HanaMin",
}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The programs of a machine on which nothing is but a shell, make and the smallest tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("sh", "make", "mkdir", "touch"):
        found = shutil.which(program)
        assert found is not None
        (folder / program).symlink_to(found)
    return folder


def _set_up(bare: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The first step of `make demo`, for an environment of its own."""
    own = bare.parent / "venv"
    command = [bare / "make", "-C", str(ROOT), f"VENV={own}", f"{own}/.installed"]
    done = subprocess.run(
        command, env={"PATH": str(bare), **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert not own.exists()
    return done


def test_without_python(bare: Path) -> None:
    """Without Python its packages are named, and nothing is begun."""
    done = _set_up(bare)
    assert done.returncode != 0
    assert "Python 3.11 with venv is needed: apt-get install python3 python3-venv" in done.stderr


def test_without_venv(bare: Path, tmp_path: Path) -> None:
    """Debian's Python comes without venv's better half; that is found out before an environment without pip is made."""
    (bare / "python3").symlink_to(Path(sys.executable).resolve())
    (tmp_path / "ensurepip.py").write_text("raise ModuleNotFoundError('ensurepip')\n")
    done = _set_up(bare, PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    assert "Python 3.11 with venv is needed: apt-get install python3 python3-venv" in done.stderr


def test_fonts_nowhere(tmp_path: Path) -> None:
    """Where the fonts cannot be had at all, the last words name the packages that hold them."""
    command = [sys.executable, str(FETCH), str(tmp_path / "fonts")]
    offline = {"PATH": "/nonexistent", "PIP_NO_INDEX": "1"}
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.endswith(f"apt-get install --no-install-recommends {' '.join(PACKAGES)}")


def test_fonts_of_installed_packages(tmp_path: Path) -> None:
    """Fonts of packages that are installed are taken from them: nothing is downloaded."""
    if (FONTS / ".complete").read_text("utf-8").split()[1] != "Debian":
        pytest.skip("needs the fonts of Debian's packages")
    _as_installed(tmp_path / "dpkg")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dpkg-query").symlink_to(shutil.which("dpkg-query") or "")
    environment = {"PATH": str(programs), "DPKG_ADMINDIR": str(tmp_path / "dpkg"), "PIP_NO_INDEX": "1"}
    subprocess.run([sys.executable, str(FETCH), str(tmp_path / "fonts")], env=environment, check=True, timeout=60)
    fetched, before = ({path.name for path in folder.iterdir()} for folder in (tmp_path / "fonts", FONTS))
    assert fetched == before


def _as_installed(admin: Path) -> None:
    """A package database in which the packages are installed, with the files that the fonts were fetched to."""
    (admin / "info").mkdir(parents=True)
    (admin / "info" / "format").write_text("1\n")
    entries = []
    for package, beginning in PACKAGES.items():
        files = sorted(FONTS.glob(f"{beginning}*"))
        assert files != []
        (admin / "info" / f"{package}.list").write_text("".join(f"{file}\n" for file in files))
        entries.append(
            f"Package: {package}\nStatus: install ok installed\nMaintainer: nobody\nArchitecture: all\n"
            "Version: 1\nDescription: fonts\n"
        )
    (admin / "status").write_text("\n".join(entries))
    (admin / "updates").mkdir()
