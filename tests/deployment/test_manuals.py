"""All manuals: the commands, pictures, files and alerts that they name are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from oa_server.cli import main
from tests.deployment.site import DEPLOY

MANUALS = sorted(DEPLOY.glob("manual-*.zh.md"))
CLICKED = {"manual-proposals.zh.md", "manual-messages.zh.md"}  # read by people who type no commands
PICTURE_LIMIT = 120 * 1024  # bytes, so that a manual opens at once on a slow line
RULES = (DEPLOY / "grafana" / "oa-rules.yml").read_text("utf-8")
EMERGENCY = (DEPLOY / "manual-emergency.zh.md").read_text("utf-8")
# Everything that can stand on a screen: the web client's words, what the server says and what the key agent says.
SPOKEN = [DEPLOY.parent / "clients/web/src/words/zh.ts"]
SPOKEN += [file for folder in ("oa_server", "clients/agent") for file in sorted((DEPLOY.parent / folder).rglob("*.py"))]
ON_SCREEN = "".join("".join(file.read_text("utf-8").split()) for file in SPOKEN)
NOT_OURS = {
    "重大",
    "特别重大",
    "哪里：怎样",
    "System clock synchronized: yes",
    "Verify return code: 0 (ok)",
    "Verified OK",
}
ALERTS = set(re.findall(r"alert: (\S+)", RULES))

each_manual = pytest.mark.parametrize("manual", MANUALS, ids=lambda path: path.name)


def typed(text: str) -> list[str]:
    """What follows each `oa`, on lines of their own and in the middle of a sentence."""
    lines = [
        line.strip()
        for block in re.findall(r"^ *```\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    sentences = re.findall(r"`([^`\n]+)`", text)
    found = (re.match(r"(?:[A-Z_]+=\S+ )?oa ([a-z].*)", line) for line in [*lines, *sentences])
    return [re.split(r" *[>|<] *", match[1])[0] for match in found if match]


def check(words: list[str]) -> None:
    """Follow the words down to a command, and hold what is left against its options and arguments."""
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        assert words[0] in command.commands, words
        command = command.commands[words.pop(0)]
    if not words or isinstance(command, click.Group):
        return
    options = {name: option for option in command.params if isinstance(option, click.Option) for name in option.opts}
    arguments = [argument for argument in command.params if isinstance(argument, click.Argument)]
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            assert arguments, f"{command.name}: {word}"
            arguments.pop()
        else:
            assert word in options, f"{command.name}: {word}"
            if not options[word].is_flag:
                options[word].type.convert(words.pop(0), options[word], None)


@each_manual
def test_commands_are_there(manual: Path) -> None:
    """Each command of ours exists, with its subcommand, its options and as many arguments as it takes."""
    commands = typed(manual.read_text("utf-8"))
    assert len(commands) > 3 or manual.name in CLICKED
    for command in commands:
        check(shlex.split(command))


@each_manual
def test_links_lead_somewhere(manual: Path) -> None:
    """Each picture and each manual that is linked is there, and every picture says in words what it shows."""
    links = re.findall(r"(!?)\[([^\]]*)\]\(([^)#]+)\)", manual.read_text("utf-8"))
    for picture, words, target in links:
        assert (DEPLOY / target).is_file(), target
        assert words, target
        assert not picture or (DEPLOY / target).stat().st_size < PICTURE_LIMIT, target


@each_manual
def test_words_are_those_on_the_screen(manual: Path) -> None:
    """Each button, state and message that is quoted has this very wording; 几 stands for a number."""
    for quoted in set(re.findall(r"“([^”]+)”", manual.read_text("utf-8"))) - NOT_OURS:
        for part in "".join(quoted.split()).split("几"):
            assert part in ON_SCREEN, quoted


def test_alerts_are_there() -> None:
    """Each alert that rings leads to a sheet, no sheet names another alert, and each sheet that is named is there."""
    table = re.search(r"^\| 报警 \| 查 \|\n(.*?)\n\n", EMERGENCY, re.MULTILINE | re.DOTALL)
    assert table is not None
    named = {name for row in table[1].splitlines()[1:] for name in row.split("|")[1].strip().split("、")}
    assert named == ALERTS
    for line in re.findall(r"^- \*\*现象\*\*：(.*)$", EMERGENCY, re.MULTILINE):
        assert set(re.findall(r"\*\*(\S+?)\*\*", line)) <= ALERTS, line
    sheets = set(re.findall(r"^### 表(\S+)", EMERGENCY, re.MULTILINE))
    assert set(re.findall(r"(?<!-)表([一二三四五六七八九十]+)", EMERGENCY)) <= sheets


def test_sheets_are_whole() -> None:
    """Each sheet says what is seen, what it means, what to do, how to see that it is over and what to write down."""
    for sheet in re.split(r"^### ", EMERGENCY.split("\n## 五")[0], flags=re.MULTILINE)[1:]:
        assert re.findall(r"^- \*\*(\S+?)\*\*", sheet, re.MULTILINE) == [
            "现象",
            "影响",
            "立即做",
            "核实恢复",
            "记录",
        ], sheet[:20]
