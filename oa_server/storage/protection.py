"""Digests of protected rows: what the audit log says that a row held when somebody last changed it.

Every act records the digests of the rows it wrote. `oa verify --all` recomputes them, so a row that was changed, swapped,
added, removed or set back behind our back no longer agrees with the log, and the log itself is a signed Merkle tree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from hashlib import sha256
from typing import Any
from uuid import UUID

from crypto.canonical import canonical_json
from oa_server.storage.fields import Model

PAGE = 500


def plain(value: Any) -> Any:  # noqa: PLR0911  one line per kind of value
    """`value` as JSON values: what a canonical document may hold."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, (UUID, date)):
        return str(value)
    if isinstance(value, (bytes, memoryview)):
        return sha256(value).hexdigest()
    return value


def name_of(row: Model) -> str:
    """How the log names a row: table and key."""
    return f"{row._meta.db_table}:{row.pk}"


def digest_of(row: Model) -> str:
    """The SHA-256 of the row's columns in canonical JSON; binary columns stand as their own digests."""
    columns = {name: plain(getattr(row, name)) for name in sorted(row._meta.fields_db_projection)}
    return sha256(canonical_json(columns)).hexdigest()


async def digests(rows: Iterable[Model]) -> dict[str, str]:
    """Digests of these rows as the database holds them at this moment, one query per table."""
    by_model: dict[type[Model], set[Any]] = {}
    for row in rows:
        by_model.setdefault(type(row), set()).add(row.pk)
    found: dict[str, str] = {}
    for model, keys in by_model.items():
        wanted = sorted(keys, key=str)
        for start in range(0, len(wanted), PAGE):
            for row in await model.filter(pk__in=wanted[start : start + PAGE]):
                found[name_of(row)] = digest_of(row)
    return found


async def every_row(model: type[Model]) -> AsyncIterator[Model]:
    """All rows of a table, a page at a time, in order of their keys."""
    key, last = model._meta.pk_attr, None
    while True:
        rows = await (model.all() if last is None else model.filter(pk__gt=last)).order_by(key).limit(PAGE)
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        last = rows[-1].pk
