"""The house rules: what keeps the structure as it was drawn."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from openapi_spec_validator import validate

import oa_server.app
from oa_server.audit.verbs import Verb
from oa_server.core.errors import all_reasons
from oa_server.settings import Settings, load
from oa_server.storage.database import MODELS
from oa_server.web.endpoint import Access
from oa_server.web.openapi import describe, endpoints_of

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("oa_server", "crypto", "clients/agent", "clients/sdk")
SOURCES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
DOMAINS = (
    "audit", "identity", "installation", "pki", "signing", "files", "deadlines", "workflow", "messaging", "documents",
    "proposals", "departments",
)  # fmt: skip

# What anybody may ask before signing in; nothing else may be added without a reason given here.
OPEN_ENDPOINTS = {
    ("GET", "/api/about"),  # the page must know which agent to speak to
    ("GET", "/api/health"),  # monitors and balancers have no certificate,
    ("GET", "/api/ready"),  # and many of them cost what one costs
    ("POST", "/api/session/challenge"),  # how signing in begins
    ("POST", "/api/session"),  # how it ends
    ("POST", "/api/v1/token"),  # how departments' systems sign in
    ("GET", "/api/pki/crl/{issuer}"),  # RFC 5280: lists are public
    ("GET", "/api/pki/anchors/{fingerprint}"),
    ("POST", "/api/pki/enrolment"),  # the first administrators have no key to sign in with; they have a code,
    ("POST", "/api/pki/enrolment/done"),  # and nothing is done without one
    ("POST", "/api/pki/ocsp"),  # RFC 6960: whoever relies on a certificate may ask
    ("GET", "/api/pki/ocsp/{request:path}"),
    ("POST", "/api/judgements/code"),  # a member without a certificate has a single-use code,
    ("POST", "/api/judgements"),  # which is good for one judgement and nothing else
    ("POST", "/api/pki/timestamp"),  # RFC 3161: a stamp binds nobody to anything
}


def routes():
    return oa_server.app._api_routes(Settings())


def test_import_contracts() -> None:
    """Nobody imports upwards or sideways, and every outside package has one home."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


def test_every_endpoint_is_guarded() -> None:
    """Every endpoint asks who is there, except those listed with their reason."""
    found = {(method, path) for path, method, item in endpoints_of(routes()) if item.access is Access.OPEN}
    assert found == OPEN_ENDPOINTS


def test_one_route_per_path() -> None:
    """A path stands once, so that a wrong method is told all the right ones."""
    paths = [route.path for route in routes()]
    assert len(paths) == len(set(paths))


def test_api_description_is_valid() -> None:
    """The description is a valid OpenAPI 3.1 document with unique operations."""
    document = describe(routes(), version="0")
    validate(document)
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_reasons_are_in_both_languages() -> None:
    """Every refusal has a stable dotted code, a Chinese sentence, and an English one."""
    for code, reason in all_reasons().items():
        assert re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)+", code), code
        assert re.search(r"[\u4e00-\u9fff]", reason.zh), code
        assert not re.search(r"[\u4e00-\u9fff]", reason.en), code


SETTING = re.compile(r"(?: {4})?([a-z_]+)(?:: | = )")


def _settings_without_comment(lines: list[str]) -> set[str]:
    """The settings that no comment stands directly above."""
    found, commented = set(), False
    for line in lines:
        match = SETTING.match(line)
        if match is not None and match[1] in Settings.__struct_fields__ and not commented:
            found.add(match[1])
        commented = line.lstrip().startswith("#")
    return found


def test_every_setting_is_documented() -> None:
    """Each setting has its comment in the code, and another one in the file that a site reads."""
    code = (ROOT / "oa_server" / "settings.py").read_text("utf-8")
    (fields,) = [n for n in ast.parse(code).body if isinstance(n, ast.ClassDef) and n.name == "Settings"]
    assert _settings_without_comment(code.splitlines()[fields.lineno : fields.end_lineno]) == set()
    example = (ROOT / "deploy" / "settings.example.toml").read_text("utf-8").splitlines()
    assert _settings_without_comment(example) == set()


def test_the_example_holds_every_setting() -> None:
    """The file that a site reads names every setting once, loads as it is, and says the true defaults."""
    example = ROOT / "deploy" / "settings.example.toml"
    assert set(tomllib.loads(example.read_text("utf-8"))) == set(Settings.__struct_fields__)
    assert load(example, environ={}) == Settings()


# --- docstrings -------------------------------------------------------------------------------------------------------

# What others call: all of the cryptography, and the doors of each domain.
CALLED = sorted({*(ROOT / "crypto").rglob("*.py"), *(p for p in SOURCES if p.stem in {"rules", "access", "actions"})})
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _public(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """The public functions and classes of a module, and the public methods of those."""
    for item in node.body:
        if isinstance(item, Definition) and not item.name.startswith("_"):
            yield f"{prefix}{item.name}", item
            if isinstance(item, ast.ClassDef):
                yield from _public(item, f"{item.name}.")


def _refusals() -> set[str]:
    """The names of our own errors."""
    known = {"Exception"}
    classes = [
        node
        for path in (ROOT / "oa_server" / "core" / "errors.py", *(ROOT / "crypto").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    for _level in range(3):
        known |= {c.name for c in classes if known & {base.id for base in c.bases if isinstance(base, ast.Name)}}
    return known - {"Exception"}


def _raised(node: ast.AST) -> Iterator[str]:
    """What the statements of a function raise by name; functions inside it speak for themselves."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition | ast.Lambda):
            continue
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call) and isinstance(child.exc.func, ast.Name):
            yield child.exc.func.id
        yield from _raised(child)


@pytest.mark.parametrize("path", CALLED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_others_call_says_what_it_does(path: Path) -> None:
    """Each public function, class and method has a docstring, and names there the refusals that it raises itself."""
    refusals = _refusals()
    assert {"Denied", "Malformed", "KeyRefused"} <= refusals
    silent = set()
    for name, item in _public(ast.parse(path.read_text("utf-8"))):
        words = ast.get_docstring(item) or ""
        raised = set() if isinstance(item, ast.ClassDef) else refusals & set(_raised(item))
        if not words or (raised and not re.search(r"\bRaises?\b", words)) or any(r not in words for r in raised):
            silent.add(name)
    assert silent == set()


def test_every_table_is_known_to_the_database() -> None:
    """Each domain's tables are among those that the database opens with."""
    for path in (ROOT / "oa_server").glob("*/models.py"):
        assert f"oa_server.{path.parent.name}.models" in MODELS


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_its_door_plate(domain: str) -> None:
    """A domain says on its door what it owns, whom it calls and what it announces."""
    plate = ast.get_docstring(ast.parse((ROOT / "oa_server" / domain / "__init__.py").read_text("utf-8"))) or ""
    for word in ("Owns:", "Announces:", "Vocabulary"):
        assert word in plate


@pytest.mark.norm("D-8.1.4.3a")
def test_every_act_is_recorded_by_name() -> None:
    """Audit entries name their verb by its constant, and every constant is used."""
    text = "".join(path.read_text("utf-8") for path in SOURCES if path.name != "verbs.py")
    unused = {verb.name for verb in Verb if f"Verb.{verb.name}" not in text}
    assert unused == set()


def test_housekeeping_is_rare() -> None:
    """Only derived rows are written without an audit entry: log leaves, last-seen marks, spent challenges and assertions, read
    marks, answers that are kept, and what is cleaned away; and messages, which are their own record."""
    users = {
        str(p.relative_to(ROOT))
        for p in SOURCES
        if re.search(r"(housekeeping|marking|chained)\(\)", p.read_text("utf-8"))
    }
    assert users == {
        "oa_server/storage/unit_of_work.py",
        "oa_server/storage/cleaning.py",
        "oa_server/audit/actions.py",
        "oa_server/identity/signin.py",
        "oa_server/identity/clients.py",
        "oa_server/departments/delivery.py",
        "oa_server/web/endpoint.py",
        "oa_server/workflow/actions.py",
        "oa_server/messaging/actions.py",
        "oa_server/messaging/posting.py",
        "oa_server/messaging/rooms.py",
    }


def test_no_rooms_without_a_name() -> None:
    """There is no `utils`, `helpers` or `common`, and no file is left that nobody would open."""
    assert not [p for p in SOURCES if p.stem in {"utils", "util", "helpers", "common", "misc"}]


def test_nothing_is_postponed_in_secret() -> None:
    """No source holds a note to do something later."""
    marked = [p for p in SOURCES if re.search(r"\b(TODO|FIXME|XXX)\b", p.read_text("utf-8"))]
    assert marked == []
