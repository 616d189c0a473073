"""How figures are taken and told: one JSON line each, beside a peer or the raw limit of the same run."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from oa_server.settings import Settings, save
from tests import servers
from tests.city import Browser, City

CONNECTIONS = 8
SECONDS = int(os.environ.get("OA_BENCH_SECONDS", "8"))


def figure(name: str, column: str, **values: Any) -> None:
    """One line of the report."""
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}
    sys.stdout.write(json.dumps({"figure": name, "column": column, **rounded}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


async def timed(times: int, act: Callable[[], Awaitable[Any]]) -> list[float]:
    """Milliseconds of each of `times` runs, after one that warms up."""
    await act()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        await act()
        found.append((time.perf_counter() - start) * 1000)
    return found


def spread(milliseconds: list[float]) -> dict[str, float]:
    return {"p50_ms": statistics.median(milliseconds), "p99_ms": p99(milliseconds)}


def p99(milliseconds: list[float]) -> float:
    return sorted(milliseconds)[int(len(milliseconds) * 0.99)]


@dataclass(frozen=True, slots=True)
class Load:
    """What a load generator saw: answers per second, how long one took in milliseconds, and how many were none or no 200."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def load(url: str, headers: dict[str, str], body: bytes | None = None) -> Load:
    """Ask for `url`, or send it `body`, over a few connections for some seconds. What fails on the way is counted: a figure
    with errors is printed as such, for a slow machine is no reason to end the run."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if body is not None:
            spelt = "".join(f"\\{byte:03d}" for byte in body)
            script.write(f'wrk.method = "POST"\nwrk.body = "{spelt}"\n')
            script.flush()
            command += ["-s", script.name]
        said = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    return read_load(said)


def read_load(said: str) -> Load:
    """What wrk said, read."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None
    failed = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    errors = sum(map(int, (*(failed.groups() if failed else ()), *(refused.groups() if refused else ()))))
    return Load(float(rate[1]), _latency(said, "50%"), _latency(said, "99%"), errors)


def _latency(said: str, which: str) -> float:
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s)\b", said)
    assert found is not None
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


@contextmanager
def serving(settings: Settings) -> Iterator[int]:
    """A server process of the product over a founded city; yields its process id."""
    path = settings.data_dir / "settings.toml"
    save(settings, path)
    environment = os.environ | {"OA_SETTINGS": str(path)}
    with process([sys.executable, "-m", "oa_server", "serve"], f"{settings.origin}/api/about", environment) as pid:
        yield pid


@contextmanager
def process(command: list[str], ready_url: str, environment: dict[str, str]) -> Iterator[int]:
    """A process that serves HTTP, from the moment it answers to its end."""
    started = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        servers._wait(command[2], lambda: servers._answers(ready_url))
        yield started.pid
    finally:
        servers._stop(started)


async def at_desk(settings: Settings, city: City, person: str) -> Browser:
    """An official signed in at a running server, over real connections."""
    browser = Browser(httpx.AsyncClient(base_url=settings.origin, timeout=60), settings.origin, city.keys(person))
    await browser.sign_in()
    return browser


def reset_peak_memory(pid: int) -> float:
    """Forget the highest memory use of a process so far. Returns what it uses now, in MiB."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _memory(pid, "VmRSS")


def peak_memory(pid: int) -> float:
    """The highest memory use of a process since it was reset, in MiB."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, which: str) -> float:
    found = re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
