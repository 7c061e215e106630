"""What became of the checks of a run, and of its recovery. Pure, like the verdict."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chaoskit.domain.checks import Bounds, Check
from chaoskit.domain.coverage import is_late, missing_ticks, ticks
from chaoskit.domain.experiment import Sampling
from chaoskit.domain.history import InjectionRecord, RunRecord
from chaoskit.domain.quantities import Value, format_percent
from chaoskit.domain.readings import Outcome, Reading, worst


class CheckResult(Value):
    """What became of one check: its outcome in each part of the run, and overall, with the reason in words.

    ``unseen`` is how many seconds of a fault passed without an answer, in the step where it was most.
    """

    name: str
    baseline: Outcome
    during: Outcome
    recovery: Outcome
    outcome: Outcome
    why: str
    samples: int
    missing: int
    unseen: float = 0.0
    baseline_value: float | None = None
    worst_value: float | None = None
    final_value: float | None = None


_DURING = {"inject", "observe"}
_AFTER = {"rollback", "recovery"}


def judge_hypothesis(record: RunRecord, check: Check) -> CheckResult:
    """The outcome of one check over the whole run; what counts is while the fault was in."""
    mine = sorted((r for r in record.readings if r.role == "check" and r.name == check.name), key=lambda r: r.at)
    tick = record.experiment.sampling.tick
    touched = record.touched_at
    # A sample that was under way when the injecting began may have seen the fault: it tells of neither side.
    baseline = [r for r in mine if r.phase == "baseline" and (touched is None or r.at + r.took <= touched)]
    during = [r for r in mine if r.phase in _DURING]
    after = [r for r in mine if r.phase == "recovery"]
    steady, doubt = _steady(baseline, touched, record.experiment.sampling)
    outcome, why = _judge_during(record, check, mine)
    if outcome == "held" and steady != "held":
        outcome, why = "unknown", f"{check.name}: {doubt}"
    return CheckResult(
        name=check.name,
        baseline=steady,
        during=outcome,
        recovery=after[-1].outcome if after else "unknown",
        outcome=outcome,
        why=why,
        samples=len(during),
        missing=sum(r.outcome == "unknown" for r in during),
        unseen=max((_unseen(span, mine, tick) * tick for span in _spans(record)), default=0.0),
        baseline_value=_median(baseline),
        worst_value=_worst_value(check, during),
        final_value=next((r.value for r in reversed(after) if r.value is not None), None),
    )


def _steady(baseline: Sequence[Reading], touched: float | None, sampling: Sampling) -> tuple[Outcome, str]:
    """Whether it held before the fault and up to it: of a probe that fell silent before, nobody knows."""
    steady = worst(r.outcome for r in baseline)
    if touched is not None and baseline and is_late(baseline, touched, sampling.tick):
        age = touched - max(r.at + r.took for r in baseline)
        return worst([steady, "unknown"]), f"was not seen in the last {age:.1f}s before the fault"
    return steady, "was not seen to hold before the fault"


def _judge_during(record: RunRecord, check: Check, readings: Sequence[Reading]) -> tuple[Outcome, str]:
    """Refuted by one piece of deviation longer than allowed; proven only where every fault was seen to be endured."""
    sampling = record.experiment.sampling
    allowed = check.during.allow_for if check.during is not None else 0.0
    found = [_judge_piece(check, piece, allowed) for piece in _pieces(readings)]
    found += [_judge_samples(check, span, readings, sampling) for span in _spans(record)]
    for outcome in ("deviated", "unknown"):
        if why := next((why for judged, why in found if judged == outcome), ""):
            return outcome, why
    return found[-1] if found else ("unknown", f"{check.name}: was not seen while a fault was in")


class _Span(NamedTuple):
    """When all faults of one step of the experiment were in, in run seconds."""

    what: str
    start: float
    end: float


def _spans(record: RunRecord) -> list[_Span]:
    """One for each step, from its last injection made to its first rollback begun; none where these are not known."""
    steps: dict[int, list[InjectionRecord]] = {}
    for injection in record.injections:
        steps.setdefault(injection.step, []).append(injection)
    return [_span(mine) for mine in steps.values()]


def _span(injections: Sequence[InjectionRecord]) -> _Span:
    made = [math.inf if i.injected_at is None else i.injected_at for i in injections]
    undone = [-math.inf if i.rollback_at is None else i.rollback_at for i in injections]
    return _Span(injections[0].kind, max(made), min(undone))


def _judge_samples(check: Check, span: _Span, readings: Sequence[Reading], sampling: Sampling) -> tuple[Outcome, str]:
    """Proven only by enough readings that held from beginning to end within the span, and little that is missing.

    What is missing is counted in samples and in time: one sample that hangs leaves as much unseen as many.
    """
    mine = [r for r in readings if r.phase in _DURING and span.start <= r.at <= span.end]
    held = sum(r.outcome == "held" and r.at + r.took <= span.end for r in mine)
    missing = sum(r.outcome == "unknown" for r in mine)
    what = f"{check.name}: held in {held} samples while {span.what} was in"
    if held < sampling.min_samples:
        return "unknown", f"{what}; {sampling.min_samples} are needed"
    share = f"more than {format_percent(sampling.max_missing)}"
    if missing * 100 > sampling.max_missing * (held + missing):
        return "unknown", f"{what}, and {missing} are missing, {share}"
    unseen, length = _unseen(span, readings, sampling.tick), span.end - span.start
    if unseen * 100 > sampling.max_missing * ticks(length, sampling.tick):
        return "unknown", f"{what}, but {unseen * sampling.tick:g}s of {length:.1f}s passed without an answer, {share}"
    return "held", what


def _unseen(span: _Span, readings: Sequence[Reading], tick: float) -> int:
    """How many ticks of the span passed without an answer from beginning to end within it."""
    if not span.start <= span.end:
        return 0
    within = [r for r in readings if r.phase in _DURING and span.start <= r.at and r.at + r.took <= span.end]
    return missing_ticks([r for r in within if r.outcome != "unknown"], span.start, span.end, tick)


class _Piece(NamedTuple):
    """One piece of deviation: it surely lasted ``seen`` seconds; it was over after ``over`` seconds, if it was seen."""

    first: Reading
    seen: float
    over: float | None


def _judge_piece(check: Check, piece: _Piece, allowed: float) -> tuple[Outcome, str]:
    bounds = check.during if check.during is not None and check.during.stated else check
    wanted = f"; wanted {bounds}" if bounds.stated else ""
    what = f"{check.name}: {_seen(piece.first, bounds)} at {piece.first.at:.1f}s"
    if allowed == 0:
        return "deviated", f"{what}{wanted}"
    if piece.seen > allowed:
        return "deviated", f"{what}, for {piece.seen:.1f}s where {allowed:g}s is allowed{wanted}"
    if piece.over is None or piece.over > allowed:
        return "unknown", f"{what}, and was not seen to end within the {allowed:g}s that are allowed{wanted}"
    return "held", f"{what}, for {piece.over:.1f}s where {allowed:g}s is allowed"


def _pieces(readings: Sequence[Reading]) -> Iterator[_Piece]:
    """Each piece of deviation that began while a fault was in; only a reading that held ends one, even a later one.

    An unknown reading in its midst neither ends nor lengthens it: not knowing is proof of nothing.
    """
    first: Reading | None = None
    seen = 0.0
    for reading in readings:
        if reading.phase in _DURING and reading.outcome == "deviated":
            first = first or reading
            seen = reading.at + reading.took - first.at
        elif reading.phase in _DURING | _AFTER and reading.outcome == "held" and first is not None:
            over = reading.at - first.at
            yield _Piece(first, min(seen, over), over)
            first = None
    if first is not None:
        yield _Piece(first, seen, None)


def _seen(reading: Reading, bounds: Bounds) -> str:
    return reading.problem or ("failed" if reading.value is None else f"was {bounds.told(reading.value)}")


def _median(readings: Sequence[Reading]) -> float | None:
    values = sorted(r.value for r in readings if r.value is not None)
    return values[len(values) // 2] if values else None


def _worst_value(check: Check, readings: Sequence[Reading]) -> float | None:
    values = [r.value for r in readings if r.value is not None]
    if not values:
        return None
    return min(values) if check.at_least is not None and check.at_most is None else max(values)


def judge_recovery(record: RunRecord) -> tuple[Outcome, str]:
    """Whether the hypothesis held again within the limit after the rollback, and why we say so."""
    recovery = record.recovery
    if recovery is None:
        return "unknown", "recovery was not observed"
    limit = f"{recovery.limit:g}s is the limit"
    took = None if recovery.recovered_at is None else recovery.recovered_at - recovery.started_at
    if took is not None and took <= recovery.limit:
        return "held", f"recovered {took:.1f}s after rollback; {limit}"
    over = recovery.started_at + recovery.limit
    late = [r for r in record.readings if r.phase == "recovery" and r.at >= over]
    bad = sorted({r.name for r in late if r.role == "check" and r.outcome == "deviated"})
    if bad and took is not None:
        return "deviated", f"recovered only {took:.1f}s after rollback; {limit}"
    if bad:
        return "deviated", f"{', '.join(bad)} did not recover within {recovery.limit:g}s after rollback"
    if recovery.cut_short:
        return "unknown", "watching the recovery was cut short"
    if took is not None:
        return "unknown", f"seen to hold again only {took:.1f}s after rollback, and not known to be later; {limit}"
    return "unknown", f"recovery could not be seen within {recovery.limit:g}s after rollback"


def time_to_abort(record: RunRecord) -> float | None:
    """Seconds from the breach first seen to the last target restored; None when everything was restored before."""
    ends = [i.restored_at for i in record.injections]
    if record.abort is None or not ends or None in ends:
        return None
    took = max(end for end in ends if end is not None) - record.abort.breached_at
    return took if took >= 0 else None


def time_to_recover(record: RunRecord) -> float | None:
    """Seconds from the last target restored to the hypothesis holding again."""
    recovery = record.recovery
    if recovery is None or recovery.recovered_at is None:
        return None
    return recovery.recovered_at - recovery.started_at
