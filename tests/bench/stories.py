"""The main story through nginx: whole documents on their way at once, by two server processes beside one."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import closing
from pathlib import Path

from oa_server.settings import Settings
from tests.bench.report import SECONDS, figure
from tests.deployment.site import SERVERS, Site, running_site
from tests.faults.errand import Desks, Errand, Peace
from tests.faults.ledger import Ledger

AT_ONCE = 4


def through_nginx(settings: Settings, base: Path) -> None:
    """Four documents at once from draft to receipt, each answer waited for, as often as the load lasts.

    The officials' browsers, which sign, and all servers share the cores of this machine: on two cores the second process
    can win no more than these leave it.
    """
    steps = {}
    for count in range(1, len(SERVERS) + 1):
        folder = base / f"site-{count}"
        folder.mkdir()
        with running_site(settings, folder, SERVERS[:count]) as site:
            os.environ["SSL_CERT_FILE"] = str(site.root)
            steps[count] = asyncio.run(_walked(site, folder / "ledger.jsonl"))
    per_second = {f"steps_per_second_by_{count}": rate for count, rate in steps.items()}
    figure("stories_through_nginx", "production", at_once=AT_ONCE, **per_second, ratio_to_one=steps[2] / steps[1])


async def _walked(site: Site, path: Path) -> float:
    """Acknowledged steps per second."""
    with closing(Ledger(path)) as ledger:
        desks = [await Desks.of(site.city) for _ in range(AT_ONCE)]
        await Errand(site.city, desks[0], ledger, Peace()).run()  # Every process is warm then.
        warm, start = len(ledger.entries), time.perf_counter()
        await asyncio.gather(*(_lane(site, own, ledger, start + SECONDS) for own in desks))
        rate = (len(ledger.entries) - warm) / (time.perf_counter() - start)
    for client in site.city.clients:
        await client.aclose()
    return rate


async def _lane(site: Site, desks: Desks, ledger: Ledger, until: float) -> None:
    while time.perf_counter() < until:
        await Errand(site.city, desks, ledger, Peace()).run()
