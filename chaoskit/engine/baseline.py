"""The baseline: is the system steady, and do the brakes work? Not knowing is a no: never inject blind."""

from collections.abc import Sequence

from chaoskit.domain.coverage import is_late
from chaoskit.domain.experiment import Experiment
from chaoskit.domain.readings import Reading
from chaoskit.engine.sampler import Key


def expected(experiment: Experiment) -> list[Key]:
    """What must be sampled: every check, every abort condition and every expected alert."""
    return [
        *(Key("check", check.name) for check in experiment.steady_state),
        *(Key("abort", rule.title) for rule in experiment.watched),
        *(Key("detection", alert.alert) for alert in experiment.expect.alerts),
    ]


def unsteady(experiment: Experiment, readings: Sequence[Reading], now: float | None = None) -> list[str]:
    """Every reason of the baseline not to inject, one line for each probe that has one.

    ``now``, in run seconds, is when the injecting would begin: a probe that has been silent until then is a reason.
    """
    found = []
    for key in expected(experiment):
        mine = [r for r in readings if r.role == key.role and r.name == key.name and r.phase == "baseline"]
        bad = next((r for r in reversed(mine) if not _fine(r)), None)
        if not mine:
            found.append(f"baseline: {key.name}: the probe gave no answer in time")
        elif bad is not None:
            found.append(f"baseline: {_told(experiment, bad)}")
        elif now is not None and is_late(mine, now, experiment.sampling.tick):
            age = now - max(r.at + r.took for r in mine)
            found.append(
                f"baseline: {key.name}: no answer from the probe for {age:.1f}s, so nobody knows how it is now"
            )
    return found


def _fine(reading: Reading) -> bool:
    # An alert that does not fire is as it should be before the fault.
    return reading.outcome == ("deviated" if reading.role == "detection" else "held")


def _told(experiment: Experiment, reading: Reading) -> str:
    if reading.outcome == "unknown":
        what = {"abort": "the abort condition cannot be measured, so the brake is not proven"}
        return f"{reading.name}: {what.get(reading.role, 'cannot be measured')} ({reading.problem})"
    if reading.role == "abort":
        return f"abort condition already met before the fault: {reading.name}"
    if reading.role == "detection":
        return f"alert {reading.name} fires already, so its firing would prove nothing"
    check = next(check for check in experiment.steady_state if check.name == reading.name)
    seen = reading.problem or ("failed" if reading.value is None else f"was {check.told(reading.value)}")
    return f"{reading.name}: {seen}{f'; wanted {check}' if check.stated else ''}: the system is not steady"
