"""The contract with departments' systems: what they rely on stays, and what is added is written down.

When a test here names an addition, look at it and run `python -m tests.web.contract`; the difference in `contract_v1.json` is
part of the commit. When one names a break, keep what was promised: another promise belongs under `/api/v2`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.described import description
from tests.web.contract import REWRITE, breaks, contract, promised

Change = Callable[[dict[str, Any]], object]


def test_nothing_that_systems_rely_on_has_changed() -> None:
    """What the server says of `/api/v1` keeps every promise of the reviewed contract."""
    assert breaks(promised(), contract(description())) == []


def test_the_contract_says_all_of_it() -> None:
    """An addition stands in the contract, so that it is kept from then on; a new problem code joins with the next of them."""
    said, kept = contract(description())["operations"], promised()["operations"]
    added = [name for name in said if said[name] != kept.get(name)]
    assert not added, f"review what is new here, and run `{REWRITE}`"


def _shape(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: document["components"]["schemas"][name]


def _operation(method: str, path: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: document["paths"][f"/api/v1{path}"][method]


draft, document, receipt, table = _shape("DraftIn"), _shape("DocumentOut"), _shape("ReceiptFile"), _shape("Table")
drafting, listing, organs = (
    _operation("post", "/documents"),
    _operation("get", "/documents"),
    _operation("get", "/organs"),
)

BROKEN: dict[str, Change] = {
    "/api/v1/organs is gone": lambda d: d["paths"].pop("/api/v1/organs"),
    "asks for people:read": lambda d: organs(d).update(security=[{"client": ["people:read"]}]),
    "demands “body.reason”, which is new": lambda d: (
        draft(d)["properties"].update(reason={"type": "string"}),
        draft(d)["required"].append("reason"),
    ),
    "demands “body.body.content[](table).header” now": lambda d: table(d)["required"].append("header"),
    "takes no “body.body” any more": lambda d: draft(d)["properties"].pop("body"),
    'takes no "notice" in “body.elements.kind”': lambda d: _shape("DocKind")(d)["enum"].remove("notice"),
    "demands “header If-Match”": lambda d: drafting(d)["parameters"].append(
        {"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}}
    ),
    "takes no “query cursor”": lambda d: listing(d)["parameters"].pop(
        [one["name"] for one in listing(d)["parameters"]].index("cursor")
    ),
    "gives no “200.cms” any more": lambda d: receipt(d)["properties"].pop("cms"),
    "may give integer in “200.doc_no”": lambda d: document(d)["properties"].update(doc_no={"type": "integer"}),
    "may give null in “200.doc_no”": lambda d: document(d)["properties"].update(
        doc_no={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "may leave “200.etag” out": lambda d: document(d)["required"].remove("etag"),
    "gives no “201” any more": lambda d: drafting(d)["responses"].update({"200": drafting(d)["responses"].pop("201")}),
    "no longer answers 409": lambda d: drafting(d)["responses"].pop("409"),
    "The problem code core.stale is gone": lambda d: d["x-problems"].pop("core.stale"),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_break_is_told(said: str) -> None:
    """Whatever is taken away, demanded or given otherwise than promised is told by what it is and whom it breaks."""
    changed = deepcopy(description())
    BROKEN[said](changed)
    told = breaks(contract(description()), contract(changed))
    assert any(said in sentence for sentence in told), told


def _add_picture(document: dict[str, Any]) -> None:
    blocks = _shape("Body")(document)["properties"]["content"]["items"]
    ref = "#/components/schemas/Picture"
    blocks["anyOf"].append({"$ref": ref})
    blocks["discriminator"]["mapping"]["picture"] = ref
    document["components"]["schemas"]["Picture"] = deepcopy(_shape("Heading")(document))


ADDED: dict[str, Change] = {
    "an operation": lambda d: d["paths"].update({"/api/v1/seals": {"get": organs(d)}}),
    "an optional field of a request": lambda d: draft(d)["properties"].update(
        mark={"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
    ),
    "a field of an answer": lambda d: (
        document(d)["properties"].update(mark={"type": "string"}),
        document(d)["required"].append("mark"),
    ),
    "a kind of document": lambda d: _shape("DocKind")(d)["enum"].append("charter"),
    "a request field that may be null": lambda d: _shape("ActIn")(d)["properties"].update(
        reason={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "a refusal": lambda d: organs(d)["responses"].update({"410": {"description": "Gone"}}),
    "a problem code": lambda d: d["x-problems"].update({"documents.new": {}}),
    "a block of a text": _add_picture,
}


@pytest.mark.parametrize("what", ADDED)
def test_an_addition_breaks_nobody(what: str) -> None:
    """What is only added breaks no system, and is yet to be written into the contract."""
    changed = deepcopy(description())
    ADDED[what](changed)
    standing = contract(description())
    assert breaks(standing, contract(changed)) == []
    assert contract(changed) != standing
