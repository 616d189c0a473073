"""What watches the servers asks for figures that they really give: the dashboard, the alarms, and where they are read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from oa_server.app import _timed, build_house
from oa_server.web.health import Probes
from oa_server.web.metrics import Metrics
from tests.conftest import embedded
from tests.deployment.site import DEPLOY, SERVERS, WORKER

BOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))
RULES = yaml.safe_load((DEPLOY / "grafana" / "oa-rules.yml").read_text("utf-8"))
SCRAPING = yaml.safe_load((DEPLOY / "grafana" / "prometheus.yml").read_text("utf-8"))
# What Prometheus gives each target, and what it says of it itself.
OF_THE_TARGET = {"job", "instance", "process"}
GRAFANA = {"$__rate_interval": "5m"}


async def away() -> None:
    """Something that answers at once."""


@pytest.fixture
async def given() -> dict[str, set[str]]:
    """The names of all figures that a process gives, with their labels."""
    metrics = Metrics()
    metrics.observe({"type": "http", "method": "GET", "path": "/"}, 200, 0.1)
    metrics.job_done("audit.sequence")
    metrics.job_failed("audit.sequence")
    text = (await metrics.text(Probes({"database": away}))).decode()
    found: dict[str, set[str]] = {"up": set(OF_THE_TARGET)}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert not OF_THE_TARGET & set(sample.labels), "Prometheus would rename it"
            found.setdefault(sample.name, set(OF_THE_TARGET)).update(sample.labels)
    return found


def questions() -> Iterator[str]:
    """Every expression that somebody asks Prometheus."""
    for panel in BOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for annotation in BOARD["annotations"]["list"]:
        yield annotation["expr"]
    for group in RULES["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def parsed(question: str) -> Any:
    for variable, value in GRAFANA.items():
        question = question.replace(variable, value)
    return promql_parser.parse(question)


def parts_of(expression: Any) -> Iterator[Any]:
    """An expression and all those inside it."""
    yield expression
    for name in ("lhs", "rhs", "expr", "vector_selector"):
        if (inner := getattr(expression, name, None)) is not None:
            yield from parts_of(inner)
    for inner in getattr(expression, "args", ()):
        yield from parts_of(inner)


def test_there_is_something_to_ask() -> None:
    """The dashboard has its panels and the alarms their rules."""
    assert len(list(questions())) > 15


@pytest.mark.parametrize("question", sorted(set(questions())))
def test_what_is_asked_is_given(question: str, given: dict[str, set[str]]) -> None:
    """Each query is PromQL, names figures that are given, and tells them apart by labels that they have."""
    selected = [part for part in parts_of(parsed(question)) if isinstance(part, promql_parser.VectorSelector)]
    assert len(selected) == len(re.findall(r'job="oa"', question)) > 0
    labels: set[str] = set()
    for selector in selected:
        assert selector.name in given
        assert {matcher.name for matcher in selector.matchers.matchers} <= given[selector.name]
        labels |= given[selector.name]
    for part in parts_of(parsed(question)):
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
            assert set(part.modifier.labels) <= labels


def test_every_figure_of_ours_is_shown(given: dict[str, set[str]]) -> None:
    """No figure is given that no panel shows; of a histogram its buckets are enough."""
    shown = {part.name for question in questions() for part in parts_of(parsed(question)) if hasattr(part, "matchers")}
    ours = {name for name in given if name.startswith("oa_") and not name.endswith(("_created", "_sum", "_count"))}
    assert ours <= shown


def test_jobs_that_alarms_name(tmp_path: Any) -> None:
    """The jobs whose silence raises an alarm are jobs that the worker runs."""
    house = build_house(embedded(tmp_path / "var"))
    for job in _timed(house):
        job.close()
    named = {name for question in questions() for name in re.findall(r'name="([a-z.]+)"', question)}
    assert named
    assert named <= set(house.rounds._until)


def test_where_figures_are_read() -> None:
    """Prometheus reads each process where nginx leads to it, with the token, under a name of its own."""
    (job,) = SCRAPING["scrape_configs"]
    assert (job["job_name"], "credentials_file" in job["authorization"]) == ("oa", True)
    assert SCRAPING["rule_files"] == ["oa-rules.yml"]
    listening = re.findall(r"listen (\S+:9180);", (DEPLOY / "nginx" / "oa.conf").read_text("utf-8"))
    read = {target["labels"]["process"]: target for target in job["static_configs"]}
    assert set(read) == {*SERVERS, WORKER}
    for name, target in read.items():
        assert (target["targets"], target["labels"]["__metrics_path__"]) == (listening, f"/{name}")
