"""The command line: the same JSON as by the socket, and what only it can do."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from websockets.asyncio.client import connect

from crypto.canonical import canonical_json
from crypto.challenge import new_nonce, verify_answer
from crypto.cms import prepare_cms
from crypto.keys import seal_key_file
from crypto.profiles import Profile
from crypto.suite import INTL
from oa_agent import config as config_module
from oa_agent.cli import main
from oa_agent.config import Config, Module, PinEntryKind, load_config
from oa_agent.protocol import AgentCommand
from oa_agent.requests import REQUEST_LIMIT
from oa_agent.sources import certificate_id
from tests.agent.conftest import (
    HOLDER,
    ORIGIN,
    PIN,
    SO_PIN,
    SOFTHSM,
    Office,
    Person,
    Pki,
    Token,
    Visit,
    agent_environment,
    as_toml,
    b64,
    b64url,
    der,
)


@pytest.fixture
def command_line(config: Config, tmp_path: Path) -> Callable[..., Result]:
    """Call the command line in this process; `entered` is typed at the terminal."""
    path = tmp_path / "agent.toml"
    path.write_text(as_toml(msgspec.structs.replace(config, pin_entry=PinEntryKind.CONSOLE)))

    def call(*arguments: str, entered: str = "") -> Result:
        return CliRunner().invoke(main, ["--config", str(path), *arguments], input=entered)

    return call


def _answer(result: Result) -> Any:
    return json.loads(result.stdout.splitlines()[-1])


async def test_the_same_json(
    visit: Visit,
    pki: Pki,
    config: Config,
    office: Office,
    run_agent: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    """Every command that the socket and the command line both have prints what the socket sends, id aside."""
    key = pki.key_file(Profile.SIGN_IN, config.keys, "登录")
    signing = pki.key_file(Profile.SIGNING, config.keys, "签名")
    key_id, signing_id = certificate_id(key.certificate), certificate_id(signing.certificate)
    nonce = b64url(new_nonce())
    late = office.request(office.claims(signing.certificate, exp=1))
    pem = tmp_path / "certificate.pem"
    pem.write_bytes(key.certificate.public_bytes(Encoding.PEM))
    wanted = {"token": "none", "usage": "sign-in", "label": "登录"}
    commands = [
        ({"command": "hello"}, ["hello"]),
        ({"command": "tokens"}, ["tokens"]),
        ({"command": "certificates", "usage": "sign-in"}, ["certificates", "--usage", "sign-in"]),
        (
            {"command": "authenticate", "certificate_id": signing_id, "nonce": nonce},
            ["authenticate", "--origin", ORIGIN, "--certificate", signing_id, "--nonce", nonce],
        ),
        (
            {"command": "sign", "certificate_id": signing_id, "request": late},
            ["sign", "--origin", ORIGIN, "--certificate", signing_id, late],
        ),
        (
            {"command": "generate", **wanted, "subject": {"common": HOLDER}},
            ["generate", "--token", "none", "--usage", "sign-in", "--label", "登录", "--name", HOLDER],
        ),
        (
            {"command": "write-certificate", "token": "none", "certificate": der(key.certificate)},
            ["write-certificate", "--token", "none", str(pem)],
        ),
        ({"command": "unlock", "token": "none"}, ["unlock", "--token", "none"]),
    ]
    both = {command.__struct_config__.tag for command in get_args(AgentCommand)}
    assert {members["command"] for members, _ in commands} == both <= set(main.commands)
    async with visit(pin_entry=PinEntryKind.CONSOLE) as page:
        for members, arguments in commands:
            said = await page.ask(**members)
            printed = await asyncio.to_thread(run_agent, config, arguments)
            assert printed.stdout, printed.stderr
            assert json.loads(printed.stdout) | {"id": None} == said | {"id": None}
            assert printed.returncode == (0 if said["ok"] else 1)
    async with visit() as page:
        page.person = Person([PIN])
        said = await page.get("authenticate", certificate_id=key_id, nonce=nonce)
        arguments = ["authenticate", "--origin", ORIGIN, "--certificate", key_id, "--nonce", nonce]
        printed = await asyncio.to_thread(run_agent, config, arguments, f"{PIN}\n")
    result = json.loads(printed.stdout)["result"]
    assert set(result) == set(said)
    for one in (result, said):
        public_key = key.certificate.public_key()
        assert verify_answer(
            public_key, ORIGIN, base64.b64decode(nonce + "=", b"-_"), base64.b64decode(one["signature"])
        )


SUBJECT = {"common": HOLDER, "organ": "江城市人民政府办公室", "unit": "综合科", "number": "00007"}
NAMED = [word for option, value in SUBJECT.items() for word in (f"--{option.replace('common', 'name')}", value)]


async def test_the_same_json_with_a_token(
    visit: Visit,
    pki: Pki,
    config: Config,
    office: Office,
    token: Token,
    run_agent: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    """A token is enrolled and used by both sides in turn: what succeeds prints what the socket sends, but for what is new
    each time – a key, a signature –, and that is good on both sides."""
    pem, chain = tmp_path / "certificate.pem", [der(one) for one in pki.issuing.chain]
    issued: dict[str, x509.Certificate] = {}

    async with visit() as page:

        async def both(members: dict[str, Any], arguments: list[str]) -> list[Any]:
            """The results of a command on the socket and on the command line."""
            page.person = Person([PIN])
            said = await page.ask(**members)
            printed = await asyncio.to_thread(run_agent, config, arguments, f"{PIN}\n")
            assert (said["ok"], printed.returncode) == (True, 0), (said, printed.stderr)
            answers = [said, json.loads(printed.stdout)]
            assert (answers[0].pop("id") is None, answers[1].pop("id")) == (False, None)
            assert [{*answer} for answer in answers] == [{"ok", "result"}] * 2
            return [answer["result"] for answer in answers]

        for usage in ("sign-in", "signing"):
            wanted = {"token": token.id, "usage": usage, "label": usage}
            options = ["--token", token.id, "--usage", usage, "--label", usage]
            results = await both({"command": "generate", **wanted, "subject": SUBJECT}, ["generate", *options, *NAMED])
            assert [{*result} for result in results] == [{"csr"}] * 2
            requests = [x509.load_pem_x509_csr(result["csr"].encode()) for result in results]
            assert all(request.is_signature_valid for request in requests)
            assert requests[0].subject == requests[1].subject
            assert requests[0].public_key() != requests[1].public_key()
            certificate = issued[usage] = pki.certify(Profile(usage), requests[1].public_key())
            pem.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in (certificate, *pki.issuing.chain)))
            written = await both(
                {"command": "write-certificate", "token": token.id, "certificate": der(certificate), "chain": chain},
                ["write-certificate", "--token", token.id, str(pem)],
            )
            assert written == [{"certificate_id": certificate_id(certificate)}] * 2
            listed = await both({"command": "certificates", "usage": usage}, ["certificates", "--usage", usage])
            assert listed[0] == listed[1]
            assert [one["id"] for one in listed[0]] == [certificate_id(certificate)]

        offered = await both({"command": "tokens"}, ["tokens"])
        assert offered[0] == offered[1]
        assert token.label in [one["label"] for one in offered[0]]

        nonce, key = new_nonce(), certificate_id(issued["sign-in"])
        who = ["--origin", ORIGIN, "--certificate"]
        answered = await both(
            {"command": "authenticate", "certificate_id": key, "nonce": b64url(nonce)},
            ["authenticate", *who, key, "--nonce", b64url(nonce)],
        )
        assert len({json.dumps(answer | {"signature": ""}) for answer in answered}) == 1
        for answer in answered:
            signature = base64.b64decode(answer["signature"])
            assert verify_answer(issued["sign-in"].public_key(), ORIGIN, nonce, signature)

        claims = [office.claims(issued["signing"], text=f"同意{number}") for number in range(2)]
        batch, key = [office.request(one) for one in claims], certificate_id(issued["signing"])
        signed = await both({"command": "sign", "certificate_id": key, "requests": batch}, ["sign", *who, key, *batch])
        assert len({json.dumps(answer | {"signatures": []}) for answer in signed}) == 1
        for answer in signed:
            for value, one in zip(answer["signatures"], claims, strict=True):
                attributes = base64.b64decode(one["signed_attributes"])
                assert INTL.verify(issued["signing"].public_key(), base64.b64decode(value), attributes)


def test_foreign_origins(command_line: Callable[..., Result]) -> None:
    """Nobody signs in at an origin that is not on the list, on the command line either."""
    result = command_line("authenticate", "--origin", "https://evil.example", "--certificate", "x", "--nonce", "y")
    assert _answer(result)["error"]["code"] == "origin.not_allowed"
    assert result.exit_code == 1


def test_signing(command_line: Callable[..., Result], pki: Pki, config: Config, office: Office) -> None:
    """The terminal shows what is signed before it asks; a batch takes one PIN; a wrong one is asked for again."""
    key = pki.key_file(Profile.SIGNING, config.keys, "签名")
    requests = [office.request(office.claims(key.certificate, text=f"同意{n}\n第二行")) for n in range(2)]
    result = command_line(
        "sign",
        "--origin",
        ORIGIN,
        "--certificate",
        certificate_id(key.certificate),
        *requests,
        entered=f"000000\n{PIN}\n",
    )
    assert len(_answer(result)["result"]["signatures"]) == 2
    for words in (
        "批量签名（共2项）",
        "意见：同意1\n      第二行",
        f"来源：{ORIGIN}",
        "剩余尝试次数：4",
        "! PIN 不正确",
    ):
        assert words in result.stderr
    for secret in (PIN, "000000"):
        assert secret not in result.output


def test_sending_to_thousands(
    pki: Pki, config: Config, office: Office, tmp_path: Path, run_agent: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A request too long for an argument is read from a file, up to the limit of every other request."""
    key = pki.key_file(Profile.SIGNING, config.keys, "签名")
    recipients = [{"organ": str(uuid4()), "role": "main"} for _ in range(3700)]
    content = canonical_json({"type": "oa/dispatch/1", "title": "关于防汛工作的通知", "recipients": recipients})
    attributes = prepare_cms(content, key.certificate).signed_attributes
    claims = office.claims(key.certificate, content=b64(content), signed_attributes=b64(attributes))
    file = tmp_path / "request"
    file.write_text(office.request(claims) + "\n")
    assert 400_000 < file.stat().st_size < REQUEST_LIMIT
    who = ["sign", "--origin", ORIGIN, "--certificate", certificate_id(key.certificate)]
    done = run_agent(config, [*who, "--from", str(file)], f"{PIN}\n")
    signature = base64.b64decode(json.loads(done.stdout)["result"]["signature"])
    assert INTL.verify(key.certificate.public_key(), signature, attributes)
    assert "发往：共3700个机关" in done.stderr
    assert run_agent(config, who).returncode == 2


def test_giving_up_at_the_terminal(
    command_line: Callable[..., Result], pki: Pki, config: Config, office: Office
) -> None:
    """The end of the input is a no."""
    key = pki.key_file(Profile.SIGNING, config.keys, "签名")
    request = office.request(office.claims(key.certificate))
    result = command_line("sign", "--origin", ORIGIN, "--certificate", certificate_id(key.certificate), request)
    assert _answer(result)["error"]["code"] == "pin.cancelled"


def test_import(command_line: Callable[..., Result], pki: Pki, config: Config, tmp_path: Path) -> None:
    """A key file is taken into the folder under its name, once; anything else is refused."""
    key = pki.key(Profile.SEAL)
    file = tmp_path / "organ.json"
    file.write_bytes(seal_key_file(key.private_key, PIN, [key.certificate]))
    assert _answer(command_line("import", str(file)))["ok"]
    assert (config.keys / "organ.oakey").stat().st_mode & 0o077 == 0
    assert _answer(command_line("import", str(file)))["error"]["code"] == "token.name_taken"
    assert _answer(command_line("import", "--label", "../other", str(file)))["ok"]
    assert (config.keys / "_other.oakey").exists()
    file.write_text("{}")
    assert not _answer(command_line("import", "--label", "bad", str(file)))["ok"]
    assert len(_answer(command_line("certificates", "--usage", "seal"))["result"]) == 1


def test_the_life_of_a_token(command_line: Callable[..., Result], pki: Pki, config: Config, tmp_path: Path) -> None:
    """A token is initialised, given a key and a certificate, locked by wrong PINs, and unlocked by its security officer."""
    made = command_line(
        "init-token", "--module", SOFTHSM, "--label", "处室一号", entered=f"{SO_PIN}\n{SO_PIN}\n{PIN}\n{PIN}\n"
    )
    (token,) = _answer(made)["result"]
    assert token["label"] == "处室一号"
    where = ["--token", token["id"]]
    named = ["--usage", "sign-in", "--label", "登录", "--name", HOLDER, "--organ", "江城市人民政府办公室"]
    csr = x509.load_pem_x509_csr(
        _answer(command_line("generate", *where, *named, entered=f"{PIN}\n"))["result"]["csr"].encode()
    )
    certificate = pki.certify(Profile.SIGN_IN, csr.public_key())
    pem = tmp_path / "certificate.pem"
    pem.write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in (certificate, *pki.issuing.chain)))
    assert _answer(command_line("write-certificate", *where, str(pem), entered=f"{PIN}\n"))["ok"]
    sign_in = [
        "authenticate",
        "--origin",
        ORIGIN,
        "--certificate",
        certificate_id(certificate),
        "--nonce",
        b64url(new_nonce()),
    ]
    assert _answer(command_line(*sign_in, entered=f"{PIN}\n"))["ok"]
    assert _answer(command_line(*sign_in, entered="000000\n" * 5))["error"]["code"] == "pin.locked"
    assert _answer(command_line(*sign_in, entered=f"{PIN}\n"))["error"]["code"] == "pin.locked"
    officer = f"{SO_PIN}\n135790\n135790\n"
    wrong = officer.replace(SO_PIN, "11111111")
    assert _answer(command_line("unlock", *where, entered=f"{wrong}{officer}"))["ok"]
    assert _answer(command_line(*sign_in, entered="135790\n"))["ok"]


def test_certificates_that_are_none(command_line: Callable[..., Result], tmp_path: Path) -> None:
    """A file without certificates is said to be one."""
    file = tmp_path / "empty.pem"
    file.write_text("nothing")
    result = command_line("write-certificate", "--token", "software", str(file))
    assert result.exit_code == 1
    assert "文件中没有证书" in result.stderr


def test_forgetting_a_server(command_line: Callable[..., Result], config: Config, office: Office) -> None:
    """A server kept from its first use can be forgotten when its key has changed; an unknown one cannot."""
    config.state.mkdir(parents=True)
    (config.state / "servers.json").write_bytes(msgspec.json.encode([office.server]))
    assert _answer(command_line("forget-server", "--origin", ORIGIN))["ok"]
    assert _answer(command_line("forget-server", "--origin", ORIGIN))["error"]["code"] == "request.unknown_key"


@pytest.mark.norm("D-8.1.4.1c")
def test_there_is_no_way_to_pass_a_pin() -> None:
    """No command takes a PIN as an argument: other processes could read it there."""
    options = [
        option for command in main.commands.values() for parameter in command.params for option in parameter.opts
    ]
    assert not [option for option in options if "pin" in option]
    assert all(command.help for command in main.commands.values())


async def test_serving(config: Config, tmp_path: Path) -> None:
    """`serve` serves until it is told to stop, and leaves a log."""
    path = tmp_path / "agent.toml"
    path.write_text(as_toml(config))
    command = [sys.executable, "-m", "oa_agent", "--config", str(path), "serve"]
    agent = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=agent_environment())
    assert agent.stderr is not None
    line = (await asyncio.wait_for(agent.stderr.readline(), 20)).decode()
    url = line.strip().partition("：")[2]
    async with connect(url, origin=ORIGIN, subprotocols=["oa-agent.1"]) as socket:
        await socket.send('{"id": 1, "command": "hello"}')
        assert json.loads(await socket.recv())["result"]["agent"] == "oa-agent"
        agent.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(agent.wait(), 10) == 0
    log = (config.state / "agent.log").read_text()
    assert f"'hello' from {ORIGIN}: ok" in log
    assert "Traceback" not in log


def test_the_documented_configuration(tmp_path: Path) -> None:
    """The configuration in the module's docstring is one that loads, and its defaults are the defaults."""
    assert config_module.__doc__ is not None
    text = textwrap.dedent(config_module.__doc__.partition("\n\n")[2])
    path = tmp_path / "agent.toml"
    path.write_text(text)
    loaded = load_config(path)
    assert loaded == Config(origins=loaded.origins, modules=(Module(SOFTHSM),), servers=loaded.servers)
    assert loaded.servers[0].origin == loaded.origins[0]


@pytest.mark.parametrize(
    "text",
    ['origins = ["*"]', "port = 70000", "prot = 1", "port = ", '[[modules]]\nfile = "x"', 'pin_entry = "mail"', "\xff"],
)
def test_spoilt_configurations(tmp_path: Path, text: str) -> None:
    """A configuration with a mistake is refused with its place, and nothing starts."""
    path = tmp_path / "agent.toml"
    path.write_bytes(text.encode("latin-1"))
    result = CliRunner().invoke(main, ["--config", str(path), "tokens"])
    assert result.exit_code == 1
    assert "配置文件无法使用" in result.stderr
    with pytest.raises(ValueError):
        load_config(path)
