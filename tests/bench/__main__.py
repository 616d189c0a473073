"""`make bench`: one JSON line per figure, each beside a peer or the raw limit of the same run, in both columns.

Nothing here fails on a slow machine. `OA_BENCH_COLUMNS` narrows the columns, `OA_BENCH_FIGURES` the figures,
`OA_BENCH_BYTES` sets the size of the attachment (1 GiB unless told), `OA_BENCH_SECONDS` how long a load lasts.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from oa_server.settings import Settings
from tests import servers
from tests.bench import attachments, certificates, documents, proposals, sittings, stories, todo, writes
from tests.city import City
from tests.conftest import _found, at_cluster, embedded, running
from tests.proposals.assembly import set_up

COLUMNS = os.environ.get("OA_BENCH_COLUMNS", "embedded,production").split(",")
FIGURES = os.environ.get(
    "OA_BENCH_FIGURES",
    "pages,dispatch,certificates,tokens,import,sittings,sign_ins,writes,ocsp,attachments,todo,stories",
).split(",")

OF_A_CONGRESS = {"import", "sittings"}  # which need one, and the same


def measure(settings: Settings, column: str) -> None:
    """All figures of one column: those inside the process first, then those of a server process of its own."""
    city = asyncio.run(_inside(settings, column))
    if "sign_ins" in FIGURES:
        asyncio.run(documents.sign_ins(settings, city, column))
    if "writes" in FIGURES:
        asyncio.run(writes.drafts(settings, city, column))
    if "ocsp" in FIGURES:
        asyncio.run(certificates.ocsp_answers(settings, city, column))
    if "attachments" in FIGURES:
        asyncio.run(attachments.up_and_down(settings, city, column))
    if "todo" in FIGURES:
        asyncio.run(todo.over_http(settings, city, column))


async def _inside(settings: Settings, column: str) -> City:
    async with running(settings) as city:
        if OF_A_CONGRESS & set(FIGURES):
            await set_up(city)
        for name, part in (
            ("pages", documents.pages),
            ("dispatch", documents.dispatch),
            ("certificates", certificates.issued),
            ("tokens", certificates.token_check),
            ("import", proposals.imported),
            ("sittings", sittings.of_many),
            ("todo", todo.through_the_door),
        ):
            if name in FIGURES:
                await part(city, column)
        return city


def _address() -> dict[str, object]:
    """Where the server process of a column listens."""
    port = servers.free_port()
    return {"port": port, "origin": f"http://127.0.0.1:{port}"}


def main() -> None:
    """Both columns, one after the other."""
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if "embedded" in COLUMNS:
            settings = embedded(base / "embedded", **_address())
            asyncio.run(_found(settings))
            measure(settings, "embedded")
        if "production" in COLUMNS:
            # One after the other: each finds its port by looking for one where nobody listens yet.
            cluster = stack.enter_context(servers.Postgres()).url
            bus = stack.enter_context(servers.Redis(base)).url
            objects = stack.enter_context(servers.SeaweedFS(base)).url
            asyncio.run(at_cluster(cluster, "CREATE DATABASE founded"))
            urls = {"bus_url": bus, "object_store_url": objects}
            database = cluster.replace("/postgres", "/founded")
            settings = embedded(base / "production", database_url=database, **urls, **_address())
            asyncio.run(_found(settings))
            measure(settings, "production")
            if "stories" in FIGURES:
                stories.through_nginx(settings, base)


if __name__ == "__main__":
    sys.exit(main())
