"""What a killed server leaves on the disk: nothing that anybody could read, and nothing for good."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from oa_server.files.rules import PART_SIZE
from oa_server.storage.objects import DRAFTS
from tests.conftest import Founded
from tests.faults.house import at_free_port, distant, until_answered

TWO_HOURS = 7200


@pytest.mark.norm("D-8.1.4.10")
async def test_drafts_of_a_killed_server(
    founded_embedded: Founded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that was being written when the server was killed is unreadable, and removed when it is old; the system's
    temporary folder has no file of ours. The upload goes on where it was."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    settings = at_free_port(await asyncio.to_thread(founded_embedded.copy, tmp_path / "var"))
    drafts, data = settings.data_dir / "objects" / DRAFTS, b"readable" * (PART_SIZE // 8)
    async with distant(settings) as city:
        wang = await city.signed_in("wang")
        await city.submitted(wang)
        document = (await city.draft(wang)).json()["id"]
        file = (await wang.begin_upload(document, size=len(data))).json()
        begun = asyncio.create_task(wang.put_part(file["id"], 0, data))
        while not (drafts.exists() and any(path.stat().st_size for path in drafts.iterdir())):
            await asyncio.sleep(0)
        city.server.kill()
        await asyncio.gather(begun, return_exceptions=True)
        (draft,) = drafts.iterdir()
        assert b"readable" not in draft.read_bytes()
        assert [path for path in temporary.rglob("*") if path.is_file()] == []
        os.utime(draft, times=(time.time() - TWO_HOURS,) * 2)
        await asyncio.to_thread(city.server.start)
        await until_answered(wang, "/api/tasks")
        while draft.exists():
            await asyncio.sleep(0.1)
        done = await wang.put_part(file["id"], 0, data)
        assert done.json()["state"] == "ready", done.text
        assert (await wang.get(f"/api/files/{file['id']}/content")).content == data
