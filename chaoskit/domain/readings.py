"""From a sample to an outcome: held < unknown < deviated. Silence, NaN and staleness are unknown, never held."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from pydantic import ConfigDict

from chaoskit.domain.checks import AbortCondition, Bounds, Check, ProbeSpec
from chaoskit.domain.ports import Sample
from chaoskit.domain.quantities import Value

Outcome = Literal["held", "unknown", "deviated"]
Role = Literal["check", "abort", "detection"]
Admits = Callable[[float], bool]
Reducer = Callable[[Sequence[float]], float]
_REDUCERS: dict[str | None, Reducer] = {"max": max, "min": min, "sum": sum}
_NAN = "the value is not a number (NaN)"
_ORDER: tuple[Outcome, ...] = ("held", "unknown", "deviated")


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of some outcomes; nothing at all is unknown."""
    found = set(outcomes)
    return next((outcome for outcome in reversed(_ORDER) if outcome in found), "unknown")


class Reading(Value):
    """One judged sample. ``at`` is in seconds since the run started; ``took`` is how long the probe needed.

    For a check, ``deviated`` means out of bounds. For an abort condition it means its limit is exceeded. For a
    detection, ``held`` means that the alert fires.
    """

    # A latency quantile may be infinite; strict JSON would turn it into null.
    model_config = ConfigDict(ser_json_inf_nan="strings")

    role: Role
    name: str
    phase: str
    at: float
    took: float
    outcome: Outcome
    value: float | None = None
    problem: str = ""


class Judged(Value):
    """The outcome of one sample, with the number it was judged by."""

    outcome: Outcome
    value: float | None = None
    problem: str = ""


def judge_check(check: Check, sample: Sample, *, fault_in: bool) -> Judged:
    """Judge a sample of a check by its bounds, or by its ``during`` bounds while the fault is in."""
    bounds: Bounds = check.during if fault_in and check.during is not None and check.during.stated else check
    if not bounds.stated or sample.holds is False:
        return _judge_by_probe(sample)
    return _judge_values(check, sample, bounds.admit, one_suffices=check.reduce == "any")


def judge_abort(condition: AbortCondition, sample: Sample) -> Judged:
    """Judge a sample of an abort condition: deviated means that its limit is exceeded now.

    Of several series, ``reduce: any`` (``all``) means that any (all) of them must exceed it.
    """
    above, below = condition.above, condition.below
    if (above is None and below is None) or sample.holds is False:
        return _judge_by_probe(sample)

    def within(value: float) -> bool:
        return (above is None or value <= above.value) and (below is None or value >= below.value)

    return _judge_values(condition, sample, within, one_suffices=condition.reduce == "all")


def judge_detection(sample: Sample) -> Judged:
    """Judge a sample of an expected alert: held means that it fires."""
    if problem := _unusable(sample):
        return Judged(outcome="unknown", problem=problem)
    return Judged(outcome="held" if max(sample.values) > 0 else "deviated", value=max(sample.values))


def _judge_by_probe(sample: Sample) -> Judged:
    """The probe's own word; without one there is nothing to judge by."""
    if sample.holds is None:
        return Judged(outcome="unknown", problem=sample.problem or "no answer to judge")
    value = sample.values[0] if len(sample.values) == 1 and not math.isnan(sample.values[0]) else None
    return Judged(outcome="held" if sample.holds else "deviated", value=value, problem=sample.problem)


def _unusable(sample: Sample) -> str:
    """Why the numbers of a sample cannot be judged; empty when they can. One NaN among them spoils them all."""
    if sample.problem or not sample.values:
        return sample.problem or "no data"
    return _NAN if any(math.isnan(value) for value in sample.values) else ""


def _judge_values(spec: ProbeSpec, sample: Sample, admits: Admits, *, one_suffices: bool) -> Judged:
    if problem := _unusable(sample):
        return Judged(outcome="unknown", problem=problem)
    if spec.reduce in _REDUCERS:
        return _judge_one(_REDUCERS[spec.reduce](sample.values), admits)
    if len(sample.values) > 1 and spec.reduce is None:
        count = len(sample.values)
        return Judged(outcome="unknown", problem=f"{count} values where one was expected; add reduce: all, any, max …")
    refused = [value for value in sample.values if not admits(value)]
    holds = len(refused) < len(sample.values) if one_suffices else not refused
    return Judged(outcome="held" if holds else "deviated", value=_shown(sample.values, refused, holds=holds))


def _judge_one(value: float, admits: Admits) -> Judged:
    if math.isnan(value):  # the sum of opposite infinities
        return Judged(outcome="unknown", problem=_NAN)
    return Judged(outcome="held" if admits(value) else "deviated", value=value)


def _shown(values: Sequence[float], refused: Sequence[float], *, holds: bool) -> float:
    """The one number to show for many: the first that was refused when the check deviates, else the first that held."""
    if not holds:
        return refused[0]
    return next(value for value in values if value not in refused)
