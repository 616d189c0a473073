"""The server asked to stop while pages are open: it ends by itself, soon, and pages find back to the next one."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import ConnectionClosed

from oa_server.settings import Settings
from tests import servers
from tests.faults.house import DistantCity, at_free_port, distant, heard, live


@pytest.fixture
async def city(settings: Settings) -> AsyncIterator[DistantCity]:
    async with distant(at_free_port(settings)) as found:
        yield found


async def test_stopped_with_open_pages(city: DistantCity) -> None:
    """Asked to stop, the server closes its sockets, ends without a kill and takes its signer along; sessions outlive it."""
    wang, li = await city.signed_in("wang"), await city.signed_in("li")
    async with live(wang) as socket, live(li):
        path = await city.submitted(wang)
        (await li.sign(path, "approve", opinion="同意")).raise_for_status()
        signers = servers.children_of(city.server.pid)
        assert city.server.stop() != -signal.SIGKILL
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.recv()
    assert signers
    assert not any(map(servers.runs, signers))
    city.server.start()
    async with live(li) as socket:
        assert (await li.get("/api/tasks")).status_code == 200
        await city.submitted(wang)
        assert await heard(socket, "task.opened")
    assert "Traceback" not in city.server.log.read_text("utf-8")
