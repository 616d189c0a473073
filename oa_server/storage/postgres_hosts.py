"""Connecting to PostgreSQL where two servers hold the same data: one is the primary, the other its replica.

The URL names both (`postgres://oa@a:5432,b:5432/oa?target_session_attrs=primary`). They are asked at once, so a machine that
is gone and answers nothing costs the one who waits no more than a moment. When both say they are the primary, the old one was
started again after the other had been promoted; what it would take is in nobody else's data, so the one promoted last counts:
each promotion begins a greater timeline (PostgreSQL 15, 26.3.5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg

# How long who has an answer waits for another server's.
GRACE_SECONDS = 0.5
# Not from the control file, which tells of the promotion only after a checkpoint.
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"


class Primary(NamedTuple):
    """A server that says it is the primary: on which timeline, under which URL that names no other, and a connection to it."""

    timeline: str
    url: str
    connection: Any


_Asking = asyncio.Task[Primary]


def each_server(url: str) -> list[str]:
    """The URL once for each server that it names."""
    parts = urlsplit(url)
    user, at, places = parts.netloc.rpartition("@")
    return [parts._replace(netloc=f"{user}{at}{place}").geturl() for place in places.split(",")]


async def connect(url: str, **options: Any) -> Any:
    """A connection to the server that is the primary now; raises what one of them says when none is.

    `options` are those of `asyncpg.connect`; its `timeout` is for each server.
    """
    return (await primary_of(url, **options)).connection


async def primary_of(url: str, **options: Any) -> Primary:
    """As `connect`, and which server it is: what is to reach the same one by itself would else choose for itself."""
    addresses = each_server(url)
    if len(addresses) == 1:
        return Primary("", url, await asyncpg.connect(url, **options))
    asking = [asyncio.create_task(_ask(address, options)) for address in addresses]
    chosen = None
    try:
        await _until_answered(asking)
        chosen = max(_answers(asking), key=lambda answer: answer.timeline, default=None)
        return chosen or await asking[0]
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for answer in _answers(asking):
            if answer is not chosen:
                answer.connection.terminate()


async def _ask(address: str, options: dict[str, Any]) -> Primary:
    """The server, if it is a primary."""
    connection = await asyncpg.connect(address, **options)
    try:
        return Primary(str(await connection.fetchval(_TIMELINE)), address, connection)
    except BaseException:
        connection.terminate()
        raise


async def _until_answered(asking: list[_Asking]) -> None:
    """Wait until every server has answered, or one that is the primary has, and the others had a moment more."""
    waiting = set(asking)
    while waiting:
        patience = GRACE_SECONDS if any(_answers(asking)) else None
        done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return


def _answers(asking: Iterable[_Asking]) -> list[Primary]:
    return [task.result() for task in asking if task.done() and not task.cancelled() and task.exception() is None]
