"""The web client's form takes as much as the server does: what can be typed can be saved."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from oa_server.documents.schemas import Elements
from oa_server.documents.states import Classification

FORM = Path(__file__).parents[2] / "clients/web/src/domains/documents/ElementsForm.vue"
FIELD = re.compile(r'<el-input\s+v-model="elements\.(\w+)"[^>]*? maxlength="(\d+)"')


def test_elements_form() -> None:
    """Each text field of the elements' form ends where the server's limit for that element is."""
    known = msgspec.json.schema(Elements)["$defs"]["Elements"]["properties"]
    typed = {name: int(limit) for name, limit in FIELD.findall(FORM.read_text("utf-8"))}
    assert typed == {name: element["maxLength"] for name, element in known.items() if "maxLength" in element}


def test_years_of_a_secret() -> None:
    """The form offers years for the classes that are state secrets, and for each as many as the law."""
    (years,) = re.findall(r"const LONGEST_YEARS: \S+ \S+ = \{ (.+) \}", FORM.read_text("utf-8"))
    offered = {name: int(longest) for name, longest in re.findall(r"(\w+): (\d+)", years)}
    assert offered == {each.value: each.longest_years for each in Classification if each.longest_years is not None}
