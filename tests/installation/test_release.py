"""A program that is not as it was released does not start, and says which file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from oa_server.audit.verbs import Verb
from oa_server.core.errors import Conflict
from oa_server.release import CHANGED, COMPILED, UNSIGNED, check_release
from oa_server.settings import save
from tests.conftest import Founded

ROOT = Path(__file__).parents[2]
RUNNING = ("crypto", "migrations", "oa_server")


def publisher(folder: Path, name: str = "publisher") -> tuple[Path, Path]:
    """Somebody who signs releases: their key and their certificate."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    made = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=发布者",
        "-utf8",
    ]
    subprocess.run(["openssl", *made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


@pytest.fixture
def release(tmp_path: Path) -> tuple[Path, Path]:
    """An unpacked and signed release, and its publisher's certificate."""
    tree = tmp_path / "release"
    for package in RUNNING:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    (tree / "deploy").mkdir()
    (tree / "deploy" / "手册.md").write_text("手册")
    key, certificate = publisher(tmp_path)
    subprocess.run([ROOT / "deploy" / "sign-release.sh", tree, key], check=True)
    return tree, certificate


def test_as_released(release: tuple[Path, Path]) -> None:
    """What is as it was released passes, and the ordinary commands find it so, too."""
    tree, certificate = release
    check_release(tree, certificate)
    subprocess.run(["sha256sum", "--quiet", "-c", "RELEASE.sha256"], cwd=tree, check=True)


@pytest.mark.norm("D-8.1.4.6")
@pytest.mark.parametrize(
    ("spoil", "code", "file"),
    [
        (lambda tree: (tree / "oa_server/app.py").write_text("#"), CHANGED, "oa_server/app.py"),
        (lambda tree: (tree / "deploy/手册.md").unlink(), CHANGED, "deploy/手册.md"),
        (lambda tree: (tree / "crypto/extra.py").write_text(""), CHANGED, "crypto/extra.py"),
        (lambda tree: (tree / "oa_server/audit/__init__.pyc").write_text(""), COMPILED, "oa_server/audit/__init__.pyc"),
        (lambda tree: (tree / "crypto/linked").symlink_to(tree / "deploy"), CHANGED, "crypto/linked"),
        (lambda tree: (tree / "RELEASE.sha256").write_text("0  x\n"), UNSIGNED, None),
        (lambda tree: (tree / "RELEASE.sig").unlink(), UNSIGNED, None),
        (lambda tree: (tree / "RELEASE.sig").write_bytes(b""), UNSIGNED, None),
    ],
)  # fmt: skip
def test_what_does_not_pass(release: tuple[Path, Path], spoil: object, code: object, file: str | None) -> None:
    """A file that was changed, taken away or put beside the others is named; a list that the publisher did not sign is none."""
    tree, certificate = release
    assert callable(spoil)
    spoil(tree)
    with pytest.raises(Conflict) as refused:
        check_release(tree, certificate)
    assert (refused.value.reason, refused.value.facts.get("file")) == (code, file)


def test_another_publisher(release: tuple[Path, Path], tmp_path: Path) -> None:
    """A list that somebody else signed anew is none."""
    tree, certificate = release
    (tree / "oa_server/app.py").write_text("print('somebody else')")
    subprocess.run([ROOT / "deploy" / "sign-release.sh", tree, publisher(tmp_path, "other")[0]], check=True)
    with pytest.raises(Conflict) as refused:
        check_release(tree, certificate)
    assert refused.value.reason is UNSIGNED


@pytest.mark.norm("D-8.1.4.6")
def test_a_changed_program_does_not_start(
    release: tuple[Path, Path], founded_embedded: Founded, tmp_path: Path
) -> None:
    """`oa serve` of a program with one changed byte ends with the name of the file, which is on record, and with a status of its
    own, after which nobody starts it again by himself."""
    tree, certificate = release
    settings = founded_embedded.copy(tmp_path / "var")
    file = tree / "migrations" / "__init__.py"
    file.write_text(file.read_text() + "\n")
    named = tmp_path / "settings.toml"
    save(msgspec.structs.replace(settings, release_certificate=str(certificate)), named)
    ran = _oa(tree, named, "serve")
    assert ran.returncode == os.EX_CONFIG
    assert "migrations/__init__.py" in ran.stderr
    assert "与发布时不一致" in ran.stderr
    with closing(sqlite3.connect(settings.data_dir / "oa.sqlite3")) as database:
        (found,) = database.execute(
            "SELECT count(*) FROM audit_record WHERE verb = ?", [Verb.RELEASE_REFUSED]
        ).fetchone()
    assert found == 1
    assert _oa(ROOT, named, "audit", "verify").returncode == 0


def test_a_whole_program_starts_again(release: tuple[Path, Path], founded_embedded: Founded, tmp_path: Path) -> None:
    """A release that is whole starts, and having run leaves nothing behind that would keep it from starting the next time."""
    tree, certificate = release
    settings = founded_embedded.copy(tmp_path / "var")
    named = tmp_path / "settings.toml"
    save(
        msgspec.structs.replace(settings, release_certificate=str(certificate), socket=str(tmp_path / "oa.sock")), named
    )
    with subprocess.Popen(_command("serve"), cwd=tree, env=_environment(tree, named)) as server:
        try:
            assert _is_alive(tree, named)
        finally:
            server.terminate()
    check_release(tree, certificate)


def _is_alive(tree: Path, settings: Path) -> bool:
    """Whether a server answers within half a minute."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if _oa(tree, settings, "alive").returncode == 0:
            return True
        time.sleep(0.2)
    return False


def _oa(tree: Path, settings: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = _environment(tree, settings)
    return subprocess.run(
        _command(*arguments), cwd=tree, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "oa_server", *arguments]


def _environment(tree: Path, settings: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "OA_SETTINGS": str(settings)}
