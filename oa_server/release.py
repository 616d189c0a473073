"""The program as it was released: every file of it is held against a signed list before a server or worker starts.

`RELEASE.sha256` is what `sha256sum` writes of the whole tree, `RELEASE.sig` a signature over it; `deploy/sign-release.sh` makes
both, and `sha256sum -c` and `openssl dgst -verify` check them as well (GB/T 22239-2019, 8.1.4.6). What is checked is what was
released: the interpreter, the packages that it installs and the web client that is built on the spot are the machine's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from cryptography import x509

from crypto.cms import check_signature
from crypto.errors import CryptoError
from oa_server.app import open_house
from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict, OaError, Reason
from oa_server.settings import Settings
from oa_server.storage.unit_of_work import unit_of_work

MANIFEST, SIGNATURE = "RELEASE.sha256", "RELEASE.sig"
PACKAGES = ("crypto", "migrations", "oa_server")
MANIFEST_LIMIT = 4 << 20

UNSIGNED = Reason(
    "release.unsigned",
    "程序目录中没有发布清单或签名，或签名不是所信任的发布者的，不能启动；请重新安装发布包",
    "The program has no list of its files that the trusted publisher signed; install the release anew.",
)
CHANGED = Reason(
    "release.changed",
    "程序文件与发布时不一致，不能启动；请查明原因后重新安装发布包",
    "A file of the program is not as it was released; find out why, then install the release anew.",
)
COMPILED = Reason(
    "release.compiled",
    "程序目录中有编译过的文件，不能启动；请设置环境变量 PYTHONDONTWRITEBYTECODE=1，删除程序目录中的 __pycache__",
    "Compiled modules lie among the program's; set PYTHONDONTWRITEBYTECODE=1 and remove __pycache__.",
)


def check_release(root: Path, certificate: Path) -> None:
    """Hold every file of a release against its list. `certificate` is its publisher's, in PEM. Raises Conflict naming a file that
    was changed, removed, or added to the packages that run."""
    listed = _listed(root, certificate)
    for name, digest in listed.items():
        if _digest(root / name) != digest:
            raise Conflict(CHANGED, file=name)
    strays = sorted(set(_running(root)) - listed.keys())
    if strays:
        raise Conflict(COMPILED if strays[0].endswith(".pyc") else CHANGED, file=strays[0])


def _listed(root: Path, certificate: Path) -> dict[str, str]:
    """The digests of the signed list by the names of their files. Raises Conflict."""
    try:
        with (root / MANIFEST).open("rb") as file:
            manifest = file.read(MANIFEST_LIMIT)
        publisher = x509.load_pem_x509_certificate(certificate.read_bytes())
        check_signature(publisher, (root / SIGNATURE).read_bytes(), manifest)
        lines = (line.split("  ", 1) for line in manifest.decode().splitlines())
        return {name.removeprefix("./"): digest for digest, name in lines}
    except (OSError, CryptoError, ValueError) as error:
        raise Conflict(UNSIGNED, str(error)) from error


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _running(root: Path) -> Iterator[str]:
    """Every file of the packages that run. Compiled modules are among them: one that was put beside its source would run in its
    place, so a checked installation keeps none; nor links, which would lead out of the list."""
    for package in PACKAGES:
        for path in (root / package).rglob("*"):
            if path.is_symlink() or not path.is_dir():
                yield path.relative_to(root).as_posix()


async def keep_refusal(settings: Settings, refused: OaError) -> None:
    """Put on record that the program did not start, and for which file."""
    async with open_house(settings), unit_of_work(SYSTEM) as work:
        work.audit(
            Verb.RELEASE_REFUSED, "installation", settings.name, reason=refused.code, file=refused.facts.get("file", "")
        )
