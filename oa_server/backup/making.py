"""Making a backup beside running servers, and throwing old ones away."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from oa_server.app import OBJECTS as NAMED
from oa_server.app import VERSION, House
from oa_server.audit import access as audit
from oa_server.audit.verbs import Verb
from oa_server.backup import manifest
from oa_server.backup.manifest import DATABASE, LIST, OBJECTS, Backup, Head, Manifest, Stored, sync
from oa_server.backup.objects import Tell, copy_out
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict, OaError, Reason
from oa_server.files import access as files
from oa_server.storage import data_keys, snapshots
from oa_server.storage.secrets import SecretStore
from oa_server.storage.unit_of_work import unit_of_work

BUSY = Reason(
    "backup.busy",
    "另一个备份正在向这个文件夹写入，请等它完成",
    "Another backup is being written into this folder; wait for it.",
)
MASTER_KEYS = (files.MASTER_KEYS, data_keys.MASTER_KEYS)
MIGRATION = "SELECT MAX(name) FROM tortoise_migrations WHERE app = 'oa'"


async def make(house: House, directory: Path, *, keep: int | None, tell: Tell) -> Backup:
    """Copy everything as it is now into a folder of backups, and keep the newest `keep` of them.

    Raises Conflict, Unavailable; whatever ends it before, what is there is no backup and is cleared away by the next one.
    """
    secrets = SecretStore(house.settings.secrets_dir)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(directory):
        _clear(directory)
        known, made_at = _known(directory, secrets), clock.now()
        name = f"{made_at:%Y%m%dT%H%M%S.%fZ}"
        hidden = directory / f".{name}"
        hidden.mkdir(mode=0o700)
        manifest.write(hidden / DATABASE, b"")  # Closed to others before anything is in it.
        async with snapshots.copied(house.settings.database, hidden / DATABASE) as ask:
            taken = await _taken(ask)
        objects = await copy_out(house.store, taken.objects, directory / OBJECTS, known, tell)
        listed = "".join(manifest.line_of(key, stored) for key, stored in sorted(objects.items())).encode()
        manifest.write(hidden / LIST, listed)
        digest = manifest.sealed(
            hidden,
            Manifest(
                version=VERSION,
                migration=taken.migration,
                made_at=made_at,
                kind=snapshots.kind_of(house.settings.database),
                database_sha256=await asyncio.to_thread(_settled, hidden / DATABASE),
                database_size=(hidden / DATABASE).stat().st_size,
                objects_sha256=sha256(listed).hexdigest(),
                objects=len(objects),
                missing=tuple(sorted(taken.objects - objects.keys())),
                records=taken.records,
                last_record=taken.last_record,
                head=taken.head,
                keys=manifest.fingerprints(house.settings),
                master_keys=taken.master_keys,
            ),
            house.backup_key,
        )
        # On record before it can be used: no copy of everything leaves without a trace.
        async with unit_of_work(SYSTEM) as work:
            work.audit(Verb.BACKUP_MADE, "backup", name, manifest=digest, records=taken.records)
        hidden.rename(directory / name)
        sync(directory)
        if keep is not None:
            _thin(directory, keep)
    return manifest.opened(directory / name, secrets)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What the copy of the database says at its moment."""

    migration: str
    objects: set[str]
    records: int
    last_record: str
    head: Head | None
    master_keys: tuple[str, ...]


async def _taken(ask: snapshots.Ask) -> _Taken:
    ((migration,),) = await ask(MIGRATION)
    ((records, last),) = await ask(audit.LOG)
    heads = [Head(size, root) for size, root in await ask(audit.NEWEST_HEAD)]
    return _Taken(
        migration=str(migration),
        objects={named.key(value) for named in NAMED for (value,) in await ask(named.statement)},
        records=int(records),
        last_record=str(UUID(str(last))) if last else "",
        head=heads[0] if heads else None,
        master_keys=tuple(sorted({bytes(key).hex() for asked in MASTER_KEYS for (key,) in await ask(asked)})),
    )


def _known(directory: Path, secrets: SecretStore) -> dict[str, Stored]:
    """What the newest backup that is ours has of the objects, so that it need not be copied again."""
    for folder in reversed(manifest.complete(directory)):
        with suppress(OaError):
            return manifest.opened(folder, secrets).listed()
    return {}


# --- the folder of backups --------------------------------------------------------------------------------------------


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Be the only one to write here. Raises Conflict while another does."""
    with (directory / ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(BUSY) from None
        yield


def _clear(directory: Path) -> None:
    """Take away what a backup left that did not come to its end, or that was about to be thrown away."""
    for path in directory.glob(".*"):
        if path.is_dir():
            shutil.rmtree(path)


def _thin(directory: Path, keep: int) -> None:
    """Throw away all but the newest backups, and the objects that only they had."""
    folders = manifest.complete(directory)
    for folder in folders[:-keep]:
        hidden = folder.with_name(f".{folder.name}")
        folder.rename(hidden)  # From now on it is none any more, however far removing it comes.
        shutil.rmtree(hidden)
    named = {line.split()[-1] for folder in folders[-keep:] for line in (folder / LIST).read_text("utf-8").splitlines()}
    for path in (directory / OBJECTS).rglob("*"):
        if path.is_file() and path.relative_to(directory / OBJECTS).as_posix() not in named:
            path.unlink()


def _settled(file: Path) -> str:
    """Have a file on the disk that somebody else wrote. Returns its SHA-256."""
    sync(file)
    return manifest.digest_of(file)
