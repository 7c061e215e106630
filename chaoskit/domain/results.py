"""What became of each expectation of a run: its checks, its alerts and its recovery. Pure, like the verdict."""

from collections.abc import Iterable, Sequence

from chaoskit.domain.experiment import Check, ExpectedAlert, Sampling
from chaoskit.domain.history import RunRecord
from chaoskit.domain.quantities import Value, format_percent
from chaoskit.domain.readings import Outcome, Reading, worst


class CheckResult(Value):
    """What became of one check: its outcome in each part of the run, and overall, with the reason in words."""

    name: str
    baseline: Outcome
    during: Outcome
    recovery: Outcome
    outcome: Outcome
    why: str
    samples: int
    missing: int
    baseline_value: float | None = None
    worst_value: float | None = None
    final_value: float | None = None


class DetectionResult(Value):
    """What became of one expected alert; ``fired_after`` is in seconds from the first injection."""

    alert: str
    limit: float
    outcome: Outcome
    why: str
    fired_after: float | None = None


_DURING = {"inject", "observe"}


def judge_hypothesis(record: RunRecord, check: Check) -> CheckResult:
    """The outcome of one check over the whole run; what counts is while the fault was in."""
    mine = [r for r in record.readings if r.role == "check" and r.name == check.name]
    baseline = [r for r in mine if r.phase == "baseline"]
    during = [r for r in mine if r.phase in _DURING]
    after = [r for r in mine if r.phase == "recovery"]
    outcome, why = _judge_during(check, during, record.experiment.sampling)
    return CheckResult(
        name=check.name,
        baseline=worst(r.outcome for r in baseline),
        during=outcome,
        recovery=after[-1].outcome if after else "unknown",
        outcome=outcome,
        why=why,
        samples=len(during),
        missing=sum(r.outcome == "unknown" for r in during),
        baseline_value=_median(baseline),
        worst_value=_worst_value(check, during),
        final_value=next((r.value for r in reversed(after) if r.value is not None), None),
    )


def _judge_during(check: Check, readings: Sequence[Reading], sampling: Sampling) -> tuple[Outcome, str]:
    """Refuted by one piece of deviation longer than allowed; proven only by enough readings, few of them missing."""
    bounds = check.during if check.during is not None and check.during.stated else check
    allowed = check.during.allow_for if check.during is not None else 0.0
    for start, length, first in _deviations(readings):
        if length > allowed or allowed == 0:
            wanted = f"; wanted {bounds}" if bounds.stated else ""
            return "deviated", f"{check.name}: {_seen(first)} at {start:.1f}s{_lasted(length, allowed)}{wanted}"
    conclusive = sum(r.outcome != "unknown" for r in readings)
    if conclusive < sampling.min_samples:
        return "unknown", f"{check.name}: {conclusive} usable samples; {sampling.min_samples} are needed"
    missing = len(readings) - conclusive
    if missing * 100 > sampling.max_missing * len(readings):
        share = f"more than {format_percent(sampling.max_missing)}"
        return "unknown", f"{check.name}: {missing} of {len(readings)} samples are missing, {share}"
    return "held", f"{check.name}: held in {conclusive} samples"


def _seen(reading: Reading) -> str:
    return reading.problem or ("failed" if reading.value is None else f"was {reading.value:g}")


def _lasted(length: float, allowed: float) -> str:
    return f", for {length:.1f}s where {allowed:g}s is allowed" if allowed else ""


def _deviations(readings: Sequence[Reading]) -> Iterable[tuple[float, float, Reading]]:
    """Each piece of deviation: its start, its length in seconds up to the next reading that held, its first reading.

    An unknown reading in the midst does not end a piece: not knowing is no proof of health.
    """
    first: Reading | None = None
    last_seen = 0.0
    for reading in readings:
        if reading.outcome == "deviated":
            first = first or reading
        elif reading.outcome == "held" and first is not None:
            yield first.at, reading.at - first.at, first
            first = None
        last_seen = reading.at + reading.took
    if first is not None:
        yield first.at, last_seen - first.at, first


def _median(readings: Sequence[Reading]) -> float | None:
    values = sorted(r.value for r in readings if r.value is not None)
    return values[len(values) // 2] if values else None


def _worst_value(check: Check, readings: Sequence[Reading]) -> float | None:
    values = [r.value for r in readings if r.value is not None]
    if not values:
        return None
    return min(values) if check.at_least is not None and check.at_most is None else max(values)


def judge_alert(record: RunRecord, expected: ExpectedAlert) -> DetectionResult:
    """The outcome of one expected alert: it must fire in time, and must not have fired before."""
    name, limit = expected.alert, expected.fires_within
    mine = [r for r in record.readings if r.role == "detection" and r.name == name]
    injected = min((i.intended_at for i in record.injections), default=None)
    outcome: Outcome = "unknown"
    if injected is None:
        return DetectionResult(alert=name, limit=limit, outcome=outcome, why=f"{name}: nothing was injected")
    if any(r.outcome == "held" for r in mine if r.at < injected):
        why = f"{name}: fired before the fault was in, so its firing proves nothing"
        return DetectionResult(alert=name, limit=limit, outcome=outcome, why=why)
    after = [r for r in mine if r.at >= injected and r.outcome != "unknown"]
    fired = next((r.at - injected for r in after if r.outcome == "held"), None)
    watched = after[-1].at - injected if after else 0.0
    if fired is not None:
        outcome = "held" if fired <= limit else "deviated"
        why = f"{name}: fired after {fired:.1f}s; {limit:g}s is the limit"
    elif watched >= limit:
        outcome, why = "deviated", f"{name}: did not fire within {limit:g}s"
    else:
        why = f"{name}: had not fired when watching ended, {watched:.1f}s into its {limit:g}s"
    return DetectionResult(alert=name, limit=limit, outcome=outcome, why=why, fired_after=fired)


def judge_recovery(record: RunRecord) -> tuple[Outcome, str]:
    """Whether the hypothesis held again within the limit after the rollback, and why we say so."""
    recovery = record.recovery
    if recovery is None:
        return "unknown", "recovery was not observed"
    if recovery.recovered_at is not None:
        took = recovery.recovered_at - recovery.started_at
        if took <= recovery.limit:
            return "held", f"recovered {took:.1f}s after rollback; {recovery.limit:g}s is the limit"
        return "deviated", f"recovered only {took:.1f}s after rollback; {recovery.limit:g}s is the limit"
    if recovery.cut_short:
        return "unknown", "watching the recovery was cut short"
    last = {r.name: r for r in record.readings if r.role == "check" and r.phase == "recovery"}
    bad = sorted(name for name, r in last.items() if r.outcome == "deviated")
    if bad:
        return "deviated", f"{', '.join(bad)} did not recover within {recovery.limit:g}s after rollback"
    return "unknown", f"recovery could not be seen within {recovery.limit:g}s after rollback"


def time_to_detect(detections: Sequence[DetectionResult]) -> float | None:
    """Seconds until the last expected alert fired; None unless all did."""
    fired = [d.fired_after for d in detections]
    return max((f for f in fired if f is not None), default=None) if None not in fired else None


def time_to_abort(record: RunRecord) -> float | None:
    """Seconds from the breach first seen to the last target restored."""
    ends = [i.restored_at for i in record.injections]
    if record.abort is None or not ends or None in ends:
        return None
    return max(end for end in ends if end is not None) - record.abort.breached_at


def time_to_recover(record: RunRecord) -> float | None:
    """Seconds from the last target restored to the hypothesis holding again."""
    recovery = record.recovery
    if recovery is None or recovery.recovered_at is None:
        return None
    return recovery.recovered_at - recovery.started_at
