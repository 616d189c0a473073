"""The master key changed under the officials' hands: nobody is refused anything, and the old key opens nothing afterwards."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from crypto import envelope
from crypto.errors import EnvelopeRefused
from oa_server.app import House, open_house
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import Conflict, Unavailable
from oa_server.demo.enrolment import actor_named
from oa_server.files import access
from oa_server.files.models import StoredFile
from oa_server.files.rotation import AT_ONCE, rotate
from oa_server.settings import Settings
from oa_server.storage import data_keys
from oa_server.storage.master_keys import MasterKeys
from oa_server.storage.secrets import SecretStore
from oa_server.storage.unit_of_work import unit_of_work
from tests.audit.test_command_line import oa
from tests.city import Browser
from tests.conftest import running
from tests.faults.house import DistantCity, at_free_port, distant, faults
from tests.journey import Journey

BEGUN = 2 * AT_ONCE + 50  # Three batches, so that there is a middle in which to die.


async def begin_many(house: House, count: int) -> list[StoredFile]:
    """So many uploads that were begun, in one transaction."""
    actor = await actor_named("wang")
    async with unit_of_work(actor):
        return [
            await house.files.start(actor, name=f"{n}.txt", size=5, subject_type="outgoing", subject_id=UUID(int=1))
            for n in range(count)
        ]


class Desk:
    """An official who attaches files and reads them again for as long as there is something to wait for."""

    def __init__(self, city: DistantCity, browser: Browser) -> None:
        self._city = city
        self._browser = browser
        self.contents: dict[str, bytes] = {}
        self.reads = 0

    async def attach(self) -> None:
        document, data = (await self._city.draft(self._browser)).json()["id"], os.urandom(3000)
        begun = await self._browser.begin_upload(document, size=len(data))
        assert begun.status_code == 201, begun.text
        file = begun.json()["id"]
        done = await self._browser.put_part(file, 0, data)
        assert done.json()["state"] == "ready", done.text
        self.contents[file] = data

    async def read(self) -> None:
        for file, data in list(self.contents.items()):
            answer = await self._browser.get(f"/api/files/{file}/content")
            assert (answer.status_code, answer.content) == (200, data), answer.text
            self.reads += 1

    async def work_while(self, awaited: asyncio.Task[None]) -> None:
        async def again_and_again(work: Callable[[], Awaitable[None]]) -> None:
            while not awaited.done():
                await work()

        await asyncio.gather(again_and_again(self.attach), again_and_again(self.read))


def killed_then_continued(settings: Settings) -> None:
    """`oa keys rotate`, killed when it has said how far it is, and typed again."""
    command = [sys.executable, "-m", "oa_server", "keys", "rotate"]
    known = os.environ | {"OA_SETTINGS": str(settings.data_dir / "settings.toml")}
    with subprocess.Popen(command, env=known, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        assert f"已处理 {AT_ONCE} 个" in first.stderr.readline()
        first.kill()
    assert first.returncode < 0
    second = subprocess.run(command, env=known, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr


@pytest.mark.norm("M-keys")
async def test_under_load_and_killed_in_the_middle(settings: Settings) -> None:
    """While officials write and read, the master key is changed by a command that dies halfway and is typed again: no
    reading and no writing fails, every file is under the new key, the old one is gone, and everything verifies."""
    async with open_house(settings) as house:
        begun = await begin_many(house, BEGUN)
        (old,) = house.master_keys.ids()
    async with distant(at_free_port(settings)) as city:
        desks = [Desk(city, await city.signed_in(person)) for person in ("wang", "gao")]
        for desk in desks:
            await desk.attach()
        change = asyncio.create_task(asyncio.to_thread(killed_then_continued, city.settings))
        await asyncio.gather(change, *(desk.work_while(change) for desk in desks))
        for desk in desks:
            await desk.attach()
            await desk.read()
            assert desk.reads > len(desk.contents) > 2
    (new,) = MasterKeys(SecretStore(settings.secrets_dir)).ids()
    assert new != old
    async with open_house(settings) as house:
        assert await data_keys.count_by_master_key() == {new: 1}
        assert await access.count_by_master_key() == {new: BEGUN + sum(len(desk.contents) for desk in desks)}
        with pytest.raises(EnvelopeRefused):  # As a copy of the database from before has it.
            house.master_keys.unwrap(bytes(begun[0].wrapped_key), access.context_of(begun[0].id, access.KEY_NUMBER))
        assert await house.files.reader.key_of(begun[0])  # Whoever holds the row as it was looks again.
        acts = Counter(await AuditRecord.filter(verb__startswith="files.master_key").values_list("verb", flat=True))
        assert acts == {Verb.MASTER_KEY_SUCCEEDED: 1, Verb.MASTER_KEY_DESTROYED: 1}
        assert await faults(house) == []


async def test_nothing_is_wrapped_under_a_key_that_was_succeeded(settings: Settings) -> None:
    """A process that does not see the new key yet takes no upload, rather than wrap it under a key that will be destroyed."""
    async with running(settings) as city:
        story = Journey(city)
        await story.reaches("drafted")
        (old,) = city.app.state.house.master_keys.ids()
        async with unit_of_work(SYSTEM) as work:
            work.audit(Verb.MASTER_KEY_SUCCEEDED, "master_key", old.hex(), by="00")
        refused = await (await story.desk("wang")).begin_upload(story.path.rpartition("/")[2])
        assert (refused.status_code, refused.json()["code"]) == (503, "storage.master_key_away")


async def test_an_old_key_is_kept_while_something_needs_it(settings: Settings) -> None:
    """A file whose key no master key opens stops the old ones from being destroyed; when the missing key is brought back, the
    change is finished."""
    async with open_house(settings) as house:
        (file,) = await begin_many(house, 1)
        keys, secrets = house.master_keys, settings.secrets_dir
        missing = (secrets / "master-key").read_bytes()
        (secrets / "master-key.7").write_bytes(os.urandom(32))
        (secrets / "master-key").rename(secrets / "aside")
        keys.add()
        with pytest.raises(Conflict) as refused:
            await rotate(SYSTEM, keys, lambda _done: None)
        assert (refused.value.code, refused.value.facts) == ("files.stuck_keys", {"files": [str(file.id)]})
        assert len(keys.ids()) == 2
        (secrets / "aside").rename(secrets / "master-key")
        assert await rotate(SYSTEM, keys, lambda _done: None) == 1
        (newest,) = keys.ids()
        assert newest != envelope.master_key_id(missing)
        assert await house.files.reader.key_of(file)


def test_keys_are_listed(settings: Settings) -> None:
    """`oa keys list` names each key with what is under it, and those that are not here."""
    (missing,) = asyncio.run(_begin_one(settings)).ids()
    (settings.secrets_dir / "master-key").unlink()
    (here,) = MasterKeys(SecretStore(settings.secrets_dir)).ids()
    listed = (
        f"{here.hex()}　0 个附件　0 个数据密钥　当前\n{missing.hex()}　1 个附件　1 个数据密钥　本机没有这个主密钥\n"
    )
    assert oa(settings, "keys", "list").stdout == listed


async def _begin_one(settings: Settings) -> MasterKeys:
    async with open_house(settings) as house:
        await begin_many(house, 1)
        return house.master_keys


def test_no_key_is_invented(settings: Settings) -> None:
    """A folder that has lost its keys while we run is an outage, and no reason to make another key."""
    secrets = SecretStore(settings.secrets_dir)
    keys = MasterKeys(secrets)
    secrets.destroy("master-key")
    with pytest.raises(Unavailable):
        keys.wrap(envelope.new_object_key(), b"")
    assert secrets.names("master-key") == []
