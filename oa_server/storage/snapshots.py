"""The database at one moment, as a file: copied while others go on writing, and put into an empty database.

SQLite copies itself by its online backup, from one read transaction that no writer waits for. PostgreSQL is dumped by its own
client tools, on a snapshot that is kept open: whatever is asked beside the dump is answered as of the same moment.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from oa_server.core.errors import Conflict, Reason, Unavailable
from oa_server.storage import claims
from oa_server.storage.database import address_of
from oa_server.storage.migrate import remove, take_place
from oa_server.storage.postgres_hosts import connect, primary_of
from oa_server.storage.refusals import telling

NO_TOOLS = Reason(
    "storage.no_tools",
    "找不到与数据库版本相当的 PostgreSQL 客户端工具（pg_dump、pg_restore），请安装不低于服务器版本的 postgresql-client",
    "No PostgreSQL client tools of the server's version or newer; install postgresql-client.",
)
TOOL_FAILED = Reason(
    "storage.tool_failed",
    "PostgreSQL 客户端工具报告错误，请按其说明处理后重试",
    "The PostgreSQL client tool reported an error; see what it says.",
)
DAMAGED = Reason(
    "storage.damaged_copy",
    "数据库副本无法读取，未作改动",
    "The copy of the database cannot be read; nothing was changed.",
)

TOOL_FOLDERS = Path("/usr/lib/postgresql")  # where Debian keeps each version's programs
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")

Ask = Callable[[str], Awaitable[list[tuple[Any, ...]]]]


@dataclass(frozen=True, slots=True)
class Named:
    """The objects that a domain's rows name: a statement that any copy of the database can be asked, whose one column tells
    them, and the object's key for each value of it."""

    statement: str
    key: Callable[[str], str] = str


def kind_of(url: str) -> str:
    """`sqlite` or `postgres`."""
    return "sqlite" if claims.file_of(url) else "postgres"


@asynccontextmanager
async def copied(url: str, file: Path) -> AsyncIterator[Ask]:
    """Copy the database into the empty `file`; yields how to ask what it held at that moment.

    Raises Unavailable when tools are missing, Conflict with what a tool said.
    """
    if source := claims.file_of(url):
        await anyio.to_thread.run_sync(_copy_sqlite, source, file)
        yield _asking(file)
        return
    with telling():
        _timeline, server, connection = await primary_of(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            tool = await _tool("pg_dump", connection.get_server_version().major)
            options = ["--format=custom", f"--snapshot={snapshot}", f"--file={file}"]
            await _run(tool, server, options)
            yield _asking_connection(connection)
    finally:
        await connection.close()


def _copy_sqlite(source: Path, file: Path) -> None:
    with telling(), closing(sqlite3.connect(source)) as connection, closing(sqlite3.connect(file)) as copy:
        connection.backup(copy)  # All pages at once: in steps it would begin anew whenever somebody writes.
        copy.execute("PRAGMA journal_mode = DELETE")


def _asking(file: Path) -> Ask:
    async def ask(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute(statement).fetchall()

    return ask


def _asking_connection(connection: Any) -> Ask:
    async def ask(statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await connection.fetch(statement)]

    return ask


async def is_empty(url: str) -> bool:
    """Whether the database has no table yet, or is not even there."""
    if file := claims.file_of(url):
        if not file.exists():
            return True
        with telling(), closing(sqlite3.connect(file)) as connection:
            return not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    with telling():
        connection = await connect(url)
    try:
        tables = (
            "SELECT 1 FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace LIMIT 1"
        )
        return await connection.fetchval(tables) is None
    finally:
        await connection.close()


async def put_back(url: str, file: Path) -> None:
    """Make an empty database what the copy in `file` holds: all of it, or nothing when this fails or is killed."""
    if target := claims.file_of(url):
        await anyio.to_thread.run_sync(_put_back_sqlite, file, target)
        return
    _timeline, server, connection = await primary_of(url)
    major = connection.get_server_version().major
    await connection.close()
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    await _run(await _tool("pg_restore", major), server, [*options, str(file)])


def _put_back_sqlite(file: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.restoring")
    with claims.replacing(target):
        remove(fresh)  # Left by a restore that was killed.
        shutil.copyfile(file, fresh)
        fresh.chmod(0o600)
        try:
            take_place(fresh, target)
        except sqlite3.DatabaseError as error:
            remove(fresh)
            raise Conflict(DAMAGED) from error


# --- the client tools of PostgreSQL -----------------------------------------------------------------------------------


async def _tool(name: str, server: int) -> Path:
    """The installed program of the server's version, or else the oldest newer one: an older one cannot read the server."""
    known = sorted(TOOL_FOLDERS.glob(f"*/bin/{name}")) + [Path(found) for found in [shutil.which(name)] if found]
    versions = [(version, path) for path in known if (version := await _version(path)) >= server]
    if not versions:
        raise Unavailable(NO_TOOLS, program=name, server=server)
    return min(versions)[1]


async def _version(program: Path) -> int:
    child = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    found = _VERSION.search(said.decode(errors="replace"))
    return int(found[1]) if found else 0


async def _run(program: Path, url: str, options: Sequence[str]) -> None:
    """Run a tool on a database. The password goes by the environment, which nobody else can read, unlike the command line."""
    address, password = address_of(url)
    environment = os.environ | {"PGPASSWORD": password or "", "LC_ALL": "C.UTF-8"}
    words = ["--no-password", f"--dbname={address}", *options]
    child = await asyncio.create_subprocess_exec(program, *words, env=environment, stderr=asyncio.subprocess.PIPE)
    try:
        _, said = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode:
        raise Conflict(TOOL_FAILED, program=program.name, said=said.decode(errors="replace").strip())
