"""The master keys of this installation, under which those of objects are wrapped: one, or several while a new one takes over.

Each is a secret of its own, `master-key`, `master-key.2` and so on; the one with the greatest number is the newest. Any process
may add one or destroy one at any time, so the folder is asked, not this process's memory.
"""

from __future__ import annotations

from crypto import envelope
from crypto.errors import EnvelopeRefused
from oa_server.core.errors import Reason, Unavailable
from oa_server.storage.secrets import SecretStore

STEM = "master-key"
KEY_AWAY = Reason(
    "storage.master_key_away",
    "主密钥暂时无法读取，操作未生效，请联系系统管理员",
    "The master key cannot be read; nothing was changed.",
)


class MasterKeys:
    """Wraps under the newest key, and opens what any of them wrapped."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets
        if not secrets.names(STEM):
            secrets.get(STEM)
        self._keys: dict[bytes, bytes] = {}
        self._load()

    def ids(self) -> list[bytes]:
        """By what name wrapped keys remember each key, the newest last. Raises Unavailable."""
        self._load()
        return list(self._keys)

    def add(self) -> None:
        """Make the key after the newest. Of two who do at once both get the same one."""
        newest = self._secrets.names(STEM)[-1]
        self._secrets.get(f"{STEM}.{int(newest.partition('.')[2] or 1) + 1}")

    def destroy(self, key_id: bytes) -> None:
        """Take away a key: what it wraps can never be opened again."""
        for name in self._secrets.names(STEM):
            key = self._secrets.read(name)
            if key is not None and envelope.master_key_id(key) == key_id:
                self._secrets.destroy(name)
        self._load()

    def wrap(self, object_key: bytes, context: bytes) -> bytes:
        """`object_key` under the newest key. Raises Unavailable."""
        newest = self.ids()[-1]
        return envelope.wrap_key(self._keys[newest], object_key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The object key. Raises EnvelopeRefused, Unavailable."""
        if (key_id := envelope.wrapped_by(wrapped)) not in self._keys:
            self._load()  # Another process may have made the key a moment ago.
        if key_id not in self._keys:
            raise EnvelopeRefused("envelope.other_master", "the key was wrapped under another master key")
        return envelope.unwrap_key(self._keys[key_id], wrapped, context)

    def _load(self) -> None:
        """Know the keys that there are now, and forget the others."""
        try:
            keys = [self._secrets.read(name) for name in self._secrets.names(STEM)]
        except OSError as error:
            raise Unavailable(KEY_AWAY) from error
        if not (found := [key for key in keys if key is not None]):
            raise Unavailable(KEY_AWAY)
        self._keys = {envelope.master_key_id(key): key for key in found}
