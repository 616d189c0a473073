#!/usr/bin/env python3
"""Fetch the free fonts that official documents are laid out with: `fetch.py DIRECTORY`.

They come from Debian packages: from those that are installed, the others downloaded and unpacked without root and without
installing anything. Where Debian cannot be reached, stand-ins come from PyPI and npm (one weight of Noto, and LXGW WenKai),
and the server's banner names them. Everything is put together beside DIRECTORY, opened once to prove it whole, and moved into
place in one rename: an interrupted run leaves nothing behind that a later run would trust. A run that finds its work done ends
at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

# Which files are taken out of which Debian package (bookworm and later). Licences: Fandol GPL-3 with font exception,
# Noto and LXGW WenKai OFL-1.1, BabelStone Han under the Arphic licence, HanaMin under its own free licence.
DEBIAN: Mapping[str, tuple[str, ...]] = {
    "texlive-lang-chinese": (
        "FandolFang-Regular.otf",
        "FandolKai-Regular.otf",
        "FandolHei-Regular.otf",
        "FandolSong-Regular.otf",
    ),
    "fonts-noto-cjk": ("NotoSerifCJK-Bold.ttc", "NotoSerifCJK-Regular.ttc", "NotoSansCJK-Regular.ttc"),
    "fonts-lxgw-wenkai": ("LXGWWenKai-Regular.ttf", "LXGWWenKai-Light.ttf"),
    "fonts-babelstone-han": ("BabelStoneHan.ttf",),
    "fonts-hanazono": ("HanaMinB.ttf",),
}
WHEEL, WHEEL_FONTS = "pylopdf-fonts-zh-cn==0.1.1", ("NotoSerifSC-Regular.otf", "NotoSansSC-Regular.otf")
NPM, NPM_FONT = "@fontsource/lxgw-wenkai@5.3.0", "package/files/lxgw-wenkai-latin-500-normal.woff2"

NO_FONTS = f"""\
The fonts can be had neither from Debian nor from the package indexes. Connect this machine to one of them, or have the fonts
installed: apt-get install --no-install-recommends {" ".join(DEBIAN)}"""

# Written last into a complete directory; raise the number when the lists above change.
MARK, EDITION = ".complete", "2"


def main(target: Path) -> None:
    """Make `target` hold the fonts."""
    if is_complete(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        ready = Path(scratch, "ready")
        source = fill(ready, Path(scratch))
        check_fonts(ready)
        (ready / MARK).write_text(f"{EDITION} {source}\n", "utf-8")
        put_in_place(ready, target)
    sys.stderr.write(f"fonts from {source} are in {target}\n")


def is_complete(target: Path) -> bool:
    """Whether an earlier run of this edition has finished."""
    try:
        return (target / MARK).read_text("utf-8").split()[:1] == [EDITION]
    except OSError:
        return False


def fill(ready: Path, scratch: Path) -> str:
    """Put the fonts into `ready`; the name of the source they came from. Exits with a sentence when there is none."""
    try:
        ready.mkdir()
        fetch_debian(ready, scratch)
    except (subprocess.SubprocessError, OSError) as error:
        sys.stderr.write(f"Debian's font packages cannot be had ({error}); fetching stand-ins\n")
    else:
        return "Debian"
    shutil.rmtree(ready)
    ready.mkdir()
    try:
        fetch_stand_ins(ready, scratch)
    except (subprocess.SubprocessError, OSError):
        sys.exit(NO_FONTS)
    return "stand-ins"


def fetch_debian(ready: Path, scratch: Path) -> None:
    """Take the fonts out of the packages: installed ones, and ones downloaded through apt, which checks their digests."""
    debs, absent = scratch / "debs", []
    for package, names in DEBIAN.items():
        found = installed(package, names)
        for name, path in found.items():
            shutil.copyfile(path, ready / name)
        if len(found) < len(names):
            absent.append(package)
    if absent:
        debs.mkdir()
        download_packages(absent, debs, scratch)
    for package in absent:
        archive = next(debs.glob(f"{package}_*.deb"))
        tree = scratch / package
        run("dpkg-deb", "-x", str(archive), str(tree))
        for name in DEBIAN[package]:
            shutil.move(next(path for path in tree.rglob(name) if path.is_file()), ready / name)
        shutil.rmtree(tree)


def installed(package: str, names: Sequence[str]) -> dict[str, Path]:
    """Where these files of a package lie on this machine; nothing for a package that is not installed."""
    listed = subprocess.run(["dpkg-query", "-L", package], capture_output=True, text=True, check=False)
    paths = map(Path, listed.stdout.splitlines())
    return {path.name: path for path in paths if path.name in names and path.is_file()}


def download_packages(packages: Sequence[str], debs: Path, scratch: Path) -> None:
    try:
        run("apt-get", "-qq", "download", *packages, cwd=debs)
    except subprocess.CalledProcessError:
        # Trimmed images have no package lists: fetch them into a state folder of our own, which needs no root.
        (scratch / "apt/lists/partial").mkdir(parents=True)
        (scratch / "apt/cache/archives/partial").mkdir(parents=True)
        own = ("-o", f"Dir::State::lists={scratch}/apt/lists", "-o", f"Dir::Cache={scratch}/apt/cache")
        run("apt-get", *own, "-qq", "update")
        run("apt-get", *own, "-qq", "download", *packages, cwd=debs)


def fetch_stand_ins(ready: Path, scratch: Path) -> None:
    """The smallest set that covers every character of the 通用规范汉字表, in the wrong faces."""
    run(sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--dest", str(scratch), WHEEL)
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        for name in WHEEL_FONTS:
            member = next(member for member in wheel.namelist() if member.endswith(f"/{name}"))
            (ready / name).write_bytes(wheel.read(member))
    run("npm", "pack", "--loglevel=error", "--pack-destination", str(scratch), NPM)
    with tarfile.open(next(scratch.glob("*.tgz"))) as package:
        unpack_woff2(package, ready / "LXGWWenKai-Regular.ttf")


def unpack_woff2(package: tarfile.TarFile, font_path: Path) -> None:
    """The layout engine reads TTF, the web package holds WOFF2."""
    from fontTools.ttLib import TTFont

    member = package.extractfile(NPM_FONT)
    if member is None:
        raise FileNotFoundError(NPM_FONT)
    with member, TTFont(member) as font:
        font.flavor = None
        font.save(font_path)


def check_fonts(ready: Path) -> None:
    """Open every font and read its character map. Raises what fontTools raises for a broken one."""
    from fontTools.ttLib import TTFont

    for path in sorted(ready.iterdir()):
        with TTFont(path, fontNumber=0, lazy=True) as font:
            if not font.getBestCmap():
                raise ValueError(f"{path.name} maps no characters")


def put_in_place(ready: Path, target: Path) -> None:
    """Swap the finished directory in. Two runs at once both end well: the second finds the first one's work."""
    old = ready.with_name("old")
    with suppress(FileNotFoundError):
        target.rename(old)
    try:
        ready.rename(target)
    except OSError:
        if not is_complete(target):
            raise


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a program quietly; npm of the environment's own Node comes before the system's."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    with quiet_error(command[0]):
        subprocess.run(
            command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env=os.environ | {"PATH": path}, timeout=900,
        )  # fmt: skip


@contextmanager
def quiet_error(program: str) -> Iterator[None]:
    """Pass a failure on with the last line the program said, for whoever reads the build log."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:]
        sys.stderr.write(f"{program}: {' '.join(last)}\n")
        raise


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("usage: fetch.py DIRECTORY")
    main(Path(sys.argv[1]))
