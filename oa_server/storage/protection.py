"""Digests of protected rows: what the audit log says that a row held when somebody last changed it.

Every act records the digests of the rows it wrote. `oa verify --all` recomputes them, so a row that was changed, swapped,
added, removed or set back behind our back no longer agrees with the log, and the log itself is a signed Merkle tree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from hashlib import sha256
from typing import Any
from uuid import UUID

from crypto.canonical import canonical_json
from oa_server.core.errors import OaError
from oa_server.storage.database import select
from oa_server.storage.fields import Model

PAGE = 500
_NOTHING = (None, "")


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
    """The SHA-256 of the row's columns in canonical JSON; binary columns stand as their own digests.

    A column that holds nothing is left out, so a column that a later version adds changes no digest of an older row.
    """
    columns = {name: plain(getattr(row, name)) for name in row._meta.fields_db_projection}
    return sha256(canonical_json({name: value for name, value in columns.items() if value not in _NOTHING})).hexdigest()


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


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a table in the order of their keys, and the names of those among them that cannot be read."""

    rows: Sequence[Any]
    spoilt: Sequence[str]


async def pages_of(model: type[Model]) -> AsyncIterator[Page]:
    """All rows of a table, a page at a time. The keys are asked for by themselves, so a spoilt row hides no other."""
    key, table = model._meta.db_pk_column, model._meta.db_table
    last: Any = None
    while True:
        where, values = ("", []) if last is None else (f'WHERE "{key}" > ? ', [last])
        # The names of a table and of its key: no word of anybody's enters the text.
        found = await select(f'SELECT "{key}" AS at FROM "{table}" {where}ORDER BY "{key}" LIMIT {PAGE}', values)  # noqa: S608
        if not found:
            return
        keys = [row["at"] for row in found]
        yield await page_of(model, keys)
        last = keys[-1]


async def page_of(model: type[Model], keys: Collection[Any]) -> Page:
    """The rows with these keys; one by one where they cannot be read together."""
    rows = await _read(model, keys)
    if rows is not None and len(rows) == len(keys):
        return Page(rows, ())
    good: list[Any] = []
    spoilt: list[str] = []
    for key in keys:
        row = await _read(model, [key])
        good += row or []
        spoilt += [] if row else [f"{model._meta.db_table}:{key}"]
    return Page(good, spoilt)


async def _read(model: type[Model], keys: Collection[Any]) -> list[Any] | None:
    try:
        rows = await model.filter(pk__in=list(keys)).order_by(model._meta.pk_attr)
        return [row for row in rows if _is_sound(row)]
    except OaError:
        raise  # The database is away, which says nothing about its rows.
    except Exception:  # noqa: BLE001  whatever a spoilt column makes the library stumble over
        return None


def _is_sound(row: Model) -> bool:
    """Whether every value is of its column's kind: SQLite keeps what it is given, a text among numbers too."""
    columns = ((getattr(row, name), row._meta.fields_map[name]) for name in row._meta.fields_db_projection)
    return all(value is None or isinstance(value, field.field_type) for value, field in columns)


async def rows_of(model: type[Model]) -> AsyncIterator[Any]:
    """The rows of a table that can be read."""
    async for page in pages_of(model):
        for row in page.rows:
            yield row
