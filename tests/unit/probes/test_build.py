"""From the file to a probe."""

from typing import Any

import pytest

from chaoskit.domain.checks import ProbeSpec
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.errors import InvalidInput
from chaoskit.probes.build import build

SPECS: dict[str, tuple[dict[str, Any], float]] = {
    "promql": ({"promql": "up"}, 5.0),
    "http": ({"http": {"url": "http://web/", "within": "2s"}}, 2.0),
    "tcp": ({"tcp": {"host": "web", "port": 80, "within": "1s"}}, 1.0),
    "command": ({"command": {"run": ["true"], "within": "3s"}}, 3.0),
}


@pytest.mark.parametrize("kind", SPECS)
def test_every_kind_of_probe_is_bounded_by_its_own_time(kind: str) -> None:
    spec, within = SPECS[kind]
    probe = build(ProbeSpec.model_validate(spec), wants_number=True, prometheus=Prometheus(url="http://prom:9090"))
    assert within < probe.bound <= within + 0.5


def test_promql_without_a_prometheus_says_what_to_write() -> None:
    with pytest.raises(InvalidInput, match=r'prometheus: \{url: "http://prometheus:9090"\}'):
        build(ProbeSpec(promql="up"), wants_number=True, prometheus=None)


def test_a_spec_without_a_probe_says_what_to_write() -> None:
    with pytest.raises(InvalidInput, match="write one of promql, http, tcp and command"):
        build(ProbeSpec(), wants_number=False, prometheus=None)
