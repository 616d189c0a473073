"""`make demo` as a person meets it: one command, real processes, and clear words where it cannot go on.

The city is built once. Its first start is looked at and worked in, then stopped; what it left is started a second time, by
somebody who has meanwhile added a token, the site's fonts and a display.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from fontTools.ttLib import TTFont
from websockets.asyncio.client import connect

from crypto.keys import open_key_file
from oa_agent.config import load_config
from oa_agent.tokens import TokenDriver
from oa_server.demo import city
from oa_server.demo.enrolment import PIN
from oa_server.proposals.states import AssignmentState, ProposalState
from oa_server.settings import load
from tests import servers
from tests.city import BODY, Browser
from tests.conftest import FONTS
from tests.desk import SOFTHSM

pytestmark = pytest.mark.timeout(400)

LAST_LINE = "按 Ctrl+C 停止"
SECONDS = 30  # what a second start may take at most; building takes longer
SITE_FONT = "Jiangcheng XiaoBiaoSong"
TITLE = "关于演示停机前起草的请示"
ATTACHMENT = "停机前上传。\n".encode()


# --- starting and stopping --------------------------------------------------------------------------------------------


def _command(folder: Path, *words: str, **environment: str) -> dict[str, Any]:
    """The demo's command in a terminal without a display, for the data in this folder."""
    left_out = ("OA_", "DISPLAY", "WAYLAND_DISPLAY")
    own = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {
        "args": [sys.executable, "-m", "oa_server", *words],
        "env": {**own, "OA_DEMO_DIR": str(folder), **environment},
    }


def _refused(folder: Path, *words: str) -> str:
    """Run a command that must not succeed; returns what it says, which is no traceback."""
    done = subprocess.run(**_command(folder, *words), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return str(done.stderr)


def _lines_until(out: IO[str], last: str) -> list[str]:
    """What is printed until a line begins so."""
    lines: list[str] = []
    for line in out:
        lines.append(line.rstrip("\n"))
        if line.startswith(last):
            break
    return lines


@contextmanager
def _running(folder: Path, port: int, until: str = LAST_LINE, **environment: str) -> Iterator[list[str]]:
    """A demo in a terminal of its own; yields what it printed. At the end comes Ctrl+C, which reaches all its processes."""
    command = _command(folder, "demo", "--port", str(port), **environment)
    demo = subprocess.Popen(**command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with demo:
        try:
            assert demo.stdout is not None
            yield _lines_until(demo.stdout, until)
        finally:
            os.killpg(demo.pid, signal.SIGINT)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _left_over(folder: Path) -> list[str]:
    """The processes that still work on the demo's data."""
    listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


# --- looking and working ----------------------------------------------------------------------------------------------


def _rows(folder: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{folder / 'oa.sqlite3'}?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()


@dataclass(frozen=True)
class Census:
    """What stands in the directory, the register and the log."""

    organs: int
    organs_with_units: int
    officials: int
    officials_with_posts: int
    seals_by_organ: Counter[str]
    administrators: list[tuple[str, str, str]]
    outgoing: Counter[str]
    incoming: Counter[str]
    proposals: Counter[str]
    assignments: Counter[str]
    replies: int
    overdue: int
    acts: set[tuple[str, str]]

    @classmethod
    def of(cls, folder: Path) -> Census:
        def count(what: str) -> int:
            return int(_rows(folder, f"SELECT count({what}")[0][0])

        def column(what: str) -> Counter[str]:
            return Counter(value for (value,) in _rows(folder, f"SELECT {what}"))

        return cls(
            organs=count("*) FROM organ"),
            organs_with_units=count("DISTINCT organ_id) FROM unit"),
            officials=count("*) FROM official"),
            officials_with_posts=count("DISTINCT official_id) FROM post"),
            seals_by_organ=column("organ_id FROM seal WHERE state = 'in_use'"),
            administrators=_rows(
                folder,
                "SELECT r.role, o.code, o.name FROM responsibility r JOIN official o ON o.id = r.official_id"
                " WHERE r.role LIKE '%_admin' ORDER BY r.role",
            ),
            outgoing=column("state FROM outgoing_document"),
            incoming=column("state FROM incoming_document"),
            proposals=column("state FROM proposal"),
            assignments=column("state FROM assignment"),
            replies=count("*) FROM proposal_reply"),
            overdue=count("*) FROM clock WHERE state = 'running' AND due_on < date('now')"),
            acts=set(_rows(folder, "SELECT DISTINCT verb, actor_name FROM audit_record")),
        )


async def _desk(folder: Path, port: int, code: str) -> Browser:
    """The browser of an official of the city, signed in with their key file."""
    keys = {}
    for usage in ("sign-in", "signing"):
        (path,) = (folder / "keys").glob(f"{code}-*.{usage}.oakey")
        keys[usage] = open_key_file(path.read_bytes(), PIN)
    origin = f"http://127.0.0.1:{port}"
    browser = Browser(httpx.AsyncClient(base_url=origin, timeout=30), origin, keys)
    await browser.sign_in()
    return browser


async def _ask_agent(folder: Path, command: str) -> Any:
    """What the agent beside the demo answers a page of it."""
    config = load_config(folder / "agent.toml")
    (origin,) = config.origins
    async with connect(f"ws://127.0.0.1:{config.port}", origin=origin, subprotocols=["oa-agent.1"]) as socket:
        await socket.send(json.dumps({"id": 1, "command": command}))
        return json.loads(await socket.recv())["result"]


async def _stand_ins(port: int) -> list[str]:
    """The fonts that the banner names on every page."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{port}/api/about")
        return list(answer.json()["stand_in_fonts"])


def _official(organ: str, title: str) -> str:
    return next(row[2] for row in city.officials() if row[0] == organ and row[4] == title)


@dataclass(frozen=True)
class Work:
    """What officials have done in the first start."""

    draft: str
    file: str
    incoming: str


async def _work(folder: Path, port: int) -> Work:
    """A draft with an attachment in one organ, and a document signed for in another."""
    drafter = await _desk(folder, port, _official(city.OFFICE, "科员"))
    drafted = await drafter.send(
        "POST", "/api/documents", json={"elements": {"kind": "request", "title": TITLE}, "body": BODY}
    )
    assert drafted.status_code == 201, drafted.text
    draft = drafted.json()["id"]
    file = (await drafter.begin_upload(draft, name="附件.txt", size=len(ATTACHMENT))).json()["id"]
    assert (await drafter.put_part(file, 0, ATTACHMENT)).json()["state"] == "ready"
    # An organ that has none of the sample documents behind it yet but what waits to be signed for.
    clerk = await _desk(folder, port, _official(city.group("others")[-1], "机要文书"))
    (waiting,) = (await clerk.get("/api/incoming")).json()["items"]
    assert waiting["state"] == "arrived"
    signed = await clerk.sign(f"/api/incoming/{waiting['id']}", "sign_for")
    assert signed.status_code == 200, signed.text
    for desk in (drafter, clerk):
        await desk.http.aclose()
    return Work(draft, file, waiting["id"])


# --- the two starts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """A start of the demo: where it ran and what it printed. `seconds` are those until it was ready."""

    folder: Path
    port: int
    lines: list[str]
    seconds: float

    @property
    def cast(self) -> list[str]:
        return [line for line in self.lines if line.startswith("  ")]


@dataclass(frozen=True)
class First:
    """The first start, which is over: what was found while it ran, and what was left afterwards."""

    start: Start
    census: Census
    work: Work
    stand_ins: list[str]
    agent: dict[str, str]
    told: list[str]
    at_work: list[str]
    left_over: list[str]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    """Build the city, work in it, and stop."""
    folder, port, began = tmp_path_factory.mktemp("demo") / "data", servers.free_port(), time.monotonic()
    with _running(folder, port) as lines:
        start = Start(folder, port, lines, time.monotonic() - began)
        census = Census.of(folder)
        others = (("demo", "--port", str(servers.free_port())), ("demo-reset",))
        told = [_refused(folder, *words) for words in others]
        work = asyncio.run(_work(folder, port))
        stand_ins, agent = asyncio.run(_stand_ins(port)), asyncio.run(_ask_agent(folder, "hello"))
        at_work = _left_over(folder)
    return First(start, census, work, stand_ins, agent, told, at_work, _left_over(folder))


@pytest.fixture(scope="module")
def second(first: First, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start what is there once more, with a token, the site's fonts and a display added; it runs while tests look."""
    folder, port, own = first.start.folder, servers.free_port(), tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as environment, servers.virtual_display() as display:
        tokens = _add_token(folder, own, environment)
        more = {"OA_SETTINGS": str(_site_settings(own)), "SOFTHSM2_CONF": str(tokens), "DISPLAY": display}
        began = time.monotonic()
        with _running(folder, port, **more) as lines:
            yield Start(folder, port, lines, time.monotonic() - began)


def _add_token(folder: Path, own: Path, environment: pytest.MonkeyPatch) -> Path:
    """Initialise a token, and name its driver where the agent's file says to; returns SoftHSM's own configuration."""
    (own / "tokens").mkdir()
    configuration = own / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {own / 'tokens'}\n")
    environment.setenv("SOFTHSM2_CONF", str(configuration))
    asyncio.run(TokenDriver(SOFTHSM).init_token("处室一号", "13579135", PIN))
    file = folder / "agent.toml"
    text = file.read_text("utf-8")
    assert "\n# [[modules]]\n" in text
    file.write_text(f'{text}pin_seconds = 90\n\n# 一号柜\n[[modules]]\npath = "{SOFTHSM}"\n', "utf-8")
    return configuration


def _site_settings(own: Path) -> Path:
    """Settings of a site that has a face of its own for titles."""
    (own / "fonts").mkdir()
    with TTFont(FONTS / "LXGWWenKai-Regular.ttf") as font:
        for record in font["name"].names:
            if record.nameID in {1, 4, 16}:
                record.string = SITE_FONT
        font.save(own / "fonts" / "site.ttf")
    settings = own / "settings.toml"
    # A socket and a database of a real installation, which the demo must keep away from.
    settings.write_text(
        f'font_dirs = ["{own / "fonts"}"]\nsite_fonts = {{ xiaobiaosong = "{SITE_FONT}" }}\n'
        f'socket = "{own / "oa.sock"}"\ndatabase_url = "sqlite:///{own / "real.sqlite3"}"\n',
        "utf-8",
    )
    return settings


# --- the first --------------------------------------------------------------------------------------------------------


def test_first_start(first: First) -> None:
    """The first start tells the address and who is who, asks for PINs on a page where no display is, and leaves nothing
    behind."""
    printed = "\n".join(first.start.lines)
    assert f"演示已就绪：http://127.0.0.1:{first.start.port}　（演示数据，仅限本机访问）" in printed
    assert f"证书 PIN 码一律为 {PIN}" in printed
    assert len(first.start.cast) == 19
    assert first.agent["pin_entry"] == "page"
    assert len(first.at_work) > 1
    assert first.left_over == []
    assert not _answers(first.start.port)


def test_guarded(first: First) -> None:
    """Nobody else can use or delete the data while a demo runs on them, and whoever tries is told where it runs."""
    for words in first.told:
        assert f"演示正在运行（http://127.0.0.1:{first.start.port}，进程" in words


def test_the_city(first: First) -> None:
    """70 organs, each with units and one seal; 514 officials, each in a post; three administrators who are three people."""
    found = first.census
    assert (found.organs, found.organs_with_units) == (70, 70)
    assert (found.officials, found.officials_with_posts) == (514, 514)
    assert (len(found.seals_by_organ), set(found.seals_by_organ.values())) == (70, {1})
    assert [role for role, _, _ in found.administrators] == ["audit_admin", "security_admin", "system_admin"]
    assert len({code for _, code, _ in found.administrators}) == 3
    assert len({name for _, _, name in found.administrators}) == 3


def test_documents_under_way(first: First) -> None:
    """A handful of documents lie on desks at different steps, and others have been sent, received, handled and refused."""
    outgoing, incoming = first.census.outgoing, first.census.incoming
    assert outgoing == {
        "drafting": 2,
        "under_review": 2,
        "signed": 1,
        "frozen": 1,
        "dispatched": 4 + first.census.replies,
    }
    assert {"arrived", "signed_for", "registered", "proposed", "refused", "closed"} == set(incoming)


def test_suggestions_at_every_stage(first: First) -> None:
    """The congress has met: its deputies' suggestions lie at every stage, some answered and judged, some overdue."""
    found = first.census
    assert found.proposals.total() == 46
    assert set(ProposalState) - set(found.proposals) == {ProposalState.WITHDRAWN}
    assert set(AssignmentState) - set(found.assignments) == {AssignmentState.ARBITRATION}
    assert found.overdue > 0


def test_in_whose_name(first: First) -> None:
    """The console appoints the administrators, the years come with the program, and heads are signed by it; everything else is in
    the log under the administrators' names."""
    audit, security, system = (name for _, _, name in first.census.administrators)
    by = {verb: {name for done, name in first.census.acts if done == verb} for verb, _ in first.census.acts}
    assert by["identity.directory_imported"] == {"system", system}
    for verb in (
        "workflow.template_published",
        "pki.authority_created",
        "pki.device_registered",
        "pki.certificate_requested",
    ):
        assert by[verb] == {system}
    for verb in ("pki.certificate_issued", "signing.seal_registered"):
        assert by[verb] == {security}
    assert {verb for verb, names in by.items() if "system" in names} <= {
        "identity.directory_imported",
        "audit.head_signed",
        "deadlines.calendar_kept",
        "pki.crl_issued",
    }
    assert audit not in {name for _, name in first.census.acts}


# --- the second -------------------------------------------------------------------------------------------------------


async def test_second_start_keeps_everything(first: First, second: Start) -> None:
    """The second start takes seconds, and what was drafted, uploaded and signed for in the first is there."""
    assert not any("首次启动" in line for line in second.lines)
    assert second.cast == first.start.cast
    assert second.seconds < min(SECONDS, first.start.seconds)
    drafter = await _desk(second.folder, second.port, _official(city.OFFICE, "科员"))
    draft = (await drafter.get(f"/api/documents/{first.work.draft}")).json()
    assert (draft["elements"]["title"], draft["state"]) == (TITLE, "drafting")
    assert (await drafter.get(f"/api/files/{first.work.file}/content")).content == ATTACHMENT
    clerk = await _desk(second.folder, second.port, _official(city.group("others")[-1], "机要文书"))
    received = (await clerk.get(f"/api/incoming/{first.work.incoming}")).json()
    assert received["state"] == "signed_for"
    for desk in (drafter, clerk):
        await desk.http.aclose()


async def test_a_token_of_its_own(first: First, second: Start) -> None:
    """A driver that somebody wrote into the agent's file is still there, with the words beside it, and its token is offered."""
    assert "处室一号" in [token["label"] for token in await _ask_agent(second.folder, "tokens")]
    text = (second.folder / "agent.toml").read_text("utf-8")
    config = load_config(second.folder / "agent.toml")
    assert text.count("[[modules]]") == 2  # the hint, and the driver
    assert "\n# 一号柜\n" in text
    assert config.pin_seconds == 90
    assert [module.path for module in config.modules] == [SOFTHSM]
    assert config.origins == (f"http://127.0.0.1:{second.port}",)
    assert len(config.servers) == 1


async def test_a_window_where_there_is_a_display(second: Start) -> None:
    """Where a display is, PINs are asked for in the agent's own window."""
    if importlib.util.find_spec("tkinter") is None:
        pytest.skip("needs tkinter")
    assert (await _ask_agent(second.folder, "hello"))["pin_entry"] == "window"


async def test_fonts_of_the_site(first: First, second: Start) -> None:
    """With the site's own face for titles the banner of stand-ins is gone; nothing else of its settings moves the demo."""
    assert [name for name in first.stand_ins if "小标宋" in name] != []
    assert await _stand_ins(second.port) == []
    saved = load(second.folder / "settings.toml", environ={})
    assert saved.site_fonts == {"xiaobiaosong": SITE_FONT}
    assert saved.font_dirs[1:] == (FONTS,)
    assert (saved.socket, saved.database_url) == ("", "")


# --- what stands in the way -------------------------------------------------------------------------------------------


def test_spoilt_agent_file(first: First, tmp_path: Path) -> None:
    """A file of the agent that cannot be read is named, with what to do; it stays as its owner left it."""
    data = tmp_path / "data"
    shutil.copytree(first.start.folder, data)
    (data / "agent.toml").write_text("[[modules]\n", "utf-8")
    said = _refused(data, "demo", "--port", str(servers.free_port()))
    assert f"{data / 'agent.toml'} 无法识别" in said
    assert "[[modules]\n" in (data / "agent.toml").read_text("utf-8")


def test_taken_port(tmp_path: Path) -> None:
    """A port that somebody else uses is named, with the way to choose another, before anything is built."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = _refused(tmp_path / "data", "demo", "--port", str(port))
    assert f"端口 {port} 已被其他程序占用" in said
    assert "make demo PORT=" in said
    assert not (tmp_path / "data").exists()


def test_reset(first: First, tmp_path: Path) -> None:
    """`make demo-reset` deletes the data of a demo that does not run, and the next start builds the city anew."""
    data = tmp_path / "data"
    shutil.copytree(first.start.folder, data)
    subprocess.run(**_command(data, "demo-reset"), timeout=60, check=True)
    assert not data.exists()
    # Two lines tell that it builds; the rest of it is the first start's story.
    with _running(data, servers.free_port(), until="导入") as lines:
        assert any("首次启动" in line for line in lines)
        assert f"导入 {city.ORGANS} 个机关" in lines[-1]
