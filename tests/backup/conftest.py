"""An office to be backed up, and machines that have nothing but its keys."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from oa_server.app import open_house
from oa_server.backup.making import make
from oa_server.backup.manifest import Backup
from oa_server.settings import Settings
from tests.conftest import Founded, at_cluster
from tests.journey import Stages

Empty = Callable[[Settings], Settings]


@pytest.fixture
def office(founded: Founded, stages: Stages, tmp_path: Path) -> Iterator[Settings]:
    """The settings of a city in which a document with an attachment was sent and signed for."""
    reached, _path = asyncio.run(stages.reached(founded, "received"))
    copied = reached.copy(tmp_path / "var")
    yield copied
    founded.drop(copied)


@pytest.fixture
def empty(founded: Founded, tmp_path: Path) -> Iterator[Empty]:
    """Makes a machine with the keys of an installation, and with a database and a store in which there is nothing."""

    machines: list[Settings] = []

    def machine(settings: Settings) -> Settings:
        folder, name = tmp_path / uuid.uuid4().hex[:8] / "var", uuid.uuid4().hex[:12]
        # The installation's keys come from their own medium; those of officials are in their pockets.
        for keys in (settings.secrets_dir, settings.authority_dir, settings.data_dir / "keys"):
            shutil.copytree(keys, folder / keys.name)
        if not founded.cluster:
            return msgspec.structs.replace(settings, data_dir=folder)
        asyncio.run(at_cluster(founded.cluster, f'CREATE DATABASE "r_{name}"'))
        made = msgspec.structs.replace(
            settings,
            data_dir=folder,
            database_url=founded.cluster.replace("/postgres", f"/r_{name}"),
            object_store_url=founded.objects.replace("/oa-objects", f"/restored-{name}"),
        )
        machines.append(made)
        return made

    yield machine
    for made in machines:
        founded.drop(made)


def backed_up(settings: Settings, directory: Path, *, keep: int | None = None) -> Backup:
    """A backup of the office as it is."""

    async def work() -> Backup:
        async with open_house(settings) as house:
            return await make(house, directory, keep=keep, tell=lambda _done, _count: None)

    return asyncio.run(work())
