"""What departments' systems rely on: every operation under `/api/v1`, as one line for each thing that is sent or given.

`contract_v1.json` beside this file is the promise, read by people when it changes. `python -m tests.web.contract` writes it
anew from what the server says of itself now; `test_contract.py` compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from oa_server.web.docs import met_by_systems
from oa_server.web.endpoint import DEPARTMENTS
from tests.described import description

PROMISE = Path(__file__).parent / "contract_v1.json"
REWRITE = "python -m tests.web.contract"

Contract = dict[str, Any]
Fields = dict[str, str]


def promised() -> Contract:
    """The contract that stands."""
    return dict(json.loads(PROMISE.read_text("utf-8")))


def contract(document: dict[str, Any]) -> Contract:
    """What an OpenAPI document says to departments' systems: operations by method and path, and the problem codes that they
    may meet."""
    return {
        "operations": {
            f"{method.upper()} {path}": _Reader(document).operation(operation)
            for path, methods in sorted(document["paths"].items())
            for method, operation in sorted(methods.items())
            if path.startswith(DEPARTMENTS + "/")
        },
        "problems": [code for code in sorted(document["x-problems"]) if met_by_systems(code)],
    }


class _Reader:
    """Reads an operation; every field becomes `path: required|optional: types`."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.shapes = document["components"]["schemas"]

    def operation(self, operation: dict[str, Any]) -> Contract:
        scopes = [scope for way in operation.get("security", ()) for scope in way.get("client", ())]
        return {
            "scope": scopes[0] if scopes else None,
            "sends": dict(sorted(self._sent(operation))),
            "gets": dict(sorted(self._given(operation))),
            "refusals": " ".join(status for status in sorted(operation["responses"]) if status >= "400"),
        }

    def _sent(self, operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for one in operation["parameters"]:
            yield f"{one['in']} {one['name']}", _line(one["required"], self._words(one["schema"]))
        if body := operation.get("requestBody"):
            yield from self._content("body", body["content"])

    def _given(self, operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for status, answer in operation["responses"].items():
            if status < "400":
                yield from self._content(status, answer.get("content", {}))

    def _content(self, name: str, content: dict[str, Any]) -> Iterator[tuple[str, str]]:
        yield name, _line(True, content)
        for kind in content.values():
            yield from self._fields(name, kind["schema"])

    def _fields(self, path: str, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
        schema = self._resolved(schema)
        named = {ref: name for name, ref in schema.get("discriminator", {}).get("mapping", {}).items()}
        for choice in schema.get("anyOf", ()):
            part = f"{path}({named[choice['$ref']]})" if named else path
            if named:
                yield part, _line(False, self._words(choice))
            yield from self._fields(part, choice)
        for name, value in schema.get("properties", {}).items():
            yield f"{path}.{name}", _line(name in schema.get("required", ()), self._words(value))
            yield from self._fields(f"{path}.{name}", value)
        for inner, name in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(schema.get(inner), dict):
                yield path + name, _line(True, self._words(schema[inner]))
                yield from self._fields(path + name, schema[inner])

    def _words(self, schema: dict[str, Any]) -> list[str]:
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return [word for choice in schema["anyOf"] for word in self._words(choice)]
        if "enum" in schema:
            return [json.dumps(value) for value in schema["enum"]]
        word = schema.get("type", "any")
        return [f"{word}({schema['format']})" if "format" in schema else word]

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        return self.shapes[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _line(required: bool, words: Iterable[str]) -> str:
    return f"{'required' if required else 'optional'}: {' | '.join(sorted(set(words))) or 'nothing'}"


def _need_and_words(line: str) -> tuple[bool, set[str]]:
    need, _, words = line.partition(": ")
    return need == "required", set(words.split(" | "))


def breaks(old: Contract, new: Contract) -> list[str]:
    """A sentence for each thing of `old` on which a system relies and that `new` no longer keeps: what breaks whom."""
    found = [f"The problem code {code} is gone: systems that act on it no longer do." for code in _gone(old, new)]
    for name, before in old["operations"].items():
        after = new["operations"].get(name)
        if after is None:
            found.append(f"{name} is gone: systems with {before['scope']} that call it are answered 404.")
            continue
        if after["scope"] != before["scope"]:
            found.append(f"{name} asks for {after['scope']}: systems let in with {before['scope']} are refused.")
        found += [f"{name} {said}" for said in _sent_breaks(before["sends"], after["sends"])]
        found += [f"{name} {said}" for said in _given_breaks(before["gets"], after["gets"])]
        found += [
            f"{name} no longer answers {status}: systems that wait for it wait in vain."
            for status in before["refusals"].split()
            if status not in after["refusals"].split()
        ]
    return found


def _gone(old: Contract, new: Contract) -> list[str]:
    return sorted(set(old["problems"]) - set(new["problems"]))


def _sent_breaks(old: Fields, new: Fields) -> Iterator[str]:
    for path in sorted(old.keys() - new.keys()):
        yield f"takes no “{path}” any more: systems that send it are refused."
    for path, line in new.items():
        needed, words = _need_and_words(line)
        if path in old:
            was_needed, were = _need_and_words(old[path])
            if lost := [word for word in were if not _covered(word, words)]:
                yield f"takes no {' | '.join(sorted(lost))} in “{path}” any more: systems that send it are refused."
            if needed and not was_needed:
                yield f"demands “{path}” now: systems that leave it out are refused."
        elif needed and (_whole(path) in old or not _whole(path)):
            yield f"demands “{path}”, which is new: systems made before it are refused."


def _given_breaks(old: Fields, new: Fields) -> Iterator[str]:
    for path, line in old.items():
        was_needed, were = _need_and_words(line)
        if path not in new:
            yield f"gives no “{path}” any more: systems that read it find nothing."
            continue
        needed, words = _need_and_words(new[path])
        if strange := [word for word in words if not _covered(word, were) and not _value_among_values(word, were)]:
            yield f"may give {' | '.join(sorted(strange))} in “{path}”: systems that read {line} cannot."
        if was_needed and not needed:
            yield f"may leave “{path}” out: systems that rely on it find nothing."


def _whole(path: str) -> str:
    """What a field is a part of; empty for what stands alone."""
    return path.rpartition(".")[0]


def _covered(word: str, words: set[str]) -> bool:
    """Whether what `word` names is among what `words` name."""
    kind = "string" if word.startswith(('"', "string(")) else "number" if word == "integer" else word
    return bool(words & {word, kind, "any"})


def _value_among_values(word: str, words: set[str]) -> bool:
    """A further value of an enumeration: systems must be ready for those, as the manual tells them."""
    return word.startswith('"') and any(other.startswith('"') for other in words)


if __name__ == "__main__":
    PROMISE.write_text(
        json.dumps(contract(description()), ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8"
    )
