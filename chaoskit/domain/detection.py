"""What became of the expected alerts of a run: whether the monitoring noticed the fault in time. Pure."""

from collections.abc import Sequence
from itertools import takewhile

from chaoskit.domain.checks import ExpectedAlert
from chaoskit.domain.coverage import is_late, missing_ticks, ticks
from chaoskit.domain.history import RunRecord
from chaoskit.domain.quantities import Value
from chaoskit.domain.readings import Outcome, Reading


class DetectionResult(Value):
    """What became of one expected alert; ``fired_after`` is in seconds from the first injection."""

    alert: str
    limit: float
    outcome: Outcome
    why: str
    fired_after: float | None = None


def judge_alert(record: RunRecord, expected: ExpectedAlert) -> DetectionResult:
    """The outcome of one expected alert: it must fire in time, and must not have fired before."""
    mine = sorted(
        (r for r in record.readings if r.role == "detection" and r.name == expected.alert), key=lambda r: r.at
    )
    touched, fired_after = record.touched_at, None
    outcome, why = _UNKNOWN, "nothing was injected"
    if touched is not None and any(r.outcome == "held" for r in mine if r.at < touched):
        why = "fired before the fault was in, so its firing proves nothing"
    elif touched is not None:
        fired = next((r for r in mine if r.outcome == "held"), None)
        fired_after = None if fired is None else fired.at - touched
        outcome, why = _judge_firing(record, expected, mine, touched)
    return DetectionResult(
        alert=expected.alert,
        limit=expected.fires_within,
        outcome=outcome,
        why=f"{expected.alert}: {why}",
        fired_after=fired_after,
    )


_UNKNOWN: Outcome = "unknown"


def _judge_firing(
    record: RunRecord, expected: ExpectedAlert, readings: Sequence[Reading], touched: float
) -> tuple[Outcome, str]:
    """Proven by one sample in time that fires, refuted by one that is still quiet when the time is over."""
    limit = expected.fires_within
    fired = next((r for r in readings if r.outcome == "held"), None)
    if fired is not None and fired.at + fired.took - touched <= limit:
        return _judge_quiet_before(record, readings, touched) or (
            "held",
            f"fired after {fired.at - touched:.1f}s; {limit:g}s is the limit",
        )
    quiet = [r for r in takewhile(lambda r: r is not fired, readings) if r.outcome == "deviated" and r.at >= touched]
    watched = max((r.at - touched for r in quiet), default=0.0)
    if watched < limit and fired is not None:
        when = f"between {watched:.1f}s and {fired.at + fired.took - touched:.1f}s"
        return "unknown", f"began to fire {when}, and {limit:g}s is the limit: nobody saw on which side of it"
    if watched < limit:
        return "unknown", f"had not fired when watching ended, {watched:.1f}s into its {limit:g}s"
    if record.abort is not None and record.abort.at < touched + limit:
        return "unknown", f"had not fired when the run was stopped, within its {limit:g}s"
    if missing := _missing(record, readings, touched, touched + limit):
        return "unknown", f"was not seen to fire in time, but {missing}"
    late = "did not fire" if fired is None else f"fired only after {fired.at - touched:.1f}s, not"
    return "deviated", f"{late} within {limit:g}s"


def _judge_quiet_before(record: RunRecord, readings: Sequence[Reading], touched: float) -> tuple[Outcome, str] | None:
    """A firing proves something only of an alert that was seen to be quiet up to the fault."""
    before = [r for r in readings if r.outcome == "deviated" and r.at + r.took <= touched]
    if not is_late(before, touched, record.experiment.sampling.tick):
        return None
    return "unknown", "was not seen to be quiet right before the fault, so its firing proves nothing"


def _missing(record: RunRecord, readings: Sequence[Reading], start: float, end: float) -> str:
    """How much of the time for firing was not seen, in words, where that is more than may be; else empty."""
    sampling = record.experiment.sampling
    mine = [r for r in readings if start <= r.at <= end]
    unknown = sum(r.outcome == "unknown" for r in mine)
    if unknown * 100 > sampling.max_missing * len(mine):
        return f"{unknown} of {len(mine)} samples are missing"
    unseen = missing_ticks([r for r in mine if r.outcome != "unknown"], start, end, sampling.tick)
    if unseen * 100 > sampling.max_missing * ticks(end - start, sampling.tick):
        return f"{unseen * sampling.tick:g}s of {end - start:g}s passed without an answer"
    return ""


def time_to_detect(detections: Sequence[DetectionResult]) -> float | None:
    """Seconds until the last expected alert fired; None unless all did."""
    fired = [d.fired_after for d in detections]
    return max((f for f in fired if f is not None), default=None) if None not in fired else None
