"""Real servers for the tests, private ones: on free ports of loopback, in temporary folders, stopped by their pid.

Each can be killed, frozen and started again on the same port over the same data.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from oa_server.settings import Settings, save

START_SECONDS = 30
STOP_SECONDS = 20
# The test file of EICAR in two halves, so that this source is not to be found by what knows it.
EICAR = (rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
MEMORY, ROOM = Path("/dev/shm"), 4 << 30
SHORT = 60  # The path of a socket holds 107 bytes.
POSTGRES_DIRS = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),)


def free_port() -> int:
    """A port nobody listens on. Below 20000, because the object store also takes port + 10000.

    Processes that start together begin to look far from each other, or they would find the same one.
    """
    for port in range(11000 + os.getpid() * 97 % 8000, 19900):
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
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not start")


def _stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server(ABC):
    """A server as a process with its children: it runs inside the `with` block, and after it nothing of it does."""

    url: str
    log = Path(os.devnull)
    polite = signal.SIGTERM
    _process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.thaw()
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, **self._options())
        _wait(type(self).__name__, self.answers)

    @abstractmethod
    def _command(self) -> Sequence[str | Path]: ...

    def _options(self) -> dict[str, Any]:
        return {}

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves now."""

    def stop(self) -> int:
        """Stop it as its manual says, if it runs. Returns its exit status."""
        if self._process.poll() is None:
            _stop(self._process, self.polite)
        return self._process.wait()

    def kill(self) -> None:
        """Take it away without a word, children too."""
        family = [self.pid, *children_of(self.pid)]
        self._signal_all(signal.SIGKILL)
        self._process.wait()
        _wait("the end", lambda: not any(map(runs, family)))

    def freeze(self) -> None:
        """Have it keep its connections and answer nothing."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, what: signal.Signals) -> None:
        if self._process.poll() is None:
            for pid in (self.pid, *children_of(self.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, what)


@contextmanager
def virtual_display() -> Iterator[str]:
    """A display that nobody looks at, for as long as the block lasts; yields its name, as `DISPLAY` has it."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as said:
        name = f":{said.readline().strip()}"
    try:
        yield name
    finally:
        _stop(server)


def runs(pid: int) -> bool:
    """Whether a process lives; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid: int) -> list[int]:
    """The processes below one. Not its process group: PostgreSQL gives each backend a group of its own."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()):
            found += [child, *children_of(child)]
    return found


class Postgres(Server):
    """A PostgreSQL cluster; `url` is that of its `postgres` database. As root it runs as the user postgres.

    `in_memory` it lies in memory where there is room: a database has 700 files, and on a disk to copy and remove them for a
    test takes longer than most tests.
    """

    polite = signal.SIGINT

    def __init__(self, *, in_memory: bool = False) -> None:
        self._programs = Path(os.environ["PG_BINDIR"]) if "PG_BINDIR" in os.environ else POSTGRES_DIRS[0]
        # A folder of its own: those of the test runner are closed to other users, and closed anew by each further run.
        has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
        self._base = Path(tempfile.mkdtemp(prefix="oa-postgres-", dir=MEMORY if in_memory and has_room else None))
        self.log = self._base / "log"
        self._user: dict[str, Any] = _as_postgres(self._base) if os.geteuid() == 0 else {}
        self.port = free_port()
        self.url = f"postgres://oa@127.0.0.1:{self.port}/postgres"
        options = ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-U", "oa"]
        self.run("initdb", "-D", self._base / "data", *options)

    def run(self, program: str, *words: str | Path, **environment: str) -> str:
        """What a program of PostgreSQL says, run as the user that the cluster belongs to."""
        command, env = [self._programs / program, *words], os.environ | environment
        return subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, cwd=self._base, env=env, **self._user
        ).stdout

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        shutil.rmtree(self._base)

    def _command(self) -> Sequence[str | Path]:
        command = [self._programs / "postgres", "-D", self._base / "data", "-p", str(self.port)]
        settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self._base}", "max_connections=200"]
        for setting in (*settings, "fsync=off", "full_page_writes=off"):
            command += ["-c", setting]
        return command

    def _options(self) -> dict[str, Any]:
        return {"cwd": self._base, **self._user}

    def answers(self) -> bool:
        ready = [self._programs / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-U", "oa"]
        return subprocess.run(ready, capture_output=True, check=False).returncode == 0


def _as_postgres(base: Path) -> dict[str, Any]:
    user = pwd.getpwnam("postgres")
    shutil.chown(base, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Redis(Server):
    """A Redis without persistence."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def _command(self) -> Sequence[str | Path]:
        options = ["--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        return ["redis-server", "--port", str(self._port), *options]

    def answers(self) -> bool:
        return not _is_free(self._port)


class SeaweedFS(Server):
    """A SeaweedFS with its S3 face; `url` is that of an object store in it."""

    polite = signal.SIGKILL  # A polite stop takes it a quarter of a minute.

    def __init__(self, folder: Path) -> None:
        self._base = folder / "weed"
        self._base.mkdir(parents=True)
        identity = {"name": "oa", "credentials": [{"accessKey": "oa", "secretKey": "oa-secret"}], "actions": ["Admin"]}
        (self._base / "s3.json").write_text(json.dumps({"identities": [identity]}))
        self._ports = {name: free_port() + offset for offset, name in enumerate(("master", "volume", "filer", "s3"))}
        self.url = f"s3://oa:oa-secret@127.0.0.1:{self._ports['s3']}/oa-objects?secure=0"

    def _command(self) -> Sequence[str | Path]:
        weed, base = Path(sys.executable).parent / "weed", self._base
        command = [str(weed), "server", f"-dir={base}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]
        command += [f"-{name}.port={port}" for name, port in self._ports.items()]
        command += [f"-s3.config={base / 's3.json'}", "-master.volumeSizeLimitMB=1024", "-volume.max=0"]
        return [*command, "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]

    def _options(self) -> dict[str, Any]:
        return {"cwd": self._base}

    def answers(self) -> bool:
        return _answers(f"http://127.0.0.1:{self._ports['s3']}/")


class Clamd(Server):
    """ClamAV's daemon as the installation manual has it set, with one signature: the test file of EICAR. `url` is that of its
    socket."""

    def __init__(self, folder: Path, **changes: str) -> None:
        # A folder of its own: what the path of a socket may be long is little.
        self._base = Path(tempfile.mkdtemp(prefix="oa-clamd-", dir=folder if len(str(folder)) < SHORT else None))
        self.socket = self._base / "clamd.ctl"
        self.url = f"clamd://{self.socket}"
        self.log = self._base / "log"
        (self._base / "signatures").mkdir()
        self.learn()
        self._file = self._base / "clamd.conf"
        self.configure(**changes)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        shutil.rmtree(self._base)

    def learn(self, data: bytes = b"".join(EICAR), name: str = "Eicar-Test-Signature") -> None:
        """Have it know one file, from its next start on, and nothing else."""
        line = f"{sha256(data).hexdigest()}:{len(data)}:{name}:73\n"
        (self._base / "signatures" / "local.hsb").write_text(line)

    def configure(self, **changes: str) -> None:
        """Set what is to be otherwise than in the installation manual, from its next start on."""
        settings = {
            "LocalSocket": self.socket, "DatabaseDirectory": self._base / "signatures", "Foreground": "yes",
            "TemporaryDirectory": self._base, "ExtendedDetectionInfo": "yes", "DisableCertCheck": "yes",
            "MaxThreads": "4", **_clamd_settings(), **changes,
        }  # fmt: skip
        self._file.write_text("".join(f"{key} {value}\n" for key, value in settings.items()), "utf-8")

    def _command(self) -> Sequence[str | Path]:
        return ["/usr/sbin/clamd", "-c", self._file]

    def answers(self) -> bool:
        with closing(socket.socket(socket.AF_UNIX)) as asking, suppress(OSError):
            asking.settimeout(1)
            asking.connect(str(self.socket))
            asking.sendall(b"zPING\0")
            return asking.recv(16) == b"PONG\0"
        return False


def _clamd_settings() -> dict[str, str]:
    """What the installation manual writes into ClamAV's settings."""
    manual = Path(__file__).parent.parent / "deploy" / "manual-install.zh.md"
    (lines,) = re.findall(
        r"^cat >>/etc/clamav/clamd.conf <<END\n(.*?)^END$", manual.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return dict(line.split() for line in lines.splitlines())


class OaServer(Server):
    """Our own server over the data of a founded city; `url` is its origin."""

    def __init__(self, settings: Settings) -> None:
        self._settings_file = settings.data_dir / "settings.toml"
        self.log = settings.data_dir / "server.log"
        self.url = settings.origin
        save(settings, self._settings_file)

    def _command(self) -> Sequence[str | Path]:
        return [sys.executable, "-m", "oa_server", "serve"]

    def _options(self) -> dict[str, Any]:
        return {"env": os.environ | {"OA_SETTINGS": str(self._settings_file)}}

    def answers(self) -> bool:
        return _answers(f"{self.url}/api/about")

    def kill(self) -> None:
        """Kill the server alone: its signer has to notice by itself."""
        self._process.kill()
        self._process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):
            return True
    except HTTPError:
        return True
    except (URLError, OSError):
        return False
