"""How the bench reads its load generator."""

from __future__ import annotations

from tests.bench.report import Load, read_load

SAID = """Running 8s test @ http://127.0.0.1:12000/tasks
  Latency Distribution
     50%    4.10ms
     75%    5.00ms
     90%    6.00ms
     99%    1.20s
  1000 requests in 8.00s, 1.00MB read
{}Requests/sec:    125.50
Transfer/sec:      1.00KB
"""


def test_errors_are_part_of_the_figure() -> None:
    """Timeouts and refusals of a slow machine are counted, and do not end the run."""
    assert read_load(SAID.format("")) == Load(125.5, 4.1, 1200.0, 0)
    failed = "  Socket errors: connect 0, read 1, write 0, timeout 3\n  Non-2xx or 3xx responses: 5\n"
    assert read_load(SAID.format(failed)) == Load(125.5, 4.1, 1200.0, 9)
