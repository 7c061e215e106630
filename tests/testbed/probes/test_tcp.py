"""The tcp probe against real listeners."""

import pytest

from chaoskit.domain.checks import ProbeSpec
from chaoskit.domain.ports import Probe
from chaoskit.probes.build import build
from tests.testbed.probes.parts import HOST, black_hole, closed_port, raw_server, timely


def probe(port: int, host: str = HOST) -> Probe:
    parsed = ProbeSpec.model_validate({"tcp": {"host": host, "port": port, "within": "500ms"}})
    return build(parsed, wants_number=False, prometheus=None)


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_an_accepted_connection_holds_and_its_time_is_the_number(host: str) -> None:
    with raw_server(lambda _: None) as port:
        taken = probe(port, host).sample()
        assert (taken.holds, taken.problem) == (True, "")
        assert 0 < taken.values[0] < 0.5


def test_a_refused_connection_does_not_hold() -> None:
    port = closed_port()
    taken = probe(port).sample()
    assert (taken.holds, taken.values, taken.problem) == (False, (), f"tcp {HOST}:{port}: connection refused")


def test_a_black_hole_does_not_hold_in_time() -> None:
    with black_hole() as port:
        taken, took = timely(probe(port))
        assert took > 0.4
        assert (taken.holds, taken.problem) == (False, f"tcp {HOST}:{port}: no answer within 0.5s")


def test_a_name_that_does_not_resolve_is_unknown() -> None:
    taken = probe(1, "no-such-host.invalid").sample()
    assert taken.holds is None
    assert "no-such-host.invalid" in taken.problem
    assert probe(1, "a" * 70 + ".b").sample().holds is None
