"""Real servers for the tests, private ones: on free ports of loopback, in temporary folders, stopped by their pid."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

START_SECONDS = 30
POSTGRES_DIRS = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),)


def free_port() -> int:
    """A port nobody listens on. Below 20000, because the object store also takes port + 10000."""
    for port in range(11000 + os.getpid() % 6000, 19900):
        if _is_free(port) and _is_free(port + 10000):
            return port
    raise RuntimeError("no free port")


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _wait(what: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.1)
    raise RuntimeError(f"{what} did not start")


def _stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    process.send_signal(how)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL cluster; yields the URL of its `postgres` database. As root it runs as the user postgres."""
    programs = Path(os.environ["PG_BINDIR"]) if "PG_BINDIR" in os.environ else POSTGRES_DIRS[0]
    base = folder / "pg"
    base.mkdir(parents=True)
    options: dict[str, object] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        for place in (base, *base.parents):
            # The server must be able to walk to its own folder.
            if place.stat().st_uid == 0 and place != Path("/"):
                place.chmod(place.stat().st_mode | 0o011)
        shutil.chown(base, user.pw_uid, user.pw_gid)
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = base / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-U", "oa"],
        check=True,
        capture_output=True,
        cwd=base,
        **options,
    )
    port = free_port()
    command = [programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    for setting in (f"unix_socket_directories={base}", "fsync=off", "full_page_writes=off", "max_connections=200"):
        command += ["-c", setting]
    process = subprocess.Popen(command, cwd=base, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-U", "oa"]
        _wait("PostgreSQL", lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0)
        yield f"postgres://oa@127.0.0.1:{port}/postgres"
    finally:
        _stop(process, signal.SIGINT)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis without persistence; yields its URL."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait("Redis", lambda: not _is_free(port))
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        _stop(process)


@contextmanager
def seaweedfs(folder: Path) -> Iterator[str]:
    """A SeaweedFS with its S3 face; yields the URL of an object store in it."""
    base = folder / "weed"
    base.mkdir(parents=True)
    identity = {"name": "oa", "credentials": [{"accessKey": "oa", "secretKey": "oa-secret"}], "actions": ["Admin"]}
    (base / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = {name: free_port() + offset for offset, name in enumerate(("master", "volume", "filer", "s3"))}
    weed = Path(sys.executable).parent / "weed"
    command = [str(weed), "server", f"-dir={base}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]
    command += [f"-master.port={ports['master']}", f"-volume.port={ports['volume']}", f"-filer.port={ports['filer']}"]
    command += [f"-s3.port={ports['s3']}", f"-s3.config={base / 's3.json'}", "-master.volumeSizeLimitMB=1024"]
    command += ["-volume.max=0", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=base)
    try:
        _wait("SeaweedFS", lambda: _answers(f"http://127.0.0.1:{ports['s3']}/"))
        yield f"s3://oa:oa-secret@127.0.0.1:{ports['s3']}/oa-objects?secure=0"
    finally:
        _stop(process, signal.SIGKILL)  # A polite stop takes it a quarter of a minute.


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):
            return True
    except HTTPError:
        return True
    except (URLError, OSError):
        return False
