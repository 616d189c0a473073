"""The inventory of personal data says of every column and of every field of an answer whether it is anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from oa_server.app import _api_routes
from oa_server.settings import Settings
from oa_server.storage.cleaning import ANSWERS_FOR, EVENTS_FOR
from oa_server.storage.database import MODELS
from oa_server.storage.fields import Model
from oa_server.web.endpoint import Binary
from oa_server.web.openapi import endpoints_of
from tests.personal import inventory

READERS = {"工作人员", "经办人", "接入系统", "系统管理员", "安全保密管理员", "安全审计员", "本人"}


def _tables() -> dict[str, set[str]]:
    """The columns of every table, those that refer to another row by what they refer to."""
    found = {}
    for module in map(import_module, MODELS):
        for model in vars(module).values():
            if isinstance(model, type) and issubclass(model, Model) and model.__module__ == module.__name__:
                meta = model._meta
                # Once a database was opened in this process, the library has added keys and the ways back.
                keys = {f"{name}_id" for name in meta.fields_map}
                found[meta.db_table] = set(meta.fields_map) - meta.backward_fk_fields - meta.backward_o2o_fields - keys
    return found


def _structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    """Every struct that a type is made of."""
    seen: set[type] = set()

    def walk(one: Any) -> Iterator[inspect.StructType]:
        if isinstance(one, inspect.StructType) and one.cls not in seen:
            seen.add(one.cls)
            yield one
            for field in one.fields:
                yield from walk(field.type)
        for part in ("item_type", "key_type", "value_type"):
            if hasattr(one, part):
                yield from walk(getattr(one, part))
        for inner in (*getattr(one, "types", ()), *getattr(one, "item_types", ())):
            yield from walk(inner)

    return walk(kind)


def _answers() -> dict[str, set[str]]:
    """The fields of everything that an endpoint answers with."""
    returned = [item.returns for _path, _method, item in endpoints_of(_api_routes(Settings()))]
    kinds = [kind for kind in returned if kind is not None and not isinstance(kind, Binary)]
    found = [one for kind in kinds for one in _structs(msgspec.inspect.type_info(kind))]
    return {one.cls.__name__: {field.name for field in one.fields} for one in found}


@pytest.mark.norm("D-8.1.4.11")
@pytest.mark.parametrize("part", ["tables", "answers"])
def test_every_field_is_decided(part: str) -> None:
    """A column or a field that the inventory does not name, or that is no more, is told by its name."""
    there = _tables() if part == "tables" else _answers()
    entries = getattr(inventory(), part)
    assert entries.keys() == there.keys()
    for name, entry in entries.items():
        assert sorted(entry.names) == sorted(there[name]), name


def test_every_kind_says_why_to_whom_and_how_long() -> None:
    """Each kind has its purpose, readers among those that there are, and how long it is kept; and each is kept somewhere."""
    found = inventory()
    for name, kind in found.kinds.items():
        assert kind.purpose, name
        assert kind.kept, name
        assert kind.readers <= READERS, name
    used = {
        kind for part in (found.tables, found.answers) for entry in part.values() for kind in entry.personal.values()
    }
    assert used == found.kinds.keys()


def test_what_is_cleaned_away_goes_when_it_says() -> None:
    """Answers and events are kept as long as the inventory says."""
    kept = inventory().kinds["应答副本"].kept
    assert f"{ANSWERS_FOR.total_seconds() / 3600:.0f} 小时" in kept
    assert f"{EVENTS_FOR.days} 天" in kept
