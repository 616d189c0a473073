"""What is encrypted on its way into the database and the object store: values of rows, and objects that have no key of their own.

One data key serves the whole installation. It lies in the database (`data_keys`), wrapped under the master key, so a change of
master key wraps this one key anew and touches no row and no object. Each process unwraps it once, when it opens the database.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from crypto import envelope
from crypto.errors import EnvelopeRefused
from oa_server.core.errors import Conflict, Reason, Unavailable
from oa_server.storage.master_keys import KEY_AWAY, MasterKeys
from oa_server.storage.objects import Data, ObjectStore

OBJECT_CHANGED = Reason(
    "storage.object_changed",
    "存储的内容已被改动，不能提供",
    "The stored bytes were changed and are not given out.",
)

T = TypeVar("T")


class _Keys:
    """What this process knows: the keys for values and for objects; None until the data key was unwrapped."""

    values: bytes | None = None
    objects: bytes | None = None
    words: bytes | None = None


_keys = _Keys()


def _context_of_key(key_id: object) -> bytes:
    return f"oa/data-key/1|{key_id}".encode()


def new_wrapped_key(masters: MasterKeys, key_id: object) -> bytes:
    """A fresh data key, wrapped; this process works with it from now on. Raises Unavailable."""
    wrapped = masters.wrap(envelope.new_object_key(), _context_of_key(key_id))
    hold(masters, key_id, wrapped)
    return wrapped


def rewrapped_key(masters: MasterKeys, key_id: object, wrapped: bytes) -> bytes:
    """The same data key under the newest master key. Raises EnvelopeRefused, Unavailable."""
    context = _context_of_key(key_id)
    return masters.wrap(masters.unwrap(wrapped, context), context)


def hold(masters: MasterKeys, key_id: object, wrapped: bytes) -> None:
    """Work with this data key from now on. Raises EnvelopeRefused, Unavailable."""
    key = masters.unwrap(wrapped, _context_of_key(key_id))
    _keys.values = envelope.derive_key(key, b"values")
    _keys.objects = envelope.derive_key(key, b"objects")
    _keys.words = envelope.derive_key(key, b"words")


def forget() -> None:
    """Know no data key: what is sealed can be neither read nor written, as before the first `hold`."""
    _keys.values = _keys.objects = _keys.words = None


def _known(key: bytes | None) -> bytes:
    if key is None:
        raise Unavailable(KEY_AWAY)
    return key


# --- values of rows ---------------------------------------------------------------------------------------------------


def _place(table: str, column: str, row: object) -> bytes:
    """What binds a value to its row and column, so that none can be put in another's place."""
    return f"oa/row/1|{table}|{column}|{row}".encode()


def sealed(table: str, column: str, row: object, value: bytes) -> bytes:
    """What the database keeps of a value. Raises Unavailable."""
    return envelope.seal_value(_known(_keys.values), _place(table, column, row), value)


def opened(table: str, column: str, row: object, value: Any) -> bytes:
    """The value that the database keeps so. Raises EnvelopeRefused, also for what was never sealed; Unavailable."""
    if not isinstance(value, (bytes, memoryview)):
        raise EnvelopeRefused("envelope.changed", f"{table}.{column} of {row} holds what was never sealed")
    return envelope.open_value(_known(_keys.values), _place(table, column, row), bytes(value))


# --- words of sealed texts ----------------------------------------------------------------------------------------------


def number_of(word: str) -> int:
    """The number (63 bits) under which a word of a sealed text can be looked up. Without the key it says nothing of the word.

    Raises Unavailable.
    """
    digest = hmac.digest(_known(_keys.words), word.encode(), "sha256")
    return int.from_bytes(digest[:8]) >> 1


# --- objects ----------------------------------------------------------------------------------------------------------


class SealedStore(ObjectStore):
    """An object store whose objects are encrypted, each bound to its key, in the same format as attachments."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        await self._store.prepare()

    async def put(self, key: str, data: Data) -> None:
        pieces = [data] if isinstance(data, bytes) else data
        await self._store.put(key, envelope.encrypt_stream(_known(_keys.objects), _context_of(key), pieces))

    async def read(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T:
        """As the protocol says. Raises Conflict when the object was changed, cut, or is another's."""
        secret, context = _known(_keys.objects), _context_of(key)
        try:
            return await self._store.read(key, lambda data: take(envelope.decrypt_stream(secret, context, data)))
        except EnvelopeRefused as error:
            raise Conflict(OBJECT_CHANGED, object=key) from error

    async def delete(self, key: str) -> None:
        await self._store.delete(key)

    async def keys(self) -> list[str]:
        return await self._store.keys()

    async def clear_drafts(self, before: datetime) -> None:
        await self._store.clear_drafts(before)


def _context_of(key: str) -> bytes:
    return f"oa/object/1|{key}".encode()
