"""The kinds of column our tables are made of. Models import this module and nothing else of the storage layer.

Foreign keys restrict and are indexed: the library's default would cascade, and an official document does not vanish
because somebody deleted a unit. State columns are plain text in the database, so that a new state needs no migration.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import msgspec
from tortoise import fields
from tortoise.expressions import F, Q, Subquery
from tortoise.fields.base import OnDelete
from tortoise.functions import Count
from tortoise.indexes import Index
from tortoise.models import Model as TortoiseModel
from tortoise.models import ModelMeta
from tortoise.queryset import QuerySet
from tortoise.validators import MaxLengthValidator

from oa_server.core.ids import new_id
from oa_server.storage import sealing

__all__ = [
    "BigNumber", "Bytes", "Count", "Day", "Digest", "F", "Flag", "ForeignKey", "Id", "Index", "Json", "Key", "Model", "Moment",
    "Number", "Q", "QuerySet", "SealedBytes", "SealedJson", "SealedText", "State", "Subquery", "Text", "sealed_for",
]  # fmt: skip


class _Sealed(fields.BinaryField[Any]):
    """A column that is encrypted in the database and plain in Python.

    A value is bound to its row, and the library tells a column's kind of the row only while it saves one. So a row opens
    its values itself as it is made (`Model._init_from_db`), and an update without the row takes what `sealed_for` made.
    """

    def __init__(self, *, by: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.by = by

    def to_python_value(self, value: Any) -> Any:
        """The value as it is: the row that is being made opens what came from the database."""
        return value

    def to_db_value(self, value: Any, instance: Any) -> bytes | None:
        """What the database keeps. Raises TypeError where the row is not known, Unavailable without the key."""
        if value is None or isinstance(value, _SealedValue):
            return value
        if not isinstance(instance, Model):
            raise TypeError(f"{self.model_field_name} is sealed for one row: update it with `sealed_for`")
        return self.sealed(instance._meta.db_table, self._row(instance), value)

    def sealed(self, table: str, row: object, value: Any) -> bytes:
        """A value as it stands encrypted in a row."""
        self.validate(value)
        return _SealedValue(sealing.sealed(table, self.model_field_name, row, self.encoded(value)))

    def opened(self, instance: Model, kept: Any) -> Any:
        """What a row's encrypted value says. Raises EnvelopeRefused, Unavailable."""
        table, column = instance._meta.db_table, self.model_field_name
        return self.decoded(sealing.opened(table, column, self._row(instance), kept))

    def _row(self, instance: Model) -> Any:
        return getattr(instance, self.by) if self.by else instance.pk

    def encoded(self, value: Any) -> bytes:
        """The bytes that are encrypted."""
        return bytes(value)

    def decoded(self, data: bytes) -> Any:
        """The value that was encoded so."""
        return data


class _SealedText(_Sealed):
    field_type = str

    def encoded(self, value: str) -> bytes:
        return value.encode()

    def decoded(self, data: bytes) -> str:
        return data.decode()


class _SealedJson(_Sealed):
    field_type = (dict, list)  # type: ignore[assignment]  # as the library's own JSON column has it

    def encoded(self, value: Any) -> bytes:
        return msgspec.json.encode(value)

    def decoded(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


class _SealedValue(bytes):
    """What was encrypted already, and is stored as it is."""


class _Undescribed(ModelMeta):
    """Keeps docstrings out of the schema: the library makes them table comments, whose punctuation then splits SQL. And lists
    the columns that a row has to open."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> type:
        model = super().__new__(cls, name, bases, attributes)
        model._meta.table_description = ""  # type: ignore[attr-defined]  # untyped in the library
        kinds = model._meta.fields_map  # type: ignore[attr-defined]  # untyped in the library
        model._sealed = {name: kind for name, kind in kinds.items() if isinstance(kind, _Sealed)}  # type: ignore[attr-defined]
        return model


class Model(TortoiseModel, metaclass=_Undescribed):
    """The base of our tables."""

    if TYPE_CHECKING:
        # The columns behind foreign keys (`organ_id`) are made by the library at run time.
        def __getattr__(self, name: str) -> Any: ...

        _sealed: dict[str, _Sealed]

    @classmethod
    def _init_from_db(cls, **values: Any) -> Self:
        row: Self = super()._init_from_db(**values)
        for name, kind in cls._sealed.items():
            if (kept := values.get(name)) is not None:
                object.__setattr__(row, name, kind.opened(row, kept))
        return row

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


def SealedText(length: int, *, by: str = "", **options: Any) -> Any:
    """Text of at most `length` characters, encrypted and bound to its row: no list can be filtered or sorted by it."""
    return _SealedText(by=by, validators=[MaxLengthValidator(length)], **options)


def SealedJson(*, by: str = "", **options: Any) -> Any:
    """As `SealedText`, of JSON values. Where the database itself makes the key, `by` names the column it is bound to."""
    return _SealedJson(by=by, **options)


def SealedBytes(**options: Any) -> Any:
    """As `SealedText`, of octets."""
    return _Sealed(**options)


def sealed_for(model: type[Model], row_id: UUID, values: dict[str, Any]) -> dict[str, Any]:
    """`values` for an update of one row by its identifier, those of sealed columns encrypted for it. Raises Unavailable."""
    kinds, table = model._sealed, model._meta.db_table
    return {
        name: kinds[name].sealed(table, row_id, value) if name in kinds and value is not None else value
        for name, value in values.items()
    }


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
