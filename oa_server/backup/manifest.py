"""What a backup says of itself, and whether to believe it.

DIRECTORY/objects/…                     every object that some backup here names, by its key
DIRECTORY/20261126T204512.123456Z/      one complete backup
    manifest.json  manifest.hmac        what it holds; HMAC-SHA-256 (hex) of these bytes under the secret `backup-key`
    database                            the SQLite file, or pg_dump's custom format
    objects.txt                         a line for each object: SHA-256, size in bytes, key
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path

import msgspec

import migrations
from crypto import envelope
from oa_server.core.errors import Conflict, NotFound, Reason
from oa_server.settings import Settings
from oa_server.storage.master_keys import STEM
from oa_server.storage.secrets import SecretStore

BACKUP_KEY = "backup-key"
DATABASE, LIST, MANIFEST, SEAL, OBJECTS = "database", "objects.txt", "manifest.json", "manifest.hmac", "objects"
FORMAT = 1
# Without these nothing that was restored could be read, or the authority would be another one.
NEEDED = ("secrets/authority-passphrase", "authority/root.key", "authority/issuing.key")

NONE_HERE = Reason("backup.none_here", "这里没有完整的备份", "There is no complete backup here.")
NO_KEY = Reason(
    "backup.no_key",
    "本机没有密钥 secrets/backup-key，请先从单独保管的介质取回 secrets 和 authority 两个文件夹",
    "The secret backup-key is not here; bring back the folders of keys from their own medium first.",
)
OTHER_KEY = Reason(
    "backup.other_key",
    "备份由另一个系统制作：backup-key 与清单所记不符，请取回制作备份时的密钥",
    "The backup was made with another backup-key; bring back the keys of that installation.",
)
CHANGED = Reason(
    "backup.changed",
    "备份被改动或不完整，不能使用，请改用另一份备份，并保全这一份",
    "The backup was changed or is not complete; use another one and keep this as evidence.",
)
NEWER = Reason(
    "backup.newer",
    "备份由更新版本的程序制作，请先安装不低于清单所记版本的程序",
    "The backup was made by a newer version; install that version or a later one first.",
)
OTHER_KIND = Reason(
    "backup.other_kind",
    "备份中的数据库与设置 database_url 不是同一种，请按备份时的设置恢复",
    "The backup holds another kind of database than the settings name.",
)
KEYS_MISSING = Reason(
    "backup.keys_missing",
    "缺少恢复所需的密钥，或与备份时不同，请从单独保管的介质取回",
    "Keys that the backup needs are missing or are other ones; bring them back from their own medium.",
)


class Head(msgspec.Struct, frozen=True):
    """The newest signed head of the audit log in the copy."""

    size: int
    root: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`keys` are files by their path below the data folder, with fingerprints; `master_keys` the ids of those that something
    is wrapped under; `records` how many acts the log has, `last_record` the last of them. `missing` are objects that the
    database names and the store had lost before."""

    format: int = FORMAT
    version: str
    migration: str
    made_at: datetime
    kind: str
    database_sha256: str
    database_size: int
    objects_sha256: str
    objects: int
    missing: tuple[str, ...] = ()
    records: int
    last_record: str
    head: Head | None
    keys: Mapping[str, str]
    master_keys: tuple[str, ...]


class Stored(msgspec.Struct, frozen=True):
    """An object as it lies in the folder of backups."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Backup:
    """A complete backup whose manifest is ours."""

    folder: Path
    manifest: Manifest
    digest: str

    @property
    def objects(self) -> Path:
        return self.folder.parent / OBJECTS

    def has_its_database(self) -> bool:
        """Whether the copy of the database is the one that the manifest speaks of."""
        return digest_of(self.folder / DATABASE) == self.manifest.database_sha256

    def listed(self) -> dict[str, Stored]:
        """The objects by their keys. Raises Conflict when the list is not the one that the manifest speaks of."""
        data = _bytes_of(self.folder / LIST)
        if sha256(data).hexdigest() != self.manifest.objects_sha256:
            raise Conflict(CHANGED, file=LIST)
        return {key: Stored(digest, int(size)) for digest, size, key in map(str.split, data.decode().splitlines())}


def line_of(key: str, stored: Stored) -> str:
    """How the list says it."""
    return f"{stored.sha256} {stored.size} {key}\n"


def complete(directory: Path) -> list[Path]:
    """The folders of complete backups, the oldest first."""
    return sorted(path.parent for path in directory.glob(f"*/{MANIFEST}") if not path.parent.name.startswith("."))


def newest(place: Path, secrets: SecretStore) -> Backup:
    """The backup in this folder, or the newest in a folder of backups. Raises NotFound, Conflict."""
    folders = [place] if (place / MANIFEST).exists() else complete(place)
    if not folders:
        raise NotFound(NONE_HERE)
    return opened(folders[-1], secrets)


def opened(folder: Path, secrets: SecretStore) -> Backup:
    """A backup, once its manifest is known to be ours. Raises Conflict, NotFound."""
    key = secrets.read(BACKUP_KEY)
    if key is None:
        raise NotFound(NO_KEY)
    data, told = _bytes_of(folder / MANIFEST), _bytes_of(folder / SEAL)
    if not hmac.compare_digest(_seal(key, data), told.strip()):
        raise Conflict(OTHER_KEY if _names_another(data, key) else CHANGED, file=MANIFEST)
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.ValidationError as error:
        raise Conflict(NEWER) from error
    return Backup(folder, manifest, sha256(data).hexdigest())


def sealed(folder: Path, manifest: Manifest, key: bytes) -> str:
    """Write a manifest and its seal. Returns the manifest's SHA-256."""
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    write(folder / MANIFEST, data)
    write(folder / SEAL, _seal(key, data) + b"\n")
    return sha256(data).hexdigest()


def _seal(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, b"oa/backup/1\0" + data, "sha256").hex().encode()


def _names_another(data: bytes, key: bytes) -> bool:
    """Whether the manifest, of which nothing is believed yet, says itself that it was made with another key."""
    try:
        told = msgspec.json.decode(data, type=Manifest).keys
    except (msgspec.DecodeError, UnicodeError):
        return False
    name = f"secrets/{BACKUP_KEY}"
    return name in told and told[name] != _fingerprint(name, key)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise Conflict(CHANGED, file=file.name) from None


def write(file: Path, data: bytes) -> None:
    """Leave a file that only its owner reads, durable."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_of(file: Path) -> str:
    """The SHA-256 of a file, read piece by piece; nothing for one that is missing."""
    if not file.exists():
        return ""
    with file.open("rb") as handle:
        return file_digest(handle, "sha256").hexdigest()


# --- keys, by reference -----------------------------------------------------------------------------------------------


def fingerprints(settings: Settings) -> dict[str, str]:
    """Every file of keys that this installation lives by, with what it can be recognised by and not be guessed from."""
    return {name: _fingerprint(name, path.read_bytes()) for name, path in _key_files(settings)}


def _key_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    for folder in (settings.secrets_dir, settings.authority_dir):
        for path in sorted(folder.glob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield f"{folder.name}/{path.name}", path


def _fingerprint(name: str, key: bytes) -> str:
    return sha256(b"oa/backup/key/1\0" + name.encode() + b"\0" + key).hexdigest()[:32]


def check_fits(manifest: Manifest, settings: Settings, kind: str) -> list[str]:
    """Whether this program, these settings and these keys can take the backup. Raises Conflict.

    Returns the files of keys that differ from those of that time and are not needed to read what is restored.
    """
    known = {path.stem for path in Path(migrations.__path__[0]).glob("*.py")}
    if manifest.format != FORMAT or manifest.migration not in known:
        raise Conflict(NEWER, version=manifest.version)
    if manifest.kind != kind:
        raise Conflict(OTHER_KIND, kind=manifest.kind)
    here = fingerprints(settings)
    different = [name for name, told in manifest.keys.items() if here.get(name) != told]
    secrets = SecretStore(settings.secrets_dir)
    masters = {envelope.master_key_id(secrets.read(name) or b"").hex() for name in secrets.names(STEM)}
    missing = [f"master-key {key_id}" for key_id in manifest.master_keys if key_id not in masters]
    if needed := [*missing, *(name for name in different if name in NEEDED)]:
        raise Conflict(KEYS_MISSING, keys=needed)
    return different
