"""Whether the baseline lets the injecting begin: a probe that fell silent is no proof of anything."""

import pytest

from chaoskit.domain.readings import Outcome, Reading, Role
from chaoskit.engine.baseline import unsteady
from tests.unit.engine.kit import experiment

EXPERIMENT = experiment(expect={"alerts": [{"alert": "Down", "fires_within": "9s"}]})
FINE: dict[Role, tuple[str, Outcome]] = {
    "check": ("up", "held"),
    "abort": ("errors", "held"),
    "detection": ("Down", "deviated"),
}


def readings(until: float = 5.0, took: float = 0.01, only: Role | None = None) -> list[Reading]:
    """A good reading of each probe each second up to 5 s; of ``only`` that one up to ``until``."""
    return [
        Reading(role=role, name=name, phase="baseline", at=float(at), took=took, outcome=outcome)
        for role, (name, outcome) in FINE.items()
        for at in range(6)
        if at <= until or role != only
    ]


def test_probes_that_answered_up_to_now_are_steady() -> None:
    assert unsteady(EXPERIMENT, readings(), now=5.2) == []


@pytest.mark.parametrize("role", FINE)
def test_a_probe_that_fell_silent_is_not_known_to_be_steady(role: Role) -> None:
    name = FINE[role][0]
    assert unsteady(EXPERIMENT, readings(until=1.0, only=role), now=5.2) == [
        f"baseline: {name}: no answer from the probe for 4.2s, so nobody knows how it is now"
    ]


def test_a_probe_that_always_takes_long_may_be_under_way() -> None:
    assert unsteady(EXPERIMENT, readings(until=1.0, took=2.5, only="check"), now=9.0) == []


def test_without_a_moment_only_what_was_read_counts() -> None:
    assert unsteady(EXPERIMENT, readings(until=1.0, only="check")) == []
