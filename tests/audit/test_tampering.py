"""Whoever can write to the database behind the server's back is found out: by every cell of every row that must stay."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from itertools import count, zip_longest
from typing import Any
from uuid import UUID, uuid4

import pytest
from tortoise.transactions import in_transaction

from oa_server.app import House, open_house
from oa_server.audit.models import AuditHead, AuditLeaf, AuditRecord
from oa_server.settings import Settings
from oa_server.storage.database import connection, is_postgres
from oa_server.storage.fields import Model, sealed_for
from oa_server.storage.protection import name_of
from oa_server.verification import PROTECTED, Fault, all_faults, log_faults
from oa_server.verification.rows import row_faults

LOG = (AuditRecord, AuditLeaf, AuditHead)


@asynccontextmanager
async def unchecked() -> AsyncIterator[Any]:
    """A connection on which references are not checked, as anybody with the file or the database's password has."""
    if not is_postgres():
        await connection().execute_query("PRAGMA foreign_keys = OFF")
        yield connection()
        return
    async with in_transaction() as own:
        await own.execute_query("SET LOCAL session_replication_role = replica")
        yield own


def another(value: Any) -> Any:  # noqa: PLR0911  one line per kind of value
    """A value of the same kind that is not this one."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1_000_000  # nothing that another row may have
        case datetime() | date():
            return value + timedelta(days=1)
        case UUID():
            return uuid4()
        case bytes() | memoryview():
            return bytes(value) + b"\0"
        case list():
            return [*value, "x"]
        case dict():
            return value | {"x": "x"}
        case str():
            return value[:-1] + ("y" if value.endswith("x") else "x")
    raise TypeError(type(value))


EMPTY: dict[str, Any] = {
    "UUIDField": UUID(int=7),
    "DatetimeField": datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
    "DateField": date(2026, 1, 1),
    "IntField": 1,
    "BigIntField": 1,
    "JSONField": ["x"],
    "BinaryField": b"x",
    "CharField": "x",
    "_SealedText": "x",
}


def changed(row: Model, column: str) -> Any:
    """What the column could be changed to."""
    value = getattr(row, column)
    return EMPTY[type(row._meta.fields_map[column]).__name__] if value is None else another(value)


async def put(row: Model, column: str, value: Any) -> None:
    """Write one cell, past every act."""
    async with unchecked() as own:
        change = sealed_for(type(row), row.pk, {column: value})  # As who has the data key could.
        assert await type(row).filter(pk=row.pk).using_db(own).update(**change) == 1


def copy_of(row: Model, **others: Any) -> Model:
    """The same row once more, with other values in some columns."""
    return type(row)(**({name: getattr(row, name) for name in row._meta.fields_db_projection} | others))


async def found(check: Callable[[], AsyncIterator[Fault]]) -> set[str]:
    return {fault.where for fault in [fault async for fault in check()]}


async def turns() -> list[list[tuple[Model, str]]]:
    """Every column of the last row of every protected table, one of each table in a turn: what is changed at the same time in
    different tables is held against the log row by row all the same, and a whole database is read as often as its widest
    table has columns."""
    cells = []
    for model in PROTECTED:
        row = await model.all().order_by("-id").first()
        assert row is not None, f"no row of {model._meta.db_table} to change"
        cells.append([(row, column) for column in sorted(model._meta.fields_db_projection) if column != "id"])
    return [[cell for cell in turn if cell is not None] for turn in zip_longest(*cells)]


@pytest.mark.norm("D-8.1.4.7a/b", "M-8.4b")
@pytest.mark.timeout(600)
async def test_every_cell_of_every_row_that_stays(finished: Settings) -> None:
    """One changed cell in any column of any protected table is named by its row, and nothing else is."""
    async with open_house(finished):
        assert await found(row_faults) == set()
        for turn in await turns():
            before = [getattr(row, column) for row, column in turn]
            for row, column in turn:
                await put(row, column, changed(row, column))
            assert await found(row_faults) == {name_of(row) for row, _column in turn}, turn
            for (row, column), value in zip(turn, before, strict=True):
                await put(row, column, value)
        assert await found(row_faults) == set()


@pytest.mark.timeout(600)
async def test_every_cell_of_the_log(finished: Settings) -> None:
    """One changed cell of a record, a leaf or a head of the log is found by the log alone."""
    async with open_house(finished):
        assert await found(log_faults) == set()
        for model in LOG:
            # Neither the first nor the last, so that what comes before and after is there to be held against it.
            rows = await model.all().order_by("seq" if model is AuditLeaf else "id")
            row = rows[len(rows) // 2 if model is not AuditHead else 0]
            for column in sorted(model._meta.fields_db_projection):
                if column in {"id", "seq"}:
                    continue
                before = getattr(row, column)
                await put(row, column, changed(row, column))
                assert await found(log_faults), f"{name_of(row)}.{column}"
                await put(row, column, before)
        assert await found(log_faults) == set()


@pytest.mark.norm("D-8.1.4.3c")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("model", [*PROTECTED, *LOG], ids=lambda model: model._meta.db_table)
async def test_removed_added_swapped(finished: Settings, model: type[Model]) -> None:
    """A row that was removed, one that was added, and two that have changed places are found."""
    check = log_faults if model in LOG else row_faults
    table, key = model._meta.db_table, model._meta.db_pk_column
    columns = sorted(model._meta.fields_db_projection)
    unique = [name for name in columns if model._meta.fields_map[name].unique and name != key]
    async with open_house(finished):
        rows = await model.all().limit(2)
        first = rows[0]
        async with unchecked() as own:
            await model.filter(pk=first.pk).using_db(own).delete()
        assert any("删除" in fault.what or "缺失" in fault.what for fault in [f async for f in check()])
        async with unchecked() as own:
            await model.bulk_create([copy_of(first)], using_db=own)
        assert await found(check) == set()

        fresh = 10**6 if model is AuditLeaf else uuid4()
        twin = copy_of(first, **{key: fresh})
        for name in unique:
            setattr(twin, name, changed(first, name))
        if model._meta.unique_together:
            for name in model._meta.unique_together[0]:
                column = name if name in columns else f"{name}_id"
                setattr(twin, column, changed(first, column))
        async with unchecked() as own:
            await model.bulk_create([twin], using_db=own)
        assert await found(check), f"a row added to {table}"
        async with unchecked() as own:
            await model.filter(pk=fresh).using_db(own).delete()
        assert await found(check) == set()

        if len(rows) < 2:
            return
        names = dict(zip(("a", "b"), rows, strict=True))
        spare = "-1" if model is AuditLeaf else f"'{uuid4()}'"
        quoted = {n: str(r.pk) if model is AuditLeaf else f"'{r.pk}'" for n, r in names.items()}
        async with unchecked() as own:
            for old, new in ((quoted["a"], spare), (quoted["b"], quoted["a"]), (spare, quoted["b"])):
                await own.execute_query(f'UPDATE "{table}" SET "{key}" = {new} WHERE "{key}" = {old}')
        assert await found(check), f"two rows of {table} swapped"


GARBAGE = ("garbage{", 1.5, b"\xff\xfe")


def _kept(raw: sqlite3.Connection, row: Model, column: str) -> Any:
    """What the file holds in a cell."""
    return raw.execute(f'SELECT "{column}" FROM "{row._meta.db_table}" WHERE "id" = ?', [str(row.pk)]).fetchone()[0]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kinds", [1, pytest.param(len(GARBAGE), marks=pytest.mark.campaign)])
async def test_garbage_in_every_column(finished: Settings, kinds: int) -> None:
    """A cell that cannot even be read is found as well, names its row, and hides no other row. Each column in its turn gets
    one kind of garbage, or all."""
    async with open_house(finished):
        if is_postgres():
            pytest.skip("PostgreSQL keeps no value of another kind in a column")
        other = await PROTECTED[0].all().order_by("id").first()
        assert other is not None
        await put(other, "short_name", "假名")
        raw, number = sqlite3.connect(finished.data_dir / "oa.sqlite3"), count()
        for turn in await turns():
            places = [
                (f'"{row._meta.db_table}" SET "{column}" = ?', f"WHERE \"id\" = '{row.pk}'") for row, column in turn
            ]
            before = [_kept(raw, row, column) for row, column in turn]
            firsts = [next(number) for _ in turn]
            for kind in range(kinds):
                spoilt = set()
                for (row, column), (place, where), first in zip(turn, places, firsts, strict=True):
                    garbage = GARBAGE[(first + kind) % len(GARBAGE)]
                    raw.execute(f"UPDATE {place} {where}", [garbage])
                    value = getattr(row, column)
                    if not isinstance(value, bool) or value is not bool(
                        garbage
                    ):  # Else it reads as the same truth as before.
                        spoilt.add(name_of(row))
                raw.commit()
                assert spoilt | {name_of(other)} <= await found(row_faults), turn
            for (place, where), value in zip(places, before, strict=True):
                raw.execute(f"UPDATE {place} {where}", [value])
            raw.commit()
        assert await found(row_faults) == {name_of(other)}
        raw.close()


@pytest.mark.timeout(600)
async def test_garbage_in_the_log(finished: Settings) -> None:
    """Neither does a log that cannot be read pass for a whole one."""
    async with open_house(finished):
        if is_postgres():
            pytest.skip("PostgreSQL keeps no value of another kind in a column")
        raw = sqlite3.connect(finished.data_dir / "oa.sqlite3")
        for model in LOG:
            key = model._meta.db_pk_column
            row = await model.all().order_by(key).first()
            assert row is not None
            for column in sorted(model._meta.fields_db_projection):
                where = f"WHERE \"{key}\" = '{row.pk}'"
                (before,) = raw.execute(f'SELECT "{column}" FROM "{row._meta.db_table}" {where}').fetchone()
                spoilt = f'UPDATE "{row._meta.db_table}" SET "{column}" = \'garbage{{\' {where}'
                try:
                    raw.execute(spoilt)
                except sqlite3.IntegrityError:
                    assert column == "seq"  # An integer key takes nothing but integers.
                    continue
                raw.commit()
                assert await found(log_faults), f"{row._meta.db_table}.{column}"
                where = where if column != key else f"WHERE \"{key}\" = 'garbage{{'"
                raw.execute(f'UPDATE "{row._meta.db_table}" SET "{column}" = ? {where}', [before])
                raw.commit()
        assert await found(log_faults) == set()
        raw.close()


async def faults(house: House) -> list[str]:
    return [f"{fault.where}：{fault.what}" async for fault in all_faults(house)]


async def test_the_papers_alone(finished: Settings) -> None:
    """What people signed is held against the tables by itself: an opinion's words, its version, an attachment, a number."""
    from oa_server.documents.models import DocumentVersion, NumberLedger, Opinion
    from oa_server.files.models import StoredFile
    from oa_server.verification.papers import attachment_faults, number_faults, opinion_faults

    async with open_house(finished):
        for check in (opinion_faults, attachment_faults, number_faults):
            assert await found(check) == set()
        version = await DocumentVersion.all().order_by("id").first()
        entry = await NumberLedger.all().order_by("seq").first()
        (file,) = [row for row in await StoredFile.all() if row.name == "分工表.txt"]
        opinions = await Opinion.all().order_by("id")
        cases: list[tuple[Any, str, Any, Any]] = [
            (opinions[0], "text", "不同意", opinion_faults),
            (opinions[0], "decision", "return", opinion_faults),
            (opinions[0], "actor_name", "张三", opinion_faults),
            (opinions[1], "signature_id", opinions[0].signature_id, opinion_faults),
            (version, "elements", version.elements | {"note": "另注"}, opinion_faults),
            (version, "text_sha256", "0" * 64, opinion_faults),
            (file, "sha256", "0" * 64, attachment_faults),
            (file, "name", "另一份.txt", attachment_faults),
            (file, "state", "removed", attachment_faults),
            (entry, "seq", 7, number_faults),
            (entry, "year", 2025, number_faults),
        ]
        for row, column, value, check in cases:
            before = getattr(row, column)
            await put(row, column, value)
            assert await found(check), f"{name_of(row)}.{column}"
            await put(row, column, before)
        await put(opinions[0], "at", opinions[0].at)
        async with unchecked() as own:
            await Opinion.filter(id=opinions[0].id).using_db(own).delete()
        assert await found(opinion_faults) == {name_of(opinions[1])}


@pytest.mark.norm("M-8.4f/g")
async def test_swapped_objects(finished: Settings) -> None:
    """Stored bytes that have changed places with others are found, though each of them is honest where it was."""
    from oa_server.files.access import part_keys
    from oa_server.files.models import StoredFile

    async with open_house(finished) as house:
        assert await faults(house) == []
        one, two = await StoredFile.all()
        (first,), (second,) = [(await part_keys(file.id, 0, 0)).values() for file in (one, two)]
        store = house.store

        async def swap() -> None:
            """Twice, all is as before: in the production column all copies of the city share the store."""
            at_first, at_second = await store.get(first), await store.get(second)
            await store.put(first, at_second)
            await store.put(second, at_first)

        await swap()
        told = await faults(house)
        await swap()
        assert await faults(house) == []
        assert [name_of(one), name_of(two)] == sorted(line.partition("：")[0] for line in told)
        assert all("附件" in line for line in told)


async def test_spoilt_papers(finished: Settings) -> None:
    """Where what people signed can no longer be read, that is told, and the other checks go on."""
    async with open_house(finished) as house:
        if is_postgres():
            pytest.skip("PostgreSQL keeps no value of another kind in a column")
        raw = sqlite3.connect(finished.data_dir / "oa.sqlite3")
        for table, column in (("document_version", "elements"), ("signature", "content"), ("stored_file", "size")):
            raw.execute(f"UPDATE {table} SET {column} = 'garbage{{'")
        raw.commit()
        raw.close()
        told = await faults(house)
        assert "意见：数据无法读取，检查未能完成" in told
        assert {"document_version", "signature", "stored_file"} <= {line.partition(":")[0] for line in told}
