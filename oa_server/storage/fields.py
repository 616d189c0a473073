"""The kinds of column our tables are made of. Models import this module and nothing else of the storage layer.

Foreign keys restrict and are indexed: the library's default would cascade, and an official document does not vanish
because somebody deleted a unit. State columns are plain text in the database, so that a new state needs no migration.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tortoise import fields
from tortoise.expressions import F, Q, Subquery
from tortoise.fields.base import OnDelete
from tortoise.functions import Count
from tortoise.indexes import Index
from tortoise.models import Model as TortoiseModel
from tortoise.models import ModelMeta
from tortoise.queryset import QuerySet

from oa_server.core.ids import new_id

__all__ = [
    "BigNumber", "Bytes", "Count", "Day", "Digest", "F", "Flag", "ForeignKey", "Id", "Index", "Json", "Key", "Model", "Moment",
    "Number", "Q", "QuerySet", "State", "Subquery", "Text",
]  # fmt: skip


class _Undescribed(ModelMeta):
    """Keeps docstrings out of the schema: the library makes them table comments, whose punctuation then splits SQL."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> type:
        model = super().__new__(cls, name, bases, attributes)
        model._meta.table_description = ""  # type: ignore[attr-defined]  # untyped in the library
        return model


class Model(TortoiseModel, metaclass=_Undescribed):
    """The base of our tables."""

    if TYPE_CHECKING:
        # The columns behind foreign keys (`organ_id`) are made by the library at run time.
        def __getattr__(self, name: str) -> Any: ...

    class Meta:
        abstract = True


def Key() -> Any:
    """The primary key: a UUIDv7 made here, never by the database."""
    return fields.UUIDField(primary_key=True, default=new_id)


def Id(**options: Any) -> Any:
    """A UUID that refers to a row of a higher or unknown table, so no foreign key can hold it."""
    return fields.UUIDField(**options)


def ForeignKey(to: str, *, null: bool = False, unique: bool = False) -> Any:
    """A reference that restricts deletion and has an index."""
    options: dict[str, Any] = {"related_name": False, "on_delete": OnDelete.RESTRICT, "null": null}
    if unique:
        return fields.OneToOneField(to, **options)
    return fields.ForeignKeyField(to, db_index=True, **options)


def Text(length: int, **options: Any) -> Any:
    """Text of at most `length` characters."""
    return fields.CharField(max_length=length, **options)


def Digest(**options: Any) -> Any:
    """A SHA-256 in lower-case hex."""
    return fields.CharField(max_length=64, **options)


def State(vocabulary: type[StrEnum], **options: Any) -> Any:
    """A member of a vocabulary, stored as its code; `vocabulary` is for the reader and for the structure tests."""
    field = fields.CharField(max_length=32, **options)
    field.vocabulary = vocabulary  # type: ignore[attr-defined]
    return field


def Json(**options: Any) -> Any:
    return fields.JSONField(**options)


def Bytes(**options: Any) -> Any:
    return fields.BinaryField(**options)


def Number(**options: Any) -> Any:
    return fields.IntField(**options)


def BigNumber(**options: Any) -> Any:
    return fields.BigIntField(**options)


def Flag(**options: Any) -> Any:
    return fields.BooleanField(**options)


def Moment(**options: Any) -> Any:
    """An aware moment, kept in UTC with microseconds."""
    return fields.DatetimeField(**options)


def Day(**options: Any) -> Any:
    return fields.DateField(**options)
