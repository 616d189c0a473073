"""The checklist of norms: each row has tests that show it, marked with its number, or says here why it has none.

D: 等级保护 GB/T 22239-2019, level 3, 8.1.…; M: 密码应用 GB/T 39786-2021, level 3; A: OWASP ASVS 5.0; N: NIST SP 800-63B.
`pytest -m norm` runs what is shown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent.parent

SHOWN = {
    "D-8.1.2.2": "links to database, bus and store are encrypted, and the other end is known",
    "D-8.1.4.1a": "one certificate, code and key for one holder",
    "D-8.1.4.1b": "five wrong PINs lock; idle sessions end",
    "D-8.1.4.1c": "no credential readable on the wire",
    "D-8.1.4.1d": "two factors, one of them cryptographic",
    "D-8.1.4.2a/c": "accounts of people; who has left is out at once",
    "D-8.1.4.2b": "no default accounts",
    "D-8.1.4.2d": "three administrators with disjoint rights",
    "D-8.1.4.2e/f": "who may not see a row does not learn that it is there",
    "D-8.1.4.2g": "what is classified is there for nobody who is not cleared",
    "D-8.1.4.3a": "no act without its record",
    "D-8.1.4.3b": "who, when, from where, on what",
    "D-8.1.4.3c": "records are protected, and lie elsewhere too",
    "D-8.1.4.3d": "the log cannot be switched off",
    "D-8.1.4.4b/c": "open ports; administrators from their networks",
    "D-8.1.4.4d": "every interface judges its input",
    "D-8.1.4.5": "attachments pass a malware scanner, or wait for it",
    "D-8.1.4.6": "a program that is not as it was released does not start",
    "D-8.1.4.7a/b": "integrity of what is stored and sent",
    "D-8.1.4.8a/b": "what officials write shows in no file of database, store, bus, log or backup",
    "D-8.1.4.9a": "backup and restore",
    "D-8.1.4.9b/c": "a replica takes over, and nothing that was acknowledged is lost",
    "D-8.1.4.10": "PINs leave the agent's memory; old sessions and drafts are removed",
    "D-8.1.4.11": "personal data: an inventory, nothing beyond it in any answer, exports on record",
    "D-8.1.5.1": "what was done past the interfaces is found",
    "D-8.1.5.2": "the auditor alone reads the log",
    "D-8.1.5.3": "roles are given by two",
    "D-8.1.5.4": "figures, alarms, and one time",
    "M-8.4a": "cryptographic identity: fresh, bound, used once",
    "M-8.4b": "integrity of what decides about access",
    "M-8.4c": "security labels are signed",
    "M-8.4e": "attachments, pages and what officials write are encrypted",
    "M-8.4f/g": "integrity by signature and digest",
    "M-8.4h": "sending and receiving cannot be denied",
    "M-8.4i": "signing keys stay in their device",
    "M-8.2a": "systems are known by their keys",
    "M-keys": "the master key is changed and the old one destroyed",
    "A-1.2.10": "no formula leaves in a sheet",
    "A-1.3.1/1.5.1": "text is text",
    "A-1.3.6": "no way to addresses that were not registered",
    "A-2.3.1–2.3.4": "steps in their order, nothing twice",
    "A-2.3.5": "what is grave takes two people",
    "A-3.4.x": "security headers",
    "A-4.2.1": "no request that can be read in two ways",
    "A-4.4.1–4.4.3": "sockets are for our own pages",
    "A-5.2–5.4": "files: names, sizes, bombs",
    "A-6.3.3": "a foreign page gets nothing from the key",
    "A-6.7.1/6.7.2": "nonces do not repeat",
    "N-reauth": "fifteen minutes idle, twelve hours in all",
    "A-7.4.1/7.4.2": "a session that was ended opens nothing",
    "A-7.5.3": "each act asks for the PIN anew",
    "A-8.2.1–8.3.2": "rights that were taken are gone at the next request",
    "A-8.4.1": "units do not see each other's",
    "A-9.1.x/9.2.x": "tokens and assertions that are none",
    "A-13.2.4/13.3.1": "it needs no way out",
    "A-15.4.2": "of two at once one is first",
    "A-16.3–16.5": "security events are logged, secrets and traces are not",
}

NOT_SHOWN = {
    "M-8.4d": "TLS by the proxy; TLCP is a gateway of the site's",
}


def _marks() -> Iterator[tuple[str, str]]:
    """Every test that is marked, with each of its rows."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.norm":
                    for row in mark.args:
                        yield str(ast.literal_eval(row)), f"{path.name}::{node.name}"


def test_each_row_is_shown_or_says_why_not() -> None:
    """The rows that tests are marked with are those of the checklist that are said to be shown, and no others."""
    marked = {row for row, _test in _marks()}
    assert marked == set(SHOWN)
    assert not marked & set(NOT_SHOWN)
