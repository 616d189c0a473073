"""Every migration, in both databases, from the one before it and with rows in every table: nothing is lost on the way."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import migrations
from oa_server.storage import migrate
from oa_server.storage.database import config
from tests.conftest import COLUMNS, Founded
from tests.storage.filled import KEYS, NAMES, ROWS, Database, PostgresDatabase, SqliteFile, lost

PLANTED = """
from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("oa", "{before}")]
    initial = False
    operations = [ops.RunSQL("DELETE FROM kept_answer WHERE key LIKE '%-1'")]
"""

Make = Callable[[str], Database]


@pytest.fixture(params=COLUMNS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes empty databases of one kind."""
    if request.param == "embedded":
        return lambda name: SqliteFile(tmp_path / f"{name}.sqlite3")
    founded: Founded = request.getfixturevalue("founded_production")
    cluster = founded.cluster
    made = {name: PostgresDatabase.fresh_in(cluster, tmp_path / name) for name in ("old", "fresh")}
    return made.__getitem__


@pytest.mark.timeout(400)
async def test_every_row_and_index_is_kept(make: Make) -> None:
    """By each migration, run over filled tables, every value of every row is as before; columns and indexes are in the end
    those of a database made from the models."""
    old, fresh = make("old"), make("fresh")
    await old.at(NAMES[0])
    for later in NAMES[1:]:
        await old.fill()
        before = await old.rows()
        assert {table for table, rows in before.items() if len(rows) != ROWS} <= {KEYS}
        # The last one as `oa migrate` does it, which also makes the indexes anew that SQLite loses on the way.
        await (migrate.upgrade(old.url, old.masters) if later == NAMES[-1] else old.at(later))
        assert lost(before, await old.rows()) == set(), later
    await fresh.fresh()
    assert await old.indexes() == await fresh.indexes()
    assert await old.shape() == await fresh.shape()


async def test_a_migration_that_deletes_would_be_found(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison above is no decoration: it names what a planted migration takes away."""
    shutil.copytree(migrations.__path__[0], tmp_path / "planted")
    (tmp_path / "planted" / "9999_planted.py").write_text(PLANTED.format(before=NAMES[-1]), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    old = make("old")
    await old.at(NAMES[0])
    await old.fill()
    before = await old.rows()

    def with_planted(*arguments: Any, **options: Any) -> dict[str, Any]:
        found = config(*arguments, **options)
        found["apps"]["oa"]["migrations"] = "planted"
        return found

    monkeypatch.setattr(migrate, "config", with_planted)
    await migrate.upgrade(old.url, old.masters)
    assert lost(before, await old.rows()) == {"kept_answer"}
    for name in [name for name in sys.modules if name.partition(".")[0] == "planted"]:
        del sys.modules[name]
