"""What the models of the experiment file refuse beyond the shape of single values."""

from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.domain.experiment import Experiment

CHECK = {"name": "up", "promql": "up", "at_least": 1}
SOUND: dict[str, Any] = {
    "apiVersion": "chaoskit/v1",
    "kind": "Experiment",
    "name": "told-apart",
    "title": "Two things of one name would share their readings",
    "targets": {"web": {"docker": {"labels": {"app": "web"}}}},
    "steady_state": [CHECK],
    "faults": [{"kind": "instance.kill", "target": "web", "duration": "10s"}],
}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("steady_state", [CHECK, CHECK], "two checks are named 'up'"),
        ("abort_when", [{"promql": "e", "above": 1}] * 2, "two abort conditions are named 'e above 1'"),
        (
            "expect",
            {"alerts": [{"alert": "Down", "labels": {"service": s}, "fires_within": "15s"} for s in ("a", "b")]},
            "two expected alerts are named 'Down'",
        ),
    ],
)
def test_two_things_of_one_name_are_refused_for_one_would_never_be_heard(key: str, value: Any, message: str) -> None:
    Experiment.model_validate(SOUND)
    with pytest.raises(ValidationError, match=message):
        Experiment.model_validate({**SOUND, key: value})


def test_several_rules_on_silence_are_no_clash_and_the_strictest_counts() -> None:
    rules = [{"no_data_for": "10s"}, {"no_data_for": "5s"}]
    assert Experiment.model_validate({**SOUND, "abort_when": rules}).no_data_for == 5.0
