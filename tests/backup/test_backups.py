"""What becomes of a backup that was spoilt, interrupted, or brought to the wrong place: it is told, and nothing is half done."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from oa_server.app import open_house
from oa_server.audit import actions as audit
from oa_server.audit.copies import copy_heads
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.backup import manifest
from oa_server.backup.manifest import DATABASE, LIST, MANIFEST, OBJECTS, Backup
from oa_server.backup.objects import check
from oa_server.backup.restoring import Lack, restore
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict, NotFound, OaError
from oa_server.identity.models import Session
from oa_server.settings import Settings, save
from oa_server.storage import snapshots
from oa_server.storage.objects import open_store
from oa_server.storage.secrets import SecretStore
from oa_server.storage.unit_of_work import unit_of_work
from oa_server.verification import sequence_all
from tests.audit.test_command_line import oa
from tests.backup.conftest import Empty, backed_up
from tests.faults.house import faults

# A command that dies, by its own hand and as hard as it can, when the first object is done.
DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from oa_server.app import open_house
from oa_server.backup import making, manifest, restoring
from oa_server.settings import load
from oa_server.storage.secrets import SecretStore

def tell(_done, _count):
    os.kill(os.getpid(), signal.SIGKILL)

async def make(settings, directory):
    async with open_house(settings) as house:
        await making.make(house, directory, keep=None, tell=tell)

async def restore(settings, directory):
    found = manifest.newest(directory, SecretStore(settings.secrets_dir))
    await restoring.restore(settings, found, reuse_objects=False, tell=tell)

asyncio.run(globals()[sys.argv[1]](load(environ=os.environ), Path(sys.argv[2])))
"""


def dies_over(verb: str, settings: Settings, directory: Path) -> None:
    file = settings.data_dir / "settings.toml"
    save(settings, file)
    command = [sys.executable, "-c", DIES, verb, str(directory)]
    done = subprocess.run(command, env=os.environ | {"OA_SETTINGS": str(file)}, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()


def put_back(settings: Settings, directory: Path, *, reuse_objects: bool = False) -> list[Lack]:
    """What `oa restore` does before it verifies."""
    found = manifest.newest(directory, SecretStore(settings.secrets_dir))
    manifest.check_fits(found.manifest, settings, snapshots.kind_of(settings.database))
    return asyncio.run(restore(settings, found, reuse_objects=reuse_objects, tell=lambda _done, _count: None))


def refusal(settings: Settings, directory: Path) -> OaError:
    with pytest.raises(OaError) as refused:
        put_back(settings, directory)
    return refused.value


def checked(backup: Backup) -> list[str]:
    return asyncio.run(check(backup, lambda _done, _count: None))


async def _is_whole(settings: Settings) -> None:
    async with open_house(settings) as house:
        assert await faults(house) == []
        assert await AuditRecord.filter(verb=Verb.BACKUP_RESTORED).count() == 1
        assert await Session.filter(ended_at=None).count() == 0


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_what_was_changed_is_told(office: Settings, empty: Empty, tmp_path: Path) -> None:
    """One flipped bit in the manifest, the list, the database or an object is told by checking, and refused before anything is
    restored of the database."""
    backup, fresh = backed_up(office, tmp_path / "kept"), empty(office)
    assert checked(backup) == []
    some = next(path for path in backup.objects.rglob("*") if path.is_file())
    for file in (MANIFEST, LIST, DATABASE, some.relative_to(backup.folder.parent)):
        shutil.copytree(tmp_path / "kept", tmp_path / "spoilt")
        inside = tmp_path / "spoilt" / (file if isinstance(file, Path) else Path(backup.folder.name, file))
        flip(inside)
        assert refusal(fresh, tmp_path / "spoilt").code == "backup.changed", file
        assert asyncio.run(snapshots.is_empty(fresh.database))
        shutil.rmtree(tmp_path / "spoilt")
    flip(some)
    told = oa(fresh, "backup", tmp_path / "kept", "--check")
    assert (told.returncode, told.stdout) == (1, f"{some.relative_to(backup.folder.parent)}：缺少或被改动\n")


def test_nothing_is_overwritten(office: Settings, empty: Empty, tmp_path: Path) -> None:
    """A database or a store that is not empty is refused and stays as it was; a store that survived is taken when asked."""
    backed_up(office, tmp_path / "kept")
    assert refusal(office, tmp_path / "kept").code == "backup.not_empty"
    fresh = empty(office)
    store = open_store(fresh.object_store)
    asyncio.run(store.prepare())
    asyncio.run(store.put("files/other", b"somebody's"))
    refused = refusal(fresh, tmp_path / "kept")
    assert (refused.code, refused.facts) == ("backup.store_not_empty", {"objects": 1, "example": "files/other"})
    assert asyncio.run(snapshots.is_empty(fresh.database))
    put_back(fresh, tmp_path / "kept", reuse_objects=True)
    asyncio.run(_is_whole(fresh))
    assert refusal(fresh, tmp_path / "kept").code == "backup.not_empty"


def test_the_right_keys_program_and_kind(office: Settings, empty: Empty, tmp_path: Path) -> None:
    """Other master keys, another installation's backup key, none at all, a newer program's backup and another kind of database
    are each refused by name."""
    backup = backed_up(office, tmp_path / "kept")
    fresh = empty(office)
    for name, code in (("master-key", "backup.keys_missing"), ("backup-key", "backup.other_key")):
        before = (fresh.secrets_dir / name).read_bytes()
        (fresh.secrets_dir / name).write_bytes(os.urandom(32))
        assert refusal(fresh, tmp_path / "kept").code == code
        (fresh.secrets_dir / name).write_bytes(before)
    secret = SecretStore(fresh.secrets_dir).get("backup-key")
    for change, code in (
        ({"migration": "9999_later"}, "backup.newer"),
        ({"format": 2}, "backup.newer"),
        ({"kind": "another"}, "backup.other_kind"),
    ):
        manifest.sealed(backup.folder, msgspec.structs.replace(backup.manifest, **change), secret)
        assert refusal(fresh, tmp_path / "kept").code == code
    (fresh.secrets_dir / "backup-key").unlink()
    assert refusal(fresh, tmp_path / "kept").code == "backup.no_key"
    assert not (fresh.secrets_dir / "backup-key").exists(), "a key was invented"
    with pytest.raises(NotFound):
        manifest.newest(tmp_path, SecretStore(office.secrets_dir))


def test_killed_in_the_middle(office: Settings, empty: Empty, tmp_path: Path) -> None:
    """kill -9 in a backup leaves none, and the next one clears up; in a restore, before the database came and after it, the
    same command finishes what was begun."""
    directory = tmp_path / "kept"
    dies_over("make", office, directory)
    assert manifest.complete(directory) == []
    assert len([path for path in directory.glob(".2*") if path.is_dir()]) == 1
    backup = backed_up(office, directory)
    assert {path.name for path in directory.iterdir()} == {".lock", OBJECTS, backup.folder.name}
    fresh = empty(office)
    dies_over("restore", fresh, directory)
    assert asyncio.run(snapshots.is_empty(fresh.database))
    asyncio.run(snapshots.put_back(fresh.database, backup.folder / DATABASE))  # The next one dies just after this.
    put_back(fresh, directory)
    asyncio.run(_is_whole(fresh))


def test_only_what_is_new_is_copied(office: Settings, tmp_path: Path) -> None:
    """A second backup copies no object anew but one that is damaged, tells of what the store has lost, and keeps as many
    backups as asked; no file of it is open to others, and no secret is in it."""
    directory = tmp_path / "kept"
    first = backed_up(office, directory)
    objects = sorted(path for path in first.objects.rglob("*") if path.is_file())
    before = {path: path.stat().st_ino for path in objects}
    cut, gone = objects[0], objects[1]
    cut.write_bytes(b"")
    key = gone.relative_to(first.objects).as_posix()
    store, lost = open_store(office.object_store), gone.read_bytes()
    gone.unlink()
    asyncio.run(store.delete(key))
    (first.objects / "stray").write_bytes(b"?")
    second = backed_up(office, directory, keep=1)
    asyncio.run(store.put(key, lost))  # Other tests' cities share the bucket.
    assert (second.manifest.missing, checked(second)) == ((key,), [])
    assert manifest.complete(directory) == [second.folder]
    now = {path: path.stat().st_ino for path in second.objects.rglob("*") if path.is_file()}
    assert {path for path, inode in now.items() if before.get(path) != inode} == {cut}
    everything = [path for path in directory.rglob("*") if path.name != ".lock"]
    assert {path.stat().st_mode & 0o077 for path in everything} == {0}
    secrets = [path.read_bytes() for path in office.secrets_dir.iterdir()]
    assert not any(secret in path.read_bytes() for path in everything if path.is_file() for secret in secrets)


async def _act_and_copy(settings: Settings) -> int:
    """Something happens; the head that is signed over it is copied outside. Returns its size."""
    async with open_house(settings) as house:
        async with unit_of_work(SYSTEM) as work:
            work.audit(Verb.SIGN_IN_REFUSED, "certificate", "1", code="identity.wrong_signature")
        await sequence_all()
        head = await audit.sign_head()
        assert head is not None
        await copy_heads(house.head_copies)
        return int(head.size)


def test_what_was_lost_is_named(office: Settings, empty: Empty, tmp_path: Path) -> None:
    """A log that was set back is found out by the head that lies elsewhere, and no copy is made over that one; `oa restore`
    names what is lacking, leaves it on record, and goes on from there."""
    (tmp_path / "elsewhere").mkdir()
    kept = msgspec.structs.replace(office, head_copies=(f"file://{tmp_path}/elsewhere",))
    asyncio.run(_act_and_copy(kept))
    backup = backed_up(kept, tmp_path / "kept")
    size = asyncio.run(_act_and_copy(kept))
    by_hand = empty(kept)
    asyncio.run(snapshots.put_back(by_hand.database, backup.folder / DATABASE))
    with pytest.raises(Conflict) as refused:
        asyncio.run(_act_and_copy(by_hand))
    assert (refused.value.code, refused.value.facts) == ("audit.set_back", {"size": size})
    fresh = empty(kept)
    (lack,) = put_back(fresh, tmp_path / "kept")
    assert lack.size == size
    assert list((tmp_path / "elsewhere" / "audit-heads").glob(f"lost-{size:012d}-*.json"))
    asyncio.run(_is_whole(fresh))
    asyncio.run(_act_and_copy(fresh))


def test_one_at_a_time(office: Settings, tmp_path: Path) -> None:
    """A second backup into a folder that is being written into is refused."""

    async def two() -> list[object]:
        from oa_server.backup.making import make

        async with open_house(office) as house:
            both = [make(house, tmp_path / "kept", keep=None, tell=lambda _done, _count: None) for _ in range(2)]
            return await asyncio.gather(*both, return_exceptions=True)

    results = asyncio.run(two())
    assert [getattr(result, "code", None) for result in results].count("backup.busy") == 1
    assert len(manifest.complete(tmp_path / "kept")) == 1


def test_the_tools_of_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools older than the server are none; of several the server's own version is taken, and no password is on its command
    line; what it complains of is told."""
    for version in ("13", "15", "17"):
        program = tmp_path / version / "bin" / "pg_dump"
        program.parent.mkdir(parents=True)
        program.write_text(
            f'#!/bin/sh\n[ "$*" = --version ] && exec echo "pg_dump (PostgreSQL) {version}.1"\n'
            f'echo "{version} $*" >&2\nexit 1\n'
        )
        program.chmod(0o755)
    monkeypatch.setattr(snapshots, "TOOL_FOLDERS", tmp_path)
    monkeypatch.setattr(snapshots.shutil, "which", lambda _name: None)
    with pytest.raises(OaError) as refused:
        asyncio.run(snapshots._tool("pg_dump", 18))
    assert (refused.value.code, refused.value.facts) == ("storage.no_tools", {"program": "pg_dump", "server": 18})
    assert asyncio.run(snapshots._tool("pg_dump", 16)).parts[-3] == "17"
    tool = asyncio.run(snapshots._tool("pg_dump", 15))
    with pytest.raises(Conflict) as failed:
        asyncio.run(snapshots._run(tool, "postgres://oa:geheim@127.0.0.1/oa", ["--file=x"]))
    assert (failed.value.code, failed.value.facts["said"].split()[:2]) == (
        "storage.tool_failed",
        ["15", "--no-password"],
    )
    assert "geheim" not in failed.value.facts["said"]
